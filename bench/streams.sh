#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The paper's Figures 4, 5 and 6, and a heavy stream: QSockets' kernel engine beside
# what people use today, in guests with deterministic time. scripts/bench runs this.
set -euo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "${BENCH%/*}"
# shellcheck source=scripts/runs.sh
. scripts/runs.sh
# shellcheck source=scripts/video.sh
. scripts/video.sh

SELF=bench/streams.sh
WHERE=7.3
WHO=(plain plain-seg pfifo fq fq_codel cake htb etf ffmpeg srt kernel)

usage()
{
	cat <<'USAGE'
usage: bench/streams.sh fig4|fig5|fig6|heavy
       bench/streams.sh figure fig4|fig5|fig6|heavy
       bench/streams.sh run NAME [OUTPUT SECONDS START]

Makes the runs of an experiment and of them build/bench/FIGURE.{json,svg,png}. Needs
root, and what "make" builds. Figure 5 is of the runs of Figure 4: they are not made
again when the last ones are of this very tree.

"figure" makes no run, and "run" makes one in the kernel where it is called, and leaves
it in the folder OUTPUT; the transfers begin after START seconds. A NAME is
EXPERIMENT.WHO.SEED, such as heavy.htb.1; scripts/video.sh says who there is.

In the environment: QS_SEEDS=N, how many seeds (10); QS_WHO="NAME...", who shall be
there (all); QS_KEEP=1, runs that are there are not made again; QS_QUICK=1, one short
run of ours alone.
USAGE
}

run()
{
	local experiment who

	IFS=. read -r experiment who VIDEO_SEED <<<"$1"
	video_experiment "$experiment"
	VIDEO_LAB=(--seed "$VIDEO_SEED")
	OUTPUT=${2:-build/bench/$experiment}
	LENGTH=${3:-$LENGTH}
	STARTS=${4:-$STARTS}
	video_run "$who" "$1"
}

# choose FIGURE
choose()
{
	video_experiment "${1/fig5/fig4}"
	OUTPUT=build/bench/$EXPERIMENT
	# a relay for each of two streams, and one that is not managed, is not worth it
	[ "$EXPERIMENT" != fig6 ] || WHO=(plain plain-seg pfifo fq fq_codel cake htb etf kernel)
	choose_runs "$EXPERIMENT"
}

# kept FIGURE: whether the runs that are there are as good as new ones; STAMP is theirs.
kept()
{
	[ -z "${QS_KEEP:-}" ] || return 0
	[ "$1" = fig5 ] && [[ $STAMP != unknown* && $STAMP != *changed* ]] &&
		[ "$(cat "$OUTPUT/stamp" 2>/dev/null)" = "$STAMP" ]
}

make_figure()
{
	local name=build/bench/$1 status=0 plot=streams.gp options

	rm -f "$name".{json,dat,svg,png}
	python3 bench/plot/streams.py "$1" "$OUTPUT" "$RATE" "$LENGTH" "$STARTS" "$TRANSFERS" \
		"${WHO[@]}" || status=$?
	[ -e "$name.dat" ] || die 1 "the runs gave no figure: see $OUTPUT"
	options="starts='$STARTS'; transfers='$TRANSFERS'; length=$LENGTH"
	case $1 in
	fig4) options+="; what='A 20 fps video stream'" ;;
	fig5) plot=gaps.gp options+="; blocks=$(grep -c '^"' "$name.dat")" ;;
	fig6) options+="; what='Three video streams'; key=0.3" ;;
	heavy) options+="; what='A 20 fps video stream of 6 Mbit/s'" ;;
	esac
	[ "$1" = fig5 ] ||
		options+="; columns=$(columns_of "$name")"
	draw "$name" -e "$options" "bench/plot/$plot"
	echo "The figure: $name.png and $name.svg; the numbers: $name.json"
	return "$status"
}

main()
{
	local keep=

	need_for_runs examples/video-server examples/video-client
	for tool in ffmpeg srt-live-transmit; do
		command -v "$tool" >/dev/null || die 1 "$tool is missing: run scripts/setup bench"
	done
	choose "$1"
	STAMP="${QS_COMMIT:-unknown} $LENGTH"
	! kept "$1" || keep=yes
	make_chosen "$keep"
	echo "$STAMP" >"$OUTPUT/stamp"
	make_figure "$1"
}

case ${1:-} in
fig4 | fig5 | fig6 | heavy) main "$1" ;;
figure) choose "$2" && make_figure "$2" ;;
run) shift && run "$@" ;;
-h | --help) usage ;;
*) die 2 "no figure is called '${1:-}': see $SELF --help" ;;
esac
