// A TCP relay on loopback in front of a server: what a bad network does to links.
//
//   const relay = await Relay.start(port, { random });   clients connect to relay.port
//   relay.weather = { delayMs, jitterMs, lossPart };     of all links, from now on; each is optional
//   const link = relay.linkOf(ws);                       of a WebSocket of this process
//   link.stall();       half-open: no byte, no FIN and no RST passes any more, in either direction
//   link.cut();         both ends are reset
//   await link.heldClose(1001, ms)                       what a stalled link keeps from its client
//
// TCP keeps order, so a late piece keeps back those behind it; and it repeats what is lost, so loss is
// a piece that comes one retransmission later, or several of them.
import { EventEmitter, once } from 'node:events';
import { connect, createServer } from 'node:net';
import { now, slack } from './recorder.mjs';

const retransmitMs = 250; /* Linux waits 200 ms and a round trip, then twice as long each time */
const retransmitsMax = 5;

/* The end of a WebSocket: an unmasked close frame with a code, as servers send it. */
const isClose = (bytes, code) => {
  for (let at = bytes.indexOf(0x88); at >= 0; at = bytes.indexOf(0x88, at + 1))
    if (at + 4 <= bytes.length && bytes.readUInt16BE(at + 2) === code) return true;
  return false;
};

class Link extends EventEmitter {
  #held = []; /* what the server said since the stall */
  #stalled = false;

  constructor(relay, client, server) {
    super();
    Object.assign(this, { relay, client, server });
    this.#carry(client, server);
    this.#carry(server, client);
  }

  /* Nothing is slowed down for a reader that does not read: what glasses are told is little. */
  #carry(from, to) {
    let due = 0;
    const later = (what) => {
      const wait = this.relay.delay();

      if (wait === 0 && due <= now()) return what();
      due = Math.max(due, now() + wait);
      return setTimeout(what, due - now());
    };

    from.on('data', (bytes) => {
      if (this.#stalled) this.#hold(from, bytes);
      else later(() => this.#pass(() => to.writable && to.write(bytes)));
    });
    from.on('end', () => later(() => this.#pass(() => to.end())));
    from.on('error', () => this.#pass(() => to.resetAndDestroy()));
    from.on('close', () => later(() => this.#pass(() => to.destroy())));
  }

  #pass(what) {
    if (!this.#stalled) what();
  }

  #hold(from, bytes) {
    if (from !== this.server) return;
    this.#held.push(bytes);
    this.emit('held');
  }

  get stalled() {
    return this.#stalled;
  }

  stall() {
    this.#stalled = true;
  }

  cut() {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  /** Resolves with the moment at which a close with @code was held back; rejects after @timeoutMs. */
  async heldClose(code, timeoutMs) {
    const signal = AbortSignal.timeout(timeoutMs * slack);

    while (!isClose(Buffer.concat(this.#held), code)) await once(this, 'held', { signal });
    return now();
  }
}

export class Relay {
  #server;
  #port;
  #links = new Map(); /* by the client's port */

  weather = {};

  static async start(port, { random = Math.random } = {}) {
    const self = new Relay();

    self.random = random;
    self.#port = port;
    self.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => self.#accept(client));
    self.#server.listen(0, '127.0.0.1', 1024);
    await once(self.#server, 'listening');
    return self;
  }

  get port() {
    return this.#server.address().port;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}`;
  }

  #accept(client) {
    const server = connect({
      ...{ port: this.#port, host: '127.0.0.1' },
      ...{ allowHalfOpen: true, noDelay: true },
    });
    const key = client.remotePort;

    this.#links.set(key, new Link(this, client, server));
    client.on('close', () => this.#links.delete(key));
  }

  linkOf(ws) {
    return this.#links.get(ws?._socket?.localPort);
  }

  delay() {
    const { delayMs = 0, jitterMs = 0, lossPart = 0 } = this.weather;
    let wait = delayMs + jitterMs * (2 * this.random() - 1);

    for (let again = 0; again < retransmitsMax && this.random() < lossPart; again++)
      wait += retransmitMs << again;
    return Math.max(0, wait);
  }

  async close() {
    for (const link of this.#links.values()) link.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
