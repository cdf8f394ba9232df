// What the kernel knows of a process: CPU time, memory and the moment of its start.
import { readFileSync, readdirSync } from 'node:fs';
import { now } from '../lib/recorder.mjs';

const tickMs = 10; /* of the start time in /proc/PID/stat, on every Linux of today */
const nsPerMs = 1e6;

/** The words of /proc/PID/schedstat: time on a processor (ns), time waiting for one (ns), turns. */
export const parseSchedstat = (text) => text.trim().split(/\s+/).map(Number);

/** {rss, pss, private} in KiB, from the text of /proc/PID/smaps_rollup. */
export function parseRollup(text) {
  const of = (key) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? NaN);

  return { rss: of('Rss'), pss: of('Pss'), private: of('Private_Clean') + of('Private_Dirty') };
}

/** Clock ticks from the boot to the start of a process, from the text of /proc/PID/stat. */
export function parseStartTicks(text) {
  /* The name is in parentheses and may hold anything, also those. */
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');

  return Number(rest[22 - 3]);
}

/**
 * CPU time of process @pid so far in ms, of all its threads.  schedstat counts nanoseconds where
 * stat counts ticks of 10 ms; the time of a thread that ended is lost, and our daemons end none.
 */
export function cpuMs(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => parseSchedstat(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1'))[0])
    .reduce((sum, ns) => sum + ns / nsPerMs, 0);
}

/** Memory of process @pid in KiB; what the kernel holds for its sockets is not in it. */
export const memoryKib = (pid) => parseRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));

/** When process @pid started, in ms of the monotonic clock, known to 10 ms. */
export const startedMs = (pid) =>
  parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'latin1')) * tickMs;

/** The monotonic clock of the machine in ms, at the time @at of this process. */
export function machineMs(at) {
  return Number(process.hrtime.bigint()) / nsPerMs - (now() - at);
}

/* gateway-1, gateway-2: together they are the gateways. */
const groupOf = (name) => name.replace(/-\d+$/, '');

/** Sums @valueOf(pid) of @pids, a Map by name, over processes of one kind: {kind: sum}. */
export function sumByKind(pids, valueOf) {
  const sums = {};

  for (const [name, pid] of pids) sums[groupOf(name)] = (sums[groupOf(name)] ?? 0) + valueOf(pid);
  return sums;
}

export const total = (byKind) => Object.values(byKind).reduce((sum, value) => sum + value, 0);

/** What @combine makes of the values of each kind in @a and @b. */
export const combined = (a, b, combine) =>
  Object.fromEntries(Object.keys(b).map((kind) => [kind, combine(a[kind] ?? 0, b[kind])]));

/** A look at the CPU times of @pids; two of them make a cpuBetween(). */
export const cpuLook = (pids) => ({ at: now(), ms: sumByKind(pids, cpuMs) });

/** CPU time between two looks, as ms per second, by kind of process. */
export const cpuBetween = (a, b) =>
  combined(a.ms, b.ms, (before, after) => ((after - before) * 1000) / (b.at - a.at));
