/* SPDX-License-Identifier: MIT */
/* daemon_report.c - what a daemon says about itself: metrics on its outbox. */
#include "common/daemon_private.h"
#include "common/log.h"

#define ADD_ALL(name, member) \
	do { \
		uint64_t sum_ = 0; \
		for (size_t i_ = 0; i_ < ROLE_COUNT; i_++) \
			sum_ += self->node.servers[i_].uplink.stats.member; \
		metrics_set(&self->metrics, name, sum_); \
	} while (0)

static void collect_uplinks(struct daemon *self)
{
	ADD_ALL("uplink.requests", requests);
	ADD_ALL("uplink.requests_refused", requests_refused);
	ADD_ALL("uplink.requests_acked", requests_acked);
	ADD_ALL("uplink.requests_resent", requests_resent);
	ADD_ALL("uplink.sends_dropped", sends_dropped);
	ADD_ALL("uplink.received", received);
	ADD_ALL("uplink.received_dropped", received_dropped);
	ADD_ALL("uplink.violations", violations);
	ADD_ALL("uplink.hellos", hellos);
	ADD_ALL("uplink.welcomes", welcomes);
	ADD_ALL("uplink.refusals", refusals);
}

static void collect_inbox(struct daemon *self)
{
	const struct inbox_stats *stats = &self->node.inbox.stats;
	struct metrics *metrics = &self->metrics;

	metrics_set(metrics, "inbox.peers", self->node.inbox.peers.count);
	metrics_set(metrics, "inbox.received", stats->received);
	metrics_set(metrics, "inbox.duplicates", stats->duplicates);
	metrics_set(metrics, "inbox.gaps", stats->gaps);
	metrics_set(metrics, "inbox.violations", stats->violations);
	metrics_set(metrics, "inbox.malformed", stats->malformed);
	metrics_set(metrics, "inbox.unknown", stats->unknown);
	metrics_set(metrics, "inbox.expired", stats->expired);
	metrics_set(metrics, "inbox.strangers", stats->strangers);
	metrics_set(metrics, "inbox.stale", stats->stale);
	metrics_set(metrics, "inbox.hellos", stats->hellos);
	metrics_set(metrics, "inbox.hellos_refused", stats->hellos_refused);
	metrics_set(metrics, "inbox.fenced", stats->fenced);
	metrics_set(metrics, "inbox.sends_dropped", stats->sends_dropped);
	metrics_set(metrics, "inbox.overflows", stats->overflows);
}

static void collect_story(struct daemon *self)
{
	const struct follower_stats *follower = &self->node.follower.stats;
	const struct outbox_stats *outbox = &self->node.outbox.stats;
	const struct snapshots_stats *snapshots = &self->node.snapshots.stats;
	struct metrics *metrics = &self->metrics;

	metrics_set(metrics, "follower.events", follower->events);
	metrics_set(metrics, "follower.rows", follower->rows);
	metrics_set(metrics, "follower.resyncs", follower->resyncs);
	metrics_set(metrics, "follower.gaps", follower->gaps);
	metrics_set(metrics, "follower.restarts_seen", follower->restarts_seen);
	metrics_set(metrics, "follower.start_overs", follower->start_overs);
	metrics_set(metrics, "follower.overflows", follower->overflows);
	metrics_set(metrics, "follower.dropped", follower->dropped);
	metrics_set(metrics, "follower.violations", follower->violations);
	metrics_set(metrics, "follower.blind", follower->blind);
	metrics_set(metrics, "outbox.story", outbox->story);
	metrics_set(metrics, "outbox.ops", outbox->ops);
	metrics_set(metrics, "outbox.ops_dropped", outbox->ops_dropped);
	metrics_set(metrics, "outbox.commits", outbox->commits);
	metrics_set(metrics, "outbox.frames", outbox->frames);
	metrics_set(metrics, "snapshots.served", snapshots->snapshots);
	metrics_set(metrics, "snapshots.histories", snapshots->histories);
	metrics_set(metrics, "snapshots.rows", snapshots->rows);
	metrics_set(metrics, "snapshots.refused", snapshots->refused);
	metrics_set(metrics, "snapshots.abandoned", snapshots->abandoned);
}

void daemon_report_metrics(struct daemon *self, int64_t now_ms)
{
	uint8_t bytes[METRICS_LIST_SIZE];
	struct stream_event event = { .type = EVENT_ACTOR_METRICS };

	self->metrics_ms = now_ms + METRICS_MS;
	collect_uplinks(self);
	collect_inbox(self);
	collect_story(self);
	event.actor_metrics.counters = metrics_list(&self->metrics, bytes);
	node_publish(&self->node, &event);
	log_tell_limited();
}
