#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engines: kernel bands
# timeout: 240
# Another user of a host whose BPF file system is open to all cannot keep its
# administrator from setting up devices; and what a killed init leaves goes with
# "fini all" alone.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

lab_up
MODE=$(stat -c %a "$BPFFS")
BEFORE=$(inventory)

# --- what another user puts in the way --------------------------------------------

chmod 1777 "$BPFFS"
check "another user may make folders there" as_nobody mkdir -p \
	"$BPFFS/qsockets/x" "$BPFFS/qsockets_new/x/y" "$BPFFS/qsockets_lock/x"
as_nobody flock -F "$BPFFS" sleep 1000 &
HOLDER=$!
check "init works all the same" timeout 60 qsock init eth0 dwcs rate 10mbit
check "a device is managed" hold eth0 192.0.2.2 1 0 </dev/null
check_refused "the lock is not another user's to hold" "denied" \
	as_nobody flock -n "$BPFFS/qsockets_lock" true
check "show works" timeout 60 qsock show
check "fini works" timeout 60 qsock fini eth0
kill "$HOLDER"
find "$BPFFS" -mindepth 1 -maxdepth 1 -name '*_aside_*' -exec find {} -depth -delete \;
check_inventory "and leaves nothing of its own" "$BEFORE"
as_nobody ln -s /nowhere "$BPFFS/qsockets"
as_nobody ln -s /nowhere "$BPFFS/qsockets_lock"
check "links are not followed" timeout 60 qsock init eth0 dwcs
qsock fini eth0
find "$BPFFS" -mindepth 1 -maxdepth 1 -name '*_aside_*' -delete
chmod 0777 "$BPFFS"
check_refused "a file system in which all may rename is refused" "chmod" qsock init eth0 dwcs
chmod "$MODE" "$BPFFS"
check_inventory "nothing is left of it" "$BEFORE"

# --- an administrator who hangs -----------------------------------------------------

mkdir -m 0700 "$BPFFS/qsockets_lock"
flock -F "$BPFFS/qsockets_lock" sleep 1000 &
HOLDER=$!
is_held() { ! flock -n "$BPFFS/qsockets_lock" true; }
patiently is_held
check_refused "waiting for the lock ends" "another process" timeout 60 qsock init eth0 dwcs
kill "$HOLDER"
check "and then init works" timeout 60 qsock init eth0 dwcs
qsock fini eth0

# --- an init that is killed -----------------------------------------------------------

CHANGES=$(kill-at 1000000 qsock init eth0 dwcs rate 10mbit 2>/dev/null | tail -n 1)
qsock fini all
check_inventory "fini all takes everything" "$BEFORE"
for ((at = 1; at <= CHANGES; at += 1 + CHANGES / 12)); do
	kill-at "$at" qsock init eth0 dwcs rate 10mbit >/dev/null 2>&1
	check "fini all works after an init that was killed at change $at of $CHANGES" \
		qsock fini all
	check_inventory "and takes what that left" "$BEFORE"
done
done_testing
