/* SPDX-License-Identifier: MIT */
/* cloudflare_read.c - the JSON of answers and webhooks. */
#include "actors/managed-adapter/cloudflare_api.h"

#include <stdio.h>

#define KEY_MAX 512 /* a stream key */
#define STATE_MAX 48

static const struct {
	const char *word;
	enum ingest state;
} states[] = {
	{ "connected", INGEST_LIVE },
	{ "reconnected", INGEST_LIVE },
	{ "new_configuration_accepted", INGEST_LIVE },
	{ "reconnecting", INGEST_LOST },
	{ "client_disconnect", INGEST_ENDED },
	{ "ttl_exceeded", INGEST_ENDED },
	{ "failed_to_connect", INGEST_FAILED },
	{ "failed_to_reconnect", INGEST_FAILED },
};

static const struct {
	const char *word;
	enum ingest state;
} event_types[] = {
	{ "live_input.connected", INGEST_LIVE },
	{ "live_input.disconnected", INGEST_ENDED },
	{ "live_input.errored", INGEST_FAILED },
};

static const struct {
	const char *word;
	enum output_state state;
} output_states[] = {
	{ "connected", OUTPUT_ACTIVE },
	{ "disconnected", OUTPUT_IDLE },
	{ "error", OUTPUT_ERROR },
};

/* ---- members ---- */

static struct json_value nothing(void)
{
	return (struct json_value){ .kind = JSON_KIND_NULL };
}

/* A whole document; each walk over it checks all of it. */
static struct json_value document_of(struct text body)
{
	return (struct json_value){ .kind = JSON_KIND_OBJECT, .raw = body };
}

/* The last one of that name counts, as with JSON.parse(); null if there is none. */
static struct json_value member(const struct json_value *object, const char *name)
{
	struct json_value key, value, found = nothing();
	struct json_walk walk;

	if (object->kind != JSON_KIND_OBJECT || !json_open(&walk, object->raw, JSON_KIND_OBJECT))
		return found;
	while (json_next(&walk, &key, &value))
		if (json_is(&key, text_of(name)))
			found = value;
	return walk.failed ? nothing() : found;
}

/* A string, terminated; empty and false if it is none, or has more than @size - 1 bytes. */
static bool copy(const struct json_value *value, char *out, size_t size)
{
	struct text text;

	out[0] = '\0';
	if (value->kind != JSON_KIND_STRING || !json_text(value, out, size - 1, &text))
		return false;
	memmove(out, text.bytes, text.length);
	out[text.length] = '\0';
	return true;
}

/* As much of it as there is room for. */
static void copy_cut(const struct json_value *value, char *out, size_t size)
{
	struct text text = { 0 };

	(void)json_text_cut(value, out, size - 1, &text);
	if (text.length > 0)
		memmove(out, text.bytes, text.length);
	out[text.length] = '\0';
}

static bool copy_member(const struct json_value *object, const char *name, char *out, size_t size)
{
	struct json_value value = member(object, name);

	return copy(&value, out, size);
}

static bool copy_id(const struct json_value *object, const char *name, char *out)
{
	if (copy_member(object, name, out, CLOUDFLARE_ID_MAX + 1) && cloudflare_is_id(text_of(out)))
		return true;
	out[0] = '\0';
	return false;
}

/* ---- addresses ---- */

static bool is_address(const char *url, const char *scheme)
{
	for (const char *at = url; *at; at++)
		if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\' || *at == '<' ||
		    *at == '>')
			return false;
	return strncmp(url, scheme, strlen(scheme)) == 0;
}

static void copy_address(const struct json_value *object, const char *name, char *out)
{
	if (!copy_member(object, name, out, PLAYBACK_URL_MAX + 1) ||
	    !(is_address(out, "https://") || is_address(out, "http://")))
		out[0] = '\0';
}

/* Scheme, host and port of an address that was checked before. */
static void copy_host(const char *address, char *out)
{
	const char *host = strstr(address, "://");
	size_t length = host ? (size_t)(host + 3 - address) + strcspn(host + 3, "/?#") : 0;

	memcpy(out, address, length);
	out[length] = '\0';
}

static void read_addresses(const struct json_value *input, struct cloudflare_input *out)
{
	struct json_value playback = member(input, "playback");
	struct json_value watch = member(input, "webRTCPlayback");
	struct json_value publish = member(input, "webRTC");
	char publish_url[PLAYBACK_URL_MAX + 1];

	copy_address(&playback, "hls", out->hls);
	copy_address(&playback, "dash", out->dash);
	copy_address(&watch, "url", out->webrtc);
	copy_address(&publish, "url", publish_url); /* a secret; its host is none */
	copy_host(out->hls[0] ? out->hls : out->webrtc[0] ? out->webrtc : publish_url, out->host);
}

static void read_ingest(const struct json_value *input, struct cloudflare_input *out)
{
	struct json_value rtmps = member(input, "rtmps");
	char url[URL_MAX - KEY_MAX], key[KEY_MAX + 1];
	size_t length;

	if (!copy_member(&rtmps, "url", url, sizeof url) ||
	    !copy_member(&rtmps, "streamKey", key, sizeof key) || !key[0] ||
	    !(is_address(url, "rtmps://") || is_address(url, "rtmp://")) || !is_address(key, ""))
		return;
	length = strlen(url);
	snprintf(out->ingest, sizeof out->ingest, "%s%s%s", url, url[length - 1] == '/' ? "" : "/",
		 key);
}

/* ---- status: a string or null, or an object with current and history ---- */

static void read_status(const struct json_value *input, struct cloudflare_input *out)
{
	struct json_value status = member(input, "status"), history, ignored;
	char word[STATE_MAX + 1] = "";
	struct json_walk walk;

	if (status.kind == JSON_KIND_OBJECT) {
		history = member(&status, "history");
		out->broadcast = history.kind == JSON_KIND_ARRAY &&
				 json_open(&walk, history.raw, JSON_KIND_ARRAY) &&
				 json_next(&walk, NULL, &ignored);
		status = member(&status, "current");
		if (status.kind == JSON_KIND_OBJECT)
			status = member(&status, "state");
	}
	out->state = status.kind == JSON_KIND_NULL ? INGEST_IDLE : INGEST_UNKNOWN;
	out->broadcast |= status.kind != JSON_KIND_NULL;
	if (!copy(&status, word, sizeof word))
		return;
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(word, states[i].word) == 0)
			out->state = states[i].state;
}

/* ---- results ---- */

/* It stands in a request again, so it is a time or nothing. */
static void read_created(const struct json_value *input, struct cloudflare_input *out)
{
	if (!copy_member(input, "created", out->created, sizeof out->created) ||
	    strspn(out->created, "0123456789-:.TZ") != strlen(out->created))
		out->created[0] = '\0';
}

static bool read_bare(const struct json_value *input, struct cloudflare_input *out)
{
	struct json_value meta = member(input, "meta");

	*out = (struct cloudflare_input){ .state = INGEST_UNKNOWN };
	if (!copy_id(input, "uid", out->id))
		return false;
	(void)copy_member(&meta, "owner", out->mark, sizeof out->mark);
	(void)copy_member(&meta, "op", out->stream_id, sizeof out->stream_id);
	read_created(input, out);
	return true;
}

bool cloudflare_read_input(const struct json_value *result, struct cloudflare_input *out)
{
	if (!read_bare(result, out))
		return false;
	read_ingest(result, out);
	read_addresses(result, out);
	read_status(result, out);
	return true;
}

bool cloudflare_items(const struct json_value *result, struct json_walk *walk)
{
	return result->kind == JSON_KIND_ARRAY && json_open(walk, result->raw, JSON_KIND_ARRAY);
}

bool cloudflare_next_input(struct json_walk *walk, struct cloudflare_input *out)
{
	struct json_value item;

	while (json_next(walk, NULL, &item))
		if (read_bare(&item, out))
			return true;
	return false;
}

bool cloudflare_read_output(const struct json_value *result, struct cloudflare_output *out)
{
	struct json_value status = member(result, "status"), error = member(result, "lastError");
	char word[STATE_MAX + 1];

	*out = (struct cloudflare_output){ .state = OUTPUT_NONE };
	if (!copy_id(result, "uid", out->id))
		return false;
	(void)copy_member(result, "url", out->url, sizeof out->url);
	(void)copy_member(result, "streamKey", out->key, sizeof out->key);
	status = member(&status, "current");
	if (copy_member(&status, "state", word, sizeof word))
		for (size_t i = 0; i < sizeof output_states / sizeof output_states[0]; i++)
			if (strcmp(word, output_states[i].word) == 0)
				out->state = output_states[i].state;
	if (out->state != OUTPUT_ERROR)
		return true;
	copy_cut(&error, out->error, sizeof out->error);
	if (!out->error[0] || strstr(out->error, "://"))
		snprintf(out->error, sizeof out->error, "failed at the provider");
	return true;
}

bool cloudflare_next_output(struct json_walk *walk, struct cloudflare_output *out)
{
	struct json_value item;

	while (json_next(walk, NULL, &item))
		if (cloudflare_read_output(&item, out))
			return true;
	return false;
}

bool cloudflare_next_video(struct json_walk *walk, struct cloudflare_video *out)
{
	struct json_value item, status;
	char word[STATE_MAX + 1];

	while (json_next(walk, NULL, &item)) {
		if (!copy_id(&item, "uid", out->id))
			continue;
		status = member(&item, "status");
		out->live = copy_member(&status, "state", word, sizeof word) &&
			    strcmp(word, "live-inprogress") == 0;
		return true;
	}
	return false;
}

bool cloudflare_read_list(const struct json_value *result, struct json_walk *walk, uint64_t *total)
{
	struct json_value inputs = member(result, "liveInputs"), count = member(result, "total");

	if (!cloudflare_items(&inputs, walk))
		return false;
	if (json_u64(&count, total) != JSON_IN_RANGE)
		*total = 0;
	return true;
}

static bool read_minutes(const struct json_value *result, const char *name, uint64_t *out)
{
	struct json_value value = member(result, name);
	double minutes;

	if (value.kind != JSON_KIND_NUMBER || !json_number(&value, &minutes) || minutes < 0 ||
	    minutes > 1e15)
		return false;
	*out = (uint64_t)minutes;
	*out += (double)*out < minutes;
	return true;
}

bool cloudflare_read_quota(const struct json_value *result, uint64_t *used, uint64_t *limit)
{
	if (!read_minutes(result, "totalStorageMinutes", used))
		return false;
	if (!read_minutes(result, "totalStorageMinutesLimit", limit))
		*limit = 0;
	return true;
}

bool cloudflare_read_lifecycle(struct text body, bool *live)
{
	struct json_value document = document_of(body), value = member(&document, "live");

	return json_bool(&value, live);
}

static void read_hook_error(const struct json_value *data, char *out, size_t size)
{
	struct json_value errored = member(data, "live_input_errored");
	struct json_value error = member(&errored, "error"), message;
	char code[CODE_MAX + 1];
	int used;

	if (error.kind != JSON_KIND_OBJECT)
		return;
	(void)copy_member(&error, "code", code, sizeof code);
	message = member(&error, "message");
	used = snprintf(out, size, "%s%s", code, code[0] ? ": " : "");
	copy_cut(&message, out + used, size - (size_t)used);
	if (strstr(out, "://"))
		snprintf(out, size, "%s", code);
}

bool cloudflare_read_hook(struct text body, struct cloudflare_hook *out)
{
	struct json_value document = document_of(body), data = member(&document, "data");
	char type[STATE_MAX + 1];

	*out = (struct cloudflare_hook){ .state = INGEST_UNKNOWN };
	if (!copy_id(&data, "input_id", out->id) ||
	    !copy_member(&data, "event_type", type, sizeof type))
		return false;
	for (size_t i = 0; i < sizeof event_types / sizeof event_types[0]; i++)
		if (strcmp(type, event_types[i].word) == 0)
			out->state = event_types[i].state;
	(void)copy_member(&data, "updated_at", out->updated, sizeof out->updated);
	read_hook_error(&data, out->detail, sizeof out->detail);
	return out->state != INGEST_UNKNOWN;
}

/* ---- envelope ---- */

bool cloudflare_envelope(struct text body, bool *success, struct json_value *result)
{
	struct json_value document = document_of(body), value = member(&document, "success");

	if (!json_bool(&value, success))
		return false;
	*result = member(&document, "result");
	return true;
}

/* errors[0]; null if there is none. */
static struct json_value first_error(const struct json_value *document)
{
	struct json_value errors = member(document, "errors"), error;
	struct json_walk walk;

	if (cloudflare_items(&errors, &walk) && json_next(&walk, NULL, &error))
		return error;
	return nothing();
}

void cloudflare_message(struct text body, char *out, size_t size)
{
	struct json_value document = document_of(body), error = first_error(&document);
	struct json_value message =
		member(error.kind == JSON_KIND_OBJECT ? &error : &document, "message");

	copy_cut(&message, out, size);
}

uint64_t cloudflare_code(struct text body)
{
	struct json_value document = document_of(body), error = first_error(&document);
	struct json_value value = member(&error, "code");
	uint64_t code;

	return json_u64(&value, &code) == JSON_IN_RANGE ? code : 0;
}

/* ---- time ---- */

static bool number_at(const char *text, int from, int count, int64_t *out)
{
	*out = 0;
	for (int i = from; i < from + count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = 10 * *out + (text[i] - '0');
	}
	return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar; years begin in March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t cloudflare_age_s(const char *created, int64_t wall_ms)
{
	int64_t year, month, day, hour, minute, second, at_s;

	if (strlen(created) < 20 || created[strlen(created) - 1] != 'Z' ||
	    !number_at(created, 0, 4, &year) || !number_at(created, 5, 2, &month) ||
	    !number_at(created, 8, 2, &day) || !number_at(created, 11, 2, &hour) ||
	    !number_at(created, 14, 2, &minute) || !number_at(created, 17, 2, &second) ||
	    month < 1 || month > 12 || day < 1 || day > 31)
		return 0;
	at_s = 86400 * days_of(year, month, day) + 3600 * hour + 60 * minute + second;
	return wall_ms / 1000 > at_s ? (uint64_t)(wall_ms / 1000 - at_s) : 1;
}
