// A running weir with a set of known apps, and users that are made as a test needs them.
//
// Every test takes a user of its own, so the tests of a file can run at the same time against the
// same weir.  Glasses are put on gateway 1 and apps on gateway 2 unless a test says otherwise.
import { Weir } from './weir.mjs';
import { Phone } from './phone.mjs';
import { AppHost } from './raw_app.mjs';
import { FakeCloudflare } from './fake_cloudflare.mjs';
import { Transcript } from './transcript.mjs';
import * as expect from './expect.mjs';

export const PA = 'com.example.cam';
export const PB = 'com.example.second';
export const PC = 'com.example.third';
export const ALL = 'com.example.allpermissions';
export const NOCAM = 'com.example.nocamera';
export const STANDARD1 = 'com.example.standard1';
export const STANDARD2 = 'com.example.standard2';
export const LONG1 = `com.example.${'l'.repeat(50)}.one`;
export const LONG2 = `com.example.${'l'.repeat(50)}.two`;
export const DASHBOARD = 'com.example.dashboard';

const cast = {
  [PA]: { permissions: 'CAMERA' },
  [PB]: { permissions: 'CAMERA' },
  [PC]: { permissions: 'CAMERA' },
  [ALL]: { permissions: 'ALL' },
  [NOCAM]: {},
  [STANDARD1]: { permissions: 'CAMERA', type: 'standard' },
  [STANDARD2]: { permissions: 'CAMERA', type: 'standard' },
  [LONG1]: { permissions: 'CAMERA' },
  [LONG2]: { permissions: 'CAMERA' },
};

const dashboard = { [DASHBOARD]: { permissions: 'ALL', type: 'system_dashboard' } };

const withKeys = (apps) =>
  Object.fromEntries(
    Object.entries(apps).map(([name, app], index) => [
      name,
      { ...app, apiKey: `key-${index}-of-${name}` },
    ]),
  );

/**
 * How many tests of one file run at a time: those that only exchange messages, those that mostly
 * wait for a timer, and something between (of suites, and within each).  `concurrency: true` would
 * mean the number of processors less one.
 */
export const busy = { concurrency: 6 };
export const waiting = { concurrency: 64 };
export const mixed = { concurrency: 4 };

const vendorConfig = (vendor) => ({ managed: { provider: 'cloudflare' }, ...vendor.config() });

const keepalive = (scale) => ({
  keepalive_interval_ms: 15000 / scale,
  ack_timeout_ms: 10000 / scale,
  missed_max: 3,
  start_deadline_ms: 60000 / scale,
  stop_deadline_ms: 60000 / scale,
});

/** The protocol's constants (section 12) divided by @scale. */
export function scaledTimers(scale) {
  return {
    unmanaged: keepalive(scale),
    managed: {
      ...keepalive(scale),
      poll_interval_ms: 2000 / scale,
      playback_deadline_ms: 60000 / scale,
    },
    session: {
      grace_ms: 60000 / scale,
      app_grace_ms: 5000 / scale,
      app_connect_ms: 5000,
      empty_subscription_grace_ms: 8000 / scale,
    },
  };
}

/** One user: the phone, the apps, and shortcuts for what almost every test does first. */
export class User {
  constructor(world, email) {
    this.world = world;
    this.email = email;
  }

  sessionId(packageName) {
    return `${this.email}-${packageName}`;
  }

  phoneOptions(gateway, options) {
    return {
      url: this.world.weir.url(gateway),
      user: this.email,
      secret: this.world.weir.secret,
      ...options,
    };
  }

  /** Connects glasses on @gateway; @report false leaves the connection state unknown. */
  async connect({ gateway = 1, report = true, Kind = Phone, ...options } = {}) {
    const phone = new Kind(this.phoneOptions(gateway, options));

    this.world.keep(phone);
    await phone.connect();
    if (report) phone.sendState();
    this.phone = phone;
    return phone;
  }

  /** Starts an app as the phone does and resolves with its acknowledged socket. */
  async app(packageName, { gateway = 2, subscriptions } = {}) {
    const { host, weir } = this.world;
    const sessionId = this.sessionId(packageName);
    const from = host.entries.length;
    const started = this.nextStateChange();

    host.plan(sessionId, { url: `${weir.url(gateway)}/app-ws` });
    this.startApp(packageName);
    const app = await host.nextApp(sessionId, { from });

    await started;
    if (subscriptions) {
      /* The only sign that the cloud has taken them over (protocol 2.5). */
      const taken = this.nextStateChange();

      app.subscribe(subscriptions);
      await taken;
    }
    return app;
  }

  startApp(packageName) {
    return this.phone.send({ type: 'start_app', packageName, timestamp: new Date().toISOString() });
  }

  stopApp(packageName) {
    return this.phone.send({ type: 'stop_app', packageName, timestamp: new Date().toISOString() });
  }

  /** The next app_state_change: one follows every app start, stop and subscription (1.6). */
  nextStateChange() {
    return this.phone.waitMessage('app_state_change', 6000, { from: this.phone.entries.length });
  }
}

export class World {
  #disposables = [];
  #users = 0;

  /**
   * @scale: of the domain timers, see scaledTimers(); @config is laid over them.
   * @withDashboard: adds an app of type system_dashboard.
   * @curve, @env, @before: see Weir.start().
   * @vendor: options of a FakeCloudflare that managed streams are made at; it is then world.vendor.
   */
  static async open({
    scale = 1,
    config = {},
    gateways = 2,
    publicGateway,
    withDashboard = false,
    curve = false,
    env,
    before,
    vendor,
  } = {}) {
    const self = new World();
    const apps = withKeys(withDashboard ? { ...cast, ...dashboard } : cast);
    const timers = scaledTimers(scale);

    self.scale = scale;
    self.apps = apps;
    self.host = await AppHost.start(apps);
    for (const [name, app] of Object.entries(apps)) app.webhook = self.host.base(name);
    if (vendor) self.vendor = await FakeCloudflare.start(vendor);
    for (const sections of [self.vendor ? vendorConfig(self.vendor) : {}, config])
      for (const [section, keys] of Object.entries(sections))
        timers[section] = { ...timers[section], ...keys };
    self.timers = timers;
    try {
      self.weir = await Weir.start({
        gateways,
        apps,
        config: timers,
        publicGateway,
        curve,
        env,
        before,
      });
    } catch (error) {
      await self.host.stop();
      await self.vendor?.close();
      throw error;
    }
    return self;
  }

  /** Something with dispose() that ends with this world. */
  keep(thing) {
    this.#disposables.push(thing);
    return thing;
  }

  /** A user nobody has used before; @label makes failures readable. */
  user(label = 'user') {
    return new User(this, `${label}.${++this.#users}@example.com`);
  }

  transcript() {
    return new Transcript({ scale: this.scale });
  }

  /** @options: of Weir.stop(). */
  async close(options) {
    await Promise.all(this.#disposables.map((thing) => thing.dispose()));
    await this.host.stop();
    await this.weir.stop(options);
    await this.vendor?.close();
  }

  /**
   * The stage of most transcripts: a user with glasses, apps that run, and a party for each.
   * @apps: {name: {package, subscriptions}}; returns {user, phone, t, g, a, b, ...}, where g, a, b
   * are parties of the transcript t, and their recorders are phone, apps.a, apps.b.  this.appParty:
   * options of the apps' parties.
   */
  async stage(label, { apps = { a: PA }, subscriptions = {}, glasses = {}, appGateway = 2 } = {}) {
    const user = this.user(label);
    const phone = await user.connect(glasses);
    const running = {};

    for (const [name, packageName] of Object.entries(apps)) {
      running[name] = await user.app(packageName, {
        gateway: appGateway,
        subscriptions: subscriptions[name],
      });
    }
    const t = this.transcript();
    const parties = Object.fromEntries(
      Object.entries(running).map(([name, app]) => [name, t.party(app, this.appParty)]),
    );

    return {
      user,
      phone,
      t,
      apps: running,
      ...parties,
      U: user.email,
      g: t.party(phone, { ignore: ['app_state_change'] }),
    };
  }
}

export const url = 'rtmp://ingest.example.com/live/key';

/**
 * Plays the first lines of most transcripts: request, start, initializing, streaming, active.
 * @owner, @ownerApp: party and socket of the requesting app; @copies: {party: packageName} of the
 * subscribers.  The moment of the glasses' `streaming` becomes the mark 'active'.
 */
export async function goLive(
  s,
  { id = '$S1', name = 'a', packageName = PA, copies = {}, rtmpUrl = url } = {},
) {
  const { t, g, phone, U } = s;

  t.act(() => s.apps[name].request(rtmpUrl));
  await g.gets(expect.start(U, packageName, id, rtmpUrl));
  await toEverybody(s, { id, name, packageName, copies, word: 'initializing' });
  t.mark(
    'active',
    t.act(() => phone.status('streaming', { streamId: t.id(id) })),
  );
  await toEverybody(s, { id, name, packageName, copies, word: 'active' });
}

/** The direct status to the owner, then the copies to the subscribers (protocol 4.3). */
export async function toEverybody(
  s,
  { id = '$S1', name = 'a', packageName = PA, copies = {}, word, timer },
) {
  await s[name].gets(expect.status(s.U, packageName, id, word), { timer });
  for (const [party, subscriber] of Object.entries(copies))
    await s[party].gets(expect.copy(s.U, subscriber, packageName, id, word), { timer });
}
