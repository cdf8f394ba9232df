// Everything is killed with -9 in one moment, supervisors included, and started again where it was:
// what was acknowledged is there, who returns goes on, and the rest ends within its bound (design 1,
// promises 2, 3, 5, 6).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Crowd, boundMs, figures, full, percentile, seed } from '../lib/crowd.mjs';
import { Trickle } from '../lib/crowd_trickle.mjs';
import { now, slack } from '../lib/recorder.mjs';

const size = full ? 2000 : 150;
const askers = full ? 100 : 20; /* of them: their requests are under way when it happens */
const askedMin = 2 * askers; /* requests before it happens */
const scale = full ? 1 : 5;
const intervalMs = 15000 / scale;
const ackMs = 10000 / scale;
const graceMs = 60000 / scale; /* of a session whose glasses do not return */
const slackMs = 5000; /* a start of everything, and a busy machine */

let crowd;

before(async () => {
  crowd = await Crowd.open({
    size,
    scale,
    gateways: full ? 4 : 2,
    config: { gateway: { starts_per_min: 600, starts_burst: 100 } },
  });
});

after(async () => {
  await crowd?.close({ unharmed: false });
});

/* The parts that return and not, by turns: glasses of every second, apps of three in four. */
const placeOf = (stream) => Number(/^u(\d+)@/.exec(stream.member.email)[1]);
const returns = (stream) => placeOf(stream) % 2 === 0;
const appReturns = (stream) => placeOf(stream) % 4 !== 1;

test(`kill -9 of all processes under ${size} live streams, and a start`, async (t) => {
  const streams = await crowd.goLive(crowd.members.slice(askers));
  const back = streams.filter(returns);
  const away = streams.filter((stream) => !returns(stream));

  const trickle = new Trickle(crowd, crowd.members.slice(0, askers), { workers: askers, pauseMs: 0 });

  await crowd.until(() => trickle.outcomes.length >= askedMin, 30000, 'requests');
  const killed = { at: now(), wallMs: Date.now() };

  for (const stream of away) stream.member.pullCable();
  for (const stream of away.filter((s) => !appReturns(s))) stream.member.leaving = true;
  await crowd.weir.killAll();
  const stopped = trickle.stop();
  const up = now();

  await crowd.weir.startAgain();
  const readyMs = now() - up;

  await t.test('every stream is there at once', async () => {
    const live = new Set((await crowd.weir.liveStreams()).map((record) => record.stream_id));

    assert.deepEqual(streams.filter((s) => !live.has(s.id)).map((s) => s.id), []);
  });

  await t.test('streams whose glasses return go on: same id, no new start, probes again', async () => {
    await crowd.until(
      () => back.every((stream) => stream.member.ready),
      graceMs,
      'return of glasses and apps',
      () => back.filter((s) => !s.member.ready).map((s) => s.member),
    );
    await crowd.probed(back);
    await crowd.assertAcknowledged();
  });

  await t.test('who was asking finds a consistent world: what runs can be ended and started', async () => {
    const members = crowd.members.slice(0, askers);

    await stopped;
    await crowd.until(
      () => members.every((member) => member.ready),
      graceMs,
      'return of the askers',
      () => members.filter((member) => !member.ready),
    );
    const fresh = await crowd.goLive(members);

    for (const stream of fresh) stream.member.stop(stream.id);
    await crowd.until(
      () => fresh.every((stream) => stream.terminals === 1),
      graceMs,
      'ends of the new streams',
      () => fresh.filter((stream) => stream.terminals === 0).map((stream) => stream.member),
    );
  });

  await t.test('streams whose glasses do not return end within the bound', async () => {
    const told = away.filter(appReturns);
    const limitMs = boundMs(scale) + ackMs + graceMs + slackMs;
    const deadline = now() + limitMs * slack;

    await crowd.until(
      () => told.every((stream) => stream.terminals > 0),
      limitMs,
      'the end of the streams of those who left',
      () => told.filter((s) => s.terminals === 0).map((s) => s.member),
    );
    /* Of the others only the registry can tell. */
    while ((await crowd.weir.liveStreams()).length > back.length)
      assert.ok(now() < deadline, 'streams of glasses and apps that are gone live on');
    const { closed } = await crowd.history();
    const latest = away.map((s) => closed.get(s.id)?.sent_ms ?? Infinity);
    /* Nothing is judged on blind time: one window more than if we had been there. */
    const limit = killed.wallMs + (up - killed.at + readyMs) + boundMs(scale) + intervalMs + ackMs;

    assert.ok(Math.max(...latest) <= limit + slackMs * slack, `${Math.max(...latest)} > ${limit}`);
    figures(t, 'all-at-once', {
      glasses: size,
      scale,
      dead_after_kill_ms: up - killed.at,
      start_ms: readyMs,
      end_ms_p50: percentile(latest, 0.5) - killed.wallMs,
      end_ms_max: Math.max(...latest) - killed.wallMs,
      causes: [...new Set(away.map((s) => closed.get(s.id).end_cause))].join(' '),
      seed,
    });
  });

  await t.test('those who returned are untouched, apps were told one end each, none is stuck', async () => {
    await crowd.assertUntouched(back);
    crowd.assertToldOnce();
    const wrong = away.filter(appReturns).filter((s) => s.words.timeout !== 1);

    assert.equal(wrong.length, 0, crowd.stories(wrong.map((s) => s.member)));
    assert.equal((await crowd.weir.liveStreams()).length, back.length);
    await crowd.assertAcknowledged();
    await crowd.assertNothingStuck();
  });
});
