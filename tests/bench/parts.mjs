// B7, B8 and records: single parts, measured by programs of their own.
import { availableParallelism } from 'node:os';
import { record, wrongIf } from './report.mjs';
import { say } from './stage.mjs';
import { runTool } from './tools.mjs';

const timeoutMs = 600000;
const cycleNsMax = 200;
const stepMsMax = 1;
const timerBytesMax = 16;
const loadSMax = 0.3;
const seeds = { quick: 20, full: 300 };

/** The one line of JSON of bench-@name; @full: arguments when it is not to be quick. */
export async function part(name, quick, full = []) {
  say(`bench-${name}`);
  const { code, lines } = await runTool(
    `tests/bench/bench-${name}`,
    quick ? ['--quick'] : full,
    timeoutMs,
  );

  if (lines.length === 0) throw new Error(`bench-${name} printed no JSON`);
  return { ...lines.at(-1), ...wrongIf(code !== 0, `bench-${name} measured something wrong`) };
}

export async function wheel(ids, { quick }) {
  const line = await part('wheel', quick);
  const { core } = line;

  return [
    record('B7', {
      value: core.ns_per_cycle,
      unit: 'ns per probe, ack and timers, scheduler alone',
      aim: `value <= ${cycleNsMax}; ${timerBytesMax} bytes a timer; no step > ${stepMsMax} ms`,
      met:
        core.ns_per_cycle <= cycleNsMax &&
        line.wheel.bytes_per_timer <= timerBytesMax &&
        core.step_max_ms <= stepMsMax,
      detail: line,
    }),
  ];
}

export async function records(ids, { quick }) {
  const line = await part('records', quick, ['--records', 1000000]);

  return [
    record('records', {
      value: line.load_ms / 1000,
      unit: `s to load ${line.records} records`,
      reference: line.raw_load_ms / 1000,
      aim: `value <= ${loadSMax} for each 100000 records`,
      met: line.load_ms / 1000 <= (loadSMax * line.records) / 100000,
      detail: line,
    }),
  ];
}

/* The simulator's own last line, e.g. "..., 4.21 virtual stream-hours per CPU second, ...". */
export async function simulator(ids, { quick }) {
  say('B8: the simulator');
  const { text, code } = await runTool(
    'tests/sim',
    ['--seeds', quick ? seeds.quick : seeds.full, '--steps', 10000],
    timeoutMs,
  );
  const line = text.at(-1) ?? '';
  const figure = (pattern) => Number(pattern.exec(line)?.[1] ?? NaN);
  const value = figure(/([0-9.]+) virtual stream-hours per CPU second/);

  if (code !== 0 || !Number.isFinite(value)) throw new Error(`the simulator said: ${line}`);
  return [
    record('B8', {
      value,
      unit: 'virtual stream-hours per CPU second',
      aim: 'as high as it goes',
      detail: {
        steps_per_cpu_s: figure(/(\d+) steps per CPU second/),
        processes: availableParallelism(),
        said: line,
      },
    }),
  ];
}
