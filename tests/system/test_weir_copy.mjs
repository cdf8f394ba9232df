// Goal: a copy of a stream connects to nothing of ours: not to what the system's resolver finds behind
// a name, and not to our own ports where private destinations are allowed.
// Method: weir-copy itself, with a server that counts who comes; a source that does not exist.
// Run: node --test tests/system/test_weir_copy.mjs
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const binDir =
  process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));
const program = join(binDir, 'weir-copy');
const source = 'rtmp://127.0.0.1:9/live/none';

let server;
let port;
let visitors = 0;

before(async () => {
  server = createServer((socket) => {
    visitors++;
    socket.destroy();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = server.address().port;
});

after(() => new Promise((resolve) => server.close(resolve)));

const copy = (...args) =>
  new Promise((resolve) => {
    execFile(program, args, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stderr }));
  });

for (const host of ['localhost', '127.1', '0', '[::1]', '[::ffff:127.0.0.1]', hostname()])
  test(`${host} is this machine`, async () => {
    for (const scheme of ['rtmp', 'rtmps'])
      assert.deepEqual(await copy(source, `${scheme}://${host}:${port}/`, 'public', ''), {
        code: 1,
        stderr: 'destination not allowed\n',
      });
    assert.equal(visitors, 0);
  });

test('private destinations may be allowed, but not our own ports', async () => {
  const place = `rtmp://localhost:${port}/`;

  assert.deepEqual(await copy(source, place, 'private', `1,${port}`), {
    code: 1,
    stderr: 'destination not allowed\n',
  });
  assert.match((await copy(source, place, 'private', '1')).stderr, /Connection refused/, 'ffmpeg');
  assert.equal(visitors, 0, 'without a source');
});

test('a name that leads nowhere', async () => {
  const answer = await copy(source, 'rtmp://no-such-name.invalid/', 'public', '');

  assert.deepEqual(answer, { code: 1, stderr: 'host not found\n' });
});

test('what is no place', async () => {
  for (const args of [[], [source, 'http://a/', 'public', ''], [source, 'rtmp://a/', 'public', 'x']])
    assert.equal((await copy(...args)).code, 1);
});
