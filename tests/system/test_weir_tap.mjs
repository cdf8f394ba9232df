// Goal: `weir tap` prints every event it is due once and in order, says exactly what it missed, ends when and how it
// was told to, and slows down nobody.
// Method: as test_weir_cli.mjs: the real binary, a fake registry that does nothing by itself, no sleep.
// Run: node --test tests/system/test_weir_tap.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launcher } from '../lib/fake_registry.mjs';
import { A, B, DONE, GAP, LATE, check, closed, opened } from '../lib/weir_cli_world.mjs';

const oneEvent = `${JSON.stringify({ do: 'story', events: [opened('s-1', B)] })}\n`;
const seqs = (cli) => cli.objects.map((o) => (o.type.startsWith('tap.') ? o.type : o.seq));

check('tap: JSON Lines in a pipe, filters, --count', async (fake) => {
  const all = await fake.tap([]);
  const some = await fake.tap(['--user', B, '--type', 'stream.*', '--type', 'session.*', '--count', '2']);

  await fake.does('story', { events: [opened('s-1'), opened('s-2', B)] });
  await fake.does('story', { events: [{ type: 'link.changed', user_id: B, state: 'up' }] });
  await fake.does('story', { events: [{ type: 'session.ready', user_id: B }, closed('s-1')] });
  assert.equal(await some.exited(), DONE);
  assert.deepEqual(seqs(some), [2, 4]);
  await all.waitFor((e) => e.json?.seq === 5);
  assert.deepEqual(seqs(all), [1, 2, 3, 4, 5]);
  const { sent_ms: at, ...first } = all.objects[0];

  assert.ok(at > 0);
  assert.deepEqual(first, {
    type: 'stream.opened',
    source: 'registry',
    incarnation: 1000,
    seq: 1,
    cause: 0,
    user_id: A,
    stream_id: 's-1',
    epoch: 1,
    stream_seq: 0,
    kind: 'unmanaged',
    package: 'com.example.live',
  });
  all.child.kill('SIGTERM');
  assert.equal(await all.exited(), DONE);
});

check('tap: text for people, on request', async (fake) => {
  const tap = await fake.tap(['-o', 'text', '--count', '2']);
  const evil = closed('s-1', { sent_ms: 1764000000123, detail: 'x\x1b[2J\u202e\u009by' });

  await fake.does('story', { events: [evil, opened('s-2')] });
  assert.equal(await tap.exited(), DONE);
  const [line] = tap.stdout.split('\n');

  assert.match(line, /^16:00:00\.123 stream\.closed +alice@example\.com +s-1 +registry /);
  assert.match(line, /epoch=1 end_cause=app_stop hop=app detail=x\\u001b\[2J\\u202e\\u009by$/);
  assert.doesNotMatch(tap.stdout, /secret|\x1b/);
});

check('tap: operational events of all daemons, also of one that comes later', async (fake) => {
  const missed = { type: 'probe.missed', user_id: A, stream_id: 's-1', ack_id: 'a1', missed: 2 };

  await fake.does('outbox', { source: 'lifecycle-scheduler' });
  writeFileSync(join(fake.run, 'Not-One.outbox'), '');
  const quiet = await fake.tap([]);
  const ops = await fake.tap(['--ops']);
  const named = await fake.tap(['--expect', 'probe.missed:missed=2,sent=false']);
  const source = await fake.tap(['--ops', '--source', 'gateway-*']);

  await fake.does('ops', { source: 'lifecycle-scheduler', events: [missed] });
  assert.equal(await named.exited(), DONE, 'naming an operational event is asking for them');
  await ops.waitFor((e) => e.json?.type === 'probe.missed');
  /* Found within a second, by looking at the run directory again. */
  await fake.does('outbox', { source: 'gateway-7' });
  await fake.waitFor((e) => e.json?.source === 'gateway-7' && e.json.subscribed === 'ops     ', 5000);
  for (const tap of [ops, source]) {
    let seq = 0;

    while (!tap.objects.some((o) => o.source === 'gateway-7')) {
      await fake.does('ops', { source: 'gateway-7', events: [{ type: 'actor.started', version: `v${++seq}` }] });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await fake.does('story', { events: [opened('s-1')] });
  await quiet.waitFor((e) => e.json?.seq === 1);
  assert.deepEqual(quiet.objects.map((o) => o.type), ['stream.opened']);
  assert.ok(source.objects.every((o) => o.source === 'gateway-7'));
});

check('tap: gaps, restarts and rubbish are told in band', async (fake) => {
  const tap = await fake.tap(['--ops']);
  const next = (type) => tap.waitFor((e) => e.json?.type === type, 3000, { from: tap.entries.length });

  await fake.does('story', { events: [opened('s-1')] });
  await tap.waitFor((e) => e.json?.seq === 1);
  await fake.does('skip', { count: 5 });
  let record = next('tap.gap');

  await fake.does('story', { events: [opened('s-2'), opened('s-3')] });
  const { json: gap } = await record;

  assert.ok(Math.abs(gap.sent_ms - Date.now()) < 60000);
  assert.deepEqual(gap, {
    type: 'tap.gap',
    source: 'registry',
    topic: 'story',
    incarnation: 1000,
    seq: 0,
    cause: 0,
    user_id: '',
    stream_id: '',
    epoch: 0,
    stream_seq: 0,
    sent_ms: gap.sent_ms,
    from_seq: 2,
    missed: 5,
  });
  await fake.does('skip', { count: 1 });
  record = next('tap.gap');
  await fake.does('beacon');
  assert.deepEqual((({ from_seq: f, missed: m }) => [f, m])((await record).json), [9, 1], 'at the tail');
  await fake.does('restart');
  await fake.does('skip', { count: 2 });
  record = next('tap.gap');
  await fake.does('beacon');
  await record;
  const restart = tap.objects.at(-2);

  assert.equal(restart.type, 'tap.restart');
  assert.deepEqual([restart.incarnation, restart.previous], [2000, 1000]);
  assert.deepEqual([tap.objects.at(-1).from_seq, tap.objects.at(-1).missed], [10, 2]);
  for (const raw of [
    { hex: '00', parts: 1 },
    { hex: Buffer.from('story   ').toString('hex') + 'ff'.repeat(18), parts: 1 },
    { hex: Buffer.from('story   ').toString('hex'), parts: 2 },
    { hex: Buffer.from('welcome x').toString('hex'), parts: 1 },
  ]) {
    const dropped = raw.hex === '00' ? null : next('tap.dropped');

    await fake.does('raw', raw);
    await dropped;
  }
  await fake.does('story', { events: [opened('s-4')] });
  await tap.waitFor((e) => e.json?.stream_id === 's-4');
  const last = tap.objects.at(-1);

  assert.deepEqual([last.type, last.seq], ['stream.opened', 12], 'rubbish changes nothing');
});

check('tap --strict ends with 4 at a gap', async (fake) => {
  const tap = await fake.tap(['--strict']);

  await fake.does('story', { events: [opened('s-1')] });
  await fake.does('skip', { count: 3 });
  await fake.does('story', { events: [opened('s-2')] });
  assert.equal(await tap.exited(), GAP);
  assert.deepEqual(seqs(tap), [1, 'tap.gap']);
});

check('tap --expect: in order, with conditions; 3 when it is not seen', async (fake) => {
  const expect = ['--expect', 'stream.opened', '--expect', 'stream.closed:end_cause=phone_lost,hop=phone link'];
  const tap = await fake.tap([...expect, '--for', '60']);
  const late = await fake.tap([...expect, '--for', '0.2']);

  await fake.does('story', { events: [closed('s-0', { end_cause: 'phone_lost', hop: 'phone link' })] });
  await fake.does('story', { events: [opened('s-1'), closed('s-1')] });
  assert.equal(await late.exited(), LATE);
  assert.match(late.stderr, /not seen in time: stream.closed:end_cause=phone_lost,hop=phone link \(number 2 of 2/);
  await fake.does('story', { events: [closed('s-1', { end_cause: 'phone_lost', hop: 'phone link' }), opened('s-2')] });
  assert.equal(await tap.exited(), DONE);
  assert.deepEqual(seqs(tap), [1, 2, 3, 4]);
  const quick = await fake.tap(['--expect', 'stream.opened', '--timeout', '1500']);

  assert.equal(await quick.exited(), LATE, 'without --for the timeout holds');
  assert.equal(await (await fake.tap(['--for', '0.05'])).exited(), DONE);
});

check('tap --history: everything once, in order, then live', async (fake) => {
  await fake.does('set', { page: 3 });
  await fake.does('story', { events: Array.from({ length: 8 }, (_, i) => opened(`s-${i}`, i % 2 ? A : B)) });
  const all = await fake.tap(['--history']);
  const one = await fake.tap(['--history', '--stream', 's-3', '--expect', 'stream.closed']);

  await fake.does('story', { events: [closed('s-3')] });
  await all.waitFor((e) => e.json?.seq === 9);
  assert.deepEqual(seqs(all), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(await one.exited(), DONE);
  assert.deepEqual(seqs(one), [4, 9]);
  /* What never arrived is in the history, so it is no gap. */
  await fake.does('story', { events: [opened('s-20'), opened('s-21')], lose: true });
  await fake.does('beacon');
  await all.waitFor((e) => e.json?.seq === 11);
  assert.deepEqual(seqs(all).slice(-2), [10, 11]);
  await fake.does('story', { events: Array.from({ length: 4 }, () => opened('s-30')), lose: true });
  await fake.does('forget', { count: 13 });
  await fake.does('beacon');
  await all.waitFor((e) => e.json?.type === 'tap.gap');
  assert.deepEqual(seqs(all).slice(-3), [14, 15, 'tap.gap'].map((s) => s));
  assert.equal(all.objects.at(-1).missed, 2, 'what the history has forgotten is');
});

check('tap --history: expectations see the past; a silent registry is no wait for ever', async (fake) => {
  await fake.does('set', { silent: true });
  const silent = await fake.weir(['tap', '--history', '--timeout', '1500']);

  assert.equal(silent.code, LATE);
  assert.match(silent.stderr, /silent/);
  await fake.does('set', { silent: false });
  await fake.does('story', { events: [opened('s-1'), closed('s-1')] });
  const past = await fake.tap(['--history', '--expect', 'stream.opened', '--expect', 'stream.closed']);

  assert.equal(await past.exited(), DONE);
});

check('tap: it is subscribed when it knows where it stands, and a silent registry is named', async (fake) => {
  await fake.does('set', { silent: true });
  const waiting = fake.start(['tap', '--no-ops']);

  await fake.waitFor((e) => e.json?.subscribed === 'story   ', 10000);
  assert.equal(waiting.stderr, '');
  await fake.does('beacon');
  await waiting.waitFor((e) => e.text === 'tap: subscribed', 10000);
  await fake.does('story', { events: [opened('s-1')], lose: true });
  await fake.does('beacon');
  const gap = await waiting.waitFor((e) => e.json?.type === 'tap.gap', 10000);

  assert.deepEqual([gap.json.from_seq, gap.json.missed], [1, 1]);
  const named = await fake.tap(['--no-ops', '--timeout', '1500']);

  assert.match(named.stderr, /silent: what it misses until it speaks is not known/);
  await fake.does('story', { events: [opened('s-1')] });
  await named.waitFor((e) => e.json?.type === 'stream.opened', 10000);
});

check('tap: --ready-fd, and a reader that goes away', async (fake) => {
  const cli = fake.start(['tap', '--ready-fd', '3'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });

  await new Promise((resolve) => cli.child.stdio[3].once('data', resolve));
  assert.equal(cli.stderr, '');
  /* Nothing is published: the closed pipe alone ends it. */
  cli.child.stdout.destroy();
  assert.equal(await cli.exited(), DONE);
  const head = spawn('bash', ['-c', `set -o pipefail; "$0" tap | head -n 1`, launcher], {
    env: { ...process.env, WEIR_RUN_DIR: fake.run },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => head.on('close', resolve));

  await new Promise((resolve) => head.stderr.once('data', resolve));
  await fake.does('story', { events: [opened('s-1'), opened('s-2')] });
  assert.equal(await ended, DONE);
});

check('tap: a reader that stands still holds up nobody, and a signal still ends it', async (fake) => {
  const tap = await fake.tap([], { stdio: ['ignore', 'pipe', 'pipe'] });

  tap.child.stdout.pause();
  /* 1 MB: more than a pipe and the tap's own 256 KiB hold. */
  for (let i = 0; i < 100; i++)
    await fake.does('story', { events: Array.from({ length: 50 }, () => opened('s-1')) });
  tap.child.kill('SIGTERM');
  await new Promise((resolve) => tap.child.on('exit', resolve));
  assert.equal(tap.child.exitCode, DONE);
  tap.child.stdout.resume();
  const lines = tap.stdout.split('\n').slice(0, -1);

  assert.ok(lines.every((line) => JSON.parse(line).type));
  assert.ok(lines.length < 5000, 'it was held up');
});

check('tap: stopped ones hold up nobody; on resume each says exactly what it missed', async (fake) => {
  const stoppedCount = 50;
  /* More than fits between the two: 1000 messages here, 1000 there, and the socket's buffer. */
  const published = 6000;
  const batch = 500;
  const healthy = await fake.tap(['--no-ops']);
  const stopped = await Promise.all(Array.from({ length: stoppedCount }, () => fake.tap(['--no-ops', '--user', B])));

  for (const tap of stopped) tap.child.kill('SIGSTOP');
  for (let seq = 0; seq < published; seq += batch) {
    for (let i = 0; i < batch; i++) fake.child.stdin.write(oneEvent);
    await healthy.waitFor((e) => e.json?.seq === seq + batch, 30000);
  }
  assert.deepEqual(seqs(healthy), Array.from({ length: published }, (_, i) => i + 1), 'nothing is missing here');
  for (const tap of stopped) tap.child.kill('SIGCONT');
  /* The last ones were dropped, so the last gap ends there.  Beacons are dropped, too, until there is room again. */
  const toTheEnd = ({ json }) => json?.type === 'tap.gap' && json.from_seq + json.missed === published + 1;
  let waiting = true;
  const resumed = Promise.all(stopped.map((tap) => tap.waitFor(toTheEnd, 30000))).finally(() => {
    waiting = false;
  });

  while (waiting) await fake.does('beacon');
  await resumed;
  for (const tap of stopped) {
    const gaps = tap.objects.filter((o) => o.type === 'tap.gap');
    const missed = gaps.reduce((sum, gap) => sum + gap.missed, 0);
    const got = tap.objects.filter((o) => o.type === 'stream.opened').map((o) => o.seq);
    const told = gaps.flatMap((gap) => Array.from({ length: gap.missed }, (_, i) => gap.from_seq + i));

    assert.ok(missed > 0, 'it was stopped for longer than any queue lasts');
    assert.deepEqual([...got, ...told].sort((a, b) => a - b), Array.from({ length: published }, (_, i) => i + 1));
  }
});
