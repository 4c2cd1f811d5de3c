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
# A program that links the static library has all other names for itself.
static_globals()
{
	nm -g --defined-only "$QS_BUILD/lib/libqsockets.a" | awk 'NF == 3 { print $3 }' | sort -u
}

static_program()
{
	local flags

	flags=$(PKG_CONFIG_PATH="$QS_BUILD/meson-private" pkg-config --static --libs-only-l libbpf libmnl)
	printf '%s\n' '#include <qsockets.h>' 'int inproc = 1, batch, table, names;' \
		'int main(void) { return qclose(-1) != -1 || inproc != 1; }' >"$TMPDIR/own.c"
	# shellcheck disable=SC2086
	cc -I "$QS_ROOT/include" -o "$TMPDIR/own" "$TMPDIR/own.c" \
		"$QS_BUILD/lib/libqsockets.a" $flags && "$TMPDIR/own"
}

check "the static library has global symbols" test "$(static_globals | wc -l)" -gt 50
check_equal "every global symbol of the static library begins with q" "" \
	"$(static_globals | grep -v '^q')"
check "a program with names of its own links the static library" static_program
done_testing
