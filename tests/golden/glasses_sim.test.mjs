// The simulated glasses themselves (protocol section 8), against a scripted socket: no weir is
// needed.  Delays are divided by 20, the firmware's 60 s become 3 s.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { timeoutDetails } from '../lib/device.mjs';
import { GlassesSim } from '../lib/glasses.mjs';
import { Recorder, parseFrame } from '../lib/recorder.mjs';

const scale = 20;

let server;

before(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.setMaxListeners(0);
  await once(server, 'listening');
});

after(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

let serial = 0;

/* A simulator and the cloud's end of its socket: cloud records what arrives and can say(). */
async function pair(options = {}) {
  const user = `sim.${++serial}@example.com`;
  const cloud = new Recorder('cloud');
  const onConnection = (ws, request) => {
    const token = new URL(request.url, 'http://x').searchParams.get('token');

    if (JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).email !== user) return;
    cloud.ws = ws;
    cloud.record({ event: 'connection' });
    ws.on('message', (data) =>
      cloud.record({ dir: 'in', raw: data.toString(), msg: parseFrame(data) }),
    );
    ws.on('close', (code) => cloud.record({ event: 'close', code }));
    cloud.say = (message) => ws.send(JSON.stringify(message));
    cloud.say({ type: 'connection_ack', sessionId: user });
  };

  server.on('connection', onConnection);
  const glasses = new GlassesSim({
    url: `ws://127.0.0.1:${server.address().port}`,
    user,
    secret: 's'.repeat(32),
    scale,
    delays: { connectMs: 100 },
    random: () => 0.5,
    ...options,
  });

  await glasses.start();
  await cloud.waitMessage('glasses_connection_state');
  return {
    glasses,
    cloud,
    done: () => {
      server.off('connection', onConnection);
      return glasses.dispose();
    },
  };
}

const start = (streamId = 's1', rtmpUrl = 'rtmp://x/live/y') => ({
  type: 'start_rtmp_stream',
  streamId,
  rtmpUrl,
  appId: 'a',
  video: {},
  audio: {},
  stream: {},
});
const stop = { type: 'stop_rtmp_stream' };
const probe = (streamId = 's1', ackId = 'a1') => ({
  type: 'keep_rtmp_stream_alive',
  streamId,
  ackId,
});

/* What the cloud has heard of the stream, without times. */
const heard = (cloud) =>
  cloud.received('rtmp_stream_status').map(({ msg: { type, timestamp, ...rest } }) => rest);

async function streaming(options) {
  const p = await pair(options);

  p.cloud.say(start());
  await p.cloud.waitMessage({ status: 'streaming' });
  return p;
}

async function hears(cloud, expected, timeoutMs = 5000) {
  await cloud.waitFor(() => heard(cloud).length >= expected.length, timeoutMs, {
    what: 'statuses',
  });
  assert.deepEqual(heard(cloud), expected);
}

const begun = [
  { status: 'initializing', streamId: 's1' },
  { status: 'streaming', streamId: 's1' },
];
const ended = [{ status: 'stopped' }, { status: 'stopping' }];

/* Each test closes its pair, also when it fails. */
const simulated = (name, make, fn) =>
  test(name, async () => {
    const p = await make();

    try {
      await fn(p);
    } finally {
      await p.done();
    }
  });

describe('simulated glasses', { concurrency: 32 }, () => {
  simulated(
    '8.1, 8.3 start, stop: the odd order of the words without id',
    () => streaming(),
    async ({ cloud }) => {
      cloud.say(stop);
      await hears(cloud, [...begun, ...ended]);
      cloud.say(stop);
      await hears(cloud, [...begun, ...ended, { status: 'error', errorDetails: 'not_streaming' }]);
    },
  );

  for (const [label, options, rtmpUrl, errorDetails] of [
    ['no URL', {}, '', 'missing_rtmp_url'],
    [
      'a low battery',
      { battery: 9 },
      undefined,
      'Battery level too low (9%) - minimum 10% required',
    ],
    ['no WiFi', { wifi: false }, undefined, 'no_wifi_connection'],
  ]) {
    simulated(
      `8.1 refusal without id: ${label}`,
      () => pair(options),
      async ({ cloud }) => {
        cloud.say(start('s1', rtmpUrl));
        await hears(cloud, [{ status: 'error', errorDetails }]);
      },
    );
  }

  simulated(
    '8.1 camera_busy carries the id',
    () => pair(),
    async ({ cloud, glasses }) => {
      glasses.refuseStart('camera_busy');
      cloud.say(start());
      await hears(cloud, [{ status: 'error', streamId: 's1', errorDetails: 'camera_busy' }]);
    },
  );

  simulated(
    '8.1 already streaming: the old one is stopped, 500 ms pause',
    () => streaming(),
    async ({ cloud, glasses }) => {
      cloud.say(start('s2'));
      const { at } = await cloud.waitMessage({ status: 'stopping' });
      const next = await cloud.waitMessage({ status: 'initializing', streamId: 's2' });

      assert.ok(next.at - at >= 500 / scale - 5);
      await hears(cloud, [
        ...begun,
        ...ended,
        { status: 'initializing', streamId: 's2' },
        { status: 'streaming', streamId: 's2' },
      ]);
      assert.equal(glasses.device.streamId, 's2');
    },
  );

  simulated(
    '8.2 acks: own id, foreign id, none when idle or incomplete',
    () => streaming(),
    async ({ cloud }) => {
      cloud.say(probe('s1', 'a1'));
      cloud.say(probe('sother', 'a2'));
      cloud.say(probe('', 'a3'));
      cloud.say(probe('s1', ''));
      cloud.say(stop);
      await cloud.waitMessage({ status: 'stopping' });
      cloud.say(probe('s1', 'a4'));
      cloud.say(start('s2'));
      await cloud.waitMessage({ status: 'initializing', streamId: 's2' });
      assert.deepEqual(
        cloud
          .received('keep_alive_ack')
          .map((e) => [e.msg.streamId, e.msg.ackId, typeof e.msg.timestamp]),
        [
          ['s1', 'a1', 'number'],
          ['sother', 'a2', 'number'],
        ],
      );
    },
  );

  simulated(
    '8.2 own timeout: 60 s after the last matching keep-alive',
    () => streaming(),
    async ({ cloud }) => {
      const { at: began } = await cloud.waitMessage({ status: 'streaming' });

      setTimeout(() => cloud.say(probe('s1', 'a1')), 20000 / scale);
      setTimeout(() => cloud.say(probe('sother', 'a2')), 40000 / scale);
      const { at } = await cloud.waitMessage({ status: 'error' }, 6000);

      assert.ok(Math.abs(at - began - 80000 / scale) < 200, `${at - began} ms`);
      await hears(cloud, [
        ...begun,
        { status: 'error', streamId: 's1', errorDetails: timeoutDetails },
        ...ended,
      ]);
    },
  );

  simulated(
    '8.5 S1 reconnecting(1..2), reconnected',
    () => streaming(),
    async ({ cloud, glasses }) => {
      glasses.scenario('S1', { attempts: 2, reason: 'stream_error' });
      await hears(cloud, [
        ...begun,
        {
          status: 'reconnecting',
          streamId: 's1',
          attempt: 1,
          maxAttempts: 10,
          reason: 'stream_error',
        },
        {
          status: 'reconnecting',
          streamId: 's1',
          attempt: 2,
          maxAttempts: 10,
          reason: 'stream_error',
        },
        { status: 'reconnected', streamId: 's1', attempt: 2 },
      ]);
      assert.equal(glasses.device.phase, 'streaming');
    },
  );

  simulated(
    '8.5 S2 the observed loop',
    () => streaming(),
    async ({ cloud, glasses }) => {
      const again = {
        status: 'reconnecting',
        streamId: 's1',
        attempt: 1,
        maxAttempts: 10,
        reason: 'connection_lost',
      };

      glasses.scenario('s2', { loops: 1 });
      await hears(cloud, [...begun, again, begun[0], again, ...begun]);
    },
  );

  simulated(
    '8.5 S3 zombie: it keeps acking and says nothing',
    () => streaming(),
    async ({ cloud, glasses }) => {
      glasses.scenario('S3');
      cloud.say(probe());
      await cloud.waitMessage('keep_alive_ack');
      await hears(cloud, begun);
    },
  );

  simulated(
    '8.5 S4 exhaustion',
    () => streaming(),
    async ({ cloud, glasses }) => {
      glasses.scenario('S4');
      await hears(cloud, [
        ...begun,
        {
          status: 'reconnecting',
          streamId: 's1',
          attempt: 10,
          maxAttempts: 10,
          reason: 'connection_lost',
        },
        { status: 'reconnect_failed', streamId: 's1', maxAttempts: 10 },
        { status: 'stopped' },
      ]);
      assert.equal(glasses.device.phase, 'idle');
    },
  );

  simulated(
    '8.5 S5 fatal',
    () => streaming(),
    async ({ cloud, glasses }) => {
      glasses.scenario('S5', { details: 'boom' });
      await hears(cloud, [
        ...begun,
        { status: 'error', streamId: 's1', errorDetails: 'boom' },
        { status: 'stopped' },
      ]);
    },
  );

  simulated(
    '8.5 a reconnection longer than the rest of 60 s ends with the keep-alive text',
    () => streaming(),
    async ({ cloud, glasses }) => {
      glasses.scenario('S1', { attempts: 10 });
      await cloud.waitMessage({ status: 'error', errorDetails: timeoutDetails }, 6000);
      assert.equal(glasses.device.phase, 'idle');
    },
  );

  simulated(
    'commands: ignoreProbes, lateAck, wrongAck',
    () => streaming(),
    async ({ cloud, glasses }) => {
      glasses.ignoreProbes(true);
      cloud.say(probe('s1', 'a1'));
      await glasses.waitMessage({ ackId: 'a1' });
      glasses.ignoreProbes(false);
      glasses.wrongAck(true);
      cloud.say(probe('s1', 'a2'));
      await cloud.waitMessage({ ackId: 'azzzzz' });
      glasses.wrongAck(false);
      glasses.lateAck(200);
      cloud.say(probe('s1', 'a3'));
      const { at: asked } = await glasses.waitMessage({ ackId: 'a3' });
      const { at } = await cloud.waitMessage({ type: 'keep_alive_ack', ackId: 'a3' });

      assert.ok(at - asked >= 190);
      assert.deepEqual(cloud.received({ type: 'keep_alive_ack', ackId: 'a1' }), []);
    },
  );

  simulated(
    '8.2, 1.4 BLE down: nothing reaches the device, one retry of an ack',
    () => streaming(),
    async ({ cloud, glasses }) => {
      cloud.say(probe('s1', 'a0'));
      await cloud.waitMessage({ ackId: 'a0' });
      glasses.bleDisconnect();
      await cloud.waitMessage({ type: 'glasses_connection_state', status: 'DISCONNECTED' });
      cloud.say(probe('s1', 'a1'));
      await glasses.waitFor((e) => e.event === 'lost' && e.way === 'to device');
      assert.equal(glasses.device.phase, 'streaming');
      glasses.device.handle(probe('s1', 'a2'));
      glasses.bleConnect();
      await cloud.waitMessage({ type: 'keep_alive_ack', ackId: 'a2' });
      assert.deepEqual(cloud.received({ type: 'keep_alive_ack', ackId: 'a1' }), []);
    },
  );

  simulated(
    '8.6 socket loss: the device streams on, what it said is not replayed',
    () => streaming({ autoReconnect: true }),
    async ({ cloud, glasses }) => {
      const from = cloud.entries.length;

      glasses.dropSocket();
      await cloud.waitEvent('close', 3000, { from });
      glasses.scenario('S5', { details: 'while away' });
      await cloud.waitEvent('connection', 3000, { from });
      await cloud.waitMessage({ type: 'glasses_connection_state', status: 'CONNECTED' }, 3000, {
        from,
      });
      assert.deepEqual(heard(cloud), begun);
      assert.equal(glasses.entries.filter((e) => e.event === 'lost').length, 2);
    },
  );

  simulated(
    'a pulled cable: socket gone, no way back until it is plugged',
    () => streaming({ autoReconnect: true }),
    async ({ cloud, glasses }) => {
      const from = cloud.entries.length;
      const seen = glasses.entries.length;

      await glasses.pullCable();
      await cloud.waitEvent('close', 3000, { from });
      await assert.rejects(cloud.waitEvent('connection', (2 * 5000) / scale, { from }));
      glasses.plugCable();
      await cloud.waitEvent('connection', 3000, { from });
      /* Its `reconnected` may be said before the socket is back, and is lost then. */
      await glasses.waitFor((e) => e.phase === 'streaming', 5000, { from: seen });
    },
  );

  simulated(
    'a second socket: the first stays open',
    () => streaming(),
    async ({ cloud, glasses }) => {
      await glasses.secondSocket();
      assert.equal(glasses.sockets.filter((ws) => ws.readyState === 1).length, 2);
      cloud.say(probe('s1', 'a9'));
      await cloud.waitMessage({ ackId: 'a9' });
    },
  );
});
