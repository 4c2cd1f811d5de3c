# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who has the sender's link in a run of scripts/runs.sh, which sources this. All
# shape to RATE, with tokens for one packet (MTU and Ethernet's header) where a
# burst has to be said; run_in notes every command.

LINK_BURST=1514

link_tc() { run_in sender tc "$1" add dev "$NETLAB_DEV" "${@:2}"; }

# What is missing is a part of the kernel.
link_failed() { die 1 "tc could not shape the link by $1: the kernel needs what it says above"; }

# link_managed [OPTION...]: by us, by RUN_ENGINE.
link_managed()
{
	run_in sender env QSOCKETS_ENGINE="$RUN_ENGINE" build/cli/qsock init "$NETLAB_DEV" dwcs \
		rate "$RATE" "$@" ||
		die 1 "the device could not be given to QSockets: qsock says why above"
}

# By nobody: tc-tbf(8) asks for 10 kB of burst at 10 Mbit/s; 50 ms of queue is what
# its examples and many a modem have.
link_unmanaged()
{
	link_tc qdisc root tbf rate "$RATE" burst 10kb latency 50ms || link_failed tbf
}

# link_shaped QDISC...: that one, for which HTB shapes.
link_shaped()
{
	{ link_tc qdisc root handle 1: htb default 1 &&
		link_tc class parent 1: classid 1:1 htb rate "$RATE" burst "$LINK_BURST" cburst "$LINK_BURST" &&
		link_tc qdisc parent 1:1 "$@"; } || link_failed "htb and $1"
}

# cake shapes by itself, without a burst.
link_cake()
{
	link_tc qdisc root cake bandwidth "$RATE" || link_failed cake
}

# link_class MINOR PRIORITY KBIT: one that may borrow all of the link.
link_class()
{
	link_tc class parent 1:1 classid "1:$1" htb prio "$2" rate "$3kbit" ceil "$RATE" \
		burst "$LINK_BURST" cburst "$LINK_BURST"
}

# link_classes PORT MASK QDISC...: what an administrator can make by hand who knows the
# ports: their packets have a class of higher priority, with that qdisc, and the
# guarantee of all but a twentieth of the link; the rest is as fair as can be.
link_classes()
{
	local kbit=$((${RATE%mbit} * 1000))

	{ link_tc qdisc root handle 1: htb default 20 &&
		link_tc class parent 1: classid 1:1 htb rate "$RATE" burst "$LINK_BURST" cburst "$LINK_BURST" &&
		link_class 10 0 $((kbit * 19 / 20)) && link_class 20 1 $((kbit / 20)) &&
		link_tc qdisc parent 1:10 "${@:3}" && link_tc qdisc parent 1:20 fq_codel &&
		link_tc filter parent 1: protocol ip u32 match ip dport "$1" "$2" flowid 1:10; } ||
		link_failed "htb, u32 and $3"
}

# link_deadlines PORT MASK: the same, and etf sends the earliest deadline first and drops
# what is late; of that it takes only packets with SO_TXTIME, so that it cannot be the
# root, and only deadlines that are not before that of what it has sent last.
link_deadlines()
{
	link_classes "$1" "$2" etf clockid CLOCK_TAI deadline_mode
}
