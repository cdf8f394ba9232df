// A second instance of a daemon in the same run directory: refused at once, with the pid of the one
// that is there, which does not notice (libzmq alone would let it take over the sockets).
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loneDaemon } from '../lib/lone_daemon.mjs';
import { World, goLive } from '../lib/world.mjs';

const exitMs = 10000;

let world, weir, stage, pids;

before(async () => {
  world = await World.open({ config: { managed: { provider: 'local' } } });
  weir = world.weir;
  stage = await world.stage('second');
  await goLive(stage);
  pids = await weir.pids();
});

after(() => world?.close());

const running = {
  registry: 'weir-registry',
  'lifecycle-scheduler': 'weir-lifecycle-scheduler',
  'unmanaged-adapter': 'weir-unmanaged-adapter',
  'managed-adapter': 'weir-managed-adapter',
  'gateway-1': 'weir-gateway',
};

/* A daemon of that name in @runDir with our configuration; resolves with what it said, and its exit. */
async function startSecond(t, name, binary, ...more) {
  const names = binary === 'weir-gateway' ? ['--name', name] : [];
  const daemon = loneDaemon(t, binary, [
    ...['--conf', weir.confFile, '--run', weir.runDir, ...names],
    ...more,
  ]);
  const { code } = await daemon.waitEvent('exit', exitMs);

  return { code, daemon };
}

/* Another run directory, and the store of the first. */
async function startOther(t) {
  const dir = join(weir.dir, 'other');

  mkdirSync(dir, { mode: 0o700 });
  const daemon = loneDaemon(t, 'weir-registry', [
    ...['--conf', weir.confFile, '--run', dir],
    ...['--set', `registry.store=sqlite:${join(weir.runDir, 'registry.db')}`],
  ]);
  const { code } = await daemon.waitEvent('exit', exitMs);

  return { code, daemon };
}

function assertRefused({ code, daemon }, event, pid) {
  assert.equal(code, 1, daemon.said);
  const refusal = daemon.entries.find((e) => e.line?.event === event);

  assert.equal(refusal?.line.pid, pid, daemon.said);
}

async function assertUnharmed(from) {
  assert.deepEqual(await weir.pids(), pids);
  const lost = weir.entries.slice(from).filter((e) => /"event":"peer\.(down|lost)"/.test(e.text ?? ''));

  assert.deepEqual(lost, []);
  const [stream] = await weir.liveStreams(stage.U);

  assert.equal(stream?.phase, 'live');
  await goLive(await world.stage('after'));
}

describe('a second instance in the same run directory', () => {
  for (const [name, binary] of Object.entries(running))
    test(`${name}: refused, and the first goes on`, async (t) => {
      const from = weir.entries.length;

      assertRefused(await startSecond(t, name, binary), 'transport.locked', pids.get(name));
      await assertUnharmed(from);
    });

  test('registry with another store: refused, and that store is not made', async (t) => {
    const from = weir.entries.length;
    const second = await startSecond(
      t,
      'registry',
      'weir-registry',
      ...['--set', 'registry.store=memory'],
    );

    assertRefused(second, 'transport.locked', pids.get('registry'));
    await assertUnharmed(from);
  });

  test('registry of another run directory with the same store: refused', async (t) => {
    const from = weir.entries.length;
    const other = await startOther(t);

    assert.equal(other.code, 1, other.daemon.said);
    assert.match(other.daemon.said, /"event":"store\.refused".*registry\.db/);
    await assertUnharmed(from);
  });

  test('media: refused, and the first goes on', async (t) => {
    const from = weir.entries.length;

    assertRefused(await startSecond(t, 'media', 'weir-media'), 'media.busy', pids.get('media'));
    await assertUnharmed(from);
  });

  test('the supervisor: refused, with the pid of the first', async () => {
    const from = weir.entries.length;
    const error = await weir.supervise('up', '--conf', weir.confFile).catch((e) => e);

    assert.equal(error.code, 1);
    const [, pid] = error.stderr.match(/already running in .*, pid (\d+)/) ?? [];

    assert.ok(Number(pid) > 0, error.stderr);
    process.kill(Number(pid), 0);
    await assertUnharmed(from);
  });
});
