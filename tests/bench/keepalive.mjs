// B1, B2, B2b: what a keep-alive round trip and a start with its stop cost, and how long a start
// takes while keep-alives run; each beside the floor under the same load in the same run.
import { measureFsync } from './fsync.mjs';
import { profile } from './flame.mjs';
import {
  bringLive,
  cores,
  endLoads,
  needUnharmed,
  on,
  sizeOf,
  watch,
  watchIdle,
} from './measure.mjs';
import { combined, total } from './proc.mjs';
import { record } from './report.mjs';
import { FloorStage, WeirStage, say } from './stage.mjs';

const gateways = 2;
const startMs = 0.3; /* of a start, beside one fsync (B2) */
const p99Ms = 5;
const ratioMax = { B1: 1.2, B2b: 3 };
const cyclesTimeoutMs = 60000;

/** Starts and stops beside what is held: {line, rate, cpu} of the load process and the stage. */
export async function cycle(stage, held, { users, interval, seconds, rate, cycleUsers }) {
  const tool = stage.load('cycles', {
    users: 1,
    first: users,
    'interval-ms': interval,
    'cycle-users': cycleUsers,
    rate,
    seconds: seconds + 1,
  });

  await tool.phase('streaming', cyclesTimeoutMs);
  const { cpu } = await watch(stage, held, seconds);
  const { line } = await tool.phase('cycles', cyclesTimeoutMs + 1000 * seconds);
  const done = tool.phase('done', cyclesTimeoutMs);

  return { line, cpu, refused: (await done).line.refused, rate: line.count / line.seconds };
}

/* Samples each process while keep-alives run; the figures are made without that. */
async function profiled(stage, tools, { seconds, directory }) {
  const sampler = profile(stage.pids, { directory, label: 'B1' });

  await watch(stage, tools, seconds);
  await sampler.stop();
  return sampler;
}

async function measure(stage, size, { cycles, flames }) {
  const idle = await watchIdle(stage, size.idleSeconds);
  const tools = await bringLive(stage, {
    users: size.users,
    interval: size.interval,
    appsLeave: true,
    loads: gateways,
  });
  const hold = await watch(stage, tools, size.seconds);
  const result = { idle, hold };

  const sampler =
    flames && (await profiled(stage, tools, { seconds: size.seconds, directory: flames }));

  if (cycles) result.cycles = await cycle(stage, tools, size);
  result.end = await endLoads(stage);
  if (sampler) for (const file of await sampler.draw()) say(`flame graph: ${file}`);
  return result;
}

const busy = ({ idle, hold }) => combined(idle, hold.cpu, (a, b) => Math.max(0, b - a));

/* us of CPU for each round trip, by kind of process. */
function perRoundTrip(result) {
  const cpu = busy(result);

  return Object.fromEntries(
    Object.entries(cpu).map(([kind, ms]) => [kind, (ms * 1000) / result.hold.acks]),
  );
}

function roundTrips(weir, floor, size) {
  const [mine, its] = [perRoundTrip(weir), perRoundTrip(floor)];

  return record('B1', {
    value: total(mine),
    unit: 'us CPU per keep-alive round trip',
    reference: total(its),
    aim: `ratio <= ${ratioMax.B1}`,
    met: total(mine) <= ratioMax.B1 * total(its),
    detail: {
      ...detailOf(size),
      by_process_us: mine,
      weir_cores: cores(weir.hold.cpu),
      idle_cores: cores(weir.idle),
      round_trips_per_s: { weir: weir.hold.acks, floor: floor.hold.acks },
      late_ms: { weir: weir.end.late_ms, floor: floor.end.late_ms },
    },
  });
}

const detailOf = ({ users, interval, seconds }) => ({ users, interval_ms: interval, seconds });

function latency(weir, floor, size, fsync) {
  const { latency_ms: ms } = weir.cycles.line;

  return record('B2', {
    value: ms.p50,
    unit: 'ms from request to start, p50',
    reference: startMs + fsync.p50,
    aim: `p50 <= ${startMs} ms + one fsync; p99 <= ${p99Ms} ms`,
    met: ms.p50 <= startMs + fsync.p50 && ms.p99 <= p99Ms,
    detail: {
      ...detailOf(size),
      latency_ms: ms,
      stop_ms: weir.cycles.line.stop_ms,
      cycles_per_s: weir.cycles.rate,
      refused: weir.cycles.refused,
      fsync_ms: fsync,
      floor_latency_ms: floor.cycles.line.latency_ms,
    },
  });
}

/* us of CPU for each cycle: what is more than while streams were only held. */
function perCycle({ hold, cycles }) {
  return Object.fromEntries(
    Object.entries(combined(hold.cpu, cycles.cpu, (a, b) => b - a)).map(([kind, ms]) => [
      kind,
      (ms * 1000) / cycles.rate,
    ]),
  );
}

function cycleCost(weir, floor, size) {
  const [mine, its] = [perCycle(weir), perCycle(floor)];

  return record('B2b', {
    value: Math.max(0, total(mine)),
    unit: 'us CPU per start + stop',
    /* On a floor of so little work noise can be more than what is measured. */
    reference: total(its) > 0 ? total(its) : null,
    aim: `ratio <= ${ratioMax.B2b}`,
    met: total(its) > 0 ? total(mine) <= ratioMax.B2b * total(its) : null,
    detail: {
      ...detailOf(size),
      by_process_us: mine,
      cycles_per_s: { weir: weir.cycles.rate, floor: floor.cycles.rate },
    },
  });
}

/** @ids: which of B1, B2 and B2b are wanted. */
export async function keepalive(ids, options) {
  const size = sizeOf(options);
  const what = { cycles: ids.includes('B2') || ids.includes('B2b') };
  const { directory } = options;

  say(`${ids.join(', ')}: ${size.users} streams every ${size.interval} ms, weir`);
  let fsync;
  const weir = await on(
    await WeirStage.open({ gateways, interval: size.interval, directory }),
    (stage) => {
      fsync = measureFsync(stage.weir.runDir, options.quick ? 50 : 500);
      return measure(stage, size, { ...what, flames: options.profile });
    },
  );

  needUnharmed(weir.end, 'weir');
  say(`${ids.join(', ')}: the floor`);
  const floor = await on(await FloorStage.open({ interval: size.interval, directory }), (stage) =>
    measure(stage, size, what),
  );

  needUnharmed(floor.end, 'floor');
  const made = {
    B1: () => roundTrips(weir, floor, size),
    B2: () => latency(weir, floor, size, fsync),
    B2b: () => cycleCost(weir, floor, size),
  };

  return ids.map((id) => made[id]());
}
