/* SPDX-License-Identifier: MIT */
/* Secrets that must outlive a snapshot.  What was asked of the registry before it may be in the
 * story only behind it, and the story has no secrets: the ones that were asked with are kept, the
 * newest of them, until there are newer ones.
 */
#include "actors/managed-adapter/managed_internal.h"

static void keep(struct managed *self, struct pooled from, struct pooled *to)
{
	if (!pool_replace(&self->texts, pool_text(&self->texts, from), to))
		pool_drop(&self->texts, to);
}

void managed_kept_keep(struct managed *self, const struct managed_work *work)
{
	const struct state_stream *stream = managed_stream_of(self, work);

	if (!stream || (work->made[MADE_INGEST].length == 0 && work->destinations.length == 0))
		return;
	struct text id = managed_text(self, stream->id);
	struct managed_kept *kept = &self->kept[self->kept_next++ % MANAGED_KEPT_MAX];

	memcpy(kept->stream_id, id.bytes, id.length);
	kept->length = (uint8_t)id.length;
	keep(self, work->made[MADE_ID], &kept->input_id);
	keep(self, work->made[MADE_INGEST], &kept->ingest);
	keep(self, work->destinations, &kept->destinations);
}

/* The newest but @back of what was kept for it. */
static const struct managed_kept *kept_of(const struct managed *self, struct text stream_id,
					  uint32_t back)
{
	for (uint32_t i = 1; i <= MANAGED_KEPT_MAX; i++) {
		const struct managed_kept *kept =
			&self->kept[(self->kept_next - i) % MANAGED_KEPT_MAX];

		if (kept->length > 0 &&
		    text_equal((struct text){ kept->stream_id, kept->length }, stream_id) &&
		    back-- == 0)
			return kept;
	}
	return NULL;
}

struct text managed_kept_ingest(const struct managed *self, struct text stream_id,
				struct text input_id)
{
	const struct managed_kept *kept;

	for (uint32_t back = 0; (kept = kept_of(self, stream_id, back)); back++)
		if (text_equal(pool_text(&self->texts, kept->input_id), input_id))
			return pool_text(&self->texts, kept->ingest);
	return (struct text){ 0 };
}

struct text managed_kept_destinations(const struct managed *self, struct text stream_id)
{
	const struct managed_kept *kept = kept_of(self, stream_id, 0);

	return kept ? pool_text(&self->texts, kept->destinations) : (struct text){ 0 };
}
