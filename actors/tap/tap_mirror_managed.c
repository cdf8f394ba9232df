/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_mirror_managed.h"

#include <czmq.h>

#include "proto/list.h"

struct mirror_managed *mirror_managed_made(struct mirror *mirror, struct text id)
{
	char key[STREAM_ID_MAX + 1];
	struct mirror_managed *managed =
		zhashx_lookup(mirror->managed, text_put(id, key, sizeof key));

	if (managed)
		return managed;
	managed = arena_take(&mirror->arena, sizeof *managed);
	(void)zhashx_insert(mirror->managed, arena_keep(&mirror->arena, id).bytes, managed);
	return managed;
}

bool mirror_input_owed(const struct mirror_stream *stream)
{
	return stream->managed && stream->managed->input == INPUT_OWED;
}

static void put_viewers(struct mirror *mirror, struct mirror_managed *managed, struct text list)
{
	struct mirror_viewer **slot = &managed->viewers;
	struct text package;
	struct wire wire;
	uint32_t rows, columns;
	uint64_t state;

	*slot = NULL;
	managed->watching = 0;
	if (!list_read(list, &wire, &rows))
		return;
	for (; rows > 0; rows--) {
		if (!wire_array(&wire, &columns) || columns != 2 || !wire_text(&wire, &package) ||
		    !wire_u64(&wire, &state))
			return;
		*slot = arena_take(&mirror->arena, sizeof **slot);
		(*slot)->package = arena_keep(&mirror->arena, package);
		(*slot)->state = (enum viewer)state;
		slot = &(*slot)->next;
		managed->watching += state == VIEWER_WATCHING;
	}
}

void mirror_managed_row(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_managed *managed = mirror_managed_made(mirror, event->stream_id);
	struct arena *arena = &mirror->arena;

	managed->provider = (enum provider_kind)event->snapshot_managed.provider;
	managed->input = (enum input_state)event->snapshot_managed.input;
	managed->ingest = (enum ingest)event->snapshot_managed.ingest;
	managed->playback = (enum playback)event->snapshot_managed.playback;
	managed->input_id = arena_keep(arena, event->snapshot_managed.input_id);
	managed->hls = arena_keep(arena, event->snapshot_managed.hls);
	managed->dash = arena_keep(arena, event->snapshot_managed.dash);
	managed->webrtc = arena_keep(arena, event->snapshot_managed.webrtc);
	managed->preview = arena_keep(arena, event->snapshot_managed.preview);
	managed->thumbnail = arena_keep(arena, event->snapshot_managed.thumbnail);
	put_viewers(mirror, managed, event->snapshot_managed.viewers);
}

/* Makes room for the output @number in its place. */
static struct mirror_output *output_made(struct mirror *mirror, struct mirror_managed *managed,
					 uint64_t number)
{
	struct mirror_output **slot = &managed->outputs;

	while (*slot && (*slot)->number < number)
		slot = &(*slot)->next;
	if (*slot && (*slot)->number == number)
		return *slot;
	struct mirror_output *output = arena_take(&mirror->arena, sizeof *output);

	output->number = number;
	output->next = *slot;
	*slot = output;
	return output;
}

static void output_dropped(struct mirror_managed *managed, uint64_t number)
{
	struct mirror_output **slot = &managed->outputs;

	while (*slot && (*slot)->number != number)
		slot = &(*slot)->next;
	if (*slot)
		*slot = (*slot)->next;
}

static void put_output(struct mirror *mirror, struct mirror_managed *managed, uint64_t number,
		       const struct mirror_output *told)
{
	struct mirror_output *output = output_made(mirror, managed, number);

	output->state = told->state;
	if (told->package.length > 0)
		output->package = arena_keep(&mirror->arena, told->package);
	if (told->name.length > 0)
		output->name = arena_keep(&mirror->arena, told->name);
	output->error = arena_keep(&mirror->arena, told->error);
}

void mirror_outputs_row(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_managed *managed = mirror_managed_made(mirror, event->stream_id);
	struct wire wire;
	uint32_t rows, columns;

	if (!list_read(event->snapshot_outputs.outputs, &wire, &rows))
		return;
	for (; rows > 0; rows--) {
		struct mirror_output told = { 0 };
		struct text url, remote_id;
		uint64_t number, state, initial;

		/* [number, state, url, name, package, remote_id, error, initial] */
		if (!wire_array(&wire, &columns) || columns != 8 || !wire_u64(&wire, &number) ||
		    !wire_u64(&wire, &state) || !wire_text(&wire, &url) ||
		    !wire_text(&wire, &told.name) || !wire_text(&wire, &told.package) ||
		    !wire_text(&wire, &remote_id) || !wire_text(&wire, &told.error) ||
		    !wire_u64(&wire, &initial))
			return;
		told.state = (enum output_state)state;
		put_output(mirror, managed, number, &told);
	}
}

void mirror_output_told(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_managed *managed = mirror_managed_made(mirror, event->stream_id);
	const struct mirror_output told = {
		.state = (enum output_state)event->stream_output.state,
		.name = event->stream_output.name,
		.package = event->stream_output.package,
		.error = event->stream_output.error,
	};

	if (told.state == OUTPUT_REMOVED)
		output_dropped(managed, event->stream_output.output);
	else
		put_output(mirror, managed, event->stream_output.output, &told);
}
