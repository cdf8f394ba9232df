// One gateway, people on it who do nothing wrong, and a gauge of what the gateway uses.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { GlassesSim } from '../lib/glasses.mjs';
import { coreToken } from '../lib/jwt.mjs';
import { RawWs } from '../lib/raw_ws.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, World, url } from '../lib/world.mjs';

export const pingMs = 400;
export const pongMs = 2000 * slack;
export const handshakeMs = 2000 * slack;

const MiB = 1 << 20;

/* Freed memory that the allocator keeps; sanitizers keep what was freed on purpose. */
export const rssGrowthMax = (slack > 1 ? 160 : 12) * MiB;

/* Of the canary's device: the firmware's own 60 s without a keep-alive remain as they are. */
const delays = { bootMs: 1, initializingMs: 1, connectMs: 1 };

/* What a peer that behaves may hear while others do not. */
const calm = /^(data_stream|stream_status_check_response|capabilities_update|app_state_change)$/;
const calmGlasses = /^(connection_ack|keep_rtmp_stream_alive|app_state_change|start_rtmp_stream)$/;

/** Glasses and an app with a live stream: whatever others do, they notice nothing. */
class Canary {
  #count = 0;

  static async open(world) {
    const self = new Canary();

    self.world = world;
    self.user = world.user('canary');
    self.phone = await self.user.connect({ Kind: GlassesSim, delays });
    self.app = await self.user.app(PA, { gateway: 1, subscriptions: ['canary'] });
    self.app.request(url);
    await self.app.waitMessage({ type: 'rtmp_stream_status', status: 'active' });
    self.stream = (await self.app.check()).streamInfo.streamId;
    self.from = { app: self.app.entries.length, phone: self.phone.entries.length };
    return self;
  }

  /** A message from the glasses to the app, and a question of the app. */
  async sings() {
    const n = ++this.#count;

    this.phone.send({ type: 'canary', n });
    await this.app.waitFor((e) => e.msg?.type === 'data_stream' && e.msg.data.n === n, 5000, {
      what: `song ${n}`,
    });
    assert.equal((await this.app.check()).streamInfo?.streamId, this.stream);
  }

  /** A ping of the gateway has come: some time has passed for both. */
  beat() {
    return this.phone.waitEvent('ping', 5000, { from: this.phone.entries.length });
  }

  /** To be asked at the end: nothing but what it asked for has reached it. */
  async assertUndisturbed() {
    const heard = (party, from, words) =>
      party.entries
        .slice(from)
        .filter((e) => (e.dir === 'in' && !words.test(e.msg?.type)) || e.event === 'close');

    assert.deepEqual(heard(this.app, this.from.app, calm), []);
    assert.deepEqual(heard(this.phone, this.from.phone, calmGlasses), []);
    const records = await this.world.weir.liveStreams();

    assert.deepEqual(
      records.map((record) => record.stream_id),
      [this.stream],
    );
  }
}

/** What the process @pid uses. */
class Gauge {
  constructor(pid) {
    this.pid = pid;
  }

  #status(name) {
    const text = readFileSync(`/proc/${this.pid}/status`, 'latin1');

    return Number(text.match(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm'))[1]) * 1024;
  }

  rss() {
    return this.#status('VmRSS');
  }

  /** The highest RSS since forgetPeak(). */
  peak() {
    return this.#status('VmHWM');
  }

  forgetPeak() {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
  }

  fds() {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** User and system time; the kernel counts it in hundredths of a second. */
  cpuMs() {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ');

    return (Number(fields[11]) + Number(fields[12])) * 10;
  }
}

export class Stage {
  #hooks = 0; /* connections to webhooks, kept for the next one */

  static async open() {
    const self = new Stage();

    self.world = await World.open({
      gateways: 1,
      config: {
        gateway: { handshake_ms: handshakeMs },
        session: {
          grace_ms: 300,
          glasses_ping_ms: pingMs,
          glasses_pong_ms: pongMs,
          app_ping_ms: pingMs,
        },
      },
    });
    try {
      self.weir = self.world.weir;
      self.port = self.weir.port(1);
      self.tap = self.weir.tap('--type', 'actor.metrics');
      self.canary = await Canary.open(self.world);
      self.gauge = new Gauge((await self.weir.pids()).get('gateway-1'));
      self.before = { rss: self.gauge.rss(), fds: self.gauge.fds() };
    } catch (error) {
      await self.world.close();
      throw error;
    }
    return self;
  }

  /** An upgraded socket at the door of @side ('glasses', 'app'); glasses have their ack. */
  async socket(side, options) {
    const ws = new RawWs(this.port, this.path(side), options);

    this.world.keep(ws);
    await ws.open();
    if (side === 'glasses') await ws.waitMessage('connection_ack');
    return ws;
  }

  path(side) {
    if (side === 'app') return '/app-ws';
    const { email } = this.world.user('stranger');

    return `/glasses-ws?token=${coreToken(email, this.weir.secret)}`;
  }

  /** An app that was started and has had its acknowledgement. */
  async acceptedApp(options) {
    const user = this.world.user('host');
    const sessionId = user.sessionId(PA);

    this.#hooks++;
    await user.connect();
    this.world.host.plan(sessionId, { connect: false });
    user.startApp(PA);
    await this.world.host.waitWebhook(sessionId, 'session_request');
    const ws = await this.socket('app', options);
    const { apiKey } = this.world.apps[PA];

    ws.say({ type: 'tpa_connection_init', sessionId, packageName: PA, apiKey });
    await ws.waitMessage('tpa_connection_ack');
    ws.waitEvent('end', Infinity).then(() => user.phone.close());
    return ws;
  }

  /** What the gateway has counted, by name, as soon as it says so after this. */
  async counters() {
    const from = this.tap.entries.length;
    const metrics = (e) => e.line?.type === 'actor.metrics' && e.line.source.startsWith('gateway');
    const entry = await this.tap.waitFor(metrics, 15000, { from, what: 'metrics of the gateway' });

    return new Map(entry.line.counters);
  }

  /** Everybody is gone but the canary: nothing is kept of them. */
  async assertClean() {
    const patience = performance.now() + 15000 * slack;

    const fdsMax = this.before.fds + this.#hooks;

    while (this.gauge.fds() > fdsMax && performance.now() < patience) await this.canary.beat();
    await this.canary.sings();
    assert.ok(this.gauge.fds() <= fdsMax, `${this.gauge.fds()} descriptors of ${fdsMax}`);
    const grown = this.gauge.rss() - this.before.rss;

    assert.ok(grown <= rssGrowthMax, `RSS grew by ${grown} bytes`);
    await this.canary.assertUndisturbed();
  }

  close() {
    return this.world.close();
  }
}
