// What is begun and not ended, and what does not end: peers that dawdle, and peers that flood.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BINARY, CONT, PING, PONG, TEXT, fragments, frame, hex, text } from '../lib/raw_ws.mjs';
import { slack } from '../lib/recorder.mjs';
import { waiting } from '../lib/world.mjs';
import { Stage, handshakeMs, pingMs, pongMs } from './stage.mjs';

const messagesBurst = 1000;
const controlsPerS = 50;
const lingerMs = 10000;
const lateMs = 2000 * slack; /* a busy machine */
const dripMs = 100;

/* Noticed at a ping, judged at the first one behind the deadline. */
const stuckMs = 2 * pingMs + pongMs + lateMs;

const many = (count, bytes) => Buffer.concat(Array(count).fill(bytes));
const word = text('{"type":"nothing"}');

let stage;

before(async () => {
  stage = await Stage.open();
});

after(() => stage?.close());

async function assertCloses(ws, code, reason, timeoutMs) {
  const closing = await ws.waitFor((e) => e.event === 'closing', timeoutMs / slack, {
    what: `close ${code}`,
  });

  assert.deepEqual([closing.code, closing.reason], [code, reason], ws.story());
  await ws.waitEvent('end');
  await stage.canary.sings();
}

/* Sends @bytes again and again until the connection ends. */
function drip(ws, bytes) {
  const timer = setInterval(() => ws.send(bytes), dripMs);

  ws.waitEvent('end', Infinity).then(() => clearInterval(timer));
}

const begun = {
  'a frame without payload': frame(TEXT, '', { form: 16, announce: 300 }),
  'a byte of a text': frame(TEXT, '{', { form: 16, announce: 4096 }),
  '300 bytes of a text': frame(TEXT, 'x'.repeat(300), { form: 16, announce: 4096 }),
  'a byte of binary': frame(BINARY, 'x', { form: 16, announce: 4096 }),
  'half a ping': frame(PING, 'x', { announce: 5 }),
  'a fragment': frame(TEXT, '{', { fin: false }),
  'an empty fragment': frame(TEXT, '', { fin: false }),
};

describe('begun and not ended', waiting, () => {
  for (const [name, bytes] of Object.entries(begun)) {
    test(`app: ${name}`, async () => {
      /* Who answers pings would end the frame with them. */
      const ws = await stage.acceptedApp({ answersPings: false });

      ws.send(bytes);
      await assertCloses(ws, 1008, 'Message not completed', stuckMs);
    });

    test(`glasses: ${name}`, async () => {
      const ws = await stage.socket('glasses', { answersPings: false });

      ws.send(bytes);
      await assertCloses(ws, 1001, 'Ping timeout - no pong received', pongMs + lateMs);
    });
  }

  test('an app that never says a word but half a frame', async () => {
    const ws = await stage.socket('app', { answersPings: false });

    ws.send(hex('81'));
    await assertCloses(ws, 1008, 'No init message', handshakeMs + lateMs);
  });

  test('a message of one byte at a time', async () => {
    const ws = await stage.acceptedApp({ answersPings: false });

    ws.send(frame(TEXT, '', { form: 16, announce: 4096 }));
    drip(ws, 'x');
    await assertCloses(ws, 1008, 'Message not completed', stuckMs);
  });

  for (const [what, size] of [
    ['empty fragments', 0],
    ['fragments of a byte', 1],
  ])
    for (const side of ['glasses', 'app'])
      test(`${side}: a message of ${what} without end`, async () => {
        const ws = side === 'app' ? await stage.acceptedApp() : await stage.socket('glasses');

        ws.send(frame(TEXT, '', { fin: false }));
        drip(ws, frame(CONT, ' '.repeat(size), { fin: false }));
        await assertCloses(ws, 1008, 'Message not completed', stuckMs);
      });

  test('a peer that sends long messages all the time is not judged', async () => {
    const ws = await stage.acceptedApp({ answersPings: false });
    const parts = Array.from({ length: 16 }, () => ' '.repeat(1000));

    for (let round = 0; round < 10; round++) {
      /* In the middle of a message at every ping, but never of the same one. */
      ws.send(fragments(TEXT, '{"type":"nothing"', ...parts, '}').subarray(0, -3));
      await ws.waitEvent('ping', 5000, { from: ws.entries.length });
      ws.send(fragments(TEXT, '{"type":"nothing"', ...parts, '}').subarray(-3));
    }
    ws.send(frame(PING, 'alive'));
    await ws.waitFor((e) => e.event === 'pong' && e.payload === 'alive');
    await ws.dispose();
  });

  test('a peer that does not answer a close is cut off', async () => {
    for (const bytes of [frame(TEXT, 'a', { rsv: 1 }), text(hex('ff'))]) {
      const ws = await stage.socket('app', { answersClose: false });

      ws.send(bytes);
      await ws.waitEvent('closing');
      await ws.waitEvent('end', lingerMs + pingMs + lateMs);
    }
    await stage.canary.sings();
  });
});

const floods = [
  ['1,001 texts', many(messagesBurst + 200, word), 'Too many messages'],
  ['pongs', many(4 * controlsPerS, frame(PONG, 'x')), 'Too many control frames'],
  ['empty pongs', many(5000, frame(PONG)), 'Too many control frames'],
  ['pings', many(5000, frame(PING)), 'Too many control frames'],
  ['pings of 125 bytes', many(500, frame(PING, 'x'.repeat(125))), 'Too many control frames'],
];

describe('floods', waiting, () => {
  for (const side of ['glasses', 'app'])
    for (const [name, bytes, reason] of floods)
      test(`${side}: ${name}`, async () => {
        const ws = side === 'app' ? await stage.acceptedApp() : await stage.socket('glasses');

        ws.send(bytes);
        await assertCloses(ws, 1008, reason, 2 * pingMs + lateMs);
      });

  test('binary of glasses is not counted', async () => {
    const ws = await stage.socket('glasses');

    ws.send(many(5 * messagesBurst, frame(BINARY, 'audio')));
    ws.send(frame(PING, 'alive'));
    await ws.waitFor((e) => e.event === 'pong' && e.payload === 'alive');
    await ws.waitEvent('ping', 5000, { from: ws.entries.length });
    assert.ok(!ws.entries.some((e) => e.event === 'closing'), ws.story());
    await ws.dispose();
  });
});

test('at the end everything is counted, and nothing is left', async () => {
  const counters = await stage.counters();

  for (const name of ['message_time', 'messages', 'controls', 'frames', 'utf8']) {
    const event = `"event":"gateway.limit_${name}"`;
    const lines = stage.weir.entries.filter((e) => e.text?.includes(event)).length;

    assert.ok(counters.get(`gateway.limit_${name}`) > 0, name);
    /* One a minute; all of this may take a little more than one. */
    assert.ok(lines === 1 || lines === 2, `${lines} lines of ${name}`);
  }
  await stage.assertClean();
});
