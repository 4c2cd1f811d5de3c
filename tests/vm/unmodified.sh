#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engines: bands
# timeout: 300
# qsock attach on programs as their packages have them: each opens two sockets.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

STREAMS=$TMPDIR/streams

# count STREAMS THAT: how many of what show -j prints.
count()
{
	qsock show -j >"$STREAMS"
	python3 -c 'import json, sys
print(sum(1 for s in json.load(open(sys.argv[1]))[0]["stream"] if eval(sys.argv[2])))' "$STREAMS" "$1"
}

streams_are() { [ "$(count "$1")" = "$2" ]; }

# has_sockets PID N: of several none is guessed, and how many there are is said.
has_sockets() { qsock attach --pid "$1" eth0 dwcs 2>&1 | grep -qF "has $2 IP sockets: choose"; }

# check_program NAME SOCKETS COMMAND...: all its sockets are attached while it sends.
check_program()
{
	local name=$1 sockets=$2 program

	shift 2
	"$@" >"$TMPDIR/program" 2>&1 </dev/null &
	program=$!
	check "$name opens its sockets" patiently has_sockets "$program" "$sockets"
	check "$name: all are attached" qsock attach --pid "$program" --all eth0 dwcs ipg 10ms loss 1/2 work-conserving
	check_equal "$name: each is a stream" "$sockets" "$(count True)"
	check "$name: what it sends is the stream's" patiently streams_are 's["sent_units"] + s["dropped_late"] > 5' 1
	kill "$program"
	wait "$program"
	check "$name: the streams end with it" patiently streams_are True 0
}

lab_up
qsock init eth0 dwcs rate 20mbit 2>/dev/null
if command -v ffmpeg >/dev/null; then
	check_program "ffmpeg -f rtp_mpegts" 2 ffmpeg -nostdin -loglevel error -re \
		-f lavfi -i testsrc2=size=160x120:rate=25 -c:v mpeg2video -b:v 500k -f rtp_mpegts rtp://192.0.2.2:5600
else
	skip "ffmpeg -f rtp_mpegts" "there is no ffmpeg: run scripts/setup test"
fi
if command -v gst-launch-1.0 >/dev/null; then
	check_program "GStreamer's udpsink" 2 gst-launch-1.0 -q videotestsrc is-live=true ! \
		video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! jpegenc ! rtpjpegpay ! \
		udpsink host=192.0.2.2 port=5602
else
	skip "GStreamer's udpsink" "there is no gst-launch-1.0: run scripts/setup test"
fi
done_testing
