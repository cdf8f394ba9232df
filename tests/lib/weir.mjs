// Starts a whole weir as a black box, through scripts/supervise, in a directory of its own.
//
// WEIR_SCRIPTS names another folder with `supervise` and `weir`, WEIR_BIN_DIR (theirs) another folder
// with the daemons; everything else about the system under test comes from the configuration written
// here.  With WEIR_TEST_KEEP=1 the directory stays, with all that was logged in weir.log.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Recorder, parseFrame, slack } from './recorder.mjs';
import { claimPorts } from './ports.mjs';

const scripts =
  process.env.WEIR_SCRIPTS ?? fileURLToPath(new URL('../../scripts', import.meta.url));
const readyMs = 30000;
const stopMs = 30000;
const subscribedMs = 20000;

/* What no daemon may ever say, whatever the tests do to it. */
const alarming = /AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed|core dumped/;

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function ini(sections) {
  return Object.entries(sections)
    .map(([name, keys]) =>
      [
        `[${name}]`,
        ...Object.entries(keys)
          .filter(([, value]) => value !== undefined)
          .map(([key, value]) => `${key} = ${value}`),
        '',
      ].join('\n'),
    )
    .join('\n');
}

/* Lines of a stream, the unfinished one included as soon as the stream ends. */
function lines(stream, onLine) {
  let rest = '';

  stream.setEncoding('utf8');
  stream.on('data', (data) => {
    const parts = (rest + data).split('\n');

    rest = parts.pop();
    parts.forEach(onLine);
  });
  stream.on('end', () => {
    if (rest) onLine(rest);
  });
}

const readLink = (path) => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

const readText = (path) => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};

export class Weir extends Recorder {
  #child;
  #exit;
  #helpers = new Set();
  #inside; /* where the command line tool runs */

  /**
   * @gateways: how many; gateway N also listens on its own port, see url().
   * @apps: {packageName: {apiKey, webhook, permissions, type, name}}.
   * @config: {section: {key: value}}, laid over the defaults of a test.
   * @publicGateway: the gateway that the session webhook names; 0 = the shared port.
   * @curve: tcp with keys made here, instead of ipc: on loopback, or (a function) at the address of
   * each name.
   * @before: a command with arguments that runs the supervisor, e.g. in a namespace of its own; with
   * @curve, the command line tool too.
   * @only: names of the daemons that are started; see spawnMore().
   */
  static async start({
    gateways = 2,
    apps = {},
    config = {},
    publicGateway = gateways,
    env = {},
    before = [],
    curve = false,
    only,
  } = {}) {
    const self = new Weir('weir');

    self.dir = mkdtempSync(join(tmpdir(), 'weir-'));
    self.runDir = join(self.dir, 'run');
    self.weirPath = join(scripts, 'weir');
    self.gateways = gateways;
    self.secret = randomBytes(32).toString('base64url');
    /* The shared port, and one per gateway above it. */
    self.basePort = await claimPorts(gateways + 1);
    /* The managed-adapter's own, and those of the media server: RTMP, HTTP, control. */
    self.mediaPort = await claimPorts(4);
    self.publicUrl = self.url(publicGateway);
    self.before = before;
    self.only = only;
    self.#inside = curve ? before : [];
    self.#writeFiles(apps, curve ? { ...config, bus: await self.#makeKeys(curve) } : config);
    self.env = curve ? { ...process.env, WEIR_CONF: self.confFile } : process.env;
    self.#spawn(env);
    try {
      await self.#ready();
    } catch (error) {
      await self.kill();
      throw error;
    }
    return self;
  }

  /* A key for every process and for the operator; returns section [bus]. */
  async #makeKeys(at) {
    const actors = ['registry', 'lifecycle-scheduler', 'unmanaged-adapter', 'managed-adapter'];
    const gateways = Array.from({ length: this.gateways }, (_, i) => `gateway-${i + 1}`);
    const host = (name) => (typeof at === 'function' ? at(name) : '127.0.0.1');
    const address = async (name) => `${host(name)}:${await claimPorts(3)}`;
    const bus = { transport: 'tcp', curve_dir: join(this.dir, 'curve') };

    this.curveDir = bus.curve_dir;
    for (const name of [...actors, ...gateways, 'operator']) await this.makeKey(name);
    for (const name of actors) bus[name.replace('-', '_')] = await address(name);
    bus.gateways = (await Promise.all(gateways.map(address))).join(' ');
    return bus;
  }

  /** `weir keys new NAME`, in another folder than our own if @dir is given. */
  async makeKey(name, dir = this.curveDir) {
    const role = name === 'operator' ? ['--role', 'operator'] : [];

    await promisify(execFile)(this.weirPath, ['keys', 'new', name, ...role, '--dir', dir]);
  }

  #writeFiles(apps, config) {
    const secretFile = join(this.dir, 'jwt.secret');
    const appsFile = join(this.dir, 'apps.conf');
    const media = (n) => `127.0.0.1:${this.mediaPort + n}`;
    const base = {
      gateway: {
        listen: `127.0.0.1:${this.basePort}`,
        direct_base_port: this.basePort,
        public_url: this.publicUrl,
        jwt_secret_file: secretFile,
        apps_file: appsFile,
      },
      unmanaged: {},
      session: {},
      managed: { provider: 'none', listen: media(0) },
      local: { rtmp_listen: media(1), http_listen: media(2), control_listen: media(3) },
    };

    for (const [section, keys] of Object.entries(config))
      base[section] = { ...base[section], ...keys };
    writeFileSync(secretFile, this.secret, { mode: 0o600 });
    writeFileSync(
      appsFile,
      ini(
        Object.fromEntries(
          Object.entries(apps).map(([name, app]) => [
            name,
            {
              api_key_sha256: sha256(app.apiKey),
              webhook: app.webhook,
              permissions: app.permissions,
              type: app.type ?? 'background',
              name: app.name ?? name,
            },
          ]),
        ),
      ),
    );
    this.confFile = join(this.dir, 'weir.conf');
    writeFileSync(this.confFile, ini(base));
  }

  /* A killed test takes its weir along: the supervisor gets SIGTERM when this process dies. */
  #up(before, which, runDir, env) {
    const [command, ...rest] = [...before, 'setpriv', '--pdeathsig', 'TERM', '--'];
    const up = [join(scripts, 'supervise'), 'up', '--conf', this.confFile, '--run', runDir];
    const child = spawn(command, [...rest, ...up, ...which, '--log', 'stderr'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, WEIR_TEST_DIR: this.dir },
    });

    lines(child.stderr, (text) => this.record({ event: 'stderr', text }));
    return child;
  }

  /** Another machine: daemons @only in @runDir, by a supervisor that the caller stops. */
  spawnMore(before, only, runDir) {
    return this.#up(before, ['--only', only.join()], runDir, {});
  }

  #spawn(env) {
    const which = this.only ? ['--only', this.only.join()] : ['--gateways', String(this.gateways)];
    const child = this.#up(this.before, which, this.runDir, env);

    this.#child = child;
    lines(child.stdout, (text) => this.record({ event: 'stdout', text }));
    this.#exit = new Promise((resolve) => {
      child.on('error', (error) => this.record({ event: 'stderr', text: error.message }));
      child.on('close', (code, signal) => {
        this.record({ event: 'exit', code, signal });
        resolve({ code, signal });
      });
    });
  }

  async #ready(from = 0) {
    const entry = await this.waitFor(
      (e) => (e.event === 'stdout' && e.text.trim() === 'ready') || e.event === 'exit',
      readyMs,
      { from, what: 'line "ready"' },
    );

    assert.equal(
      entry.event,
      'stdout',
      `weir ended before it was ready; files in ${this.dir}\n${this.log()}`,
    );
  }

  /** Base URL of gateway @n (1...), or of the port that all gateways share (0). */
  url(n = 0) {
    return `ws://127.0.0.1:${this.basePort + n}`;
  }

  httpUrl(n = 0) {
    return this.url(n).replace(/^ws/, 'http');
  }

  port(n = 0) {
    return this.basePort + n;
  }

  log(count = 60) {
    return this.entries
      .filter((e) => e.event === 'stderr' || e.event === 'stdout')
      .slice(-count)
      .map((e) => e.text)
      .join('\n');
  }

  /** Runs scripts/weir ARGS --run DIR; resolves with its stdout. */
  async cli(...args) {
    const [command, ...rest] = [...this.#inside, join(scripts, 'weir')];
    const { stdout } = await promisify(execFile)(
      command,
      [...rest, ...args, '--run', this.runDir],
      /* By force: what ends in order after SIGTERM looks like an answer that is complete. */
      { timeout: 10000 * slack, killSignal: 'SIGKILL', maxBuffer: 1 << 26, env: this.env },
    );

    return stdout;
  }

  /** The records of streams that have not ended, of one user or of all. */
  async liveStreams(user) {
    const records = JSON.parse(await this.cli('ls', '-o', 'json'));

    return records.filter(
      (r) => r.phase !== 'closed' && (user === undefined || r.user_id === user),
    );
  }

  async supervise(command, ...args) {
    const { stdout } = await promisify(execFile)(
      join(scripts, 'supervise'),
      [command, ...args, '--run', this.runDir],
      { timeout: 20000 * slack },
    );

    return stdout;
  }

  /** The process of each daemon, by name. */
  async pids() {
    const status = await this.#status();

    return new Map(status.map(({ name, pid }) => [name, pid]));
  }

  /**
   * Resolves with the log entry that says that the next life of daemon @name is ready.  The old one
   * may have said so itself shortly before, when the registry came back: its words may still be on
   * their way to us.
   */
  async waitReady(name, from = this.entries.length, timeoutMs = 15000) {
    const says = (event) => (e) =>
      e.event === 'stderr' && e.text.includes(`"event":"actor.${event}","actor":"${name}"`);
    const started = await this.waitFor(says('started'), timeoutMs, { from, what: `${name} again` });

    return this.waitFor(says('ready'), timeoutMs, {
      from: this.entries.indexOf(started),
      what: `${name} ready again`,
    });
  }

  /**
   * kill -9 of everything at once, the supervisors included: those first stopped, so that none can
   * start or end anything in between.  Taps go on.
   */
  async killAll() {
    const helpers = new Set([...this.#helpers].map((child) => child.pid));
    const all = () =>
      this.#leftovers().filter((line) => !helpers.has(Number(line.split(' ')[0])));
    const leftovers = all().map((line) => [Number(line.split(' ')[0]), line]);
    const daemons = leftovers.filter(([, line]) => /^\d+ \S*\/weir-/.test(line));

    for (const [pid] of leftovers.filter((one) => !daemons.includes(one)))
      process.kill(pid, 'SIGSTOP');
    for (const [pid] of [...daemons, ...leftovers.filter((one) => !daemons.includes(one))])
      process.kill(pid, 'SIGKILL');
    await this.#exit;
    assert.deepEqual(all(), [], 'all of it was killed');
  }

  /** After killAll(): a second life in the same run directory. */
  async startAgain() {
    const from = this.entries.length;

    this.#spawn({});
    await this.#ready(from);
  }

  /** A recorder of {event:'tap', line} for every event from now on. */
  tap(...args) {
    const recorder = this.#startTap(args, 'pipe');

    lines(recorder.child.stdout, (text) =>
      recorder.record({ event: 'tap', line: parseFrame(text), text }),
    );
    return recorder;
  }

  /** A tap into the file open as @fd, of which only what it says on stderr is recorded. */
  tapInto(fd, ...args) {
    return this.#startTap(args, fd);
  }

  #startTap(args, stdout) {
    const recorder = new Recorder('tap');
    const tap = [join(scripts, 'weir'), 'tap', '-o', 'jsonl', ...args, '--run', this.runDir];
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...tap], {
      stdio: ['ignore', stdout, 'pipe'],
      env: this.env,
      detached: true, /* Ctrl-C is for the test: its recordings end when it says so */
    });

    recorder.child = child;
    this.#helpers.add(child);
    lines(child.stderr, (text) => recorder.record({ event: 'stderr', text }));
    child.on('close', (code) => {
      this.#helpers.delete(child);
      recorder.record({ event: 'exit', code });
    });
    recorder.stop = () => {
      child.kill('SIGTERM');
      return recorder.waitEvent('exit');
    };
    return recorder;
  }

  /** @count taps of everything, once each of them knows where the story stands. */
  async taps(count) {
    const running = Array.from({ length: count }, () => this.tap('--ops'));
    const subscribed = (e) => e.event === 'stderr' && e.text.includes('subscribed');

    await Promise.all(
      running.map((tap) => tap.waitFor(subscribed, subscribedMs, { what: 'tap: subscribed' })),
    );
    return running;
  }

  /* Processes that carry our mark in their environment, arguments or working directory. */
  #leftovers() {
    return (
      readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
        .filter(
          (pid) =>
            readText(`/proc/${pid}/environ`).includes(`WEIR_TEST_DIR=${this.dir}\0`) ||
            readText(`/proc/${pid}/cmdline`).includes(`${this.dir}/`) ||
            readLink(`/proc/${pid}/cwd`).startsWith(this.dir),
        )
        .map((pid) => `${pid} ${readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
        /* A process that ended meanwhile has no arguments any more. */
        .filter((line) => !/^\d+ $/.test(line))
    );
  }

  /* Its exit status is 1 if a daemon is not ready; the answer is the same. */
  async #status() {
    const text = await this.supervise('status', '-o', 'json').catch((error) => error.stdout);

    return parseFrame(text) ?? [{ name: 'supervise', ready: false, restarts: 0, text }];
  }

  /* Daemons that died although no test asked for it, as `status` tells them. */
  async #harmed() {
    const status = await this.#status();

    return status.filter((daemon) => daemon.restarts > 0 || !daemon.ready);
  }

  #keepLog() {
    writeFileSync(join(this.dir, 'weir.log'), `${this.log(Infinity)}\n`);
    return `files in ${this.dir}`;
  }

  /**
   * Ordered stop: exit 0, no process left, and nothing alarming was logged.
   * @unharmed: no daemon may have been restarted; false for tests that kill some.
   */
  async stop({ unharmed = true } = {}) {
    /* In this order: a SIGCONT takes back the SIGSTOP with which the leak check at the end of a
     * sanitized program halts its threads, and then that waits for ever.
     */
    for (const child of this.#helpers) {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
    }
    const harmed = unharmed ? await this.#harmed() : [];

    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMs * slack);
    const { code, signal } = await this.#exit;

    clearTimeout(timer);
    const where = this.#keepLog();
    const alarms = this.entries.filter((e) => alarming.test(e.text ?? '')).map((e) => e.text);

    assert.deepEqual(
      { code, signal },
      { code: 0, signal: null },
      `no ordered stop; ${where}\n${this.log()}`,
    );
    assert.deepEqual(this.#leftovers(), [], `processes left; ${where}`);
    assert.deepEqual(harmed, [], `daemons died; ${where}`);
    assert.deepEqual(alarms, [], where);
    if (!process.env.WEIR_TEST_KEEP) rmSync(this.dir, { recursive: true, force: true });
  }

  /** After a failed start: whatever there is, ended by force, the files kept for a look. */
  async kill() {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#child.kill('SIGKILL');
      for (const line of this.#leftovers()) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    }, 5000 * slack);

    await this.#exit;
    clearTimeout(timer);
  }
}
