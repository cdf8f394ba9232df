// A whole weir with a crowd of simulated users in this process: glasses with live unmanaged
// streams, each with an app of its own.
//
// Sizes come in two: what every CI run can afford, and with CHAOS_FULL=1 the real thing.  What is
// random is drawn from one seed, which is printed; CHAOS_SEED repeats the choices.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Member } from './crowd_member.mjs';
import { now, parseFrame, slack } from './recorder.mjs';
import { Relay } from './relay.mjs';
import { Weir } from './weir.mjs';
import { scaledTimers } from './world.mjs';

export const full = process.env.CHAOS_FULL === '1';
export const rtmpUrl = 'rtmp://ingest.example.com/live/key';

const packageName = 'com.example.cam';
const tickMs = 50;
const openingMax = 64; /* users at a time that come in */
const storiesMax = 3; /* of members, in the text of a failure */

export const seed = Number(process.env.CHAOS_SEED ?? (Date.now() % 1e9) + process.pid);

/** Numbers 0 <= x < 1, the same for the same @from. */
export function randomFrom(from) {
  let state = from >>> 0;

  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);

    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Resolves after @ms: for what shall last so long, never to wait for something to happen. */
export const elapse = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The value below which @part of @values lie. */
export function percentile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);

  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** One line of figures into the test's output, and into the file that CHAOS_FIGURES names. */
export function figures(t, what, values) {
  const rounded = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? Math.round(value * 10) / 10 : value,
    ]),
  );
  const line = JSON.stringify({ what, ...rounded });

  t.diagnostic(line);
  if (process.env.CHAOS_FIGURES) appendFileSync(process.env.CHAOS_FIGURES, `${line}\n`);
}

/**
 * The arithmetic bound (design 1, promise 2) at @scale: from the loss of the glasses to the end of
 * their stream.
 */
export const boundMs = (scale) => 55000 / scale;

export class Crowd {
  #server;
  #ticker;
  #checks = new Set();

  members = [];
  streams = new Map(); /* by id: StreamCount of every stream a member ever heard of */
  packageName = packageName;
  apiKey = 'key-of-the-crowd';
  selfLimit = true; /* devices give up by themselves after 60 s (scaled) without a probe */

  /**
   * @size: users; @scale: divides the domain timers and those of phone and device.
   * @config, @gateways, @before: of Weir.start().
   * @start: instead of Weir.start(); @listens(port) is awaited once the webhooks' port is known.
   * @relayed: glasses connect through this.relay.
   * @Kind: of the members; @fields: of the crowd itself, before anybody is let in.
   */
  static async open(options = {}) {
    const { size, scale, gateways = 2, config = {}, before, relayed, Kind, fields } = options;
    const { start = Weir.start, listens } = options;
    const self = Object.assign(new Crowd(), { Kind: Kind ?? Member }, fields);
    const timers = scaledTimers(scale);

    self.scale = scale;
    self.random = randomFrom(seed);
    await self.#listen();
    timers.registry = { history_rows_max: 10000000 }; /* the audits want all of it */
    /* Apps come back at the SDK's pace, whatever the scale; all at once they may need a while. */
    Object.assign(timers.session, { app_grace_ms: 5000, app_connect_ms: 30000 });
    for (const [section, keys] of Object.entries(config))
      timers[section] = { ...timers[section], ...keys };
    try {
      await listens?.(self.#server.address().port);
      self.weir = await start({
        gateways,
        before,
        publicGateway: 0,
        apps: {
          [packageName]: {
            apiKey: self.apiKey,
            webhook: `http://127.0.0.1:${self.#server.address().port}`,
            permissions: 'CAMERA',
          },
        },
        config: timers,
      });
    } catch (error) {
      self.#server.close();
      throw error;
    }
    self.secret = self.weir.secret;
    if (relayed)
      self.relay = await Relay.start(self.weir.port(0), { random: randomFrom(seed + 1) });
    self.#ticker = setInterval(() => self.#tick(), tickMs);
    await self.add(size);
    return self;
  }

  /** Where glasses connect. */
  url() {
    return this.relay?.url ?? this.weir.url(0);
  }

  #listen() {
    this.#server = createServer((request, response) => {
      let raw = '';

      request.setEncoding('utf8');
      request.on('data', (data) => {
        raw += data;
      });
      request.on('end', () => {
        const body = parseFrame(raw);

        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end('{"status":"success"}');
        this.byEmail.get(body?.userId)?.onWebhook(body);
      });
    });
    this.byEmail = new Map();
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', 1024, resolve);
    });
  }

  /*
   * One look at everything every 50 ms: cheaper for thousands of members than to be told of every
   * message, and late by 50 ms at most.
   */
  #tick() {
    const at = now();

    if (this.selfLimit) for (const member of this.members) member.look(at);
    for (const check of this.#checks) check(at);
  }

  /** Resolves when @predicate is true; @blame: members whose stories explain a failure. */
  until(predicate, timeoutMs, what, blame = () => []) {
    const deadline = now() + timeoutMs * slack;
    const late = new Error(`${what} not within ${timeoutMs} ms (CHAOS_SEED=${seed})`);

    return new Promise((resolve, reject) => {
      const check = (at) => {
        if (!predicate()) {
          if (at < deadline) return;
          late.message += `\n${this.stories(blame())}`;
          reject(late);
        } else resolve();
        this.#checks.delete(check);
      };

      this.#checks.add(check);
    });
  }

  stories(members) {
    return [
      `${members.length} of them; CHAOS_SEED=${seed}; files in ${this.weir.dir}`,
      ...members.slice(0, storiesMax).map((member) => member.story()),
    ].join('\n  ');
  }

  /** Lets @count more users in, with glasses and a running app each. */
  async add(count) {
    const first = this.members.length;
    const fresh = Array.from(
      { length: count },
      (_, i) => new this.Kind(this, `u${first + i}@crowd.example`),
    );
    const pending = [...fresh];
    const worker = async () => {
      for (let member = pending.shift(); member; member = pending.shift()) await this.#open(member);
    };

    this.members.push(...fresh);
    for (const member of fresh) this.byEmail.set(member.email, member);
    await Promise.all(Array.from({ length: openingMax }, worker));
    return fresh;
  }

  async #open(member) {
    member.openGlasses();
    await this.until(() => member.glasses.ready, 30000, 'connection_ack', () => [member]);
    member.startApp();
    await this.until(() => member.app.ready, 30000, 'running app', () => [member]);
  }

  /** Each of @members asks for a stream; resolves when all are live, with their streams. */
  async goLive(members) {
    const pending = [...members];
    const streams = [];
    const worker = async () => {
      for (let member = pending.shift(); member; member = pending.shift()) {
        const outcome = await member.request(rtmpUrl, 30000 * slack);

        assert.equal(outcome.kind, 'accepted', `${outcome.message}\n${this.stories([member])}`);
        streams.push(member.stream(outcome.streamId));
      }
    };

    await Promise.all(Array.from({ length: openingMax }, worker));
    await this.until(
      () => streams.every((stream) => stream.words.active),
      30000,
      'active',
      () => streams.filter((stream) => !stream.words.active).map((stream) => stream.member),
    );
    return streams;
  }

  /** Forgets the distances between probes so far. */
  mark() {
    for (const stream of this.streams.values()) {
      stream.nearestMs = Infinity;
      stream.lastProbeAt = null;
      stream.probes = 0;
    }
  }

  /** Resolves when each of @streams has been probed @count times from now on. */
  async probed(streams, count = 1) {
    const before = new Map(streams.map((stream) => [stream, stream.probes]));
    const missing = () => streams.filter((s) => s.probes < before.get(s) + count);
    const eachMs = 15000 / this.scale;

    await this.until(
      () => missing().length === 0,
      (count + 3) * eachMs + 10000,
      `${count} probes of each of ${streams.length} streams`,
      () => missing().map((stream) => stream.member),
    );
  }

  /** Streams nobody asked to end: each is where it was, and no one was told anything about it. */
  async assertUntouched(streams) {
    const records = new Map((await this.weir.liveStreams()).map((r) => [r.stream_id, r]));
    const lost = streams.filter((stream) => !records.has(stream.id));
    const suspect = streams.filter((stream) => records.get(stream.id)?.phase !== 'live');
    const told = streams.filter((stream) => stream.terminals > 0);
    const disturbed = streams.filter((stream) => stream.starts !== 1 || stream.stops !== 0);
    const stopped = streams.filter(
      (stream) =>
        stream.member.device.streamId !== stream.id || stream.member.device.selfTimeouts > 0,
    );

    for (const [what, some] of Object.entries({ lost, told, disturbed, stopped, suspect }))
      assert.equal(
        some.length,
        0,
        `${what}: ${some[0]?.id}; ${this.stories(some.map((stream) => stream.member))}`,
      );
  }

  /** Nothing has outlived what should have ended it, by the bounds that hold at this scale; owed stops know none. */
  async assertNothingStuck() {
    const bound = (name, seconds) => [`--${name}-bound`, String(Math.ceil(seconds / this.scale))];
    const text = await this.weir.cli(
      ...['ls', '--stuck', '-o', 'json'],
      ...bound('start', 70),
      ...bound('stop', 70),
      ...bound('silent', 35),
    );

    assert.deepEqual(JSON.parse(text), []);
  }

  /** No app may be told the end of a stream twice. */
  assertToldOnce() {
    const twice = [...this.streams.values()].filter((stream) => stream.terminals > 1);

    assert.equal(twice.length, 0, this.stories(twice.map((stream) => stream.member)));
  }

  /* Events of these types that the registry's history has kept, since @from (see weir tap). */
  async #past(from, ...types) {
    const text = await this.weir.cli(
      ...['tap', '--from', from, '--until', '-0s', '-o', 'jsonl'],
      ...types.flatMap((type) => ['--type', type]),
    );
    const events = text.split('\n').filter(Boolean).map(parseFrame);
    const holes = events.filter((event) => event.type.startsWith('tap.'));

    assert.deepEqual(holes, [], 'history with holes');
    return events;
  }

  /** What the registry's history knows of streams: {opened, closed}, by stream id. */
  async history() {
    const events = await this.#past('1', 'stream.opened', 'stream.closed');
    const of = (type) => events.filter((event) => event.type === type);
    const byStream = (some) => new Map(some.map((event) => [event.stream_id, event]));

    return { opened: byStream(of('stream.opened')), closed: byStream(of('stream.closed')) };
  }

  /** How many probes were counted as missed, of whatever stream, since then. */
  async missedSince(wallMs) {
    const moved = await this.#past(`@${Math.floor(wallMs / 1000)}`, 'stream.moved');

    return moved.filter((event) => event.missed > 0).length;
  }

  /**
   * What an app was told is true: every stream it heard of is in the history, and is live exactly
   * if the history does not say that it ended.
   */
  async assertAcknowledged() {
    const { opened, closed } = await this.history();
    const live = new Set((await this.weir.liveStreams()).map((record) => record.stream_id));
    const heard = [...this.streams.values()].filter((stream) => stream.words.initializing);
    const unknown = heard.filter((stream) => !opened.has(stream.id));
    const astray = heard.filter((stream) => closed.has(stream.id) === live.has(stream.id));
    const early = heard.filter((stream) => stream.terminals > 0 && !closed.has(stream.id));

    for (const [what, some] of Object.entries({ unknown, astray, early }))
      assert.equal(
        some.length,
        0,
        `${what}: ${some[0]?.id}; ${this.stories(some.map((stream) => stream.member))}`,
      );
    return { opened, closed, heard };
  }

  /** @options: of Weir.stop(). */
  async close(options) {
    await Promise.all(this.members.map((member) => member.dispose()));
    clearInterval(this.#ticker);
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
    await this.relay?.close();
    await this.weir.stop(options);
  }
}
