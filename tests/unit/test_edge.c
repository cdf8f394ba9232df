/* SPDX-License-Identifier: MIT */
/* Goal: every message of the edge is read and written byte for byte as the protocol has it, and
 * nothing a peer sends is taken for more than it is.  Goldens for each message; every truncation
 * and every short buffer of them; then the table itself drives each field through wrong types,
 * limits and doubled keys.  Input stands at the very end of its memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>

#include "proto/edge_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW_MS INT64_C(1764583200000)
#define TS "\"timestamp\":\"2025-12-01T10:00:00.000Z\""
#define U "user@example.com"
#define PA "com.example.cam"
#define S1 "sabc123wxyz"
#define URLS \
	"\"hlsUrl\":\"https://c/u/video.m3u8\",\"dashUrl\":\"https://c/u/video.mpd\"," \
	"\"webrtcUrl\":\"https://c/u/webRTC/play\""

static struct edge_scratch *scratch;
static char *encoded;
static bool written[EDGE_TYPE_COUNT];

static void allocate(void)
{
	scratch = malloc(sizeof *scratch);
	encoded = malloc(EDGE_ENCODED_MAX);
}

static void release(void)
{
	free(scratch);
	free(encoded);
}

TestSuite(edge, .init = allocate, .fini = release);

/* Decode a copy of @json that ends where its memory ends; texts of @out are lost afterwards, but
 * for those that @dump holds.
 */
static int decode(enum edge_side side, enum edge_type type, struct text json,
		  struct edge_message *out, char *dump)
{
	char *copy = malloc(json.length + 1);
	struct edge_input input = {
		.side = side, .type = type, .json = { copy + 1, json.length }, .scratch = scratch
	};

	memcpy(copy + 1, json.bytes, json.length);
	int r = edge_decode(&input, out);
	if (r == EDGE_E_UNKNOWN && dump)
		sprintf(dump, "? %.*s", (int)out->type_name.length, out->type_name.bytes);
	if (r == 0 && dump) {
		const struct edge_schema *schema = edge_schema(out->type);

		dump += sprintf(dump, "%s", schema->name);
		for (unsigned i = 0; i < schema->row_count; i++) {
			const struct edge_row *row = &schema->rows[i];
			const void *member = (const char *)out + row->offset;
			const struct text *text = member;

			if (out->oversized & 1u << i)
				dump += sprintf(dump, " !%s", row->name);
			if (!(out->present & 1u << i))
				continue;
			dump += sprintf(dump, " %s", row->name);
			if (row->kind == EDGE_BOOL)
				dump += sprintf(dump, "=%d", *(const bool *)member);
			else if (row->kind == EDGE_U64)
				dump += sprintf(dump, "=%d", (int)*(const uint64_t *)member);
			else if (row->kind != EDGE_OPEN)
				dump += sprintf(dump, "=%.*s", (int)text->length, text->bytes);
		}
	}
	free(copy);
	return r;
}

struct golden {
	enum edge_side side;
	enum edge_type type;
	const char *json, *dump;
};

static void expect_dump(const struct golden *golden)
{
	struct edge_message message;
	struct text json = text_of(golden->json);
	char dump[8192] = "";

	cr_expect_eq(decode(golden->side, golden->type, json, &message, dump), 0);
	cr_expect_str_eq(dump, golden->dump);
	for (uint32_t cut = 0; cut < json.length; cut++)
		cr_expect_eq(decode(golden->side, golden->type, (struct text){ json.bytes, cut },
				    &message, NULL),
			     EDGE_E_NOT_JSON);
}

Test(edge, reads_glasses)
{
	static const struct golden goldens[] = {
		{ EDGE_FROM_GLASSES, 0, "{\"type\":\"connection_init\"}", "connection_init" },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"connection_init\",\"userId\":\"" U "\",\"coreToken\":\"x\"}",
		  "connection_init" },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"glasses_connection_state\",\"modelName\":\"Mentra Live\","
		  "\"status\":\"CONNECTED\",\"wifi\":{\"connected\":true,\"ssid\":\"lab\"}}",
		  "glasses_connection_state model=Mentra Live status=CONNECTED wifi "
		  "wifi_connected=1 wifi_ssid=lab" },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"glasses_connection_state\",\"modelName\":\"Mentra Live\","
		  "\"status\":\"CONNECTED\",\"wifi\":{\"connected\":null,\"ssid\":null}}",
		  "glasses_connection_state model=Mentra Live status=CONNECTED wifi" },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"glasses_connection_state\",\"modelName\":\"\","
		  "\"status\":\"DISCONNECTED\",\"timestamp\":1764583200000}",
		  "glasses_connection_state model= status=DISCONNECTED" },
		{ EDGE_FROM_GLASSES, 0, "{\"type\":\"start_app\",\"packageName\":\"" PA "\"}",
		  "start_app package=" PA },
		{ EDGE_FROM_GLASSES, 0, "{\"type\":\"stop_app\",\"packageName\":\"" PA "\"}",
		  "stop_app package=" PA },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"rtmp_stream_status\",\"status\":\"streaming\",\"streamId\":\"" S1
		  "\",\"stats\":{\"bitrate\":1,\"fps\":15.5}}",
		  "device_stream_status status=streaming stream_id=" S1 },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"rtmp_stream_status\",\"status\":\"stopping\",\"timestamp\":1}",
		  "device_stream_status status=stopping" },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"rtmp_stream_status\",\"status\":\"error\",\"streamId\":\"\","
		  "\"errorDetails\":\"a\\n\\\"b\\\"\",\"reason\":\"connection_lost\",\"attempt\":"
		  "1}",
		  "device_stream_status status=error stream_id= error_details=a\n\"b\" "
		  "reason=connection_lost" },
		{ EDGE_FROM_GLASSES, 0,
		  "{\"type\":\"keep_alive_ack\",\"streamId\":\"" S1
		  "\",\"ackId\":\"a1b2c3\",\"timestamp\":1764583200000}",
		  "keep_alive_ack stream_id=" S1 " ack_id=a1b2c3" },
	};

	for (size_t i = 0; i < COUNT(goldens); i++)
		expect_dump(&goldens[i]);
}

Test(edge, reads_apps)
{
	static const struct golden goldens[] = {
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"tpa_connection_init\",\"sessionId\":\"" U "-" PA
		  "\",\"packageName\":\"" PA "\",\"apiKey\":\"key\"," TS "}",
		  "tpa_connection_init session_id=" U "-" PA " package=" PA " api_key=key" },
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"subscription_update\",\"packageName\":\"" PA
		  "\",\"subscriptions\":[\"rtmp_stream_status\", {\"stream\":\"x\"}],"
		  "\"sessionId\":\"" U "-" PA "\"," TS "}",
		  "subscription_update package=" PA
		  " subscriptions=[\"rtmp_stream_status\", {\"stream\":\"x\"}]"
		  " session_id=" U "-" PA },
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"rtmp_stream_request\",\"packageName\":\"" PA "\",\"sessionId\":\"" U
		  "-" PA "\",\"rtmpUrl\":\"rtmp://ingest.example.com/live/key\",\"video\":"
		  "{ \"width\" : 1280 },\"audio\":{\"echoCancellation\":true},\"stream\":"
		  "{\"durationLimit\":1800}," TS "}",
		  "rtmp_stream_request package=" PA " session_id=" U "-" PA
		  " rtmp_url=rtmp://ingest.example.com/live/key video={ \"width\" : 1280 }"
		  " audio={\"echoCancellation\":true} stream={\"durationLimit\":1800}" },
		{ EDGE_FROM_APP, 0, "{\"type\":\"rtmp_stream_request\"," TS "}",
		  "rtmp_stream_request" },
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"rtmp_stream_stop\",\"packageName\":\"" PA "\",\"sessionId\":\"" U
		  "-" PA "\",\"streamId\":\"" S1 "\"," TS "}",
		  "rtmp_stream_stop package=" PA " session_id=" U "-" PA " stream_id=" S1 },
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"managed_stream_request\",\"packageName\":\"" PA
		  "\",\"quality\":\"720p\",\"enableWebRTC\":true,\"video\":{\"width\":1280},"
		  "\"restreamDestinations\":[{\"url\":\"rtmp://a/live2/KEY\",\"name\":\"Y\"}]," TS
		  "}",
		  "managed_stream_request package=" PA " quality=720p enable_webrtc=1 "
		  "video={\"width\":1280} "
		  "restream=[{\"url\":\"rtmp://a/live2/KEY\",\"name\":\"Y\"}]" },
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"managed_stream_stop\",\"packageName\":\"" PA "\"," TS "}",
		  "managed_stream_stop package=" PA },
		{ EDGE_FROM_APP, 0,
		  "{\"type\":\"stream_status_check\",\"packageName\":\"" PA
		  "\",\"sessionId\":\"unknown-session-id\"," TS "}",
		  "stream_status_check package=" PA " session_id=unknown-session-id" },
		{ EDGE_FROM_REST, EDGE_DEVICE_STATE,
		  "{\"connected\":true,\"modelName\":\"Mentra Live\",\"wifiConnected\":false,"
		  "\"wifiSsid\":\"lab\"}",
		  "device_state connected=1 model=Mentra Live wifi_connected=0 wifi_ssid=lab" },
		{ EDGE_FROM_REST, EDGE_OUTPUT,
		  "{\"url\":\"rtmp://a/live2/KEY\",\"name\":\"Y\",\"packageName\":\"" PA "\"}",
		  "output url=rtmp://a/live2/KEY name=Y package=" PA },
		{ EDGE_FROM_REST, EDGE_DEVICE_STATE, "{\"type\":\"keep_alive_ack\"}",
		  "device_state" },
	};

	for (size_t i = 0; i < COUNT(goldens); i++)
		expect_dump(&goldens[i]);
}

/* @message is written as @golden, reads back as JSON, and reading and writing it again changes
 * nothing; no buffer short of it will do.
 */
static void expect_bytes(const struct edge_message *message, const char *golden)
{
	const struct edge_schema *schema = edge_schema(message->type);
	struct text json = text_of(golden);
	struct edge_message again;
	struct json_value value;
	char *tight = malloc(json.length);

	cr_expect_eq(edge_encode(message, NOW_MS, tight, json.length), (ssize_t)json.length);
	cr_expect(memcmp(tight, golden, json.length) == 0, "%.*s\n%s", (int)json.length, tight,
		  golden);
	for (size_t size = 0; size < json.length; size++)
		cr_expect_eq(edge_encode(message, NOW_MS, encoded, size), -EMSGSIZE);
	cr_expect(json_read(json, &value) && value.kind == JSON_KIND_OBJECT);
	cr_expect_not(json_read((struct text){ golden, json.length - 1 }, &value));

	struct edge_input input = { .type = message->type, .json = json, .scratch = scratch };
	cr_expect_eq(edge_decode(&input, &again), 0);
	for (unsigned i = 0; i < schema->row_count; i++)
		if (schema->rows[i].kind == EDGE_WHEN) /* times are never read */
			*(int64_t *)((char *)&again + schema->rows[i].offset) =
				*(const int64_t *)((const char *)message + schema->rows[i].offset);
	cr_expect_eq(edge_encode(&again, NOW_MS, encoded, EDGE_ENCODED_MAX), (ssize_t)json.length);
	cr_expect(memcmp(encoded, golden, json.length) == 0, "%s", golden);
	free(tight);
	written[message->type] = true;
}

#define EXPECT(UPPER, lower, golden, ...) \
	expect_bytes(&(struct edge_message){ .type = EDGE_##UPPER, .lower = { __VA_ARGS__ } }, \
		     golden)

static void writes_to_glasses(void)
{
	EXPECT(CONNECTION_ACK, connection_ack,
	       "{\"type\":\"connection_ack\",\"sessionId\":\"" U "\"," TS "}",
	       .session_id = TEXT(U));
	EXPECT(CONNECTION_ERROR, connection_error,
	       "{\"type\":\"connection_error\",\"message\":\"No core token provided\"," TS "}",
	       .message = TEXT("No core token provided"));
	EXPECT(CONNECTION_ERROR, connection_error,
	       "{\"type\":\"connection_error\",\"code\":\"SESSION_ERROR\","
	       "\"message\":\"Failed to create session\"," TS "}",
	       .code = TEXT("SESSION_ERROR"), .message = TEXT("Failed to create session"));
	EXPECT(START_RTMP_STREAM, start_rtmp_stream,
	       "{\"type\":\"start_rtmp_stream\",\"sessionId\":\"" U
	       "\",\"rtmpUrl\":\"rtmp://ingest.example.com/live/key\",\"appId\":\"" PA
	       "\",\"streamId\":\"" S1
	       "\",\"video\":{\"width\":1280},\"audio\":{},\"stream\":{}," TS "}",
	       .session_id = TEXT(U), .rtmp_url = TEXT("rtmp://ingest.example.com/live/key"),
	       .app_id = TEXT(PA), .stream_id = TEXT(S1), .video = TEXT("{\"width\":1280}"),
	       .stream = TEXT("{}"));
	EXPECT(STOP_RTMP_STREAM, stop_rtmp_stream,
	       "{\"type\":\"stop_rtmp_stream\",\"sessionId\":\"" U
	       "\",\"appId\":\"MANAGED_STREAM\",\"streamId\":\"\"," TS "}",
	       .session_id = TEXT(U), .app_id = TEXT("MANAGED_STREAM"));
	EXPECT(KEEP_RTMP_STREAM_ALIVE, keep_rtmp_stream_alive,
	       "{\"type\":\"keep_rtmp_stream_alive\",\"streamId\":\"" S1 "\",\"ackId\":\"a1b2c3\"}",
	       .stream_id = TEXT(S1), .ack_id = TEXT("a1b2c3"));
	EXPECT(APP_STATE_CHANGE, app_state_change,
	       "{\"type\":\"app_state_change\",\"sessionId\":\"" U "\"," TS "}",
	       .session_id = TEXT(U));
	EXPECT(APP_STARTED, app_started,
	       "{\"type\":\"app_started\",\"packageName\":\"" PA "\"," TS "}", .package = TEXT(PA));
	EXPECT(APP_STOPPED, app_stopped,
	       "{\"type\":\"app_stopped\",\"packageName\":\"" PA "\"," TS "}", .package = TEXT(PA));
}

static void writes_to_apps(void)
{
	EXPECT(TPA_CONNECTION_ACK, tpa_connection_ack,
	       "{\"type\":\"tpa_connection_ack\",\"sessionId\":\"" U "-" PA
	       "\",\"settings\":[],\"augmentosSettings\":{},\"mentraosSettings\":{},"
	       "\"capabilities\":null," TS "}",
	       .session_id = TEXT(U "-" PA));
	EXPECT(TPA_CONNECTION_ERROR, tpa_connection_error,
	       "{\"type\":\"tpa_connection_error\",\"code\":\"INTERNAL_ERROR\","
	       "\"message\":\"Invalid \\\"RTMP\\\" URL\"," TS "}",
	       .code = TEXT("INTERNAL_ERROR"), .message = TEXT("Invalid \"RTMP\" URL"));
	EXPECT(APP_ENDED, app_ended, "{\"type\":\"app_stopped\"," TS "}");
	EXPECT(CAPABILITIES_UPDATE, capabilities_update,
	       "{\"type\":\"capabilities_update\",\"capabilities\":{\"hasWifi\":true},"
	       "\"modelName\":\"Mentra Live\"}",
	       .capabilities = TEXT("{\"hasWifi\":true}"), .model = TEXT("Mentra Live"));
	EXPECT(CAPABILITIES_UPDATE, capabilities_update,
	       "{\"type\":\"capabilities_update\",\"capabilities\":null}", .model = { 0 });
	EXPECT(RTMP_STREAM_STATUS, rtmp_stream_status,
	       "{\"type\":\"rtmp_stream_status\",\"sessionId\":\"" U "-" PA "\",\"streamId\":\"" S1
	       "\",\"status\":\"initializing\",\"appId\":\"" PA "\"," TS "}",
	       .session_id = TEXT(U "-" PA), .stream_id = TEXT(S1), .status = TEXT("initializing"),
	       .app_id = TEXT(PA));
	EXPECT(RTMP_STATUS_COPY, rtmp_status_copy,
	       "{\"type\":\"data_stream\",\"sessionId\":\"" U
	       "-com.example.b\",\"streamType\":\"rtmp_stream_status\",\"data\":{"
	       "\"type\":\"rtmp_stream_status\",\"sessionId\":\"" U "\",\"streamId\":\"" S1
	       "\",\"status\":\"active\",\"appId\":\"" PA "\"," TS "}," TS "}",
	       .session_id = TEXT(U "-com.example.b"), .user_id = TEXT(U), .stream_id = TEXT(S1),
	       .status = TEXT("active"), .app_id = TEXT(PA));
	EXPECT(DATA_STREAM, data_stream,
	       "{\"type\":\"data_stream\",\"sessionId\":\"" U "-" PA
	       "\",\"streamType\":\"button_press\",\"data\":{\"type\":\"button_press\", "
	       "\"n\":1}," TS "}",
	       .session_id = TEXT(U "-" PA), .stream_type = TEXT("button_press"),
	       .data = TEXT("{\"type\":\"button_press\", \"n\":1}"));
	EXPECT(CHECK_NONE, check_none,
	       "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":false}");
	EXPECT(CHECK_UNMANAGED, check_unmanaged,
	       "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":true,\"streamInfo\":"
	       "{\"type\":\"unmanaged\",\"streamId\":\"" S1 "\",\"status\":\"active\","
	       "\"createdAt\":\"2025-12-01T10:00:01.500Z\",\"rtmpUrl\":\"rtmp://i/live/key\","
	       "\"requestingAppId\":\"" PA "\"}}",
	       .stream_id = TEXT(S1), .created_ms = NOW_MS + 1500,
	       .rtmp_url = TEXT("rtmp://i/live/key"), .requesting_app_id = TEXT(PA));
	EXPECT(CHECK_UNMANAGED, check_unmanaged,
	       "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":true,\"streamInfo\":"
	       "{\"type\":\"unmanaged\",\"streamId\":\"" S1 "\",\"status\":\"active\","
	       "\"createdAt\":\"2025-12-01T10:00:00.000Z\",\"requestingAppId\":\"" PA "\"}}",
	       .stream_id = TEXT(S1), .created_ms = NOW_MS, .requesting_app_id = TEXT(PA));
}

/* As in transcript G6 of protocol.md. */
static void writes_of_managed_streams(void)
{
	EXPECT(MANAGED_STREAM_STATUS, managed_stream_status,
	       "{\"type\":\"managed_stream_status\",\"status\":\"initializing\"," URLS
	       ",\"streamId\":\"" S1 "\",\"message\":\"Waiting for stream to start...\"}",
	       .status = TEXT("initializing"), .hls = TEXT("https://c/u/video.m3u8"),
	       .dash = TEXT("https://c/u/video.mpd"), .webrtc = TEXT("https://c/u/webRTC/play"),
	       .stream_id = TEXT(S1), .message = TEXT("Waiting for stream to start..."));
	EXPECT(MANAGED_STREAM_STATUS, managed_stream_status,
	       "{\"type\":\"managed_stream_status\",\"status\":\"active\"," URLS
	       ",\"previewUrl\":\"https://p\",\"thumbnailUrl\":\"https://t\",\"streamId\":\"" S1
	       "\",\"message\":\"Outputs updated\",\"outputs\":[{\"url\":\"rtmp://a/b\","
	       "\"status\":\"stopped\"}]}",
	       .status = TEXT("active"), .hls = TEXT("https://c/u/video.m3u8"),
	       .dash = TEXT("https://c/u/video.mpd"), .webrtc = TEXT("https://c/u/webRTC/play"),
	       .preview = TEXT("https://p"), .thumbnail = TEXT("https://t"), .stream_id = TEXT(S1),
	       .message = TEXT("Outputs updated"),
	       .outputs = TEXT("[{\"url\":\"rtmp://a/b\",\"status\":\"stopped\"}]"));
	EXPECT(MANAGED_STREAM_STATUS, managed_stream_status,
	       "{\"type\":\"managed_stream_status\",\"status\":\"stopped\",\"streamId\":\"" S1
	       "\"}",
	       .status = TEXT("stopped"), .stream_id = TEXT(S1));
	EXPECT(CHECK_MANAGED, check_managed,
	       "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":true,\"streamInfo\":"
	       "{\"type\":\"managed\",\"streamId\":\"" S1 "\",\"status\":\"active\","
	       "\"createdAt\":\"2025-12-01T10:00:00.000Z\"," URLS
	       ",\"previewUrl\":\"https://p\",\"thumbnailUrl\":\"https://t\",\"activeViewers\":1}}",
	       .stream_id = TEXT(S1), .created_ms = NOW_MS, .hls = TEXT("https://c/u/video.m3u8"),
	       .dash = TEXT("https://c/u/video.mpd"), .webrtc = TEXT("https://c/u/webRTC/play"),
	       .preview = TEXT("https://p"), .thumbnail = TEXT("https://t"), .viewers = 1);
}

/* As in section 6.6. */
static void writes_of_outputs(void)
{
	EXPECT(OUTPUT_ADDED, output_added,
	       "{\"success\":true,\"outputId\":\"7\",\"message\":\"Output added successfully\"}",
	       .output_id = TEXT("7"));
	EXPECT(OUTPUT_REMOVED, output_removed,
	       "{\"success\":true,\"message\":\"Output removed successfully\"}");
	EXPECT(OUTPUT_LIST, output_list,
	       "{\"streamId\":\"" S1 "\",\"outputs\":[{\"outputId\":\"7\"}],\"total\":1,"
	       "\"maxPerStream\":10,\"maxPerApp\":10}",
	       .stream_id = TEXT(S1), .outputs = TEXT("[{\"outputId\":\"7\"}]"), .total = 1,
	       .stream_max = 10, .app_max = 10);
	EXPECT(OUTPUT_LIST, output_list,
	       "{\"streamId\":\"" S1
	       "\",\"outputs\":[],\"total\":0,\"maxPerStream\":10,\"maxPerApp\":10}",
	       .stream_id = TEXT(S1), .stream_max = 10, .app_max = 10);
	EXPECT(OUTPUT_ERROR, output_error,
	       "{\"error\":\"STREAM_NOT_FOUND\",\"message\":\"Managed stream not found\"}",
	       .error = TEXT("STREAM_NOT_FOUND"), .message = TEXT("Managed stream not found"));
	EXPECT(OUTPUT, output, "{\"url\":\"rtmp://a/b\",\"name\":\"Y\",\"packageName\":\"" PA "\"}",
	       .url = TEXT("rtmp://a/b"), .name = TEXT("Y"), .package = TEXT(PA));
}

static void writes_webhooks_and_rest(void)
{
	EXPECT(SESSION_REQUEST, session_request,
	       "{\"type\":\"session_request\",\"sessionId\":\"" U "-" PA "\",\"userId\":\"" U
	       "\"," TS ",\"augmentOSWebsocketUrl\":\"wss://cloud.example/app-ws\"}",
	       .session_id = TEXT(U "-" PA), .user_id = TEXT(U),
	       .websocket_url = TEXT("wss://cloud.example/app-ws"));
	EXPECT(STOP_REQUEST, stop_request,
	       "{\"type\":\"stop_request\",\"sessionId\":\"" U "-" PA "\",\"userId\":\"" U
	       "\",\"reason\":\"user_disabled\"," TS "}",
	       .session_id = TEXT(U "-" PA), .user_id = TEXT(U), .reason = TEXT("user_disabled"));
	EXPECT(REST_APP, rest_app,
	       "{\"success\":true,\"data\":{\"status\":\"started\",\"packageName\":\"" PA
	       "\",\"appState\":{}}}",
	       .status = TEXT("started"), .package = TEXT(PA));
	EXPECT(REST_DONE, rest_done, "{\"success\":true}");
	EXPECT(REST_ERROR, rest_error, "{\"success\":false,\"message\":\"App not found\"}",
	       .message = TEXT("App not found"));
	EXPECT(REST_HEALTH, rest_health,
	       "{\"status\":\"ok\"," TS ",\"sessions\":{\"activeCount\":12},\"uptime\":3600}",
	       .active_count = 12, .uptime = 3600);
}

static void writes_what_peers_say(void)
{
	EXPECT(CONNECTION_INIT, connection_init, "{\"type\":\"connection_init\"}");
	EXPECT(GLASSES_CONNECTION_STATE, glasses_connection_state,
	       "{\"type\":\"glasses_connection_state\",\"modelName\":\"Mentra Live\","
	       "\"status\":\"CONNECTED\",\"wifi\":{\"connected\":true,\"ssid\":\"lab\"}}",
	       .model = TEXT("Mentra Live"), .status = TEXT("CONNECTED"), .wifi_connected = true,
	       .wifi_ssid = TEXT("lab"));
	EXPECT(GLASSES_CONNECTION_STATE, glasses_connection_state,
	       "{\"type\":\"glasses_connection_state\",\"status\":\"DISCONNECTED\"}",
	       .status = TEXT("DISCONNECTED"));
	EXPECT(DEVICE_STREAM_STATUS, device_stream_status,
	       "{\"type\":\"rtmp_stream_status\",\"status\":\"streaming\",\"streamId\":\"" S1 "\"}",
	       .status = TEXT("streaming"), .stream_id = TEXT(S1));
	EXPECT(KEEP_ALIVE_ACK, keep_alive_ack,
	       "{\"type\":\"keep_alive_ack\",\"streamId\":\"" S1 "\",\"ackId\":\"a1b2c3\"}",
	       .stream_id = TEXT(S1), .ack_id = TEXT("a1b2c3"));
	EXPECT(MANAGED_STREAM_REQUEST, managed_stream_request,
	       "{\"type\":\"managed_stream_request\",\"packageName\":\"" PA
	       "\",\"enableWebRTC\":true,\"video\":{\"width\":1280},"
	       "\"restreamDestinations\":[{\"url\":\"rtmp://a/b\"}]}",
	       .package = TEXT(PA), .enable_webrtc = true, .video = TEXT("{\"width\":1280}"),
	       .audio = TEXT("{}"), .restream = TEXT("[{\"url\":\"rtmp://a/b\"}]"));
	EXPECT(DEVICE_STATE, device_state, "{\"connected\":true}", .connected = true);
	EXPECT(DEVICE_STATE, device_state, "{}", .connected = false);
	expect_bytes(&(struct edge_message){ .type = EDGE_DEVICE_STATE,
					     .present = EDGE_BIT(device_state, wifi_connected) },
		     "{\"wifiConnected\":false}");
}

Test(edge, writes)
{
	writes_to_glasses();
	writes_to_apps();
	writes_of_managed_streams();
	writes_of_outputs();
	writes_webhooks_and_rest();
	writes_what_peers_say();
	for (unsigned i = EDGE_NONE + 1; i < EDGE_TYPE_COUNT; i++)
		if (edge_schema((enum edge_type)i)->side >= EDGE_TO_GLASSES)
			cr_expect(written[i], "no golden: %s",
				  edge_schema((enum edge_type)i)->name);
}
