// Goal: whatever the vendor's API does, each call is answered once, within its time, as what it was;
// nothing is made twice, nothing is lost, and no secret is written anywhere.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { CloudflareStage, endStages } from '../lib/cloudflare_stage.mjs';
import { FakeCloudflare } from '../lib/fake_cloudflare.mjs';

const timeoutMs = 1000;
const quick = { 'managed.create_timeout_ms': timeoutMs };
let vendor;

const fresh = async (options) => {
  await vendor?.close();
  vendor = await FakeCloudflare.start(options);
};

beforeEach(() => fresh());
after(async () => {
  endStages();
  await vendor.close();
});

test('a create whose answer was lost is repeated without a second input', async () => {
  const stage = await CloudflareStage.start(vendor, quick);

  for (const fault of [{ lost: 'after' }, { hang: 'after' }, { status: 502, effect: true }]) {
    vendor.fault('create', fault);
    assert.equal((await stage.create('op1')).outcome, 'unknown', stage.story());
  }
  const { outcome, input_id: id } = await stage.create('op1');

  assert.equal(outcome, 'ok');
  assert.deepEqual([...vendor.inputs.keys()], [id]);
  assert.ok(vendor.calls('create').every(({ key }) => key === 'mark-op1'));
  await stage.stop(vendor.token);
});

test('a vendor that does not honour the key: both are found by their mark', async () => {
  await fresh({ honoursKeys: false });
  const stage = await CloudflareStage.start(vendor, quick);

  vendor.fault('create', { lost: 'after' });
  assert.equal((await stage.create('op1')).outcome, 'unknown');
  assert.equal((await stage.create('op1')).outcome, 'ok');
  const { inputs } = await stage.list();

  assert.equal(inputs.length, 2);
  for (const [, mark, op] of inputs) assert.deepEqual([mark, op], ['mark', 'op1']);
  await stage.stop();
});

test('the key of a deleted input is refused for good', async () => {
  const stage = await CloudflareStage.start(vendor, quick);
  const { input_id: id } = await stage.create('op1');

  vendor.removeInput(id);
  const again = await stage.create('op1');

  assert.equal(again.outcome, 'refused');
  assert.match(again.detail, /Idempotency-Key/);
  await stage.stop();
});

/* Fault, and what it means for a create (which changes something) and a describe (which does not). */
for (const [name, fault, create, describe] of [
  ['500', { status: 500 }, 'unknown', 'retry'],
  ['a proxy page', { status: 502, body: '<html>bad gateway</html>' }, 'unknown', 'retry'],
  ['400', { status: 400, message: 'no' }, 'refused', 'refused'],
  ['a lost request', { lost: 'before' }, 'unknown', 'retry'],
  ['no answer', { hang: true }, 'unknown', 'retry'],
  ['a slow answer', { drip: 20 }, 'unknown', 'retry'],
  ['garbage', { body: '{"success":true,"result":{"uid":' }, 'unknown', 'retry'],
  ['wrong types', { body: '{"success":1,"result":[]}' }, 'unknown', 'retry'],
  ['deep nesting', { body: '['.repeat(100000) }, 'unknown', 'retry'],
  ['ten megabytes', { length: 10 << 20 }, 'unknown', 'retry'],
  ['one byte too many', { length: 1 << 20 }, 'unknown', 'retry'],
  ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 'refused', 'refused'],
])
  test(`${name}, and it goes on`, async () => {
    const stage = await CloudflareStage.start(vendor, quick);
    const input = vendor.addInput();

    vendor.fault('create', fault);
    vendor.fault('get', fault);
    const [made, seen] = await Promise.all([
      stage.create('op1'),
      stage.call('describe', { input_id: input.uid }),
    ]);

    assert.deepEqual([made.outcome, seen.outcome], [create, describe], stage.story());
    assert.equal((await stage.create('op2')).outcome, 'ok');
    assert.equal((await stage.call('describe', { input_id: input.uid })).outcome, 'ok');
    await stage.stop(vendor.token);
  });

test('an answer may take almost all of its time, and almost all of its size', async () => {
  const stage = await CloudflareStage.start(vendor, { 'managed.create_timeout_ms': 60000 });

  vendor.fault('create', { delayMs: timeoutMs, length: (1 << 20) - 4096 });
  assert.equal((await stage.create('op1')).outcome, 'ok', stage.story());
  await stage.stop();
});

test('one 429 stops everything, whatever it was for', async () => {
  const stage = await CloudflareStage.start(vendor, quick);
  const input = vendor.addInput();

  vendor.fault('storage', { status: 429, headers: { 'retry-after': '300' } });
  await stage.call('quota');
  const from = vendor.entries.length;
  const told = await Promise.all([
    stage.create('op1'),
    stage.call('list', { page: 0 }),
    stage.call('describe', { input_id: input.uid }),
    stage.call('output_add', { input_id: input.uid, output: 1, url: 'rtmp://h/a/k' }),
    stage.call('delete', { input_id: input.uid }),
  ]);

  for (const { outcome, retry_ms: retryMs, type } of told) {
    assert.equal(outcome, 'retry', type);
    assert.ok(retryMs > 200000 && retryMs <= 301000, `${type}: ${retryMs}`);
  }
  assert.ok(told.at(-1).retry_ms < told[0].retry_ms, 'deletes go first');
  assert.equal(vendor.entries.length, from, 'nothing was asked');
  await stage.stop();
});

test('a wrong token is used once', async () => {
  const stage = await CloudflareStage.start(vendor, quick);

  vendor.token = 'another-token';
  assert.equal((await stage.create('op1')).outcome, 'unconfigured');
  assert.equal((await stage.create('op1')).outcome, 'unconfigured');
  assert.equal(vendor.calls('create').length, 1);
  await stage.stop('test-token');
});

test('an output whose answer was lost is not made twice', async () => {
  const stage = await CloudflareStage.start(vendor, quick);
  const { input_id: id } = await stage.create('op1');
  const add = { input_id: id, output: 1, url: 'rtmp://h.example/a/secret-key' };

  vendor.fault('output_add', { lost: 'after' });
  assert.equal((await stage.call('output_add', add)).outcome, 'unknown');
  const { outcome, remote_id: remote } = await stage.call('output_add', add);

  assert.equal(outcome, 'ok');
  assert.deepEqual([...vendor.inputs.get(id).outputs.keys()], [remote]);
  await stage.stop('secret-key');
});

test('another life looks before it adds, and removes what it does not know', async () => {
  let stage = await CloudflareStage.start(vendor, quick);
  const { input_id: id } = await stage.create('op1');
  const add = { input_id: id, output: 1, url: 'rtmp://h.example/a/k' };

  assert.equal((await stage.call('output_add', add)).outcome, 'ok');
  await stage.end('SIGKILL');
  stage = await CloudflareStage.start(vendor, quick);
  assert.equal((await stage.call('output_add', add)).outcome, 'ok');
  assert.equal(vendor.inputs.get(id).outputs.size, 1);
  assert.equal((await stage.call('output_remove', add)).outcome, 'ok');
  assert.equal(vendor.inputs.get(id).outputs.size, 0);
  await stage.stop();
});

test('outputs tell how they are', async () => {
  await fresh({ outputStatus: true });
  const stage = await CloudflareStage.start(vendor, quick);
  const { input_id: id } = await stage.create('op1');

  await stage.call('output_add', { input_id: id, output: 1, url: 'rtmp://h.example/a/k' });
  vendor.connect(id);
  vendor.setOutput(id, 0, { state: 'error', lastError: 'refused there' });
  await stage.call('describe', { input_id: id });
  const said = stage.entries.find(({ type }) => type === 'provider.output_hint');

  assert.deepEqual([said.state, said.error], ['error', 'refused there']);
  await stage.stop();
});

test('a delete is repeated from any step until everything is gone', async () => {
  const stage = await CloudflareStage.start(vendor, quick);

  for (const call of ['update', 'videos', 'video_delete', 'delete'])
    for (const fault of [{ status: 500 }, { hang: 'after' }]) {
      const { input_id: id } = await stage.create(`${call}-${fault.status}`);

      vendor.connect(id);
      vendor.disconnect(id);
      vendor.fault(call, fault);
      const first = await stage.call('delete', { input_id: id });

      assert.ok(['retry', 'unknown'].includes(first.outcome), stage.story());
      const second = await stage.call('delete', { input_id: id });

      assert.ok(['ok', 'gone'].includes(second.outcome), stage.story());
      assert.equal(vendor.inputs.size + vendor.videos.size, 0, call);
    }
  await stage.stop();
});

test('a delete may be answered without a body', async () => {
  const stage = await CloudflareStage.start(vendor, quick);
  const { uid } = vendor.addInput();

  vendor.fault('delete', { body: '' });
  assert.equal((await stage.call('delete', { input_id: uid })).outcome, 'ok');
  assert.equal(vendor.inputs.size, 0);
  await stage.stop();
});

test('an input is kept until its recording is there', async () => {
  const stage = await CloudflareStage.start(vendor, quick);
  const { input_id: id } = await stage.create('op1');

  vendor.connect(id);
  vendor.disconnect(id, { recording: 'late' });
  assert.equal((await stage.call('delete', { input_id: id })).retry_ms, 30000);
  assert.equal(vendor.inputs.get(id).enabled, false);
  vendor.finishRecording(id);
  assert.equal((await stage.call('delete', { input_id: id })).outcome, 'ok');
  assert.equal(vendor.videos.size, 0);
  await stage.stop();
});

for (const pagesBefore of [true, false])
  test(`a long list, and a vendor that ${pagesBefore ? 'knows' : 'ignores'} "before"`, async () => {
    await fresh({ pageMax: 40, pagesBefore });
    const stage = await CloudflareStage.start(vendor, quick);
    const made = Array.from({ length: 100 }, () => vendor.addInput({ meta: {} }).uid);
    const list = await stage.list();

    if (pagesBefore) {
      assert.equal(list.outcome, 'ok', stage.story());
      assert.deepEqual(new Set(list.inputs.map(([id]) => id)), new Set(made));
      assert.equal(list.inputs.length, 100);
    } else {
      assert.equal(list.outcome, 'retry', 'half a list is none');
    }
    await stage.stop();
  });

test('over TLS, if the certificate is the one that is configured', async () => {
  await fresh({ tls: true });
  const trusting = await CloudflareStage.start(vendor, quick);

  assert.equal((await trusting.create('op1')).outcome, 'ok', trusting.story());
  await trusting.stop();
  const wary = await CloudflareStage.start(vendor, { ...quick, 'cloudflare.ca_file': '' });

  assert.equal((await wary.create('op1')).outcome, 'retry', 'nothing was sent');
  assert.equal(vendor.calls('create').length, 1);
  await wary.stop(vendor.token);
});

test('webhooks are hints, from those who know the secret', async () => {
  const secret = 'a-webhook-secret';
  const stage = await CloudflareStage.start(vendor, {
    ...quick,
    'cloudflare.webhook_secret_file': CloudflareStage.secretFile(`${secret}\n`),
  });
  const input = vendor.addInput();
  const url = `http://${stage.listen}/webhooks/cloudflare`;
  const at = (second) => ({ updatedAt: `2026-01-01T00:00:0${second}.5Z` });
  const told = () => stage.entries.filter(({ type }) => type === 'provider.hint').length;

  assert.equal(await vendor.webhook(url, 'wrong', input, 'live_input.connected'), 401);
  assert.equal(await vendor.webhook(url, undefined, input, 'live_input.connected'), 401);
  await stage.waitFor((e) => e.event === 'log' && e.text.includes('"event":"cloudflare.webhook_refused"'), 5000, {
    from: 0,
    what: 'the audit event',
  });
  assert.equal(await vendor.webhook(url, secret, input, 'live_input.connected', at(5)), 200);
  await stage.hint({ input_id: input.uid, ingest: 'live' });
  assert.equal(await vendor.webhook(url, secret, input, 'live_input.connected', at(5)), 200);
  assert.equal(await vendor.webhook(url, secret, input, 'live_input.disconnected', at(4)), 200);
  const error = { code: 'ERR_GOP_OUT_OF_RANGE', message: 'key frames are too far apart' };

  assert.equal(await vendor.webhook(url, secret, input, 'live_input.errored', { ...at(6), error }), 200);
  const { detail } = await stage.hint({ ingest: 'failed' });

  assert.equal(detail, `${error.code}: ${error.message}`);
  assert.equal(told(), 2, 'neither the same again nor an older one');
  assert.equal(await vendor.webhook(url, secret, input, 'x', { body: { data: 1 } }), 400);
  await stage.stop(secret);
});

test('it ends at once, whatever is under way', async () => {
  const stage = await CloudflareStage.start(vendor, { 'managed.create_timeout_ms': 60000 });

  for (let i = 0; i < 40; i++) {
    vendor.fault('create', { hang: true });
    stage.tell({ type: 'provider.create', call: 1000 + i, stream_id: `op${i}`, mark: 'mark' });
  }
  await vendor.waitCall('create');
  stage.tell({ type: 'provider.quota', call: 2000 }); /* has not even begun */
  await stage.stop();
  assert.deepEqual(
    stage.entries.filter(({ event }) => event === 'said'),
    [],
    'nothing is told',
  );
});

test('without a secret there is no webhook', async () => {
  const stage = await CloudflareStage.start(vendor, quick);
  const url = `http://${stage.listen}/webhooks/cloudflare`;

  assert.equal(await vendor.webhook(url, '', vendor.addInput(), 'live_input.connected'), 404);
  await stage.stop();
});

for (const [key, value] of [
  ['account_id', '../zones'],
  ['account_id', ''],
  ['api_token_file', ''],
  ['api_token_file', '/nonexistent'],
  ['api_base', 'ftp://api.example/'],
  ['webhook_secret_file', '/nonexistent'],
])
  test(`cloudflare.${key} = '${value}' cannot be used`, async () => {
    /* The stage does not tidy up when its provider cannot be opened. */
    const stage = await CloudflareStage.start(
      vendor,
      { [`cloudflare.${key}`]: value },
      { ASAN_OPTIONS: 'detect_leaks=0', CLOUDFLARE_ACCOUNT_ID: '', CLOUDFLARE_API_TOKEN: '' },
    );

    assert.equal(stage.ready, false);
    assert.equal(await stage.end(), 78, stage.story());
    assert.match(stage.logs(), new RegExp(`cloudflare.${key}`));
  });

test('a token is one line that only its owner may read', async () => {
  for (const text of ['two\nlines', '', 'sp ace']) {
    const file = CloudflareStage.secretFile(text);
    const stage = await CloudflareStage.start(vendor, { 'cloudflare.api_token_file': file });

    assert.equal(stage.ready, false, text);
    await stage.end();
  }
});
