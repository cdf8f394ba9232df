// Goal: `weir audit` says of files what it should, and its exit status is one that scripts can rely on.
// Method: recordings by hand, the real binary; what is found in them is the matter of tests/unit/test_audit_*.c.
// Run: node --test tests/system/test_weir_audit.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runAudit } from '../lib/audit.mjs';

const WELL = 0;
const BROKEN = 1;
const MISUSE = 2;
const weir = fileURLToPath(new URL('../../scripts/weir', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'weir-audit-'));

after(() => rmSync(dir, { recursive: true }));

function file(name, lines) {
  const path = join(dir, name);

  writeFileSync(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)) + '\n').join(''));
  return path;
}

const story = (seq, type, stream, fields = {}) => ({
  seq,
  type,
  source: 'registry',
  incarnation: 7,
  user_id: 'alice@example.com',
  stream_id: stream,
  epoch: Number(stream.slice(2)),
  sent_ms: 1764000000000 + seq,
  ...fields,
});
const opened = (seq, stream) =>
  story(seq, 'stream.opened', stream, { stream_seq: 1, kind: 'unmanaged', package: 'com.example.cam' });
const closed = (seq, stream) =>
  story(seq, 'stream.closed', stream, { stream_seq: 2, end_cause: 'app_stop', hop: 'app' });

test('a recording without fault', async () => {
  const path = file('well.jsonl', [opened(1, 's-1'), closed(2, 's-1'), opened(3, 's-2')]);
  const { code, stdout, stderr } = await runAudit(weir, [path]);

  assert.equal(code, WELL, stdout + stderr);
  assert.match(stdout, /^3 events, story 1 to 3/);
  assert.match(stdout, /^I1 .* checked 2, violations 0$/m);
  assert.match(stdout, /^I3 .* not judged: there is no recording of the clients/m);
  assert.match(stdout, /^0 violations$/m);
});

test('a violation: who, when, what, and what shows it', async () => {
  const path = file('broken.jsonl', [opened(1, 's-1'), opened(2, 's-2')]);
  const text = await runAudit(weir, [path]);
  const json = await runAudit(weir, [path, '-o', 'json']);

  assert.equal(text.code, BROKEN);
  assert.match(text.stdout, /seq 2 alice@example.com s-2: s-2 is requested while s-1 has not ended {2}\[seq 1, 2\]/);
  assert.equal(json.code, BROKEN);
  const { violations, rules } = JSON.parse(json.stdout);

  assert.deepEqual(violations, [
    {
      id: 'I1',
      seq: 2,
      ms: 1764000000002,
      user_id: 'alice@example.com',
      stream_id: 's-2',
      sentence: 's-2 is requested while s-1 has not ended',
      evidence: [1, 2],
    },
  ]);
  assert.equal(rules.length, 21);
  assert.equal(rules.find(({ id }) => id === 'I1').violations, 1);
  assert.equal(rules.find(({ id }) => id === 'L4').judged, false);
});

test('a hole that the recording owns up to is told of, and is no violation', async () => {
  const gap = { type: 'tap.gap', source: 'registry', topic: 'story', from_seq: 2, missed: 3, sent_ms: 1 };
  const { code, stdout } = await runAudit(weir, [file('gap.jsonl', [opened(1, 's-1'), gap, opened(5, 's-2')])]);

  assert.equal(code, WELL, stdout);
  assert.match(stdout, /^1 holes, 3 events missing by the recording's own count: judgement began anew/m);
  const silent = await runAudit(weir, [file('hole.jsonl', [opened(1, 's-1'), opened(5, 's-2')])]);

  assert.equal(silent.code, BROKEN);
  assert.match(silent.stdout, /^I13 .* violations 1$/m);
});

test('what was recorded last may be cut off', async () => {
  const path = file('cut.jsonl', [opened(1, 's-1'), '{"type":"stream.cl']);
  const { code, stdout } = await runAudit(weir, [path]);

  assert.equal(code, WELL);
  assert.match(stdout, /^1 lines or messages could not be read$/m);
});

test('wrong usage, and files that are none', async () => {
  const well = file('one.jsonl', [opened(1, 's-1')]);
  const clients = file('clients.jsonl', [{ t_ms: 1, user: 'a', who: 'phone', direction: 'in', message: {} }]);
  const cases = [
    [[], /usage: weir audit FILE/],
    [[well, well], /usage: weir audit FILE/],
    [[well, '--interval', '0'], /--interval/],
    [[well, '--no-such-option'], /no-such-option/],
    [[well, '-o', 'xml'], /-o takes/],
    [[join(dir, 'missing.jsonl')], /cannot read .*missing\.jsonl: No such file/],
    [[dir], /cannot read/],
    [[file('empty.jsonl', [])], /is no recording/],
    [[file('text.jsonl', ['hello', 'world'])], /is no recording/],
    [[well, '--clients', join(dir, 'missing.jsonl')], /cannot read .*missing\.jsonl/],
    [[well, '--clients', clients], /clients\.jsonl, line 1: who must be glasses/],
  ];

  for (const [args, says] of cases) {
    const { code, stdout, stderr } = await runAudit(weir, args);

    assert.equal(code, MISUSE, `${args}: ${stdout}${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, says);
  }
});

test('--help shows how, with examples', async () => {
  const { code, stdout } = await runAudit(weir, ['--help']);

  assert.equal(code, WELL);
  assert.match(stdout, /usage: weir audit FILE/);
  assert.match(stdout, /weir audit night\.jsonl --clients clients\.jsonl/);
  assert.match(stdout, /exit status: 0 no violation; 1 violations; 2 wrong usage/);
});
