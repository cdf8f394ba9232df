// scripts/bench: runs what is asked for, one after the other, and prints the records.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { needPerf } from './flame.mjs';
import { keepalive } from './keepalive.mjs';
import { restart, storm } from './kills.mjs';
import { memory } from './memory.mjs';
import { overload } from './overload.mjs';
import { records, simulator, wheel } from './parts.mjs';
import { failure, table } from './report.mjs';
import { say } from './stage.mjs';
import { streams } from './streams.mjs';
import { tap } from './taps.mjs';
import { buildDir } from './tools.mjs';

/* Benchmarks that are measured together: one stage serves them all. */
const groups = [
  { ids: ['B1', 'B2', 'B2b'], run: keepalive },
  { ids: ['B3'], run: memory },
  { ids: ['B4'], run: streams },
  { ids: ['B5'], run: restart },
  { ids: ['B6'], run: tap },
  { ids: ['B7'], run: wheel },
  { ids: ['B8'], run: simulator },
  { ids: ['records'], run: records },
  { ids: ['overload'], run: overload },
  { ids: ['storm'], run: storm },
];
const known = groups.flatMap(({ ids }) => ids);
const count = { type: 'string' };
const scratch = tmpdir();
let current; /* directory of the group that runs */

function usage(text) {
  process.stderr.write(`bench: ${text}; see: scripts/bench --help\n`);
  process.exit(2);
}

function number(values, name, least) {
  const text = values[name];

  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}(\.[0-9]+)?$/.test(text) || Number(text) < least)
    usage(`--${name} wants a number of at least ${least}, not '${text}'`);
  return Number(text);
}

function take(argv) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        curve: { type: 'boolean', default: false },
        profile: { type: 'boolean', default: false },
        output: { type: 'string', short: 'o', default: 'table' },
        users: count,
        seconds: count,
        rate: count,
      },
    });
  } catch (error) {
    return usage(error.message);
  }
}

function parse(argv) {
  const { values, positionals } = take(argv);

  if (!['json', 'table'].includes(values.output)) usage(`-o wants json or table`);
  for (const id of positionals)
    if (!known.includes(id)) usage(`no benchmark '${id}'; there are: ${known.join(', ')}`);
  return {
    ...values,
    ids: positionals.length > 0 ? positionals : known,
    users: number(values, 'users', 1),
    seconds: number(values, 'seconds', 1),
    rate: number(values, 'rate', 1),
    profile: values.profile ? join(buildDir(), 'bench') : undefined,
  };
}

/* Everything of a group is in one directory; it stays if something went wrong. */
async function runGroup({ ids, run }, options) {
  const directory = mkdtempSync(join(scratch, 'weir-bench-'));

  process.env.TMPDIR = current = directory;
  try {
    const results = await run(ids, { ...options, directory });

    rmSync(directory, { recursive: true, force: true });
    return results;
  } catch (error) {
    say(`${ids.join(', ')}: FAILED, files in ${directory}: ${error.message}`);
    return ids.map((id) => failure(id, error));
  }
}

/* Who gives up wants none of it; what was started ends with this process. */
function giveUp(signal) {
  say(`ended by ${signal}`);
  if (current) rmSync(current, { recursive: true, force: true });
  process.exit(128 + constants.signals[signal]);
}

async function main() {
  const options = parse(process.argv.slice(2));
  const results = [];

  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => giveUp(signal));

  if (options.profile) await needPerf();
  for (const { ids, run } of groups) {
    const wanted = ids.filter((id) => options.ids.includes(id));

    if (wanted.length > 0) results.push(...(await runGroup({ ids: wanted, run }, options)));
  }
  process.stdout.write(
    options.output === 'json' ? `${JSON.stringify(results, null, 1)}\n` : table(results),
  );
  process.exitCode = results.some((one) => one.detail.error) ? 1 : 0;
}

await main().catch((error) => {
  say(error.message);
  process.exitCode = 2;
});
