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
WHERE=7.3
WHO=(unmanaged pfifo fq fq_codel cake htb etf lossless lossy)
SENSOR_PORT=(5700 0xffff)
# What the class made by hand may queue, so that little comes late: the deadlines' mean.
SENSOR_QUEUE=28kb

usage()
{
	cat <<'USAGE'
usage: bench/fig7.sh
       bench/fig7.sh figure
       bench/fig7.sh run WHO[.SEED] [OUTPUT SECONDS START]

Makes the paper's Figure 7 and leaves it in build/bench/fig7.{json,svg,png}.
Needs root, and what "make" builds. It takes half an hour.

"figure" makes no run. "run" makes one, in this kernel, and leaves what was sent and
received in the folder OUTPUT; the transfers begin after START seconds. WHO is
unmanaged, lossless or lossy, or one of pfifo, fq, fq_codel, cake, htb (classes made
by hand) and etf (in such a class).

In the environment: QS_SEEDS=N, how many seeds (3); QS_WHO="WHO...", who shall be
there (all); QS_KEEP=1, runs that are there are not made again; QS_QUICK=1, one short
lossy run alone.
USAGE
}

# --- one run -------------------------------------------------------------------

# We get no burst: the offline scheduler's link sends nothing ahead of its rate.
run_setup()
{
	case $1 in
	unmanaged) link_unmanaged ;;
	pfifo | fq | fq_codel) link_shaped "$1" ;;
	cake) link_cake ;;
	htb) link_classes "${SENSOR_PORT[@]}" bfifo limit "$SENSOR_QUEUE" ;;
	etf) link_deadlines "${SENSOR_PORT[@]}" ;;
	lossless | lossy) link_managed burst 1 ;;
	*) die 2 "no run is called $1: see $SELF --help" ;;
	esac
	run_prepare_transfers ftp
	run_read_ahead build/examples/sensor build/examples/sensor-client
	run_watch_link start
}

# run_sensor WHO: once the client has its port. Real-time priorities, in all
# runs, keep the CPU out of it: what is compared is what the packets meet.
run_sensor()
{
	local options=()

	case $1 in
	lossless) options=(--managed "$NETLAB_DEV" --lossless) ;;
	lossy) options=(--managed "$NETLAB_DEV") ;;
	etf) options=(--etf) ;;
	esac
	run_until_bound 5700
	run_in sender chrt --fifo 1 build/examples/sensor ${options[@]+"${options[@]}"} \
		-s "$LENGTH" -r "$SEED" -o "$NETLAB_DIR/sender" -t "$NETLAB_DIR/sent" "$NETLAB_RECEIVER4"
}

# run WHO[.SEED] [OUTPUT SECONDS START]: prints "NAME SECOND MESSAGES" every second; leaves
# NAME.json, and what was sent and received in NAME.sent and NAME.received.
run()
{
	local name=$1 who=${1%.*} sensor lab=()

	SEED=1
	if [ "$who" != "$name" ]; then
		SEED=${name##*.}
		lab=(--seed "$SEED")
	fi
	# all but the default have no super-packets
	[ "$who" = unmanaged ] || lab+=(--gso-max-segs 1)
	OUTPUT=${2:-$OUTPUT}
	LENGTH=${3:-$LENGTH}
	STARTS=${4:-$STARTS}
	run_begin "$name" ${lab[@]+"${lab[@]}"}
	run_setup "$who"
	run_sensor "$who" &
	sensor=$!
	run_client chrt --fifo 1 build/examples/sensor-client -l -s "$LENGTH" \
		-o "$NETLAB_DIR/receiver" -t "$NETLAB_DIR/received" "$NETLAB_RECEIVER4" |
		run_follow || die 1 "sensor-client failed, as said above"
	wait "$sensor" || die 1 "sensor failed, as said above"
	wait
	run_watch_link end
	cp "$NETLAB_DIR/sent" "$OUTPUT/$name.sent"
	cp "$NETLAB_DIR/received" "$OUTPUT/$name.received"
	python3 bench/plot/runs.py "$NETLAB_DIR" >"$OUTPUT/$name.json"
}

# --- all runs --------------------------------------------------------------------

make_figure()
{
	local status=0

	rm -f "$OUTPUT".{json,dat,svg,png}
	python3 bench/plot/fig7.py "$OUTPUT" "$RATE" "$TRANSFERS" "$STARTS" "$LENGTH" "${WHO[@]}" ||
		status=$?
	[ -e "$OUTPUT.dat" ] || die 1 "the runs gave no figure: see $OUTPUT"
	draw "$OUTPUT" -e "transfers=$TRANSFERS; start=$STARTS; length=$LENGTH" \
		-e "columns=$(($(head -n 1 "$OUTPUT.dat" | grep -o '"[^"]*"' | wc -l) - 1))" \
		bench/plot/fig7.gp
	echo "The figure: $OUTPUT.png and $OUTPUT.svg; the numbers: $OUTPUT.json"
	return "$status"
}

main()
{
	need_for_runs examples/sensor examples/sensor-client
	choose_runs ''
	echo "A sensor's messages with deadlines over a 10 Mbit/s link for $LENGTH s; $TRANSFERS FTP"
	echo "transfers join at $STARTS s."
	make_chosen "${QS_KEEP:-}"
	make_figure
}

case ${1:-} in
'') main ;;
figure) choose_runs '' && make_figure ;;
run) shift && run "$@" ;;
-h | --help) usage ;;
*) die 2 "unknown argument $1: see $SELF --help" ;;
esac
