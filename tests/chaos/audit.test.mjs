// A judge who knows only what a tap, apps and glasses have recorded (actors/audit) finds nothing:
// streams start, stop, are taken over and vanish, managed ones are joined and left, while every
// process is killed with -9 in turn (design 1, all promises).
//
// And it would find something: the same recording with one event taken out, or one word changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Audit } from '../lib/audit.mjs';
import { GlassesSim } from '../lib/glasses.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, World, url } from '../lib/world.mjs';

const boundMs = 5500; /* 55 s at a tenth */
const slackMs = 4000 * slack;
const daemons = ['lifecycle-scheduler', 'unmanaged-adapter', 'managed-adapter', 'registry'];

let world, audit;

before(async () => {
  world = await World.open({
    scale: 10,
    vendor: {},
    config: {
      session: { app_grace_ms: 5000 },
      managed: { poll_interval_ms: 200, delete_pause_ms: 100 },
    },
  });
  audit = await Audit.start(world);
});

after(async () => {
  await world?.close({ unharmed: false });
});

async function kill(name) {
  const from = world.weir.entries.length;

  process.kill((await world.weir.pids()).get(name), 'SIGKILL');
  await world.weir.waitReady(name, from);
}

async function stage(label, packages) {
  const user = world.user(label);
  const glasses = audit.add(
    await user.connect({ Kind: GlassesSim, scale: 10, autoReconnect: true }),
    user,
  );
  const apps = [];

  for (const name of packages) apps.push(audit.add(await user.app(name), user));
  return { user, glasses, apps };
}

const hears = (app, word, from = 0, type = 'rtmp_stream_status') =>
  app.waitMessage({ type, status: word }, 12000 * slack, { from });

/* One user: start, takeover by another app, stop. */
async function takeOver(label) {
  const { apps } = await stage(label, [PA, PB]);
  const [a, b] = apps;

  a.request(url);
  await hears(a, 'active');
  b.request(`${url}-of-b`);
  await hears(a, 'stopped');
  const { msg } = await hears(b, 'active');

  b.stop(msg.streamId);
  await hears(b, 'stopped');
}

/* Another: a managed stream, joined and left by all. */
async function watch(label) {
  const { apps } = await stage(label, [PA, PB]);
  const type = 'managed_stream_status';

  apps[0].watch();
  await hears(apps[0], 'active', 0, type);
  apps[1].watch();
  await hears(apps[1], 'active', 0, type);
  for (const app of apps) {
    app.leave();
    await hears(app, 'stopped', 0, type);
  }
}

/* A third: its glasses vanish. */
async function vanish(label) {
  const { glasses, apps } = await stage(label, [PA]);

  apps[0].request(url);
  await hears(apps[0], 'active');
  await glasses.pullCable();
  await apps[0].waitMessage({ type: 'rtmp_stream_status', status: 'timeout' }, boundMs + slackMs);
}

test('nothing is found in what was recorded while every process was killed', async () => {
  const lasting = await stage('lasting', [PA]);

  lasting.apps[0].request(url);
  await hears(lasting.apps[0], 'active');
  for (const name of daemons) {
    await Promise.all([takeOver(`takeover.${name}`), watch(`watch.${name}`)]);
    await kill(name);
    await Promise.all([vanish(`vanish.${name}`), takeOver(`again.${name}`)]);
  }
  lasting.apps[0].stop();
  await hears(lasting.apps[0], 'stopped');
  await audit.stop();
  const { code, verdict } = await audit.judge();

  assert.deepEqual(verdict.violations, []);
  assert.equal(code, 0);
  const judged = new Set(verdict.rules.filter((rule) => rule.checked > 0).map((rule) => rule.id));

  /* Mirrors and records of the processes are in no recording. */
  for (const { id } of verdict.rules)
    if (!['L4', 'L6'].includes(id)) assert.ok(judged.has(id), `${id} was not judged`);
});

/* The recording with @change made to a copy of its first event that @is the one. */
function changed(lines, is, change) {
  const at = lines.findIndex(is);

  assert.notEqual(at, -1);
  return lines.with(at, { ...lines[at], ...change });
}

const ofEvents = (is, change) => () => ({ events: changed(audit.events, is, change) });
const ofClients = (is, change) => () => ({ clients: changed(audit.clients, is, change) });
const isHeard = (type) => (line) => line.direction === 'in' && line.message.type === type;

const forged = {
  I1: ofEvents((e) => e.type === 'stream.closed' && e.end_cause === 'takeover', {
    type: 'stream.told',
  }),
  I2: ofEvents((e) => e.type === 'stream.status', { epoch: 1 }),
  I3: ofClients(isHeard('keep_rtmp_stream_alive'), { message: { type: 'stop_rtmp_stream' } }),
  I6: ofEvents((e) => e.type === 'stream.told', { package: 'com.example.somebody' }),
  I7: ofEvents((e) => e.type === 'stream.status' && e.phase === 'live', { phase: 'stopping' }),
  I9: ofEvents((e) => e.type === 'stream.closed' && e.missed === 3, { missed: 5 }),
  I10: ofEvents((e) => e.type === 'provider.create', { mark: 'theirs' }),
  I12: ofEvents((e) => e.type === 'stream.closed', { hop: 'output' }),
  I13: ofEvents((e) => e.type === 'stream.moved', { seq: 1 }),
  I15: ofEvents((e) => e.type === 'stream.opened', { rtmp_url: 'rtmp://host/app/key' }),
};

for (const [id, forge] of Object.entries(forged))
  test(`${id} is found broken in a recording that was changed`, async () => {
    const { code, verdict } = await audit.judge(forge());

    assert.equal(code, 1);
    assert.ok(
      verdict.violations.some((violation) => violation.id === id),
      JSON.stringify(verdict.violations),
    );
  });
