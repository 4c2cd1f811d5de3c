#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# icount: 1
# timeout: 300
# The bands engine counts what is queued in HTB. Packets that HTB has lost, which is as if
# they had left unseen, stay counted while transfers keep HTB from being empty. That must
# not be what later frames are judged by.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

LONG=8 # seconds
LOSES=2 # from that one on, for a second

[ "$(id -u)" = 0 ] || skip_all "needs root"
cd "$QS_ROOT" || exit
# shellcheck source=scripts/netlab
. scripts/netlab
trap netlab_down EXIT

# limit PACKETS: of what each band of streams may queue.
limit()
{
	local band

	for band in 1 2 3 4 5 6 7; do
		netlab_in_sender tc qdisc change dev "$NETLAB_DEV" parent "5153:$band" pfifo limit "$1" ||
			return
	done
}

# least FROM: frames in the worst second from that one on.
least() { awk -v from="$1" '$1 >= from { print $2 }' "$TMPDIR/seconds" | sort -n | head -n 1; }

stream()
{
	netlab_in_receiver video-client -l -s "$LONG" -w 86400 -o "$TMPDIR/result" \
		"$NETLAB_RECEIVER4" >"$TMPDIR/seconds" &
	sleep 0.2
	netlab_in_sender chrt --fifo 1 "$QS_BUILD/examples/video-server" -s "$LONG" \
		--managed "$NETLAB_DEV" -o "$TMPDIR/sent" "$NETLAB_RECEIVER4" &
	sleep "$LOSES"
	limit 1 || return
	sleep 1
	limit 1000 || return
	wait
}

netlab_up || exit
check "the link is the bands'" netlab_in_sender env QSOCKETS_ENGINE=bands \
	qsock init "$NETLAB_DEV" dwcs rate 10mbit
netlab_ftp_start || exit
netlab_ftp_transfers 8 $((LONG + 2))
check "a stream goes through, and HTB loses a part of it" stream
diag <"$TMPDIR/seconds"
check "frames were lost" test "$(least "$((LOSES + 1))")" -lt 20
check "a second later none is" test "$(least "$((LOSES + 4))")" -ge 20
check "the link is given back" netlab_in_sender qsock fini "$NETLAB_DEV"
done_testing
