// A server made from the vendor's own description of its API: it answers with the examples (mock), or
// stands in front of another server and checks what goes in and what comes out (proxy).
//
// What is refused with 422, or turned into 500, breaks the schema.  The strict variant, used here, also
// refuses members that the schema does not know: the vendor would pass over them in silence.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimPorts } from './ports.mjs';
import { Recorder } from './recorder.mjs';

const binary = fileURLToPath(new URL('../node_modules/.bin/prism', import.meta.url));
const schema = fileURLToPath(
  new URL('../contract/vendor/cloudflare-stream.openapi.json', import.meta.url),
);
const closed = [
  'stream_create_input_request',
  'stream_update_input_request',
  'stream_live_input_recording_settings',
  'stream_create_output_request',
  'stream_update_output_request',
];
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Prism extends Recorder {
  #child;
  #exited;

  /** A mock, or with @upstream a proxy in front of that. */
  static async start({ upstream } = {}) {
    const self = new Prism('prism');
    const description = JSON.parse(readFileSync(schema, 'utf8'));

    for (const name of closed) description.components.schemas[name].additionalProperties = false;
    self.dir = mkdtempSync(join(tmpdir(), 'weir-prism-'));
    const file = join(self.dir, 'strict.json');

    writeFileSync(file, JSON.stringify(description));
    self.port = await claimPorts();
    self.url = `http://127.0.0.1:${self.port}`;
    const where = ['-h', '127.0.0.1', '-p', String(self.port)];

    self.#spawn(
      upstream ? ['proxy', ...where, '--errors', file, upstream] : ['mock', ...where, file],
    );
    await self.waitFor((e) => e.text?.includes('is listening'), 60000, { what: 'readiness' });
    return self;
  }

  #spawn(args) {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', binary, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });

    running.add(child);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => this.record({ text: String(data) }));
    this.#exited = new Promise((resolve) => {
      child.on('close', (code) => {
        running.delete(child);
        this.record({ exit: code });
        resolve();
      });
    });
  }

  async close() {
    this.#child.kill('SIGTERM');
    await this.#exited;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
