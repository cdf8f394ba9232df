// Goal: `weir provider`, `ls`, `show`, `why` and `check` tell the truth about a provider, through the running system: what is
// in use, owed, leaked and of others; a leak is deleted on request, what is somebody else's never.
// Method: real processes against tests/lib/fake_cloudflare.mjs, whose own list of inputs is what is true.
// Run: node --test tests/system/test_weir_provider_real.mjs
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, World } from '../lib/world.mjs';

const scripts = process.env.WEIR_SCRIPTS ?? fileURLToPath(new URL('../../scripts', import.meta.url));
const longMs = 10000 * slack;
const hours = (n) => new Date(Date.now() - n * 3600000).toISOString();

let world;
let tap;

before(async () => {
  world = await World.open({ scale: 10, vendor: {}, config: { managed: { leak_age_s: 3600 } } });
  tap = world.weir.tap('--history', '--ops');
});

after(() => world?.close());

/** Resolves with {code, stdout}. */
const weir = (...args) =>
  new Promise((resolve) => {
    execFile(`${scripts}/weir`, [...args, '--run', world.weir.runDir], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

const inputs = async (...args) => JSON.parse((await weir('provider', ...args, '-o', 'json')).stdout);
const told = (type, id) =>
  tap.waitFor((e) => e.line?.type === type && e.line.stream_id === id, longMs, { what: `${type} of ${id}` });

async function streaming(label, packages = [PA]) {
  const user = world.user(label);
  const phone = await user.connect();
  const apps = [];

  for (const packageName of packages) {
    apps.push(await user.app(packageName));
    apps.at(-1).watch();
    await apps.at(-1).waitMessage({ type: 'managed_stream_status' }, longMs);
  }
  const { msg } = await phone.waitFor((e) => e.dir === 'in' && e.msg?.type === 'start_rtmp_stream', longMs);

  return { user, phone, apps, id: msg.streamId };
}

test('a stream from its input to its deletion', { timeout: 60000 * slack }, async () => {
  const s = await streaming('life', [PA, PB]);
  const { uid } = world.vendor.inputOf(s.id);
  const [record] = await world.weir.liveStreams(s.user.email);

  assert.deepEqual(
    [record.kind, record.viewers, record.provider, record.input, record.input_id],
    ['managed', 2, 'cloudflare', 'ready', uid],
  );
  const row = (await inputs('ls')).find((r) => r.input_id === uid);

  assert.deepEqual([row.state, row.stream_id, row.listed, row.leak], ['ready', s.id, true, false]);
  const release = world.vendor.hold('delete');

  s.apps[0].leave();
  s.apps[1].leave();
  await told('stream.closed', s.id);
  const owed = JSON.parse((await weir('ls', '--all', '--user', s.user.email, '-o', 'json')).stdout)[0];

  assert.deepEqual([owed.phase, owed.input_owed, owed.viewers], ['closed', true, 0]);
  const why = JSON.parse((await weir('why', s.id, '-o', 'json')).stdout);

  assert.ok(why.owed.includes('the deletion of its input'), JSON.stringify(why.owed));
  release();
  await told('stream.input_settled', s.id);
  assert.ok(world.vendor.deleted.includes(uid));
  const { stdout } = await weir('why', s.id);

  assert.match(stdout, /\n {2}provider +cloudflare, input \w+ made after .*; gone .*after the end\n/);
  assert.match(stdout, /\n {2}owed +nothing\n/);
  assert.equal((await inputs('ls')).some((r) => r.input_id === uid), false);
});

test('leaks: found, told, deleted on request; what is of others stays', { timeout: 60000 * slack }, async () => {
  const s = await streaming('leaks');
  const { meta } = world.vendor.inputOf(s.id);
  const leak = world.vendor.addInput({ meta: { ...meta, op: 'mnobodys' }, created: hours(2) });
  const foreign = world.vendor.addInput({ meta: { ...meta, owner: 'another' }, created: hours(2) });
  const bare = world.vendor.addInput({ created: hours(2) });
  const young = world.vendor.addInput({ meta: { ...meta, op: 'myoung' }, created: hours(0) });
  const found = await weir('provider', 'leaks', '-o', 'json');

  assert.equal(found.code, 1, found.stderr);
  assert.deepEqual(JSON.parse(found.stdout).map((r) => r.input_id), [leak.uid]);
  const states = Object.fromEntries((await inputs('ls')).map((r) => [r.input_id, r.state]));

  assert.deepEqual(
    [foreign, bare, young].map((input) => states[input.uid]),
    ['foreign', 'foreign', 'unclaimed'],
  );
  const check = await weir('check');

  assert.equal(check.code, 1, check.stdout);
  assert.match(check.stdout, /^WEIR WARNING - inputs_leaked 1, /);
  const dry = await weir('provider', 'reconcile', '--dry-run');

  assert.match(dry.stdout, /0 deleted, because of --dry-run/);
  assert.ok(!world.vendor.deleted.includes(leak.uid));
  const done = await weir('provider', 'reconcile', '-o', 'json');

  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.equal(JSON.parse(done.stdout).deleted, 1);
  assert.ok(world.vendor.deleted.includes(leak.uid));
  assert.deepEqual(
    [foreign, bare, young, world.vendor.inputOf(s.id)].filter(({ uid }) => world.vendor.deleted.includes(uid)),
    [],
  );
  assert.equal((await weir('provider', 'leaks')).code, 0);
  assert.equal((await weir('check')).code, 0);
});

test('quota: as the provider says', { timeout: 60000 * slack }, async () => {
  world.vendor.storage = { used: 900, limit: 1000 };
  const { stdout } = await weir('provider', 'quota');

  assert.equal(stdout, '900 of 1000 minutes stored, 90%\n');
  const check = await weir('check');

  assert.match(check.stdout, /^WEIR WARNING - quota_percent 90, /);
  assert.match((await weir('check', '--format', 'prom')).stdout, /^weir_quota_used_minutes 900$/m);
});

test('a provider that refuses: why says its words', { timeout: 60000 * slack }, async () => {
  const user = world.user('refused');

  world.vendor.fault('create', { status: 400, message: 'no more inputs', times: 1 });
  await user.connect();
  const app = await user.app(PA);

  app.watch();
  await tap.waitFor((e) => e.line?.type === 'stream.closed' && e.line.user_id === user.email, longMs);
  const { stdout } = await weir('why', user.email);

  assert.match(stdout, /\n {2}ended by +provider_error, hop provider: no input was got from the provider: .*no more inputs/);
  assert.match(stdout, /; whoever asked for it was refused\n/);
});
