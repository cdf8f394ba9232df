/* SPDX-License-Identifier: MIT */
/* cloudflare_list.c - all inputs of the account, in pages of ours.
 *
 * The vendor's list is long and its paging is not described: what is known is how many there are.
 * So the next of its pages is asked for as what was made before the last one, and a listing is only
 * complete when as many were seen as there are, or nothing came before the last one.  If the same
 * ones come again it fails: half a list must not pass for a whole one.  Our page n begins with the
 * nth input of the listing.
 */
#include <stdio.h>

#include <xxhash.h>

#include "actors/managed-adapter/cloudflare_internal.h"
#include "proto/list.h"

static void say_page(const struct cloudflare_turn *turn, uint64_t page)
{
	struct cloudflare *self = turn->self;
	struct stream_event *event = cloudflare_say(turn, CALL_OK, "");
	struct list_writer list;
	unsigned at = (unsigned)page;

	list_begin(&list, turn->fx->inputs, sizeof turn->fx->inputs);
	for (; at < self->listed_count && at < page + INPUTS_PER_PAGE_MAX; at++) {
		const struct cloudflare_listed *listed = &self->listed[at];

		list_open_member(&list, 4);
		list_put_text(&list, text_of(listed->id));
		list_put_text(&list, text_of(listed->mark));
		list_put_text(&list, text_of(listed->stream_id));
		list_put_u64(&list, listed->age_s);
		(void)list_close_member(&list); /* INPUTS_BYTES holds a page of the longest */
	}
	event->provider_page.inputs = list_end(&list);
	event->provider_page.next_page = at < self->listed_count || !self->listed_all ? at : 0;
	event->provider_page.total = self->listed_total;
}

static void ask_list(const struct cloudflare_turn *turn)
{
	cloudflare_ask_list(&turn->job->request, turn->self->listed_before);
	cloudflare_ask(turn, CLOUDFLARE_LIST);
}

void cloudflare_begin_list(const struct cloudflare_turn *turn, uint64_t page)
{
	struct cloudflare *self = turn->self;

	if (page == 0) {
		self->listed_count = 0;
		self->listed_total = 0;
		self->listed_all = false;
		self->listed_before[0] = '\0';
	}
	turn->job->output = page; /* where the answer continues */
	if (page > self->listed_count)
		(void)cloudflare_say(turn, CALL_RETRY, "another listing has begun");
	else if (page < self->listed_count || self->listed_all)
		say_page(turn, page);
	else
		ask_list(turn);
}

static bool is_listed(const struct cloudflare *self, uint64_t hash, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (self->listed[i].hash == hash)
			return true;
	return false;
}

/* Returns how many the answer has; -1: more than there is room for. */
static int read_inputs(const struct cloudflare_turn *turn, struct json_walk *walk)
{
	struct cloudflare *self = turn->self;
	struct cloudflare_input *seen = &turn->job->seen;
	unsigned before = self->listed_count;
	int count = 0;

	while (cloudflare_next_input(walk, seen)) {
		uint64_t hash = XXH3_64bits(seen->id, strlen(seen->id));
		struct cloudflare_listed *listed = &self->listed[self->listed_count];

		count++;
		memcpy(self->listed_before, seen->created, sizeof seen->created);
		if (is_listed(self, hash, before))
			continue;
		if (self->listed_count == CLOUDFLARE_LISTED_MAX)
			return -1;
		self->listed_count++;
		listed->hash = hash;
		listed->age_s = cloudflare_age_s(seen->created, turn->answer->wall_ms);
		memcpy(listed->id, seen->id, sizeof listed->id);
		memcpy(listed->mark, seen->mark, sizeof listed->mark);
		memcpy(listed->stream_id, seen->stream_id, sizeof listed->stream_id);
	}
	return count;
}

void cloudflare_on_list(const struct cloudflare_turn *turn)
{
	struct cloudflare *self = turn->self;
	uint64_t page = turn->job->output, total;
	struct json_walk walk;
	int count;

	if (turn->verdict->outcome == CALL_GONE)
		turn->verdict->outcome = CALL_REFUSED; /* there is no such account */
	if (turn->verdict->outcome != CALL_OK) {
		cloudflare_fail(turn);
		return;
	}
	if (!cloudflare_read_list(&turn->verdict->result, &walk, &total)) {
		(void)cloudflare_say(turn, CALL_RETRY,
				     "Invalid response from Cloudflare: not a list");
		return;
	}
	if (page != self->listed_count) {
		(void)cloudflare_say(turn, CALL_RETRY, "another listing has begun");
		return;
	}
	count = read_inputs(turn, &walk);
	if (count < 0) {
		(void)cloudflare_say(turn, CALL_REFUSED, "the account has more inputs than fit");
		return;
	}
	if (page == 0)
		self->listed_total = total;
	self->listed_all = (count == 0 && page > 0) || self->listed_count >= self->listed_total;
	if (!self->listed_all && (self->listed_count == page || !self->listed_before[0])) {
		(void)cloudflare_say(turn, CALL_RETRY, "the provider does not list all inputs");
		return;
	}
	say_page(turn, page);
}
