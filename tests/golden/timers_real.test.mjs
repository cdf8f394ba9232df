// The timers at their real values.  All of these run at the same time, so the file takes as long as
// the longest of them: G5, 65 seconds.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Phone } from '../lib/phone.mjs';
import { g2, g3, g5 } from '../lib/scripts.mjs';
import { PA, World, waiting } from '../lib/world.mjs';

let world;

before(async () => {
  world = await World.open();
});

after(() => world?.close());

const gaps = (entries) => entries.slice(1).map((entry, i) => entry.at - entries[i].at);

describe('real time', waiting, () => {
  test('G2 keep-alives answered (protocol 10 G2, 12)', () => g2(world));
  test('G3 keep-alive timeout after 55 s (10 G3, 12)', () => g3(world));
  test('G5 glasses drop for good: timeout, session end after 60 s (10 G5, 12)', () => g5(world));

  test('1.3 ping to the glasses every 10 s', async () => {
    const user = world.user('ping');
    const phone = await user.connect();

    await phone.waitFor(() => phone.entries.filter((e) => e.event === 'ping').length >= 3, 35000, {
      what: 'third ping',
    });
    for (const gap of gaps(phone.entries.filter((e) => e.event === 'ping')))
      assert.ok(gap > 9000 && gap < 11000, `${gap} ms between pings`);
  });

  test('1.3 no pong for 30 s: close 1001', async () => {
    const user = world.user('nopong');
    const phone = world.keep(new Phone(user.phoneOptions(1, { autoPong: false })));

    await phone.connect();
    const opened = await phone.waitEvent('open');
    const close = await phone.waitEvent('close', 35000);

    assert.deepEqual([close.code, close.reason], [1001, 'Ping timeout - no pong received']);
    const lasted = close.at - opened.at;

    assert.ok(lasted > 29500 && lasted < 31000, `closed after ${lasted} ms`);
  });

  test('2.7 ping to the app every 10 s, without a deadline for the pong', async () => {
    const user = world.user('apppong');

    await user.connect();
    world.host.plan(user.sessionId(PA), { autoPong: false });
    const app = await user.app(PA);

    await app.waitFor(() => app.entries.filter((e) => e.event === 'ping').length >= 4, 45000, {
      what: 'fourth ping',
    });
    for (const gap of gaps(app.entries.filter((e) => e.event === 'ping')))
      assert.ok(gap > 9000 && gap < 11000, `${gap} ms between pings`);
    assert.ok(app.isOpen);
  });

  test('2.2 an unanswered webhook is tried again after 10 s + 1 s, not a third time', async () => {
    const user = world.user('unanswered');
    const sessionId = user.sessionId(PA);
    const { host } = world;

    await user.connect();
    host.plan(sessionId, { answer: 'never' });
    /* The app runs all the same: the deadline is independent of the answer. */
    await user.app(PA);
    await host.waitFor(() => host.webhooks(sessionId).length >= 2, 15000, {
      what: 'second attempt',
    });
    const [gap] = gaps(host.webhooks(sessionId));

    assert.ok(Math.abs(gap - 11000) < 500, `second attempt after ${gap} ms`);
    await user.phone.waitFor(
      () => user.phone.entries.filter((e) => e.event === 'ping').length >= 3,
      35000,
      { what: 'third ping: 12 s later at least' },
    );
    assert.equal(host.webhooks(sessionId).length, 2);
  });
});
