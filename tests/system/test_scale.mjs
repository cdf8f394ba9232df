// More than fits: every socket that a gateway can hold, everybody at once, more requests than are
// answered.  Whoever is let in notices nothing, and everybody else is told in words to come again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { elapse } from '../lib/crowd.mjs';
import { coreToken } from '../lib/jwt.mjs';
import { ManyGlasses, acked, closed } from '../lib/many_glasses.mjs';
import { call, upgrade } from '../lib/raw_http.mjs';
import { slack } from '../lib/recorder.mjs';
import { Weir } from '../lib/weir.mjs';
import { PA, World } from '../lib/world.mjs';

const visitsMax = 4096; /* GATEWAY_VISITS_MAX */
const rtmpUrl = 'rtmp://ingest.example.com/live/key';

/* @body with a weir of one gateway; @unharmed: of Weir.stop(). */
async function withWeir({ unharmed = true, ...options }, body) {
  const weir = await Weir.start({ gateways: 1, ...options });

  try {
    await body(weir);
  } finally {
    await weir.stop({ unharmed });
  }
}

const logged = (weir, event) =>
  weir.entries
    .filter((e) => e.event === 'stderr' && e.text.includes(`"event":"${event}"`))
    .map((e) => JSON.parse(e.text.slice(e.text.indexOf('{'))));

/* A connection that says nothing. */
const dial = (port) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));

    socket.on('error', reject);
  });

function assertSentAway({ status, retryAfter }) {
  assert.equal(status, 503);
  assert.match(retryAfter, /^[1-8]$/);
}

async function assertAlive(weir) {
  assert.equal((await call('GET', `${weir.httpUrl(1)}/healthz`)).status, 200);
}

/* Every one of @sockets is open and has what it came for. */
async function assertAllIn(sockets) {
  const refused = sockets.filter((socket) => !socket.ws);

  assert.equal(refused.length, 0, JSON.stringify(refused[0]));
  await Promise.all(sockets.map(acked));
  assert.ok(sockets.every((socket) => socket.acked && socket.closed === null));
}

describe('sockets', () => {
  const connectionsMax = 20;

  test('one glasses socket too many is sent away, those that are there go on', () =>
    withWeir({ config: { gateway: { connections_max: connectionsMax } } }, async (weir) => {
      const glasses = new ManyGlasses(weir, connectionsMax + 2);
      const sockets = await glasses.connect({ to: connectionsMax });

      await assertAllIn(sockets);
      for (const late of await glasses.connect({ from: connectionsMax })) assertSentAway(late);
      await assertAlive(weir);
      assert.equal(sockets.filter((socket) => socket.closed !== null).length, 0);
      sockets[0].ws.close();
      await closed(sockets[0]);
      await assertAllIn(await glasses.connect({ from: connectionsMax, to: connectionsMax + 1 }));
    }));

  test('few descriptors make fewer connections, and the log says what to do', () => {
    const descriptors = 600;

    return withWeir({ before: ['prlimit', `--nofile=${descriptors}`, '--'] }, async (weir) => {
      const [entry] = logged(weir, 'gateway.connections_limited');
      const { connections_max: possible } = entry;

      assert.equal(entry.configured, 20000);
      assert.equal(entry.descriptors, descriptors);
      assert.ok(possible > 0 && possible < descriptors);
      assert.equal(entry.descriptors_needed, entry.configured + descriptors - possible);
      assert.equal(entry.gateways_needed, Math.ceil(entry.configured / possible));
      assert.match(entry.mend, /hard limit of open files/);
      assert.match(weir.log(Infinity), new RegExp(`each gateway holds ${possible} sockets at most`));
      const glasses = new ManyGlasses(weir, possible + 1);

      await assertAllIn(await glasses.connect({ to: possible }));
      assertSentAway((await glasses.connect({ from: possible }))[0]);
      await assertAlive(weir);
      assert.deepEqual(logged(weir, 'gateway.accept_paused'), [], 'descriptors did not run out');
    });
  });
});

describe('a storm', () => {
  /* 1,500 in a listen queue of 4,096, let in at 250 a second: the last one waits twice as long as a
   * handshake may take.
   */
  const storm = 1500;
  const config = {
    gateway: { admissions_per_s: Math.round(250 / slack), handshake_ms: 3000 * slack },
  };

  test('all come back at once after a gateway died, and nobody is timed out', () =>
    withWeir({ config, unharmed: false }, async (weir) => {
      const glasses = new ManyGlasses(weir, storm);
      const before = await glasses.connect();

      await assertAllIn(before);
      const ready = weir.waitReady('gateway-1');

      process.kill((await weir.pids()).get('gateway-1'), 'SIGKILL');
      await Promise.all(before.map(closed));
      await ready;
      await assertAllIn(await glasses.connect());
      assert.ok(logged(weir, 'gateway.accept_paced').length > 0, 'they were let in at a pace');
    }));

  /* As many as may shake hands at a time say nothing; their time is up after handshake_ms. */
  test('whoever comes while the door is full waits, and comes in', () => {
    const wide = { gateway: { admissions_per_s: 100000, handshake_ms: 3000 } };

    return withWeir({ config: wide }, async (weir) => {
      const silent = await Promise.all(Array.from({ length: visitsMax }, () => dial(weir.port(1))));
      const glasses = new ManyGlasses(weir, 1);

      await assertAllIn(await glasses.connect());
      assert.ok(logged(weir, 'gateway.accept_crowded').length > 0, 'the door was full');
      for (const socket of silent) socket.destroy();
    });
  });
});

describe('a stall', () => {
  const handshakeMs = 500;
  const stalledMs = 1600; /* STALL_MS and the handshake behind it */

  test('who said everything while the gateway stood still is heard', () =>
    withWeir({ config: { gateway: { handshake_ms: handshakeMs } } }, async (weir) => {
      const gateway = (await weir.pids()).get('gateway-1');
      const token = coreToken('patient@example.com', weir.secret);
      const socket = await dial(weir.port(1));
      const answer = once(socket, 'data');

      await assertAlive(weir); /* accepted later than the one before it */
      process.kill(gateway, 'SIGSTOP');
      socket.write(upgrade(`/glasses-ws?token=${token}`));
      await elapse(stalledMs);
      process.kill(gateway, 'SIGCONT');
      assert.match(String((await answer)[0]), /^HTTP\/1\.1 101 /);
      socket.destroy();
    }));
});

describe('arrivals', () => {
  const arrivalsMax = 5;

  test('while the registry does not answer one glasses socket too many is sent away', () =>
    withWeir({ config: { gateway: { arrivals_max: arrivalsMax } } }, async (weir) => {
      const glasses = new ManyGlasses(weir, arrivalsMax + 1);
      const registry = (await weir.pids()).get('registry');

      process.kill(registry, 'SIGSTOP');
      const waiting = await glasses.connect({ to: arrivalsMax });

      assert.ok(waiting.every((socket) => socket.ws && !socket.acked));
      assertSentAway((await glasses.connect({ from: arrivalsMax }))[0]);
      await assertAlive(weir);
      process.kill(registry, 'SIGCONT');
      await assertAllIn(waiting);
      await assertAllIn(await glasses.connect({ from: arrivalsMax }));
    }));
});

describe('requests', () => {
  const limits = { requests_max: 3, requests_waiting_max: 1 };
  const startsMax = 3 + 1;

  /* Resolves when the gateway has handled all that was sent on @app's socket. */
  const handled = ({ ws }) =>
    new Promise((resolve) => {
      ws.once('pong', resolve);
      ws.ping();
    });

  test('one start too many is refused in words; what was let in is answered', async () => {
    const world = await World.open({ gateways: 1, config: { gateway: limits } });

    try {
      const adapter = (await world.weir.pids()).get('unmanaged-adapter');
      const users = Array.from({ length: startsMax + 1 }, () => world.user('load'));
      const apps = [];

      for (const user of users) {
        await user.connect();
        apps.push(await user.app(PA, { gateway: 1 }));
      }
      process.kill(adapter, 'SIGSTOP');
      for (const app of apps.slice(0, startsMax)) {
        app.request(rtmpUrl);
        await handled(app);
      }
      apps[startsMax].request(rtmpUrl);
      const { msg } = await apps[startsMax].waitMessage('tpa_connection_error', 3000);
      const { code } = await apps[startsMax].waitEvent('close');

      assert.equal(msg.code, 'INTERNAL_ERROR');
      assert.match(msg.message, /^Overloaded - please try again/);
      assert.equal(code, 1008);
      process.kill(adapter, 'SIGCONT');
      for (const user of users.slice(0, startsMax))
        await user.phone.waitMessage('start_rtmp_stream', 5000);
    } finally {
      await world.close();
    }
  });
});
