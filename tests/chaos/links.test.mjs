// Bad networks between glasses and weir: late and lost packets are no reason to give anybody up, and a
// link that died without a word (no FIN, no RST) is found: closed with 1001 at the pong deadline, its
// stream ended within the bound of the loss (design 1, promise 2; design 6).
//
// The network is a relay (lib/relay.mjs): its loss is a piece that comes one retransmission later, as TCP
// makes of a lost packet.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Crowd, boundMs, figures, full, percentile, seed } from '../lib/crowd.mjs';
import { now, slack } from '../lib/recorder.mjs';

const size = full ? 500 : 60;
/* 500 ms both ways, and 300 ms more at worst, shall fit into the ack window (10 s) many times. */
const scale = full ? 1 : 2.5;
const probes = full ? 8 : 3;
const stalled = size / 10;
const ackMs = 10000 / scale;
const pongMs = 30000 / scale;
const pingMs = 10000 / scale;
const slackMs = 3000;

let crowd;
let steady;

before(async () => {
  crowd = await Crowd.open({
    size,
    scale,
    relayed: true,
    config: { session: { glasses_ping_ms: pingMs, glasses_pong_ms: pongMs } },
  });
  steady = await crowd.goLive(crowd.members);
});

afterEach(() => {
  crowd.relay.weather = {};
});

after(async () => {
  await crowd?.close();
});

async function assertNobodyMissed(weather) {
  const closes = crowd.members.map((member) => member.glasses.closes);
  const began = Date.now();

  crowd.relay.weather = weather;
  await crowd.probed(steady, probes);
  assert.equal(await crowd.missedSince(began), 0, 'a probe was counted as missed');
  assert.deepEqual(crowd.members.map((member) => member.glasses.closes), closes);
  await crowd.assertUntouched(steady);
}

test('device links late by 500 ms and up to 300 ms more or less: no false timeout', () =>
  assertNobodyMissed({ delayMs: 500, jitterMs: 300 }));

test('device links that lose a tenth of the packets: no false timeout', () =>
  assertNobodyMissed({ lossPart: 0.1 }));

test('half-open device links: closed 1001 at the pong deadline, streams end in their bound', async (t) => {
  const dead = steady.splice(0, stalled);
  const links = dead.map(({ member }) => crowd.relay.linkOf(member.glasses.ws));
  const began = now();
  const closes = links.map((link) => link.heldClose(1001, pongMs + pingMs + slackMs));
  const late = () => dead.filter((stream) => stream.terminals === 0).map((s) => s.member);

  for (const link of links) link.stall();
  const closedMs = (await Promise.all(closes)).map((at) => at - began);

  /* The deadline counts from the last pong, which may have come a whole ping before. */
  assert.ok(Math.min(...closedMs) > pongMs - pingMs - slackMs, `closed after ${closedMs} ms`);
  assert.ok(Math.max(...closedMs) < pongMs + (pingMs + slackMs) * slack, `closed after ${closedMs} ms`);
  await crowd.until(
    () => late().length === 0,
    boundMs(scale) + ackMs + slackMs - (now() - began),
    'the end of streams whose links are half open',
    late,
  );
  const endedMs = now() - began;

  assert.ok(dead.every((stream) => stream.words.timeout === 1), crowd.stories(dead.map((s) => s.member)));
  await crowd.probed(steady);
  await crowd.assertUntouched(steady);
  await crowd.assertAcknowledged();
  await crowd.assertNothingStuck();
  figures(t, 'links', {
    glasses: size,
    scale,
    half_open: stalled,
    closed_ms_p50: percentile(closedMs, 0.5),
    closed_ms_max: Math.max(...closedMs),
    ended_ms: endedMs,
    seed,
  });
});
