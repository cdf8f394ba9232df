// Managed streams: the transcripts without long timers, joins and stops, races, takeovers, refusals.
// The timers run at their real length here, so none of them can interfere within a test.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import {
  MANAGED,
  create,
  getsStart,
  goLive,
  inputOf,
  join,
  nothingLeft,
  openWorld,
  toViewers,
  urlsOf,
  waiting,
} from '../lib/managed.mjs';
import { NOCAM, PA, PB, PC, busy, goLive as goLiveUnmanaged, url } from '../lib/world.mjs';

let world;

before(async () => {
  world = await openWorld({ config: { session: { app_grace_ms: 500 } } });
});

after(() => world?.close());

const cameraNeeded =
  'Camera permission required to start managed streams. ' +
  'Please add the CAMERA permission in the developer console.';
const wifiNeeded =
  'Cannot process request - smart glasses must be connected to WiFi for this operation';
const conflict = 'Cannot start managed stream - unmanaged stream already active';
const two = { apps: { a: PA, b: PB } };
const three = { apps: { a: PA, b: PB, c: PC } };

describe('transcripts', busy, () => {
  test('G6 one viewer (protocol 10 G6, 4.3, 6.4)', async () => {
    const s = await world.stage('g6');
    const { t, g, a, phone, U } = s;
    const { vendor } = world;

    await create(s, { request: { quality: '720p', enableWebRTC: true } });
    t.act(() => phone.status('initializing', { streamId: t.id('$M1') }));
    await toViewers(s, ['a'], 'initializing');
    vendor.connect(s.input);
    t.act(() => phone.status('streaming', { streamId: t.id('$M1') }));
    await toViewers(s, ['a'], 'active');
    t.act(() => s.apps.a.check());
    await a.gets(expect.managedActive(s.urls, '$M1', s.previews, 1));
    await toViewers(
      s,
      ['a'],
      'active',
      { previewUrl: s.previews.previewUrl, message: 'Stream is now live' },
      { timer: ['created', 2] },
    );
    t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped');
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    t.act(() => s.apps.a.check());
    await a.gets(expect.nothingActive);
    await t.quiet();
    await nothingLeft(s);
  });

  test('G7 two viewers, one leaves, rejoins, both leave (10 G7)', async () => {
    const s = await world.stage('g7', two);
    const { t, g, phone, U } = s;

    await create(s);
    t.act(() => phone.status('initializing', { streamId: t.id('$M1') }));
    await toViewers(s, ['a'], 'initializing');
    t.act(() => phone.status('streaming', { streamId: t.id('$M1') }));
    await toViewers(s, ['a'], 'active');
    await join(s, 'b');
    await t.quiet();
    assert.equal((await s.apps.b.check()).streamInfo.activeViewers, 2);
    s.b.skip();
    t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped');
    await t.quiet();
    await join(s, 'a');
    t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped');
    await t.quiet();
    t.act(() => s.apps.b.leave());
    await toViewers(s, ['b'], 'stopped');
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await t.quiet();
    await nothingLeft(s);
  });

  test('G8 restream, one destination refused by the vendor (10 G8)', async () => {
    const s = await world.stage('g8');
    const { t, g, U } = s;
    const good = 'rtmp://a.rtmp.youtube.com/live2/K';
    const outputs = [{ url: good, status: 'stopped' }];

    await goLive(s, {
      request: {
        restreamDestinations: [
          { url: good, name: 'YouTube' },
          { url: 'rtmp://FAIL/x', name: 'bad' },
        ],
      },
      fields: { outputs },
    });
    assert.deepEqual(
      [...s.input.outputs.values()].map((o) => [o.url, o.streamKey]),
      [['rtmp://a.rtmp.youtube.com/live2', 'K']],
    );
    t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped', { outputs });
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await t.quiet();
  });

  test('G9 takeover: an unmanaged request ends a managed stream (10 G9, 5.6)', async () => {
    const s = await world.stage('g9', three);
    const { t, g, c, phone, U } = s;

    await goLive(s);
    await join(s, 'b');
    t.act(() => s.apps.c.request(url));
    await toViewers(s, ['a', 'b'], 'stopped');
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await g.gets(expect.start(U, PC, '$S2', url));
    await c.gets(expect.status(U, PC, '$S2', 'initializing'));
    t.act(() => phone.status('streaming', { streamId: t.id('$S2') }));
    await c.gets(expect.status(U, PC, '$S2', 'active'));
    t.act(() => s.apps.a.check());
    await s.a.gets(expect.unmanagedActive(PC, '$S2'), { ordered: false });
    await t.quiet();
    await world.vendor.waitCall('delete', 5000, { path: s.input.uid });
  });

  test('G10 refused: managed request during an unmanaged stream (10 G10)', async () => {
    const s = await world.stage('g10', two);
    const { t, b } = s;
    const from = world.host.entries.length;
    const calls = world.vendor.calls('create').length;

    await goLiveUnmanaged(s);
    t.act(() => s.apps.b.watch());
    await b.gets(expect.appError('INTERNAL_ERROR', conflict));
    await b.closes(1008, conflict);
    await t.quiet();
    await world.host.nextApp(s.user.sessionId(PB), { from });
    assert.deepEqual(
      world.host.webhooks(s.user.sessionId(PB), from).map((one) => one.kind),
      ['stop_request', 'session_request'],
    );
    assert.ok(
      world.vendor
        .calls('create')
        .slice(calls)
        .every((one) => !one.body.meta.name.includes(s.U)),
    );
  });

  for (const [details, message] of [
    ['RTMP connection failed: refused', 'RTMP connection failed: refused'],
    [undefined, 'Stream error reported by glasses'],
  ]) {
    test(`G12 glasses error, ${details ? 'with' : 'without'} details (10 G12)`, async () => {
      const s = await world.stage('g12', two);
      const { t, g, phone, U } = s;

      await goLive(s);
      await join(s, 'b');
      t.act(() => phone.status('error', { streamId: t.id('$M1'), errorDetails: details }));
      await toViewers(s, ['a', 'b'], 'error', { message });
      await g.gets(expect.stop(U, MANAGED, '$M1'));
      await t.quiet();
      await nothingLeft(s);
    });
  }

  test('G12 glasses say stopped (10 G12)', async () => {
    const s = await world.stage('g12stop', two);
    const { t, g, phone, U } = s;

    await goLive(s);
    await join(s, 'b');
    t.act(() => phone.status('stopped', { streamId: t.id('$M1') }));
    await toViewers(s, ['a', 'b'], 'stopped');
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await t.quiet();
    await nothingLeft(s);
  });
});

describe('words', busy, () => {
  test('5.4 the words of the glasses, deduplicated (5.5)', async () => {
    const s = await world.stage('words');
    const { t, phone } = s;
    const says = (word) => t.act(() => phone.status(word, { streamId: t.id('$M1') }));

    await create(s);
    says('connecting');
    await toViewers(s, ['a'], 'initializing');
    says('initializing');
    says('streaming');
    await toViewers(s, ['a'], 'active');
    for (const word of ['active', 'reconnecting', 'reconnected', 'no_such_word', 'streaming'])
      says(word);
    await t.quiet();
    says('stopping');
    await toViewers(s, ['a'], 'stopping');
    says('active');
    await toViewers(s, ['a'], 'active');
    /* Not for the glasses to end a managed stream with (5.4): only stopped and error do. */
    for (const word of ['disconnected', 'timeout', 'reconnect_failed']) says(word);
    await t.quiet();
    assert.equal((await world.weir.liveStreams(s.U)).length, 1);
  });

  test('5.4 a late joiner gets one active, and then shares what comes', async () => {
    const s = await world.stage('late', two);

    await create(s);
    await join(s, 'b');
    s.t.act(() => s.phone.status('initializing', { streamId: s.t.id('$M1') }));
    await toViewers(s, ['a', 'b'], 'initializing');
    s.t.act(() => s.phone.status('streaming', { streamId: s.t.id('$M1') }));
    await toViewers(s, ['a', 'b'], 'active');
    await s.t.quiet();
  });

  test('D9 a request is always answered, whatever was said before', async () => {
    const s = await world.stage('d9');

    await goLive(s);
    await join(s, 'a');
    await join(s, 'a');
    assert.equal((await s.apps.a.check()).streamInfo.activeViewers, 1);
  });

  test('5.4 a stop by an app that does not watch: it gets stopped, nothing else', async () => {
    const s = await world.stage('stranger', two);

    await goLive(s);
    s.t.act(() => s.apps.b.leave());
    await toViewers(s, ['b'], 'stopped');
    await s.t.quiet();
    assert.equal((await s.apps.b.check()).streamInfo.activeViewers, 1);
  });

  test('3.2 managed_stream_stop without a managed stream is ignored', async () => {
    const s = await world.stage('nothing');

    s.apps.a.leave();
    await s.t.quiet();
    assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
  });

  test('3.1 options are forwarded; destinations of a joiner are ignored', async () => {
    const s = await world.stage('options', two);
    const options = { video: { width: 1280 }, audio: { bitrate: 64000 }, stream: { x: 1 } };

    await goLive(s, { request: options, options });
    s.t.act(() =>
      s.apps.b.watch({ restreamDestinations: [{ url: 'rtmp://a.rtmp.youtube.com/live2/K' }] }),
    );
    await toViewers(s, ['b'], 'active');
    await s.t.quiet();
    assert.equal(s.input.outputs.size, 0);
  });
});

/* The conflict matrix (5.6) where one of the two is managed; unmanaged.test.mjs has the rest. */
describe('5.6 takeovers', busy, () => {
  test('managed running, unmanaged by the same app', async () => {
    const s = await world.stage('same');
    const { t, g, a, U } = s;

    await goLive(s);
    t.act(() => s.apps.a.request(url));
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await g.gets(expect.start(U, PA, '$S2', url));
    /* Two adapters say the one and the other: they have no order. */
    const words = [await a.next(), await a.next()].sort((x, y) => (x.msg.type < y.msg.type ? -1 : 1));

    t.match(expect.managed(s.urls, '$M1', 'stopped'), words[0].msg);
    t.match(expect.status(U, PA, '$S2', 'initializing'), words[1].msg);
    words.forEach((entry) => t.atOnce(entry));
    /* What the glasses still say of the old one is ignored (5.2). */
    for (const word of ['stopped', 'error', 'streaming'])
      s.phone.status(word, { streamId: t.id('$M1') });
    await t.quiet();
  });

  test('unmanaged running, managed by the same app: refused', async () => {
    const s = await world.stage('refused');

    await goLiveUnmanaged(s);
    s.t.act(() => s.apps.a.watch());
    await s.a.gets(expect.appError('INTERNAL_ERROR', conflict));
    await s.a.closes(1008, conflict);
    s.g.empty();
  });

  test('managed after unmanaged, and unmanaged after managed, by turns', async () => {
    const s = await world.stage('turns', two);
    const { t, g, a, b, U } = s;

    await goLiveUnmanaged(s);
    t.act(() => s.apps.a.stop(t.id('$S1')));
    await a.gets(expect.status(U, PA, '$S1', 'stopped'));
    await g.gets(expect.stop(U, PA, '$S1'));
    /* Nobody told the other app: it is a while before it acts. */
    await t.settle();
    await create(s, { name: 'b' });
    t.act(() => s.apps.a.request(url));
    await toViewers(s, ['b'], 'stopped');
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await g.gets(expect.start(U, PA, '$S2', url));
    await a.gets(expect.status(U, PA, '$S2', 'initializing'));
    t.act(() => s.apps.a.stop(t.id('$S2')));
    await a.gets(expect.status(U, PA, '$S2', 'stopped'));
    await g.gets(expect.stop(U, PA, '$S2'));
    /* The app that was told of the end may go on at once. */
    await create(s, { name: 'a', id: '$M2' });
    b.empty();
    await t.quiet();
  });
});

/* Holds the vendor's answer to a create back; other tests of this file would wait as well. */
describe('5.7 races', { concurrency: 1 }, () => {
  async function provisioning(label, apps = two) {
    const s = await world.stage(label, apps);
    const calls = world.vendor.calls('create').length;
    const release = world.vendor.hold('create');

    s.t.act(() => s.apps.a.watch());
    return {
      ...s,
      release: () => s.t.act(release),
      creates: () => world.vendor.calls('create').slice(calls),
    };
  }

  test('two requests at once: one input, one start, both are told', async () => {
    const s = await provisioning('race2');

    s.apps.b.watch();
    await s.t.quiet();
    s.release();
    await getsStart(s);
    await toViewers(s, ['a', 'b'], 'initializing', waiting);
    await s.t.quiet();
    assert.equal(s.creates().length, 1);
    assert.equal((await s.apps.a.check()).streamInfo.activeViewers, 2);
  });

  test('a stop while it is being made cancels it', async () => {
    const s = await provisioning('racestop');

    await s.t.quiet();
    s.t.act(() => s.apps.a.leave());
    s.t.act(() => s.apps.b.check());
    await s.b.gets(expect.nothingActive, { immediate: false }).catch(() => {});
    s.release();
    const { msg } = await s.apps.a.waitMessage({ type: 'managed_stream_status', status: 'stopped' });

    assert.equal(msg.hlsUrl, undefined);
    s.a.skip();
    s.b.skip();
    await s.t.quiet();
    await world.vendor.waitFor(() => !world.vendor.inputOf(msg.streamId), 10000, {
      from: world.vendor.entries.length - 1,
    });
    assert.deepEqual(await world.weir.liveStreams(s.U), []);
  });

  test('an unmanaged request while it is being made takes over', async () => {
    const s = await provisioning('racetake');
    const { t, g, a, b, U } = s;

    await t.quiet();
    t.act(() => s.apps.b.request(url));
    const entry = await a.next();

    t.match(
      { type: 'managed_stream_status', status: 'stopped', streamId: '$M1' },
      entry.msg,
    );
    await g.gets(expect.start(U, PB, '$S1', url));
    await b.gets(expect.status(U, PB, '$S1', 'initializing'));
    s.release();
    await world.vendor.waitCall('delete', 10000, { from: world.vendor.entries.length });
    assert.equal(world.vendor.inputOf(t.id('$M1')), undefined);
    await t.quiet();
    assert.equal((await world.weir.liveStreams(U)).length, 1);
  });
});

describe('apps that come and go', busy, () => {
  test('an app that restarts: nothing unasked, and its request is answered at once', async () => {
    const s = await world.stage('restart', two);
    const { t, phone } = s;
    const { host } = world;
    const sessionId = s.user.sessionId(PA);

    await goLive(s);
    await join(s, 'b');
    s.a.skip();
    s.apps.a.drop();
    const again = await host.nextApp(sessionId, { from: host.entries.length });
    const a = t.party(again);

    await t.quiet(300, [a, s.b, s.g]);
    t.act(() => again.watch());
    await a.gets(expect.managed(s.urls, '$M1', 'active'));
    await t.quiet(300, [a, s.b, s.g]);
    t.act(() => phone.status('stopping', { streamId: t.id('$M1') }));
    await a.gets(expect.managed(s.urls, '$M1', 'stopping'));
    await toViewers(s, ['b'], 'stopping');
  });

  test('D5 an app that the user stops watches no more; the last one ends the stream', async () => {
    const s = await world.stage('d5', two);
    const { t, g, U } = s;

    await goLive(s);
    await join(s, 'b');
    s.user.stopApp(PA);
    await s.a.gets(expect.appStopped, { immediate: false });
    await s.a.closes(1000, 'App stopped', { immediate: false });
    await t.quiet(300, [s.b, g]);
    assert.equal((await s.apps.b.check()).streamInfo.activeViewers, 1);
    s.b.skip();
    t.act(() => s.user.stopApp(PB));
    await s.apps.b.waitEvent('close');
    await g.gets(expect.stop(U, MANAGED, '$M1'), { immediate: false });
    await nothingLeft(s);
  });
});

/* Plays a refusal: the error, the close 1008 with its text, and silence for the glasses. */
async function refused(s, code, message, act = () => s.apps.a.watch(), { immediate = true } = {}) {
  s.t.act(act);
  await s.a.gets(expect.appError(code, message), { immediate });
  await s.a.closes(1008, message, { immediate });
  s.g.empty();
}

describe('3.2 refusals', busy, () => {
  test('#1 no CAMERA permission', async () => {
    const s = await world.stage('nocam', { apps: { a: NOCAM } });

    await refused(s, 'PERMISSION_DENIED', cameraNeeded);
  });

  test('#4 the phone socket is closed', async () => {
    const s = await world.stage('closed');

    await s.phone.close();
    await s.t.settle();
    s.g.skip();
    await refused(
      s,
      'INTERNAL_ERROR',
      'Cannot process stream request - phone WebSocket is not open (state: 3)',
    );
  });

  test('#5 no glasses_connection_state yet', async () => {
    const s = await world.stage('nostate', { glasses: { report: false } });

    await refused(
      s,
      'INTERNAL_ERROR',
      'Cannot process stream request - smart glasses are not connected',
    );
  });

  test('#6 no WiFi: another code than for unmanaged ones', async () => {
    const s = await world.stage('wifi', { glasses: { wifi: false } });

    await refused(s, 'INTERNAL_ERROR', wifiNeeded);
  });
});

/* Faults of the vendor are for the next create, whosever it is: one at a time. */
describe('10 G15, 6.2 failures of the vendor', { concurrency: 1 }, () => {
  test('it says no: the app is refused, and nothing is left', async () => {
    const s = await world.stage('says-no');

    world.vendor.fault('create', { status: 400, message: 'cf says no' });
    await refused(s, 'INTERNAL_ERROR', 'Failed to create live stream: cf says no');
    assert.deepEqual(await world.weir.liveStreams(s.U), []);
  });

  test('two failures, then it works, after 1 s and 2 s', async () => {
    const s = await world.stage('retried');

    s.t.mark('request');
    world.vendor.fault('create', { status: 500, times: 2 });
    s.apps.a.watch();
    await s.g.gets(expect.start(s.U, MANAGED, '$M1', /^rtmps:/), { timer: ['request', 3] });
    s.urls = urlsOf(world.vendor, inputOf(s));
    await s.a.gets(expect.managed(s.urls, '$M1', 'initializing', waiting), { immediate: false });
  });

  test('an answer that got lost does not make a second input', async () => {
    const s = await world.stage('lost');

    world.vendor.fault('create', { lost: 'after' });
    s.apps.a.watch();
    await s.g.gets(expect.start(s.U, MANAGED, '$M1', /^rtmps:/), { immediate: false });
    assert.equal(
      world.vendor.live.filter((input) => input.meta.op === s.t.id('$M1')).length,
      1,
    );
  });

  test('a delete that fails is repeated until it is done', async () => {
    const s = await world.stage('delete');

    await create(s);
    world.vendor.fault('delete', { status: 503, match: ({ ids }) => ids[0] === s.input.uid });
    s.t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped');
    await world.vendor.waitFor(
      (e) => e.call === 'delete' && e.path.includes(s.input.uid) && e.status === 200,
      10000,
    );
    assert.equal(world.vendor.inputOf(s.t.id('$M1')), undefined);
  });
});
