// The network between two machines fails: gateway-2 is alone on the second one (tcp with CURVE), its
// users keep their sockets, and nobody else reaches it, or only one way, or all but one daemon do.
//
// No stream ends by a cut shorter than the blind limit; who died meanwhile is found within the bound of
// its end; the gateway is back at once, connections that were begun during the cut too; nobody is probed
// twice, nothing stays stuck (design 1, promises 2 and 6; design 6).  The machines are network namespaces.
//
// Devices' own limit is off: probes come from the other machine, and 90 s without one is more than a
// real device bears (60 s).  What is shown is what weir says and does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Crowd, boundMs, elapse, figures, full, rtmpUrl, seed } from '../lib/crowd.mjs';
import { now, slack } from '../lib/recorder.mjs';
import { TwoMachines, noTwoMachines } from '../lib/two_machines.mjs';

const size = full ? 400 : 60;
const askers = size / 10;
const dying = size / 20; /* on the second machine, in each cut */
const scale = full ? 1 : 10;
const shortMs = 10000 / scale;
const longMs = 90000 / scale;
const intervalMs = 15000 / scale;
const ackMs = 10000 / scale;
const slackMs = 3000;
/* Of what waits for its next try: the bus gives up a connection after 2 s; and our own work. */
const backMs = 3000;
const requestTimeoutMs = 10000; /* gateway.request_timeout_ms */
const servers = full ? ['registry', 'lifecycle-scheduler', 'unmanaged-adapter'] : ['lifecycle-scheduler'];

const skip = noTwoMachines();

if (skip) console.log(`partitions: SKIPPED, ${skip}`);

describe('a partition between two machines', { skip, concurrency: 1 }, () => {
  let machines, crowd, steady, there;

  before(async () => {
    let turn = 0;

    machines = await TwoMachines.open();
    crowd = await Crowd.open({
      size,
      scale,
      start: (options) => machines.startWeir(options),
      listens: (port) => machines.letOut(port),
      /* Every other one is a user of the second machine. */
      fields: {
        selfLimit: false,
        url() {
          return this.weir.url(1 + (turn++ % 2));
        },
      },
      config: {
        gateway: { beat_ms: 1000 / scale, lease_ms: 5000 / scale, blind_max_ms: 120000 / scale },
        session: { glasses_ping_ms: 10000 / scale, glasses_pong_ms: 30000 / scale },
      },
    });
    steady = await crowd.goLive(crowd.members.slice(askers));
    there = crowd.weir.url(2);
  });

  after(async () => {
    await machines?.heal();
    await machines?.stopSecond();
    await crowd?.close({ unharmed: false });
    await machines?.close();
  });

  const isThere = ({ member }) => member.glasses.ws.url.startsWith(there);
  const late = (dead) => dead.filter((stream) => stream.terminals === 0).map((s) => s.member);

  /* The next few of the second machine's die now: without a word, for good. */
  function die() {
    const dead = steady.filter(isThere).slice(0, dying);

    steady = steady.filter((stream) => !dead.includes(stream));
    for (const stream of dead) stream.member.pullCable();
    return dead;
  }

  /* Who has no stream asks for one, wherever glasses and app are. */
  async function assertTakesRequests() {
    const members = crowd.members.slice(0, askers);

    await crowd.until(() => members.every((m) => m.ready), 30000, 'apps of askers', () =>
      members.filter((m) => !m.ready),
    );
    const fresh = await crowd.goLive(members);

    for (const stream of fresh) stream.member.stop(stream.id);
    await crowd.until(() => late(fresh).length === 0, 10000, 'their ends', () => late(fresh));
  }

  /**
   * @cut makes the partition, @meanwhile happens in the middle of it; what must hold afterwards is
   * checked.  Resolves with figures.
   */
  async function partition(t, what, { cut, ms = longMs, meanwhile = async () => {} }) {
    await crowd.probed(steady);
    crowd.mark();
    const closes = new Map(steady.map((s) => [s, s.member.glasses.closes]));

    await cut();
    await elapse(ms / 3);
    const dead = die();

    await meanwhile();
    await elapse((ms * 2) / 3);
    crowd.mark();
    await machines.heal();
    const healed = now();
    const probes = steady.filter(isThere);
    const unprobed = () => probes.filter((s) => s.probes === 0).map((s) => s.member);

    await crowd.until(
      () => unprobed().length === 0,
      intervalMs + backMs,
      'the first probe of each on the second machine',
      unprobed,
    );
    const probedMs = now() - healed;

    await crowd.until(
      () => late(dead).length === 0,
      boundMs(scale) + ackMs + slackMs,
      'the end of those who died meanwhile',
      () => late(dead),
    );
    const foundMs = now() - healed;

    await crowd.probed(steady, 2);
    const nearest = steady.toSorted((a, b) => a.nearestMs - b.nearestMs)[0];

    figures(t, `partition ${what}`, {
      glasses: size,
      scale,
      cut_ms: ms,
      probed_ms: probedMs,
      found_ms: foundMs,
      nearest_probes_ms: nearest.nearestMs,
      seed,
    });
    assert.ok(nearest.nearestMs > intervalMs / 2, `a burst: ${crowd.stories([nearest.member])}`);
    await crowd.assertUntouched(steady);
    crowd.assertToldOnce();
    const wrong = dead.filter((stream) => stream.words.timeout !== 1);

    assert.equal(wrong.length, 0, crowd.stories(wrong.map((s) => s.member)));
    const closed = steady.filter((s) => s.member.glasses.closes !== closes.get(s));

    return { closed };
  }

  async function assertAllWell({ closed }) {
    assert.equal(closed.length, 0, `links were not kept: ${crowd.stories(closed.map((s) => s.member))}`);
    await assertTakesRequests();
    await crowd.assertAcknowledged();
    await crowd.assertNothingStuck();
  }

  const bothWays = (more) => async () => {
    await Promise.all([machines.cut({ from: 1, ...more }), machines.cut({ from: 2, ...more })]);
  };

  test('for 10 s, both ways', async (t) => {
    await assertAllWell(await partition(t, 'short', { cut: bothWays(), ms: shortMs }));
  });

  test('for 90 s, both ways; who asks meanwhile is answered', async (t) => {
    const members = crowd.members.slice(0, askers);
    let asked;
    const meanwhile = async () => {
      asked = members.map((m) => m.request(rtmpUrl, (longMs + requestTimeoutMs + slackMs) * slack));
    };
    const result = await partition(t, 'both ways', { cut: bothWays(), meanwhile });

    for (const { kind, member, streamId } of await Promise.all(asked)) {
      assert.match(kind, /^(accepted|refused)$/, crowd.stories([member]));
      if (kind === 'accepted') member.stop(streamId);
    }
    await assertAllWell(result);
  });

  test('for 90 s, nothing comes from the second machine', async (t) => {
    await assertAllWell(await partition(t, 'from 2', { cut: () => machines.cut({ from: 2 }) }));
  });

  test('for 90 s, nothing comes to the second machine', { skip: !full }, async (t) => {
    await assertAllWell(await partition(t, 'from 1', { cut: () => machines.cut({ from: 1 }) }));
  });

  for (const name of servers)
    test(`for 90 s, of the ${name} alone`, async (t) => {
      const conf = readFileSync(crowd.weir.confFile, 'utf8');
      const port = Number(conf.match(new RegExp(`^${name.replace('-', '_')} = .*:(\\d+)$`, 'm'))[1]);
      const ports = `${port}-${port + 2}`;

      await assertAllWell(await partition(t, `of ${name}`, { cut: bothWays({ ports }) }));
    });

  test('gateway killed with -9 in a cut: the next one is there as soon as the cut is over', async () => {
    const { weir } = crowd;
    const members = crowd.members.filter((m) => m.glasses.ws.url.startsWith(there) && !m.gone);
    const from = weir.entries.length;

    await bothWays()();
    process.kill(machines.pid('gateway-2'), 'SIGKILL');
    await elapse(longMs / 2); /* long enough for TCP to wait 4 s and more with its next SYN */
    const healed = now();

    await machines.heal();
    await weir.waitReady('gateway-2', from);
    assert.ok(now() - healed < backMs * slack, `back after ${now() - healed} ms`);
    await crowd.until(() => members.every((m) => m.glasses.ready), 30000, 'its users', () =>
      members.filter((m) => !m.glasses.ready),
    );
    await crowd.probed(steady, 2);
    await crowd.assertUntouched(steady);
    await assertTakesRequests();
    await crowd.assertNothingStuck();
  });
});
