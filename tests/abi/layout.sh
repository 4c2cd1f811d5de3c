#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The structs that the kernel's side and the library share have the same layout
# on both, and no padding that is not a member.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

MULTIARCH=$(cc -print-multiarch)
INCLUDES=(-I"$QS_ROOT" -I"$QS_ROOT/include" -idirafter "/usr/include/$MULTIARCH")

structs_of()
{
	sed -n 's/^struct \([a-z_]*\) {$/\1/p' "$QS_ROOT/include/qsockets/$1"
}

# members HEADER STRUCT: by their names in the source.
members()
{
	cc -fpreprocessed -dD -E -P "$QS_ROOT/include/qsockets/$1" |
		sed -n "/^struct $2 {/,/^}/{/^[ \t]/p}" | sed 's/\[[^]]*\]//g' |
		grep -oE '\*?[a-z_0-9]+ *[,;]' | tr -d '*,; '
}

# The library's side: a program that prints, as C, what it takes the structs to
# be.
printer()
{
	local name member

	cat <<EOF
#include <stddef.h>
#include <stdio.h>
#include <qsockets/$1>
#define SAY(what) printf("_Static_assert(%s == %zu, \"\");\n", #what, (size_t)(what))
int main(void)
{
EOF
	for name in $(structs_of "$1"); do
		echo "SAY(sizeof(struct $name));"
		for member in $(members "$1" "$name"); do
			echo "SAY(offsetof(struct $name, $member));"
		done
	done
	echo 'return 0; }'
}

bpf_agrees()
{
	printer "$1" >"$TMPDIR/printer.c" &&
		cc "${INCLUDES[@]}" "$TMPDIR/printer.c" -o "$TMPDIR/printer" || return
	{
		printf '#include <stddef.h>\n#include <qsockets/%s>\n' "$1"
		"$TMPDIR/printer"
	} >"$TMPDIR/assert.c"
	grep -q offsetof "$TMPDIR/assert.c" &&
		clang-19 -target bpf -std=gnu17 -fsyntax-only "${INCLUDES[@]}" "$TMPDIR/assert.c"
}

no_padding()
{
	echo "#include <qsockets/$1>" |
		clang-19 -target bpf -Wpadded -Werror -fsyntax-only "${INCLUDES[@]}" -x c -
}

for header in info.h abi.h sched.h; do
	check "BPF and the library lay out $header alike" bpf_agrees "$header"
	check "$header has no implicit padding" no_padding "$header"
done
done_testing
