// Act 2 of scripts/demo: a managed stream that two apps watch, with a copy to a second server, and nothing
// that is left of it.
import assert from 'node:assert/strict';
import { operator, say, watch } from './demo-stage.mjs';

const told = (session, matches, what, timeoutMs = 30000) =>
  session.app.waitFor(
    (e) => e.event === 'managed' && e.userId === session.userId && matches(e),
    timeoutMs,
    { what },
  );

async function startApp(stage, app) {
  const session = app.of(stage.user);

  stage.glasses.send({ type: 'start_app', packageName: app.packageName });
  await session.wait('session', 1, 10000);
  return session;
}

async function asked({ nginx, ...stage }) {
  const session = await startApp(stage, stage.app);

  say('app       session.camera.startManagedStream({restreamDestinations: [a second server]})');
  const urls = await session.call('startManagedStream', {
    restreamDestinations: [{ url: nginx.url('copy'), name: 'second server' }],
  });

  say(`app       may give its viewers ${urls.hlsUrl}`);
  say(`          or ${urls.dashUrl}`);
  await told(session, (e) => e.status === 'active', 'active');
  say('app       is told "active"');
  await told(session, (e) => e.message === 'Stream is now live', 'is now live');
  say('app       is told "Stream is now live"');
  return { session, ...urls };
}

async function watched(stage, { hlsUrl, dashUrl }) {
  await watch('the HLS playlist', hlsUrl);
  await watch('the DASH manifest', dashUrl);
  await stage.nginx.waitPublisher('copy', true, 30000);
  await watch('the copy on the second server', stage.nginx.url('copy'));
}

async function joined(stage, first) {
  const session = await startApp(stage, stage.guest);

  say('guest     another app of this user: session.camera.startManagedStream()');
  const urls = await session.call('startManagedStream');

  assert.equal(urls.hlsUrl, first.hlsUrl, 'the same stream');
  say('guest     got the same addresses: the glasses publish once');
  const [record] = JSON.parse(await stage.weir.cli('ls', '-o', 'json'));

  assert.deepEqual([record.kind, record.viewers], ['managed', 2]);
  await operator(stage.weir, 'ls');
  await operator(stage.weir, 'show', record.stream_id);
  await operator(stage.weir, 'provider', 'ls');
  return { session, streamId: record.stream_id };
}

async function left(stage, first, second) {
  await first.session.call('stopManagedStream');
  await told(first.session, (e) => e.status === 'stopped', 'stopped');
  say('app       leaves, and is told "stopped"; the stream goes on for the guest');
  const [record] = JSON.parse(await stage.weir.cli('ls', '-o', 'json'));

  assert.equal(record.viewers, 1);
  await second.session.call('stopManagedStream');
  await told(second.session, (e) => e.status === 'stopped', 'stopped');
  say('guest     leaves: the last one.  The glasses are stopped, the input is deleted');
}

const inputsOf = async (weir) => JSON.parse(await weir.cli('provider', 'ls', '-o', 'json'));

/* The end of the publisher, of the copy and of the input are waited for, each where it shows. */
async function gone(stage, { streamId }) {
  await stage.glasses.waitFor((e) => e.event === 'publisher.exit', 20000);
  await stage.tap.waitFor(
    (e) => e.line?.type === 'stream.input_settled' && e.line.stream_id === streamId,
    30000,
    { what: 'stream.input_settled' },
  );
  await stage.nginx.waitPublisher('copy', false, 20000);
  await operator(stage.weir, 'provider', 'ls');
  assert.deepEqual(await inputsOf(stage.weir), [], 'nothing is left at the provider');
  assert.match(await operator(stage.weir, 'ls', '--all', '--user', stage.user), /no streams/);
  await operator(stage.weir, 'why', streamId);
}

/** @stage: {weir, tap, nginx, app, guest, glasses, user}. */
export async function managed(stage) {
  await stage.glasses.start();
  say('glasses   others are connected, to gateway-1');
  const first = await asked(stage);

  await watched(stage, first);
  const second = await joined(stage, first);

  await left(stage, first, second);
  await gone(stage, second);
}
