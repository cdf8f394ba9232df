/* SPDX-License-Identifier: MIT */
#include "tests/lib/pair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/daemon_private.h"
#include "common/log.h"

#define TICK_MS 1
#define ASK_BATCH 50
#define MIRROR_TICK_MS 20
#define GOODBYE UINT64_C(999999999)

static struct pair *pair; /* of this process */
static struct pair_shared *shared;

uint64_t pair_sum(const uint32_t *values)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < PAIR_VALUES; i++)
		sum += (i + 1) * values[i] * UINT64_C(0x9e3779b97f4a7c15);
	return sum;
}

static void wake_test(void *context)
{
	(void)context;
	/* Full: the test has been woken already. */
	(void)!write(pair->wake[1], "", 1);
}

/* the teller */

static struct {
	uint32_t values[PAIR_VALUES];
	uint64_t seqs[PAIR_VALUES];
	uint64_t seq, last_request, announced;
	int64_t due_ms;
	struct peer asker;
} teller;

static void tell(uint64_t index, struct effects *fx)
{
	struct stream_event *event =
		effects_add(fx, EFFECT_STORY, (struct peer){ ROLE_NONE, 0 }, EVENT_LINK_CHANGED);

	index %= PAIR_VALUES;
	event->seq = ++teller.seq;
	event->link_changed.link = index;
	event->link_changed.gateway = ++teller.values[index];
	teller.seqs[index] = teller.seq;
}

static void on_request(const struct input *input, struct effects *fx)
{
	const struct stream_event *request = input->event;
	struct stream_event *answer;

	if (teller.announced != PAIR_ANNOUNCEMENTS + 1)
		atomic_fetch_add(&shared->unannounced, 1);
	/* One life sees each exactly once and in order, so ids only grow. */
	if (request->request <= teller.last_request)
		atomic_fetch_add(&shared->disordered, 1);
	teller.last_request = request->request;
	tell(request->edge_link_closed.link, fx);
	answer = effects_add(fx, EFFECT_SEND, input->peer, EVENT_REGISTRY_UNKNOWN_LINK);
	answer->request = request->request;
	atomic_fetch_add(&shared->handled, 1);
}

static void on_teller_message(const struct input *input, struct effects *fx)
{
	switch ((int)input->event->type) {
	case EVENT_EDGE_LINK_OPENED:
	case EVENT_EDGE_ANNOUNCED:
		teller.announced++;
		return;
	case EVENT_EDGE_APP_CLOSED:
		atomic_fetch_add(&shared->goodbyes, input->event->request == GOODBYE);
		return;
	default:
		on_request(input, fx);
		return;
	}
}

static void teller_handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	(void)core;
	switch ((int)input->type) {
	case INPUT_TICK:
		teller.due_ms = now_ms + TICK_MS;
		for (uint64_t i = 0; i < atomic_load(&shared->chatter); i++)
			tell(teller.seq * 7919, fx);
		break;
	case INPUT_PEER_UP:
		atomic_fetch_add(&shared->peers_up, 1);
		if (!input->known && input->peer.role == ROLE_GATEWAY) {
			teller.announced = 0;
			teller.last_request = 0;
		}
		break;
	case INPUT_PEER_DOWN:
		atomic_fetch_add(&shared->peers_down, 1);
		break;
	case INPUT_MESSAGE:
		on_teller_message(input, fx);
		break;
	}
}

static int64_t teller_deadline(const void *core)
{
	(void)core;
	return atomic_load(&shared->chatter) ? teller.due_ms : teller.due_ms + 20;
}

static int teller_commit(void *context, const struct stream_event *const *events, size_t count,
			 const struct peer_mark *marks, size_t mark_count)
{
	(void)context;
	(void)marks;
	(void)mark_count;
	int fail = (int)atomic_load(&shared->fail_commits);

	if (fail != 0) {
		atomic_fetch_add(&shared->failed_commits, 1);
		wake_test(NULL);
		return -fail;
	}
	for (size_t i = 0; i < count; i++) {
		shared->values[events[i]->link_changed.link] =
			(uint32_t)events[i]->link_changed.gateway;
		shared->stored_seq = events[i]->seq;
	}
	atomic_store(&shared->seq, shared->stored_seq);
	return 0;
}

static bool teller_begin(void *context, uint64_t *upto)
{
	(void)context;
	*upto = teller.seq;
	return true;
}

static bool teller_row(void *context, const struct stream_event *get, uint64_t *cursor,
		       struct stream_event *out)
{
	(void)context;
	(void)get;
	if (*cursor == PAIR_VALUES)
		return false;
	*out = (struct stream_event){ .type = EVENT_LINK_CHANGED,
				      .seq = teller.seqs[*cursor],
				      .link_changed = { .link = *cursor,
							.gateway = teller.values[*cursor] } };
	++*cursor;
	return true;
}

static void teller_reload(void *context)
{
	(void)context;
	atomic_fetch_add(&shared->teller_reloads, 1);
	wake_test(NULL);
}

static void teller_drain(void *context)
{
	(void)context;
	atomic_fetch_add(&shared->teller_drains, 1);
	wake_test(NULL);
}

static void teller_begin_life(void)
{
	memcpy(teller.values, shared->values, sizeof teller.values);
	teller.seq = shared->stored_seq;
	for (size_t i = 0; i < PAIR_VALUES; i++)
		teller.seqs[i] = teller.seq;
	atomic_fetch_add(&shared->teller_life, 1);
}

/* the asker */

static struct {
	uint64_t announce_next;
	bool announcing;
	int64_t due_ms, now_ms;
	struct daemon *daemon;
} asker;

static const struct peer registry = { ROLE_REGISTRY, 0 };

static void announce(struct effects *fx)
{
	while (asker.announce_next < PAIR_ANNOUNCEMENTS && effects_room(fx) > 1) {
		effects_add(fx, EFFECT_REQUEST, registry, EVENT_EDGE_LINK_OPENED)
			->edge_link_opened.link = ++asker.announce_next;
	}
	if (asker.announce_next < PAIR_ANNOUNCEMENTS)
		return;
	asker.announcing = false;
	effects_add(fx, EFFECT_REQUEST, registry, EVENT_EDGE_ANNOUNCED);
}

static void ask(struct effects *fx)
{
	for (int i = 0; i < ASK_BATCH; i++) {
		uint64_t asked = atomic_load(&shared->asked);
		struct stream_event *event;

		if (asked >= atomic_load(&shared->goal) ||
		    asked - atomic_load(&shared->answers) >= atomic_load(&shared->window))
			return;
		event = effects_add(fx, EFFECT_REQUEST, registry, EVENT_EDGE_LINK_CLOSED);
		event->request = asked + 1;
		event->edge_link_closed.link = asked * 31;
		atomic_store(&shared->asked, asked + 1);
	}
}

static void asker_handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	(void)core;
	asker.now_ms = now_ms;
	switch ((int)input->type) {
	case INPUT_TICK:
		if (asker.announcing) {
			announce(fx);
			break;
		}
		asker.due_ms = now_ms + TICK_MS;
		ask(fx);
		break;
	case INPUT_PEER_UP:
		atomic_fetch_add(input->known ? &shared->ups_known : &shared->ups_unknown, 1);
		if (!input->known) {
			int64_t later_ms = loop_now_ms() + 3 * TICK_MS;

			/* So long that something else would fall due, if time did not stand still.
			 */
			while (loop_now_ms() < later_ms)
				;
			asker.announcing = true;
			asker.announce_next = 0;
			announce(fx);
		}
		break;
	case INPUT_PEER_DOWN:
		atomic_fetch_add(&shared->downs, 1);
		break;
	case INPUT_MESSAGE:
		/* Answers may be lost with a life of the teller; the window counts what was asked.
		 */
		if (input->event->request > atomic_load(&shared->answers))
			atomic_store(&shared->answers, input->event->request);
		break;
	}
	atomic_store(&shared->asker_ready, daemon_is_ready(asker.daemon));
	atomic_store(&shared->unacked,
		     asker.daemon->node.servers[ROLE_REGISTRY].uplink.ring.count + fx->count);
}

static int64_t asker_deadline(const void *core)
{
	(void)core;
	return asker.announcing ? asker.now_ms : asker.due_ms;
}

static bool asker_stop(void *context)
{
	struct effects *fx = daemon_effects(asker.daemon);

	(void)context;
	effects_add(fx, EFFECT_REQUEST, registry, EVENT_EDGE_APP_CLOSED)->request = GOODBYE;
	daemon_carry(asker.daemon);
	return true;
}

/* the mirror */

static struct {
	uint32_t values[PAIR_VALUES];
	uint64_t seqs[PAIR_VALUES], seq;
	bool live;
	int64_t due_ms;
} mirror;

static void mirror_handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	const struct stream_event *event = input->event;

	(void)core;
	(void)fx;
	switch ((int)input->type) {
	case INPUT_RESYNC:
		memset(&mirror, 0, sizeof mirror);
		atomic_fetch_add(&shared->resyncs, 1);
		break;
	case INPUT_SYNCED:
		mirror.live = true;
		atomic_fetch_add(&shared->syncs, 1);
		break;
	case INPUT_BLIND:
		atomic_fetch_add(&shared->blinds, 1);
		break;
	case INPUT_STORY:
		if (!mirror.live)
			atomic_fetch_add(&shared->rows, 1);
		if (event->seq > mirror.seq)
			mirror.seq = event->seq;
		/* Rows of values that never changed have seq 0. */
		if (event->seq <= mirror.seqs[event->link_changed.link])
			break;
		mirror.seqs[event->link_changed.link] = event->seq;
		mirror.values[event->link_changed.link] = (uint32_t)event->link_changed.gateway;
		break;
	}
	atomic_store(&shared->live, mirror.live);
	if (input->type != INPUT_TICK)
		return;
	mirror.due_ms = now_ms + MIRROR_TICK_MS;
	atomic_store(&shared->mirror_sum, pair_sum(mirror.values));
	atomic_store(&shared->mirror_seq, mirror.seq);
}

static int64_t mirror_deadline(const void *core)
{
	(void)core;
	return mirror.due_ms;
}

/* processes */

static void describe(enum pair_actor which, struct daemon_options *options, struct actor *actor)
{
	actor->after = wake_test;
	switch (which) {
	case PAIR_TELLER:
		options->role = ROLE_REGISTRY;
		options->name = "registry";
		options->store = (struct store_port){ .commit = teller_commit };
		options->snapshot =
			(struct snapshot_port){ .begin = teller_begin, .row = teller_row };
		actor->handle = teller_handle;
		actor->deadline = teller_deadline;
		actor->reload = teller_reload;
		actor->drain = teller_drain;
		teller_begin_life();
		return;
	case PAIR_ASKER:
		options->role = ROLE_GATEWAY;
		options->name = "gateway-1";
		options->servers = 1u << ROLE_REGISTRY;
		actor->handle = asker_handle;
		actor->deadline = asker_deadline;
		actor->stop = asker_stop;
		return;
	case PAIR_MIRROR:
		options->role = ROLE_UNMANAGED;
		options->name = "unmanaged-adapter";
		options->servers = 1u << ROLE_REGISTRY;
		options->follows = true;
		actor->handle = mirror_handle;
		actor->deadline = mirror_deadline;
		return;
	}
}

static int run(struct pair *self, enum pair_actor which, int notify_fd)
{
	struct daemon_options options = { .run_dir = self->run_dir, .notify_fd = notify_fd };
	struct actor actor = { .core = self };
	struct daemon *daemon;
	int r;

	pair = self;
	shared = self->shared;
	if (!getenv("WEIR_TEST_LOG"))
		(void)freopen("/dev/null", "w", stderr);
	describe(which, &options, &actor);
	log_init(options.name, LOG_LEVEL_INFO);
	options.incarnation = (uint64_t)getpid() << 20 | (uint64_t)(daemon_now_ms() & 0xfffff);
	r = daemon_open(&options, &actor, &daemon);
	if (r < 0)
		return r == -EBUSY ? 3 : 2;
	asker.daemon = daemon;
	r = daemon_run(daemon);
	daemon_close(daemon);
	return daemon_exit_code(r);
}

pid_t pair_start(struct pair *self, enum pair_actor actor, int notify_fd)
{
	pid_t process = fork();

	if (process == 0) {
		/* A test that fails leaves nobody behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(run(self, actor, notify_fd));
	}
	return process;
}

int pair_end(pid_t process, int number)
{
	int status = -1;

	if (kill(process, number) < 0 || waitpid(process, &status, 0) != process)
		return -1;
	return status;
}

void pair_open(struct pair *self)
{
	snprintf(self->run_dir, sizeof self->run_dir, "/tmp/weir-test-pair-XXXXXX");
	self->shared = mmap(NULL, sizeof *self->shared, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!mkdtemp(self->run_dir) || self->shared == MAP_FAILED ||
	    pipe2(self->wake, O_NONBLOCK | O_CLOEXEC) < 0)
		abort();
	atomic_store(&self->shared->window, 1000);
}

void pair_close(struct pair *self)
{
	DIR *directory = opendir(self->run_dir);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		(void)closedir(directory);
	(void)rmdir(self->run_dir);
	(void)munmap(self->shared, sizeof *self->shared);
	close(self->wake[0]);
	close(self->wake[1]);
}

/* Until somebody did something; false at @end_ms. */
static bool sleep_until_woken(struct pair *self, int64_t end_ms)
{
	struct pollfd fd = { .fd = self->wake[0], .events = POLLIN };
	int64_t left = end_ms - daemon_now_ms();
	char bytes[4096];

	if (left <= 0)
		return false;
	(void)poll(&fd, 1, (int)left);
	while (read(self->wake[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes)
		;
	return true;
}

bool pair_wait(struct pair *self, bool (*reached)(const struct pair_shared *shared))
{
	int64_t end_ms = daemon_now_ms() + PAIR_WAIT_MS;

	while (!reached(self->shared))
		if (!sleep_until_woken(self, end_ms))
			return reached(self->shared);
	return true;
}

bool pair_wait_count(struct pair *self, const pair_count *counter, uint64_t value)
{
	int64_t end_ms = daemon_now_ms() + PAIR_WAIT_MS;

	while (atomic_load(counter) < value)
		if (!sleep_until_woken(self, end_ms))
			return atomic_load(counter) >= value;
	return true;
}
