// The story that scripts/demo tells, on the test suites' own parts: a real nginx, real SDK apps,
// simulated glasses with a real ffmpeg.  Every step waits for the event it talks about.
import { parseArgs } from 'node:util';
import { GlassesSim } from '../tests/lib/glasses.mjs';
import { Nginx } from '../tests/lib/nginx.mjs';
import { SdkApp } from '../tests/lib/sdk_app.mjs';
import { Weir } from '../tests/lib/weir.mjs';
import { managed } from './demo-managed.mjs';
import { say, show } from './demo-stage.mjs';
import { unmanaged } from './demo-unmanaged.mjs';

const { values } = parseArgs({ options: { 'real-times': { type: 'boolean', default: false } } });
const scale = values['real-times'] ? 1 : 5;
const keepalive = {
  keepalive_interval_ms: 15000 / scale,
  ack_timeout_ms: 10000 / scale,
  missed_max: 3,
};
const packageNames = ['com.example.demo', 'com.example.guest'];

const makeApp = (packageName) =>
  new SdkApp({ packageName, apiKey: `key of ${packageName}, not a secret` }).start();

const startWeir = (apps) =>
  Weir.start({
    gateways: 2,
    config: {
      unmanaged: keepalive,
      /* The copy goes to this machine, which apps may not ask for unless they are let. */
      managed: { ...keepalive, provider: 'local', private_outputs: true },
    },
    apps: Object.fromEntries(
      apps.map((app) => [
        app.packageName,
        { apiKey: app.apiKey, webhook: `http://127.0.0.1:${app.port}`, permissions: 'CAMERA' },
      ]),
    ),
  });

async function main() {
  say(`demo      keep-alive every ${keepalive.keepalive_interval_ms / 1000} s, ack within ${
    keepalive.ack_timeout_ms / 1000
  } s, 3 misses${scale === 1 ? '' : ' (production: 15 s, 10 s, 3; see --real-times)'}`);
  const nginx = await Nginx.start();

  say("nginx     somebody's RTMP server on loopback is ready");
  const [app, guest] = await Promise.all(packageNames.map(makeApp));

  say('apps      two are up, on the unmodified @mentra/sdk');
  const weir = await startWeir([app, guest]);

  say('weir      is ready: the local provider, its media server, two gateways');
  show(await weir.supervise('status'));
  const tap = weir.tap('--history');
  const glassesOf = (user) =>
    new GlassesSim({ url: weir.url(1), secret: weir.secret, user, publish: true });
  const users = ['ada@example.com', 'ben@example.com'];
  const [adas, bens] = users.map(glassesOf);

  try {
    await unmanaged({ weir, tap, nginx, app, glasses: adas, user: users[0], keepalive });
    await managed({ weir, tap, nginx, app, guest, glasses: bens, user: users[1] });
  } catch (error) {
    /* Said now: what is stopped below may have a word on it, too. */
    say(`demo      FAILED: ${error.stack}`);
    throw error;
  } finally {
    await Promise.all([adas, bens].map((glasses) => glasses.dispose()));
    await Promise.all([app, guest].map((one) => one.dispose()));
    await tap.stop();
    await weir.stop();
    await nginx.stop();
  }
  say('demo      everything is stopped, no process is left');
}

await main();
