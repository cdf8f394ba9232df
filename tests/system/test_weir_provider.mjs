// Goal: `weir provider` says what the managed-adapter says, in all its forms, with exit codes for scripts; `weir ls` and
// `weir show` tell of managed streams; and no destination, key or publish address is ever printed.
// Method: as test_weir_cli.mjs: the real binary, a fake registry and managed-adapter, no sleep.
// Run: node --test tests/system/test_weir_provider.mjs
import assert from 'node:assert/strict';
import { A, AWAY, B, DONE, LATE, USAGE, check, managed, opened, providerReport, stream } from '../lib/weir_cli_world.mjs';

const row = (input_id, fields) => ({ type: 'provider.row', input_id, mark: 'mark-a', listed: true, age_s: 125, ...fields });

const ready = row('in-ready', { stream_id: 's-1', user_id: A, input: 'ready' });
const owed = row('in-owed', {
  stream_id: 's-2',
  user_id: B,
  input: 'delete_owed',
  tries: 3,
  next_ms: 40000,
  detail: 'HTTP 503\x1b[2J',
});
const leak = row('in-leak', { leak: true, age_s: 90000 });
const foreign = row('in-foreign', { mark: 'mark-b' });
const young = row('in-young', {});

const answer = (fake, events, fields) => fake.does('inputs', { events, report: providerReport(fields) });

check('provider ls: every input, and totals', async (fake) => {
  await fake.does('managed');
  await answer(fake, [ready, owed, leak, foreign, young], { leaks: 1 });
  const { code, stdout, stderr } = await fake.weir(['provider', 'ls']);
  const lines = stdout.trimEnd().split('\n');

  assert.equal(code, DONE, stderr);
  assert.match(lines[0], /^INPUT +STREAM +USER +STATE +AGE +NEXT +TRIES +DETAIL$/);
  assert.match(lines[1], /^in-ready +s-1 +alice@\S+ +ready +2m$/);
  assert.match(lines[2], /^in-owed +s-2 +bob@\S+ +delete_owed +2m +40s +3 +HTTP 503/);
  assert.match(lines[3], /^in-leak +leak +1d01h$/);
  assert.match(lines[4], /^in-foreign +foreign +2m$/);
  assert.match(lines[5], /^in-young +unclaimed +2m$/);
  assert.equal(lines[6], 'cloudflare, mark mark-a: 1 in use, 1 to delete, 1 leak, 1 of others; compared 1m ago');
  assert.doesNotMatch(stdout, /\x1b/);
  const asked = await fake.gets('provider.ask');

  assert.equal(asked.socket, 'managed');
  assert.equal(asked.got.reconcile, undefined);
  const json = JSON.parse((await fake.weir(['provider', 'ls', '-o', 'json'])).stdout);

  assert.deepEqual(
    json.map((r) => [r.input_id, r.state, r.leak, r.tries]),
    [
      ['in-ready', 'ready', false, 0],
      ['in-owed', 'delete_owed', false, 3],
      ['in-leak', 'leak', true, 0],
      ['in-foreign', 'foreign', false, 0],
      ['in-young', 'unclaimed', false, 0],
    ],
  );
  assert.equal((await fake.weir(['provider', 'ls', '-o', 'jsonl'])).objects.length, 5);
});

check('provider ls: nothing there, never compared', async (fake) => {
  await fake.does('managed');
  await answer(fake, [], { provider: 'local', in_use: 0, owed: 0, foreign: 0, reconciled_age_ms: -1 });
  assert.equal(
    (await fake.weir(['provider', 'ls'])).stdout,
    'no inputs\nlocal, mark mark-a: 0 in use, 0 to delete, 0 leaks, 0 of others; never compared\n',
  );
  assert.equal((await fake.weir(['provider', 'ls', '-o', 'json'])).stdout, '[]\n');
});

check('provider leaks: status 1 if there are any', async (fake) => {
  await fake.does('managed');
  await answer(fake, [ready, { ...leak, deleted: true }, foreign], {});
  const none = await fake.weir(['provider', 'leaks']);

  assert.deepEqual([none.code, none.stdout], [DONE, 'no leaks\n']);
  await answer(fake, [ready, leak, foreign], { leaks: 1 });
  const some = await fake.weir(['provider', 'leaks', '-o', 'json']);

  assert.equal(some.code, USAGE);
  assert.deepEqual(JSON.parse(some.stdout).map((r) => r.input_id), ['in-leak']);
  assert.match((await fake.weir(['provider', 'leaks'])).stdout, /^INPUT.*\nin-leak +leak +1d01h\n$/);
});

check('provider reconcile: what was deleted, what would be, what is left', async (fake) => {
  await fake.does('managed');
  await answer(fake, [ready, { ...leak, deleted: true }], { deleted: 1 });
  const done = await fake.weir(['provider', 'reconcile']);

  assert.equal(done.code, DONE, done.stderr);
  assert.match(done.stdout, /in-leak +leak +1d01h +deleted\n1 deleted\ncloudflare/);
  const real = (await fake.gets('provider.ask')).got;

  assert.deepEqual([real.reconcile, real.dry_run], [true, undefined]);
  await answer(fake, [ready, leak], { leaks: 1 });
  const from = fake.entries.length;
  const dry = await fake.weir(['provider', 'reconcile', '--dry-run']);

  assert.equal(dry.code, DONE);
  assert.match(dry.stdout, /in-leak.*\n0 deleted, because of --dry-run\n/);
  assert.equal((await fake.gets('provider.ask', from)).got.dry_run, true);
  assert.equal((await fake.weir(['provider', 'reconcile'])).code, USAGE, 'one is left');
  const [json] = (await fake.weir(['provider', 'reconcile', '--dry-run', '-o', 'json'])).objects;

  assert.deepEqual([json.leaks, json.deleted, json.rows.map((r) => r.input_id)], [1, 0, ['in-leak']]);
});

check('provider quota', async (fake) => {
  await fake.does('managed');
  await answer(fake, [ready], { used: 250, limit: 1000 });
  assert.equal((await fake.weir(['provider', 'quota'])).stdout, '250 of 1000 minutes stored, 25%\n');
  const [json] = (await fake.weir(['provider', 'quota', '-o', 'json'])).objects;

  assert.deepEqual([json.used_minutes, json.limit_minutes, json.mark, json.retry_ms], [250, 1000, 'mark-a', 0]);
  await answer(fake, [ready], { used: 7 });
  assert.equal((await fake.weir(['provider', 'quota'])).stdout, '7 minutes stored, not limited\n');
});

check('provider: no provider, no adapter, no answer, rows lost, wrong words', async (fake) => {
  const away = await fake.weir(['provider', 'ls']);

  assert.equal(away.code, AWAY);
  assert.match(away.stderr, /nobody answers at .*managed-adapter\.inbox/);
  await fake.does('managed');
  await answer(fake, [], { result: 'refused', provider: 'none', reason: 'Managed streaming is not configured' });
  const none = await fake.weir(['provider', 'ls']);

  assert.equal(none.code, USAGE);
  assert.match(none.stderr, /cannot tell \(refused\): Managed streaming is not configured/);
  const held = 'no budget at the provider: calls are held back, again in 240 s';

  await answer(fake, [], { result: 'failed', reason: held, retry_ms: 239500 });
  const spent = await fake.weir(['provider', 'ls']);

  assert.deepEqual([spent.code, spent.stdout], [USAGE, '']);
  assert.match(spent.stderr, /no budget at the provider: calls are held back, again in 240 s/);
  for (const word of ['ls', 'quota', 'reconcile']) {
    const json = await fake.weir(['provider', word, '-o', 'json']);

    assert.equal(json.code, USAGE, word);
    assert.equal(JSON.parse(json.stdout).retry_ms, 239500, word);
  }
  await answer(fake, [ready, owed], {});
  await fake.does('set', { miscount: true });
  const lost = await fake.weir(['provider', 'ls']);

  assert.deepEqual([lost.code, lost.stdout], [USAGE, '']);
  assert.match(lost.stderr, /rows are missing/);
  await fake.does('set', { miscount: false, garble: true });
  assert.match((await fake.weir(['provider', 'ls'])).stderr, /malformed answers were dropped/);
  await fake.does('set', { garble: false, mute: true });
  const mute = await fake.weir(['provider', 'ls', '--timeout', '1500']);

  assert.equal(mute.code, LATE);
  assert.match(mute.stderr, /no answer from the managed-adapter within 1500 ms/);
  await fake.does('set', { mute: false, refuse: true, reason: 'who are you' });
  assert.match((await fake.weir(['provider', 'ls'])).stderr, /the managed-adapter refuses to answer: who are you/);
  for (const [args, text] of [
    [['provider'], /usage: weir provider ls\|leaks\|reconcile\|quota/],
    [['provider', 'rm'], /takes ls, leaks, reconcile or quota, not 'rm'/],
    [['provider', 'ls', '--dry-run'], /--dry-run goes with/],
    [['provider', 'ls', 'leaks'], /usage: weir provider/],
  ]) {
    const wrong = await fake.weir(args);

    assert.equal(wrong.code, USAGE, args.join(' '));
    assert.match(wrong.stderr, text);
  }
  const { stdout } = await fake.weir(['provider', '--help']);

  assert.match(stdout, /weir provider reconcile --dry-run/);
  assert.match(stdout, /exit status: 0 done; 1 leaks/);
});

/* A managed stream with two viewers and an output that failed, and one that is over. */
const outputs = [
  [1, 3, 'rtmp://live.example.com/app/destination-secret', 'Stage', 'com.example.live', 'r-1', '', true],
  [2, 4, '', '', 'com.example.b', '', 'refused', false],
];
const records = [
  stream('s-m', A, { kind: 'managed', rtmp_url: 'rtmp://host/live/ingest-secret' }),
  managed('s-m', A, {
    ingest: 'live',
    playback: 'live',
    hls: 'http://h/s-m.m3u8',
    dash: 'http://h/s-m.mpd',
    viewers: [
      ['com.example.live', 1],
      ['com.example.b', 1],
      ['com.example.gone', 2],
    ],
  }),
  { type: 'snapshot.outputs', stream_id: 's-m', user_id: A, epoch: 3, outputs, next_output: 3 },
  managed('s-over', B, { provider: 'cloudflare', input: 'delete_owed' }),
  stream('s-over', B, { kind: 'managed', phase: 'closed', end_cause: 'app_stop' }),
];

check('ls and show: managed streams', async (fake) => {
  await fake.does('rows', { events: records });
  const table = (await fake.weir(['ls', '--all'])).stdout.split('\n');

  assert.match(table[0], /^STREAM +USER +KIND +PHASE +APP +WATCH +EPOCH /);
  assert.match(table[1], /^s-m +alice@\S+ +managed +live +\S+ +2 +3 /);
  assert.match(table[2], /^s-over .* input owed/);
  const [one, over] = (await fake.weir(['ls', '--all', '-o', 'jsonl'])).objects;

  assert.deepEqual(
    [one.viewers, one.provider, one.input_id, one.input, one.input_owed, one.ingest, one.playback],
    [2, 'local', 'in-s-m', 'ready', false, 'live', 'live'],
  );
  assert.deepEqual([over.viewers, over.provider, over.input, over.input_owed], [0, 'cloudflare', 'delete_owed', true]);
  const text = (await fake.weir(['show', 's-m'])).stdout;

  assert.match(text, /\n {2}provider +local\n {2}input +ready, in-s-m\n {2}picture +live at the provider\n/);
  assert.match(text, /\n {2}viewer +com\.example\.live: watching\n(.*\n){1}.*com\.example\.gone: told_owed\n/);
  assert.match(text, /\n {2}output +1 active, Stage, com\.example\.live\n {2}output +2 error, com\.example\.b \(refused\)\n/);
  assert.match((await fake.weir(['show', 's-over'])).stdout, /still owed +its input must be deleted\n/);
  const [shown] = (await fake.weir(['show', 's-m', '-o', 'json'])).objects;

  assert.deepEqual(shown.streams[0].outputs[1], {
    output: 2,
    name: '',
    app: 'com.example.b',
    state: 'error',
    error: 'refused',
  });
  assert.equal(shown.streams[0].hls, 'http://h/s-m.m3u8');
  assert.equal(shown.streams[0].watching.length, 3);
});

check('show: outputs of the history, where no row tells of them', async (fake) => {
  const output = (number, state, fields) => ({
    type: 'stream.output',
    stream_id: 's-m',
    user_id: A,
    epoch: 3,
    output: number,
    state,
    package: 'com.example.b',
    sent_ms: Date.now(),
    ...fields,
  });

  await fake.does('story', {
    events: [
      { ...opened('s-m'), kind: 'managed' },
      output(2, 'new', { name: 'Two', url: 'rtmp://live.example.com/app/destination-secret' }),
      output(1, 'new'),
      output(2, 'error', { error: 'down' }),
      output(1, 'removed'),
    ],
  });
  await fake.does('rows', { events: records.slice(0, 2) });
  const text = (await fake.weir(['show', A])).stdout;

  assert.match(text, /\n {2}output +2 error, Two, com\.example\.b \(down\)\n/);
  assert.doesNotMatch(text, /output +1/);
  assert.doesNotMatch(text, /secret/);
});

check('no destination and no publish address is ever printed', async (fake) => {
  await fake.does('rows', { events: records });
  for (const args of [['ls', '--all'], ['show', 's-m'], ['show', A], ['why', 's-m'], ['check']])
    for (const format of ['text', 'json', 'jsonl'])
      assert.doesNotMatch((await fake.weir([...args, '-o', format])).stdout, /secret/, args.join(' '));
});

check('why and timeline: a user without any stream is known all the same', async (fake) => {
  await fake.does('rows', { events: [{ type: 'session.opened', user_id: A }] });
  for (const command of ['why', 'timeline']) {
    const known = await fake.weir([command, A]);

    assert.equal(known.code, USAGE);
    assert.match(known.stderr, /user alice@example\.com is known, but no stream of theirs is kept/);
    assert.match((await fake.weir([command, B])).stderr, /nothing is kept about a stream or user bob/);
  }
  await fake.does('rows', { events: [] });
  await fake.does('story', { events: [{ type: 'session.closed', user_id: A, sent_ms: Date.now() }] });
  assert.match((await fake.weir(['why', A])).stderr, /is known, but no stream/, 'by its history');
});
