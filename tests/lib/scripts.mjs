// Transcripts that are played at the real timer values and at scaled ones, word for word the same.
// Seconds are those of protocol section 10; the mark 'active' is its 0.30.
import assert from 'node:assert/strict';
import * as expect from './expect.mjs';
import { PA, PB, goLive, toEverybody } from './world.mjs';

/** Drops the glasses' socket at a time of the script and forgets the close itself. */
export async function dropAt(s, seconds) {
  await s.t.until('active', seconds);
  const from = s.phone.entries.length;

  s.t.mark('drop');
  s.phone.drop();
  await s.phone.waitEvent('close', 3000, { from });
  s.g.skip();
}

/** Brings the glasses back on @gateway; the next message must be the ack. */
export async function comeBack(s, { gateway = 2, report = true } = {}) {
  s.phone.url = s.user.world.weir.url(gateway);
  s.t.act(() => {});
  await s.phone.connect();
  await s.g.gets(expect.connectionAck(s.U));
  if (!report) return;
  s.t.act(() => s.phone.sendState());
  await s.a.gets(expect.capabilitiesUpdate('Mentra Live'), { ordered: false });
}

/** Waits for the probe that is due @seconds after 'active' (or @mark). */
export const probeAt = (s, seconds, name, mark = 'active') =>
  s.g.gets(expect.alive('$S1', name), { timer: [mark, seconds] });

export async function g2(world) {
  const s = await world.stage('g2');
  const { t, g, a, phone, U } = s;

  await goLive(s);
  phone.ack(await probeAt(s, 15, '$K1'));
  phone.ack(await probeAt(s, 30, '$K2'));
  await t.until('active', 35.7);
  t.act(() => s.apps.a.stop(t.id('$S1')));
  await a.gets(expect.status(U, PA, '$S1', 'stopped'));
  await g.gets(expect.stop(U, PA, '$S1'));
  await t.until('active', 50.7);
  await t.quiet(0);
}

export async function g3(world) {
  const s = await world.stage('g3', {
    apps: { a: PA, b: PB },
    subscriptions: { b: ['rtmp_stream_status'] },
  });
  const { t, U } = s;

  await goLive(s, { copies: { b: PB } });
  await probeAt(s, 15, '$K1');
  await probeAt(s, 30, '$K2');
  await probeAt(s, 45, '$K3');
  await toEverybody(s, { copies: { b: PB }, word: 'timeout', timer: ['active', 55] });
  assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
  s.a.skip();
  assert.deepEqual(await world.weir.liveStreams(U), []);
  await t.until('active', 62);
  await t.quiet(0);
}

export async function g4(world) {
  const s = await world.stage('g4');
  const { t, g, a, phone, U } = s;

  await goLive(s);
  await dropAt(s, 4.7);
  await t.until('active', 25.7);
  await comeBack(s);
  await t.until('active', 26.15);
  const { streamInfo } = await s.apps.a.check();

  assert.equal(streamInfo.streamId, t.id('$S1'));
  /* The app received nothing since `active` but this answer. */
  assert.deepEqual(
    a.pending().map((e) => e.msg.type),
    ['stream_status_check_response'],
  );
  a.skip();
  phone.ack(await probeAt(s, 30, '$K1'));
  phone.ack(await probeAt(s, 45, '$K2'));
  await t.until('active', 46.15);
  t.act(() => s.apps.a.stop(t.id('$S1')));
  await a.gets(expect.status(U, PA, '$S1', 'stopped'));
  await g.gets(expect.stop(U, PA, '$S1'));
  await t.quiet();
}

export async function g5(world) {
  const s = await world.stage('g5');
  const { t, a, U } = s;

  await goLive(s);
  await dropAt(s, 4.7);
  await a.gets(expect.status(U, PA, '$S1', 'timeout'), { timer: ['active', 55] });
  assert.deepEqual(await world.weir.liveStreams(U), []);
  assert.deepEqual(await s.apps.a.check(), expect.nothingActive);
  a.skip();
  await a.gets(expect.appStopped, { timer: ['drop', 60] });
  await a.closes(1000, 'User session ended', { timer: ['drop', 60] });
  /* The user session is gone: the app cannot come back. */
  const late = world.keep(
    await world.host.connectApp(
      PA,
      {
        sessionId: s.user.sessionId(PA),
        augmentOSWebsocketUrl: `${world.weir.url(1)}/app-ws`,
      },
      { init: false },
    ),
  );
  const l = t.party(late);

  t.act(() => late.send(late.initMessage()));
  await l.gets(expect.appError('SESSION_NOT_FOUND', 'Session not found'));
  await l.closes(1008, 'Session not found');
}
