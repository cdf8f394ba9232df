/* SPDX-License-Identifier: MIT */
/* words.h - every enumeration that travels in a StreamEvent, with the word people see.
 *
 * W(NAME, number, word): numbers and words are never reused; 0 is "nothing" in each.
 */
#pragma once

#include <stdint.h>

#include "proto/text.h"

/* clang-format off */
#define ROLE_WORDS(W) \
	W(ROLE_NONE, 0, "none") \
	W(ROLE_REGISTRY, 1, "registry") \
	W(ROLE_SCHEDULER, 2, "lifecycle-scheduler") \
	W(ROLE_UNMANAGED, 3, "unmanaged-adapter") \
	W(ROLE_MANAGED, 4, "managed-adapter") \
	W(ROLE_GATEWAY, 5, "gateway") \
	W(ROLE_CONSOLE, 6, "console") \
	W(ROLE_OPERATOR, 7, "operator") \
	W(ROLE_PROVIDER, 8, "provider")

#define KIND_WORDS(W) \
	W(KIND_NONE, 0, "none") \
	W(KIND_UNMANAGED, 1, "unmanaged") \
	W(KIND_MANAGED, 2, "managed")

#define PHASE_WORDS(W) \
	W(PHASE_NONE, 0, "none") \
	W(PHASE_REQUESTED, 1, "requested") \
	W(PHASE_PROVISIONING, 2, "provisioning") \
	W(PHASE_STARTING, 3, "starting") \
	W(PHASE_LIVE, 4, "live") \
	W(PHASE_SUSPECT, 5, "suspect") \
	W(PHASE_STOPPING, 6, "stopping") \
	W(PHASE_CLOSED, 7, "closed")

#define LINK_WORDS(W) \
	W(LINK_NONE, 0, "none") \
	W(LINK_UP, 1, "up") \
	W(LINK_DOWN, 2, "down") \
	W(LINK_LOST, 3, "lost")

#define WIFI_WORDS(W) \
	W(WIFI_UNKNOWN, 0, "unknown") \
	W(WIFI_OFF, 1, "off") \
	W(WIFI_ON, 2, "on")

#define APP_STATE_WORDS(W) \
	W(APP_STOPPED, 0, "stopped") \
	W(APP_LOADING, 1, "loading") \
	W(APP_RUNNING, 2, "running") \
	W(APP_GRACE, 3, "grace") \
	W(APP_RESURRECTING, 4, "resurrecting") \
	W(APP_STOPPING, 5, "stopping")

#define APP_TYPE_WORDS(W) \
	W(APP_TYPE_NONE, 0, "none") \
	W(APP_TYPE_STANDARD, 1, "standard") \
	W(APP_TYPE_BACKGROUND, 2, "background") \
	W(APP_TYPE_DASHBOARD, 3, "system_dashboard")

#define DEVICE_STATUS_WORDS(W) \
	W(DEVICE_NONE, 0, "none") \
	W(DEVICE_INITIALIZING, 1, "initializing") \
	W(DEVICE_CONNECTING, 2, "connecting") \
	W(DEVICE_RECONNECTING, 3, "reconnecting") \
	W(DEVICE_STREAMING, 4, "streaming") \
	W(DEVICE_ACTIVE, 5, "active") \
	W(DEVICE_RECONNECTED, 6, "reconnected") \
	W(DEVICE_STOPPING, 7, "stopping") \
	W(DEVICE_STOPPED, 8, "stopped") \
	W(DEVICE_DISCONNECTED, 9, "disconnected") \
	W(DEVICE_TIMEOUT, 10, "timeout") \
	W(DEVICE_ERROR, 11, "error") \
	W(DEVICE_RECONNECT_FAILED, 12, "reconnect_failed") \
	W(DEVICE_OTHER, 13, "other")

/* Why a stream ended; docs/cloud-architecture/phases.md says what each one means. */
#define END_CAUSE_WORDS(W) \
	W(END_NONE, 0, "none") \
	W(END_APP_STOP, 1, "app_stop") \
	W(END_TAKEOVER, 2, "takeover") \
	W(END_OPERATOR_STOP, 3, "operator_stop") \
	W(END_APP_CLOSED, 4, "app_closed") \
	W(END_DEVICE_STOPPED, 5, "device_stopped") \
	W(END_DEVICE_ERROR, 6, "device_error") \
	W(END_RECONNECT_FAILED, 7, "reconnect_failed") \
	W(END_DEVICE_TIMEOUT, 8, "device_timeout") \
	W(END_PHONE_LOST, 9, "phone_lost") \
	W(END_GLASSES_LOST, 10, "glasses_lost") \
	W(END_ACKS_MISSED, 11, "acks_missed") \
	W(END_NEVER_STARTED, 12, "never_started") \
	W(END_STALLED, 13, "stalled") \
	W(END_SESSION_ENDED, 14, "session_ended") \
	W(END_GATEWAY_LOST, 15, "gateway_lost") \
	W(END_DURATION_LIMIT, 16, "duration_limit") \
	W(END_PROVIDER_ERROR, 17, "provider_error") \
	W(END_RECORD_LOST, 18, "record_lost")

/* What is wrong with a record of the registry's store. */
#define DAMAGE_WORDS(W) \
	W(DAMAGE_NONE, 0, "none") \
	W(DAMAGE_CHECK, 1, "check") \
	W(DAMAGE_FORM, 2, "unreadable")

/* What kind of record it was, by its key. */
#define BUCKET_WORDS(W) \
	W(BUCKET_NONE, 0, "none") \
	W(BUCKET_USER, 1, "user") \
	W(BUCKET_GATEWAY, 2, "gateway") \
	W(BUCKET_PEER, 3, "peer") \
	W(BUCKET_DEPLOYMENT, 4, "deployment")

#define HOP_WORDS(W) \
	W(HOP_NONE, 0, "none") \
	W(HOP_APP, 1, "app") \
	W(HOP_CLOUD, 2, "cloud") \
	W(HOP_PHONE_LINK, 3, "phone link") \
	W(HOP_GLASSES, 4, "glasses") \
	W(HOP_PROVIDER, 5, "provider") \
	W(HOP_OUTPUT, 6, "output")

#define HOOK_WORDS(W) \
	W(HOOK_NONE, 0, "none") \
	W(HOOK_SESSION, 1, "session_request") \
	W(HOOK_STOP, 2, "stop_request")

/* What the registry wants said on a glasses socket. */
#define NOTICE_WORDS(W) \
	W(NOTICE_NONE, 0, "none") \
	W(NOTICE_CONNECTION_ACK, 1, "connection_ack") \
	W(NOTICE_APP_STATE_CHANGE, 2, "app_state_change") \
	W(NOTICE_APP_STARTED, 3, "app_started") \
	W(NOTICE_APP_STOPPED, 4, "app_stopped")

/* How a device or an app took a delivery. */
#define OUTCOME_WORDS(W) \
	W(OUTCOME_NONE, 0, "none") \
	W(OUTCOME_SENT, 1, "sent") \
	W(OUTCOME_FENCED, 2, "fenced") \
	W(OUTCOME_NO_LINK, 3, "no_link") \
	W(OUTCOME_DROPPED, 4, "dropped") \
	W(OUTCOME_OVERTAKEN, 5, "overtaken") \
	W(OUTCOME_GIVEN_UP, 6, "given_up")

/* Timers whose expiry the scheduler reports to the registry. */
#define TIMER_WORDS(W) \
	W(TIMER_NONE, 0, "none") \
	W(TIMER_SESSION_GRACE, 1, "session_grace") \
	W(TIMER_APP_GRACE, 2, "app_grace") \
	W(TIMER_APP_CONNECT, 3, "app_connect") \
	W(TIMER_START_DEADLINE, 4, "start_deadline") \
	W(TIMER_STOP_DEADLINE, 5, "stop_deadline") \
	W(TIMER_GATEWAY_LEASE, 6, "gateway_lease") \
	W(TIMER_DURATION, 7, "duration")

/* Answers to requests.  RESULT_OK is 1: a result that was never set is no success. */
#define RESULT_WORDS(W) \
	W(RESULT_NONE, 0, "none") \
	W(RESULT_OK, 1, "ok") \
	W(RESULT_NOT_FOUND, 2, "not_found") \
	W(RESULT_NO_SESSION, 3, "no_session") \
	W(RESULT_BAD_KEY, 4, "bad_key") \
	W(RESULT_APP_NOT_STARTED, 5, "app_not_started") \
	W(RESULT_APP_NOT_RUNNING, 6, "app_not_running") \
	W(RESULT_NO_LINK, 7, "no_link") \
	W(RESULT_CONFLICT, 8, "conflict") \
	W(RESULT_STALE, 9, "stale") \
	W(RESULT_FULL, 10, "full") \
	W(RESULT_EXPIRED, 11, "expired") \
	W(RESULT_REFUSED, 12, "refused") \
	W(RESULT_FAILED, 13, "failed") \
	W(RESULT_NO_STORAGE, 14, "no_storage") \
	W(RESULT_NOT_VIEWER, 15, "not_viewer") \
	W(RESULT_NOT_OWNER, 16, "not_owner") \
	W(RESULT_DUPLICATE, 17, "duplicate") \
	W(RESULT_LIMIT, 18, "limit") \
	W(RESULT_APP_LIMIT, 19, "app_limit") \
	W(RESULT_BAD_URL, 20, "bad_url")

#define PROVIDER_WORDS(W) \
	W(PROVIDER_NONE, 0, "none") \
	W(PROVIDER_LOCAL, 1, "local") \
	W(PROVIDER_CLOUDFLARE, 2, "cloudflare")

/* What is known of the input that a managed stream has at its provider. */
#define INPUT_STATE_WORDS(W) \
	W(INPUT_NONE, 0, "none") \
	W(INPUT_WANTED, 1, "wanted") \
	W(INPUT_READY, 2, "ready") \
	W(INPUT_OWED, 3, "delete_owed") \
	W(INPUT_GONE, 4, "gone")

/* What the provider says of the picture that reaches it. */
#define INGEST_WORDS(W) \
	W(INGEST_UNKNOWN, 0, "unknown") \
	W(INGEST_IDLE, 1, "idle") \
	W(INGEST_LIVE, 2, "live") \
	W(INGEST_LOST, 3, "lost") \
	W(INGEST_ENDED, 4, "ended") \
	W(INGEST_FAILED, 5, "failed")

/* How far the way to the viewers is known to work; overdue: the deadline passed without it. */
#define PLAYBACK_WORDS(W) \
	W(PLAYBACK_UNKNOWN, 0, "unknown") \
	W(PLAYBACK_DETAILS, 1, "details") \
	W(PLAYBACK_LIVE, 2, "live") \
	W(PLAYBACK_OVERDUE, 3, "overdue")

#define VIEWER_WORDS(W) \
	W(VIEWER_NONE, 0, "none") \
	W(VIEWER_WATCHING, 1, "watching") \
	W(VIEWER_OWED, 2, "told_owed")

/* new and removing: the provider must still be told. */
#define OUTPUT_STATE_WORDS(W) \
	W(OUTPUT_NONE, 0, "none") \
	W(OUTPUT_NEW, 1, "new") \
	W(OUTPUT_IDLE, 2, "idle") \
	W(OUTPUT_ACTIVE, 3, "active") \
	W(OUTPUT_ERROR, 4, "error") \
	W(OUTPUT_REFUSED, 5, "refused") \
	W(OUTPUT_REMOVING, 6, "removing") \
	W(OUTPUT_REMOVED, 7, "removed")

/* How a call to a provider went.  retry: no effect, later; unknown: it may have had one. */
#define CALL_OUTCOME_WORDS(W) \
	W(CALL_NONE, 0, "none") \
	W(CALL_OK, 1, "ok") \
	W(CALL_GONE, 2, "gone") \
	W(CALL_RETRY, 3, "retry") \
	W(CALL_REFUSED, 4, "refused") \
	W(CALL_UNKNOWN, 5, "unknown") \
	W(CALL_UNCONFIGURED, 6, "unconfigured")
/* clang-format on */

#define WORD_ENUM(NAME, number, word) NAME = number,
#define WORD_COUNT(NAME, number, word) +1

enum role { ROLE_WORDS(WORD_ENUM) };
enum kind { KIND_WORDS(WORD_ENUM) };
enum phase { PHASE_WORDS(WORD_ENUM) };
enum link_state { LINK_WORDS(WORD_ENUM) };
enum wifi { WIFI_WORDS(WORD_ENUM) };
enum app_state { APP_STATE_WORDS(WORD_ENUM) };
enum app_type { APP_TYPE_WORDS(WORD_ENUM) };
enum device_status { DEVICE_STATUS_WORDS(WORD_ENUM) };
enum end_cause { END_CAUSE_WORDS(WORD_ENUM) };
enum hop { HOP_WORDS(WORD_ENUM) };
enum hook { HOOK_WORDS(WORD_ENUM) };
enum notice { NOTICE_WORDS(WORD_ENUM) };
enum outcome { OUTCOME_WORDS(WORD_ENUM) };
enum timer { TIMER_WORDS(WORD_ENUM) };
enum result { RESULT_WORDS(WORD_ENUM) };
enum provider_kind { PROVIDER_WORDS(WORD_ENUM) };
enum input_state { INPUT_STATE_WORDS(WORD_ENUM) };
enum ingest { INGEST_WORDS(WORD_ENUM) };
enum playback { PLAYBACK_WORDS(WORD_ENUM) };
enum viewer { VIEWER_WORDS(WORD_ENUM) };
enum output_state { OUTPUT_STATE_WORDS(WORD_ENUM) };
enum call_outcome { CALL_OUTCOME_WORDS(WORD_ENUM) };
enum damage { DAMAGE_WORDS(WORD_ENUM) };
enum bucket { BUCKET_WORDS(WORD_ENUM) };

/* Not part of the enumerations, so that a switch needs no case for them. */
#define ROLE_COUNT (0 ROLE_WORDS(WORD_COUNT))
#define KIND_COUNT (0 KIND_WORDS(WORD_COUNT))
#define PHASE_COUNT (0 PHASE_WORDS(WORD_COUNT))
#define LINK_COUNT (0 LINK_WORDS(WORD_COUNT))
#define WIFI_COUNT (0 WIFI_WORDS(WORD_COUNT))
#define APP_STATE_COUNT (0 APP_STATE_WORDS(WORD_COUNT))
#define APP_TYPE_COUNT (0 APP_TYPE_WORDS(WORD_COUNT))
#define DEVICE_STATUS_COUNT (0 DEVICE_STATUS_WORDS(WORD_COUNT))
#define END_CAUSE_COUNT (0 END_CAUSE_WORDS(WORD_COUNT))
#define HOP_COUNT (0 HOP_WORDS(WORD_COUNT))
#define HOOK_COUNT (0 HOOK_WORDS(WORD_COUNT))
#define NOTICE_COUNT (0 NOTICE_WORDS(WORD_COUNT))
#define OUTCOME_COUNT (0 OUTCOME_WORDS(WORD_COUNT))
#define TIMER_COUNT (0 TIMER_WORDS(WORD_COUNT))
#define RESULT_COUNT (0 RESULT_WORDS(WORD_COUNT))
#define PROVIDER_COUNT (0 PROVIDER_WORDS(WORD_COUNT))
#define INPUT_STATE_COUNT (0 INPUT_STATE_WORDS(WORD_COUNT))
#define INGEST_COUNT (0 INGEST_WORDS(WORD_COUNT))
#define PLAYBACK_COUNT (0 PLAYBACK_WORDS(WORD_COUNT))
#define VIEWER_COUNT (0 VIEWER_WORDS(WORD_COUNT))
#define OUTPUT_STATE_COUNT (0 OUTPUT_STATE_WORDS(WORD_COUNT))
#define CALL_OUTCOME_COUNT (0 CALL_OUTCOME_WORDS(WORD_COUNT))
#define DAMAGE_COUNT (0 DAMAGE_WORDS(WORD_COUNT))
#define BUCKET_COUNT (0 BUCKET_WORDS(WORD_COUNT))

struct words {
	const char *const *names;
	uint32_t count;
};

extern const struct words role_words, kind_words, phase_words, link_words, wifi_words,
	app_state_words, app_type_words, device_status_words, end_cause_words, hop_words,
	hook_words, notice_words, outcome_words, timer_words, result_words, provider_words,
	input_state_words, ingest_words, playback_words, viewer_words, output_state_words,
	call_outcome_words, damage_words, bucket_words;

/* words_name() - the word for @value; "?" if this build does not know it. */
const char *words_name(const struct words *words, uint32_t value);

/* words_find() - the number of @word, or @otherwise. */
uint32_t words_find(const struct words *words, struct text word, uint32_t otherwise);
