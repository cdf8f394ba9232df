/* SPDX-License-Identifier: MIT */
/* managed_stage_internal.h - shared by the files of the stage. */
#pragma once

#include "tests/lib/managed_stage.h"

#define STAGE_GATEWAY UINT64_C(10)
#define STAGE_MARK "marked"

enum { TO_REGISTRY_CORE, TO_ADAPTER, TO_ADAPTER_STORY };

/* One message on its way, encoded as on the wire. */
struct stage_packet {
	int to;
	struct peer from;
	size_t length;
	uint8_t bytes[STREAM_EVENT_WIRE_MAX];
};

/* stage_packet_of() - @event encoded; @published: without its secrets. */
struct stage_packet *stage_packet_of(int to, struct peer from, const struct stream_event *event,
				     bool published);
void stage_packet_read(const struct stage_packet *packet, struct stream_event *out);
void stage_put(int to, struct peer from, const struct stream_event *event, bool published);
void stage_pump(void);

/* managed_stage_log.c */
void stage_log_sent(const struct stream_event *event);
void stage_log_call(const struct stream_event *call);
/* Gives a stream that was not heard of before its name. */
void stage_name(struct text stream_id);
void stage_forget_names(void);

/* managed_stage_provider.c */
void stage_call_made(const struct stream_event *event);
void stage_drop_held(void); /* never answered */
