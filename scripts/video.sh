# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The experiments with video: streams of examples/video-server over a link of 10
# Mbit/s that transfers fill up. An experiment is one of
#
#	fig4     a stream of 20 fps and 0.8 Mbit/s; 8 transfers join, and 8 more
#	heavy    the same frame rate at 6 Mbit/s; 8 transfers
#	cost     fig4, and what no program wants of the CPU is counted: see bench/spare.c
#	fig6     streams of 20 and 15 fps, and one of 20 fps that is never managed;
#	         8 transfers
#
# and who schedules the stream is one of
#
#	plain       nobody: plain sockets behind a token bucket
#	plain-seg   the same, and TCP may hand over no super-packets: it then learns of
#	            each packet that finds the queue full, and soon stays below
#	plain-own   as plain, and the streaming program also serves the transfers
#	fq_codel    plain sockets, behind that
#	kernel, bands
#	inproc      the streaming program, which therefore serves the transfers, too;
#	            at the link is a token bucket
#
# A script that sources this has sourced scripts/runs.sh, which uses what is set here.
# shellcheck disable=SC2034

RATE=10mbit
UNIT=fps
LENGTH=60
TRANSFERS=8
VIDEO_TRANSFERS_PORT=5680
# What the program sends, in kbit/s: so that the queue is its own. It leaves a little
# to what TCP sends again, and the room that a stream of others needs.
declare -A VIDEO_INPROC_KBIT=([fig4]=9700 [cost]=9700 [heavy]=9700 [fig6]=8700)

# video_experiment NAME: what of it the experiment decides.
video_experiment()
{
	EXPERIMENT=$1
	STARTS=15
	STREAM=()
	case $1 in
	fig4 | cost) STARTS='15 30' ;;
	heavy) STREAM=(--mean-bytes 36000 --weights '1.2,1.1,0.93') ;;
	fig6) STREAM=(--second 15) ;;
	*) die 2 "no experiment is called $1" ;;
	esac
}

# --- one run -------------------------------------------------------------------

# video_link WHO
video_link()
{
	case $1 in
	plain | plain-* | inproc) run_unmanaged_link ;;
	fq_codel) run_fq_codel_link ;;
	kernel | bands)
		RUN_ENGINE=$1
		run_managed_link
		;;
	*) die 2 "nobody is called $1" ;;
	esac
}

# video_options WHO: sets OPTIONS to what the server is told.
video_options()
{
	OPTIONS=(${STREAM[@]+"${STREAM[@]}"})
	case $1 in
	kernel | bands) OPTIONS+=(--managed "$NETLAB_DEV") ;;
	inproc) OPTIONS+=(--managed inproc --rate "${VIDEO_INPROC_KBIT[$EXPERIMENT]}") ;;
	esac
	case $1 in
	plain-own | inproc) OPTIONS+=(--bulk "$VIDEO_TRANSFERS_PORT") ;;
	esac
}

video_transfers()
{
	case $1 in
	plain-own | inproc) run_prepare_transfers "http://$NETLAB_SENDER4:$VIDEO_TRANSFERS_PORT/" ;;
	*) run_prepare_transfers ftp ;;
	esac
}

# video_serve ARGUMENT...: a real-time priority, in all runs, keeps the CPU out of
# it: what is compared is what the packets meet.
video_serve()
{
	run_in sender chrt --fifo 1 build/examples/video-server -s "$LENGTH" "$@"
}

# video_servers WHO: once the clients have their ports.
video_servers()
{
	local other=

	run_until_bound 5600
	if [ "$EXPERIMENT" = fig6 ]; then
		run_until_bound 5601
		run_until_bound 5602
		video_serve --seed 3 -o "$NETLAB_DIR/sender.3" "$NETLAB_RECEIVER4" 5602 &
		other=$!
	fi
	video_options "$1"
	video_serve "${OPTIONS[@]}" -o "$NETLAB_DIR/sender" "$NETLAB_RECEIVER4"
	[ -z "$other" ] || wait "$other"
}

# video_client SUFFIX ARGUMENT...: SUFFIX tells what it leaves from the others'.
video_client()
{
	local suffix=$1

	shift
	run_in receiver build/examples/video-client -s "$LENGTH" -o "$NETLAB_DIR/receiver$suffix" \
		-t "$NETLAB_DIR/trace$suffix" "$@"
}

# Those of the further streams, in the background: sets CLIENTS.
video_more_clients()
{
	local number

	CLIENTS=()
	[ "$EXPERIMENT" = fig6 ] || return 0
	for number in 2 3; do
		video_client ".$number" "$NETLAB_RECEIVER4" $((5599 + number)) &
		CLIENTS+=($!)
	done
}

# video_run WHO NAME: of the experiment that was named before. Prints "NAME SECOND
# FPS" every second, and leaves NAME.json and NAME.trace in OUTPUT. What a packet costs
# can be compared when none is a super-packet; the managed link has none anyway.
video_run()
{
	local server spare='' lab=()

	case $EXPERIMENT.$1 in
	cost.* | *.plain-seg) lab=(--gso-max-segs 1) ;;
	esac
	run_begin "$2" ${lab[@]+"${lab[@]}"}
	video_link "$1"
	video_transfers "$1"
	run_read_ahead build/examples/video-server build/examples/video-client
	run_watch_link start
	if [ "$EXPERIMENT" = cost ]; then
		build/bench/spare >"$NETLAB_DIR/spare" &
		spare=$!
	fi
	video_servers "$1" &
	server=$!
	video_more_clients
	video_client '' -l "$NETLAB_RECEIVER4" | run_follow || die 1 "video-client failed, as said above"
	wait "$server" ${CLIENTS[@]+"${CLIENTS[@]}"} || die 1 "a server or a client failed, as said above"
	if [ -n "$spare" ]; then # what transfers still do is not counted
		kill "$spare"
		wait "$spare"
		run_watch_link end
		wait
	else
		wait
		run_watch_link end
	fi
	cp "$NETLAB_DIR/trace" "$OUTPUT/$2.trace"
	python3 bench/plot/runs.py "$NETLAB_DIR" >"$OUTPUT/$2.json"
}
