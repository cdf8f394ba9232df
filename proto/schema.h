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

#include "proto/schema_edge.h"
#include "proto/schema_limits.h"
#include "proto/schema_story.h"

#define STREAM_PROTOCOL_VERSION 1

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
	E(110, RECORD_QUARANTINED, record_quarantined, "record.quarantined", FROM_REGISTRY, TO_ALL) \
	E(111, RECORD_REBUILT, record_rebuilt, "record.rebuilt", FROM_REGISTRY, TO_ALL) \
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
	E(147, SNAPSHOT_STORE, snapshot_store, "snapshot.store", FROM_REGISTRY, FOLLOWERS) \
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
