// Carries connections from one place to another, each a port of loopback or a path.
//
//   node two_machines_door.mjs LISTEN TO     in a network namespace; says "ready"
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const placeOf = (place) =>
  /^\d+$/.test(place) ? { port: Number(place), host: '127.0.0.1' } : { path: place };

/** Resolves with the server that listens at @listen; @to may be a function, asked each time. */
export async function carry(listen, to) {
  const server = createServer((socket) => {
    const onward = connect(placeOf(typeof to === 'function' ? to() : to));

    for (const [one, other] of [[socket, onward], [onward, socket]]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });

  server.listen(placeOf(listen));
  await once(server, 'listening');
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await carry(process.argv[2], process.argv[3]);
  process.stdout.write('ready\n');
}
