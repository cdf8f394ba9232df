/* SPDX-License-Identifier: MIT */
/* schema_edge.h - fields of the events between peers, gateways and adapters, 1 to 69, and of those
 * that every event has; see schema.h.
 */
#pragma once

#include "proto/schema_limits.h"

/* clang-format off */
#define STREAM_HEADER_FIELDS(F, S) \
	F(S, STR, source, NAME_MAX_BYTES, 0, 1, "process that emitted the event") \
	F(S, U64, incarnation, 0, 0, 1, "start of that process; differs at every start") \
	F(S, U64, seq, 0, 0, 1, "per source, from 1, no gaps; 0 on addressed messages") \
	F(S, U64, cause, 0, 0, 1, "seq of the registry event that led to this one, or 0") \
	F(S, U64, origin, 0, 0, 1, "incarnation of the process that first asked") \
	F(S, U64, request, 0, 0, 1, "id of the request, unique within its origin; 0: none") \
	F(S, I64, expires_ms, 0, 0, 1, "ms of the sender's clock (peer.hello) after which the request must not run; 0: never") \
	F(S, STR, user_id, USER_ID_MAX, 0, 1, "user concerned") \
	F(S, STR, stream_id, STREAM_ID_MAX, 0, 1, "stream concerned") \
	F(S, U64, epoch, 0, 0, 1, "grows with every stream of the user; an older one is stale") \
	F(S, U64, stream_seq, 0, 0, 1, "per stream, from 1, no gaps") \
	F(S, I64, sent_ms, 0, 0, 1, "Unix time, ms; for people, never for decisions")

/* 1-9: between any two processes */
#define PEER_HELLO_FIELDS(F, S) \
	F(S, ENUM, role, role, 0, 1, "what the sender is") \
	F(S, STR, name, NAME_MAX_BYTES, 0, 1, "its name, e.g. gateway-2") \
	F(S, U64, protocol, 0, 0, 1, "STREAM_PROTOCOL_VERSION it speaks") \
	F(S, U64, first_request, 0, 0, 1, "oldest request it still waits for; what is older is settled") \
	F(S, U64, clock, 0, 0, 1, "identity of the clock of its monotonic times") \
	F(S, I64, now_ms, 0, 0, 1, "what that clock shows as it says so")
#define PEER_WELCOME_FIELDS(F, S) \
	F(S, ENUM, role, role, 0, 1, "what the answering process is") \
	F(S, STR, name, NAME_MAX_BYTES, 0, 1, "its name") \
	F(S, BOOL, known, 0, 0, 1, "it still knows this incarnation of the caller") \
	F(S, U64, next_request, 0, 0, 1, "the request it expects next, if known or counted") \
	F(S, BOOL, counted, 0, 0, 1, "an earlier life of it handled what is before next_request")
#define PEER_ACK_FIELDS(F, S) \
	F(S, U64, upto, 0, 0, 1, "every request up to this one has been handled")
#define PEER_REFUSED_FIELDS(F, S) \
	F(S, STR, reason, REASON_MAX, 0, 1, "why this peer is not served")

/* 10-29: facts from the edge, gateway to registry */
#define EDGE_LINK_OPENED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket; unique within the gateway's incarnation") \
	F(S, BOOL, resumed, 0, 0, 1, "told again after a reconnect to the registry, not a new socket") \
	F(S, STR, dashboard, PACKAGE_MAX, 0, 1, "app to start with every new session; empty: none") \
	F(S, I64, opened_ms, 0, 0, 1, "ms of its gateway's clock: when the socket was opened; 0: not known")
#define EDGE_LINK_CLOSED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, U64, code, 0, 0, 1, "WebSocket close code; 1006 if there was none")
#define EDGE_ANNOUNCED_FIELDS(F, S) \
	F(S, U64, links, 0, 0, 1, "glasses links told of since the hello") \
	F(S, U64, apps, 0, 0, 1, "app links told of since the hello")
#define EDGE_GLASSES_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket; 0 when told by REST") \
	F(S, STR, model, MODEL_MAX, 0, 1, "empty if not connected") \
	F(S, BOOL, has_state, 0, 0, 1, "connected and model are given") \
	F(S, BOOL, connected, 0, 0, 1, "glasses are connected to the phone") \
	F(S, ENUM, wifi, wifi, 0, 1, "unknown: not said") \
	F(S, BOOL, resumed, 0, 0, 1, "told again, not a new message")
#define EDGE_STATUS_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, ENUM, status, device_status, 0, 1, "what the device said; none: no word given") \
	F(S, STR, detail, DETAIL_MAX, 0, 1, "errorDetails or reason, cleaned")
#define EDGE_DEVICE_TOLD_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket; 0 if there is none") \
	F(S, BOOL, stop, 0, 0, 1, "false: a start; true: a stop") \
	F(S, ENUM, outcome, outcome, 0, 1, "what became of it")
#define EDGE_APP_TOLD_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app that was told of the end") \
	F(S, ENUM, outcome, outcome, 0, 1, "what became of it")
#define EDGE_APP_OPENED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, BOOL, key_ok, 0, 0, 1, "its api key matches the app directory") \
	F(S, ENUM, app_type, app_type, 0, 1, "from the app directory") \
	F(S, BOOL, resumed, 0, 0, 1, "told again, not a new init") \
	F(S, I64, opened_ms, 0, 0, 1, "ms of its gateway's clock: when the init came; 0: not known")
#define EDGE_APP_CLOSED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, U64, code, 0, 0, 1, "WebSocket close code; 1006 if there was none")
#define EDGE_APP_SUBSCRIBED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, LIST, types, SUBSCRIPTIONS_BYTES, 0, 1, "array of STR: message types, permissions applied") \
	F(S, BOOL, resumed, 0, 0, 1, "told again, not a new message")
#define EDGE_APP_START_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, BOOL, rest, 0, 0, 1, "asked by REST: wants registry.app_result and app_started") \
	F(S, BOOL, known, 0, 0, 1, "the app directory has it") \
	F(S, ENUM, app_type, app_type, 0, 1, "from the app directory")
#define EDGE_APP_STOP_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, BOOL, rest, 0, 0, 1, "asked by REST") \
	F(S, BOOL, known, 0, 0, 1, "the app directory has it")
#define EDGE_HOOK_DONE_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, ENUM, hook, hook, 0, 1, "which webhook") \
	F(S, U64, hook_id, 0, 0, 1, "of registry.hook") \
	F(S, BOOL, ok, 0, 0, 1, "answered 2xx")
#define EDGE_RELAY_FIELDS(F, S) \
	F(S, STR, type_name, TYPE_NAME_MAX, 0, 1, "type of the message") \
	F(S, JSON, message, RELAY_MAX, 0, 1, "the message, verbatim")
#define EDGE_CHECK_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the asking app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app")

#define EDGE_LEAVING_FIELDS(F, S)

/* 30-49: registry to one gateway */
#define REGISTRY_GLASSES_NOTICE_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, ENUM, notice, notice, 0, 1, "what to say") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "for app_started and app_stopped")
#define REGISTRY_HOOK_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, ENUM, hook, hook, 0, 1, "which webhook to post") \
	F(S, U64, hook_id, 0, 0, 1, "echo in edge.hook_done")
#define REGISTRY_APP_RESULT_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket for edge.app_opened; 0 for start and stop") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, ENUM, result, result, 0, 1, "ok: accepted") \
	F(S, STR, model, MODEL_MAX, 0, 1, "model of the connected glasses, if any") \
	F(S, U64, seen_seq, 0, 0, 1, "registry events up to here are behind this answer")
#define REGISTRY_CAPABILITIES_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, model, MODEL_MAX, 0, 1, "model whose capabilities to send")
#define REGISTRY_LINK_CLOSE_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the socket to close") \
	F(S, BOOL, app_stopped, 0, 0, 1, "send app_stopped first") \
	F(S, U64, code, 0, 0, 1, "WebSocket close code") \
	F(S, STR, reason, REASON_MAX, 0, 1, "close reason")
#define REGISTRY_RELAY_FILTER_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, BOOL, all, 0, 0, 1, "some app wants everything") \
	F(S, LIST, types, SUBSCRIPTIONS_BYTES, 0, 1, "array of STR: types that some app wants")
#define REGISTRY_RELAY_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, type_name, TYPE_NAME_MAX, 0, 1, "type of the message") \
	F(S, JSON, message, RELAY_MAX, 0, 1, "the message, verbatim")
#define REGISTRY_CHECKED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the asking app socket") \
	F(S, ENUM, kind, kind, 0, 1, "none: no active stream") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "its owner") \
	F(S, STR, rtmp_url, URL_MAX, SECRET, 1, "only for the owner") \
	F(S, I64, created_ms, 0, 0, 1, "Unix time, ms") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "managed") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "managed") \
	F(S, STR, webrtc, PLAYBACK_URL_MAX, 0, 1, "managed; empty: none") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "managed; empty: none") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "managed; empty: none") \
	F(S, U64, viewers, 0, 0, 1, "managed: how many apps watch")
#define REGISTRY_UNKNOWN_LINK_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "a link the registry does not take: close it 1012; 0: announce all")

/* 50-59: adapter to one gateway */
#define DELIVER_START_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, STR, app_id, PACKAGE_MAX, 0, 1, "owner package, or MANAGED_STREAM") \
	F(S, STR, rtmp_url, URL_MAX, SECRET, 1, "where the device shall publish") \
	F(S, JSON, video, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, audio, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, options, OPTION_MAX, 0, 1, "object: the message's stream field")
#define DELIVER_STOP_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the glasses socket") \
	F(S, STR, app_id, PACKAGE_MAX, 0, 1, "stopping package, or MANAGED_STREAM") \
	F(S, STR, told_id, STREAM_ID_MAX, 0, 1, "streamId to write; what the app gave, maybe empty")
#define DELIVER_STATUS_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the receiving app") \
	F(S, STR, owner, PACKAGE_MAX, 0, 1, "the stream's owner: appId") \
	F(S, STR, status, NAME_MAX_BYTES, 0, 1, "app-facing word") \
	F(S, BOOL, copy, 0, 0, 1, "data_stream copy for a subscriber, not the direct message") \
	F(S, BOOL, terminal, 0, 0, 1, "confirm to the registry with edge.app_told")
#define DELIVER_MANAGED_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the receiving app") \
	F(S, STR, status, NAME_MAX_BYTES, 0, 1, "app-facing word") \
	F(S, STR, message, DETAIL_MAX, 0, 1, "empty: none") \
	F(S, STR, hls, PLAYBACK_URL_MAX, 0, 1, "empty: none yet") \
	F(S, STR, dash, PLAYBACK_URL_MAX, 0, 1, "empty: none yet") \
	F(S, STR, webrtc, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, preview, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, STR, thumbnail, PLAYBACK_URL_MAX, 0, 1, "empty: none") \
	F(S, LIST, outputs, OUTPUTS_BYTES, SECRET, 1, "array of [url, name, status, error]; empty: none") \
	F(S, BOOL, terminal, 0, 0, 1, "the last word to this app: confirm with edge.app_told") \
	F(S, BOOL, reply, 0, 0, 1, "answers a request: said even if it says nothing new")
#define REQUEST_OUTPUTS_FIELDS(F, S) \
	F(S, ENUM, result, result, 0, 1, "ok, or why not") \
	F(S, U64, output, 0, 0, 1, "number of the output that was added or removed") \
	F(S, STR, reason, REASON_MAX, 0, 1, "else: message for the app") \
	F(S, LIST, outputs, OUTPUT_ROWS_BYTES, SECRET, 1, "asked for a list: array of [number, url, name, package, status, error]")
#define REQUEST_DONE_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket that asked") \
	F(S, ENUM, result, result, 0, 1, "ok, or refused") \
	F(S, STR, code, CODE_MAX, 0, 1, "refused: error code for the app") \
	F(S, STR, reason, REASON_MAX, 0, 1, "refused: message, and close reason")

/* 60-69: gateway to an adapter */
#define REQUEST_START_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app") \
	F(S, BOOL, permitted, 0, 0, 1, "the app has CAMERA or ALL") \
	F(S, U64, seen_seq, 0, 0, 1, "judge on a mirror that has reached this seq") \
	F(S, STR, rtmp_url, URL_MAX, SECRET, 1, "unmanaged: where to publish") \
	F(S, JSON, video, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, audio, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, options, OPTION_MAX, 0, 1, "object: the message's stream field") \
	F(S, BOOL, oversized, 0, 0, 1, "the URL or an option was beyond its limit and is left out")
#define REQUEST_STOP_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app; stream_id is what it named, maybe nothing") \
	F(S, U64, seen_seq, 0, 0, 1, "judge on a mirror that has reached this seq")

#define REQUEST_WATCH_FIELDS(F, S) \
	F(S, U64, link, 0, 0, 1, "the app socket") \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app") \
	F(S, BOOL, permitted, 0, 0, 1, "the app has CAMERA or ALL") \
	F(S, U64, seen_seq, 0, 0, 1, "judge on a mirror that has reached this seq") \
	F(S, JSON, video, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, audio, OPTION_MAX, 0, 1, "object") \
	F(S, JSON, options, OPTION_MAX, 0, 1, "object: the message's stream field") \
	F(S, BOOL, oversized, 0, 0, 1, "an option was beyond its limit and is left out") \
	F(S, JSON, destinations, DESTINATIONS_MAX, SECRET, 1, "array of {url, name}: restreamDestinations") \
	F(S, BOOL, destinations_oversized, 0, 0, 1, "they were beyond their limit and are left out")
#define REQUEST_OUTPUT_ADD_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app; stream_id is what it named") \
	F(S, STR, url, OUTPUT_URL_MAX, SECRET, 1, "the destination") \
	F(S, STR, name, OUTPUT_NAME_MAX, 0, 1, "what the app calls it; empty: nothing")
#define REQUEST_OUTPUT_REMOVE_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app; stream_id is what it named") \
	F(S, U64, output, 0, 0, 1, "number of the output; 0: it named none that could be")
#define REQUEST_OUTPUT_LIST_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the asking app; stream_id is what it named")
/* clang-format on */
