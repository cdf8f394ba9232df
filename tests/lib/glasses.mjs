// Simulated smart glasses: a phone and its device on one socket, behaving as protocol section 8
// says.
//
// Everything is observable (Recorder): messages in both directions, the device's phases, what was
// lost on the way.  Every misbehaviour is a command that can be given at any time.
import { Phone } from './phone.mjs';
import { Device } from './device.mjs';

const ackRetryMs = 1500; /* one retry of an acknowledgement while BLE is down (protocol 8.2) */
const phoneReconnectMs = 5000; /* fixed, for ever (protocol 1.3) */

export class GlassesSim extends Phone {
  #bleUp = true;
  #ignoreProbes = false;
  #lateAckMs = 0;
  #wrongAck = false;
  #timers = new Set();

  /**
   * Options of Phone, and:
   * @scale: divides every delay of phone and device, the device's own 60 s included.
   * @publish: really push a test picture to the requested URL.
   * @battery: per cent, null = unknown.
   * @autoReconnect: the phone comes back by itself after a lost socket.
   * @delays: {bootMs, initializingMs, connectMs} of the device.
   */
  constructor({
    scale = 1,
    publish = false,
    battery = null,
    autoReconnect = false,
    delays,
    random,
    ...options
  }) {
    super({ autoReconnectMs: autoReconnect ? phoneReconnectMs / scale : 0, ...options });
    this.scale = scale;
    this.device = new Device({
      say: (msg) => this.#fromDevice(msg),
      note: (event, fields) => this.record({ event, ...fields }),
      wifi: this.wifi,
      scale,
      publish,
      battery,
      delays,
      random,
    });
  }

  /** Connects, waits for the ack, reports the glasses as connected. */
  async start() {
    const ack = await this.connect();

    this.sendState();
    return ack;
  }

  /* ---- the relay between cloud and device ---- */

  onMessage(msg) {
    if (!this.#bleUp) {
      this.record({ event: 'lost', way: 'to device', msg });
      return;
    }
    if (msg.type === 'keep_rtmp_stream_alive' && this.#ignoreProbes) return;
    this.device.handle(msg);
  }

  #fromDevice(msg) {
    const isAck = msg.type === 'keep_alive_ack';
    const changed = isAck && this.#wrongAck ? { ...msg, ackId: 'azzzzz' } : msg;

    if (isAck && this.#lateAckMs) this.#later(this.#lateAckMs, () => this.#carry(changed));
    else this.#carry(changed, isAck ? 1 : 0);
  }

  /* BLE first, then the socket; what cannot be delivered is not kept (protocol 8.6). */
  #carry(msg, retries = 0) {
    if (!this.#bleUp && retries > 0) this.#later(ackRetryMs / this.scale, () => this.#carry(msg));
    else if (!this.#bleUp || !this.isOpen) this.record({ event: 'lost', way: 'to cloud', msg });
    else this.send(msg);
  }

  #later(ms, fn) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);

    this.#timers.add(timer);
  }

  /* ---- commands ---- */

  /** The socket dies without a close; comes back by itself only with autoReconnect. */
  dropSocket() {
    this.drop();
  }

  closeSocket(code, reason) {
    return this.close(code, reason);
  }

  async reconnect() {
    const ack = await this.connect();

    this.sendState();
    return ack;
  }

  /** A second phone with the same token; the first socket stays open. */
  secondSocket() {
    return this.connect();
  }

  ignoreProbes(on = true) {
    this.#ignoreProbes = on;
  }

  /** Acknowledgements leave @ms later (not scaled); 0 = at once again. */
  lateAck(ms) {
    this.#lateAckMs = ms;
  }

  /** Acknowledges with an ackId that nobody asked about. */
  wrongAck(on = true) {
    this.#wrongAck = on;
  }

  /** The next starts are refused with @reason (null = accepted again). */
  refuseStart(reason) {
    this.device.refuse = reason;
  }

  setWifi(connected) {
    this.wifi = connected;
    this.device.wifi = connected;
    this.sendState();
  }

  /** The phone tells the cloud, streams are not touched, no word gets through (protocol 1.4). */
  bleDisconnect() {
    this.#bleUp = false;
    this.record({ event: 'ble', up: false });
    if (this.isOpen) this.sendState('DISCONNECTED');
  }

  bleConnect() {
    this.#bleUp = true;
    this.record({ event: 'ble', up: true });
    if (this.isOpen) this.sendState('CONNECTED');
  }

  /** Network gone for phone and device at once: nothing is said to anybody. */
  async pullCable() {
    this.record({ event: 'cable', plugged: false });
    this.goOffline();
    await this.device.setNetwork(false);
  }

  plugCable() {
    this.record({ event: 'cable', plugged: true });
    this.device.setNetwork(true);
    this.goOnline();
  }

  /** Runs S1 ... S5 of protocol 8.5 by name. */
  scenario(name, options) {
    const run = { s1: 's1', s2: 's2', s3: 's3', s4: 's4', s5: 's5' }[name.toLowerCase()];

    if (!run) throw new Error(`unknown scenario ${name}`);
    this.record({ event: 'scenario', name: run });
    this.device[run](options);
  }

  async dispose() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await this.device.dispose();
    await super.dispose();
  }
}
