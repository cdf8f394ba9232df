// The registry is killed with -9 again and again, at random moments, under a crowd of live streams
// and a trickle of requests: no stream notices, no request gets lost (design 1, promises 3, 5, 6).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Crowd, boundMs, elapse, figures, full, percentile, seed } from '../lib/crowd.mjs';
import { Trickle } from '../lib/crowd_trickle.mjs';
import { now, slack } from '../lib/recorder.mjs';

const size = full ? 2000 : 150;
const askers = full ? 200 : 30; /* of them */
const kills = full ? 50 : 5;
const scale = full ? 5 : 10;
const betweenMs = { least: 300, most: 3000 }; /* from serving to the next kill */
const requestTimeoutMs = 10000; /* gateway.request_timeout_ms */
const toleranceMs = 2000; /* for the way of an answer to a busy test process */

let crowd;

before(async () => {
  crowd = await Crowd.open({
    size,
    scale,
    gateways: full ? 4 : 2,
    config: {
      gateway: { request_timeout_ms: requestTimeoutMs, starts_per_min: 600, starts_burst: 100 },
    },
  });
});

after(async () => {
  await crowd?.close({ unharmed: false });
});

/** One kill; resolves when the successor serves: {readyMs, answerMs, loadMs}. */
async function killOnce(pid) {
  const { weir } = crowd;
  const from = weir.entries.length;
  const at = now();

  process.kill(pid, 'SIGKILL');
  const ready = await weir.waitReady('registry', from);

  await weir.cli('ls', '--user', 'nobody@crowd.example', '-o', 'json');
  const loaded = weir.entries.slice(from).find((e) => e.text?.includes('"event":"store.loaded"'));

  return {
    readyMs: ready.at - at,
    answerMs: now() - at,
    loadMs: JSON.parse(loaded.text.replace(/^[^{]*/, '')).ms,
  };
}

async function killAgainAndAgain() {
  const rounds = [];

  for (let i = 0; i < kills; i++) {
    const pid = (await crowd.weir.pids()).get('registry');

    await elapse(betweenMs.least + crowd.random() * (betweenMs.most - betweenMs.least));
    rounds.push(await killOnce(pid));
  }
  return rounds;
}

function show(t, rounds, trickle) {
  const of = (key) => rounds.map((round) => round[key]);
  const latencies = trickle.latencies();

  figures(t, 'registry-kills', {
    glasses: size,
    kills,
    scale,
    ready_ms_p50: percentile(of('readyMs'), 0.5),
    ready_ms_max: Math.max(...of('readyMs')),
    answer_ms_p50: percentile(of('answerMs'), 0.5),
    answer_ms_max: Math.max(...of('answerMs')),
    load_ms_max: Math.max(...of('loadMs')),
    requests: trickle.outcomes.length,
    refused: trickle.of('refused').length,
    start_ms_p50: percentile(latencies, 0.5),
    start_ms_max: Math.max(...latencies),
    seed,
  });
}

test(`kill -9 of the registry, ${kills} times under ${size} live streams`, async (t) => {
  const steady = await crowd.goLive(crowd.members.slice(askers));
  const trickle = new Trickle(crowd, crowd.members.slice(0, askers), {
    timeoutMs: requestTimeoutMs + toleranceMs,
  });

  const rounds = await killAgainAndAgain();

  await trickle.stop();
  show(t, rounds, trickle);
  await t.test('every request is answered by a stream: the registry is back in time', () => {
    for (const kind of ['silent', 'closed', 'unended', 'refused']) {
      const bad = trickle.of(kind);

      assert.equal(
        bad.length,
        0,
        `${kind}, ${bad[0]?.message}: ${crowd.stories(bad.map((b) => b.member))}`,
      );
    }
    assert.ok(trickle.ended >= kills, `only ${trickle.ended} streams came and went`);
  });

  /* Whoever was given up by mistake would be told within the bound. */
  await crowd.probed(steady, Math.ceil((boundMs(scale) * slack) / (15000 / scale)));
  await t.test('no stream is lost, none was disturbed, nobody was told an end', async () => {
    await crowd.assertUntouched(steady);
    crowd.assertToldOnce();
  });
  await t.test('what was acknowledged is in the history, and is live or ended there', async () => {
    const { heard } = await crowd.assertAcknowledged();

    assert.ok(heard.length >= steady.length + trickle.of('accepted').length);
  });
  await t.test('nothing is stuck: the steady are live, the others have ended', async () => {
    const mine = new Set(steady.map((stream) => stream.id));
    const records = JSON.parse(await crowd.weir.cli('ls', '--all', '-o', 'json'));
    const left = records.filter((record) => !mine.has(record.stream_id));

    assert.equal(
      left.length,
      0,
      `${left[0]?.stream_id}: ${crowd.stories(left.map((r) => crowd.byEmail.get(r.user_id)))}`,
    );
    await crowd.assertNothingStuck();
  });
});
