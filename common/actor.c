/* SPDX-License-Identifier: MIT */
#include "common/actor.h"

#include <assert.h>

void effects_clear(struct effects *fx)
{
	fx->count = 0;
	fx->arena_used = 0;
}

size_t effects_room(const struct effects *fx)
{
	return EFFECTS_MAX - fx->count;
}

struct stream_event *effects_add(struct effects *fx, enum effect_type type, struct peer peer,
				 enum stream_event_type event)
{
	assert(fx->count < EFFECTS_MAX);
	struct effect *effect = &fx->items[fx->count++];

	effect->type = type;
	effect->peer = peer;
	memset(&effect->event, 0, sizeof effect->event);
	effect->event.type = event;
	return &effect->event;
}

struct text effects_keep(struct effects *fx, struct text text)
{
	assert(text.length <= EFFECTS_ARENA_SIZE - fx->arena_used);
	char *copy = fx->arena + fx->arena_used;

	if (text.length > 0)
		memcpy(copy, text.bytes, text.length);
	fx->arena_used += text.length;
	return (struct text){ copy, text.length };
}
