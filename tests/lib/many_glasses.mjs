// Thousands of glasses that only connect: what a storm is made of.
import WebSocket from 'ws';
import { coreToken } from './jwt.mjs';
import { parseFrame, slack } from './recorder.mjs';

const openMs = 30000;

/** One socket; resolves with {ws}, {status, retryAfter} of a refusal, or {error}. */
function open(url, token) {
  return new Promise((resolve) => {
    const ws = new WebSocket(`${url}/glasses-ws?token=${token}`, {
      handshakeTimeout: openMs * slack,
    });
    const socket = { ws, acked: false, closed: null };

    ws.on('unexpected-response', (request, response) => {
      resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'] });
      request.destroy();
    });
    ws.on('error', (error) => resolve({ error: error.message }));
    ws.on('close', (code) => {
      socket.closed = code;
      socket.onClosed?.();
    });
    ws.on('message', (data) => {
      if (parseFrame(String(data))?.type !== 'connection_ack') return;
      socket.acked = true;
      socket.onAcked?.();
    });
    ws.on('open', () => resolve(socket));
  });
}

/** Resolves when @socket has its connection_ack, or is closed. */
export function acked(socket) {
  return new Promise((resolve) => {
    if (socket.acked || socket.closed !== null) resolve();
    else socket.onAcked = socket.onClosed = resolve;
  });
}

export function closed(socket) {
  return new Promise((resolve) => {
    if (socket.closed !== null) resolve();
    else socket.onClosed = resolve;
  });
}

export class ManyGlasses {
  constructor(weir, count, label = 'many') {
    this.weir = weir;
    this.tokens = Array.from({ length: count }, (_, i) =>
      coreToken(`${label}.${i}@example.com`, weir.secret),
    );
  }

  /** The sockets of the users @from to @to, asked for all at once; those refused have no ws. */
  connect({ from = 0, to = this.tokens.length, gateway = 1 } = {}) {
    const url = this.weir.url(gateway);

    return Promise.all(this.tokens.slice(from, to).map((token) => open(url, token)));
  }
}
