// A registry that says what a test tells it to (fake_registry.c), and `weir` run against it.
//
// WEIR_FAKE_REGISTRY and WEIR_BIN_DIR name other builds of the two programs.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Recorder, slack } from './recorder.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fakeBinary = process.env.WEIR_FAKE_REGISTRY ?? join(root, 'build/tests/fake_registry');
export const launcher = join(root, 'scripts/weir');

/** A child process whose lines are recorded: {stream: 'out' | 'err', text, json}, {exit, signal}. */
class Lines extends Recorder {
  constructor(name, child) {
    super(name);
    this.child = child;
    this.stdout = this.stderr = '';
    for (const stream of ['out', 'err']) {
      const from = child[`std${stream}`];
      let rest = '';

      from.setEncoding('utf8');
      from.on('data', (data) => {
        const parts = (rest + data).split('\n');

        this[`std${stream}`] += data;
        rest = parts.pop();
        for (const text of parts) this.record({ stream, text, json: parse(text) });
      });
    }
    child.on('close', (exit, signal) => this.record({ exit, signal }));
  }

  /** Resolves with the exit code. */
  async exited(timeoutMs = 10000) {
    const entry = await this.waitFor((e) => 'exit' in e, timeoutMs, { what: 'exit' });

    return entry.exit;
  }

  /** The objects printed on stdout so far. */
  get objects() {
    return this.entries.filter((e) => e.stream === 'out' && e.json).map((e) => e.json);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export class FakeRegistry extends Lines {
  /** Starts one in a run directory of its own. */
  static async open() {
    const run = mkdtempSync(join(tmpdir(), 'weir-cli-'));
    const child = spawn(fakeBinary, [run], { stdio: ['pipe', 'pipe', 'pipe'] });
    const fake = new FakeRegistry('fake registry', child);

    fake.run = run;
    fake.clis = new Set();
    await fake.waitFor((e) => e.json?.done === 'start', 10000);
    return fake;
  }

  async close() {
    for (const cli of this.clis) {
      cli.child.kill('SIGKILL');
      await cli.exited();
    }
    this.child.stdin.end();
    const code = await this.exited();

    rmSync(this.run, { recursive: true });
    if (code !== 0) throw new Error(`fake_registry: ${code}: ${this.stderr}`);
  }

  /** Resolves once it is done. */
  async does(what, members = {}) {
    const from = this.entries.length;

    this.child.stdin.write(`${JSON.stringify({ do: what, ...members })}\n`);
    await this.waitFor((e) => e.json?.done === what, 10000, { from, what: `done ${what}` });
  }

  /** The next message of that type that reached one of its ROUTERs. */
  async gets(type, from = 0) {
    const entry = await this.waitFor((e) => e.json?.got?.type === type, 10000, { from, what: type });

    return entry.json;
  }

  /** Starts `weir ARGS`; @options as of spawn. */
  start(args, options = {}) {
    const child = spawn(launcher, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
      env: { ...process.env, WEIR_RUN_DIR: this.run, TZ: 'UTC', ...options.env },
    });
    const cli = new Lines(`weir ${args.join(' ')}`, child);

    this.clis.add(cli);
    child.on('close', () => this.clis.delete(cli));
    return cli;
  }

  /** Runs `weir ARGS` to its end. */
  async weir(args, options) {
    const cli = this.start(args, options);
    const code = await cli.exited(20000 * slack);

    return { code, stdout: cli.stdout, stderr: cli.stderr, objects: cli.objects };
  }

  /** Starts `weir tap ARGS`; resolves once it is subscribed. */
  async tap(args, options) {
    const cli = this.start(['tap', ...args], options);

    cli.ready = cli.waitFor((e) => e.text === 'tap: subscribed', 10000, { what: 'subscribed' });
    cli.ready.catch(() => {});
    await Promise.race([
      cli.ready,
      cli.exited().then((code) => {
        throw new Error(`weir tap ended with ${code}: ${cli.stderr}`);
      }),
    ]);
    return cli;
  }
}
