#!/usr/bin/env bash
# Stand in for any weir daemon: the same arguments, readiness, signals and exit codes, and nothing else.
# How it behaves is read from $WEIR_FAKE/behaviour/NAME at every start; what it does is told in $WEIR_FAKE/journal,
# one line "SECONDS VERB NAME PID" each (appended in one write, so lines of several daemons do not mix).
set -u

args=("$@") name='' notify_fd=''
while [ $# -gt 0 ]; do
	case $1 in
	--name) name=$2 ;;
	--notify-fd) notify_fd=$2 ;;
	--conf | --run | --set) ;;
	*)
		echo "{\"event\":\"fake.bad_argument\",\"argument\":\"$1\"}" >&2
		exit 78
		;;
	esac
	shift 2
done

tell() {
	echo "$EPOCHREALTIME $1 $name $$" >>"$WEIR_FAKE/journal"
}

ready() {
	tell ready
	echo >&"$notify_fd"
	eval "exec $notify_fd>&-"
}

stop() {
	tell stop
	echo "{\"event\":\"actor.stopped\",\"name\":\"$name\"}" >&2
	exit 0
}

behaviour=$(cat "$WEIR_FAKE/behaviour/$name" 2>/dev/null)
printf '%s\0' "${args[@]}" >"$WEIR_FAKE/args.$name"
readlink "/proc/$$/cwd" >"$WEIR_FAKE/cwd.$name"
grep -E '^Sig(Ign|Blk)' /proc/self/status >"$WEIR_FAKE/signals.$name"
(cd "/proc/$$/fd" && echo *) >"$WEIR_FAKE/fds.$name"
trap stop TERM
trap 'tell drain' USR1
tell start
echo "{\"event\":\"actor.started\",\"name\":\"$name\"}" >&2
[ ! -e "$WEIR_FAKE/say.$name" ] || cat "$WEIR_FAKE/say.$name" >&2

# Waiting is `read` on a fifo nobody writes to: interrupted by signals, and no child is left when it dies.
fifo=$WEIR_FAKE/fifo.$name.$$
mkfifo "$fifo" && exec 9<>"$fifo" && rm -f "$fifo"
case $behaviour in
'') ready ;;
slow)
	read -rt 0.4 -u 9
	ready
	;;
never) ;;
exit78)
	echo '{"event":"config.refused","line":7,"mend":"write a number"}' >&2
	exit 78
	;;
crash)
	echo '{"event":"actor.crashing"}' >&2
	exit 1
	;;
stubborn)
	trap 'tell ignored' TERM
	ready
	;;
esac
while :; do read -r -u 9; done
