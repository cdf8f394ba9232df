// Port numbers that two test files running at the same time cannot both get.
//
// Servers of the tests themselves listen on port 0.  A daemon that reads its port from a config
// file needs a number beforehand: it is claimed by an exclusive file, and taken from below the
// range that the kernel uses for outgoing connections, so nobody else can slip in between claim
// and bind.
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(tmpdir(), 'weir-test-ports');
const first = 12000;
const blocks = 2000;
const blockSize = 8; /* 2000 blocks of 8 end at 28000; outgoing ports start at 32768 */
const mine = new Set();

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/*
 * The owner's pid is in the file: a claim outlives a killed test only until somebody needs it.  The
 * file is linked into place complete, so nobody ever reads a claim without its pid.
 */
function claim(file) {
  const draft = `${file}.${process.pid}`;

  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const owner = Number(readFileSync(file, 'utf8')) || 0;

  if (owner > 0 && alive(owner)) return false;
  rmSync(file, { force: true });
  return claim(file);
}

const bindable = (port) =>
  new Promise((resolve) => {
    const server = createServer();

    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** Resolves with the first of @count (at most 8) neighbouring free loopback ports. */
export async function claimPorts(count = 1) {
  if (count > blockSize) throw new Error(`at most ${blockSize} neighbouring ports`);
  mkdirSync(folder, { recursive: true });
  for (let attempt = 0; attempt < 200; attempt++) {
    const block = Math.floor(Math.random() * blocks);
    const base = first + block * blockSize;
    const file = join(folder, String(base));

    if (!claim(file)) continue;
    const free = await Promise.all(Array.from({ length: count }, (_, i) => bindable(base + i)));

    if (free.every(Boolean)) {
      mine.add(file);
      return base;
    }
    rmSync(file, { force: true });
  }
  throw new Error('no free block of ports');
}

process.on('exit', () => {
  for (const file of mine) rmSync(file, { force: true });
});
