// The whole of weir over tcp with CURVE: it works as over ipc, survives a kill of the registry, and
// lets in nobody without a key, with an unknown one, or with one that was taken away; and a key says
// what its owner is, whatever the owner says.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { loneDaemon } from '../lib/lone_daemon.mjs';
import { claimPorts } from '../lib/ports.mjs';
import { World, goLive } from '../lib/world.mjs';

let world, weir;

before(async () => {
  world = await World.open({ curve: true });
  weir = world.weir;
});

after(() => world?.close({ unharmed: false }));

const logged = (event, actor) => (e) =>
  e.event === 'stderr' &&
  e.text.includes(`"event":"${event}"`) &&
  e.text.includes(`"actor":"${actor}"`);

async function subscribed(tap) {
  await tap.waitFor((e) => e.event === 'stderr' && e.text.includes('subscribed'), 20000, {
    what: 'tap: subscribed',
  });
  return tap;
}

/* What `weir ARGS` came to with the keys in @dir. */
async function cliWith(dir, ...args) {
  const conf = join(dir, 'weir.conf');

  writeFileSync(conf, readFileSync(weir.confFile, 'utf8').replace(weir.curveDir, dir));
  try {
    await promisify(execFile)(weir.weirPath, [...args, '--conf', conf, '--timeout', '1500']);
    return { code: 0, stderr: '' };
  } catch ({ code, stderr }) {
    return { code, stderr };
  }
}

/* A folder with the public keys of everybody, and no secret. */
function strangersDir(name) {
  const dir = join(weir.dir, name);

  mkdirSync(dir);
  cpSync(join(weir.curveDir, 'allow'), join(dir, 'allow'), { recursive: true });
  return dir;
}

function busPort(actor) {
  const line = readFileSync(weir.confFile, 'utf8').match(new RegExp(`^${actor} = .*:(\\d+)$`, 'm'));

  return Number(line[1]);
}

/* Resolves with what a server says to @bytes until it hangs up. */
const knock = (port, bytes) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const chunks = [];

    socket.on('data', (data) => chunks.push(data));
    socket.on('close', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
  });

/* The greeting of ZMTP 3.1 for @mechanism. */
function greeting(mechanism) {
  const bytes = Buffer.alloc(64);

  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  bytes.write(mechanism, 12, 'latin1');
  return bytes;
}

describe('tcp with CURVE', () => {
  test('a stream, ls, tap and gateways', async () => {
    const tap = await subscribed(weir.tap('--ops'));
    const s = await world.stage('curve');

    await goLive(s);
    const [stream] = await weir.liveStreams(s.U);

    assert.equal(stream.phase, 'live');
    await tap.waitFor((e) => e.line?.type === 'stream.opened' && e.line.user_id === s.U);
    /* Operational events come from every daemon, gateways too. */
    await tap.waitFor((e) => e.line?.type === 'actor.metrics' && e.line.source === 'gateway-2', 20000);
    const gateways = JSON.parse(await weir.cli('gateways', '-o', 'json'));

    assert.deepEqual(gateways.map((g) => [g.name, g.state]).sort(), [
      ['gateway-1', 'up'],
      ['gateway-2', 'up'],
    ]);
    await tap.stop();
  });

  test('a client without a key is hung up on', async () => {
    const [refused, waitedFor] = await Promise.all(
      ['NULL', 'CURVE'].map((mechanism) => knock(busPort('registry'), greeting(mechanism))),
    );

    assert.ok(refused.length <= 64, 'no more than a greeting');
    /* Whoever has the right greeting, and then nothing, is at least answered. */
    assert.equal(waitedFor.subarray(12, 17).toString('latin1'), 'CURVE');
  });

  test('a key nobody knows is refused', async () => {
    const dir = strangersDir('stranger');
    const from = weir.entries.length;

    rmSync(join(dir, 'allow', 'operator'), { recursive: true });
    await weir.makeKey('operator', dir);
    const { code, stderr } = await cliWith(dir, 'ls');

    assert.equal(code, 2, stderr);
    assert.match(stderr, /is our key in its curve_dir/);
    const entry = await weir.waitFor(logged('curve.refused', 'registry'), 10000, { from });

    assert.match(entry.text, /"reason":"key not allowed"/);
  });

  test('a key for a socket that its role has no business with is refused', async () => {
    const dir = strangersDir('curious');

    /* A gateway's key, in the hands of the command line: gateways read no snapshots. */
    copyFileSync(join(weir.curveDir, 'gateway-1.key_secret'), join(dir, 'operator.key_secret'));
    const { code } = await cliWith(dir, 'ls');

    assert.equal(code, 2);
  });

  test('what a peer says of itself must be what its key says', async (t) => {
    const dir = strangersDir('impostor');
    const from = weir.entries.length;
    const run = join(dir, 'run');

    mkdirSync(run, { mode: 0o700 });
    /* With the key of a gateway it says that it is the unmanaged-adapter. */
    copyFileSync(
      join(weir.curveDir, 'gateway-2.key_secret'),
      join(dir, 'unmanaged-adapter.key_secret'),
    );
    await cliWith(dir, 'ls'); /* writes its configuration */
    const impostor = loneDaemon(t, 'weir-unmanaged-adapter', [
      ...['--conf', join(dir, 'weir.conf'), '--run', run],
      ...['--set', `bus.unmanaged_adapter=127.0.0.1:${await claimPorts(3)}`],
    ]);
    const entry = await weir.waitFor(logged('audit.impostor', 'registry'), 15000, {
      from,
      what: `the impostor: ${impostor.said}`,
    });

    assert.match(entry.text, /"role":"unmanaged-adapter"/);
    assert.doesNotMatch(impostor.said, /actor.ready/);
    /* The real one has not noticed. */
    assert.ok(!weir.entries.slice(from).some(logged('peer.down', 'registry')));
  });

  test('the registry killed with -9 is found again', async () => {
    const s = await world.stage('killed');

    await goLive(s);
    const from = weir.entries.length;

    process.kill((await weir.pids()).get('registry'), 'SIGKILL');
    await weir.waitReady('registry', from);
    const [stream] = await weir.liveStreams(s.U);

    assert.equal(stream.phase, 'live');
    /* And a stream can be begun: everybody is back. */
    await goLive(await world.stage('after'));
  });

  test('a key that was taken away is refused after SIGHUP', async () => {
    const dir = strangersDir('retired');
    const pub = join(weir.curveDir, 'allow', 'operator', 'retired.pub');

    await promisify(execFile)(weir.weirPath, [
      ...['keys', 'new', 'retired', '--role', 'operator', '--dir', dir],
    ]);
    copyFileSync(join(dir, 'allow', 'operator', 'retired.pub'), pub);
    const reload = async () => {
      const from = weir.entries.length;

      process.kill((await weir.pids()).get('registry'), 'SIGHUP');
      await weir.waitFor(logged('curve.reloaded', 'registry'), 10000, { from });
    };

    assert.equal((await cliWith(dir, 'ls', '--key', 'retired')).code, 2, 'not known yet');
    await reload();
    assert.deepEqual(await cliWith(dir, 'ls', '--key', 'retired'), { code: 0, stderr: '' });
    const kept = await subscribed(weir.tap());
    const retired = await subscribed(weir.tap('--conf', join(dir, 'weir.conf'), '--key', 'retired'));

    rmSync(pub);
    await reload();
    assert.equal((await cliWith(dir, 'ls', '--key', 'retired')).code, 2, 'not known any more');
    /* The connection it had has ended too; that of others has been made anew. */
    const s = await world.stage('retired');

    await goLive(s);
    s.apps.a.stop(s.t.id('$S1'));
    await kept.waitFor((e) => e.line?.type === 'stream.closed' && e.line.user_id === s.U);
    assert.ok(!retired.entries.some((e) => e.line?.user_id === s.U));
    await Promise.all([kept.stop(), retired.stop()]);
  });
});
