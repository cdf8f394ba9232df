// What one durable write costs on the disk that the store is on.
import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from '../lib/crowd.mjs';
import { now } from '../lib/recorder.mjs';

const pageBytes = 4096;
const pages = 64; /* written over and over, as the write-ahead log of a running store is */
const tmpfsMagic = 0x01021994;

/** Writes 4 KiB and fdatasync() @count times in @directory: {p50, p99, memory} in ms. */
export function measureFsync(directory, count) {
  const file = join(directory, 'fsync.probe');
  const page = Buffer.alloc(pageBytes, 'x');
  const fd = openSync(file, 'w');
  const times = [];

  try {
    for (let i = 0; i < pages; i++) writeSync(fd, page, 0, pageBytes, i * pageBytes);
    fdatasyncSync(fd);
    for (let i = 0; i < count; i++) {
      const from = now();

      writeSync(fd, page, 0, pageBytes, (i % pages) * pageBytes);
      fdatasyncSync(fd);
      times.push(now() - from);
    }
  } finally {
    closeSync(fd);
    rmSync(file, { force: true });
  }
  return {
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    memory: statfsSync(directory).type === tmpfsMagic,
  };
}
