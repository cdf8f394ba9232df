/* SPDX-License-Identifier: MIT */
/* cloudflare_notes.c - what is remembered between calls, and the addresses made of it. */
#include <stdio.h>

#include <xxhash.h>

#include "actors/managed-adapter/cloudflare_internal.h"

struct cloudflare_note *cloudflare_note(struct cloudflare *self, const char *input)
{
	uint64_t hash = XXH3_64bits(input, strlen(input));
	struct cloudflare_note *note = &self->notes[hash % CLOUDFLARE_NOTES_MAX];

	if (note->hash != hash)
		*note = (struct cloudflare_note){ .hash = hash };
	return note;
}

/* ---- recordings that are waited for ---- */

static struct cloudflare_wait *wait_find(struct cloudflare *self, const char *input)
{
	for (unsigned i = 0; i < CLOUDFLARE_WAITS_MAX; i++)
		if (strcmp(self->waits[i].input, input) == 0)
			return &self->waits[i];
	return NULL;
}

struct cloudflare_wait *cloudflare_wait(struct cloudflare *self, const char *input, int64_t now_ms)
{
	struct cloudflare_wait *wait = wait_find(self, input);

	if (wait)
		return wait;
	/* A free one, or the oldest: what it waited for has had the most time. */
	wait = &self->waits[0];
	for (unsigned i = 0; i < CLOUDFLARE_WAITS_MAX && wait->input[0]; i++)
		if (!self->waits[i].input[0] || self->waits[i].since_ms < wait->since_ms)
			wait = &self->waits[i];
	*wait = (struct cloudflare_wait){ .since_ms = now_ms };
	memcpy(wait->input, input, strlen(input) + 1);
	return wait;
}

void cloudflare_wait_over(struct cloudflare *self, const char *input)
{
	struct cloudflare_wait *wait = wait_find(self, input);

	if (wait)
		*wait = (struct cloudflare_wait){ 0 };
}

/* ---- time ---- */

#define FRACTION_AT 19 /* 2022-01-13T11:43:41 */

static char digit(char c)
{
	return c >= '0' && c <= '9' ? c : '0';
}

bool cloudflare_later(const char *a, const char *b)
{
	char whole_a[FRACTION_AT + 1], whole_b[FRACTION_AT + 1];
	const char *x = a + strnlen(a, FRACTION_AT + 1), *y = b + strnlen(b, FRACTION_AT + 1);
	int order;

	snprintf(whole_a, sizeof whole_a, "%s", a);
	snprintf(whole_b, sizeof whole_b, "%s", b);
	order = strcmp(whole_a, whole_b);
	while (order == 0 && (*x || *y)) {
		order = digit(*x) - digit(*y);
		x += *x != '\0';
		y += *y != '\0';
	}
	return order > 0;
}

/* ---- addresses ---- */

/* Only over TLS are we told where to ask, and do we ask there. */
void cloudflare_learn(struct cloudflare *self, const struct cloudflare_input *input)
{
	if (self->options.customer_domain.length > 0 || !input->host[0] ||
	    (!self->options.plain && strncmp(input->host, "https://", 8) != 0))
		return;
	memcpy(self->host, input->host, sizeof self->host);
}

static struct text manifest(const struct cloudflare_turn *turn, char *said, const char *name)
{
	const char *host = turn->self->host;

	/* The vendor's own old host serves every account. */
	if (!said[0])
		snprintf(said, PLAYBACK_URL_MAX + 1, "%.*s/%s/manifest/%s", PLAYBACK_URL_MAX - 64,
			 host[0] ? host : "https://videodelivery.net", turn->job->input, name);
	return text_of(said);
}

void cloudflare_put_addresses(const struct cloudflare_turn *turn, struct stream_event *event)
{
	struct cloudflare_input *seen = &turn->job->seen;
	const char *host = turn->self->host, *id = turn->job->input;
	struct cloudflare_effects *fx = turn->fx;

	event->provider_done.hls = manifest(turn, seen->hls, "video.m3u8");
	event->provider_done.dash = manifest(turn, seen->dash, "video.mpd");
	event->provider_done.webrtc = text_of(seen->webrtc);
	snprintf(fx->preview, sizeof fx->preview,
		 "%.*s/%s%s?autoplay=true&muted=true&controls=true", PLAYBACK_URL_MAX - 96,
		 host[0] ? host : "https://iframe.videodelivery.net", id, host[0] ? "/iframe" : "");
	snprintf(fx->thumbnail, sizeof fx->thumbnail, "%.*s/%s/thumbnails/thumbnail.jpg",
		 PLAYBACK_URL_MAX - 64, host[0] ? host : "https://videodelivery.net", id);
	event->provider_done.preview = text_of(fx->preview);
	event->provider_done.thumbnail = text_of(fx->thumbnail);
}
