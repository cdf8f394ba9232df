// Goal: `weir keys` makes pairs that daemons accept, never overwrites one, and says what is wrong with
// what it is asked for.  Method: the real binaries in a scratch folder.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const scripts = process.env.WEIR_SCRIPTS ?? fileURLToPath(new URL('../../scripts', import.meta.url));
const binaries =
  process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));

let root, dir;

before(() => {
  root = mkdtempSync(join(tmpdir(), 'weir-keys-'));
  dir = join(root, 'curve');
});

after(() => rmSync(root, { recursive: true, force: true }));

const run = (command, args) =>
  new Promise((resolve) => {
    execFile(command, args, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });

const keys = (...args) => run(join(scripts, 'weir'), ['keys', ...args, '--dir', dir]);
const text = (name) => readFileSync(join(dir, name), 'utf8');

test('a pair: the secret for its owner alone, the public half without it', async () => {
  const { code, stdout } = await keys('new', 'gateway-1');

  assert.equal(code, 0);
  assert.match(stdout, /gateway-1\.key_secret: secret, for the machine of gateway-1 alone/);
  assert.equal(statSync(join(dir, 'gateway-1.key_secret')).mode & 0o777, 0o600);
  assert.match(text('gateway-1.key_secret'), /secret-key = "/);
  assert.match(text('allow/gateway/gateway-1.pub'), /public-key = "/);
  assert.doesNotMatch(text('allow/gateway/gateway-1.pub'), /secret-key = "/);
});

test('a key that is there is never overwritten', async () => {
  const before = [text('gateway-1.key_secret'), text('allow/gateway/gateway-1.pub')];
  const again = await keys('new', 'gateway-1', '--role', 'gateway');

  assert.equal(again.code, 0);
  assert.match(again.stdout, /gateway-1\.key_secret is there already, nothing is changed/);
  assert.deepEqual([text('gateway-1.key_secret'), text('allow/gateway/gateway-1.pub')], before);

  /* Only the public half is here: the secret one is on its machine. */
  rmSync(join(dir, 'gateway-1.key_secret'));
  const half = await keys('new', 'gateway-1');

  assert.equal(half.code, 1);
  assert.match(half.stderr, /gateway-1\.pub is there, its secret key is not here/);

  /* Only the secret half: the public one follows from it. */
  writeFileSync(join(dir, 'gateway-1.key_secret'), before[0], { mode: 0o600 });
  rmSync(join(dir, 'allow/gateway/gateway-1.pub'));
  assert.equal((await keys('new', 'gateway-1')).code, 0);
  const key = /public-key = "(.*)"/;

  assert.equal(text('allow/gateway/gateway-1.pub').match(key)[1], before[1].match(key)[1]);
  assert.equal(text('gateway-1.key_secret'), before[0]);
});

test('list, as a table and as JSON', async () => {
  assert.equal((await keys('new', 'alice', '--role', 'operator')).code, 0);
  const list = JSON.parse((await keys('list', '-o', 'json')).stdout);
  const alice = list.find((one) => one.name === 'alice');

  assert.equal(list.length, 2);
  assert.deepEqual(Object.keys(alice), ['role', 'name', 'public_key', 'secret']);
  assert.equal(alice.role, 'operator');
  assert.equal(alice.secret, true);
  assert.ok(text('allow/operator/alice.pub').includes(alice.public_key));
  assert.match((await keys('list')).stdout, /^ROLE +NAME +PUBLIC KEY +SECRET\n/);
});

test('what makes no sense is refused with the mend', async () => {
  const cases = [
    [['new', 'alice-2'], /keys new alice-2 needs --role: registry/],
    [['new', 'x', '--role', 'wizard'], /needs --role/],
    [['new', '../x', '--role', 'operator'], /a name has 1 to 32 of a-z, 0-9 and -/],
    [['new', 'registry', '--role', 'operator'], /registry can be the name of a registry alone/],
    [['new'], /keys takes `new NAME --role ROLE` or `list`/],
    [['old', 'x'], /keys takes `new NAME --role ROLE` or `list`/],
  ];

  for (const [args, words] of cases) {
    const { code, stderr } = await keys(...args);

    assert.equal(code, 1, stderr);
    assert.match(stderr, words);
  }
  const nowhere = await run(join(scripts, 'weir'), ['keys', 'list']);

  assert.match(nowhere.stderr, /keys needs --dir DIR, or --conf FILE with a bus\.curve_dir/);
});

test('a daemon takes what was made, and not when others can read it', async () => {
  const check = () =>
    run(join(binaries, 'weir-gateway'), [
      ...['--set', 'bus.transport=tcp', '--set', `bus.curve_dir=${dir}`],
      ...['--name', 'gateway-1', '--check'],
    ]);

  assert.deepEqual(await check(), { code: 0, stdout: '', stderr: '' });
  chmodSync(join(dir, 'gateway-1.key_secret'), 0o644);
  const open = await check();

  assert.equal(open.code, 78);
  assert.match(open.stderr, /others than its owner may use it \(mode 0644\); run: chmod 600/);
});
