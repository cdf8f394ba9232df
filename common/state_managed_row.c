/* SPDX-License-Identifier: MIT */
/* The managed half of a stream as rows of a snapshot or a record, and back. */
#include "common/phase.h"
#include "common/state_internal.h"
#include "proto/list.h"

enum { STEP_MANAGED, STEP_OUTPUTS, STEP_DONE };

static void begin(const struct state *self, const struct state_stream *stream,
		  enum stream_event_type type, uint64_t seq, struct stream_event *out)
{
	*out = (struct stream_event){ .type = type,
				      .seq = seq,
				      .user_id = state_text(self, self->users[stream->user].id),
				      .stream_id = state_text(self, stream->id),
				      .epoch = stream->epoch,
				      .stream_seq = stream->stream_seq };
}

static struct text viewers_list(const struct state *self, const struct state_managed *managed)
{
	struct list_writer list;

	list_begin(&list, self->lists, VIEWERS_BYTES);
	for (unsigned i = 0; i < VIEWERS_MAX && managed->viewers[i].state != VIEWER_NONE; i++) {
		list_open_member(&list, 2);
		list_put_text(&list, state_text(self, managed->viewers[i].package));
		list_put_u64(&list, managed->viewers[i].state);
		(void)list_close_member(&list); /* VIEWERS_BYTES holds them all */
	}
	return list_end(&list);
}

static void managed_row(const struct state *self, const struct state_stream *stream,
			struct stream_event *out)
{
	const struct state_managed *managed = state_managed_of(self, stream);

	begin(self, stream, EVENT_SNAPSHOT_MANAGED, managed->seq, out);
	out->snapshot_managed.provider = managed->provider;
	out->snapshot_managed.input = managed->input;
	out->snapshot_managed.input_id = state_text(self, managed->input_id);
	out->snapshot_managed.ingest = managed->ingest;
	out->snapshot_managed.playback = managed->playback;
	out->snapshot_managed.hls = state_text(self, managed->hls);
	out->snapshot_managed.dash = state_text(self, managed->dash);
	out->snapshot_managed.webrtc = state_text(self, managed->webrtc);
	out->snapshot_managed.preview = state_text(self, managed->preview);
	out->snapshot_managed.thumbnail = state_text(self, managed->thumbnail);
	out->snapshot_managed.viewers = viewers_list(self, managed);
}

/* array of [number, state, url, name, package, remote_id, error, initial] */
static struct text outputs_list(const struct state *self, const struct state_outputs *outputs)
{
	struct list_writer list;

	/* Behind the viewers: rows made between two applies are all valid. */
	list_begin(&list, self->lists + VIEWERS_BYTES, OUTPUT_RECORDS_BYTES);
	for (unsigned i = 0; i < OUTPUTS_MAX && outputs->items[i].number != 0; i++) {
		const struct state_output *output = &outputs->items[i];

		list_open_member(&list, 8);
		list_put_u64(&list, output->number);
		list_put_u64(&list, output->state);
		list_put_text(&list, state_text(self, output->url));
		list_put_text(&list, state_text(self, output->name));
		list_put_text(&list, state_text(self, output->package));
		list_put_text(&list, state_text(self, output->remote_id));
		list_put_text(&list, state_text(self, output->error));
		list_put_u64(&list, output->initial);
		(void)list_close_member(&list);
	}
	return list_end(&list);
}

bool state_managed_row(const struct state *self, const struct state_stream *stream, unsigned step,
		       struct stream_event *out)
{
	const struct state_outputs *outputs = state_outputs_of(self, stream);

	if (stream->kind != KIND_MANAGED || step >= STEP_DONE)
		return false;
	if (step == STEP_MANAGED) {
		managed_row(self, stream, out);
		return true;
	}
	/* What has ended goes nowhere, and its keys need not be kept. */
	if (outputs->seq == 0 || stream->phase == PHASE_CLOSED)
		return false;
	begin(self, stream, EVENT_SNAPSHOT_OUTPUTS, outputs->seq, out);
	out->snapshot_outputs.outputs = outputs_list(self, outputs);
	out->snapshot_outputs.next_output = outputs->next_number;
	return true;
}

/* And back --------------------------------------------------------------------------------- */

/* Each is read whole before anything changes: what makes no sense is no news. */
struct viewers {
	struct {
		struct text package;
		uint64_t state;
	} items[VIEWERS_MAX];
	uint32_t count;
};

struct outputs {
	struct {
		uint64_t number, state, initial;
		struct text url, name, package, remote_id, error;
	} items[OUTPUTS_MAX];
	uint32_t count;
};

static bool read_viewers(struct text list, struct viewers *out)
{
	struct wire wire;
	uint32_t fields;

	if (!list_read(list, &wire, &out->count) || out->count > VIEWERS_MAX)
		return false;
	for (uint32_t i = 0; i < out->count; i++)
		if (!wire_array(&wire, &fields) || fields != 2 ||
		    !wire_text(&wire, &out->items[i].package) ||
		    !wire_u64(&wire, &out->items[i].state) ||
		    (out->items[i].state != VIEWER_WATCHING && out->items[i].state != VIEWER_OWED))
			return false;
	return true;
}

static bool read_outputs(struct text list, struct outputs *out)
{
	struct wire wire;
	uint32_t fields;

	if (!list_read(list, &wire, &out->count) || out->count > OUTPUTS_MAX)
		return false;
	for (uint32_t i = 0; i < out->count; i++)
		if (!wire_array(&wire, &fields) || fields != 8 ||
		    !wire_u64(&wire, &out->items[i].number) ||
		    !wire_u64(&wire, &out->items[i].state) ||
		    !wire_text(&wire, &out->items[i].url) ||
		    !wire_text(&wire, &out->items[i].name) ||
		    !wire_text(&wire, &out->items[i].package) ||
		    !wire_text(&wire, &out->items[i].remote_id) ||
		    !wire_text(&wire, &out->items[i].error) ||
		    !wire_u64(&wire, &out->items[i].initial) ||
		    out->items[i].number <= (i > 0 ? out->items[i - 1].number : 0) ||
		    out->items[i].number > STATE_OUTPUT_NUMBER_MAX ||
		    out->items[i].state == OUTPUT_NONE || out->items[i].state >= OUTPUT_REMOVED)
			return false;
	return true;
}

static int apply_viewers(struct state *self, struct state_managed *managed,
			 const struct viewers *viewers)
{
	state_managed_drop_viewers(self, managed);
	for (uint32_t i = 0; i < viewers->count; i++) {
		if (!pool_keep(&self->pool, viewers->items[i].package,
			       &managed->viewers[i].package))
			return STATE_E_FULL;
		managed->viewers[i].state = (uint8_t)viewers->items[i].state;
	}
	return 0;
}

static bool keep_texts(struct pool *pool, struct state_managed *managed,
		       const struct stream_event *event)
{
	return pool_replace(pool, event->snapshot_managed.input_id, &managed->input_id) &&
	       pool_replace(pool, event->snapshot_managed.hls, &managed->hls) &&
	       pool_replace(pool, event->snapshot_managed.dash, &managed->dash) &&
	       pool_replace(pool, event->snapshot_managed.webrtc, &managed->webrtc) &&
	       pool_replace(pool, event->snapshot_managed.preview, &managed->preview) &&
	       pool_replace(pool, event->snapshot_managed.thumbnail, &managed->thumbnail);
}

static int on_managed(struct state *self, struct state_stream *stream,
		      const struct stream_event *event)
{
	struct state_managed *managed = state_managed_of(self, stream);
	struct viewers viewers;

	if (event->seq <= managed->seq || !read_viewers(event->snapshot_managed.viewers, &viewers))
		return STATE_E_OLD;
	managed->seq = event->seq;
	managed->provider = (uint8_t)event->snapshot_managed.provider;
	managed->input = (uint8_t)event->snapshot_managed.input;
	managed->ingest = (uint8_t)event->snapshot_managed.ingest;
	managed->playback = (uint8_t)event->snapshot_managed.playback;
	int r = keep_texts(&self->pool, managed, event) ? 0 : STATE_E_FULL;
	int kept = apply_viewers(self, managed, &viewers);

	state_managed_sum_up(self, stream);
	if (stream->phase == PHASE_CLOSED)
		state_stream_release(self, stream);
	return r ? r : kept;
}

static int on_outputs(struct state *self, struct state_stream *stream,
		      const struct stream_event *event)
{
	struct state_outputs *outputs = state_outputs_of(self, stream);
	struct outputs read;
	bool kept = true;

	if (event->seq <= outputs->seq || stream->phase == PHASE_CLOSED ||
	    event->snapshot_outputs.next_output > STATE_OUTPUT_NUMBER_MAX ||
	    !read_outputs(event->snapshot_outputs.outputs, &read))
		return STATE_E_OLD;
	state_managed_drop_outputs(self, outputs);
	outputs->seq = event->seq;
	outputs->next_number = (uint32_t)event->snapshot_outputs.next_output;
	for (uint32_t i = 0; i < read.count; i++) {
		struct state_output *output = &outputs->items[i];

		output->number = (uint32_t)read.items[i].number;
		output->state = (uint8_t)read.items[i].state;
		output->initial = read.items[i].initial != 0;
		kept &= pool_keep(&self->pool, read.items[i].url, &output->url) &&
			pool_keep(&self->pool, read.items[i].name, &output->name) &&
			pool_keep(&self->pool, read.items[i].package, &output->package) &&
			pool_keep(&self->pool, read.items[i].remote_id, &output->remote_id) &&
			pool_keep(&self->pool, read.items[i].error, &output->error);
	}
	return kept ? 0 : STATE_E_FULL;
}

int state_apply_managed_row(struct state *self, struct state_stream *stream,
			    const struct stream_event *event)
{
	if (stream->kind != KIND_MANAGED || event->epoch != stream->epoch)
		return STATE_E_OLD;
	return event->type == EVENT_SNAPSHOT_MANAGED ? on_managed(self, stream, event)
						     : on_outputs(self, stream, event);
}
