// Many users with streams of both kinds at once, and a vendor that answers nonsense: every app is
// told, one stream per user, and the vendor is left with nothing of ours.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { openWorld } from '../lib/managed.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, PC, url } from '../lib/world.mjs';

const users = 24;
const createTimeoutMs = 1500;
const createTries = 2;

let world;

before(async () => {
  world = await openWorld({
    config: {
      managed: {
        create_timeout_ms: createTimeoutMs,
        create_tries: createTries,
        create_pause_ms: 100,
        delete_pause_ms: 100,
        provisions_per_min: 1000,
      },
      session: { app_grace_ms: 500 },
    },
  });
});

after(() => world?.close());

const isManaged = (...words) => (e) =>
  e.dir === 'in' && e.msg?.type === 'managed_stream_status' && words.includes(e.msg.status);
const isDirect = (...words) => (e) =>
  e.dir === 'in' && e.msg?.type === 'rtmp_stream_status' && words.includes(e.msg.status);
const isRefusal = (e) => e.dir === 'in' && e.msg?.type === 'tpa_connection_error';
const waitMs = 20000 * slack;

/** Resolves when the vendor has nothing of ours any more. */
async function vendorIsEmpty() {
  const { vendor } = world;
  const deadline = performance.now() + waitMs;

  while (vendor.live.length > 0) {
    const ms = deadline - performance.now();

    assert.ok(ms > 0, `left: ${vendor.live.map((input) => input.meta.op)}\n${vendor.story()}`);
    await vendor.waitFor((e) => e.call === 'delete', ms, { from: vendor.entries.length }).catch(() => {});
  }
}

/** Glasses that behave, and apps in the order of @packages. */
async function stage(label, packages) {
  const user = world.user(label);
  const glasses = await user.connect({ Kind: GlassesSim, scale: 10 });
  const apps = [];

  for (const name of packages) apps.push(await user.app(name));
  return { user, glasses, apps };
}

const ends = (app, is) => app.entries.filter(is).length;

/** Two apps watch; a third one takes the glasses over for itself, and stops. */
async function managedThenUnmanaged(label) {
  const { user, apps } = await stage(label, [PA, PB, PC]);
  const [a, b, c] = apps;

  a.watch();
  await a.waitFor(isManaged('active'), waitMs);
  b.watch();
  await b.waitFor(isManaged('active'), waitMs);
  assert.equal((await world.weir.liveStreams(user.email)).length, 1);
  c.request(url);
  await c.waitFor(isDirect('active'), waitMs);
  await a.waitFor(isManaged('stopped'), waitMs);
  await b.waitFor(isManaged('stopped'), waitMs);
  assert.equal((await world.weir.liveStreams(user.email)).length, 1);
  c.stop();
  await c.waitFor(isDirect('stopped'), waitMs);
  for (const app of [a, b]) assert.equal(ends(app, isManaged('stopped', 'error')), 1, app.story());
  assert.equal(ends(c, isDirect('stopped', 'timeout')), 1, c.story());
}

/** One app streams for itself; another one is refused until it has stopped. */
async function unmanagedThenManaged(label) {
  const { user, apps } = await stage(label, [PA, PB]);
  const [a, b] = apps;

  a.request(url);
  await a.waitFor(isDirect('active'), waitMs);
  b.watch();
  await b.waitFor(isRefusal, waitMs);
  a.stop();
  await a.waitFor(isDirect('stopped'), waitMs);
  /* The same app, whose socket was not closed, asks for the other kind. */
  a.watch();
  await a.waitFor(isManaged('active'), waitMs);
  assert.equal((await world.weir.liveStreams(user.email)).length, 1);
  a.leave();
  await a.waitFor(isManaged('stopped'), waitMs);
  assert.equal(ends(a, isManaged('stopped', 'error')), 1, a.story());
}

test(`${users} users, streams of both kinds, all at once`, async () => {
  const lives = [];

  for (let i = 0; i < users; i++)
    lives.push((i % 2 ? unmanagedThenManaged : managedThenUnmanaged)(`many${i}`));
  await Promise.all(lives);
  await vendorIsEmpty();
  assert.deepEqual(JSON.parse(await world.weir.cli('ls', '--all', '-o', 'json')), []);
});

/* What the vendor answers to every create.  Most of them take effect there all the same. */
const nonsense = {
  garbage: { body: '\u0000\u0001{{{' },
  'an HTML page': { body: '<html><body>error 1016</body></html>', status: 502 },
  'wrong types': { body: '{"success":"yes","errors":7,"result":[{"uid":{}}]}' },
  'a result without an ingest': {
    body: '{"success":true,"errors":[],"messages":[],"result":{"uid":"66be4bf738797e01e1fca35a7bdecdcd"}}',
  },
  '10 MB': { length: 10 << 20 },
  'a slow drip': { drip: 200 },
  'nothing, for ever': { hang: 'after' },
};

describe('a vendor that answers nonsense', { concurrency: 1 }, () => {
  for (const [name, fault] of Object.entries(nonsense))
    test(`${name}: the app is refused in time, nothing is left, the adapter is alive`, async () => {
      const { user, apps } = await stage('nonsense', [PA]);
      const pid = (await world.weir.pids()).get('managed-adapter');

      world.vendor.fault('create', { times: Infinity, ...fault });
      apps[0].watch();
      const { msg } = await apps[0].waitFor(isRefusal, 28000, { what: 'a refusal' });

      assert.equal(msg.code, 'INTERNAL_ERROR');
      assert.match(msg.message, /^Failed to create live stream: ./);
      assert.doesNotMatch(msg.message, /:\/\/|KEY/, 'no URL, no key');
      world.vendor.mend();
      await vendorIsEmpty();
      assert.deepEqual(await world.weir.liveStreams(user.email), []);
      assert.equal((await world.weir.pids()).get('managed-adapter'), pid);
    });
});
