/* SPDX-License-Identifier: MIT */
/* schema.h - every StreamEvent, defined once; encode, decode, names, printing, JSON, the page
 * docs/events.md and the role table of every inbox derive from it.
 *
 * F(S, kind, name, arg, flags, since, meaning)
 *   kind  STR  text; @arg is its limit in bytes
 *         JSON text that is one JSON value, passed on verbatim; @arg is its limit in bytes
 *         LIST a msgpack array, passed on verbatim; @arg is its limit in bytes
 *         ENUM number printed as a word; @arg names the words of words.h
 *         U64 I64 BOOL; @arg is 0
 *   flags SECRET: stripped from PUB frames, printed redacted
 *   since protocol version that added the field; fields are only ever appended
 *
 * E(number, UPPER, lower, name, from, to): numbers, names and fields are never reused or
 * renumbered, even after an event is retired.  @from and @to are sets of roles: who may send
 * it over ROUTER/DEALER to whom.  TO_ALL is what the registry publishes.
 */
#pragma once

#define STREAM_PROTOCOL_VERSION 1

/* Limits in bytes; protocol.md gives the shapes, reliability.md section 4 the caps. */
#define USER_ID_MAX 254 /* longest e-mail address */
#define PACKAGE_MAX 128
#define STREAM_ID_MAX 32 /* ours have 11 */
#define ACK_ID_MAX 16 /* ours have 6 */
#define NAME_MAX_BYTES 32 /* process names: gateway-64 */
#define MODEL_MAX 64
#define SSID_MAX 32
#define DETAIL_MAX 512
#define URL_MAX 2048
#define OPTION_MAX 1024 /* each of video, audio, stream */
#define CODE_MAX 48
#define REASON_MAX 320
#define TYPE_NAME_MAX 64 /* message types that apps may subscribe to */
#define SUBSCRIPTIONS_MAX 64 /* per app */
#define SUBSCRIPTIONS_BYTES (SUBSCRIPTIONS_MAX * (TYPE_NAME_MAX + 2) + 3)
#define PLAYBACK_URL_MAX 256 /* what viewers open; providers' have about 110 */
#define INPUT_ID_MAX 64 /* a provider's name for an input or an output */
#define OUTPUT_URL_MAX 400 /* a destination, its key included */
#define OUTPUT_NAME_MAX 64
#define OUTPUT_ERROR_MAX 64
#define OUTPUTS_MAX 10 /* of one stream, and of one app in it (protocol.md 6.6) */
#define OUTPUTS_BYTES (OUTPUTS_MAX * (OUTPUT_URL_MAX + OUTPUT_NAME_MAX + OUTPUT_ERROR_MAX + 32) + 3)
#define OUTPUT_RECORDS_BYTES \
	(OUTPUTS_MAX * (OUTPUT_URL_MAX + OUTPUT_NAME_MAX + OUTPUT_ERROR_MAX + INPUT_ID_MAX + \
			PACKAGE_MAX + 32) + \
	 3)
#define DESTINATIONS_MAX 3584 /* bytes of restreamDestinations */
#define VIEWERS_MAX 16 /* of one stream: as many apps as a user may run */
#define VIEWERS_BYTES (VIEWERS_MAX * (PACKAGE_MAX + 5) + 3)
#define MARK_MAX 48 /* of a deployment, in what it provisions */
#define INPUTS_PER_PAGE_MAX 16
#define INPUTS_BYTES (INPUTS_PER_PAGE_MAX * (INPUT_ID_MAX + MARK_MAX + STREAM_ID_MAX + 24) + 3)
#define RELAY_MAX 65536 /* one message from the edge, whole */
#define PROBES_PER_BATCH_MAX 512
#define PROBE_BYTES_MAX 96 /* one [link, stream_id, epoch, ack_id], encoded */
#define ACKS_PER_BATCH_MAX 512
#define METRICS_BYTES_MAX 7168
#define BATCH_BYTES_MAX (PROBES_PER_BATCH_MAX * PROBE_BYTES_MAX + 3)

#define STREAM_EVENT_WIRE_MAX 8192 /* one event, encoded, unless it is one of the two below */
#define STREAM_EVENT_BATCH_WIRE_MAX (BATCH_BYTES_MAX + 1024)
#define STREAM_EVENT_RELAY_WIRE_MAX (RELAY_MAX + 1024)

/* Sets of roles, for E() below. */
#define R(ROLE) (1u << ROLE_##ROLE)
#define TO_ALL 0
#define FROM_REGISTRY R(REGISTRY)
#define TO_REGISTRY R(REGISTRY)
#define ADAPTERS (R(UNMANAGED) | R(MANAGED))
#define CLIENTS (ADAPTERS | R(SCHEDULER) | R(GATEWAY) | R(CONSOLE) | R(OPERATOR))
#define SERVERS (ADAPTERS | R(SCHEDULER) | R(REGISTRY))
#define FOLLOWERS (ADAPTERS | R(SCHEDULER) | R(CONSOLE) | R(OPERATOR))

/* clang-format off */
#define STREAM_HEADER_FIELDS(F, S) \
	F(S, STR, source, NAME_MAX_BYTES, 0, 1, "process that emitted the event") \
	F(S, U64, incarnation, 0, 0, 1, "start of that process; differs at every start") \
	F(S, U64, seq, 0, 0, 1, "per source, from 1, no gaps; 0 on addressed messages") \
	F(S, U64, cause, 0, 0, 1, "seq of the registry event that led to this one, or 0") \
	F(S, U64, origin, 0, 0, 1, "incarnation of the process that first asked") \
	F(S, U64, request, 0, 0, 1, "id of the request, unique within its origin; 0: none") \
	F(S, I64, expires_ms, 0, 0, 1, "monotonic ms after which the request must not run; 0: never") \
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
	F(S, U64, first_request, 0, 0, 1, "oldest request it still waits for; what is older is settled")
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
	F(S, I64, opened_ms, 0, 0, 1, "monotonic ms: when the socket was opened; 0: not known")
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
	F(S, I64, opened_ms, 0, 0, 1, "monotonic ms: when the init came; 0: not known")
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
	F(S, LIST, outputs, OUTPUT_RECORDS_BYTES, SECRET, 1, "asked for a list: array of [number, url, name, package, status, error]")
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
	F(S, STR, reason, REASON_MAX, 0, 1, "why")
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
	F(S, I64, opened_ms, 0, 0, 1, "monotonic ms: when the socket was opened; 0: not known")
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
	F(S, I64, opened_ms, 0, 0, 1, "monotonic ms: when that socket's init came; 0: not known")
#define APP_SUBSCRIBED_FIELDS(F, S) \
	F(S, STR, package, PACKAGE_MAX, 0, 1, "the app") \
	F(S, LIST, types, SUBSCRIPTIONS_BYTES, 0, 1, "array of STR: replaces what it had")
#define DEPLOYMENT_MARKED_FIELDS(F, S) \
	F(S, STR, mark, MARK_MAX, 0, 1, "what this deployment writes on all that it provisions")
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
	F(S, I64, reconciled_age_ms, 0, 0, 1, "since the last complete comparison; -1: there was none")

#define STREAM_EVENTS(E) \
	E(1, PEER_HELLO, peer_hello, "peer.hello", CLIENTS, SERVERS) \
	E(2, PEER_WELCOME, peer_welcome, "peer.welcome", SERVERS, CLIENTS) \
	E(3, PEER_ACK, peer_ack, "peer.ack", SERVERS, CLIENTS) \
	E(4, PEER_REFUSED, peer_refused, "peer.refused", SERVERS, CLIENTS) \
	E(10, EDGE_LINK_OPENED, edge_link_opened, "edge.link_opened", R(GATEWAY), TO_REGISTRY) \
	E(11, EDGE_LINK_CLOSED, edge_link_closed, "edge.link_closed", R(GATEWAY), TO_REGISTRY) \
	E(12, EDGE_ANNOUNCED, edge_announced, "edge.announced", R(GATEWAY), TO_REGISTRY) \
	E(13, EDGE_GLASSES, edge_glasses, "edge.glasses", R(GATEWAY), TO_REGISTRY) \
	E(14, EDGE_STATUS, edge_status, "edge.status", R(GATEWAY), TO_REGISTRY) \
	E(15, EDGE_DEVICE_TOLD, edge_device_told, "edge.device_told", R(GATEWAY), TO_REGISTRY) \
	E(16, EDGE_APP_TOLD, edge_app_told, "edge.app_told", R(GATEWAY), TO_REGISTRY) \
	E(17, EDGE_APP_OPENED, edge_app_opened, "edge.app_opened", R(GATEWAY), TO_REGISTRY) \
	E(18, EDGE_APP_CLOSED, edge_app_closed, "edge.app_closed", R(GATEWAY), TO_REGISTRY) \
	E(19, EDGE_APP_SUBSCRIBED, edge_app_subscribed, "edge.app_subscribed", R(GATEWAY), TO_REGISTRY) \
	E(20, EDGE_APP_START, edge_app_start, "edge.app_start", R(GATEWAY), TO_REGISTRY) \
	E(21, EDGE_APP_STOP, edge_app_stop, "edge.app_stop", R(GATEWAY), TO_REGISTRY) \
	E(22, EDGE_HOOK_DONE, edge_hook_done, "edge.hook_done", R(GATEWAY), TO_REGISTRY) \
	E(23, EDGE_RELAY, edge_relay, "edge.relay", R(GATEWAY), TO_REGISTRY) \
	E(24, EDGE_CHECK, edge_check, "edge.check", R(GATEWAY), TO_REGISTRY) \
	E(25, EDGE_LEAVING, edge_leaving, "edge.leaving", R(GATEWAY), TO_REGISTRY) \
	E(30, REGISTRY_GLASSES_NOTICE, registry_glasses_notice, "registry.glasses_notice", FROM_REGISTRY, R(GATEWAY)) \
	E(31, REGISTRY_HOOK, registry_hook, "registry.hook", FROM_REGISTRY, R(GATEWAY)) \
	E(32, REGISTRY_APP_RESULT, registry_app_result, "registry.app_result", FROM_REGISTRY, R(GATEWAY)) \
	E(33, REGISTRY_CAPABILITIES, registry_capabilities, "registry.capabilities", FROM_REGISTRY, R(GATEWAY)) \
	E(34, REGISTRY_LINK_CLOSE, registry_link_close, "registry.link_close", FROM_REGISTRY, R(GATEWAY)) \
	E(35, REGISTRY_RELAY_FILTER, registry_relay_filter, "registry.relay_filter", FROM_REGISTRY, R(GATEWAY)) \
	E(36, REGISTRY_RELAY, registry_relay, "registry.relay", FROM_REGISTRY, R(GATEWAY)) \
	E(37, REGISTRY_CHECKED, registry_checked, "registry.checked", FROM_REGISTRY, R(GATEWAY)) \
	E(38, REGISTRY_UNKNOWN_LINK, registry_unknown_link, "registry.unknown_link", FROM_REGISTRY, R(GATEWAY)) \
	E(50, DELIVER_START, deliver_start, "deliver.start", ADAPTERS, R(GATEWAY)) \
	E(51, DELIVER_STOP, deliver_stop, "deliver.stop", ADAPTERS, R(GATEWAY)) \
	E(52, DELIVER_STATUS, deliver_status, "deliver.status", ADAPTERS, R(GATEWAY)) \
	E(53, REQUEST_DONE, request_done, "request.done", ADAPTERS, R(GATEWAY)) \
	E(54, DELIVER_MANAGED, deliver_managed, "deliver.managed", R(MANAGED), R(GATEWAY)) \
	E(55, REQUEST_OUTPUTS, request_outputs, "request.outputs", R(MANAGED), R(GATEWAY)) \
	E(60, REQUEST_START, request_start, "request.start", R(GATEWAY), ADAPTERS) \
	E(61, REQUEST_STOP, request_stop, "request.stop", R(GATEWAY), ADAPTERS) \
	E(62, REQUEST_WATCH, request_watch, "request.watch", R(GATEWAY), R(MANAGED)) \
	E(63, REQUEST_OUTPUT_ADD, request_output_add, "request.output_add", R(GATEWAY), R(MANAGED)) \
	E(64, REQUEST_OUTPUT_REMOVE, request_output_remove, "request.output_remove", R(GATEWAY), R(MANAGED)) \
	E(65, REQUEST_OUTPUT_LIST, request_output_list, "request.output_list", R(GATEWAY), R(MANAGED)) \
	E(70, STREAM_OPEN, stream_open, "stream.open", ADAPTERS, TO_REGISTRY) \
	E(71, STREAM_CLOSE, stream_close, "stream.close", ADAPTERS, TO_REGISTRY) \
	E(72, STREAM_RESULT, stream_result, "stream.result", FROM_REGISTRY, ADAPTERS) \
	E(73, STREAM_MISSED, stream_missed, "stream.missed", R(SCHEDULER), TO_REGISTRY) \
	E(74, TIMER_EXPIRED, timer_expired, "timer.expired", R(SCHEDULER), TO_REGISTRY) \
	E(75, GATEWAY_SEEN, gateway_seen, "gateway.seen", R(SCHEDULER), TO_REGISTRY) \
	E(76, STREAM_LEAVE, stream_leave, "stream.leave", R(MANAGED), TO_REGISTRY) \
	E(77, INPUT_MADE, input_made, "input.made", R(MANAGED), TO_REGISTRY) \
	E(78, INPUT_SEEN, input_seen, "input.seen", R(MANAGED), TO_REGISTRY) \
	E(79, INPUT_GONE, input_gone, "input.gone", R(MANAGED), TO_REGISTRY) \
	E(80, OUTPUT_ADD, output_add, "output.add", R(MANAGED), TO_REGISTRY) \
	E(81, OUTPUT_REMOVE, output_remove, "output.remove", R(MANAGED), TO_REGISTRY) \
	E(82, OUTPUT_SEEN, output_seen, "output.seen", R(MANAGED), TO_REGISTRY) \
	E(90, PROBE_BATCH, probe_batch, "probe.batch", R(SCHEDULER), R(GATEWAY)) \
	E(91, ACK_BATCH, ack_batch, "ack.batch", R(GATEWAY), R(SCHEDULER)) \
	E(92, GATEWAY_BEAT, gateway_beat, "gateway.beat", R(GATEWAY), R(SCHEDULER)) \
	E(100, GATEWAY_CHANGED, gateway_changed, "gateway.changed", FROM_REGISTRY, TO_ALL) \
	E(101, SESSION_OPENED, session_opened, "session.opened", FROM_REGISTRY, TO_ALL) \
	E(102, SESSION_READY, session_ready, "session.ready", FROM_REGISTRY, TO_ALL) \
	E(103, SESSION_ENDING, session_ending, "session.ending", FROM_REGISTRY, TO_ALL) \
	E(104, SESSION_CLOSED, session_closed, "session.closed", FROM_REGISTRY, TO_ALL) \
	E(105, LINK_CHANGED, link_changed, "link.changed", FROM_REGISTRY, TO_ALL) \
	E(106, GLASSES_CHANGED, glasses_changed, "glasses.changed", FROM_REGISTRY, TO_ALL) \
	E(107, APP_CHANGED, app_changed, "app.changed", FROM_REGISTRY, TO_ALL) \
	E(108, APP_SUBSCRIBED, app_subscribed, "app.subscribed", FROM_REGISTRY, TO_ALL) \
	E(109, DEPLOYMENT_MARKED, deployment_marked, "deployment.marked", FROM_REGISTRY, TO_ALL) \
	E(120, STREAM_OPENED, stream_opened, "stream.opened", FROM_REGISTRY, TO_ALL) \
	E(121, STREAM_STATUS, stream_status, "stream.status", FROM_REGISTRY, TO_ALL) \
	E(122, STREAM_MOVED, stream_moved, "stream.moved", FROM_REGISTRY, TO_ALL) \
	E(123, STREAM_CLOSED, stream_closed, "stream.closed", FROM_REGISTRY, TO_ALL) \
	E(124, STREAM_TOLD, stream_told, "stream.told", FROM_REGISTRY, TO_ALL) \
	E(125, STREAM_STOP_SETTLED, stream_stop_settled, "stream.stop_settled", FROM_REGISTRY, TO_ALL) \
	E(126, STREAM_JOINED, stream_joined, "stream.joined", FROM_REGISTRY, TO_ALL) \
	E(127, STREAM_LEFT, stream_left, "stream.left", FROM_REGISTRY, TO_ALL) \
	E(128, STREAM_PROVISIONED, stream_provisioned, "stream.provisioned", FROM_REGISTRY, TO_ALL) \
	E(129, STREAM_INGEST, stream_ingest, "stream.ingest", FROM_REGISTRY, TO_ALL) \
	E(130, STREAM_PLAYBACK, stream_playback, "stream.playback", FROM_REGISTRY, TO_ALL) \
	E(131, STREAM_OUTPUT, stream_output, "stream.output", FROM_REGISTRY, TO_ALL) \
	E(132, STREAM_INPUT_SETTLED, stream_input_settled, "stream.input_settled", FROM_REGISTRY, TO_ALL) \
	E(140, SNAPSHOT_GET, snapshot_get, "snapshot.get", FOLLOWERS, TO_REGISTRY) \
	E(141, SNAPSHOT_BEGIN, snapshot_begin, "snapshot.begin", FROM_REGISTRY, FOLLOWERS) \
	E(142, SNAPSHOT_STREAM, snapshot_stream, "snapshot.stream", FROM_REGISTRY, FOLLOWERS) \
	E(143, SNAPSHOT_END, snapshot_end, "snapshot.end", FROM_REGISTRY, FOLLOWERS) \
	E(144, SNAPSHOT_REMEMBERED, snapshot_remembered, "snapshot.remembered", FROM_REGISTRY, TO_REGISTRY) \
	E(145, SNAPSHOT_MANAGED, snapshot_managed, "snapshot.managed", FROM_REGISTRY, FOLLOWERS) \
	E(146, SNAPSHOT_OUTPUTS, snapshot_outputs, "snapshot.outputs", FROM_REGISTRY, FOLLOWERS) \
	E(150, OPERATOR_STOP, operator_stop, "operator.stop", R(OPERATOR) | R(CONSOLE), TO_REGISTRY) \
	E(151, OPERATOR_RESULT, operator_result, "operator.result", FROM_REGISTRY, R(OPERATOR) | R(CONSOLE)) \
	E(152, HISTORY_GET, history_get, "history.get", R(OPERATOR) | R(CONSOLE), TO_REGISTRY) \
	E(153, HISTORY_END, history_end, "history.end", FROM_REGISTRY, R(OPERATOR) | R(CONSOLE)) \
	E(170, ACTOR_STARTED, actor_started, "actor.started", SERVERS | CLIENTS, TO_ALL) \
	E(171, ACTOR_STOPPED, actor_stopped, "actor.stopped", SERVERS | CLIENTS, TO_ALL) \
	E(172, ACTOR_METRICS, actor_metrics, "actor.metrics", SERVERS | CLIENTS, TO_ALL) \
	E(180, PROBE_SENT, probe_sent, "probe.sent", R(SCHEDULER), TO_ALL) \
	E(181, PROBE_ACKED, probe_acked, "probe.acked", R(SCHEDULER), TO_ALL) \
	E(182, PROBE_MISSED, probe_missed, "probe.missed", R(SCHEDULER), TO_ALL) \
	E(200, PROVIDER_CREATE, provider_create, "provider.create", R(MANAGED), TO_ALL) \
	E(201, PROVIDER_ADOPT, provider_adopt, "provider.adopt", R(MANAGED), TO_ALL) \
	E(202, PROVIDER_DESCRIBE, provider_describe, "provider.describe", R(MANAGED), TO_ALL) \
	E(203, PROVIDER_DELETE, provider_delete, "provider.delete", R(MANAGED), TO_ALL) \
	E(204, PROVIDER_LIST, provider_list, "provider.list", R(MANAGED), TO_ALL) \
	E(205, PROVIDER_OUTPUT_ADD, provider_output_add, "provider.output_add", R(MANAGED), TO_ALL) \
	E(206, PROVIDER_OUTPUT_REMOVE, provider_output_remove, "provider.output_remove", R(MANAGED), TO_ALL) \
	E(207, PROVIDER_QUOTA, provider_quota, "provider.quota", R(MANAGED), TO_ALL) \
	E(208, PROVIDER_DONE, provider_done, "provider.done", R(MANAGED), TO_ALL) \
	E(209, PROVIDER_PAGE, provider_page, "provider.page", R(MANAGED), TO_ALL) \
	E(210, PROVIDER_HINT, provider_hint, "provider.hint", R(MANAGED), TO_ALL) \
	E(211, PROVIDER_OUTPUT_HINT, provider_output_hint, "provider.output_hint", R(MANAGED), TO_ALL) \
	E(212, PROVIDER_LEAK, provider_leak, "provider.leak", R(MANAGED), TO_ALL) \
	E(230, PROVIDER_ASK, provider_ask, "provider.ask", R(OPERATOR) | R(CONSOLE), R(MANAGED)) \
	E(231, PROVIDER_ROW, provider_row, "provider.row", R(MANAGED), R(OPERATOR) | R(CONSOLE)) \
	E(232, PROVIDER_REPORT, provider_report, "provider.report", R(MANAGED), R(OPERATOR) | R(CONSOLE))
/* clang-format on */
