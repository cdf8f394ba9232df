// The phone: the socket between one user's glasses and the cloud (protocol section 1).
//
// It does nothing by itself beyond connecting: scripted tests say every word.  GlassesSim puts a
// device with a life of its own on top of it.
import WebSocket from 'ws';
import { Recorder, parseFrame } from './recorder.mjs';
import { coreToken } from './jwt.mjs';

export class Phone extends Recorder {
  #intended = false; /* we want to be connected: an unasked close is followed by a reconnect */
  #offline = false;
  #reconnectTimer = null;

  /**
   * @url: base, e.g. ws://127.0.0.1:8002; may be a function, asked before every connect.
   * @secret: HMAC secret of the token; or @token: a token made elsewhere.
   * @tokenIn: 'query' as the mobile app does, or 'header'.
   * @autoReconnectMs: 0 = stay away after a loss; the mobile app uses 5000 (protocol 1.3).
   */
  constructor({
    url,
    user,
    secret,
    token,
    tokenIn = 'query',
    model = 'Mentra Live',
    wifi = true,
    ssid = 'lab',
    livekit = false,
    autoReconnectMs = 0,
    autoPong = true,
    name = `phone of ${user}`,
  }) {
    super(name);
    Object.assign(this, {
      url,
      user,
      tokenIn,
      model,
      wifi,
      ssid,
      livekit,
      autoReconnectMs,
      autoPong,
    });
    this.token = token ?? coreToken(user, secret);
    this.sockets = [];
  }

  get current() {
    return this.sockets.at(-1);
  }

  get isOpen() {
    return this.current?.readyState === WebSocket.OPEN;
  }

  get offline() {
    return this.#offline;
  }

  #target() {
    const base = typeof this.url === 'function' ? this.url() : this.url;
    const query = new URLSearchParams();

    if (this.tokenIn === 'query') query.set('token', this.token);
    if (this.livekit) query.set('livekit', 'true');
    return `${base}/glasses-ws?${query}`;
  }

  /**
   * Opens one more socket, which becomes the current one, and resolves with its connection_ack.
   * The older sockets, if any, stay as they are: that is how a second phone looks to the cloud.
   */
  connect(timeoutMs = 10000) {
    const headers = this.tokenIn === 'header' ? { Authorization: `Bearer ${this.token}` } : {};
    const ws = new WebSocket(this.#target(), { headers, autoPong: this.autoPong });
    const socket = this.sockets.push(ws) - 1;
    const from = this.entries.length;

    this.#intended = true;
    clearTimeout(this.#reconnectTimer);
    ws.on('open', () => this.record({ event: 'open', socket }));
    ws.on('message', (data, isBinary) => this.#onFrame(data, isBinary, socket));
    ws.on('ping', () => this.record({ event: 'ping', socket }));
    ws.on('error', (error) => this.record({ event: 'error', socket, message: error.message }));
    ws.on('unexpected-response', (_request, response) => {
      this.record({ event: 'refused', socket, status: response.statusCode });
      ws.terminate();
    });
    ws.on('close', (code, reason) => this.#onClose(socket, code, reason.toString()));
    return this.waitFor(
      (entry) =>
        entry.socket === socket &&
        (entry.msg?.type === 'connection_ack' || entry.event === 'close'),
      timeoutMs,
      { from, what: 'connection_ack' },
    ).then((entry) => {
      if (entry.event === 'close')
        throw new Error(`${this.name}: closed before connection_ack\n${this.story()}`);
      return entry;
    });
  }

  #onFrame(data, isBinary, socket) {
    const raw = isBinary ? null : data.toString();
    const entry = this.record({
      dir: 'in',
      socket,
      raw,
      binary: isBinary,
      msg: raw && parseFrame(raw),
    });

    if (entry.msg) this.onMessage(entry.msg, socket);
  }

  #onClose(socket, code, reason) {
    this.record({ event: 'close', socket, code, reason });
    if (socket === this.sockets.length - 1) this.#scheduleReconnect();
  }

  #scheduleReconnect() {
    if (!this.#intended || this.#offline || !this.autoReconnectMs) return;
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = setTimeout(() => {
      if (!this.#intended || this.#offline || this.isOpen) return;
      /* A failed attempt closes its socket, and that close schedules the next one. */
      this.connect().then(
        () => this.onReconnected(),
        () => {},
      );
    }, this.autoReconnectMs);
  }

  /** For subclasses: a message from the cloud arrived. */
  onMessage(_msg, _socket) {}

  /** For subclasses: the automatic reconnect got its connection_ack. */
  onReconnected() {
    this.sendState();
  }

  /** Sends an object, or a string as it is.  Returns the recorded entry; throws if not open. */
  send(message, socket = this.sockets.length - 1) {
    const raw = typeof message === 'string' ? message : JSON.stringify(message);
    const ws = this.sockets[socket];

    if (ws?.readyState !== WebSocket.OPEN)
      throw new Error(`${this.name}: socket ${socket} is not open`);
    const entry = this.record({ dir: 'out', socket, raw, msg: parseFrame(raw) });

    ws.send(raw);
    return entry;
  }

  /** The state report that opens the gate for stream requests (protocol 1.6, 3.2). */
  sendState(status = 'CONNECTED', extra = {}) {
    return this.send({
      type: 'glasses_connection_state',
      modelName: this.model,
      status,
      wifi: { connected: this.wifi, ssid: this.wifi ? this.ssid : null },
      timestamp: new Date().toISOString(),
      ...extra,
    });
  }

  status(status, fields = {}) {
    return this.send({ type: 'rtmp_stream_status', status, ...fields });
  }

  /** Acknowledges a received keep-alive as the device does (protocol 8.2). */
  ack(probe, fields = {}) {
    const { streamId, ackId } = probe.msg ?? probe;

    return this.send({ type: 'keep_alive_ack', streamId, ackId, timestamp: Date.now(), ...fields });
  }

  /** The link dies without a word: no close frame. */
  drop(socket = this.sockets.length - 1) {
    this.record({ event: 'drop', socket });
    this.sockets[socket]?.terminate();
  }

  /** A polite close; stays away unless told to connect again. */
  close(code = 1000, reason = '', socket = this.sockets.length - 1) {
    if (socket === this.sockets.length - 1) this.#intended = false;
    this.sockets[socket]?.close(code, reason);
    return this.waitFor((entry) => entry.event === 'close' && entry.socket === socket, 3000, {
      what: `close of socket ${socket}`,
    });
  }

  /** No network: sockets die, and no reconnect succeeds until goOnline(). */
  goOffline() {
    this.#offline = true;
    clearTimeout(this.#reconnectTimer);
    for (const ws of this.sockets) ws.terminate();
  }

  goOnline() {
    this.#offline = false;
    this.#scheduleReconnect();
  }

  /** Ends everything this phone holds open; safe to call twice. */
  async dispose() {
    this.#intended = false;
    clearTimeout(this.#reconnectTimer);
    await Promise.all(
      this.sockets.map(
        (ws) =>
          new Promise((resolve) => {
            if (ws.readyState === WebSocket.CLOSED) return resolve();
            ws.once('close', resolve);
            ws.terminate();
          }),
      ),
    );
  }
}
