// Secrets with a mark of their own and characters that break careless programs, planted everywhere that
// weir is told one; and the search for them where none may be.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { SecretHunt } from '../../lib/secret_hunt.mjs';

/* Whatever an escape does to the rest of a secret, this stays as it is. */
const mark = `cAnArY${randomBytes(6).toString('hex')}`;
const unusual = `'"$&;<>{}()%41%00*!|~^@`;
const pieceBytes = 16 << 20;
const historyMs = 120000;

const canary = (what) => `${mark}-${what}-${unusual}`;

export const canaries = {
  apiKey: canary('api-key \\ \u00e9\u4e2d'),
  vendorToken: canary('token'),
  webhookSecret: canary('webhook-secret-of-32-bytes-and-more'),
  keyMark: `${mark}-key-'$&;(){}%41*!|~^@-`, /* the provider's keys have no quotes and no < > */
  /** A place to publish to, whose key is a secret. */
  rtmpUrl: (who) => `rtmp://ingest.example.com/live/${canary(who)}`,
  destination: (who) => `rtmp://a.rtmp.example.com/live2/${mark}-${who}-'$&;~!*`,
};

/* All tokens of glasses begin with the same head; its length keeps it from being found by chance. */
export function huntOf(weir, token) {
  return new SecretHunt({
    canary: mark,
    'secret of tokens': weir.secret,
    'token of glasses': token.split('.')[0],
  });
}

/** The secrets in a file that may be larger than a string. */
export async function inFile(hunt, path) {
  const found = new Set();
  let tail = '';

  for await (const piece of createReadStream(path, { encoding: 'latin1', highWaterMark: pieceBytes })) {
    for (const name of hunt.in(tail + piece)) found.add(name);
    tail = piece.slice(-200);
  }
  return [...found];
}

/** Every secret in what is left of a run, as "place: secret": in @files that are there, and in @texts by name. */
export async function leftIn(hunt, { files, texts }) {
  const found = Object.entries(texts).flatMap(([what, text]) => hunt.in(text).map((s) => `${what}: ${s}`));

  for (const file of files.filter((path) => existsSync(path)))
    found.push(...(await inFile(hunt, file)).map((s) => `${file}: ${s}`));
  return found;
}

async function writeHistory(weir, path) {
  const fd = openSync(path, 'w');
  const tap = weir.tapInto(fd, '--from', '1', '--until', '-0s');

  closeSync(fd);
  const { code } = await tap.waitEvent('exit', historyMs);

  assert.equal(code, 0, tap.story());
}

/**
 * Every secret that is where none may be, as "place: secret"; @recordings: files to search beside
 * @weir's own; @out: where the history is written.
 */
export async function leaks(weir, hunt, { recordings, out }) {
  const history = join(out, 'history.jsonl');
  const found = [];
  const texts = { log: weir.log(Infinity) };

  for (const [what, args] of Object.entries({
    metrics: ['check', '--format', 'prom'],
    'provider ls': ['provider', 'ls', '-o', 'json'],
  }))
    /* A refusal is searched as well. */
    texts[what] = await weir.cli(...args).catch((error) => `${error.stdout}${error.stderr}`);
  for (const [what, text] of Object.entries(texts)) found.push(...hunt.in(text).map((s) => `${what}: ${s}`));
  await writeHistory(weir, history);
  for (const file of [history, ...recordings]) found.push(...(await inFile(hunt, file)).map((s) => `${file}: ${s}`));
  found.push(...hunt.processes(weir.dir).found, ...hunt.files(weir.runDir).open);
  return found;
}
