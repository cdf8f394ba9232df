// Who may open a glasses socket, and what exactly the others are told (protocol 1.1, 2.4).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { coreToken, signJwt } from '../lib/jwt.mjs';
import { Phone } from '../lib/phone.mjs';
import { RawApp } from '../lib/raw_app.mjs';
import { call, exchange, upgrade } from '../lib/raw_http.mjs';
import { PA, World, busy } from '../lib/world.mjs';

let world;
let secret;

before(async () => {
  world = await World.open();
  ({ secret } = world.weir);
});

after(() => world?.close());

const now = () => Math.floor(Date.now() / 1000);
const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';

/* The whole answer, byte by byte; only the time may differ. */
function assertRefusal({ text, ended }, message) {
  assert.ok(ended, 'the connection is not closed');
  assert.match(
    text,
    new RegExp(
      '^HTTP/1\\.1 401 Unauthorized\\r\\n' +
        'Content-Type: application/json\\r\\n\\r\\n' +
        `\\{"type":"connection_error","message":"${message}","timestamp":"${time}"\\}$`,
    ),
  );
}

const glassesPath = (token) => `/glasses-ws?token=${encodeURIComponent(token)}`;

const refusedTokens = {
  'a wrong secret': () => coreToken('u@example.com', `${secret}x`),
  'alg none': () => coreToken('u@example.com', secret, { alg: 'none' }),
  'alg none with a signature': () =>
    coreToken('u@example.com', secret, { alg: 'none' }) +
    coreToken('u@example.com', secret).split('.')[2],
  'an unknown alg': () => {
    const [, payload, signature] = coreToken('u@example.com', secret).split('.');

    const head = Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url');

    return `${head}.${payload}.${signature}`;
  },
  'an expired token': () => coreToken('u@example.com', secret, { claims: { exp: now() - 10 } }),
  'a token that is not valid yet': () =>
    coreToken('u@example.com', secret, { claims: { nbf: now() + 3600 } }),
  'no email': () => signJwt({ sub: 'x', iat: now() }, secret),
  'an empty email': () => coreToken('', secret),
  'an email that is no string': () => signJwt({ email: 7, iat: now() }, secret),
  'a changed payload': () => {
    const [head, , signature] = coreToken('u@example.com', secret).split('.');

    return `${head}.${Buffer.from('{"email":"v@example.com"}').toString('base64url')}.${signature}`;
  },
  'a truncated signature': () => coreToken('u@example.com', secret).slice(0, -4),
  'no signature': () => coreToken('u@example.com', secret).split('.').slice(0, 2).join('.'),
  'four parts': () => `${coreToken('u@example.com', secret)}.x`,
  'no token at all in its place': () => 'garbage',
  'a payload that is not JSON': () => {
    const head = Buffer.from('{"alg":"HS256"}').toString('base64url');

    return `${head}.bm90IGpzb24.c2ln`;
  },
};

describe('1.1 refusals', busy, () => {
  test('1.1 no token: exact bytes, then the connection is destroyed', async () => {
    assertRefusal(
      await exchange(world.weir.port(1), upgrade('/glasses-ws')),
      'No core token provided',
    );
    assertRefusal(
      await exchange(world.weir.port(0), upgrade('/glasses-ws?livekit=true')),
      'No core token provided',
    );
  });

  for (const [label, token] of Object.entries(refusedTokens)) {
    test(`1.1 refused: ${label}`, async () => {
      assertRefusal(
        await exchange(world.weir.port(1), upgrade(glassesPath(token()))),
        'Invalid core token',
      );
    });
  }

  test('1.1 the header wins over the query', async () => {
    const good = coreToken('header@example.com', secret);

    assertRefusal(
      await exchange(
        world.weir.port(1),
        upgrade(glassesPath(good), { Authorization: 'Bearer garbage' }),
      ),
      'Invalid core token',
    );
    const { text } = await exchange(
      world.weir.port(1),
      upgrade(glassesPath('garbage'), { Authorization: `Bearer ${good}` }),
      { timeoutMs: 500 },
    );

    assert.match(text, /^HTTP\/1\.1 101 /);
  });

  test('1.1 an unknown upgrade path: the connection is destroyed without a byte', async () => {
    const token = coreToken('path@example.com', secret);

    for (const path of [
      '/',
      '/nope',
      `/glasses-ws/x?token=${token}`,
      `/glasses-wsx?token=${token}`,
    ])
      assert.deepEqual(
        await exchange(world.weir.port(1), upgrade(path)),
        { text: '', ended: true },
        path,
      );
  });

  test('2.6 a TLS client on the plain port is dropped quietly', async () => {
    const hello = Buffer.concat([
      Buffer.from('16030100c8010000c40303', 'hex'),
      Buffer.alloc(194, 7),
    ]);

    assert.deepEqual(await exchange(world.weir.port(1), hello), { text: '', ended: true });
    assert.equal((await call('GET', `${world.weir.httpUrl(1)}/health`)).status, 200);
  });
});

describe('1.1 accepted tokens', busy, () => {
  const accepted = {
    'HS256 in the query': {},
    'HS256 in the header': { tokenIn: 'header' },
    HS384: { alg: 'HS384' },
    HS512: { alg: 'HS512' },
    'exp in the future, nbf in the past': { claims: { exp: now() + 600, nbf: now() - 600 } },
    'with livekit=true': { livekit: true },
  };

  for (const [label, { alg, claims, ...options }] of Object.entries(accepted)) {
    test(`1.1 accepted: ${label}`, async () => {
      const user = world.user('accepted');
      const token = coreToken(user.email, secret, { alg, claims });
      const phone = world.keep(new Phone({ ...user.phoneOptions(1, options), token }));
      const ack = await phone.connect();

      assert.equal(ack.msg.sessionId, user.email);
    });
  }

  test('0, 1.1 the e-mail is used verbatim, without lower-casing', async () => {
    const email = `Ünïcode.O'Neill+Tag.${process.pid}@Example.COM`;
    const phone = world.keep(new Phone({ url: world.weir.url(1), user: email, secret }));
    const ack = await phone.connect();

    assert.equal(ack.msg.sessionId, email);
  });
});

describe('2.4 app authentication by header', busy, () => {
  const appToken = (claims) =>
    signJwt({ packageName: PA, apiKey: world.apps[PA].apiKey, ...claims }, secret);

  async function refusal(headers) {
    const { text, ended } = await exchange(world.weir.port(2), upgrade('/app-ws', headers));

    assert.ok(ended);
    assert.match(text, /^HTTP\/1\.1 401 Unauthorized\r\n/);
    return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
  }

  test('2.4 MISSING_HEADERS and JWT_INVALID', async () => {
    const missing = await refusal({ Authorization: `Bearer ${appToken()}` });

    assert.deepEqual([missing.type, missing.code], ['tpa_connection_error', 'MISSING_HEADERS']);
    const invalid = await refusal({
      Authorization: `Bearer ${appToken()}x`,
      'x-user-id': 'u@example.com',
      'x-session-id': `u@example.com-${PA}`,
    });

    assert.deepEqual([invalid.type, invalid.code], ['tpa_connection_error', 'JWT_INVALID']);
  });

  test('2.4 with all headers the ack comes without an init message', async () => {
    const user = world.user('header');
    const sessionId = user.sessionId(PA);

    await user.connect();
    world.host.plan(sessionId, { connect: false });
    user.startApp(PA);
    await world.host.waitWebhook(sessionId, 'session_request');
    const app = world.keep(
      new RawApp({
        url: `${world.weir.url(2)}/app-ws`,
        sessionId,
        packageName: PA,
        headers: {
          Authorization: `Bearer ${appToken()}`,
          'x-user-id': user.email,
          'x-session-id': sessionId,
        },
      }),
    );

    await app.open();
    const ack = await app.waitMessage('tpa_connection_ack');

    assert.equal(ack.msg.sessionId, sessionId);
  });
});
