// Plays acts against the weir in WEIR_BIN_DIR and prints what `weir audit` finds, as one JSON object:
// {acts: {NAME: 'done' or what went wrong}, findings: {RULE: [sentence, ...]}, judged: [RULE, ...]}.
//
//   node tests/chaos/mutants/watch.mjs [ACT...]
import { rmSync } from 'node:fs';
import { setTimeout as elapse } from 'node:timers/promises';
import { Audit } from '../../lib/audit.mjs';
import { PA, World } from '../../lib/world.mjs';
import { Stage, alone, inputDeadlineMs, scale, together } from './acts.mjs';

/* What an app was not told is missed 5 s later, by clients that are still heard, and not in the last second. */
const tailMs = 8500;

const config = {
  session: { app_grace_ms: 5000 },
  managed: { poll_interval_ms: 200, delete_pause_ms: 100, reconcile_interval_s: 5, leak_age_s: 30 },
};

async function play(acts, names, context) {
  const act = (name) =>
    acts[name](context).then(
      () => [name, 'done'],
      (error) => [name, String(error.message).split('\n')[0]],
    );

  return Promise.all(names.map(act));
}

/* A mutant may die or leave things behind: that is not what is judged here. */
async function end(world) {
  await world.close({ unharmed: false }).catch(() => world.weir.kill());
  if (!process.env.WEIR_TEST_KEEP) rmSync(world.weir.dir, { recursive: true, force: true });
}

async function main(names) {
  const chosen = names.length > 0 ? names : [...Object.keys(together), ...Object.keys(alone)];
  const unknown = chosen.find((name) => !together[name] && !alone[name]);

  if (unknown) throw new Error(`there is no act ${unknown}`);
  const world = await World.open({ scale, vendor: {}, config });

  process.once('SIGTERM', () => end(world).finally(() => process.exit(143)));
  try {
    const audit = await Audit.start(world);
    const context = { world, audit };
    const lasting = await Stage.open(context, 'lasting', [PA]);

    /* Somebody is always heard: else nobody could say that others hear nothing. */
    const speaks = setInterval(() => lasting.glasses.isOpen && lasting.glasses.sendState(), 1000);

    await lasting.live();
    /* Bounds count from the first event of a daemon: that of this probe, not of its metrics. */
    await lasting.glasses.waitMessage('keep_rtmp_stream_alive').catch(() => null);
    const played = await play(together, chosen.filter((name) => together[name]), context);

    for (const name of chosen.filter((one) => alone[one])) played.push(...(await play(alone, [name], context)));
    await elapse(tailMs);
    clearInterval(speaks);
    await audit.stop();
    const { verdict } = await audit.judge({ inputDeadlineMs });
    const findings = {};

    for (const { id, sentence } of verdict.violations) (findings[id] ??= []).push(sentence);
    const judged = verdict.rules.filter((rule) => rule.checked > 0).map((rule) => rule.id);

    console.log(JSON.stringify({ acts: Object.fromEntries(played), findings, judged }));
  } finally {
    await end(world);
  }
}

await main(process.argv.slice(2));
