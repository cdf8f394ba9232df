// A real RTMP publisher: ffmpeg sends a test picture and a tone, as the camera of the glasses
// would.
//
// "Connected" is taken from ffmpeg's own progress report, which begins only after the RTMP server
// has accepted the publish; the exit of the process is the end of the publishing, whatever its
// reason.
import { spawn } from 'node:child_process';
import { Recorder } from './recorder.mjs';

/* The firmware's fixed format: 1280x720, 15 fps, 800 kbit/s; mono 44.1 kHz, 64 kbit/s (8.1). */
const picture = 'testsrc2=size=1280x720:rate=15';
const tone = 'sine=frequency=440:sample_rate=44100';

function ffmpegArguments(url) {
  return [
    '-nostdin',
    '-hide_banner',
    '-loglevel',
    'warning',
    '-re',
    '-f',
    'lavfi',
    '-i',
    picture,
    '-re',
    '-f',
    'lavfi',
    '-i',
    tone,
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-tune',
    'zerolatency',
    '-g',
    '30',
    '-b:v',
    '800k',
    '-maxrate',
    '800k',
    '-bufsize',
    '800k',
    '-pix_fmt',
    'yuv420p',
    '-c:a',
    'aac',
    '-ac',
    '1',
    '-b:a',
    '64k',
    '-stats_period',
    '0.2',
    '-progress',
    'pipe:1',
    '-f',
    'flv',
    url,
  ];
}

const killAfterMs = 3000;

const running = new Set();

/* setpriv covers SIGKILL of this process; this covers every exit that still runs code. */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Events in the record: 'connected', 'exit' {code, signal, wanted, stderr}. */
export class Publisher extends Recorder {
  #child = null;
  #stderr = '';
  #wanted = false;

  constructor(url, name = 'publisher') {
    super(name);
    this.url = url;
    this.connected = false;
  }

  get pid() {
    return this.#child?.pid;
  }

  start() {
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'SIGKILL', '--', 'ffmpeg', ...ffmpegArguments(this.url)],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );

    this.#child = child;
    running.add(child);
    child.stdout.on('data', (data) => this.#onProgress(data.toString()));
    child.stderr.on('data', (data) => {
      this.#stderr = (this.#stderr + data).slice(-2000);
    });
    child.on('error', (error) => this.#onExit(null, null, error.message));
    child.on('close', (code, signal) => this.#onExit(code, signal, this.#stderr.trim()));
    return this;
  }

  #onProgress(text) {
    /* total_size is "N/A" or 0 until bytes have left for the server. */
    if (this.connected || !/^total_size=[1-9]/m.test(text)) return;
    this.connected = true;
    this.record({ event: 'connected' });
  }

  #onExit(code, signal, stderr) {
    if (!running.delete(this.#child)) return;
    this.connected = false;
    this.record({ event: 'exit', code, signal, wanted: this.#wanted, stderr });
  }

  /** Ends the publishing; resolves when the process is gone. */
  async stop(signal = 'SIGTERM') {
    this.#wanted = true;
    this.#child.kill(signal);
    /* ffmpeg waits for a server that no longer reads; the glasses would not. */
    const force = setTimeout(() => this.#child.kill('SIGKILL'), killAfterMs);

    try {
      return await this.waitEvent('exit', 2 * killAfterMs);
    } finally {
      clearTimeout(force);
    }
  }

  /** The cable is pulled: nothing is said to the server by RTMP. */
  kill() {
    return this.stop('SIGKILL');
  }

  /** The process dies by itself, as far as the device is concerned. */
  crash() {
    this.#child?.kill('SIGKILL');
    return this.waitEvent('exit', 5000);
  }
}

/**
 * Reads a live stream for a moment with ffprobe.
 * Resolves with {streams: [{codec_type, codec_name, ...}]}; rejects with ffprobe's own words.
 */
export function probe(url, timeoutMs = 20000) {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'SIGKILL',
        '--',
        'ffprobe',
        '-v',
        'error',
        '-rw_timeout',
        '5000000',
        '-show_streams',
        '-of',
        'json',
        url,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let out = '';
    let err = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);

    child.stdout.on('data', (data) => {
      out += data;
    });
    child.stderr.on('data', (data) => {
      err += data;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const found = code === 0 ? JSON.parse(out) : {};

      if (found.streams?.length) resolve(found);
      else reject(new Error(`ffprobe exit ${code}: ${err.trim() || 'no stream'}`));
    });
  });
}
