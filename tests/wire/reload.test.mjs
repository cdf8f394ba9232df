// Goal: certificate and secrets are exchanged while connections live on: SIGHUP, and new connections see
// the new ones; what cannot be used changes nothing and is said; TLS 1.2 is the least that is spoken.
// Method: a gateway with TLS, certificates of our own making, WebSockets that stay open all the time.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { coreToken } from '../lib/jwt.mjs';
import { upgrade } from '../lib/raw_http.mjs';
import { World } from '../lib/world.mjs';

const saidMs = 5000;

let dir;
let world;
let port;

const file = (name) => join(dir, name);

function certify(name) {
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat(['-subj', `/CN=${name}`, '-keyout', file('key.pem'), '-out', file('cert.pem')]),
    { stdio: 'ignore' },
  );
  chmodSync(file('key.pem'), 0o600);
}

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weir-reload-'));
  certify('first');
  world = await World.open({
    gateways: 1,
    config: { gateway: { tls_cert_file: file('cert.pem'), tls_key_file: file('key.pem') } },
  });
  port = Number(new URL(world.weir.httpUrl(1)).port);
});

after(async () => {
  await world?.close();
  rmSync(dir, { recursive: true, force: true });
});

/* Resolves with {name of the certificate, protocol, status of the upgrade, socket}. */
function open(token, options = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });

    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('secureConnect', () => socket.write(upgrade(`/glasses-ws?token=${token}`)));
    socket.once('data', (text) =>
      resolve({
        name: socket.getPeerCertificate().subject.CN,
        protocol: socket.getProtocol(),
        status: Number(text.match(/^HTTP\/1\.1 (\d{3}) /)?.[1]),
        socket,
      }),
    );
  });
}

const user = (n, secret = world.weir.secret) => coreToken(`reload.${n}@example.com`, secret);

/* The gateway still reads what the glasses say on @socket: a ping is answered. */
const lives = ({ socket }) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no pong')), saidMs);

    socket.on('data', (bytes) => {
      if (!bytes.includes('\x8a')) return;
      clearTimeout(timer);
      resolve();
    });
    socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
  });

async function hangup(event) {
  const from = world.weir.entries.length;

  process.kill((await world.weir.pids()).get('gateway-1'), 'SIGHUP');
  return world.weir.waitFor(
    (e) => e.event === 'stderr' && e.text.includes(`"event":"${event}"`),
    saidMs,
    { from, what: event },
  );
}

test('a new certificate: new connections see it, the others live on', async () => {
  const old = await open(user(1));

  assert.deepEqual([old.name, old.status], ['first', 101]);
  certify('second');
  await hangup('gateway.tls_loaded');
  const young = await open(user(2));

  assert.deepEqual([young.name, young.status], ['second', 101]);
  await Promise.all([lives(old), lives(young)]);
  writeFileSync(file('cert.pem'), 'no certificate');
  await hangup('gateway.tls_failed');
  const later = await open(user(3));

  assert.deepEqual([later.name, later.status], ['second', 101], 'the old one stays');
  await lives(old);
  for (const { socket } of [old, young, later]) socket.destroy();
});

test('TLS 1.2 is the least', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const { protocol, socket } = await open(user(4), { minVersion: version, maxVersion: version });

    assert.equal(protocol, version);
    socket.destroy();
  }
  await assert.rejects(
    open(user(5), {
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    }),
  );
});

test('a new secret beside the old one, then alone', async () => {
  const next = 'another-secret-of-more-than-32-bytes';
  const secrets = join(world.weir.dir, 'jwt.secret');
  const statuses = async () =>
    Promise.all(
      [world.weir.secret, next].map(async (secret, n) => {
        const { status, socket } = await open(user(6 + n, secret));

        socket.destroy();
        return status;
      }),
    );
  const old = await open(user(8));

  assert.deepEqual(await statuses(), [101, 401]);
  writeFileSync(secrets, `${world.weir.secret}\n${next}\n`);
  await hangup('gateway.secrets_loaded');
  assert.deepEqual(await statuses(), [101, 101]);
  writeFileSync(secrets, `${next}\n`);
  await hangup('gateway.secrets_loaded');
  assert.deepEqual(await statuses(), [401, 101]);
  writeFileSync(secrets, 'short\n');
  await hangup('gateway.secrets_refused');
  assert.deepEqual(await statuses(), [401, 101], 'what cannot be used changes nothing');
  chmodSync(secrets, 0o644);
  await hangup('gateway.secrets_refused');
  await lives(old);
  old.socket.destroy();
});
