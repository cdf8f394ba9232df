// Every process is killed with -9 while an unmanaged stream is live: the supervisor brings it
// back, the stream goes on, and it still ends when it should (design 1, promises 2, 3, 5, 6).
//
// Timers are at a tenth of their real length; the app grace is not, for an app needs its second
// to come back as the SDK does.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { RawApp } from '../lib/raw_app.mjs';
import { PA, World, url } from '../lib/world.mjs';

const boundMs = 5500; /* 55 s at a tenth */
const slackMs = 2500; /* restart of a process, and a busy machine */

let world;

before(async () => {
  world = await World.open({
    scale: 10,
    publicGateway: 0,
    config: { session: { app_grace_ms: 5000 } },
  });
});

after(async () => {
  await world?.close({ unharmed: false });
});

/** Kills daemon @name and resolves when its successor is ready. */
async function kill(name) {
  const { weir } = world;
  const from = weir.entries.length;
  const status = JSON.parse(await weir.supervise('status', '-o', 'json'));
  const { pid } = status.find((daemon) => daemon.name === name);
  const ready = new RegExp(`"event":"actor.ready","actor":"${name}"`);

  process.kill(pid, 'SIGKILL');
  await weir.waitFor((e) => e.event === 'stderr' && ready.test(e.text), 15000, {
    from,
    what: `${name} ready again`,
  });
}

/** Glasses that acknowledge, an app that owns a live stream. */
async function live(label) {
  const user = world.user(label);
  const glasses = await user.connect({ Kind: GlassesSim, scale: 10, autoReconnect: true });
  const app = await user.app(PA);

  app.request(url);
  const { msg } = await app.waitMessage({ type: 'rtmp_stream_status', status: 'active' }, 6000);

  return { user, glasses, app, streamId: msg.streamId };
}

const probed = (glasses, from) =>
  glasses.waitMessage('keep_rtmp_stream_alive', boundMs + slackMs, { from });

/** Resolves when the registry knows this user's glasses and app again. */
async function known(user) {
  const deadline = performance.now() + 10000;

  for (;;) {
    const text = await world.weir.cli('show', user.email, '-o', 'json').catch(() => '{}');
    const found = JSON.parse(text).user;

    if (found?.link.state === 'up' && found.glasses.connected && found.apps[0]?.state === 'running')
      return;
    assert.ok(performance.now() < deadline, `${user.email} did not come back: ${text}`);
  }
}

/** What every test ends with: the glasses vanish, the app is told once, nothing is left. */
async function vanish({ user, glasses, app, streamId }) {
  await glasses.pullCable();
  const { at } = await app.waitMessage(
    { type: 'rtmp_stream_status', status: 'timeout', streamId },
    boundMs + slackMs,
  );

  assert.deepEqual(await world.weir.liveStreams(user.email), [], `still there at ${at}`);
  const terminal = app.entries.filter(
    (e) => e.dir === 'in' && e.msg?.streamId === streamId && /stopped|timeout/.test(e.msg.status),
  );

  assert.equal(terminal.length, 1, app.story());
}

const statuses = (app, from) =>
  app.entries.slice(from).filter((e) => e.dir === 'in' && e.msg?.type === 'rtmp_stream_status');

const isOrder = (e) => e.dir === 'in' && /^(start|stop)_rtmp_stream$/.test(e.msg?.type);

describe('kill -9 under a live stream', () => {
  test('lifecycle-scheduler: probes go on, no false timeout, the dead are found', async () => {
    const s = await live('scheduler');
    const from = { app: s.app.entries.length };

    await kill('lifecycle-scheduler');
    await probed(s.glasses, s.glasses.entries.length);
    await probed(s.glasses, s.glasses.entries.length);
    assert.deepEqual(statuses(s.app, from.app), []);
    await vanish(s);
  });

  test('unmanaged-adapter: the stream goes on, and stops when asked', async () => {
    const s = await live('adapter');
    const from = s.glasses.entries.length;

    await kill('unmanaged-adapter');
    s.app.stop(s.streamId);
    await s.app.waitMessage({ type: 'rtmp_stream_status', status: 'stopped' }, 12000);
    await s.glasses.waitMessage('stop_rtmp_stream', 5000, { from });
    assert.deepEqual(await world.weir.liveStreams(s.user.email), []);
  });

  test('unmanaged-adapter, while requests are on their way: one start each', async () => {
    const user = world.user('requests');
    const glasses = await user.connect({ Kind: GlassesSim, scale: 10 });
    const app = await user.app(PA);

    for (let round = 0; round < 3; round++) {
      const from = { app: app.entries.length, glasses: glasses.entries.length };
      const killed = kill('unmanaged-adapter');

      app.request(`${url}${round}`);
      const { msg } = await app.waitMessage({ type: 'rtmp_stream_status', status: 'active' }, 12000, {
        from: from.app,
      });

      await killed;
      app.stop(msg.streamId);
      await app.waitMessage({ type: 'rtmp_stream_status', status: 'stopped' }, 12000, {
        from: from.app,
      });
      const starts = glasses.entries
        .slice(from.glasses)
        .filter((e) => e.dir === 'in' && e.msg?.type === 'start_rtmp_stream');

      assert.equal(starts.length, 1, glasses.story());
    }
    assert.deepEqual(await world.weir.liveStreams(user.email), []);
  });

  test('the gateway of the glasses: they come back elsewhere, the stream lives', async () => {
    const s = await live('glasses');
    const from = { app: s.app.entries.length, glasses: s.glasses.entries.length };

    s.glasses.url = world.weir.url(0);
    await kill('gateway-1');
    await s.glasses.waitMessage('connection_ack', 10000, { from: from.glasses });
    await probed(s.glasses, s.glasses.entries.length);
    assert.deepEqual(statuses(s.app, from.app), []);
    assert.equal((await world.weir.liveStreams(s.user.email)).length, 1);
    await vanish(s);
  });

  test('the gateway of the app: it comes back within its grace, the stream lives', async () => {
    const s = await live('app');
    const from = s.app.entries.length;

    await kill('gateway-2');
    await s.app.waitEvent('close', 5000, { from });
    const again = world.keep(new RawApp({ ...s.app, url: `${world.weir.url(0)}/app-ws` }));

    await again.open();
    await again.init();
    const answer = await again.check();

    assert.equal(answer.hasActiveStream, true);
    assert.equal(answer.streamInfo.streamId, s.streamId);
    again.stop(s.streamId);
    await again.waitMessage({ type: 'rtmp_stream_status', status: 'stopped' }, 5000);
    assert.deepEqual(await world.weir.liveStreams(s.user.email), []);
  });

  test('the registry: the stream goes on, another one starts, and ends', async () => {
    const s = await live('registry');
    const from = { app: s.app.entries.length, glasses: s.glasses.entries.length };

    await kill('registry');
    await probed(s.glasses, s.glasses.entries.length);
    await known(s.user);
    assert.deepEqual(statuses(s.app, from.app), []);
    assert.deepEqual(s.glasses.entries.slice(from.glasses).filter(isOrder), []);
    const [record] = await world.weir.liveStreams(s.user.email);

    assert.equal(record.stream_id, s.streamId);
    s.app.request(`${url}-again`);
    const { msg } = await s.app.waitMessage({ type: 'rtmp_stream_status', status: 'active' }, 12000, {
      from: from.app,
    });

    assert.notEqual(msg.streamId, s.streamId);
    assert.equal((await world.weir.liveStreams(s.user.email)).length, 1);
    await vanish({ ...s, streamId: msg.streamId });
  });
});
