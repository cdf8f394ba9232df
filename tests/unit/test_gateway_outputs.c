/* SPDX-License-Identifier: MIT */
/* Goal: REST calls about the outputs of a managed stream become requests, and what becomes of them
 * is said with the codes and in the shapes of the protocol (section 6.6).
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_outputs, .init = stage_open, .fini = stage_close);

#define REFUSED(code, words) "{\"error\":\"" code "\",\"message\":\"" words "\"}"

struct call {
	enum gateway_action action;
	const char *stream_id, *output_id, *body;
};

static uint64_t call(const struct call *what)
{
	struct edge_message message = { .type = EDGE_OUTPUT };
	const struct edge_input input = { .side = EDGE_FROM_REST,
					  .type = EDGE_OUTPUT,
					  .json = text_of(what->body ? what->body : "{}"),
					  .scratch = &stage.scratch };

	cr_assert_eq(edge_decode(&input, &message), 0);
	stage_edge(
		(struct gateway_edge){ .type = GATEWAY_REST,
				       .call = ++stage.calls,
				       .action = what->action,
				       .package = TEXT(PACKAGE),
				       .stream_id = text_of(what->stream_id),
				       .output_id = text_of(what->output_id ? what->output_id : ""),
				       .message = &message });
	return stage.fx.count > 0 ? stage.fx.items[0].event.request : 0;
}

static uint64_t add(const char *body)
{
	return call(&(struct call){ GATEWAY_OUTPUT_ADD, "m1", NULL, body });
}

static uint64_t remove_output(const char *id)
{
	return call(&(struct call){ GATEWAY_OUTPUT_REMOVE, "m1", id, NULL });
}

static uint64_t list(void)
{
	return call(&(struct call){ GATEWAY_OUTPUT_LIST, "m1", NULL, NULL });
}

static void expect_answer(unsigned status, const char *json)
{
	static char text[EDGE_ENCODED_MAX + 1];
	const struct gateway_out *out = stage_out(0);
	ssize_t length = edge_encode(&out->message, 0, text, EDGE_ENCODED_MAX);

	cr_assert_eq(out->type, GATEWAY_ANSWER);
	cr_assert_eq(out->call, stage.calls);
	cr_assert_eq(out->code, status, "%u", out->code);
	text[length] = '\0';
	cr_assert_str_eq(text, json);
	cr_assert_eq(stage_out_count(), 1);
}

static void answer(uint64_t request, enum result result, const char *stream_id, const char *reason)
{
	stage_bus(&(struct stream_event){
		.type = EVENT_REQUEST_OUTPUTS,
		.request = request,
		.stream_id = text_of(stream_id),
		.request_outputs = { .result = result, .output = 7, .reason = text_of(reason) } });
}

#define BODY "{\"url\":\"rtmp://a/live2/K\",\"name\":\"YouTube\",\"packageName\":\"" PACKAGE "\"}"

Test(gateway_outputs, one_is_added)
{
	uint64_t request = add(BODY);
	const struct effect *effect = stage_effect(EVENT_REQUEST_OUTPUT_ADD, 0);

	cr_assert_eq(stage_out_count(), 0);
	cr_assert_eq(effect->type, EFFECT_REQUEST);
	cr_assert_eq(effect->peer.role, ROLE_MANAGED);
	cr_assert_eq(effect->event.origin, INCARNATION);
	cr_assert_eq(effect->event.expires_ms, stage.now_ms + 10000);
	cr_assert(text_is(effect->event.stream_id, "m1"));
	cr_assert(text_is(effect->event.request_output_add.package, PACKAGE));
	cr_assert(text_is(effect->event.request_output_add.url, "rtmp://a/live2/K"));
	cr_assert(text_is(effect->event.request_output_add.name, "YouTube"));
	answer(request + 1, RESULT_OK, "m1", "");
	cr_assert_eq(stage_out_count(), 0);
	answer(request, RESULT_OK, "m1", "");
	expect_answer(200, "{\"success\":true,\"outputId\":\"7\","
			   "\"message\":\"Output added successfully\"}");
	answer(request, RESULT_OK, "m1", "");
	cr_assert_eq(stage_out_count(), 0, "answered once");
	cr_assert_eq(gateway_counts(stage.core)->answers_late, 2);
}

Test(gateway_outputs, urls)
{
	static char body[2 * OUTPUT_URL_MAX];

	add("{\"name\":\"x\"}");
	expect_answer(400, REFUSED("INVALID_URL", "URL is required and must be a string"));
	cr_assert_eq(stage.fx.count, 0);
	add("{\"url\":7}");
	expect_answer(400, REFUSED("INVALID_URL", "URL is required and must be a string"));
	add("{\"url\":\"http://a/b\"}");
	expect_answer(400,
		      REFUSED("INVALID_URL_FORMAT", "URL must start with rtmp:// or rtmps://"));
	for (int extra = 0; extra < 2; extra++) {
		int head = snprintf(body, sizeof body, "{\"url\":\"rtmp://");

		memset(body + head, 'x', OUTPUT_URL_MAX - 7 + (size_t)extra);
		snprintf(body + head + OUTPUT_URL_MAX - 7 + extra, 8, "\"}");
		add(body);
		if (extra == 0)
			cr_assert_not_null(stage_told(EVENT_REQUEST_OUTPUT_ADD));
	}
	expect_answer(400, REFUSED("INVALID_URL", "URL is too long"));
}

Test(gateway_outputs, a_name_that_is_too_long_is_cut)
{
	char body[256];

	snprintf(body, sizeof body, "{\"url\":\"rtmp://a/b\",\"name\":\"%0*d\"}",
		 OUTPUT_NAME_MAX + 1, 0);
	add(body);
	cr_assert_eq(stage_told(EVENT_REQUEST_OUTPUT_ADD)->request_output_add.name.length,
		     OUTPUT_NAME_MAX);
}

Test(gateway_outputs, a_stream_id_that_is_none_of_ours)
{
	char id[STREAM_ID_MAX + 2];

	memset(id, 'm', sizeof id);
	id[STREAM_ID_MAX + 1] = '\0';
	call(&(struct call){ GATEWAY_OUTPUT_LIST, id, NULL, NULL });
	expect_answer(404, REFUSED("STREAM_NOT_FOUND", "Managed stream not found"));
	call(&(struct call){ GATEWAY_OUTPUT_LIST, "", NULL, NULL });
	expect_answer(404, REFUSED("STREAM_NOT_FOUND", "Managed stream not found"));
	id[STREAM_ID_MAX] = '\0';
	call(&(struct call){ GATEWAY_OUTPUT_LIST, id, NULL, NULL });
	cr_assert_not_null(stage_told(EVENT_REQUEST_OUTPUT_LIST));
}

Test(gateway_outputs, one_is_removed)
{
	uint64_t request = remove_output("12");
	const struct stream_event *asked = stage_told(EVENT_REQUEST_OUTPUT_REMOVE);

	cr_assert_eq(asked->request_output_remove.output, 12);
	cr_assert(text_is(asked->request_output_remove.package, PACKAGE));
	cr_assert(text_is(asked->stream_id, "m1"));
	answer(request, RESULT_OK, "m1", "");
	expect_answer(200, "{\"success\":true,\"message\":\"Output removed successfully\"}");
}

Test(gateway_outputs, an_output_id_that_is_no_number_names_none)
{
	static const char *const ids[] = { "", "out1", "-1", "01", "1 ", "1234567890", "0" };

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		remove_output(ids[i]);
		cr_assert_eq(stage_told(EVENT_REQUEST_OUTPUT_REMOVE)->request_output_remove.output,
			     0, "%s", ids[i]);
	}
}

Test(gateway_outputs, what_is_not_found)
{
	answer(remove_output("3"), RESULT_NOT_FOUND, "m1", "");
	expect_answer(404, REFUSED("OUTPUT_NOT_FOUND", "Output not found"));
	answer(list(), RESULT_NOT_FOUND, "m1", "");
	expect_answer(404, REFUSED("STREAM_NOT_FOUND", "Managed stream not found"));
}

Test(gateway_outputs, results)
{
	static const struct {
		enum result result;
		unsigned status;
		const char *json;
	} rows[] = {
		{ RESULT_BAD_URL, 400,
		  REFUSED("INVALID_URL_FORMAT", "URL is not allowed as a destination") },
		{ RESULT_NOT_FOUND, 404, REFUSED("STREAM_NOT_FOUND", "Managed stream not found") },
		{ RESULT_NOT_VIEWER, 403,
		  REFUSED("NOT_A_VIEWER", "App must be viewing the stream") },
		{ RESULT_NOT_OWNER, 403,
		  REFUSED("NOT_AUTHORIZED", "Output was added by another app") },
		{ RESULT_LIMIT, 409,
		  REFUSED("MAX_OUTPUTS_REACHED", "Stream has reached maximum of 10 outputs") },
		{ RESULT_APP_LIMIT, 409,
		  REFUSED("MAX_APP_OUTPUTS_REACHED",
			  "Your app has reached maximum of 10 outputs for this stream") },
		{ RESULT_DUPLICATE, 409,
		  REFUSED("DUPLICATE_URL", "This RTMP URL is already configured as an output") },
		{ RESULT_REFUSED, 502,
		  REFUSED("CLOUDFLARE_ERROR", "The provider refused the output") },
		{ RESULT_FAILED, 502,
		  REFUSED("CLOUDFLARE_ERROR", "The provider did not take the output") },
		{ RESULT_FULL, 503,
		  REFUSED("INTERNAL_ERROR", "Not possible now, try again later") },
		{ RESULT_NO_STORAGE, 503,
		  REFUSED("INTERNAL_ERROR", "Not possible now, try again later") },
		{ RESULT_EXPIRED, 503,
		  REFUSED("INTERNAL_ERROR", "No answer in time, try again later") },
		{ RESULT_STALE, 500, REFUSED("INTERNAL_ERROR", "Not possible") },
		{ RESULT_NONE, 500, REFUSED("INTERNAL_ERROR", "Not possible") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		answer(add(BODY), rows[i].result, "m1", "");
		expect_answer(rows[i].status, rows[i].json);
	}
	answer(add(BODY), RESULT_REFUSED, "m1", "cf says no");
	expect_answer(502, REFUSED("CLOUDFLARE_ERROR", "cf says no"));
	answer(add(BODY), RESULT_BAD_URL, "m1", "no host");
	expect_answer(400, REFUSED("INVALID_URL_FORMAT", "no host"));
	answer(add(BODY), RESULT_DUPLICATE, "m1", "duplicate");
	expect_answer(409,
		      REFUSED("DUPLICATE_URL", "This RTMP URL is already configured as an output"));
}

static void put_record(struct list_writer *writer, uint64_t number, const char *name,
		       const char *error)
{
	list_open_member(writer, 6);
	list_put_u64(writer, number);
	list_put_text(writer, TEXT("rtmp://a/live2/K"));
	list_put_text(writer, text_of(name));
	list_put_text(writer, TEXT(PACKAGE));
	list_put_text(writer, text_of(*error ? "error" : "active"));
	list_put_text(writer, text_of(error));
	cr_assert(list_close_member(writer));
}

Test(gateway_outputs, a_list)
{
	static uint8_t bytes[OUTPUT_RECORDS_BYTES];
	struct list_writer writer;
	struct stream_event event = { .type = EVENT_REQUEST_OUTPUTS,
				      .stream_id = TEXT("m1"),
				      .request_outputs = { .result = RESULT_OK } };

	event.request = list();
	stage_bus(&event);
	expect_answer(200, "{\"streamId\":\"m1\",\"outputs\":[],\"total\":0,\"maxPerStream\":10,"
			   "\"maxPerApp\":10}");
	list_begin(&writer, bytes, sizeof bytes);
	put_record(&writer, 1, "YouTube", "");
	put_record(&writer, 3, "", "refused");
	event.request = list();
	event.request_outputs.outputs = list_end(&writer);
	stage_bus(&event);
	expect_answer(200, "{\"streamId\":\"m1\",\"outputs\":[{\"outputId\":\"1\",\"url\":"
			   "\"rtmp://a/live2/K\",\"name\":\"YouTube\",\"addedBy\":\"" PACKAGE
			   "\",\"status\":\"active\"},{\"outputId\":\"3\",\"url\":"
			   "\"rtmp://a/live2/K\",\"addedBy\":\"" PACKAGE
			   "\",\"status\":\"error\",\"error\":\"refused\"}],\"total\":2,"
			   "\"maxPerStream\":10,\"maxPerApp\":10}");
}

/* Wherever it breaks off: what stands before is answered. */
Test(gateway_outputs, a_cut_list)
{
	static uint8_t bytes[OUTPUT_RECORDS_BYTES];
	struct stream_event event = { .type = EVENT_REQUEST_OUTPUTS,
				      .stream_id = TEXT("m1"),
				      .request_outputs = { .result = RESULT_OK } };
	struct list_writer writer;
	struct text whole;

	list_begin(&writer, bytes, sizeof bytes);
	put_record(&writer, 1, "YouTube", "");
	whole = list_end(&writer);
	for (uint32_t length = 1; length < whole.length; length++) {
		event.request = list();
		event.request_outputs.outputs = (struct text){ whole.bytes, length };
		stage_bus(&event);
		cr_assert_leq(stage_out(0)->message.output_list.outputs.length, 2);
		cr_assert_eq(stage_out(0)->message.output_list.total, 0);
		cr_assert_eq(gateway_counts(stage.core)->messages_ignored, length);
	}
}

Test(gateway_outputs, no_answer_in_time)
{
	stage_tick();
	uint64_t request = add(BODY);

	stage.now_ms += 10000;
	stage_tick();
	expect_answer(503, REFUSED("INTERNAL_ERROR", "No answer in time, try again later"));
	answer(request, RESULT_OK, "m1", "");
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_outputs, one_call_too_many)
{
	for (int i = 0; i < GATEWAY_REST_MAX; i++)
		list();
	cr_assert_eq(stage_out_count(), 0);
	list();
	expect_answer(503, REFUSED("INTERNAL_ERROR", "Too many calls at a time"));
	stage_edge((struct gateway_edge){ .type = GATEWAY_REST_GONE, .call = 3 });
	list();
	cr_assert_eq(stage_out_count(), 0);
}

/* An answer of the registry is none to a call about outputs, and the other way round. */
Test(gateway_outputs, answers_of_another_kind)
{
	uint64_t request = add(BODY);

	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_APP_RESULT,
					  .request = request,
					  .registry_app_result = { .result = RESULT_OK } });
	cr_assert_eq(stage_out_count(), 0);
	answer(request, RESULT_OK, "m1", "");
	cr_assert_eq(stage_out_count(), 1);
	stage_edge((struct gateway_edge){ .type = GATEWAY_REST,
					  .call = 99,
					  .action = GATEWAY_APP_START,
					  .user = TEXT(USER),
					  .package = TEXT(PACKAGE) });
	answer(stage_told(EVENT_EDGE_APP_START)->request, RESULT_OK, "m1", "");
	cr_assert_eq(stage_out_count(), 0);
}
