// The app of scripts/demo: it asks for a stream as soon as it is started, tells what happens, and
// leaves nothing running when it is told to end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GlassesSim } from '../lib/glasses.mjs';
import { Recorder, parseFrame } from '../lib/recorder.mjs';
import { Weir } from '../lib/weir.mjs';

const program = fileURLToPath(new URL('demo_app.mjs', import.meta.url));
const packageName = 'com.example.demo';
const user = 'demo@example.com';

let app;
let weir;
let glasses;

function run(args) {
  const recorder = new Recorder('demo app');
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', process.execPath, program, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, APP_KEY: 'demo key' } },
  );
  let rest = '';

  child.stdout.setEncoding('utf8').on('data', (data) => {
    const parts = (rest + data).split('\n');

    rest = parts.pop();
    for (const text of parts) recorder.record(parseFrame(text) ?? { event: 'noise', text });
  });
  child.stderr.setEncoding('utf8').on('data', (text) => recorder.record({ event: 'stderr', text }));
  child.on('close', (code, signal) => recorder.record({ event: 'exit', code, signal }));
  return { recorder, child };
}

before(async () => {
  app = run(['--rtmp-url', 'rtmp://ingest.example.com/live/demo']);
  const { port } = await app.recorder.waitEvent('listening', 15000);

  weir = await Weir.start({
    apps: {
      [packageName]: {
        apiKey: 'demo key',
        webhook: `http://127.0.0.1:${port}`,
        permissions: 'CAMERA',
      },
    },
  });
  glasses = new GlassesSim({
    url: weir.url(1),
    user,
    secret: weir.secret,
    delays: { initializingMs: 10, connectMs: 100 },
  });
});

after(async () => {
  await glasses?.dispose();
  app?.child.kill('SIGKILL');
  await weir?.stop();
});

test('demo_app: stream on session start, end on SIGTERM, exit 0', async () => {
  const { recorder, child } = app;

  await glasses.start();
  glasses.send({ type: 'start_app', packageName });
  await recorder.waitFor((e) => e.event === 'status' && e.status === 'active', 8000, {
    what: 'active',
  });
  assert.equal(glasses.device.phase, 'streaming');
  child.kill('SIGTERM');
  await glasses.waitMessage('stop_rtmp_stream');
  const { code } = await recorder.waitEvent('exit');

  assert.equal(code, 0, recorder.story());
  assert.deepEqual(
    recorder.entries.filter((e) => e.event === 'noise'),
    [],
    'only JSON lines on stdout',
  );
  assert.deepEqual(await weir.liveStreams(user), []);
});

test('demo_app: a missing URL is a usage error', async () => {
  const { recorder } = run([]);
  const { code } = await recorder.waitEvent('exit', 15000);

  assert.equal(code, 1);
});
