// `weir why` and `weir timeline` of streams that really ended: every end that a user, an app, a device or an operator
// can bring about, at a tenth of the protocol's times.
//
// What the words look like is compared in tests/unit/test_tap_why.c; here it is that the running system records what
// they are made of: the cause, the hop, and the event that shows it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GlassesSim } from '../lib/glasses.mjs';
import { slack } from '../lib/recorder.mjs';
import { PA, PB, World, url, waiting } from '../lib/world.mjs';

const scale = 10;
const endMs = 20000 * slack; /* more than any bound of this world */

let world;

before(async () => {
  /* A start has longer than a session without a phone, so that a session can end with a stream in it. */
  world = await World.open({ scale, config: { unmanaged: { start_deadline_ms: 8000 } } });
});

after(() => world?.close());

/** A user with simulated glasses and running apps; resolves once @options.until has been said. */
async function streaming(label, { until = 'active', apps = { a: PA }, prepare } = {}) {
  const s = await world.stage(label, { apps, glasses: { Kind: GlassesSim, scale } });

  prepare?.(s);
  s.apps.a.request(url);
  const { msg } = await s.apps.a.waitFor(
    (e) => e.msg?.type === 'rtmp_stream_status' && e.msg.status === until,
    5000,
    { what: until },
  );

  return { ...s, id: msg.streamId };
}

/* A tap that ends by itself once the story, kept or live, has told all of @expected. */
async function told(args, expected) {
  const tap = world.weir.tap(
    '--history',
    '--no-ops',
    ...args,
    ...expected.flatMap((type) => ['--expect', type]),
    '--timeout',
    String(endMs),
  );
  const { code } = await tap.waitEvent('exit', endMs + 5000);

  assert.equal(code, 0, tap.story());
}

/* Ends that nobody asked for and no device told of point to what shows them. */
const linked = ['app_closed', 'phone_lost', 'glasses_lost', 'acks_missed', 'never_started', 'session_ended'];

async function assertLinked(s, why) {
  const rows = JSON.parse(await world.weir.cli('timeline', s.id, '-o', 'json'));
  const end = rows.find((row) => row.type === 'stream.closed');

  if (linked.includes(why.end_cause)) assert.ok(end.cause > 0, JSON.stringify(end));
  if (linked.includes(why.end_cause))
    assert.ok(why.evidence.some((fact) => fact.seq === end.cause), JSON.stringify([end, why.evidence]));
  if (why.end_cause === 'takeover')
    assert.equal(rows.find((row) => row.stream_id === why.replaced_by).cause, end.seq);
}

/** What why says once the stream is over and its app has been told. */
async function explained(s, { hasApp = true } = {}) {
  await told(['--stream', s.id], ['stream.closed', ...(hasApp ? ['stream.told'] : [])]);
  const text = await world.weir.cli('why', s.id);
  const why = JSON.parse(await world.weir.cli('why', s.id, '-o', 'json'));
  const lines = text.trimEnd().split('\n');

  assert.ok(lines.length >= 3 && lines.length <= 8, text);
  assert.ok(lines[0].includes(s.id) && lines[0].includes(s.U), text);
  assert.ok(lines[1].includes(`${why.end_cause}, hop ${why.hop}: ${why.sentence}`), text);
  assert.equal(why.stream_id, s.id);
  assert.equal(why.user_id, s.U);
  assert.equal(why.app, PA);
  assert.equal(why.ended, true);
  assert.equal(why.begins_late, false);
  assert.equal(why.evidence.at(-1 - (why.end_cause === 'takeover')).type, 'stream.closed');
  await assertLinked(s, why);
  for (const fact of why.evidence)
    assert.ok(fact.seq > 0 && fact.at_ms > 0 && fact.text, JSON.stringify(fact));
  return why;
}

function assertEnd(why, cause, hop, type, text = /./) {
  assert.equal(why.end_cause, cause, JSON.stringify(why));
  assert.equal(why.hop, hop);
  const found = why.evidence.filter((fact) => fact.type === type);

  assert.ok(
    found.some((fact) => text.test(fact.text)),
    `no ${type} ${text} in ${JSON.stringify(why.evidence)}`,
  );
}

describe('why', waiting, () => {
  test('app_stop', async () => {
    const s = await streaming('why-stop');

    s.apps.a.stop(s.id);
    const why = await explained(s);

    assertEnd(why, 'app_stop', 'app', 'stream.closed', /asked by com\.example\.cam/);
    assert.match(why.sentence, /com\.example\.cam asked for the stop/);
    assert.match(why.tried, /^start delivered after /);
    assert.deepEqual(why.owed, []);
  });

  test('takeover by the same app', async () => {
    const s = await streaming('why-again');

    s.apps.a.request(url);
    const why = await explained(s);

    assertEnd(why, 'takeover', 'app', 'stream.opened', /opened by com\.example\.cam/);
    assert.match(why.sentence, /its own app/);
    assert.notEqual(why.replaced_by, s.id);
    const newest = JSON.parse(await world.weir.cli('why', s.U, '-o', 'json'));

    assert.equal(newest.stream_id, why.replaced_by, 'of a user: the newest stream');
    assert.equal(newest.ended, false);
  });

  test('takeover by another app', async () => {
    const s = await streaming('why-other', { apps: { a: PA, b: PB } });

    s.apps.b.request(url);
    const why = await explained(s);

    assertEnd(why, 'takeover', 'app', 'stream.opened', /opened by com\.example\.second/);
    assert.match(why.sentence, /com\.example\.second, another app/);
  });

  test('operator_stop', async () => {
    const s = await streaming('why-operator');

    await world.weir.cli('stop', s.id);
    const why = await explained(s);

    assertEnd(why, 'operator_stop', 'cloud', 'stream.closed', /asked by /);
  });

  test('app_closed: the user stops the app', async () => {
    const s = await streaming('why-app');

    s.user.stopApp(PA);
    const why = await explained(s, { hasApp: false });

    assertEnd(why, 'app_closed', 'app', 'app.changed', /stopping \(stopped by the user\)/);
  });

  test('device_error with its details', async () => {
    const s = await streaming('why-error');

    s.phone.scenario('s5', { details: 'RTMP connection failed: refused' });
    const why = await explained(s);

    assertEnd(why, 'device_error', 'glasses', 'stream.closed', /RTMP connection failed: refused/);
    assert.match(why.sentence, /RTMP connection failed: refused/);
  });

  test('reconnect_failed', async () => {
    const s = await streaming('why-reconnect');

    s.phone.scenario('s4');
    const why = await explained(s);

    assertEnd(why, 'reconnect_failed', 'glasses', 'stream.status', /reconnecting/);
  });

  test('phone_lost', async () => {
    const s = await streaming('why-phone');

    s.phone.dropSocket();
    const why = await explained(s);

    assertEnd(why, 'phone_lost', 'phone link', 'link.changed', /closed with 1006/);
    assert.match(why.tried, /3 probes in a row unanswered, silent for /);
    assert.deepEqual(why.owed, ['a stop to the glasses']);
  });

  test('glasses_lost: the phone is there, BLE is not', async () => {
    const s = await streaming('why-ble');

    s.phone.bleDisconnect();
    assertEnd(await explained(s), 'glasses_lost', 'glasses', 'glasses.changed', /not connected/);
  });

  test('acks_missed with the link up', async () => {
    const s = await streaming('why-acks');

    s.phone.ignoreProbes();
    const why = await explained(s);

    assertEnd(why, 'acks_missed', 'glasses', 'stream.status', /streaming: live/);
    assertEnd(why, 'acks_missed', 'glasses', 'stream.moved', /2 probes in a row unanswered/);
  });

  test('never_started', async () => {
    const s = await streaming('why-never', {
      until: 'initializing',
      prepare: ({ phone }) => phone.refuseStart('no_wifi_connection'),
    });
    const why = await explained(s);

    assertEnd(why, 'never_started', 'glasses', 'stream.moved', /start was delivered/);
  });

  test('session_ended', async () => {
    const s = await streaming('why-session', {
      until: 'initializing',
      prepare: ({ phone }) => phone.refuseStart('no_wifi_connection'),
    });

    await told(['--stream', s.id], ['stream.moved']);
    s.phone.dropSocket();
    const why = await explained(s);

    assertEnd(why, 'session_ended', 'phone link', 'link.changed', /closed with 1006/);
    assert.match(why.sentence, /did not come back within 6\./);
  });

  test('a live one, and its timeline', async () => {
    const s = await streaming('why-live');

    await told(['--stream', s.id], ['stream.status:status=streaming']);
    const why = JSON.parse(await world.weir.cli('why', s.id, '-o', 'json'));

    assert.equal(why.ended, false);
    assert.equal(why.phase, 'live');
    assert.match(why.sentence, /nothing is wrong/);
    s.phone.bleDisconnect();
    await told(['--user', s.U], ['stream.opened', 'glasses.changed:connected=false']);
    const worse = JSON.parse(await world.weir.cli('why', s.U, '-o', 'json'));

    assert.equal(worse.hop, 'glasses');
    s.apps.a.stop(s.id);
    const ended = await explained(s);
    const unix = (ms) => `@${(ms / 1000).toFixed(3)}`;
    const range = ['--from', unix(ended.opened_ms), '--until', unix(ended.ended_ms), '--strict'];
    const tapped = await world.weir.cli('tap', ...range, '--stream', s.id, '-o', 'jsonl');
    const between = tapped.trimEnd().split('\n').map((row) => JSON.parse(row).type);

    assert.equal(between[0], 'stream.opened', 'found by its time');
    assert.ok(between.includes('stream.closed'));
    const rows = (await world.weir.cli('timeline', s.id, '-o', 'jsonl')).trimEnd().split('\n');
    const types = rows.map((row) => JSON.parse(row).type);

    assert.equal(types[0], 'stream.opened');
    for (const type of ['stream.moved', 'stream.status', 'glasses.changed', 'stream.closed', 'stream.told'])
      assert.ok(types.includes(type), `${type} in ${types}`);
    assert.ok(rows.every((row) => JSON.parse(row).seq > 0));
    const text = (await world.weir.cli('timeline', s.U)).trimEnd().split('\n');

    assert.equal(text.length, rows.length, 'one line per event');
    const live = rows.map((row) => JSON.parse(row)).find((row) => /: live$/.test(row.text));
    const then = await world.weir.cli('tap', '--at', String(live.seq), '--stream', s.id, '-o', 'json');

    assert.deepEqual(
      JSON.parse(then).map((record) => [record.stream_id, record.phase]),
      [[s.id, 'live']],
      'as it was',
    );
  });

  test('check and ls --stuck of a system that is well', async () => {
    const s = await streaming('why-check');
    const checked = JSON.parse(await world.weir.cli('check', '--format', 'json'));

    assert.deepEqual([checked.state, checked.story, checked.stuck], ['OK', true, 0]);
    assert.ok(checked.active >= 1 && checked.gateways_up === 2 && checked.history_s >= 0);
    assert.match(await world.weir.cli('check'), /^WEIR OK - active \d+, suspect \d+, stuck 0, gateways_up 2 \| /);
    assert.equal(await world.weir.cli('ls', '--stuck'), 'no stuck streams\n');
    const shown = JSON.parse(await world.weir.cli('show', s.id, '-o', 'json'));
    const { link, glasses, apps, session_at_ms: session } = shown.user;

    for (const at of [session, link.at_ms, glasses.at_ms, apps[0].at_ms])
      assert.ok(at > 0 && at <= Date.now(), `${at}: since when each fact holds`);
  });

  test('of nobody', async () => {
    await assert.rejects(world.weir.cli('why', 's-nothing'), (error) => {
      assert.equal(error.code, 1);
      assert.match(error.stderr, /nothing is kept about a stream or user s-nothing/);
      return true;
    });
  });
});
