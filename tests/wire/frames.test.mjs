// Every frame of frame_cases.mjs at both doors of a gateway: the required answer, and a canary that
// notices nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PING, frame } from '../lib/raw_ws.mjs';
import { busy } from '../lib/world.mjs';
import { groups } from './frame_cases.mjs';
import { Stage } from './stage.mjs';

let stage;

before(async () => {
  stage = await Stage.open();
});

after(() => stage?.close());

const acks = (ws) => ws.received('connection_ack').length;

/* The end of the connection, and the close frame before it if there was one. */
async function ending(ws) {
  await ws.waitEvent('end');
  return ws.entries.find((e) => e.event === 'closing');
}

/* The gateway still listens to @ws; what it answered before is here as well. */
async function assertAlive(ws) {
  ws.send(frame(PING, 'alive'));
  await ws.waitFor((e) => e.event === 'pong' && e.payload === 'alive', 5000, { what: 'pong' });
  assert.ok(!ws.entries.some((e) => e.event === 'closing'), ws.story());
}

const judges = {
  async closes(ws, { code, reason }) {
    const closing = await ending(ws);

    assert.equal(closing?.code, code, ws.story());
    if (reason !== undefined) assert.equal(closing.reason, reason);
  },

  async cut(ws) {
    assert.equal(await ending(ws), undefined, ws.story());
  },

  async lives(ws, want, side) {
    await assertAlive(ws);
    if (side === 'glasses') assert.equal(acks(ws), 1, ws.story());
  },

  async read(ws, want, side) {
    if (side === 'glasses') {
      await ws.waitFor(() => acks(ws) === 2, 5000, { what: 'a second connection_ack' });
      await assertAlive(ws);
    } else {
      await ws.waitMessage({ type: 'tpa_connection_error', code: 'SESSION_NOT_FOUND' });
      await judges.closes(ws, { code: 1008 });
    }
  },

  notJson(ws, want, side) {
    return side === 'glasses' ? judges.lives(ws, want, side) : judges.closes(ws, { code: 1011 });
  },

  noObject(ws, want, side) {
    return judges[side === 'glasses' ? 'lives' : 'read'](ws, want, side);
  },

  async pongs(ws, { payloads }) {
    for (const payload of payloads)
      await ws.waitFor((e) => e.event === 'pong' && e.payload === payload, 5000, { what: 'pong' });
    await assertAlive(ws);
  },
};

const expected = new Map();

for (const side of ['glasses', 'app'])
  for (const [group, cases] of Object.entries(groups))
    describe(`${side}: ${group}`, busy, () => {
      for (const { name, bytes, want, count, side: only } of cases) {
        if (only && only !== side) continue;
        if (count) expected.set(count, (expected.get(count) ?? 0) + 1);
        test(name, async () => {
          const ws = await stage.socket(side);

          ws.send(bytes);
          await judges[want.kind](ws, want, side);
          assert.deepEqual(
            ws.entries.filter((e) => e.event === 'malformed'),
            [],
          );
          await ws.dispose();
          await stage.canary.sings();
        });
      }
    });

test('pings of every length are echoed', async () => {
  for (const side of ['glasses', 'app']) {
    const ws = await stage.socket(side);

    for (let size = 0; size <= 125; size++) {
      const payload = String.fromCharCode(33 + (size % 90)).repeat(size);

      ws.send(frame(PING, payload));
      await ws.waitFor((e) => e.event === 'pong' && e.payload === payload, 5000, { what: 'pong' });
      /* 125 pings of 62 bytes are more than a socket may send in a row. */
      if (size % 40 === 39) await ws.waitEvent('ping', 5000, { from: ws.entries.length });
    }
    await ws.dispose();
  }
});

test('at the end everything is counted, and nothing is left', async () => {
  const counters = await stage.counters();

  for (const [name, count] of expected)
    assert.ok(counters.get(name) >= count, `${name}: ${counters.get(name)} of ${count}`);
  await stage.assertClean();
});
