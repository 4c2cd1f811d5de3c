#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# icount: 1
# timeout: 600
# A sensor whose messages have deadlines, through FTP transfers: what earliest
# deadline first, lossless and lossy, does for it. The bench fig7 in small.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

[ "$(id -u)" = 0 ] || skip_all "needs root"
cd "$QS_ROOT" || exit

# value NAME KEY: of the result of a run.
value() { sed -n "s/^ *\"$2\": \([0-9]*\),\?$/\1/p" "$TMPDIR/$1.json" | head -n 1; }

missed() { echo $(($(value "$1" late) + $(value "$1" lost))); }

for name in unmanaged lossless lossy bands inproc; do
	check "the $name run is made" bench/fig7.sh run "$name" "$TMPDIR" 10 3
	check "its every message was in time, late or lost" \
		python3 bench/plot/fig7.py check "$TMPDIR" "$name"
	diag "$(value "$name" messages) messages, $(value "$name" late) late, $(value "$name" lost) lost"
done
check_equal "lossless loses nothing" 0 "$(value lossless lost)"
check_equal "lossy is never late" 0 "$(value lossy late)"
check_equal "in-process, lossy is not late either" 0 "$(value inproc late)"
check "not all can be in time" test "$(value lossy lost)" -gt 0
check "lossy loses less than half of what lossless has late" \
	test $((2 * $(value lossy lost))) -lt "$(value lossless late)"
check "lossless misses fewer deadlines than no management" \
	test "$(missed lossless)" -lt "$(missed unmanaged)"
for name in bands inproc; do
	check "$name misses less than half of what no management does" \
		test $((2 * $(missed "$name"))) -lt "$(missed unmanaged)"
done
done_testing
