/* SPDX-License-Identifier: MIT */
#include "common/intake.h"

bool intake_open(struct intake *self, const uint8_t *bytes, size_t length, const char *topic)
{
	*self = (struct intake){ 0 };
	if (!frame_read(bytes, length, &self->head, &self->wire) ||
	    memcmp(self->head.topic, topic, FRAME_TOPIC_SIZE) != 0)
		return false;
	self->open = true;
	return true;
}

int intake_next(struct intake *self, struct stream_event *out, uint64_t *number)
{
	if (!self->open)
		return INTAKE_E_END;
	if (self->index == self->head.count) {
		self->open = false;
		return self->wire.at == self->wire.end ? INTAKE_E_END : INTAKE_E_MALFORMED;
	}

	int r = stream_event_read(&self->wire, out);

	if (r == STREAM_EVENT_E_MALFORMED) {
		self->open = false;
		return INTAKE_E_MALFORMED;
	}
	*number = self->head.first_seq == 0 ? 0 : self->head.first_seq + self->index;
	self->index++;
	return r == STREAM_EVENT_E_UNKNOWN ? INTAKE_E_UNKNOWN : 0;
}

void intake_close(struct intake *self)
{
	self->open = false;
}
