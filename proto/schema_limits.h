/* SPDX-License-Identifier: MIT */
/* schema_limits.h - how long the texts and lists of StreamEvents may be; see schema.h. */
#pragma once

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
#define OUTPUT_ROWS_BYTES \
	(OUTPUTS_MAX * (OUTPUT_URL_MAX + OUTPUT_NAME_MAX + OUTPUT_ERROR_MAX + PACKAGE_MAX + 32) + 3)
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
