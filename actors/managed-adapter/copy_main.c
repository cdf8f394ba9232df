/* SPDX-License-Identifier: MIT */
/* copy_main.c - weir-copy SOURCE PLACE private|public PORTS: finds out where PLACE is, refuses what
 * is ours, and becomes the ffmpeg that copies SOURCE to it.
 *
 * A process of its own, because looking a name up blocks, and because it is done by who has least
 * to lose: it has neither tokens nor sockets of ours.  rtmp goes to the address that was judged.
 * For rtmps ffmpeg must have the name, and looks it up once more: there the certificate must be
 * that name's, so an address that has changed meanwhile gets nothing.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/managed-adapter/local_reach.h"

#define EXIT_REFUSED 1
#define EXIT_NO_PROGRAM 127

static void become_ffmpeg(const char *source, const char *place)
{
	/* Probing as ffmpeg likes it: with less it overlooks the picture. */
	const char *arguments[] = { "ffmpeg",
				    "-nostdin",
				    "-hide_banner",
				    "-loglevel",
				    "warning",
				    "-protocol_whitelist",
				    "rtmp,tcp",
				    "-rw_timeout",
				    "10000000",
				    "-i",
				    source,
				    "-map",
				    "0",
				    "-c",
				    "copy",
				    "-flvflags",
				    "no_duration_filesize",
				    "-progress",
				    "pipe:3",
				    "-fpre",
				    "/dev/fd/4",
				    "-protocol_whitelist",
				    "rtmp,rtmps,tcp,tls",
				    "-f",
				    "flv",
				    place,
				    NULL };

	(void)execvp(arguments[0], (char *const *)arguments);
}

static const char *refusal(enum local_reach reach)
{
	switch (reach) {
	case LOCAL_REACH_OK:
		return NULL;
	case LOCAL_REACH_NOT_FOUND:
		return "host not found";
	case LOCAL_REACH_NOT_ALLOWED:
		break;
	}
	return "destination not allowed";
}

int main(int argc, char **argv)
{
	struct local_reach_rules rules = { 0 };
	struct local_reach_list found;
	struct local_reach_place place;
	char literal[LOCAL_REACH_LITERAL_SIZE];

	if (argc != 5 || !local_reach_read(argv[2], &place) ||
	    !local_reach_ports(argv[4], rules.ports) || !local_reach_own(&rules.own)) {
		(void)fprintf(stderr, "usage: weir-copy SOURCE PLACE private|public PORTS\n");
		return EXIT_REFUSED;
	}
	rules.private_ok = strcmp(argv[3], "private") == 0;
	if (!local_reach_resolve(place.host, &found))
		found.count = 0;
	const char *reason = refusal(local_reach_judge(&rules, &found, place.port));

	if (reason) {
		(void)fprintf(stderr, "%s\n", reason);
		return EXIT_REFUSED;
	}
	local_reach_literal(&place, &found.items[0], literal);
	become_ffmpeg(argv[1], place.secure ? argv[2] : literal);
	return EXIT_NO_PROGRAM;
}
