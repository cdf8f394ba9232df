// The glasses' side of a user session: acks, replaced sockets, grace, disposal (protocol 1.2 to
// 1.5).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { GlassesSim } from '../lib/glasses.mjs';
import { Phone } from '../lib/phone.mjs';
import { TS } from '../lib/transcript.mjs';
import { DASHBOARD, PA, PB, World, goLive, toEverybody, url, waiting } from '../lib/world.mjs';

const graceMs = 2000;

let world;

before(async () => {
  /* Keep-alives at their real length: within the short grace no stream can time out. */
  world = await World.open({
    gateways: 3,
    withDashboard: true,
    config: { session: { grace_ms: graceMs, app_grace_ms: 500 } },
  });
});

after(() => world?.close());

const notOf = (socket) => (entry) => entry.socket !== socket;
const onlyOf = (socket) => (entry) => entry.socket === socket;

async function connectQuietly(user) {
  const phone = world.keep(new Phone(user.phoneOptions(1)));

  await phone.connect();
  return phone;
}

/* One suite around all: otherwise they would run one after the other. */
describe('sessions', waiting, () => {
  describe('1.2 after the upgrade', waiting, () => {
    test('1.2 connection_ack comes unasked and has exactly three fields', async () => {
      const user = world.user('ack');
      const phone = world.keep(new Phone(user.phoneOptions(1)));
      const t = world.transcript();
      const g = t.party(phone, { ignore: ['app_state_change'] });

      await phone.connect();
      await g.gets(expect.connectionAck(user.email), { immediate: false });
      await t.quiet(200);
    });

    for (const fields of [{}, { userId: 'somebody@else', coreToken: 'x' }]) {
      test(`1.2 connection_init ${JSON.stringify(fields)} gets a second ack only`, async () => {
        const s = await world.stage('init');

        await goLive(s);
        s.t.act(() => s.phone.send({ type: 'connection_init', ...fields }));
        await s.g.gets(expect.connectionAck(s.U));
        await s.t.quiet(200);
      });
    }

    test('1.2 #2 a new user: the ack waits for the dashboard app', async () => {
      const user = world.user('dashboard');
      const sessionId = user.sessionId(DASHBOARD);
      const phone = world.keep(new Phone(user.phoneOptions(1)));

      world.host.plan(sessionId, { initDelayMs: 800 });
      const [ack, app] = await Promise.all([phone.connect(), world.host.nextApp(sessionId)]);
      const acked = await app.waitMessage('tpa_connection_ack');

      assert.ok(ack.at >= acked.at - 150, 'connection_ack came before the dashboard was running');
      assert.ok(ack.at <= acked.at + 500, 'connection_ack came late');
    });

    test('1.2 #2 a known user: no app is started again', async () => {
      const s = await world.stage('known');
      const from = world.host.entries.length;

      s.phone.drop();
      await s.t.settle();
      await s.phone.connect();
      await s.t.quiet(300, [s.a]);
      assert.deepEqual(world.host.webhooks(s.user.sessionId(PA), from), []);
      assert.deepEqual(world.host.webhooks(s.user.sessionId(DASHBOARD), from), []);
    });
  });

  describe('1.3 liveness', waiting, () => {
    test('1.3 malformed text frames are ignored, the socket stays open', async () => {
      const s = await world.stage('malformed');

      for (const text of [
        '',
        '{',
        'null',
        '7',
        '[]',
        '{}',
        '{"type":7}',
        '{"no":"type"}',
        '"x"',
        '{"type":"a"} x',
      ])
        s.phone.send(text);
      s.phone.sockets[0].send(Buffer.from([1, 2, 3]), { binary: true }); /* audio (0) */
      await goLive(s);
      await s.t.quiet(200);
    });

    test('1.3 {"type":"ping"} is not answered but relayed like any unknown type', async () => {
      const s = await world.stage('ping', { subscriptions: { a: ['ping'] } });

      s.t.act(() => s.phone.send({ type: 'ping', n: 1 }));
      await s.a.gets(expect.relayed(s.U, PA, { type: 'ping', n: 1 }));
      await s.t.quiet(200);
    });
  });

  describe('1.4 duplicate sockets and grace', waiting, () => {
    test('1.4 a second socket replaces the first, which is neither closed nor told', async () => {
      const s = await world.stage('second');
      const { t, a, phone, U } = s;

      await goLive(s);
      const first = t.party(phone, { only: onlyOf(0), ignore: ['app_state_change'] });
      const second = t.party(phone, { only: notOf(0), ignore: ['app_state_change'] });

      phone.url = world.weir.url(3);
      await phone.connect();
      await second.gets(expect.connectionAck(U), { immediate: false });
      /* What arrives on the old socket is still processed. */
      t.act(() =>
        phone.send({ type: 'rtmp_stream_status', status: 'streaming', streamId: t.id('$S1') }, 0),
      );
      await a.gets(expect.status(U, PA, '$S1', 'active'));
      /* Everything for the glasses goes to the newest. */
      t.act(() => s.apps.a.stop(t.id('$S1')));
      await a.gets(expect.status(U, PA, '$S1', 'stopped'));
      await second.gets(expect.stop(U, PA, '$S1'));
      first.empty();
      assert.equal(phone.sockets[0].readyState, 1);
    });

    test('1.4 closing the old socket of a pair: the session lives on', async () => {
      const s = await world.stage('closeold');
      const { t, a, phone, U } = s;

      await goLive(s);
      phone.url = world.weir.url(3);
      await phone.connect();
      await phone.close(1000, '', 0);
      await t.quiet(graceMs + 500, [a]);
      s.g.skip();
      t.act(() => s.apps.a.stop(t.id('$S1')));
      await a.gets(expect.status(U, PA, '$S1', 'stopped'));
      await s.g.gets(expect.stop(U, PA, '$S1'));
    });

    test('1.4 closing the new socket of a pair: disposal, though the old one is open', async () => {
      const s = await world.stage('closenew');
      const { t, a, phone } = s;

      phone.url = world.weir.url(3);
      await phone.connect();
      t.mark('closed');
      await phone.close();
      await a.gets(expect.appStopped, { timer: ['closed', graceMs / 1000] });
      await a.closes(1000, 'User session ended', { timer: ['closed', graceMs / 1000] });
    });

    test('1.4 a return within the grace cancels the disposal; nothing is replayed', async () => {
      const s = await world.stage('return');
      const { t, a, g, phone, U } = s;

      await goLive(s);
      for (const code of [1000, 1001, 4000]) {
        await phone.close(code);
        g.skip();
        phone.url = world.weir.url(1 + (code % 3));
        await phone.connect();
        await g.gets(expect.connectionAck(U), { immediate: false });
      }
      await t.quiet(graceMs + 300);
      assert.equal((await s.apps.a.check()).streamInfo.streamId, t.id('$S1'));
      a.skip();
    });

    test("8 the simulator's phone comes back by itself, and its stream goes on", async () => {
      const user = world.user('sim');
      const phone = await user.connect({
        Kind: GlassesSim,
        scale: 10,
        autoReconnect: true,
        delays: { connectMs: 100 },
      });
      const app = await user.app(PA);

      app.request(url);
      const live = await app.waitMessage({ type: 'rtmp_stream_status', status: 'active' });

      phone.dropSocket();
      await phone.waitFor((e) => e.socket === 1 && e.msg?.type === 'connection_ack', 3000);
      assert.equal((await app.check()).streamInfo.streamId, live.msg.streamId);
      assert.equal(phone.device.phase, 'streaming');
    });
  });

  describe('1.5 disposal', waiting, () => {
    test('1.5, D7 a stream that still lives: `timeout`, then the sockets close', async () => {
      const s = await world.stage('dispose', {
        apps: { a: PA, b: PB },
        subscriptions: { b: ['rtmp_stream_status'] },
      });
      const { t, a, b, phone } = s;
      const inGrace = { timer: ['closed', graceMs / 1000] };

      await goLive(s, { copies: { b: PB } });
      t.mark('closed');
      await phone.close();
      await toEverybody(s, { copies: { b: PB }, word: 'timeout', ...inGrace });
      for (const party of [a, b]) {
        await party.gets(expect.appStopped, inGrace);
        await party.closes(1000, 'User session ended', inGrace);
      }
      assert.deepEqual(await world.weir.liveStreams(s.U), []);
    });

    test('1.5 a later return: a fresh session, which starts the former apps (1.2 #2)', async () => {
      const s = await world.stage('fresh');
      const { host } = world;
      const sessionId = s.user.sessionId(PA);

      await goLive(s);
      await s.phone.close();
      await s.apps.a.waitEvent('close', graceMs + 2000);
      const from = host.entries.length;
      const before = s.phone.entries.length;
      const [app] = await Promise.all([
        host.nextApp(sessionId, { from, timeoutMs: 8000 }),
        s.phone.connect(),
      ]);

      assert.deepEqual(await app.check(), expect.nothingActive);
      const types = s.phone.entries
        .slice(before)
        .filter((e) => e.dir === 'in')
        .map((e) => e.msg.type);

      assert.ok(!types.includes('start_rtmp_stream'), 'a stream was started by itself');
    });

    test('1.6 app_state_change has exactly three fields', async () => {
      const user = world.user('change');
      const phone = await connectQuietly(user);
      const t = world.transcript();
      const g = t.party(phone);

      user.phone = phone;
      user.startApp(PA);
      await g.gets(
        { type: 'app_state_change', sessionId: user.email, timestamp: TS },
        { immediate: false },
      );
    });
  });
});
