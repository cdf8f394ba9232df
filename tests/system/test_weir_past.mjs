// Goal: `weir tap` shows exactly the part of the story that was asked for, out of the history, a recording or the
// present, says exactly what of it is gone, and can list the streams as they were; `weir why` and `timeline` read both.
// Method: as test_weir_cli.mjs: the real binary, a fake registry that does nothing by itself, no sleep.
// Run: node --test tests/system/test_weir_past.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launcher } from '../lib/fake_registry.mjs';
import { A, AWAY, B, DONE, GAP, LATE, USAGE, check, closed, opened } from '../lib/weir_cli_world.mjs';

const seqs = (cli) => cli.objects.map((o) => (o.type.startsWith('tap.') ? o.type : o.seq));
const start = Date.now() - 600000; /* of the history: ten minutes ago */

/* One event every ten seconds, of two users' streams in turn. */
const history = (count) =>
  Array.from({ length: count }, (_, i) => ({
    ...opened(`s-${i + 1}`, i % 2 ? B : A),
    epoch: i + 1,
    sent_ms: start + i * 10000,
  }));

async function withHistory(fake, count = 40) {
  await fake.does('story', { events: history(count) });
}

check('tap --from and --until: numbers', async (fake) => {
  await withHistory(fake);
  const some = await fake.weir(['tap', '--from', '5', '--until', '8']);

  assert.equal(some.code, DONE, some.stderr);
  assert.deepEqual(seqs(some), [5, 6, 7, 8]);
  assert.deepEqual(seqs(await fake.weir(['tap', '--until', '2'])), [1, 2]);
  const filtered = await fake.weir(['tap', '--from', '5', '--until', '8', '--user', B]);

  assert.deepEqual(seqs(filtered), [6, 8]);
  assert.deepEqual(seqs(await fake.weir(['tap', '--until', '30', '--count', '3'])), [1, 2, 3]);
});

check('tap --from and --until: times', async (fake) => {
  await withHistory(fake);
  const unix = (ms) => `@${(ms / 1000).toFixed(3)}`;
  const at = (i) => unix(start + i * 10000);
  const from = async (...args) => seqs(await fake.weir(['tap', ...args]));

  assert.deepEqual(await from('--from', at(10), '--until', at(12)), [11, 12, 13], 'both ends are in');
  assert.deepEqual(await from('--from', unix(start + 100001), '--until', unix(start + 129999)), [12, 13]);
  assert.deepEqual(await from('--until', at(0)), [1]);
  assert.deepEqual(await from('--from', '-1h', '--until', at(1)), [1, 2]);
  assert.deepEqual(await from('--from', unix(start + 395000), '--until', '-1s'), [], 'behind all of them');
  const iso = (ms) => new Date(ms).toISOString();

  assert.deepEqual(await from('--from', iso(start + 380000), '--until', iso(start + 390000)), [39, 40]);
});

check('tap --from: the history, then the present, each event once', async (fake) => {
  await withHistory(fake, 20);
  const tap = await fake.tap(['--from', '18']);

  await tap.waitFor((e) => e.json?.seq === 20);
  await fake.does('story', { events: [opened('s-21'), opened('s-22')] });
  await tap.waitFor((e) => e.json?.seq === 22);
  assert.deepEqual(seqs(tap), [18, 19, 20, 21, 22]);
  await fake.does('story', { events: [opened('s-23')], lose: true });
  await fake.does('story', { events: [opened('s-24')] });
  await tap.waitFor((e) => e.json?.seq === 24);
  assert.deepEqual(seqs(tap).slice(-2), [23, 24], 'a hole is filled');
});

check('tap --until of the future ends by number and by time', async (fake) => {
  await withHistory(fake, 3);
  const numbered = await fake.tap(['--from', '3', '--until', '5', '--user', A]);
  const timed = await fake.tap(['--from', '3', '--until', '+0.3s']);
  const expecting = await fake.tap(['--until', '5', '--expect', 'stream.closed']);

  await fake.does('story', { events: [opened('s-4'), opened('s-5', B)] });
  assert.equal(await numbered.exited(), DONE);
  assert.deepEqual(seqs(numbered), [3, 4], 'although the last one is held back by a filter');
  assert.equal(await timed.exited(), DONE);
  assert.equal(await expecting.exited(), LATE);
  assert.match(expecting.stderr, /not seen in time: stream\.closed/);
});

check('tap --from: what is not kept any more is counted', async (fake) => {
  await withHistory(fake);
  await fake.does('forget', { count: 15 });
  const gone = await fake.weir(['tap', '--from', '5', '--until', '17']);

  assert.equal(gone.code, DONE);
  assert.deepEqual(seqs(gone), ['tap.gap', 16, 17]);
  assert.deepEqual([gone.objects[0].from_seq, gone.objects[0].missed], [5, 11]);
  const all = await fake.weir(['tap', '--from', '5', '--until', '10']);

  assert.deepEqual([all.objects[0].from_seq, all.objects[0].missed, all.objects.length], [5, 6, 1]);
  const strict = await fake.weir(['tap', '--from', '5', '--until', '17', '--strict']);

  assert.equal(strict.code, GAP);
  assert.deepEqual(seqs(strict), ['tap.gap']);
  assert.equal((await fake.weir(['tap', '--from', '16', '--until', '17', '--strict'])).code, DONE, 'one less');
  const live = fake.start(['tap', '--from', '5', '--strict']);

  assert.equal(await live.exited(), GAP);
  const timed = await fake.weir(['tap', '--from', '-1h', '--until', '17']);

  assert.deepEqual(seqs(timed), [16, 17]);
  assert.match(timed.stderr, /the history begins with #16 at .*: what was before is not kept/);
  assert.equal((await fake.weir(['tap', '--from', '-1h', '--until', '17', '--strict'])).code, GAP);
});

check('tap --expect: in the history and across it', async (fake) => {
  await fake.does('story', { events: [opened('s-1'), closed('s-1', { end_cause: 'phone_lost' })] });
  const both = ['--expect', 'stream.opened,stream_id=s-1', '--expect', 'stream.closed:end_cause=phone_lost'];

  assert.equal((await fake.weir(['tap', '--from', '1', ...both])).code, DONE);
  assert.equal((await fake.weir(['tap', '--until', '2', ...both])).code, DONE);
  const order = await fake.weir(['tap', '--until', '2', ...both.slice(2), ...both.slice(0, 2)]);

  assert.equal(order.code, LATE, 'in the order given');
});

check('tap: moments that make no sense', async (fake) => {
  await withHistory(fake, 1);
  for (const [args, text] of [
    [['--from', 'yesterday'], /--from takes a moment \(N, -5m, /],
    [['--until', '-5'], /--until takes a moment/],
    [['--at', 'x'], /--at takes a moment/],
    [['--from', '+5m'], /--from \+5m is in the future/],
    [['--from', '9', '--until', '8'], /--from 9 is behind --until 8/],
    [['--from', '-1m', '--until', '-2m'], /is behind/],
    [['--at', '-1m', '--from', '1'], /--at shows one moment/],
    [['--replay', 'x', '--history'], /--replay reads a recording/],
    [['--replay', '/does/not/exist'], /cannot read \/does\/not\/exist: No such file/],
  ]) {
    const { code, stderr, stdout } = await fake.weir(['tap', ...args]);

    assert.equal(code, USAGE, args.join(' '));
    assert.match(stderr, text);
    assert.equal(stdout, '');
  }
});

check('tap --replay: the same events, filters and expectations', async (fake) => {
  const file = join(fake.run, 'recorded.jsonl');

  await fake.does('story', {
    events: [
      { type: 'app.subscribed', user_id: A, package: 'com.example.live', types: ['vad', 'x"\u0001\n'] },
      { type: 'glasses.changed', user_id: A, model: 'Mentra Live', connected: true, wifi: 'on' },
      { ...opened('s-1'), video: '{"width":1280}', cause: 1 },
      closed('s-1', { detail: 'a\tb\u202e', last_ack_age_ms: -1, missed: 3 }),
      opened('s-2', B),
    ],
  });
  const recorded = await fake.weir(['tap', '--until', '5', '-o', 'jsonl']);

  writeFileSync(file, `${recorded.stdout}\n`);
  const again = await fake.weir(['tap', '--replay', file, '-o', 'jsonl']);

  assert.equal(again.code, DONE, again.stderr);
  assert.equal(again.stdout, recorded.stdout, 'nothing is lost on the way');
  assert.deepEqual(seqs(await fake.weir(['tap', '--replay', file, '--user', B])), [5]);
  assert.deepEqual(seqs(await fake.weir(['tap', '--replay', file, '--from', '2', '--until', '3'])), [2, 3]);
  const expect = ['--expect', 'stream.opened', '--expect', 'stream.closed,missed=3'];

  assert.equal((await fake.weir(['tap', '--replay', file, ...expect])).code, DONE);
  assert.equal((await fake.weir(['tap', '--replay', file, ...expect, '--user', B])).code, LATE);
  assert.match((await fake.weir(['tap', '--replay', file, '-o', 'text'])).stdout, /stream\.closed +alice@example\.com/);
  const piped = spawn(launcher, ['tap', '--replay', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let out = '';

  piped.stdout.on('data', (data) => {
    out += data;
  });
  piped.stdin.end(recorded.stdout);
  await new Promise((resolve) => {
    piped.on('close', resolve);
  });
  assert.equal(out, recorded.stdout);
});

check('tap --replay: operational events, and without them', async (fake) => {
  const file = join(fake.run, 'recorded.jsonl');
  const metrics = { type: 'actor.metrics', source: 'registry', seq: 4, counters: [['probes', 7]] };

  writeFileSync(file, [metrics, { ...opened('s-1'), rtmp_url: undefined, seq: 9 }].map((o) => JSON.stringify(o)).join('\n'));
  const both = await fake.weir(['tap', '--replay', file]);

  assert.deepEqual(seqs(both), [4, 9]);
  assert.deepEqual(both.objects[0].counters, [['probes', 7]]);
  assert.deepEqual(seqs(await fake.weir(['tap', '--replay', file, '--no-ops'])), [9]);
  writeFileSync(file, '{"type":"peer.hello","role":"operator"}\n');
  assert.deepEqual(seqs(await fake.weir(['tap', '--replay', file])), ['tap.dropped'], 'nobody publishes that');
});

check('tap --replay: gaps stay gaps, rubbish is counted', async (fake) => {
  const file = join(fake.run, 'recorded.jsonl');
  const tap = await fake.tap(['--no-ops']);

  await fake.does('story', { events: [opened('s-1')] });
  await fake.does('skip', { count: 5 });
  await fake.does('story', { events: [opened('s-2')] });
  await tap.waitFor((e) => e.json?.seq === 7);
  writeFileSync(file, tap.stdout);
  const replayed = await fake.weir(['tap', '--replay', file]);

  assert.deepEqual(seqs(replayed), [1, 'tap.gap', 7]);
  assert.equal(replayed.stdout, tap.stdout);
  assert.equal((await fake.weir(['tap', '--replay', file, '--strict'])).code, GAP);
  const rubbish = [
    'rubbish',
    '{"type":"stream.closed"',
    '{"type":"nothing.ours"}',
    '{"type":"stream.opened","seq":"one"}',
    '{"type":"app.subscribed","types":[true]}',
    '[]',
    'x'.repeat(70000),
  ];

  for (const line of rubbish) {
    writeFileSync(file, `${line}\n${JSON.stringify({ ...opened('s-3'), rtmp_url: undefined, seq: 9 })}\n`);
    const mixed = await fake.weir(['tap', '--replay', file]);

    assert.deepEqual(seqs(mixed), ['tap.dropped', 9], line.slice(0, 60));
    assert.equal((await fake.weir(['tap', '--replay', file, '--strict'])).code, GAP);
  }
});

/* A stream that lives, loses a probe, ends and is settled; and one that begins meanwhile. */
const life = [
  { type: 'session.opened', user_id: A },
  { type: 'link.changed', user_id: A, link: 12, gateway: 40, state: 'up' },
  { ...opened('s-1'), stream_seq: 1 },
  { type: 'stream.status', user_id: A, stream_id: 's-1', epoch: 1, stream_seq: 2, status: 'streaming', phase: 'live' },
  { type: 'stream.moved', user_id: A, stream_id: 's-1', epoch: 1, stream_seq: 3, phase: 'suspect', missed: 2 },
  { ...opened('s-2', B), epoch: 2, stream_seq: 1 },
  { type: 'link.changed', user_id: A, link: 12, gateway: 40, state: 'down', code: 1006 },
  closed('s-1', { stream_seq: 4, end_cause: 'phone_lost', hop: 'phone link', missed: 3, told_owed: true, cause: 7 }),
  { type: 'stream.told', user_id: A, stream_id: 's-1', epoch: 1, stream_seq: 5, package: 'com.example.live', outcome: 'sent' },
].map((event, i) => ({ ...event, sent_ms: start + i * 10000 }));

check('tap --at: the streams as they were', async (fake) => {
  await fake.does('story', { events: life });
  const at = async (moment, ...args) => {
    const { code, stdout, stderr } = await fake.weir(['tap', '--at', moment, '-o', 'json', ...args]);

    assert.equal(code, DONE, stderr);
    assert.equal(stderr, '', 'the history goes back to the beginning');
    return JSON.parse(stdout).map((s) => `${s.stream_id} ${s.phase} ${s.link_state}`);
  };

  assert.deepEqual(await at('2'), []);
  assert.deepEqual(await at('3'), ['s-1 requested up']);
  assert.deepEqual(await at('4'), ['s-1 live up']);
  assert.deepEqual(await at('6'), ['s-1 suspect up', 's-2 requested none']);
  assert.deepEqual(await at('6', '--user', B), ['s-2 requested none']);
  assert.deepEqual(await at('6', '--stream', 's-1'), ['s-1 suspect up']);
  assert.deepEqual(await at('7'), ['s-1 suspect down', 's-2 requested none']);
  assert.deepEqual(await at('8'), ['s-1 closed down', 's-2 requested none'], 'it still owes');
  assert.deepEqual(await at('9'), ['s-2 requested none']);
  assert.deepEqual(await at(`@${((start + 35000) / 1000).toFixed(3)}`), ['s-1 live up'], 'by time');
  const text = (await fake.weir(['tap', '--at', '4'])).stdout;

  assert.match(text, /^STREAM +USER .*\ns-1 +alice@example\.com +unmanaged +live +com\.example\.live +1 +10s +0s +up\n$/);
  const early = await fake.weir(['tap', '--at', '-1h']);

  assert.equal(early.code, USAGE);
  assert.match(early.stderr, /the history begins with #1 at .*: nothing of that moment is kept/);
  await fake.does('forget', { count: 3 });
  const late = await fake.weir(['tap', '--at', '6', '-o', 'json']);

  assert.deepEqual(JSON.parse(late.stdout).map((s) => s.stream_id), ['s-2']);
  assert.match(late.stderr, /the history begins with #4 at .* is missing/);
});

check('why and timeline: from the history and from a recording, the same', async (fake) => {
  const file = join(fake.run, 'recorded.jsonl');

  await fake.does('story', { events: life });
  writeFileSync(file, (await fake.weir(['tap', '--until', '9', '-o', 'jsonl'])).stdout);
  for (const command of ['why', 'timeline'])
    for (const args of [['s-1'], [A], ['s-1', '-o', 'json']]) {
      const kept = await fake.weir([command, ...args]);
      const recorded = await fake.weir([command, ...args, '--replay', file]);

      assert.equal(kept.code, DONE, kept.stderr);
      assert.equal(recorded.stdout, kept.stdout);
      assert.notEqual(kept.stdout, '');
    }
  const why = (await fake.weir(['why', 's-1', '-o', 'json'])).objects[0];

  assert.deepEqual([why.end_cause, why.hop, why.evidence.map((f) => f.seq)], ['phone_lost', 'phone link', [4, 5, 7, 8]]);
  const timeline = (await fake.weir(['timeline', 's-1'])).stdout.trimEnd().split('\n');

  assert.deepEqual(timeline.map((line) => Number(line.match(/#(\d+)/)[1])), [3, 4, 5, 7, 8, 9]);
  assert.match(timeline[4], /#8 .* \+50\.0s  stream\.closed .* <- #7$/);
  const all = (await fake.weir(['timeline', 's-1', '--all', '-o', 'json'])).stdout;

  assert.deepEqual(JSON.parse(all).map((row) => row.seq), [1, 2, 3, 4, 5, 7, 8, 9]);
});

check('why: what the history has lost is said, and the record is asked', async (fake) => {
  await fake.does('story', { events: life });
  await fake.does('forget', { count: 7 });
  const why = await fake.weir(['why', 's-1']);

  assert.equal(why.code, DONE);
  assert.match(why.stdout, /the event that led to it is no longer kept: the history begins with #8/);
  assert.match(why.stdout, /its beginning is not kept/);
  await fake.does('rows', {
    events: [
      {
        type: 'snapshot.stream',
        stream_id: 's-old',
        user_id: 'carol@example.com',
        epoch: 1,
        kind: 'unmanaged',
        package: 'com.example.live',
        phase: 'suspect',
        missed: 2,
        created_ms: start,
        activity_ms: start,
      },
    ],
  });
  for (const word of ['s-old', 'carol@example.com']) {
    const row = (await fake.weir(['why', word, '-o', 'json'])).objects[0];

    assert.deepEqual([row.stream_id, row.ended, row.phase, row.begins_late], ['s-old', false, 'suspect', true]);
    assert.match(row.sentence, /2 probes in a row unanswered/);
  }
  const nobody = await fake.weir(['why', 's-nobody']);

  assert.equal(nobody.code, USAGE);
  assert.match(nobody.stderr, /nothing is kept about .*\n.*the history begins with #8/);
});

check('why and timeline: nobody answers, or never', async (fake) => {
  for (const command of ['why', 'timeline']) {
    const away = await fake.weir([command, 's-1', '--run', '/tmp/no-such-run-directory']);

    assert.equal(away.code, AWAY);
    await fake.does('set', { mute: true });
    assert.equal((await fake.weir([command, 's-1', '--timeout', '1500'])).code, LATE);
    await fake.does('set', { mute: false });
    const help = await fake.weir([command, '--help']);

    assert.match(help.stdout, /examples:\n {2}weir /);
    assert.match(help.stdout, /exit status: 0/);
  }
});
