#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# qsock show and tc: what is on a device, as text and as JSON.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

lab_up
qsock init eth0 dwcs rate 8mbit limit 128 streams 5

# The first leaves at once, the others wait for an hour each.
check_hold "an application attaches and sends" eth0 4 3600000000
has_left() { [ "$(stream_values sent_packets)" = 1 ]; }
check "its first message leaves" patiently has_left
check "show -j prints valid JSON" python3 -m json.tool <(qsock show -j)
check "show -jp too" python3 -m json.tool <(qsock show -jp)
check_equal "the others are queued" "3 3" "$(stream_values backlog_packets backlog_units)"
check_equal "the stream has its attributes" "1 2 3600000000" "$(stream_values oln old ipg)"
check_equal "it is of that process" "$HOLDER $NOBODY" "$(stream_values pid uid)"
check_equal "it is not closed" false "$(stream_values closed)"
check_equal "the device has its settings" "dwcs 8000000 128" "$(values scheduler rate limit)"
check_equal "the queue has what the stream queued" 3 "$(values backlog_packets)"
check "the text has the stream" grep -qE "^ +[0-9]+ +$HOLDER +$NOBODY +1/2 " <(qsock show)
check_equal "one packet has left: its delay is the longest and all quantiles" \
	"$(stream_values delay_max_ns delay_max_ns delay_max_ns delay_max_ns)" \
	"$(stream_values delay_mean_ns delay_p50_ns delay_p99_ns delay_last_ns)"
check_equal "nothing is reserved" "0 false" "$(values reserved no_promise)"
check "-s shows delays" grep -qE '^ +delay: mean .+, p50 .+, p99 .+, max .+' <(qsock -s show)
check_fails "without it there are none" grep -q 'delay:' <(qsock show)
check_fails "-s takes 80 columns" grep -qE '.{81}' <(qsock show -s)
check "show -sj prints valid JSON" python3 -m json.tool <(qsock show -sj)
check_refused "unknown letters are refused" "unknown option" qsock -jx show
check "the text has the device" grep -q '^eth0: dwcs rate 8Mbit limit 128 streams 1/5' <(qsock show)

statistics() { tc -s qdisc show dev eth0 root; }
check "tc shows what was sent" grep -qE 'Sent [1-9][0-9]* bytes [1-9]' <(statistics)
check "tc shows what is queued" grep -qE 'backlog [1-9][0-9]*b 3p' <(statistics)
check "tc shows that it waits" grep -qE 'overlimits [1-9]' <(statistics)
check "tc -j is valid JSON" python3 -m json.tool <(tc -s -j qdisc show dev eth0)
hold_end
check_equal "a closed stream is shown while it has a queue" true "$(stream_values closed)"

# 200 at once are more than the queue can hold.
check "more than the queue holds" hold eth0 192.0.2.2 200 3600000000 </dev/null
check "tc shows drops" grep -qE 'dropped [1-9]' <(statistics)
check "so does qsock" test "$(values dropped_overflow)" -gt 0

ip link set eth0 down
check_equal "a device that goes down has no queue" 0 "$(values backlog_packets)"
check_equal "and the closed streams are gone" 0 "$(values attached)"

check_refused "who has no privilege sees nothing" "" as_nobody qsock show
check_refused "one device at a time" "unexpected argument" qsock show eth0 eth1
done_testing
