// From one answer of /api/stat to what stands on the page. Everything goes in as text: names are somebody's input.

import {
  NONE, age, bytes, clock, count, level, moment, percent, rate, span, untilFull,
} from './format.js';
import { by, list, made, put } from './nodes.js';
import { source } from './source.js';

export function show(stat) {
  head(stat);
  verdict(stat);
  old(stat);
  figures(stat);
  source(stat);
  limits(stat);
  warnings(stat);
  groups(stat);
  drains(stat);
  writers(stat);
  lanes(stat);
  list(by('unknown'), notKnown(stat), put);
}

// Figures that were seen before the server went: shown, and said to be old.
const isOld = (stat) => typeof stat.old_since_ms === 'number';

function old(stat) {
  document.body.dataset.figures = isOld(stat) ? 'old' : 'now';
  by('old').hidden = !isOld(stat);
  if (!isOld(stat)) return;
  const ago = span((stat.at_ms - stat.old_since_ms) / 1000);
  put(by('old'), `These figures are ${ago} old, as seen at ${moment(stat.old_since_ms, stat.at_ms)}; nothing newer is known.`);
}

const ended = (text) => (/[.?!]$/.test(text) ? text : `${text}.`);

const SILENT = 'Not known: the server does not answer.';

// Why figures are missing.
function whyNot({ server }) {
  if (server.up) return 'this watcher does not say why';
  const since = server.down_s === null ? '' : ` for ${span(server.down_s)}`;
  return `the server has not answered${since}${server.why ? `: ${server.why}` : ''}`;
}

function notKnown(stat) {
  const all = stat.server.up ? stat.unknown : [`the buffer and its server: ${whyNot(stat)}`, ...stat.unknown];
  return all.length > 0 ? all : ['Nothing: the server answers all that is asked of it.'];
}

// How old the last look that saw something is, where that is more than a few looks.
const lookAge = (ageS, everyS) => (ageS > 3 * everyS + 1 ? `, the last good look is ${age(ageS)} old` : '');

function head({
  buffer, profile, server, at_ms: atMs, look_age_s: ageS, every_s: everyS,
}) {
  put(by('buffer'), buffer);
  const about = [server.name, server.version, server.role].filter(Boolean).join(' ');
  const up = server.uptime_s === null ? '' : `, up for ${span(server.uptime_s)}`;
  const loading = server.loading ? ', loading its data' : '';
  const must = profile.is_chosen ? `profile ${profile.name}: ${profile.hours} h, ${count(profile.events)} events` : 'no profile chosen';
  put(by('server'), `${about} at ${server.url}${up}${loading} · ${must} · looked at ${clock(atMs)}${lookAge(ageS, everyS)}`.trim());
}

function verdict({ verdict: { level: name, text, why } }) {
  by('verdict').dataset.level = name;
  put(by('verdict-word'), level(name).word);
  put(by('verdict-text'), text);
  list(by('verdict-why'), why, put);
}

function figures(stat) {
  const { full, profile } = stat;
  const time = (id, value, never) => put(by(id), full ? untilFull(value, never) : NONE);
  time('full-in', full?.in_s, 'never');
  time('full-net', full?.net_s, 'does not fill');
  time('full-peak', full?.peak_s, 'never');
  const net = stat.in === null || stat.out === null ? null : stat.in - stat.out;
  const perSecond = (value) => (value === null ? '' : `${value > 0 ? '+' : '−'}${rate(Math.abs(value))} events/s`);
  put(by('full-in-note'), stat.in === 0 ? 'nothing comes in' : perSecond(stat.in));
  put(by('full-net-note'), net === 0 ? 'as much out as in' : perSecond(net));
  put(by('full-peak-note'), perSecond(profile.peak));
  put(by('full-first'), first(stat));
  put(by('oldest'), age(stat.oldest_age_s));
  put(by('oldest-note'), profile.is_chosen ? `the profile: ${profile.hours} h` : '');
  if (stat.events === 0) put(by('oldest'), 'none');
  put(by('events'), count(stat.events));
  const used = full?.utilisation;
  const share = typeof used === 'number' ? `${percent(used)} of what fits` : '';
  put(by('events-note'), [share, stat.bytes === null ? '' : bytes(stat.bytes)].filter(Boolean).join(', '));
  put(by('in'), rate(stat.in));
  put(by('out'), rate(stat.out));
  put(by('now-note'), nowNote(stat));
}

// Which limit is met first, and what then; or why that is not known.
function first(stat) {
  const { full } = stat;
  if (!full) return stat.server.up ? ended(`Not known: ${whyNot(stat)}`) : SILENT;
  const at = full.events_at_limit === null ? '' : `, at ${count(full.events_at_limit)} events`;
  const weighs = full.is_weight_assumed ? ` An event is taken to weigh ${bytes(full.bytes_per_event)}: too few are held to weigh.` : '';
  const met = full.limit
    ? `First met: ${called(full.limit)}${at}; then ${full.then}.${weighs}`
    : 'Which limit is met first is not known.';
  return full.why ? ended(`${met} Why unknown: ${full.why}`) : met;
}

// Whether a buffer was there that is there no longer.
const isGone = (stat) => typeof stat.gone_since_ms === 'number';

function nowNote(stat) {
  if (!stat.server.up && !isOld(stat)) return SILENT;
  if (stat.ids_ahead_s > 0) return `Ages are unknown: ids lie ${span(stat.ids_ahead_s)} in the future.`;
  if (isGone(stat)) return `It was here until ${moment(stat.gone_since_ms, stat.at_ms)}.`;
  if (stat.present === false) return `There is no buffer ${stat.buffer} on this server yet.`;
  if (stat.in === null || stat.out === null) return 'Rates take some looks to be known.';
  return stat.events === 0 ? 'It is empty.' : '';
}

const CALLED = { maxmemory: 'maxmemory', disk: 'disk of the log', ram: 'memory of the machine' };
const called = (name) => CALLED[name.toLowerCase()] ?? name;

function limits(stat) {
  const all = stat.limits ?? [];
  if (all.length === 0) {
    list(by('limits'), [stat.server.up ? ended(`Not known: ${whyNot(stat)}`) : SILENT], (node, text) => {
      node.removeAttribute('data-limit');
      put(node, text);
    });
    return;
  }
  list(by('limits'), all, (node, limit) => showLimit(node, limit, stat));
}

function showLimit(node, { name, state, used_bytes: used, limit_bytes: most, ratio, why }, { full, thresholds }) {
  if (node.dataset.limit !== name) {
    const [row, bar] = [made('div', undefined, 'row'), made('div', undefined, 'bar')];
    row.append(made('span'), made('span'));
    bar.append(made('div'));
    bar.setAttribute('aria-hidden', 'true');
    node.replaceChildren(row, bar);
    node.dataset.limit = name;
  }
  const [row, bar] = node.children;
  const isKnown = state === 'known';
  node.dataset.state = isKnown || state === 'unknown' ? state : 'none';
  node.dataset.level = ratio >= thresholds.almost_full ? 'bad' : ratio >= thresholds.filling ? 'warn' : 'good';
  const sign = isKnown && ratio >= thresholds.filling ? ` ${level(node.dataset.level).sign}` : '';
  put(row.firstChild, `${called(name)}${full?.limit === name ? ' (met first)' : ''}${sign}`);
  const known = `${percent(ratio)}, ${bytes(used)} of ${bytes(most)}`;
  put(row.lastChild, isKnown ? known : `${state === 'unknown' ? 'unknown' : 'none'}: ${why}`);
  bar.hidden = node.dataset.state === 'none';
  bar.firstChild.style.width = isKnown ? `${Math.min(ratio, 1) * 100}%` : '0';
}

function warnings({ warnings: all, at_ms: nowMs }) {
  if (all.length === 0) {
    const none = made('li', 'None since forebay watch was started.');
    if (by('warnings').textContent !== none.textContent) by('warnings').replaceChildren(none);
    return;
  }
  list(by('warnings'), all, (node, warning) => {
    if (node.children.length !== 2) {
      const text = made('span');
      text.append(made('span'), made('span', undefined, 'said'));
      node.replaceChildren(made('span', undefined, 'mark'), text);
    }
    const isOver = warning.ended_ms !== null;
    [node.dataset.level, node.dataset.state] = [warning.level, isOver ? 'over' : 'now'];
    const { sign, word } = level(warning.level);
    put(node.firstChild, isOver ? '✓ Over' : `${sign} ${word}`);
    put(node.lastChild.firstChild, warning.text);
    const until = isOver ? ` to ${moment(warning.ended_ms, nowMs)}` : '';
    put(node.lastChild.lastChild, `${isOver ? 'from' : 'since'} ${moment(warning.at_ms, nowMs)}${until}`);
  });
}

// Rows of a table. A cell is its text, or its text and what kind it is. The first is the row's head.
function table(id, rows, none) {
  const body = by(id);
  const labels = [...body.parentElement.tHead.rows[0].cells].map((cell) => cell.textContent);
  if (rows.length === 0) {
    const cell = made('td', none);
    cell.colSpan = labels.length;
    const row = made('tr');
    row.append(cell);
    if (body.textContent !== none) body.replaceChildren(row);
  } else {
    if (body.querySelector('td[colspan]')) body.replaceChildren();
    while (body.rows.length > rows.length) body.lastElementChild.remove();
    while (body.rows.length < rows.length) body.append(emptyRow(labels));
    rows.forEach((cells, at) => fillRow(body.rows[at], cells));
  }
  fold(body, rows.length);
}

function emptyRow(labels) {
  const row = made('tr');
  row.setAttribute('role', 'row');
  labels.forEach((label, at) => {
    const cell = made(at === 0 ? 'th' : 'td');
    cell.setAttribute('role', at === 0 ? 'rowheader' : 'cell');
    if (at === 0) cell.scope = 'row';
    else cell.dataset.label = label;
    row.append(cell);
  });
  return row;
}

function fillRow(row, cells) {
  cells.forEach((cell, at) => {
    const [text, kind] = Array.isArray(cell) ? cell : [cell, at === 0 ? '' : 'figure'];
    put(row.cells[at], text);
    if (row.cells[at].className !== kind) row.cells[at].className = kind;
  });
  [row.dataset.key] = cells;
}

const SHORT = 10;

// A long table shows its first rows, and the rest when asked.
function fold(body, rows) {
  const button = body.parentElement.nextElementSibling;
  if (!button) return;
  button.hidden = rows <= SHORT;
  button.onclick ??= () => {
    button.setAttribute('aria-expanded', String(button.getAttribute('aria-expanded') !== 'true'));
    fold(body, body.rows.length);
  };
  const isWhole = button.getAttribute('aria-expanded') === 'true';
  body.classList.toggle('short', !isWhole);
  put(button, isWhole ? `Show the first ${SHORT}` : `Show all ${rows}`);
}

const harmed = (value) => [count(value), value > 0 ? 'figure harm' : 'figure'];

// From a minute on, how far a group is behind says which to look at; below that it changes with every look.
const BEHIND_S = 60;

function groups(stat) {
  const late = (group) => (group.behind_s >= BEHIND_S ? group.behind_s : 0);
  const all = [...(stat.groups ?? [])].sort((a, b) => late(b) - late(a));
  const more = stat.groups_more ?? 0;
  put(by('groups-note'), more > 0 ? `${count(more)} more are not shown` : '');
  table('groups', all.map((group) => [
    group.group, age(group.behind_s), count(group.unread_events), count(group.pending_blocks),
    group.pending_blocks === 0 ? 'none' : age(group.pending_age_s),
    (group.commits ?? null) === null ? count(group.consumers) : 'drain', count(group.lanes),
  ]), stat.server.up ? 'No group reads this buffer.' : SILENT);
}

function drains(stat) {
  const all = stat.drains ?? [];
  by('drains-section').hidden = all.length === 0;
  table('drains', all.map((drain) => [
    drain.group, [drain.state, ['running', 'ended'].includes(drain.state) ? '' : 'harm'],
    count(drain.rows), count(drain.files), bytes(drain.bytes), age(drain.oldest_age_s),
    drain.last_commit_age_s === null ? 'none' : `${age(drain.last_commit_age_s)} ago`,
    rate(drain.last_commit_rows_per_second), count(drain.failures), bytes(drain.free_bytes),
  ]), 'No drain.');
}

function writers(stat) {
  const more = stat.writers_more ?? 0;
  put(by('writers-note'), more > 0 ? `${count(more)} more are not shown` : '');
  table('writers', (stat.writers ?? []).map((writer) => [
    writer.id, stateOf(writer, stat.server),
    `${age(writer.heard_s)} ago`, span(writer.age_s), count(writer.acknowledged), count(writer.spilled),
    harmed(writer.shed), harmed(writer.trimmed_unread), harmed(writer.lost),
  ]), 'No writer was heard.');
}

// A writer is heard through the server: while that is away, silence says nothing about the writer.
function stateOf({ state, why }, server) {
  if (state === 'gone' && !server.up) return ['not heard: the server does not answer', 'words'];
  return [why ? `${state}: ${why}` : state, STATES[state] ?? 'words'];
}

const STATES = { gone: 'words gone', 'held back': 'words harm', fenced: 'words gone', failed: 'words harm' };

function lanes(stat) {
  const none = stat.server.up ? (isGone(stat) ? 'Its lanes are gone.' : 'There is no lane yet.') : SILENT;
  const isTold = (stat.lanes ?? []).every((lane) => lane.in !== null);
  put(by('lanes-note'), isTold ? '' : 'a rate is – where it cannot be told from the blocks that are held');
  table('lanes', (stat.lanes ?? []).map((lane) => [
    lane.lane, count(lane.events), count(lane.blocks), bytes(lane.bytes),
    lane.events === 0 ? 'none' : age(lane.oldest_age_s), rate(lane.in), count(lane.appended), harmed(lane.damaged),
  ]), none);
}
