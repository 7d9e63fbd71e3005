// Figures and times as people read them, and the words of the title. Pure: no page is needed, so that node can test it.

export const NONE = '–';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const fixed = (value, decimals) => value.toLocaleString('en-US', {
  minimumFractionDigits: decimals, maximumFractionDigits: decimals,
});
const isKnown = (value) => value !== null && value !== undefined;

// A count: `2,700,000`.
export const count = (value) => (isKnown(value) ? whole.format(value) : NONE);

// Things a second, with about three digits that say something.
export function rate(value) {
  if (!isKnown(value)) return NONE;
  if (value === 0 || value >= 100) return whole.format(value);
  return fixed(value, value < 1 ? 2 : 1);
}

// Bytes in the largest binary unit that leaves at least 1, as the terminal shows them: `1.42 GiB`.
export function bytes(value) {
  if (!isKnown(value)) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) [value, at] = [value / 1024, at + 1];
  return `${fixed(value, at ? 2 : 0)} ${units[at]}`;
}

// A share: `42.1 %`. What is little is not nothing.
export function percent(ratio) {
  if (!isKnown(ratio)) return NONE;
  return ratio > 0 && ratio < 0.0005 ? '< 0.1 %' : `${fixed(ratio * 100, 1)} %`;
}

// A time as the verdict says it (`span` in figures.rs), so that both agree.
export function span(seconds) {
  if (!isKnown(seconds)) return NONE;
  const [minutes, hours] = [seconds / 60, seconds / 3600];
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (minutes < 90) return `${minutes.toFixed(0)} min`;
  if (hours < 48) return `${hours.toFixed(1)} h`;
  if (hours < 2400) return `${(hours / 24).toFixed(0)} days`;
  return 'over 100 days';
}

// An age: as a span, with tenths where they matter.
export function age(seconds) {
  return isKnown(seconds) && seconds > 0 && seconds < 10 ? `${seconds.toFixed(1)} s` : span(seconds);
}

// A time to full: a number, `"never"` or null.
export function untilFull(value, never) {
  if (value === 'never') return never;
  if (!isKnown(value)) return 'unknown';
  return value === 0 ? 'full now' : span(value);
}

// The time of day here: `07:31:02`.
export function clock(ms, withSeconds = true) {
  const at = new Date(ms);
  const parts = [at.getHours(), at.getMinutes(), ...(withSeconds ? [at.getSeconds()] : [])];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

// The same, with the day where it is not today.
export function moment(ms, nowMs) {
  const [at, now] = [new Date(ms), new Date(nowMs)];
  if (at.toDateString() === now.toDateString()) return clock(ms);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()];
  return `${day.map((part) => String(part).padStart(2, '0')).join('-')} ${clock(ms, false)}`;
}

const LEVELS = {
  good: { sign: '✓', word: 'Good' },
  warn: { sign: '▲', word: 'Look today' },
  bad: { sign: '✗', word: 'Act now' },
  unknown: { sign: '?', word: 'Not known' },
};

// A level's sign and word; one that is not known here is shown as unknown.
export const level = (name) => (Object.hasOwn(LEVELS, name) ? LEVELS[name] : LEVELS.unknown);

// The verdict in a few words, for a title: its first part, or for how long it holds.
export function brief({ verdict, full }) {
  if (verdict.level !== 'good') return verdict.text.split(/[;:,] |\.$/)[0];
  return typeof full?.in_s === 'number' ? `holds ${span(full.in_s)}` : 'holds';
}

// The document's title: `✓ holds 31.0 h – events`.
export const title = (stat) => `${level(stat.verdict.level).sign} ${brief(stat)} – ${stat.buffer}`;

// A sentence without its figures: what stays the same while only they move.
export const gist = (text) => text.replace(/\d[\d.,]*( (s|min|h|days)\b)?/g, '#');
