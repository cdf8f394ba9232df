// Goal: every request of the provider, and every answer of the fake vendor that other suites rely on,
// is as the vendor's own schema says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CloudflareStage, endStages } from '../lib/cloudflare_stage.mjs';
import { FakeCloudflare } from '../lib/fake_cloudflare.mjs';
import { Prism } from '../lib/prism.mjs';
import { call } from '../lib/raw_http.mjs';

let vendor;
let mock;
let proxy;

before(async () => {
  vendor = await FakeCloudflare.start();
  [mock, proxy] = await Promise.all([Prism.start(), Prism.start({ upstream: vendor.origin })]);
});

after(async () => {
  endStages();
  await Promise.all([mock?.close(), proxy?.close(), vendor?.close()]);
});

const start = (server, config = {}) =>
  CloudflareStage.start(vendor, { 'cloudflare.api_base': server.url, ...config });

const headers = () => ({ authorization: `Bearer ${vendor.token}` });
const base = (server) => `${server.url}/accounts/${vendor.accountId}/stream`;

for (const [name, server] of [
  ['mock', () => mock],
  ['proxy', () => proxy],
])
  test(`the ${name} refuses what breaks the schema`, async () => {
    const wrong = [
      ['/live_inputs', { recording: { mode: 'sometimes' } }],
      ['/live_inputs', { recording: { mode: 'automatic', deleteRecordingAfterDays: 30 } }],
      ['/live_inputs', { deleteRecordingAfterDays: 1 }],
      [`/live_inputs/${'a'.repeat(32)}/outputs`, { url: 'rtmp://a.example/live/k', enabled: true }],
    ];

    for (const [path, body] of wrong) {
      const from = vendor.entries.length;
      const { status } = await call('POST', base(server()) + path, { body, headers: headers() });

      assert.equal(status, 422, JSON.stringify(body));
      assert.equal(vendor.entries.length, from, 'it reached nobody');
    }
  });

test('each call against the examples', async () => {
  const from = mock.entries.length;
  const stage = await start(mock);
  const { input_id: id, address: ingest, ...made } = await stage.create('op1');

  assert.equal(made.outcome, 'ok', stage.story());
  assert.match(ingest, /^rtmps:\/\/live\.cloudflare\.com:443\/live\/.+/);
  assert.match(made.hls, /\/manifest\/video\.m3u8$/);
  const input = { input_id: id };

  assert.equal((await stage.call('describe', input)).outcome, 'ok');
  const list = await stage.list();

  assert.deepEqual([list.outcome, list.inputs.length], ['ok', 1]);
  assert.equal((await stage.call('quota')).outcome, 'ok');
  const added = await stage.call('output_add', { ...input, output: 1, url: 'rtmp://h.example/a/k?x=1' });

  assert.equal(added.outcome, 'ok');
  const output = { ...input, output: 1, remote_id: added.remote_id, url: 'rtmp://h.example/a/k' };

  assert.equal((await stage.call('output_remove', output)).outcome, 'ok');
  assert.equal((await stage.call('output_remove', { ...output, remote_id: '' })).outcome, 'gone');
  const deleted = await stage.call('delete', input);

  /* The example of a recording may be one that is being made. */
  assert.ok(['ok', 'retry'].includes(deleted.outcome), stage.story());
  const said = mock.entries.slice(from).map(({ text }) => text);

  assert.doesNotMatch(said.join(''), /Violation/, mock.story());
  await stage.stop(vendor.token, ingest);
});

for (const statusForm of ['object', 'string'])
  test(`a whole life, checked both ways, status as ${statusForm}`, async () => {
    vendor.statusForm = statusForm;
    const stage = await start(proxy);
    const { input_id: id, address: ingest, hls } = await stage.create(`life-${statusForm}`);
    const input = vendor.inputs.get(id);
    const ids = { input_id: id };

    assert.equal(ingest, `${vendor.ingestUrl}KEY${id}`);
    assert.equal(hls, `${vendor.origin}/${id}/manifest/video.m3u8`);
    assert.deepEqual(input.meta, {
      name: `mark-life-${statusForm}`,
      owner: 'mark',
      op: `life-${statusForm}`,
    });
    assert.equal(input.defaultCreator, 'mark');
    assert.equal(input.deleteRecordingAfterDays, 30);
    const added = await stage.call('output_add', { ...ids, output: 1, url: 'rtmp://h.example/a/k' });

    assert.equal(added.outcome, 'ok', stage.story());
    assert.deepEqual(
      [...input.outputs.values()].map(({ url, streamKey }) => [url, streamKey]),
      [['rtmp://h.example/a', 'k']],
    );
    const refused = await stage.call('output_add', { ...ids, output: 2, url: 'rtmp://FAIL/a/k' });

    assert.equal(refused.outcome, 'refused');
    assert.equal((await stage.call('describe', ids)).ingest_state, 'idle');
    vendor.connect(input);
    const live = await stage.call('describe', ids);

    assert.deepEqual([live.ingest_state, live.playable], ['live', true]);
    for (const [word, expected] of [
      ['reconnecting', 'lost'],
      ['reconnected', 'live'],
      ['failed_to_reconnect', 'failed'],
      ['client_disconnect', 'ended'],
    ]) {
      vendor.setState(input, word);
      assert.equal((await stage.call('describe', ids)).ingest_state, expected, word);
    }
    const list = await stage.list();

    assert.equal(list.outcome, 'ok', stage.story());
    assert.deepEqual(list.inputs[0].slice(0, 3), [id, 'mark', `life-${statusForm}`]);
    assert.deepEqual(
      await stage.call('quota').then(({ outcome, limit }) => [outcome, limit]),
      ['ok', 1000],
    );
    const output = { ...ids, output: 1, remote_id: added.remote_id, url: 'rtmp://h.example/a/k' };

    assert.equal((await stage.call('output_remove', output)).outcome, 'ok');
    vendor.disconnect(input);
    const from = vendor.entries.length;

    assert.equal((await stage.call('delete', ids)).outcome, 'ok', stage.story());
    assert.deepEqual(
      vendor.entries.slice(from).map((e) => e.call),
      ['update', 'videos', 'video_delete', 'delete'],
    );
    assert.equal(vendor.inputs.size, 0);
    assert.equal(vendor.videos.size, 0);
    assert.equal((await stage.call('delete', ids)).outcome, 'gone');
    assert.equal((await stage.call('describe', ids)).outcome, 'gone');
    await stage.stop(vendor.token, ingest, `KEY${id}`);
  });

test('an answer that breaks the schema is found', async () => {
  const stage = await start(proxy);

  vendor.fault('create', { change: (answer) => void (answer.result.uid = 'a'.repeat(60)) });
  assert.equal((await stage.create('broken')).outcome, 'unknown');
  vendor.fault('storage', { status: 429, headers: { 'retry-after': '7' } });
  assert.ok((await stage.call('quota')).retry_ms >= 7000, 'a valid 429 passes');
  await stage.stop();
});
