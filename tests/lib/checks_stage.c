/* SPDX-License-Identifier: MIT */
#include "tests/lib/checks_stage.h"

struct checks_stage stage;

/* What the story calls the sockets: those of apps are 5 and more, of phones 1. */
struct check_link check_link(uint64_t socket)
{
	return (struct check_link){ .link = socket >= 5 ? socket : 1, .gateway = 0xa };
}

void stage_tell(struct stream_event event)
{
	event.seq = ++stage.seq;
	stage.registry.seq = stage.seq;
	event.user_id = stage.person->id;
	fake_sim.observer->story(NULL, &event);
}

struct stream_event stage_event(enum stream_event_type type, const char *id, uint64_t stream_seq)
{
	struct stream_event event = { .type = type, .stream_id = text_of(id), .epoch = 10 };

	event.epoch += (uint64_t)(id[1] - '0');
	event.stream_seq = stream_seq;
	return event;
}

void stage_tell_stream(enum stream_event_type type, const char *id, uint64_t stream_seq)
{
	struct stream_event event = stage_event(type, id, stream_seq);

	if (type == EVENT_STREAM_OPENED) {
		event.stream_opened.kind = KIND_UNMANAGED;
		event.stream_opened.package =
			text_of(sim_packages[stage.person->apps[0].package].name);
	} else if (type == EVENT_STREAM_STATUS) {
		event.stream_status.status = DEVICE_STREAMING;
		event.stream_status.phase = PHASE_LIVE;
	}
	stage_tell(event);
}

void stage_tell_closed(const char *id, uint64_t stream_seq, enum end_cause cause)
{
	struct stream_event event = stage_event(EVENT_STREAM_CLOSED, id, stream_seq);

	event.stream_closed.end_cause = cause;
	event.stream_closed.hop = HOP_APP;
	event.stream_closed.told_owed = true;
	event.stream_closed.missed = 1; /* the first that the story hears of */
	stage_tell(event);
}

void stage_app_runs(unsigned index)
{
	struct stream_event event = { .type = EVENT_APP_CHANGED };
	struct client_app *app = &stage.person->apps[index];

	event.app_changed.package = text_of(sim_packages[app->package].name);
	event.app_changed.state = APP_RUNNING;
	event.app_changed.link = 5 + index;
	event.app_changed.gateway = 0xa;
	stage_tell(event);
	app->socket = 5 + index;
	app->accepted = true;
	checks_app_accepted(app);
}

void stage_open(void)
{
	struct stream_event event = { .type = EVENT_GATEWAY_CHANGED };
	struct sim *sim = fake_sim_open(3);

	stage.seq = 0;
	sim_people_init(sim);
	sim_checks_init(sim);
	stage.scheduler.options = scheduler_defaults;
	stage.registry.options.stop_owed_ms = 600000;
	fake_sim.scheduler = &stage.scheduler;
	fake_sim.registry = &stage.registry;
	stage.person = &people.persons[0];
	event.gateway_changed.gateway = 0xa;
	event.gateway_changed.name = TEXT("gateway-1");
	event.gateway_changed.state = LINK_UP;
	stage_tell(event);
	stage_tell((struct stream_event){ .type = EVENT_SESSION_OPENED });
	stage_app_runs(0);
	cr_assert_str_empty(fake_sim.violation);
}

void stage_pass(int64_t ms)
{
	fake_sim.now_ms += ms;
	fake_sim.observer->stepped(NULL);
}
