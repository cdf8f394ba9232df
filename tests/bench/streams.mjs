// B4: how many streams are held at the real interval without a late probe, and what each costs.
import { now } from '../lib/recorder.mjs';
import {
  bringLive,
  cores,
  endLoads,
  memoryNow,
  on,
  unharmed,
  watch,
  watchIdle,
} from './measure.mjs';
import { total } from './proc.mjs';
import { record, wrongIf } from './report.mjs';
import { WeirStage, gatewaysFor, last, say } from './stage.mjs';

const interval = { quick: 1000, full: 15000 };
const aim = 100000;
const curve = [1000, 10000, 50000];
const quickUsers = 300;
const curveSeconds = 30; /* two intervals */
const lateMs = 250; /* later than that a probe is late */

const memoryMib = (stage) => total(memoryNow(stage).pss) / 1024;

async function hold(stage, { sizes, every, seconds }) {
  const idle = total(await watchIdle(stage, 2));
  const tools = [];
  const points = [];
  let first = 0;

  for (const users of sizes) {
    say(`B4: ${users} streams`);
    const from = now();

    tools.push(
      ...(await bringLive(stage, {
        users: users - first,
        first,
        interval: every,
        appsLeave: true,
        'late-ms': lateMs,
      })),
    );
    const inSeconds = (now() - from) / 1000;

    /* From here on every probe has one before it to be late against. */
    await last(every);
    const memory = memoryMib(stage);
    const seen = await watch(stage, tools, users < sizes.at(-1) ? curveSeconds : seconds);

    points.push({
      streams: users,
      came_in_s: inSeconds,
      cores: cores(seen.cpu),
      us_per_stream_s: ((total(seen.cpu) - idle) * 1000) / users,
      late_probes: seen.late,
      probes_per_s: seen.probes,
      by_process: seen.cpu,
      memory_mib: { first: memory, last: memoryMib(stage) },
    });
    first = users;
  }
  return { points, end: await endLoads(stage) };
}

export async function streams(ids, { quick, users, seconds, curve: wanted, directory }) {
  const most = users ?? (quick ? quickUsers : aim);
  const sizes = [...(wanted ? curve.filter((size) => size < most) : []), most];
  const every = quick ? interval.quick : interval.full;
  const gateways = gatewaysFor(most);
  const lasting = seconds ?? (quick ? 2 : 60);

  const { points, end } = await on(
    await WeirStage.open({ gateways, interval: every, directory }),
    (stage) => hold(stage, { sizes, every, seconds: lasting }),
  );
  const good = unharmed(end) && points.at(-1).late_probes === 0;
  const silent = points.at(-1).probes_per_s === 0;

  return [
    record('B4', {
      value: most,
      unit: 'streams held',
      aim: `${aim}, no probe late by ${lateMs} ms`,
      met: good && most >= aim,
      ratio: points.length > 1 ? points.at(-1).us_per_stream_s / points[0].us_per_stream_s : null,
      detail: {
        ...wrongIf(!unharmed(end), 'streams were lost or disturbed'),
        ...wrongIf(silent, 'no probe in all the time: hold for more than an interval'),
        gateways,
        interval_ms: every,
        seconds: lasting,
        end,
        points,
      },
    }),
  ];
}
