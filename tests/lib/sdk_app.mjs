// A child process with an app on the unmodified SDK (tests/sdk/scripted_app.mjs), driven from a
// test.
//
// A process of its own, because the SDK takes signals, ends the process when it stops, and because
// an app that is killed is one of the things to test.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Recorder, parseFrame } from './recorder.mjs';

const program = fileURLToPath(new URL('../sdk/scripted_app.mjs', import.meta.url));

/** Events in the record are those the app prints, e.g. {event:'status', status, streamId}. */
export class SdkApp extends Recorder {
  #child;
  #serial = 0;

  constructor({ packageName, apiKey }) {
    super(`sdk app ${packageName}`);
    Object.assign(this, { packageName, apiKey, port: 0 });
  }

  /** Starts the process; resolves when its webhook port is open.  A restart keeps the port. */
  async start() {
    const from = this.entries.length;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...process.env,
        APP_PACKAGE: this.packageName,
        APP_KEY: this.apiKey,
        APP_PORT: String(this.port),
      },
    });
    let rest = '';

    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (data) => {
      const parts = (rest + data).split('\n');

      rest = parts.pop();
      for (const text of parts) this.record(parseFrame(text) ?? { event: 'noise', text });
    });
    child.stderr.setEncoding('utf8').on('data', (text) => this.record({ event: 'stderr', text }));
    child.stdin.on('error', () => {}); /* the app may be dead already; 'exit' says so */
    child.on('close', (code, signal) => this.record({ event: 'exit', code, signal }));
    const entry = await this.waitFor((e) => ['listening', 'exit'].includes(e.event), 15000, {
      from,
    });

    if (entry.event === 'exit') throw new Error(`${this.name} did not start\n${this.story()}`);
    this.port = entry.port;
    return this;
  }

  /** Calls a command for one user's session; rejects with the SDK's own words. */
  async call(userId, command, ...args) {
    const id = ++this.#serial;

    this.#child.stdin.write(`${JSON.stringify({ id, userId, command, args })}\n`);
    const { value, error } = await this.waitFor((e) => e.event === 'result' && e.id === id, 10000, {
      what: `result of ${command}`,
    });

    if (error !== undefined) throw new Error(error);
    return value;
  }

  /** What this app knows of one user. */
  of(userId) {
    return new SdkSession(this, userId);
  }

  async kill(signal = 'SIGKILL') {
    const from = this.entries.length;

    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await this.waitEvent('exit', 5000, { from });
  }

  dispose() {
    return this.kill();
  }
}

/** One user's part of the record of an SdkApp. */
export class SdkSession {
  constructor(app, userId) {
    this.app = app;
    this.userId = userId;
  }

  call(command, ...args) {
    return this.app.call(this.userId, command, ...args);
  }

  /** This user's events of these names, in order. */
  events(...names) {
    return this.app.entries.filter((e) => e.userId === this.userId && names.includes(e.event));
  }

  /** The words of all stream statuses so far. */
  get statuses() {
    return this.events('status').map((e) => e.status);
  }

  /** Resolves with the @count-th event of this name. */
  async wait(event, count = 1, timeoutMs = 5000) {
    await this.app.waitFor(() => this.events(event).length >= count, timeoutMs, {
      what: `${event} number ${count} of ${this.userId}`,
    });
    return this.events(event)[count - 1];
  }

  waitStatus(status, timeoutMs = 5000, { from = 0 } = {}) {
    return this.app.waitFor(
      (e) => e.event === 'status' && e.userId === this.userId && e.status === status,
      timeoutMs,
      { from, what: `status ${status} of ${this.userId}` },
    );
  }
}
