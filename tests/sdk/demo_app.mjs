// A small streaming app on the real SDK, for scripts/demo: as soon as a user starts it, it asks
// for a stream, and prints what it is told as JSON lines.
import { parseArgs } from 'node:util';
import { ObservedApp, emit } from './app_base.mjs';

const usage = `usage: node tests/sdk/demo_app.mjs [OPTION...]

Each option may come from the environment instead.

  --package NAME    APP_PACKAGE  package name, default com.example.demo
  --api-key KEY     APP_KEY      the key whose SHA-256 is in the apps file
  --port N          APP_PORT     webhook port on loopback, 0 = any (printed as "listening")
  --rtmp-url URL    RTMP_URL     stream there (unmanaged)
  --managed                      ask for a managed stream instead
  --help
`;

const { values } = parseArgs({
  options: {
    package: { type: 'string', default: process.env.APP_PACKAGE ?? 'com.example.demo' },
    'api-key': { type: 'string', default: process.env.APP_KEY },
    port: { type: 'string', default: process.env.APP_PORT ?? '0' },
    'rtmp-url': { type: 'string', default: process.env.RTMP_URL },
    managed: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
if (!values['api-key'] || (!values.managed && !values['rtmp-url'])) {
  process.stderr.write(
    `demo_app: an API key and either --rtmp-url or --managed are needed\n\n${usage}`,
  );
  process.exit(1);
}

/* A stream of an earlier life of this app is kept: after a restart the picture goes on. */
async function ask(session) {
  const { camera } = session;
  const existing = await camera.checkExistingStream();

  if (existing.hasActiveStream) {
    emit('existing', { type: existing.streamInfo.type, streamId: existing.streamInfo.streamId });
    if (existing.streamInfo.type === 'unmanaged' || !values.managed) return;
  }
  if (values.managed) {
    const { hlsUrl, dashUrl, streamId } = await camera.startManagedStream();

    emit('playing', { streamId, hlsUrl, dashUrl });
  } else {
    await camera.startStream({ rtmpUrl: values['rtmp-url'] });
    emit('requested');
  }
}

const app = new ObservedApp(
  { packageName: values.package, apiKey: values['api-key'], port: Number(values.port) },
  /* Not awaited: the webhook answers when the session is up, not when the stream is. */
  async (session) => {
    ask(session).catch((error) => emit('failed', { message: error?.message ?? String(error) }));
  },
);

/*
 * The SDK's own handler exits at once.  A stream that was asked for is ended first, and its end is
 * waited for, but not for ever.
 */
let ending = false;

async function end() {
  if (ending) return;
  ending = true;
  const { camera } = [...app.sessions.values()].at(-1) ?? {};
  const terminal = ['stopped', 'timeout', 'error'];
  const told = new Promise((resolve) => {
    camera?.onStreamStatus(({ status }) => terminal.includes(status) && resolve());
    camera?.onManagedStreamStatus(({ status }) => terminal.includes(status) && resolve());
    setTimeout(resolve, 1000);
  });

  try {
    if (camera?.isCurrentlyStreaming()) await Promise.all([camera.stopStream(), told]);
    else if (camera?.isManagedStreamActive()) await Promise.all([camera.stopManagedStream(), told]);
  } catch (error) {
    /* The socket is gone already; there is nobody left to tell. */
    emit('failed', { message: error?.message ?? String(error) });
  }
  emit('end');
  app.stop();
}

for (const signal of ['SIGTERM', 'SIGINT']) process.removeAllListeners(signal).on(signal, end);
await app.start();
