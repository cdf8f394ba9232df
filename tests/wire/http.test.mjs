// Every request of http_cases.mjs: the required answer, and a canary that notices nothing.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { coreToken } from '../lib/jwt.mjs';
import { exchange } from '../lib/raw_http.mjs';
import { busy, waiting } from '../lib/world.mjs';
import { bodies, cut, library, requests, unfinished, upgrades } from './http_cases.mjs';
import { Stage, handshakeMs } from './stage.mjs';

const answerMax = 512; /* bytes of any refusal */
const dripMs = 100;

let stage;
let poster;
let token;

before(async () => {
  stage = await Stage.open();
  poster = stage.world.user('poster');
  await poster.connect();
  token = coreToken(poster.email, stage.weir.secret);
});

after(() => stage?.close());

const statusOf = ({ text }) => Number(text.match(/^HTTP\/1\.[01] (\d{3}) /)?.[1]);

const filled = (bytes, side) =>
  typeof bytes === 'string'
    ? bytes.replace('PATH', stage.path(side)).replace('TOKEN', token)
    : bytes;

function suite(name, options, cases, { timeoutMs = 3000, side } = {}) {
  describe(name, options, () => {
    for (const { name: what, bytes, want } of cases)
      test(what, async () => {
        const accepted = want === 101;
        const answer = await exchange(stage.port, filled(bytes, side), {
          timeoutMs: accepted ? 500 : timeoutMs,
        });

        assert.equal(answer.ended, !accepted, JSON.stringify(answer));
        if (want === cut) assert.equal(answer.text, '');
        else if (want === library) assert.match(answer.text, /^(|HTTP\/1\.0 403 [^]*)$/);
        else assert.equal(statusOf(answer), want, answer.text);
        assert.ok(accepted || answer.text.length <= answerMax);
        await stage.canary.sings();
      });
  });
}

for (const side of ['glasses', 'app']) suite(`upgrades of ${side}`, busy, upgrades, { side });
suite('requests', busy, requests);
suite('bodies', busy, bodies);
suite('unfinished requests', waiting, unfinished, { timeoutMs: 2 * handshakeMs });

/* Sends @head and then one byte at a time, for ever. */
function dripping(head) {
  const socket = connect(stage.port, '127.0.0.1');
  const timer = setInterval(() => socket.write('x'), dripMs);
  let text = '';

  socket.setEncoding('latin1');
  socket.write(head);
  socket.on('data', (data) => {
    text += data;
  });
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.on('close', () => {
      clearInterval(timer);
      resolve({ text });
    });
  });
}

test('a request of one byte at a time ends at the deadline of the handshake', async () => {
  const started = performance.now();
  const answers = await Promise.all(
    [stage.path('glasses'), '/health'].map((path) => dripping(`GET ${path} HTTP/1.1\r\nx: `)),
  );

  for (const answer of answers) assert.equal(statusOf(answer), 408);
  assert.ok(performance.now() - started < 2 * handshakeMs);
  await stage.canary.sings();
});

test('at the end everything is counted, and nothing is left', async () => {
  const counters = await stage.counters();

  assert.ok(counters.get('gateway.limit_handshakes') >= unfinished.length);
  assert.ok(counters.get('gateway.limit_upgrades') > 0);
  await poster.phone.close();
  await stage.assertClean();
});
