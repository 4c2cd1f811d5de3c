#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real MPEG-2 stream by an ffmpeg that knows nothing of QSockets: qsock attach
# attaches its socket from outside. Where the link is too narrow, it is also piped to
# examples/mpeg-send, which says of each picture what it is. scripts/bench runs this.
#
# The stream is encoded before the runs and decoded after them, here: a guest's clock
# counts instructions, so that in a run this would take the time of what is measured.
set -euo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "${BENCH%/*}"
# shellcheck source=scripts/runs.sh
. scripts/runs.sh
# shellcheck source=scripts/video.sh
. scripts/video.sh

SELF=bench/mpeg.sh
OUTPUT=build/bench/mpeg
FPS=25
PORT=5600
# After the stream's end: what comes later than that is late, see bench/plot/mpeg.py.
GRACE=2
EXPERIMENTS=(fig4 heavy over)
declare -A WHO=([fig4]='plain fq_codel cake kernel' [heavy]='plain fq_codel cake kernel'
	[over]='plain fq_codel cake kernel marked')
# 0.8, 6 and 10.2 Mbit/s as a transport stream. An I-frame is three to ten times a B-frame.
declare -A SIZE=([fig4]=640x360 [heavy]=1280x720 [over]=1280x720)
declare -A CODER=([fig4]='-b:v 730k -maxrate 800k -bufsize 400k'
	[heavy]='-b:v 5700k -maxrate 7000k -bufsize 1500k'
	[over]='-b:v 10700k -maxrate 13000k -bufsize 3000k')
# Packets, of which one stream may queue a quarter: 270 ms of the link.
MARKED_LIMIT=1000

usage()
{
	cat <<'USAGE'
usage: bench/mpeg.sh [NAME...]
       bench/mpeg.sh figure
       bench/mpeg.sh run NAME [OUTPUT SECONDS START]

Streams MPEG-2 by ffmpeg through transfers, as scripts/video.sh's fig4 and heavy, and as
heavy with more than the link has (over), and leaves what of it could be decoded in
build/bench/mpeg.{json,svg,png}. Needs root, and what "make" builds. It takes ten minutes.

Who schedules is one of those in scripts/video.sh, or "marked": the kernel engine, which
is told of each picture what it is.

A NAME is EXPERIMENT.WHO.SEED, such as heavy.cake.1; if there are any, only these are
made, and the figure of them and of what was there before. "figure" makes no run, and
"run" makes one in the kernel where it is called, of a stream that is in the folder
OUTPUT; the transfers begin after START seconds.

QS_SEEDS in the environment: runs of each (1); a seed is where the stream begins.
QS_QUICK=1: two runs of 8 s.
USAGE
}

# --- the stream ----------------------------------------------------------------

# ffmpeg, that says only what is wrong.
quiet_ffmpeg() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }

# encode EXPERIMENT SEED: leaves the original as a source of ffmpeg's, and the stream
# as it will be sent.
encode()
{
	local name=$OUTPUT/$1.$2 first=$((7 * $2)) source coder

	source=testsrc2=size=${SIZE[$1]}:rate=$FPS
	source+=,trim=start_frame=$first:end_frame=$((first + LENGTH * FPS)),setpts=PTS-STARTPTS
	echo "$source" >"$name.source"
	read -r -a coder <<<"${CODER[$1]}"
	{ quiet_ffmpeg -f lavfi -i "$source" -c:v mpeg2video -threads 1 -bf 2 -g 12 "${coder[@]}" \
		-f mpegts "$name.encoded" &&
		quiet_ffmpeg -i "$name.encoded" -c copy -f mpegts "$name.stream"; } ||
		die 1 "ffmpeg could not encode: its words are above"
	rm "$name.encoded"
}

# --- one run -------------------------------------------------------------------

# mpeg_experiment NAME: what is not the stream's.
mpeg_experiment() { video_experiment "${1/over/heavy}"; }

mpeg_link()
{
	case $1 in
	marked) link_managed limit "$MARKED_LIMIT" ;;
	*) video_link "$1" ;;
	esac
}

# start COMMAND...: in the sender; STARTED is the command's own process.
start()
{
	(exec nsenter --net="/run/netns/$NETLAB_SENDER" -- "$@") &
	STARTED=$!
}

# ffmpeg_to OUTPUT OPTION...: sends the stream when it is due; sets FFMPEG. A real-time
# priority, as in the other experiments.
ffmpeg_to()
{
	FFMPEG=(chrt --fifo 1 ffmpeg -nostdin -hide_banner -loglevel error
		-re -i "$NETLAB_DIR/stream" -c copy -f mpegts "${@:2}" "$1")
}

# It connects its socket, by which it can be told from others.
start_ffmpeg()
{
	ffmpeg_to "udp://$NETLAB_RECEIVER4:$PORT?pkt_size=1316&connect=1"
	echo "sender# ${FFMPEG[*]}" >>"$NETLAB_DIR/commands"
	start "${FFMPEG[@]}" 2>"$NETLAB_DIR/ffmpeg"
}

# The same by a pipe; who sends is the program at its end, which ends with ffmpeg.
start_marked()
{
	local command=(chrt --fifo 1 build/examples/mpeg-send --managed "$NETLAB_DEV"
		--output "$NETLAB_DIR/marked" "$NETLAB_RECEIVER4" "$PORT")

	mkfifo "$NETLAB_DIR/pipe"
	ffmpeg_to - -flush_packets 1
	echo "sender# ${FFMPEG[*]} | ${command[*]}" >>"$NETLAB_DIR/commands"
	# each waits for the other to open the pipe
	# shellcheck disable=SC2016
	start bash -c 'exec "${@:2}" >"$1"' ffmpeg "$NETLAB_DIR/pipe" "${FFMPEG[@]}" \
		2>"$NETLAB_DIR/ffmpeg"
	# shellcheck disable=SC2016
	start bash -c 'exec "${@:2}" <"$1"' mpeg-send "$NETLAB_DIR/pipe" "${command[@]}"
}

start_sender()
{
	case $1 in
	marked) start_marked ;;
	*) start_ffmpeg ;;
	esac
}

sender_has_connected() { netlab_in_sender ss -unH dst "$NETLAB_RECEIVER4:$PORT" | grep -q .; }

receive()
{
	run_in receiver chrt --fifo 1 build/bench/record -s $((LENGTH + GRACE)) \
		-o "$NETLAB_DIR/received" -t "$NETLAB_DIR/trace" "$NETLAB_RECEIVER4" "$PORT" | run_follow
}

# attach PROCESS: its socket, when it has one.
attach()
{
	local said

	said=$(run_in sender build/cli/qsock -j attach --pid "$1" --wait 30 \
		"$NETLAB_DEV" dwcs non-droppable) || return
	python3 -c 'import json, sys; print(json.dumps(json.loads(sys.argv[1])[0]))' "$said" \
		>"$NETLAB_DIR/stream.json"
}

# stream WHO: until the receiver has seen enough. A sender that is behind still has
# something to send then. To open ffmpeg's 200 libraries takes a guest any time if its
# CPU is idle meanwhile: so it is not.
stream()
{
	local receiver sender spare attacher='' whole=true

	receive &
	receiver=$!
	run_until_bound "$PORT"
	start build/bench/spare >"$NETLAB_DIR/unused"
	spare=$STARTED
	start_sender "$1"
	sender=$STARTED
	echo '{}' | tee "$NETLAB_DIR/marked" >"$NETLAB_DIR/stream.json"
	case $1 in
	kernel | bands)
		attach "$sender" &
		attacher=$!
		;;
	esac
	until sender_has_connected; do
		kill -0 "$sender" || die 1 "the sender has ended: $(cat "$NETLAB_DIR/ffmpeg")"
		sleep 0.05
	done
	kill "$spare"
	wait "$receiver" || die 1 "the receiver failed, as said above; ffmpeg: $(cat "$NETLAB_DIR/ffmpeg")"
	! kill "$sender" 2>/dev/null || whole=false
	wait "$sender" "$spare" || true
	[ -z "$attacher" ] || wait "$attacher" || die 1 "attach failed, as said above"
	printf '{"sent_all": %s, "stream": %s, "marked": %s}' "$whole" \
		"$(cat "$NETLAB_DIR/stream.json")" "$(cat "$NETLAB_DIR/marked")" >"$NETLAB_DIR/sender"
	echo '{}' >"$NETLAB_DIR/receiver"
}

# run NAME [OUTPUT SECONDS START]: prints "NAME SECOND PICTURES" every second; leaves
# NAME.json, and what was received and when in NAME.received and NAME.trace.
run()
{
	local experiment who seed

	IFS=. read -r experiment who seed <<<"$1"
	mpeg_experiment "$experiment"
	OUTPUT=${2:-$OUTPUT}
	LENGTH=${3:-$LENGTH}
	STARTS=${4:-$STARTS}
	run_begin "$1"
	mpeg_link "$who"
	run_prepare_transfers ftp
	cp "$OUTPUT/$experiment.$seed.stream" "$NETLAB_DIR/stream"
	run_read_ahead ffmpeg build/bench/record build/bench/spare build/cli/qsock \
		build/examples/mpeg-send
	run_watch_link start
	stream "$who"
	wait
	run_watch_link end
	cp "$NETLAB_DIR/received" "$OUTPUT/$1.received"
	cp "$NETLAB_DIR/trace" "$OUTPUT/$1.trace"
	python3 bench/plot/runs.py "$NETLAB_DIR" >"$OUTPUT/$1.json"
}

# --- all runs --------------------------------------------------------------------

make_figure()
{
	local status=0

	python3 bench/plot/mpeg.py "$OUTPUT" "$RATE" "$TRANSFERS" "$LENGTH" "$FPS" || status=$?
	[ -e "$OUTPUT.json" ] || die 1 "the runs gave no figure: see $OUTPUT"
	if [ -z "${QS_QUICK:-}" ]; then
		draw "$OUTPUT" -e "transfers=$TRANSFERS" bench/plot/mpeg.gp
		echo "The figure: $OUTPUT.png and $OUTPUT.svg; the numbers: $OUTPUT.json"
	fi
	return "$status"
}

all_names()
{
	local experiment who seed

	for ((seed = 1; seed <= ${QS_SEEDS:-1}; seed++)); do
		for experiment in "${EXPERIMENTS[@]}"; do
			for who in ${WHO[$experiment]}; do
				echo "$experiment.$who.$seed"
			done
		done
	done
}

main()
{
	local names=("$@") name experiment seed

	need_for_runs bench/record bench/spare examples/mpeg-send
	command -v ffmpeg >/dev/null || die 1 "ffmpeg is missing: run scripts/setup bench"
	mkdir -p "$OUTPUT"
	if [ $# = 0 ]; then
		rm -f "$OUTPUT"/* "$OUTPUT".*
		mapfile -t names < <(all_names)
		[ -z "${QS_QUICK:-}" ] || names=(heavy.kernel.1 over.marked.1)
	fi
	for name in "${names[@]}"; do
		IFS=. read -r experiment _ seed <<<"$name"
		[ -e "$OUTPUT/$experiment.$seed.stream" ] || encode "$experiment" "$seed"
	done
	here_or_guest kernel
	make_runs "${names[@]}"
	make_figure
}

if [ -n "${QS_QUICK:-}" ]; then
	LENGTH=8
	RUN_ARGUMENTS=("$OUTPUT" "$LENGTH" 3)
fi
case ${1:-} in
-h | --help) usage ;;
run) shift && run "$@" ;;
figure) make_figure ;;
*) main "$@" ;;
esac
