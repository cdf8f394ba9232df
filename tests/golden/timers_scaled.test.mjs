// Everything that depends on a timer, at a tenth of the protocol's times.
//
// The tests of this file run at the same time and mostly wait.  Seconds in them are those of the
// protocol; tolerances are not scaled.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { comeBack, dropAt, g2, g3, g4, g5, probeAt } from '../lib/scripts.mjs';
import { PA, World, goLive, url, waiting } from '../lib/world.mjs';

/* Twice the 5 s of the protocol: a tenth of that is short for a re-init on a busy machine. */
const appGrace = 10;

let world;

before(async () => {
  world = await World.open({
    scale: 10,
    gateways: 3,
    config: { session: { app_grace_ms: appGrace * 100 } },
  });
});

after(() => world?.close());

const timeout = (s, seconds, mark = 'active') =>
  s.a.gets(expect.status(s.U, PA, '$S1', 'timeout'), { timer: [mark, seconds] });

/* For tests that are not about keep-alives, but may last long enough to see one. */
const withoutProbes = (s) =>
  s.t.party(s.phone, { ignore: ['app_state_change', 'keep_rtmp_stream_alive'] });

/* One suite around all: otherwise they would run one after the other. */
describe('scaled timers', waiting, () => {
  describe('transcripts', waiting, () => {
    test('G2 keep-alives answered (protocol 10 G2)', () => g2(world));
    test('G3 keep-alive timeout (10 G3)', () => g3(world));
    test('G4 glasses drop and return within the window (10 G4, 1.4, D3)', () => g4(world));
    test('G5 glasses drop for good (10 G5, 1.5, D1)', () => g5(world));

    test('G13a app socket lost and back within the grace (10 G13, 2.7)', async () => {
      const s = await world.stage('g13a');
      const { t, U, phone } = s;
      const g = withoutProbes(s);
      const from = world.host.entries.length;
      const sessionId = s.user.sessionId(PA);

      await goLive(s);
      g.skip();
      s.apps.a.drop();
      const again = await world.host.connectApp(PA, {
        sessionId,
        augmentOSWebsocketUrl: `${world.weir.url(3)}/app-ws`,
      });
      const a = t.party(again);

      t.act(() => phone.status('streaming', { streamId: t.id('$S1') }));
      await a.gets(expect.status(U, PA, '$S1', 'active'));
      /* Past the grace, so that its webhooks would be seen. */
      await t.quiet(appGrace * 100 + 200, [a, g]);
      t.act(() => again.stop(t.id('$S1')));
      await a.gets(expect.status(U, PA, '$S1', 'stopped'));
      await g.gets(expect.stop(U, PA, '$S1'));
      assert.deepEqual(world.host.webhooks(sessionId, from), []);
    });

    test('G13b app socket lost for longer (10 G13, 2.7)', async () => {
      const s = await world.stage('g13b');
      const { t, U, phone } = s;
      const g = withoutProbes(s);
      const { host } = world;
      const sessionId = s.user.sessionId(PA);

      await goLive(s);
      g.skip();
      const from = host.entries.length;

      t.mark('drop');
      s.apps.a.drop();
      await t.until('drop', 1.5);
      phone.status('reconnecting', { streamId: t.id('$S1'), attempt: 1, maxAttempts: 10 });
      phone.status('streaming', { streamId: t.id('$S1') });
      const again = await host.nextApp(sessionId, { from });
      const a = t.party(again);
      const calls = host.webhooks(sessionId, from);

      assert.deepEqual(
        calls.map((call) => call.kind),
        ['stop_request', 'session_request'],
      );
      t.onTime(calls[0], t.due(['drop', appGrace]));
      t.act(() => phone.status('streaming', { streamId: t.id('$S1') }));
      await a.gets(expect.status(U, PA, '$S1', 'active'));
      assert.equal((await again.check()).streamInfo.streamId, t.id('$S1'));
      a.skip();
      t.act(() => again.stop());
      await a.gets(expect.status(U, PA, '$S1', 'stopped'));
      await g.gets(expect.stop(U, PA, ''));
    });
  });

  describe('the keep-alive controller', waiting, () => {
    test('5.1 #1 a second `streaming` keeps the phase', async () => {
      const s = await world.stage('phase');

      await goLive(s);
      await s.t.until('active', 8);
      s.phone.status('streaming', { streamId: s.t.id('$S1') });
      await s.a.next();
      await probeAt(s, 15, '$K1');
    });

    test('5.1 #2 `reconnecting` deactivates; `streaming` starts a new phase', async () => {
      const s = await world.stage('deactivate');
      const { t, a, phone } = s;

      await goLive(s);
      await t.until('active', 5);
      phone.status('reconnecting', { streamId: t.id('$S1') });
      await a.gets(expect.status(s.U, PA, '$S1', 'initializing'), { immediate: false });
      await t.until('active', 22);
      s.g.empty();
      t.mark('again', phone.status('reconnected', { streamId: t.id('$S1') }));
      await a.gets(expect.status(s.U, PA, '$S1', 'active'));
      await probeAt(s, 15, '$K1', 'again');
    });

    test('5.1 #4 an ack resets the count; the timeout needs three misses in a row', async () => {
      const s = await world.stage('reset');

      await goLive(s);
      await probeAt(s, 15, '$K1');
      await probeAt(s, 30, '$K2');
      s.phone.ack(await probeAt(s, 45, '$K3'));
      await probeAt(s, 60, '$K4');
      await probeAt(s, 75, '$K5');
      await probeAt(s, 90, '$K6');
      await timeout(s, 100);
      await s.t.quiet();
    });

    test('5.1 #5 late acks do not reset the count', async () => {
      const s = await world.stage('late');

      await goLive(s);
      const k1 = await probeAt(s, 15, '$K1');

      await s.t.until('active', 27.5);
      s.phone.ack(k1);
      const k2 = await probeAt(s, 30, '$K2');

      await s.t.until('active', 42.5);
      s.phone.ack(k2);
      await probeAt(s, 45, '$K3');
      await timeout(s, 55);
    });

    test('5.1 #5, D13 acks with a foreign ackId or streamId, or none, are ignored', async () => {
      const s = await world.stage('wrong');

      await goLive(s);
      s.phone.ack(await probeAt(s, 15, '$K1'), { ackId: 'azzzzz' });
      s.phone.ack(await probeAt(s, 30, '$K2'), { streamId: 'sforeign01' });
      s.phone.ack(await probeAt(s, 45, '$K3'), { streamId: undefined });
      await timeout(s, 55);
    });

    for (const [word, heard] of [['streaming', 'active'], ['']]) {
      test(`5.1 #7 status ${JSON.stringify(word)} resets the count and keeps the phase`, async () => {
        const s = await world.stage('activity');

        await goLive(s);
        await probeAt(s, 15, '$K1');
        await probeAt(s, 30, '$K2');
        await s.t.until('active', 42);
        s.t.act(() => s.phone.status(word, { streamId: s.t.id('$S1') }));
        if (heard) await s.a.gets(expect.status(s.U, PA, '$S1', heard));
        await probeAt(s, 45, '$K3');
        await probeAt(s, 60, '$K4');
        await probeAt(s, 75, '$K5');
        await timeout(s, 85);
      });
    }

    test('5.1 #8 a probe sent before the socket dropped still counts', async () => {
      const s = await world.stage('sent');

      await goLive(s);
      await probeAt(s, 15, '$K1');
      await dropAt(s, 17);
      await timeout(s, 55);
    });

    test('5.1 [PLAN], D1 dropped just before a tick: timeout 40 s later', async () => {
      const s = await world.stage('before');

      await goLive(s);
      await dropAt(s, 13);
      await timeout(s, 55);
    });

    test('5.1 [PLAN], D1 dropped just after an answered probe: timeout 55 s later', async () => {
      const s = await world.stage('after');

      await goLive(s);
      s.phone.ack(await probeAt(s, 15, '$K1'));
      await dropAt(s, 17);
      await timeout(s, 70);
    });

    test('D3 the missed count survives the return', async () => {
      const s = await world.stage('d3count');

      await goLive(s);
      await dropAt(s, 5);
      await s.t.until('active', 42);
      await comeBack(s);
      await probeAt(s, 45, '$K1');
      await timeout(s, 55);
      await s.t.quiet();
    });

    test('D3 unsent probes are dropped on the return, the phase is kept', async () => {
      const s = await world.stage('d3unsent');

      await goLive(s);
      await dropAt(s, 5);
      await s.t.until('active', 20);
      await comeBack(s);
      await probeAt(s, 30, '$K1');
      await probeAt(s, 45, '$K2');
      await probeAt(s, 60, '$K3');
      await timeout(s, 70);
    });

    test('1.4 BLE loss touches no stream; unanswered keep-alives end it', async () => {
      const s = await world.stage('ble');

      await goLive(s);
      await s.t.until('active', 5);
      s.phone.sendState('DISCONNECTED');
      await probeAt(s, 15, '$K1');
      await probeAt(s, 30, '$K2');
      await probeAt(s, 45, '$K3');
      await timeout(s, 55);
      await s.t.quiet();
    });
  });

  describe('watchdog and debts', waiting, () => {
    /* @steps: the glasses' words, at these seconds after the request. */
    async function neglected(label, steps, timeoutAt) {
      const s = await world.stage(label);
      const { t, g, a, phone, U } = s;

      t.mark('request');
      s.apps.a.request(url);
      await g.gets(expect.start(U, PA, '$S1', url));
      await a.gets(expect.status(U, PA, '$S1', 'initializing'));
      for (const [seconds, said, heard] of steps) {
        await t.until('request', seconds);
        t.act(() => phone.status(said, { streamId: t.id('$S1') }));
        await a.gets(expect.status(U, PA, '$S1', heard));
      }
      await a.gets(expect.status(U, PA, '$S1', 'timeout'), { timer: ['request', timeoutAt] });
      await g.gets(expect.stop(U, PA, '$S1'), { timer: ['request', timeoutAt] });
      assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
    }

    test('D4 never confirmed (8.4: refusals carry no id): timeout and stop', () =>
      neglected('d4silent', [], 60));
    test('D4 every status restarts the watchdog', () =>
      neglected('d4init', [[20, 'initializing', 'initializing']], 80));
    test('D4 stuck after `reconnecting`', () =>
      neglected(
        'd4re',
        [
          [1, 'streaming', 'active'],
          [10, 'reconnecting', 'initializing'],
        ],
        70,
      ));
    test('D4 stuck in `stopping`', () =>
      neglected(
        'd4stop',
        [
          [1, 'streaming', 'active'],
          [10, 'stopping', 'stopping'],
        ],
        70,
      ));

    test('D4 never confirmed, socket down: timeout, the stop follows on return (D2)', async () => {
      const s = await world.stage('d4down');
      const { t, g, a, U } = s;

      t.mark('request');
      t.mark('active');
      s.apps.a.request(url);
      await g.gets(expect.start(U, PA, '$S1', url));
      await a.gets(expect.status(U, PA, '$S1', 'initializing'));
      await dropAt(s, 10);
      await a.gets(expect.status(U, PA, '$S1', 'timeout'), { timer: ['request', 60] });
      await comeBack(s, { report: false });
      await g.gets(expect.stop(U, PA, '$S1'));
    });

    test('D2 stopped by the app while the socket was down: one stop after the ack', async () => {
      const s = await world.stage('d2');
      const { t, g, a, U } = s;

      await goLive(s);
      await dropAt(s, 2);
      await t.settle();
      t.act(() => s.apps.a.stop(t.id('$S1')));
      await a.gets(expect.status(U, PA, '$S1', 'stopped'));
      await comeBack(s, { report: false });
      await g.gets(expect.stop(U, PA, '$S1'));
      /* Once: the next return brings nothing but the ack. */
      await dropAt(s, 4);
      await comeBack(s);
      await t.quiet();
    });

    test('D2 timed out while the socket was down: one stop after the ack', async () => {
      const s = await world.stage('d2timeout');

      await goLive(s);
      await dropAt(s, 4.7);
      await timeout(s, 55);
      await comeBack(s);
      await s.g.gets(expect.stop(s.U, PA, '$S1'));
      await s.t.quiet();
    });

    test('D2 not when a newer stream was started meanwhile', async () => {
      const s = await world.stage('d2newer');
      const { t, g, a, U } = s;

      await goLive(s);
      await dropAt(s, 2);
      await t.settle();
      t.act(() => s.apps.a.stop(t.id('$S1')));
      await a.gets(expect.status(U, PA, '$S1', 'stopped'));
      /* The stop is owed once per stream: it comes now, and never after the start of S2. */
      await comeBack(s);
      await g.gets(expect.stop(U, PA, '$S1'));
      t.act(() => s.apps.a.request(url));
      await g.gets(expect.start(U, PA, '$S2', url));
      await a.gets(expect.status(U, PA, '$S2', 'initializing'));
      await s.phone.close();
      s.g.skip();
      await comeBack(s);
      await t.quiet();
    });
  });
});
