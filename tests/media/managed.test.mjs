// Managed streams through all of weir with the local provider: the SDK's messages in, real RTMP from
// the glasses, HLS and DASH out, copies to another server; and what is left when it is over.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { processes } from '../lib/local_provider.mjs';
import { timedOut } from '../lib/managed.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { probe } from '../lib/publisher.mjs';
import { PA, PB, World } from '../lib/world.mjs';

const publishingMs = 30000; /* ffmpeg on both sides, and segments of 2 s */

let receiver;
let tap;
let world;

before(async () => {
  receiver = await Nginx.start();
  world = await World.open({
    scale: 10,
    config: {
      managed: {
        provider: 'local',
        private_outputs: true,
        poll_interval_ms: 500,
        keepalive_interval_ms: 1500,
        ack_timeout_ms: 1000,
        start_deadline_ms: 20000,
        stop_deadline_ms: 20000,
      },
    },
  });
  tap = world.weir.tap();
  await tap.waitFor((e) => e.event === 'stderr' && e.text.includes('subscribed'), 10000);
});

after(async () => {
  await receiver?.stop();
  await world?.close({ unharmed: false });
});

const status = (app, fields, timeoutMs = publishingMs, from = 0) =>
  app.waitMessage({ type: 'managed_stream_status', ...fields }, timeoutMs, { from });

/* Glasses that really publish what app PA asks for; resolves when viewers can watch. */
async function playing(name, { apps = [PA], request = {} } = {}) {
  const user = world.user(name);
  const glasses = await user.connect({ Kind: GlassesSim, publish: true, scale: 10 });
  const running = [];

  for (const packageName of apps) running.push(await user.app(packageName));
  const [app] = running;

  app.watch(request);
  const start = await glasses.waitMessage('start_rtmp_stream', publishingMs);
  const live = await status(app, { status: 'active', message: 'Stream is now live' });

  return { user, glasses, apps: running, app, start: start.msg, live: live.msg };
}

/* The input is gone from the ledger and from the provider, and with it all that worked for it. */
async function gone(streamId) {
  await tap.waitFor(
    (e) => e.line?.type === 'stream.input_settled' && e.line.stream_id === streamId,
    15000,
    { what: `${streamId} settled` },
  );
  const inputs = JSON.parse(await world.weir.cli('provider', 'ls', '-o', 'json'));

  assert.equal(JSON.stringify(inputs).includes(streamId), false, JSON.stringify(inputs));
  assert.deepEqual(processes(`/live/${streamId}`), []);
}

const codecs = async (url) => (await probe(url)).streams.map((stream) => stream.codec_name).sort();

describe('managed streams with the local provider', () => {
  test('watched as HLS and DASH, joined, left one by one, nothing left', async () => {
    const {
      glasses,
      apps: [app, second],
      start,
      live,
    } = await playing('watched', { apps: [PA, PB] });

    assert.match(start.rtmpUrl, /^rtmp:\/\/127\.0\.0\.1:\d+\/live\/\w+\?key=[0-9a-f]{32}$/);
    assert.deepEqual(await codecs(live.hlsUrl), ['aac', 'h264']);
    assert.deepEqual(await codecs(live.dashUrl), ['aac', 'h264']);
    second.watch();
    const joined = await status(second, { status: 'active' });

    assert.equal(joined.msg.hlsUrl, live.hlsUrl);
    assert.equal(joined.msg.streamId, live.streamId);
    app.leave();
    await status(app, { status: 'stopped' });
    assert.equal(glasses.device.publishing ?? true, true);
    second.leave();
    await status(second, { status: 'stopped' });
    await glasses.waitFor((e) => e.event === 'publisher.exit', publishingMs);
    assert.match(await (await fetch(live.hlsUrl)).text(), /#EXT-X-ENDLIST/);
    await gone(live.streamId);
  });

  test('restream: the copy is received, its key is nowhere to be seen', async () => {
    const destination = `${receiver.url('restream')}?secret=nobody-may-read-this`;
    const { app, start, live } = await playing('restream', {
      request: { restreamDestinations: [{ url: destination, name: 'other' }] },
    });
    const key = new URL(start.rtmpUrl).searchParams.get('key');

    await app.waitFor(
      (e) => e.msg?.outputs?.[0]?.status === 'active',
      publishingMs,
      { what: 'active output' },
    );
    await receiver.waitPublisher('restream');
    assert.deepEqual(await codecs(receiver.url('restream')), ['aac', 'h264']);
    assert.deepEqual(processes('nobody-may-read-this'), []);
    /* The simulated glasses are an ffmpeg with the ingest as its argument. */
    assert.deepEqual(
      processes(key).filter(([, words]) => !words.includes('testsrc2')),
      [],
    );
    app.leave();
    await status(app, { status: 'stopped' });
    await receiver.waitPublisher('restream', false);
    assert.doesNotMatch(world.weir.log(Infinity), new RegExp(`${key}|nobody-may-read-this`));
    assert.doesNotMatch(
      tap.entries.map((e) => e.text).join(''),
      new RegExp(`${key}|nobody-may-read-this`),
    );
    await gone(live.streamId);
  });

  test('the adapter is killed: the stream goes on, its copies come back', async () => {
    const { app, live, glasses } = await playing('adapter', {
      request: { restreamDestinations: [{ url: receiver.url('adapter') }] },
    });

    await receiver.waitPublisher('adapter');
    const from = world.weir.entries.length;

    process.kill((await world.weir.pids()).get('managed-adapter'), 'SIGKILL');
    await world.weir.waitReady('managed-adapter', from);
    await receiver.waitPublisher('adapter', true, publishingMs);
    assert.equal(
      glasses.entries.filter((e) => e.event === 'publisher.exit').length,
      0,
      'nothing has cut off the glasses',
    );
    assert.deepEqual(await codecs(live.hlsUrl), ['aac', 'h264']);
    const check = await app.check();

    assert.equal(check.hasActiveStream, true);
    app.leave();
    await status(app, { status: 'stopped' });
    await glasses.waitFor((e) => e.event === 'publisher.exit', publishingMs);
    await receiver.waitPublisher('adapter', false);
    await gone(live.streamId);
  });

  test('the media server is killed: the glasses come back, the viewers too', async () => {
    const { app, live, glasses } = await playing('media');
    const from = world.weir.entries.length;

    process.kill((await world.weir.pids()).get('media'), 'SIGKILL');
    await world.weir.waitFor((e) => /media.orphans_killed/.test(e.text ?? ''), 15000, { from });
    await glasses.waitFor((e) => e.dir === 'out' && e.msg.status === 'reconnected', publishingMs);
    assert.deepEqual(await codecs(live.hlsUrl), ['aac', 'h264']);
    assert.equal((await app.check()).hasActiveStream, true);
    app.leave();
    await status(app, { status: 'stopped' });
    await gone(live.streamId);
  });

  test('the cable is pulled: the app is told, the input is deleted', async () => {
    const { app, glasses, live, user } = await playing('cable');

    await glasses.pullCable();
    await status(app, { status: 'error', message: timedOut.message }, 15000);
    assert.deepEqual(await world.weir.liveStreams(user.email), []);
    await gone(live.streamId);
  });
});
