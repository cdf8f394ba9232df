// One daemon started by hand, without the supervisor: what it says, and how it ends.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Recorder, parseFrame } from './recorder.mjs';

const binaries =
  process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));

/**
 * A recorder of {event: 'log', line} for everything daemon @binary logs, and {event: 'exit', code,
 * signal} at its end.  It is killed when test @t ends; its .child is the process.
 * @before: a command with arguments that runs it.
 */
export function loneDaemon(t, binary, args, { before = [], env = {} } = {}) {
  const recorder = new Recorder(binary);
  const [command, ...rest] = [...before, join(binaries, binary), ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let unfinished = '';

  recorder.child = child;
  recorder.said = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (data) => {
    const parts = (unfinished + data).split('\n');

    recorder.said += data;
    unfinished = parts.pop();
    for (const text of parts)
      recorder.record({ event: 'log', text, line: parseFrame(text.replace(/^<\d>/, '')) });
  });
  const exit = new Promise((resolve) => {
    child.on('error', (error) => recorder.record({ event: 'log', text: error.message }));
    child.on('close', (code, signal) => resolve(recorder.record({ event: 'exit', code, signal })));
  });

  t.after(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  recorder.exit = exit;
  recorder.waitLog = (event, timeoutMs = 10000) =>
    recorder.waitFor((e) => e.line?.event === event, timeoutMs, { what: event });
  return recorder;
}
