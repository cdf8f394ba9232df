// Looks for secrets where none may be: the arguments of processes, files that others may read, texts.
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/* A secret may stand there as it is, or as it would in an URL. */
const forms = (secret) => [...new Set([secret, encodeURIComponent(secret)])];

const readText = (path) => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; /* ended, or removed, meanwhile */
  }
};

const programOf = (pid) => {
  try {
    return readlinkSync(`/proc/${pid}/exe`).split('/').at(-1);
  } catch {
    return '';
  }
};

/* "PID (NAME) STATE PARENT ...", and a name may hold anything. */
const parentOf = (pid) => readText(`/proc/${pid}/stat`).split(') ').at(-1).split(' ')[1];

/* Children may have an environment of their own, or write over it, as nginx does. */
function family(mark) {
  const all = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
  const found = new Set(all.filter((pid) => readText(`/proc/${pid}/environ`).includes(mark)));

  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const pid of all) if (found.has(parentOf(pid))) found.add(pid);
  }
  return [...found];
}

const stat = (path) => {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
};

function* filesOf(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);

    if (entry.isDirectory()) yield* filesOf(path);
    else if (entry.isFile()) yield path;
  }
}

export class SecretHunt {
  #secrets;

  /** @secrets: {name: text}. */
  constructor(secrets) {
    for (const [name, secret] of Object.entries(secrets))
      if (!secret || secret.length < 6) throw new Error(`${name} is no secret: '${secret}'`);
    this.#secrets = Object.entries(secrets);
  }

  /** The names of the secrets that @text holds. */
  in(text) {
    return this.#secrets
      .filter(([, secret]) => forms(secret).some((form) => text.includes(form)))
      .map(([name]) => name);
  }

  /**
   * Of the processes that carry WEIR_TEST_DIR=@dir, and of all that descend from them: their
   * programs, and what was found in their arguments, as "PID argument 0: secret".
   */
  processes(dir) {
    const pids = family(`WEIR_TEST_DIR=${dir}\0`);

    return {
      programs: pids.map(programOf),
      found: pids.flatMap((pid) => {
        const text = readText(`/proc/${pid}/cmdline`);

        return this.in(text).map((name) => `${pid} ${text.split('\0')[0]}: ${name}`);
      }),
    };
  }

  /**
   * Of the files below @dir that hold a secret: {open, closed}, those that others than their owner may
   * read and the rest, as "path: secret".
   */
  files(dir) {
    const result = { open: [], closed: [] };

    for (const path of filesOf(dir)) {
      const found = this.in(readText(path)).map((name) => `${path}: ${name}`);

      result[(stat(path)?.mode ?? 0) & 0o044 ? 'open' : 'closed'].push(...found);
    }
    return result;
  }
}
