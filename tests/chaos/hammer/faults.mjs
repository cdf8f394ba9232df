// What is done to a running weir: each fault is over when its promise resolves.
//
// All choices come from one generator, in one order, so a seed repeats them; what they hit depends on
// the moment all the same.
import { elapse, randomFrom, seed } from '../../lib/crowd.mjs';

const range = (least, most) => ({ least, most });

/* How long faults last, in real time (scaled down with everything else), and how many they hit. */
const stopMs = range(1000, 15000);
const providerMs = range(2000, 10000);
const diskMs = range(2000, 8000);
const weatherMs = range(3000, 10000);
const deafMs = range(2000, 8000);
const awayMs = range(8000, 40000);
const goneMs = range(70000, 90000); /* longer than any stream can do without its glasses */
const gonePart = 0.3;
const pairPart = 0.35;
const readyMs = 60000; /* of a daemon whose registry may be stopped meanwhile */
const hitPart = 0.1; /* of the users */
const faultyPart = 0.6; /* of the calls while the provider is faulty */

const daemons = ['registry', 'lifecycle-scheduler', 'unmanaged-adapter', 'managed-adapter', 'gateway-1', 'gateway-2'];

/* Calls that may have taken effect leave a debt until it is proven that they have not. */
const providerFaults = {
  'provider 429': { status: 429, code: 10429, headers: { 'retry-after': '2' } },
  'provider 500': { status: 500 },
  'provider 503 with effect': { status: 503, effect: true, unsure: true },
  'provider reset before': { lost: 'before', unsure: true },
  'provider reset after': { lost: 'after', unsure: true },
  'provider time-out': { hang: true, unsure: true },
  'provider garbage': { body: '<html>\u0000not JSON', unsure: true },
  'provider wrong types': { change: () => ({ success: 1, result: [[]], errors: {} }), unsure: true },
  'provider slow': { delayMs: 1500 },
};

/* Weights; `everything` comes alone. */
const kinds = [
  [24, 'kill'],
  [20, 'stop'],
  [14, 'vanish'],
  [10, 'deaf'],
  [16, 'provider'],
  [6, 'disk'],
  [10, 'weather'],
  [2, 'everything'],
];

export class Faults {
  #running = new Map(); /* promise -> kind */
  #busy = new Set(); /* what is under a fault: daemons, and kinds of which there is one at a time */

  counts = {};
  kills = new Map(); /* by daemon, since everything was started */

  /**
   * @small: no fault that needs minutes to be proven harmless; @note: is told each of them;
   * @smallDisk: null if there can be none.
   */
  constructor({ crowd, vendor, smallDisk, small, note }) {
    Object.assign(this, { crowd, vendor, smallDisk, small, note });
    this.random = randomFrom(seed + 2);
    this.callRandom = randomFrom(seed + 3); /* how many calls there are nobody can tell */
  }

  get weir() {
    return this.crowd.weir;
  }

  #draw({ least, most }) {
    return (least + this.random() * (most - least)) / this.crowd.scale;
  }

  #pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  #some() {
    return this.crowd.members.filter(() => this.random() < hitPart);
  }

  /** Begins one fault, or two at the same time; resolves when that can be followed by others. */
  async strike() {
    const chosen = [this.#kind()];

    if (this.random() < pairPart) chosen.push(this.#kind());
    for (const kind of chosen) {
      const done = this.#begin(kind);

      if (kind === 'everything') return done;
    }
    return undefined;
  }

  #kind() {
    let left = this.random() * kinds.reduce((sum, [weight]) => sum + weight, 0);

    return kinds.find(([weight]) => (left -= weight) < 0)[1];
  }

  #begin(kind) {
    const done = this[kind]()
      .catch((error) => {
        this.failed ??= error;
      })
      .finally(() => this.#running.delete(done));

    this.#running.set(done, kind);
    return done;
  }

  /** Resolves when no fault is under way. */
  async idle() {
    await Promise.all(this.#running.keys());
  }

  #count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    this.note(what);
  }

  /* Runs @what unless something is being done to @key already. */
  async #alone(key, what) {
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    try {
      await what();
    } finally {
      this.#busy.delete(key);
    }
  }

  async #signal(name, signal) {
    const pid = (await this.weir.pids()).get(name);

    if (pid) process.kill(pid, signal);
    return pid;
  }

  kill() {
    const name = this.#pick(daemons);

    return this.#alone(name, async () => {
      const from = this.weir.entries.length;

      if (!(await this.#signal(name, 'SIGKILL'))) return;
      this.#count(`kill ${name}`);
      this.kills.set(name, (this.kills.get(name) ?? 0) + 1);
      await this.weir.waitReady(name, from, readyMs);
    });
  }

  stop() {
    const name = this.#pick(daemons);
    const ms = this.#draw(stopMs);

    return this.#alone(name, async () => {
      const pid = await this.#signal(name, 'SIGSTOP');

      if (!pid) return;
      this.#count(`stop ${name}`);
      await elapse(ms);
      process.kill(pid, 'SIGCONT');
    });
  }

  async vanish() {
    const users = this.#some();
    const times = users.map(() => this.#draw(this.random() < gonePart ? goneMs : awayMs));

    this.#count('glasses vanish');
    await Promise.all(users.map((user, i) => user.vanish(times[i])));
  }

  async deaf() {
    const users = this.#some();
    const ms = this.#draw(deafMs);

    this.#count('apps stop reading');
    for (const user of users) user.goDeaf(ms);
    await elapse(ms);
  }

  provider() {
    const possible = Object.keys(providerFaults).filter((name) => !(this.small && providerFaults[name].unsure));
    const name = this.#pick(possible);
    const ms = this.#draw(providerMs);
    const { unsure: _unsure, ...fault } = providerFaults[name];

    return this.#alone('provider', async () => {
      this.#count(name);
      this.vendor.fault('any', { times: Infinity, match: () => this.callRandom() < faultyPart, ...fault });
      await elapse(ms);
      this.vendor.mend();
    });
  }

  disk() {
    const ms = this.#draw(diskMs);

    return this.#alone('disk', async () => {
      if (!this.smallDisk) return;
      this.#count('disk full');
      this.smallDisk.fill();
      await elapse(ms);
      this.smallDisk.free();
    });
  }

  weather() {
    const ms = this.#draw(weatherMs);
    const lossy = this.random() < 0.5;
    const { scale } = this.crowd;

    return this.#alone('weather', async () => {
      this.#count(lossy ? 'links lose packets' : 'links are slow');
      this.crowd.relay.weather = lossy ? { lossPart: 0.1 } : { delayMs: 500 / scale, jitterMs: 300 / scale };
      await elapse(ms);
      this.crowd.relay.weather = {};
    });
  }

  /* What is being done to daemons has its own end first, and nothing begins meanwhile. */
  everything() {
    const others = [...this.#running].filter(([, kind]) => ['kill', 'stop'].includes(kind));

    return this.#alone('everything', async () => {
      await Promise.all(others.map(([done]) => done));
      this.#count('everything');
      await this.weir.killAll();
      await this.weir.startAgain();
      this.kills.clear();
    });
  }
}
