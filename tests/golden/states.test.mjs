// The state table of an unmanaged stream (protocol 5.3), every cell of it.
//
// Each cell has a user of its own: it is brought into the state, gets the input, and then says by a
// status check whether the stream still exists.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { PA, PB, World, busy, toEverybody, url } from '../lib/world.mjs';

let world;

before(async () => {
  world = await World.open({ config: { session: { app_grace_ms: 500 } } });
});

after(() => world?.close());

/* The glasses' words that lead into a state, and what the app hears of them. */
const states = {
  initializing: [],
  active: [['streaming', 'active']],
  stopping: [
    ['streaming', 'active'],
    ['stopping', 'stopping'],
  ],
};

/* Word of the glasses: what is notified, and whether that is the end. */
const words = [
  ['initializing', 'initializing'],
  ['connecting', 'initializing'],
  ['reconnecting', 'initializing'],
  ['streaming', 'active'],
  ['active', 'active'],
  ['reconnected', 'active'],
  ['stopping', 'stopping'],
  ['stopped', 'stopped', true],
  ['disconnected', 'stopped', true],
  ['error', 'stopped', true],
  ['reconnect_failed', 'stopped', true],
  ['no-such-word', 'stopped', true],
  ['timeout', 'timeout', true],
  ['', null],
  [undefined, null],
];

async function bring(state, { label, apps = { a: PA, b: PB } } = {}) {
  const s = await world.stage(label ?? state, {
    apps,
    subscriptions: { b: ['rtmp_stream_status'] },
  });
  const { t, g, phone, U } = s;

  s.copies = { b: PB };
  t.act(() => s.apps.a.request(url));
  await g.gets(expect.start(U, PA, '$S1', url));
  await toEverybody(s, { copies: s.copies, word: 'initializing' });
  for (const [said, heard] of states[state]) {
    t.act(() => phone.status(said, { streamId: t.id('$S1') }));
    await toEverybody(s, { copies: s.copies, word: heard });
  }
  return s;
}

async function existsStill(s) {
  const { streamInfo } = await s.apps.a.check();

  assert.equal(streamInfo?.streamId, s.t.id('$S1'));
  s.a.skip();
}

async function isGone(s) {
  assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
  s.a.skip();
}

for (const state of Object.keys(states)) {
  describe(`5.3 in ${state}`, busy, () => {
    for (const [word, heard, terminal] of words) {
      test(`5.3 ${state} + glasses ${JSON.stringify(word)} -> ${heard ?? 'nothing'}`, async () => {
        const s = await bring(state);

        s.t.act(() => s.phone.status(word, { streamId: s.t.id('$S1') }));
        if (heard) await toEverybody(s, { copies: s.copies, word: heard });
        await (terminal ? isGone(s) : existsStill(s));
        await s.t.quiet(200);
      });
    }

    test(`5.3 ${state} + the same word twice: notified twice`, async () => {
      const s = await bring(state);
      const [said, heard] = states[state].at(-1) ?? ['initializing', 'initializing'];

      for (let i = 0; i < 2; i++) {
        s.t.act(() => s.phone.status(said, { streamId: s.t.id('$S1') }));
        await toEverybody(s, { copies: s.copies, word: heard });
      }
      await s.t.quiet(200);
    });

    for (const withId of [true, false]) {
      test(`5.3 ${state} + owner stop ${withId ? 'with' : 'without'} id`, async () => {
        const s = await bring(state);

        s.t.act(() => s.apps.a.stop(withId ? s.t.id('$S1') : undefined));
        await toEverybody(s, { copies: s.copies, word: 'stopped' });
        await s.g.gets(expect.stop(s.U, PA, withId ? '$S1' : ''));
        await isGone(s);
        await s.t.quiet(200);
      });
    }

    test(`5.3 ${state} + status with another id or none: ignored (5.2)`, async () => {
      const s = await bring(state);

      s.phone.status('stopped');
      s.phone.status('error', { errorDetails: 'no_wifi_connection', timestamp: 1 });
      s.phone.status('stopped', { streamId: 'sforeign01' });
      s.phone.status('stopped', { streamId: '' });
      await existsStill(s);
      await s.t.quiet(200);
    });

    test(`5.3 ${state} + socket losses: the stream is not touched`, async () => {
      const s = await bring(state);
      const { host } = world;
      const from = host.entries.length;

      s.phone.drop();
      await s.t.quiet(200, [s.a, s.b]);
      s.g.skip();
      await s.phone.connect();
      await s.g.gets(expect.connectionAck(s.U), { immediate: false });
      s.apps.a.drop();
      const again = await host.nextApp(s.user.sessionId(PA), { from, timeoutMs: 4000 });
      const { streamInfo } = await again.check();

      assert.equal(streamInfo?.streamId, s.t.id('$S1'));
      await s.t.quiet(200, [s.b, s.g]);
    });

    test(`5.3 ${state} + new request of another app`, async () => {
      const s = await bring(state);
      const { t, g, a, b, U } = s;

      t.act(() => s.apps.b.request('rtmp://b/1'));
      if (state === 'stopping')
        /* The table says only that the old one is overwritten; its end may be told. */
        await skipStopped(s);
      else await toEverybody(s, { copies: s.copies, word: 'stopped' });
      await g.gets(expect.start(U, PB, '$S2', 'rtmp://b/1'));
      await toEverybody(s, {
        id: '$S2',
        name: 'b',
        packageName: PB,
        copies: s.copies,
        word: 'initializing',
      });
      t.act(() => s.phone.status('streaming', { streamId: t.id('$S2') }));
      await toEverybody(s, {
        id: '$S2',
        name: 'b',
        packageName: PB,
        copies: s.copies,
        word: 'active',
      });
      await t.quiet(200, [a, b, g]);
    });
  });
}

/* Consumes the owner's and the subscriber's `stopped`, if they are sent. */
async function skipStopped(s) {
  await s.t.settle();
  const first = s.a.pending()[0];

  if (first) await s.a.gets(expect.status(s.U, PA, '$S1', 'stopped'));
  if (s.b.pending()[0]?.msg?.data?.status === 'stopped')
    await s.b.gets(expect.copy(s.U, PB, PA, '$S1', 'stopped'));
}
