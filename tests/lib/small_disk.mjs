// A small disk that can be full: a tmpfs in a mount namespace that lives as long as this object, also
// when every process of weir in it is killed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const pieces = [1 << 20, 4096, 1]; /* bytes: until not one more fits */

/** Why this machine cannot have one, or false. */
export function noSmallDisk() {
  try {
    execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no user and mount namespaces here: ${error.stderr ?? error.message}`;
  }
}

export class SmallDisk {
  #keeper;

  static async open({ mib = 64 } = {}) {
    const self = new SmallDisk();
    const mount = `mount -t tmpfs -o size=${mib}m,mode=0700 tmpfs "$0" && echo && exec sleep infinity`;

    self.path = mkdtempSync(join(tmpdir(), 'weir-disk-'));
    self.#keeper = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', 'unshare', '-rm', 'bash', '-c', mount, self.path],
      { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
    );
    await once(self.#keeper.stdout, 'data');
    return self;
  }

  /** The command that runs another where this disk is: Weir.start()'s @before. */
  get before() {
    return ['nsenter', '-t', String(this.#keeper.pid), '-U', '-m', '--preserve-credentials', '--wd=.'];
  }

  get #filler() {
    return join(`/proc/${this.#keeper.pid}/root`, this.path, 'filler');
  }

  fill() {
    const fd = openSync(this.#filler, 'a');

    for (const piece of pieces)
      try {
        for (;;) writeSync(fd, Buffer.alloc(piece));
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
      }
    closeSync(fd);
  }

  free() {
    rmSync(this.#filler, { force: true });
  }

  async close() {
    this.#keeper.kill('SIGKILL');
    await once(this.#keeper, 'exit');
    rmdirSync(this.path);
  }
}
