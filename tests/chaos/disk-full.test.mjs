// The disk under the registry's store fills up: new streams are refused in words, running ones go
// on and their ends are recorded; with room again everything goes on by itself (design 9).
//
// The disk is a small tmpfs in a mount namespace of the daemons' own, filled from outside.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Crowd, boundMs, figures, full, rtmpUrl, seed } from '../lib/crowd.mjs';
import { now } from '../lib/recorder.mjs';
import { SmallDisk, noSmallDisk } from '../lib/small_disk.mjs';

const size = full ? 1000 : 80;
const steadyCount = size / 2;
const ending = steadyCount / 8; /* of them; as many again die */
const scale = 10;
/* The store keeps a reserve of 16 MiB and takes it back when there is room for two of them. */
const diskMiB = 64;
const requestMs = 12000;
const roomMs = 15000;
const noStorage = /no storage left for new streams/;

const skip = noSmallDisk();

if (skip) console.log(`disk-full: SKIPPED, ${skip}`);

describe('the disk is full', { skip }, () => {
  let crowd;
  let disk;
  let steady;
  let fresh;

  before(async () => {
    disk = await SmallDisk.open({ mib: diskMiB });
    crowd = await Crowd.open({
      size,
      scale,
      before: disk.before,
      config: { registry: { store: `sqlite:${disk.path}/registry.db` } },
    });
    steady = await crowd.goLive(crowd.members.slice(0, steadyCount));
    fresh = crowd.members.slice(steadyCount);
  });

  after(async () => {
    await crowd?.close({ unharmed: false });
    await disk?.close();
  });

  /** Somebody who has no stream and whose app is there asks for one. */
  async function ask() {
    await crowd.until(() => fresh.some((member) => member.ready), 30000, 'somebody who can ask');
    const index = fresh.findIndex((member) => member.ready);
    const [member] = fresh.splice(index, 1);

    fresh.push(member);
    return member.request(rtmpUrl, requestMs);
  }

  /*
   * Filled once, while nothing is written: what the store then gives up of its reserve stays free
   * for the ends of streams.
   */
  async function askUntilRefused() {
    disk.fill();
    for (let asked = 1; ; asked++) {
      const outcome = await ask();

      if (outcome.kind === 'refused') return { outcome, asked };
      assert.equal(outcome.kind, 'accepted', crowd.stories([outcome.member]));
      outcome.member.stop(outcome.streamId);
      assert.ok(asked < 10 * size, 'a full disk takes everything');
    }
  }

  async function assertRefusals() {
    for (let i = 0; i < 5; i++) {
      const outcome = await ask();

      assert.equal(outcome.kind, 'refused', crowd.stories([outcome.member]));
      assert.match(outcome.message, noStorage);
    }
  }

  /** Some of the steady are stopped by their apps, some die; resolves when @meanwhile has. */
  async function endSome(meanwhile = async () => {}) {
    const stopped = steady.splice(0, ending);
    const dead = steady.splice(0, ending);
    const ends = [...stopped, ...dead];
    const missing = () => ends.filter((stream) => stream.terminals === 0).map((s) => s.member);

    for (const stream of stopped) stream.member.stop(stream.id);
    for (const stream of dead) stream.member.pullCable();
    await meanwhile();
    await crowd.until(
      () => missing().length === 0,
      boundMs(scale) + 5000,
      'ends on a full disk',
      missing,
    );
    const { closed } = await crowd.history();

    assert.deepEqual(stopped.filter((s) => closed.get(s.id)?.end_cause !== 'app_stop'), []);
    assert.deepEqual(dead.filter((s) => closed.get(s.id)?.end_cause !== 'phone_lost'), []);
  }

  const room = () => {
    const from = crowd.weir.entries.length;

    return crowd.weir.waitFor((e) => e.text?.includes('"event":"store.room"'), roomMs, { from });
  };

  async function acceptedAgain() {
    const began = now();
    const there = room();

    disk.free();
    const roomAfterMs = (await there).at - began;
    const outcome = await ask();

    assert.equal(outcome.kind, 'accepted', outcome.message);
    outcome.member.stop(outcome.streamId);
    return roomAfterMs;
  }

  async function assertAllWell() {
    await crowd.probed(steady);
    await crowd.assertUntouched(steady);
    crowd.assertToldOnce();
    await crowd.assertAcknowledged();
    await crowd.assertNothingStuck();
  }

  async function assertNoRestart() {
    const status = JSON.parse(await crowd.weir.supervise('status', '-o', 'json'));

    assert.deepEqual(status.filter((daemon) => daemon.restarts > 0), []);
  }

  test('new streams are refused in words, running ones go on and end as ever', async (t) => {
    const { outcome, asked } = await askUntilRefused();

    assert.match(outcome.message, noStorage);
    await assertRefusals();
    await endSome();
    await assertAllWell();
    const roomAfterMs = await acceptedAgain();

    await assertAllWell();
    await assertNoRestart();
    figures(t, 'disk-full', { glasses: size, asked, room_after_ms: roomAfterMs, seed });
  });

  test('somebody takes the reserve too: what cannot be recorded waits, and is not lost', async () => {
    await askUntilRefused();
    disk.fill();
    await endSome(async () => {
      await crowd.probed(steady, 3);
      disk.free();
    });
    await assertAllWell();
    await assertNoRestart();
  });

  test('killed with -9 while the disk is full: nothing acknowledged is lost', async () => {
    await crowd.until(() => fresh.every((member) => member.ready), 30000, 'all apps back');
    await askUntilRefused();
    const ready = crowd.weir.waitReady('registry');

    process.kill((await crowd.weir.pids()).get('registry'), 'SIGKILL');
    await ready;
    await assertAllWell();
    await acceptedAgain();
    await assertAllWell();
  });
});
