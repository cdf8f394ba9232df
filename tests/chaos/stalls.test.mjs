// A daemon is stopped (SIGSTOP) for longer than any stream can do without it, and goes on: nobody
// dies of our blindness, the dead are found afterwards, and nothing comes in a burst (design 1,
// promises 2 and 6; design 6).
//
// The scheduler and a gateway are what feeds the devices: 90 s without them is more than a device
// bears (60 s), so there the devices' own limit is off.  What is shown is what weir says and does.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Crowd, boundMs, elapse, figures, full, seed } from '../lib/crowd.mjs';
import { Trickle } from '../lib/crowd_trickle.mjs';
import { now } from '../lib/recorder.mjs';

const size = full ? 2000 : 150;
const askers = full ? 100 : 20; /* of them */
const dying = full ? 100 : 10; /* of them, in each stall */
const scale = full ? 1 : 10;
const stallMs = 90000 / scale;
const intervalMs = 15000 / scale;
const ackMs = 10000 / scale;
const requestTimeoutMs = 10000; /* gateway.request_timeout_ms */
const toleranceMs = 2000; /* for the way of an answer to a busy test process */
const slackMs = 3000;

let crowd;
let steady;

before(async () => {
  crowd = await Crowd.open({
    size,
    scale,
    config: {
      gateway: {
        beat_ms: 1000 / scale,
        lease_ms: 5000 / scale,
        blind_max_ms: 180000 / scale,
        request_timeout_ms: requestTimeoutMs,
        starts_per_min: 600,
        starts_burst: 100,
      },
      session: { glasses_ping_ms: 10000 / scale, glasses_pong_ms: 30000 / scale },
    },
  });
  steady = await crowd.goLive(crowd.members.slice(askers));
});

after(async () => {
  await crowd?.close();
});

/** The next few of the steady die now: without a word, for good. */
function die() {
  const dead = steady.splice(0, dying);

  for (const stream of dead) stream.member.pullCable();
  return dead;
}

const late = (dead) => dead.filter((stream) => stream.terminals === 0).map((s) => s.member);

async function stall(t, name, { trickle } = {}) {
  const pid = (await crowd.weir.pids()).get(name);
  const requests = trickle && new Trickle(crowd, crowd.members.slice(0, askers), {
    timeoutMs: requestTimeoutMs + toleranceMs,
  });

  await crowd.probed(steady);
  process.kill(pid, 'SIGSTOP');
  await elapse(stallMs / 3);
  const dead = die();

  await elapse((stallMs * 2) / 3);
  crowd.mark();
  process.kill(pid, 'SIGCONT');
  const resumed = now();

  await crowd.until(
    () => late(dead).length === 0,
    boundMs(scale) + ackMs + slackMs,
    'the end of those who died meanwhile',
    () => late(dead),
  );
  const foundMs = now() - resumed;

  await crowd.probed(steady, 4);
  await requests?.stop();
  const nearest = steady.toSorted((a, b) => a.nearestMs - b.nearestMs)[0];

  figures(t, `stall of ${name}`, {
    glasses: size,
    scale,
    stall_ms: stallMs,
    found_ms: foundMs,
    nearest_probes_ms: nearest.nearestMs,
    requests: requests?.outcomes.length,
    refused: requests?.of('refused').length,
    seed,
  });
  /* Twice in an interval would be a burst; a busy machine moves a probe, but not by half of one. */
  assert.ok(nearest.nearestMs > intervalMs / 2, `a burst: ${crowd.stories([nearest.member])}`);
  await crowd.assertUntouched(steady);
  crowd.assertToldOnce();
  const wrong = dead.filter((stream) => stream.words.timeout !== 1);

  assert.equal(wrong.length, 0, crowd.stories(wrong.map((stream) => stream.member)));
  for (const kind of ['silent', 'closed', 'unended']) {
    const bad = requests?.of(kind) ?? [];

    assert.equal(bad.length, 0, `${kind}: ${crowd.stories(bad.map((b) => b.member))}`);
  }
  await crowd.assertAcknowledged();
  await crowd.assertNothingStuck();
}

test('the registry stands still: probes go on, requests wait or are refused', async (t) => {
  await stall(t, 'registry', { trickle: true });
});

test('the lifecycle-scheduler stands still: nobody is judged for it', async (t) => {
  crowd.selfLimit = false;
  await stall(t, 'lifecycle-scheduler', { trickle: true });
});

test('a gateway stands still: its links are unknown, not dead', async (t) => {
  crowd.selfLimit = false;
  await stall(t, 'gateway-1');
});
