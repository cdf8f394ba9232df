// Goal: what whoever looks after security wants to know stands in the log or in the story, under the name
// that docs/security-rules.md gives it, and hostile text in it harms no terminal.
// Method: the real system with a vendor; each thing is caused once and waited for.  (Roles, and a store that is
// full, are caused in unit tests; a daemon that fails, in test_supervise.mjs.)
// Run: node --test tests/system/test_weir_audit_log.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exchange, call, upgrade } from '../lib/raw_http.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, World, goLive, url } from '../lib/world.mjs';

const saidMs = 10000 * slack;

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
