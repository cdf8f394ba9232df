// The command line of the simulated glasses (scripts/glasses).
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { GlassesSim } from './glasses.mjs';

const usage = `usage: scripts/glasses --user EMAIL (--secret-file FILE | --token TOKEN) [OPTION...]

Simulate a phone with smart glasses.  What happens is printed as one JSON object per line; commands
are read from standard input.

  --url URL             the cloud, default ws://127.0.0.1:8002
  --user EMAIL          whose glasses these are
  --secret-file FILE    the secret that signs core tokens; the token is made from it
  --token TOKEN         a core token made elsewhere
  --model NAME          default "Mentra Live"
  --no-wifi             report the WiFi as not connected, refuse to stream
  --battery PERCENT     below 10 the device refuses to stream
  --publish             really send a test picture to the requested URL (needs ffmpeg)
  --start-app PACKAGE   start this app once connected; may be repeated
  --scale N             divide every delay of phone and device by N
  --no-reconnect        stay away after a lost socket (otherwise: back after 5 s)
  --scenario S1..S5     what happens to the link once the first stream runs
  --drop-after MS       drop the socket this long after the first stream runs
  --pull-after MS       pull the cable (socket and picture) that long after the first stream runs
  --ignore-probes       never acknowledge a keep-alive
  --late-ack MS         acknowledge late
  --wrong-ack           acknowledge with an id that nobody asked about
  --refuse-start WHY    refuse to stream: camera_busy, no_wifi_connection, or any text
  --exit-after MS       end after this time
  --show-keys           do not mask stream keys in the output
  --help

commands   drop | close [CODE] | reconnect | second | ble down|up | wifi on|off | cable pull|plug
           s1 [ATTEMPTS] | s2 [LOOPS] | s3 | s4 | s5 [TEXT] | battery PERCENT
           ignore on|off | late MS | wrong on|off | refuse TEXT|off
           start PACKAGE | stop PACKAGE | send JSON | state | quit

examples   scripts/glasses --user u@example.com --secret-file jwt.secret --publish
           scripts/glasses --user u@example.com --secret-file jwt.secret --scenario S4 --scale 10
           (sleep 20; echo cable pull) | scripts/glasses --user u@example.com \\
                   --secret-file jwt.secret --start-app com.example.cam --publish

exit       0 ended on request, 1 usage, 2 cannot connect
`;

const options = {
  url: { type: 'string', default: 'ws://127.0.0.1:8002' },
  user: { type: 'string' },
  'secret-file': { type: 'string' },
  token: { type: 'string' },
  model: { type: 'string', default: 'Mentra Live' },
  'no-wifi': { type: 'boolean' },
  battery: { type: 'string' },
  publish: { type: 'boolean' },
  'start-app': { type: 'string', multiple: true, default: [] },
  scale: { type: 'string', default: '1' },
  'no-reconnect': { type: 'boolean' },
  scenario: { type: 'string' },
  'drop-after': { type: 'string' },
  'pull-after': { type: 'string' },
  'ignore-probes': { type: 'boolean' },
  'late-ack': { type: 'string' },
  'wrong-ack': { type: 'boolean' },
  'refuse-start': { type: 'string' },
  'exit-after': { type: 'string' },
  'show-keys': { type: 'boolean' },
  help: { type: 'boolean' },
};

const exits = { done: 0, usage: 1, connect: 2 };

class UsageError extends Error {}

function number(text, name, max = 1e9) {
  const value = Number(text);

  if (!(value >= 0 && value <= max))
    throw new UsageError(`${name}: a number from 0 to ${max}, not "${text}"`);
  return value;
}

function oneOf(text, choices) {
  if (!choices.includes(text)) throw new UsageError(`${choices.join(' or ')}, not "${text}"`);
  return text === choices[0];
}

/* A stream key is the last part of an RTMP URL, its query included. */
const maskKeys = (text) =>
  text.replace(/(rtmps?:\/\/[^/\s"\\]+\/[^/\s"\\]+\/)[^\s"\\]+/g, '$1••••');

class Cli {
  #zero = performance.now();
  #ending = false;

  constructor(values) {
    this.values = values;
    this.mask = values['show-keys'] ? (text) => text : maskKeys;
    this.glasses = new GlassesSim({
      url: values.url,
      user: values.user,
      token: values.token,
      secret: values['secret-file'] && readFileSync(values['secret-file'], 'utf8').trim(),
      model: values.model,
      wifi: !values['no-wifi'],
      battery: values.battery === undefined ? null : number(values.battery, '--battery', 100),
      publish: values.publish,
      scale: Math.max(1, number(values.scale, '--scale', 1000)),
      autoReconnect: !values['no-reconnect'],
    });
    this.glasses.on('entry', (entry) => this.#print(entry));
    this.glasses.ignoreProbes(Boolean(values['ignore-probes']));
    this.glasses.wrongAck(Boolean(values['wrong-ack']));
    this.glasses.lateAck(number(values['late-ack'] ?? 0, '--late-ack'));
    this.glasses.refuseStart(values['refuse-start'] ?? null);
  }

  #print({ at, dir, msg, raw, binary, ...rest }) {
    const line = { t: Number(((at - this.#zero) / 1000).toFixed(3)) };

    if (dir)
      Object.assign(line, { [dir]: msg ?? (binary ? '(binary)' : raw), socket: rest.socket });
    else Object.assign(line, rest, msg ? { msg } : {});
    process.stdout.write(`${this.mask(JSON.stringify(line))}\n`);
  }

  say(fields) {
    this.#print({ at: performance.now(), ...fields });
  }

  /** Resolves when connected; without --no-reconnect it tries until it is, as the phone does. */
  async connect() {
    try {
      await this.glasses.start();
    } catch {
      const refused = this.glasses.entries.findLast((e) => e.event === 'refused');

      if (refused || this.values['no-reconnect']) {
        console.error(
          `glasses: cannot connect to ${this.values.url}` +
            (refused ? `: HTTP ${refused.status}` : ''),
        );
        await this.end(exits.connect);
      }
      await this.glasses.waitMessage('connection_ack', Infinity);
    }
    for (const packageName of this.values['start-app'])
      this.glasses.send({ type: 'start_app', packageName, timestamp: new Date().toISOString() });
  }

  /* What the options want to happen once the first stream runs. */
  arm() {
    const { values, glasses } = this;
    const after = (ms, command) => setTimeout(() => this.run(command), ms);

    glasses
      .waitFor((e) => e.event === 'device' && e.phase === 'streaming', Infinity)
      .then(() => {
        if (values.scenario) after(100, values.scenario.toLowerCase());
        if (values['drop-after']) after(number(values['drop-after'], '--drop-after'), 'drop');
        if (values['pull-after']) after(number(values['pull-after'], '--pull-after'), 'cable pull');
      });
    if (values['exit-after'])
      setTimeout(() => this.end(exits.done), number(values['exit-after'], '--exit-after'));
  }

  /** One command line; a mistake is printed and changes nothing. */
  run(line) {
    const [name, ...words] = line.trim().split(/\s+/);
    const rest = line.trim().slice(name.length).trim();

    if (!name) return;
    try {
      const command = this.commands[name];

      if (!command) throw new UsageError(`unknown command "${name}"`);
      Promise.resolve(command(words[0], rest)).catch((error) => this.#complain(name, error));
    } catch (error) {
      this.#complain(name, error);
    }
  }

  #complain(name, error) {
    this.say({ event: 'mistake', command: name, message: error.message.split('\n')[0] });
  }

  commands = {
    drop: () => this.glasses.dropSocket(),
    close: (code = '1000') => this.glasses.closeSocket(number(code, 'code', 4999)),
    reconnect: () => this.glasses.reconnect(),
    second: () => this.glasses.secondSocket(),
    s1: (attempts = '2') =>
      this.glasses.scenario('s1', { attempts: number(attempts, 'attempts', 10) }),
    s2: (loops = '0') => this.glasses.scenario('s2', { loops: number(loops, 'loops') }),
    s3: () => this.glasses.scenario('s3'),
    s4: () => this.glasses.scenario('s4'),
    s5: (_word, text) => this.glasses.scenario('s5', text ? { details: text } : {}),
    ignore: (word) => this.glasses.ignoreProbes(oneOf(word, ['on', 'off'])),
    refuse: (_word, text) => this.glasses.refuseStart(!text || text === 'off' ? null : text),
    late: (ms) => this.glasses.lateAck(number(ms, 'ms')),
    wrong: (word) => this.glasses.wrongAck(oneOf(word, ['on', 'off'])),
    ble: (word) =>
      oneOf(word, ['down', 'up']) ? this.glasses.bleDisconnect() : this.glasses.bleConnect(),
    wifi: (word) => this.glasses.setWifi(oneOf(word, ['on', 'off'])),
    battery: (percent) => {
      this.glasses.device.battery = number(percent, 'percent', 100);
    },
    cable: (word) =>
      oneOf(word, ['pull', 'plug']) ? this.glasses.pullCable() : this.glasses.plugCable(),
    start: (packageName) => this.glasses.send({ type: 'start_app', packageName }),
    stop: (packageName) => this.glasses.send({ type: 'stop_app', packageName }),
    send: (_word, json) => this.glasses.send(JSON.parse(json)),
    state: () =>
      this.say({
        event: 'state',
        open: this.glasses.isOpen,
        phase: this.glasses.device.phase,
        streamId: this.glasses.device.streamId,
        zombie: this.glasses.device.zombie,
        publisher: this.glasses.device.publisherPid,
      }),
    quit: () => this.end(exits.done),
  };

  async end(code) {
    if (this.#ending) return;
    this.#ending = true;
    await this.glasses.dispose();
    this.say({ event: 'end' });
    process.exit(code);
  }
}

function parse(args) {
  let values;

  try {
    ({ values } = parseArgs({ args, options, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new UsageError(error.message);
  }
  if (values.help) return values;
  if (!values.user) throw new UsageError('--user is needed');
  if (!values['secret-file'] === !values.token)
    throw new UsageError('either --secret-file or --token is needed');
  if (values.scenario && !/^s[1-5]$/i.test(values.scenario))
    throw new UsageError(`--scenario: S1 to S5, not "${values.scenario}"`);
  return values;
}

export async function main(args) {
  let cli;

  try {
    const values = parse(args);

    if (values.help) {
      process.stdout.write(usage);
      return;
    }
    cli = new Cli(values);
  } catch (error) {
    if (!(error instanceof UsageError) && !error.code) throw error;
    console.error(`glasses: ${error.message}\nTry scripts/glasses --help.`);
    process.exitCode = exits.usage;
    return;
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => cli.end(exits.done));
  /* A reader that went away ends the program, as it would any filter. */
  process.stdout.on('error', () => cli.end(exits.done));
  createInterface({ input: process.stdin }).on('line', (line) => cli.run(line));
  cli.arm();
  await cli.connect();
}
