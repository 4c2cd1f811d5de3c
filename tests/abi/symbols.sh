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

# Its thread goes on after dlclose(), and so does what runs at exit.
plugin_closed()
{
	local flags

	flags=$(pkg-config --static --libs-only-l libbpf libmnl)
	cat >"$TMPDIR/plugin.c" <<-'END'
	#include <netinet/in.h>
	#include <qsockets.h>
	int run(void)
	{
		struct q_dwcs_attr attr = { .ipg = 300000, .stream_flags = DWCS_NON_DROPPABLE };
		struct qos_params params = { .dev = "inproc", .name = "dwcs", .attributes = &attr };
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 9,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params), k;
		for (k = 0; k < 20 && fd >= 0; k++)
			qsendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to), NULL);
		return fd < 0;
	}
	END
	cat >"$TMPDIR/host.c" <<-'END'
	#include <dlfcn.h>
	#include <unistd.h>
	int main(int argc, char **argv)
	{
		void *plugin = dlopen(argv[argc - 1], RTLD_NOW);
		int (*run)(void) = plugin ? (int (*)(void))dlsym(plugin, "run") : 0;
		if (!run || run())
			return 1;
		dlclose(plugin);
		usleep(700000);
		return 0;
	}
	END
	# shellcheck disable=SC2086
	cc -shared -fPIC -I "$QS_ROOT/include" -o "$TMPDIR/plugin.so" "$TMPDIR/plugin.c" \
		"$QS_BUILD/lib/libqsockets.a" $flags &&
		cc -o "$TMPDIR/host" "$TMPDIR/host.c" && "$TMPDIR/host" "$TMPDIR/plugin.so"
}

check "a plug-in that links the static library can be closed" plugin_closed
check "the static library has global symbols" test "$(static_globals | wc -l)" -gt 50
check_equal "every global symbol of the static library begins with q" "" \
	"$(static_globals | grep -v '^q')"
check "a program with names of its own links the static library" static_program
done_testing
