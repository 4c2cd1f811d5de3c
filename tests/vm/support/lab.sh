# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# For the tests of the command: a network namespace of their own with two pairs
# of devices, eth0 to peer0 and eth1 to peer1. Sourced before all else; starts the
# test again in that namespace. BPF file systems and cgroups are the guest's.

[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root" && exit 77; }
[ -n "${QS_LAB:-}" ] || QS_LAB=yes exec unshare --net -- "$0" "$@"

# shellcheck source=tests/tap.sh
. "${BASH_SOURCE[0]%/*}/../../tap.sh"
PATH=$QS_BUILD/tests/netns/support:$PATH
TMPDIR=${TMPDIR:-/tmp}
BPFFS=/sys/fs/bpf
export PINS=$BPFFS/qsockets
NOBODY=65534

lab_up()
{
	local n

	ip link set lo up
	for n in 0 1; do
		ip link add "eth$n" type veth peer name "peer$n" || return
		ip address add "192.0.2.$((n * 16 + 1))/28" dev "eth$n"
		ip link set "eth$n" up
		ip link set "peer$n" up
		# nobody answers ARP on the peer: the neighbour is known
		ip neighbour add "192.0.2.$((n * 16 + 2))" lladdr 02:00:00:00:00:02 dev "eth$n"
	done
	ip link add dummy0 type dummy
}

as_nobody()
{
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups -- "$@"
}

# patiently COMMAND...: until it succeeds, for some seconds.
patiently()
{
	local end=$((SECONDS + 15))

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return
		sleep 0.05
	done
}

# --- what there is --------------------------------------------------------------

# All that an init could leave: BPF objects, pins, qdiscs, programs and sizes of
# the devices.
inventory()
{
	bpf-objects count
	find "$BPFFS" -mindepth 1 | sort
	tc qdisc show | sed 's/refcnt [0-9]*//'
	ip -d -o link show | grep -oE '^[0-9]+: [a-z0-9]+|gso_max_(size|segs) [0-9]+'
}

inventory_is()
{
	[ "$(inventory)" = "$1" ]
}

# BPF objects go in the background.
check_inventory()
{
	local name=$1 expected=$2

	if patiently inventory_is "$expected"; then
		pass "$name"
	else
		fail "$name"
		diff <(echo "$expected") <(inventory) | diag
	fi
}

# --- an application -------------------------------------------------------------

# check_hold NAME DEV MESSAGES IPG: attaches as nobody; HOLDER is its process,
# which ends with hold_end.
check_hold()
{
	local name=$1 n=${2#eth} line

	mkfifo "$TMPDIR/hold.in" "$TMPDIR/hold.out"
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups -- \
		hold "$2" "192.0.2.$((n * 16 + 2))" "$3" "$4" \
		<"$TMPDIR/hold.in" >"$TMPDIR/hold.out" &
	HOLDER=$!
	exec 8>"$TMPDIR/hold.in" 9<"$TMPDIR/hold.out"
	rm "$TMPDIR/hold.in" "$TMPDIR/hold.out"
	read -r line <&9
	check_equal "$name" ready "$line"
}

hold_end()
{
	exec 8>&- 9<&-
	wait "$HOLDER"
}

# --- a program that knows nothing of it ---------------------------------------------

# start COMMAND...: HOLDER is its process, SAID its first line; descriptor 8 is its
# standard input.
start()
{
	mkfifo "$TMPDIR/in" "$TMPDIR/out"
	"$@" <"$TMPDIR/in" >"$TMPDIR/out" &
	HOLDER=$!
	exec 8>"$TMPDIR/in" 9<"$TMPDIR/out"
	rm "$TMPDIR/in" "$TMPDIR/out"
	# shellcheck disable=SC2034 # the tests look
	read -r SAID <&9
}

# holder [COMMAND...] -- STATEMENT: a Python process that runs the STATEMENT, and then
# the lines of its standard input.
holder()
{
	local prefix=()

	while [ "$1" != -- ]; do
		prefix+=("$1")
		shift
	done
	start "${prefix[@]}" python3 -uc 'import os, socket, sys, threading
UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM
def sock(family=socket.AF_INET, type=UDP, local=("0.0.0.0", 0), to=None):
    s = socket.socket(family, type)
    s.bind(local)
    if to:
        s.connect(to)
    return s
exec(sys.argv[1])
for line in sys.stdin:
    exec(line)
    print("done")
' "$2"
}

# tell STATEMENT: runs there.
tell()
{
	echo "$1" >&8
	read -r _ <&9
}

# --- refusals -------------------------------------------------------------------

# check_refused NAME WORDS COMMAND...: it fails, and a sentence has the words.
check_refused()
{
	local name=$1 words=$2 output status=0

	shift 2
	output=$("$@" 2>&1) || status=$?
	if [ "$status" != 0 ] && [ "$status" -lt 124 ] && [[ $output == *"$words"* ]]; then
		pass "$name"
	else
		fail "$name"
		diag "status $status, without \"$words\", of: $*"
		diag <<<"$output"
	fi
}

# --- qsock show -j, without starting Python each time ------------------------------

# values KEY...: of the first device.
values() { qsock show -j | first "$@"; }

# stream_values KEY...: of the first device's first stream.
stream_values() { qsock show -j | sed 's/.*"stream":\[//' | first "$@"; }

first()
{
	local text key

	text=$(cat)
	for key; do
		grep -oE "\"$key\":[^],}]*" <<<"$text" | head -n 1 | cut -d : -f 2 | tr -d '"'
	done | paste -s -d ' '
}

devices() { qsock show -j | grep -oE '"ifname":"[^"]*"' | cut -d '"' -f 4 | paste -s -d ' '; }
