// Memory, descriptors and threads of every daemon over time, and whether they grow.
//
// A daemon that is started anew begins a new series.  A slope is that of the least squares over what a
// life showed after its warm-up.
import { readFileSync, readdirSync } from 'node:fs';

const hourMs = 3600000;
const kinds = ['rss_kib', 'fds', 'threads'];

/** {rss_kib, fds, threads} of process @pid, or null if it is gone. */
function look(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const of = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)[1]);

    return {
      rss_kib: of('VmRSS'),
      fds: readdirSync(`/proc/${pid}/fd`).length,
      threads: of('Threads'),
    };
  } catch {
    return null;
  }
}

/** By how much @values (of @times in ms) grow in an hour. */
export function slopePerHour(times, values) {
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [t, v] = [mean(times), mean(values)];
  const spread = times.reduce((sum, time) => sum + (time - t) ** 2, 0);
  const common = times.reduce((sum, time, i) => sum + (time - t) * (values[i] - v), 0);

  return spread === 0 ? 0 : (common / spread) * hourMs;
}

export class Vitals {
  #lives = new Map(); /* "name pid" -> {name, samples: [{at, ...}]} */

  constructor({ warmUpMs }) {
    this.warmUpMs = warmUpMs;
  }

  /** @pids: of Weir.pids(). */
  sample(pids, at) {
    for (const [name, pid] of pids) {
      const seen = pid && look(pid);
      const key = `${name} ${pid}`;

      if (!seen) continue;
      if (!this.#lives.has(key)) this.#lives.set(key, { name, samples: [] });
      this.#lives.get(key).samples.push({ at, ...seen });
    }
  }

  /** Of every life: {name, samples: [{at, rss_kib, fds, threads}]}. */
  get lives() {
    return [...this.#lives.values()];
  }

  /**
   * Of every life that was watched for some time after its warm-up: {name, seconds, rss_kib: {first, last, per_hour,
   * rise}, fds, threads}; `rise` is what the slope amounts to over those seconds.
   */
  slopes() {
    return this.lives.flatMap(({ name, samples }) => {
      const warm = samples.filter(({ at }) => at - samples[0].at >= this.warmUpMs);
      const watchedMs = warm.length > 1 ? warm.at(-1).at - warm[0].at : 0;

      return watchedMs === 0 ? [] : [{ name, ...this.#slopesOf(warm, watchedMs) }];
    });
  }

  #slopesOf(samples, watchedMs) {
    const times = samples.map(({ at }) => at);
    const rows = kinds.map((kind) => {
      const values = samples.map((sample) => sample[kind]);
      const perHour = slopePerHour(times, values);

      return [
        kind,
        {
          first: values[0],
          last: values.at(-1),
          per_hour: Math.round(perHour * 100) / 100,
          percent_per_hour: Math.round((perHour / values[0]) * 10000) / 100,
          rise: Math.round(((perHour * watchedMs) / hourMs) * 100) / 100,
        },
      ];
    });

    return { seconds: Math.round(watchedMs / 1000), ...Object.fromEntries(rows) };
  }
}
