// Goal: a record says what was measured, and one that says nothing is found out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure, faults, record, table, wrongIf } from './report.mjs';

const good = () =>
  record('B0', { value: 30.123456, unit: 'us', reference: 15, aim: 'ratio <= 3', met: true });

test('a record holds the keys of the contract, the ratio made of value and reference', () => {
  assert.deepEqual(good(), {
    id: 'B0',
    value: 30.12,
    unit: 'us',
    reference: 15,
    ratio: 2.008,
    aim: 'ratio <= 3',
    met: true,
    detail: {},
  });
});

test('without a reference, or with one of 0, there is no ratio', () => {
  assert.equal(record('B0', { value: 3, unit: 'us', aim: 'low' }).ratio, null);
  assert.equal(record('B0', { value: 3, unit: 'us', reference: 0, aim: 'low' }).ratio, null);
});

test('counts are never rounded, in the depth of details either', () => {
  const { detail } = record('B0', {
    value: 1,
    unit: 'us',
    aim: 'low',
    detail: { rows: [{ count: 1234567, ms: 1.23456 }] },
  });

  assert.deepEqual(detail, { rows: [{ count: 1234567, ms: 1.235 }] });
});

test('a good record has no fault', () => assert.deepEqual(faults(good()), []));

const bad = {
  'no value': { value: null },
  'a value that is no number': { value: NaN },
  'a value below 0': { value: -1 },
  'a ratio that is no number': { ratio: NaN },
  'no unit': { unit: '' },
  'no aim': { aim: undefined },
  'neither met nor missed': { met: 'perhaps' },
  'an error': { detail: wrongIf(true, 'two streams were lost') },
};

for (const [what, fields] of Object.entries(bad))
  test(`found out: ${what}`, () => {
    assert.equal(faults({ ...good(), ...fields }).length, 1);
  });

test('found out: a missing key', () => {
  const { detail: _detail, ...rest } = good();

  assert.deepEqual(faults(rest), ['no detail']);
});

test('found out: what could not be measured', () => {
  assert.ok(faults(failure('B0', new Error('no such tool'))).includes('no such tool'));
});

test('the table has the ratios first, and says NO where an aim is missed', () => {
  const lines = table([{ ...good(), met: false }, failure('B9', new Error('gone'))]).split('\n');

  assert.match(lines[0], /^id +ratio +met +value +reference +unit +aim$/);
  assert.match(lines[1], /^B0 +2\.008 +NO +30\.12 +15 +us +ratio <= 3$/);
  assert.ok(lines.some((line) => /^ +error +gone$/.test(line)));
});
