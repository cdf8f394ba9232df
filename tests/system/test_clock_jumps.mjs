// Goal: a wall clock that jumps ten days ahead and back under live streams, and a machine that rebooted (its monotonic
// clock begins anew), end nothing and prune nothing.  Deadlines are monotonic, ages are wall-clock time.
// Method: the real system; the clock of the daemons alone is changed, by libfaketime and by a time namespace.  The former
// is not for sanitized programs: the system suite runs plain ones.
// Run: node --test tests/system/test_clock_jumps.mjs
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { PA, World, url } from '../lib/world.mjs';

const library = execFileSync('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'], {
  encoding: 'utf8',
}).trim();
const scale = 10;
const intervalMs = 15000 / scale;
const daysMs = 10 * 86400000;

const event = (name, actor = 'registry') => (e) =>
  e.text?.includes(`"event":"${name}"`) && e.text.includes(`"actor":"${actor}"`);

/** Glasses that acknowledge, an app that owns a live stream. */
async function live(world, label) {
  const user = world.user(label);
  const glasses = await user.connect({ Kind: GlassesSim, scale, autoReconnect: true });
  const app = await user.app(PA);

  app.request(url);
  const { msg } = await app.waitMessage({ type: 'rtmp_stream_status', status: 'active' }, 6000);

  return { user, glasses, app, streamId: msg.streamId };
}

const probed = ({ glasses }) =>
  glasses.waitMessage('keep_rtmp_stream_alive', 2 * intervalMs + 5000, {
    from: glasses.entries.length,
  });

async function assertGoesOn(world, { user, app, glasses, streamId }) {
  const [stream] = await world.weir.liveStreams(user.email);

  assert.equal(stream?.stream_id, streamId);
  assert.equal(stream.phase, 'live');
  assert.deepEqual(app.received({ type: 'rtmp_stream_status', status: 'timeout' }), []);
  assert.deepEqual(glasses.received('stop_rtmp_stream'), []);
}

describe('a clock jumps', { concurrency: 2 }, () => {
  describe('the wall clock jumps', { concurrency: 1 }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-clock-'));
    const file = join(dir, 'clock');
    let world, stream, first;

    /* Written beside and renamed: a reader never sees half of it. */
    function setClock(text) {
      writeFileSync(`${file}.new`, `${text}\n`);
      renameSync(`${file}.new`, file);
    }

    /* By its number: what was when is the question. */
    async function firstOf(...filter) {
      const text = await world.weir.cli('tap', '--from', '1', '--count', '1', '-o', 'jsonl', ...filter);

      /* After a restart a line of the tap itself says so. */
      return JSON.parse(text.trim().split('\n').at(-1));
    }

    /* All that was ever opened is in the history; asked without a time, for that is what lies. */
    async function assertNothingPruned() {
      const { type, seq } = await firstOf();

      assert.deepEqual({ type, seq }, { type: first.type, seq: 1 });
    }

    before(async () => {
      setClock('+0');
      world = await World.open({
        scale,
        /* Unconfined: libfaketime opens that file for every look at the clock. */
        config: { run: { confine: false }, registry: { history_age_s: 7 * 86400 } },
        env: {
          LD_PRELOAD: library,
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
          FAKETIME_NO_CACHE: '1',
          FAKETIME_TIMESTAMP_FILE: file,
        },
      });
      stream = await live(world, 'jump');
      first = await firstOf();
    });

    after(async () => {
      await world?.close({ unharmed: false });
      rmSync(dir, { recursive: true, force: true });
    });

    test('ten days ahead: nothing ends, nothing is pruned, a new stream can begin', async () => {
      const from = world.weir.entries.length;

      setClock('+10d');
      await world.weir.waitFor(event('store.clock_doubted'), 10000, { from });
      await probed(stream);
      await probed(stream);
      await assertGoesOn(world, stream);
      const second = await live(world, 'ahead');
      const filter = ['--type', 'stream.opened', '--stream', second.streamId];
      const { sent_ms: stamp } = await firstOf(...filter);

      assert.ok(stamp - Date.now() > daysMs / 2, 'the daemons see the other clock');
      await assertGoesOn(world, second);
      await assertNothingPruned();
    });

    test('the registry killed with -9 meanwhile: all of it is there', async () => {
      const from = world.weir.entries.length;

      process.kill((await world.weir.pids()).get('registry'), 'SIGKILL');
      await world.weir.waitReady('registry', from);
      await probed(stream);
      await assertGoesOn(world, stream);
      await assertNothingPruned();
    });

    test('ten days back, and right again: nothing ends, nothing is pruned', async () => {
      for (const clock of ['-10d', '+0']) {
        setClock(clock);
        await probed(stream);
        await probed(stream);
        await assertGoesOn(world, stream);
      }
      await assertNothingPruned();
      await live(world, 'back');
    });

    test('glasses that die in another time are found in the usual bound', async () => {
      setClock('+10d');
      await stream.glasses.pullCable();
      await stream.app.waitMessage(
        { type: 'rtmp_stream_status', status: 'timeout', streamId: stream.streamId },
        55000 / scale + 3000,
      );
    });
  });

  /* A machine that has been up for two months. */
  const longUp = ['--time', '--fork', '--monotonic', '5000000', '--boottime', '5000000'];

  const noTimeNamespace = (() => {
    try {
      execFileSync('unshare', ['-r', ...longUp, 'true'], { stdio: 'pipe' });
      return false;
    } catch (error) {
      return `no time namespaces here: ${error.stderr}`;
    }
  })();

  if (noTimeNamespace) console.log(`clock jumps: the reboot is SKIPPED, ${noTimeNamespace}`);

  describe('a reboot', { skip: noTimeNamespace, concurrency: 1 }, () => {
    let world, keeper;

    before(async () => {
      const hold = 'echo $$ && exec sleep infinity';

      keeper = spawn(
        'setpriv',
        ['--pdeathsig', 'KILL', '--', 'unshare', '-r', ...longUp, '--kill-child', 'bash', '-c', hold],
        { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
      );
      const [pid] = await once(keeper.stdout, 'data');

      world = await World.open({
        scale,
        before: ['nsenter', '-t', String(pid).trim(), '-U', '-T', '--preserve-credentials', '--wd=.'],
        config: { session: { app_grace_ms: 5000 } },
      });
    });

    after(async () => {
      await world?.close({ unharmed: false });
      keeper?.kill('SIGKILL');
    });

    test('the monotonic clock begins anew, the store is what it was: streams go on, the dead are found', async () => {
      const { weir } = world;
      const [stays, dies] = [await live(world, 'stays'), await live(world, 'dies')];

      await probed(stays);
      await weir.killAll();
      await dies.glasses.pullCable();
      weir.before = []; /* this machine has been up for less */
      await weir.startAgain();
      await probed(stays);
      await probed(stays);
      await assertGoesOn(world, stays);
      const closed = () => weir.liveStreams(dies.user.email);

      for (const deadline = performance.now() + 20000; (await closed()).length > 0; )
        assert.ok(performance.now() < deadline, 'the dead one is not found');
      const third = await live(world, 'after');

      assert.ok(third.streamId);
    });
  });
});
