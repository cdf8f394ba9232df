// The story that scripts/demo tells, on the test suites' own parts: a real nginx, a real SDK app,
// simulated glasses with a real ffmpeg.  Every step waits for the event it talks about.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { GlassesSim } from '../tests/lib/glasses.mjs';
import { Nginx } from '../tests/lib/nginx.mjs';
import { claimPorts } from '../tests/lib/ports.mjs';
import { probe } from '../tests/lib/publisher.mjs';
import { Weir } from '../tests/lib/weir.mjs';

const demoApp = fileURLToPath(new URL('../tests/sdk/demo_app.mjs', import.meta.url));
const { values } = parseArgs({ options: { 'real-times': { type: 'boolean', default: false } } });
const scale = values['real-times'] ? 1 : 5;
const keepalive = {
  keepalive_interval_ms: 15000 / scale,
  ack_timeout_ms: 10000 / scale,
  missed_max: 3,
};
const user = 'ada@example.com';
const packageName = 'com.example.demo';
const apiKey = 'demo-key-not-a-secret';

const began = performance.now();
const say = (text) => {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);

  process.stdout.write(`${seconds} s  ${text}\n`);
};
const show = (text) => {
  for (const line of text.trimEnd().split('\n')) process.stdout.write(`         ${line}\n`);
};

/** The SDK app as a process of its own; resolves when its webhook listens. */
async function startApp(port, rtmpUrl) {
  const child = spawn(process.execPath, [demoApp], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      APP_PACKAGE: packageName,
      APP_KEY: apiKey,
      APP_PORT: String(port),
      RTMP_URL: rtmpUrl,
    },
  });
  const events = [];
  const waiters = [];

  createInterface({ input: child.stdout }).on('line', (line) => {
    let event;

    try {
      event = { ...JSON.parse(line), at: performance.now() };
    } catch {
      return; /* the SDK's own log */
    }
    events.push(event);
    if (event.event === 'status') say(`app       is told "${event.status}"`);
    for (const waiter of [...waiters]) waiter();
  });
  const app = {
    child,
    wait: (matches) =>
      new Promise((resolve) => {
        const look = () => {
          const found = events.find(matches);

          if (!found) return;
          waiters.splice(waiters.indexOf(look), 1);
          resolve(found);
        };

        waiters.push(look);
        look();
      }),
    stop: async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };

  await app.wait((e) => e.event === 'listening');
  return app;
}

async function live(weir, nginx, app, glasses) {
  glasses.send({ type: 'start_app', packageName });
  say('phone     starts the app; weir posts the session webhook, the app connects to gateway-2');
  await app.wait((e) => e.event === 'requested');
  say(`app       session.camera.startStream({rtmpUrl: "${nginx.url('••••')}"})`);
  await app.wait((e) => e.event === 'status' && e.status === 'active');
  await nginx.waitPublisher('picture');
  const { streams } = await probe(nginx.url('picture'));

  say('ffprobe   reads the stream that the glasses publish:');
  for (const s of streams) {
    const picture = s.codec_type === 'video' ? ` ${s.width}x${s.height}` : '';

    show(`${s.codec_type} ${s.codec_name}${picture}`);
  }
  say('operator  $ scripts/weir ls');
  show(await weir.cli('ls'));
  say('operator  $ scripts/weir show (the user)');
  show(await weir.cli('show', user));
  await glasses.waitFor((e) => e.dir === 'in' && e.msg?.type === 'keep_rtmp_stream_alive', 20000);
  say('glasses   acknowledge a keep-alive');
}

async function pulled(weir, app, glasses) {
  const low = (keepalive.keepalive_interval_ms * 2 + keepalive.ack_timeout_ms) / 1000;
  const high = low + keepalive.keepalive_interval_ms / 1000;

  await glasses.pullCable();
  const lost = performance.now();

  say(`glasses   THE CABLE IS PULLED: no socket, no picture.  weir ends it in ${low} to ${high} s`);
  const told = await app.wait((e) => e.event === 'status' && e.status === 'timeout');
  const after = (told.at - lost) / 1000;

  say(`app       was told ${after.toFixed(1)} s after the loss`);
  assert.ok(after > low - 1 && after < high + 1, `${after} s is not within ${low} to ${high} s`);
  say('operator  $ scripts/weir ls');
  const list = await weir.cli('ls');

  show(list);
  assert.match(list, /no streams/);
}

async function main() {
  say(`demo      keep-alive every ${keepalive.keepalive_interval_ms / 1000} s, ack within ${
    keepalive.ack_timeout_ms / 1000
  } s, 3 misses${scale === 1 ? '' : ' (production: 15 s, 10 s, 3; see --real-times)'}`);
  const nginx = await Nginx.start();

  say('nginx     an RTMP server on loopback is ready');
  const appPort = await claimPorts(1);
  const weir = await Weir.start({
    gateways: 2,
    config: { unmanaged: keepalive },
    apps: {
      [packageName]: { apiKey, webhook: `http://127.0.0.1:${appPort}`, permissions: 'CAMERA' },
    },
  });

  say('weir      registry, lifecycle-scheduler, unmanaged-adapter and two gateways are ready:');
  show(await weir.supervise('status'));
  const tap = weir.tap('--history');
  const app = await startApp(appPort, nginx.url('picture'));
  const glasses = new GlassesSim({
    url: weir.url(1),
    secret: weir.secret,
    user,
    publish: true,
  });

  try {
    say('app       is up, on the unmodified @mentra/sdk');
    await glasses.start();
    say('glasses   are connected, to gateway-1');
    await live(weir, nginx, app, glasses);
    await pulled(weir, app, glasses);
    await tap.waitFor((e) => e.line?.type === 'stream.closed', 5000);
    say('operator  $ scripts/weir tap   (what it showed of this stream)');
    for (const { line } of tap.entries.filter((e) => e.line?.type?.startsWith('stream.')))
      show(
        `${line.type.padEnd(20)} ${line.stream_id}` +
          ['status', 'phase', 'missed', 'end_cause', 'hop', 'link_state']
            .filter((name) => line[name] !== undefined)
            .map((name) => `  ${name}=${line[name]}`)
            .join(''),
      );
  } finally {
    await glasses.dispose();
    await app.stop();
    await tap.stop();
    await weir.stop();
    await nginx.stop();
  }
  say('demo      everything is stopped, no process is left');
}

await main();
