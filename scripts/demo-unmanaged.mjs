// Act 1 of scripts/demo: a stream straight to somebody's RTMP server, and a cable that is pulled.
import assert from 'node:assert/strict';
import { operator, say, showEvents, watch } from './demo-stage.mjs';

async function live({ weir, nginx, app, glasses, user }) {
  const session = app.of(user);

  glasses.send({ type: 'start_app', packageName: app.packageName });
  say('phone     starts the app; weir posts the session webhook, the app connects to gateway-2');
  await session.wait('session', 1, 10000);
  say(`app       session.camera.startStream({rtmpUrl: "${nginx.url('••••')}"})`);
  await session.call('startStream', { rtmpUrl: nginx.url('picture') });
  await session.waitStatus('initializing');
  say('app       is told "initializing"');
  await session.waitStatus('active', 20000);
  say('app       is told "active"');
  await nginx.waitPublisher('picture');
  await watch('the stream that the glasses publish', nginx.url('picture'));
  await operator(weir, 'ls');
  await operator(weir, 'show', user);
  await glasses.waitFor((e) => e.dir === 'in' && e.msg?.type === 'keep_rtmp_stream_alive', 20000);
  say('glasses   acknowledge a keep-alive');
}

async function pulled({ weir, app, glasses, user, keepalive }) {
  const low = (keepalive.keepalive_interval_ms * 2 + keepalive.ack_timeout_ms) / 1000;
  const high = low + keepalive.keepalive_interval_ms / 1000;

  await glasses.pullCable();
  const lost = performance.now();

  say(`glasses   THE CABLE IS PULLED: no socket, no picture.  weir ends it in ${low} to ${high} s`);
  await app.of(user).waitStatus('timeout', (high + 10) * 1000);
  const after = (performance.now() - lost) / 1000;

  say(`app       is told "timeout", ${after.toFixed(1)} s after the loss`);
  assert.ok(after > low - 1 && after < high + 1, `${after} s is not within ${low} to ${high} s`);
  assert.match(await operator(weir, 'ls'), /no streams/);
}

/** @stage: {weir, tap, nginx, app, glasses, user, keepalive}. */
export async function unmanaged(stage) {
  await stage.glasses.start();
  say('glasses   are connected, to gateway-1');
  await live(stage);
  await pulled(stage);
  await stage.tap.waitFor((e) => e.line?.type === 'stream.closed', 5000);
  say('operator  $ scripts/weir tap   (what it showed of this stream)');
  showEvents(stage.tap, (line) => line.type.startsWith('stream.'), [
    'status',
    'phase',
    'missed',
    'end_cause',
    'hop',
    'link_state',
  ]);
  await operator(stage.weir, 'why', stage.user);
}
