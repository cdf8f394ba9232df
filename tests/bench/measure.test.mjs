// Goal: users are shared out without one too many or too few, and bad runs are not taken for good.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needUnharmed, shares, sizeOf, unharmed } from './measure.mjs';
import { gatewaysFor } from './stage.mjs';

test('shares are disjoint, complete and as equal as can be', () => {
  assert.deepEqual(shares(10, 3, 100), [
    { first: 100, users: 3 },
    { first: 103, users: 3 },
    { first: 106, users: 4 },
  ]);
});

test('more parts than users: none is empty', () => {
  assert.deepEqual(shares(2, 5), [
    { first: 0, users: 1 },
    { first: 1, users: 1 },
  ]);
});

test('10,000 round trips a second, whatever the size, but never below 1 s', () => {
  assert.equal(sizeOf({ users: 10001 }).interval, 1000);
  assert.equal(sizeOf({ users: 20000 }).interval, 2000);
  assert.equal(sizeOf({ users: 150000 }).interval, 15000);
  assert.equal(sizeOf({ users: 9999 }).interval, 1000);
  assert.equal(sizeOf({ users: 1 }).interval, 1000);
});

test('two gateways up to what they hold, and one more past it', () => {
  assert.equal(gatewaysFor(1), 2);
  assert.equal(gatewaysFor(35000), 2);
  assert.equal(gatewaysFor(35001), 3);
});

const fine = {
  lost_streams: 0,
  statuses_bad: 0,
  failed: 0,
  disconnects: 0,
  ended_badly: 0,
  late_probes: 7,
};

test('late probes are a figure, no harm', () => {
  assert.ok(unharmed(fine));
  needUnharmed(fine, 'weir');
});

for (const key of Object.keys(fine).filter((name) => name !== 'late_probes'))
  test(`a run with ${key} is worthless`, () => {
    assert.ok(!unharmed({ ...fine, [key]: 1 }));
    assert.throws(() => needUnharmed({ ...fine, [key]: 1 }, 'weir'), /weir: the load went wrong/);
  });
