#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernels: 6.12 6.1
# A kernel without BPF qdiscs: init says so and leaves nothing, applications are
# told and go on.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

ip link set lo up
BEFORE=$(inventory)
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
done_testing
