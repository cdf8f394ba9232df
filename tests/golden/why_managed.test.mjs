// `weir why` and `weir timeline` of managed streams that really ended, at a tenth of the protocol's times: as
// why.test.mjs, with inputs made at tests/lib/fake_cloudflare.mjs.
//
// What the words look like is compared in tests/unit/test_tap_why_managed.c; here it is that the running system records
// what they are made of.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, World, url, waiting } from '../lib/world.mjs';

const scale = 10;
const endMs = 20000 * slack; /* more than any bound of this world */

let world;
let tap;

before(async () => {
  world = await World.open({ scale, vendor: { outputStatus: true } });
  tap = world.weir.tap('--history');
});

after(() => world?.close());

const told = (id, type, matches = () => true) =>
  tap.waitFor((e) => e.line?.type === type && e.line.stream_id === id && matches(e.line), endMs, {
    what: `${type} of ${id}`,
  });

/** A user with simulated glasses whose apps watch a managed stream; resolves once it is live. */
async function streaming(label, { apps = { a: PA }, request = {} } = {}) {
  const s = await world.stage(label, { apps, glasses: { Kind: GlassesSim, scale } });

  for (const app of Object.values(s.apps)) {
    app.watch(request);
    await app.waitMessage({ type: 'managed_stream_status' }, endMs);
  }
  const { line } = await tap.waitFor(
    (e) => e.line?.type === 'stream.status' && e.line.user_id === s.U && e.line.status === 'streaming',
    endMs,
    { what: `a live stream of ${s.U}` },
  );

  return { ...s, id: line.stream_id, input: world.vendor.inputOf(line.stream_id) };
}

/** What why says once the stream is over and, unless @owed, its input is deleted. */
async function explained(s, { owed = false } = {}) {
  await told(s.id, 'stream.closed');
  if (!owed) await told(s.id, 'stream.input_settled');
  const text = await world.weir.cli('why', s.id);
  const why = JSON.parse(await world.weir.cli('why', s.id, '-o', 'json'));
  const lines = text.trimEnd().split('\n');

  assert.ok(lines.length >= 3 && lines.length <= 8, text);
  assert.match(lines[0], / managed, com\.example\./);
  assert.ok(lines[1].includes(`${why.end_cause}, hop ${why.hop}: ${why.sentence}`), text);
  assert.deepEqual([why.kind, why.ended, why.begins_late], ['managed', true, false]);
  assert.ok(why.evidence.some((fact) => fact.type === 'stream.closed'), text);
  if (!owed) assert.ok(!why.owed.includes('the deletion of its input'), text);
  return why;
}

const assertEnd = (why, cause, hop, sentence) => {
  assert.deepEqual([why.end_cause, why.hop], [cause, hop], JSON.stringify(why));
  assert.match(why.sentence, sentence);
};

describe('why, managed', waiting, () => {
  test('app_stop: the last viewer leaves', async () => {
    const s = await streaming('wm-stop', { apps: { a: PA, b: PB } });

    s.apps.a.leave();
    await told(s.id, 'stream.left');
    s.apps.b.leave();
    const why = await explained(s);

    assertEnd(why, 'app_stop', 'app', /^com\.example\.second, the last that watched, left$/);
    assert.match(why.provider, /^cloudflare, input \w+ made after .*; watched by com\.example\.cam, com\.example\.second; gone/);
    const rows = JSON.parse(await world.weir.cli('timeline', s.id, '-o', 'json'));

    for (const type of ['stream.provisioned', 'stream.joined', 'stream.left', 'stream.input_settled'])
      assert.ok(rows.some((row) => row.type === type && row.text.length > 5), type);
  });

  test('takeover by an unmanaged stream', async () => {
    const s = await streaming('wm-takeover', { apps: { a: PA, b: PB } });

    s.apps.b.request(url);
    const why = await explained(s);

    assertEnd(why, 'takeover', 'app', /com\.example\.second started an unmanaged stream, and a user has one; replaced by /);
    assert.notEqual(why.replaced_by, '');
  });

  test('acks_missed, and all viewers are told', async () => {
    const s = await streaming('wm-acks', { apps: { a: PA, b: PB } });

    s.phone.ignoreProbes();
    for (const app of Object.values(s.apps))
      await app.waitMessage({ type: 'managed_stream_status', status: 'error' }, endMs);
    for (const packageName of [PA, PB]) await told(s.id, 'stream.told', (line) => line.package === packageName);
    const why = await explained(s);

    assertEnd(why, 'acks_missed', 'glasses', /3 probes in a row stayed unanswered/);
    for (const packageName of [PA, PB]) assert.ok(why.tried.includes(`to ${packageName} sent`), why.tried);
  });

  test('device_error with its details', async () => {
    const s = await streaming('wm-error');

    s.phone.scenario('s5', { details: 'encoder failed' });
    assertEnd(await explained(s), 'device_error', 'glasses', /reported an error: encoder failed/);
  });

  test('phone_lost: the input is deleted although the glasses cannot be told', async () => {
    const s = await streaming('wm-phone');

    s.phone.dropSocket();
    const why = await explained(s);

    assertEnd(why, 'phone_lost', 'phone link', /the phone's connection was gone/);
    assert.deepEqual(why.owed, ['a stop to the glasses']);
    assert.ok(world.vendor.deleted.includes(s.input.uid));
  });

  test('provider_error: the input is gone', async () => {
    const s = await streaming('wm-gone');

    world.vendor.removeInput(s.input);
    await world.weir.cli('provider', 'reconcile');
    assertEnd(await explained(s), 'provider_error', 'provider', /^the provider could not go on: input is gone$/);
  });

  test('a live one: picture, playback, an output that fails', async () => {
    const s = await streaming('wm-live', {
      request: { restreamDestinations: [{ url: 'rtmp://live.example.com/app/key', name: 'Stage' }] },
    });
    const why = async () => JSON.parse(await world.weir.cli('why', s.id, '-o', 'json'));

    await told(s.id, 'stream.output', (line) => line.state === 'idle');
    world.vendor.setOutput(s.input, 0, { state: 'error', lastError: 'refused' });
    world.vendor.connect(s.input);
    await told(s.id, 'stream.output', (line) => line.state === 'error');
    await told(s.id, 'stream.ingest', (line) => line.ingest === 'live');
    await told(s.id, 'stream.playback', (line) => line.playback === 'live');
    const lives = await why();

    assert.deepEqual([lives.ended, lives.phase, lives.hop], [false, 'live', 'output']);
    assert.match(lives.sentence, /output 1, Stage of com\.example\.cam failed/);
    assert.match(lives.provider, /; picture there after .*; to be watched after /);
    s.apps.a.leave();
    await explained(s);
  });

  test('no word of who may publish where', async () => {
    const s = await streaming('wm-secret', {
      request: { restreamDestinations: [{ url: 'rtmp://live.example.com/app/destination-key', name: 'Stage' }] },
    });
    const { msg } = s.phone.entries.find((e) => e.dir === 'in' && e.msg?.type === 'start_rtmp_stream');
    const key = msg.rtmpUrl.split('/').at(-1);
    const texts = await Promise.all(
      [
        ['why', s.id],
        ['show', s.id],
        ['timeline', s.id],
      ].flatMap((args) => ['text', 'json'].map((format) => world.weir.cli(...args, '-o', format))),
    );

    assert.ok(key.length > 8);
    for (const text of texts) assert.ok(!text.includes(key) && !text.includes('destination-key'), text);
    s.apps.a.leave();
    await explained(s);
  });
});
