// The hammer for some seconds (see scripts/hammer): that it works, and that nothing is violated; and that
// its judgement finds what is wrong.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { slack } from '../lib/recorder.mjs';
import { canaries, huntOf, inFile, leftIn } from './hammer/canaries.mjs';
import { Hammer } from './hammer/hammer.mjs';
import { profiles } from './hammer/profiles.mjs';
import { summaryText } from './hammer/report.mjs';
import { slopePerHour } from './hammer/vitals.mjs';

const timeout = 120000 * slack;

test('random faults for some seconds: nothing is violated', { timeout }, async (t) => {
  const out = mkdtempSync(join(tmpdir(), 'weir-hammer-'));
  const hammer = await Hammer.open({ ...profiles.small, out });
  let summary;

  try {
    await hammer.run();
    summary = await hammer.finish();
  } finally {
    await hammer.close();
  }
  const text = summaryText(summary);

  t.diagnostic(text);
  assert.deepEqual(summary.violations, [], `${text}\nfiles: ${out}`);
  assert.ok(Object.keys(summary.faults).length >= 3, text);
  assert.ok(summary.requests.accepted > 0, text);
  assert.ok(summary.opened.unmanaged > 0 && summary.opened.managed > 0, text);
  assert.deepEqual([summary.secrets_found, summary.secrets_left], [0, 0], text);
  /* What apps sent has their key: there the search finds it. */
  const hunt = huntOf(hammer.weir, hammer.crowd.members[0].token);
  const clients = hammer.files['clients.jsonl'];

  assert.deepEqual(await inFile(hunt, clients), ['canary']);
  assert.deepEqual(
    await leftIn(hunt, { files: [clients, `${clients}.none`], texts: { verdict: `x${canaries.apiKey}`, log: '' } }),
    ['verdict: canary', `${clients}: canary`],
  );
  rmSync(out, { recursive: true });
});

test('a slope is that of the least squares', () => {
  const times = [0, 60000, 120000, 180000];

  assert.equal(slopePerHour(times, [7, 7, 7, 7]), 0);
  assert.equal(slopePerHour(times, [1, 2, 3, 4]), 60);
  assert.ok(slopePerHour(times, [5, 6, 5, 4]) < 0);
});
