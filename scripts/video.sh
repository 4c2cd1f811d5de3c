# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The experiments with video: streams of examples/video-server over a link of 10
# Mbit/s that transfers fill up. An experiment is one of
#
#	fig4     a stream of 20 fps and 0.8 Mbit/s; 8 transfers join, and 8 more
#	heavy    the same frame rate at 6 Mbit/s; 8 transfers
#	cost     fig4 in short, and what no program wants of the CPU is counted: see
#	         bench/spare.c
#	fig6     streams of 20 and 15 fps, and one of 20 fps that is never managed;
#	         8 transfers
#
# and who schedules the stream is one of
#
#	plain       nobody: plain sockets behind a token bucket
#	plain-seg   the same, and TCP may hand over no super-packets: it then learns of
#	            each packet that finds the queue full, and soon stays below
#	plain-own   as plain, and the streaming program also serves the transfers
#	pfifo, fq, fq_codel, cake
#	            plain sockets, behind that, by itself or below HTB; no super-packets
#	htb         the same, behind classes made by hand, which know the stream's ports
#	etf         the same, and in the class etf, which the program gives deadlines
#	ffmpeg      as plain, and ffmpeg relays the stream and paces its datagrams
#	srt         as plain, and the stream goes through a relay at each end, over SRT, which
#	            paces it, sends again what was lost, and delivers 120 ms later
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
# The streams that are managed, at ports 5600 and 5601, as a filter sees them.
VIDEO_PORTS=(5600 0xfffe)
VIDEO_RELAY_PORT=5599
VIDEO_SRT_PORT=5690
# Of the sizes of frames; and options of the lab.
VIDEO_SEED=1
VIDEO_LAB=()
# What the program sends, in kbit/s: so that the queue is its own. It leaves a little
# to what TCP sends again, and the room that a stream of others needs.
declare -A VIDEO_INPROC_KBIT=([fig4]=9700 [cost]=9700 [heavy]=9700 [fig6]=8700)
# At what ffmpeg paces, bit/s: a quarter above the stream's mean.
declare -A VIDEO_PACE=([fig4]=1000000 [heavy]=7200000)

# video_experiment NAME: what of it the experiment decides.
video_experiment()
{
	EXPERIMENT=$1
	STARTS=15
	STREAM=()
	case $1 in
	fig4) STARTS='15 30' ;;
	cost) # no second is idle: the emulated CPU is never free
		LENGTH=20
		STARTS=5
		;;
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
	plain | plain-* | inproc | ffmpeg | srt) link_unmanaged ;;
	pfifo | fq | fq_codel) link_shaped "$1" ;;
	cake) link_cake ;;
	htb) link_classes "${VIDEO_PORTS[@]}" pfifo limit 200 ;;
	etf) link_deadlines "${VIDEO_PORTS[@]}" ;;
	kernel | bands)
		RUN_ENGINE=$1
		link_managed
		;;
	*) die 2 "nobody is called $1" ;;
	esac
}

# video_options WHO: sets OPTIONS to what the server is told.
video_options()
{
	OPTIONS=(--seed "$VIDEO_SEED" ${STREAM[@]+"${STREAM[@]}"})
	case $1 in
	etf) OPTIONS+=(--etf) ;;
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

# video_relays WHO: what the stream goes through on its way; sets RELAYS. An application
# paces: the link is nobody's. They are there before a client begins to wait, because what
# they read from the disk may take long by an emulated clock.
video_relays()
{
	local here="udp://127.0.0.1:$VIDEO_RELAY_PORT" there="$NETLAB_RECEIVER4:$VIDEO_SRT_PORT"

	RELAYS=()
	case $1 in
	ffmpeg)
		video_relay sender ffmpeg -loglevel error -probesize 32 -f data -raw_packet_size 1472 \
			-i "$here" -map 0 -c copy -f data -flush_packets 1 \
			"udp://$NETLAB_RECEIVER4:5600?pkt_size=1472&bitrate=${VIDEO_PACE[$EXPERIMENT]}"
		;;
	srt)
		video_relay receiver srt-live-transmit "srt://:$VIDEO_SRT_PORT?mode=listener" \
			"udp://$NETLAB_RECEIVER4:5600"
		run_until_bound "$VIDEO_SRT_PORT"
		video_relay sender srt-live-transmit "$here" \
			"srt://$there?mode=caller&maxbw=0&inputbw=0&oheadbw=25"
		;;
	*) return 0 ;;
	esac
	run_until_bound "$VIDEO_RELAY_PORT" sender
	sleep 2 # SRT shakes hands
}

# video_relay HOST PROGRAM...: in the background.
video_relay()
{
	run_in "$@" >"$NETLAB_DIR/relay.$1" 2>&1 </dev/null &
	RELAYS+=($!)
}

# Asked to end, they would take their time.
video_end_relays()
{
	[ ${#RELAYS[@]} -gt 0 ] || return 0
	kill -9 "${RELAYS[@]}"
	wait "${RELAYS[@]}" 2>/dev/null || true
}

# video_servers WHO: once the clients have their ports.
video_servers()
{
	local other='' to=("$NETLAB_RECEIVER4")

	run_until_bound 5600
	if [ "$EXPERIMENT" = fig6 ]; then
		run_until_bound 5601
		run_until_bound 5602
		video_serve --seed $((VIDEO_SEED + 2)) -o "$NETLAB_DIR/sender.3" "$NETLAB_RECEIVER4" 5602 &
		other=$!
	fi
	video_options "$1"
	[ ${#RELAYS[@]} = 0 ] || to=(127.0.0.1 "$VIDEO_RELAY_PORT")
	video_serve "${OPTIONS[@]}" -o "$NETLAB_DIR/sender" "${to[@]}"
	[ -z "$other" ] || wait "$other"
}

# video_client SUFFIX ARGUMENT...: SUFFIX tells what it leaves from the others'.
video_client()
{
	local suffix=$1

	shift
	run_client build/examples/video-client -s "$LENGTH" -o "$NETLAB_DIR/receiver$suffix" \
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
	local server spare='' lab=(${VIDEO_LAB[@]+"${VIDEO_LAB[@]}"}) ahead=()

	case $1 in
	ffmpeg) ahead=(ffmpeg) ;;
	srt) ahead=(srt-live-transmit) ;;
	esac
	case $EXPERIMENT.$1 in
	cost.* | *.plain-seg | *.pfifo | *.fq | *.fq_codel | *.cake | *.htb | *.etf)
		lab+=(--gso-max-segs 1)
		;;
	esac
	run_begin "$2" ${lab[@]+"${lab[@]}"}
	video_link "$1"
	video_transfers "$1"
	run_read_ahead build/examples/video-server build/examples/video-client ${ahead[@]+"${ahead[@]}"}
	video_relays "$1"
	run_watch_link start
	if [ "$EXPERIMENT" = cost ]; then
		build/bench/spare >"$NETLAB_DIR/spare" &
		spare=$!
	fi
	video_servers "$1" &
	server=$!
	video_more_clients
	video_client '' -l "$NETLAB_RECEIVER4" | run_follow ||
		die 1 "video-client failed, as said above; relays: $(cat "$NETLAB_DIR"/relay.* 2>/dev/null)"
	wait "$server" ${CLIENTS[@]+"${CLIENTS[@]}"} || die 1 "a server or a client failed, as said above"
	video_end_relays
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
