# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An experiment: runs over the network of scripts/netlab, in this kernel or in a
# guest's, through transfers that join on the way. A script that sources this sets
#
#	SELF       its own path in the tree; "$SELF run NAME RUN_ARGUMENTS" makes one
#	           run, in the kernel where it is called
#	OUTPUT     the folder below build/ for what a run leaves
#	LENGTH     the seconds of a run
#	STARTS     the seconds at which transfers join, each time TRANSFERS
#	RATE       of the sender's link
#	UNIT       of the number that a run tells every second
#
# and may set RUN_ENGINE, which has the managed link: kernel or bands; WHERE, or
# RUN_WHERE[NAME] for one run: "here", or a Debian kernel's series, for a guest;
# RUN_ARGUMENTS; and AT_ONCE, the runs at a time.

# shellcheck source=scripts/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=scripts/netlab
. "${BASH_SOURCE[0]%/*}/netlab"
# shellcheck source=scripts/links.sh
. "${BASH_SOURCE[0]%/*}/links.sh"

RUN_ENGINE=kernel
WHERE=here
RUN_ARGUMENTS=()
AT_ONCE=
declare -A RUN_WHERE=()
# The runs being made: a name for each process.
declare -A RUNS=()

# --- one run, in the kernel that has to do it ----------------------------------

# run_begin NAME [OPTION...]: makes the lab, with these options of netlab_up; it goes
# when the script ends.
run_begin()
{
	RUN=$1
	shift
	trap run_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	netlab_up "$@"
}

# Runs on every way out, by the trap.
# shellcheck disable=SC2317
run_cleanup()
{
	if [ -n "${NETLAB_SENDER:-}" ] && [ -e "/run/netns/$NETLAB_SENDER" ]; then
		netlab_in_sender build/cli/qsock fini "$NETLAB_DEV" >/dev/null 2>&1 || true
	fi
	netlab_down
}

# run_in HOST COMMAND...: runs it there, and remembers the line for the report.
run_in()
{
	local host=$1

	shift
	echo "$host# $*" >>"$NETLAB_DIR/commands"
	"netlab_in_$host" "$@"
}

# run_watch_link NAME: what the sender's link has carried by then.
run_watch_link()
{
	{
		date +%s.%N
		netlab_in_sender ip -s -j link show "$NETLAB_DEV"
	} >"$NETLAB_DIR/link.$1"
}

# run_read_ahead PROGRAM...: what is run later is read from the disk now, with its
# libraries: in an emulated machine waiting for it would take any time.
run_read_ahead()
{
	local program

	for program in chrt grep nsenter sleep ss "$@"; do
		program=$(command -v "$program")
		ldd "$program" | grep -o '/[^ ]*' | xargs cat "$program" >/dev/null
	done
	getent ahosts "$NETLAB_RECEIVER4" >/dev/null
	netlab_in_receiver ss -uln >/dev/null # the kernel loads a module for it
}

# run_client PROGRAM ARGUMENT...: the receiver. Where time costs nothing it may take
# any until the first message comes.
run_client()
{
	local wait=()

	[ -z "${QS_ICOUNT:-}" ] || wait=(-w 86400)
	run_in receiver "$@" ${wait[@]+"${wait[@]}"}
}

# run_until_bound PORT [HOST]: until the receiver, or that host, listens there.
run_until_bound()
{
	local tries=0

	until "netlab_in_${2:-receiver}" ss -uln | grep -q ":$1 "; do
		sleep 0.05
		tries=$((tries + 1))
		[ "$tries" -lt 1000 ] || die 1 "nobody listens at port $1"
	done
}

# run_prepare_transfers ftp|URL: the latter from a server that the sender has by then.
# They outlast the stream by a little.
run_prepare_transfers()
{
	local at url=$1

	if [ "$url" = ftp ]; then
		netlab_ftp_start
		url=ftp://$NETLAB_SENDER4/big
	fi
	for at in $STARTS; do
		mkfifo "$NETLAB_DIR/at.$at"
		netlab_ftp_transfers "$TRANSFERS" $((LENGTH - at + 1)) "$NETLAB_DIR/at.$at" "$url"
	done
	echo "receiver# curl -o /dev/null $url # $TRANSFERS each at ${STARTS/ / s and } s" \
		>>"$NETLAB_DIR/commands"
}

# Passes on what the receiver says of each second, and starts the transfers by the
# stream's own clock. What the link carries is noted a second after the first of them
# have begun, when it is full, and a second before the end.
run_follow()
{
	local second value

	while read -r second value; do
		echo "$RUN $second $value"
		[ ! -p "$NETLAB_DIR/at.$second" ] || : >"$NETLAB_DIR/at.$second"
		case $second in
		$((${STARTS%% *} + 1))) run_watch_link full ;;
		$((LENGTH - 1))) run_watch_link last ;;
		esac
	done
}

# --- all runs ------------------------------------------------------------------

# The kernel's own word, not its version.
has_bpf_qdisc() { grep -qs bpf_qdisc_skb_drop /sys/kernel/btf/vmlinux; }

# Whether bands can be had here is tried: what it needs is no single thing.
has_bands()
(
	RUN_ENGINE=bands
	run_begin probe && link_managed burst 1
) >/dev/null 2>&1

# here_or_guest ENGINE: sets WHERE to where that one can be.
here_or_guest()
{
	WHERE=here
	if [ "$1" = kernel ] && ! has_bpf_qdisc; then
		WHERE=7.3
		echo "This kernel ($(uname -r)) has no BPF qdiscs: Debian's 7.3 runs in a guest."
	elif [ "$1" = bands ] && ! has_bands; then
		WHERE=6.12
		echo "This kernel ($(uname -r)) cannot have bands: Debian's 6.12 runs in a guest."
	fi
}

# start_run WHERE NAME: sends what it prints to the progress line. The guests' clocks
# count instructions, so that none feels another or how busy this machine is.
start_run()
{
	local command=("$SELF" run "$2" ${RUN_ARGUMENTS[@]+"${RUN_ARGUMENTS[@]}"})

	if [ "$1" = here ]; then
		"${command[@]}" >&3 2>&1 &
	else
		scripts/vm --kernel "$1" --icount --timeout 900 --env QS_ICOUNT=1 -- "${command[@]}" >&3 &
	fi
}

# Until the next of the runs ends, well or not.
wait_for_run()
{
	local process='' status=0 name

	wait -n -p process "${!RUNS[@]}" || status=$?
	name=${RUNS[$process]}
	unset "RUNS[$process]"
	[ "$status" = 0 ] || die 1 "the $name run failed with status $status, as said above"
}

# make_runs NAME...: AT_ONCE of them; else guests as many as there are CPUs, and runs
# here one after the other.
make_runs()
{
	local name at_once=$AT_ONCE

	if [ -z "$at_once" ]; then
		at_once=1
		[ "${RUN_WHERE[$1]:-$WHERE}" = here ] || at_once=$(nproc)
	fi
	trap stop_runs EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	exec 3> >(show_progress "$@")
	PROGRESS=$!
	for name in "$@"; do
		[ ${#RUNS[@]} -lt "$at_once" ] || wait_for_run
		start_run "${RUN_WHERE[$name]:-$WHERE}" "$name"
		RUNS[$!]=$name
	done
	while [ ${#RUNS[@]} -gt 0 ]; do
		wait_for_run
	done
	exec 3>&-
	wait "$PROGRESS" || true
}

# choose_runs PREFIX: sets NAMES, PREFIX.WHO.SEED, one for each WHO and seed. In the
# environment: QS_SEEDS=N, QS_WHO="WHO..." for others than all, and QS_QUICK, for one
# short run of whom we name last.
choose_runs()
{
	local who seed seeds=${QS_SEEDS:-10}

	[ -z "${QS_WHO:-}" ] || read -ra WHO <<<"$QS_WHO"
	if [ -n "${QS_QUICK:-}" ]; then
		WHO=("${WHO[-1]}")
		seeds=1 LENGTH=10 STARTS=3
	fi
	RUN_ARGUMENTS=("$OUTPUT" "$LENGTH" "$STARTS")
	NAMES=()
	for who in "${WHO[@]}"; do
		for ((seed = 1; seed <= seeds; seed++)); do
			NAMES+=("${1:+$1.}$who.$seed")
		done
	done
}

# make_chosen [KEEP]: those of NAMES, or, where there is something to keep, those that are
# not in OUTPUT yet. It says how many.
make_chosen()
{
	local name missing=()

	mkdir -p "$OUTPUT"
	[ -n "${1:-}" ] || rm -f "$OUTPUT"/*
	for name in "${NAMES[@]}"; do
		[ -e "$OUTPUT/$name.json" ] || missing+=("$name")
	done
	echo "${#NAMES[@]} runs of $LENGTH s in guests with Linux $WHERE; ${#missing[@]} to make"
	[ ${#missing[@]} = 0 ] || make_runs "${missing[@]}"
}

# Runs on every way out, by the trap.
# shellcheck disable=SC2317
stop_runs()
{
	local process

	trap '' INT TERM HUP
	for process in "${!RUNS[@]}"; do
		kill "$process" 2>/dev/null || true
		wait "$process" 2>/dev/null || true
	done
	exec 3>&-
	wait
}

# show_progress NAME...: reads the lines of all runs. A terminal has one line that
# changes, a file one for every five seconds. What is not progress is a complaint
# and is passed on.
show_progress()
{
	local name second value rest terminal=''
	local -A last=()

	trap '' INT
	[ ! -t 1 ] || terminal=yes
	while read -r name second value rest; do
		if [[ " $* " != *" $name "* ]]; then
			printf '%s%s\n' "${terminal:+$'\n'}" "$name $second $value $rest" >&2
			continue
		fi
		last[$name]=$value
		if [ -n "$terminal" ]; then
			printf '\r  second %3d of %d' "$second" "$LENGTH"
			[ "$second" -lt "$LENGTH" ] || unset "last[$name]"
			for name in "${!last[@]}"; do
				printf '   %s %3s %s' "$name" "${last[$name]}" "$UNIT"
			done
			printf '\033[K '
		elif [ $((second % 5)) = 0 ]; then
			printf '  %-16s  second %2d of %d  %3s %s\n' "$name" "$second" "$LENGTH" "$value" "$UNIT"
		fi
	done
	[ -z "$terminal" ] || printf '\n'
}

# need_for_runs PROGRAM...: these and what this file uses are there.
need_for_runs()
{
	local file tool

	for file in cli/qsock lib/libqsockets.so "$@"; do
		[ -e "build/$file" ] || die 1 "build/$file is missing: run make"
	done
	for tool in ip tc ss nsenter chrt vsftpd curl gnuplot python3; do
		command -v "$tool" >/dev/null || die 1 "$tool is missing: run scripts/setup demo"
	done
	[ "$(id -u)" = 0 ] || die 1 "this makes network namespaces: run it as root"
}
