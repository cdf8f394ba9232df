/* SPDX-License-Identifier: MIT */
/* registry_main.c - shell of the registry: memory, store, snapshots and history for followers. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "actors/registry/registry_store.h"
#include "common/daemon.h"
#include "common/error.h"
#include "common/log.h"
#include "common/transport.h"

#define ENDING_MAX_MS 2000 /* a closing session waits so long for its last statuses */
#define TEND_S 0.1 /* between two looks at the store's housekeeping */
#define TEND_MS 2 /* of work at a time: a step may take a few milliseconds itself */

#define MARK_RANDOM 12 /* 36^12: two deployments in one account do not meet */

struct shell {
	struct registry core;
	char mark[MARK_MAX + 1]; /* for a store that has none yet */
	struct store *store;
	struct registry_store records;
	struct ev_timer tend;
	bool has_room;
	bool clock_doubted;
};

static void log_operator(const struct input *input)
{
	char stream_id[STREAM_ID_MAX + 1], by[PACKAGE_MAX + 1];

	if (input->type != INPUT_MESSAGE || input->event->type != EVENT_OPERATOR_STOP)
		return;
	log_info("audit.operator_stop", log_str("peer", input->peer_name),
		 log_str("by", text_put(input->event->operator_stop.by, by, sizeof by)),
		 log_str("stream_id",
			 text_put(input->event->stream_id, stream_id, sizeof stream_id)));
}

static void handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	log_operator(input);
	registry_handle(core, input, now_ms, fx);
}

static int64_t deadline(const void *core)
{
	return registry_deadline(core);
}

static void check_room(struct shell *shell)
{
	bool has_room = store_has_room(shell->store);

	if (has_room == shell->has_room)
		return;
	shell->has_room = has_room;
	registry_storage(&shell->core, has_room);
	if (has_room)
		log_info("store.room", log_str("effect", "new streams are accepted again"));
	else
		log_error("store.full", log_str("effect", "new streams are refused"),
			  log_str("reason", store_trouble(shell->store)));
}

static void check_clock(struct shell *shell)
{
	bool doubted = store_clock_doubted(shell->store);

	if (doubted == shell->clock_doubted)
		return;
	shell->clock_doubted = doubted;
	if (doubted)
		log_warn("store.clock_doubted", log_str("effect", "history is not pruned by age"),
			 log_str("mend", "set the wall clock; if it is right, it is believed "
					 "after a day"));
	else
		log_info("store.clock_believed",
			 log_str("effect", "history is pruned by age again"));
}

static int port_commit(void *context, const struct stream_event *const *events, size_t count,
		       const struct peer_mark *marks, size_t mark_count)
{
	struct shell *shell = context;
	int r = registry_store_commit(&shell->records, events, count, marks, mark_count);

	check_room(shell);
	if (r < 0 && r != -EAGAIN)
		log_error("store.broken", log_str("reason", store_trouble(shell->store)));
	return r;
}

static bool port_begin(void *context, uint64_t *upto)
{
	const struct shell *shell = context;

	*upto = shell->core.seq;
	return registry_is_settled(&shell->core);
}

#define STORE_ROW_GIVEN UINT64_MAX /* cursor behind the row about the store */

/* After the rows of the state, for whoever wants all of them: how the store is. */
static bool store_state(const struct shell *shell, const struct stream_event *get, uint64_t *cursor,
			struct stream_event *out)
{
	if (get->user_id.length > 0 || get->stream_id.length > 0)
		return false;
	*cursor = STORE_ROW_GIVEN;
	*out = (struct stream_event){ .type = EVENT_SNAPSHOT_STORE };
	out->snapshot_store.quarantined = store_quarantined(shell->store);
	out->snapshot_store.rows_damaged = store_rows_damaged(shell->store);
	return true;
}

static bool port_row(void *context, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out)
{
	const struct shell *shell = context;

	if (*cursor == STORE_ROW_GIVEN)
		return false;
	return state_row_asked(&shell->core.state, get, cursor, out) ||
	       store_state(shell, get, cursor, out);
}

/* The cursor is the seq to look at next; 0 at first. */
static bool port_history(void *context, const struct stream_event *get, uint64_t *cursor,
			 struct stream_event *out)
{
	struct shell *shell = context;
	const struct store_query query = { .from = *cursor ? *cursor : get->history_get.from_seq,
					   .user_id = get->user_id,
					   .stream_id = get->stream_id };
	struct store_row row;
	int r = store_history(shell->store, &query, &row);

	if (r == STORE_E_MORE) {
		*cursor = row.seq;
		*out = (struct stream_event){ 0 };
		return true;
	}
	if (r < 0)
		log_error("store.history_failed", log_str("reason", store_trouble(shell->store)));
	if (r != 0)
		return false;
	const uint8_t *bytes = (const uint8_t *)row.event.bytes;
	struct wire wire = { bytes, bytes + row.event.length };

	*cursor = row.seq + 1;
	/* Of a build that knew more: left out, as everywhere. */
	if (stream_event_read(&wire, out) != 0)
		*out = (struct stream_event){ 0 };
	return true;
}

static uint64_t port_oldest(void *context)
{
	const struct shell *shell = context;

	return store_oldest(shell->store);
}

static void on_tend(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct shell *shell = timer->data;
	const int64_t until_ms = daemon_now_ms() + TEND_MS;

	(void)loop;
	(void)events;
	while (store_tend(shell->store, &(struct store_time){ .wall_ms = daemon_wall_ms(),
							      .now_ms = daemon_now_ms() }) &&
	       daemon_now_ms() < until_ms)
		;
	check_room(shell);
	check_clock(shell);
}

/* Return: 0 or -errno. */
static int make_mark(char *mark)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	uint64_t random[MARK_RANDOM];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return err_raise(-errno);
	for (unsigned i = 0; i < MARK_RANDOM; i++)
		mark[i] = letters[random[i] % (sizeof letters - 1)];
	mark[MARK_RANDOM] = '\0';
	return 0;
}

/* What is provisioned already carries the old one: another would make leaks of all that. */
static void check_mark(const struct shell *shell, const struct config *config)
{
	const char *kept = shell->core.state.mark;

	if (config->managed_mark[0] != '\0' && kept[0] != '\0' &&
	    strcmp(config->managed_mark, kept) != 0)
		log_warn("mark.kept", log_str("mark", kept),
			 log_str("configured", config->managed_mark));
}

/* No names: a damaged key may be anything. */
static void log_damage(const struct registry_store *records)
{
	for (uint32_t i = 0; i < records->lost_count; i++) {
		const struct registry_damage *damage = &records->damage[i];

		log_error("record.quarantined",
			  log_str("bucket", words_name(&bucket_words, damage->bucket)),
			  log_str("reason", words_name(&damage_words, damage->reason)),
			  log_u64("key_hash", damage->key_hash));
	}
}

static struct registry_options options_of(const struct shell *shell,
					  const struct daemon_options *daemon,
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
		.clock = daemon->clock,
		.first_seq = head->seq,
		/* Without a store that lasts, the wall clock keeps epochs growing over restarts. */
		.first_epoch =
			head->next_epoch ? head->next_epoch : (uint64_t)daemon_wall_ms() * 1000,
		.stop_owed_ms = config->session_stop_owed_ms,
		.ending_max_ms = ENDING_MAX_MS,
		.blind_max_ms = config->gateway_blind_max_ms,
		.mark = config->managed_mark[0] != '\0' ? config->managed_mark : shell->mark,
	};
}

/* What starting again would not help with keeps the process down. */
static int refuse(const struct store_fault *fault, int error)
{
	log_error("store.refused", log_str("reason", fault->reason));
	return fault->permanent ? DAEMON_EXIT_CONFIG : err_pass(error);
}

/* A path that is not absolute is below the run directory. */
static int open_store(struct shell *shell, const struct daemon_options *options)
{
	const struct config *config = options->config;
	const char *uri = config->registry_store;
	const char *path = uri + strlen(STORE_SQLITE);
	char below[PATH_MAX];
	struct store_fault fault;
	int r;

	if (strncmp(uri, STORE_SQLITE, strlen(STORE_SQLITE)) == 0 && path[0] != '/') {
		(void)snprintf(below, sizeof below, STORE_SQLITE "%s/%s", options->run_dir, path);
		uri = below;
	}
	r = store_open(&shell->store, uri,
		       &(struct store_limits){
			       .history_rows_max = (uint64_t)config->registry_history_rows_max,
			       .history_age_ms = config->registry_history_age_s * 1000 },
		       &fault);
	/* Most likely a second registry here: the store is opened before the lock is taken. */
	if (r == -EBUSY)
		transport_log_holder(options->run_dir, options->name);
	if (r < 0)
		return refuse(&fault, r);
	shell->has_room = true;
	return err_pass(registry_store_init(&shell->records, shell->store));
}

static int load(struct shell *shell, const struct daemon_options *options)
{
	const struct store_head head = store_head(shell->store);
	const struct registry_options core = options_of(shell, options, &head);
	const int64_t began_ms = daemon_now_ms();
	size_t bytes = registry_bytes(&core);
	struct store_fault fault;
	/* Tables are sized for their limits; pages cost memory only once they are touched. */
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int r;

	if (memory == MAP_FAILED)
		return err_raise(-errno);
	registry_init(&shell->core, &core, memory);
	r = registry_store_load(&shell->records, &shell->core, began_ms, &fault);
	if (r < 0)
		return refuse(&fault, r);
	check_mark(shell, options->config);
	log_damage(&shell->records);
	log_info("store.loaded", log_u64("seq", head.seq),
		 log_u64("users", shell->core.state.users_count),
		 log_u64("streams", shell->core.state.streams_count),
		 log_i64("ms", daemon_now_ms() - began_ms));
	return 0;
}

static int serve(struct shell *shell, const struct daemon_options *given)
{
	struct daemon_options options = *given;
	struct daemon *daemon;
	int r;

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
	if (r < 0)
		return err_pass(r);
	for (size_t i = 0; i < shell->records.mark_count; i++)
		daemon_restore(daemon, &shell->records.marks[i]);
	ev_timer_init(&shell->tend, on_tend, TEND_S, TEND_S);
	shell->tend.data = shell;
	ev_timer_start(daemon_loop(daemon), &shell->tend);
	r = daemon_run(daemon);
	ev_timer_stop(daemon_loop(daemon), &shell->tend);
	daemon_close(daemon);
	return r;
}

static int run(const struct daemon_options *options)
{
	struct shell *shell = calloc(1, sizeof *shell);
	int r;

	if (!shell)
		return err_raise(-ENOMEM);
	r = make_mark(shell->mark);
	if (r == 0)
		r = open_store(shell, options);
	if (r == 0)
		r = load(shell, options);
	if (r == 0)
		r = serve(shell, options);
	registry_store_fini(&shell->records);
	store_close(shell->store);
	free(shell);
	return r;
}

int main(int argc, char **argv)
{
	return daemon_main(argc, argv,
			   &(struct daemon_program){ .binary = "weir-registry",
						     .summary = "owns every stream's record",
						     .role = ROLE_REGISTRY,
						     .run = run });
}
