/* SPDX-License-Identifier: MIT */
/* edge_schema.h - every JSON message at the edge, defined once; decode, encode, limits, presence
 * bits and the page docs/edge.md derive from it.
 *
 * F(S, kind, name, json, arg, flags, meaning): one row, written in this order.
 *   kind  STR    string; @arg is its limit in bytes, unescaped
 *         OBJECT ARRAY   that JSON value, verbatim; @arg is its limit in bytes
 *         BOOL U64       @arg is 0
 *         WHEN   ISO time of a member that holds Unix ms; never read; @arg is 0
 *         NOW    ISO time of the moment of encoding; no member, never read; @arg is 0
 *         FIXED  always the JSON text @arg; no member, never read
 *         OPEN CLOSE     the rows between them are members of the object @json, which holds no
 *                further OPEN; @arg is 0
 *   name  of the member in struct edge_message and of the bit in @present and @oversized
 *   json  key
 *   flags EDGE_OPT       written only if it says something or its @present bit is set
 *         EDGE_EMPTY     absent, or no object: reads and writes as {}
 *         EDGE_NULLABLE  empty is written as null
 *         EDGE_CUT       a string beyond its limit is cut, not counted as absent
 *         EDGE_SECRET    never logged, never on PUB
 *
 * E(UPPER, lower, SIDE, type): one message form.  @type is its "type" member, "" if it has none.
 * Forms that share a type on one side differ in their rows; reading takes the first of them.
 */
#pragma once

#include "proto/schema.h"

/* Limits in bytes beyond those of schema.h. */
#define EDGE_SESSION_ID_MAX (USER_ID_MAX + 1 + PACKAGE_MAX) /* <userId>-<packageName> */
#define EDGE_API_KEY_MAX 256
#define EDGE_STATUS_MAX 64 /* a status word of a device; longer is as good as unknown */
#define EDGE_QUALITY_MAX 16
/* Outputs as apps see them: 10 of {"url":…,"name":…,"status":…,"error":…}, and in the answer to a
 * REST call also "outputId" and "addedBy"; every byte of a text may have to be escaped, as \u001f.
 */
#define EDGE_OUTPUT_MAX (6 * (OUTPUT_URL_MAX + OUTPUT_NAME_MAX + OUTPUT_ERROR_MAX) + 128)
#define EDGE_OUTPUTS_MAX (OUTPUTS_MAX * EDGE_OUTPUT_MAX + 2)
#define EDGE_OUTPUT_RECORDS_MAX (OUTPUTS_MAX * (EDGE_OUTPUT_MAX + 6 * PACKAGE_MAX) + 2)
#define EDGE_OUTPUT_ID_MAX 20 /* a number, as text */

/* clang-format off */
/* Glasses to us */
#define EDGE_CONNECTION_INIT_FIELDS(F, S)
#define EDGE_GLASSES_CONNECTION_STATE_FIELDS(F, S) \
	F(S, STR, model, "modelName", MODEL_MAX, EDGE_OPT, "model of the glasses") \
	F(S, STR, status, "status", EDGE_STATUS_MAX, EDGE_OPT, "see edge_connected()") \
	F(S, OPEN, wifi, "wifi", 0, EDGE_OPT, "present: the glasses speak of WiFi") \
	F(S, BOOL, wifi_connected, "connected", 0, EDGE_OPT, "absent or null: not connected") \
	F(S, STR, wifi_ssid, "ssid", SSID_MAX, EDGE_OPT, "name of the network") \
	F(S, CLOSE, wifi_end, "", 0, 0, "")
#define EDGE_START_APP_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app")
#define EDGE_STOP_APP_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app")
#define EDGE_DEVICE_STREAM_STATUS_FIELDS(F, S) \
	F(S, STR, status, "status", EDGE_STATUS_MAX, EDGE_OPT, "see edge_device_status()") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, EDGE_OPT, "absent: names no stream") \
	F(S, STR, error_details, "errorDetails", DETAIL_MAX, EDGE_OPT | EDGE_CUT, "why; to be cleaned") \
	F(S, STR, reason, "reason", DETAIL_MAX, EDGE_OPT | EDGE_CUT, "why; to be cleaned")
#define EDGE_KEEP_ALIVE_ACK_FIELDS(F, S) \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, EDGE_OPT, "the stream") \
	F(S, STR, ack_id, "ackId", ACK_ID_MAX, EDGE_OPT, "of the probe it answers")

/* Apps to us */
#define EDGE_TPA_CONNECTION_INIT_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, EDGE_OPT, "<userId>-<packageName>") \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app") \
	F(S, STR, api_key, "apiKey", EDGE_API_KEY_MAX, EDGE_OPT | EDGE_SECRET, "its key")
#define EDGE_SUBSCRIPTION_UPDATE_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; the socket decides") \
	F(S, ARRAY, subscriptions, "subscriptions", RELAY_MAX, EDGE_OPT, "replaces the set") \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, EDGE_OPT, "ignored")
#define EDGE_RTMP_STREAM_REQUEST_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; the socket decides") \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, EDGE_OPT, "ignored") \
	F(S, STR, rtmp_url, "rtmpUrl", URL_MAX, EDGE_OPT | EDGE_SECRET, "see edge_url_ok()") \
	F(S, OBJECT, video, "video", OPTION_MAX, EDGE_OPT | EDGE_EMPTY, "for the glasses, verbatim") \
	F(S, OBJECT, audio, "audio", OPTION_MAX, EDGE_OPT | EDGE_EMPTY, "for the glasses, verbatim") \
	F(S, OBJECT, stream, "stream", OPTION_MAX, EDGE_OPT | EDGE_EMPTY, "for the glasses, verbatim")
#define EDGE_RTMP_STREAM_STOP_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; the socket decides") \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, EDGE_OPT, "ignored") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, EDGE_OPT, "absent or empty: names no stream")
#define EDGE_MANAGED_STREAM_REQUEST_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; the socket decides") \
	F(S, STR, quality, "quality", EDGE_QUALITY_MAX, EDGE_OPT, "accepted, not used") \
	F(S, BOOL, enable_webrtc, "enableWebRTC", 0, EDGE_OPT, "accepted, not used") \
	F(S, OBJECT, video, "video", OPTION_MAX, EDGE_OPT | EDGE_EMPTY, "for the glasses, verbatim") \
	F(S, OBJECT, audio, "audio", OPTION_MAX, EDGE_OPT | EDGE_EMPTY, "for the glasses, verbatim") \
	F(S, OBJECT, stream, "stream", OPTION_MAX, EDGE_OPT | EDGE_EMPTY, "for the glasses, verbatim") \
	F(S, ARRAY, restream, "restreamDestinations", DESTINATIONS_MAX, EDGE_OPT | EDGE_SECRET, "[{url, name}]")
#define EDGE_MANAGED_STREAM_STOP_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; the socket decides")
#define EDGE_STREAM_STATUS_CHECK_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; the socket decides") \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, EDGE_OPT, "ignored")

/* REST bodies */
#define EDGE_DEVICE_STATE_FIELDS(F, S) \
	F(S, BOOL, connected, "connected", 0, EDGE_OPT, "glasses are connected to the phone") \
	F(S, STR, model, "modelName", MODEL_MAX, EDGE_OPT, "model of the glasses") \
	F(S, BOOL, wifi_connected, "wifiConnected", 0, EDGE_OPT, "WiFi of the glasses") \
	F(S, STR, wifi_ssid, "wifiSsid", SSID_MAX, EDGE_OPT, "name of the network")
#define EDGE_OUTPUT_FIELDS(F, S) \
	F(S, STR, url, "url", OUTPUT_URL_MAX, EDGE_OPT | EDGE_SECRET, "the destination") \
	F(S, STR, name, "name", OUTPUT_NAME_MAX, EDGE_OPT | EDGE_CUT, "what the app calls it") \
	F(S, STR, package, "packageName", PACKAGE_MAX, EDGE_OPT, "the app; may stand in the query")

/* To glasses */
#define EDGE_CONNECTION_ACK_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", USER_ID_MAX, 0, "the user id") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_CONNECTION_ERROR_FIELDS(F, S) \
	F(S, STR, code, "code", CODE_MAX, EDGE_OPT, "only on an open socket") \
	F(S, STR, message, "message", REASON_MAX, 0, "also the close reason") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_START_RTMP_STREAM_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", USER_ID_MAX, 0, "the user id") \
	F(S, STR, rtmp_url, "rtmpUrl", URL_MAX, EDGE_SECRET, "where to publish") \
	F(S, STR, app_id, "appId", PACKAGE_MAX, 0, "owner package, or MANAGED_STREAM") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, OBJECT, video, "video", OPTION_MAX, EDGE_EMPTY, "of the request, verbatim") \
	F(S, OBJECT, audio, "audio", OPTION_MAX, EDGE_EMPTY, "of the request, verbatim") \
	F(S, OBJECT, stream, "stream", OPTION_MAX, EDGE_EMPTY, "of the request, verbatim") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_STOP_RTMP_STREAM_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", USER_ID_MAX, 0, "the user id") \
	F(S, STR, app_id, "appId", PACKAGE_MAX, 0, "stopping package, or MANAGED_STREAM") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "empty if the app gave none") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_KEEP_RTMP_STREAM_ALIVE_FIELDS(F, S) \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, STR, ack_id, "ackId", ACK_ID_MAX, 0, "to be echoed")
#define EDGE_APP_STATE_CHANGE_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", USER_ID_MAX, 0, "the user id") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_APP_STARTED_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, 0, "the app") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_APP_STOPPED_FIELDS(F, S) \
	F(S, STR, package, "packageName", PACKAGE_MAX, 0, "the app") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")

/* To apps */
#define EDGE_TPA_CONNECTION_ACK_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, 0, "that of the init") \
	F(S, FIXED, settings, "settings", "[]", 0, "") \
	F(S, FIXED, augmentos_settings, "augmentosSettings", "{}", 0, "") \
	F(S, FIXED, mentraos_settings, "mentraosSettings", "{}", 0, "the key that the SDK reads") \
	F(S, OBJECT, capabilities, "capabilities", RELAY_MAX, EDGE_NULLABLE, "null: unknown model") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_TPA_CONNECTION_ERROR_FIELDS(F, S) \
	F(S, STR, code, "code", CODE_MAX, 0, "e.g. INTERNAL_ERROR") \
	F(S, STR, message, "message", REASON_MAX, 0, "also the close reason") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_APP_ENDED_FIELDS(F, S) \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_CAPABILITIES_UPDATE_FIELDS(F, S) \
	F(S, OBJECT, capabilities, "capabilities", RELAY_MAX, EDGE_NULLABLE, "null: unknown model") \
	F(S, STR, model, "modelName", MODEL_MAX, EDGE_OPT, "model of the glasses")
#define EDGE_RTMP_STREAM_STATUS_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, 0, "of the app") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, STR, status, "status", NAME_MAX_BYTES, 0, "app-facing word") \
	F(S, STR, app_id, "appId", PACKAGE_MAX, 0, "the owner") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_RTMP_STATUS_COPY_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, 0, "of the receiving app") \
	F(S, FIXED, stream_type, "streamType", "\"rtmp_stream_status\"", 0, "") \
	F(S, OPEN, data, "data", 0, 0, "the status") \
	F(S, FIXED, data_type, "type", "\"rtmp_stream_status\"", 0, "") \
	F(S, STR, user_id, "sessionId", USER_ID_MAX, 0, "the user id") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, STR, status, "status", NAME_MAX_BYTES, 0, "app-facing word") \
	F(S, STR, app_id, "appId", PACKAGE_MAX, 0, "the owner") \
	F(S, NOW, data_timestamp, "timestamp", 0, 0, "") \
	F(S, CLOSE, data_end, "", 0, 0, "") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_MANAGED_STREAM_STATUS_FIELDS(F, S) \
	F(S, STR, status, "status", NAME_MAX_BYTES, 0, "app-facing word") \
	F(S, STR, hls, "hlsUrl", PLAYBACK_URL_MAX, EDGE_OPT, "absent while it is being made") \
	F(S, STR, dash, "dashUrl", PLAYBACK_URL_MAX, EDGE_OPT, "likewise") \
	F(S, STR, webrtc, "webrtcUrl", PLAYBACK_URL_MAX, EDGE_OPT, "if the provider has it") \
	F(S, STR, preview, "previewUrl", PLAYBACK_URL_MAX, EDGE_OPT, "a page with a player") \
	F(S, STR, thumbnail, "thumbnailUrl", PLAYBACK_URL_MAX, EDGE_OPT, "a picture") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, STR, message, "message", DETAIL_MAX, EDGE_OPT, "for people") \
	F(S, ARRAY, outputs, "outputs", EDGE_OUTPUTS_MAX, EDGE_OPT | EDGE_SECRET, "[{url, name, status, error}]")
#define EDGE_DATA_STREAM_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, 0, "of the receiving app") \
	F(S, STR, stream_type, "streamType", TYPE_NAME_MAX, 0, "type of the relayed message") \
	F(S, OBJECT, data, "data", RELAY_MAX, EDGE_EMPTY, "the relayed message, verbatim") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")
#define EDGE_CHECK_NONE_FIELDS(F, S) \
	F(S, FIXED, has_active_stream, "hasActiveStream", "false", 0, "")
#define EDGE_CHECK_UNMANAGED_FIELDS(F, S) \
	F(S, FIXED, has_active_stream, "hasActiveStream", "true", 0, "") \
	F(S, OPEN, stream_info, "streamInfo", 0, 0, "") \
	F(S, FIXED, info_type, "type", "\"unmanaged\"", 0, "") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, FIXED, status, "status", "\"active\"", 0, "whatever the phase") \
	F(S, WHEN, created_ms, "createdAt", 0, 0, "Unix ms") \
	F(S, STR, rtmp_url, "rtmpUrl", URL_MAX, EDGE_OPT | EDGE_SECRET, "only for the owner") \
	F(S, STR, requesting_app_id, "requestingAppId", PACKAGE_MAX, 0, "the owner") \
	F(S, CLOSE, stream_info_end, "", 0, 0, "")
#define EDGE_CHECK_MANAGED_FIELDS(F, S) \
	F(S, FIXED, has_active_stream, "hasActiveStream", "true", 0, "") \
	F(S, OPEN, stream_info, "streamInfo", 0, 0, "") \
	F(S, FIXED, info_type, "type", "\"managed\"", 0, "") \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, FIXED, status, "status", "\"active\"", 0, "whatever the phase") \
	F(S, WHEN, created_ms, "createdAt", 0, 0, "Unix ms") \
	F(S, STR, hls, "hlsUrl", PLAYBACK_URL_MAX, EDGE_OPT, "absent while it is being made") \
	F(S, STR, dash, "dashUrl", PLAYBACK_URL_MAX, EDGE_OPT, "likewise") \
	F(S, STR, webrtc, "webrtcUrl", PLAYBACK_URL_MAX, EDGE_OPT, "if the provider has it") \
	F(S, STR, preview, "previewUrl", PLAYBACK_URL_MAX, EDGE_OPT, "a page with a player") \
	F(S, STR, thumbnail, "thumbnailUrl", PLAYBACK_URL_MAX, EDGE_OPT, "a picture") \
	F(S, U64, viewers, "activeViewers", 0, 0, "apps that watch") \
	F(S, CLOSE, stream_info_end, "", 0, 0, "")

/* Webhooks */
#define EDGE_SESSION_REQUEST_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, 0, "<userId>-<packageName>") \
	F(S, STR, user_id, "userId", USER_ID_MAX, 0, "the user") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "") \
	F(S, STR, websocket_url, "augmentOSWebsocketUrl", URL_MAX, 0, "where the app shall connect")
#define EDGE_STOP_REQUEST_FIELDS(F, S) \
	F(S, STR, session_id, "sessionId", EDGE_SESSION_ID_MAX, 0, "<userId>-<packageName>") \
	F(S, STR, user_id, "userId", USER_ID_MAX, 0, "the user") \
	F(S, STR, reason, "reason", NAME_MAX_BYTES, 0, "user_disabled") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "")

/* REST answers */
#define EDGE_REST_APP_FIELDS(F, S) \
	F(S, FIXED, success, "success", "true", 0, "") \
	F(S, OPEN, data, "data", 0, 0, "") \
	F(S, STR, status, "status", NAME_MAX_BYTES, 0, "started or stopped") \
	F(S, STR, package, "packageName", PACKAGE_MAX, 0, "the app") \
	F(S, OBJECT, app_state, "appState", OPTION_MAX, EDGE_EMPTY, "free form") \
	F(S, CLOSE, data_end, "", 0, 0, "")
#define EDGE_REST_DONE_FIELDS(F, S) \
	F(S, FIXED, success, "success", "true", 0, "")
#define EDGE_REST_ERROR_FIELDS(F, S) \
	F(S, FIXED, success, "success", "false", 0, "") \
	F(S, STR, message, "message", REASON_MAX, 0, "e.g. App not found")
#define EDGE_OUTPUT_ADDED_FIELDS(F, S) \
	F(S, FIXED, success, "success", "true", 0, "") \
	F(S, STR, output_id, "outputId", EDGE_OUTPUT_ID_MAX, 0, "its number, as text") \
	F(S, FIXED, message, "message", "\"Output added successfully\"", 0, "")
#define EDGE_OUTPUT_REMOVED_FIELDS(F, S) \
	F(S, FIXED, success, "success", "true", 0, "") \
	F(S, FIXED, message, "message", "\"Output removed successfully\"", 0, "")
#define EDGE_OUTPUT_LIST_FIELDS(F, S) \
	F(S, STR, stream_id, "streamId", STREAM_ID_MAX, 0, "the stream") \
	F(S, ARRAY, outputs, "outputs", EDGE_OUTPUT_RECORDS_MAX, EDGE_SECRET, "[{outputId, url, name, addedBy, status, error}]") \
	F(S, U64, total, "total", 0, 0, "how many") \
	F(S, U64, stream_max, "maxPerStream", 0, 0, "outputs of one stream") \
	F(S, U64, app_max, "maxPerApp", 0, 0, "of one app in it")
#define EDGE_OUTPUT_ERROR_FIELDS(F, S) \
	F(S, STR, error, "error", CODE_MAX, 0, "e.g. STREAM_NOT_FOUND") \
	F(S, STR, message, "message", REASON_MAX, 0, "for people")
#define EDGE_REST_HEALTH_FIELDS(F, S) \
	F(S, FIXED, status, "status", "\"ok\"", 0, "") \
	F(S, NOW, timestamp, "timestamp", 0, 0, "") \
	F(S, OPEN, sessions, "sessions", 0, 0, "") \
	F(S, U64, active_count, "activeCount", 0, 0, "user sessions") \
	F(S, CLOSE, sessions_end, "", 0, 0, "") \
	F(S, U64, uptime, "uptime", 0, 0, "seconds")

#define EDGE_MESSAGES(E) \
	E(CONNECTION_INIT, connection_init, FROM_GLASSES, "connection_init") \
	E(GLASSES_CONNECTION_STATE, glasses_connection_state, FROM_GLASSES, "glasses_connection_state") \
	E(START_APP, start_app, FROM_GLASSES, "start_app") \
	E(STOP_APP, stop_app, FROM_GLASSES, "stop_app") \
	E(DEVICE_STREAM_STATUS, device_stream_status, FROM_GLASSES, "rtmp_stream_status") \
	E(KEEP_ALIVE_ACK, keep_alive_ack, FROM_GLASSES, "keep_alive_ack") \
	E(TPA_CONNECTION_INIT, tpa_connection_init, FROM_APP, "tpa_connection_init") \
	E(SUBSCRIPTION_UPDATE, subscription_update, FROM_APP, "subscription_update") \
	E(RTMP_STREAM_REQUEST, rtmp_stream_request, FROM_APP, "rtmp_stream_request") \
	E(RTMP_STREAM_STOP, rtmp_stream_stop, FROM_APP, "rtmp_stream_stop") \
	E(MANAGED_STREAM_REQUEST, managed_stream_request, FROM_APP, "managed_stream_request") \
	E(MANAGED_STREAM_STOP, managed_stream_stop, FROM_APP, "managed_stream_stop") \
	E(STREAM_STATUS_CHECK, stream_status_check, FROM_APP, "stream_status_check") \
	E(DEVICE_STATE, device_state, FROM_REST, "") \
	E(OUTPUT, output, FROM_REST, "") \
	E(CONNECTION_ACK, connection_ack, TO_GLASSES, "connection_ack") \
	E(CONNECTION_ERROR, connection_error, TO_GLASSES, "connection_error") \
	E(START_RTMP_STREAM, start_rtmp_stream, TO_GLASSES, "start_rtmp_stream") \
	E(STOP_RTMP_STREAM, stop_rtmp_stream, TO_GLASSES, "stop_rtmp_stream") \
	E(KEEP_RTMP_STREAM_ALIVE, keep_rtmp_stream_alive, TO_GLASSES, "keep_rtmp_stream_alive") \
	E(APP_STATE_CHANGE, app_state_change, TO_GLASSES, "app_state_change") \
	E(APP_STARTED, app_started, TO_GLASSES, "app_started") \
	E(APP_STOPPED, app_stopped, TO_GLASSES, "app_stopped") \
	E(TPA_CONNECTION_ACK, tpa_connection_ack, TO_APP, "tpa_connection_ack") \
	E(TPA_CONNECTION_ERROR, tpa_connection_error, TO_APP, "tpa_connection_error") \
	E(APP_ENDED, app_ended, TO_APP, "app_stopped") \
	E(CAPABILITIES_UPDATE, capabilities_update, TO_APP, "capabilities_update") \
	E(RTMP_STREAM_STATUS, rtmp_stream_status, TO_APP, "rtmp_stream_status") \
	E(MANAGED_STREAM_STATUS, managed_stream_status, TO_APP, "managed_stream_status") \
	E(DATA_STREAM, data_stream, TO_APP, "data_stream") \
	E(RTMP_STATUS_COPY, rtmp_status_copy, TO_APP, "data_stream") \
	E(CHECK_UNMANAGED, check_unmanaged, TO_APP, "stream_status_check_response") \
	E(CHECK_MANAGED, check_managed, TO_APP, "stream_status_check_response") \
	E(CHECK_NONE, check_none, TO_APP, "stream_status_check_response") \
	E(SESSION_REQUEST, session_request, TO_HOOK, "session_request") \
	E(STOP_REQUEST, stop_request, TO_HOOK, "stop_request") \
	E(REST_APP, rest_app, TO_REST, "") \
	E(REST_DONE, rest_done, TO_REST, "") \
	E(REST_ERROR, rest_error, TO_REST, "") \
	E(OUTPUT_ADDED, output_added, TO_REST, "") \
	E(OUTPUT_REMOVED, output_removed, TO_REST, "") \
	E(OUTPUT_LIST, output_list, TO_REST, "") \
	E(OUTPUT_ERROR, output_error, TO_REST, "") \
	E(REST_HEALTH, rest_health, TO_REST, "")
/* clang-format on */
