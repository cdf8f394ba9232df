// Compares what parties received with transcripts of the protocol: fields, their order, and time.
//
// Placeholders in expected messages:
//   '$TS'         any ISO time with milliseconds, UTC (protocol 0)
//   '$S1', '$S2'  the id of an unmanaged stream; bound on first use, different names mean different ids
//   '$M1', '$M2'  of a managed stream, likewise
//   '$K1', '$K2'  a keep-alive ack id, likewise
// plus regular expressions, predicates, and optional(value) for a field that may be absent.
import assert from 'node:assert/strict';
import { now, ownLag, slack } from './recorder.mjs';

export const TS = '$TS';

const shapes = {
  TS: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  S: /^s[a-z0-9]{1,10}$/,
  M: /^m[a-z0-9]{1,10}$/,
  K: /^a[a-z0-9]{1,5}$/,
};

const immediateMs = 150;
const timerMs = 250;
const patienceMs = 3000; /* late is told from never by waiting longer than allowed */

class Optional {
  constructor(value) {
    this.value = value;
  }
}

export const optional = (value) => new Optional(value);

const isObject = (value) =>
  value !== null &&
  typeof value === 'object' &&
  !Array.isArray(value) &&
  !(value instanceof RegExp) &&
  !(value instanceof Optional);

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** What one party receives, one message after the other; nothing is skipped silently. */
class Party {
  #position;

  constructor(transcript, recorder, { ignore = [], only = () => true } = {}) {
    Object.assign(this, { transcript, recorder, ignore, only });
    this.#position = recorder.entries.length;
  }

  #counts(entry) {
    if (!this.only(entry)) return false;
    if (entry.event === 'close') return !this.ignore.includes('close');
    return entry.dir === 'in' && !this.ignore.includes(entry.msg?.type);
  }

  #nextIndex() {
    return this.recorder.entries.findIndex((e, i) => i >= this.#position && this.#counts(e));
  }

  /** Messages (and closes) that arrived and that no expectation has consumed. */
  pending() {
    return this.recorder.entries.filter((e, i) => i >= this.#position && this.#counts(e));
  }

  /** The next message or close, past or future. */
  async next(timeoutMs = patienceMs) {
    let index = this.#nextIndex();

    if (index < 0) {
      await this.recorder.waitFor((e) => this.#counts(e), timeoutMs, {
        from: this.recorder.entries.length,
        what: 'further message',
      });
      index = this.#nextIndex();
    }
    this.#position = index + 1;
    return this.recorder.entries[index];
  }

  /**
   * The next message must be @expected.
   * @timer: [mark, seconds]: it must come that many protocol seconds after the mark; otherwise it
   *         must come at once after the last act().
   * @ordered: false where the protocol names the fields but shows no order.
   */
  async gets(expected, { timer, ordered = true, immediate = true } = {}) {
    const t = this.transcript;
    const waitMs = timer ? Math.max(0, t.due(timer) - now()) + patienceMs : patienceMs;
    const entry = await this.next(waitMs);

    try {
      assert.ok(entry.dir === 'in', `expected a message, got ${JSON.stringify(entry)}`);
      t.match(expected, entry.msg, { ordered });
      if (ordered)
        assert.equal(entry.raw, JSON.stringify(entry.msg), 'the text is not compact JSON');
      if (timer) t.onTime(entry, t.due(timer));
      else if (immediate) t.atOnce(entry);
    } catch (error) {
      /* A new one: the text of the old is already part of its stack. */
      throw new assert.AssertionError({
        message: [
          error.message,
          `expected ${JSON.stringify(t.fill(expected))}`,
          `got      ${entry.raw ?? JSON.stringify(entry)}`,
          this.recorder.story(),
        ].join('\n'),
      });
    }
    return entry;
  }

  /** The next thing must be the close of the connection by the cloud. */
  async closes(code, reason = '', { timer, immediate = true } = {}) {
    const t = this.transcript;
    const entry = await this.next(
      timer ? Math.max(0, t.due(timer) - now()) + patienceMs : patienceMs,
    );
    const what = `expected close ${code} "${reason}"\n${this.recorder.story()}`;

    assert.equal(entry.event, 'close', what);
    assert.deepEqual([entry.code, entry.reason], [code, reason], what);
    if (timer) t.onTime(entry, t.due(timer));
    else if (immediate) t.atOnce(entry);
    return entry;
  }

  /** Skips everything received so far: for set-up whose messages another test covers. */
  skip() {
    this.#position = this.recorder.entries.length;
  }

  /** Nothing that no expectation has consumed. */
  empty() {
    const left = this.pending();

    assert.equal(
      left.length,
      0,
      `${this.recorder.name}: ${left.length} unexpected\n${this.recorder.story()}`,
    );
  }
}

export class Transcript {
  #bound = new Map();
  #parties = [];
  #marks = new Map();
  #lastAct;

  /** @scale: protocol seconds are divided by it before they are compared with the clock. */
  constructor({ scale = 1 } = {}) {
    this.scale = scale;
    this.mark('start');
  }

  party(recorder, options) {
    const party = new Party(this, recorder, options);

    this.#parties.push(party);
    return party;
  }

  /** Does something to which immediate effects are expected; returns its result. */
  act(fn) {
    this.#lastAct = now();
    return fn();
  }

  /** Names this moment, or that of an entry. */
  mark(name, entry) {
    this.#marks.set(name, entry?.at ?? now());
    this.#lastAct = this.#marks.get(name);
  }

  due([mark, seconds]) {
    return this.#marks.get(mark) + (seconds * 1000) / this.scale;
  }

  /** Waits until @seconds of the script after @mark: the script's own times, not a guess. */
  async until(mark, seconds) {
    await pause(Math.max(0, this.due([mark, seconds]) - now()));
  }

  /** Lets the time of an immediate effect pass where nothing can be seen from outside. */
  async settle() {
    await pause(immediateMs);
  }

  atOnce(entry) {
    const late = entry.at - this.#lastAct - ownLag(this.#lastAct, entry.at);

    assert.ok(late <= immediateMs * slack, `came ${late.toFixed(0)} ms after its cause`);
  }

  onTime(entry, due) {
    const early = due - entry.at;
    const late = -early - ownLag(due, entry.at);

    assert.ok(early <= timerMs * slack, `came ${early.toFixed(0)} ms too early`);
    assert.ok(late <= timerMs * slack, `came ${late.toFixed(0)} ms too late`);
  }

  /** The value behind a placeholder. */
  id(name) {
    assert.ok(this.#bound.has(name), `${name} is not bound yet`);
    return this.#bound.get(name);
  }

  /** @expected with the known ids filled in. */
  fill(expected) {
    if (typeof expected === 'string') return this.#bound.get(expected) ?? expected;
    if (Array.isArray(expected)) return expected.map((item) => this.fill(item));
    if (expected instanceof RegExp || typeof expected === 'function') return String(expected);
    if (expected instanceof Optional) return this.fill(expected.value);
    if (!isObject(expected)) return expected;
    return Object.fromEntries(Object.entries(expected).map(([k, v]) => [k, this.fill(v)]));
  }

  #placeholder(name, actual, path) {
    const shape = shapes[/^\$([A-Z]+)/.exec(name)[1]];

    assert.equal(typeof actual, 'string', `${path}: a string`);
    assert.match(actual, shape, `${path}: not the shape of ${name}`);
    if (name === TS) return;
    const bound = this.#bound.get(name);

    if (bound !== undefined) {
      assert.equal(actual, bound, `${path}: not ${name}`);
      return;
    }
    for (const [other, value] of this.#bound)
      assert.notEqual(actual, value, `${path}: the id of ${other} is used again for ${name}`);
    this.#bound.set(name, actual);
  }

  match(expected, actual, { ordered = true, path = 'message' } = {}) {
    if (typeof expected === 'string' && /^\$(TS|[SMK]\d+)$/.test(expected))
      this.#placeholder(expected, actual, path);
    else if (expected instanceof RegExp) assert.match(actual, expected, path);
    else if (typeof expected === 'function')
      assert.ok(expected(actual), `${path}: ${JSON.stringify(actual)} fails ${expected}`);
    else if (isObject(expected)) this.#matchObject(expected, actual, { ordered, path });
    else assert.deepEqual(actual, expected, path);
  }

  #matchObject(expected, actual, { ordered, path }) {
    assert.ok(isObject(actual), `${path}: an object, not ${JSON.stringify(actual)}`);
    const keys = Object.keys(expected).filter(
      (key) => key in actual || !(expected[key] instanceof Optional),
    );
    const arrange = (list) => (ordered ? list : [...list].sort());

    assert.deepEqual(arrange(Object.keys(actual)), arrange(keys), `${path}: fields`);
    for (const key of keys) {
      const value = expected[key] instanceof Optional ? expected[key].value : expected[key];

      this.match(value, actual[key], { ordered, path: `${path}.${key}` });
    }
  }

  /** Nothing more comes to anybody (or to @parties) for @ms; keep it short and combine parties. */
  async quiet(ms = 300, parties = this.#parties) {
    await pause(ms);
    for (const party of parties) party.empty();
  }
}
