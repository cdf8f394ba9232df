// What a tap and all parties of a test saw, and what `weir audit` says to it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Resolves with {code, stdout, stderr} of scripts/weir audit. */
export function runAudit(weirPath, args) {
  return new Promise((resolve) => {
    execFile(weirPath, ['audit', ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

const jsonLines = (values) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

/* What recorder @party of @user saw, as `weir audit --clients` reads it. */
function linesOf(party, user) {
  const who = party.packageName ? `app:${party.packageName}` : 'glasses';

  return party.entries
    .map((e) => ({
      t_ms: Math.floor(performance.timeOrigin + e.at),
      user,
      who,
      direction: e.dir ?? e.event,
      message: e.msg,
    }))
    .filter(
      (line) =>
        ['open', 'close'].includes(line.direction) ||
        (['in', 'out'].includes(line.direction) && line.message?.type),
    );
}

export class Audit {
  #tap;
  #parties = [];

  /** Records all of @world from now on; resolves once nothing is overlooked. */
  static async start(world) {
    const self = new Audit();

    self.world = world;
    self.#tap = world.weir.tap('--ops', '--history');
    await self.#tap.waitFor((e) => e.event === 'stderr' && /tap: subscribed/.test(e.text), 10000, {
      what: 'tap: subscribed',
    });
    return self;
  }

  /** @party is one of @user's: glasses or an app. */
  add(party, user) {
    this.#parties.push([party, user.email]);
    return party;
  }

  /** Ends the recording. */
  async stop() {
    await this.#tap.stop();
    this.events = this.#tap.entries.filter((e) => e.event === 'tap').map((e) => e.line);
    this.clients = this.#parties.flatMap(([party, user]) => linesOf(party, user));
  }

  /**
   * Resolves with {code, verdict}, what the judge says of the recording; or of another one made of
   * it: @events, @clients.  @inputDeadlineMs: how long an input may be owed, if not a minute.
   */
  async judge({ events = this.events, clients = this.clients, inputDeadlineMs } = {}) {
    const { dir, weirPath } = this.world.weir;
    const times = this.world.timers.unmanaged;
    const recording = join(dir, 'tap.jsonl');
    const lines = join(dir, 'clients.jsonl');

    writeFileSync(recording, jsonLines(events));
    writeFileSync(lines, jsonLines(clients));
    const { code, stdout, stderr } = await runAudit(weirPath, [
      recording,
      ...['--clients', lines],
      ...['--interval', String(times.keepalive_interval_ms)],
      ...['--ack-timeout', String(times.ack_timeout_ms)],
      ...['--start-deadline', String(times.start_deadline_ms)],
      ...['--stop-deadline', String(times.stop_deadline_ms)],
      ...(inputDeadlineMs ? ['--input-deadline', String(inputDeadlineMs)] : []),
      ...['-o', 'json'],
    ]);

    assert.equal(stderr, '');
    return { code, verdict: JSON.parse(stdout) };
  }
}
