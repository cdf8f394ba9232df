// One of many: a user with glasses and one app, as small as it can be.
//
// It behaves as GlassesSim and an app on the SDK do where nothing special happens: glasses run what
// they are told, answer every probe at once, give up by themselves after 60 s without one and come
// back 5 s after a lost socket; the app comes back as the SDK does.  Messages are counted, not kept;
// the last few that are no probes are, for the text of a failure.
import WebSocket from 'ws';
import { coreToken } from './jwt.mjs';
import { now, parseFrame } from './recorder.mjs';

const phoneReconnectMs = 5000; /* fixed, for ever (protocol 1.3) */
const appReconnectMs = [1000, 2000, 4000]; /* of the SDK, which knows no scale (protocol 2.8) */
const finalCodes = [1000, 1001, 1008]; /* closes after which the SDK stays away */
const initializingMs = 50;
const connectMs = 500;
const pauseBeforeRestartMs = 500;
const selfTimeoutMs = 60000;
const storyMax = 40; /* lines */

export const terminal = (word) => word === 'stopped' || word === 'timeout';

/* Every stream that a member has ever heard of. */
class StreamCount {
  starts = 0; /* orders to the device */
  stops = 0;
  probes = 0;
  nearestMs = Infinity; /* the shortest time between two probes since the last mark */
  lastProbeAt = null;
  words = {}; /* direct statuses to the app */
  asked = false; /* its app asked for its end, or for another stream */

  constructor(id, member) {
    this.id = id;
    this.member = member;
  }

  get terminals() {
    return (this.words.stopped ?? 0) + (this.words.timeout ?? 0);
  }

  probe(at) {
    this.probes++;
    if (this.lastProbeAt !== null)
      this.nearestMs = Math.min(this.nearestMs, at - this.lastProbeAt);
    this.lastProbeAt = at;
  }
}

export class Member {
  #lines = [];
  #gone = false; /* for ever: neither phone nor app comes back by itself */
  #reconnect = null;
  #waiter = null; /* the one request that is outstanding */
  #again = 0; /* attempts of the app to come back */

  streams = new Map();
  glasses = { ws: null, ready: false, closes: 0 };
  app = { ws: null, ready: false, closes: 0, errors: 0 };
  device = { phase: 'idle', streamId: null, fedAt: 0, selfTimeouts: 0, life: 0 };

  /**
   * @crowd: {scale, url(), secret, apiKey, packageName, selfLimit, streams}, and, if somebody keeps a record,
   * saw(member, who, direction, message): of every message and socket, in the words of `weir audit --clients`.
   */
  constructor(crowd, email) {
    this.crowd = crowd;
    this.email = email;
    this.sessionId = `${email}-${crowd.packageName}`;
    this.token = coreToken(email, crowd.secret);
  }

  get ready() {
    return this.glasses.ready && this.app.ready;
  }

  get gone() {
    return this.#gone;
  }

  note(text) {
    this.#lines.push(`${(now() / 1000).toFixed(3)} ${text}`);
    if (this.#lines.length > storyMax) this.#lines.shift();
  }

  story() {
    return [`${this.email}, device ${this.device.phase} ${this.device.streamId}`, ...this.#lines].join(
      '\n    ',
    );
  }

  #saw(who, direction, message) {
    this.crowd.saw?.(this, who, direction, message);
  }

  stream(id) {
    let found = this.streams.get(id);

    if (!found) {
      found = new StreamCount(id, this);
      this.streams.set(id, found);
      this.crowd.streams.set(id, found);
    }
    return found;
  }

  /* ---- the phone ---- */

  openGlasses() {
    const ws = new WebSocket(`${this.crowd.url()}/glasses-ws?token=${this.token}`, {
      perMessageDeflate: false,
    });

    this.glasses.ws = ws;
    ws.on('open', () => this.#saw('glasses', 'open'));
    ws.on('message', (data) => this.#fromCloud(ws, parseFrame(data.toString())));
    ws.on('error', () => {});
    ws.on('close', (code) => this.#glassesClosed(ws, code));
  }

  #glassesClosed(ws, code) {
    if (ws !== this.glasses.ws) return;
    this.#saw('glasses', 'close');
    this.note(`phone: closed ${code}`);
    this.glasses.ready = false;
    this.glasses.closes++;
    if (this.#gone) return;
    this.#reconnect = setTimeout(() => this.openGlasses(), phoneReconnectMs / this.crowd.scale);
  }

  /** What the phone says. */
  say(msg) {
    const { ws } = this.glasses;

    if (ws?.readyState !== WebSocket.OPEN) return;
    this.#saw('glasses', 'out', msg);
    ws.send(JSON.stringify(msg));
  }

  #fromCloud(ws, msg) {
    if (ws !== this.glasses.ws) return;
    this.#saw('glasses', 'in', msg);
    if (msg.type === 'keep_rtmp_stream_alive') return this.#onProbe(msg);
    if (msg.type === 'app_state_change') return;
    this.note(`phone: < ${msg.type} ${msg.streamId ?? ''}`);
    if (msg.type === 'connection_ack') this.#onAck();
    else if (msg.type === 'start_rtmp_stream') this.#onStart(msg);
    else if (msg.type === 'stop_rtmp_stream') this.#onStop(msg);
  }

  #onAck() {
    this.say({
      type: 'glasses_connection_state',
      modelName: 'Mentra Live',
      status: 'CONNECTED',
      wifi: { connected: true, ssid: 'lab' },
      timestamp: new Date().toISOString(),
    });
    this.glasses.ready = true;
  }

  startApp() {
    this.say({ type: 'start_app', packageName: this.crowd.packageName });
  }

  /* ---- the device (protocol 8) ---- */

  #status(status, streamId) {
    this.say({ type: 'rtmp_stream_status', status, streamId });
  }

  #later(ms, fn) {
    const { life } = this.device;

    setTimeout(() => {
      if (life === this.device.life) fn();
    }, ms / this.crowd.scale);
  }

  #onProbe({ streamId, ackId }) {
    const { device } = this;
    const at = now();

    this.stream(streamId).probe(at);
    if (device.phase !== 'starting' && device.phase !== 'streaming') return;
    if (streamId === device.streamId) device.fedAt = at;
    this.say({ type: 'keep_alive_ack', streamId, ackId, timestamp: Date.now() });
  }

  #onStart({ streamId }) {
    const { device } = this;
    const pauseMs = device.phase === 'idle' ? 0 : pauseBeforeRestartMs;

    this.stream(streamId).starts++;
    if (pauseMs > 0) this.#end();
    device.life++;
    Object.assign(device, { phase: 'starting', streamId });
    this.#later(pauseMs + initializingMs, () => {
      this.#status('initializing', streamId);
      this.#later(connectMs, () => {
        Object.assign(device, { phase: 'streaming', fedAt: now() });
        this.#status('streaming', streamId);
      });
    });
  }

  #onStop({ streamId }) {
    if (streamId) this.stream(streamId).stops++;
    this.#end();
  }

  #end() {
    if (this.device.phase === 'idle') return;
    this.device.life++;
    Object.assign(this.device, { phase: 'idle', streamId: null });
    this.#status('stopped');
    this.#status('stopping');
  }

  /** The device's own limit: asked now and then by the crowd. */
  look(at) {
    const { device } = this;

    if (device.phase !== 'streaming' || at - device.fedAt < selfTimeoutMs / this.crowd.scale) return;
    device.selfTimeouts++;
    this.note('device: no keep-alive for too long, ends by itself');
    this.say({
      type: 'rtmp_stream_status',
      status: 'error',
      streamId: device.streamId,
      errorDetails: 'Stream timed out - no keep-alive from cloud',
    });
    this.#end();
  }

  /** Phone and device lose their network for ever; the device's own end is heard by nobody. */
  pullCable() {
    this.note('cable pulled');
    this.#gone = true;
    clearTimeout(this.#reconnect);
    this.glasses.ready = false;
    this.glasses.ws?.terminate();
    this.device.life++;
    Object.assign(this.device, { phase: 'idle', streamId: null });
  }

  /* ---- the app (protocol 2) ---- */

  openApp(url = this.appUrl) {
    const ws = new WebSocket(url, { perMessageDeflate: false });

    this.appUrl = url;
    this.app.ws = ws;
    this.app.ready = false;
    ws.on('open', () => {
      this.#saw('app', 'open');
      this.send({ type: 'tpa_connection_init', apiKey: this.crowd.apiKey }, ws);
    });
    ws.on('message', (data) => this.#toApp(ws, parseFrame(data.toString())));
    ws.on('error', () => {});
    ws.on('close', (code) => this.#appClosed(ws, code));
  }

  #toApp(ws, msg) {
    if (ws !== this.app.ws) return;
    this.#saw('app', 'in', msg);
    if (msg.type === 'rtmp_stream_status') return this.#onStatus(msg);
    this.onAppMessage?.(msg);
    this.note(`app: < ${msg.type} ${msg.code ?? ''} ${msg.message ?? ''}`);
    if (msg.type === 'tpa_connection_ack') {
      this.app.ready = true;
      this.#again = 0;
    } else if (msg.type === 'tpa_connection_error') {
      this.app.errors++;
      this.settle({ kind: 'refused', code: msg.code, message: msg.message });
    }
  }

  #onStatus({ status, streamId }) {
    const { words } = this.stream(streamId);
    const known = Object.keys(words).length > 0;

    this.note(`app: < ${status} ${streamId}`);
    words[status] = (words[status] ?? 0) + 1;
    if (!known && !terminal(status)) this.settle({ kind: 'accepted', streamId });
  }

  #appClosed(ws, code) {
    if (ws !== this.app.ws) return;
    this.#saw('app', 'close');
    this.note(`app: closed ${code}`);
    this.app.ready = false;
    this.app.closes++;
    this.settle({ kind: 'closed', code });
    if (this.leaving || finalCodes.includes(code) || this.#again === appReconnectMs.length) return;
    setTimeout(() => {
      if (!this.leaving && ws === this.app.ws) this.openApp();
    }, appReconnectMs[this.#again++]);
  }

  /** A webhook of this user's app, as the crowd's server got it. */
  onWebhook({ type, augmentOSWebsocketUrl }) {
    this.note(`app: webhook ${type}`);
    if (type === 'session_request' && !this.leaving) {
      this.#again = 0;
      this.openApp(augmentOSWebsocketUrl);
    } else if (type === 'stop_request') {
      this.app.ready = false;
      this.app.ws?.close();
    }
  }

  get asking() {
    return this.#waiter !== null;
  }

  settle(outcome) {
    this.#waiter?.(outcome);
  }

  /**
   * Asks for a stream.  Resolves with what the app hears first: {kind: accepted | refused | closed |
   * silent, ms, ...}; an `accepted` stream is one the app had never heard of.
   */
  request(rtmpUrl, timeoutMs) {
    for (const stream of this.streams.values()) stream.asked = true;
    return this.ask({ type: 'rtmp_stream_request', rtmpUrl }, timeoutMs);
  }

  /** Sends a request; resolves as request() when something settles it. */
  ask(message, timeoutMs) {
    const began = now();

    this.note(`app: > ${message.type}`);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle({ kind: 'silent' }), timeoutMs);

      this.#waiter = (outcome) => {
        clearTimeout(timer);
        this.#waiter = null;
        resolve({ ...outcome, began, ms: now() - began, member: this });
      };
      this.send(message);
    });
  }

  stop(streamId) {
    this.stream(streamId).asked = true;
    this.note(`app: > rtmp_stream_stop ${streamId}`);
    this.send({ type: 'rtmp_stream_stop', streamId });
  }

  /** What the app says. */
  send(fields, ws = this.app.ws) {
    const { packageName } = this.crowd;

    if (ws?.readyState !== WebSocket.OPEN) return this.settle({ kind: 'closed' });
    const msg = { packageName, sessionId: this.sessionId, ...fields };

    this.#saw('app', 'out', msg);
    return ws.send(JSON.stringify(msg));
  }

  /** Ends everything; resolves when the sockets are closed. */
  async dispose() {
    this.leaving = true;
    this.pullCable();
    await Promise.all(
      [this.glasses.ws, this.app.ws]
        .filter((ws) => ws && ws.readyState !== WebSocket.CLOSED)
        .map(
          (ws) =>
            new Promise((resolve) => {
              ws.once('close', resolve);
              ws.terminate();
            }),
        ),
    );
  }
}
