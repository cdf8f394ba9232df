/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/managed_address.h"

#define GROUPS 8 /* of 16 bits in an IPv6 address */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool read_number(const char *at, uint32_t length, uint64_t base, uint64_t *out)
{
	uint64_t number = 0;

	for (uint32_t i = 0; i < length; i++) {
		int digit = digit_of(at[i]);

		if (digit < 0 || (uint64_t)digit >= base)
			return false;
		number = number * base + (uint64_t)digit;
		if (number > UINT32_MAX)
			return false;
	}
	*out = number;
	return length > 0;
}

/* One part of a dotted address: 10, 012 or 0xa. */
static bool read_part(const char *at, uint32_t length, uint64_t *out)
{
	if (length > 1 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
		return length == 2 ? (*out = 0, true) : read_number(at + 2, length - 2, 16, out);
	if (length > 1 && at[0] == '0')
		return read_number(at + 1, length - 1, 8, out);
	return read_number(at, length, 10, out);
}

/* A name whose last label begins with a digit cannot be one of the DNS: it is meant as a number. */
static bool looks_numeric(struct text host)
{
	uint32_t label = host.length;

	while (label > 0 && host.bytes[label - 1] != '.')
		label--;
	return label < host.length && host.bytes[label] >= '0' && host.bytes[label] <= '9';
}

static bool is_internal_4(uint32_t address)
{
	static const struct {
		uint32_t network, bits;
	} networks[] = {
		{ 0x00000000, 8 }, /* this host */
		{ 0x0a000000, 8 }, /* private */
		{ 0x64400000, 10 }, /* shared by carriers */
		{ 0x7f000000, 8 }, /* loopback */
		{ 0xa9fe0000, 16 }, /* link-local */
		{ 0xac100000, 12 }, /* private */
		{ 0xc0000000, 24 }, /* protocol assignments */
		{ 0xc0a80000, 16 }, /* private */
		{ 0xc6120000, 15 }, /* benchmarks */
		{ 0xe0000000, 3 }, /* multicast, reserved, broadcast */
	};

	for (unsigned i = 0; i < sizeof networks / sizeof networks[0]; i++)
		if ((address ^ networks[i].network) >> (32 - networks[i].bits) == 0)
			return true;
	return false;
}

static enum managed_address judge_4(uint32_t address)
{
	return is_internal_4(address) ? ADDRESS_INTERNAL : ADDRESS_PUBLIC;
}

enum managed_address managed_address_4(struct text host)
{
	uint64_t address = 0, part = 0;
	unsigned parts = 0;

	if (host.length > 0 && host.bytes[host.length - 1] == '.')
		host.length--;
	if (!looks_numeric(host))
		return ADDRESS_NONE;
	for (uint32_t at = 0; at <= host.length; parts++) {
		uint32_t end = at;

		while (end < host.length && host.bytes[end] != '.')
			end++;
		if (parts == 4 || !read_part(host.bytes + at, end - at, &part))
			return ADDRESS_INVALID;
		if (end < host.length) {
			if (part > 255)
				return ADDRESS_INVALID;
			address = address << 8 | part;
		}
		at = end + 1;
	}
	/* The last one fills what the others have left. */
	unsigned left = 8 * (5 - parts);

	if (part >> left != 0)
		return ADDRESS_INVALID;
	return judge_4((uint32_t)(address << left | part));
}

/* Four decimal numbers at the end of an IPv6 address. */
static bool read_dotted(struct text text, uint16_t groups[2])
{
	uint32_t address = 0, at = 0;

	for (unsigned parts = 0; parts < 4; parts++) {
		uint32_t end = at;
		uint64_t part;

		while (end < text.length && text.bytes[end] != '.')
			end++;
		/* 012 is 12 to one reader and 10 to another. */
		if (end - at > 3 || (end - at > 1 && text.bytes[at] == '0') ||
		    !read_number(text.bytes + at, end - at, 10, &part) || part > 255 ||
		    (parts < 3 && end == text.length))
			return false;
		address = address << 8 | (uint32_t)part;
		at = end + 1;
	}
	groups[0] = (uint16_t)(address >> 16);
	groups[1] = (uint16_t)address;
	return at == text.length + 1;
}

static bool read_groups(struct text text, uint16_t *groups, unsigned *count)
{
	for (uint32_t at = 0; at <= text.length && text.length > 0;) {
		uint32_t end = at;
		uint64_t group;

		while (end < text.length && text.bytes[end] != ':')
			end++;
		struct text part = { text.bytes + at, end - at };

		if (memchr(part.bytes, '.', part.length)) {
			if (end != text.length || *count > GROUPS - 2 ||
			    !read_dotted(part, groups + *count))
				return false;
			*count += 2;
			return true;
		}
		if (*count == GROUPS || part.length > 4 ||
		    !read_number(part.bytes, part.length, 16, &group))
			return false;
		groups[(*count)++] = (uint16_t)group;
		at = end + 1;
	}
	return true;
}

static bool read_6(struct text host, uint16_t out[GROUPS])
{
	uint16_t head[GROUPS] = { 0 }, tail[GROUPS] = { 0 };
	unsigned heads = 0, tails = 0;
	uint32_t gap = 0;

	while (gap + 1 < host.length && !(host.bytes[gap] == ':' && host.bytes[gap + 1] == ':'))
		gap++;
	if (gap + 1 >= host.length) {
		if (!read_groups(host, out, &heads))
			return false;
		return heads == GROUPS;
	}
	if (!read_groups((struct text){ host.bytes, gap }, head, &heads) ||
	    !read_groups((struct text){ host.bytes + gap + 2, host.length - gap - 2 }, tail,
			 &tails) ||
	    heads + tails >= GROUPS)
		return false;
	memset(out, 0, GROUPS * sizeof *out);
	memcpy(out, head, heads * sizeof *out);
	memcpy(out + GROUPS - tails, tail, tails * sizeof *out);
	return true;
}

static bool all_zero(const uint16_t *groups, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (groups[i] != 0)
			return false;
	return true;
}

static enum managed_address judge_6(const uint16_t groups[GROUPS])
{
	uint32_t last = (uint32_t)groups[6] << 16 | groups[7];

	if (all_zero(groups, 5) && (groups[5] == 0 || groups[5] == 0xffff))
		return judge_4(last); /* mapped; and :: and ::1 are in 0.0.0.0/8 */
	if (groups[0] == 0x64 && groups[1] == 0xff9b)
		return groups[2] == 0 ? judge_4(last) : ADDRESS_INTERNAL; /* translated */
	if (groups[0] == 0x2002)
		return judge_4((uint32_t)groups[1] << 16 | groups[2]); /* 6to4 */
	/* Only 2000::/3 is given out to the world; fc00::/7, fe80::/10, ff00::/8 are not of it. */
	return groups[0] >> 13 == 1 ? ADDRESS_PUBLIC : ADDRESS_INTERNAL;
}

enum managed_address managed_address_6(struct text host)
{
	uint16_t groups[GROUPS] = { 0 };

	if (host.length == 0 || !read_6(host, groups)) /* a zone is none of ours either */
		return ADDRESS_INVALID;
	return judge_6(groups);
}

enum managed_address managed_address_judge(const uint8_t bytes[MANAGED_ADDRESS_SIZE])
{
	uint16_t groups[GROUPS];

	for (unsigned i = 0; i < GROUPS; i++)
		groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	return judge_6(groups);
}
