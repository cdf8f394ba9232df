// The command line of scripts/hammer and scripts/soak.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { profiles } from './profiles.mjs';
import { summaryText } from './report.mjs';

const units = { s: 1000, m: 60000, h: 3600000 };

const shared = `  --glasses N      simulated glasses, each with an app (default @GLASSES@)
  --time N[smh]    how long (default @TIME@); then it waits until all has come to its end
  --seed S         repeats the choices of a run
  --out DIR        where recordings and summary.json go (default: a new directory)

Ctrl-C ends it before its time, with the summary of what was; a second one at once.
Environment: WEIR_BIN_DIR (the daemons; default build/actors).
Exit: 0 nothing was violated, 1 something was, 2 wrong usage.
`;

const helps = {
  hammer: `usage: scripts/hammer [--time 1h] [--glasses N] [--seed S] [--out DIR] [--every 5-20]

Run a real weir with two gateways and streams of both kinds, managed ones at a stand-in for the provider, while
every few seconds something breaks, or two things at once: processes killed or stopped, everything killed, glasses
that vanish without a word, apps that stop reading, a faulty provider, a full disk, bad links.  All is recorded; in
the end a judge (weir audit) looks at it, and nothing may be stuck, left at the provider, leaked or told to strangers.

  --every A-B      seconds between two blows (default 5-20)
${shared}example: scripts/hammer --time 10m --glasses 150 --seed 4711
`,
  soak: `usage: scripts/soak [--glasses 5000] [--time 30m] [--seed S] [--out DIR]

Run a real weir under glasses that come and go and streams that start and end, without any fault, and watch memory,
descriptors, threads and log lines of each daemon; in the end nothing may be left, and nothing may have grown.

${shared}example: scripts/soak --glasses 500 --time 10m
`,
};

function usage(words) {
  console.error(`${words}; see --help`);
  process.exit(2);
}

function timeOf(text) {
  const [, number, unit = 's'] = /^(\d{1,6})([smh]?)$/.exec(text) ?? usage(`no time: '${text}'`);

  return Number(number) * units[unit || 's'];
}

function everyOf(text) {
  const [, least, most] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? usage(`no range of seconds: '${text}'`);

  if (Number(most) < Number(least)) usage(`no range of seconds: '${text}'`);
  return [least * 1000, most * 1000];
}

function numberOf(text, name) {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : usage(`--${name} wants a number, not '${text}'`);
}

function optionsOf(kind, args) {
  const string = { type: 'string' };
  const options = {
    ...{ help: { type: 'boolean', short: 'h' }, glasses: string, time: string, seed: string, out: string },
    ...(kind === 'hammer' ? { every: string } : {}),
  };

  try {
    return parseArgs({ args, options, strict: true }).values;
  } catch (error) {
    return usage(error.message);
  }
}

function helpOf(kind) {
  return helps[kind]
    .replace('@GLASSES@', profiles[kind].glasses)
    .replace('@TIME@', `${profiles[kind].timeMs / units.m}m`);
}

async function main([kind, ...args]) {
  const values = optionsOf(kind, args);
  const options = { ...profiles[kind], say: console.log };

  if (values.help) return console.log(helpOf(kind));
  if (values.time) options.timeMs = timeOf(values.time);
  if (values.glasses) options.glasses = numberOf(values.glasses, 'glasses');
  if (values.every) options.everyMs = everyOf(values.every);
  /* The seed is drawn, or read, where the modules are loaded. */
  if (values.seed) process.env.CHAOS_SEED = numberOf(values.seed, 'seed');
  options.out = values.out ?? mkdtempSync(join(tmpdir(), `weir-${kind}-`));
  const { Hammer } = await import('./hammer.mjs');
  const hammer = await Hammer.open(options);
  let summary;

  process.once('SIGINT', () => hammer.interrupt());
  process.once('SIGTERM', () => hammer.interrupt());
  try {
    await hammer.run();
    summary = await hammer.finish();
  } finally {
    await hammer.close();
  }
  writeFileSync(hammer.files['summary.json'], `${JSON.stringify(summary, null, 2)}\n`);
  console.log(`${summaryText(summary)}\nfiles: ${options.out}`);
  process.exitCode = summary.violations.length > 0 ? 1 : 0;
}

await main(process.argv.slice(2));
