// Goal: whoever reads another monotonic clock, as on another machine, is served like everybody else: his deadlines are not
// judged by our clock.
// Method: the real system; `weir` in a time namespace whose clock has just begun, and in one that is far ahead.
// Run: node --test tests/system/test_clocks.mjs
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { launcher } from '../lib/fake_registry.mjs';
import { slack } from '../lib/recorder.mjs';
import { World, goLive } from '../lib/world.mjs';

const timeoutMs = 20000 * slack;
const uptimeS = () => Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));

/* @aheadS: how far their clock is ahead of ours. */
const elsewhere = (aheadS) => ['-r', '--time', '--monotonic', `${aheadS}`, '--fork'];

function noTimeNamespace() {
  try {
    execFileSync('unshare', [...elsewhere(1), 'true'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no user and time namespaces here: ${error.stderr ?? error.message}`;
  }
}

const skip = noTimeNamespace();
let world;

before(async () => {
  if (!skip) world = await World.open({ scale: 10, gateways: 2 });
});

after(() => world?.close());

for (const [label, aheadS] of [
  ['began just now', () => 60 - uptimeS()],
  ['is a month ahead', () => 30 * 86400],
])
  test(`a clock that ${label}: an operator's command is done`, { skip, timeout: timeoutMs * 2 }, async () => {
    const s = await world.stage('clock');

    await goLive(s);
    const [{ stream_id: id }] = await world.weir.liveStreams(s.U);
    const { stdout } = await promisify(execFile)(
      'unshare',
      [...elsewhere(aheadS()), launcher, 'stop', id, '--run', world.weir.runDir],
      { timeout: timeoutMs },
    );

    assert.match(stdout, new RegExp(id));
    assert.deepEqual(await world.weir.liveStreams(s.U), []);
  });
