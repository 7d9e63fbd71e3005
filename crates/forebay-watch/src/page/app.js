// Follows /api/live, and says when nothing comes from it any more: a page that stands still must not look well.

import { append, load, start } from './charts.js';
import { clock, gist, title } from './format.js';
import { show } from './show.js';

// So long without a message, and the stream counts as lost; where looks are further apart than that, three of them.
const SILENT_MS = 10_000;
// Between two tries to follow, and between two to have the history.
const AGAIN_MS = 3_000;

const openedAt = Date.now();
let stream;
let triedAt = 0;
let heardAt;
let silentMs = SILENT_MS;
let isLost = false;
let hasHistory = false;
let askedAt = 0;

function open() {
  stream?.close();
  triedAt = Date.now();
  stream = new EventSource('/api/live');
  stream.addEventListener('stat', hear);
  stream.addEventListener('error', lose);
}

function hear(message) {
  const stat = JSON.parse(message.data);
  if (isLost) hasHistory = false;
  [heardAt, isLost] = [Date.now(), false];
  silentMs = Math.max(SILENT_MS, 3_000 * (stat.every_s ?? 0));
  document.body.dataset.stream = 'live';
  document.getElementById('banner').hidden = true;
  document.title = title(stat);
  show(stat);
  say(stat);
  if (!append(stat) || !hasHistory) askHistory();
}

function lose() {
  const since = clock(heardAt ?? openedAt);
  const text = heardAt === undefined
    ? `No answer from forebay watch since ${since}, when this page was opened; nothing is known yet.`
    : `No answer from forebay watch since ${since}; what you see is old.`;
  // Closed by an answer that is no stream; a connection that cannot be had is tried again by the browser.
  const more = stream.readyState === EventSource.CLOSED
    ? 'It refuses this page; it is asked again by itself.'
    : 'It is tried again by itself.';
  const banner = document.getElementById('banner');
  [banner.textContent, banner.hidden] = [`${text} ${more}`, false];
  if (isLost) return;
  [isLost, saidVerdict] = [true, undefined];
  doubt(since);
  document.body.dataset.stream = 'lost';
  document.title = `? no answer since ${since} – ${document.getElementById('buffer').textContent}`;
  announce([text]);
}

// What was good then may not be so now.
function doubt(since) {
  const [verdict, word] = ['verdict', 'verdict-word'].map((id) => document.getElementById(id));
  verdict.dataset.level = 'unknown';
  if (heardAt !== undefined) word.textContent = `Not known; at ${since} it was: ${word.textContent}`;
}

function check() {
  const now = Date.now();
  const isSilent = now - Math.max(heardAt ?? 0, triedAt) > silentMs;
  if (isSilent) lose();
  if (isSilent || (stream.readyState === EventSource.CLOSED && now - triedAt > AGAIN_MS)) open();
}

async function askHistory() {
  if (Date.now() - askedAt < AGAIN_MS) return;
  askedAt = Date.now();
  try {
    const answer = await fetch('/api/history', { cache: 'no-store', signal: AbortSignal.timeout(SILENT_MS) });
    if (!answer.ok) return;
    load(await answer.json());
    hasHistory = true;
  } catch {
    // It is asked for again with the next message; that none comes is said by the banner.
  }
}

// What was said, without its figures: a reader of screens hears of what changes, not of every look.
let saidVerdict;
let saidWarnings;

function say({ verdict, warnings }) {
  const now = warnings.filter((warning) => warning.ended_ms === null);
  const keys = new Map(now.map((warning) => [`${warning.at_ms} ${gist(warning.text)}`, warning.text]));
  const fresh = [...keys].filter(([key]) => saidWarnings && !saidWarnings.has(key)).map(([, text]) => text);
  const isOther = saidVerdict !== `${verdict.level} ${gist(verdict.text)}`;
  [saidVerdict, saidWarnings] = [`${verdict.level} ${gist(verdict.text)}`, keys];
  announce([...(isOther ? [verdict.text] : []), ...fresh]);
}

function announce(texts) {
  if (texts.length > 0) document.getElementById('said').textContent = texts.join(' ');
}

start(document.getElementById('charts'));
open();
setInterval(check, 1_000);
