// What a recording tells of streams, in numbers.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseFrame } from '../../lib/recorder.mjs';

/** Resolves with {events, opened: {kind: count}, ended: {cause: count}, gaps} of the recording @path. */
export async function storyOf(path) {
  const story = { events: 0, opened: {}, ended: {}, gaps: 0 };
  const add = (counts, key) => {
    counts[key] = (counts[key] ?? 0) + 1;
  };

  for await (const line of createInterface({ input: createReadStream(path) })) {
    const event = parseFrame(line);

    story.events++;
    if (event?.type === 'stream.opened') add(story.opened, event.kind);
    else if (event?.type === 'stream.closed') add(story.ended, event.end_cause);
    else if (event?.type === 'tap.gap') story.gaps++;
  }
  return story;
}
