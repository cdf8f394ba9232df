// Goal: what whoever looks after security wants to know stands in the log or in the story, under the name
// that docs/security-rules.md gives it, and hostile text in it harms no terminal.
// Method: the real system with a vendor; each thing is caused once and waited for.  (A store that is full is
// caused in unit tests; a daemon that fails, in test_supervise.mjs.)
// Run: node --test tests/system/test_weir_audit_log.mjs
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RawApp } from '../lib/raw_app.mjs';
import { exchange, call, upgrade } from '../lib/raw_http.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, World, goLive, url } from '../lib/world.mjs';

const saidMs = 10000 * slack;

const binDir = process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));
const rogue = join(binDir, '../tests/rogue');

let world;
let tap;

before(async () => {
  world = await World.open({ scale: 10, gateways: 2, vendor: {}, config: { gateway: { starts_burst: 3, starts_per_min: 1 } } });
  tap = world.weir.tap('--history', '--ops');
});

after(() => world?.close());

const parsed = ({ text }) => {
  try {
    return JSON.parse(text.slice(text.indexOf('{')));
  } catch {
    return {};
  }
};

const logged = async (event, what = () => true) =>
  parsed(
    await world.weir.waitFor(
      (e) => e.event === 'stderr' && e.text.includes(`"event":"${event}"`) && what(parsed(e)),
      saidMs,
      { from: 0, what: event },
    ),
  );

const told = (type, what) =>
  tap.waitFor((e) => e.line?.type === type && what(e.line), saidMs, { from: 0, what: type });

const port = () => Number(new URL(world.weir.httpUrl(1)).port);

test('credentials that are refused, and those that are not', async () => {
  const user = world.user('credentials');

  await exchange(port(), upgrade('/glasses-ws?token=wrong'));
  await logged('gateway.token_refused');
  await call('POST', `${world.weir.httpUrl(1)}/apps/${PA}/start`, { token: 'wrong' });
  await logged('gateway.call_refused');
  await user.connect();
  await told('link.changed', (line) => line.user_id === user.email);
  const app = await user.app(PA);

  await told('app.changed', (line) => line.user_id === user.email);
  app.leave?.();
});

test('an app whose key or token is wrong', async () => {
  const user = world.user('keys');
  const sessionId = user.sessionId(PA);
  const app = world.keep(new RawApp({ url: `${world.weir.url(2)}/app-ws`, sessionId, packageName: PA, apiKey: 'wrong' }));

  await user.connect();
  await app.open();
  await assert.rejects(app.init(), /closed instead of acked/);
  await logged('gateway.key_refused');
  await logged('gateway.inits_refused');
  await exchange(world.weir.port(2), upgrade('/app-ws', { Authorization: 'Bearer x.y.z' }));
  const refused = await logged('gateway.app_token_refused');

  assert.equal(refused.cause, refused.code, 'limited by what is wrong');
});

test('a process that says what its role may not say, and one that is not who it says', async () => {
  const before = await world.weir.liveStreams();

  await promisify(execFile)(rogue, [world.weir.runDir]);
  for (const said of ['edge.link_opened', 'stream.close']) {
    const entry = await logged('audit.violation', (line) => line.detail === said);

    assert.equal(entry.actor, 'registry');
    assert.equal(entry.role, 'operator');
    assert.equal(entry.peer, 'rogue');
    assert.equal(entry.cause, `rogue: ${said}`, 'one does not hide the other');
  }
  await logged('inbox.hello_refused', (line) => line.actor === 'registry');
  assert.deepEqual(await world.weir.liveStreams(), before);
  assert.ok(!(await world.weir.cli('ls', '--all')).includes('victim'));
});

test('takeover, the stop of an operator, a limit', async () => {
  const s = await world.stage('ends');

  await goLive(s);
  s.apps.a.request(`${url}2`);
  await told('stream.closed', (line) => line.user_id === s.U && line.end_cause === 'takeover');
  const [{ stream_id: id }] = await world.weir.liveStreams(s.U);

  await world.weir.cli('stop', id).catch(() => {});
  assert.equal((await logged('audit.operator_stop')).stream_id, id);
  await told('stream.closed', (line) => line.stream_id === id && line.end_cause === 'operator_stop');
  for (let i = 0; i < 4; i++) s.apps.a.request(`${url}${i}`);
  await logged('gateway.limit_starts');
});

test('reloads', async () => {
  process.kill((await world.weir.pids()).get('gateway-1'), 'SIGHUP');
  for (const event of ['actor.reload', 'gateway.secrets_loaded', 'gateway.apps_loaded'])
    await logged(event);
});

test('reloads of what cannot be used', async () => {
  const secrets = join(world.weir.dir, 'jwt.secret');

  writeFileSync(join(world.weir.dir, 'apps.conf'), '[com.example.a]\nno such key = 1\n');
  writeFileSync(secrets, 'short\n');
  process.kill((await world.weir.pids()).get('gateway-1'), 'SIGHUP');
  assert.match((await logged('gateway.apps_refused')).reason, /apps\.conf:2: /);
  await logged('gateway.secrets_refused');
});

test('what is deleted at the provider, and what is found there', async () => {
  world.vendor.addInput({ created: new Date(Date.now() - 7200e3).toISOString() });
  await world.weir.cli('provider', 'reconcile');
  await logged('audit.provider_reconcile', (line) => line.dry_run === false);
  assert.ok((await logged('audit.foreign_inputs')).inputs >= 1);
  const user = world.user('provider');
  const phone = await user.connect();
  const app = await user.app(PB);

  app.watch({});
  await phone.waitMessage('start_rtmp_stream', saidMs);
  const { stream_id: id } = (await told('stream.provisioned', (line) => line.user_id === user.email)).line;

  app.leave();
  const entry = await logged('audit.provider_delete', (line) => line.stream_id === id);

  assert.equal(entry.reason, 'its stream is over');
});

test('hostile words of a device reach no terminal and no log as they are', async () => {
  const s = await world.stage('hostile');
  const hostile = `\u001b]0;owned\u0007\u202egnp\u2066 \u009b31m\nforged: line ${url} ${'x'.repeat(2000)}`;

  await goLive(s);
  const [{ stream_id: id }] = await world.weir.liveStreams(s.U);

  s.phone.status('error', { streamId: id, errorDetails: hostile });
  await told('stream.closed', (line) => line.stream_id === id);
  const texts = [world.weir.log(Infinity), tap.entries.map((e) => e.text ?? '').join('\n')];

  for (const args of [['ls', '--all'], ['show', id], ['why', id], ['timeline', s.U, '--all']])
    for (const format of ['text', 'json'])
      texts.push(
        await world.weir.cli(...args, '-o', format).catch(({ stdout, stderr }) => stdout + stderr),
      );
  for (const text of texts) {
    assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u);
    assert.doesNotMatch(text, /^forged:/m);
    assert.doesNotMatch(text, /x{513}/, 'cut');
    assert.doesNotMatch(text, /ingest\.example\.com\/live\/key/, 'the key of the stream');
  }
  assert.ok(texts.some((text) => text.includes('forged')), 'what is left of it is shown');
});
