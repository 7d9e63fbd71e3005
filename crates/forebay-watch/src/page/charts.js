// The last hour as four charts: columns of looks, and uPlot (a global: it comes as a classic script) to draw them.

import { NONE, age, clock, count, percent, rate } from './format.js';

const HOUR_MS = 3_600_000;
// Looks further apart than that, and than three of the usual steps, have a gap between them: nothing was seen there.
const GAP_MS = 15_000;
const HEIGHT = 150;
const NAMES = ['events', 'used_ratio', 'in', 'out', 'oldest_age_s', 'unread'];

// A time on an axis, with its ticks where a clock has them.
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
  172_800, 432_000, 864_000];
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 2 });

function timeTick(seconds) {
  const units = [[86_400, 'd', 172_800], [3600, 'h', 3600], [60, 'min', 60], [1, 's', 0]];
  const [by, unit] = units.find(([, , from]) => seconds >= from);
  return `${Number((seconds / by).toFixed(1))} ${unit}`;
}

const CHARTS = [
  { id: 'chart-used', name: 'Used of what fits', least: 1, hasLines: true,
    tick: (value) => `${Math.round(value * 100)} %`,
    series: [{ column: 'used_ratio', label: 'used', text: percent }] },
  { id: 'chart-events', name: 'Events held and unread', least: 10, tick: (value) => compact.format(value),
    series: [{ column: 'events', label: 'held', text: count }, { column: 'unread', label: 'unread', text: count }] },
  { id: 'chart-rates', name: 'Events a second', least: 10, tick: (value) => compact.format(value),
    series: [{ column: 'in', label: 'in', text: rate }, { column: 'out', label: 'out', text: rate }] },
  { id: 'chart-oldest', name: 'Age of the oldest event', least: 60, tick: timeTick, incrs: TIMES,
    series: [{ column: 'oldest_age_s', label: 'age', text: age }] },
];

const empty = () => ({ at_ms: [], ...Object.fromEntries(NAMES.map((name) => [name, []])) });

let columns = empty();
let lines = [];
let drawn = [];

function push(to, atMs, valueOf) {
  to.at_ms.push(atMs);
  for (const name of NAMES) to[name].push(valueOf(name) ?? null);
}

// Columns of /api/history, with an empty row where nothing was seen for a while.
export function withGaps(history) {
  const at = history.at_ms;
  const steps = at.slice(1).map((ms, row) => ms - at[row]).sort((a, b) => a - b);
  const gap = Math.max(GAP_MS, 3 * (steps[Math.floor(steps.length / 2)] ?? 0));
  const all = empty();
  at.forEach((ms, row) => {
    if (row > 0 && ms - at[row - 1] > gap) push(all, at[row - 1] + 1, () => null);
    push(all, ms, (name) => history[name]?.[row]);
  });
  return all;
}

// How a column ran: `13.2 % to 42.1 %` from the lowest to the highest, and with its beginning and end.
export function course(values, text) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return { range: 'not known', whole: 'not known' };
  const ends = [Math.min, Math.max].map((of) => text(known.reduce((a, b) => of(a, b))));
  const range = ends[0] === ends[1] ? ends[0] : ends.join(' to ');
  const now = values.at(-1) === null ? 'not known' : text(values.at(-1));
  return { range, whole: `began at ${text(known[0])}, now ${now}, between ${ends.join(' and ')}` };
}

export function load(history) {
  columns = withGaps(history);
  draw();
}

// Adds a look. False where it does not follow the last: a clock was set, and the history has to be asked for again.
export function append(stat) {
  if (stat.at_ms <= (columns.at_ms.at(-1) ?? 0)) return false;
  const unread = (stat.groups ?? []).map((group) => group.unread_events).filter((events) => events !== null);
  lines = [stat.thresholds.filling, stat.thresholds.almost_full];
  // What was seen before is no look of now.
  const isOld = typeof stat.old_since_ms === 'number';
  const more = { used_ratio: stat.full?.utilisation, unread: unread.length > 0 ? Math.max(...unread) : null };
  push(columns, stat.at_ms, (name) => (isOld ? null : name in more ? more[name] : stat[name]));
  const old = columns.at_ms.findIndex((ms) => ms >= stat.at_ms - HOUR_MS);
  if (old > 0) for (const column of Object.values(columns)) column.splice(0, old);
  if (!document.hidden) draw();
  return true;
}

const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function xRange() {
  const last = columns.at_ms.at(-1) ?? Date.now();
  const from = Math.max(last - HOUR_MS, Math.min(columns.at_ms[0] ?? last, last - 300_000));
  return [from / 1000, last / 1000];
}

function options({ least, tick, incrs, series, hasLines }, width, moved) {
  const axis = {
    stroke: colour('--soft'), font: '12px system-ui, sans-serif', ticks: { show: false },
    grid: { stroke: colour('--rule'), width: 1 },
  };
  const stroke = ['--s1', '--s2'];
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [8, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'hour' }, points: { size: 6 } },
    scales: {
      x: { time: true, range: xRange },
      y: { range: (plot, low, high) => [0, Math.max(least, (high ?? 0) * 1.05)] },
    },
    axes: [
      {
        ...axis, size: 26, space: 45,
        values: (plot, at, index, space, step) => at.map((seconds) => clock(seconds * 1000, step < 60)),
      },
      { ...axis, size: 58, space: 28, ...(incrs ? { incrs } : {}), values: (plot, at) => at.map(tick) },
    ],
    series: [{}, ...series.map((one, at) => ({
      stroke: colour(stroke[at]), width: 2, dash: at > 0 ? [7, 4] : undefined, points: { show: false },
    }))],
    hooks: { setCursor: [moved], draw: [(plot) => hasLines && marks(plot)] },
  };
}

// Lines at shares that are warned of.
function marks({ ctx, bbox, valToPos }) {
  ctx.save();
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  lines.forEach((value, at) => {
    ctx.strokeStyle = colour(at === 0 ? '--warn' : '--bad')();
    const y = valToPos(value, 'y', true);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  });
  ctx.restore();
}

function made(tag, kind, text = '') {
  const node = document.createElement(tag);
  node.className = kind;
  node.textContent = text;
  return node;
}

function chart(of, into) {
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  const [key, plotAt, run] = [made('div', 'key'), made('div', 'plot'), made('p', 'course')];
  key.append(...of.series.map(() => made('span', '')));
  caption.append(made('b', '', of.name), key);
  plotAt.id = of.id;
  plotAt.setAttribute('role', 'img');
  figure.append(caption, plotAt, run);
  into.append(figure);
  const one = { of, key, plotAt, run };
  const none = [[], ...of.series.map(() => [])];
  const plot = new uPlot(options(of, plotAt.clientWidth, () => values(one)), none, plotAt);
  one.plot = plot;
  new ResizeObserver(() => plot.setSize({ width: plotAt.clientWidth, height: HEIGHT })).observe(plotAt);
  return one;
}

// The values under the cursor, or the last.
function values({ of, key, plot }) {
  const row = plot?.cursor.idx ?? columns.at_ms.length - 1;
  of.series.forEach(({ column, label, text }, at) => {
    const value = columns[column]?.[row] ?? null;
    key.children[at].textContent = `${label} ${value === null ? NONE : text(value)}`;
  });
}

function draw() {
  for (const one of drawn) {
    const { of, plot, plotAt, run } = one;
    plot.setData([columns.at_ms.map((ms) => ms / 1000), ...of.series.map(({ column }) => columns[column])]);
    values(one);
    const courses = of.series.map((line) => ({ line, ...course(columns[line.column], line.text) }));
    const whole = courses.map((one) => `${one.line.label} ${one.whole}`).join('; ');
    plotAt.setAttribute('aria-label', `${of.name} over the last hour: ${whole}`);
    run.textContent = courses.map((one) => `${one.line.label} ${one.range}`).join(', ');
  }
}

export function start(into) {
  drawn = CHARTS.map((of) => chart(of, into));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const { plot } of drawn) plot.redraw(false);
  });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) draw();
  });
}
