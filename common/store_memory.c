/* SPDX-License-Identifier: MIT */
/* The store of tests and of systems that may forget: a tree of records, and a ring of rows, oldest
 * dropped first.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/store_engine.h"

#define BYTES_PER_ROW 512 /* on average; longer rows shorten the history, nothing else */
#define BYTES_MIN (STORE_ROW_MAX + 1)

struct row {
	int64_t at_ms;
	uint64_t at; /* position in the byte ring, ever growing */
	uint64_t check;
	uint32_t length;
	uint16_t user_length, stream_length;
};

struct record {
	struct text key; /* its bytes, and those of data, follow the struct */
	struct text data;
	uint64_t check;
	char bytes[];
};

struct memory {
	struct store base;
	void *records; /* of struct record, by key: see tsearch(3) */
	void *quarantine; /* the same */
	struct row *rows;
	char *bytes;
	char *scratch; /* one row, joined where the ring wraps */
	uint64_t byte_size;
	uint64_t first_seq; /* of the oldest row kept; next_seq: none */
	uint64_t next_seq;
	uint64_t head; /* byte position behind the newest row */
};

static struct memory *memory_of(struct store *store)
{
	return (struct memory *)store;
}

static struct row *row_of(struct memory *self, uint64_t seq)
{
	return &self->rows[seq % self->base.limits.history_rows_max];
}

static void memory_close(struct store *store)
{
	struct memory *self = memory_of(store);

	tdestroy(self->records, free);
	tdestroy(self->quarantine, free);
	free(self->rows);
	free(self->bytes);
	free(self->scratch);
	free(self);
}

static int memory_open(struct store **out, const char *path, const struct store_limits *limits,
		       struct store_fault *fault)
{
	struct memory *self = calloc(1, sizeof *self);

	(void)path;
	if (!self)
		return store_refuse(fault, -ENOMEM, "no memory for a store");
	self->base =
		(struct store){ .engine = &store_memory_engine, .limits = *limits, .room = true };
	self->byte_size = limits->history_rows_max * BYTES_PER_ROW;
	if (self->byte_size < BYTES_MIN)
		self->byte_size = BYTES_MIN;
	self->rows = calloc(limits->history_rows_max, sizeof *self->rows);
	self->bytes = malloc(self->byte_size);
	self->scratch = malloc(STORE_ROW_MAX);
	self->first_seq = self->next_seq = 1;
	if (!self->rows || !self->bytes || !self->scratch) {
		memory_close(&self->base);
		return store_refuse(fault, -ENOMEM, "no memory for a history of %llu rows",
				    (unsigned long long)limits->history_rows_max);
	}
	*out = &self->base;
	return 0;
}

/* Records --------------------------------------------------------------------------------- */

static int record_compare(const void *a, const void *b)
{
	const struct text *left = a, *right = b; /* a record begins with its key */
	uint32_t shorter = left->length < right->length ? left->length : right->length;
	int order = memcmp(left->bytes, right->bytes, shorter);

	if (order != 0)
		return order;
	return (left->length > right->length) - (left->length < right->length);
}

static void record_delete(struct memory *self, struct text key)
{
	struct record **slot = tfind(&key, &self->records, record_compare);
	struct record *old = slot ? *slot : NULL;

	if (!old)
		return;
	tdelete(&key, &self->records, record_compare);
	free(old);
}

static int record_put(struct memory *self, const struct store_put *put)
{
	struct record *record = malloc(sizeof *record + put->key.length + put->data.length);

	if (!record)
		return err_raise(-ENOMEM);
	memcpy(record->bytes, put->key.bytes, put->key.length);
	memcpy(record->bytes + put->key.length, put->data.bytes, put->data.length);
	record->key = (struct text){ record->bytes, put->key.length };
	record->data = (struct text){ record->bytes + put->key.length, put->data.length };
	record->check = store_record_check(record->key, record->data);

	struct record **slot = tsearch(record, &self->records, record_compare);

	if (!slot) {
		free(record);
		return err_raise(-ENOMEM);
	}
	if (*slot != record) {
		free(*slot);
		*slot = record;
	}
	return 0;
}

/* Of two with the same key the later one is kept. */
static int record_quarantine(struct memory *self, const struct store_move *move)
{
	struct record **from = tfind(&move->key, &self->records, record_compare);
	struct record *record = from ? *from : NULL;
	struct record **to;

	if (!record)
		return 0;
	to = tsearch(record, &self->quarantine, record_compare);
	if (!to)
		return err_raise(-ENOMEM);
	if (*to != record) {
		free(*to);
		*to = record;
	} else {
		self->base.quarantined++;
	}
	tdelete(&record->key, &self->records, record_compare);
	return 0;
}

struct walk {
	store_record_fn *each;
	void *context;
	int r;
	bool damaged;
};

static void record_visit(const void *node, VISIT visit, void *context)
{
	const struct record *record = *(struct record *const *)node;
	struct walk *walk = context;

	if ((visit == postorder || visit == leaf) && walk->r == 0 &&
	    (record->check != store_record_check(record->key, record->data)) == walk->damaged)
		walk->r = walk->each(walk->context, record->key, record->data);
}

static int memory_load(struct store *store, bool damaged, store_record_fn *each, void *context)
{
	struct walk walk = { each, context, 0, damaged };

	twalk_r(memory_of(store)->records, record_visit, &walk);
	return walk.r;
}

struct rot {
	uint64_t left; /* records before the one that is meant */
	struct record *found;
};

static void rot_visit(const void *node, VISIT visit, void *context)
{
	struct rot *rot = context;

	if (visit != postorder && visit != leaf)
		return;
	if (!rot->found && rot->left-- == 0)
		rot->found = *(struct record *const *)node;
}

static void count_visit(const void *node, VISIT visit, void *context)
{
	(void)node;
	*(uint64_t *)context += visit == postorder || visit == leaf;
}

bool store_memory_rot(struct store *store, uint64_t pick, uint64_t bit, struct text *key)
{
	struct memory *self = memory_of(store);
	struct rot rot = { 0 };
	uint64_t count = 0;

	twalk_r(self->records, count_visit, &count);
	if (count == 0)
		return false;
	rot.left = pick % count;
	twalk_r(self->records, rot_visit, &rot);
	bit %= (uint64_t)rot.found->data.length * 8;
	/* The value's bytes follow the key's. */
	rot.found->bytes[rot.found->key.length + bit / 8] ^= (char)(1u << bit % 8);
	*key = rot.found->key;
	return true;
}

/* Rows ------------------------------------------------------------------------------------ */

static void ring_put(struct memory *self, struct text text)
{
	uint64_t at = self->head % self->byte_size;
	uint64_t left = self->byte_size - at;
	uint64_t first = text.length < left ? text.length : left;

	if (text.length == 0)
		return; /* its bytes may be NULL */
	memcpy(self->bytes + at, text.bytes, first);
	memcpy(self->bytes, text.bytes + first, text.length - first);
	self->head += text.length;
}

static void drop_oldest(struct memory *self)
{
	self->first_seq++;
	self->base.oldest = self->first_seq < self->next_seq ? self->first_seq : 0;
}

/* Row slot and bytes for one more row. */
static void make_room(struct memory *self, uint32_t length)
{
	while (self->first_seq < self->next_seq &&
	       (self->next_seq - self->first_seq >= self->base.limits.history_rows_max ||
		row_of(self, self->first_seq)->at + self->byte_size < self->head + length))
		drop_oldest(self);
}

static void row_put(struct memory *self, const struct store_row *row)
{
	uint32_t length = row->user_id.length + row->stream_id.length + row->event.length;

	make_room(self, length);
	*row_of(self, row->seq) = (struct row){ .at_ms = row->at_ms,
						.at = self->head,
						.check = store_row_check(row),
						.length = length,
						.user_length = (uint16_t)row->user_id.length,
						.stream_length = (uint16_t)row->stream_id.length };
	ring_put(self, row->user_id);
	ring_put(self, row->stream_id);
	ring_put(self, row->event);
	self->next_seq++;
	self->base.oldest = self->first_seq;
}

static void row_get(struct memory *self, uint64_t seq, struct store_row *out)
{
	const struct row *row = row_of(self, seq);
	uint64_t at = row->at % self->byte_size;
	uint64_t left = self->byte_size - at;
	uint32_t first = row->length < left ? row->length : (uint32_t)left;

	memcpy(self->scratch, self->bytes + at, first);
	memcpy(self->scratch + first, self->bytes, row->length - first);
	*out = (struct store_row){
		.seq = seq,
		.at_ms = row->at_ms,
		.user_id = { self->scratch, row->user_length },
		.stream_id = { self->scratch + row->user_length, row->stream_length },
		.event = { self->scratch + row->user_length + row->stream_length,
			   row->length - row->user_length - row->stream_length },
	};
}

static int memory_history(struct store *store, const struct store_query *query,
			  struct store_row *out)
{
	struct memory *self = memory_of(store);
	uint64_t seq = query->from > self->first_seq ? query->from : self->first_seq;
	struct store_row row;

	for (uint64_t left = STORE_SCAN_MAX; seq < self->next_seq; seq++, left--) {
		if (left == 0) {
			out->seq = seq;
			return STORE_E_MORE;
		}
		row_get(self, seq, &row);
		if (!store_row_matches(query, &row))
			continue;
		if (row_of(self, seq)->check != store_row_check(&row)) {
			store->rows_damaged++;
			continue;
		}
		*out = row;
		return 0;
	}
	return STORE_E_END;
}

void store_memory_rot_row(struct store *store, uint64_t seq)
{
	row_of(memory_of(store), seq)->check ^= 1;
}

static bool memory_tend(struct store *store, int64_t wall_ms)
{
	struct memory *self = memory_of(store);

	/* Rows are as old as the next one whose time can be believed. */
	for (uint64_t seq = self->first_seq; seq < self->next_seq; seq++) {
		int64_t at_ms = row_of(self, seq)->at_ms;

		if (store_is_ahead(at_ms, wall_ms))
			continue;
		if (!store_too_old(store, at_ms, wall_ms))
			break;
		while (self->first_seq <= seq)
			drop_oldest(self);
	}
	return false;
}

static enum store_event_type memory_commit(struct store *store, const struct store_batch *batch)
{
	struct memory *self = memory_of(store);

	for (size_t i = 0; i < batch->move_count; i++)
		if (record_quarantine(self, &batch->moves[i]) < 0)
			return store_break(store, "no memory for one more record");
	for (size_t i = 0; i < batch->put_count; i++) {
		const struct store_put *put = &batch->puts[i];

		if (put->data.length == 0)
			record_delete(self, put->key);
		else if (record_put(self, put) < 0)
			return store_break(store, "no memory for one more record");
	}
	for (size_t i = 0; i < batch->row_count; i++)
		row_put(self, &batch->rows[i]);
	return STORE_COMMITTED;
}

const struct store_engine store_memory_engine = {
	.scheme = STORE_MEMORY,
	.open = memory_open,
	.close = memory_close,
	.load = memory_load,
	.commit = memory_commit,
	.tend = memory_tend,
	.history = memory_history,
};
