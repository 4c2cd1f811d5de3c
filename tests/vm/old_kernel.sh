#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernels: 6.12 6.1
# A kernel without BPF qdiscs: init takes the bands of HTB and says so, and what
# asks for the kernel engine is told why it cannot have it.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

# The device's figures, in JSON.
shown() { qsock -j show lo | python3 -c 'import json, sys; print(json.load(sys.stdin)[0][sys.argv[1]])' "$1"; }

ip link set lo up
BEFORE=$(inventory)
export QSOCKETS_ENGINE=kernel
check_refused "init says what the kernel lacks" "no BPF qdiscs" qsock init lo dwcs
check_refused "with a rate too" "no BPF qdiscs" qsock init lo dwcs rate 1mbit
check_refused "what else is wrong is said first" "does not exist" qsock init nodev0 dwcs
check_refused "who has no privilege is told that" "not permitted" as_nobody qsock init lo dwcs
check_inventory "nothing is left" "$BEFORE"
check_equal "show prints nothing" "" "$(qsock show)"
check_refused "fini says that there is nothing" "not initialised" qsock fini lo
check_refused "attach says what to do" "Operation not supported: " \
	as_nobody hold lo 127.0.0.1 1 0
check_refused "in words" "qsock init" as_nobody hold lo 127.0.0.1 1 0
check_inventory "nothing is left of that" "$BEFORE"

unset QSOCKETS_ENGINE
said=$(qsock init lo dwcs rate 10mbit 2>&1)
check "init takes what there is, and says so" grep -q "approximate" <<<"$said"
check_equal "show has the engine" "bands" "$(shown engine)"
check_equal "which is not exact" "False" "$(shown exact)"
check "a user can attach" as_nobody hold lo 127.0.0.1 1 0 </dev/null
check "the same again is no error" qsock init lo dwcs rate 10mbit
check_refused "other settings are" "other settings" qsock init lo dwcs rate 20mbit
check_refused "the other engine is not to be had meanwhile" "fini all" \
	env QSOCKETS_ENGINE=kernel qsock init lo dwcs rate 10mbit
tc class del dev lo classid 5153:3
check "a class that was deleted" qsock init lo dwcs rate 10mbit
check "comes back with the next init" tc class show dev lo classid 5153:3
check "fini" qsock fini lo
check_inventory "leaves nothing" "$BEFORE"
done_testing
