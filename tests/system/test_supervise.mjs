// Goal: scripts/supervise keeps its contract: order, readiness, restarts, limits, stops, and nothing left behind.
// Method: the real script and the real s6, on fake daemons (fake_actor.sh) that misbehave on request and keep a
// journal.  Every test has a sandbox of its own, so they run side by side.  Waiting is polling for a condition up to a
// deadline, never a sleep of a length that was guessed.  After each test no process of its sandbox may be left.
// Run: node --test tests/system/test_supervise.mjs
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe } from 'node:test';
import { alive, check, killHard, middle, read, until } from './supervise_sandbox.mjs';

describe('supervise', { concurrency: 4 }, () => {
	check('back-off grows, the fifth crash in 30 s is the last, restart resets', async (box) => {
		const up = box.up();
		await up.ready();
		box.behave('unmanaged-adapter', 'crash');
		const { status, stderr } = await box.command('restart', 'unmanaged-adapter');
		assert.equal(status, 1, 'did not get ready');
		assert.match(stderr, /unmanaged-adapter/);
		await until('failed', async () => (await box.status()).of('unmanaged-adapter').state === 'failed');
		const starts = box.journal().filter((line) => line.verb === 'start' && line.name === 'unmanaged-adapter');
		const gaps_s = starts.slice(1).map((line, index) => line.at_s - starts[index].at_s);
		assert.equal(starts.length, 6, 'the good start, then five that crash');
		for (const [index, least_s] of [0.95, 1.95, 3.95, 3.95].entries())
			assert.ok(gaps_s[index + 1] >= least_s, `gap ${index + 1}: ${gaps_s[index + 1]} s`);
		assert.ok(gaps_s.slice(1).reduce((sum, gap) => sum + gap) < 15, 'bounded');

		const shown = await box.status();
		assert.equal(shown.status, 1);
		assert.equal(shown.of('unmanaged-adapter').pid, null);
		assert.equal(shown.of('unmanaged-adapter').ready, false);
		assert.equal(shown.of('unmanaged-adapter').restarts, 4);
		const others = shown.list.filter((entry) => entry.name !== 'unmanaged-adapter');
		assert.ok(others.every((entry) => entry.state === 'ready' && entry.restarts === 0));
		assert.match((await box.command('status')).stdout, /failed.*5 crashes in 30 s, the last: exit 1/);
		assert.match(up.stderr, /unmanaged-adapter failed/);
		assert.equal(box.log('unmanaged-adapter').match(/actor.crashing/g).length, 5);

		box.behave('unmanaged-adapter', '');
		assert.equal((await box.command('restart', 'unmanaged-adapter')).status, 0);
		assert.equal((await box.status()).status, 0, 'all ready again');
		process.kill((await box.status()).of('unmanaged-adapter').pid, 'SIGSEGV');
		await until('started again: the old crashes are forgotten', () => box.count('ready', 'unmanaged-adapter') === 3);
	});

	check('media runs if the configuration wants it: before the adapters, until after them', async (box) => {
		/* Answers --wanted, then is as the others. */
		const answer = '[ "${1-}" != --wanted ] || { shift; printf "%s\\0" "$@" >"$WEIR_FAKE/asked"; exit "$(<"$WEIR_FAKE/wanted")"; }';
		const fake = read(path.join(box.bin, 'weir-registry')).replace('set -u\n', `set -u\n${answer}\n`);
		fs.writeFileSync(path.join(box.bin, 'weir-media'), fake, { mode: 0o755 });
		fs.writeFileSync(path.join(box.fake, 'wanted'), '0\n');
		box.behave('media', 'slow');
		let up = box.up('--set', 'managed.provider=local');
		await up.ready();
		assert.deepEqual(read(path.join(box.fake, 'asked')).split('\0').slice(0, -1),
			['--run', box.run, '--set', 'managed.provider=local']);
		assert.ok(box.index('ready', 'media') < box.index('start', middle[0]));
		const { pid, state } = (await box.status()).of('media');
		assert.equal(state, 'ready');
		process.kill((await box.status()).of('unmanaged-adapter').pid, 'SIGKILL');
		await until('restarted', () => box.count('ready', 'unmanaged-adapter') === 2);
		assert.equal((await box.status()).of('media').pid, pid, 'it is nobody\'s child');
		assert.equal((await box.command('down')).status, 0);
		await up.exited;
		for (const name of middle) assert.ok(box.index('stop', name) < box.index('stop', 'media'));

		fs.writeFileSync(path.join(box.fake, 'wanted'), '3\n');
		up = box.up('--set', 'managed.provider=none');
		await up.ready();
		assert.equal((await box.status()).of('media'), undefined);
		assert.equal(box.count('start', 'media'), 1);
	});

	check('up: order, readiness, arguments, environment, logs; SIGTERM: ordered stop', async (box) => {
		const weird = '{"tab":"\t","bytes":"\u00e9\u0001\\u0000  two  ","end":" "}\n';
		fs.writeFileSync(path.join(box.fake, 'say.registry'), weird + 'x'.repeat(200000) + '\n');
		fs.writeFileSync(path.join(box.dir, 'weir.conf'), '');
		for (const name of ['registry', 'lifecycle-scheduler', 'gateway-1']) box.behave(name, 'slow');
		const set = 'managed.name=two words "quoted" $HOME `x` \\ \'';
		const up = box.up('--conf', 'weir.conf', '--gateways', '2', '--set', set, '--set=gateway.listen=127.0.0.1:0');
		await up.ready();
		assert.equal(fs.statSync(box.run).mode & 0o777, 0o700);

		for (const name of middle) assert.ok(box.index('ready', 'registry') < box.index('start', name));
		for (const name of middle)
			for (const gateway of ['gateway-1', 'gateway-2'])
				assert.ok(box.index('ready', name) < box.index('start', gateway), `${name} ${gateway}`);
		assert.ok(box.index('start', 'unmanaged-adapter') < box.index('ready', 'lifecycle-scheduler'), 'side by side');
		assert.ok(box.index('ready', 'gateway-1') < box.index('start', 'console'));

		const sets = ['--set', set, '--set', 'gateway.listen=127.0.0.1:0'];
		for (const name of ['registry', ...middle, 'gateway-1', 'gateway-2', 'console'])
			assert.deepEqual(box.args(name), ['--conf', path.join(box.dir, 'weir.conf'), '--run', box.run,
				'--name', name, '--notify-fd', '3', ...sets]);
		assert.equal(read(path.join(box.fake, 'cwd.registry')), `${box.dir}\n`, 'relative paths mean what they say');
		assert.match(read(path.join(box.fake, 'signals.registry')), /SigIgn:\t0+\n/);
		assert.match(read(path.join(box.fake, 'signals.registry')), /SigBlk:\t0+\n/);
		assert.doesNotMatch(read(path.join(box.fake, 'fds.registry')), /\b[5-9]\b/, 'no lock is inherited');
		await until('log', () => box.log('registry').includes(`${weird}${'x'.repeat(200000)}\n`));

		const { status, list } = await box.status();
		assert.equal(status, 0);
		assert.deepEqual(list.map((entry) => entry.name),
			['registry', ...middle, 'gateway-1', 'gateway-2', 'console']);
		for (const entry of list) {
			assert.deepEqual(Object.keys(entry), ['name', 'pid', 'state', 'ready', 'restarts', 'since_s']);
			assert.ok(alive(entry.pid));
			assert.deepEqual([entry.state, entry.ready, entry.restarts], ['ready', true, 0]);
			assert.ok(Number.isInteger(entry.since_s) && entry.since_s >= 0 && entry.since_s < 60);
		}
		const table = await box.command('status');
		assert.equal(table.status, 0);
		assert.match(table.stdout, /^NAME +PID +STATE +RESTARTS +SINCE\nregistry +\d+ +ready +0 +\d+s\n/);

		up.child.kill('SIGTERM');
		await up.ends(0);
		assert.equal(up.stdout, 'ready\n');
		for (const gateway of ['gateway-1', 'gateway-2', 'console'])
			for (const name of middle) assert.ok(box.index('stop', gateway) < box.index('stop', name));
		for (const name of middle) assert.ok(box.index('stop', name) < box.index('stop', 'registry'));
		assert.match(box.log('registry'), /actor.stopped/);
		assert.equal((await box.command('status')).status, 2);
	});

	check('Ctrl-C: SIGINT to the whole process group is an ordered stop too', async (box) => {
		const up = box.up();
		await up.ready();
		process.kill(-up.pid, 'SIGINT');
		await up.ends(0);
		assert.ok(box.index('stop', 'gateway-1') < box.index('stop', 'lifecycle-scheduler'));
		assert.ok(box.index('stop', 'lifecycle-scheduler') < box.index('stop', 'registry'));
	}, { without: ['managed-adapter', 'console'] });

	check('a daemon that may be missing is skipped, one that must be there is not', async (box) => {
		const up = box.up('--gateways=1');
		await up.ready();
		assert.match(up.stderr, /weir-managed-adapter is not built/);
		assert.match(up.stderr, /weir-console is not built/);
		assert.deepEqual((await box.status()).list.map((entry) => entry.name),
			['registry', 'lifecycle-scheduler', 'unmanaged-adapter', 'gateway-1']);
		const down = await box.command('down');
		assert.deepEqual([down.status, down.stdout], [0, 'stopped\n'], down.stderr);
		await up.ends(0);
		const again = await box.command('down', '-o', 'json');
		assert.deepEqual([again.status, JSON.parse(again.stdout)], [0, { ok: true, message: 'not running' }]);

		fs.rmSync(path.join(box.bin, 'weir-lifecycle-scheduler'));
		const refused = await box.command('up');
		assert.equal(refused.status, 1);
		assert.match(refused.stderr, /weir-lifecycle-scheduler; run meson compile -C build/);
	}, { without: ['managed-adapter', 'console'] });

	check('s6 missing: says what to do', async (box) => {
		const tools = path.join(box.dir, 'tools');
		fs.mkdirSync(tools);
		for (const name of ['bash', 'env', 'readlink', 'dirname', 'seq', 'realpath', 'stat', 'sed'])
			fs.symlinkSync(spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim(), path.join(tools, name));
		const { status, stderr } = await box.commandIn({ PATH: tools }, 'up');
		assert.equal(status, 1);
		assert.match(stderr, /not installed: s6-svscan .*run scripts\/setup/);
	});

	check('never ready: named, with its log, everything stopped, exit 1', async (box) => {
		box.behave('lifecycle-scheduler', 'never');
		const up = box.up();
		await until('starting', async () => (await box.status()).of('lifecycle-scheduler')?.state === 'starting');
		const { status, of } = await box.status();
		assert.equal(status, 1);
		assert.equal(of('registry').state, 'ready');
		assert.equal(of('gateway-1').state, 'down');
		await up.ends(1);
		assert.equal(up.stdout, '');
		assert.match(up.stderr, /lifecycle-scheduler did not get ready within 1500 ms/);
		assert.match(up.stderr, /actor.started","name":"lifecycle-scheduler"/);
		assert.doesNotMatch(up.stderr, /unmanaged-adapter did not/);
		assert.equal(box.count('start', 'gateway-1'), 0);
	}, { environment: { WEIR_READY_TIMEOUT_MS: '1500' } });

	check('exit 78: never retried, log shown, exit 78', async (box) => {
		box.behave('unmanaged-adapter', 'exit78');
		const up = box.up();
		await up.ends(78);
		assert.equal(up.stdout, '');
		assert.match(up.stderr, /unmanaged-adapter failed: exit 78: wrong configuration/);
		assert.match(up.stderr, /"event":"config.refused","line":7/);
		assert.equal(box.count('start', 'unmanaged-adapter'), 1);
		assert.equal(box.count('stop', 'registry'), 1, 'the others were stopped gracefully');
	});

	check('exit 78 later: failed, not retried, the others run on, restart tells', async (box) => {
		const up = box.up();
		await up.ready();
		box.behave('gateway-1', 'exit78');
		const { status, stderr } = await box.command('restart', 'gateway-1');
		assert.equal(status, 78);
		assert.match(stderr, /gateway-1 failed: exit 78/);
		const shown = await box.status();
		assert.equal(shown.status, 1);
		assert.deepEqual(shown.list.filter((entry) => !entry.ready).map((entry) => [entry.name, entry.state]),
			[['gateway-1', 'failed']]);
		assert.equal(box.count('start', 'gateway-1'), 2);
		assert.equal((await box.command('drain', 'gateway-1')).status, 1, 'nothing to drain');
		box.behave('gateway-1', '');
		assert.equal((await box.command('scale', 'gateway', '1')).status, 0, 'scale asks for it to run');
		assert.equal((await box.status()).status, 0);
	});

	check('configuration file: unreadable is 78, and nothing is started', async (box) => {
		const { status, stderr } = await box.command('up', '--conf', 'missing.conf');
		assert.equal(status, 78);
		assert.match(stderr, /cannot read the configuration .*missing.conf/);
		assert.equal(fs.existsSync(box.run), false);
	});

	check('SIGTERM while starting: stop, exit 0, no "ready"', async (box) => {
		box.behave('gateway-1', 'never');
		const up = box.up();
		await until('start of gateway-1', () => box.count('start', 'gateway-1') === 1);
		up.child.kill('SIGTERM');
		await up.ends(0);
		assert.equal(up.stdout, '');
		assert.equal(box.count('stop', 'registry'), 1);
	});

	check('one supervisor per run directory', async (box) => {
		const up = box.up();
		await up.ready();
		const before = (await box.status()).list;
		const { status, stderr } = await box.command('up');
		assert.equal(status, 1);
		assert.match(stderr, new RegExp(`already running in ${box.run}, pid ${up.pid}\\b`));
		const after = (await box.status()).list;
		assert.deepEqual(after.map((entry) => entry.pid), before.map((entry) => entry.pid), 'unaffected');
	});

	check('kill -9 of a daemon: back at once, counted, the others unaffected, never "failed"', async (box) => {
		const up = box.up();
		await up.ready();
		const before = await box.status();
		let victim = before.of('lifecycle-scheduler').pid;
		for (let kills = 1; kills <= 6; kills++) {
			process.kill(victim, 'SIGKILL');
			const entry = await until('back', async () => {
				const now = (await box.status()).of('lifecycle-scheduler');
				return now.state === 'ready' && now.pid !== victim && now;
			}, 5000);
			assert.equal(entry.restarts, kills);
			victim = entry.pid;
		}
		const after = await box.status();
		for (const entry of before.list.filter((one) => one.name !== 'lifecycle-scheduler'))
			assert.equal(after.of(entry.name).pid, entry.pid);
		assert.match(up.stderr, /lifecycle-scheduler died \(killed by signal 9\)/);
	});

	check('a crash at start that heals: up still gets ready', async (box) => {
		box.behave('registry', 'crash');
		const up = box.up();
		await until('crash', () => box.count('start', 'registry') === 1);
		box.behave('registry', '');
		await up.ready();
		assert.equal((await box.status()).of('registry').restarts, 1);
	});

	check('a crash loop at start ends up, exit 1, before the time for readiness is over', async (box) => {
		box.behave('registry', 'crash');
		const up = box.up();
		await up.ends(1);
		assert.match(up.stderr, /registry failed: 5 crashes in 30 s/);
		assert.equal(box.count('start', 'registry'), 5);
	}, { environment: { WEIR_BACKOFF_MAX_S: '0' } });

	check('SIGTERM ignored: SIGKILL after the time, said, and the rest still in order', async (box) => {
		box.behave('gateway-1', 'stubborn');
		const up = box.up();
		await up.ready();
		up.child.kill('SIGTERM');
		await up.ends(0);
		assert.equal(box.count('ignored', 'gateway-1'), 1);
		assert.match(up.stderr, /gateway-1 did not stop within 700 ms of SIGTERM, sending SIGKILL/);
		assert.ok(box.index('ignored', 'gateway-1') < box.index('stop', 'registry'));
	}, { environment: { WEIR_STOP_TIMEOUT_MS: '700' } });

	check('a stopped (SIGSTOP) daemon does not hold up the end', async (box) => {
		const up = box.up();
		await up.ready();
		process.kill((await box.status()).of('registry').pid, 'SIGSTOP');
		up.child.kill('SIGTERM');
		await up.ends(0);
		assert.equal(box.count('stop', 'registry'), 1);
	});

	check('scale: up, down, highest first, idempotent, same settings', async (box) => {
		const up = box.up('--set', 'gateway.queue=a b', '--gateways', '1');
		await up.ready();
		const first = (await box.status()).of('gateway-1').pid;
		box.behave('gateway-3', 'slow');
		assert.equal((await box.command('scale', 'gateway', '3')).stdout, '3 gateways are ready\n');
		assert.equal((await box.status()).list.filter((entry) => entry.ready && /^gateway/.test(entry.name)).length, 3);
		assert.deepEqual(box.args('gateway-3').slice(-2), ['--set', 'gateway.queue=a b']);
		assert.deepEqual(box.args('gateway-3').map((arg) => arg.replace('gateway-3', 'gateway-1')), box.args('gateway-1'));
		assert.equal(read(path.join(box.fake, 'cwd.gateway-3')), `${box.dir}\n`);
		assert.equal((await box.commandIn({ WEIR_BIN_DIR: '/nowhere' }, 'scale', 'gateway', '3')).status, 0);
		assert.equal(box.count('start', 'gateway-3'), 1, 'idempotent');

		const down = await box.command('scale', 'gateway', '1', '-o', 'json');
		assert.deepEqual(JSON.parse(down.stdout), { ok: true, message: '1 gateways are ready' });
		assert.ok(box.index('stop', 'gateway-3') < box.index('stop', 'gateway-2'));
		const { list, status, of } = await box.status();
		assert.equal(status, 0);
		assert.deepEqual(list.filter((entry) => /^gateway/.test(entry.name)).map((entry) => entry.name), ['gateway-1']);
		assert.equal(of('gateway-1').pid, first, 'untouched');
		assert.equal((await box.command('scale', 'gateway', '2')).status, 0, 'and up again');

		box.behave('gateway-3', 'exit78');
		const broken = await box.command('scale', 'gateway', '3');
		assert.equal(broken.status, 78);
		assert.match(broken.stderr, /gateway-3 failed: exit 78/);
		assert.equal((await box.status()).of('gateway-1').pid, first);
	});

	check('--only: these and no others, which scale does not change', async (box) => {
		await box.up('--only', 'unmanaged-adapter,gateway-3').ready();
		const names = async () => (await box.status()).list.map((entry) => entry.name);
		assert.deepEqual(await names(), ['unmanaged-adapter', 'gateway-3']);
		assert.equal((await box.command('restart', 'gateway-3')).status, 0);
		const scaled = await box.command('scale', 'gateway', '1');
		assert.equal(scaled.status, 1);
		assert.match(scaled.stderr, /this machine runs what --only named/);
		assert.deepEqual(await names(), ['unmanaged-adapter', 'gateway-3']);
	});

	check('--only wants names that there are', async (box) => {
		const up = box.up('--only', 'gateway-3,gateway');
		await up.ends(2);
		assert.match(up.stderr, /--only wants names such as registry,gateway-2, not 'gateway'/);
	});

	check('scale to the limit of 64 and back', async (box) => {
		await box.up().ready();
		const grown = await box.command('scale', 'gateway', '64');
		assert.equal(grown.status, 0, grown.stderr);
		const { list, status } = await box.status();
		assert.deepEqual([status, list.length], [0, 68]);
		assert.equal((await box.command('scale', 'gateway', '1')).status, 0);
		assert.equal((await box.status()).list.length, 5);
		assert.equal(box.count('stop', 'gateway-2'), 1);
		assert.equal(box.count('stop', 'gateway-1'), 0);
	}, { without: ['console'] });

	check('restart and drain reach one daemon only', async (box) => {
		await box.up('--gateways', '2').ready();
		const before = await box.status();
		const restarted = await box.command('restart', 'registry');
		assert.equal(restarted.status, 0, restarted.stderr);
		const drained = await box.command('drain', 'gateway-2');
		assert.equal(drained.status, 0, drained.stderr);
		assert.match(drained.stdout, new RegExp(`^gateway-2 \\(pid ${before.of('gateway-2').pid}\\) was sent SIGUSR1`));
		await until('drain', () => box.count('drain', 'gateway-2') === 1);
		assert.equal(box.count('drain', 'gateway-1'), 0);
		const after = await box.status();
		assert.match(restarted.stdout, new RegExp(`pid ${after.of('registry').pid}\n`));
		assert.equal(box.count('stop', 'registry'), 1, 'gracefully');
		for (const entry of after.list) {
			assert.equal(entry.restarts, 0, 'asked for, so not counted');
			assert.equal(entry.pid === before.of(entry.name).pid, entry.name !== 'registry', entry.name);
		}
		const unknown = await box.command('restart', 'gateway-9');
		assert.equal(unknown.status, 1);
		assert.match(unknown.stderr, /no such daemon: 'gateway-9'; there are: registry .*gateway-1 gateway-2 console/);
		const wrong = await box.command('drain', 'registry');
		assert.equal(wrong.status, 1);
		assert.match(wrong.stderr, /'registry'; there are: gateway-1 gateway-2\n/);
		assert.equal((await box.command('restart', 'registry lifecycle-scheduler')).status, 1);
		assert.equal((await box.command('restart', '../service/registry')).status, 1);
	});

	check('kill -9 of up: everything ends by itself, and up works again', async (box) => {
		box.behave('gateway-1', 'stubborn');
		const up = box.up();
		await up.ready();
		up.child.kill('SIGKILL');
		await until('all gone', () => box.processes().length === 0);
		assert.equal(box.count('stop', 'registry'), 1);
		assert.equal((await box.command('status')).status, 2);
		assert.equal((await box.command('down')).stdout, 'not running\n');
		const next = box.up();
		await next.ready();
		assert.equal((await box.status()).status, 0);
	}, { environment: { WEIR_STOP_TIMEOUT_MS: '700' } });

	check('kill -9 of up, and the next up while the rest is still ending: waits for it', async (box) => {
		box.behave('gateway-1', 'stubborn');
		const up = box.up();
		await up.ready();
		const old = (await box.status()).list.map((entry) => entry.pid);
		up.child.kill('SIGKILL');
		await up.exited;
		const next = box.up();
		await next.ready();
		assert.match(next.stderr, /an earlier run has left processes/);
		assert.ok(!old.some(alive));
		assert.equal((await box.status()).status, 0);
	}, { environment: { WEIR_STOP_TIMEOUT_MS: '700' } });

	for (const mend of ['up', 'down'])
		check(`kill -9 of up and s6-svscan at once: ${mend} clears what is left`, async (box) => {
			const up = box.up();
			await up.ready();
			const old = (await box.status()).list.map((entry) => entry.pid);
			const svscan = box.processes().find((line) => line.includes('s6-svscan -d'));
			for (const pid of [parseInt(svscan, 10), up.pid]) process.kill(pid, 'SIGKILL');
			await up.exited;
			assert.ok(old.every(alive), 'nobody is there to stop them');
			assert.equal((await box.status()).status, 0, 'what is left is still shown');
			if (mend === 'up') {
				const next = box.up();
				await next.ready();
				assert.match(next.stderr, /an earlier run has left processes/);
				assert.equal((await box.status()).status, 0);
			} else {
				const down = await box.command('down');
				assert.deepEqual([down.status, down.stdout], [0, 'not running; stopped what an earlier run had left\n']);
			}
			assert.ok(!old.some(alive));
			assert.ok(box.index('stop', 'gateway-1') < box.index('stop', 'registry'), 'in order');
		});

	check('kill -9 of everything at once: up works again', async (box) => {
		const up = box.up();
		await up.ready();
		for (const line of box.processes()) killHard(parseInt(line, 10));
		await until('gone', () => box.processes().length === 0);
		await box.up().ready();
		assert.equal((await box.status()).status, 0);
	});

	check('kill -9 of s6-svscan alone: up stops the rest and exits 1', async (box) => {
		const up = box.up();
		await up.ready();
		const svscan = box.processes().find((line) => line.includes('s6-svscan -d'));
		process.kill(parseInt(svscan, 10), 'SIGKILL');
		await up.ends(1);
		assert.match(up.stderr, /s6-svscan ended unexpectedly/);
		assert.deepEqual(box.processes(), []);
	});

	check('kill -9 of one s6-supervise: its daemon is replaced, not doubled', async (box) => {
		await box.up().ready();
		const old = (await box.status()).of('registry').pid;
		const supervisor = box.processes().find((line) => line.endsWith('s6-supervise registry '));
		process.kill(parseInt(supervisor, 10), 'SIGKILL');
		await until('replaced', async () => {
			const entry = (await box.status()).of('registry');
			return entry.state === 'ready' && entry.pid !== old;
		});
		assert.equal(alive(old), false);
		assert.equal((await box.status()).status, 0);
	});

	check('--log stderr: lines pass unchanged, no log folder', async (box) => {
		const weird = '{"tab":"\t","bytes":"\u00e9  two  "}\n';
		fs.writeFileSync(path.join(box.fake, 'say.registry'), weird);
		const up = box.up('--log', 'stderr');
		await up.ready();
		await until('line', () => up.stderr.includes(weird));
		assert.equal(up.stdout, 'ready\n');
		assert.equal(fs.existsSync(path.join(box.run, 'log', 'registry')), false);
	});

	check('a supervisor whose terminal is gone still stops in order', async (box) => {
		const up = box.up('--log', 'stderr');
		await up.ready();
		up.child.stderr.destroy();
		up.child.stdout.destroy();
		process.kill(up.pid, 'SIGHUP');
		await until('end', () => !alive(up.pid));
		assert.equal(box.count('stop', 'registry'), 1);
		assert.ok(box.index('stop', 'gateway-1') < box.index('stop', 'registry'));
	});

	check('run directory: what is refused', async (box) => {
		const long = path.join(box.dir, 'x'.repeat(80 - box.dir.length));
		const refused = await box.command('up', '--run', long);
		assert.equal(refused.status, 1);
		assert.match(refused.stderr, /has 81 bytes, at most 80/);
		const umlauts = path.join(box.dir, 'ü'.repeat((80 - box.dir.length) / 2 + 1));
		assert.match((await box.command('status', '--run', umlauts)).stderr, /at most 80/, 'bytes, not characters');

		fs.mkdirSync(path.join(box.dir, 'open'));
		fs.chmodSync(path.join(box.dir, 'open'), 0o777);
		const open = await box.command('up', '--run', 'open');
		assert.equal(open.status, 1);
		assert.match(open.stderr, /others may write to .*\/open: chmod 700/);
		fs.writeFileSync(path.join(box.dir, 'file'), '');
		assert.match((await box.command('up', '--run', 'file')).stderr, /is not a directory of the user/);
		const foreign = process.getuid() === 0 ? path.join(box.dir, 'foreign') : '/';
		if (process.getuid() === 0) {
			fs.mkdirSync(foreign, 0o700);
			fs.chownSync(foreign, 65534, 65534);
		}
		assert.match((await box.command('up', '--run', foreign)).stderr, /is not a directory of the user/);
		assert.deepEqual(box.processes(), []);
	});

	check('run directory: of just the longest length, with spaces and quotes', async (box) => {
		const run = path.join(box.dir, "it's a $HOME \"run\" ".padEnd(79 - box.dir.length, 'r'));
		assert.equal(Buffer.byteLength(run), 80);
		const up = box.up('--run', run);
		await up.ready();
		assert.equal(box.args('registry')[1], run);
		assert.match(read(path.join(run, 'log/registry/current')), /actor.started/);
		assert.equal((await box.command('scale', 'gateway', '2', '--run', run)).status, 0);
		assert.equal((await box.command('down', '--run', run)).status, 0);
		await up.ends(0);
	});

	check('nothing runs: status 2, the others say so', async (box) => {
		const status = await box.command('status', '-o', 'json');
		assert.deepEqual([status.status, status.stdout], [2, '[]\n']);
		assert.match(status.stderr, /nothing runs in/);
		for (const args of [['scale', 'gateway', '2'], ['restart', 'registry'], ['drain', 'gateway-1']]) {
			const { status: code, stderr } = await box.command(...args);
			assert.equal(code, 1);
			assert.match(stderr, /nothing runs in .*scripts\/supervise up/);
		}
		assert.equal((await box.command('down')).status, 0);
		assert.equal(fs.existsSync(box.run), false, 'looking creates nothing');
	});

	check('usage: help everywhere, mistakes exit 2 and say what to do', async (box) => {
		for (const command of ['up', 'status', 'down', 'scale', 'restart', 'drain']) {
			const { status, stdout } = await box.command(command, '--help');
			assert.equal(status, 0);
			assert.match(stdout, new RegExp(`^usage: scripts/supervise ${command}`));
			assert.match(stdout, /\nexamples?: scripts\/supervise/);
		}
		assert.match((await box.command('--help')).stdout, /^usage: scripts\/supervise COMMAND/);
		const mistakes = [
			[[], /a command is missing/], [['start'], /unknown command 'start'/],
			[['up', 'now'], /up wants 0 words/], [['up', '--gateways', '0'], /1 to 64, not '0'/],
			[['up', '--gateways', '65'], /not '65'/], [['up', '--gateways', 'two'], /not 'two'/],
			[['up', '--set', 'nonsense'], /section.key=value/], [['up', '--log', 'syslog'], /files or stderr/],
			[['up', '--conf'], /--conf is unknown or lacks its value/], [['up', '--frob', '1'], /up has no option --frob/],
			[['status', '-o', 'xml'], /no output form 'xml'/], [['status', '--conf', 'x'], /status has no option --conf/],
			[['scale', 'gateway'], /scale wants 2 words/], [['restart'], /restart wants 1 words/], [['drain'], /drain wants/],
		];
		for (const [args, message] of mistakes) {
			const { status, stderr, stdout } = await box.command(...args);
			assert.deepEqual([status, stdout], [2, ''], args.join(' '));
			assert.match(stderr, message);
			assert.match(stderr, /see: scripts\/supervise/);
		}
		await box.up().ready();
		for (const words of [['gateway', '0'], ['gateway', '65'], ['gateway', '-1'], ['registry', '2']])
			assert.equal((await box.command('scale', ...words)).status, 2, words.join(' '));
		assert.equal((await box.commandIn({ WEIR_READY_TIMEOUT_MS: 'soon' }, 'status')).status, 2);
	});
});
