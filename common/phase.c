/* SPDX-License-Identifier: MIT */
#include "common/phase.h"

#include <assert.h>
#include <stddef.h>

/* clang-format off */
static const enum phase transitions[KIND_COUNT][PHASE_COUNT][TRIGGER_COUNT] = {
	[KIND_UNMANAGED] = {
		[PHASE_REQUESTED] = {
			[TRIGGER_START_DELIVERED] = PHASE_STARTING,
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_STARTING] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_LIVE] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_MISSED] = PHASE_SUSPECT,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_SUSPECT] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_MISSED] = PHASE_SUSPECT,
			[TRIGGER_RECOVERED] = PHASE_LIVE,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_STOPPING] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
	},
	[KIND_MANAGED] = {
		[PHASE_REQUESTED] = {
			[TRIGGER_PROVISIONED] = PHASE_PROVISIONING,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_PROVISIONING] = {
			[TRIGGER_START_DELIVERED] = PHASE_STARTING,
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_STARTING] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_MISSED] = PHASE_SUSPECT,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_LIVE] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_MISSED] = PHASE_SUSPECT,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_SUSPECT] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_MISSED] = PHASE_SUSPECT,
			[TRIGGER_RECOVERED] = PHASE_LIVE,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
		[PHASE_STOPPING] = {
			[TRIGGER_DEVICE_STARTING] = PHASE_STARTING,
			[TRIGGER_DEVICE_LIVE] = PHASE_LIVE,
			[TRIGGER_DEVICE_STOPPING] = PHASE_STOPPING,
			[TRIGGER_CLOSE] = PHASE_CLOSED,
		},
	},
};

/* An unknown word ends an unmanaged stream and keeps a managed one going: so the original does. */
static const struct status_rule status_rules[KIND_COUNT][DEVICE_STATUS_COUNT] = {
	[KIND_UNMANAGED] = {
		[DEVICE_NONE] = { TRIGGER_NONE, END_NONE },
		[DEVICE_INITIALIZING] = { TRIGGER_DEVICE_STARTING, END_NONE },
		[DEVICE_CONNECTING] = { TRIGGER_DEVICE_STARTING, END_NONE },
		[DEVICE_RECONNECTING] = { TRIGGER_DEVICE_STARTING, END_NONE },
		[DEVICE_STREAMING] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_ACTIVE] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_RECONNECTED] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_STOPPING] = { TRIGGER_DEVICE_STOPPING, END_NONE },
		[DEVICE_STOPPED] = { TRIGGER_CLOSE, END_DEVICE_STOPPED },
		[DEVICE_DISCONNECTED] = { TRIGGER_CLOSE, END_DEVICE_STOPPED },
		[DEVICE_TIMEOUT] = { TRIGGER_CLOSE, END_DEVICE_TIMEOUT },
		[DEVICE_ERROR] = { TRIGGER_CLOSE, END_DEVICE_ERROR },
		[DEVICE_RECONNECT_FAILED] = { TRIGGER_CLOSE, END_RECONNECT_FAILED },
		[DEVICE_OTHER] = { TRIGGER_CLOSE, END_DEVICE_STOPPED },
	},
	[KIND_MANAGED] = {
		[DEVICE_NONE] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_INITIALIZING] = { TRIGGER_DEVICE_STARTING, END_NONE },
		[DEVICE_CONNECTING] = { TRIGGER_DEVICE_STARTING, END_NONE },
		[DEVICE_RECONNECTING] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_STREAMING] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_ACTIVE] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_RECONNECTED] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_STOPPING] = { TRIGGER_DEVICE_STOPPING, END_NONE },
		[DEVICE_STOPPED] = { TRIGGER_CLOSE, END_DEVICE_STOPPED },
		[DEVICE_DISCONNECTED] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_TIMEOUT] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_ERROR] = { TRIGGER_CLOSE, END_DEVICE_ERROR },
		[DEVICE_RECONNECT_FAILED] = { TRIGGER_DEVICE_LIVE, END_NONE },
		[DEVICE_OTHER] = { TRIGGER_DEVICE_LIVE, END_NONE },
	},
};

/* word, hop, stop_if_up, stop_if_down */
static const struct end_rule end_rules[KIND_COUNT][END_CAUSE_COUNT] = {
	[KIND_UNMANAGED] = {
		[END_APP_STOP] = { "stopped", HOP_APP, true, true },
		/* The new start replaces the old stream on the device: a stop could only hurt. */
		[END_TAKEOVER] = { "stopped", HOP_APP, false, false },
		[END_OPERATOR_STOP] = { "stopped", HOP_CLOUD, true, true },
		[END_APP_CLOSED] = { "stopped", HOP_APP, true, true },
		[END_DEVICE_STOPPED] = { "stopped", HOP_GLASSES, false, false },
		[END_DEVICE_ERROR] = { "stopped", HOP_GLASSES, false, false },
		[END_RECONNECT_FAILED] = { "stopped", HOP_GLASSES, false, false },
		[END_DEVICE_TIMEOUT] = { "timeout", HOP_GLASSES, false, false },
		[END_PHONE_LOST] = { "timeout", HOP_PHONE_LINK, false, true },
		/* G3: with the socket open the device gets no stop; its own 60 s end it. */
		[END_GLASSES_LOST] = { "timeout", HOP_GLASSES, false, true },
		[END_ACKS_MISSED] = { "timeout", HOP_GLASSES, false, true },
		[END_NEVER_STARTED] = { "timeout", HOP_GLASSES, true, true },
		[END_STALLED] = { "timeout", HOP_GLASSES, true, true },
		[END_SESSION_ENDED] = { "timeout", HOP_PHONE_LINK, true, true },
		[END_GATEWAY_LOST] = { "timeout", HOP_CLOUD, false, true },
		[END_DURATION_LIMIT] = { "stopped", HOP_CLOUD, true, true },
		[END_PROVIDER_ERROR] = { "stopped", HOP_PROVIDER, true, true },
		[END_RECORD_LOST] = { "stopped", HOP_CLOUD, true, true },
	},
	[KIND_MANAGED] = {
		[END_APP_STOP] = { "stopped", HOP_APP, true, true },
		[END_TAKEOVER] = { "stopped", HOP_APP, true, false },
		[END_OPERATOR_STOP] = { "stopped", HOP_CLOUD, true, true },
		[END_APP_CLOSED] = { "stopped", HOP_APP, true, true },
		[END_DEVICE_STOPPED] = { "stopped", HOP_GLASSES, true, false },
		[END_DEVICE_ERROR] = { "error", HOP_GLASSES, true, false },
		[END_RECONNECT_FAILED] = { "error", HOP_GLASSES, true, false },
		[END_DEVICE_TIMEOUT] = { "error", HOP_GLASSES, true, false },
		[END_PHONE_LOST] = { "error", HOP_PHONE_LINK, true, true },
		[END_GLASSES_LOST] = { "error", HOP_GLASSES, true, true },
		[END_ACKS_MISSED] = { "error", HOP_GLASSES, true, true },
		[END_NEVER_STARTED] = { "error", HOP_GLASSES, true, true },
		[END_STALLED] = { "error", HOP_GLASSES, true, true },
		[END_SESSION_ENDED] = { "error", HOP_PHONE_LINK, true, true },
		[END_GATEWAY_LOST] = { "error", HOP_CLOUD, true, true },
		[END_DURATION_LIMIT] = { "stopped", HOP_CLOUD, true, true },
		[END_PROVIDER_ERROR] = { "error", HOP_PROVIDER, true, true },
		[END_RECORD_LOST] = { "error", HOP_CLOUD, true, true },
	},
};

static const char *const app_words[PHASE_COUNT] = {
	[PHASE_REQUESTED] = "initializing",
	[PHASE_PROVISIONING] = "initializing",
	[PHASE_STARTING] = "initializing",
	[PHASE_LIVE] = "active",
	[PHASE_SUSPECT] = "active",
	[PHASE_STOPPING] = "stopping",
};
/* clang-format on */

enum phase phase_next(enum kind kind, enum phase phase, enum phase_trigger trigger)
{
	assert(kind < KIND_COUNT && phase < PHASE_COUNT && trigger < TRIGGER_COUNT);
	return transitions[kind][phase][trigger];
}

struct status_rule phase_status_rule(enum kind kind, enum device_status status)
{
	assert(kind < KIND_COUNT && status < DEVICE_STATUS_COUNT);
	return status_rules[kind][status];
}

const struct end_rule *phase_end_rule(enum kind kind, enum end_cause cause)
{
	assert(kind < KIND_COUNT && cause < END_CAUSE_COUNT && end_rules[kind][cause].word);
	return &end_rules[kind][cause];
}

const char *phase_app_word(enum phase phase)
{
	assert(phase < PHASE_COUNT && app_words[phase]);
	return app_words[phase];
}

bool phase_active(enum phase phase)
{
	return phase > PHASE_NONE && phase < PHASE_CLOSED;
}
