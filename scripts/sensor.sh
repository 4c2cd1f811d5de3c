# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The experiment with a sensor: messages of examples/sensor, each with a deadline, over
# a link of 10 Mbit/s that transfers fill up from the middle on. Who schedules is one of
#
#	unmanaged, plain
#	            nobody: a plain socket behind a token bucket
#	plain-seg   the same, and TCP may hand over no super-packets
#	pfifo, fq, fq_codel, cake
#	            a plain socket, behind that, by itself or below HTB; no super-packets
#	htb         the same, behind classes made by hand, which know the sensor's port
#	etf         the same, and in the class etf, which the program gives the deadlines
#	lossless, lossy
#	            the kernel engine, by earliest deadline first: what is late is sent, or
#	            dropped
#	kernel, bands
#	            that engine, lossy
#	inproc      the sensor's program, lossy, which therefore serves the transfers, too;
#	            at the link is a token bucket
#
# A script that sources this has sourced scripts/runs.sh, which uses what is set here.
# shellcheck disable=SC2034

SENSOR_SEED=1
# Options of the lab.
SENSOR_LAB=()
SENSOR_PORT=(5700 0xffff)
SENSOR_TRANSFERS_PORT=5780
# What the class made by hand may queue, so that little comes late: the deadlines' mean.
SENSOR_QUEUE=28kb
# What the program sends, in kbit/s: so that the queue is its own, as in scripts/video.sh.
SENSOR_INPROC_KBIT=9700

# What scripts/runs.sh has to know.
sensor_experiment()
{
	RATE=10mbit
	UNIT='in time'
	LENGTH=60
	STARTS=30
	TRANSFERS=8
}

# sensor_link WHO: we get no burst, as the offline scheduler's link sends nothing ahead of
# its rate.
sensor_link()
{
	case $1 in
	unmanaged | plain | plain-seg | inproc) link_unmanaged ;;
	pfifo | fq | fq_codel) link_shaped "$1" ;;
	cake) link_cake ;;
	htb) link_classes "${SENSOR_PORT[@]}" bfifo limit "$SENSOR_QUEUE" ;;
	etf) link_deadlines "${SENSOR_PORT[@]}" ;;
	lossless | lossy | kernel) link_managed burst 1 ;;
	bands)
		RUN_ENGINE=bands
		link_managed burst 1
		;;
	*) die 2 "nobody is called $1" ;;
	esac
}

sensor_transfers()
{
	case $1 in
	inproc) run_prepare_transfers "http://$NETLAB_SENDER4:$SENSOR_TRANSFERS_PORT/" ;;
	*) run_prepare_transfers ftp ;;
	esac
}

# sensor_send WHO: once the client has its port. Real-time priorities, in all
# runs, keep the CPU out of it: what is compared is what the packets meet.
sensor_send()
{
	local options=()

	case $1 in
	lossless) options=(--managed "$NETLAB_DEV" --lossless) ;;
	lossy | kernel | bands) options=(--managed "$NETLAB_DEV") ;;
	inproc)
		options=(--managed inproc --rate "$SENSOR_INPROC_KBIT" --bulk "$SENSOR_TRANSFERS_PORT")
		;;
	etf) options=(--etf) ;;
	esac
	run_until_bound "${SENSOR_PORT[0]}"
	run_in sender chrt --fifo 1 build/examples/sensor ${options[@]+"${options[@]}"} \
		-s "$LENGTH" -r "$SENSOR_SEED" -o "$NETLAB_DIR/sender" -t "$NETLAB_DIR/sent" \
		"$NETLAB_RECEIVER4"
}

# sensor_run WHO NAME: prints "NAME SECOND MESSAGES" every second; leaves NAME.json, and
# what was sent and received in NAME.sent and NAME.received, in OUTPUT.
sensor_run()
{
	local sensor lab=(${SENSOR_LAB[@]+"${SENSOR_LAB[@]}"})

	# all but the default have no super-packets; we send none in any case
	case $1 in
	unmanaged | plain | inproc) ;;
	*) lab+=(--gso-max-segs 1) ;;
	esac
	run_begin "$2" ${lab[@]+"${lab[@]}"}
	sensor_link "$1"
	sensor_transfers "$1"
	run_read_ahead build/examples/sensor build/examples/sensor-client
	run_watch_link start
	sensor_send "$1" &
	sensor=$!
	run_client chrt --fifo 1 build/examples/sensor-client -l -s "$LENGTH" \
		-o "$NETLAB_DIR/receiver" -t "$NETLAB_DIR/received" "$NETLAB_RECEIVER4" |
		run_follow || die 1 "sensor-client failed, as said above"
	wait "$sensor" || die 1 "sensor failed, as said above"
	wait
	run_watch_link end
	cp "$NETLAB_DIR/sent" "$OUTPUT/$2.sent"
	cp "$NETLAB_DIR/received" "$OUTPUT/$2.received"
	python3 bench/plot/runs.py "$NETLAB_DIR" >"$OUTPUT/$2.json"
}
