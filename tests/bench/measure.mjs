// What the benchmarks have in common: users who are brought live, and looks at what that costs.
import { now } from '../lib/recorder.mjs';
import { cpuBetween, cpuLook, memoryKib, sumByKind, total } from './proc.mjs';
import { last, say } from './stage.mjs';

const usersPerLoad = { stay: 9000, leave: 18000 }; /* of 20,000 descriptors */
const roundTripsPerS = 10000;
const intervalMin = 1000; /* ms: three misses outlast any stall of a busy machine */
const comeInMs = 60000; /* and */
const comeInMsPerUser = 10; /* all load processes together */
const sources = 4; /* addresses: ports of apps that left stay taken for a minute */
const reportS = 1;
const lateMs = 100; /* a probe later than that is late: 1 % of the shortest ack timeout in use */

/** The size of a run: about 10,000 round trips a second, whoever is there. */
export function sizeOf({ quick, users = quick ? 300 : 10000, seconds, rate }) {
  return {
    users,
    interval: Math.max(intervalMin, Math.round((users / roundTripsPerS) * 1000)),
    seconds: seconds ?? (quick ? 3 : 20),
    rate: rate ?? (quick ? 20 : 100),
    idleSeconds: quick ? 0.5 : 5,
  };
}

/** How many load processes @users need, and @targets at least one each. */
const loadsFor = (users, targets, appsLeave) =>
  Math.max(targets, Math.ceil(users / (appsLeave ? usersPerLoad.leave : usersPerLoad.stay)));

/** Parts of @count as equal as they can be: [{first, users}], numbered from @from. */
export function shares(count, parts, from = 0) {
  const edge = (i) => Math.floor((count * i) / parts);

  return Array.from({ length: parts }, (_, i) => ({
    first: from + edge(i),
    users: edge(i + 1) - edge(i),
  })).filter((share) => share.users > 0);
}

/**
 * Brings @users live, numbered from @first, as many on each target; resolves with the loads.
 * @appsLeave: apps close their sockets once the stream is live.
 * @options: further ones of weir-load.
 */
export async function bringLive(
  stage,
  { users, first = 0, interval, loads, appsLeave = false, scenario = 'hold', ...options },
) {
  const targets = stage.targets().length;
  const count = loads ?? loadsFor(users, targets, appsLeave);
  const tools = shares(users, count, first).map((share, i) =>
    stage.load(scenario, {
      target: i % targets,
      ...share,
      'interval-ms': interval,
      'late-ms': lateMs,
      'report-s': reportS,
      sources,
      'apps-leave': appsLeave,
      ...options,
    }),
  );
  const timeoutMs = comeInMs + users * comeInMsPerUser;
  const from = now();

  for (const phase of ['connected', 'streaming']) {
    await Promise.all(tools.map((tool) => tool.phase(phase, timeoutMs)));
    say(`  ${users} ${phase} after ${((now() - from) / 1000).toFixed(1)} s`);
  }
  return tools;
}

/** The last report of @tool so far, waiting for the first one. */
async function lastReport(tool) {
  await tool.phase('report', 10000 * reportS);
  return tool.entries.findLast((entry) => entry.line?.phase === 'report').line;
}

const lastReports = (tools) => Promise.all(tools.map(lastReport));

/**
 * Watches a stage on which @tools hold streams for @seconds:
 * {cpu: {kind: ms per s}, probes, acks: per s, late: probes}.
 */
export async function watch(stage, tools, seconds) {
  const before = await lastReports(tools);
  const from = cpuLook(stage.pids);

  await last(seconds * 1000);
  const to = cpuLook(stage.pids);
  const after = await lastReports(tools);
  const rate = (key) =>
    after.reduce(
      (sum, report, i) =>
        sum + (report[key] - before[i][key]) / (report.seconds - before[i].seconds),
      0,
    );

  const late = after.reduce(
    (sum, report, i) => sum + report.late_probes - before[i].late_probes,
    0,
  );

  return { cpu: cpuBetween(from, to), probes: rate('probes'), acks: rate('acks'), late };
}

/** The CPU that @stage takes while nothing happens, in ms per s by kind of process. */
export async function watchIdle(stage, seconds) {
  const from = cpuLook(stage.pids);

  await last(seconds * 1000);
  return cpuBetween(from, cpuLook(stage.pids));
}

/** Memory of all processes of @stage now, {rss, pss, private} by kind, in KiB. */
export function memoryNow(stage) {
  const looks = new Map([...stage.pids.values()].map((pid) => [pid, memoryKib(pid)]));
  const of = (key) => sumByKind(stage.pids, (pid) => looks.get(pid)[key]);

  return { rss: of('rss'), pss: of('pss'), private: of('private') };
}

/** Ends the loads of @stage and adds up what they found wrong; none of it may be. */
export async function endLoads(stage) {
  const ended = await stage.endLoads();
  const done = ended.map(({ line }) => line).filter((line) => line?.phase === 'done');
  const sum = (key) => done.reduce((so, line) => so + (line[key] ?? 0), 0);
  const most = (key) => Math.max(0, ...done.map((line) => line.late_probe_ms?.[key] ?? 0));
  const keys = ['lost_streams', 'statuses_bad', 'failed', 'disconnects', 'late_probes', 'probes'];

  return {
    ...Object.fromEntries(keys.map((key) => [key, sum(key)])),
    late_ms: { p50: most('p50'), p99: most('p99'), max: most('max') },
    ended_badly: ended.length - done.length,
  };
}

/** Nothing was lost, nothing was said that is wrong; late probes are another matter. */
export const unharmed = (end) =>
  end.lost_streams + end.statuses_bad + end.failed + end.disconnects + end.ended_badly === 0;

/** Fails if @end holds anything that makes the figures worthless. */
export function needUnharmed(end, what) {
  if (!unharmed(end)) throw new Error(`${what}: the load went wrong: ${JSON.stringify(end)}`);
}

/** Opens a stage, measures it with @fn, and closes it whatever happens. */
export async function on(stage, fn, closing) {
  try {
    const result = await fn(stage);

    await stage.close(closing);
    return result;
  } catch (error) {
    await stage.close({ unharmed: false }).catch((second) => say(`also: ${second.message}`));
    throw error;
  }
}

export const cores = (cpu) => total(cpu) / 1000;
