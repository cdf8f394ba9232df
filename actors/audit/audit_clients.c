/* SPDX-License-Identifier: MIT */
/* audit_clients.c - I2, I3, I4, I6, I7, I11, L5 as apps and glasses see them, held against the
 * story.  A line of theirs is judged when the story up to LAG_MS behind it has been read.
 */
#include "actors/audit/audit_words.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/tap/tap_arena.h"
#include "proto/json.h"

#define APP "app:"

/* What the rules read of a message. */
struct said {
	struct text type, stream_id, status, url;
	char type_room[JSON_WORD_MAX], stream_room[STREAM_ID_MAX], status_room[JSON_WORD_MAX],
		url_room[URL_MAX];
};

static void read_said(struct text message, struct said *out)
{
	struct json_value key, value;
	struct json_walk walk;

	*out = (struct said){ 0 };
	if (message.length == 0 || !json_open(&walk, message, JSON_KIND_OBJECT))
		return;
	while (json_next(&walk, &key, &value)) {
		if (json_is(&key, TEXT("type")))
			(void)json_text(&value, out->type_room, sizeof out->type_room, &out->type);
		else if (json_is(&key, TEXT("streamId")))
			(void)json_text(&value, out->stream_room, sizeof out->stream_room,
					&out->stream_id);
		else if (json_is(&key, TEXT("status")))
			(void)json_text(&value, out->status_room, sizeof out->status_room,
					&out->status);
		else if (json_is(&key, TEXT("rtmpUrl")))
			(void)json_text(&value, out->url_room, sizeof out->url_room, &out->url);
	}
}

static struct audit_client *client_of(struct audit *audit, struct text user, struct text who)
{
	struct audit_client *client;
	char key[sizeof client->key];
	int length = snprintf(key, sizeof key, "%.*s %.*s", (int)user.length, user.bytes,
			      (int)who.length, who.bytes);
	struct text name = { key, (uint32_t)length };

	client = audit_index_find(&audit->clients, name);
	if (client)
		return client;
	client = audit_index_add(&audit->clients, name, sizeof *client);
	text_put(user, client->user, sizeof client->user);
	text_put(who, client->who, sizeof client->who);
	client->connected = true; /* its recording may begin later than its socket */
	client->asked_ms = NEVER;
	return client;
}

/* A stream of this user that the story has, or has to have; NULL: the recording begins behind it.
 */
static const struct audit_stream *known(struct audit *audit, const struct audit_client *client,
					const struct said *said)
{
	const struct audit_stream *stream = audit_stream_find(audit, said->stream_id);
	const struct audit_user *user = audit_index_find(&audit->users, text_of(client->user));
	bool whole = user && user->whole && user->era == audit->era;

	if (stream || whole)
		audit_judge(audit, RULE_I4, stream && strcmp(stream->user->id, client->user) == 0,
			    stream, 0,
			    "%s of %s hears of %.*s, which the story does not have of that user",
			    client->who, client->user, (int)said->stream_id.length,
			    said->stream_id.bytes);
	return stream && strcmp(stream->user->id, client->user) == 0 ? stream : NULL;
}

/* Glasses -------------------------------------------------------------------------------------- */

static void on_start(struct audit *audit, struct audit_client *client, const struct said *said)
{
	const struct audit_stream *stream = known(audit, client, said);
	const struct audit_stream *last = audit_stream_find(audit, text_of(client->started));

	if (stream && last)
		audit_judge(audit, RULE_I2, stream->epoch >= last->epoch, stream, last->opened_seq,
			    "its start reaches %s after that of %s, which is newer", client->who,
			    last->id);
	if (stream && stream == last)
		audit_judge(audit, RULE_I11, client->socket != client->started_socket, stream, 0,
			    "it is started twice on the same socket of %s", client->who);
	text_put(said->stream_id, client->started, sizeof client->started);
	client->started_socket = client->socket;
}

/* A device stops whatever it runs. */
static void on_stop(struct audit *audit, const struct audit_client *client, const struct said *said)
{
	const struct audit_stream *runs = audit_stream_find(audit, text_of(client->started));

	if (!runs || runs->era != audit->era || runs->phase == PHASE_NONE)
		return;
	audit_judge(
		audit, RULE_I3, runs->phase == PHASE_CLOSED, runs, runs->phase_seq,
		"a stop of '%.*s' reaches %s, which was told to start %s, and that has not ended",
		(int)said->stream_id.length, said->stream_id.bytes, client->who, runs->id);
}

/* Apps ----------------------------------------------------------------------------------------- */

static struct audit_hearing *hearing_of(struct audit_client *client, struct text stream)
{
	for (size_t i = client->hearing_count; i-- > 0;)
		if (text_is(stream, client->hearings[i].stream))
			return &client->hearings[i];
	client->hearings =
		memory_grow(client->hearings, client->hearing_count + 1, sizeof *client->hearings);
	struct audit_hearing *hearing = &client->hearings[client->hearing_count++];

	*hearing = (struct audit_hearing){ .told_ms = NEVER };
	text_put(stream, hearing->stream, sizeof hearing->stream);
	return hearing;
}

static bool is_end(bool managed, struct text word)
{
	return text_is(word, "stopped") || text_is(word, managed ? "error" : "timeout");
}

static void look_at_end(struct audit *audit, const struct audit_stream *stream, bool managed,
			struct text word)
{
	const struct end_words *words = audit_end_words(stream->cause);

	if (stream->era != audit->era || stream->phase == PHASE_NONE)
		return;
	if (!managed) /* of a managed one an app may leave alone */
		audit_judge(audit, RULE_I7, stream->phase == PHASE_CLOSED, stream,
			    stream->phase_seq, "its app is told '%.*s', and it has not ended",
			    (int)word.length, word.bytes);
	if (stream->phase == PHASE_CLOSED && words && !(managed && text_is(word, "stopped")))
		audit_judge(audit, RULE_I7, text_is(word, words->word[managed]), stream,
			    stream->closed_seq, "its app is told '%.*s', its end (%s) is '%s'",
			    (int)word.length, word.bytes,
			    words_name(&end_cause_words, stream->cause), words->word[managed]);
}

/* What an app reads of a stream that goes on is a word of a phase that it has been in. */
static void look_at_word(struct audit *audit, const struct audit_stream *stream, bool managed,
			 struct text word)
{
	uint32_t wanted = 0;

	if (!stream->whole || stream->era != audit->era)
		return;
	if (text_is(word, "active") && !managed)
		wanted = 1u << PHASE_LIVE | 1u << PHASE_SUSPECT;
	else if (text_is(word, "stopping"))
		wanted = 1u << PHASE_STOPPING;
	else if (text_is(word, "initializing") || text_is(word, "active"))
		wanted = 1u << PHASE_REQUESTED;
	audit_judge(audit, RULE_I7, (stream->phases & wanted) != 0, stream, stream->phase_seq,
		    "its app is told '%.*s', and it has not been that", (int)word.length,
		    word.bytes);
}

static void on_status(struct audit *audit, struct audit_client *client, const struct said *said,
		      bool managed)
{
	const struct audit_stream *stream = known(audit, client, said);
	struct audit_hearing *hearing = hearing_of(client, said->stream_id);
	bool end = is_end(managed, said->status);

	if (hearing->ended && hearing->socket == client->socket && !(managed && hearing->asked))
		audit_judge(audit, RULE_I6, false, stream, stream ? stream->closed_seq : 0,
			    "%s is told '%.*s' after the end", client->who,
			    (int)said->status.length, said->status.bytes);
	else
		audit_judge(audit, RULE_I6, true, stream, 0, "%s", "");
	if (stream && end)
		look_at_end(audit, stream, managed, said->status);
	else if (stream)
		look_at_word(audit, stream, managed, said->status);
	if (!end) {
		hearing->began = true;
		hearing->began_socket = client->socket;
	}
	hearing->ended = end;
	hearing->socket = client->socket;
	hearing->asked = false;
}

/* L5, in the time of the client: it was there all the while. */
static void look_at_answer(struct audit *audit, struct audit_client *client, int64_t now_ms)
{
	int64_t bound_ms = (client->asked_managed ? CREATE_MS : REQUEST_MS) + SLACK_MS;
	int64_t calm_ms = audit_calm(audit);

	if (client->asked_ms == NEVER || calm_ms > client->asked_ms)
		return;
	audit_judge(audit, RULE_L5, now_ms - client->asked_ms <= bound_ms, NULL, 0,
		    "%s of %s has no answer to its request for %lld ms", client->who, client->user,
		    (long long)(now_ms - client->asked_ms));
}

static void answered(struct audit *audit, struct audit_client *client, int64_t now_ms)
{
	look_at_answer(audit, client, now_ms);
	client->asked_ms = NEVER;
}

static void on_app_out(struct audit_client *client, const struct said *said, int64_t now_ms)
{
	bool managed = text_is(said->type, "managed_stream_request");

	for (size_t i = 0; i < client->hearing_count; i++)
		client->hearings[i].asked = true;
	if (client->asked_ms == NEVER && (managed || text_is(said->type, "rtmp_stream_request"))) {
		client->asked_ms = now_ms;
		client->asked_managed = managed;
	}
}

static void on_app_in(struct audit *audit, struct audit_client *client, const struct said *said,
		      int64_t now_ms)
{
	bool managed = text_is(said->type, "managed_stream_status");

	if (managed || text_is(said->type, "rtmp_stream_status")) {
		answered(audit, client, now_ms);
		if (said->stream_id.length > 0)
			on_status(audit, client, said, managed);
	} else if (said->type.length >= 5 &&
		   memmem(said->type.bytes, said->type.length, "error", 5)) {
		answered(audit, client, now_ms);
	}
}

void audit_heard(struct audit *audit, const struct client_line *line)
{
	struct audit_client *client = client_of(audit, line->user, line->who);
	bool app = line->who.length > sizeof APP - 1 &&
		   memcmp(line->who.bytes, APP, sizeof APP - 1) == 0;
	struct said said;

	client->ms = line->ms;
	if (line->ms > audit->heard_ms)
		audit->heard_ms = line->ms;
	if (line->way == CLIENT_OPEN || line->way == CLIENT_CLOSE) {
		client->connected = line->way == CLIENT_OPEN;
		client->socket += client->connected;
		client->asked_ms = NEVER;
		return;
	}
	read_said(line->message, &said);
	if (app && line->way == CLIENT_OUT)
		on_app_out(client, &said, line->ms);
	else if (app)
		on_app_in(audit, client, &said, line->ms);
	else if (line->way == CLIENT_IN && text_is(said.type, "start_rtmp_stream"))
		on_start(audit, client, &said);
	else if (line->way == CLIENT_IN && text_is(said.type, "stop_rtmp_stream"))
		on_stop(audit, client, &said);
}

/* The end ----------------------------------------------------------------------------------------
 */

/* The story says that an app was told of the end: it has to have heard of it. */
void audit_client_told(struct audit *audit, const struct stream_event *event)
{
	char who[PACKAGE_MAX + 8];
	struct audit_hearing *hearing;
	struct audit_client *client;

	if (event->type != EVENT_STREAM_TOLD || event->stream_told.outcome != OUTCOME_SENT ||
	    audit->clients.count == 0)
		return;
	(void)snprintf(who, sizeof who, APP "%.*s", (int)event->stream_told.package.length,
		       event->stream_told.package.bytes);
	client = client_of(audit, event->user_id, text_of(who));
	hearing = hearing_of(client, event->stream_id);
	hearing->told_ms = event->sent_ms;
	hearing->told_socket = client->socket;
	hearing->told_seq = event->seq;
}

static void look_at_hearing(struct audit *audit, const struct audit_client *client,
			    const struct audit_hearing *hearing)
{
	const struct audit_stream *stream = audit_stream_find(audit, text_of(hearing->stream));

	/* Only on the same socket can it be missed; that others still spoke shows the time. */
	if (hearing->told_ms == NEVER || hearing->told_socket != client->socket ||
	    !client->connected || audit->heard_ms - hearing->told_ms < SLACK_MS)
		return;
	audit_judge(audit, RULE_I6, hearing->ended, stream, hearing->told_seq,
		    "%s was told of the end, says the story, and has not heard of it", client->who);
}

/* Whether @client takes part in @stream until its end: as its owner, or as one who watches it. */
static bool stays(const struct audit_client *client, const struct audit_stream *stream)
{
	const char *package = client->who + sizeof APP - 1;

	if (stream->kind == KIND_UNMANAGED)
		return strcmp(package, stream->package) == 0;
	for (unsigned i = 0; i < stream->viewer_count; i++)
		if (strcmp(package, stream->viewers[i].package) == 0)
			return stream->viewers[i].state == WATCH_OWED ||
			       stream->viewers[i].state == WATCH_TOLD;
	return false;
}

/* Whoever heard that it began hears that it ended, whether the story owes it to him or not. */
static void look_at_first(struct audit *audit, const struct audit_client *client,
			  const struct audit_hearing *hearing)
{
	const struct audit_stream *stream = audit_stream_find(audit, text_of(hearing->stream));
	int64_t calm_ms = audit_calm(audit);

	if (hearing->told_ms != NEVER) /* says the story; see above */
		return;
	if (!client->connected || !hearing->began || hearing->began_socket != client->socket ||
	    !stream || stream->era != audit->era || !stream->whole ||
	    stream->phase != PHASE_CLOSED || calm_ms > stream->closed_ms ||
	    audit->heard_ms - stream->closed_ms < SLACK_MS || !stays(client, stream))
		return;
	audit_judge(audit, RULE_I6, hearing->ended, stream, stream->closed_seq,
		    "%s heard that it began, and has not heard of its end", client->who);
}

void audit_clients_end(struct audit *audit)
{
	for (size_t i = 0; i < audit->clients.count; i++) {
		struct audit_client *client = audit->clients.things[i];

		for (size_t k = 0; k < client->hearing_count; k++) {
			look_at_hearing(audit, client, &client->hearings[k]);
			look_at_first(audit, client, &client->hearings[k]);
		}
		if (client->connected)
			look_at_answer(audit, client, audit->heard_ms);
	}
}

/* Secrets: of every line a client has sent or received. */
static void keep_secret(struct audit *audit, struct text secret)
{
	if (secret.length < SECRET_MIN || secret.length > AUDIT_SECRET_MAX ||
	    audit->secret_count == AUDIT_SECRETS_MAX)
		return;
	for (size_t i = 0; i < audit->secret_count; i++)
		if (text_is(secret, audit->secrets[i]))
			return;
	if (!audit->secrets)
		audit->secrets = memory_grow(NULL, AUDIT_SECRETS_MAX, sizeof *audit->secrets);
	text_put(secret, audit->secrets[audit->secret_count++], sizeof *audit->secrets);
}

/* The last part of a publish URL is its key. */
static struct text key_of(struct text url)
{
	uint32_t at = url.length;

	while (at > 0 && url.bytes[at - 1] != '/')
		at--;
	return (struct text){ url.bytes + at, url.length - at };
}

void audit_client_secrets(struct audit *audit, const struct client_line *line)
{
	char room[AUDIT_SECRET_MAX];
	struct json_value key, value;
	struct json_walk walk;
	struct said said;
	struct text text;

	read_said(line->message, &said);
	if (said.url.length > 0)
		keep_secret(audit, key_of(said.url));
	if (line->message.length == 0 || !json_open(&walk, line->message, JSON_KIND_OBJECT))
		return;
	while (json_next(&walk, &key, &value))
		if (json_is(&key, TEXT("apiKey")) && json_text(&value, room, sizeof room, &text))
			keep_secret(audit, text);
}
