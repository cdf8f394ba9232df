/* SPDX-License-Identifier: MIT */
/* The input is what the vendor answers: the first byte chooses the call, each line after it is a
 * status (its first byte) and a body.  Properties:
 * - every call is answered exactly once, with its number, at the latest after
 * CLOUDFLARE_REQUESTS_MAX;
 * - whatever is said fits the limits of the schema: it can be encoded;
 * - requests have ids only in their paths, and never ask for anything beyond an input or a video.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/managed-adapter/cloudflare_core.h"

#define ID "66be4bf738797e01e1fca35a7bdecdcd"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cloudflare *core;
static struct cloudflare_effects fx;
static int64_t now_ms;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct stream_event call_of(uint8_t choice)
{
	struct stream_event event = { .stream_id = TEXT("op") };
	struct text id = TEXT(ID), url = TEXT("rtmp://h/a/k");

	switch (choice % 7) {
	case 0:
		event.type = EVENT_PROVIDER_CREATE;
		event.provider_create.mark = TEXT("mark");
		event.provider_create.call = 1;
		break;
	case 1:
		event.type = EVENT_PROVIDER_DESCRIBE;
		event.provider_describe.input_id = id;
		event.provider_describe.call = 1;
		break;
	case 2:
		event.type = EVENT_PROVIDER_DELETE;
		event.provider_delete.input_id = id;
		event.provider_delete.call = 1;
		break;
	case 3:
		event.type = EVENT_PROVIDER_LIST;
		event.provider_list.call = 1;
		break;
	case 4:
		event.type = EVENT_PROVIDER_OUTPUT_ADD;
		event.provider_output_add.input_id = id;
		event.provider_output_add.url = url;
		event.provider_output_add.call = 1;
		break;
	case 5:
		event.type = EVENT_PROVIDER_OUTPUT_REMOVE;
		event.provider_output_remove.input_id = id;
		event.provider_output_remove.url = url;
		event.provider_output_remove.call = 1;
		break;
	default:
		event.type = EVENT_PROVIDER_QUOTA;
		event.provider_quota.call = 1;
		break;
	}
	return event;
}

static void check_request(const struct cloudflare_request *request)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/-_?&=:.";

	check(request->path[0] == '/' && strspn(request->path, plain) == strlen(request->path));
	check(strstr(request->path, "..") == NULL || strstr(request->path, "before=") != NULL);
}

static bool check_says(void)
{
	uint8_t wire[STREAM_EVENT_WIRE_MAX];
	bool over = false;

	for (unsigned i = 0; i < fx.says; i++) {
		const struct stream_event *event = &fx.say[i];

		check(stream_event_encode(event, STREAM_EVENT_ADDRESSED, wire, sizeof wire) > 0);
		if (event->type != EVENT_PROVIDER_DONE && event->type != EVENT_PROVIDER_PAGE)
			continue;
		check(!over && !fx.request);
		check((event->type == EVENT_PROVIDER_PAGE ? event->provider_page.call
							  : event->provider_done.call) == 1);
		over = true;
	}
	return over;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cloudflare_options options = { .delete_recordings = true,
							   .requests_max = 1000 };
	static const unsigned statuses[] = { 200, 200, 200, 200, 404, 429, 500, 403, 400, 0 };
	struct stream_event event;
	unsigned requests = 0;
	bool over;

	if (size == 0)
		return 0;
	if (!core) {
		core = calloc(1, sizeof *core);
		check(core != NULL);
		cloudflare_init(core, &options);
	}
	now_ms += CLOUDFLARE_RETRY_MAX_MS; /* limits of the last one are over */
	(void)cloudflare_hook(core, (struct text){ (const char *)data, (uint32_t)size }, &fx);
	(void)check_says();
	event = call_of(data[0]);
	cloudflare_call(core, &event, now_ms, &fx);
	data++;
	size--;
	for (over = check_says(); !over; over = check_says()) {
		const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
		size_t length = end ? (size_t)(end - data) : size;
		struct cloudflare_answer answer = { .status = length ? statuses[data[0] % 10] : 0 };

		check(++requests <= CLOUDFLARE_REQUESTS_MAX);
		check_request(fx.request);
		answer.fate = answer.status ? CLOUDFLARE_ANSWERED : CLOUDFLARE_LOST;
		if (length > 1)
			answer.body = (struct text){ (const char *)data + 1, (uint32_t)length - 1 };
		answer.ratelimit = answer.retry_after = answer.body;
		cloudflare_answer(core, fx.slot, &answer, now_ms, &fx);
		data += length + (end != NULL);
		size -= length + (end != NULL);
	}
	return 0;
}
