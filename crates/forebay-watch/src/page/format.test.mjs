// `node --test crates/forebay-watch/src/page/`: what people read of a figure, and above all what they read of none.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

// Without a package.json, node takes a .js file for a module only from 20.19 on; as a data URL, always.
const source = await readFile(new URL('format.js', import.meta.url));
const format = await import(`data:text/javascript;base64,${source.toString('base64')}`);

test('what is unknown is never a zero', () => {
  for (const name of ['count', 'rate', 'bytes', 'percent', 'span', 'age']) {
    assert.equal(format[name](null), '–', name);
    assert.equal(format[name](undefined), '–', name);
    assert.match(format[name](0), /^0/, name);
  }
  assert.equal(format.untilFull(null, 'does not fill'), 'unknown');
  assert.equal(format.untilFull('never', 'does not fill'), 'does not fill');
  assert.equal(format.untilFull(0, 'does not fill'), 'full now');
});

test('times read as the verdict says them', () => {
  const said = [[0.4, '0 s'], [89, '89 s'], [90, '2 min'], [5399, '90 min'], [5400, '1.5 h'], [111_600, '31.0 h'],
    [172_800, '2 days'], [8_640_000, 'over 100 days']];
  for (const [seconds, text] of said) assert.equal(format.span(seconds), text);
  assert.equal(format.age(3.24), '3.2 s');
});

test('figures have the digits that say something', () => {
  assert.equal(format.count(2_700_000), '2,700,000');
  assert.equal(format.rate(93.84), '93.8');
  assert.equal(format.rate(0.04), '0.04');
  assert.equal(format.rate(2_000), '2,000');
  assert.equal(format.bytes(512), '512 B');
  assert.equal(format.bytes(1_524_713_390), '1.42 GiB');
  assert.equal(format.percent(0.4212), '42.1 %');
  assert.equal(format.percent(0.0001), '< 0.1 %');
});

const stat = (level, full, more = {}) => ({
  buffer: 'events', server: { up: true }, present: true, full, verdict: { level, why: [] }, ...more,
});

test('the title says what matters most', () => {
  const title = (level, text, full = null) => format.title(stat(level, full, { verdict: { level, text, why: [] } }));
  assert.equal(title('good', 'It holds: 31.0 h of room if nobody reads.', { in_s: 111_600 }), '✓ holds 31.0 h – events');
  assert.equal(title('good', 'It holds: nothing comes in.', { in_s: 'never' }), '✓ holds – events');
  assert.equal(title('bad', 'It is full in 15 min as it fills now, by disk; then x.'), '✗ It is full in 15 min as it fills now – events');
  assert.equal(title('bad', 'It is full, by maxmemory: writes are refused.'), '✗ It is full – events');
  assert.equal(title('bad', 'Writer a1 failed: NOAUTH.'), '✗ Writer a1 failed – events');
  assert.equal(title('bad', 'The server has not answered for 28 s: refused.'), '✗ The server has not answered for 28 s – events');
  assert.equal(title('unknown', 'There is no buffer events on this server yet.'), '? There is no buffer events on this server yet – events');
  assert.equal(title('something new', 'Not seen before.'), '? Not seen before – events');
});

test('a sentence whose figures move is the same sentence', () => {
  const said = (hours) => format.gist(`It holds: ${hours} h of room if nobody reads.`);
  assert.equal(said(31.2), said(30.9));
  assert.equal(format.gist('It is full in 28 min, by disk'), format.gist('It is full in 80 s, by disk'));
  assert.notEqual(said(31.2), format.gist('It is full.'));
});
