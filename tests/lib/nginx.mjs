// A private, unprivileged nginx with the RTMP module on loopback ports of its own.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimPorts } from './ports.mjs';

const template = fileURLToPath(new URL('../media/nginx.conf.in', import.meta.url));

const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

function fetchText(url) {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let text = '';

      response.setEncoding('utf8');
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

export class Nginx {
  #child;
  #exited;

  static async start() {
    const self = new Nginx();
    const dir = mkdtempSync(join(tmpdir(), 'weir-nginx-'));
    const port = await claimPorts(2);
    const values = { '@run@': dir, '@rtmp_port@': port, '@http_port@': port + 1 };
    const text = readFileSync(template, 'utf8').replace(/@\w+@/g, (name) => values[name] ?? name);

    mkdirSync(join(dir, 'tmp'));
    writeFileSync(join(dir, 'nginx.conf'), text);
    Object.assign(self, { dir, rtmpPort: port, httpPort: port + 1 });
    self.#spawn();
    await self.#ready();
    return self;
  }

  #spawn() {
    /* -e, or nginx complains about the log file it was built with. */
    const child = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'SIGTERM',
        '--',
        'nginx',
        '-e',
        join(this.dir, 'error.log'),
        '-p',
        this.dir,
        '-c',
        join(this.dir, 'nginx.conf'),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );

    this.stderr = '';
    child.stderr.on('data', (data) => {
      this.stderr += data;
    });
    running.add(child);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.on('close', (code) => {
        running.delete(child);
        resolve(code);
      });
    });
  }

  /* nginx has no readiness signal; its first answer is one. */
  async #ready() {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (!running.has(this.#child)) break;
      try {
        await this.stat();
        return;
      } catch {
        await pause(50);
      }
    }
    throw new Error(`nginx did not start: ${this.stderr}`);
  }

  url(name) {
    return `rtmp://127.0.0.1:${this.rtmpPort}/live/${name}`;
  }

  stat() {
    return fetchText(`http://127.0.0.1:${this.httpPort}/stat`);
  }

  /** The names that are being published right now. */
  async publishers() {
    const xml = await this.stat();

    return [...xml.matchAll(/<stream>([\s\S]*?)<\/stream>/g)]
      .filter(([, body]) => body.includes('<publishing/>'))
      .map(([, body]) => body.match(/<name>([^<]*)<\/name>/)[1]);
  }

  /** Resolves when @name is published (or, with @wanted false, no longer is). */
  async waitPublisher(name, wanted = true, timeoutMs = 10000) {
    const deadline = performance.now() + timeoutMs;

    while ((await this.publishers()).includes(name) !== wanted) {
      if (performance.now() > deadline)
        throw new Error(`${name} is ${wanted ? 'not' : 'still'} published after ${timeoutMs} ms`);
      await pause(50);
    }
  }

  /** Ends the server, all of its connections included; resume() starts it on the same ports. */
  async pause() {
    this.#child.kill('SIGTERM');
    return this.#exited;
  }

  async resume() {
    this.#spawn();
    await this.#ready();
  }

  async stop() {
    const code = await this.pause();

    rmSync(this.dir, { recursive: true, force: true });
    return code;
  }
}
