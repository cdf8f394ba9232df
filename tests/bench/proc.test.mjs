// Goal: what is read from /proc is what stands there.  Method: texts as the kernel writes them, and
// this process, of which we know what it does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { now } from '../lib/recorder.mjs';
import * as proc from './proc.mjs';

const rollup = `55cce24e7000-7ffe28116000 ---p 00000000 00:00 0                          [rollup]
Rss:                1612 kB
Pss:                 348 kB
Pss_Dirty:           112 kB
Private_Clean:        40 kB
Private_Dirty:       112 kB
`;

test('memory: the sum of private pages, and no key taken for a longer one', () => {
  assert.deepEqual(proc.parseRollup(rollup), { rss: 1612, pss: 348, private: 152 });
});

test('memory: a kernel without a key is not 0 bytes', () => {
  assert.equal(proc.parseRollup('Rss: 4 kB\n').pss, NaN);
});

test('start: a name with spaces and parentheses shifts nothing', () => {
  const fields = Array.from({ length: 50 }, (_, i) => String(i + 3));

  assert.equal(proc.parseStartTicks(`7 (a) b (c) ${fields.join(' ')}`), 22);
});

test('CPU: that of this process grows by what it burns', () => {
  const before = proc.cpuMs(process.pid);
  const { user, system } = process.cpuUsage();

  for (let i = 0, x = 0; i < 3e7; i++) x += i;
  const after = process.cpuUsage();
  const burnt = (after.user - user + after.system - system) / 1000;

  /* The two clocks are read one after the other. */
  assert.ok(Math.abs(proc.cpuMs(process.pid) - before - burnt) < 0.5 * burnt + 5);
});

test('start: ours was before now, and after the start of who started us', () => {
  const mine = proc.startedMs(process.pid);

  assert.ok(mine <= proc.machineMs(now()));
  assert.ok(mine >= proc.startedMs(process.ppid));
});

test('gateways count as one kind, other processes for themselves', () => {
  const pids = new Map([
    ['gateway-1', 1],
    ['gateway-12', 2],
    ['lifecycle-scheduler', 3],
  ]);

  assert.deepEqual(
    proc.sumByKind(pids, (pid) => pid * 10),
    { gateway: 30, 'lifecycle-scheduler': 30 },
  );
});

test('CPU between two looks is ms per second, also of a kind that is new', () => {
  const a = { at: 1000, ms: { gateway: 10 } };
  const b = { at: 3000, ms: { gateway: 30, registry: 4 } };

  assert.deepEqual(proc.cpuBetween(a, b), { gateway: 10, registry: 2 });
});
