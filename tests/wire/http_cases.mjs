// Requests, right and wrong, and what a gateway must say to them: the rows of the table of bad input
// that come before a WebSocket, and REST calls.
//
// A case: {name, bytes, want}.  @want is a status, `cut` (the connection ends without a byte) or
// `library` (it ends, maybe with a small page of the library's own).  PATH and TOKEN in the bytes
// stand for the path of an upgrade that would be accepted and for the token of a connected user.
import { upgrade } from '../lib/raw_http.mjs';

export const cut = 'cut';
export const library = 'library';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const fields = (count, size = 1) =>
  Array.from({ length: count }, (_, i) => `x-${i}: ${'v'.repeat(size)}\r\n`).join('');
const row =
  (want) =>
  ([name, bytes]) => ({ name, bytes, want });

const good = upgrade('PATH');
const without = (name) => good.replace(new RegExp(`^${name}:.*\r\n`, 'm'), '');
const having = (headers) => upgrade('PATH', headers);
const adding = (more) => good.replace('\r\n\r\n', `\r\n${more}\r\n`);
const line = (from, to) => good.replace(from, to);

export const upgrades = [
  ...[
    ['as it should be', good],
    ['lines that end with LF alone', good.replaceAll('\r\n', '\n')],
    [
      'extensions, which are not taken',
      having({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }),
    ],
    ['a head of 7 KiB', adding(fields(1, 7000))],
    /* More than 64 fields: the library does not count them, 8 KiB bound them. */
    ['700 fields', adding(fields(700))],
  ].map(row(101)),
  ...[
    ['no key', without('Sec-WebSocket-Key')],
    ['an empty key', having({ 'Sec-WebSocket-Key': '' })],
    ['a short key', having({ 'Sec-WebSocket-Key': 'abc' })],
    ['a long key', having({ 'Sec-WebSocket-Key': key + key })],
    ['a key of 500 bytes', having({ 'Sec-WebSocket-Key': 'a'.repeat(500) })],
    ['a key that is no base64', having({ 'Sec-WebSocket-Key': `${'!'.repeat(22)}==` })],
    ['a key without its end', having({ 'Sec-WebSocket-Key': 'a'.repeat(24) })],
    ['POST', line('GET', 'POST')],
    ['PUT', line('GET', 'PUT')],
    ['HEAD', line('GET', 'HEAD')],
    ['HTTP/1.0', line('HTTP/1.1', 'HTTP/1.0')],
    ['HTTP/2.0', line('HTTP/1.1', 'HTTP/2.0')],
    ['no HTTP version', line(' HTTP/1.1', '')],
  ].map(row(400)),
  ...[
    ['no version', without('Sec-WebSocket-Version')],
    ...['0', '8', '14', '130', 'abc', '13, 8'].map((version) => [
      `version ${version}`,
      having({ 'Sec-WebSocket-Version': version }),
    ]),
  ].map(row(426)),
  ...[
    ['a head of 9,000 bytes', adding(fields(1, 9000))],
    ['a head of 15,000 bytes', adding(fields(1, 15000))],
    ['a head of 9,000 bytes in 1,000 fields', adding(fields(1000))],
  ].map(row(431)),
  ...[
    ['no Host', without('Host')],
    ['no Connection', without('Connection')],
    ['Connection: close', having({ Connection: 'close' })],
    ['Upgrade: h2c', having({ Upgrade: 'h2c' })],
    ['an unknown subprotocol', having({ 'Sec-WebSocket-Protocol': 'nope' })],
    ['a head of 17,000 bytes', adding(fields(1, 17000))],
    ['a head of 100,000 bytes', adding(fields(1, 100000))],
    ['an unknown method', line('GET', 'BREW')],
  ].map(row(cut)),
  { name: 'Upgrade: foo', bytes: having({ Upgrade: 'foo' }), want: library },
  { name: 'no Upgrade', bytes: without('Upgrade'), want: 404 },
];

const get = (more = '', path = '/health', method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

export const requests = [
  ...[
    ['as it should be', get()],
    ['lower case', get('', '/health', 'get')],
    ['a doubled Host', get('Host: y\r\n')],
    ['500 fields', get(fields(500))],
    ['a path that goes up and down', get('', '/x/../health')],
    ['a second request behind the first', get() + get()],
    ['a body that nobody reads', `${get('Content-Length: 2\r\n')}{}`],
    ['high bytes in a field name', get('x\xff: a\r\n')],
  ].map(row(200)),
  ...[
    ['an unknown path', get('', '/nope')],
    ['an escaped NUL in the path', get('', '/%00')],
    ['a path out of the tree', get('', '/../../etc/passwd')],
  ].map(row(404)),
  ...['PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'POST'].map((method) => ({
    name: `${method} where GET is meant`,
    bytes: get('Content-Length: 0\r\n', '/health', method),
    want: 405,
  })),
  ...[
    ['a head of 9,000 bytes', get(fields(1, 9000))],
    ['a path of 9,000 bytes', get('', `/${'a'.repeat(9000)}`)],
  ].map(row(431)),
  ...[
    ['a head of 17,000 bytes', get(fields(1, 17000))],
    ['a path of 17,000 bytes', get('', `/${'a'.repeat(17000)}`)],
    ['TRACE', get('', '/health', 'TRACE')],
    ['CONNECT', get('', '/health', 'CONNECT')],
    ['a method of 300 bytes', 'P'.repeat(300)],
    ['a NUL in the path', get('', '/a\0b')],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['empty lines', '\r\n\r\n\r\n'],
    ['zero bytes', Buffer.alloc(300)],
    ['0xff bytes', Buffer.alloc(300, 0xff)],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')],
  ].map(row(cut)),
  ...[
    ['a bad escape in the path', get('', '/%zz')],
    ['an absolute URL', get('', 'http://x/health')],
    ['no path', 'GET  HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['OPTIONS *', get('', '*', 'OPTIONS')],
  ].map(row(library)),
];

const post = (more, body = '') =>
  `POST /api/client/device/state HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n${more}\r\n${body}`;
const sized = (length, body) => post(`Content-Length: ${length}\r\n`, body);
const whole = (body) => sized(body.length, body);

export const bodies = [
  ...[
    ['as it should be', sized(2, '{}')],
    ['64 KiB', whole(`{"x":"${'x'.repeat(65536 - 8)}"}`)],
    ['bytes behind the body', sized(2, `{}${'x'.repeat(1000)}`)],
    ['a second request behind the body', sized(2, `{}${get()}`)],
    ['Expect: 100-continue', post('Expect: 100-continue\r\nContent-Length: 2\r\n', '{}')],
    ['16 levels', whole(`{"x":${'['.repeat(15)}${']'.repeat(15)}}`)],
    ['doubled members', whole('{"connected":7,"connected":true}')],
    ['members of wrong types', whole('{"connected":{},"modelName":["Vuzix"]}')],
  ].map(row(200)),
  ...[
    ['chunks', post('Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n')],
    ['chunk garbage', post('Transfer-Encoding: chunked\r\n', 'zz\r\nxx')],
    ['a chunk of 2^64 bytes', post('Transfer-Encoding: chunked\r\n', 'ffffffffffffffff\r\n')],
    ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', '{}')],
    ['an unknown encoding', post('Transfer-Encoding: gzip\r\n', '{}')],
    ['no length', post('')],
    ['length 0', sized(0)],
    ['length -1', sized(-1, '{}')],
    ['length +2', sized('+2', '{}')],
    ['length 0x2', sized('0x2', '{}')],
    ['length "2 2"', sized('2 2', '{}')],
    ['length 99999999999999999999', sized('99999999999999999999')],
    ['two lengths', post('Content-Length: 2\r\nContent-Length: 2\r\n', '{}')],
    ['two lengths that differ', post('Content-Length: 2\r\nContent-Length: 3\r\n', '{} ')],
    ['no JSON', whole('{x')],
    ['an array', whole('[]')],
    ['a NUL', whole('{"x":"\0"}')],
    ['17 levels', whole(`{"x":${'['.repeat(16)}${']'.repeat(16)}}`)],
  ].map(row(400)),
  ...[
    ['64 KiB and a byte announced', sized(65537)],
    ['999,999,999,999,999 bytes announced', sized('999999999999999')],
  ].map(row(413)),
];

/** What is begun and not ended: answered at the deadline of the handshake. */
export const unfinished = [
  ...[
    ['half a request line', 'GET /hea'],
    ['half a head', 'GET /health HTTP/1.1\r\nHost'],
    ['half a body', sized(100, '{}')],
    ['a field without colon', get('nocolon\r\n')],
    ['a folded field', get('x: a\r\n b\r\n')],
    ['a NUL in a field', get('x: a\0b\r\n')],
    ['a field without name', get(': a\r\n')],
  ].map(row(408)),
  { name: 'nothing', bytes: '', want: cut },
];
