// Goal: the limits of one address hold over real sockets, one past each: connections, wrong tokens, wrong
// keys of REST calls.  A proxy in front is not what they are counted for, and nobody can name another
// address than his own.
// Method: loopback is the proxy, so that X-Forwarded-For says where a connection comes from.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { coreToken } from '../lib/jwt.mjs';
import { exchange, upgrade } from '../lib/raw_http.mjs';
import { PA, World } from '../lib/world.mjs';

const perAddress = 5;
const failuresBurst = 20; /* GATEWAY_FAILURES_BURST; two seconds later there is room for one more */

let world;
let port;

before(async () => {
  world = await World.open({
    gateways: 1,
    config: { gateway: { proxies: '127.0.0.1', connections_per_address_max: perAddress } },
  });
  port = Number(new URL(world.weir.httpUrl(1)).port);
});

after(() => world?.close());

const statusOf = (text) => Number(text.match(/^HTTP\/1\.[01] (\d{3}) /)?.[1]);
const path = (token) => `/glasses-ws?token=${token}`;
const good = (n) => coreToken(`proxied.${n}@example.com`, world.weir.secret);

/* An upgrade for @address that stays open; resolves with its status and the socket. */
function open(address, token) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');

    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('connect', () => socket.write(upgrade(path(token), { 'X-Forwarded-For': address })));
    socket.once('data', (text) => resolve({ status: statusOf(text), socket }));
  });
}

const over = ({ socket }) =>
  new Promise((resolve) => {
    socket.on('close', resolve);
    socket.resume();
    socket.destroy();
  });

const knock = async (address, token = 'wrong') =>
  statusOf((await exchange(port, upgrade(path(token), { 'X-Forwarded-For': address }))).text);

const rest = async (address, key) =>
  statusOf(
    (
      await exchange(
        port,
        `GET /api/streams/x/outputs?packageName=${PA} HTTP/1.1\r\nHost: x\r\n` +
          `X-Forwarded-For: ${address}\r\n${key ? `Authorization: Bearer ${key}\r\n` : ''}\r\n`,
      )
    ).text,
  );

test('connections of one address, and one more', async () => {
  const mine = await Promise.all(
    Array.from({ length: perAddress }, (_, n) => open('203.0.113.1', good(n))),
  );

  for (const { status } of mine) assert.equal(status, 101);
  assert.equal((await open('203.0.113.1', good(90))).status, 429);
  assert.equal(
    (await open('198.51.100.1, 203.0.113.1', good(91))).status,
    429,
    'what others wrote before the proxy says nothing',
  );
  const other = await open('203.0.113.2', good(92));

  assert.equal(other.status, 101, 'another address');
  const health = await exchange(port, 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n');

  assert.equal(statusOf(health.text), 200, 'the proxy itself');
  await over(mine.pop());
  await world.weir.waitFor(
    (e) => e.event === 'stderr' && e.text.includes('"event":"gateway.connection_refused"'),
    5000,
  );
  for (let status = 429; status !== 101; ) {
    const again = await open('203.0.113.1', good(93)); /* its end may still be on its way */

    status = again.status;
    mine.push(again);
  }
  await Promise.all([...mine, other].map(over));
});

test('wrong tokens of one address, and one more', async () => {
  for (let i = 0; i < failuresBurst; i++) assert.equal(await knock('203.0.113.3'), 401, `${i}`);
  assert.equal(await knock('203.0.113.3'), 429);
  assert.equal(await knock('203.0.113.3', good(1)), 429, 'the right one is not looked at either');
  assert.equal(await knock('1.2.3.4, 203.0.113.3'), 429);
  assert.equal(await knock('203.0.113.4'), 401, 'another address');
});

test('wrong keys of REST calls, and one more', async () => {
  for (let i = 0; i < failuresBurst; i++)
    assert.equal(await rest('203.0.113.5', `key ${i}`), 401, `${i}`);
  assert.equal(await rest('203.0.113.5', 'key'), 429);
  assert.equal(await rest('203.0.113.5', world.apps[PA].apiKey), 429);
  assert.equal(await rest('203.0.113.6', world.apps[PA].apiKey), 404, 'another address');
  assert.match(world.weir.log(Infinity), /"event":"gateway.call_refused"/);
});

test('what is no address is refused', async () => {
  for (const address of ['unknown', '203.0.113.256', '203.0.113.1,', '203.0.113.1, x'])
    assert.equal(await knock(address, good(2)), 400, address);
  assert.equal(await rest('x', world.apps[PA].apiKey), 400);
});
