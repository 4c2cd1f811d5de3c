#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernels: 7.3 6.12
# examples/attach: a shell that sends datagrams, and knows of nothing, has a stream.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

PEER=192.0.2.2

# sender_start PORT...: sends a datagram, to each PORT, for each line of descriptor 8;
# SENDER is its process.
sender_start()
{
	mkfifo "$TMPDIR/lines" "$TMPDIR/ready"
	# shellcheck disable=SC2016
	bash -c 'for port; do
			exec {fd}<>"/dev/udp/$0/$port" && fds+=" $fd"
		done
		echo >"$TMPDIR/ready"
		while read -r line; do
			for fd in $fds; do echo "$line" >&"$fd"; done
		done' "$PEER" "$@" <"$TMPDIR/lines" &
	SENDER=$!
	exec 8>"$TMPDIR/lines"
	read -r _ <"$TMPDIR/ready"
	rm "$TMPDIR/lines" "$TMPDIR/ready"
}

sender_end()
{
	exec 8>&-
	wait "$SENDER"
}

has_sent() { [ "$(stream_values sent_units)" = "$1" ]; }

lab_up
sender_start 5600
check_refused "where nothing is managed there is no stream" managed \
	attach --device eth0 "$SENDER" "$PEER" 5600
qsock init eth0 dwcs rate 8mbit 2>/dev/null

check_refused "another port is no match" "no such socket" attach "$SENDER" "$PEER" 5601
check_refused "nobody may not take root's socket" "Permission denied" \
	as_nobody "$QS_BUILD/examples/attach" "$SENDER" "$PEER" 5600
check "a socket is attached by where it is connected to" \
	attach --non-droppable --loss 1/10 --period 1000 "$SENDER" "$PEER" 5600
check_equal "the stream has these attributes" "1 10 1000" "$(stream_values oln old ipg)"
check_refused "it is attached once" "attached already" attach "$SENDER" "$PEER" 5600
printf '%s\n' 1 2 3 >&8
check "what the program sends is the stream's" patiently has_sent 3
sender_end
check_equal "with the program the stream ends" "" "$(stream_values sent_units)"

sender_start 5600 5601
check_refused "of two sockets none is guessed" "several" attach "$SENDER"
sender_end

sender_start 5600
attach --output "$TMPDIR/result" "$SENDER" 8>&- & # it would keep the sender waiting
attacher=$!
is_attached() { has_sent 0; }
check "the only socket is found" patiently is_attached
echo 1 >&8
sender_end
wait "$attacher"
check_equal "attach ends with the program" 0 $?
check "and tells what has left" grep -q '"sent_units": 1,' "$TMPDIR/result"
check_refused "a process that is gone has none" "No such process" attach "$SENDER"
done_testing
