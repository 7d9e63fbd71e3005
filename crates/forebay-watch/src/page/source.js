// Who the source is, how far what is settled lies behind, in how long the source forgets it, and what it no longer had.

import { age, count, moment, span } from './format.js';
import { by, list, put } from './nodes.js';

export function source(stat) {
  const of = stat.source;
  by('source').hidden = !of;
  if (!of) return;
  put(by('source-host'), of.host);
  forgets(of, stat.thresholds.forgets_s);
  put(by('source-behind'), age(of.behind_s));
  const settled = of.settled_us === null ? '' : `settled up to ${moment(of.settled_us / 1000, stat.at_ms)}`;
  put(by('source-settled'), settled);
  gaps(of, stat.at_ms, stat.thresholds.missed_s);
}

function forgets({ forgets_s: left, keeps_hours: hours }, line) {
  const isNear = left !== null && left < line;
  by('source-forgets').classList.toggle('harm', isNear);
  const isOver = left !== null && left <= 0;
  put(by('source-forgets-name'), isOver ? 'Forgot what is not settled' : 'Forgets what is not settled in');
  put(by('source-forgets'), left === null ? 'unknown' : isOver ? `${span(-left)} ago` : span(left));
  put(by('source-keeps'), hours === null ? 'how long it keeps events is not known' : `it keeps events for ${hours} h`);
}

function gaps({
  gaps: number, missed_events: events, newest_gaps: newest, gap_age_s: ageS,
}, nowMs, line) {
  put(by('source-gaps'), number === 0 ? 'none' : count(number));
  by('source-gaps').classList.toggle('harm', ageS !== null && ageS < line);
  const known = events > 0 ? `about ${count(events)} events` : 'of an unknown number of events';
  put(by('source-missed'), number === null ? 'the server refuses to say' : number > 0 ? known : '');
  list(by('source-list'), newest ?? [], (node, gap) => {
    put(node, `${gap.text}, found ${moment(gap.found_ms, nowMs)}`);
  });
  const more = (number ?? 0) - (newest ?? []).length;
  put(by('source-more'), more > 0 ? `and ${count(more)} before these` : '');
}
