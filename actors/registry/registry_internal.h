/* SPDX-License-Identifier: MIT */
/* registry_internal.h - shared by the files of the registry's core; nobody else includes it. */
#pragma once

#include "actors/registry/registry_core.h"
#include "common/phase.h"

/* story() - begin the next story event about @user; fill it in, then tell() it. */
struct stream_event *registry_story(struct registry *self, enum stream_event_type type,
				    const struct state_user *user);
/* tell() - let the event take effect.  It becomes the cause of what follows. */
void registry_tell(struct registry *self, struct stream_event *event);

/* registry_stream_story() - begin the next story event about @stream. */
struct stream_event *registry_stream_story(struct registry *self, enum stream_event_type type,
					   const struct state_stream *stream);

/* send() - an addressed message to @peer; answers carry origin and request of the question. */
struct stream_event *registry_send(struct registry *self, struct peer peer,
				   enum stream_event_type type, const struct state_user *user);

static inline struct text registry_text(const struct registry *self, struct pooled kept)
{
	return state_text(&self->state, kept);
}

/* Sessions, links, gateways: registry_sessions.c */
void registry_on_gateway_up(struct registry *self, const struct input *input);
void registry_gateway_gone(struct registry *self, uint64_t incarnation, const char *reason);
void registry_gateway_move(struct registry *self, uint64_t incarnation, enum link_state state,
			   const char *reason);
/* registry_gateway_knows() - whether the sender is a gateway we know, or get to know by this. */
bool registry_gateway_knows(struct registry *self, const struct input *input);
/* A socket, of glasses or of an app, and when it was opened by the clock of its gateway. */
struct registry_way {
	uint64_t gateway, link;
	int64_t opened_ms;
};

/* registry_is_older() - whether @way was opened before @known.
 *
 * Sockets of gateways with different clocks cannot be compared: what is told as news is newer, and
 * what is told again (@resumed) is not.
 */
bool registry_is_older(const struct registry *self, struct registry_way way,
		       struct registry_way known, bool resumed);
void registry_on_link_opened(struct registry *self, const struct input *input);
void registry_on_link_closed(struct registry *self, const struct input *input);
void registry_on_glasses(struct registry *self, const struct input *input);
/* A session whose glasses are not known yet: its grace runs from now.  NULL if there is no room. */
struct state_user *registry_session_adopt(struct registry *self, struct text user_id);
void registry_on_session_grace(struct registry *self, struct state_user *user);
/* A socket that is not taken: its gateway closes it and the peer tries again. */
void registry_refuse_link(struct registry *self, struct peer gateway, struct text user_id,
			  uint64_t link);
void registry_session_check_ready(struct registry *self, struct state_user *user);
void registry_session_check_end(struct registry *self, struct state_user *user, bool overdue);
void registry_sweep_step(struct registry *self);
void registry_sweep(struct registry *self, uint64_t gateway, bool unconfirmed);
void registry_on_announced(struct registry *self, const struct input *input);
void registry_notice(struct registry *self, const struct state_user *user, enum notice notice,
		     struct text package);

/* Apps: registry_apps.c */
void registry_on_app_start(struct registry *self, const struct input *input);
void registry_on_app_stop(struct registry *self, const struct input *input);
void registry_on_app_opened(struct registry *self, const struct input *input);
void registry_on_app_closed(struct registry *self, const struct input *input);
void registry_on_hook_done(struct registry *self, const struct input *input);
void registry_on_app_timer(struct registry *self, const struct input *input);
void registry_app_lost(struct registry *self, struct state_user *user, struct state_app *app);
void registry_app_launch(struct registry *self, struct state_user *user, struct text package,
			 enum app_type type);
bool registry_app_reachable(const struct registry *self, const struct state_user *user,
			    struct text package);
unsigned registry_apps_of(const struct registry *self, const struct state_user *user);
void registry_apps_end(struct registry *self, struct state_user *user);

/* Subscriptions, relay, capabilities: registry_relay.c */
void registry_on_app_subscribed(struct registry *self, const struct input *input);
void registry_on_relay(struct registry *self, const struct input *input);
void registry_relay_filter(struct registry *self, const struct state_user *user);
void registry_capabilities(struct registry *self, const struct state_user *user);

/* Streams: registry_streams.c */
void registry_on_stream_open(struct registry *self, const struct input *input);
void registry_on_stream_close(struct registry *self, const struct input *input);
void registry_on_status(struct registry *self, const struct input *input);
void registry_on_device_told(struct registry *self, const struct input *input);
void registry_on_missed(struct registry *self, const struct input *input);
void registry_on_stream_timer(struct registry *self, const struct input *input);
void registry_on_check(struct registry *self, const struct input *input);
void registry_on_operator_stop(struct registry *self, const struct input *input);

/* Managed streams: registry_managed.c */
void registry_join(struct registry *self, const struct input *input, struct state_stream *stream);
void registry_on_stream_leave(struct registry *self, const struct input *input);
/* @app is being stopped: it watches nothing any more, and nobody waits for it to be told (D5). */
void registry_app_leaves(struct registry *self, const struct state_user *user, struct text package);
void registry_on_input_made(struct registry *self, const struct input *input);
void registry_on_input_seen(struct registry *self, const struct input *input);
void registry_on_input_gone(struct registry *self, const struct input *input);
void registry_check_managed(const struct registry *self, const struct state_stream *stream,
			    struct stream_event *reply);

/* Their outputs: registry_outputs.c */
void registry_on_output_add(struct registry *self, const struct input *input);
void registry_on_output_remove(struct registry *self, const struct input *input);
void registry_on_output_seen(struct registry *self, const struct input *input);

/* Answers: registry_answers.c */
/* The first answer to the request of @event; NULL: this is the first time. */
const struct registry_answer *registry_answer_find(struct registry *self,
						   const struct stream_event *event);
bool registry_answered_before(struct registry *self, const struct input *input);
struct registry_answer *registry_answer_keep(struct registry *self,
					     const struct stream_event *event, enum result result,
					     enum kind running, const struct state_stream *stream);
void registry_answer(struct registry *self, const struct input *input, enum result result,
		     enum kind running, const struct state_stream *stream);
/* registry_answer_output() - to output.add and output.remove: @output is its number. */
void registry_answer_output(struct registry *self, const struct input *input, enum result result,
			    const struct state_stream *stream, uint64_t output);

/* Records that were lost: registry_damage.c */
void registry_damage_step(struct registry *self);

/* Ends, and what is owed afterwards: registry_ends.c */
struct closing {
	enum end_cause cause;
	uint64_t evidence; /* seq of the event that shows why; 0: by its cause */
	struct text by, detail, told_id, stop_app_id;
	enum device_status status;
	uint64_t missed;
	int64_t last_ack_age_ms;
};

void registry_close(struct registry *self, struct state_stream *stream,
		    const struct closing *closing);
void registry_overtake_stops(struct registry *self, struct state_user *user);
void registry_told_settle(struct registry *self, struct state_stream *stream, struct text package,
			  enum outcome outcome);
/* Inputs of @user that must still be deleted. */
unsigned registry_inputs_owed(const struct registry *self, const struct state_user *user);
void registry_on_stop_told(struct registry *self, const struct stream_event *event);
void registry_on_app_told(struct registry *self, const struct input *input);
void registry_liabilities_step(struct registry *self);
