# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# For tests in shell:
#
#	# shellcheck source=tests/tap.sh
#	. "${0%/*}/../tap.sh"
#	check "an attached socket is listed" grep -q dwcs list
#	check_fails "a closed one is not" grep -q dwcs list
#	done_testing

QS_ROOT=${QS_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)}
QS_BUILD=${QS_BUILD:-$QS_ROOT/build}
PATH=$QS_BUILD/cli:$QS_BUILD/examples:$PATH
export QS_ROOT QS_BUILD PATH

# scripts/run-tests gives each test one.
if [ -z "${TMPDIR:-}" ]; then
	TMPDIR=$(mktemp -d /tmp/qsockets-test.XXXXXX)
	export TMPDIR
	trap 'rm -rf "$TMPDIR"' EXIT
fi

TAP_COUNT=0
TAP_FAILED=0

# Lines that explain; on standard input or as arguments.
diag()
{
	if [ $# -gt 0 ]; then
		printf '# %s\n' "$*"
	else
		sed 's/^/# /'
	fi
}

pass()
{
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $*"
}

fail()
{
	TAP_COUNT=$((TAP_COUNT + 1))
	TAP_FAILED=$((TAP_FAILED + 1))
	echo "not ok $TAP_COUNT - $*"
}

# skip NAME REASON
skip()
{
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $1 # SKIP $2"
}

# check NAME COMMAND...: passes when COMMAND succeeds.
check()
{
	local name=$1 output status=0

	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" = 0 ]; then
		pass "$name"
	else
		fail "$name"
		diag "status $status of: $*"
		[ -z "$output" ] || diag <<<"$output"
	fi
}

# check_fails NAME COMMAND...: passes when COMMAND fails, by itself.
check_fails()
{
	local name=$1 output status=0

	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" != 0 ] && [ "$status" -lt 124 ]; then
		pass "$name"
	else
		fail "$name"
		diag "status $status of: $*"
		[ -z "$output" ] || diag <<<"$output"
	fi
}

# check_equal NAME EXPECTED ACTUAL
check_equal()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1"
		diag "expected: $2"
		diag "found:    $3"
	fi
}

# skip_all REASON: nothing of this file can run here.
skip_all()
{
	echo "1..0 # SKIP $*"
	exit 77
}

done_testing()
{
	echo "1..$TAP_COUNT"
	[ "$TAP_FAILED" = 0 ]
	exit
}
