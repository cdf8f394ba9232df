// Everything a party of a test saw or did, in order and with its time.
//
// A test asks about the past as well as it waits for the future, so no message is lost between two
// waits and no test needs to sleep.  Times are monotonic milliseconds of this process.
import { EventEmitter } from 'node:events';

/* Slow builds (sanitizers, valgrind) multiply every tolerance and every waiting limit. */
export const slack = Number(process.env.WEIR_TEST_SLACK ?? 1);

export const now = () => performance.now();

/*
 * The times at which this process did not run although it wanted to: what arrives in such a gap is
 * recorded late, and that is not the fault of the system under test.
 */
const beatMs = 10;
const gaps = [];
let lastBeat = now();

setInterval(() => {
  const at = now();

  if (at - lastBeat > 2 * beatMs) gaps.push([lastBeat, at]);
  if (gaps.length > 1000) gaps.shift();
  lastBeat = at;
}, beatMs).unref();

/** How many milliseconds between @from and @to this process was not running. */
export function ownLag(from, to) {
  return [...gaps, [lastBeat, now()]]
    .map(([begin, end]) => Math.min(end, to) - Math.max(begin, from))
    .filter((lag) => lag > 2 * beatMs)
    .reduce((sum, lag) => sum + lag, 0);
}

const describedMax = 400; /* characters; a relayed message can have 64 KiB */

/** A recorded entry as one line for people. */
export function describe(entry, zero = 0) {
  const at = ((entry.at - zero) / 1000).toFixed(3).padStart(8);
  const { at: _at, raw, ...rest } = entry;
  const text = entry.dir ? (raw ?? '(binary)') : JSON.stringify(rest);
  const arrow = { in: '<-', out: '->' }[entry.dir] ?? '--';

  return `${at} ${arrow} ${text.length > describedMax ? `${text.slice(0, describedMax)}...` : text}`;
}

export class Recorder extends EventEmitter {
  constructor(name = 'party') {
    super();
    this.setMaxListeners(0);
    this.name = name;
    this.entries = [];
  }

  record(entry) {
    const full = { at: now(), ...entry };

    this.entries.push(full);
    this.emit('entry', full);
    return full;
  }

  /** The last entries as text; part of every failure message. */
  story(count = 25) {
    const zero = this.entries[0]?.at ?? 0;

    return [`${this.name}: last ${Math.min(count, this.entries.length)} entries`]
      .concat(this.entries.slice(-count).map((entry) => describe(entry, zero)))
      .join('\n  ');
  }

  /**
   * Resolves with the first entry, past or future, for which @predicate is true.
   * @timeoutMs: may be Infinity.
   * @from: index of the first entry to look at (this.entries.length means: only the future).
   */
  waitFor(predicate, timeoutMs = 5000, { from = 0, what = 'entry' } = {}) {
    const found = this.entries.slice(from).find((entry) => predicate(entry));

    if (found) return Promise.resolve(found);
    /* Made here, so that the stack names the caller and not a timer. */
    const late = new Error(`${this.name}: no ${what} within ${timeoutMs} ms`);

    return new Promise((resolve, reject) => {
      const onEntry = (entry) => {
        if (!predicate(entry)) return;
        clearTimeout(timer);
        this.off('entry', onEntry);
        resolve(entry);
      };
      const timer =
        timeoutMs === Infinity
          ? null
          : setTimeout(() => {
              this.off('entry', onEntry);
              late.message += `\n${this.story()}`;
              reject(late);
            }, timeoutMs * slack);

      this.on('entry', onEntry);
    });
  }

  /** Like waitFor(), for a received message with these top-level fields. */
  waitMessage(fields, timeoutMs = 5000, options = {}) {
    const wanted = typeof fields === 'string' ? { type: fields } : fields;

    return this.waitFor((entry) => entry.dir === 'in' && hasFields(entry.msg, wanted), timeoutMs, {
      what: JSON.stringify(wanted),
      ...options,
    });
  }

  /** Like waitFor(), for something that is not a message ('open', 'close', 'exit', ...). */
  waitEvent(event, timeoutMs = 5000, options = {}) {
    return this.waitFor((entry) => entry.event === event, timeoutMs, { what: event, ...options });
  }

  received(fields = {}) {
    const wanted = typeof fields === 'string' ? { type: fields } : fields;

    return this.entries.filter((entry) => entry.dir === 'in' && hasFields(entry.msg, wanted));
  }

  sent(fields = {}) {
    const wanted = typeof fields === 'string' ? { type: fields } : fields;

    return this.entries.filter((entry) => entry.dir === 'out' && hasFields(entry.msg, wanted));
  }
}

function hasFields(msg, wanted) {
  return (
    msg !== null &&
    typeof msg === 'object' &&
    Object.entries(wanted).every(([key, value]) => msg[key] === value)
  );
}

/** Parses a text frame; a frame that is not JSON stays visible as undefined. */
export function parseFrame(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
