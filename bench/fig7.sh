#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The paper's Figure 7: a sensor whose messages have deadlines, through a
# perturbation by FTP transfers, by a plain socket and by earliest deadline first,
# lossless and lossy. scripts/bench runs this.
#
# The sensor's bursts ask at times for more than the link has, so that not every
# message can be in time. How many can be, an offline scheduler says: that of
# tests/oracle, for what the sensor has sent and when.
set -euo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "${BENCH%/*}"
# shellcheck source=scripts/runs.sh
. scripts/runs.sh

SELF=bench/fig7.sh
OUTPUT=build/bench/fig7
LENGTH=60
STARTS=30
TRANSFERS=8
RATE=10mbit
UNIT='in time'
SEED=1

usage()
{
	cat <<'USAGE'
usage: bench/fig7.sh
       bench/fig7.sh run unmanaged|lossless|lossy [OUTPUT SECONDS START]

Makes the paper's Figure 7 and leaves it in build/bench/fig7.{json,svg,png}.
Needs root, and what "make" builds. It takes about five minutes.

"run" makes one run, in this kernel, and leaves what was sent and received in the
folder OUTPUT; the transfers begin after START seconds.
USAGE
}

# --- one run -------------------------------------------------------------------

# We get no burst: the offline scheduler's link sends nothing ahead of its rate.
run_setup()
{
	case $1 in
	unmanaged) run_unmanaged_link ;;
	lossless | lossy) run_managed_link burst 1 ;;
	*) die 2 "no run is called $1: see $SELF --help" ;;
	esac
	run_prepare_transfers ftp
	run_read_ahead build/examples/sensor build/examples/sensor-client
}

# run_sensor NAME: once the client has its port. Real-time priorities, in all
# runs, keep the CPU out of it: what is compared is what the packets meet.
run_sensor()
{
	local options=()

	case $1 in
	lossless) options=(--managed "$NETLAB_DEV" --lossless) ;;
	lossy) options=(--managed "$NETLAB_DEV") ;;
	esac
	run_until_bound 5700
	run_in sender chrt --fifo 1 build/examples/sensor ${options[@]+"${options[@]}"} \
		-s "$LENGTH" -r "$SEED" -o "$NETLAB_DIR/sender" -t "$NETLAB_DIR/sent" "$NETLAB_RECEIVER4"
}

# run NAME [OUTPUT SECONDS START]: prints "NAME SECOND MESSAGES" every second; leaves
# NAME.json, and what was sent and received in NAME.sent and NAME.received.
run()
{
	local name=$1 sensor

	OUTPUT=${2:-$OUTPUT}
	LENGTH=${3:-$LENGTH}
	STARTS=${4:-$STARTS}
	run_begin "$name"
	run_setup "$name"
	run_sensor "$name" &
	sensor=$!
	run_in receiver chrt --fifo 1 build/examples/sensor-client -l -s "$LENGTH" \
		-o "$NETLAB_DIR/receiver" -t "$NETLAB_DIR/received" "$NETLAB_RECEIVER4" |
		run_follow || die 1 "sensor-client failed, as said above"
	wait "$sensor" || die 1 "sensor failed, as said above"
	wait
	cp "$NETLAB_DIR/sent" "$OUTPUT/$name.sent"
	cp "$NETLAB_DIR/received" "$OUTPUT/$name.received"
	python3 bench/plot/runs.py "$NETLAB_DIR" >"$OUTPUT/$name.json"
}

# --- all runs --------------------------------------------------------------------

make_figure()
{
	local status=0

	python3 bench/plot/fig7.py "$OUTPUT" "$RATE" "$TRANSFERS" "$STARTS" "$LENGTH" || status=$?
	[ -e "$OUTPUT.dat" ] || die 1 "the runs gave no figure: see $OUTPUT"
	gnuplot -e "name='$OUTPUT'; transfers=$TRANSFERS; start=$STARTS" bench/plot/fig7.gp ||
		die 1 "gnuplot could not draw: its words are above"
	echo "The figure: $OUTPUT.png and $OUTPUT.svg; the numbers: $OUTPUT.json"
	return "$status"
}

main()
{
	need_for_runs examples/sensor examples/sensor-client
	mkdir -p "$OUTPUT"
	rm -f "$OUTPUT"/* "$OUTPUT".*
	echo "A sensor's messages with deadlines over a 10 Mbit/s link for $LENGTH s; $TRANSFERS FTP"
	echo "transfers join at $STARTS s. Once plain, twice by QSockets (EDF: lossless and lossy)."
	here_or_guest kernel
	make_runs unmanaged lossless lossy
	make_figure
}

case ${1:-} in
'') main ;;
run) shift && run "$@" ;;
-h | --help) usage ;;
*) die 2 "unknown argument $1: see $SELF --help" ;;
esac
