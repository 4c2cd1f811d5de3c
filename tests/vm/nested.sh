#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engines: bands
# timeout: 300
# Managers in cgroups within each other, as a machine's and a container's: a socket's
# nearest one answers, and the other is left alone.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

# A container's view: its cgroup is the root, its pins are its own.
# shellcheck disable=SC2016
container_start()
{
	mkdir /sys/fs/cgroup/container
	unshare --mount sh -c 'echo $$ >/sys/fs/cgroup/container/cgroup.procs
		exec unshare --cgroup sh -c "umount /sys/fs/cgroup
			mount -t cgroup2 cgroup2 /sys/fs/cgroup
			mount -t bpf bpf /sys/fs/bpf
			touch $TMPDIR/started
			exec sleep 1000"' &
	CONTAINER=$!
	patiently test -e "$TMPDIR/started"
}

# shellcheck disable=SC2016
inside()
{
	nsenter --target "$CONTAINER" --mount --cgroup -- \
		sh -c 'echo $$ >/sys/fs/cgroup/cgroup.procs; exec "$@"' sh "$@"
}

container_end()
{
	kill "$CONTAINER"
	wait "$CONTAINER"
	patiently rmdir /sys/fs/cgroup/container
}

has_sent() { [ "$(stream_values sent_packets)" = "$1" ]; }

lab_up
qsock init eth0 dwcs rate 8mbit
container_start
check "a container starts" test -e "$TMPDIR/started"
check_equal "without a manager of its own it has the machine's" ready \
	"$(inside hold eth0 192.0.2.2 1 0 </dev/null)"
check_hold "the machine has a stream" eth0 4 0
check "which sends" patiently has_sent 4

for name in bad_input fates; do
	check "what $name tests holds inside" inside "$QS_BUILD/tests/netns/$name"
done
inside qsock init eth1 dwcs rate 4mbit
check_equal "both have a device at a time" "eth0 eth1" "$(devices) $(inside qsock show -j |
	first ifname)"
check_equal "the one inside is of a socket inside" ready \
	"$(inside hold eth1 192.0.2.18 1 0 </dev/null)"
check_refused "and no other" 'qsock init' inside hold eth0 192.0.2.2 1 0
check_refused "nor is it one outside" 'qsock init' hold eth1 192.0.2.18 1 0
check "it can be given up" inside qsock fini eth1
check_equal "the machine's stream is as it was" 4 "$(stream_values sent_packets)"
check_equal "and a container's again" ready "$(inside hold eth0 192.0.2.2 1 0 </dev/null)"
hold_end
container_end
done_testing
