/* SPDX-License-Identifier: MIT */
/* weir.pml - takeover, fencing and the durable outbox, for one user.
 *
 * Two streams, two sockets of the glasses at two gateways, a registry that may crash.  What each
 * process stands for, and what is left out, is in README.md.  Names in #ifdef are mutations: each
 * takes one protection away, and an assertion must notice (./run).
 */

#ifndef FAULTS
#define FAULTS 2 /* at most so many of those below, in any order, each at most once */
#endif
#define CRASH 1 /* of the registry */
#define LOSS 2 /* of the connection from the adapter to a gateway */
#define MOVE 4 /* the glasses lose their socket and open another one elsewhere */
#define SLOW 8 /* a deadline runs out though nothing is lost */
#define QUIT 16 /* the glasses end a stream by themselves */
#define TWICE 32 /* an order comes a second time: from the other adapter, or an old connection */
#define DEPTH 2
#define ROUNDS_MAX 8 /* looks at what is owed until nothing is */

#define STREAMS 2 /* numbered by their epochs; 0 is none */
#define LINKS 2 /* the newer has the higher number; gateway n holds link n; 0 is none */
#define ADAPTER 0 /* as a client of the registry; the others are the gateways */
#define NOBODY 3

#define WATCH 1 /* request: an app wants a managed stream */
#define START 2 /* request: another app wants an unmanaged one */
#define LEAVE 3 /* request: the first app wants its stream to end */
#define REQUESTS 3
#define REFUSED 7 /* an answer; any other one is the stream */

mtype = { FREE, REQUESTED, STARTING, LIVE, STOPPING, CLOSED } /* phases */
mtype = { TAKEOVER, APP_STOP, DEVICE_STOPPED, DEADLINE, MISSED } /* why a stream ends */
mtype = { OPEN, CLOSE, LINK_UP, LINK_DOWN, TOLD_START, TOLD_STOP, SAYS_LIVE, SAYS_STOPPING,
	  SAYS_STOPPED } /* what the registry is told */
mtype = { DO_START, DO_STOP } /* what the glasses are told */

typedef registry_state {
	mtype phase[STREAMS + 1];
	byte request[STREAMS + 1]; /* that opened it */
	bit delivered[STREAMS + 1]; /* its start */
	bit stop_owed[STREAMS + 1];
	bit stop_first[STREAMS + 1]; /* it was taken over while its glasses were there */
	byte newest; /* epoch */
	byte link;
	bit up;
	byte answer[REQUESTS + 1];
	bit taken[LINKS + 1]; /* what this client has sent first and still keeps was handled */
};
registry_state memory; /* of the process: gone when it crashes */
registry_state store; /* what was committed */

/* The story, as the adapter and the scheduler follow it, is what was committed. */
#ifdef STORY_BEFORE_COMMIT
#define STORY memory
#else
#define STORY store
#endif

chan ring[LINKS + 1] = [DEPTH] of { mtype, byte }; /* what clients keep until it is acknowledged */
chan answers = [DEPTH] of { byte, byte }; /* of a request; what was answered is acknowledged */
chan orders[LINKS + 1] = [DEPTH] of { mtype, byte }; /* adapter to gateway */
chan late = [1] of { byte, mtype, byte }; /* the same, from a connection that is no more */
chan words[LINKS + 1] = [DEPTH] of { mtype, byte }; /* glasses to gateway */
chan expired = [1] of { byte, mtype }; /* scheduler to registry: stream, the phase it watched */

bit socket_open[LINKS + 1]; /* as far as its gateway knows */
byte fence_epoch[LINKS + 1]; /* what this socket was last told of */
bit fence_stopped[LINKS + 1];

byte device_link = 1, device_runs, device_started, device_started_on;
bit device_quits; /* it has said that it stops */

bit asked[REQUESTS + 1], waits[REQUESTS + 1], again[REQUESTS + 1];
byte told[REQUESTS + 1]; /* what the app was answered */
bit start_said[STREAMS + 1], stop_said[STREAMS + 1]; /* to said_link */
byte said_link;

byte faults = FAULTS, had; /* left; which there were */
bit disturbed; /* something was lost that only somebody's timer mends */

#ifndef LEAVES
#define LEAVES 1
#endif
#ifndef KINDS
#define KINDS 63
#endif
#define may_fail(kind) (faults > 0 && !(had & kind) && (KINDS & kind))
#define active(s, n) (s.phase[n] != FREE && s.phase[n] != CLOSED)
#define active_of(s) (active(s, 2) -> 2 : (active(s, 1) -> 1 : 0))
#define managed(s, n) (s.request[n] == WATCH)
#define reset2(array) array[1] = 0; array[2] = 0

inline fail(kind)
{
	faults--;
	had = had | kind
}

/* registry: actors/registry, behind common/inbox and common/outbox -------------------------- */

inline end_stream(n, why)
{
	assert(active(memory, n));
	reset2(memory.stop_owed);
	memory.phase[n] = CLOSED;
	memory.stop_owed[n] = (why == TAKEOVER -> managed(memory, n) && memory.up :
		(why == DEVICE_STOPPED -> managed(memory, n) && memory.up :
		(why == MISSED -> managed(memory, n) || !memory.up : 1)));
	memory.stop_first[n] = (why == TAKEOVER && memory.stop_owed[n]);
	story = 1
}

inline open_stream(r)
{
	n = active_of(memory);
	if
	:: !memory.up || (r == WATCH && n != 0) -> answer = REFUSED; memory.answer[r] = REFUSED
	:: else ->
		if
		:: n != 0 -> end_stream(n, TAKEOVER)
		:: else -> reset2(memory.stop_owed)
		fi;
		assert(memory.newest < STREAMS); /* a request has more than one effect */
		memory.newest++;
		memory.phase[memory.newest] = REQUESTED;
		memory.request[memory.newest] = r;
		memory.answer[r] = memory.newest;
		answer = memory.newest;
		story = 1
	fi
}

inline close_stream(named)
{
#ifdef NO_CLOSE_EPOCH
	n = active_of(memory);
#else
	n = named;
#endif
	if
	:: n != 0 && active(memory, n) ->
		assert(memory.request[n] == WATCH); /* it is another app's */
		end_stream(n, APP_STOP);
		memory.answer[LEAVE] = n;
		answer = n
	:: else -> answer = REFUSED; memory.answer[LEAVE] = REFUSED
	fi
}

inline change_link(is_up)
{
#ifndef STOP_ON_ANY_SOCKET
	if
	:: active_of(memory) != 0 -> reset2(memory.stop_owed)
	:: else
	fi;
#endif
	memory.up = is_up;
	story = 1
}

inline on_status(l, word, n)
{
	if
	:: word == SAYS_STOPPED -> end_stream(n, DEVICE_STOPPED)
	:: word == SAYS_STOPPING && memory.up && memory.link != l
	:: else ->
		memory.phase[n] = (word == SAYS_LIVE -> LIVE : STOPPING);
		memory.delivered[n] = 1;
		reset2(memory.stop_owed);
		story = 1
	fi
}

inline on_fact(l)
{
	if
	:: what == LINK_UP ->
		if
#ifndef OLD_LINK_WINS
		:: memory.up && l < memory.link
#endif
		:: else -> memory.link = l; change_link(1)
		fi
	:: what == LINK_DOWN ->
		if
#ifndef NO_LINK_FENCE
		:: !memory.up || memory.link != l
#endif
		:: else -> change_link(0)
		fi
	:: what == TOLD_STOP ->
		if
		:: memory.stop_owed[arg] -> memory.stop_owed[arg] = 0; story = 1
		:: else
		fi
	:: what == TOLD_START ->
		if
		:: memory.phase[arg] == REQUESTED ->
			memory.phase[arg] = STARTING;
			memory.delivered[arg] = 1;
			reset2(memory.stop_owed);
			story = 1
		:: else
		fi
	:: else ->
		if
		:: active(memory, arg) -> on_status(l, what, arg)
		:: else
		fi
	fi
}

inline on_request()
{
	r = (what == OPEN -> arg : LEAVE);
	if
	:: memory.answer[r] != 0 -> answer = memory.answer[r]
	:: else ->
		if
		:: what == OPEN -> open_stream(r)
		:: else -> close_stream(arg)
		fi
	fi;
#ifdef REPLY_BEFORE_COMMIT
	answers!r, answer;
	answer = 0
#endif
}

#ifdef NO_TIMER_FENCE
#define is_watched(n, watched) true
#else
#define is_watched(n, watched) (memory.phase[n] == watched)
#endif

inline on_expired(n, watched)
{
	if
	:: active(memory, n) && is_watched(n, watched) ->
		assert(watched == LIVE || memory.phase[n] != LIVE); /* it has given a sign of life */
		end_stream(n, (watched == LIVE -> MISSED : DEADLINE))
	:: else
	fi
}

/* The client forgets what it kept first. */
inline acknowledge(c)
{
	ring[c]?_, _;
	memory.taken[c] = 0;
	store.taken[c] = 0
}

inline take(c)
{
	client = c;
	ring[c]?<what, arg>;
	memory.taken[c] = 1;
	if
	:: c == ADAPTER -> on_request()
	:: else -> on_fact(c)
	fi;
#ifdef ACK_BEFORE_COMMIT
	if
	:: c != ADAPTER -> acknowledge(c); client = NOBODY
	:: else
	fi
#endif
}

/* Answers are read back from the story, and a refusal leaves none. */
#define storable(answer) (answer == REFUSED -> 0 : answer)

inline copy_state(to, from)
{
	to.phase[1] = from.phase[1];
	to.phase[2] = from.phase[2];
	to.request[1] = from.request[1];
	to.request[2] = from.request[2];
	to.delivered[1] = from.delivered[1];
	to.delivered[2] = from.delivered[2];
	to.stop_owed[1] = from.stop_owed[1];
	to.stop_owed[2] = from.stop_owed[2];
	to.stop_first[1] = from.stop_first[1];
	to.stop_first[2] = from.stop_first[2];
	to.newest = from.newest;
	to.link = from.link;
	to.up = from.up;
	to.answer[WATCH] = storable(from.answer[WATCH]);
	to.answer[START] = storable(from.answer[START]);
	to.answer[LEAVE] = storable(from.answer[LEAVE]);
	to.taken[ADAPTER] = from.taken[ADAPTER];
	to.taken[1] = from.taken[1];
	to.taken[2] = from.taken[2]
}

/* What the next life counts as handled is forgotten by its client: the welcome says so. */
inline welcome(c)
{
	if
	:: store.taken[c] -> acknowledge(c)
	:: else
	fi
}

/* Connections end with the process: what is on its way is lost, and clients say again what they
 * keep; the adapter asks again what was not answered, and looks at all that is owed.
 */
inline crash()
{
	fail(CRASH);
	do
	:: len(answers) > 0 -> answers?_, _
	:: else -> break
	od;
	do
	:: len(expired) > 0 -> expired?_, _
	:: else -> break
	od;
#ifdef NO_ANSWERS_KEPT
	store.answer[WATCH] = 0;
	store.answer[START] = 0;
	store.answer[LEAVE] = 0;
#endif
	copy_state(memory, store);
	welcome(ADAPTER);
	welcome(1);
	welcome(2);
	again[WATCH] = waits[WATCH];
	again[START] = waits[START];
	again[LEAVE] = waits[LEAVE];
	reset2(start_said);
	reset2(stop_said)
}

#define commit() \
	if \
	:: story -> d_step { copy_state(store, memory) } \
	:: else \
	fi

inline release()
{
	if
	:: answer != 0 -> answers!r, answer
	:: answer == 0 && (client == 1 || client == 2) -> acknowledge(client)
	:: else
	fi
}

inline forget()
{
	client = 0;
	n = 0;
	r = 0;
	arg = 0;
	answer = 0;
	what = 0;
	story = 0
}

proctype registry()
{
	byte client, n, r, arg, answer;
	mtype what;
	bit story;

end_serve:
	do
	:: atomic {
		if
		:: !memory.taken[ADAPTER] && nempty(ring[ADAPTER]) -> take(ADAPTER)
		:: !memory.taken[1] && nempty(ring[1]) -> take(1)
		:: !memory.taken[2] && nempty(ring[2]) -> take(2)
		:: expired?n, what -> client = NOBODY; on_expired(n, what)
		:: may_fail(CRASH) -> crash(); goto end_serve
		fi;
		if
		:: may_fail(CRASH) -> goto busy
		:: else -> commit(); release(); forget(); goto end_serve
		fi
	   };
busy:	   if
	   :: atomic { may_fail(CRASH) -> crash(); forget() }
	   :: atomic { commit();
		if
		:: may_fail(CRASH) -> crash()
		:: release()
		fi;
		forget() }
	   fi
	od
}

/* adapter: actors/unmanaged-adapter, actors/managed-adapter, common/asks, common/uplink ------- */

inline ask(r, fact, value)
{
	asked[r] = 1;
	waits[r] = 1;
	ring[ADAPTER]!fact, value
}

inline ask_again(r, fact, value)
{
	if
	:: waits[r] -> ring[ADAPTER]!fact, value
	:: else
	fi;
	again[r] = 0
}

inline take_answer()
{
	answers?r, answer;
	acknowledge(ADAPTER);
	if
	:: waits[r] ->
		assert(answer == REFUSED || store.answer[r] == answer); /* store, then speak */
		told[r] = answer;
		waits[r] = 0
	:: else
	fi;
	r = 0;
	answer = 0
}

inline say_stop(n)
{
	orders[said_link]!DO_STOP, n;
	stop_said[n] = 1
}

/* Older stops come first: behind the start they would be fenced. */
inline say_start(n)
{
#ifdef STOP_AFTER_START
	orders[said_link]!DO_START, n;
#endif
	if
	:: n == 2 && STORY.stop_owed[1] -> say_stop(1)
	:: else
	fi;
#ifndef STOP_AFTER_START
	orders[said_link]!DO_START, n;
#endif
	start_said[n] = 1
}

#define start_owed(n) (active(STORY, n) && !STORY.delivered[n])
#define may_ask(r) (!asked[r] && STORY.up && nfull(ring[ADAPTER]))
#define may_say (STORY.up && said_link == STORY.link)

proctype adapter()
{
	byte r, answer;

end_follow:
	do
	:: atomic { may_ask(WATCH) -> ask(WATCH, OPEN, WATCH) }
	:: atomic { may_ask(START) -> ask(START, OPEN, START) }
	:: atomic { LEAVES && may_ask(LEAVE) && told[WATCH] != 0 && told[WATCH] != REFUSED -> ask(LEAVE, CLOSE, told[WATCH]) }
	:: atomic { again[WATCH] && nfull(ring[ADAPTER]) -> ask_again(WATCH, OPEN, WATCH) }
	:: atomic { again[START] && nfull(ring[ADAPTER]) -> ask_again(START, OPEN, START) }
	:: atomic { again[LEAVE] && nfull(ring[ADAPTER]) -> ask_again(LEAVE, CLOSE, told[WATCH]) }
	:: atomic { nempty(answers) -> take_answer() }
	:: atomic { STORY.link != said_link -> said_link = STORY.link; reset2(start_said); reset2(stop_said) }
	:: atomic { may_say && STORY.stop_owed[1] && !stop_said[1] && nfull(orders[said_link]) -> say_stop(1) }
	:: atomic { may_say && STORY.stop_owed[2] && !stop_said[2] && nfull(orders[said_link]) -> say_stop(2) }
	:: atomic { may_say && start_owed(1) && !start_said[1] && nfull(orders[said_link]) -> say_start(1) }
	:: atomic { may_say && start_owed(2) && !start_said[2] &&
		    len(orders[said_link]) + STORY.stop_owed[1] < DEPTH -> say_start(2) }
	od
}

/* gateways and glasses: actors/gateway/gateway_glasses.c -------------------------------------- */

inline device_start(n)
{
	if
	:: device_link == g ->
		assert(n >= device_started); /* nothing older after something newer */
		/* protocol.md G9: a managed stream that is taken over is stopped before. */
		assert(device_runs == 0 || device_runs == n || !store.stop_first[device_runs] ||
		       device_started_on != g);
		device_runs = n;
		device_started = n;
		device_started_on = g;
		device_quits = 0;
		words[g]!SAYS_LIVE, n
	:: else /* into a socket that is dead */
	fi
}

inline device_stop(n)
{
	if
	:: device_link == g ->
		assert(device_runs == 0 || !active(store, device_runs)); /* it stops whatever runs */
		if
		:: device_runs != 0 -> words[g]!SAYS_STOPPED, device_runs
		:: else
		fi;
		device_runs = 0;
		device_quits = 0
	:: else
	fi
}

inline start_device(n)
{
	if
	:: fence_epoch[g] == n && !fence_stopped[g] -> ring[g]!TOLD_START, n /* already */
#ifndef NO_START_FENCE
	:: fence_epoch[g] > n || (fence_epoch[g] == n && fence_stopped[g])
#endif
	:: else ->
		fence_epoch[g] = n;
		fence_stopped[g] = 0;
		device_start(n);
		ring[g]!TOLD_START, n
	fi
}

#ifdef NO_EPOCH_FENCE
#define stop_passes(n) true
#else
#define stop_passes(n) (n > fence_epoch[g] || (n == fence_epoch[g] && !fence_stopped[g]))
#endif

inline stop_device(n)
{
	if
	:: fence_stopped[g] && fence_epoch[g] == n /* already */
	:: else ->
		if
		:: stop_passes(n) ->
			fence_epoch[g] = (n > fence_epoch[g] -> n : fence_epoch[g]);
			fence_stopped[g] = 1;
			device_stop(n)
		:: else
		fi
	fi;
	ring[g]!TOLD_STOP, n
}

inline carry_out()
{
	if
	:: !socket_open[g]
	:: else ->
		if
		:: order == DO_START -> start_device(stream)
		:: else -> stop_device(stream)
		fi
	fi;
	order = 0;
	stream = 0
}

inline maybe_twice()
{
	if
	:: may_fail(TWICE) && empty(late) -> fail(TWICE); late!g, order, stream
	:: true
	fi
}

inline close_socket()
{
	socket_open[g] = 0;
	do
	:: len(words[g]) > 0 -> words[g]?_, _
	:: else -> break
	od;
	ring[g]!LINK_DOWN, 0
}

#define room (nfull(ring[g]) && nfull(words[g]))

proctype gateway(byte g)
{
	mtype order;
	byte stream;

end_serve:
	do
	:: atomic { room && nempty(orders[g]) -> orders[g]?order, stream; maybe_twice(); carry_out() }
	:: atomic { room && late?[eval(g), order, stream] -> late?eval(g), order, stream; carry_out() }
	:: atomic { nfull(ring[g]) && nempty(words[g]) -> words[g]?order, stream; ring[g]!order, stream;
		    order = 0; stream = 0 }
	:: atomic { nfull(ring[g]) && socket_open[g] && device_link != g -> close_socket() }
	od
}

proctype glasses()
{
end_live:
	do
	:: atomic { may_fail(MOVE) -> fail(MOVE); disturbed = 1; device_link++;
		    socket_open[device_link] = 1; ring[device_link]!LINK_UP, 0 }
	:: atomic { may_fail(QUIT) && device_runs != 0 && nfull(words[device_link]) ->
		    fail(QUIT); device_quits = 1; words[device_link]!SAYS_STOPPING, device_runs }
	:: atomic { device_quits && nfull(words[device_link]) ->
		    words[device_link]!SAYS_STOPPED, device_runs; device_quits = 0; device_runs = 0 }
	od
}

/* network: what a connection of the adapter to a gateway leaves behind ------------------------ */

inline lose(g)
{
	fail(LOSS);
	disturbed = 1;
	if
	:: empty(late) -> orders[g]?order, stream; late!g, order, stream
	:: true
	fi;
	do
	:: len(orders[g]) > 0 -> orders[g]?_, _
	:: else -> break
	od;
	order = 0;
	stream = 0
}

proctype network()
{
	mtype order;
	byte stream;

end_fine:
	do
	:: atomic { may_fail(LOSS) && nempty(orders[1]) -> lose(1) }
	:: atomic { may_fail(LOSS) && nempty(orders[2]) -> lose(2) }
	od
}

/* clock: actors/lifecycle-scheduler, and whatever else waits ----------------------------------- */

#define owed (start_owed(1) || start_owed(2) || STORY.stop_owed[1] || STORY.stop_owed[2])
#define waiting(n) (active(STORY, n) && STORY.phase[n] != LIVE)
#define settled(r) (asked[r] && !waits[r] && told[r] != 0)
/* What was accepted is there once, and nothing else is. */
#define effects(r) ((store.request[1] == r) + (store.request[2] == r))
#define kept(r) (effects(r) == (told[r] != REFUSED))

inline assert_clean()
{
	assert(empty(ring[ADAPTER]) && empty(ring[1]) && empty(ring[2]) && empty(answers));
	assert(store.link == device_link && store.up);
	assert(!active(store, 1) || !active(store, 2));
	assert(!waiting(1) && !waiting(2));
	assert(device_runs == active_of(store));
	assert(settled(WATCH) && settled(START) && !waits[LEAVE]);
	assert(kept(WATCH) && kept(START));
	assert(told[LEAVE] == 0 || told[LEAVE] == REFUSED || store.phase[told[LEAVE]] == CLOSED)
}

proctype clock()
{
	byte n, rounds;

	do
	:: atomic { may_fail(SLOW) && empty(expired) && active_of(STORY) != 0 ->
		n = active_of(STORY);
		if
		:: waiting(n) -> fail(SLOW); disturbed = 1; expired!n, STORY.phase[n]
		:: else
		fi;
		n = 0
	   }
	:: atomic { timeout ->
		n = active_of(STORY);
		rounds++;
		assert(rounds <= ROUNDS_MAX);
		if
		:: owed -> reset2(start_said); reset2(stop_said)
		:: else ->
			if
			:: disturbed && n != 0 && device_runs != n -> expired!n, STORY.phase[n]
			:: disturbed && n != 0 && waiting(n) -> expired!n, STORY.phase[n]
			/* The stop went into a socket that was dead: nobody knows, but their own timer. */
			:: (had & MOVE) && device_runs != 0 && n == 0 -> device_runs = 0
			:: else -> break
			fi
		fi;
		n = 0
	   }
	od;
	assert_clean()
}

init {
	atomic {
		store.phase[1] = FREE;
		store.phase[2] = FREE;
		copy_state(memory, store);
		socket_open[1] = 1;
		ring[1]!LINK_UP, 0;
		run registry();
		run adapter();
		run gateway(1);
		run gateway(2);
		run glasses();
		run network();
		run clock()
	}
}
