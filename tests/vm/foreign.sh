#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The qdisc kind is visible everywhere, but only qsock init can put it on a
# device, and what is tried elsewhere does not touch the real one.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

lab_up
qsock init eth0 dwcs
check_hold "an application attaches and sends" eth0 4 3600000000
BEFORE=$(inventory)

unharmed()
{
	check_inventory "the real device is as it was, after $1" "$BEFORE"
	check_equal "and so is its stream, after $1" "$HOLDER 1 3" \
		"$(stream_values pid sent_packets backlog_packets)"
}
has_left() { [ "$(stream_values sent_packets)" = 1 ]; }
patiently has_left

check_refused "the qdisc is refused on another device" "" tc qdisc add dev eth1 root dwcs
check_refused "with our handle as well" "" tc qdisc add dev eth1 root handle 5153: dwcs
check_refused "as a class's" "" \
	sh -c 'tc qdisc add dev dummy0 root handle 1: prio && tc qdisc add dev dummy0 parent 1:1 dwcs'
tc qdisc del dev dummy0 root
check_refused "a second time on the same device" "" tc qdisc replace dev eth0 root handle 9: dwcs
unharmed "the administrator"

ON_LO='tc qdisc add dev lo root dwcs'
INDEX=$(ip -o link show eth0 | cut -d : -f 1)
AS_ETH0='ip link add eth0 index '$INDEX' type dummy &&
	ip link set eth0 up && tc qdisc add dev eth0 root dwcs'
check "somebody can make a network namespace here" as_nobody unshare -Urn true
check_refused "the qdisc is refused in somebody's namespace" "" as_nobody unshare -Urn sh -c "$ON_LO"
check_refused "also on a device of the same name and number" "" \
	as_nobody unshare -Urn sh -c "$AS_ETH0"
check_refused "who is in such a namespace cannot attach" "does not exist" \
	as_nobody unshare -Urn hold eth0 192.0.2.2 1 0
check_refused "nor make init do anything" "not permitted" as_nobody unshare -Urn qsock init lo dwcs
unharmed "somebody else"

# Many at once, in namespaces that come and go.
many()
{
	local i

	for ((i = 0; i < 5; i++)); do
		as_nobody unshare -Urn sh -c "$ON_LO" 2>/dev/null && return 1
	done
	return 0
}
check "also of many" many
unharmed "many"

# Now the real device has none, so that nothing but its number tells the others.
tc qdisc del dev eth0 root
check_refused "the qdisc is refused elsewhere also while the device has none" "" \
	tc qdisc add dev eth1 root dwcs
check_refused "and in somebody's namespace" "" as_nobody unshare -Urn sh -c "$ON_LO"
check "init puts it back" qsock init eth0 dwcs
check_inventory "and all is as it was" "$BEFORE"
hold_end
done_testing
