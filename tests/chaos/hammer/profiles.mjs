// The three sizes of one thing: hours of faults, the same in seconds for every CI run, hours without any.
//
// `most` bounds a measure (see Vitals.slopes()) of each daemon's life: [measure, bound].

/* Users' pauses and the lengths of their streams, in ms before they are divided by the scale. */
const restless = { pauseMs: [1000, 15000], runMs: [3000, 60000] };
const pollMs = 2000; /* of a managed stream at the provider, as configured by default */
const calm = { pauseMs: [10000, 110000], runMs: [20000, 200000] };

export const profiles = {
  hammer: {
    ...{ glasses: 150, timeMs: 3600000, everyMs: [5000, 20000], pace: restless, warmUpMs: 60000, pollMs },
    bounds: {
      leastMs: 120000,
      /* The registry's store fills its cache of 4 MiB, whenever it was started; sockets come and go. */
      most: { rss_kib: ['rise', 8192], fds: ['rise', 100], threads: ['rise', 0.5] },
      logLinesPerS: 20,
    },
  },
  small: {
    ...{ glasses: 20, timeMs: 15000, everyMs: [700, 2000], pace: restless, warmUpMs: 2000 },
    ...{ scale: 10, small: true, pollMs },
    bounds: { leastMs: 5000, most: { threads: ['rise', 0.5] }, logLinesPerS: 100 },
  },
  soak: {
    ...{ glasses: 5000, timeMs: 1800000, faults: false, pace: calm, warmUpMs: 300000 },
    pollMs: 5 * pollMs, /* more streams than one account can be asked about so often */
    bounds: {
      leastMs: 600000, /* in less, a page would be more than that */
      most: { rss_kib: ['percent_per_hour', 0.5], fds: ['rise', 100], threads: ['rise', 0.5] },
      logLinesPerS: 10,
    },
  },
};
