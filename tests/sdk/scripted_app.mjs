// An SDK app that does what its standard input says; started by tests/lib/sdk_app.mjs.
//
// Commands are lines {"id":N,"userId":USER,"command":NAME,"args":[...]}; each is answered with an
// event `result` {id, value} or {id, error}.  Everything the SDK tells the app is printed as it
// happens.
import { createInterface } from 'node:readline';
import { ObservedApp, emit } from './app_base.mjs';

const app = new ObservedApp({
  packageName: process.env.APP_PACKAGE,
  apiKey: process.env.APP_KEY,
  port: Number(process.env.APP_PORT ?? 0),
});

const commands = {
  startStream: ({ camera }, options) => camera.startStream(options),
  stopStream: ({ camera }) => camera.stopStream(),
  startManagedStream: ({ camera }, options) => camera.startManagedStream(options),
  stopManagedStream: ({ camera }) => camera.stopManagedStream(),
  checkExistingStream: ({ camera }) => camera.checkExistingStream(),
  isCurrentlyStreaming: ({ camera }) => camera.isCurrentlyStreaming(),
  isManagedStreamActive: ({ camera }) => camera.isManagedStreamActive(),
  getStreamStatus: ({ camera }) => camera.getStreamStatus(),
  capabilities: (session) => session.capabilities,
  /* A network fault below the SDK: its socket dies without a close frame. */
  breakSocket: (session) => session.ws.terminate(),
};

async function run({ id, userId, command, args = [] }) {
  try {
    emit('result', { id, value: await commands[command](app.sessions.get(userId), ...args) });
  } catch (error) {
    /* The SDK rejects with strings as well as with errors. */
    emit('result', { id, error: error?.message ?? String(error) });
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => run(JSON.parse(line)))
  .on('close', () => process.exit(0));
await app.start();
