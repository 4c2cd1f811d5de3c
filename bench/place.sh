#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The paper's Figures 4 to 7, and a heavy stream, by every engine: the scheduler below
# the protocol stack (kernel, bands) and above it (inproc). scripts/bench runs this.
set -euo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "${BENCH%/*}"
# shellcheck source=scripts/runs.sh
. scripts/runs.sh
# shellcheck source=scripts/video.sh
. scripts/video.sh
# shellcheck source=scripts/sensor.sh
. scripts/sensor.sh

SELF=bench/place.sh
OUTPUT=build/bench/place
EXPERIMENTS=(fig4 heavy fig6 fig7) # and cost, in a guest
UNIT='a second' # frames, or messages in time
# In guests, whose clocks count instructions: who, and by which kernel.
GUESTS=(plain.7.3 plain-seg.7.3 kernel.7.3 bands.7.3 bands.6.12 inproc.7.3)

usage()
{
	cat <<'USAGE'
usage: bench/place.sh [NAME...]
       bench/place.sh figures
       bench/place.sh run NAME [OUTPUT SECONDS START]

Makes runs of the experiments fig4, heavy, fig6, fig7 and cost by each engine, and of
them build/bench/place.json, a table, and place-{fig4,fig5,fig6,fig7,heavy}.{json,svg,png}.
Needs root, and what "make" builds. It takes half an hour.

A NAME is EXPERIMENT.WHO.WHERE, such as heavy.bands.6.12 or fig4.inproc.here; if there
are any, only these are made, and the figures of them and of what was there before.
scripts/video.sh and scripts/sensor.sh say who there is. WHERE is a guest's kernel, or "here". "figures"
makes no run, and "run" makes one in the kernel where it is called, and leaves it in
the folder OUTPUT; the transfers begin after START seconds.
USAGE
}

run()
{
	local experiment who where

	IFS=. read -r experiment who where <<<"$1"
	: "$where"
	experiment "$experiment"
	OUTPUT=${2:-$OUTPUT}
	LENGTH=${3:-$LENGTH}
	STARTS=${4:-$STARTS}
	case $experiment in
	fig7) sensor_run "$who" "$1" ;;
	*) video_run "$who" "$1" ;;
	esac
}

# experiment NAME: what of it the experiment decides.
experiment()
{
	case $1 in
	fig7) sensor_experiment ;;
	*) video_experiment "$1" ;;
	esac
}

# --- all runs --------------------------------------------------------------------

# What can be had without a guest.
names_here()
{
	local experiment

	for experiment in "${EXPERIMENTS[@]}"; do
		echo "$experiment.plain.here"
		echo "$experiment.inproc.here"
		! has_bpf_qdisc || echo "$experiment.kernel.here"
		! has_bands || echo "$experiment.bands.here"
	done
}

names_in_guests()
{
	local experiment

	for experiment in "${EXPERIMENTS[@]}"; do
		printf "$experiment.%s\n" "${GUESTS[@]}"
	done
	printf '%s\n' cost.{plain,plain-own,fq_codel,kernel,bands,inproc}.7.3 heavy.fq_codel.7.3
}

# Those here have the machine to themselves, one after the other.
make_all()
{
	local name experiment who where here=() guests=()

	for name in "$@"; do
		IFS=. read -r experiment who where <<<"$name"
		[[ -n $who && " ${EXPERIMENTS[*]} cost " == *" $experiment "* && -n $where ]] ||
			die 2 "no run is called $name: see $SELF --help"
		RUN_WHERE[$name]=$where
		if [ "$where" = here ]; then here+=("$name"); else guests+=("$name"); fi
	done
	[ ${#here[@]} = 0 ] || make_runs "${here[@]}"
	[ ${#guests[@]} = 0 ] || make_runs "${guests[@]}"
}

# draw_streams EXPERIMENT WHAT: its columns are as many as its headings.
draw_streams()
{
	local name=build/bench/place-$1

	[ -e "$name.dat" ] || return 0
	experiment "$1"
	draw "$name" -e "what='$2'; columns=$(columns_of "$name"); starts='$STARTS'" \
		-e "transfers='$TRANSFERS'" bench/plot/streams.gp
}

draw_sensor()
{
	local name=build/bench/place-fig7

	[ -e "$name.dat" ] || return 0
	sensor_experiment
	draw "$name" -e "columns=$(columns_of "$name"); start=$STARTS; transfers=$TRANSFERS" \
		bench/plot/fig7.gp
}

make_figures()
{
	local status=0

	rm -f build/bench/place{,-fig4,-fig5,-fig6,-fig7,-heavy}.{json,dat,svg,png}
	python3 bench/plot/place.py "$OUTPUT" "$RATE" "$TRANSFERS" || status=$?
	[ -e build/bench/place.json ] || die 1 "the runs gave no figures: see $OUTPUT"
	draw_streams fig4 'A 20 fps video stream'
	draw_streams heavy 'A 20 fps video stream of 6 Mbit/s'
	draw_streams fig6 'Three video streams'
	draw_sensor
	video_experiment fig4
	[ ! -e build/bench/place-fig5.dat ] ||
		draw build/bench/place-fig5 -e "starts='$STARTS'; transfers='$TRANSFERS'" \
			-e "blocks=$(grep -c '^"' build/bench/place-fig5.dat)" bench/plot/gaps.gp
	echo "The figures: build/bench/place-{fig4,fig5,fig6,fig7,heavy}.png, the numbers beside them"
	echo "as JSON; the comparison: build/bench/place.json"
	return "$status"
}

main()
{
	local names=("$@")

	need_for_runs examples/{video-server,video-client,sensor,sensor-client} bench/spare
	mkdir -p "$OUTPUT"
	if [ $# = 0 ]; then
		rm -f "$OUTPUT"/*
		mapfile -t names < <(names_here && names_in_guests)
	fi
	make_all "${names[@]}"
	make_figures
}

case ${1:-} in
-h | --help) usage ;;
run) shift && run "$@" ;;
figures) make_figures ;;
*) main "$@" ;;
esac
