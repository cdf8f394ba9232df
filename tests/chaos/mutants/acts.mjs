// What users do while a mutant of weir is watched: each act has a user of its own and shows some rules at work.
//
// A mutant may never do what an act waits for.  That is no failure of the act: it goes on, and the judge has
// what was recorded.
import { setTimeout as elapse } from 'node:timers/promises';
import { GlassesSim } from '../../lib/glasses.mjs';
import { PA, PB, url } from '../../lib/world.mjs';

export const scale = 10;
export const inputDeadlineMs = 5000; /* told to the judge, whose own is a minute */

/* Real time.  Bounds of the judge have 5 s on top of what is configured. */
const wordMs = 2500;
const endMs = 8000; /* the bound of a silent stream, 5.5 s, and some */
const stuckMs = 19000; /* longer than any phase may last, with what the judge adds */
const unansweredMs = 21000; /* a request has 10 s, and 5 s of the judge */
const fadeMs = 9500; /* probes that go on behind an end */
const owedMs = 2 * inputDeadlineMs + 3000; /* 5 s of the judge are in it, and a comparison */
const settleMs = 400;

const outputsMax = 10; /* copies of one stream */

const unmanaged = 'rtmp_stream_status';
const managed = 'managed_stream_status';

/** One user with glasses and apps, all of them recorded. */
export class Stage {
  static async open({ world, audit }, label, packages, glasses = {}) {
    const self = new Stage();

    Object.assign(self, { world, user: world.user(label) });
    self.glasses = audit.add(
      await self.user.connect({ Kind: GlassesSim, scale, autoReconnect: true, ...glasses }),
      self.user,
    );
    self.apps = [];
    for (const name of packages) self.apps.push(audit.add(await self.user.app(name), self.user));
    return self;
  }

  /** The message with @status that @app gets, or null if it gets none. */
  async hears(app, status, { ms = wordMs, from = 0, type = unmanaged } = {}) {
    const entry = await app.waitMessage({ type, status }, ms, { from }).catch(() => null);

    return entry?.msg ?? null;
  }

  async live(app = this.apps[0], key = '') {
    const from = app.entries.length;

    app.request(`${url}-of-${this.user.email}${key}`);
    return this.hears(app, 'active', { from });
  }

  async watched(app = this.apps[0], fields = {}) {
    const from = app.entries.length;

    app.watch(fields);
    return this.hears(app, 'active', { from, type: managed });
  }

  async leaves(app) {
    const from = app.entries.length;

    app.leave();
    await this.hears(app, 'stopped', { from, type: managed });
  }

  async stops(app, id) {
    const from = app.entries.length;

    app.stop(id);
    await this.hears(app, 'stopped', { from });
  }
}

/* Another app takes over, then the same app itself; the last stream is stopped. */
async function takeOver(context) {
  const stage = await Stage.open(context, 'takeover', [PA, PB]);
  const [a, b] = stage.apps;

  await stage.live(a);
  await stage.live(b);
  const last = await stage.live(b, '-again');

  await elapse(settleMs);
  await stage.stops(b, last?.streamId);
  await elapse(settleMs);
}

/* A managed stream is joined, and left by both. */
async function watch(context) {
  const stage = await Stage.open(context, 'watch', [PA, PB]);

  for (const app of stage.apps) await stage.watched(app);
  for (const app of stage.apps) {
    await elapse(settleMs);
    await stage.leaves(app);
  }
  await elapse(settleMs);
}

/* A managed stream is taken over by an unmanaged one: the device has to stop, then to start. */
async function replace(context) {
  const stage = await Stage.open(context, 'replace', [PA, PB]);
  const [a, b] = stage.apps;

  await stage.watched(a);
  await elapse(settleMs);
  const last = await stage.live(b);

  await elapse(settleMs);
  await stage.stops(b, last?.streamId);
}

/* More copies are asked for than a stream may have. */
async function copies(context) {
  const stage = await Stage.open(context, 'copies', [PA]);
  const [app] = stage.apps;
  const restreamDestinations = Array.from({ length: outputsMax + 2 }, (_, i) => ({
    url: `rtmp://a.rtmp.example.com/live2/to-${i}`,
  }));

  await stage.watched(app, { restreamDestinations });
  await elapse(settleMs);
  await stage.leaves(app);
}

/* Phone and device vanish at once. */
async function vanish(context) {
  const stage = await Stage.open(context, 'vanish', [PA]);

  await stage.live();
  await stage.glasses.pullCable();
  await stage.hears(stage.apps[0], 'timeout', { ms: endMs });
}

/* The socket stays, acks do not come: the same end by another way. */
async function silent(context) {
  const stage = await Stage.open(context, 'silent', [PA]);

  await stage.live();
  stage.glasses.ignoreProbes();
  await stage.hears(stage.apps[0], 'timeout', { ms: endMs });
  await elapse(settleMs);
}

/* Acks are missed, and come again in time. */
async function hiccup(context) {
  const stage = await Stage.open(context, 'hiccup', [PA]);
  const [app] = stage.apps;
  const started = await stage.live();
  const { glasses } = stage;

  for (let round = 0; round < 2; round++) {
    glasses.ignoreProbes();
    await elapse(2900); /* a probe's interval and its window, and no second one of that */
    glasses.ignoreProbes(false);
    await elapse(3200);
  }
  await stage.stops(app, started?.streamId);
}

/* Acks of probes that nobody sent. */
async function wrongAcks(context) {
  const stage = await Stage.open(context, 'wrongacks', [PA]);

  await stage.live();
  stage.glasses.wrongAck();
  await stage.hears(stage.apps[0], 'timeout', { ms: endMs });
}

/* The device reports an error of its own. */
async function fails(context) {
  const stage = await Stage.open(context, 'fails', [PA]);
  const started = await stage.live();

  stage.glasses.status('error', {
    streamId: started?.streamId,
    errorDetails: `cannot publish to ${url}-of-${stage.user.email}`,
  });
  await stage.hears(stage.apps[0], 'stopped');
  await elapse(settleMs);
}

/* The device begins, and never gets further. */
async function hangs(context) {
  const delays = { connectMs: 10 * stuckMs * scale };
  const stage = await Stage.open(context, 'hangs', [PA], { delays });

  await stage.live();
  await stage.hears(stage.apps[0], 'timeout', { ms: stuckMs - wordMs });
}

/* Glasses are gone for long, their phone is not; others go on meanwhile, and show the time. */
async function goneForLong(context) {
  const stage = await Stage.open(context, 'gone', [PA]);

  await stage.live();
  stage.glasses.bleDisconnect(); /* neither the device's own end nor that of the session comes in between */
  await elapse(stuckMs);
}

/* A stream that was ended long ago. */
async function afterwards(context) {
  const stage = await Stage.open(context, 'afterwards', [PA]);
  const started = await stage.live();

  await stage.stops(stage.apps[0], started?.streamId);
  await elapse(fadeMs);
}

/* An app asks, and waits as long as any answer may take. */
async function asks(context) {
  const stage = await Stage.open(context, 'asks', [PA]);
  const started = await stage.live();

  if (!started) await elapse(unansweredMs);
  else await stage.stops(stage.apps[0], started.streamId);
}

/* A managed stream is left; what is owed to the provider has its time, and is compared with its lists. */
async function leftBehind(context) {
  const stage = await Stage.open(context, 'behind', [PA]);

  await stage.watched();
  await stage.leaves(stage.apps[0]);
  await elapse(owedMs);
}

/* An input of somebody else stands in the provider's lists. */
async function strangers({ world }) {
  const { vendor } = world;
  const from = vendor.entries.length;
  const old = new Date(Date.now() - 3600000).toISOString();
  const input = vendor.addInput({ meta: { owner: 'theirs', op: 'mtheirs' }, created: old });

  await vendor.waitCall('delete', 6000, { from, path: input.uid }).catch(() => null);
}

/* The registry is killed and comes back under a stream that goes on, and a new one. */
async function registryReturns(context) {
  const { world } = context;
  const stage = await Stage.open(context, 'restart', [PA]);

  await stage.live();
  const from = world.weir.entries.length;

  process.kill((await world.weir.pids()).get('registry'), 'SIGKILL');
  await world.weir.waitReady('registry', from).catch(() => null);
  await elapse(2 * settleMs);
  const last = await stage.live(undefined, '-again');

  await stage.stops(stage.apps[0], last?.streamId);
  await elapse(settleMs);
}

/** Acts that go on at the same time. */
export const together = {
  takeOver,
  watch,
  replace,
  copies,
  vanish,
  silent,
  hiccup,
  wrongAcks,
  fails,
  hangs,
  goneForLong,
  afterwards,
  asks,
  leftBehind,
  strangers,
};

/** Acts after those, one by one: they excuse the delays of all others. */
export const alone = { registryReturns };
