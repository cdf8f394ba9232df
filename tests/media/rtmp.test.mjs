// Real media through a private nginx: the glasses publish with ffmpeg, ffprobe reads the stream.
//
// Keep-alives are at a tenth of their real length, so that the end of vanished glasses is quick.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { GlassesSim } from '../lib/glasses.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { probe } from '../lib/publisher.mjs';
import { PA, PB, World } from '../lib/world.mjs';

const publishingMs = 10000; /* ffmpeg needs a second or two on a busy machine */

let nginx;
let world;

before(async () => {
  nginx = await Nginx.start();
  world = await World.open({ scale: 10, config: { unmanaged: { start_deadline_ms: 20000 } } });
});

after(async () => {
  await world?.close();
  await nginx?.stop();
});

/* Glasses that really publish to @name, asked by app PA; resolves when it was told `active`. */
async function publishing(name, { apps = [PA], ...options } = {}) {
  const user = world.user(name);
  const glasses = await user.connect({ Kind: GlassesSim, publish: true, scale: 10, ...options });
  const running = [];

  for (const packageName of apps) running.push(await user.app(packageName));
  const [app] = running;

  app.request(nginx.url(name));
  const active = await app.waitMessage(
    { type: 'rtmp_stream_status', status: 'active' },
    publishingMs,
  );

  return { user, glasses, apps: running, app, streamId: active.msg.streamId };
}

describe('media', () => {
  test('published, readable as h264 and aac, gone after the stop', async () => {
    const { glasses, app } = await publishing('readable');

    /* `active` is only said when the server has accepted the publish. */
    await nginx.waitPublisher('readable');
    const { streams } = await probe(nginx.url('readable'));

    assert.deepEqual(streams.map((s) => s.codec_name).sort(), ['aac', 'h264']);
    const video = streams.find((s) => s.codec_type === 'video');

    assert.deepEqual([video.width, video.height], [1280, 720]);
    app.stop();
    await app.waitMessage({ type: 'rtmp_stream_status', status: 'stopped' });
    await nginx.waitPublisher('readable', false);
    await glasses.waitFor((e) => e.event === 'publisher.exit');
    await assert.rejects(probe(nginx.url('readable')), /No such stream/);
  });

  test('the cable is pulled: publisher and socket vanish, the app is told `timeout`', async () => {
    const { glasses, app, user } = await publishing('cable');

    await glasses.pullCable();
    const pulled = performance.now();

    await nginx.waitPublisher('cable', false);
    const { at } = await app.waitMessage({ type: 'rtmp_stream_status', status: 'timeout' }, 7000);

    assert.ok(at - pulled > 3750 && at - pulled < 5750, `${at - pulled} ms`);
    assert.deepEqual(await world.weir.liveStreams(user.email), []);
  });

  test('the encoder dies: the glasses reconnect by themselves, the stream goes on', async () => {
    const { glasses, app, streamId } = await publishing('crash');
    const from = app.entries.length;

    await glasses.device.crashPublisher();
    await app.waitMessage({ type: 'rtmp_stream_status', status: 'initializing', streamId }, 5000, {
      from,
    });
    await app.waitMessage(
      { type: 'rtmp_stream_status', status: 'active', streamId },
      publishingMs,
      { from },
    );
    await nginx.waitPublisher('crash');
    app.stop();
    await nginx.waitPublisher('crash', false);
  });

  test('takeover: the old publisher ends, the new one appears', async () => {
    const {
      apps: [app, other],
      streamId,
    } = await publishing('old', { apps: [PA, PB] });

    other.request(nginx.url('new'));
    await app.waitMessage({ type: 'rtmp_stream_status', status: 'stopped', streamId });
    await nginx.waitPublisher('old', false);
    await other.waitMessage({ type: 'rtmp_stream_status', status: 'active' }, publishingMs);
    await nginx.waitPublisher('new');
    /* The id-less words of the old stream's end did not harm the new one (8.4). */
    assert.equal((await other.check()).hasActiveStream, true);
    other.stop();
    await nginx.waitPublisher('new', false);
  });

  test('a server that refuses: the device retries and the app is told', async () => {
    const user = world.user('nowhere');
    const glasses = await user.connect({ Kind: GlassesSim, publish: true, scale: 10 });
    const app = await user.app(PA);

    /* Port 9 is closed on loopback. */
    app.request('rtmp://127.0.0.1:9/live/nowhere');
    await glasses.waitFor((e) => e.dir === 'out' && e.msg.status === 'reconnecting', publishingMs);
    glasses.scenario('S4');
    await app.waitMessage({ type: 'rtmp_stream_status', status: 'stopped' }, publishingMs);
    assert.deepEqual(await app.check(), expect.nothingActive);
  });
});
