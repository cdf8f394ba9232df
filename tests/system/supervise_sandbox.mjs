// A sandbox for the tests of scripts/supervise: binaries that are copies of fake_actor.sh, a run directory, a journal,
// and check(), a test that leaves no process behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const supervise = path.resolve(here, '../../scripts/supervise');
const binaries = ['registry', 'lifecycle-scheduler', 'unmanaged-adapter', 'managed-adapter', 'gateway', 'console'];
export const middle = ['lifecycle-scheduler', 'unmanaged-adapter', 'managed-adapter'];
const deadline_ms = 15000; // of any one wait; reached only when something is broken

export async function until(what, condition, limit_ms = deadline_ms) {
	const end = Date.now() + limit_ms;
	for (;;) {
		const value = await condition();
		if (value) return value;
		if (Date.now() > end) assert.fail(`not within ${limit_ms} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 40));
	}
}

export function read(file) {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch {
		return '';
	}
}

export function killHard(pid) {
	try {
		process.kill(pid, 'SIGKILL');
	} catch (error) {
		if (error.code !== 'ESRCH') throw error; // gone by itself, for its parent was killed before it
	}
}

export function alive(pid) {
	const stat = read(`/proc/${pid}/stat`); // a zombie waits for its parent, it does not live
	return stat !== '' && !/\) [ZX] /.test(stat);
}

class Sandbox {
	constructor({ without = [], environment = {} } = {}) {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-supervise-'));
		this.run = path.join(this.dir, 'run');
		this.bin = path.join(this.dir, 'bin');
		this.fake = path.join(this.dir, 'fake');
		fs.mkdirSync(this.bin);
		fs.mkdirSync(path.join(this.fake, 'behaviour'), { recursive: true });
		for (const name of binaries)
			if (!without.includes(name))
				fs.copyFileSync(path.join(here, 'fake_actor.sh'), path.join(this.bin, `weir-${name}`));
		this.env = {
			...process.env,
			WEIR_BIN_DIR: this.bin,
			WEIR_RUN_DIR: this.run,
			WEIR_FAKE: this.fake,
			WEIR_STOP_TIMEOUT_MS: '4000',
			WEIR_READY_TIMEOUT_MS: '10000',
			...environment,
		};
	}

	behave(name, how) {
		fs.writeFileSync(path.join(this.fake, 'behaviour', name), how);
	}

	// One subcommand, to its end.
	command(...args) {
		return this.commandIn({}, ...args);
	}

	commandIn(environment, ...args) {
		const options = { cwd: this.dir, env: { ...this.env, ...environment } };
		return new Promise((resolve) => {
			const child = spawn(supervise, args, options);
			const result = { stdout: '', stderr: '' };
			child.stdout.on('data', (data) => (result.stdout += data));
			child.stderr.on('data', (data) => (result.stderr += data));
			child.on('close', (status, signal) => resolve({ ...result, status, signal }));
		});
	}

	// `up`, in the background and in a process group of its own, as a shell would start it.
	up(...args) {
		const child = spawn(supervise, ['up', ...args], { cwd: this.dir, env: this.env, detached: true });
		const up = { child, pid: child.pid, stdout: '', stderr: '' };
		child.stdout.on('data', (data) => (up.stdout += data));
		child.stderr.on('data', (data) => (up.stderr += data));
		up.exited = new Promise((resolve) => child.on('exit', (status, signal) => resolve({ status, signal })));
		up.exited.then(() => (up.done = true));
		child.on('close', () => (up.closed = true)); // nobody holds its stdout and stderr any more
		up.ready = async () => {
			await until('ready', () => up.stdout.includes('ready\n') || up.done);
			assert.equal(up.stdout, 'ready\n', up.stderr);
		};
		up.ends = async (status) => {
			await until('end of up', () => up.closed);
			assert.deepEqual(await up.exited, { status, signal: null }, up.stderr);
		};
		return up;
	}

	async status() {
		const { stdout, status } = await this.command('status', '-o', 'json');
		const list = JSON.parse(stdout);
		return { status, list, of: (name) => list.find((entry) => entry.name === name) };
	}

	async untilState(name, state) {
		return until(`${name} ${state}`, async () => (await this.status()).of(name)?.state === state);
	}

	journal() {
		const lines = read(path.join(this.fake, 'journal')).split('\n').filter(Boolean);
		return lines.map((line) => {
			const [at_s, verb, name, pid] = line.split(' ');
			return { at_s: Number(at_s), verb, name, pid: Number(pid) };
		});
	}

	index(verb, name) {
		const index = this.journal().findIndex((line) => line.verb === verb && line.name === name);
		assert.notEqual(index, -1, `${name} ${verb} is not in the journal`);
		return index;
	}

	count(verb, name) {
		return this.journal().filter((line) => line.verb === verb && line.name === name).length;
	}

	args(name) {
		return read(path.join(this.fake, `args.${name}`)).split('\0').slice(0, -1);
	}

	log(name) {
		return read(path.join(this.run, 'log', name, 'current'));
	}

	// Every live process that was started from this sandbox: they all have inherited its environment.
	processes() {
		const found = [];
		for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
			if (Number(pid) === process.pid || !alive(pid)) continue;
			if (read(`/proc/${pid}/environ`).includes(`WEIR_FAKE=${this.fake}\0`))
				found.push(`${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
		}
		return found;
	}

	async close() {
		let left = [];
		try {
			await until('no process left', () => (left = this.processes()).length === 0, 3000);
		} catch {
			for (const line of left) killHard(parseInt(line, 10));
			assert.fail(`processes left:\n${left.join('\n')}`);
		} finally {
			fs.rmSync(this.dir, { recursive: true, force: true });
		}
	}
}

export function check(name, body, options) {
	test(name, async () => {
		const box = new Sandbox(options);
		const ups = [];
		const up = box.up.bind(box);
		box.up = (...args) => {
			ups.push(up(...args));
			return ups.at(-1);
		};
		try {
			await body(box);
		} catch (error) {
			error.message += `\n--- up: ${ups.map((one) => one.stdout + one.stderr).join('---\n')}`;
			throw error;
		} finally {
			for (const one of ups) if (!one.done) one.child.kill('SIGTERM');
			for (const one of ups) await until('end of up', () => one.done);
			await box.close();
		}
	});
}
