// What is measured: a weir, or the floor, and the processes that load it.
//
// Both have the same face, so that one function measures either: targets, loads, processes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimPorts } from '../lib/ports.mjs';
import { Weir } from '../lib/weir.mjs';
import { Tool } from './tools.mjs';

const loadsMax = 32; /* processes; each has an app and a port of its own */
const socketsPerGateway = 17500; /* of 20,000 descriptors */
const gatewaysMax = 7; /* neighbouring ports that ports.mjs gives, less the shared one */
const portsAtOnce = 8;
const floorReadyMs = 10000;
const never = 600000; /* ms, the most that weir.conf takes: longer than any measurement */

/** Resolves after @ms: for what shall last so long, never to wait for something to happen. */
export const last = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How many gateways hold @sockets, if there are two at least, as there are wherever it matters. */
export const gatewaysFor = (sockets) => Math.max(2, Math.ceil(sockets / socketsPerGateway));

/** Progress, for whoever watches; the figures go to stdout. */
export const say = (text) => process.stderr.write(`bench: ${text}\n`);

/** An app, its key and the port where it hears of its sessions, for each load process. */
async function makeApps(count, directory) {
  const ports = [];

  while (ports.length < count) {
    const base = await claimPorts(portsAtOnce);

    ports.push(...Array.from({ length: portsAtOnce }, (_, i) => base + i));
  }
  return ports.slice(0, count).map((port, i) => {
    const app = { name: `com.example.bench${i}`, apiKey: `key-of-bench-${i}`, port };

    app.keyFile = join(directory, `${app.name}.key`);
    writeFileSync(app.keyFile, app.apiKey, { mode: 0o600 });
    return app;
  });
}

class Stage {
  loads = [];
  #apps;
  #next = 0;

  constructor(apps) {
    this.#apps = apps;
  }

  /**
   * Starts one load process, with an app of its own.
   * @target: which of targets() its users go to; @options: {'late-ms': 100, reconnect: true, ...}.
   */
  load(scenario, { target = 0, ...options }) {
    const app = this.#apps[this.#next++];

    if (!app) throw new Error(`at most ${this.#apps.length} load processes on one stage`);
    const tool = Tool.start('tests/bench/weir-load', [
      scenario,
      ...['--connect', this.targets()[target]],
      ...['--app', app.name],
      ...this.credentials(app),
      ...Object.entries(options)
        .filter(([, value]) => value !== undefined && value !== false)
        .flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, value])),
    ]);

    this.loads.push(tool);
    return tool;
  }

  /** Ends all load processes; resolves with their last lines. */
  async endLoads() {
    const ended = await Promise.all(this.loads.map((load) => load.stop()));

    this.loads = [];
    return ended;
  }
}

export class WeirStage extends Stage {
  /**
   * @interval: of keep-alives in ms; the ack timeout keeps its proportion to it.
   * @config: laid over what all benchmarks need.
   */
  static async open({ gateways, interval, config = {}, directory }) {
    if (gateways > gatewaysMax) throw new Error(`at most ${gatewaysMax} gateways`);
    const apps = await makeApps(loadsMax, directory);
    const self = new WeirStage(apps);
    const sections = benchConfig(interval);

    for (const [name, keys] of Object.entries(config))
      sections[name] = { ...sections[name], ...keys };
    self.weir = await Weir.start({
      gateways,
      publicGateway: 0,
      config: sections,
      apps: Object.fromEntries(
        apps.map(({ name, apiKey, port }) => [
          name,
          { apiKey, webhook: `http://127.0.0.1:${port}`, permissions: 'CAMERA' },
        ]),
      ),
    });
    self.gateways = gateways;
    self.secretFile = join(directory, 'jwt.secret');
    writeFileSync(self.secretFile, self.weir.secret, { mode: 0o600 });
    await self.refresh();
    return self;
  }

  /** Learns the processes anew: after one was started again. */
  async refresh() {
    const pids = await this.weir.pids();

    this.pids = new Map([...pids].filter(([, pid]) => pid));
  }

  targets() {
    return Array.from({ length: this.gateways }, (_, i) => `127.0.0.1:${this.weir.port(i + 1)}`);
  }

  credentials(app) {
    return [
      ...['--secret-file', this.secretFile, '--api-key-file', app.keyFile],
      ...['--webhook', `127.0.0.1:${app.port}`],
    ];
  }

  async close({ unharmed = true } = {}) {
    await this.endLoads();
    await this.weir.stop({ unharmed });
  }
}

/*
 * Everything has its default but: the interval of keep-alives with the ack timeout in proportion;
 * no limit on the requests of a user, who asks here more often than any person; apps that leave
 * are not called back, since one in two sockets can be saved that way where only streams count.
 */
function benchConfig(interval) {
  return {
    unmanaged: {
      keepalive_interval_ms: interval,
      ack_timeout_ms: Math.floor((interval * 2) / 3),
    },
    gateway: { starts_per_min: 100000, starts_burst: 100000 },
    session: { app_grace_ms: never, app_connect_ms: 60000 },
  };
}

export class FloorStage extends Stage {
  static async open({ interval, directory }) {
    const self = new FloorStage(await makeApps(loadsMax, directory));

    self.port = await claimPorts(1);
    self.tool = Tool.start('tests/bench/weir-floor', [
      ...['--listen', `127.0.0.1:${self.port}`],
      ...['--interval-ms', interval],
    ]);
    await self.tool.line((_, text) => text.trim() === 'ready', floorReadyMs, 'line "ready"');
    self.pids = new Map([['floor', self.tool.pid]]);
    return self;
  }

  targets() {
    return [`127.0.0.1:${this.port}`];
  }

  credentials() {
    return ['--open'];
  }

  async close() {
    await this.endLoads();
    await this.tool.stop();
  }
}
