// What both acts of scripts/demo share: the clock, the printing, an operator, a stream's media.
import { probe } from '../tests/lib/publisher.mjs';

const began = performance.now();

export const say = (text) => {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);

  process.stdout.write(`${seconds} s  ${text}\n`);
};

export const show = (text) => {
  for (const line of text.trimEnd().split('\n')) process.stdout.write(`         ${line}\n`);
};

/** Runs `weir ARGS` and shows both; resolves with what it printed. */
export async function operator(weir, ...args) {
  const text = await weir.cli(...args);

  say(`operator  $ scripts/weir ${args.join(' ')}`);
  show(text);
  return text;
}

/** Reads a stream for a moment and shows what is in it. */
export async function watch(what, url) {
  const { streams } = await probe(url);

  say(`ffprobe   reads ${what}:`);
  for (const s of streams) {
    const picture = s.codec_type === 'video' ? ` ${s.width}x${s.height}` : '';

    show(`${s.codec_type} ${s.codec_name}${picture}`);
  }
}

/** The words that a tap showed, one line an event. */
export function showEvents(tap, matches, fields) {
  for (const { line } of tap.entries.filter((e) => e.line && matches(e.line)))
    show(
      `${line.type.padEnd(20)} ${line.stream_id}` +
        fields
          .filter((name) => line[name] !== undefined && line[name] !== '')
          .map((name) => `  ${name}=${line[name]}`)
          .join(''),
    );
}
