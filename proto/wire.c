/* SPDX-License-Identifier: MIT */
#include "proto/wire.h"

static bool take(struct wire *wire, size_t length, const uint8_t **out)
{
	if (length > (size_t)(wire->end - wire->at))
		return false;
	*out = wire->at;
	wire->at += length;
	return true;
}

static bool big_endian(struct wire *wire, size_t length, uint64_t *out)
{
	const uint8_t *bytes;

	if (!take(wire, length, &bytes))
		return false;
	*out = 0;
	for (size_t i = 0; i < length; i++)
		*out = *out << 8 | bytes[i];
	return true;
}

bool wire_array(struct wire *wire, uint32_t *count)
{
	const uint8_t *tag;
	uint64_t value;

	if (!take(wire, 1, &tag))
		return false;
	if ((*tag & 0xf0) == 0x90) {
		*count = *tag & 0x0f;
		return true;
	}
	if (*tag != 0xdc || !big_endian(wire, 2, &value))
		return false;
	*count = (uint32_t)value;
	return true;
}

bool wire_text(struct wire *wire, struct text *out)
{
	const uint8_t *bytes, *tag;
	uint64_t length;

	if (!take(wire, 1, &tag))
		return false;
	if ((*tag & 0xe0) == 0xa0)
		length = *tag & 0x1f;
	else if (*tag < 0xd9 || *tag > 0xdb ||
		 !big_endian(wire, (size_t)1 << (*tag - 0xd9), &length))
		return false;
	if (!take(wire, (size_t)length, &bytes) || memchr(bytes, 0, (size_t)length))
		return false;
	*out = (struct text){ (const char *)bytes, (uint32_t)length };
	return true;
}

bool wire_u64_tagged(struct wire *wire, uint64_t *out)
{
	const uint8_t *tag;

	if (!take(wire, 1, &tag))
		return false;
	return *tag >= 0xcc && *tag <= 0xcf && big_endian(wire, (size_t)1 << (*tag - 0xcc), out);
}

bool wire_i64_tagged(struct wire *wire, int64_t *out)
{
	const uint8_t *tag;
	uint64_t raw;

	if (!take(wire, 1, &tag))
		return false;
	if (*tag >= 0xe0) {
		*out = (int64_t)*tag - 256;
		return true;
	}
	if (*tag >= 0xcc && *tag <= 0xcf) {
		if (!big_endian(wire, (size_t)1 << (*tag - 0xcc), &raw) || raw > INT64_MAX)
			return false;
		*out = (int64_t)raw;
		return true;
	}
	if (*tag < 0xd0 || *tag > 0xd3)
		return false;
	unsigned width = 8u << (*tag - 0xd0);
	if (!big_endian(wire, width / 8, &raw))
		return false;
	if (width < 64 && raw >> (width - 1))
		raw |= UINT64_MAX << width;
	*out = (int64_t)raw;
	return true;
}

bool wire_bool(struct wire *wire, bool *out)
{
	const uint8_t *tag;

	if (!take(wire, 1, &tag) || (*tag != 0xc2 && *tag != 0xc3))
		return false;
	*out = *tag == 0xc3;
	return true;
}

static bool skip_scalar(struct wire *wire)
{
	const struct wire saved = *wire;
	struct text text;
	uint64_t number;
	int64_t integer;
	bool flag;

	if (wire_text(wire, &text))
		return true;
	*wire = saved;
	if (wire_u64(wire, &number))
		return true;
	*wire = saved;
	if (wire_i64(wire, &integer))
		return true;
	*wire = saved;
	return wire_bool(wire, &flag);
}

static bool skip(struct wire *wire, unsigned depth)
{
	const struct wire saved = *wire;
	uint32_t count;

	if (!wire_array(wire, &count)) {
		*wire = saved;
		return skip_scalar(wire);
	}
	if (depth == 0)
		return false;
	for (; count > 0; count--) /* every member takes a byte: bounded by the frame */
		if (!skip(wire, depth - 1))
			return false;
	return true;
}

bool wire_skip(struct wire *wire)
{
	return skip(wire, WIRE_DEPTH_MAX);
}

bool wire_list(struct wire *wire, struct text *out)
{
	const uint8_t *start = wire->at;
	struct wire probe = *wire;
	uint32_t count;

	if (!wire_array(&probe, &count) || !wire_skip(wire))
		return false;
	*out = (struct text){ (const char *)start, (uint32_t)(wire->at - start) };
	return true;
}
