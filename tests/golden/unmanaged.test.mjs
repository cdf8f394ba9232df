// Unmanaged streams: the transcripts without long timers, refusals, and who may do what.
// The timers run at their real length here, so none of them can interfere within a test.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import {
  ALL,
  LONG1,
  LONG2,
  NOCAM,
  PA,
  PB,
  PC,
  World,
  busy,
  goLive,
  toEverybody,
  url,
} from '../lib/world.mjs';

let world;

before(async () => {
  world = await World.open({ config: { session: { app_grace_ms: 500 } } });
});

after(() => world?.close());

const cameraNeeded =
  'Camera permission required to start video streams. ' +
  'Please add the CAMERA permission in the developer console.';
const wifiNeeded =
  'Cannot process request - smart glasses must be connected to WiFi for this operation';

describe('transcripts', busy, () => {
  test('G1 start and stop, owner subscribed (protocol 10 G1, 4.1, 4.3)', async () => {
    const s = await world.stage('g1', { subscriptions: { a: ['rtmp_stream_status'] } });
    const { t, g, a, phone, U } = s;
    const copies = { a: PA };
    const video = { width: 1280 };

    t.act(() => s.apps.a.request(url, { video }));
    await g.gets(expect.start(U, PA, '$S1', url, { video }));
    await toEverybody(s, { copies, word: 'initializing' });
    t.act(() => phone.status('initializing', { streamId: t.id('$S1') }));
    await toEverybody(s, { copies, word: 'initializing' });
    t.act(() => phone.status('streaming', { streamId: t.id('$S1') }));
    await toEverybody(s, { copies, word: 'active' });
    t.act(() => s.apps.a.stop(t.id('$S1')));
    await toEverybody(s, { copies, word: 'stopped' });
    await g.gets(expect.stop(U, PA, '$S1'));
    phone.status('stopped');
    phone.status('stopping', { timestamp: 1 });
    await t.quiet();
    await s.apps.a.check();
    await a.gets(expect.nothingActive, { immediate: false });
    assert.deepEqual(await world.weir.liveStreams(U), []);
  });

  test('G11 takeover by another app, which is subscribed (10 G11, 5.3, 5.6)', async () => {
    const s = await world.stage('g11', {
      apps: { a: PA, b: PB },
      subscriptions: { b: ['rtmp_stream_status'] },
    });
    const { t, g, a, b, phone, U } = s;

    await goLive(s, { copies: { b: PB } });
    t.act(() => s.apps.b.request('rtmp://b/1'));
    await a.gets(expect.status(U, PA, '$S1', 'stopped'));
    await b.gets(expect.copy(U, PB, PA, '$S1', 'stopped'));
    /* No stop_rtmp_stream before it: the party would show it as the next message. */
    await g.gets(expect.start(U, PB, '$S2', 'rtmp://b/1'));
    await toEverybody(s, {
      id: '$S2',
      name: 'b',
      packageName: PB,
      copies: { b: PB },
      word: 'initializing',
    });
    t.act(() => phone.status('streaming', { streamId: t.id('$S2') }));
    await toEverybody(s, {
      id: '$S2',
      name: 'b',
      packageName: PB,
      copies: { b: PB },
      word: 'active',
    });
    await t.quiet();
  });

  test('5.6 takeover by the same app; late words of the old stream are ignored (5.2)', async () => {
    const s = await world.stage('retake');
    const { t, g, a, phone, U } = s;

    await goLive(s);
    t.act(() => s.apps.a.request('rtmp://b/2'));
    await a.gets(expect.status(U, PA, '$S1', 'stopped'));
    await g.gets(expect.start(U, PA, '$S2', 'rtmp://b/2'));
    await a.gets(expect.status(U, PA, '$S2', 'initializing'));
    for (const word of ['stopped', 'error', 'streaming'])
      phone.status(word, { streamId: t.id('$S1') });
    phone.status('stopped');
    t.act(() => phone.status('streaming', { streamId: t.id('$S2') }));
    await a.gets(expect.status(U, PA, '$S2', 'active'));
    await t.quiet();
  });

  test('G12 glasses error: a bare `stopped` for the app (10 G12, D12)', async () => {
    const s = await world.stage('g12');
    const { t, a, phone, U } = s;

    await goLive(s);
    t.act(() =>
      phone.status('error', {
        streamId: t.id('$S1'),
        errorDetails: 'RTMP connection failed: refused',
      }),
    );
    await a.gets(expect.status(U, PA, '$S1', 'stopped'));
    await t.quiet();
    assert.deepEqual(await world.weir.liveStreams(U), []);
  });

  test('4.3 copies go to all, * and rtmp_stream_status, the direct message first', async () => {
    const s = await world.stage('copies', {
      apps: { a: PA, b: PB, c: PC, n: NOCAM },
      /* Without CAMERA the subscription is dropped, but `all` needs no permission (2.5). */
      subscriptions: { a: ['*'], b: ['all'], c: ['button_press'], n: ['rtmp_stream_status'] },
    });

    await goLive(s, { copies: { a: PA, b: PB } });
    await s.t.quiet();
  });
});

describe('stops', busy, () => {
  test('5.3 stop without id by the owner: stop_rtmp_stream carries an empty id (4.1)', async () => {
    const s = await world.stage('noid');

    await goLive(s);
    s.t.act(() => s.apps.a.stop());
    await s.a.gets(expect.status(s.U, PA, '$S1', 'stopped'));
    await s.g.gets(expect.stop(s.U, PA, ''));
    await s.t.quiet();
  });

  test('5.3 stop before the glasses said anything', async () => {
    const s = await world.stage('early');
    const { t, g, a, U } = s;

    t.act(() => s.apps.a.request(url));
    await g.gets(expect.start(U, PA, '$S1', url));
    await a.gets(expect.status(U, PA, '$S1', 'initializing'));
    t.act(() => s.apps.a.stop(t.id('$S1')));
    await a.gets(expect.status(U, PA, '$S1', 'stopped'));
    await g.gets(expect.stop(U, PA, '$S1'));
    /* The confirmation that crosses the stop is ignored (5.2). */
    s.phone.status('streaming', { streamId: t.id('$S1') });
    await t.quiet();
  });

  test("D11 a stop for nothing of one's own does not reach the glasses", async () => {
    const s = await world.stage('d11', { apps: { a: PA, b: PB } });
    const { t } = s;

    await goLive(s);
    s.apps.b.stop();
    s.apps.b.stop('sunknown1');
    s.apps.a.stop('sunknown2');
    await t.quiet();
    const { streamInfo } = await s.apps.a.check();

    assert.equal(streamInfo.streamId, t.id('$S1'));
  });

  test('D11 with an empty registry a stop is forwarded (5.3)', async () => {
    const s = await world.stage('d11empty');

    s.t.act(() => s.apps.a.stop('sunknown3'));
    await s.g.gets(expect.stop(s.U, PA, 'sunknown3'));
    await s.t.quiet();
  });

  test('D15 the acting app is that of the socket, not of packageName', async () => {
    const s = await world.stage('d15', { apps: { a: PA, b: PB } });
    const { t, g, a, U } = s;

    t.act(() => s.apps.a.request(url, { packageName: PB }));
    await g.gets(expect.start(U, PA, '$S1', url));
    await a.gets(expect.status(U, PA, '$S1', 'initializing'));
    s.apps.b.send({ type: 'rtmp_stream_stop', packageName: PA });
    await t.quiet();
  });
});

describe('requests', busy, () => {
  test('3.1 option objects are forwarded verbatim', async () => {
    const s = await world.stage('options');
    const options = {
      video: {
        width: 1280,
        height: 720,
        bitrate: 2000000,
        frameRate: 29.97,
        'x-ä': [1, { deep: null }],
      },
      audio: { sampleRate: 44100, echoCancellation: true, noiseSuppression: false },
      stream: { durationLimit: 1800 },
    };

    s.t.act(() => s.apps.a.request(url, options));
    await s.g.gets(expect.start(s.U, PA, '$S1', url, options));
  });

  test('3.1 absent, null, false, 0 and "" options become {}', async () => {
    const s = await world.stage('empty');

    s.t.act(() => s.apps.a.request(url, { video: null, audio: false, stream: 0 }));
    await s.g.gets(expect.start(s.U, PA, '$S1', url));
    s.t.act(() => s.apps.a.request(url, { video: '' }));
    await s.g.gets(expect.start(s.U, PA, '$S2', url));
  });

  for (const [label, packageName, rtmpUrl] of [
    ['rtmps is accepted', PA, 'rtmps://ingest.example.com:443/live/key?x=1&y=%20'],
    ['permission ALL is enough', ALL, url],
  ]) {
    test(`3.2 ${label}`, async () => {
      const s = await world.stage('accepted', { apps: { a: packageName } });

      s.t.act(() => s.apps.a.request(rtmpUrl));
      await s.g.gets(expect.start(s.U, packageName, '$S1', rtmpUrl));
    });
  }

  test('3.2 models without WiFi have no WiFi gate (1.6)', async () => {
    const s = await world.stage('nowifi', { glasses: { model: 'Even Realities G1', wifi: false } });

    s.t.act(() => s.apps.a.request(url));
    await s.g.gets(expect.start(s.U, PA, '$S1', url));
  });

  test('4.3 status check: always "active"; the URL only for the owner (D19)', async () => {
    const s = await world.stage('check', { apps: { a: PA, b: PB } });
    const { t, g, a, b, U } = s;

    t.act(() => s.apps.a.request(url));
    await g.gets(expect.start(U, PA, '$S1', url));
    await a.gets(expect.status(U, PA, '$S1', 'initializing'));
    t.act(() => s.apps.a.check());
    await a.gets(expect.unmanagedActive(PA, '$S1', url), { ordered: false });
    t.act(() => s.apps.b.check());
    await b.gets(expect.unmanagedActive(PA, '$S1'), { ordered: false });
  });

  test('3.2 an unknown type from an app is ignored', async () => {
    const s = await world.stage('unknown');

    s.apps.a.send({ type: 'no_such_type', packageName: PA });
    s.apps.a.send({ type: 'managed_stream_stop', packageName: PA });
    await s.t.quiet(200);
    assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
  });
});

/* Plays a refusal: the error, the close 1008 with its text, and silence for the glasses. */
async function refused(s, code, message, act, { reason = message } = {}) {
  s.t.act(act);
  await s.a.gets(expect.appError(code, message));
  await s.a.closes(1008, reason);
  s.g.empty();
}

describe('G15 refusals', busy, () => {
  for (const bad of ['http://x', '', 'RTMP://upper/case', ' rtmp://space', undefined, 7]) {
    test(`10 G15, 3.2 #7: rtmpUrl ${JSON.stringify(bad)}`, async () => {
      const s = await world.stage('badurl');

      await refused(s, 'INTERNAL_ERROR', 'Invalid RTMP URL', () => s.apps.a.request(bad));
    });
  }

  test('10 G15, 3.2 #1: no CAMERA permission; it is checked before the URL', async () => {
    const s = await world.stage('nocam', { apps: { a: NOCAM } });

    await refused(s, 'PERMISSION_DENIED', cameraNeeded, () => s.apps.a.request('http://x'));
  });

  for (const connected of [false, null]) {
    test(`10 G15, 3.2 #6: WiFi connected: ${connected}; it is checked before the URL`, async () => {
      const s = await world.stage('wifi', { glasses: { report: false } });

      s.phone.sendState('CONNECTED', { wifi: { connected, ssid: null } });
      await s.a.next(); /* capabilities_update */
      await refused(s, 'WIFI_NOT_CONNECTED', wifiNeeded, () => s.apps.a.request('http://x'));
    });
  }

  test('10 G15, 3.2 #5: no glasses_connection_state yet', async () => {
    const s = await world.stage('nostate', { glasses: { report: false } });

    await refused(
      s,
      'INTERNAL_ERROR',
      'Cannot process stream request - smart glasses are not connected',
      () => s.apps.a.request(url),
    );
  });

  test('3.2 #5: glasses DISCONNECTED again', async () => {
    const s = await world.stage('ble');

    s.phone.sendState('DISCONNECTED');
    await s.t.settle();
    await refused(
      s,
      'INTERNAL_ERROR',
      'Cannot process stream request - smart glasses are not connected',
      () => s.apps.a.request(url),
    );
  });

  test('1.6 RECONNECTED counts as connected', async () => {
    const s = await world.stage('reconnected', { glasses: { report: false } });

    s.phone.sendState('RECONNECTED');
    await s.a.next(); /* capabilities_update */
    s.t.act(() => s.apps.a.request(url));
    await s.g.gets(expect.start(s.U, PA, '$S1', url));
  });

  test('3.2 #4: the phone socket is closed', async () => {
    const s = await world.stage('closed');

    await s.phone.close();
    await s.t.settle();
    s.g.skip();
    await refused(
      s,
      'INTERNAL_ERROR',
      'Cannot process stream request - phone WebSocket is not open (state: 3)',
      () => s.apps.a.request(url),
    );
  });

  test('3.2 #2: the app is being stopped', async () => {
    const s = await world.stage('stopping');

    world.host.plan(s.user.sessionId(PA), { stopAnswer: 'never' });
    s.user.stopApp(PA);
    await world.host.waitWebhook(s.user.sessionId(PA), 'stop_request');
    await refused(s, 'INTERNAL_ERROR', `App ${PA} is not running`, () => s.apps.a.request(url));
  });

  test('10 G15: stop with an id owned by another app', async () => {
    const s = await world.stage('foreign', { apps: { a: PA, b: PB } });
    const { t, g, b, phone, U } = s;

    await goLive(s, { name: 'b', packageName: PB });
    await refused(
      s,
      'INTERNAL_ERROR',
      `App ${PA} cannot stop stream ${t.id('$S1')} owned by ${PB}`,
      () => s.apps.a.stop(t.id('$S1')),
    );
    t.act(() => phone.status('reconnected', { streamId: t.id('$S1') }));
    await b.gets(expect.status(U, PB, '$S1', 'active'));
    g.empty();
  });

  test('2.4 the close reason is cut to 123 bytes, the message is not', async () => {
    const s = await world.stage('long', { apps: { a: LONG1, b: LONG2 } });

    await goLive(s, { name: 'b', packageName: LONG2 });
    const message = `App ${LONG1} cannot stop stream ${s.t.id('$S1')} owned by ${LONG2}`;

    assert.ok(message.length > 123);
    await refused(s, 'INTERNAL_ERROR', message, () => s.apps.a.stop(s.t.id('$S1')), {
      reason: message.slice(0, 123),
    });
  });

  test('3.2 #9: managed request without a provider', async () => {
    const s = await world.stage('managed');

    await refused(s, 'INTERNAL_ERROR', 'Managed streaming is not configured', () =>
      s.apps.a.send({ type: 'managed_stream_request', packageName: PA }),
    );
  });

  test('3.2 #8: managed request during an unmanaged stream (10 G10)', async () => {
    const s = await world.stage('g10', { apps: { a: PA, b: PB } });
    const message = 'Cannot start managed stream - unmanaged stream already active';

    await goLive(s, { name: 'b', packageName: PB });
    await refused(s, 'INTERNAL_ERROR', message, () =>
      s.apps.a.send({ type: 'managed_stream_request', packageName: PA }),
    );
    s.b.empty();
  });

  test('2.8 a refused app is brought back: stop webhook, session webhook', async () => {
    const s = await world.stage('lazarus');
    const { host } = world;
    const id = s.user.sessionId(PA);
    const from = host.entries.length;
    const back = host.nextApp(id, { from });

    await refused(s, 'INTERNAL_ERROR', 'Invalid RTMP URL', () => s.apps.a.request('http://x'));
    await back;
    assert.deepEqual(
      host.webhooks(id, from).map((call) => call.kind),
      ['stop_request', 'session_request'],
    );
  });
});
