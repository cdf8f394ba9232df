// The Cloudflare provider alone, behind a line of JSON per call (tests/lib/provider_stage.c).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimPorts } from './ports.mjs';
import { Recorder, parseFrame, slack } from './recorder.mjs';

const binDir =
  process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));
const running = new Set();

/** What a failed test left: end it, or node waits for it. */
export function endStages() {
  for (const child of running) child.kill('SIGKILL');
}

process.on('exit', endStages);

export class CloudflareStage extends Recorder {
  #child;
  #exited;
  #calls = 0;

  /**
   * @vendor: {config()} as of FakeCloudflare; @config: {'section.key': value}, beside and above it;
   * @env: beside this process's.
   */
  static async start(vendor, config = {}, env = {}) {
    const self = new CloudflareStage('provider');
    const port = await claimPorts();
    const { cloudflare } = vendor.config();

    self.dir = mkdtempSync(join(tmpdir(), 'weir-cloudflare-'));
    self.listen = `127.0.0.1:${port}`;
    self.settings = {
      'managed.provider': 'cloudflare',
      'managed.listen': self.listen,
      ...Object.fromEntries(Object.entries(cloudflare).map(([k, v]) => [`cloudflare.${k}`, v])),
      ...config,
    };
    self.#spawn(env);
    const entry = await self.waitFor((e) => e.event === 'ready' || 'exit' in e, 10000 * slack, {
      what: 'readiness',
    });

    self.ready = entry.event === 'ready';
    return self;
  }

  /** A file with @text in the stage's directory, for its owner alone. */
  static secretFile(text) {
    const file = join(mkdtempSync(join(tmpdir(), 'weir-secret-')), 'secret');

    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  #spawn(env) {
    const sets = Object.entries(this.settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', join(binDir, '../tests/provider_stage'), '--run', this.dir, ...sets],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } },
    );
    let rest = '';

    running.add(child);
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stderr.on('data', (data) => this.record({ event: 'log', text: String(data) }));
    child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');

      rest = lines.pop();
      for (const text of lines) {
        const { event, address } = parseFrame(text) ?? {};

        this.record(event ? { event: 'said', ...event, address } : { event: text });
      }
    });
    this.#exited = new Promise((resolve) => {
      child.on('close', (exit) => {
        running.delete(child);
        this.record({ exit });
        resolve(exit);
      });
    });
  }

  tell(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** Resolves with the answer: {type, outcome, detail, ...}. */
  call(type, fields = {}, timeoutMs = 10000) {
    const call = ++this.#calls;

    this.tell({ type: `provider.${type}`, call, ...fields });
    return this.waitFor((e) => e.event === 'said' && e.call === call, timeoutMs * slack, {
      what: `answer to ${type}`,
    });
  }

  create(streamId) {
    return this.call('create', { stream_id: streamId, mark: 'mark' });
  }

  /** The whole list: {outcome, inputs, pages}. */
  async list() {
    const inputs = [];
    let page = 0;

    for (let pages = 1; ; pages++) {
      const answer = await this.call('list', { page });

      inputs.push(...(answer.inputs ?? []));
      page = answer.next_page ?? 0;
      if (answer.outcome !== 'ok' || page === 0) return { ...answer, inputs, pages };
    }
  }

  /** Hints since @from. */
  hint(fields, from = 0) {
    return this.waitFor(
      (e) => e.type === 'provider.hint' && Object.keys(fields).every((k) => e[k] === fields[k]),
      5000 * slack,
      { from, what: JSON.stringify(fields) },
    );
  }

  logs() {
    return this.entries
      .filter((e) => e.event === 'log')
      .map((e) => e.text)
      .join('');
  }

  /** Ends it as it is; resolves with the exit code. */
  async end(signal) {
    if (signal) this.#child.kill(signal);
    else this.#child.stdin.end();
    const code = await this.#exited;

    rmSync(this.dir, { recursive: true, force: true });
    return code;
  }

  /** Ends it; nothing secret and no sanitizer's complaint may have been written. */
  async stop(...secrets) {
    assert.equal(await this.end(), 0, this.story());
    assert.doesNotMatch(this.logs(), /Sanitizer|runtime error:/);
    for (const secret of secrets) assert.ok(!this.logs().includes(secret), `${secret} was logged`);
  }
}
