/* SPDX-License-Identifier: MIT */
/* cloudflare_api.c - requests, and what an answer means for the call it belongs to. */
#include "actors/managed-adapter/cloudflare_api.h"

#include <stdio.h>

/* ---- requests ---- */

bool cloudflare_is_id(struct text id)
{
	for (uint32_t i = 0; i < id.length; i++) {
		char c = id.bytes[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return false;
	}
	return id.length > 0 && id.length <= CLOUDFLARE_ID_MAX;
}

static void begin(struct cloudflare_request *request, const char *method, bool effect)
{
	request->method = method;
	request->playback = false;
	request->effect = effect;
	request->path[0] = request->key[0] = request->body[0] = '\0';
}

/* What may stand in a header and in JSON as it is. */
static bool is_plain(struct text text, size_t length_max)
{
	for (uint32_t i = 0; i < text.length; i++)
		if (text.bytes[i] <= ' ' || text.bytes[i] > '~' || text.bytes[i] == '"' ||
		    text.bytes[i] == '\\')
			return false;
	return text.length > 0 && text.length <= length_max;
}

bool cloudflare_ask_create(struct cloudflare_request *request, struct text mark,
			   struct text stream_id, int64_t delete_days)
{
	char owner[MARK_MAX + 1], op[STREAM_ID_MAX + 1], days[64] = "";

	begin(request, "POST", true);
	if (!is_plain(mark, MARK_MAX) || !is_plain(stream_id, STREAM_ID_MAX))
		return false;
	text_put(mark, owner, sizeof owner);
	text_put(stream_id, op, sizeof op);
	if (delete_days > 0)
		snprintf(days, sizeof days, ",\"deleteRecordingAfterDays\":%lld",
			 (long long)delete_days);
	snprintf(request->path, sizeof request->path, "/live_inputs");
	snprintf(request->key, sizeof request->key, "%s-%s", owner, op);
	/* Mode off would also mean: no HLS and no DASH. */
	snprintf(request->body, sizeof request->body,
		 "{\"meta\":{\"name\":\"%s-%s\",\"owner\":\"%s\",\"op\":\"%s\"},"
		 "\"defaultCreator\":\"%s\",\"recording\":{\"mode\":\"automatic\","
		 "\"requireSignedURLs\":false,\"timeoutSeconds\":0}%s}",
		 owner, op, owner, op, owner, days);
	return true;
}

static void on_input(struct cloudflare_request *request, const char *input, const char *below)
{
	snprintf(request->path, sizeof request->path, "/live_inputs/%s%s", input, below);
}

void cloudflare_ask_input(struct cloudflare_request *request, const char *input)
{
	begin(request, "GET", false);
	on_input(request, input, "");
}

void cloudflare_ask_disable(struct cloudflare_request *request, const char *input)
{
	begin(request, "PUT", true);
	on_input(request, input, "");
	snprintf(request->body, sizeof request->body, "{\"enabled\":false}");
}

void cloudflare_ask_delete(struct cloudflare_request *request, const char *input)
{
	begin(request, "DELETE", true);
	on_input(request, input, "");
}

void cloudflare_ask_videos(struct cloudflare_request *request, const char *input)
{
	begin(request, "GET", false);
	on_input(request, input, "/videos");
}

void cloudflare_ask_video_delete(struct cloudflare_request *request, const char *video)
{
	begin(request, "DELETE", true);
	snprintf(request->path, sizeof request->path, "/%s", video);
}

void cloudflare_ask_outputs(struct cloudflare_request *request, const char *input)
{
	begin(request, "GET", false);
	on_input(request, input, "/outputs");
}

void cloudflare_ask_output_remove(struct cloudflare_request *request, const char *input,
				  const char *output)
{
	begin(request, "DELETE", true);
	snprintf(request->path, sizeof request->path, "/live_inputs/%s/outputs/%s", input, output);
}

void cloudflare_ask_lifecycle(struct cloudflare_request *request, const char *input)
{
	begin(request, "GET", false);
	request->playback = true;
	snprintf(request->path, sizeof request->path, "/%s/lifecycle", input);
}

void cloudflare_ask_quota(struct cloudflare_request *request)
{
	begin(request, "GET", false);
	snprintf(request->path, sizeof request->path, "/storage-usage");
}

void cloudflare_ask_list(struct cloudflare_request *request, const char *before)
{
	begin(request, "GET", false);
	snprintf(request->path, sizeof request->path, "/live_inputs?include_counts=true%s%s",
		 *before ? "&before=" : "", before);
}

bool cloudflare_split(struct text destination, struct text *url, struct text *key)
{
	const char *end = destination.bytes + destination.length, *query = end, *slash = NULL;
	const char *host = NULL;

	for (const char *at = destination.bytes; at < end && query == end; at++) {
		if (*at == '?')
			query = at;
		else if (!host && at + 2 < end && memcmp(at, "://", 3) == 0)
			host = at += 2;
		else if (*at == '/' && host)
			slash = at;
	}
	if (!slash || slash == host + 1 || slash + 1 == query)
		return false;
	*url = (struct text){ destination.bytes, (uint32_t)(slash - destination.bytes) };
	*key = (struct text){ slash + 1, (uint32_t)(end - slash - 1) };
	return true;
}

bool cloudflare_ask_output_add(struct cloudflare_request *request, const char *input,
			       struct text destination)
{
	struct json_writer json = { .bytes = request->body, .size = sizeof request->body - 1 };
	struct text url, key;

	begin(request, "POST", true);
	if (!cloudflare_split(destination, &url, &key))
		return false;
	on_input(request, input, "/outputs");
	json_put_raw(&json, TEXT("{\"url\":"));
	json_put_string(&json, url);
	json_put_raw(&json, TEXT(",\"streamKey\":"));
	json_put_string(&json, key);
	json_put_raw(&json, TEXT(",\"enabled\":true}"));
	request->body[json.length] = '\0';
	return !json.full;
}

/* ---- what an answer means ---- */

static bool digits(const char **at, const char *end, uint64_t *out)
{
	const char *first = *at;
	uint64_t value = 0;

	for (; *at < end && **at >= '0' && **at <= '9' && *at - first < 12; (*at)++)
		value = 10 * value + (uint64_t)(**at - '0');
	*out = value;
	return *at > first;
}

/* Nothing, a date or nonsense: the default, which is long rather than short. */
static int64_t retry_after_ms(struct text header)
{
	const char *at = header.bytes;
	uint64_t seconds;

	if (header.length == 0 || !digits(&at, at + header.length, &seconds) ||
	    at != header.bytes + header.length)
		return CLOUDFLARE_RETRY_DEFAULT_MS;
	if (seconds > CLOUDFLARE_RETRY_MAX_MS / 1000)
		return CLOUDFLARE_RETRY_MAX_MS;
	return seconds == 0 ? 1000 : (int64_t)seconds * 1000;
}

static bool parameter(struct text header, const char *name, uint64_t *out)
{
	size_t length = strlen(name);

	for (size_t i = 0; i + length < header.length; i++) {
		const char *value = header.bytes + i + length;

		if (memcmp(header.bytes + i, name, length) == 0)
			return digits(&value, header.bytes + header.length, out);
	}
	return false;
}

bool cloudflare_ratelimit(struct text header, uint64_t *left, int64_t *reset_ms)
{
	uint64_t r, t;

	if (!parameter(header, ";r=", &r) || !parameter(header, ";t=", &t))
		return false;
	if (t > CLOUDFLARE_RETRY_MAX_MS / 1000)
		t = CLOUDFLARE_RETRY_MAX_MS / 1000;
	*left = r;
	*reset_ms = (int64_t)t * 1000;
	return true;
}

/* The vendor's words reach apps and logs: what could hold an address or a key is left out. */
static void describe(const struct cloudflare_answer *answer, struct cloudflare_verdict *out)
{
	cloudflare_message(answer->body, out->detail, sizeof out->detail);
	if (out->detail[0] == '\0' || strstr(out->detail, "://") || strstr(out->detail, "treamKey"))
		snprintf(out->detail, sizeof out->detail, "the provider answered with status %u",
			 answer->status);
}

static void judge_success(const struct cloudflare_request *request,
			  const struct cloudflare_answer *answer, struct cloudflare_verdict *out)
{
	bool success, is_delete = strcmp(request->method, "DELETE") == 0;
	bool envelope = cloudflare_envelope(answer->body, &success, &out->result);

	if (envelope ? success && (is_delete || out->result.kind != JSON_KIND_NULL) : is_delete) {
		out->outcome = CALL_OK;
		return;
	}
	out->outcome = request->effect ? CALL_UNKNOWN : CALL_RETRY;
	if (envelope && !success)
		describe(answer, out);
	else
		snprintf(out->detail, sizeof out->detail, "%s",
			 envelope ? "Invalid response from Cloudflare: missing result"
				  : "Invalid response from Cloudflare: not JSON");
}

void cloudflare_judge(const struct cloudflare_request *request,
		      const struct cloudflare_answer *answer, struct cloudflare_verdict *out)
{
	enum call_outcome unsure = request->effect ? CALL_UNKNOWN : CALL_RETRY;
	unsigned status = answer->status;

	*out = (struct cloudflare_verdict){ .result = { .kind = JSON_KIND_NULL } };
	/* A status that refuses is believed even if what should follow it did not come. */
	if (answer->fate != CLOUDFLARE_ANSWERED && status < 400) {
		out->outcome = answer->fate == CLOUDFLARE_NOT_SENT ? CALL_RETRY : unsure;
		text_put(answer->error, out->detail, sizeof out->detail);
		return;
	}
	if (status >= 200 && status < 300) {
		judge_success(request, answer, out);
		return;
	}
	describe(answer, out);
	if (status == 401 || status == 403) {
		out->outcome = CALL_UNCONFIGURED;
	} else if (status == 404) {
		out->outcome = CALL_GONE;
	} else if (status == 429) {
		out->outcome = CALL_RETRY;
		out->retry_ms = retry_after_ms(answer->retry_after);
	} else if (status == 408 || status >= 500 || status < 200) {
		out->outcome = unsure;
	} else {
		out->outcome = CALL_REFUSED;
	}
}
