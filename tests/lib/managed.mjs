// What the transcripts of managed streams have in common: a weir whose provider is the stand-in of
// the vendor, and the first lines of most of them.
import assert from 'node:assert/strict';
import * as expect from './expect.mjs';
import { World } from './world.mjs';

export const MANAGED = 'MANAGED_STREAM';
export const waiting = { message: 'Waiting for stream to start...' };
export const timedOut = { message: 'Stream timed out waiting for keep-alive' };

/** Comes or does not, as the provider knows something or not at that moment (6.4 #4). */
export const isDetails = (entry) => entry.msg?.message === 'Stream details updated';

/** A world with a vendor; its apps' parties pass over isDetails(), which has a test of its own. */
export async function openWorld({ config = {}, vendor = {}, ...options } = {}) {
  const world = await World.open({
    vendor,
    ...options,
    config: {
      ...config,
      /* The vendor never keeps us waiting for a recording that will not come. */
      cloudflare: { recording_wait_s: 0, ...config.cloudflare },
    },
  });

  world.appParty = { only: (entry) => !isDetails(entry) };
  return world;
}

/** The input that the vendor has for the stream behind a placeholder. */
export function inputOf(s, id = '$M1') {
  const input = s.user.world.vendor.inputOf(s.t.id(id));

  assert.ok(input, `the vendor has an input for ${s.t.id(id)}`);
  return input;
}

/** What apps are told of an input (protocol 6.3, D17). */
export function urlsOf({ customerHost }, { uid }) {
  return {
    hlsUrl: `${customerHost}/${uid}/manifest/video.m3u8`,
    dashUrl: `${customerHost}/${uid}/manifest/video.mpd`,
    webrtcUrl: `${customerHost}/${uid}/webRTC/play`,
  };
}

export function previewsOf({ customerHost }, { uid }) {
  return {
    previewUrl: `${customerHost}/${uid}/iframe?autoplay=true&muted=true&controls=true`,
    thumbnailUrl: `${customerHost}/${uid}/thumbnails/thumbnail.jpg`,
  };
}

/** The start that glasses get, with the ingest URL of the input made for it. */
export async function getsStart(s, { id = '$M1', options } = {}) {
  const { g, U, user } = s;
  const entry = await g.gets(expect.start(U, MANAGED, id, /^rtmps:\/\//, options));
  const input = inputOf(s, id);

  assert.equal(entry.msg.rtmpUrl, `${user.world.vendor.ingestUrl}KEY${input.uid}`);
  s.input = input;
  s.urls = urlsOf(user.world.vendor, input);
  s.previews = previewsOf(user.world.vendor, input);
  s.t.mark('created', entry);
  return entry;
}

/** @word to each of @names, all of them viewers. */
export async function toViewers(s, names, word, fields, { id = '$M1', timer } = {}) {
  for (const name of names)
    await s[name].gets(expect.managed(s.urls, id, word, fields), { timer });
}

/** Request, start, initializing with the message: what one app asks for. */
export async function create(s, { id = '$M1', name = 'a', request = {}, options, fields } = {}) {
  s.t.act(() => s.apps[name].watch(request));
  await getsStart(s, { id, options });
  await toViewers(s, [name], 'initializing', { ...waiting, ...fields }, { id });
}

/** And on to the first `active`; its moment is the mark 'active'. */
export async function goLive(s, { id = '$M1', name = 'a', request, options, fields } = {}) {
  await create(s, { id, name, request, options, fields });
  s.t.mark(
    'active',
    s.t.act(() => s.phone.status('streaming', { streamId: s.t.id(id) })),
  );
  await toViewers(s, [name], 'active', fields, { id });
}

/** @name joins: told at once, and nobody else is. */
export async function join(s, name, { id = '$M1' } = {}) {
  s.t.act(() => s.apps[name].watch());
  await toViewers(s, [name], 'active', undefined, { id });
}

/** Nothing that was made at the vendor for this stream is left, and the registry has no stream. */
export async function nothingLeft(s, id = '$M1') {
  const { vendor, weir } = s.user.world;
  const op = s.t.id(id);

  if (vendor.inputOf(op))
    await vendor.waitCall('delete', 5000, { path: vendor.inputOf(op).uid, from: 0 });
  assert.equal(vendor.inputOf(op), undefined);
  assert.deepEqual(await weir.liveStreams(s.U), []);
}
