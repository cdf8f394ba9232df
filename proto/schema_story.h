/* SPDX-License-Identifier: MIT */
/* schema_story.h - fields of the commands to the registry, of its story, and of what follows from
 * it, 70 and on; see schema.h.
 */
#pragma once

#include "proto/schema_limits.h"

/* clang-format off */
/* 70-89: commands to the registry */
#define STREAM_OPEN_FIELDS(F, S) \
	F(S, ENUM, kind, kind, 0, 1, "unmanaged or managed") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the owner") \
	F(S, STR, rtmp_url, URL_MAX, SECRET, 1, "unmanaged: where to publish") \
	F(S, JSON, video, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, audio, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, options, OPTION_MAX, 0, 1, "object") \
	F(S, ENUM, provider, provider, 0, 1, "managed: where its input is to be made")
#define STREAM_CLOSE_FIELDS(F, S) \
	F(S, ENUM, end_cause, end_cause, 0, 1, "why") \
	F(S, STR, by, PACKAGE_MAX, 0, 1, "the app or operator that asked") \
	F(S, STR, told_id, STREAM_ID_MAX, 0, 1, "streamId the app gave, for the stop message") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "provider_error: what the provider said")
#define STREAM_RESULT_FIELDS(F, S) \
	F(S, ENUM, result, result, 0, 1, "ok: done; stream_id and epoch are set") \
	F(S, ENUM, running, kind, 0, 1, "conflict: kind of the stream that is in the way") \
	F(S, U64, output, 0, 0, 1, "output.add, output.remove: its number")
#define STREAM_MISSED_FIELDS(F, S) \
	F(S, U64, missed, 0, 0, 1, "consecutive probes unanswered; 0: recovered") \
	F(S, BOOL, expired, 0, 0, 1, "missed_max reached: end the stream") \
	F(S, I64, last_ack_age_ms, 0, 0, 1, "since the last ack or activity; -1: there was none")
#define TIMER_EXPIRED_FIELDS(F, S) \
	F(S, ENUM, timer, timer, 0, 1, "which timer; cause is the seq of the event that armed it") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "for app timers") \
	F(S, U64, gateway, 0, 0, 1, "for leases: incarnation of the gateway") \
	F(S, I64, after_ms, 0, 0, 1, "how long it ran")
#define GATEWAY_SEEN_FIELDS(F, S) \
	F(S, U64, gateway, 0, 0, 1, "incarnation of a gateway whose lease had expired and that beats again")

#define STREAM_LEAVE_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the viewer; the last one to leave ends the stream")
#define INPUT_MADE_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the provider's name for it") \
	F(S, STR, ingest, URL_MAX, SECRET, 1, "where the device shall publish") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, webrtc, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "empty: none")
#define INPUT_SEEN_FIELDS(F, S) \
	F(S, ENUM, ingest, ingest, 0, 1, "unknown: nothing new of it") \
	F(S, ENUM, playback, playback, 0, 1, "unknown: nothing new of it") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "empty: as it was") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "empty: as it was") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "empty: as it was") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "empty: as it was") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what the provider said beside it")
#define INPUT_GONE_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "that was deleted; empty: none was ever made") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "how it is known")
#define OUTPUT_ADD_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "who adds it") \
	F(S, STR, url, OUTPUT_URL_MAX, SECRET, 1, "the destination") \
	F(S, STR, name, OUTPUT_NAME_MAX, 0, 1, "empty: none") \
	F(S, STR, error, OUTPUT_ERROR_MAX, 0, 1, "refused by us already: why") \
	F(S, BOOL, initial, 0, 0, 1, "named by the request that made the stream")
#define OUTPUT_REMOVE_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "who removes it") \
	F(S, U64, output, 0, 0, 1, "its number")
#define OUTPUT_SEEN_FIELDS(F, S) \
	F(S, U64, output, 0, 0, 1, "its number") \
	F(S, ENUM, state, output_state, 0, 1, "idle, active, error, refused or removed") \
	F(S, STR, remote_id, INPUT_ID_MAX, 0, 1, "the provider's name for it; empty: as it was") \
	F(S, STR, error, OUTPUT_ERROR_MAX, 0, 1, "error, refused: why")

/* 90-99: scheduler and gateways */
#define PROBE_BATCH_FIELDS(F, S) \
	F(S, LIST, probes, BATCH_BYTES_MAX, 0, 1, "array of [link, stream_id, epoch, ack_id]") \
	F(S, U64, batch, 0, 0, 1, "counts the batches for this gateway, from 1")
#define ACK_BATCH_FIELDS(F, S) \
	F(S, LIST, acks, BATCH_BYTES_MAX, 0, 1, "array of [stream_id, ack_id]")
#define GATEWAY_BEAT_FIELDS(F, S) \
	F(S, U64, links, 0, 0, 1, "glasses links it holds") \
	F(S, U64, batch, 0, 0, 1, "of the last probe.batch heard from this life of the scheduler; 0: none")

/* 100-139: the story, published by the registry */
#define GATEWAY_CHANGED_FIELDS(F, S) \
	F(S, U64, gateway, 0, 0, 1, "its incarnation") \
	F(S, STR, name, NAME_MAX_BYTES, 0, 1, "its name") \
	F(S, ENUM, state, link, 0, 1, "up; lost: lease expired, nothing known; down: gone for good") \
	F(S, STR, reason, REASON_MAX, 0, 1, "why") \
	F(S, U64, clock, 0, 0, 1, "identity of the clock of its monotonic times; 0: not known")
#define SESSION_OPENED_FIELDS(F, S) \
	F(S, BOOL, waiting, 0, 0, 1, "connection_ack waits for apps that ran before")
#define SESSION_READY_FIELDS(F, S)
#define SESSION_ENDING_FIELDS(F, S)
#define SESSION_CLOSED_FIELDS(F, S) \
	F(S, STR, reason, REASON_MAX, 0, 1, "why")
#define LINK_CHANGED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, U64, gateway, 0, 0, 1, "incarnation of the gateway that holds it") \
	F(S, ENUM, state, link, 0, 1, "up or down") \
	F(S, U64, code, 0, 0, 1, "down: close code; 0: its gateway is gone") \
	F(S, I64, opened_ms, 0, 0, 1, "ms of its gateway's clock: when the socket was opened; 0: not known")
#define GLASSES_CHANGED_FIELDS(F, S) \
	F(S, STR, model, MODEL_MAX, 0, 1, "empty: unknown") \
	F(S, BOOL, connected, 0, 0, 1, "glasses are connected to the phone") \
	F(S, ENUM, wifi, wifi, 0, 1, "as last said")
#define APP_CHANGED_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, ENUM, state, app_state, 0, 1, "its new state") \
	F(S, ENUM, app_type, app_type, 0, 1, "from the app directory") \
	F(S, U64, link, 0, 0, 1, "its newest socket; 0: none") \
	F(S, U64, gateway, 0, 0, 1, "incarnation of the gateway that holds it") \
	F(S, STR, reason, REASON_MAX, 0, 1, "why") \
	F(S, I64, opened_ms, 0, 0, 1, "ms of its gateway's clock: when that socket's init came; 0: not known")
#define APP_SUBSCRIBED_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, LIST, types, SUBSCRIPTIONS_BYTES, 0, 1, "array of STR: replaces what it had")
#define DEPLOYMENT_MARKED_FIELDS(F, S) \
	F(S, STR, mark, MARK_MAX, 0, 1, "what this deployment writes on all that it provisions")
#define RECORD_QUARANTINED_FIELDS(F, S) \
	F(S, ENUM, bucket, bucket, 0, 1, "what kind of record of the store it was") \
	F(S, ENUM, reason, damage, 0, 1, "check: its bytes are not those that were committed; unreadable: no record") \
	F(S, U64, key_hash, 0, 0, 1, "XXH3 of its key; user_id is set if the history knows the user")
#define RECORD_REBUILT_FIELDS(F, S) \
	F(S, U64, rows, 0, 0, 1, "story events of the user that the history still had")
#define STREAM_OPENED_FIELDS(F, S) \
	F(S, ENUM, kind, kind, 0, 1, "unmanaged or managed") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the owner") \
	F(S, STR, rtmp_url, URL_MAX, SECRET, 1, "unmanaged: where to publish") \
	F(S, JSON, video, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, audio, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, options, OPTION_MAX, 0, 1, "object") \
	F(S, ENUM, provider, provider, 0, 1, "managed: where its input is to be made")
#define STREAM_STATUS_FIELDS(F, S) \
	F(S, ENUM, status, device_status, 0, 1, "what the device said") \
	F(S, ENUM, phase, phase, 0, 1, "phase after it") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what the device said beside it")
#define STREAM_MOVED_FIELDS(F, S) \
	F(S, ENUM, phase, phase, 0, 1, "phase after it") \
	F(S, U64, missed, 0, 0, 1, "consecutive probes unanswered") \
	F(S, BOOL, start_delivered, 0, 0, 1, "the start was written to the device's socket")
#define STREAM_CLOSED_FIELDS(F, S) \
	F(S, ENUM, end_cause, end_cause, 0, 1, "why") \
	F(S, ENUM, hop, hop, 0, 1, "where it broke, or who asked") \
	F(S, STR, by, PACKAGE_MAX, 0, 1, "the app or operator that asked, if any") \
	F(S, ENUM, status, device_status, 0, 1, "what the device said, if that ended it") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what the device said beside it") \
	F(S, U64, missed, 0, 0, 1, "consecutive probes unanswered") \
	F(S, I64, last_ack_age_ms, 0, 0, 1, "since the last ack or activity; -1: not known") \
	F(S, ENUM, link_state, link, 0, 1, "glasses link at that moment") \
	F(S, BOOL, stop_owed, 0, 0, 1, "the device must still be told to stop") \
	F(S, STR, told_id, STREAM_ID_MAX, 0, 1, "streamId to write into that stop") \
	F(S, STR, stop_app_id, PACKAGE_MAX, 0, 1, "appId to write into that stop") \
	F(S, BOOL, told_owed, 0, 0, 1, "the owner, or a viewer, must still be told of the end") \
	F(S, BOOL, input_owed, 0, 0, 1, "its input must still be deleted, or looked for")
#define STREAM_TOLD_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, ENUM, outcome, outcome, 0, 1, "what became of the terminal status")
#define STREAM_STOP_SETTLED_FIELDS(F, S) \
	F(S, ENUM, outcome, outcome, 0, 1, "what became of the stop that was owed")

#define STREAM_JOINED_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app that watches now, or asked again")
#define STREAM_LEFT_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app that watches no more") \
	F(S, BOOL, told_owed, 0, 0, 1, "it must still be told")
#define STREAM_PROVISIONED_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the provider's name for the input") \
	F(S, STR, ingest, URL_MAX, SECRET, 1, "where the device shall publish") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, webrtc, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, ENUM, phase, phase, 0, 1, "phase after it; closed: it came too late and is owed for deletion")
#define STREAM_INGEST_FIELDS(F, S) \
	F(S, ENUM, ingest, ingest, 0, 1, "what the provider sees") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what it said beside it")
#define STREAM_PLAYBACK_FIELDS(F, S) \
	F(S, ENUM, playback, playback, 0, 1, "how far it is known to work") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "empty: none")
#define STREAM_OUTPUT_FIELDS(F, S) \
	F(S, U64, output, 0, 0, 1, "its number in the stream, from 1") \
	F(S, ENUM, state, output_state, 0, 1, "its new state; removed: it is no more") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app that added it") \
	F(S, STR, url, OUTPUT_URL_MAX, SECRET, 1, "the destination, when it is new") \
	F(S, STR, name, OUTPUT_NAME_MAX, 0, 1, "what the app calls it") \
	F(S, STR, remote_id, INPUT_ID_MAX, 0, 1, "the provider's name for it") \
	F(S, STR, error, OUTPUT_ERROR_MAX, 0, 1, "error, refused: why") \
	F(S, BOOL, initial, 0, 0, 1, "named by the request that made the stream")
#define STREAM_INPUT_SETTLED_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "deleted; empty: none was ever made") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "how it is known")

/* 140-149: snapshots; rows are story events, stream_row is the one that sums a record up */
#define SNAPSHOT_GET_FIELDS(F, S)
#define SNAPSHOT_BEGIN_FIELDS(F, S) \
	F(S, U64, upto, 0, 0, 1, "story seq that the rows stand for")
#define SNAPSHOT_STREAM_FIELDS(F, S) \
	F(S, ENUM, kind, kind, 0, 1, "unmanaged or managed") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the owner") \
	F(S, STR, rtmp_url, URL_MAX, SECRET, 1, "while the start is owed; never to operators") \
	F(S, JSON, video, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, audio, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, options, OPTION_MAX, 0, 1, "object") \
	F(S, ENUM, phase, phase, 0, 1, "now") \
	F(S, I64, created_ms, 0, 0, 1, "Unix time, ms") \
	F(S, I64, activity_ms, 0, 0, 1, "Unix time, ms, of the last event about it") \
	F(S, U64, opened_seq, 0, 0, 1, "story seq of stream.opened") \
	F(S, U64, phase_seq, 0, 0, 1, "story seq of the last activity; timers armed by it carry it") \
	F(S, U64, status_seq, 0, 0, 1, "story seq of the last app-visible event") \
	F(S, U64, status_stream_seq, 0, 0, 1, "its stream_seq") \
	F(S, U64, missed, 0, 0, 1, "consecutive probes unanswered") \
	F(S, BOOL, start_delivered, 0, 0, 1, "the start was written to the device's socket") \
	F(S, BOOL, stop_owed, 0, 0, 1, "the device must still be told to stop") \
	F(S, STR, told_id, STREAM_ID_MAX, 0, 1, "streamId to write into that stop") \
	F(S, STR, stop_app_id, PACKAGE_MAX, 0, 1, "appId to write into that stop") \
	F(S, BOOL, told_owed, 0, 0, 1, "the owner must still be told of the end") \
	F(S, ENUM, end_cause, end_cause, 0, 1, "closed: why") \
	F(S, ENUM, hop, hop, 0, 1, "closed: where") \
	F(S, BOOL, was_live, 0, 0, 1, "the device has reported it streaming") \
	F(S, I64, closed_ms, 0, 0, 1, "closed: Unix time, ms") \
	F(S, STR, by, PACKAGE_MAX, 0, 1, "closed: the app or operator that asked, if any") \
	F(S, ENUM, status, device_status, 0, 1, "what the device said last") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what the device said beside it") \
	F(S, ENUM, link_state, link, 0, 1, "closed: glasses link at that moment") \
	F(S, I64, last_ack_age_ms, 0, 0, 1, "closed: since the last ack or activity; -1: not known")
#define SNAPSHOT_MANAGED_FIELDS(F, S) \
	F(S, ENUM, provider, provider, 0, 1, "where its input is") \
	F(S, ENUM, input, input_state, 0, 1, "what is known of it") \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the provider's name for it") \
	F(S, ENUM, ingest, ingest, 0, 1, "what the provider sees") \
	F(S, ENUM, playback, playback, 0, 1, "how far it is known to work") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "what viewers open") \
	F(S, STR, webrtc, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, LIST, viewers, VIEWERS_BYTES, 0, 1, "array of [package, viewer], in the order they joined")
#define SNAPSHOT_STORE_FIELDS(F, S) \
	F(S, U64, quarantined, 0, 0, 1, "records in quarantine") \
	F(S, U64, rows_damaged, 0, 0, 1, "rows of the history that were passed over, in this life")
#define SNAPSHOT_OUTPUTS_FIELDS(F, S) \
	F(S, LIST, outputs, OUTPUT_RECORDS_BYTES, SECRET, 1, "array of [number, state, url, name, package, remote_id, error, initial]") \
	F(S, U64, next_output, 0, 0, 1, "number of the next output")
#define SNAPSHOT_REMEMBERED_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "an app that ran when the session ended") \
	F(S, ENUM, app_type, app_type, 0, 1, "from the app directory")
#define SNAPSHOT_END_FIELDS(F, S) \
	F(S, U64, upto, 0, 0, 1, "story seq that the rows stand for") \
	F(S, U64, rows, 0, 0, 1, "rows sent since snapshot.begin")

/* 150-169: operators */
#define OPERATOR_STOP_FIELDS(F, S) \
	F(S, STR, by, PACKAGE_MAX, 0, 1, "who asks")
#define OPERATOR_RESULT_FIELDS(F, S) \
	F(S, ENUM, result, result, 0, 1, "ok: done") \
	F(S, STR, reason, REASON_MAX, 0, 1, "else: why not, and what to do")
#define HISTORY_GET_FIELDS(F, S) \
	F(S, U64, from_seq, 0, 0, 1, "first story seq wanted; 0: the oldest kept") \
	F(S, U64, count_max, 0, 0, 1, "at most so many; stream_id and user_id filter")
#define HISTORY_END_FIELDS(F, S) \
	F(S, U64, next_seq, 0, 0, 1, "ask again from here; 0: there is no more") \
	F(S, U64, oldest_seq, 0, 0, 1, "oldest story seq kept")

/* 170-199: operational events on each daemon's own outbox; never needed for correctness */
#define ACTOR_STARTED_FIELDS(F, S) \
	F(S, STR, version, NAME_MAX_BYTES, 0, 1, "of the build")
#define ACTOR_STOPPED_FIELDS(F, S)
#define ACTOR_METRICS_FIELDS(F, S) \
	F(S, LIST, counters, METRICS_BYTES_MAX, 0, 1, "array of [name, value]")
#define PROBE_SENT_FIELDS(F, S) \
	F(S, STR, ack_id, ACK_ID_MAX, 0, 1, "ackId of the probe") \
	F(S, U64, link, 0, 0, 1, "the glasses socket; 0: the link is down, nothing could be sent")
#define PROBE_ACKED_FIELDS(F, S) \
	F(S, STR, ack_id, ACK_ID_MAX, 0, 1, "ackId of the probe") \
	F(S, BOOL, counted, 0, 0, 1, "false: unknown or too late, changes nothing")
#define PROBE_MISSED_FIELDS(F, S) \
	F(S, STR, ack_id, ACK_ID_MAX, 0, 1, "ackId of the probe") \
	F(S, U64, missed, 0, 0, 1, "consecutive, with this one") \
	F(S, BOOL, sent, 0, 0, 1, "false: the link was down at its time")

/* 200-229: the managed-adapter's core and its provider, in one process (EFFECT_CALL, and messages
 * from ROLE_PROVIDER); published for people.  A result carries the number of its call.
 */
#define PROVIDER_CREATE_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call; stream_id is the id of the operation") \
	F(S, STR, mark, MARK_MAX, 0, 1, "of this deployment")
#define PROVIDER_ADOPT_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "an input of an earlier life that is in use; not answered") \
	F(S, STR, ingest, URL_MAX, SECRET, 1, "where the device publishes")
#define PROVIDER_DESCRIBE_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the input")
#define PROVIDER_DELETE_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the input; with all that hangs on it, as configured")
#define PROVIDER_LIST_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, U64, page, 0, 0, 1, "0: the first; else what the last page named")
#define PROVIDER_OUTPUT_ADD_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the input") \
	F(S, U64, output, 0, 0, 1, "our number of it") \
	F(S, STR, url, OUTPUT_URL_MAX, SECRET, 1, "the destination")
#define PROVIDER_OUTPUT_REMOVE_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the input") \
	F(S, U64, output, 0, 0, 1, "our number of it") \
	F(S, STR, remote_id, INPUT_ID_MAX, 0, 1, "the provider's name for it") \
	F(S, STR, url, OUTPUT_URL_MAX, SECRET, 1, "the destination")
#define PROVIDER_QUOTA_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call")
#define PROVIDER_DONE_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, ENUM, outcome, call_outcome, 0, 1, "how it went") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "else: what the provider said") \
	F(S, I64, retry_ms, 0, 0, 1, "retry: not before; 0: as the caller likes") \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "create: the input") \
	F(S, STR, ingest, URL_MAX, SECRET, 1, "create: where the device shall publish") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "create, describe; empty: not known") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "create, describe; empty: not known") \
	F(S, STR, webrtc, PLAYBACK_URL_MAX, 0, 1, "create; empty: none") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "create, describe; empty: not known") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "create, describe; empty: not known") \
	F(S, ENUM, ingest_state, ingest, 0, 1, "describe: what it sees; unknown: it did not say") \
	F(S, BOOL, playable, 0, 0, 1, "describe: viewers can watch it") \
	F(S, STR, remote_id, INPUT_ID_MAX, 0, 1, "output_add: the provider's name for it") \
	F(S, U64, used, 0, 0, 1, "quota: minutes stored") \
	F(S, U64, limit, 0, 0, 1, "quota: minutes allowed; 0: not limited")
#define PROVIDER_PAGE_FIELDS(F, S) \
	F(S, U64, call, 0, 0, 1, "number of the call") \
	F(S, ENUM, outcome, call_outcome, 0, 1, "how it went") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "else: what the provider said") \
	F(S, I64, retry_ms, 0, 0, 1, "retry: not before; 0: as the caller likes") \
	F(S, LIST, inputs, INPUTS_BYTES, 0, 1, "array of [input_id, mark, stream_id, age_s]; mark empty: not marked; age_s 0: not known") \
	F(S, U64, next_page, 0, 0, 1, "0: this was the last") \
	F(S, U64, total, 0, 0, 1, "inputs there are; 0: not known")
#define PROVIDER_HINT_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the input; look at it soon") \
	F(S, ENUM, ingest, ingest, 0, 1, "what it was said to be; unknown: not said") \
	F(S, BOOL, sure, 0, 0, 1, "seen by ourselves: need not be confirmed") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what was said beside it")
#define PROVIDER_OUTPUT_HINT_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "the input") \
	F(S, U64, output, 0, 0, 1, "our number of the output; 0: known by remote_id") \
	F(S, STR, remote_id, INPUT_ID_MAX, 0, 1, "the provider's name for it") \
	F(S, ENUM, state, output_state, 0, 1, "idle, active or error") \
	F(S, STR, error, OUTPUT_ERROR_MAX, 0, 1, "error: why")
#define PROVIDER_LEAK_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "an input with our mark that no record knows") \
	F(S, STR, mark, MARK_MAX, 0, 1, "its mark") \
	F(S, U64, age_s, 0, 0, 1, "since it was created; 0: not known") \
	F(S, BOOL, deleted, 0, 0, 1, "it is gone")

/* 230-239: operators and the managed-adapter; rows answer with origin and request of the question */
#define PROVIDER_ASK_FIELDS(F, S) \
	F(S, BOOL, reconcile, 0, 0, 1, "compare now, and delete what is leaked unless dry_run") \
	F(S, BOOL, dry_run, 0, 0, 1, "only say what would be deleted")
#define PROVIDER_ROW_FIELDS(F, S) \
	F(S, STR, input_id, INPUT_ID_MAX, 0, 1, "an input at the provider, or one that a record owes") \
	F(S, STR, mark, MARK_MAX, 0, 1, "its mark; empty: somebody else's") \
	F(S, ENUM, input, input_state, 0, 1, "what its record says; none: there is no record") \
	F(S, BOOL, listed, 0, 0, 1, "the provider listed it") \
	F(S, BOOL, leak, 0, 0, 1, "has our mark, no record, and is old enough") \
	F(S, BOOL, deleted, 0, 0, 1, "was deleted by this call") \
	F(S, U64, age_s, 0, 0, 1, "since it was created; 0: not known") \
	F(S, U64, tries, 0, 0, 1, "delete_owed: attempts so far") \
	F(S, I64, next_ms, 0, 0, 1, "delete_owed: ms until the next") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "what the provider said last")
#define PROVIDER_REPORT_FIELDS(F, S) \
	F(S, ENUM, result, result, 0, 1, "ok, or why not") \
	F(S, STR, reason, REASON_MAX, 0, 1, "else: what to do") \
	F(S, ENUM, provider, provider, 0, 1, "which one") \
	F(S, STR, mark, MARK_MAX, 0, 1, "of this deployment") \
	F(S, U64, rows, 0, 0, 1, "rows sent before") \
	F(S, U64, in_use, 0, 0, 1, "inputs of live streams") \
	F(S, U64, owed, 0, 0, 1, "inputs that must still be deleted") \
	F(S, U64, leaks, 0, 0, 1, "inputs with our mark that no record knows") \
	F(S, U64, foreign, 0, 0, 1, "inputs of others: never touched") \
	F(S, U64, deleted, 0, 0, 1, "deleted by this call") \
	F(S, U64, used, 0, 0, 1, "quota: minutes stored") \
	F(S, U64, limit, 0, 0, 1, "quota: minutes allowed; 0: not limited") \
	F(S, I64, reconciled_age_ms, 0, 0, 1, "since the last complete comparison; -1: there was none") \
	F(S, I64, retry_ms, 0, 0, 1, "no budget: calls are held back for so long; 0: they are not")
/* clang-format on */
