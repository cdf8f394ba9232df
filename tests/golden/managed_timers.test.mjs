// What of managed streams depends on a timer, at a tenth of the protocol's times; tolerances are not
// scaled.  The tests run at the same time and mostly wait.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import {
  MANAGED,
  create,
  goLive,
  join,
  nothingLeft,
  openWorld,
  timedOut,
  toViewers,
} from '../lib/managed.mjs';
import { PA, PB, waiting } from '../lib/world.mjs';

let world;

before(async () => {
  world = await openWorld({ scale: 10 });
});

after(() => world?.close());

const two = { apps: { a: PA, b: PB } };
/* The controller runs from the creation: phases are counted from the start (5.1). */
const probeAt = (s, seconds, name) =>
  s.g.gets(expect.alive('$M1', name), { timer: ['created', seconds] });

describe('scaled timers', waiting, () => {
  test('G14 keep-alive timeout, two viewers (protocol 10 G14)', async () => {
    const s = await world.stage('g14', two);
    const { t, g, U } = s;

    await goLive(s);
    await join(s, 'b');
    await probeAt(s, 15, '$K1');
    await probeAt(s, 30, '$K2');
    await probeAt(s, 45, '$K3');
    await toViewers(s, ['a', 'b'], 'error', timedOut, { timer: ['created', 55] });
    await g.gets(expect.stop(U, MANAGED, '$M1'), { timer: ['created', 55] });
    await t.quiet();
    assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
    s.a.skip();
    await nothingLeft(s);
  });

  test('G6 keep-alives answered from the creation on (10 G6, 5.1)', async () => {
    const s = await world.stage('g6alive');
    const { t, phone, g, U } = s;

    await create(s);
    phone.ack(await probeAt(s, 15, '$K1'));
    phone.ack(await probeAt(s, 30, '$K2'));
    t.act(() => phone.status('streaming', { streamId: t.id('$M1') }));
    await toViewers(s, ['a'], 'active');
    phone.ack(await probeAt(s, 45, '$K3'));
    t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped');
    await g.gets(expect.stop(U, MANAGED, '$M1'));
    await t.until('created', 65);
    await t.quiet(0);
  });

  test('G5 the glasses drop for good (10 G5, managed variant)', async () => {
    const s = await world.stage('g5managed', two);
    const { t } = s;

    await goLive(s);
    await join(s, 'b');
    await t.until('created', 5);
    const from = s.phone.entries.length;

    s.phone.drop();
    await s.phone.waitEvent('close', 3000, { from });
    s.g.skip();
    /* Ticks at 15, 30 and 45 that cannot be sent; no stop, since nobody could hear it. */
    await toViewers(s, ['a', 'b'], 'error', timedOut, { timer: ['created', 55] });
    await t.quiet();
    await nothingLeft(s);
  });

  test('D2 a stop that the glasses missed is told when they return', async () => {
    const s = await world.stage('d2managed');
    const { t, g, U } = s;

    await goLive(s);
    const from = s.phone.entries.length;

    s.phone.drop();
    await s.phone.waitEvent('close', 3000, { from });
    g.skip();
    t.act(() => s.apps.a.leave());
    await toViewers(s, ['a'], 'stopped');
    await s.phone.connect();
    await g.gets(expect.connectionAck(U), { immediate: false });
    await g.gets(expect.stop(U, MANAGED, '$M1'), { immediate: false });
  });

  test('D4 glasses that never say anything, but answer: ended after the deadline', async () => {
    const s = await world.stage('d4managed');

    await create(s);
    s.phone.onMessage = (msg) => {
      if (msg.type === 'keep_rtmp_stream_alive') s.phone.ack(msg);
    };
    const g = s.t.party(s.phone, { ignore: ['app_state_change', 'keep_rtmp_stream_alive'] });

    await s.a.next(8000);
    assert.equal(s.a.recorder.received({ status: 'error' }).length, 1);
    await g.gets(expect.stop(s.U, MANAGED, '$M1'), { immediate: false });
    await nothingLeft(s);
  });

  test('6.5 an input that never gets a picture: the stream lives on, silently', async () => {
    const s = await world.stage('overdue');

    s.phone.onMessage = (msg) => {
      if (msg.type === 'keep_rtmp_stream_alive') s.phone.ack(msg);
    };
    await goLive(s);
    await s.t.until('created', 75);
    s.a.empty();
    assert.equal((await world.weir.liveStreams(s.U)).length, 1);
  });
});
