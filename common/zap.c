/* SPDX-License-Identifier: MIT */
#include "common/zap.h"

#include <stdio.h>
#include <string.h>

const struct zap_allowed *zap_find(const struct zap_allow *allow, struct text key)
{
	for (size_t i = 0; i < allow->count; i++)
		if (text_is(key, allow->items[i].key))
			return &allow->items[i];
	return NULL;
}

/* The story is for those who take snapshots of it; what daemons say of themselves is for people. */
static bool may_listen(enum role role, enum role own)
{
	if (role == ROLE_OPERATOR || role == ROLE_CONSOLE)
		return true;
	return own == ROLE_REGISTRY && stream_event_may(EVENT_SNAPSHOT_GET, role, own);
}

static bool may_use(struct text domain, enum role role, enum role own)
{
	if (text_is(domain, "inbox"))
		return stream_event_may(EVENT_PEER_HELLO, role, own);
	if (text_is(domain, "snapshot"))
		return stream_event_may(EVENT_SNAPSHOT_GET, role, own);
	return text_is(domain, "outbox") && may_listen(role, own);
}

void zap_decide(const struct zap_request *request, const struct zap_allow *allow, enum role own,
		struct zap_reply *out)
{
	*out = (struct zap_reply){ .status = "400" };
	if (!text_is(request->version, "1.0")) {
		*out = (struct zap_reply){ .status = "500", .reason = "version not supported" };
		return;
	}
	if (!text_is(request->mechanism, "CURVE")) {
		out->reason = "only CURVE is served";
		return;
	}

	const struct zap_allowed *allowed = zap_find(allow, request->key);

	if (!allowed) {
		out->reason = "key not allowed";
		return;
	}
	if (!may_use(request->domain, allowed->role, own)) {
		out->reason = "this role is not served here";
		return;
	}
	out->status = "200";
	out->reason = "OK";
	(void)snprintf(out->user, sizeof out->user, "%s:%s", words_name(&role_words, allowed->role),
		       allowed->name);
}

struct zap_owner zap_owner_read(const char *user)
{
	const char *colon = user ? strchr(user, ':') : NULL;

	if (!user)
		return (struct zap_owner){ .known = false };
	if (!colon)
		return (struct zap_owner){ .known = true };
	return (struct zap_owner){
		.known = true,
		.role = (enum role)words_find(
			&role_words, (struct text){ user, (uint32_t)(colon - user) }, ROLE_NONE),
		.name = text_of(colon + 1),
	};
}

bool zap_owner_is_role(const struct zap_owner *owner, enum role role)
{
	return !owner->known || owner->role == role;
}

bool zap_owner_is_name(const struct zap_owner *owner, struct text name)
{
	return !owner->known || owner->role == ROLE_OPERATOR || text_equal(owner->name, name);
}
