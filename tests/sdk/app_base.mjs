// An app server built on the unmodified SDK, with its noise kept apart from our JSON lines.
//
// The SDK logs through a worker that writes to standard output, and prints with console.*; it also
// asks its maker's cloud for the newest version when it starts.  None of that belongs into a test:
// logs are silenced by the level of its own exported logger, console goes to standard error, and
// the version check meets a proxy that refuses.  Loopback stays direct, so everything between the
// SDK and weir is exactly what it is in the field.
const refusingProxy = 'http://127.0.0.1:9';

process.env.https_proxy = refusingProxy;
process.env.no_proxy = '127.0.0.1,localhost';
for (const method of ['log', 'info', 'warn', 'debug'])
  console[method] = (...args) => console.error(...args);

const { AppServer, logger } = await import('@mentra/sdk');

logger.level = process.env.SDK_LOG_LEVEL ?? 'silent';

const zero = performance.now();

/** One JSON object per line on standard output, with the seconds since the start. */
export function emit(event, fields = {}) {
  const t = Number(((performance.now() - zero) / 1000).toFixed(3));

  process.stdout.write(`${JSON.stringify({ t, event, ...fields })}\n`);
}

export class ObservedApp extends AppServer {
  #onSessionReady;

  /** @onSessionReady: called with (session, userId) once everything is observed. */
  constructor(config, onSessionReady = async () => {}) {
    super(config);
    this.#onSessionReady = onSessionReady;
    this.sessions = new Map(); /* the newest session of each user, also after its end */
    this.#listenOnLoopback();
  }

  /* The SDK listens on every interface and does not say when; the express app is ours to guide. */
  #listenOnLoopback() {
    const app = this.getExpressApp();
    const listen = app.listen.bind(app);

    app.listen = (port, callback) => {
      const server = listen(port, '127.0.0.1', () => {
        emit('listening', { port: server.address().port });
        callback();
      });

      return server;
    };
  }

  async onSession(session, sessionId, userId) {
    this.sessions.set(userId, session);
    emit('session', { userId, sessionId });
    session.events.onError((error) => emit('error', { userId, message: error.message }));
    session.events.onDisconnected((info) =>
      emit('disconnected', {
        userId,
        code: info.code,
        reason: String(info.reason ?? info),
        permanent: info.permanent === true,
      }),
    );
    session.camera.onStreamStatus((status) =>
      emit('status', {
        userId,
        status: status.status,
        streamId: status.streamId,
      }),
    );
    session.camera.onManagedStreamStatus((status) =>
      emit('managed', {
        userId,
        status: status.status,
        streamId: status.streamId,
        message: status.message,
        hlsUrl: status.hlsUrl,
      }),
    );
    await this.#onSessionReady(session, userId);
  }

  async onStop(sessionId, userId, reason) {
    emit('stop', { userId, sessionId, reason });
    await super.onStop(sessionId, userId, reason);
  }
}
