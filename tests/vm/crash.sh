#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
# qsock init and fini killed at any point: the next one repairs it. And many at
# once: one wins.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

lab_up
BEFORE=$(inventory)

# The whole of it works, whatever was before.
works()
{
	qsock init eth0 dwcs rate 10mbit && hold eth0 192.0.2.2 1 0 </dev/null
}

# total COMMAND...: how many changes it makes when it is not killed.
total() { kill-at 1000000 "$@" 2>/dev/null | tail -n 1; }

# points TOTAL N: N of 1 to TOTAL, with both ends.
points()
{
	local i

	for ((i = 0; i < $2; i++)); do
		echo $((1 + (($1 - 1) * i + ($2 - 1) / 2) / ($2 - 1)))
	done
}

# --- the first init -----------------------------------------------------------------

CHANGES=$(total qsock init eth0 dwcs rate 10mbit)
qsock fini eth0
check "the first init changes things" test "$CHANGES" -ge 30
check_inventory "and fini changes them back" "$BEFORE"
for at in $(points "$CHANGES" 5); do
	kill-at "$at" qsock init eth0 dwcs rate 10mbit >/dev/null 2>&1
	check "init works after one that was killed at change $at of $CHANGES" works
	qsock fini eth0
	check_inventory "and fini leaves nothing" "$BEFORE"
done

# --- another device's init, and fini ---------------------------------------------------

qsock init eth1 dwcs
ONE=$(inventory)
CHANGES=$(total qsock init eth0 dwcs rate 10mbit)
qsock fini eth0
for at in $(points "$CHANGES" 9); do
	kill-at "$at" qsock init eth0 dwcs rate 10mbit >/dev/null 2>&1
	check "init of a second device works after change $at of $CHANGES" works
	qsock fini eth0
	check_inventory "and fini leaves the other one" "$ONE"
done
qsock init eth0 dwcs rate 10mbit
CHANGES=$(total qsock fini eth0)
for at in $(points "$CHANGES" 7); do
	qsock init eth0 dwcs rate 10mbit
	kill-at "$at" qsock fini eth0 >/dev/null 2>&1
	check "init works after a fini that was killed at change $at of $CHANGES" works
	qsock fini eth0
	check_inventory "and the next fini ends it" "$ONE"
done

# A crash and then fini, not init.
kill-at $((CHANGES / 2)) qsock init eth0 dwcs >/dev/null 2>&1
qsock fini all
check_inventory "fini all takes away what a crash left" "$BEFORE"

# --- the last fini -----------------------------------------------------------------

qsock init eth0 dwcs
CHANGES=$(total qsock fini eth0)
for at in $((CHANGES - 9)) "$CHANGES"; do
	qsock init eth0 dwcs
	kill-at "$at" qsock fini eth0 >/dev/null 2>&1
	check "init works after the last fini was killed at change $at of $CHANGES" works
	qsock fini eth0
	check_inventory "and the next fini leaves nothing" "$BEFORE"
done

# --- many at once ------------------------------------------------------------------

# at_once COMMAND...: six times, {} is 1 to 6; sets WON to how many succeed.
at_once()
{
	local i processes=()

	WON=0
	for i in 1 2 3 4 5 6; do
		"${@//'{}'/$i}" >/dev/null 2>&1 &
		processes+=($!)
	done
	for i in "${processes[@]}"; do
		! wait "$i" || WON=$((WON + 1))
	done
}

at_once qsock init eth0 dwcs rate 5mbit
check_equal "all six who want the same win" 6 "$WON"
qsock fini eth0
at_once qsock init eth0 dwcs rate '{}mbit'
check_equal "of six who want different things one wins" 1 "$WON"
check "and all is well" hold eth0 192.0.2.2 1 0 </dev/null
at_once qsock fini eth0
check_equal "one of six who give it back does" 1 "$WON"
check_inventory "nothing is left" "$BEFORE"
done_testing
