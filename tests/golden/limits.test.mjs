// Peers that misbehave on an open socket: too big, too slow, not JSON.  Whatever they do, the
// others notice nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { PA, PB, World, busy, goLive } from '../lib/world.mjs';

const messageMax = 64 * 1024;

let world;

before(async () => {
  world = await World.open({ config: { session: { app_grace_ms: 500 } } });
});

after(() => world?.close());

/* A JSON text of exactly @size bytes. */
function sized(type, size) {
  const empty = JSON.stringify({ type, pad: '' });

  return JSON.stringify({ type, pad: 'x'.repeat(size - empty.length) });
}

describe('message size (64 KiB)', busy, () => {
  test('a glasses message of 64 KiB is relayed, one byte more closes with 1009', async () => {
    const s = await world.stage('bigglasses', { subscriptions: { a: ['big'] } });
    const text = sized('big', messageMax);

    assert.equal(Buffer.byteLength(text), messageMax);
    s.phone.send(text);
    const entry = await s.a.next();

    assert.equal(entry.msg.data.pad.length, JSON.parse(text).pad.length);
    s.phone.send(sized('big', messageMax + 1));
    const close = await s.phone.waitEvent('close');

    assert.equal(close.code, 1009);
    await s.t.quiet(200, [s.a]);
  });

  test('an app message of 64 KiB is read, one byte more closes with 1009', async () => {
    const s = await world.stage('bigapp');

    s.apps.a.send(sized('no_such_type', messageMax));
    assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
    s.apps.a.send(sized('no_such_type', messageMax + 1));
    const close = await s.apps.a.waitEvent('close');

    assert.equal(close.code, 1009);
  });

  test('a message of fragments is measured as a whole', async () => {
    const s = await world.stage('fragments');
    const { ws } = s.apps.a;
    const half = 'x'.repeat(messageMax / 2);

    ws.send(half, { fin: false });
    ws.send(half, { fin: false });
    ws.send('x', { fin: true });
    const close = await s.apps.a.waitEvent('close');

    assert.equal(close.code, 1009);
  });

  test('a fragmented message within the limit is read', async () => {
    const s = await world.stage('fragmented');
    const text = JSON.stringify({ type: 'stream_status_check', packageName: PA });

    for (let i = 0; i < text.length; i += 10)
      s.apps.a.ws.send(text.slice(i, i + 10), { fin: i + 10 >= text.length });
    await s.a.gets(expect.nothingActive, { immediate: false });
  });
});

describe('slow readers', busy, () => {
  test('an app that does not read is closed with 1013; its user and the others go on', async () => {
    const s = await world.stage('slow', {
      apps: { a: PA, b: PB },
      subscriptions: { a: ['flood'] },
    });
    const other = await world.stage('bystander');
    const text = sized('flood', 60000);

    await goLive(s, { name: 'b', packageName: PB });
    s.apps.a.ws.pause();
    /* 400 x 60 kB = 24 MB: more than the kernel keeps for a socket that nobody reads. */
    for (let i = 0; i < 400; i++) s.phone.send(text);
    s.t.act(() => s.phone.status('reconnected', { streamId: s.t.id('$S1') }));
    await s.b.gets(expect.status(s.U, PB, '$S1', 'active'), { immediate: false });
    await goLive(other);
    /* The flood has left the phone; what is still on its way to the app's gateway arrives now. */
    await other.t.quiet(1000);
    s.apps.a.ws.resume();
    const close = await s.apps.a.waitEvent('close', 10000);

    assert.equal(close.code, 1013);
    assert.ok(s.apps.a.received('data_stream').length < 400);
  });
});

describe('bursts', busy, () => {
  test('five hundred messages at once are all answered, in order', async () => {
    const s = await world.stage('burst', { subscriptions: { a: ['n'] } });

    for (let n = 0; n < 500; n++) s.phone.send({ type: 'n', n });
    for (let n = 0; n < 500; n++) assert.equal((await s.a.next()).msg.data.n, n);
  });

  test('request and stop in one burst: every stream ends once, the last one lives', async () => {
    const s = await world.stage('churn');
    const rounds = 5;

    for (let i = 0; i < rounds; i++) {
      s.apps.a.request(`rtmp://ingest.example.com/live/${i}`);
      s.apps.a.stop();
    }
    s.apps.a.request('rtmp://ingest.example.com/live/last');
    for (let i = 0; i < rounds; i++) {
      for (const word of ['initializing', 'stopped'])
        await s.a.gets(expect.status(s.U, PA, `$S${i}`, word), { immediate: false });
      await s.g.gets(expect.start(s.U, PA, `$S${i}`, `rtmp://ingest.example.com/live/${i}`), {
        immediate: false,
      });
      await s.g.gets(expect.stop(s.U, PA, ''), { immediate: false });
    }
    await s.a.gets(expect.status(s.U, PA, '$S9', 'initializing'), { immediate: false });
    await s.g.gets(expect.start(s.U, PA, '$S9', 'rtmp://ingest.example.com/live/last'), {
      immediate: false,
    });
    await s.t.quiet(200);
    const { streamInfo } = await s.apps.a.check();

    assert.equal(streamInfo.streamId, s.t.id('$S9'));
  });

  test('two apps request at the same time on different gateways: one stream remains', async () => {
    const s = await world.stage('race', { apps: { a: PA } });

    s.apps.b = await s.user.app(PB, { gateway: 1 });
    for (let i = 0; i < 5; i++) {
      s.apps.a.request('rtmp://ingest.example.com/live/a');
      s.apps.b.request('rtmp://ingest.example.com/live/b');
    }
    const begun = (app) =>
      app.received({ type: 'rtmp_stream_status', status: 'initializing' }).length;

    for (const app of [s.apps.a, s.apps.b])
      await app.waitFor(() => begun(app) === 5, 3000, { what: 'five initializing' });
    await s.t.settle();
    const last = s.phone.received('start_rtmp_stream').at(-1).msg;

    const [record, ...more] = await world.weir.liveStreams(s.U);

    assert.deepEqual(more, []);
    assert.equal(record.stream_id, last.streamId);
    for (const app of [s.apps.a, s.apps.b]) {
      const ended = app.received({ type: 'rtmp_stream_status', status: 'stopped' });
      const mine = app.packageName === last.appId ? 1 : 0;

      assert.equal(ended.length, 5 - mine, `${app.name}: one end per stream`);
    }
  });
});
