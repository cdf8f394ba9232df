// What the tests of `weir` share: a fake registry for each, and what it has to tell.
import { test } from 'node:test';
import { FakeRegistry } from './fake_registry.mjs';
import { slack } from './recorder.mjs';

export const A = 'alice@example.com';
export const B = 'bob@example.com';
export const G1 = 4242;
const key = 'live_secret_0815';
export const DONE = 0;
export const USAGE = 1;
export const AWAY = 2;
export const LATE = 3;
export const GAP = 4;

/** A test with a fake registry of its own. */
export function check(name, body) {
  test(name, { timeout: 60000 * slack }, async () => {
    const fake = await FakeRegistry.open();

    try {
      await body(fake);
    } finally {
      await fake.close();
    }
  });
}

export const stream = (id, user, fields) => ({
  type: 'snapshot.stream',
  stream_id: id,
  user_id: user,
  epoch: 3,
  kind: 'unmanaged',
  package: 'com.example.live',
  phase: 'live',
  created_ms: Date.now() - 130000,
  activity_ms: Date.now() - 5000,
  start_delivered: true,
  ...fields,
});

/* The row that follows stream() of a managed one. */
export const managed = (id, user, fields) => ({
  type: 'snapshot.managed',
  stream_id: id,
  user_id: user,
  epoch: 3,
  provider: 'local',
  input: 'ready',
  input_id: `in-${id}`,
  ...fields,
});

/* What the managed-adapter says at the end of its answer. */
export const providerReport = (fields) => ({
  type: 'provider.report',
  result: 'ok',
  provider: 'cloudflare',
  mark: 'mark-a',
  in_use: 1,
  owed: 1,
  foreign: 1,
  reconciled_age_ms: 61000,
  ...fields,
});

/* A registry with two users, a live stream, and one that is over but owes everything. */
export const rows = [
  { type: 'gateway.changed', gateway: G1, name: 'gateway-1', state: 'up' },
  { type: 'gateway.changed', gateway: 77, name: 'gateway-2', state: 'lost', reason: 'no beat for 5000 ms' },
  { type: 'session.opened', user_id: A },
  { type: 'session.ready', user_id: A },
  { type: 'link.changed', user_id: A, link: 12, gateway: G1, state: 'up' },
  { type: 'glasses.changed', user_id: A, model: 'Mentra Live', connected: true, wifi: 'on' },
  {
    type: 'app.changed',
    user_id: A,
    package: 'com.example.live',
    state: 'running',
    app_type: 'standard',
    link: 3,
    gateway: G1,
  },
  { type: 'app.subscribed', user_id: A, package: 'com.example.live', types: ['button_press', 'vad'] },
  { type: 'session.ending', user_id: B },
  { type: 'link.changed', user_id: B, state: 'down', code: 1006 },
  stream('s-one', A, { video: '{"width":1280}', rtmp_url: `rtmp://host/app/${key}` }),
  stream('s-two', B, {
    phase: 'closed',
    epoch: 9,
    missed: 3,
    end_cause: 'phone_lost',
    hop: 'phone link',
    stop_owed: true,
    told_owed: true,
    stop_app_id: 'com.example.live',
  }),
];

export const opened = (id, user = A) => ({
  type: 'stream.opened',
  stream_id: id,
  user_id: user,
  epoch: 1,
  kind: 'unmanaged',
  package: 'com.example.live',
  rtmp_url: `rtmp://host/app/${key}`,
  sent_ms: Date.now(),
});
export const closed = (id, fields) => ({
  type: 'stream.closed',
  stream_id: id,
  user_id: A,
  epoch: 1,
  end_cause: 'app_stop',
  hop: 'app',
  sent_ms: Date.now(),
  ...fields,
});
