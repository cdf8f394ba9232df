// Exchanges of exact bytes with an HTTP port: upgrades that are refused, and small REST calls.
import { request } from 'node:http';
import { connect } from 'node:net';
import { slack } from './recorder.mjs';

/** The upgrade request of a WebSocket client, as text. */
export function upgrade(path, headers = {}) {
  const lines = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };

  return (
    `GET ${path} HTTP/1.1\r\n` +
    Object.entries(lines)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('') +
    '\r\n'
  );
}

/**
 * Sends @data and collects what comes back until the server ends the connection.
 * Resolves with {text, ended}; ended is false if the server kept the connection for @timeoutMs.
 */
export function exchange(port, data, { timeoutMs = 3000 } = {}) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const finish = (ended) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, ended });
    };
    const timer = setTimeout(() => finish(false), timeoutMs * slack);

    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(data));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => finish(true));
    socket.on('close', () => finish(true));
  });
}

/** A REST call; resolves with {status, headers, text, json}. */
export function call(method, url, { token, body, headers = {} } = {}) {
  const payload = body === undefined ? undefined : JSON.stringify(body);

  return new Promise((resolve, reject) => {
    const req = request(
      url,
      {
        method,
        headers: {
          ...(token ? { Authorization: `Bearer ${token}` } : {}),
          ...(payload
            ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }
            : {}),
          ...headers,
        },
        timeout: 10000 * slack,
      },
      (response) => {
        let text = '';

        response.setEncoding('utf8');
        response.on('data', (data) => {
          text += data;
        });
        response.on('end', () => {
          let json;

          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          resolve({ status: response.statusCode, headers: response.headers, text, json });
        });
      },
    );

    req.on('timeout', () => req.destroy(new Error(`${method} ${url}: no answer`)));
    req.on('error', reject);
    req.end(payload);
  });
}
