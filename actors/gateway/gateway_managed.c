/* SPDX-License-Identifier: MIT */
/* gateway_managed.c - what apps are told of managed streams: once, in order, and not twice the
 * same. */

#include <assert.h>

#include "actors/gateway/gateway_internal.h"

/* ---- outputs ---- */

static void put_member(struct json_writer *json, struct text lead, struct text value)
{
	json_put_raw(json, lead);
	json_put_string(json, value);
}

static void put_optional(struct json_writer *json, struct text lead, struct text value)
{
	if (value.length > 0)
		put_member(json, lead, value);
}

static void put_number(struct json_writer *json, uint64_t number)
{
	json_put_raw(json, TEXT("\"outputId\":\""));
	json_put_u64(json, number);
	json_put_raw(json, TEXT("\","));
}

/* deliver.managed has [url, name, status, error], request.outputs [number, url, name, package,
 * status, error].
 */
static bool put_output(struct json_writer *json, struct wire *wire, bool record)
{
	struct text url, name, package = { 0 }, status, error;
	uint64_t number = 0;
	uint32_t fields;

	if (!wire_array(wire, &fields) || fields != (record ? 6 : 4) ||
	    (record && !wire_u64(wire, &number)) || !wire_text(wire, &url) ||
	    !wire_text(wire, &name) || (record && !wire_text(wire, &package)) ||
	    !wire_text(wire, &status) || !wire_text(wire, &error))
		return false;
	json_put_raw(json, TEXT("{"));
	if (record)
		put_number(json, number);
	put_member(json, TEXT("\"url\":"), url);
	put_optional(json, TEXT(",\"name\":"), name);
	put_optional(json, TEXT(",\"addedBy\":"), package);
	put_member(json, TEXT(",\"status\":"), status);
	put_optional(json, TEXT(",\"error\":"), error);
	json_put_raw(json, TEXT("}"));
	return true;
}

struct text gateway_outputs_json(struct gateway *self, struct text list, bool record,
				 uint32_t *count)
{
	const size_t output_max = EDGE_OUTPUT_MAX + (record ? 6 * PACKAGE_MAX : 0);
	struct json_writer json = { .bytes = self->arena + self->arena_used, .size = 1 };
	struct wire wire;
	uint32_t members;

	assert(OUTPUTS_MAX * output_max + 2 <= GATEWAY_OUTS_ARENA - self->arena_used);
	*count = 0;
	if (!list_read(list, &wire, &members) || members > OUTPUTS_MAX) {
		self->counts.messages_ignored++;
		return (struct text){ 0 };
	}
	json_put_raw(&json, TEXT("["));
	for (; *count < members; ++*count) {
		size_t length = json.length;

		/* A list within its limit may hold a text beyond any. */
		json.size = length + output_max;
		json_put_raw(&json, *count > 0 ? TEXT(",") : TEXT(""));
		if (!put_output(&json, &wire, record) || json.full) {
			json.length = length;
			json.full = false;
			self->counts.messages_ignored++;
			break;
		}
	}
	json.size = json.length + 1;
	json_put_raw(&json, TEXT("]"));
	self->arena_used += json.length;
	return (struct text){ json.bytes, (uint32_t)json.length };
}

/* ---- statuses ---- */

/* What apps could tell apart; previews and thumbnails are left out, as they always were. */
static uint64_t words_of(const struct gateway *self, const struct stream_event *event)
{
	const struct text texts[] = {
		event->deliver_managed.status,	event->deliver_managed.hls,
		event->deliver_managed.dash,	event->deliver_managed.webrtc,
		event->deliver_managed.message, event->deliver_managed.outputs
	};
	uint64_t hash = self->options.seed;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		hash = table_hash(texts[i], hash);
	return hash;
}

enum news {
	NEWS, /* to be said */
	NEWS_STALE, /* something newer was said, or the last word */
	NEWS_REPEATED, /* the same was said */
};

/* Deliveries are repeated when their outcome got lost.  What answers a request is said in any case;
 * the last word is said once, whatever was said before it.
 */
static enum news news_of(const struct said *said, const struct stream_event *event, uint64_t words)
{
	bool same = event->epoch == said->epoch;

	if (event->deliver_managed.reply)
		return NEWS;
	if (event->epoch < said->epoch)
		return NEWS_STALE;
	if (event->deliver_managed.terminal)
		return same && said->ended ? NEWS_STALE : NEWS;
	if (same && event->stream_seq <= said->stream_seq)
		return NEWS_STALE;
	return same && !said->ended && words == said->words ? NEWS_REPEATED : NEWS;
}

static void remember(struct said *said, const struct stream_event *event, uint64_t words)
{
	bool older = event->epoch < said->epoch ||
		     (event->epoch == said->epoch && event->stream_seq < said->stream_seq);

	if (older && !event->deliver_managed.terminal)
		return;
	*said = (struct said){ .epoch = event->epoch,
			       .stream_seq = older ? said->stream_seq : event->stream_seq,
			       .words = words,
			       .ended = event->deliver_managed.terminal };
}

static void send(struct gateway *self, const struct link *link, const struct stream_event *event)
{
	struct edge_message *status = gateway_send(self, link, EDGE_MANAGED_STREAM_STATUS);
	uint32_t outputs;

	status->managed_stream_status.stream_id = event->stream_id;
	status->managed_stream_status.status = event->deliver_managed.status;
	status->managed_stream_status.hls = event->deliver_managed.hls;
	status->managed_stream_status.dash = event->deliver_managed.dash;
	status->managed_stream_status.webrtc = event->deliver_managed.webrtc;
	status->managed_stream_status.preview = event->deliver_managed.preview;
	status->managed_stream_status.thumbnail = event->deliver_managed.thumbnail;
	status->managed_stream_status.message = event->deliver_managed.message;
	struct text json =
		gateway_outputs_json(self, event->deliver_managed.outputs, false, &outputs);

	if (outputs > 0)
		status->managed_stream_status.outputs = json;
}

static void say(struct gateway *self, struct link *link, const struct stream_event *event)
{
	struct said *said = &link->app.managed;
	uint64_t words = words_of(self, event);

	switch (news_of(said, event, words)) {
	case NEWS_STALE:
		self->counts.statuses_stale++;
		return;
	case NEWS_REPEATED:
		self->counts.statuses_repeated++;
		break;
	case NEWS:
		self->counts.statuses_sent++;
		send(self, link, event);
		break;
	}
	remember(said, event, words);
}

void gateway_managed_deliver(struct gateway *self, const struct stream_event *event,
			     struct effects *fx)
{
	struct link *link = gateway_link_find(self, event->deliver_managed.link, LINK_APP);
	bool reached = gateway_app_reached(link, event);

	if (reached)
		say(self, link, event);
	else
		self->counts.links_missed++;
	if (event->deliver_managed.terminal)
		gateway_app_told(self, event, event->deliver_managed.package, reached, fx);
}
