// Frames, right and wrong, and what a gateway must say to them: the rows of the table of bad input.
//
// A case: {name, bytes, want, count, side}.  @want is one of the words below, @count the counter
// that must have moved, @side 'glasses' or 'app' if the case is for that door alone.
import {
  BINARY,
  CLOSE,
  CONT,
  PING,
  PONG,
  TEXT,
  close,
  fragments,
  frame,
  hex,
  text,
} from '../lib/raw_ws.mjs';

export const messageMax = 64 * 1024;

/* What a gateway does. */
export const closes = (code) => ({ kind: 'closes', code }); /* a close frame with this code */
export const cut = { kind: 'cut' }; /* the connection ends without one */
export const ignored = {
  kind: 'lives',
}; /* nothing; the socket goes on, the text is not acted on */
export const read = { kind: 'read' }; /* the text is acted on */
export const notJson = { kind: 'notJson' }; /* apps: 1011; glasses: ignored */
export const noObject = { kind: 'noObject' }; /* apps: no init; glasses: ignored */
export const pongs = (...payloads) => ({ kind: 'pongs', payloads });

/* Glasses answer it with a second connection_ack, an app that has no session with an error. */
const word = '{"type":"connection_init"}';
const init = (members) => `{"type":"connection_init",${members}}`;
const cat = (...parts) => Buffer.concat(parts);
const half = (byte) => cat(Buffer.from('{"type":"connection_init","x":"'), hex(byte));
const tail = (bytes) => cat(hex(bytes), Buffer.from('"}'));
const sized = (size) => init(`"x":"${'x'.repeat(size - init('"x":""').length)}"`);
const frames = (rows, make) => rows.map(([name, ...rest]) => make(name, ...rest));

const broken = 'gateway.limit_frames';
const tooBig = 'gateway.limit_message_size';
const notUtf8 = 'gateway.limit_utf8';

const reserved = [
  ...[4, 2, 1, 7].map((rsv) => ({
    name: `RSV ${rsv.toString(2).padStart(3, '0')} in a text`,
    bytes: text(word, { rsv }),
    want: closes(1002),
    count: broken,
  })),
  ...frames(
    [
      ['a ping', frame(PING, '', { rsv: 4 })],
      ['a pong', frame(PONG, '', { rsv: 2 })],
      ['a close', close(1000, '', { rsv: 1 })],
      ['a continuation', cat(text('{', { fin: false }), frame(CONT, '}', { rsv: 4 }))],
    ],
    (what, bytes) => ({ name: `RSV in ${what}`, bytes, want: closes(1002), count: broken }),
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    name: `reserved opcode ${opcode}`,
    bytes: frame(opcode, 'a'),
    want: closes(1002),
    count: broken,
  })),
];

const control = [
  ...frames(
    [
      ['ping', PING],
      ['pong', PONG],
      ['close', CLOSE],
    ],
    (what, opcode) => ({
      name: `a fragmented ${what}`,
      bytes: frame(opcode, '', { fin: false }),
      want: closes(1002),
      count: broken,
    }),
  ),
  ...frames(
    [
      ['ping of 126 bytes', frame(PING, 'x'.repeat(126))],
      ['pong of 126 bytes', frame(PONG, 'x'.repeat(126))],
      ['close of 126 bytes', close(1000, 'x'.repeat(124))],
      ['ping of 70,000 bytes', frame(PING, 'x'.repeat(70000))],
      ['ping of 3 bytes with a length of 16 bits', frame(PING, 'abc', { form: 16 })],
      ['ping of 3 bytes with a length of 64 bits', frame(PING, 'abc', { form: 64 })],
    ],
    (what, bytes) => ({ name: `a ${what}`, bytes, want: cut }),
  ),
  ...[0, 1, 2, 3, 4, 124, 125].map((size) => ({
    name: `a ping of ${size} bytes`,
    bytes: frame(PING, 'p'.repeat(size)),
    want: pongs('p'.repeat(size)),
  })),
  { name: 'a ping of all zero bytes', bytes: frame(PING, '\0\0'), want: pongs('\0\0') },
  { name: 'a pong nobody asked for', bytes: frame(PONG, 'x'), want: ignored },
  {
    name: 'a pong that is no UTF-8, after a text',
    bytes: cat(text(word), frame(PONG, hex('ff'))),
    want: read,
  },
];

const sequence = [
  {
    name: 'a continuation without start',
    bytes: frame(CONT, 'a'),
    want: closes(1002),
    count: broken,
  },
  {
    name: 'a continuation without start or end',
    bytes: frame(CONT, 'a', { fin: false }),
    want: closes(1002),
    count: broken,
  },
  {
    name: 'a continuation behind a whole message',
    bytes: cat(text(word), frame(CONT)),
    want: closes(1002),
    count: broken,
    side: 'glasses',
  },
  {
    name: 'a text inside a fragmented one',
    bytes: cat(text('{', { fin: false }), text(word)),
    want: closes(1002),
    count: broken,
  },
  {
    name: 'binary inside a fragmented text',
    bytes: cat(text('{', { fin: false }), frame(BINARY, 'a')),
    want: closes(1002),
    count: broken,
  },
  {
    name: 'a ping between fragments',
    bytes: cat(
      text(word.slice(0, 9), { fin: false }),
      frame(PING, 'in'),
      frame(CONT, word.slice(9)),
    ),
    want: read,
  },
  {
    name: 'a message of empty fragments around a text',
    bytes: fragments(TEXT, '', '', word, ''),
    want: read,
  },
  { name: 'a message of one byte per fragment', bytes: fragments(TEXT, ...word), want: read },
  { name: 'an empty message of fragments', bytes: fragments(TEXT, '', ''), want: notJson },
  { name: 'an empty text', bytes: text(''), want: notJson },
  { name: 'empty binary', bytes: frame(BINARY), want: ignored, side: 'glasses' },
  {
    name: 'binary that is no UTF-8',
    bytes: frame(BINARY, hex('ff00')),
    want: ignored,
    side: 'glasses',
  },
  {
    name: 'binary from an app',
    bytes: frame(BINARY, hex('ff00')),
    want: closes(1011),
    side: 'app',
  },
];

const closing = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code) => ({
    name: `close ${code}`,
    bytes: close(code),
    want: closes(code),
  })),
  /* 1012 to 1014 were given meanings after RFC 6455; the library does not know them. */
  ...[0, 1, 999, 1004, 1005, 1006, 1012, 1013, 1014, 1015, 1016, 1100, 2000, 2999].map((code) => ({
    name: `close ${code}, which must not be sent`,
    bytes: close(code),
    want: closes(1002),
  })),
  ...[5000, 9999, 65535].map((code) => ({
    name: `close ${code}`,
    bytes: close(code),
    want: cut,
    count: broken,
  })),
  { name: 'close without a code', bytes: frame(CLOSE), want: closes(null) },
  { name: 'close with half a code', bytes: frame(CLOSE, 'a'), want: cut, count: broken },
  {
    name: 'close with a reason',
    bytes: close(1000, 'bye ä'),
    want: { ...closes(1000), reason: 'bye ä' },
  },
  {
    name: 'close with a reason of 123 bytes',
    bytes: close(1000, 'x'.repeat(123)),
    want: { ...closes(1000), reason: 'x'.repeat(123) },
  },
  ...frames(
    [
      ['a wrong second byte', 'c328'],
      ['a surrogate', 'eda080'],
      ['half a character', 'e282'],
      ['an overlong form', 'c080'],
    ],
    (what, bytes) => ({
      name: `close with ${what} in its reason`,
      bytes: close(1000, hex(bytes)),
      want: cut,
      count: broken,
    }),
  ),
  {
    name: 'data behind a close',
    bytes: cat(close(1000), text(word), text('x'), frame(PING, 'a')),
    want: closes(1000),
  },
  { name: 'two closes', bytes: cat(close(1000), close(1001)), want: closes(1000) },
];

const utf8 = [
  ...frames(
    [
      ['an overlong form', 'c080'],
      ['a surrogate', 'eda080'],
      ['beyond U+10FFFF', 'f4908080'],
      ['a lone continuation byte', '80'],
      ['0xff', 'ff'],
      ['a wrong second byte', 'c328'],
    ],
    (what, bytes) => ({
      name: `${what} in a text`,
      bytes: text(cat(half(bytes), tail(''))),
      want: closes(1007),
      count: notUtf8,
    }),
  ),
  {
    name: 'a text that ends inside a character',
    bytes: text(half('e282')),
    want: closes(1007),
    count: notUtf8,
  },
  {
    name: 'a bad byte behind 60,000 good ones',
    bytes: text(cat(Buffer.alloc(60000, 'x'), hex('ff'))),
    want: closes(1007),
    count: notUtf8,
  },
  {
    name: 'a bad character over two fragments',
    bytes: fragments(TEXT, half('e2'), tail('2822')),
    want: closes(1007),
    count: notUtf8,
  },
  {
    name: 'fragments that end inside a character',
    bytes: fragments(TEXT, half(''), hex('e2')),
    want: closes(1007),
    count: notUtf8,
  },
  {
    name: 'an empty fragment behind half a character',
    bytes: fragments(TEXT, half('e2'), ''),
    want: closes(1007),
    count: notUtf8,
  },
  {
    name: 'a character over three fragments',
    bytes: fragments(TEXT, half('e2'), hex('82'), tail('ac')),
    want: read,
  },
  {
    name: 'a pong inside a character',
    bytes: cat(
      frame(TEXT, half('e2'), { fin: false }),
      frame(PONG, 'weir'),
      frame(CONT, tail('82ac')),
    ),
    want: read,
  },
  { name: 'a character of four bytes', bytes: text(cat(half('f09f9880'), tail(''))), want: read },
];

const lengths = [
  { name: 'a length of 16 bits that 7 could hold', bytes: text(word, { form: 16 }), want: read },
  { name: 'a length of 64 bits that 7 could hold', bytes: text(word, { form: 64 }), want: read },
  {
    name: 'a length of 64 bits that 16 could hold',
    bytes: text(sized(300), { form: 64 }),
    want: read,
  },
  { name: 'an unmasked text', bytes: text(word, { masked: false }), want: read },
  { name: 'an unmasked ping', bytes: frame(PING, 'a', { masked: false }), want: pongs('a') },
  ...[125, 126, 127, 255, 256, 257, 65535, messageMax].map((size) => ({
    name: `a text of ${size} bytes`,
    bytes: text(sized(size)),
    want: read,
  })),
  {
    name: 'a text of 64 KiB and a byte',
    bytes: text(sized(messageMax + 1)),
    want: closes(1009),
    count: tooBig,
  },
  {
    name: 'binary of 64 KiB and a byte',
    bytes: frame(BINARY, sized(messageMax + 1)),
    want: closes(1009),
    count: tooBig,
  },
  {
    name: 'fragments of 64 KiB and a byte',
    bytes: fragments(TEXT, sized(messageMax), 'x'),
    want: closes(1009),
    count: tooBig,
  },
  {
    name: 'a second fragment announced too long',
    bytes: cat(text('{', { fin: false }), frame(CONT, 'x', { form: 64, announce: messageMax })),
    want: closes(1009),
    count: tooBig,
  },
  ...[1n << 32n, (1n << 63n) - 1n].flatMap((announce) =>
    [TEXT, BINARY].map((opcode) => ({
      name: `${opcode === TEXT ? 'a text' : 'binary'} of ${announce} bytes announced`,
      /* As much as the library collects before it hands something on. */
      bytes: frame(opcode, 'x'.repeat(256), { form: 64, announce }),
      want: closes(1009),
      count: tooBig,
    })),
  ),
  ...[1n << 63n, (1n << 64n) - 1n].map((announce) => ({
    name: `a length of ${announce}`,
    bytes: frame(TEXT, 'x', { form: 64, announce }),
    want: cut,
  })),
];

const deep = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const wide = (count) => Array.from({ length: count }, (_, i) => `"k${i}":0`).join();
const jsonRow = (want) => (name, json) => ({ name, bytes: text(json), want });

const json = [
  ...frames(
    [
      ['arrays 17 deep', init(`"x":${deep(16)}`)],
      ['arrays 30,000 deep', '['.repeat(30000)],
      ['objects 3,000 deep', '{"a":'.repeat(3000)],
      ['257 members', init(wide(256))],
      ['10,000 doubled members', `{${'"type":1,'.repeat(7000)}"type":"connection_init"}`],
      ['a NUL byte', init('"x":"\0"')],
      ['an escaped NUL', init('"x":"\\u0000"')],
      ['a NUL behind the end', `${word}\0`],
      ['a lone high surrogate', init('"x":"\\ud800"')],
      ['a lone low surrogate', init('"x":"\\udc00"')],
      ['an unknown escape', init('"x":"\\q"')],
      ['a raw newline in a string', init('"x":"\n"')],
      ['NaN', init('"x":NaN')],
      ['a comma too many', init('"x":1,')],
      ['a word', 'hello'],
      ['half an object', '{"type":"connection_init"'],
      ['two objects', word + word],
      ['a byte order mark', `\ufeff${word}`],
    ],
    jsonRow(notJson),
  ),
  ...frames(
    [
      ['arrays 16 deep', init(`"x":${deep(15)}`)],
      ['256 members', init(wide(255))],
      ['a pair of surrogates', init('"x":"\\ud83d\\ude00"')],
      ['a number beyond a double', init('"x":1e999')],
      ['a number of 60,000 digits', init(`"x":${'9'.repeat(60000)}`)],
      ['a key of 60,000 bytes', init(`"${'k'.repeat(60000)}":0`)],
      ['escapes in the key', '{"\\u0074ype":"connection_init"}'],
      ['the last of doubled keys', '{"type":"nothing","type":"connection_init"}'],
    ],
    jsonRow(read),
  ),
  ...frames(
    [
      ['an array', '[]'],
      ['a string', '"connection_init"'],
      ['null', 'null'],
    ],
    jsonRow(noObject),
  ),
  ...frames(
    [
      ['no type', '{}'],
      ['a type that is a number', '{"type":7}'],
      ['a type that is null', '{"type":null}'],
      ['a type that is an object', '{"type":{"type":"connection_init"}}'],
      ['an unknown type', '{"type":"no_such_type"}'],
      ['a type of 60,000 bytes', `{"type":"${'t'.repeat(60000)}"}`],
      ['the last of doubled types is unknown', '{"type":"connection_init","type":"nothing"}'],
      ['a status of wrong types', '{"type":"rtmp_stream_status","status":{},"streamId":7}'],
      ['an ack of wrong types', '{"type":"keep_alive_ack","streamId":[],"ackId":true}'],
      ['a start of wrong types', '{"type":"start_app","packageName":false}'],
    ],
    (name, bytes) => ({ name, bytes: text(bytes), want: ignored, side: 'glasses' }),
  ),
];

export const groups = {
  'RSV bits and opcodes': reserved,
  'control frames': control,
  'order of frames': sequence,
  'close frames': closing,
  'UTF-8': utf8,
  lengths,
  JSON: json,
};
