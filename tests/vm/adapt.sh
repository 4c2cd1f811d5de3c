#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# icount: 1
# examples/adaptive-server: where four streams do not fit, its flow of low priority
# gives way, its other one does not notice, and when there is room again both have
# what they had.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"
# shellcheck source=scripts/netlab
. "$QS_ROOT/scripts/netlab"

HIGH=20 LOW=30 OTHERS='34 34' # frames a second
FLOOR=5
# Its two flows take 1.1 Mbit/s, and with the others it is 2.6.
RATE=2mbit
SIZES=(--scheduler vds --mean-bytes 2500 --weights '1,1,1')
# In s. From the floor it takes half a second a frame to come back.
BEGIN=6 OVERLOAD=8 LENGTH=30

# A priority keeps the CPU out of it: what is looked at is what the packets meet.
serve() { netlab_in_sender chrt --fifo 1 "$@" "${SIZES[@]}" --managed "$NETLAB_DEV"; }

# To a port where nobody listens.
start_others()
{
	local fps

	for fps in $OTHERS; do
		serve video-server -s "$OVERLOAD" -f "$fps" -o /dev/null "$NETLAB_RECEIVER4" 5602 &
	done
}

# Passes on what the server says each second, and starts the others by its clock.
follow()
{
	local second rest

	while read -r second rest; do
		diag "$second $rest"
		[ "$second" != "$BEGIN" ] || start_others
	done
	wait
}

start_client()
{
	netlab_in_receiver video-client -s "$2" -o "$TMPDIR/$1.$3" "$NETLAB_RECEIVER4" "$4" &
}

clients_listen()
{
	[ "$(netlab_in_receiver ss -uln | grep -c ':560[01] ')" = 2 ]
}

# run NAME SECONDS FLOOR: leaves what each has counted in NAME.server, NAME.high and
# NAME.low.
run()
{
	local tries=0

	start_client "$1" "$2" high 5600
	start_client "$1" "$2" low 5601
	until clients_listen; do
		sleep 0.1
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || return
	done
	serve adaptive-server -s "$2" -f "$HIGH" -l "$LOW" -n "$3" -o "$TMPDIR/$1.server" \
		"$NETLAB_RECEIVER4" 5600 5601 | follow
	wait
}

all_have_results()
{
	[ -s "$TMPDIR/$1.server" ] && [ -s "$TMPDIR/$1.high" ] && [ -s "$TMPDIR/$1.low" ]
}

# check_run NAME ARGUMENT...: runs, and passes when all have a result.
check_run()
{
	local name=$1

	shift
	run "$@"
	check "$name" all_have_results "$1"
}

# holds EXPRESSION: of the results, in Python.
holds()
{
	python3 - "$TMPDIR" "$1" <<-'PYTHON'
		import json, pathlib, sys

		def load(name):
		    return json.loads(pathlib.Path(sys.argv[1], name).read_text())

		def missed(flow):
		    return sum(flow["stream"][key] for key in ("late_units", "dropped_late", "dropped_frame"))

		high, low = (load("adapting.server")[flow] for flow in ("high", "low"))
		high_client, low_client = load("adapting.high"), load("adapting.low")
		stubborn = load("stubborn.server")["low"]
		print("high:", high, high_client, "low:", low, low_client, "stubborn:", stubborn, sep="\n")
		sys.exit(not eval(sys.argv[2]))
	PYTHON
}

trap 'netlab_down; rm -rf "$TMPDIR"' EXIT
netlab_up && netlab_in_sender qsock init "$NETLAB_DEV" vds rate "$RATE" || exit
# What is run later is read from the disk now, while no clock counts.
for program in video-server adaptive-server; do
	chrt --fifo 1 "$program" --help >"$TMPDIR/help"
done

check_run "two flows are sent and received" adapting "$LENGTH" "$FLOOR"
check_run "and once more, by one that does not adapt" stubborn $((BEGIN + OVERLOAD)) "$LOW"

check "the high flow keeps its frame rate all the time" \
	holds "all(abs(fps - $HIGH) <= 0.02 * $HIGH for fps in high_client['fps_bins'])"
check "its frames arrive" holds "high_client['frames_received'] >= 0.98 * high['frames_sent'] > 0"
check "and no window of it is violated" holds "high['stream']['violations'] == 0"
check "the low flow has its full rate until the others come" \
	holds "set(low['rates'][:$BEGIN]) == {$LOW}"
check "it lowers its rate then" \
	holds "min(low['rates'][$BEGIN:$((BEGIN + OVERLOAD))]) <= 0.75 * $LOW"
check "but not below its floor" holds "min(low['rates']) >= $FLOOR"
check "it has its full rate again in the end" holds "low['rates'][-1] == $LOW"
check "which arrives, before and after" \
	holds "all(low_client['fps_bins'][bin] >= 0.98 * $LOW for bin in (0, -1))"
check "it loses less than half of what it would without adapting" \
	holds "2 * missed(low) < missed(stubborn)"
done_testing
