// The managed-adapter and the registry are killed with -9 at every step of making and removing an
// input, and then at random, against a stateful stand-in for the vendor's API: nothing that was
// provisioned is left behind, nothing foreign is touched, no live stream loses its input, and every
// app is told (design 1, promises 3 and 4).
//
// Timers are at a tenth of their real length; the app grace is not, see kills.test.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { elapse, figures, full, randomFrom, seed } from '../lib/crowd.mjs';
import { FakeCloudflare } from '../lib/fake_cloudflare.mjs';
import { GlassesSim } from '../lib/glasses.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, World } from '../lib/world.mjs';

const kills = full ? 240 : 24;
const users = full ? 8 : 4;
const betweenMs = { least: 50, most: 700 }; /* from ready to the next kill */
/*
 * An app whose socket was closed with a refusal comes back after its grace, seen without a break: now
 * and then there is time for that, or nobody would be left to ask.
 */
const graceMs = 5000;
const killsInARow = 12;
const breathMs = graceMs + 1500;
const settleMs = 20000; /* for restart, back-off and reconciliation after the last fault */
const timeout = 90000 * slack; /* of a step; most of that is patience with the restart */
const destination = { url: 'rtmp://a.rtmp.example.com/live2/OUTKEY', name: 'elsewhere' };

let world, vendor;

const fastly = {
  managed: {
    provider: 'cloudflare',
    keepalive_interval_ms: 1500,
    ack_timeout_ms: 1000,
    start_deadline_ms: 15000,
    stop_deadline_ms: 15000,
    create_timeout_ms: 2000,
    create_pause_ms: 100,
    delete_pause_ms: 100,
    poll_interval_ms: 200,
    reconcile_interval_s: 1,
    leak_age_s: 1,
    provisions_per_user_per_min: 1000,
    provisions_per_min: 10000,
    owed_per_user_max: 32,
  },
  gateway: { starts_per_min: 6000, starts_burst: 1000 },
  session: { app_grace_ms: graceMs },
};

before(async () => {
  vendor = await FakeCloudflare.start();
  const { cloudflare } = vendor.config();

  world = await World.open({
    scale: 10,
    publicGateway: 0,
    config: { ...fastly, cloudflare: { ...cloudflare, recording_wait_s: 0 } },
  });
});

after(async () => {
  await world?.close({ unharmed: false });
  await vendor?.close();
});

const request = (app, fields = {}) =>
  app.send({ type: 'managed_stream_request', packageName: app.packageName, ...fields });
const leave = (app) => app.send({ type: 'managed_stream_stop', packageName: app.packageName });
const isStatus = (e, ...words) =>
  e.dir === 'in' && e.msg?.type === 'managed_stream_status' && words.includes(e.msg.status);
const isRefusal = (e) => e.dir === 'in' && e.msg?.type === 'tpa_connection_error';

/** Kills daemon @name; resolves when its successor is ready. */
async function kill(name) {
  const from = world.weir.entries.length;
  const pid = (await world.weir.pids()).get(name);

  assert.ok(pid, `${name} is not there\n${world.weir.log(40)}`);
  process.kill(pid, 'SIGKILL');
  await world.weir.waitReady(name, from);
}

const ours = () => vendor.live.filter((input) => input.meta?.owner && input.meta.owner !== 'foreign');

/** Resolves once the vendor holds no input of ours; deletions are what it waits for. */
async function nothingLeft() {
  const deadline = performance.now() + settleMs * slack;

  while (ours().length > 0) {
    const left = ours().map(({ uid, meta }) => `${uid} of ${meta.op}`);
    const ms = deadline - performance.now();

    assert.ok(ms > 0, `left behind: ${left.join(', ')}\n${vendor.story(60)}`);
    await vendor
      .waitFor((e) => e.call === 'delete', ms, { from: vendor.entries.length, what: 'delete' })
      .catch(() => {});
  }
}

/*
 * What may have been made is owed until two lists without it, half a minute apart, of an adapter that
 * lives so long, prove that it was not.
 */
const proofMs = 60000;

/** Resolves once no record is left, also none of a debt. */
async function nothingOwed(tap) {
  for (let from = tap.entries.length; ; from = tap.entries.length) {
    const records = JSON.parse(await world.weir.cli('ls', '--all', '-o', 'json'));

    if (records.length === 0) return;
    await tap.waitFor((e) => e.line?.type === 'stream.input_settled', proofMs, {
      from,
      what: `end of what is owed: ${JSON.stringify(records)}`,
    });
  }
}

/** Glasses that acknowledge and an app of a user whom nobody has used before. */
async function cast(label) {
  const user = world.user(label);
  const glasses = await user.connect({ Kind: GlassesSim, scale: 10, autoReconnect: true });
  const app = await user.app(PA);

  return { user, glasses, app };
}

/** Calls back once when a request of @call arrives, before it is handled. */
function onArrival(call) {
  return new Promise((resolve) => {
    let told = false;

    vendor.fault(call, {
      times: Infinity,
      match: () => {
        if (!told) resolve();
        told = true;
        return false;
      },
    });
  });
}

/* What the vendor is asked from the first request to the last deletion. */
const steps = ['create', 'output_add', 'lifecycle', 'update', 'videos', 'delete'];

/** One stream from request to end, with a kill of @victim when the vendor is asked @step. */
async function oneLife(victim, step, effect) {
  const { app, glasses } = await cast(`${victim}-${step}`);
  const arrived = onArrival(step);
  const release = effect ? vendor.hold(step) : undefined;

  if (!effect) vendor.fault(step, { lost: 'before' });
  const killed = arrived.then(async () => {
    const again = kill(victim);

    release?.();
    await again;
  });

  request(app, { restreamDestinations: [destination] });
  const first = await app.waitFor((e) => isStatus(e, 'active') || isRefusal(e), 15000, {
    what: 'active or a refusal',
  });

  if (!isRefusal(first)) {
    const input = vendor.inputOf(first.msg.streamId);

    assert.ok(input && !input.deleted && input.enabled, `the input of a live stream is there`);
    if (step === 'lifecycle') await arrived; /* asked while the stream runs, or never */
    leave(app);
    await app.waitFor((e) => isStatus(e, 'stopped', 'error'), 15000, { what: 'the end' });
    await glasses.waitMessage('stop_rtmp_stream', 10000);
  }
  await killed;
  vendor.mend();
  await nothingLeft();
  const ends = app.entries.filter((e) => isStatus(e, 'stopped', 'error'));

  assert.ok(ends.length <= 1, app.story());
}

describe('kill -9 at every step', () => {
  for (const victim of ['managed-adapter', 'registry'])
    for (const step of steps)
      for (const effect of [true, false])
        test(`${victim}, at ${step}, which ${effect ? 'takes' : 'takes no'} effect`, { timeout }, () =>
          oneLife(victim, step, effect));
});

/** Asks, watches and leaves until told to stop; refusals and lost sockets are part of life. */
class Viewer {
  constructor({ user, glasses, app }, random) {
    Object.assign(this, { user, glasses, app, random, lives: 0, refused: 0, over: false });
    this.done = this.#live();
  }

  async #live() {
    while (!this.over) {
      const from = this.app.entries.length;

      if (!this.app.isOpen) await this.#again();
      request(this.app, this.random() < 0.3 ? { restreamDestinations: [destination] } : {});
      const entry = await this.app.waitFor(
        (e) => isStatus(e, 'active', 'stopped', 'error') || isRefusal(e) || e.event === 'close',
        40000,
        { from, what: 'an answer' },
      );

      if (!isStatus(entry, 'active')) {
        this.refused++;
        continue;
      }
      this.streamId = entry.msg.streamId;
      await elapse(this.random() * 400);
      const input = vendor.inputOf(this.streamId);

      assert.ok(input && !input.deleted && input.enabled, `${this.streamId} lost its input`);
      this.streamId = undefined;
      const end = this.app.entries.length;

      leave(this.app);
      await this.app.waitFor(
        (e) => isStatus(e, 'stopped', 'error') || e.event === 'close',
        30000,
        { from: end, what: 'the end' },
      );
      this.lives++;
    }
  }

  /** A refusal closes the socket; the cloud starts the app again. */
  async #again() {
    this.app = await world.host.nextApp(this.app.sessionId, { timeoutMs: 60000 });
  }
}

test(`kill -9 at random, ${kills} times`, async (t) => {
  const random = randomFrom(seed);
  const foreign = [
    vendor.addInput({ meta: { name: 'not ours' }, created: new Date(0) }),
    vendor.addInput({ meta: { owner: 'foreign', op: 'x' }, created: new Date(0) }),
  ];
  const from = vendor.entries.length;
  const viewers = [];
  const tap = world.weir.tap('--type', 'stream.input_settled');

  await tap.waitFor((e) => e.event === 'stderr' && e.text.includes('subscribed'), 10000);

  for (let i = 0; i < users; i++) viewers.push(new Viewer(await cast(`random${i}`), random));
  vendor.fault('any', { times: Infinity, delayMs: 30, match: () => random() < 0.3 });
  for (const call of ['create', 'delete'])
    vendor.fault(call, { times: Infinity, lost: 'after', match: () => random() < 0.1 });
  for (let i = 0; i < kills; i++) {
    const breathes = i > 0 && i % killsInARow === 0;

    await elapse(
      betweenMs.least + random() * (betweenMs.most - betweenMs.least) + (breathes ? breathMs : 0),
    );
    await kill(random() < 0.6 ? 'managed-adapter' : 'registry');
  }
  vendor.mend();
  for (const viewer of viewers) viewer.over = true;
  await Promise.all(viewers.map((viewer) => viewer.done));
  await nothingLeft();

  for (const input of foreign) {
    const touched = vendor.entries
      .slice(from)
      .filter((e) => e.path?.includes(input.uid) && /^(update|delete|output)/.test(e.call));

    assert.ok(vendor.inputs.has(input.uid), 'a foreign input is gone');
    assert.deepEqual(touched, [], 'a foreign input was touched');
  }
  await nothingOwed(tap);
  const lives = viewers.reduce((sum, viewer) => sum + viewer.lives, 0);

  assert.ok(lives >= users, `only ${lives} streams came and went`);
  figures(t, 'provider-kills', {
    kills,
    streams: lives,
    refused: viewers.reduce((sum, viewer) => sum + viewer.refused, 0),
    created: vendor.calls('create').length,
    deleted: vendor.deleted.length,
    left: ours().length,
    seed,
  });
});
