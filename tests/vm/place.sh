#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# icount: 1
# timeout: 600
# Streams of 20 and 15 frames a second that a program sends through transfers, by each
# engine and by none. The bench place in small.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

SECONDS_LONG=10

[ "$(id -u)" = 0 ] || skip_all "needs root"
cd "$QS_ROOT" || exit

# holds WHO EXPRESSION: of its run, in Python; flows are those of 20 and 15 frames a
# second, and one of 20 that is not managed.
holds()
{
	python3 - "$TMPDIR/fig6.$1.json" "$2" <<-'PYTHON'
		import json, sys

		run = json.load(open(sys.argv[1]))
		flows = [run, *run["more"]]
		engine = run.get("stream", {}).get("engine")
		lost = [flow["frames_sent"] - flow["frames_received"] for flow in flows]
		print("engine:", engine, "lost:", lost, "transferred:", run["transferred_bytes"])
		sys.exit(not eval(sys.argv[2]))
	PYTHON
}

for who in plain kernel bands inproc; do
	check "the $who run is made" \
		bench/place.sh run "fig6.$who" "$TMPDIR" "$SECONDS_LONG" 2
done
check "without management the transfers have frames lost" holds plain "lost[0] > 10"
for who in kernel bands inproc; do
	check "$who is what schedules" holds "$who" "engine == '$who'"
	check "by $who, all frames of both streams arrive" holds "$who" "lost[:2] == [0, 0]"
	# of the 8 s that they last, three quarters of the link: streams have a fifth
	check "by $who, the transfers get the rest" \
		holds "$who" "run['transferred_bytes'] > 0.75 * 8 * 10e6 / 8"
done
done_testing
