// What broken input costs: memory per byte of it, and time per time of who sends it.  A hundred
// times as much would be a weapon; every row of the tables is fired from many sockets at once.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { PING, PONG, TEXT, BINARY, CONT, frame, text } from '../lib/raw_ws.mjs';
import { upgrade } from '../lib/raw_http.mjs';
import { slack } from '../lib/recorder.mjs';
import { groups } from './frame_cases.mjs';
import { bodies, requests, unfinished, upgrades } from './http_cases.mjs';
import { Stage } from './stage.mjs';

const amplificationMax = 100;
const connections = 64;

/* What a connection costs its sender in headers of TCP and IP: SYN, ACK, FIN, and one of data. */
const bytesPerConnection = 4 * 52;

/* Below it a measurement says nothing: the allocator takes memory in pieces of this size. */
const memoryNoise = (slack > 1 ? 16 : 1) << 20;

const many = (count, bytes) => Buffer.concat(Array(count).fill(bytes));

const floods = [
  many(5000, frame(PING)),
  many(500, frame(PING, 'x'.repeat(125))),
  many(5000, frame(PONG)),
  many(2000, text('{"type":"nothing"}')),
  many(2000, frame(BINARY)),
  Buffer.concat([frame(TEXT, '', { fin: false }), many(5000, frame(CONT, '', { fin: false }))]),
  Buffer.concat([frame(TEXT, '', { fin: false }), many(5000, frame(CONT, ' ', { fin: false }))]),
  frame(TEXT, 'x'.repeat(60000), { form: 16, announce: 65535 }),
  frame(TEXT, '{', { form: 16, announce: 65535 }),
];

let stage;

before(async () => {
  stage = await Stage.open();
});

after(() => stage?.close());

/* Sends everything, reads everything, and is told when nothing comes any more. */
function shoot(parts) {
  return new Promise((resolve) => {
    const socket = connect(stage.port, '127.0.0.1');
    const [first, ...rest] = parts;

    socket.once('data', () => rest.forEach((bytes) => socket.write(bytes)));
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.setTimeout(quietMs, () => resolve());
    socket.write(first);
    sockets.push(socket);
  });
}

const quietMs = 150;
let sockets = [];

const size = (parts) => parts.reduce((sum, bytes) => sum + Buffer.byteLength(bytes), 0);

/* Fires @shots, lists of parts, from @connections sockets each; they stay until all has been read. */
async function fire(t, shots) {
  const { gauge, canary } = stage;
  let bytes = 0;

  gauge.forgetPeak();
  const from = { rss: gauge.rss(), cpu: gauge.cpuMs(), own: process.cpuUsage() };

  for (const make of shots) {
    const volley = Array.from({ length: connections }, make);

    bytes += volley.reduce((sum, parts) => sum + size(parts) + bytesPerConnection, 0);
    await Promise.all(volley.map(shoot));
    for (const socket of sockets) socket.destroy();
    sockets = [];
  }
  const own = process.cpuUsage(from.own);
  const senderMs = (own.user + own.system) / 1000;
  const gatewayMs = gauge.cpuMs() - from.cpu;
  const memory = gauge.peak() - from.rss;

  t.diagnostic(
    `${bytes} bytes: ${gatewayMs} ms (sender ${senderMs.toFixed()} ms), ${memory} bytes of memory`,
  );
  assert.ok(gatewayMs < amplificationMax * senderMs, 'time');
  assert.ok(memory - memoryNoise < amplificationMax * bytes, 'memory');
  await canary.sings();
}

const framed = (side, bytes) => () => [upgrade(stage.path(side)), bytes];

const filled = (side, bytes) => () => [
  typeof bytes === 'string' ? bytes.replace('PATH', stage.path(side)) : bytes,
];

for (const side of ['glasses', 'app']) {
  describe(`frames of ${side}`, () => {
    for (const [group, cases] of Object.entries(groups))
      test(group, (t) =>
        fire(
          t,
          cases.map(({ bytes }) => framed(side, bytes)),
        ),
      );
    test('floods', (t) =>
      fire(
        t,
        floods.map((bytes) => framed(side, bytes)),
      ));
  });
  test(`upgrades of ${side}`, (t) =>
    fire(
      t,
      upgrades.map(({ bytes }) => filled(side, bytes)),
    ));
}

for (const [name, cases] of Object.entries({ requests, bodies, unfinished }))
  test(name, (t) =>
    fire(
      t,
      cases.filter(({ bytes }) => bytes.length > 0).map(({ bytes }) => filled('app', bytes)),
    ),
  );

test('at the end nothing is left', () => stage.assertClean());
