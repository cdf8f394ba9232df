// The local provider as a black box: weir-media (nginx) and, beside it, the provider behind a line
// of JSON per call (tests/lib/provider_stage.c).  Both can be killed and started again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimPorts } from './ports.mjs';
import { Recorder, parseFrame, slack } from './recorder.mjs';

const binDir =
  process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The settings that put a media server on five loopback ports from @base on. */
export function mediaConfig(base) {
  return {
    'managed.provider': 'local',
    'managed.private_outputs': 'true',
    'local.rtmp_listen': `127.0.0.1:${base}`,
    'local.http_listen': `127.0.0.1:${base + 1}`,
    'local.control_listen': `127.0.0.1:${base + 2}`,
    'managed.listen': `127.0.0.1:${base + 3}`,
  };
}

/** [pid, arguments] of every process whose arguments hold @word. */
export function processes(word) {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => {
      try {
        return [Number(pid), readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [0, ''];
      }
    })
    .filter(([pid, words]) => pid > 0 && pid !== process.pid && words.includes(word));
}

export class LocalProvider extends Recorder {
  #media;
  #stage;
  #calls = 0;

  static async start(config = {}) {
    const self = new LocalProvider('provider');
    const base = await claimPorts(4);

    self.dir = mkdtempSync(join(tmpdir(), 'weir-local-'));
    self.mediaDir = join(self.dir, 'media');
    self.base = base;
    self.args = Object.entries({ ...mediaConfig(base), ...config }).flatMap(([key, value]) => [
      '--set',
      `${key}=${value}`,
    ]);
    await self.startMedia();
    await self.startStage();
    return self;
  }

  #spawn(name, command, args) {
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
      /* The stage is not where weir-copy is. */
      env: { ...process.env, PATH: `${binDir}:${process.env.PATH}` },
    });
    let rest = '';

    running.add(child);
    child.exited = new Promise((resolve) => {
      /* Not 'close': the orphans of a killed nginx still hold its stderr. */
      child.on('exit', (code, signal) => {
        running.delete(child);
        this.record({ event: 'exit', name, code, signal });
        resolve({ code, signal });
      });
    });
    child.stdin.on('error', () => {});
    child.stdio[3].on('data', () => this.record({ event: 'ready', name }));
    child.stderr.on('data', (data) => this.record({ event: 'log', name, text: String(data) }));
    child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');

      rest = lines.pop();
      for (const text of lines) {
        const { event, address } = parseFrame(text) ?? {};

        this.record(event ? { event: 'said', ...event, address } : { event: text, name });
      }
    });
    return child;
  }

  async startMedia() {
    const from = this.entries.length;

    this.#media = this.#spawn('media', join(binDir, 'weir-media'), [
      '--run',
      this.dir,
      '--notify-fd',
      '3',
      ...this.args,
    ]);
    const entry = await this.waitFor(
      (e) => e.name === 'media' && (e.event === 'ready' || e.event === 'exit'),
      10000,
      { from, what: 'media server' },
    );

    assert.equal(entry.event, 'ready', this.story());
  }

  async startStage() {
    const from = this.entries.length;

    this.#stage = this.#spawn('stage', join(binDir, '../tests/provider_stage'), [
      '--run',
      this.dir,
      ...this.args,
    ]);
    await this.waitFor((e) => e.name === 'stage' && e.event === 'ready', 10000, {
      from,
      what: 'provider',
    });
  }

  get mediaPid() {
    return this.#media.pid;
  }

  async endMedia(signal) {
    this.#media.kill(signal);
    return this.#media.exited;
  }

  async endStage(signal = 'SIGKILL') {
    this.#stage.kill(signal);
    return this.#stage.exited;
  }

  /** Without an answer. */
  tell(command) {
    this.#stage.stdin.write(`${JSON.stringify(command)}\n`);
  }

  settled() {
    this.tell({ type: 'settled' });
  }

  /** Resolves with the answer: {type, outcome, detail, ...}. */
  async call(type, fields = {}) {
    const call = ++this.#calls;

    this.tell({ type: `provider.${type}`, call, ...fields });
    return this.waitFor((e) => e.event === 'said' && e.call === call, 10000, {
      what: `answer to ${type}`,
    });
  }

  /** An input called @id: resolves with its answer, the ingest included. */
  async create(id) {
    const answer = await this.call('create', { stream_id: id, mark: 'test' });

    assert.equal(answer.outcome, 'ok', this.story());
    return answer;
  }

  /** Resolves with the first thing said since @from that has @fields. */
  hint(fields, from = this.entries.length, timeoutMs = 25000) {
    return this.waitFor(
      (e) => e.event === 'said' && Object.entries(fields).every(([key, value]) => e[key] === value),
      timeoutMs,
      { from, what: JSON.stringify(fields) },
    );
  }

  /** Resolves once viewers can watch input @id. */
  async playable(id, timeoutMs = 20000) {
    const deadline = performance.now() + timeoutMs * slack;

    while (!(await this.call('describe', { input_id: id })).playable) {
      assert.ok(performance.now() < deadline, `${id} is not playable\n${this.story()}`);
      await new Promise((resolve) => {
        setTimeout(resolve, 200);
      });
    }
  }

  http(path) {
    return `http://127.0.0.1:${this.base + 1}${path}`;
  }

  async stat() {
    return (await fetch(`http://127.0.0.1:${this.base + 2}/stat`)).text();
  }

  /** All that was ever logged. */
  logs() {
    return this.entries
      .filter((e) => e.event === 'log')
      .map((e) => e.text)
      .join('');
  }

  async stop() {
    this.#stage.stdin.end();
    await this.#stage.exited;
    await this.endMedia('SIGTERM');
    assert.deepEqual(processes(this.dir), [], 'nothing is left');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
