// The unmodified SDK 2.1.28 against a running weir: what an app developer sees (protocol 2.8, 3.3,
// G16).
//
// The apps run in processes of their own, the glasses are simulated.  Keep-alives are at a tenth
// of their real length; everything that the SDK times itself (reconnect after 1 s) and the 5 s
// grace of apps stay as they are.  The tests run at the same time and mostly wait.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { SdkApp } from '../lib/sdk_app.mjs';
import { Weir } from '../lib/weir.mjs';
import { scaledTimers, waiting } from '../lib/world.mjs';

const CAM = 'com.example.sdkcam';
const SECOND = 'com.example.sdksecond';
const BLIND = 'com.example.sdkblind';
const MORTAL = 'com.example.sdkmortal'; /* a process of its own, because its test kills it */
const url = 'rtmp://ingest.example.com/live/key';
const scale = 10;
const graceMs = 8000;
const appGraceMs = 5000;

const apps = {};
const disposables = [];
let weir;
let users = 0;

before(async () => {
  for (const packageName of [CAM, SECOND, BLIND, MORTAL])
    apps[packageName] = await new SdkApp({ packageName, apiKey: `key of ${packageName}` }).start();
  const timers = scaledTimers(scale);

  weir = await Weir.start({
    /* The webhook names gateway 2, the glasses are on gateway 1. */
    gateways: 2,
    apps: Object.fromEntries(
      Object.entries(apps).map(([packageName, app]) => [
        packageName,
        {
          apiKey: app.apiKey,
          webhook: `http://127.0.0.1:${app.port}`,
          permissions: packageName === BLIND ? undefined : 'CAMERA',
        },
      ]),
    ),
    config: {
      ...timers,
      session: { ...timers.session, app_grace_ms: appGraceMs, grace_ms: graceMs },
    },
  });
});

after(async () => {
  await Promise.all(disposables.map((thing) => thing.dispose()));
  await Promise.all(Object.values(apps).map((app) => app.dispose()));
  await weir?.stop();
});

/* A user with glasses; start(packageName) starts an app as the phone does. */
async function user(label, options = {}) {
  const email = `${label}.${++users}@example.com`;
  const glasses = new GlassesSim({
    url: weir.url(1),
    user: email,
    secret: weir.secret,
    scale,
    delays: { connectMs: 1000 },
    ...options,
  });

  disposables.push(glasses);
  await glasses.start();
  return {
    email,
    glasses,
    async start(packageName) {
      const session = apps[packageName].of(email);
      const count = session.events('session').length + 1;

      glasses.send({ type: 'start_app', packageName });
      await session.wait('session', count, 8000);
      return session;
    },
  };
}

async function streaming(label, { packageName = CAM, ...options } = {}) {
  const u = await user(label, options);
  const session = await u.start(packageName);

  await session.call('startStream', { rtmpUrl: url });
  const { streamId } = await session.waitStatus('active');

  await session.wait('status', 6);
  return { ...u, session, streamId };
}

const exists = async (session, streamId) => {
  const { hasActiveStream, streamInfo } = await session.call('checkExistingStream');

  assert.equal(hasActiveStream, true);
  assert.equal(streamInfo.streamId, streamId);
};

const nothing = { type: 'stream_status_check_response', hasActiveStream: false };

describe('sdk', waiting, () => {
  test('G16 start, statuses, check, stop (protocol 10 G16, 3.3)', async () => {
    const { email, glasses, start } = await user('g16');
    const session = await start(CAM);

    await session.call('startStream', { rtmpUrl: url, video: { width: 1280 } });
    assert.equal(await session.call('isCurrentlyStreaming'), true);
    await session.wait('status', 6);
    /* On the request and on the glasses' report, each direct and as a copy. */
    assert.deepEqual(session.statuses, [
      'initializing',
      'initializing',
      'initializing',
      'initializing',
      'active',
      'active',
    ]);
    const { streamId, status } = await session.call('getStreamStatus');

    assert.deepEqual([status, streamId], ['active', glasses.device.streamId]);
    const { hasActiveStream, streamInfo } = await session.call('checkExistingStream');

    assert.equal(hasActiveStream, true);
    assert.deepEqual(
      [streamInfo.type, streamInfo.streamId, streamInfo.requestingAppId, streamInfo.rtmpUrl],
      ['unmanaged', streamId, CAM, url],
    );
    await session.call('stopStream');
    await session.wait('status', 8);
    assert.deepEqual(session.statuses.slice(6), ['stopped', 'stopped']);
    assert.equal(await session.call('isCurrentlyStreaming'), false);
    const stop = await glasses.waitMessage('stop_rtmp_stream');

    assert.equal(stop.msg.streamId, streamId);
    assert.deepEqual(await session.call('checkExistingStream'), nothing);
    await glasses.waitFor((e) => e.event === 'device' && e.phase === 'idle');
    assert.deepEqual(session.events('error', 'disconnected'), []);
    assert.deepEqual(await weir.liveStreams(email), []);
    assert.equal((await session.call('capabilities')).modelName, 'Mentra Live');
  });

  test('3.3 a second startStream while streaming is refused by the SDK itself', async () => {
    const { session, streamId } = await streaming('twice');

    await assert.rejects(session.call('startStream', { rtmpUrl: url }), /Already streaming/);
    await exists(session, streamId);
  });

  test('2.8 a refused request: 1008, resurrection after 5 s, and then it works', async () => {
    const { start } = await user('refused');
    const session = await start(CAM);

    await session.call('startStream', { rtmpUrl: 'http://not.rtmp/' });
    const closed = await session.wait('disconnected');

    assert.deepEqual([closed.code, closed.permanent], [1008, false]);
    assert.equal(session.events('error')[0].message, 'Invalid RTMP URL');
    const stop = await session.wait('stop', 1, appGraceMs + 2000);

    assert.ok(Math.abs(stop.at - closed.at - appGraceMs) < 400, `${stop.at - closed.at} ms`);
    await session.wait('session', 2, 3000);
    await session.call('startStream', { rtmpUrl: url });
    await session.waitStatus('active');
  });

  test('3.2 #1 an app without camera permission', async () => {
    const { start } = await user('blind');
    const session = await start(BLIND);

    await session.call('startStream', { rtmpUrl: url });
    await session.wait('disconnected');
    assert.match(
      session.events('error')[0].message,
      /^Camera permission required to start video streams\./,
    );
  });

  test('2.7, D6 app restart: the stream goes on, the new process finds it', async () => {
    const { session, streamId, glasses } = await streaming('restart', { packageName: MORTAL });
    const app = apps[MORTAL];

    await app.kill();
    await app.start();
    await session.wait('session', 2, appGraceMs + 4000);
    await exists(session, streamId);
    /* The new process has never heard of the stream (3.3): its stopStream would say nothing. */
    assert.equal(await session.call('isCurrentlyStreaming'), false);
    const from = app.entries.length;

    await session.call('startStream', { rtmpUrl: url });
    const stopped = await session.waitStatus('stopped', 3000, { from });

    assert.equal(stopped.streamId, streamId);
    const active = await session.waitStatus('active', 5000, { from });

    assert.notEqual(active.streamId, streamId);
    assert.equal(glasses.device.streamId, active.streamId);
    /*
     * The SDK clears its flag on any `stopped`, whatever its id, and no status sets it again:
     * after a takeover from itself the app has to start once more, or to be stopped.  The protocol
     * wants that `stopped` all the same (5.3, 5.6).
     */
    assert.equal(await session.call('isCurrentlyStreaming'), false);
  });

  test('2.8 a broken app socket: the SDK reconnects within the grace, no webhook', async () => {
    const { session, streamId, glasses } = await streaming('broken');

    await session.call('breakSocket');
    const lost = await session.wait('disconnected');

    assert.equal(lost.code, 1006);
    /* The sign of its return: the check needs an open socket. */
    const deadline = performance.now() + 4000;

    for (let back = false; !back && performance.now() < deadline;)
      back = await session.call('checkExistingStream').then(
        () => true,
        () => false,
      );
    await exists(session, streamId);
    const { length } = session.statuses;

    glasses.scenario('s1', { attempts: 1 });
    await session.wait('status', length + 4);
    assert.deepEqual(session.statuses.slice(length), [
      'initializing',
      'initializing',
      'active',
      'active',
    ]);
    await session.call('stopStream');
    await session.waitStatus('stopped');
    assert.equal(session.events('session').length, 1);
    assert.deepEqual(session.events('stop'), []);
  });

  test('1.4 glasses reconnect: the app hears nothing, the stream goes on', async () => {
    const { session, streamId, glasses } = await streaming('reconnect', { autoReconnect: true });
    const { length } = session.statuses;

    glasses.dropSocket();
    await glasses.waitFor((e) => e.socket === 1 && e.msg?.type === 'connection_ack', 3000);
    const from = glasses.entries.length;

    /* Two more keep-alives, answered on the new socket. */
    await glasses.waitFor(
      () =>
        glasses.entries
          .slice(from)
          .filter((e) => e.dir === 'out' && e.msg.type === 'keep_alive_ack').length >= 2,
      6000,
    );
    assert.equal(session.statuses.length, length);
    await exists(session, streamId);
    assert.equal(await session.call('isCurrentlyStreaming'), true);
  });

  test('5.1 [PLAN], 1.5 glasses vanish: `timeout`, then the end of the session', async () => {
    const { session, glasses, email } = await streaming('vanish');
    const { length } = session.statuses;

    await glasses.pullCable();
    const pulled = performance.now();
    const { at } = await session.waitStatus('timeout', 7000);

    /* 40 to 55 s after the loss, a tenth of it. */
    assert.ok(at - pulled > 3750 && at - pulled < 5750, `${at - pulled} ms`);
    await session.wait('status', length + 2);
    assert.deepEqual(session.statuses.slice(length), ['timeout', 'timeout']);
    assert.equal(await session.call('isCurrentlyStreaming'), false);
    assert.deepEqual(await session.call('checkExistingStream'), nothing);
    assert.deepEqual(await weir.liveStreams(email), []);
    const stop = await session.wait('stop', 1, graceMs);

    assert.equal(stop.reason, 'User session ended');
  });

  test('2.7, 2.8 stopped by the user: one stop at the glasses, a new start works', async () => {
    const { session, glasses, streamId, start } = await streaming('stopped');

    glasses.send({ type: 'stop_app', packageName: CAM });
    const stop = await session.wait('stop');

    assert.equal(stop.reason, 'user_disabled');
    await glasses.waitFor((e) => e.event === 'device' && e.phase === 'idle');
    const again = await start(CAM);

    assert.deepEqual(await again.call('checkExistingStream'), nothing);
    assert.deepEqual(
      glasses.received('stop_rtmp_stream').map((e) => e.msg.streamId),
      [streamId],
    );
    const { length } = again.events('status');

    await again.call('startStream', { rtmpUrl: url });
    await again.wait('status', length + 6);
  });

  test('8.4, D4 a start that the glasses refuse without an id ends in `timeout`', async () => {
    const { start, glasses } = await user('refusing', { battery: 5 });
    const session = await start(CAM);

    await session.call('startStream', { rtmpUrl: url });
    await glasses.waitFor((e) => e.dir === 'out' && /^Battery/.test(e.msg.errorDetails ?? ''));
    await session.waitStatus('timeout', 8000);
    assert.equal(await session.call('isCurrentlyStreaming'), false);
  });

  test('5.6 another app takes over', async () => {
    const first = await streaming('takeover');
    const second = await first.start(SECOND);
    const { length } = first.session.statuses;

    await second.call('startStream', { rtmpUrl: 'rtmp://b.example.com/live/b' });
    await second.waitStatus('active');
    const told = first.session
      .events('status')
      .slice(length)
      .filter((e) => e.streamId === first.streamId)
      .map((e) => e.status);

    assert.deepEqual(told, ['stopped', 'stopped']);
    assert.equal(await first.session.call('isCurrentlyStreaming'), false);
  });

  for (const [name, options, expected] of [
    ['S2', {}, ['initializing', 'initializing', 'active']],
    ['S4', {}, ['initializing', 'stopped']],
    ['S5', {}, ['stopped']],
  ]) {
    test(`8.5 ${name}: the app hears ${expected.join(', ')} (5.3)`, async () => {
      const { session, glasses } = await streaming(name.toLowerCase());
      const { length } = session.statuses;

      glasses.scenario(name, options);
      await session.wait('status', length + 2 * expected.length);
      assert.deepEqual(
        session.statuses.slice(length),
        expected.flatMap((word) => [word, word]),
      );
      assert.equal(await session.call('isCurrentlyStreaming'), expected.at(-1) === 'active');
    });
  }
});
