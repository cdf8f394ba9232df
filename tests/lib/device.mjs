// The camera device of the glasses: what the firmware does with start, stop and keep-alive
// (protocol section 8).  It knows nothing of sockets: the phone carries its words.
//
// The odd parts are deliberate and belong to the firmware: refusals, `stopped` and `stopping`
// carry no streamId; any stop stops whatever runs; acknowledgements are also sent for foreign ids.
import { Publisher } from './publisher.mjs';

const selfTimeoutMs = 60000;
const pauseBeforeRestartMs = 500;
const selfRecoveryMs = 1000;
const attemptsMax = 10;
const jitterMs = 300;
const batteryFloor = 10;

export const timeoutDetails = 'Stream timed out - no keep-alive from cloud';

export class Device {
  #timers = new Set();
  #selfTimer = null;
  #stream = null; /* {streamId, url}: what was last started and not yet ended */
  #publisher = null;
  #booted = false;
  #networkUp = true;

  /**
   * @say: called with every message for the phone.
   * @note: called with (event, fields) for everything worth seeing in a record.
   * @scale: every delay of the firmware is divided by it; @delays are given unscaled, too.
   * @random: 0 <= x < 1, for the jitter.
   */
  constructor({
    say,
    note = () => {},
    scale = 1,
    publish = false,
    battery = null,
    wifi = true,
    delays = {},
    random = Math.random,
  }) {
    Object.assign(this, { say, note, scale, publish, battery, wifi, random });
    this.delays = { bootMs: 0, initializingMs: 50, connectMs: 500, ...delays };
    this.phase = 'idle'; /* idle, pausing, starting, streaming, reconnecting */
    this.refuse = null;
    this.zombie = false;
  }

  get streamId() {
    return this.#stream?.streamId ?? null;
  }

  get running() {
    return ['starting', 'streaming', 'reconnecting'].includes(this.phase);
  }

  get publisherPid() {
    return this.#publisher?.pid ?? null;
  }

  handle(msg) {
    if (msg.type === 'start_rtmp_stream') this.#onStart(msg);
    else if (msg.type === 'stop_rtmp_stream') this.#onStop();
    else if (msg.type === 'keep_rtmp_stream_alive') this.#onKeepAlive(msg);
  }

  #later(ms, fn) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms / this.scale);

    this.#timers.add(timer);
    return timer;
  }

  #cancelTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#selfTimer = null;
  }

  #move(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.note('device', { phase });
  }

  #status(status, fields = {}) {
    this.say({ type: 'rtmp_stream_status', status, ...fields });
  }

  /* With the id: everything that happens while a stream runs (protocol 8.4). */
  #ownStatus(status, fields = {}) {
    this.#status(status, { streamId: this.#stream.streamId, ...fields });
  }

  /* ---- start (protocol 8.1) ---- */

  #refusal(msg) {
    if (this.refuse) return this.refuse;
    if (!msg.rtmpUrl) return 'missing_rtmp_url';
    if (this.battery !== null && this.battery < batteryFloor)
      return `Battery level too low (${this.battery}%) - minimum ${batteryFloor}% required`;
    if (!this.wifi) return 'no_wifi_connection';
    return null;
  }

  #onStart(msg) {
    const reason = this.#refusal(msg);

    if (reason) {
      const id = reason === 'camera_busy' ? { streamId: msg.streamId } : {};

      this.#status('error', { ...id, errorDetails: reason, timestamp: Date.now() });
      return;
    }
    const next = { streamId: msg.streamId ?? '', url: msg.rtmpUrl };

    if (this.phase === 'idle') {
      this.#begin(next);
      return;
    }
    if (this.running) this.#endReported();
    this.#cancelTimers();
    this.#move('pausing');
    this.#later(pauseBeforeRestartMs, () => this.#begin(next));
  }

  #begin(stream) {
    const boot = this.#booted ? 0 : this.delays.bootMs;

    this.#booted = true;
    this.#stream = stream;
    this.zombie = false;
    this.#move('starting');
    this.#later(boot + this.delays.initializingMs, () => {
      this.#ownStatus('initializing');
      this.#open(
        () => this.#onConnected('streaming'),
        () => this.#linkLost('connection_failed'),
      );
    });
  }

  /* Connects the media: for real with a publisher, by the clock without. */
  #open(onConnected, onFailed) {
    if (!this.#networkUp) {
      this.#later(0, onFailed);
      return;
    }
    if (!this.publish) {
      this.#later(this.delays.connectMs, onConnected);
      return;
    }
    const publisher = new Publisher(this.#stream.url);

    this.#publisher = publisher;
    publisher.on('entry', (entry) => {
      this.note(`publisher.${entry.event}`, { code: entry.code, stderr: entry.stderr });
      if (publisher !== this.#publisher) return;
      if (entry.event === 'connected') onConnected();
      else if (!entry.wanted && !this.zombie)
        (this.phase === 'streaming' ? () => this.#linkLost('connection_lost') : onFailed)();
    });
    publisher.start();
  }

  #onConnected(word, fields = {}) {
    this.#move('streaming');
    /* A reconnection does not restart the 60 s timer (protocol 8.5). */
    if (!this.#selfTimer) this.#restartSelfTimer();
    this.#ownStatus(word, fields);
  }

  /* ---- keep-alive (protocol 8.2) ---- */

  #restartSelfTimer() {
    if (this.#selfTimer) {
      clearTimeout(this.#selfTimer);
      this.#timers.delete(this.#selfTimer);
    }
    this.#selfTimer = this.#later(selfTimeoutMs, () => {
      this.#ownStatus('error', { errorDetails: timeoutDetails, timestamp: Date.now() });
      this.#endReported();
    });
  }

  #onKeepAlive({ streamId, ackId }) {
    if (!streamId || !ackId || !this.running) return;
    if (this.phase === 'streaming' && streamId === this.#stream.streamId) this.#restartSelfTimer();
    this.say({ type: 'keep_alive_ack', streamId, ackId, timestamp: Date.now() });
  }

  /* ---- stop (protocol 8.3) ---- */

  #onStop() {
    if (this.running) {
      this.#endReported();
      return;
    }
    this.#end();
    this.#status('error', { errorDetails: 'not_streaming', timestamp: Date.now() });
  }

  /* The id is cleared before the callbacks run, hence both words without it, in this order. */
  #endReported() {
    this.#end();
    this.#status('stopped');
    this.#status('stopping', { timestamp: Date.now() });
  }

  #end() {
    this.#cancelTimers();
    this.#stream = null;
    this.#stopPublisher();
    this.#move('idle');
  }

  #stopPublisher(how = 'stop') {
    const publisher = this.#publisher;

    this.#publisher = null;
    return publisher?.[how]();
  }

  /* ---- network loss (protocol 8.5) ---- */

  /* As designed: 1 s for self-recovery, then up to ten attempts with growing pauses. */
  #linkLost(reason) {
    this.#stopPublisher();
    this.#move('reconnecting');
    this.#later(selfRecoveryMs, () => this.#attempt(1, reason));
  }

  #attempt(number, reason, succeedsAt = 1) {
    if (number > attemptsMax) {
      this.#exhausted();
      return;
    }
    const wait = 1000 * 1.5 ** (number - 1) + jitterMs * this.random();
    const next = () => this.#attempt(number + 1, reason, succeedsAt);

    this.#later(wait, () => {
      this.#ownStatus('reconnecting', { attempt: number, maxAttempts: attemptsMax, reason });
      if (number < succeedsAt) next();
      else this.#open(() => this.#onConnected('reconnected', { attempt: number }), next);
    });
  }

  #exhausted() {
    this.#ownStatus('reconnect_failed', { maxAttempts: attemptsMax });
    this.#end();
    this.#status('stopped');
  }

  #needStream(name) {
    if (!this.running) throw new Error(`${name}: the device is not streaming`);
  }

  /** S1: reconnecting(1..@attempts), then reconnected. */
  s1({ attempts = 2, reason = 'connection_lost' } = {}) {
    this.#needStream('s1');
    this.#stopPublisher('kill');
    this.#move('reconnecting');
    this.#later(selfRecoveryMs, () => this.#attempt(1, reason, attempts));
  }

  /** S2: reconnecting(1), initializing, streaming; with @loops failed rounds before. */
  s2({ loops = 0, reason = 'connection_lost' } = {}) {
    this.#needStream('s2');
    this.#stopPublisher('kill');
    this.#move('reconnecting');
    this.#later(selfRecoveryMs + 1000 + jitterMs * this.random(), () => {
      this.#ownStatus('reconnecting', { attempt: 1, maxAttempts: attemptsMax, reason });
      this.#later(this.delays.initializingMs, () => {
        this.#ownStatus('initializing');
        if (loops > 0) this.s2({ loops: loops - 1, reason });
        else
          this.#open(
            () => this.#onConnected('streaming'),
            () => this.s2({ reason }),
          );
      });
    });
  }

  /** S3: the link is lost, the device believes it recovered: it acks and sends no picture. */
  s3() {
    this.#needStream('s3');
    this.zombie = true;
    this.#stopPublisher('kill');
  }

  /** S4: the tenth attempt fails, too. */
  s4({ reason = 'connection_lost' } = {}) {
    this.#needStream('s4');
    this.#stopPublisher('kill');
    this.#move('reconnecting');
    this.#ownStatus('reconnecting', { attempt: attemptsMax, maxAttempts: attemptsMax, reason });
    this.#later(100, () => this.#exhausted());
  }

  /** S5: a fatal error while streaming. */
  s5({ details = 'RTMP connection failed: refused' } = {}) {
    this.#needStream('s5');
    this.#ownStatus('error', { errorDetails: details, timestamp: Date.now() });
    this.#end();
    this.#status('stopped');
  }

  /** The encoder dies by itself; what follows is the designed reconnection. */
  crashPublisher() {
    return this.#publisher?.crash();
  }

  /** Without a network the media dies at once and no attempt succeeds. */
  setNetwork(up) {
    this.#networkUp = up;
    if (up || !this.running) return Promise.resolve();
    const gone = this.#stopPublisher('kill');

    if (!this.zombie) this.#linkLost('connection_lost');
    return gone ?? Promise.resolve();
  }

  /** Switched off: nothing is reported. */
  dispose() {
    const gone = this.#stopPublisher('kill');

    this.#cancelTimers();
    this.#stream = null;
    this.phase = 'idle';
    return gone ?? Promise.resolve();
  }
}
