// Runs a weir under a crowd that never rests, with faults or without (hammer and soak), and judges it.
import assert from 'node:assert/strict';
import { createWriteStream, mkdirSync, openSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { runAudit } from '../../lib/audit.mjs';
import { Crowd, elapse, randomFrom, seed } from '../../lib/crowd.mjs';
import { FakeCloudflare } from '../../lib/fake_cloudflare.mjs';
import { now, slack } from '../../lib/recorder.mjs';
import { SmallDisk, noSmallDisk } from '../../lib/small_disk.mjs';
import { scaledTimers } from '../../lib/world.mjs';
import { canaries, huntOf, leaks, leftIn } from './canaries.mjs';
import { Faults } from './faults.mjs';
import { storyOf } from './story.mjs';
import { HammerUser } from './user.mjs';
import { Vitals } from './vitals.mjs';

const gateways = 2;
const lookMs = 250;
const sampleMs = 10000;
const minuteMs = 60000;
const vendorEntriesMax = 10000; /* kept of what the provider was asked */
const diskMib = 128;
const silenceS = 20; /* more than an interval between probes */
/* A stream ends within its deadlines; what may have been made at the provider is proven in a minute. */
const settleMs = 200000;

/** Options: those of a profile (profiles.mjs), @out: a directory, @say: is told what happens. */
export class Hammer {
  #over = false;
  #began = now();
  #lines = 0;

  violations = [];

  static async open(options) {
    const self = Object.assign(new Hammer(), {
      ...{ faults: true, scale: 1, small: false, say: () => {} },
      ...options,
    });

    mkdirSync(self.out, { recursive: true });
    self.files = Object.fromEntries(
      ['tap.jsonl', 'clients.jsonl', 'weir.log', 'vitals.json', 'summary.json'].map((name) => [
        name,
        join(self.out, name),
      ]),
    );
    self.vitals = new Vitals({ warmUpMs: self.warmUpMs });
    self.clients = createWriteStream(self.files['clients.jsonl']);
    await self.#openWeir();
    return self;
  }

  #config() {
    const { cloudflare } = this.vendor.config();
    const webhookSecret = join(this.vendor.dir, 'webhook');

    writeFileSync(webhookSecret, `${canaries.webhookSecret}\n`, { mode: 0o600 });
    return {
      registry: {
        history_rows_max: 100000,
        store: this.smallDisk ? `sqlite:${this.smallDisk.path}/registry.db` : undefined,
      },
      managed: {
        provider: 'cloudflare',
        reconcile_interval_s: 5,
        leak_age_s: 30,
        provisions_per_user_per_min: 1000,
        provisions_per_min: 10000,
        owed_per_user_max: 32,
        poll_interval_ms: this.pollMs / this.scale,
      },
      cloudflare: {
        ...cloudflare,
        /* One account allows polls of some ten streams: with its real limit all would wait for that. */
        requests_per_5min: 100000,
        recording_wait_s: 0,
        webhook_secret_file: webhookSecret,
      },
      gateway: { starts_per_min: 600, starts_burst: 100 },
    };
  }

  async #openWeir() {
    const { vendorToken: token, keyMark, apiKey } = canaries;
    const clientLine = (member, party, direction, message) => this.#onClient(member, party, direction, message);

    this.vendor = await FakeCloudflare.start({ token, keyMark });
    this.smallDisk = this.faults && !noSmallDisk() ? await SmallDisk.open({ mib: diskMib }) : null;
    this.crowd = await Crowd.open({
      ...{ size: 0, scale: this.scale, gateways, config: this.#config(), relayed: this.faults },
      /* A session of its own: Ctrl-C is for us, and what runs is ended in order. */
      before: ['setsid', ...(this.smallDisk?.before ?? [])],
      Kind: HammerUser,
      fields: { apiKey, pace: this.pace, saw: this.faults ? clientLine : undefined },
    });
    if (this.faults) await this.#record();
    await this.crowd.add(this.glasses);
  }

  get weir() {
    return this.crowd.weir;
  }

  async #record() {
    const fd = openSync(this.files['tap.jsonl'], 'w');

    this.tap = this.weir.tapInto(fd, '--history', '--ops');
    closeSync(fd);
    await this.tap.waitFor((e) => e.text?.includes('subscribed'), 10000, { what: 'tap: subscribed' });
  }

  #onClient(member, party, direction, message) {
    const line = {
      t_ms: Date.now(),
      user: member.email,
      who: party === 'app' ? `app:${this.crowd.packageName}` : party,
      direction,
      message,
    };

    this.clients.write(`${JSON.stringify(line)}\n`);
  }

  #broken(what, details) {
    this.violations.push({ what, details });
  }

  /** Ends the run before its time. */
  interrupt() {
    this.#over = true;
  }

  async #rest(ms) {
    const until = now() + ms;

    while (!this.#over && now() < until) await elapse(Math.min(lookMs, until - now()));
  }

  /** The run itself; resolves when its time is over or it was interrupted. */
  async run() {
    const end = now() + this.timeMs;

    this.#began = now();
    this.crowd.members.forEach((member, index) => member.begin(index));
    const watch = this.#watch();

    if (this.faults) await this.#hammer(end);
    else await this.#rest(end - now());
    this.#over = true;
    this.ranMs = now() - this.#began;
    await watch;
  }

  async #hammer(end) {
    const random = randomFrom(seed + 4);
    const [least, most] = this.everyMs;

    this.blows = new Faults({
      ...{ crowd: this.crowd, vendor: this.vendor, smallDisk: this.smallDisk, small: this.small },
      note: (what) => this.say(`${this.#clock()} ${what}`),
    });
    for (;;) {
      await this.#rest(least + random() * (most - least));
      if (this.#over || now() >= end || this.blows.failed) break;
      await this.blows.strike();
    }
    this.crowd.ending = true;
    await this.blows.idle();
    if (this.blows.failed) this.#broken('fault', this.blows.failed.message);
  }

  #clock() {
    const s = Math.floor((now() - this.#began) / 1000);

    return `${String(Math.floor(s / 60)).padStart(3)}:${String(s % 60).padStart(2, '0')}`;
  }

  async #watch() {
    for (let next = now() + minuteMs; !this.#over; ) {
      this.vitals.sample(await this.weir.pids(), now());
      this.vendor.entries.splice(0, this.vendor.entries.length - vendorEntriesMax);
      if (now() >= next) {
        this.say(`${this.#clock()} ${this.progress()}`);
        next += minuteMs;
      }
      await this.#rest(this.small ? 1000 : sampleMs);
    }
  }

  get outcomes() {
    const sum = {};

    for (const { outcomes } of this.crowd.members)
      for (const [kind, count] of Object.entries(outcomes)) sum[kind] = (sum[kind] ?? 0) + count;
    return sum;
  }

  progress() {
    const { accepted, refused, closed, silent } = this.outcomes;
    const there = this.crowd.members.filter((member) => member.ready).length;
    const faults = Object.values(this.blows?.counts ?? {}).reduce((sum, count) => sum + count, 0);

    return (
      `${there} of ${this.glasses} there, requests: ${accepted} accepted, ${refused} refused, ${closed} cut off, ` +
      `${silent} unanswered; ${faults} faults, ${this.vendor.live.length} inputs`
    );
  }

  /* ---- the judgement ---- */

  /** Lets everything come to its end, and judges: resolves with the summary. */
  async finish() {
    this.say(`${this.#clock()} settling`);
    for (const member of this.crowd.members) member.over = true;
    await Promise.all(this.crowd.members.map((member) => member.done));
    await this.#settle();
    await this.#check();
    await this.#checkDeaths();
    if (!this.faults) await this.#checkSilence();
    const stories = this.faults ? await this.#audit() : {};
    this.hunt = huntOf(this.weir, this.crowd.members[0].token);
    const found = await leaks(this.weir, this.hunt, {
      recordings: this.faults ? [this.files['tap.jsonl']] : [],
      out: this.out,
    });

    for (const where of found) this.#broken('secret', where);
    this.#judgeVitals();
    this.summary = this.#summary(stories, found.length);
    return this.summary;
  }

  get #ours() {
    return this.vendor.live.filter((input) => input.meta?.owner);
  }

  /* Of a small run what may have been made stays to be proven: that takes longer than the run. */
  async #leftOver() {
    const records = JSON.parse(await this.weir.cli('ls', '--all', '-o', 'json'));
    const streams = this.small ? records.filter((record) => record.phase !== 'closed') : records;

    return [...streams.map((r) => `${r.stream_id} ${r.phase}`), ...this.#ours.map(({ uid }) => `input ${uid}`)];
  }

  async #settle() {
    const deadline = now() + settleMs * slack;
    let left = await this.#leftOver();

    while (left.length > 0 && now() < deadline) {
      await elapse(1000);
      left = await this.#leftOver();
    }
    this.settledMs = now() - this.#began - this.ranMs;
    for (const what of left) this.#broken('left over', what);
  }

  async #check() {
    const check = JSON.parse(await this.weir.cli('check', '--format', 'json'));

    this.check = check;
    if (check.stuck !== 0 || check.state !== 'OK') this.#broken('check', JSON.stringify(check));
  }

  /* A daemon may die by our hand, and not otherwise. */
  async #checkDeaths() {
    const status = JSON.parse(await this.weir.supervise('status', '-o', 'json').catch((e) => e.stdout));

    for (const { name, restarts, ready } of status) {
      const kills = this.blows?.kills.get(name) ?? 0;

      if (restarts !== kills || !ready)
        this.#broken('death', `${name}: ${restarts} restarts, ${kills} kills, ${ready ? '' : 'not '}ready`);
    }
  }

  /* Timers cannot be seen from outside, but one that was forgotten would probe. */
  async #checkSilence() {
    const tap = this.weir.tap('--ops', '--type', 'probe.*', '--for', String(silenceS));

    await tap.waitEvent('exit', 2000 * silenceS);
    for (const { text } of tap.entries.filter((e) => e.event === 'tap')) this.#broken('timer', text);
  }

  async #audit() {
    const times = scaledTimers(this.scale).unmanaged;

    await this.tap.stop();
    this.crowd.saw = undefined; /* what is closed from now on is no part of the recording */
    this.clients.end();
    await finished(this.clients);
    const { code, stdout, stderr } = await runAudit(this.weir.weirPath, [
      this.files['tap.jsonl'],
      ...['--clients', this.files['clients.jsonl'], '-o', 'json'],
      ...['--interval', String(times.keepalive_interval_ms)],
      ...['--ack-timeout', String(times.ack_timeout_ms)],
      ...['--start-deadline', String(times.start_deadline_ms)],
      ...['--stop-deadline', String(times.stop_deadline_ms)],
    ]);

    if (code > 1 || stderr) this.#broken('audit', `exit ${code}: ${stderr}`);
    if (code <= 1) this.verdict = JSON.parse(stdout);
    for (const finding of this.verdict?.violations ?? []) this.#broken(finding.id, JSON.stringify(finding));
    return storyOf(this.files['tap.jsonl']);
  }

  #judgeVitals() {
    writeFileSync(this.files['vitals.json'], JSON.stringify(this.vitals.lives));
    this.slopes = this.vitals.slopes();
    for (const life of this.slopes.filter(({ seconds }) => seconds * 1000 >= this.bounds.leastMs))
      for (const [kind, [measure, most]] of Object.entries(this.bounds.most))
        if (life[kind][measure] > most)
          this.#broken('growth', `${life.name}: ${kind} ${JSON.stringify(life[kind])} in ${life.seconds} s`);
    this.logLinesPerS = this.weir.entries.filter((e) => e.event === 'stderr').length / (this.ranMs / 1000);
    if (this.logLinesPerS > this.bounds.logLinesPerS)
      this.#broken('log', `${this.logLinesPerS.toFixed(1)} lines/s, at most ${this.bounds.logLinesPerS}`);
  }

  #summary(stories, secrets) {
    return {
      seed,
      glasses: this.glasses,
      ran_s: Math.round(this.ranMs / 1000),
      settled_s: Math.round(this.settledMs / 1000),
      faults: this.blows?.counts ?? {},
      requests: this.outcomes,
      ...stories,
      stuck: this.check.stuck,
      inputs_left: this.#ours.length,
      secrets_found: secrets,
      secrets_left: null, /* until all is over: #checkLeft() */
      log_lines_per_s: Math.round(this.logLinesPerS * 10) / 10,
      judged: Object.fromEntries((this.verdict?.rules ?? []).map(({ id, checked }) => [id, checked])),
      slopes: this.slopes,
      violations: this.violations,
    };
  }

  /* What the run leaves behind is searched when its last word is written, that of the judge too.  What
   * clients recorded holds secrets: they are theirs.
   */
  async #checkLeft() {
    const left = await leftIn(this.hunt, {
      files: ['tap.jsonl', 'weir.log', 'vitals.json'].map((name) => this.files[name]).concat(join(this.out, 'history.jsonl')),
      texts: { 'weir audit': JSON.stringify(this.verdict ?? {}) },
    });

    for (const where of left) this.#broken('secret left', where);
    this.summary.secrets_left = left.length;
  }

  /** Ends everything; the summary is complete then. */
  async close() {
    try {
      await this.crowd.close({ unharmed: false });
    } catch (error) {
      assert.ok(error instanceof assert.AssertionError, error);
      this.#broken('stop', error.message);
    }
    writeFileSync(this.files['weir.log'], `${this.weir.log(Infinity)}\n`);
    if (this.summary) await this.#checkLeft();
    await this.vendor.close();
    await this.smallDisk?.close();
  }
}
