// Everything is killed with -9 in one moment, supervisors included, and started again where it was:
// what was acknowledged is there, who returns goes on, and the rest ends within its bound (design 1,
// promises 2, 3, 5, 6).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Crowd, boundMs, figures, full, percentile, seed } from '../lib/crowd.mjs';
import { now, slack } from '../lib/recorder.mjs';

const size = full ? 2000 : 150;
const scale = full ? 1 : 5;
const intervalMs = 15000 / scale;
const ackMs = 10000 / scale;
const graceMs = 60000 / scale; /* of a session whose glasses do not return */
const slackMs = 5000; /* a start of everything, and a busy machine */

let crowd;

before(async () => {
  crowd = await Crowd.open({ size, scale, gateways: full ? 4 : 2 });
});

after(async () => {
  await crowd?.close({ unharmed: false });
});

/* The parts that return and not, by turns: glasses of every second, apps of three in four. */
const returns = (stream) => crowd.members.indexOf(stream.member) % 2 === 0;
const appReturns = (stream) => crowd.members.indexOf(stream.member) % 4 !== 1;

/** Ends of streams as the registry tells them: stream id -> ms of the wall clock. */
async function ends() {
  const { closed } = await crowd.history();

  return new Map([...closed].map(([id, event]) => [id, event]));
}

test(`kill -9 of all processes under ${size} live streams, and a start`, async (t) => {
  const streams = await crowd.goLive(crowd.members);
  const back = streams.filter(returns);
  const away = streams.filter((stream) => !returns(stream));

  const killed = { at: now(), wallMs: Date.now() };

  for (const stream of away) stream.member.pullCable();
  for (const stream of away.filter((s) => !appReturns(s))) stream.member.leaving = true;
  await crowd.weir.killAll();
  const up = now();

  await crowd.weir.startAgain();
  const readyMs = now() - up;

  await t.test('everything that was acknowledged is there at once', async () => {
    const { opened, closed } = await crowd.history();

    assert.deepEqual(streams.filter((s) => !opened.has(s.id)).map((s) => s.id), []);
    assert.deepEqual(streams.filter((s) => closed.has(s.id)).map((s) => s.id), []);
    assert.equal((await crowd.weir.liveStreams()).length, size);
  });

  await t.test('streams whose glasses return go on: same id, no new start, probes again', async () => {
    await crowd.until(
      () => back.every((stream) => stream.member.ready),
      graceMs,
      'return of glasses and apps',
      () => back.filter((s) => !s.member.ready).map((s) => s.member),
    );
    await crowd.probed(back);
  });

  await t.test('streams whose glasses do not return end within the bound', async () => {
    const told = away.filter(appReturns);

    await crowd.until(
      () => told.every((stream) => stream.terminals > 0),
      boundMs(scale) + ackMs + graceMs + slackMs,
      'the end of the streams of those who left',
      () => told.filter((s) => s.terminals === 0).map((s) => s.member),
    );
    const closed = await ends();
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
