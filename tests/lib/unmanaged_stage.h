/* SPDX-License-Identifier: MIT */
/* unmanaged_stage.h - the unmanaged-adapter's core alone, its inputs given one by one; for its
 * tests, each of which includes it once.
 */
#pragma once

#include <criterion/criterion.h>

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "tests/lib/fakes.h"
#include "tests/lib/story.h"

#define GATEWAY UINT64_C(10)

static struct unmanaged core;
static struct effects fx;
static uint64_t seq;
static int64_t now_ms = 10000;

static void handle(struct input input)
{
	unmanaged_handle(&core, &input, now_ms, &fx);
}

static void tell(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = seq;
	handle((struct input){ .type = INPUT_STORY, .event = &event });
}

static void message(struct stream_event event)
{
	handle((struct input){
		.type = INPUT_MESSAGE, .peer = { ROLE_GATEWAY, GATEWAY }, .event = &event });
}
