#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the header declares, the version script lists and the library exports is
# the same.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

declared()
{
	cc -fpreprocessed -dD -E -P "$QS_ROOT/include/qsockets.h" | grep -v '^#' |
		grep -oE '\bq[a-z_]+\(' | tr -d '(' | sort -u
}

listed()
{
	sed 's,/\*.*\*/,,' "$QS_ROOT/lib/libqsockets.map" |
		grep -oE '^[[:space:]]+[a-z_*]+;' | tr -d '; \t' | grep -vx '\*' | sort -u
}

exported()
{
	nm -D --defined-only "$QS_BUILD/lib/libqsockets.so" |
		awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

check "the header declares functions" test "$(declared | wc -l)" -gt 10
check "the version script lists what the header declares" diff <(declared) <(listed)
check "the library exports what the version script lists" diff <(listed) <(exported)
check_equal "every symbol has a version" "" \
	"$(nm -D --defined-only "$QS_BUILD/lib/libqsockets.so" | grep ' T ' | grep -v @@)"
done_testing
