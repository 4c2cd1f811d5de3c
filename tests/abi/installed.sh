#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What "make install" leaves is enough to build programs with, pedantically.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

meson install -C "$QS_BUILD" --no-rebuild --destdir "$TMPDIR/root" >"$TMPDIR/log" 2>&1 || {
	fail "it installs"
	diag <"$TMPDIR/log"
	done_testing
}
INCLUDE=$(dirname "$(find "$TMPDIR/root" -name qsockets.h)")

# alone HEADER COMPILER...: the header is all that the source includes.
alone()
{
	local header=$1

	shift
	echo "#include <$header>" | "$@" -I"$INCLUDE" -Werror -fsyntax-only -
}

for header in $(cd "$INCLUDE" && find . -name '*.h' -printf '%P\n' | sort); do
	for compiler in gcc clang-19; do
		for std in c99 c11 gnu17; do
			check "$compiler -std=$std takes $header" \
				alone "$header" "$compiler" -x c -std=$std -pedantic -Wall -Wextra
		done
	done
	for compiler in g++ clang-19; do
		check "$compiler -std=c++17 takes $header" \
			alone "$header" "$compiler" -x c++ -std=c++17 -Wall -Wextra
	done
done

PKG_CONFIG_PATH=$(dirname "$(find "$TMPDIR/root" -name qsockets.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$TMPDIR/root" -name libqsockets.so)")
export PKG_CONFIG_PATH LD_LIBRARY_PATH PKG_CONFIG_SYSROOT_DIR=$TMPDIR/root
cat >"$TMPDIR/program.c" <<'EOF'
#include <errno.h>
#include <qsockets.h>

int main(void)
{
	return !(qdetach(-1) == -1 && errno == EBADF && *qsock_errmsg());
}
EOF
build_program()
{
	# shellcheck disable=SC2046
	cc -std=c99 -pedantic "$1" -o "$TMPDIR/program" $(pkg-config --cflags --libs qsockets)
}
check "pkg-config gives what a program needs" build_program "$TMPDIR/program.c"
check "that program runs" "$TMPDIR/program"
check "the library's name carries its version" test -e "$LD_LIBRARY_PATH/libqsockets.so.0"
check "nothing that is installed names this machine's folders" \
	test -z "$(grep -rlF "$QS_ROOT" "$TMPDIR/root")"
done_testing
