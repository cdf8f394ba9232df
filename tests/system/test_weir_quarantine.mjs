// Goal: a damaged record of the registry's store costs its user one stream, which is told, and nobody anything else;
// a damaged file keeps the registry down, with words and without a crash loop.
// Method: a real weir; the registry is killed while its supervisor stands still, bytes of its store are changed, and
// the supervisor goes on.
// Run: node --test tests/system/test_weir_quarantine.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { PA, World, goLive } from '../lib/world.mjs';
import { slack } from '../lib/recorder.mjs';

const WARNING = 1;
const CRITICAL = 2;
const endMs = 10000 * slack;
const late = { immediate: false }; /* the registry had to come back first */

let world;

before(async () => {
  world = await World.open();
});

after(() => world?.close({ unharmed: false }));

const storeFile = () => join(world.weir.runDir, 'registry.db');
const sql = (text) => execFileSync('sqlite3', [storeFile(), text], { encoding: 'utf8' }).trim();

/* The command's fourth field; its name may have blanks, but stands in parentheses. */
const parentOf = (pid) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ')[1]);

const isZombie = (pid) => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/* Between two lives of the registry; nothing can start the next one before @change is done. */
async function whileRegistryIsDown(change) {
  const pid = (await world.weir.pids()).get('registry');
  const supervisor = parentOf(pid);

  process.kill(supervisor, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  while (!isZombie(pid)) await new Promise(setImmediate);
  try {
    change();
  } finally {
    process.kill(supervisor, 'SIGCONT');
  }
}

const check = (...args) => world.weir.cli('check', ...args).then(
  (stdout) => ({ code: 0, stdout, stderr: '' }),
  ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
);

const past = async (...args) =>
  (await world.weir.cli('tap', '-o', 'jsonl', '--from', '1', '--until', '+0s', ...args))
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('a record of a user', async () => {
  const s = await world.stage('rot');
  const other = await world.stage('sound');

  await goLive(s);
  await goLive(other);
  assert.equal((await check()).code, 0);
  const from = world.weir.entries.length;

  await whileRegistryIsDown(() =>
    sql(
      `UPDATE record SET data = CAST(substr(data, 1, 20) || x'ff' || substr(data, 22) AS BLOB) ` +
        `WHERE key = 'u/${s.U}'; SELECT changes()`,
    ),
  );
  await world.weir.waitReady('registry', from);
  await s.a.gets(expect.status(s.U, PA, '$S1', 'stopped'), late);
  await s.g.gets(expect.stop(s.U, PA, '$S1'), late);

  const logged = world.weir.entries.slice(from).filter((e) => e.text?.includes('"event":"record.quarantined"'));

  assert.equal(logged.length, 1);
  assert.match(logged[0].text, /"bucket":"user","reason":"check"/);
  assert.deepEqual(await world.weir.liveStreams(s.U), []);
  assert.equal((await world.weir.liveStreams(other.U)).length, 1, 'the other goes on');

  const told = (await past('--type', 'record.*')).filter((e) => e.type.startsWith('record.'));

  assert.deepEqual(
    told.map((e) => [e.type, e.user_id]),
    [
      ['record.quarantined', s.U],
      ['record.rebuilt', s.U],
    ],
  );
  const [closed] = (await past('--type', 'stream.closed')).filter((e) => e.type === 'stream.closed');

  assert.deepEqual([closed.user_id, closed.end_cause, closed.cause], [s.U, 'record_lost', told[1].seq]);
  assert.match(await world.weir.cli('why', s.U), /ended by +record_lost, hop cloud: its record .* was damaged/);

  const text = await check();

  assert.equal(text.code, WARNING, text.stdout);
  assert.match(text.stdout, /WEIR WARNING - records_quarantined 1/);
  assert.match(text.stderr, /in quarantine.*docs\/operator.md/);
  assert.equal(JSON.parse((await check('--format', 'json')).stdout).records_quarantined, 1);

  /* Both may begin again. */
  other.t.act(() => other.apps.a.stop(other.t.id('$S1')));
  await other.a.gets(expect.status(other.U, PA, '$S1', 'stopped'));
  s.t.act(() => s.apps.a.request('rtmp://a/again'));
  await s.g.gets(expect.start(s.U, PA, '$S2', 'rtmp://a/again'));
});

test('a row of the history', async () => {
  const from = world.weir.entries.length;

  await whileRegistryIsDown(() => sql("UPDATE history SET data = CAST(data || 'x' AS BLOB) WHERE seq = 3"));
  await world.weir.waitReady('registry', from);
  const rows = await past();
  const at = rows.findIndex((e) => e.seq === 4);

  assert.equal(rows.some((e) => e.seq === 3), false, 'it is not shown');
  assert.equal(rows[at - 1].type, 'tap.gap', 'but that it is missing is');
  assert.match((await check()).stdout, /rows_damaged [1-9]/);
});

test('the operator takes the warning away', async () => {
  const from = world.weir.entries.length;

  await whileRegistryIsDown(() => {
    assert.match(sql('SELECT reason, length(data) > 20 FROM quarantine'), /^check\|1$/);
    sql('DELETE FROM quarantine');
  });
  await world.weir.waitReady('registry', from);
  assert.doesNotMatch((await check()).stdout, /WARNING[^|]*records_quarantined/);
});

const refusals = (from) =>
  world.weir.entries.slice(from).filter((e) => e.text?.includes('"event":"store.refused"'));

const states = async () =>
  JSON.parse(
    await world.weir.supervise('status', '-o', 'json').catch((error) => error.stdout),
  ).find((one) => one.name === 'registry').state;

/* The registry has ended for good, with one word of why. */
async function refused(from, reason) {
  await world.weir.waitFor((e) => e.text?.includes('registry failed'), endMs, { from, what: 'registry failed' });
  assert.equal(await states(), 'failed');
  assert.equal(refusals(from).length, 1, 'once, and no loop');
  assert.match(refusals(from)[0].text, reason);
  assert.equal((await check('--timeout', '500')).code, CRITICAL);
}

async function restart() {
  const from = world.weir.entries.length;

  await Promise.all([world.weir.waitReady('registry', from), world.weir.supervise('restart', 'registry')]);
}

test('a page of the records', async () => {
  const from = world.weir.entries.length;
  const backup = `${storeFile()}.backup`;

  await whileRegistryIsDown(() => {
    const page = Number(sql("SELECT rootpage FROM sqlite_schema WHERE name = 'record'"));
    const size = Number(sql('PRAGMA page_size'));
    const bytes = readFileSync(storeFile());

    writeFileSync(backup, bytes);
    writeFileSync(storeFile(), bytes.fill(0xa5, (page - 1) * size, page * size));
  });
  await refused(from, /loading failed: .*malformed.*restore a backup, or move the file and its -wal and \.reserve files away/);
  renameSync(backup, storeFile());
  await restart();
});

test('the whole file', async () => {
  const from = world.weir.entries.length;
  const aside = `${storeFile()}.damaged`;

  await whileRegistryIsDown(() => {
    for (const name of readdirSync(world.weir.runDir).filter((one) => /^registry\.db-/.test(one)))
      rmSync(join(world.weir.runDir, name));
    writeFileSync(storeFile(), Buffer.alloc(100000, 'x'));
  });
  await refused(from, /registry\.db is damaged.*restore a backup, or move it and its -wal and \.reserve files away/);
  /* As it says. */
  renameSync(storeFile(), aside);
  rmSync(`${storeFile()}.reserve`);
  await restart();
  assert.equal(readFileSync(aside).length, 100000, 'it was left alone');
});
