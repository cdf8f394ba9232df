// overload: starts and stops at twice the rate that can be done; what is still done, and how fast.
import { on } from './measure.mjs';
import { record, wrongIf } from './report.mjs';
import { WeirStage, say } from './stage.mjs';

const gateways = 2;
const interval = 15000;
const firstRate = { quick: 20, full: 100 };
const levelsMax = { quick: 2, full: 10 };
const followed = 0.95; /* of the rate asked for; less is saturated */
const goodputMin = 0.8; /* of the best, at twice its rate */
const secondsOf = { quick: 1, full: 8 };
const endMs = 60000;

const sum = (lines, key) => lines.reduce((so, line) => so + line[key], 0);
const most = (lines, key) => Math.max(...lines.map((line) => line.latency_ms[key]));

/* Starts and stops at @rate, from all gateways: what came of it. */
async function level(stage, { rate, seconds, first }) {
  const each = rate / gateways;
  const crowd = Math.ceil(100 + 2 * each);
  const tools = Array.from({ length: gateways }, (_, i) =>
    stage.load('cycles', {
      target: i,
      users: 1,
      first: first + i * (crowd + 1),
      'interval-ms': interval,
      'cycle-users': crowd,
      rate: each,
      seconds,
    }),
  );
  const lines = await Promise.all(
    tools.map(async (tool) => (await tool.phase('cycles', endMs + 1000 * seconds)).line),
  );
  const dones = await Promise.all(
    tools.map(async (tool) => (await tool.phase('done', endMs)).line),
  );
  const refused = {};

  for (const done of dones)
    for (const [code, count] of Object.entries(done.refused))
      refused[code] = (refused[code] ?? 0) + count;
  return {
    asked_per_s: rate,
    /* What ended late is done, too, but not in the time that was asked for. */
    done_per_s: sum(lines, 'count') / Math.max(...dones.map((done) => done.seconds)),
    latency_ms: { p50: most(lines, 'p50'), p99: most(lines, 'p99'), max: most(lines, 'max') },
    not_begun: sum(lines, 'not_begun'),
    unfinished: sum(lines, 'unfinished'),
    refused,
    lost_streams: sum(dones, 'lost_streams'),
    users: gateways * (crowd + 1),
  };
}

/* Doubles the rate until it is not followed any more, and once more; resolves with all levels. */
async function levels(stage, quick) {
  const size = quick ? 'quick' : 'full';
  const seconds = secondsOf[size];
  const all = [];
  let rate = firstRate[size];
  let first = 0;
  let beyond = false;

  while (all.length < levelsMax[size]) {
    say(`overload: ${rate} starts a second`);
    const one = await level(stage, { rate, seconds, first });

    all.push(one);
    if (beyond) break;
    beyond = one.done_per_s < followed * rate;
    first += one.users;
    rate *= 2;
  }
  return all;
}

export async function overload(ids, { quick, directory }) {
  const all = await on(await WeirStage.open({ gateways, interval, directory }), (stage) =>
    levels(stage, quick),
  );
  const best = Math.max(...all.map((one) => one.done_per_s));
  const worst = all.at(-1);
  const saturated = worst.done_per_s < followed * worst.asked_per_s;
  const lost = all.reduce((so, one) => so + one.lost_streams, 0);

  return [
    record('overload', {
      value: worst.done_per_s,
      unit: 'starts + stops per s, at 2 x what can be done',
      reference: best,
      aim: `ratio >= ${goodputMin}`,
      /* A run that was never saturated says nothing. */
      met: saturated ? worst.done_per_s >= goodputMin * best && lost === 0 : null,
      detail: { ...wrongIf(lost > 0, 'streams were lost'), levels: all },
    }),
  ];
}
