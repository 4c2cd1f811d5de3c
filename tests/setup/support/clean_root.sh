# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Follows README on a minimal Debian: a test sets SUITE and sources this. The commands
# and the program are README's own, so that it cannot say what does not work.
#
# The bootstrapped root and the packages it downloads are kept below the build folder.
# A copy of that root is used, in namespaces of its own: for mounts and processes all
# the time, for network and cgroup while packets are sent.
#
# SUITE is the test's; what is quoted is for a shell in the root.
# shellcheck disable=SC2016,SC2153

# shellcheck source=tests/tap.sh
. "${BASH_SOURCE[0]%/*}/../../tap.sh"
# shellcheck source=scripts/lib.sh
. "$QS_ROOT/scripts/lib.sh"

KEPT=$QS_BUILD/clean-root/$SUITE
ROOT=$KEPT/root
TREE=/srv/qsockets
USER_ID=1000
SBIN=/usr/local/sbin:/usr/sbin:/sbin
BIN=/usr/local/bin:/usr/bin:/bin

# --- what README says -------------------------------------------------------------

# readme_commands SECTION: the lines that are indented there.
readme_commands()
{
	awk -v section="## $1" '
	/^## / { inside = $0 == section; next }
	/^```/ { fenced = !fenced }
	inside && !fenced && sub(/^    /, "")' "$QS_ROOT/README.md"
}

# readme_command SECTION START: the one line there that begins so.
readme_command()
{
	readme_commands "$1" | awk -v start="$2" 'index($0, start) == 1 { print; n++ } END { exit n != 1 }'
}

readme_packages() { grep -oE '`apt update && apt install [^`]+`' "$QS_ROOT/README.md" | tr -d '`'; }

readme_program() { awk '/^```/ { inside = $0 == "```c"; next } inside' "$QS_ROOT/README.md"; }

# --- the root ---------------------------------------------------------------------

# bootstrap: it appears complete or not at all.
bootstrap()
{
	[ ! -d "$KEPT/base" ] || return 0
	rm -rf --one-file-system "$KEPT/new"
	mkdir -p "$KEPT/new"
	PATH=$PATH:$SBIN debootstrap --variant=minbase "$SUITE" "$KEPT/new" "$(debian_mirror)" \
		>"$KEPT/log" 2>&1 || return 1
	mv "$KEPT/new" "$KEPT/base"
}

# What is of this machine: names, proxies. Nothing is worth a sync to the disk here.
copy_root()
{
	rm -rf --one-file-system "$ROOT"
	cp -a "$KEPT/base" "$ROOT"
	cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
	apt-config dump | grep -iE '^Acquire::https?::Proxy ' >"$ROOT/etc/apt/apt.conf.d/test" || true
	printf '%s\n' 'APT::Get::Assume-Yes "true";' 'APT::Keep-Downloaded-Packages "true";' \
		'Binary::apt::APT::Keep-Downloaded-Packages "true";' >>"$ROOT/etc/apt/apt.conf.d/test"
	echo force-unsafe-io >"$ROOT/etc/dpkg/dpkg.cfg.d/test"
	mkdir -p "$KEPT/archives" "$ROOT$TREE"
	git -C "$QS_ROOT" -c 'safe.directory=*' ls-files -z |
		tar -C "$QS_ROOT" -c --null --ignore-failed-read -T - | tar -C "$ROOT$TREE" -x --no-same-owner
}

mount_root()
{
	mount -t proc proc "$ROOT/proc"
	mount --bind "$KEPT/archives" "$ROOT/var/cache/apt/archives"
}

# in_root PATH FOLDER LINE: a shell there does the LINE.
in_root()
{
	local folder=$2

	chroot "$ROOT" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
		"PATH=$1" /bin/bash -c "cd $folder && $3"
}

# as_su FOLDER LINE: as root by su without "-", who has no sbin in PATH.
as_su() { in_root "$BIN" "$@"; }
as_login() { in_root "$SBIN:$BIN" "$@"; }

as_user()
{
	chroot --userspec="$USER_ID:$USER_ID" --groups= "$ROOT" /usr/bin/env -i HOME=/srv/user TERM=dumb LANG=C.UTF-8 \
		"PATH=$BIN" /bin/bash -c "cd $1 && $2" </dev/null
}

# files FOLDER: there, but for what Python's packages make for themselves.
files() { (cd "$1" && find . ! -path '*/python3*' ! -name __pycache__ | LC_ALL=C sort); }

# unchanged FOLDER: since remember FOLDER.
remember() { files "$1" >"$TMPDIR/before"; }
unchanged() { diff "$TMPDIR/before" <(files "$1"); }

# --- the network ------------------------------------------------------------------

# Sets RECEIVER, a descriptor that the lengths of datagrams come from.
start_receiver()
{
	exec {RECEIVER}< <(exec unshare --net chroot "$ROOT" /usr/bin/python3 -uc '
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5600))
print(os.getpid())
while True:
    print(len(s.recv(65535)))')
	read -r -t 30 PEER <&"$RECEIVER"
}

make_network()
{
	PATH=$PATH:$SBIN
	ip link set lo up
	start_receiver
	ip link add eth0 type veth peer name eth0 netns "$PEER"
	ip address add 192.0.2.2/24 dev eth0
	ip link set eth0 up
	nsenter --net="/proc/$PEER/ns/net" ip address add 192.0.2.1/24 dev eth0
	nsenter --net="/proc/$PEER/ns/net" ip link set eth0 up
}

mount_network()
{
	mount -t sysfs sysfs "$ROOT/sys"
	mount -t bpf bpf "$ROOT/sys/fs/bpf"
	mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
}

program_sends()
{
	local length

	as_su /root ./a.out || return
	read -r -t 30 length <&"$RECEIVER" || { echo "no datagram came" && return 1; }
	[ "$length" = 1400 ] || { echo "$length bytes came" && return 1; }
}

# by_readme START
by_readme()
{
	local line

	line=$(readme_command "Installing and using it" "$1") || return
	as_login /root "$line"
}

# Of a stream's packets; where the kernel hides departures, that it did.
stream_counted()
{
	as_login / 'qsock -j show' | tee /dev/stderr | as_login / 'python3 -c "
import json, sys
device, = json.load(sys.stdin)
sys.exit(not device[\"sent_packets\"] and not device[\"unseen_bytes\"])"'
}

use_both_engines()
{
	make_network
	mount_network
	check "README's program sends from a device that nobody manages" program_sends
	check "README's qsock init works" by_readme 'qsock init eth0 dwcs'
	check "README's program sends from a managed device" program_sends
	check "README's qsock show works" by_readme 'qsock show'
	check "the datagram was a stream's" stream_counted
	[ ! -x "$ROOT/sbin/tc" ] || check "README's tc works" by_readme 'tc '
	check "README's qsock fini works" by_readme 'qsock fini eth0'
}

# --- the steps --------------------------------------------------------------------

install_packages()
{
	as_login / "$(readme_packages)" && as_su / 'command -v git && command -v make'
}

compile()
{
	as_su /root "$(readme_command "In a program" cc)"
}

# Another prefix, from the same build folder: what is installed follows it.
check_usr()
{
	remember "$ROOT/usr"
	check "make install PREFIX=/usr works" as_su "$TREE" 'make install PREFIX=/usr'
	check "its pkg-config file says so" as_su / '[ "$(pkg-config --variable=prefix qsockets)" = /usr ]'
	check "README's program compiles with it" compile
	check "make uninstall prefix=/usr works" as_su "$TREE" 'make uninstall prefix=/usr'
	check "it leaves nothing" unchanged "$ROOT/usr"
}

# From the same build folder again. What is another's stays.
check_destdir()
{
	check "DESTDIR from the environment is heard" as_su "$TREE" \
		'DESTDIR=/tmp/dest make install prefix=/opt/q && [ -e /tmp/dest/opt/q/lib/libqsockets.so ]'
	check "nothing is installed outside it" as_su / '[ ! -e /opt/q ] && [ ! -e /usr/local/include/qsockets.h ]'
	mkdir -p "$ROOT/tmp/dest/opt/q/include/qsockets"
	touch "$ROOT/tmp/dest/opt/q/include/qsockets/other.h"
	check "make uninstall DESTDIR= works" as_su "$TREE" 'make uninstall PREFIX=/opt/q DESTDIR=/tmp/dest'
	check_equal "it removes what was installed, with its folders" ". ./opt ./opt/q ./opt/q/include \
./opt/q/include/qsockets ./opt/q/include/qsockets/other.h" "$(files "$ROOT/tmp/dest" | tr '\n' ' ' | sed 's/ $//')"
	check "a relative DESTDIR is below the current folder" as_su "$TREE" \
		'make install DESTDIR=dest && [ -e dest/usr/local/sbin/qsock ] && make uninstall DESTDIR=dest && [ ! -e dest ]'
}

check_user()
{
	local use='export LD_LIBRARY_PATH=$HOME/q/lib PKG_CONFIG_PATH=$HOME/q/lib/pkgconfig'

	mkdir -p "$ROOT/srv/user"
	cp "$ROOT/root/program.c" "$ROOT/srv/user"
	chown -R "$USER_ID:$USER_ID" "$ROOT/srv/user" "$ROOT$TREE"
	check "root installs from a user's tree" as_su "$TREE" 'touch meson.build && make install && make uninstall'
	check "and leaves nothing of root's in it" as_su "$TREE" '[ -z "$(find build -user 0)" ]'
	check "a user installs into the home folder" as_user "$TREE" 'make install PREFIX=$HOME/q'
	check "and uses the library there" as_user /srv/user \
		"$use && $(readme_command "In a program" cc) && ldd ./a.out | grep -q /srv/user/q/lib/libqsockets"
	check "and removes it" as_user "$TREE" 'make uninstall PREFIX=$HOME/q && [ ! -e $HOME/q ]'
}

# Packages are installed while another process has apt's lock, for as long as that
# process waits for what scripts/setup says about it.
check_locked()
{
	local output status=0

	# shellcheck disable=SC2016
	output=$(as_login "$TREE" '
		apt-get -qq remove libmnl-dev >/dev/null
		mkfifo /tmp/said
		python3 -c "
import fcntl
lock = open(\"/var/lib/dpkg/lock-frontend\", \"w\")
fcntl.lockf(lock, fcntl.LOCK_EX)
print(\"locked\", flush=True)
for line in open(\"/tmp/said\"):
    if \"another process\" in line: break
" | {
			read -r _
			scripts/setup build 2>&1 | tee /tmp/said
		}
		dpkg -s libmnl-dev >/dev/null' 2>&1) || status=$?
	check_equal "scripts/setup waits for another process's lock on apt" "0 yes" \
		"$status $(grep -q 'another process' <<<"$output" && echo yes)"
	[ "$status" = 0 ] || diag <<<"$output"
}

follow_readme()
{
	copy_root
	mount_root
	readme_program >"$ROOT/root/program.c"
	check "README's packages can be installed" install_packages
	remember "$ROOT/usr/local"
	check "README's make install works" as_su "$TREE" "$(readme_command "Installing and using it" 'make install')"
	check "README's program compiles by README's command" compile
	apart
	check "make install works again" as_su "$TREE" 'make install'
	check "make uninstall works" as_su "$TREE" 'make uninstall'
	check "it leaves nothing" unchanged "$ROOT/usr/local"
	check_fails "nor the library in the loader's cache" as_login / 'ldconfig -p | grep qsockets'
	check_usr
	check_destdir
	check_locked
	check_user
}

# In a cgroup of its own, which becomes the root's, and a network.
apart()
{
	local cgroups=$TMPDIR/cgroups cgroup

	mkdir "$cgroups"
	mount -t cgroup2 cgroup2 "$cgroups"
	cgroup=$(mktemp -d "$cgroups/qsockets-test.XXXXXX")
	(echo 0 >"$cgroup/cgroup.procs" && exec unshare --mount --net --cgroup \
		env "COUNT=$TAP_COUNT" "FAILED=$TAP_FAILED" "$0" --engines) || fail "both engines were tried"
	read -r TAP_COUNT TAP_FAILED <"$TMPDIR/counts" || true
	echo 1 >"$cgroup/cgroup.kill"
	while ! find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.05; done
}

# --- what this file does ----------------------------------------------------------

# Downloads; prints why the test cannot run, if so.
prepare()
{
	unshare --mount --net --pid --cgroup --fork true 2>/dev/null || echo "no namespaces can be made here"
	[ "$(dpkg --print-architecture 2>/dev/null)" ] && debian_mirror >/dev/null ||
		echo "no Debian archive is known here"
	(suite_update "$SUITE") 2>/dev/null || echo "the Debian archive cannot be read: no network"
	[ -x /usr/sbin/debootstrap ] || echo "debootstrap is missing: run scripts/setup test"
}

# The copy of the root goes with the test, whose mounts are in its own namespace.
main()
{
	local why status=0

	if [ "$(id -u)" != 0 ]; then
		sudo -n true 2>/dev/null || skip_all "a root file system is made by root only"
		exec sudo -n env "QS_ROOT=$QS_ROOT" "QS_BUILD=$QS_BUILD" "XDG_CACHE_HOME=${QS_CACHE%/qsockets}" "$0"
	fi
	why=$(prepare | head -n 1)
	[ -z "$why" ] || skip_all "$why"
	if ! bootstrap; then
		tail -n 15 "$KEPT/log" | diag
		fail "a minimal root was made"
		done_testing
	fi
	unshare --mount --pid --fork --kill-child --mount-proc "$0" --follow || status=$?
	rm -rf --one-file-system "$ROOT"
	return "$status"
}

case ${1:-} in
--follow)
	follow_readme
	done_testing
	;;
--engines)
	TAP_COUNT=$COUNT TAP_FAILED=$FAILED
	use_both_engines
	echo "$TAP_COUNT $TAP_FAILED" >"$TMPDIR/counts"
	;;
*) main ;;
esac
