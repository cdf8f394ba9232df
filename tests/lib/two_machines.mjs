// Two machines on this one: network namespaces joined by a veth pair, with weir spread over them by
// `supervise up --only`, tcp with CURVE between them, and partitions made by nftables.
//
//   const machines = await TwoMachines.open();
//   const weir = await machines.startWeir(options);   as Weir.start(): gateway-2 alone is on the second
//   await machines.cut({ from: 1 });                  packets from there to the other are dropped
//   await machines.heal();
//
// This process is on neither: its ports are carried in and out over Unix sockets, which know no network
// namespace (lib/two_machines_door.mjs).
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { slack } from './recorder.mjs';
import { carry } from './two_machines_door.mjs';
import { Weir } from './weir.mjs';

const run = promisify(execFile);
const doorFile = fileURLToPath(new URL('two_machines_door.mjs', import.meta.url));
const addresses = ['198.18.0.1', '198.18.0.2']; /* for benchmarks of devices: nobody routes them */
const tools = ['unshare', 'nsenter', 'ip', 'nft'];
const onFirst = [
  'registry',
  'lifecycle-scheduler',
  'unmanaged-adapter',
  'managed-adapter',
  'gateway-1',
];
const onSecond = ['gateway-2'];
const stopMs = 30000;

/** Why this machine cannot play two, or false. */
export function noTwoMachines() {
  try {
    for (const tool of tools) execFileSync('which', [tool], { stdio: 'pipe' });
    execFileSync('unshare', ['-rn', 'nft', 'add table inet weir'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no user and network namespaces with nftables here: ${String(error.stderr) || error.message}`;
  }
}

const ended = (child) =>
  child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;

/* A process that holds a namespace: the command that ends in @last, which prints a line when it is there. */
async function keeper(...command) {
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', ...command, 'bash', '-c', 'echo && exec sleep infinity'],
    { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
  );

  await once(child.stdout, 'data');
  return child;
}

const into = (pid) => ['nsenter', '-t', String(pid), '-U', '-n', '--preserve-credentials', '--wd=.'];

export class TwoMachines {
  #keepers = [];
  #doors = [];
  #servers = [];
  #second = null;
  #sockets = 0;

  static async open() {
    const self = new TwoMachines();

    self.dir = mkdtempSync(join(tmpdir(), 'weir-machines-'));
    self.#keepers.push(await keeper('unshare', '-rn'));
    const first = self.#keepers[0].pid;

    self.#keepers.push(
      await keeper('nsenter', '-t', String(first), '-U', '--preserve-credentials', 'unshare', '-n'),
    );
    await self.#on(1, 'ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v0', 'netns',
      String(self.#keepers[1].pid));
    for (const machine of [1, 2]) {
      await self.#on(machine, 'ip', 'address', 'add', `${addresses[machine - 1]}/30`, 'dev', 'v0');
      for (const device of ['lo', 'v0']) await self.#on(machine, 'ip', 'link', 'set', device, 'up');
      await self.#on(machine, 'nft', 'add table inet weir');
      await self.#on(
        machine,
        'nft',
        'add chain inet weir in { type filter hook input priority 0; policy accept; }',
      );
    }
    return self;
  }

  /** The command that runs another on machine 1 or 2: Weir.start()'s @before. */
  before(machine) {
    return into(this.#keepers[machine - 1].pid);
  }

  #on(machine, ...command) {
    const [nsenter, ...rest] = this.before(machine);

    return run(nsenter, [...rest, ...command]);
  }

  /**
   * Packets from machine @from to the other arrive no more; with @ports, those of connections to or
   * from these ports alone.
   */
  cut({ from, ports }) {
    const rule = ports ? `tcp sport { ${ports} } drop` : 'drop';
    const more = ports ? [`tcp dport { ${ports} } drop`] : [];
    const source = `add rule inet weir in ip saddr ${addresses[from - 1]}`;

    return this.#on(3 - from, 'nft', [rule, ...more].map((what) => `${source} ${what}`).join('; '));
  }

  /** All packets arrive again. */
  async heal() {
    await Promise.all([1, 2].map((machine) => this.#on(machine, 'nft', 'flush chain inet weir in')));
  }

  /* A process on @machine that carries connections from @listen to @to: ports of its loopback, paths. */
  async #door(machine, listen, to) {
    const [nsenter, ...rest] = this.before(machine);
    const door = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', nsenter, ...rest, process.execPath, doorFile, listen, to].map(String),
      { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
    );

    this.#doors.push(door);
    await once(door.stdout, 'data');
  }

  #socket() {
    return join(this.dir, String(++this.#sockets));
  }

  /** A port of this process's, reached on both machines as the same port of their loopback. */
  async letOut(port) {
    const path = this.#socket();

    this.#servers.push(await carry(path, port));
    for (const machine of [1, 2]) await this.#door(machine, port, path);
  }

  /* The gateways' ports: each its own, and the shared one, which takes turns. */
  async #letIn(weir) {
    const paths = [this.#socket(), this.#socket()];
    let turn = 0;

    for (const machine of [1, 2]) {
      await this.#door(machine, paths[machine - 1], weir.port(machine));
      this.#servers.push(await carry(weir.port(machine), paths[machine - 1]));
    }
    this.#servers.push(await carry(weir.port(0), () => paths[turn++ % 2]));
  }

  /** @options: of Weir.start(), for two gateways; its webhooks must have been let out. */
  async startWeir(options) {
    const weir = await Weir.start({
      ...options,
      gateways: 2,
      before: this.before(1),
      only: onFirst,
      curve: (name) => addresses[onSecond.includes(name) ? 1 : 0],
    });

    await this.#letIn(weir);
    await this.#startSecond(weir);
    return weir;
  }

  async #startSecond(weir) {
    this.runDir = join(weir.dir, 'run-2');
    this.#second = weir.spawnMore(this.before(2), onSecond, this.runDir);
    await weir.waitReady('gateway-2', 0);
  }

  /** The process of a daemon on the second machine: its lock names it. */
  pid(name) {
    return Number(readFileSync(join(this.runDir, `${name}.lock`), 'utf8'));
  }

  /** Stops what runs on the second machine, in order; before Weir.stop(). */
  async stopSecond() {
    if (!this.#second) return;
    const timer = setTimeout(() => this.#second.kill('SIGKILL'), stopMs * slack);

    this.#second.kill('SIGTERM');
    await ended(this.#second);
    clearTimeout(timer);
    assert.equal(this.#second.exitCode, 0, 'an ordered stop of the second machine');
  }

  async close() {
    for (const server of this.#servers) server.close();
    for (const child of [...this.#doors, ...this.#keepers.toReversed()]) {
      child.kill('SIGKILL');
      await ended(child);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
