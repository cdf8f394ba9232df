/* SPDX-License-Identifier: MIT */
/* The store of tests and of systems that may forget: a ring of rows, oldest dropped first. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/store.h"

#define BYTES_PER_ROW 512 /* on average; longer rows shorten the history, nothing else */

struct row {
	int64_t at_ms;
	uint64_t at; /* position in the byte ring, ever growing */
	uint32_t length;
	uint16_t user_length, stream_length;
};

struct store {
	struct store_limits limits;
	struct row *rows;
	char *bytes;
	char *scratch; /* one row, joined where the ring wraps */
	uint64_t byte_size;
	uint64_t first_seq; /* of the oldest row kept; next_seq: none */
	uint64_t next_seq;
	uint64_t head; /* byte position behind the newest row */
	uint64_t next_epoch;
	bool committed;
};

static struct row *row_of(struct store *store, uint64_t seq)
{
	return &store->rows[seq % store->limits.history_rows_max];
}

int store_open(struct store **out, const char *uri, const struct store_limits *limits)
{
	if (strcmp(uri, "memory") != 0)
		return err_raise(-EINVAL);
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return err_raise(-ENOMEM);
	store->limits = *limits;
	store->byte_size = limits->history_rows_max * BYTES_PER_ROW;
	if (store->byte_size < 65536)
		store->byte_size = 65536;
	store->rows = calloc(limits->history_rows_max, sizeof *store->rows);
	store->bytes = malloc(store->byte_size);
	store->scratch = malloc(65536);
	store->first_seq = store->next_seq = 1;
	if (!store->rows || !store->bytes || !store->scratch) {
		store_close(store);
		return err_raise(-ENOMEM);
	}
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	free(store->rows);
	free(store->bytes);
	free(store->scratch);
	free(store);
}

struct store_head store_head(const struct store *store)
{
	return (struct store_head){ .seq = store->next_seq - 1, .next_epoch = store->next_epoch };
}

static void ring_put(struct store *store, struct text text)
{
	uint64_t at = store->head % store->byte_size;
	uint64_t left = store->byte_size - at;
	uint64_t first = text.length < left ? text.length : left;

	if (text.length == 0)
		return; /* its bytes may be NULL */
	memcpy(store->bytes + at, text.bytes, first);
	memcpy(store->bytes, text.bytes + first, text.length - first);
	store->head += text.length;
}

static void drop_oldest(struct store *store, int64_t before_ms, uint64_t byte_floor)
{
	while (store->first_seq < store->next_seq) {
		const struct row *oldest = row_of(store, store->first_seq);

		if (store->next_seq - store->first_seq < store->limits.history_rows_max &&
		    oldest->at >= byte_floor && oldest->at_ms >= before_ms)
			return;
		store->first_seq++;
	}
}

static void row_put(struct store *store, const struct store_row *row)
{
	uint32_t length = row->user_id.length + row->stream_id.length + row->event.length;

	assert(row->seq == store->next_seq && length < 65536);
	uint64_t end = store->head + length;

	drop_oldest(store, row->at_ms - store->limits.history_age_ms,
		    end > store->byte_size ? end - store->byte_size : 0);
	*row_of(store, row->seq) = (struct row){ .at_ms = row->at_ms,
						 .at = store->head,
						 .length = length,
						 .user_length = (uint16_t)row->user_id.length,
						 .stream_length = (uint16_t)row->stream_id.length };
	ring_put(store, row->user_id);
	ring_put(store, row->stream_id);
	ring_put(store, row->event);
	store->next_seq++;
}

int store_commit(struct store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->row_count; i++)
		row_put(store, &batch->rows[i]);
	store->next_epoch = batch->next_epoch;
	store->committed = true;
	return 0;
}

int store_drive(struct store *store, int64_t now_ms, struct store_event *event)
{
	(void)now_ms;
	*event = (struct store_event){ .type = store->committed ? STORE_COMMITTED : STORE_IDLE,
				       .seq = store->next_seq - 1 };
	store->committed = false;
	return 0;
}

int store_history(struct store *store, uint64_t from, struct store_row *out)
{
	uint64_t seq = from > store->first_seq ? from : store->first_seq;

	if (seq >= store->next_seq)
		return STORE_E_END;
	const struct row *row = row_of(store, seq);
	uint64_t at = row->at % store->byte_size;
	uint64_t left = store->byte_size - at;
	uint32_t first = row->length < left ? row->length : (uint32_t)left;

	memcpy(store->scratch, store->bytes + at, first);
	memcpy(store->scratch + first, store->bytes, row->length - first);
	*out = (struct store_row){
		.seq = seq,
		.at_ms = row->at_ms,
		.user_id = { store->scratch, row->user_length },
		.stream_id = { store->scratch + row->user_length, row->stream_length },
		.event = { store->scratch + row->user_length + row->stream_length,
			   row->length - row->user_length - row->stream_length },
	};
	return 0;
}

uint64_t store_oldest(const struct store *store)
{
	return store->first_seq < store->next_seq ? store->first_seq : 0;
}
