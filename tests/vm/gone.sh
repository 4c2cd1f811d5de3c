#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engines: kernel bands
# A device that is deleted is shown no more, and
# another of its name is not taken for it.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

lab_up
BEFORE=$(inventory)
ip link add gone0 type veth peer name gone1
ip link set gone0 up
check "a device is initialised" qsock init gone0 dwcs rate 1mbit
check "and shown" grep -q '^gone0:' < <(qsock show)
ip link del gone0
check_equal "once it is deleted it is not" "" "$(qsock show)"
check_equal "nor as JSON" "[]" "$(qsock -j show | tr -d ' ')"
check_refused "nor by its name" "not initialised" qsock show gone0
ip link add gone0 type veth peer name gone1
ip link set gone0 up
check_equal "another one of that name is not taken for it" "" "$(qsock show)"
check "that can be initialised" qsock init gone0 dwcs rate 2mbit
check "and has its own rate" grep -q 'rate 2Mbit' < <(qsock show gone0)
ip link del gone0
qsock fini all
check_inventory "fini all leaves nothing" "$BEFORE"
done_testing
