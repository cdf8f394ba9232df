/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_ages.h"

#include "actors/tap/tap_call.h"

static enum call_verdict take(void *context, const struct stream_event *event)
{
	mirror_date(context, event);
	return CALL_MORE;
}

static int fetch(const struct cli *cli, struct mirror *mirror, const char *user, uint64_t from_seq,
		 uint64_t upto_seq)
{
	return history_fetch(cli, &(struct history){ .from_seq = from_seq,
						     .upto_seq = upto_seq,
						     .user = user,
						     .take = take,
						     .context = mirror });
}

int ages_of_user(const struct cli *cli, struct mirror *mirror, const struct mirror_user *user)
{
	char id[USER_ID_MAX + 1];

	return fetch(cli, mirror, text_put(user->id, id, sizeof id), 0, mirror->upto + 1);
}

static void widen(uint64_t seq, uint64_t *first, uint64_t *last)
{
	*first = seq < *first ? seq : *first;
	*last = seq > *last ? seq : *last;
}

int ages_of_cut_off(const struct cli *cli, struct mirror *mirror)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (size_t i = 0; i < mirror->stream_count; i++) {
		const struct mirror_stream *stream = &mirror->streams[i];
		const struct mirror_user *user = stream->user;

		if (stream->phase != PHASE_LIVE)
			continue;
		if (user->has_link && user->link_state != LINK_UP)
			widen(user->link_seq, &first, &last);
		if (user->has_glasses && !user->connected)
			widen(user->glasses_seq, &first, &last);
	}
	return last > 0 ? fetch(cli, mirror, NULL, first, last + 1) : EXIT_DONE;
}
