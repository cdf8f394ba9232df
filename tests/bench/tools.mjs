// The programs in C that make load and measure: weir-load, weir-floor, bench-*, and the simulator.
//
// They speak in lines of JSON; what they complain about on stderr goes into the error that follows.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Recorder, parseFrame } from '../lib/recorder.mjs';

const stopMs = 15000;
const complaintLines = 15;

/** Where the build is; scripts/bench says so. */
export const buildDir = () => {
  const directory = process.env.WEIR_BENCH_BUILD;

  if (!directory) throw new Error('WEIR_BENCH_BUILD is not set: start this as scripts/bench');
  return directory;
};

/** The path of program @name of the build, e.g. tests/bench/weir-load. */
export function program(name) {
  const path = join(buildDir(), name);

  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`${path} is missing: does this build make it? see tests/bench/README.md`);
  }
  return path;
}

/** A running program that prints lines of JSON: entries {event: 'line', line, text}. */
export class Tool extends Recorder {
  #child;
  #exit;

  /** @name: below the build directory; @before: a command with arguments that runs it. */
  static start(name, args, { before = [] } = {}) {
    const self = new Tool(name.replace(/.*\//, ''));
    const [command, ...rest] = [...before, 'setpriv', '--pdeathsig', 'TERM', '--', program(name)];
    const child = spawn(command, [...rest, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });

    self.#child = child;
    createInterface({ input: child.stdout }).on('line', (text) =>
      self.record({ event: 'line', line: parseFrame(text), text }),
    );
    createInterface({ input: child.stderr }).on('line', (text) =>
      self.record({ event: 'stderr', text }),
    );
    self.#exit = new Promise((resolve) => {
      child.on('error', (error) => self.record({ event: 'stderr', text: error.message }));
      child.on('close', (code, signal) => {
        self.record({ event: 'exit', code, signal });
        resolve({ code, signal });
      });
    });
    return self;
  }

  get pid() {
    return this.#child.pid;
  }

  signal(name) {
    this.#child.kill(name);
  }

  complaints() {
    return this.entries
      .filter((entry) => entry.event === 'stderr')
      .slice(-complaintLines)
      .map((entry) => `\n  ${entry.text}`)
      .join('');
  }

  /** Resolves with the first line of which @predicate(line, text) is true; fails if it ends. */
  async line(predicate, timeoutMs, what, from = 0) {
    const entry = await this.waitFor(
      (e) => e.event === 'exit' || (e.event === 'line' && predicate(e.line, e.text)),
      timeoutMs,
      { what, from },
    );

    if (entry.event === 'exit')
      throw new Error(
        `${this.name} ended (${entry.signal ?? entry.code}) before ${what}${this.complaints()}`,
      );
    return entry;
  }

  /** Resolves with the line of this phase, {at, line}. */
  phase(name, timeoutMs, from = 0) {
    return this.line((line) => line?.phase === name, timeoutMs, `phase "${name}"`, from);
  }

  /** Resolves with {code, signal}, when it ends by itself. */
  ended(timeoutMs) {
    return this.waitEvent('exit', timeoutMs);
  }

  /** Ends it, in order; resolves with {code, signal, line}: the last line it printed. */
  async stop() {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), stopMs);
    const { code, signal } = await this.#exit;

    clearTimeout(timer);
    return { code, signal, line: this.lastLine() };
  }

  lastLine() {
    return this.entries.findLast((entry) => entry.event === 'line')?.line;
  }
}

/** Runs program @name to its end; resolves with {code, lines, text} of what it printed. */
export async function runTool(name, args, timeoutMs) {
  const tool = Tool.start(name, args);

  try {
    const { code, signal } = await tool.ended(timeoutMs);
    const printed = tool.entries.filter((entry) => entry.event === 'line');

    if (code !== 0 && code !== 1)
      throw new Error(`${tool.name} ended with ${signal ?? code}${tool.complaints()}`);
    return {
      code,
      lines: printed.map((entry) => entry.line).filter(Boolean),
      text: printed.map((entry) => entry.text),
    };
  } finally {
    tool.signal('SIGKILL');
  }
}
