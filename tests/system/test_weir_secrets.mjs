// Goal: no stream key, destination, token or api key is found where it must not be, after a whole run of unmanaged and
// managed streams: not in arguments of processes, logs, any byte of any PUB socket, the story, operational events, the history, answers of `weir`,
// nor in files that others may read.
// Method: the real system with the local provider, glasses that really publish, a copy to a second server; everything it
// says is kept and searched.  The store, which must hold the keys, shows that the search finds them.
// Run: node --test tests/system/test_weir_secrets.mjs
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { RawTap } from '../lib/raw_tap.mjs';
import { slack } from '../lib/recorder.mjs';
import { SecretHunt } from '../lib/secret_hunt.mjs';
import { PA, PB, World } from '../lib/world.mjs';

const scale = 10;
const longMs = 30000 * slack; /* ffmpeg on a busy machine, and 2 s fragments */
const key = (name) => `${name}-${randomBytes(12).toString('hex')}`;

let nginx;
let world;
let tap;
let raw;

before(async () => {
  nginx = await Nginx.start();
  world = await World.open({
    scale,
    config: {
      unmanaged: { start_deadline_ms: 20000 },
      managed: { provider: 'local', private_outputs: true, start_deadline_ms: 20000, playback_deadline_ms: 60000 },
    },
  });
  tap = world.weir.tap('--history', '--ops');
  raw = await RawTap.start(world.weir.runDir);
});

after(async () => {
  await raw?.stop();
  await world?.close();
  await nginx?.stop();
});

const told = (type, id, what) =>
  tap.waitFor((e) => e.line?.type === type && e.line.stream_id === id && what(e.line), longMs, { what: type });

/* Everything that `weir` says of a stream and its user, in all forms. */
async function asked(id, email) {
  const texts = [];

  for (const args of [
    ['ls', '--all'],
    ['show', id],
    ['show', email],
    ['why', id],
    ['timeline', email, '--all'],
    ['provider', 'ls'],
    ['check', '--format', 'json'],
    ['gateways'],
  ])
    for (const format of ['text', 'json'])
      texts.push(await world.weir.cli(...args, '-o', format).catch((error) => `${error.stdout}${error.stderr}`));
  return texts.join('\n');
}

async function unmanaged(user, phone, secret) {
  const app = await user.app(PA);

  app.request(nginx.url(secret));
  const { msg } = await app.waitMessage({ type: 'rtmp_stream_status', status: 'active' }, longMs);
  const said = await asked(msg.streamId, user.email);

  app.stop();
  await app.waitMessage({ type: 'rtmp_stream_status', status: 'stopped' }, longMs);
  return { said, apiKey: app.apiKey ?? world.apps[PA].apiKey, phone };
}

/* Runs until the copy arrives; resolves with what was seen while all of it ran. */
async function managed(user, phone, { destination, late }) {
  const app = await user.app(PB);
  const from = phone.entries.length;

  app.watch({ restreamDestinations: [{ url: nginx.url(destination), name: 'copy' }] });
  const { msg } = await phone.waitFor((e) => e.dir === 'in' && e.msg?.type === 'start_rtmp_stream', longMs, { from });
  const id = msg.streamId;

  await told('stream.playback', id, (line) => line.playback === 'live');
  await nginx.waitPublisher(destination, true, longMs);
  const response = await fetch(`${world.weir.httpUrl(1)}/api/streams/${id}/outputs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${world.apps[PB].apiKey}` },
    body: JSON.stringify({ packageName: PB, url: nginx.url(late), name: 'late' }),
  });

  assert.ok(response.ok, await response.text());
  await nginx.waitPublisher(late, true, longMs);
  return { app, id, ingest: new URL(msg.rtmpUrl.replace(/^rtmps?:/, 'http:')) };
}

test('no secret is found where it must not be', { timeout: 240000 * slack }, async () => {
  const user = world.user('secrets');
  const phone = await user.connect({ Kind: GlassesSim, publish: true, scale });
  const keys = { direct: key('direct'), destination: key('destination'), late: key('late') };
  const first = await unmanaged(user, phone, keys.direct);
  const { app, id, ingest } = await managed(user, phone, keys);
  const secrets = {
    ...keys,
    'ingest key': ingest.searchParams.get('key'),
    'token of the glasses': phone.token,
    'secret of tokens': world.weir.secret,
    'api key': world.apps[PB].apiKey,
    'other api key': first.apiKey,
  };
  const hunt = new SecretHunt(secrets);
  const { programs, found } = hunt.processes(world.weir.dir);

  for (const program of ['weir-registry', 'weir-managed-adapter', 'nginx'])
    assert.ok(programs.some((name) => name.startsWith(program)), `${program} is there to be looked at: ${programs}`);
  assert.deepEqual(found, [], 'in the arguments of processes');
  const running = hunt.files(world.weir.runDir);

  assert.deepEqual(running.open, [], 'in files that others may read');
  assert.ok(
    running.closed.some((line) => /registry\.db.*: ingest key$/.test(line)),
    'the store has the key, and the search finds it',
  );
  const said = await asked(id, user.email);

  app.leave();
  await told('stream.input_settled', id, () => true);
  const later = await asked(id, user.email);
  const dump = await world.weir.cli('tap', '--from', '1', '--until', `@${(Date.now() / 1000).toFixed(3)}`, '-o', 'jsonl');

  const published = await raw.stop();

  for (const daemon of ['registry', 'managed-adapter', 'unmanaged-adapter', 'gateway-1', 'gateway-2'])
    assert.ok(raw.names.includes(`${daemon}.outbox`), `${daemon} was listened to: ${raw.names}`);
  assert.ok(published.includes(id), 'what is published is heard');
  for (const [what, text] of Object.entries({
    'what is published, byte for byte': published,
    'the log': world.weir.log(Infinity),
    'the tap': tap.entries.map((e) => e.text ?? '').join('\n'),
    'the history': dump,
    'answers about the unmanaged stream': first.said,
    'answers while it ran': said,
    'answers after it': later,
  })) {
    assert.ok(text.length > 100, `${what} is there to be looked at`);
    assert.deepEqual(hunt.in(text), [], what);
  }
  assert.deepEqual(hunt.files(world.weir.runDir).open, [], 'in files that others may read, after the end');
});
