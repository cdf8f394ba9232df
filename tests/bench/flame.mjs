// Flame graphs: samples of `perf` folded into a tree of calls, and the tree drawn as an SVG.
//
// perf is optional (Debian: linux-perf); nothing but `scripts/bench --profile` needs it.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const samplesPerSecond = 499; /* no multiple of our own periods */
const stackBytes = 8192; /* of each sample: our code keeps no frame pointers */
const width = 1200;
const rowHeight = 16;
const narrowest = 0.3; /* px; narrower calls are not drawn */
const letterWidth = 6.6; /* px, about, at 11 px of a monospaced font */

const node = (name) => ({ name, count: 0, children: new Map() });

/**
 * Reads the lines of `perf script -F pid,ip,sym` and resolves with a Map by pid: the tree of calls
 * of each process, {name, count, children}, the outermost call at the root.
 */
export async function fold(lines) {
  const roots = new Map();
  let pid = null;
  let stack = [];
  const flush = () => {
    if (pid !== null && stack.length > 0) {
      if (!roots.has(pid)) roots.set(pid, node(String(pid)));
      add(roots.get(pid), stack.reverse());
    }
    pid = null;
    stack = [];
  };

  for await (const line of lines) {
    const head = /^\s*(\d+)(?:\/\d+)?\s*$/.exec(line);
    const call = /^\s+[0-9a-f]+\s+(.+?)\s*$/.exec(line);

    if (line.trim() === '') flush();
    else if (pid === null && head) pid = Number(head[1]);
    else if (call) stack.push(call[1]);
  }
  flush();
  return roots;
}

function add(root, names) {
  let at = root;

  root.count++;
  for (const name of names) {
    if (!at.children.has(name)) at.children.set(name, node(name));
    at = at.children.get(name);
    at.count++;
  }
}

const escaped = (text) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

const depthOf = (tree) => 1 + Math.max(0, ...[...tree.children.values()].map(depthOf));

/* A warm colour that is always the same for a name. */
function colour(name) {
  let hash = 0;

  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  return `hsl(${hash % 55},${70 + (hash % 20)}%,${58 + (hash % 14)}%)`;
}

function box({ tree, x, y, wide, all }) {
  const share = ((100 * tree.count) / all).toFixed(2);
  const letters = Math.floor((wide - 4) / letterWidth);
  const text = letters < 3 ? '' : tree.name.slice(0, letters);

  return (
    `<g><title>${escaped(tree.name)}: ${tree.count} samples, ${share} %</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="${rowHeight - 1}" ` +
    `fill="${colour(tree.name)}"/>` +
    (text && `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escaped(text)}</text>`) +
    '</g>'
  );
}

/* Callers below, what they call above them, in the order of names: equal calls lie side by side. */
function boxes(tree, { x, y, scale, all }) {
  const wide = tree.count * scale;

  if (wide < narrowest) return [];
  const drawn = [box({ tree, x, y, wide, all })];
  let at = x;

  for (const child of [...tree.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    drawn.push(...boxes(child, { x: at, y: y - rowHeight, scale, all }));
    at += child.count * scale;
  }
  return drawn;
}

/** The SVG of @tree, with @title above. */
export function svg(tree, title) {
  const height = (depthOf(tree) + 2) * rowHeight;
  const scale = width / Math.max(1, tree.count);

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" font-family="monospace" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fffdf8"/>`,
    `<text x="4" y="12">${escaped(title)}: ${tree.count} samples</text>`,
    ...boxes(tree, { x: 0, y: height - rowHeight, scale, all: Math.max(1, tree.count) }),
    '</svg>',
    '',
  ].join('\n');
}

/** Throws, with what to do about it, if perf cannot be used here. */
export async function needPerf() {
  try {
    await promisify(execFile)('perf', ['stat', '-e', 'cpu-clock', 'true']);
  } catch (error) {
    throw new Error(
      error.code === 'ENOENT'
        ? '--profile needs perf: apt-get install linux-perf'
        : `perf may not measure here (see /proc/sys/kernel/perf_event_paranoid): ${error.message}`,
    );
  }
}

/**
 * Starts to sample @pids, a Map by name; stop() ends that; draw() resolves with the SVGs written.
 * It takes a while and a processor, so not before the measurement is over.
 */
export function profile(pids, { directory, label }) {
  const data = join(directory, `${label}.perf`);

  mkdirSync(directory, { recursive: true });
  const child = spawn(
    'perf',
    [
      ...['record', '--quiet', '-e', 'cpu-clock', '-F', String(samplesPerSecond)],
      ...['--call-graph', `dwarf,${stackBytes}`, '-o', data, '-p', [...pids.values()].join(',')],
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => {
    child.on('close', resolve);
    child.on('error', resolve);
  });

  return {
    async stop() {
      child.kill('SIGINT');
      await ended;
    },
    async draw() {
      const roots = await foldFile(data);

      rmSync(data, { force: true });
      return [...pids].map(([name, pid]) => write(roots.get(pid) ?? node(name), name));
    },
  };

  function write(tree, name) {
    const file = join(directory, `${label}-${name}.svg`);

    tree.name = name;
    writeFileSync(file, svg(tree, `${label} ${name}`));
    return file;
  }
}

function foldFile(data) {
  const child = spawn('perf', ['script', '-i', data, '--no-inline', '-F', 'pid,ip,sym'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });

  return fold(createInterface({ input: child.stdout }));
}
