// The app side: webhooks, connect and init, subscriptions, stop and socket loss (protocol 2.2 to
// 2.7).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { RawApp } from '../lib/raw_app.mjs';
import { TS } from '../lib/transcript.mjs';
import { NOCAM, PA, PB, STANDARD1, STANDARD2, World, goLive, mixed, url } from '../lib/world.mjs';

const connectMs = 3500; /* longer than the pause between two webhook attempts */
const graceMs = 1000; /* long enough to come back in on a busy machine */
const emptyGraceMs = 800;

let world;
let host;

before(async () => {
  world = await World.open({
    gateways: 3,
    config: {
      session: {
        app_connect_ms: connectMs,
        app_grace_ms: graceMs,
        empty_subscription_grace_ms: emptyGraceMs,
      },
    },
  });
  ({ host } = world);
});

after(() => world?.close());

/* A socket to gateway @gateway that has not sent its init. */
async function openSocket(sessionId, packageName = PA, { gateway = 2, apiKey } = {}) {
  const app = world.keep(
    new RawApp({
      url: `${world.weir.url(gateway)}/app-ws`,
      sessionId,
      packageName,
      apiKey: apiKey ?? world.apps[packageName]?.apiKey,
    }),
  );

  await app.open();
  const t = world.transcript();

  return { app, t, a: t.party(app) };
}

/* Sends @message as the first one and expects the error, then close 1008 with its text. */
async function rejected({ app, t, a }, message, code, text) {
  t.act(() => app.send(message));
  if (code) await a.gets(expect.appError(code, text));
  await a.closes(1008, text);
}

/* One suite around all: otherwise they would run one after the other. */
describe('apps', mixed, () => {
  describe('2.2, 2.3 webhook', mixed, () => {
    test('2.2 session_request: path, header, fields in order', async () => {
      const s = await world.stage('shape');
      const sessionId = s.user.sessionId(PA);
      const [hook, ...more] = host.webhooks(sessionId);

      assert.deepEqual([hook.method, hook.path], ['POST', `/${PA}/webhook`]);
      assert.equal(hook.headers['content-type'], 'application/json');
      assert.equal(hook.headers.authorization, undefined);
      s.t.match(
        {
          type: 'session_request',
          sessionId,
          userId: s.U,
          timestamp: TS,
          augmentOSWebsocketUrl: `${world.weir.publicUrl}/app-ws`,
        },
        hook.body,
      );
      assert.equal(hook.raw, JSON.stringify(hook.body));
      assert.deepEqual(more, []);
    });

    test('2.2 a 2xx is success whatever the body says', async () => {
      const user = world.user('created');

      await user.connect();
      host.plan(user.sessionId(PA), { answer: 204 });
      await user.app(PA);
    });

    test('2.2 a 500 is tried once more after 1 s; the app may connect meanwhile', async () => {
      const user = world.user('retry');
      const sessionId = user.sessionId(PA);

      await user.connect();
      host.plan(sessionId, { answer: 500, connect: false });
      user.startApp(PA);
      await host.waitFor(() => host.webhooks(sessionId).length >= 2, 6000, {
        what: 'second attempt',
      });
      const [first, second] = host.webhooks(sessionId);

      assert.ok(
        Math.abs(second.at - first.at - 1000) <= 250,
        `${second.at - first.at} ms between attempts`,
      );
      assert.equal(
        second.raw.replace(/"timestamp":"[^"]*"/, ''),
        first.raw.replace(/"timestamp":"[^"]*"/, ''),
      );
      const { app } = await openSocket(sessionId);

      await app.init();
      assert.equal(host.webhooks(sessionId).length, 2);
    });

    test('2.2 the connect deadline: a later init gets APP_NOT_STARTED (2.4)', async () => {
      const user = world.user('deadline');
      const sessionId = user.sessionId(PA);

      await user.connect();
      host.plan(sessionId, { connect: false });
      user.startApp(PA);
      await host.waitWebhook(sessionId, 'session_request');
      const socket = await openSocket(sessionId);

      socket.t.mark('asked', host.webhooks(sessionId)[0]);
      socket.t.scale = 1;
      await socket.t.until('asked', connectMs / 1000 + 0.4);
      await rejected(
        socket,
        socket.app.initMessage(),
        'APP_NOT_STARTED',
        'App not started for this session',
      );
      /* It can be started again. */
      host.plan(sessionId, { connect: true });
      await user.app(PA);
    });

    test('2.3 already loading: no second webhook; already running: neither', async () => {
      const user = world.user('loading');
      const sessionId = user.sessionId(PA);

      await user.connect();
      host.plan(sessionId, { initDelayMs: 500, url: `${world.weir.url(2)}/app-ws` });
      user.startApp(PA);
      user.startApp(PA);
      await host.nextApp(sessionId, { from: 0 });
      user.startApp(PA);
      await user.phone.waitMessage('app_state_change');
      assert.equal(host.webhooks(sessionId).length, 1);
    });

    test('2.3 an unknown package is ignored', async () => {
      const s = await world.stage('nopackage');

      s.user.startApp('com.example.unknown');
      s.user.stopApp('com.example.unknown');
      await goLive(s);
    });

    test('2.3 starting a standard app stops the other standard app', async () => {
      const user = world.user('standard');

      await user.connect();
      const first = await user.app(STANDARD1);
      const background = await user.app(PA);

      await user.app(STANDARD2);
      const close = await first.waitEvent('close');

      assert.deepEqual([close.code, close.reason], [1000, 'App stopped']);
      assert.ok(background.isOpen);
      assert.equal(host.webhooks(user.sessionId(STANDARD1)).at(-1).kind, 'stop_request');
    });
  });

  describe('2.4 init', mixed, () => {
    test('2.4 accepted: the ack, then app_state_change', async () => {
      const user = world.user('ack');
      const phone = await user.connect();
      const t = world.transcript();
      const g = t.party(phone);
      const app = await user.app(PA);

      t.match(
        {
          type: 'tpa_connection_ack',
          sessionId: user.sessionId(PA),
          settings: Array.isArray,
          augmentosSettings: (v) => v !== null && typeof v === 'object',
          mentraosSettings: (v) => v !== null && typeof v === 'object',
          capabilities: (v) => v?.modelName === 'Mentra Live',
          timestamp: TS,
        },
        app.received('tpa_connection_ack')[0].msg,
        { ordered: false },
      );
      await g.gets(expect.appStateChange(user.email), { immediate: false });
    });

    for (const [label, make, code, text] of [
      [
        'sessionId without a hyphen',
        () => ({ sessionId: 'nohyphen' }),
        null,
        'Invalid session ID format',
      ],
      [
        'no such user session',
        () => ({ sessionId: `nobody@example.com-${PA}` }),
        'SESSION_NOT_FOUND',
        'Session not found',
      ],
      ['wrong key', () => ({ apiKey: 'wrong' }), 'INVALID_API_KEY', 'Invalid API key'],
      ['no key', () => ({ apiKey: undefined }), 'INVALID_API_KEY', 'Invalid API key'],
      [
        'unknown package',
        (u) => ({
          packageName: 'com.example.unknown',
          sessionId: `${u.email}-com.example.unknown`,
        }),
        'INVALID_API_KEY',
        'Invalid API key',
      ],
      [
        'neither loading nor running',
        () => ({}),
        'APP_NOT_STARTED',
        'App not started for this session',
      ],
    ]) {
      test(`2.4 ${label}: ${code ?? 'no message'}, close 1008`, async () => {
        const user = world.user('init');

        await user.connect();
        const socket = await openSocket(user.sessionId(PA));

        await rejected(socket, socket.app.initMessage(make(user)), code, text);
      });
    }

    for (const message of [
      { type: 'rtmp_stream_request', rtmpUrl: url },
      { type: 'stream_status_check' },
      {},
    ]) {
      test(`2.4 ${JSON.stringify(message)} before init: SESSION_NOT_FOUND`, async () => {
        const s = await world.stage('before');
        const socket = await openSocket(s.user.sessionId(PA));

        await rejected(
          socket,
          { packageName: PA, ...message },
          'SESSION_NOT_FOUND',
          'Session not found',
        );
        await s.t.quiet(100);
      });
    }

    for (const running of [false, true]) {
      test(`2.4 not JSON ${running ? 'after' : 'before'} init: just close 1011`, async () => {
        const s = await world.stage('notjson');
        const { t, a, app } = running
          ? { t: s.t, a: s.a, app: s.apps.a }
          : await openSocket(s.user.sessionId(PA));

        t.act(() => app.send('{"type":"rtmp_stream'));
        await a.closes(1011, 'Internal server error');
      });
    }

    test('2.4, D14 a user whose e-mail contains hyphens', async () => {
      const user = world.user('anne-marie.o-neil');

      await user.connect();
      const app = await user.app(PA);
      const check = await app.check();

      assert.deepEqual(check, expect.nothingActive);
    });
  });

  describe('2.5 subscriptions', mixed, () => {
    const press = { type: 'button_press', buttonId: 'main' };
    const tap = { type: 'touch_event', gesture: 'tap' };

    test('2.5 the array replaces the set; no reply; objects are accepted as elements', async () => {
      const s = await world.stage('replace', { subscriptions: { a: ['button_press'] } });
      const { t, a, phone, U } = s;
      const changed = s.user.nextStateChange();

      s.apps.a.subscribe(['touch_event', { stream: 'location_stream', rate: 'high' }]);
      await changed;
      t.act(() => {
        phone.send(press);
        phone.send(tap);
        phone.send({ type: 'location_stream', lat: 1 });
      });
      await a.gets(expect.relayed(U, PA, tap));
      await a.gets(expect.relayed(U, PA, { type: 'location_stream', lat: 1 }));
      await t.quiet(200);
    });

    test('2.5 an empty array is ignored soon after a connect, and obeyed later', async () => {
      const s = await world.stage('empty', { subscriptions: { a: ['button_press'] } });
      const { t, a, phone, U } = s;

      s.apps.a.subscribe([]);
      await t.settle();
      t.act(() => phone.send(press));
      await a.gets(expect.relayed(U, PA, press));
      await t.until('start', emptyGraceMs / 1000);
      s.apps.a.subscribe([]);
      await t.settle();
      phone.send(press);
      await t.quiet(200);
    });

    test('2.5 without CAMERA rtmp_stream_status is dropped, other types are kept', async () => {
      const s = await world.stage('nocam', {
        apps: { a: PA, n: NOCAM },
        subscriptions: { n: ['rtmp_stream_status', 'button_press'] },
      });

      await goLive(s);
      s.t.act(() => s.phone.send(press));
      await s.n.gets(expect.relayed(s.U, NOCAM, press));
      await s.t.quiet(200);
    });
  });

  describe('2.7 app stop', mixed, () => {
    test('2.7, D5 stop by the user: webhook, stream end, app_stopped, close 1000', async () => {
      const s = await world.stage('stop', {
        apps: { a: PA, b: PB },
        subscriptions: { b: ['rtmp_stream_status'] },
      });
      const { t, g, a, b, U } = s;
      const sessionId = s.user.sessionId(PA);

      await goLive(s, { copies: { b: PB } });
      const changed = s.user.nextStateChange();

      t.act(() => s.user.stopApp(PA));
      const hook = await host.waitWebhook(sessionId, 'stop_request');

      t.match(
        { type: 'stop_request', sessionId, userId: U, reason: 'user_disabled', timestamp: TS },
        hook.body,
      );
      /* Its own status is suppressed while it is being stopped; the others are told. */
      await b.gets(expect.copy(U, PB, PA, '$S1', 'stopped'));
      await g.gets(expect.stop(U, PA, '$S1'));
      await a.gets(expect.appStopped);
      await a.closes(1000, 'App stopped');
      await changed;
      await t.quiet(graceMs + 200);
      assert.equal(
        host.webhooks(sessionId).filter((call) => call.kind === 'stop_request').length,
        1,
      );
      assert.equal(host.webhooks(sessionId).at(-1).kind, 'stop_request', 'no resurrection');
      assert.deepEqual(await world.weir.liveStreams(U), []);
    });

    test('2.7 the answer of the stop webhook is awaited; its failure does not matter', async () => {
      const s = await world.stage('await');
      const sessionId = s.user.sessionId(PA);

      host.plan(sessionId, { stopAnswer: 500, answerDelayMs: 600 });
      s.user.stopApp(PA);
      await host.waitWebhook(sessionId, 'stop_request');
      await s.t.quiet(400, [s.a]);
      await s.a.gets(expect.appStopped, { immediate: false });
      await s.a.closes(1000, 'App stopped', { immediate: false });
      /* One attempt, no retry after the pause of 1 s. */
      await s.t.quiet(1200, [s.a]);
      assert.equal(
        host.webhooks(sessionId).filter((call) => call.kind === 'stop_request').length,
        1,
      );
    });

    test('2.7 a stopped app can be started again', async () => {
      const s = await world.stage('again');

      s.user.stopApp(PA);
      await s.apps.a.waitEvent('close');
      const again = await s.user.app(PA);

      assert.deepEqual(await again.check(), expect.nothingActive);
    });

    test('2.7 an app that dies while it is being stopped is not brought back', async () => {
      const s = await world.stage('dies');
      const sessionId = s.user.sessionId(PA);

      host.plan(sessionId, { answerDelayMs: 300 });
      s.user.stopApp(PA);
      await host.waitWebhook(sessionId, 'stop_request');
      s.apps.a.drop();
      await s.t.quiet(300 + graceMs + 300, [s.g]);
      assert.equal(host.webhooks(sessionId).at(-1).kind, 'stop_request');
    });
  });

  describe('2.7 app socket loss', mixed, () => {
    test('2.7 any close starts the grace; nothing is replayed after a re-init (D6)', async () => {
      const s = await world.stage('lost');
      const { t, phone, U } = s;
      const sessionId = s.user.sessionId(PA);
      const from = host.entries.length;

      await goLive(s);
      await s.apps.a.close(1000, 'bye');
      phone.status('stopping', { streamId: t.id('$S1') });
      await t.settle();
      const { app, t: t2, a } = await openSocket(sessionId, PA, { gateway: 3 });

      await app.init();
      await a.next();
      await t2.quiet(200);
      t.act(() => phone.status('streaming', { streamId: t.id('$S1') }));
      t2.act(() => {});
      assert.equal((await a.next()).msg.status, 'active');
      assert.deepEqual(host.webhooks(sessionId, from), []);
      assert.equal((await app.check()).streamInfo.streamId, t.id('$S1'));
      assert.equal(U, s.user.email);
    });

    test('2.7, D6 an app that cannot be brought back: its stream runs on', async () => {
      const s = await world.stage('gone');
      const { t, g, phone, U } = s;
      const sessionId = s.user.sessionId(PA);

      await goLive(s);
      host.plan(sessionId, { connect: false });
      s.apps.a.drop();
      await host.waitFor(
        (e) =>
          e.event === 'webhook' &&
          e.sessionId === sessionId &&
          e.kind === 'session_request' &&
          host.webhooks(sessionId).length >= 3,
        6000,
        { what: 'resurrection' },
      );
      t.scale = 1;
      t.mark('asked', host.webhooks(sessionId).at(-1));
      await t.until('asked', connectMs / 1000 + 0.4);
      assert.equal((await world.weir.liveStreams(U)).length, 1);
      phone.status('streaming', { streamId: t.id('$S1') });
      await t.quiet(200, [g]);
    });

    test('D16 a replaced socket stays open and silent until the app stops', async () => {
      const s = await world.stage('d16');
      const { t, a, phone, U } = s;
      const second = await openSocket(s.user.sessionId(PA), PA, { gateway: 3 });

      await second.app.init();
      await second.a.next();
      t.act(() => second.app.request(url));
      second.t.act(() => {});
      await s.g.gets(expect.start(U, PA, '$S1', url));
      await second.a.gets(expect.status(U, PA, '$S1', 'initializing'));
      assert.ok(s.apps.a.isOpen);
      a.empty();
      second.t.act(() => phone.status('streaming', { streamId: t.id('$S1') }));
      await second.a.gets(expect.status(U, PA, '$S1', 'active'));
      a.empty();
      s.user.stopApp(PA);
      for (const app of [s.apps.a, second.app]) {
        const { code } = await app.waitEvent('close');

        assert.equal(code, 1000);
      }
    });

    test('D16 the close of a replaced socket does not touch the new one', async () => {
      const s = await world.stage('d16close');
      const { t, phone, U } = s;
      const sessionId = s.user.sessionId(PA);
      const second = await openSocket(sessionId, PA, { gateway: 3 });

      await second.app.init();
      await second.a.next();
      const from = host.entries.length;

      s.apps.a.drop();
      await second.t.quiet(graceMs + 300);
      assert.deepEqual(host.webhooks(sessionId, from), []);
      second.t.act(() => second.app.request(url));
      await second.a.gets(expect.status(U, PA, '$S1', 'initializing'));
      second.t.act(() => phone.status('streaming', { streamId: second.t.id('$S1') }));
      await second.a.gets(expect.status(U, PA, '$S1', 'active'));
      assert.ok(t);
    });

    test('2.7 copies of a status reach subscribers while the owner is away', async () => {
      const s = await world.stage('away', {
        apps: { a: PA, b: PB },
        subscriptions: { b: ['rtmp_stream_status'] },
      });

      await goLive(s, { copies: { b: PB } });
      host.plan(s.user.sessionId(PA), { connect: false });
      s.apps.a.drop();
      await s.t.settle();
      s.t.act(() => s.phone.status('reconnected', { streamId: s.t.id('$S1') }));
      await s.b.gets(expect.copy(s.U, PB, PA, '$S1', 'active'));
      /* The owner returns and stops: its stop is its own although the socket is another. */
      const again = await openSocket(s.user.sessionId(PA));

      await again.app.init();
      await again.a.next();
      s.t.act(() => again.app.stop(s.t.id('$S1')));
      await s.b.gets(expect.copy(s.U, PB, PA, '$S1', 'stopped'));
      await s.g.gets(expect.stop(s.U, PA, '$S1'));
    });
  });
});
