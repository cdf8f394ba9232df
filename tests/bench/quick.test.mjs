// Goal: every benchmark works.  Method: each once, small, as scripts/bench --quick runs them; the
// records must be sane, their figures may be anything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { faults } from './report.mjs';

const script = fileURLToPath(new URL('../../scripts/bench', import.meta.url));
const main = fileURLToPath(new URL('main.mjs', import.meta.url));
const all = ['B1', 'B2', 'B2b', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'records', 'overload', 'storm'];

const run = (command, args, env = {}) =>
  spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
    env: { ...process.env, ...env },
  });

test('scripts/bench --quick -o json', async (t) => {
  const { status, stdout, stderr } = run(script, ['--quick', '-o', 'json']);
  const records = JSON.parse(stdout || '[]');

  assert.deepEqual(
    records.map((one) => one.id),
    all,
    stderr,
  );
  for (const one of records)
    await t.test(one.id, () => assert.deepEqual(faults(one), [], JSON.stringify(one, null, 1)));
  assert.equal(status, 0, stderr);
});

const refused = {
  'a benchmark that is none': [['B99'], /no benchmark 'B99'; there are: B1, /],
  'an unknown option': [['--slow'], /--slow/],
  'users that are no number': [['B1', '--users', 'many'], /--users wants a number/],
  'no users': [['B1', '--users', '0'], /--users wants a number of at least 1/],
  'an unknown output': [['B1', '-o', 'xml'], /-o wants json or table/],
};

for (const [what, [args, words]] of Object.entries(refused))
  test(`wrong usage: ${what}`, () => {
    const { status, stdout, stderr } = run(process.execPath, [main, ...args]);

    assert.equal(status, 2, stderr);
    assert.match(stderr, words);
    assert.equal(stdout, '');
  });

test('a tool that is missing is named, and is no figure', () => {
  const empty = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const { status, stdout } = run(process.execPath, [main, 'B7', '-o', 'json'], {
    WEIR_BENCH_BUILD: empty,
    TMPDIR: empty,
  });
  const [one] = JSON.parse(stdout);

  rmSync(empty, { recursive: true });
  assert.equal(status, 1);
  assert.equal(one.value, null);
  assert.match(one.detail.error, /bench-wheel is missing/);
});
