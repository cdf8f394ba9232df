/* SPDX-License-Identifier: MIT */
/* registry_main.c - shell of the registry: memory, store, snapshots and history for followers. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "actors/registry/registry_core.h"
#include "common/cleanup.h"
#include "common/daemon.h"
#include "common/error.h"
#include "common/log.h"
#include "common/store.h"

#define ROWS_PER_COMMIT_MAX 16384 /* story events of one loop pass: 64 inputs of 256 effects */
#define COMMIT_BYTES_MAX (8u << 20)
#define ENDING_MAX_MS 2000 /* a closing session waits so long for its last statuses */

struct shell {
	struct registry core;
	struct store *store;
	struct store_row rows[ROWS_PER_COMMIT_MAX];
	uint8_t bytes[COMMIT_BYTES_MAX]; /* encoded rows of one commit */
};

static void handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	registry_handle(core, input, now_ms, fx);
}

static int64_t deadline(const void *core)
{
	return registry_deadline(core);
}

/* History holds no secrets: rows are encoded as they are published. */
static int port_commit(void *context, const struct stream_event *const *events, size_t count)
{
	struct shell *shell = context;
	struct store_event done;
	size_t used = 0;
	int r;

	if (count > ROWS_PER_COMMIT_MAX)
		return err_raise(-E2BIG);
	for (size_t i = 0; i < count; i++) {
		ssize_t length =
			stream_event_encode(events[i], STREAM_EVENT_PUBLIC, shell->bytes + used,
					    sizeof shell->bytes - used);
		if (length < 0)
			return err_raise((int)length);
		shell->rows[i] = (struct store_row){
			.seq = events[i]->seq,
			.at_ms = events[i]->sent_ms,
			.user_id = events[i]->user_id,
			.stream_id = events[i]->stream_id,
			.event = { (const char *)shell->bytes + used, (uint32_t)length },
		};
		used += (size_t)length;
	}
	r = store_commit(shell->store,
			 &(struct store_batch){ .rows = shell->rows,
						.row_count = count,
						.next_epoch = shell->core.next_epoch });
	if (r < 0)
		return err_pass(r);
	return err_pass(store_drive(shell->store, daemon_now_ms(), &done));
}

static bool port_begin(void *context, uint64_t *upto)
{
	const struct shell *shell = context;

	*upto = shell->core.seq;
	return true;
}

static bool port_row(void *context, uint64_t *cursor, struct stream_event *out)
{
	const struct shell *shell = context;

	return state_row(&shell->core.state, cursor, out);
}

static bool wanted(const struct stream_event *get, const struct store_row *row)
{
	return (get->user_id.length == 0 || text_equal(get->user_id, row->user_id)) &&
	       (get->stream_id.length == 0 || text_equal(get->stream_id, row->stream_id));
}

/* The cursor is the seq to look at next; 0 at first. */
static bool port_history(void *context, const struct stream_event *get, uint64_t *cursor,
			 struct stream_event *out)
{
	struct shell *shell = context;
	uint64_t seq = *cursor ? *cursor : get->history_get.from_seq;
	struct store_row row;

	while (store_history(shell->store, seq, &row) == 0) {
		const uint8_t *bytes = (const uint8_t *)row.event.bytes;
		struct wire wire = { bytes, bytes + row.event.length };

		seq = row.seq + 1;
		*cursor = seq;
		if (wanted(get, &row) && stream_event_read(&wire, out) == 0)
			return true;
	}
	return false;
}

static uint64_t port_oldest(void *context)
{
	const struct shell *shell = context;

	return store_oldest(shell->store);
}

static struct registry_options options_of(const struct daemon_options *daemon,
					  const struct store_head *head)
{
	const struct config *config = daemon->config;

	return (struct registry_options){
		.state = { .users_max = (uint32_t)config->registry_users_max,
			   .apps_max = (uint32_t)config->registry_apps_max,
			   .streams_max = (uint32_t)config->registry_streams_max,
			   .text_bytes = (size_t)config->registry_text_bytes_max,
			   .hash_seed = daemon->incarnation,
			   .remember_apps = true },
		.incarnation = daemon->incarnation,
		.first_seq = head->seq,
		/* Without a store that lasts, the wall clock keeps epochs growing over restarts. */
		.first_epoch =
			head->next_epoch ? head->next_epoch : (uint64_t)daemon_wall_ms() * 1000,
		.stop_owed_ms = config->session_stop_owed_ms,
		.ending_max_ms = ENDING_MAX_MS,
		.blind_max_ms = config->gateway_blind_max_ms,
	};
}

static int run(const struct daemon_options *given)
{
	const struct config *config = given->config;
	struct shell *shell = mmap(NULL, sizeof *shell, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct daemon_options options = *given;
	struct registry_options core;
	struct store_head head;
	struct daemon *daemon;
	size_t bytes;
	void *memory;
	int r;

	if (shell == MAP_FAILED)
		return err_raise(-errno);
	r = store_open(&shell->store, config->registry_store,
		       &(struct store_limits){
			       .history_rows_max = (uint64_t)config->registry_history_rows_max,
			       .history_age_ms = config->registry_history_age_s * 1000 });
	if (r < 0)
		return err_pass(r);
	head = store_head(shell->store);
	core = options_of(given, &head);
	bytes = registry_bytes(&core);
	/* Tables are sized for their limits; pages cost memory only once they are touched. */
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return err_raise(-errno);
	registry_init(&shell->core, &core, memory);

	options.snapshot = (struct snapshot_port){ .context = shell,
						   .begin = port_begin,
						   .row = port_row,
						   .history = port_history,
						   .oldest = port_oldest };
	options.store = (struct store_port){ .context = shell, .commit = port_commit };
	r = daemon_open(
		&options,
		&(struct actor){ .core = &shell->core, .handle = handle, .deadline = deadline },
		&daemon);
	if (r == 0) {
		r = daemon_run(daemon);
		daemon_close(daemon);
	}
	store_close(shell->store);
	return err_pass(r);
}

int main(int argc, char **argv)
{
	return daemon_main(argc, argv,
			   &(struct daemon_program){ .binary = "weir-registry",
						     .summary = "owns every stream's record",
						     .role = ROLE_REGISTRY,
						     .run = run });
}
