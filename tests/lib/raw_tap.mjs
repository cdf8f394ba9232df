// Everything that is published in a run directory, byte for byte, as anybody on the bus may read it.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const binDir =
  process.env.WEIR_BIN_DIR ?? fileURLToPath(new URL('../../build/actors', import.meta.url));

export class RawTap {
  #child;
  #ended;
  #chunks = [];

  /** Resolves once every PUB socket below @runDir was heard. */
  static async start(runDir) {
    const self = new RawTap();

    self.names = readdirSync(runDir).filter((name) => name.endsWith('.outbox'));
    self.#child = spawn(
      join(binDir, '../tests/raw_tap'),
      self.names.map((name) => `ipc://${join(runDir, name)}`),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    self.#child.stdout.on('data', (data) => self.#chunks.push(data));
    self.#ended = new Promise((resolve) => self.#child.on('close', resolve));
    await new Promise((resolve, reject) => {
      self.#child.stderr.on('data', resolve);
      self.#child.on('error', reject);
      self.#ended.then(() => reject(new Error('raw_tap ended')));
    });
    return self;
  }

  /** Resolves with all that was published, as latin1. */
  async stop() {
    this.#child.kill('SIGTERM');
    await this.#ended;
    return Buffer.concat(this.#chunks).toString('latin1');
  }
}
