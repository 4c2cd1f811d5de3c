#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What qsim reads, what it refuses, and that it is fast.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"
QSIM=$QS_BUILD/sim/qsim

# refuses NUMBER WHY TRACE: status 2, and what is said of which line.
refuses()
{
	local status=0 said

	said=$(printf '%b' "$3" | "$QSIM" dwcs 2>&1 >/dev/null) || status=$?
	check_equal "it refuses: $3" "2 qsim: line $1: $2" "$status $said"
}

refuses 1 '"foo" is not known here' 'foo'
refuses 2 'a second device' 'device 1000\ndevice 1000'
refuses 1 'RATE_BIT_PER_S is less than 1' 'device 0'
refuses 1 'RATE_BIT_PER_S: "-1" is not a number' 'device -1'
refuses 1 'RATE_BIT_PER_S: "10mbit" is not a number' 'device 10mbit'
refuses 1 'IPG_US is missing' 'stream 1 1 2'
refuses 1 'IPG_US: 4294967296 is more than 4294967295' 'stream 1 1 2 4294967296'
refuses 1 'OLN is more than OLD' 'stream 1 3 2 1'
refuses 1 'OLD is 0, but OLN is not' 'stream 1 3 0 1'
refuses 1 '"lossless" is not known here' 'stream 1 1 2 1 lossless'
refuses 2 'a second stream 1' 'stream 1 1 2 1\nstream 01 1 2 1'
refuses 3 'no stream 2 was declared' '# one\nstream 1 1 2 1 # two\nat 5 send 2 100'
refuses 2 'prio: 8 is more than 7' 'stream 1 1 2 1\nat 5 send 1 100 prio=8'
refuses 2 'start twice' 'stream 1 1 2 1\nat 5 send 1 100 start start'
refuses 2 'deadline: a number is missing' 'stream 1 1 2 1\nat 5 send 1 100 deadline='
refuses 2 'BYTES is less than 1' 'stream 1 1 2 1\nat 5 send 1 0'
refuses 2 'OLN is more than OLD' 'stream 1 1 2 1\nat 5 change 1 2 1 1'
refuses 1 'it has a null byte' 'device 1000\0000\n'
refuses 3 'the end, and no device was given' 'stream 1 1 2 1\nat 5 send 1 100\n'
refuses 1 'at what time is there, but not what' 'at 5'

check_equal "nothing in, nothing out" "" "$("$QSIM" dwcs </dev/null)"
check_fails "an unknown scheduler is an error" "$QSIM" fifo
check_fails "a missing file is an error" "$QSIM" dwcs "$TMPDIR/none"

cat >"$TMPDIR/lines" <<'END'
	until 5000000
at 1000 send 18446744073709551615 500 # declared later, which would be wrong
END
check_fails "a stream is declared before it is used" "$QSIM" dwcs "$TMPDIR/lines"

cat >"$TMPDIR/lines" <<'END'
stream 18446744073709551615 0 0 0 nondroppable
at 3000 send 18446744073709551615 1000 deadline=4000
at 1000 besteffort 1000
at 1000 send 18446744073709551615 1000 start
at 1000 send 18446744073709551615 500 end
device 8000000
END
check_equal "lines go by their times, streams before best effort" \
	"1001000 18446744073709551615 0 sent
1501000 18446744073709551615 1 sent
2501000 18446744073709551615 2 late
stream 18446744073709551615 sent 2 late 1 dropped 0 violations 1" \
	"$("$QSIM" dwcs "$TMPDIR/lines")"

cat >"$TMPDIR/lines" <<'END'
device 8000000
stream 7 1 2 1000
backlog 7 1000 3
END
check_equal "a limit refuses what is over it" \
	"0 7 2 dropped-overflow
1000000 7 0 sent
2000000 7 1 sent
stream 7 sent 2 late 0 dropped 1 violations 0" \
	"$("$QSIM" --limit 2 dwcs "$TMPDIR/lines")"

cat >"$TMPDIR/lines" <<'END'
device 8000000
stream 7 0 1 1000
at 0 send 7 1000 start
at 0 send 7 1000 end
backlog 7 1000 3
END
check_equal "a late frame is dropped whole before a backlog goes on" \
	"0 7 0 dropped-late
0 7 1 dropped-late" "$("$QSIM" dwcs "$TMPDIR/lines" | head -n 2)"

# many COMMAND...: it has 20 seconds, of which it needs two here.
many()
{
	printf 'device 1000000000\nstream 1 1 2 20\nstream 2 0 1 30\n' >"$TMPDIR/many"
	printf 'backlog 1 1000 500000\nbacklog 2 500 500000\n' >>"$TMPDIR/many"
	seq 1 1000000 | sed 's/.*/at &000 send 1 100/' >>"$TMPDIR/many"
	timeout 20 "$QSIM" "$1" "$TMPDIR/many" | awk '!/^stream/ { n++ } END { exit n != 2000000 }'
}
check "two million messages take dwcs no time" many dwcs
check "and vds" many vds
done_testing
