// B5 and storm: a process killed under load; how soon it is back, and that no stream is lost.
import { percentile } from '../lib/crowd.mjs';
import { now } from '../lib/recorder.mjs';
import { bringLive, endLoads, on, sizeOf, unharmed, watch } from './measure.mjs';
import { machineMs, startedMs } from './proc.mjs';
import { record, wrongIf } from './report.mjs';
import { WeirStage, gatewaysFor, last, say } from './stage.mjs';

const answerS = 0.3;
const kills = { quick: 1, full: 3 };
const interval = { quick: 2000, full: 15000 }; /* of the storm, which is real */
const boundIntervals = 11 / 3; /* whoever is given up is told by then */
const backMs = 120000;

const jsonOf = (text) => JSON.parse(text.replace(/^[^{]*/, ''));

/* A request that the registry's core has to answer; "no" is an answer, and changes nothing. */
async function ask(weir, command) {
  try {
    await weir.cli(command, 'nosuchstream');
  } catch (error) {
    if (error.code !== 1) throw error;
  }
  return now();
}

/* One kill; resolves with what passed from the start of the successor to its first answer. */
async function killRegistry(stage) {
  const { weir } = stage;
  const from = weir.entries.length;
  const at = now();

  process.kill(stage.pids.get('registry'), 'SIGKILL');
  const ready = await weir.waitReady('registry', from);

  const answered = await ask(weir, 'stop');
  const explained = await ask(weir, 'why'); /* reads the whole history: no index by user */

  await stage.refresh();
  const began = startedMs(stage.pids.get('registry'));
  const loaded = weir.entries.slice(from).find((e) => e.text?.includes('"event":"store.loaded"'));

  return {
    start_to_answer_ms: machineMs(answered) - began,
    why_ms: explained - answered,
    start_to_ready_ms: machineMs(ready.at) - began,
    kill_to_start_ms: began - machineMs(at),
    kill_to_ready_ms: ready.at - at,
    load_ms: jsonOf(loaded.text).ms,
  };
}

export async function restart(ids, { quick, users, directory }) {
  const size = sizeOf({ quick, users });
  const gateways = gatewaysFor(size.users);
  const rounds = [];

  say(`B5: ${size.users} streams every ${size.interval} ms`);
  const end = await on(
    await WeirStage.open({ gateways, interval: size.interval, directory }),
    async (stage) => {
      const tools = await bringLive(stage, {
        users: size.users,
        interval: size.interval,
        appsLeave: true,
      });

      for (let i = 0; i < (quick ? kills.quick : kills.full); i++) {
        rounds.push(await killRegistry(stage));
        await watch(stage, tools, (size.interval * boundIntervals) / 1000);
      }
      return endLoads(stage);
    },
    { unharmed: false },
  );
  const of = (key) => rounds.map((round) => round[key]);
  const value = percentile(of('start_to_answer_ms'), 0.5) / 1000;

  return [
    record('B5', {
      value,
      unit: 's from start to first answer',
      aim: `value <= ${answerS} with 100000 streams; none lost`,
      met: value <= answerS && unharmed(end) ? size.users >= 100000 || null : false,
      detail: {
        ...wrongIf(!unharmed(end), 'streams were lost or disturbed'),
        streams: size.users,
        interval_ms: size.interval,
        rounds,
        end,
      },
    }),
  ];
}

export async function storm(ids, { quick, users, directory }) {
  const count = users ?? (quick ? 200 : 10000);
  const every = quick ? interval.quick : interval.full;
  const gateways = gatewaysFor(2 * count);

  say(`storm: ${count} users on ${gateways} gateways`);
  const { back, end } = await on(
    await WeirStage.open({ gateways, interval: every, directory }),
    async (stage) => {
      const tools = await bringLive(stage, {
        users: count,
        interval: every,
        loads: gateways,
        scenario: 'storm',
      });

      process.kill(stage.pids.get('gateway-1'), 'SIGKILL');
      /* The first load has all its users there. */
      const { line } = await tools[0].phase('back', backMs);

      await last(every * boundIntervals);
      return { back: line, end: await endLoads(stage) };
    },
    { unharmed: false },
  );
  const good = end.lost_streams + end.statuses_bad + end.failed + end.ended_badly === 0;

  return [
    record('storm', {
      value: back.seconds,
      unit: 's until all are back',
      aim: 'no stream lost',
      met: good,
      detail: {
        ...wrongIf(!good, 'streams were lost'),
        users: count,
        gateways,
        interval_ms: every,
        back,
        end,
      },
    }),
  ];
}
