// Looking is harmless (design 1, promise 8): fifty taps that are stopped under load change nothing
// for anybody, cost bounded memory, and say exactly what they missed when they go on.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Crowd, elapse, figures, full, percentile, seed } from '../lib/crowd.mjs';
import { Trickle } from '../lib/crowd_trickle.mjs';
import { now, ownLag, slack } from '../lib/recorder.mjs';

const taps = full ? 50 : 20;
const size = full ? 2000 : 150;
const askers = full ? 200 : 50; /* of them */
const scale = full ? 5 : 10;
const intervalMs = 15000 / scale;
const ackMs = 10000 / scale;
const phaseMs = full ? 60000 : 12000; /* without taps, and as long with stopped ones */
const requestTimeoutMs = 10000;
/*
 * What one stopped tap may cost a daemon: 4,000 messages wait for it, of some hundred bytes.  Slow
 * builds keep what was freed for a while.
 */
const bytesPerTap = (4 << 20) * slack;
const gapsMs = 15000;

let crowd;

before(async () => {
  crowd = await Crowd.open({
    size,
    scale,
    config: { gateway: { starts_per_min: 6000, starts_burst: 1000 } },
  });
});

after(async () => {
  await crowd?.close();
});

const residentBytes = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

const memory = (pids) =>
  Object.fromEntries([...pids].filter(([, pid]) => pid).map(([name, pid]) => [name, residentBytes(pid)]));

/** A time under load, by itself: how fast requests were, how regular probes. */
async function measure(steady) {
  const began = { at: now(), wallMs: Date.now() };

  crowd.mark();
  const trickle = new Trickle(crowd, crowd.members.slice(0, askers), {
    workers: 16,
    pauseMs: 10,
    timeoutMs: requestTimeoutMs,
  });

  await elapse(phaseMs);
  const latencies = trickle.latencies();
  const probes = steady.map((stream) => stream.probes);
  const lagMs = ownLag(began.at, now());

  await trickle.stop();
  return {
    trickle,
    lagMs,
    p50: percentile(latencies, 0.5),
    max: Math.max(...latencies),
    fewest: Math.min(...probes),
    missed: await crowd.missedSince(began.wallMs),
  };
}

function assertHealthy({ trickle, fewest, missed, lagMs }, steady) {
  for (const kind of ['silent', 'closed', 'unended', 'refused']) {
    const bad = trickle.of(kind);

    assert.equal(bad.length, 0, `${kind}: ${crowd.stories(bad.map((b) => b.member))}`);
  }
  /* One may not have come yet, one may fall on the edge. */
  assert.ok(fewest >= Math.floor(phaseMs / intervalMs) - 2, `a stream had ${fewest} probes`);
  /* Devices that this process had no time to play missed theirs by our fault. */
  assert.ok(missed === 0 || lagMs > ackMs / 2, `${missed} probes were missed`);
  const told = steady.filter((stream) => stream.terminals > 0);

  assert.equal(told.length, 0, crowd.stories(told.map((stream) => stream.member)));
}

/* The numbers of a tap are those of a source's topic; the registry has two of them. */
const topicOf = (line) =>
  line.topic ?? (/^(actor|probe)\./.test(line.type) ? 'ops' : 'story');

/**
 * Reads what a tap printed: numbers of each (source, topic) are dense if gaps are counted in.
 * Returns how many events the gaps stand for.
 */
function auditTap(tap) {
  const next = new Map();
  let missed = 0;

  for (const { line, text } of tap.entries.filter((e) => e.event === 'tap')) {
    assert.ok(line, `no JSON: ${text}`);
    assert.notEqual(line.type, 'tap.dropped', text);
    const isGap = line.type === 'tap.gap';
    const key = `${line.source} ${topicOf(line)}`;
    const first = isGap ? line.from_seq : line.seq;
    const count = isGap ? line.missed : 1;

    if (isGap) missed += count;
    assert.equal(first, next.get(key) ?? first, `${key}: not dense at ${text}`);
    next.set(key, first + count);
  }
  return { missed };
}

/** More requests than anybody keeps the story of for a reader who does not read. */
async function flood(requests) {
  const trickle = new Trickle(crowd, crowd.members.slice(0, askers), {
    workers: askers,
    pauseMs: 0,
  });

  await crowd.until(() => trickle.outcomes.length >= requests, 120000, `${requests} requests`);
  await trickle.stop();
}

test(`${taps} stopped taps change nothing, and say what they missed`, async (t) => {
  const steady = await crowd.goLive(crowd.members.slice(askers));
  const pids = await crowd.weir.pids();
  const without = await measure(steady);

  assertHealthy(without, steady);
  const running = await crowd.weir.taps(taps);
  const memoryBefore = memory(pids);

  for (const tap of running) tap.child.kill('SIGSTOP');
  const stopped = now();
  const withTaps = await measure(steady);

  assertHealthy(withTaps, steady);
  await flood(full ? 4000 : 1500);
  const grown = Object.fromEntries(
    Object.entries(memory(pids)).map(([name, bytes]) => [name, bytes - memoryBefore[name]]),
  );

  await t.test('memory that stopped taps cost is bounded', () => {
    for (const [name, bytes] of Object.entries(grown))
      assert.ok(bytes < taps * bytesPerTap, `${name} grew by ${bytes} bytes`);
  });
  await t.test('each goes on with a gap record, and its numbers are dense', async () => {
    const stoppedMs = now() - stopped;
    const counts = running.map((tap) => tap.entries.length);

    for (const tap of running) tap.child.kill('SIGCONT');
    await Promise.all(
      running.map((tap, i) =>
        tap.waitFor((e) => e.line?.type === 'tap.gap' && e.line.source === 'registry', gapsMs, {
          from: counts[i],
          what: 'tap.gap of the registry',
        }),
      ),
    );
    /* Something new, which all must print, tells that each has caught up. */
    const [member] = crowd.members;
    const outcome = await member.request('rtmp://ingest.example.com/live/last', requestTimeoutMs);

    assert.equal(outcome.kind, 'accepted');
    await Promise.all(
      running.map((tap) =>
        tap.waitFor(
          (e) => e.line?.type === 'stream.opened' && e.line.stream_id === outcome.streamId,
          gapsMs * slack,
          { what: 'the newest stream' },
        ),
      ),
    );
    /* The operational events of registry, scheduler, adapter and two gateways too. */
    await Promise.all(
      running.map((tap) =>
        tap.waitFor((e) => e.line && topicOf(e.line) === 'ops', gapsMs * slack, {
          what: 'an operational event',
        }),
      ),
    );
    const audits = running.map(auditTap);

    figures(t, 'taps', {
      glasses: size,
      taps,
      scale,
      start_ms_p50_without: without.p50,
      start_ms_p50_with: withTaps.p50,
      start_ms_max_without: without.max,
      start_ms_max_with: withTaps.max,
      missed_without: without.missed,
      missed_with: withTaps.missed,
      requests_without: without.trickle.outcomes.length,
      requests_with: withTaps.trickle.outcomes.length,
      stopped_ms: stoppedMs,
      gap_of_a_tap: audits[0].missed,
      registry_mb: grown.registry / 1e6,
      scheduler_mb: grown['lifecycle-scheduler'] / 1e6,
      gateway_mb: grown['gateway-1'] / 1e6,
      seed,
    });
  });
});
