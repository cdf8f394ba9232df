// WebSocket frames byte by byte, right or wrong (RFC 6455 section 5), and a socket that sends them.
import { connect } from 'node:net';
import { Recorder, parseFrame } from './recorder.mjs';
import { upgrade } from './raw_http.mjs';

export const CONT = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const key = Buffer.from([1, 2, 3, 4]);

/** Bytes as people write them: pairs of hex digits, spaces anywhere. */
export const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/* @length in @form bits (7, 16, 64), which need not be the shortest; the mask bit goes before it. */
function lengthField(length, form, masked) {
  const field = Buffer.alloc({ 7: 1, 16: 3, 64: 9 }[form]);

  field[0] = { 7: Number(length), 16: 126, 64: 127 }[form] | (masked ? 0x80 : 0);
  if (form === 16) field.writeUInt16BE(Number(length), 1);
  if (form === 64) field.writeBigUInt64BE(BigInt(length), 1);
  return field;
}

const shortest = (length) => (length < 126 ? 7 : length < 65536 ? 16 : 64);

/**
 * One frame of a client.  @announce: the length it claims to have, if that is not the truth.
 * @rsv: the three reserved bits as a number, RSV1 = 4.
 */
export function frame(
  opcode,
  payload = '',
  { fin = true, rsv = 0, masked = true, form, announce } = {},
) {
  const body = Buffer.from(payload);
  const length = announce ?? body.length;

  return Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode]),
    lengthField(length, form ?? shortest(length), masked),
    masked ? key : Buffer.alloc(0),
    masked ? body.map((byte, at) => byte ^ key[at & 3]) : body,
  ]);
}

/** @parts as one message of that many frames. */
export const fragments = (opcode, ...parts) =>
  Buffer.concat(
    parts.map((part, at) => frame(at ? CONT : opcode, part, { fin: at === parts.length - 1 })),
  );

export const text = (payload, options) => frame(TEXT, payload, options);

export function close(code, reason = '', options) {
  const head = Buffer.alloc(2);

  head.writeUInt16BE(code);
  return frame(CLOSE, Buffer.concat([head, Buffer.from(reason)]), options);
}

/* The first frame of @bytes from a server, or null as long as it is not complete. */
function readFrame(bytes) {
  if (bytes.length < 2) return null;
  const short = bytes[1] & 0x7f;
  const head = { 126: 4, 127: 10 }[short] ?? 2;

  if (bytes.length < head) return null;
  const length =
    head === 2 ? short : head === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));

  if (bytes.length < head + length) return null;
  return {
    first: bytes[0],
    masked: (bytes[1] & 0x80) !== 0,
    payload: bytes.subarray(head, head + length),
    size: head + length,
  };
}

/**
 * A client without a WebSocket library.  Records {event: 'upgraded', head}, {event: 'closing', code,
 * reason} (a close frame came in), {event: 'pong', payload}, {event: 'ping'}, {dir: 'in', msg, raw}
 * and {event: 'end'} (the connection is over).  It answers nothing by itself but a close frame.
 */
export class RawWs extends Recorder {
  #bytes = Buffer.alloc(0);
  #upgraded = false;

  /** @answersClose, @answersPings: as a client should; false: as one that is stuck. */
  constructor(port, path, { headers = {}, answersClose = true, answersPings = true } = {}) {
    super(`socket at ${path.replace(/\?.*/, '')}`);
    Object.assign(this, { answersClose, answersPings });
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (data) => this.#onData(data));
    this.socket.on('error', () => {}); /* a reset is an end like any other */
    this.socket.on('close', () => this.record({ event: 'end' }));
    this.socket.write(upgrade(path, headers));
  }

  async open() {
    const entry = await this.waitFor((e) => ['upgraded', 'end'].includes(e.event), 10000, {
      what: 'upgrade',
    });

    if (!entry.head?.startsWith('HTTP/1.1 101 '))
      throw new Error(`${this.name}: no upgrade\n${this.story()}`);
    return this;
  }

  #onData(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (!this.#upgraded) {
      const end = this.#bytes.indexOf('\r\n\r\n');

      if (end < 0) return;
      this.#upgraded = true;
      this.record({ event: 'upgraded', head: this.#bytes.toString('latin1', 0, end) });
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    for (let one = readFrame(this.#bytes); one; one = readFrame(this.#bytes)) {
      this.#bytes = this.#bytes.subarray(one.size);
      this.#onFrame(one);
    }
  }

  #onFrame({ first, masked, payload }) {
    const opcode = first & 0x0f;

    if (masked || (first & 0xf0) !== 0x80)
      this.record({ event: 'malformed', first, masked, payload });
    else if (opcode === TEXT) {
      const raw = payload.toString();

      this.record({ dir: 'in', raw, msg: parseFrame(raw) });
    } else if (opcode === PING) {
      this.record({ event: 'ping' });
      if (this.answersPings) this.send(frame(PONG, payload));
    } else if (opcode === PONG) {
      this.record({ event: 'pong', payload: payload.toString('latin1') });
    } else if (opcode === CLOSE) {
      const code = payload.length >= 2 ? payload.readUInt16BE() : null;

      const reason = payload.toString('utf8', 2);

      this.record({ event: 'closing', code, length: payload.length, reason });
      if (this.answersClose) this.send(frame(CLOSE, payload));
    } else {
      this.record({ event: 'malformed', first, masked, payload });
    }
  }

  /** Bytes as they are; those behind the end of the connection are lost. */
  send(bytes) {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** An object as a text message. */
  say(message) {
    this.send(text(JSON.stringify(message)));
  }

  async dispose() {
    this.socket.destroy();
    await this.waitEvent('end');
  }
}
