/* SPDX-License-Identifier: MIT */
/* gateway_ws_clock.c - pings, pong deadlines, lingering closes and handshakes, on one timer.
 *
 * Everything in a list waits equally long, so appending keeps it in order: no heap, no timer of the
 * loop per connection.
 */
#include "actors/gateway/gateway_ws_internal.h"
#include "common/log.h"

#define STALL_MS 1000 /* woken so much too late, we were not able to hear anybody */
#define BATCH_MAX 512 /* expiries in a row, so that messages are not held up */

static struct ws_node *node_of(struct gateway_ws *ws, enum ws_clock clock, uint32_t slot)
{
	switch (clock) {
	case WS_HANDSHAKE:
		return &ws->visits[slot].node;
	case WS_PONG:
		return &ws->conns[slot].pong;
	case WS_LINGER:
		return &ws->conns[slot].linger;
	case WS_PING_GLASSES:
	case WS_PING_APP:
	case WS_CLOCKS:
		break;
	}
	return &ws->conns[slot].ping;
}

static int64_t first_due(struct gateway_ws *ws, enum ws_clock clock)
{
	uint32_t slot = ws->clocks[clock].first;
	int64_t due_ms;

	if (slot == WS_NONE)
		return INT64_MAX;
	due_ms = node_of(ws, clock, slot)->due_ms;
	/* What came in while we could not listen is still to be read. */
	if ((clock == WS_PONG || clock == WS_HANDSHAKE) && due_ms < ws->blind_until_ms)
		return ws->blind_until_ms;
	return due_ms;
}

static void arm(struct gateway_ws *ws, int64_t due_ms)
{
	int64_t left_ms = due_ms - gateway_ws_now_ms();

	if (due_ms >= ws->armed_ms)
		return;
	ws->armed_ms = due_ms;
	ev_timer_stop(ws->options.loop, &ws->timer);
	/* The loop's clock was read when it woke. */
	ev_now_update(ws->options.loop);
	ev_timer_set(&ws->timer, left_ms > 0 ? (double)left_ms / 1000 : 0, 0);
	ev_timer_start(ws->options.loop, &ws->timer);
}

void gateway_ws_clock_set(struct gateway_ws *ws, enum ws_clock clock, uint32_t slot, int64_t due_ms)
{
	struct ws_queue *queue = &ws->clocks[clock];
	struct ws_node *node = node_of(ws, clock, slot);

	gateway_ws_clock_clear(ws, clock, slot);
	*node = (struct ws_node){ WS_NONE, queue->last, due_ms };
	if (queue->last == WS_NONE)
		queue->first = slot;
	else
		node_of(ws, clock, queue->last)->next = slot;
	queue->last = slot;
	if (queue->first == slot)
		arm(ws, first_due(ws, clock));
}

void gateway_ws_clock_clear(struct gateway_ws *ws, enum ws_clock clock, uint32_t slot)
{
	struct ws_queue *queue = &ws->clocks[clock];
	struct ws_node *node = node_of(ws, clock, slot);

	if (node->due_ms == 0)
		return;
	if (node->previous == WS_NONE)
		queue->first = node->next;
	else
		node_of(ws, clock, node->previous)->next = node->next;
	if (node->next == WS_NONE)
		queue->last = node->previous;
	else
		node_of(ws, clock, node->next)->previous = node->previous;
	*node = (struct ws_node){ 0 };
}

static void expired(struct gateway_ws *ws, enum ws_clock clock, uint32_t slot)
{
	struct conn *conn = &ws->conns[slot];

	switch (clock) {
	case WS_PING_GLASSES:
	case WS_PING_APP:
		gateway_ws_conn_ping(ws, conn);
		return;
	case WS_PONG:
		gateway_ws_count(ws, "gateway.pongs_missed");
		gateway_ws_conn_lose(ws, conn, 1001, TEXT("Ping timeout - no pong received"));
		return;
	case WS_LINGER:
		gateway_ws_kill(conn->wsi);
		return;
	case WS_HANDSHAKE:
		gateway_ws_visit_expired(ws, &ws->visits[slot]);
		return;
	case WS_CLOCKS:
		return;
	}
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct gateway_ws *ws = timer->data;
	int64_t now_ms = gateway_ws_now_ms(), next_ms = INT64_MAX;
	unsigned budget = BATCH_MAX;

	(void)loop;
	(void)events;
	if (now_ms - ws->armed_ms > STALL_MS) {
		ws->blind_until_ms = now_ms + ws->options.glasses_ping_ms;
		log_limited("gateway.stalled", log_i64("for_ms", now_ms - ws->armed_ms));
	}
	ws->armed_ms = INT64_MAX;
	for (enum ws_clock clock = 0; clock < WS_CLOCKS; clock++)
		while (budget > 0 && first_due(ws, clock) <= now_ms) {
			uint32_t slot = ws->clocks[clock].first;

			budget--;
			gateway_ws_clock_clear(ws, clock, slot);
			expired(ws, clock, slot);
		}
	for (enum ws_clock clock = 0; clock < WS_CLOCKS; clock++) {
		int64_t due_ms = first_due(ws, clock);

		next_ms = due_ms < next_ms ? due_ms : next_ms;
	}
	if (next_ms != INT64_MAX)
		arm(ws, next_ms);
}

static void on_telling(struct ev_loop *loop, struct ev_idle *idle, int events)
{
	(void)events;
	ev_idle_stop(loop, idle);
	gateway_ws_tell_lost(idle->data);
}

void gateway_ws_clock_init(struct gateway_ws *ws)
{
	for (int i = 0; i < WS_CLOCKS; i++)
		ws->clocks[i] = (struct ws_queue){ WS_NONE, WS_NONE };
	ws->armed_ms = INT64_MAX;
	ev_timer_init(&ws->timer, on_timer, 0, 0);
	ws->timer.data = ws;
	ev_idle_init(&ws->telling, on_telling);
	ws->telling.data = ws;
}

void gateway_ws_clock_fini(struct gateway_ws *ws)
{
	ev_timer_stop(ws->options.loop, &ws->timer);
	ev_idle_stop(ws->options.loop, &ws->telling);
}
