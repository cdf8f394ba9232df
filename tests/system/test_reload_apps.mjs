// Goal: SIGHUP makes a gateway read the app directory anew: keys are exchanged, apps added and taken away while those that
// are connected stay; a file that cannot be used changes nothing, and is said.
// Method: the real system with two gateways, apps on raw sockets; what the gateways say is waited for.
// Run: node --test tests/system/test_reload_apps.mjs
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { RawApp } from '../lib/raw_app.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, World } from '../lib/world.mjs';

const saidMs = 10000 * slack;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const fresh = 'com.example.fresh';
const nextKey = 'the-next-key-of-this-app';

let world;
let file;

before(async () => {
  world = await World.open({ scale: 10, gateways: 2 });
  file = join(world.weir.dir, 'apps.conf');
});

after(() => world?.close());

/* Resolves once both gateways have said @event since they were told. */
async function reload(event) {
  const from = world.weir.entries.length;
  const pids = await world.weir.pids();

  for (const name of ['gateway-1', 'gateway-2']) process.kill(pids.get(name), 'SIGHUP');
  return Promise.all(
    ['gateway-1', 'gateway-2'].map((name) =>
      world.weir.waitFor(
        (e) => e.event === 'stderr' && e.text.includes(`"event":"${event}","actor":"${name}"`),
        saidMs,
        { from, what: `${event} of ${name}` },
      ),
    ),
  );
}

/* The init of an app on a socket of its own: the error's code, or null. */
async function init(user, packageName, apiKey, gateway) {
  const app = world.keep(
    new RawApp({
      url: `${world.weir.url(gateway)}/app-ws`,
      sessionId: user.sessionId(packageName),
      packageName,
      apiKey,
    }),
  );

  await app.open();
  try {
    await app.init();
    return null;
  } catch {
    return app.entries.find((e) => e.msg?.type === 'tpa_connection_error')?.msg.code ?? 'closed';
  }
}

test('another key: the old one is refused from then on, who is connected stays', async () => {
  const user = world.user('keys');
  const oldKey = world.apps[PA].apiKey;

  await user.connect();
  const app = await user.app(PA);

  writeFileSync(file, readFileSync(file, 'utf8').replace(sha256(oldKey), sha256(nextKey)));
  await reload('gateway.apps_loaded');
  for (const gateway of [1, 2]) {
    assert.equal(await init(user, PA, oldKey, gateway), 'INVALID_API_KEY');
    assert.equal(await init(user, PA, nextKey, gateway), null);
  }
  assert.ok(app.isOpen);
});

test('a file that cannot be used changes nothing, and is said with its line', async () => {
  const user = world.user('broken');
  const good = readFileSync(file, 'utf8');

  await user.connect();
  writeFileSync(file, `${good}\n[com.example.broken]\nno such key = 1\n`);
  for (const entry of await reload('gateway.apps_refused')) assert.match(entry.text, /apps\.conf:\d+: /);
  assert.equal(await init(user, PA, world.apps[PA].apiKey, 1), 'INVALID_API_KEY', 'as before');
  writeFileSync(file, good);
  await reload('gateway.apps_loaded');
});

test('an app that is added is started, one that is taken away is known no more', async () => {
  const user = world.user('added');
  const good = readFileSync(file, 'utf8');
  const sessionId = user.sessionId(fresh);

  await user.connect();
  world.host.plan(sessionId, { connect: false });
  writeFileSync(
    file,
    `${good}\n[${fresh}]\napi_key_sha256 = ${sha256('fresh')}\nwebhook = ${world.host.base(fresh)}\npermissions = CAMERA\n`,
  );
  await reload('gateway.apps_loaded');
  user.startApp(fresh);
  await world.host.waitFor((e) => e.event === 'webhook' && e.sessionId === sessionId, saidMs, { what: 'its webhook' });
  assert.equal(await init(user, fresh, 'fresh', 2), null);
  writeFileSync(file, good);
  await reload('gateway.apps_loaded');
  assert.equal(await init(user, fresh, 'fresh', 2), 'INVALID_API_KEY');
});
