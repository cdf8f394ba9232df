// REST calls and the non-streaming messages around them (protocol 1.6).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { coreToken } from '../lib/jwt.mjs';
import { call } from '../lib/raw_http.mjs';
import { TS } from '../lib/transcript.mjs';
import { PA, PB, World, busy, goLive, url } from '../lib/world.mjs';

let world;

before(async () => {
  world = await World.open({ config: { session: { app_grace_ms: 500, app_connect_ms: 1000 } } });
});

after(() => world?.close());

/* REST on gateway 2, glasses on gateway 1: no gateway may answer from its own sockets alone. */
const rest = (method, path, options) => call(method, `${world.weir.httpUrl(2)}${path}`, options);

const tokenOf = (user) => coreToken(user.email, world.weir.secret);

async function signedIn(label) {
  const user = world.user(label);
  const phone = await user.connect();
  const t = world.transcript();

  return {
    user,
    phone,
    t,
    g: t.party(phone, { ignore: ['app_state_change'] }),
    token: tokenOf(user),
  };
}

describe('1.6 app start and stop', busy, () => {
  for (const prefix of ['/apps', '/api/apps']) {
    test(`1.6 POST ${prefix}/<package>/start and /stop`, async () => {
      const { user, phone, t, g, token } = await signedIn('rest');
      const { host } = world;
      const sessionId = user.sessionId(PA);
      const running = host.nextApp(sessionId);
      const started = await rest('POST', `${prefix}/${PA}/start`, { token });

      assert.equal(started.status, 200);
      t.match(
        {
          success: true,
          data: {
            status: 'started',
            packageName: PA,
            appState: (value) => typeof value === 'object',
          },
        },
        started.json,
      );
      await g.gets({ type: 'app_started', packageName: PA, timestamp: TS }, { immediate: false });
      const app = await running;

      await phone.waitMessage('app_state_change');
      const stopped = await rest('POST', `${prefix}/${PA}/stop`, { token });

      assert.equal(stopped.status, 200);
      assert.equal(stopped.json.success, true);
      assert.deepEqual([stopped.json.data.status, stopped.json.data.packageName], ['stopped', PA]);
      await g.gets({ type: 'app_stopped', packageName: PA, timestamp: TS }, { immediate: false });
      await app.waitEvent('close');
    });
  }

  test('1.6 start answers success even if the app never connects', async () => {
    const { user, token } = await signedIn('restfail');

    world.host.plan(user.sessionId(PA), { connect: false });
    const started = await rest('POST', `/apps/${PA}/start`, { token });

    assert.deepEqual([started.status, started.json.success], [200, true]);
  });

  test('1.6 an unknown package: 404', async () => {
    const { token } = await signedIn('rest404');

    for (const action of ['start', 'stop']) {
      const { status, json } = await rest('POST', `/apps/com.example.unknown/${action}`, { token });

      assert.equal(status, 404);
      assert.deepEqual(json, { success: false, message: 'App not found' });
    }
  });

  test('1.6 401 without a live session, without a token, with a bad one', async () => {
    const user = world.user('rest401');

    for (const token of [
      tokenOf(user),
      undefined,
      'garbage',
      coreToken(user.email, 'another secret'),
    ])
      assert.equal((await rest('POST', `/apps/${PA}/start`, { token })).status, 401);
    assert.deepEqual(world.host.webhooks(user.sessionId(PA)), []);
  });

  test('1.6 app_started is sent after REST calls only, app_state_change always', async () => {
    const { user, t, g } = await signedIn('phone');

    await user.app(PA);
    await t.quiet(200);
    const changed = user.nextStateChange();

    user.stopApp(PA);
    await changed;
    await t.quiet(200, [g]);
  });
});

describe('1.6 device state', busy, () => {
  const state = (token, body) => rest('POST', '/api/client/device/state', { token, body });

  test('1.6, 3.2 wifiConnected opens and shuts the gate', async () => {
    const s = await world.stage('wifi', { glasses: { wifi: false } });
    const token = tokenOf(s.user);

    assert.equal((await state(token, { wifiConnected: true, wifiSsid: 'lab' })).status, 200);
    await s.t.settle();
    s.a.skip();
    s.t.act(() => s.apps.a.request(url));
    await s.g.gets(expect.start(s.U, PA, '$S1', url));
    await s.a.gets(expect.status(s.U, PA, '$S1', 'initializing'));
    assert.equal((await state(token, { wifiConnected: false })).status, 200);
    await s.t.settle();
    s.a.skip();
    s.t.act(() => s.apps.a.request(url));
    assert.equal((await s.a.next()).msg.code, 'WIFI_NOT_CONNECTED');
  });

  test('1.6 connected and modelName', async () => {
    const s = await world.stage('model', { glasses: { report: false } });
    const token = tokenOf(s.user);

    await state(token, { connected: true, modelName: 'Vuzix Z100' });
    await s.t.settle();
    s.a.skip();
    s.t.act(() => s.apps.a.request(url));
    await s.g.gets(expect.start(s.U, PA, '$S1', url));
    await state(token, { connected: false });
    await s.t.settle();
    s.a.skip();
    s.t.act(() => s.apps.a.request(url));
    assert.equal(
      (await s.a.next()).msg.message,
      'Cannot process stream request - smart glasses are not connected',
    );
  });

  test('3.2 #5 Simulated Glasses need not be connected', async () => {
    const s = await world.stage('simulated', { glasses: { report: false } });

    await state(tokenOf(s.user), { modelName: 'Simulated Glasses' });
    await s.t.settle();
    s.a.skip();
    s.t.act(() => s.apps.a.request(url));
    await s.g.gets(expect.start(s.U, PA, '$S1', url));
  });

  test('1.6 a bad token: 401', async () => {
    assert.equal((await state('garbage', { connected: true })).status, 401);
  });
});

describe('1.6 health and messages', busy, () => {
  test('1.6 GET /health', async () => {
    await signedIn('health');
    for (const gateway of [1, 2]) {
      const { status, json } = await call('GET', `${world.weir.httpUrl(gateway)}/health`);

      assert.equal(status, 200);
      world.transcript().match(
        {
          status: 'ok',
          timestamp: TS,
          sessions: { activeCount: (n) => n >= 1 },
          uptime: (n) => n >= 0,
        },
        json,
      );
    }
  });

  test('1.6 capabilities_update to all apps on each connected state', async () => {
    const s = await world.stage('capabilities', { apps: { a: PA, b: PB } });

    for (const status of ['CONNECTED', 'RECONNECTED']) {
      s.t.act(() => s.phone.sendState(status));
      for (const party of [s.a, s.b])
        await party.gets(expect.capabilitiesUpdate('Mentra Live'), { ordered: false });
    }
    s.phone.sendState('DISCONNECTED');
    await s.t.quiet(200);
  });

  test('2.4 capabilities are in the ack, null while the model is unknown', async () => {
    const known = await world.stage('known');
    const unknown = await world.stage('unknown', { glasses: { report: false } });
    const ack = (s) => s.apps.a.received('tpa_connection_ack')[0].msg;

    assert.equal(ack(known).capabilities.modelName, 'Mentra Live');
    assert.equal(ack(unknown).capabilities, null);
  });

  test('1.6 any other type is relayed to its subscribers, and to all and *', async () => {
    const s = await world.stage('relay', {
      apps: { a: PA, b: PB },
      subscriptions: { a: ['button_press'], b: ['all'] },
    });
    const { t, a, b, phone, U } = s;
    const press = {
      type: 'button_press',
      buttonId: 'main',
      pressType: 'short',
      deep: { list: [1, null, 'ä"\\'] },
    };
    const other = { type: 'head_position', position: 'up', timestamp: 1764583200000 };

    t.act(() => phone.send(press));
    await a.gets(expect.relayed(U, PA, press));
    await b.gets(expect.relayed(U, PB, press));
    t.act(() => phone.send(other));
    await b.gets(expect.relayed(U, PB, other));
    a.empty();
  });

  test('1.6 stream statuses and acks are not relayed as other types', async () => {
    const s = await world.stage('norelay', { subscriptions: { a: ['*'] } });

    s.phone.status('streaming', { streamId: 'sforeign01' });
    s.phone.status('stopped');
    s.phone.send({ type: 'keep_alive_ack', streamId: 'sforeign01', ackId: 'azzzzz' });
    await s.t.quiet(300);
    await goLive(s, { copies: { a: PA } });
  });

  test("4.3 stop after REST stop of the app: the user's stream ends with it (D5)", async () => {
    const s = await world.stage('d5rest');

    await goLive(s);
    const { status } = await rest('POST', `/apps/${PA}/stop`, { token: tokenOf(s.user) });

    assert.equal(status, 200);
    const types = [await s.g.next(), await s.g.next()].map((e) => e.msg.type).sort();

    assert.deepEqual(types, ['app_stopped', 'stop_rtmp_stream']);
  });
});
