// Goal: every daemon that runs is confined, in all of its threads; and with `run.confine = false` none is.
// Method: the real daemons under the real supervisor; what the kernel says of them in /proc.
// Run: node --test tests/system/test_confine.mjs
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { slack } from '../lib/recorder.mjs';
import { Weir } from '../lib/weir.mjs';

const daemons = ['registry', 'media', 'lifecycle-scheduler', 'unmanaged-adapter', 'managed-adapter', 'gateway-1'];

/** [what /proc says] of every thread of @pid. */
const threads = (pid) =>
  readdirSync(`/proc/${pid}/task`).map((id) => readFileSync(`/proc/${pid}/task/${id}/status`, 'utf8'));

const value = (status, name) => status.match(new RegExp(`^${name}:\\s+(\\S+)`, 'm'))?.[1];

const limit = (pid, name) =>
  readFileSync(`/proc/${pid}/limits`, 'utf8').match(new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm')).slice(1);

/* With a provider elsewhere the adapter has another row of the table; it is not called. */
const providers = {
  local: daemons,
  none: daemons.filter((name) => name !== 'media'),
};

for (const [provider, names] of Object.entries(providers))
  test(`confined: provider ${provider}`, async () => {
    const weir = await Weir.start({ gateways: 1, config: { managed: { provider } } });

    try {
      const pids = await weir.pids();

      assert.deepEqual([...pids.keys()].sort(), [...names].sort());
      for (const [name, pid] of pids) {
        const all = threads(pid);

        /* libzmq has two of its own; nginx none. */
        assert.ok(all.length >= (name === 'media' ? 1 : 3), `${name} has ${all.length} threads`);
        for (const status of all) {
          assert.equal(value(status, 'NoNewPrivs'), '1', `${name}: ${value(status, 'Name')}`);
          assert.equal(value(status, 'Seccomp'), '2', `${name}: ${value(status, 'Name')}`);
        }
        assert.deepEqual(limit(pid, 'Max core file size'), ['0', '0'], name);
      }
      /* Sanitizers start a program that names the lines of what they report. */
      if (slack === 1) assert.deepEqual(limit(pids.get('registry'), 'Max processes'), ['0', '0']);
      assert.notDeepEqual(limit(pids.get('gateway-1'), 'Max processes'), ['0', '0']);
    } finally {
      await weir.stop();
    }
  });

test('not confined: run.confine = false', async () => {
  const weir = await Weir.start({ gateways: 1, config: { run: { confine: 'false' }, managed: { provider: 'local' } } });

  try {
    for (const [name, pid] of await weir.pids())
      for (const status of threads(pid)) assert.equal(value(status, 'Seccomp'), '0', name);
  } finally {
    await weir.stop();
  }
});

test('a refused system call is named by the supervisor', async () => {
  const weir = await Weir.start({ gateways: 1 });

  try {
    const pid = (await weir.pids()).get('registry');

    process.kill(pid, 'SIGSYS'); // as the kernel does
    await weir.waitFor((e) => /registry died \(killed by SIGSYS: .*confine\.refused/.test(e.text), 15000, { what: 'SIGSYS' });
    await weir.waitReady('registry');
  } finally {
    await weir.stop({ unharmed: false });
  }
});
