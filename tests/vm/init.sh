#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# qsock init and fini: what they refuse, and that they leave nothing behind.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

lab_up
BEFORE=$(inventory)

# --- refusals -------------------------------------------------------------------

check_refused "init needs privilege" "not permitted" as_nobody qsock init eth0 dwcs
check_refused "init as the root of a user namespace is refused" "user namespace" \
	as_nobody unshare -Urn qsock init lo dwcs
check_refused "init of a device that is not there is refused" \
	'"nodev0" does not exist' qsock init nodev0 dwcs
check_refused "init with an unknown scheduler is refused" '"fastest"' qsock init eth0 fastest
check_refused "rate 0 is refused" "invalid rate" qsock init eth0 dwcs rate 0
check_refused "a rate that is none is refused" "rate" qsock init eth0 dwcs rate fast
check_refused "a negative rate is refused" "rate" qsock init eth0 dwcs rate -1mbit
check_refused "more packets than can be are refused" "packets" qsock init eth0 dwcs limit 100000000
check_refused "fewer packets than must be are refused" "packets" qsock init eth0 dwcs limit 1
check_refused "more streams than can be are refused" "streams" qsock init eth0 dwcs streams 100000000
check_refused "more of both than fits is refused" "more than" \
	qsock init eth0 dwcs limit 1000000 streams 1000000
check_refused "a cgroup that is not there is refused" "cgroup" qsock init eth0 dwcs cgroup nowhere
check_refused "a word without a value is refused" "rate" qsock init eth0 dwcs rate
check_refused "an unknown word is refused" '"speed"' qsock init eth0 dwcs speed 1mbit
check_refused "a name that is too long is refused" "longer" \
	qsock init a-device-with-a-long-name dwcs
check_refused "fini needs privilege" "not permitted" as_nobody qsock fini eth0
check_refused "fini of a device that is not there is refused" "does not exist" qsock fini nodev0
check_refused "fini of a device that was not initialised is refused" "not initialised" \
	qsock fini eth0
check_refused "show of a device that was not initialised is refused" "not initialised" \
	qsock show eth0
check_equal "show of no device prints nothing" "" "$(qsock show)"
check_equal "show -j of no device prints an empty list" "[]" "$(qsock show -j | tr -d ' ')"
check "an error is JSON under -j" \
	python3 -c 'import json, sys; sys.exit("nodev0" not in json.load(sys.stdin)["error"])' \
	< <(qsock -j init nodev0 dwcs 2>&1 >/dev/null)
check_inventory "nothing is left of what was refused" "$BEFORE"

# --- an administrator's own qdisc --------------------------------------------------

tc qdisc add dev eth0 root handle 7: tbf rate 5mbit burst 5k limit 50k
OWN=$(inventory)
check_refused "another's qdisc is in the way" 'has the qdisc "tbf"' qsock init eth0 dwcs
check_inventory "and is left alone" "$OWN"
tc qdisc del dev eth0 root

# --- init and fini ----------------------------------------------------------------

qdisc_of() { tc qdisc show dev "$1" | head -n 1; }
is_ours() { [[ $(qdisc_of "$1") == "qdisc dwcs 5153: root"* ]]; }

check "init puts the qdisc on the device" qsock init eth0 dwcs rate 10mbit
check "and tc shows it" is_ours eth0
check_hold "an application can attach without privilege" eth0 0 0
check_equal "and is listed" "$HOLDER" "$(stream_values pid)"
WITH=$(inventory)
check "the same init is a success" qsock init eth0 dwcs rate 10mbit
check "init that asks for nothing in particular too" qsock init eth0 dwcs
check_refused "init with another rate is refused" "other settings" qsock init eth0 dwcs rate 20mbit
check_refused "init with another limit is refused" "other settings" \
	qsock init eth0 dwcs rate 10mbit limit 128
check_inventory "and nothing changes" "$WITH"
check_equal "the stream is still there" "$HOLDER" "$(stream_values pid)"
hold_end
check "another device can be initialised" qsock init eth1 dwcs limit 64 streams 3
check_equal "both are shown" "eth0 eth1" "$(devices)"
check "fini gives one back" qsock fini eth0
check_equal "its qdisc is what it was" "$(grep 'dev eth0' <<<"$BEFORE")" \
	"$(inventory | grep '^qdisc.* dev eth0')"
check "the other one stays" is_ours eth1
check_refused "a device that was given back is not initialised" "not initialised" qsock fini eth0
check "fini gives the other back" qsock fini eth1
check_inventory "all is as it was" "$BEFORE"

ip link set eth0 gso_max_size 30000 gso_max_segs 20
BEFORE=$(inventory)
qsock init eth0 dwcs rate 1mbit && qsock init eth1 dwcs
check "fini all gives all back" qsock fini all
check_inventory "with the sizes that they had" "$BEFORE"
check "fini all of nothing is a success" qsock fini all

qsock init eth1 dwcs # what all devices share takes its time, and stays for these

# --- others' work beside ours -------------------------------------------------------

tc qdisc add dev eth0 clsact
BEFORE=$(inventory)
check "init goes with filters of others" qsock init eth0 dwcs
check "fini as well" qsock fini eth0
check_inventory "and leaves them" "$BEFORE"
tc qdisc del dev eth0 clsact

# --- where commands are run -----------------------------------------------------------

ip netns add qs-test
BEFORE=$(inventory)
inside() { ip netns exec qs-test "$@"; }
inside ip link add wan0 type dummy
check "init works under ip netns exec, which hides the BPF file system" \
	inside qsock init wan0 dwcs
check "what it pinned is not hidden from others" test -e "$PINS/qs_meta"
check "the device is shown there" grep -q '^wan0: ' <(inside qsock show)
check_fails "and not here" grep -q '^wan0: ' <(qsock show)
check_refused "fini does not reach into another namespace" "does not exist" qsock fini wan0
check "fini works there too" inside qsock fini wan0
check_inventory "and leaves nothing" "$BEFORE"
ip netns del qs-test
qsock fini eth1

# --- cgroups ------------------------------------------------------------------------

CGROUP=test/qs-inner
mkdir "/sys/fs/cgroup/$CGROUP"
in_cgroup() { (echo "$BASHPID" >"/sys/fs/cgroup/$CGROUP/cgroup.procs" && exec "$@"); }
check "the manager can serve one cgroup" qsock init eth0 dwcs cgroup "$CGROUP"
check "whose sockets can be attached" in_cgroup hold eth0 192.0.2.2 1 0 </dev/null
check_refused "others' cannot" "qsock init" env QSOCKETS_ENGINE=kernel hold eth0 192.0.2.2 1 0
check_refused "there is one for all devices" "another cgroup" qsock init eth1 dwcs cgroup /
qsock fini eth0
rmdir "/sys/fs/cgroup/$CGROUP"

# --- versions -----------------------------------------------------------------------

qsock init eth0 dwcs
bpf-objects age "$PINS"
check_refused "what another version pinned is not touched" "another version" qsock init eth0 dwcs
check_refused "nor shown" "another version" qsock show
check_refused "nor given back one by one" "another version" qsock fini eth0
check "but removed at once" qsock fini all
check_equal "with the qdisc" noqueue "$(qdisc_of eth0 | cut -d ' ' -f 2)"
check "so that init works again" qsock init eth0 dwcs
qsock fini eth0
done_testing
