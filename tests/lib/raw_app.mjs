// A raw third-party app: the webhook server and the WebSocket connections, without the SDK, so that
// every message has its time and every misbehaviour of an app can be played (protocol section 2).
import { createServer } from 'node:http';
import WebSocket from 'ws';
import { Recorder, parseFrame } from './recorder.mjs';

const iso = () => new Date().toISOString();

/** One app WebSocket. */
export class RawApp extends Recorder {
  constructor({ url, sessionId, packageName, apiKey, headers = {}, autoPong = true }) {
    super(`app ${packageName} of ${sessionId}`);
    Object.assign(this, { url, sessionId, packageName, apiKey, headers, autoPong });
    this.ws = null;
  }

  get isOpen() {
    return this.ws?.readyState === WebSocket.OPEN;
  }

  /** Connects only; resolves when the socket is open. */
  open(timeoutMs = 5000) {
    const ws = new WebSocket(this.url, { headers: this.headers, autoPong: this.autoPong });

    this.ws = ws;
    ws.on('open', () => this.record({ event: 'open' }));
    ws.on('message', (data, binary) => {
      const raw = binary ? null : data.toString();

      this.record({ dir: 'in', raw, binary, msg: raw && parseFrame(raw) });
    });
    ws.on('ping', () => this.record({ event: 'ping' }));
    ws.on('error', (error) => this.record({ event: 'error', message: error.message }));
    ws.on('close', (code, reason) => {
      this.record({ event: 'close', code, reason: reason.toString() });
    });
    return this.waitFor((entry) => ['open', 'close'].includes(entry.event), timeoutMs, {
      what: 'open',
    }).then((entry) => {
      if (entry.event === 'close') throw new Error(`${this.name}: refused\n${this.story()}`);
      return this;
    });
  }

  initMessage(fields = {}) {
    return {
      type: 'tpa_connection_init',
      sessionId: this.sessionId,
      packageName: this.packageName,
      apiKey: this.apiKey,
      timestamp: iso(),
      ...fields,
    };
  }

  /** Sends the init and resolves with the ack; rejects if the socket is closed instead. */
  async init(fields) {
    this.send(this.initMessage(fields));
    const entry = await this.waitFor(
      (e) => e.msg?.type === 'tpa_connection_ack' || e.event === 'close',
      5000,
      { what: 'tpa_connection_ack' },
    );

    if (entry.event === 'close')
      throw new Error(`${this.name}: closed instead of acked\n${this.story()}`);
    return entry;
  }

  send(message) {
    const raw = typeof message === 'string' ? message : JSON.stringify(message);

    if (!this.isOpen) throw new Error(`${this.name}: not open`);
    const entry = this.record({ dir: 'out', raw, msg: parseFrame(raw) });

    this.ws.send(raw);
    return entry;
  }

  /** rtmp_stream_request as the SDK writes it (protocol 3.1). */
  request(rtmpUrl, fields = {}) {
    return this.send({
      type: 'rtmp_stream_request',
      packageName: this.packageName,
      sessionId: this.sessionId,
      rtmpUrl,
      ...fields,
      timestamp: iso(),
    });
  }

  /** rtmp_stream_stop; without @streamId the field is absent. */
  stop(streamId) {
    return this.send({
      type: 'rtmp_stream_stop',
      packageName: this.packageName,
      sessionId: this.sessionId,
      ...(streamId === undefined ? {} : { streamId }),
      timestamp: iso(),
    });
  }

  /** managed_stream_request as the SDK writes it (protocol 3.1). */
  watch(fields = {}) {
    return this.send({
      type: 'managed_stream_request',
      packageName: this.packageName,
      ...fields,
      timestamp: iso(),
    });
  }

  /** managed_stream_stop. */
  leave() {
    return this.send({
      type: 'managed_stream_stop',
      packageName: this.packageName,
      timestamp: iso(),
    });
  }

  /** stream_status_check; resolves with the response message. */
  async check() {
    const from = this.entries.length;

    this.send({
      type: 'stream_status_check',
      packageName: this.packageName,
      sessionId: 'unknown-session-id',
      timestamp: iso(),
    });
    const entry = await this.waitMessage('stream_status_check_response', 3000, { from });

    return entry.msg;
  }

  subscribe(subscriptions) {
    return this.send({
      type: 'subscription_update',
      packageName: this.packageName,
      subscriptions,
      sessionId: this.sessionId,
      timestamp: iso(),
    });
  }

  /** The connection dies without a close frame (the cloud sees 1006). */
  drop() {
    this.record({ event: 'drop' });
    this.ws?.terminate();
  }

  close(code = 1000, reason = '') {
    this.ws?.close(code, reason);
    return this.waitEvent('close');
  }

  async dispose() {
    if (!this.ws || this.ws.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => {
      this.ws.once('close', resolve);
    });

    this.ws.terminate();
    await closed;
  }
}

const wellBehaved = { answer: 200, answerDelayMs: 0, connect: true, init: true, initDelayMs: 0 };

/**
 * The webhook server of all apps of a test file; package P is served below /P.
 *
 * Its record holds every webhook call: {event:'webhook', packageName, sessionId, kind, raw, body,
 * headers}, and {event:'running', sessionId, index} for every acknowledged socket, which is
 * this.apps[index].
 */
export class AppHost extends Recorder {
  #server;
  #plans = new Map();
  #calls = new Set(); /* responses that are deliberately never sent */

  /** @apps: {packageName: {apiKey}}; @appUrl: maps the URL of the webhook to the one to use. */
  static async start(apps, { appUrl = (url) => url } = {}) {
    const self = new AppHost('webhook server');

    Object.assign(self, { known: apps, appUrl, apps: [] });
    self.#server = createServer((request, response) => self.#onRequest(request, response));
    await new Promise((resolve) => {
      self.#server.listen(0, '127.0.0.1', resolve);
    });
    self.port = self.#server.address().port;
    return self;
  }

  /** Base URL of a package: what apps_file calls `webhook`. */
  base(packageName) {
    return `http://127.0.0.1:${this.port}/${packageName}`;
  }

  /**
   * How the app behaves towards one session from now on:
   * @answer: HTTP status, or 'never'; @stopAnswer: the same for stop_request.
   * @answerDelayMs, @initDelayMs; @connect, @init: whether it opens a socket, sends its init.
   * @autoPong: false = never answers a WebSocket ping.
   * @url: connect there instead of where the webhook says.
   */
  plan(sessionId, changes) {
    this.#plans.set(sessionId, { ...this.#planOf(sessionId), ...changes });
  }

  #planOf(sessionId) {
    return { ...wellBehaved, ...this.#plans.get(sessionId) };
  }

  #onRequest(request, response) {
    let raw = '';

    request.setEncoding('utf8');
    request.on('data', (data) => {
      raw += data;
    });
    request.on('end', () => {
      const packageName = request.url.split('/')[1];
      const body = parseFrame(raw);

      this.record({
        event: 'webhook',
        packageName,
        kind: body?.type,
        sessionId: body?.sessionId,
        raw,
        body,
        method: request.method,
        path: request.url,
        headers: request.headers,
      });
      this.#answer(body, response);
      if (body?.type === 'session_request') this.#onSession(packageName, body);
    });
  }

  #answer(body, response) {
    const plan = this.#planOf(body?.sessionId);
    const status = body?.type === 'stop_request' ? (plan.stopAnswer ?? plan.answer) : plan.answer;

    if (status === 'never') {
      this.#calls.add(response);
      return;
    }
    setTimeout(() => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ status: status < 300 ? 'success' : 'error' }));
    }, plan.answerDelayMs);
  }

  async #onSession(packageName, body) {
    const plan = this.#planOf(body.sessionId);

    if (!plan.connect) return;
    try {
      await this.connectApp(packageName, body, plan);
    } catch (error) {
      this.record({ event: 'failed', sessionId: body.sessionId, message: error.message });
    }
  }

  /** Opens an app socket as a webhook call asks for; also usable without a call. */
  async connectApp(packageName, { sessionId, augmentOSWebsocketUrl }, plan = wellBehaved) {
    const app = new RawApp({
      url: plan.url ?? this.appUrl(augmentOSWebsocketUrl),
      sessionId,
      packageName,
      apiKey: this.known[packageName].apiKey,
      autoPong: plan.autoPong,
    });
    const index = this.apps.push(app) - 1;

    await app.open();
    this.record({ event: 'connected', sessionId, index });
    if (!plan.init) return app;
    if (plan.initDelayMs)
      await new Promise((resolve) => {
        setTimeout(resolve, plan.initDelayMs);
      });
    await app.init();
    this.record({ event: 'running', sessionId, index });
    return app;
  }

  /** Resolves with the next app socket of this session that was acknowledged. */
  async nextApp(sessionId, { from = this.entries.length, timeoutMs = 5000 } = {}) {
    const entry = await this.waitFor(
      (e) => e.event === 'running' && e.sessionId === sessionId,
      timeoutMs,
      { from, what: `running app ${sessionId}` },
    );

    return this.apps[entry.index];
  }

  webhooks(sessionId, from = 0) {
    return this.entries
      .slice(from)
      .filter((entry) => entry.event === 'webhook' && entry.sessionId === sessionId);
  }

  waitWebhook(sessionId, kind, timeoutMs = 3000, { from = 0 } = {}) {
    return this.waitFor(
      (e) => e.event === 'webhook' && e.sessionId === sessionId && e.kind === kind,
      timeoutMs,
      { from, what: `${kind} for ${sessionId}` },
    );
  }

  async stop() {
    for (const response of this.#calls) response.destroy();
    await Promise.all(this.apps.map((app) => app.dispose()));
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
