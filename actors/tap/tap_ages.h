/* SPDX-License-Identifier: MIT */
/* tap_ages.h - since when the facts of a snapshot hold: its rows have numbers, the history times.
 */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_mirror.h"

/* ages_of_user() - of one user's facts.  What is no longer kept stays without a time.
 *
 * Return: enum exit_code.
 */
int ages_of_user(const struct cli *cli, struct mirror *mirror, const struct mirror_user *user);

/* ages_of_cut_off() - of phone links and glasses that are away from a live stream. */
int ages_of_cut_off(const struct cli *cli, struct mirror *mirror);
