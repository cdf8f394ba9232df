// The messages of the protocol as the cloud writes them, with placeholders for ids and times.
// The order of the fields is that of the transcripts in protocol section 10.
import { TS, optional } from './transcript.mjs';

/** start_rtmp_stream (4.1). */
export const start = (
  user,
  appId,
  streamId,
  rtmpUrl,
  { video = {}, audio = {}, stream = {} } = {},
) => ({
  type: 'start_rtmp_stream',
  sessionId: user,
  rtmpUrl,
  appId,
  streamId,
  video,
  audio,
  stream,
  timestamp: TS,
});

/** stop_rtmp_stream (4.1); @streamId is '' when the app gave none. */
export const stop = (user, appId, streamId) => ({
  type: 'stop_rtmp_stream',
  sessionId: user,
  appId,
  streamId,
  timestamp: TS,
});

/** keep_rtmp_stream_alive (4.1): exactly these fields. */
export const alive = (streamId, ackId) => ({ type: 'keep_rtmp_stream_alive', streamId, ackId });

/** Direct rtmp_stream_status to the owner (4.3). */
export const status = (user, owner, streamId, word) => ({
  type: 'rtmp_stream_status',
  sessionId: `${user}-${owner}`,
  streamId,
  status: word,
  appId: owner,
  timestamp: TS,
});

/** The broadcast copy of a status for one subscriber (4.3). */
export const copy = (user, subscriber, owner, streamId, word) => ({
  type: 'data_stream',
  sessionId: `${user}-${subscriber}`,
  streamType: 'rtmp_stream_status',
  data: {
    type: 'rtmp_stream_status',
    sessionId: user,
    streamId,
    status: word,
    appId: owner,
    timestamp: TS,
  },
  timestamp: TS,
});

/**
 * managed_stream_status (4.3, G6); @urls: {hlsUrl, dashUrl, webrtcUrl}, or {} while there are none.
 * @fields: those of previewUrl, thumbnailUrl, message, outputs that it has.
 */
export const managed = (
  urls,
  streamId,
  word,
  { previewUrl, thumbnailUrl, message, outputs } = {},
) => ({
  type: 'managed_stream_status',
  status: word,
  ...urls,
  ...(previewUrl === undefined ? {} : { previewUrl }),
  ...(thumbnailUrl === undefined ? {} : { thumbnailUrl }),
  streamId,
  ...(message === undefined ? {} : { message }),
  ...(outputs === undefined ? {} : { outputs }),
});

/** stream_status_check_response for a managed stream. */
export const managedActive = (urls, streamId, previews, activeViewers) => ({
  type: 'stream_status_check_response',
  hasActiveStream: true,
  streamInfo: {
    type: 'managed',
    streamId,
    status: 'active',
    createdAt: TS,
    ...urls,
    ...previews,
    activeViewers,
  },
});

/** A relayed message of the glasses (1.6). */
export const relayed = (user, subscriber, message) => ({
  type: 'data_stream',
  sessionId: `${user}-${subscriber}`,
  streamType: message.type,
  data: message,
  timestamp: TS,
});

/** The shape of every app error (2.4). */
export const appError = (code, message) => ({
  type: 'tpa_connection_error',
  code,
  message,
  timestamp: TS,
});

export const connectionAck = (user) => ({ type: 'connection_ack', sessionId: user, timestamp: TS });

export const appStateChange = (user) => ({
  type: 'app_state_change',
  sessionId: user,
  timestamp: TS,
});

/** capabilities_update (1.6); compare it with ordered: false. */
export const capabilitiesUpdate = (modelName) => ({
  type: 'capabilities_update',
  capabilities: (value) => value?.modelName === modelName,
  modelName,
  timestamp: optional(TS),
});

export const appStopped = { type: 'app_stopped', timestamp: TS };

export const nothingActive = { type: 'stream_status_check_response', hasActiveStream: false };

/** stream_status_check_response for an unmanaged stream; @rtmpUrl only for its owner (4.3, D19). */
export const unmanagedActive = (owner, streamId, rtmpUrl) => ({
  type: 'stream_status_check_response',
  hasActiveStream: true,
  streamInfo: {
    type: 'unmanaged',
    streamId,
    status: 'active',
    createdAt: TS,
    ...(rtmpUrl === undefined ? {} : { rtmpUrl }),
    requestingAppId: owner,
  },
});
