#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# qsock: its words and options, and what it says where they are wrong.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

# run COMMAND...: sets STATUS, OUT and ERR.
run()
{
	STATUS=0
	"$@" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null || STATUS=$?
	OUT=$(cat "$TMPDIR/out")
	ERR=$(cat "$TMPDIR/err")
}

# words_of_error: of the JSON on standard error, which is all there is.
words_of_error()
{
	python3 -c 'import json, sys
print(json.loads(open(sys.argv[1], encoding="utf-8", errors="strict").read())["error"])' "$TMPDIR/err"
}

# refuses NAME STATUS WORDS ARGUMENT...: as text and, wherever -j stands, as JSON.
refuses()
{
	local name=$1 status=$2 words=$3 i

	shift 3
	run qsock "$@"
	check_equal "$name" "$status|" "$STATUS|$OUT"
	check "$name: the sentence" grep -qF -- "$words" <<<"$ERR"
	check_fails "$name: no control characters" grep -q '[[:cntrl:]]' <<<"$ERR"
	for ((i = 0; i <= $#; i++)); do
		run qsock "${@:1:i}" -j "${@:i+1}"
		check_equal "$name: JSON, with -j after $i words" "$status|" "$STATUS|$OUT"
		check "$name: which has the sentence" grep -qF -- "$words" < <(words_of_error)
	done
}

# prints NAME WORDS ARGUMENT...
prints()
{
	local name=$1 words=$2

	shift 2
	run qsock "$@"
	check_equal "$name" "0|" "$STATUS|$ERR"
	check "$name: it says what" grep -qF -- "$words" <<<"$OUT"
}

# --- what is wrong ----------------------------------------------------------------

run qsock
check_equal "without a command the usage is an error" "2|" "$STATUS|$OUT"
check "on standard error" grep -q '^usage: qsock' <<<"$ERR"
run qsock -j
check_equal "with -j alone too" "2|" "$STATUS|$OUT"
check "as JSON" grep -q 'missing command' < <(words_of_error)
refuses "an unknown command" 2 'unknown command "wrong"' wrong
refuses "an unknown command before others" 2 'unknown command "wrong"' wrong show nodev0
refuses "an empty command" 2 'unknown command ""' ''
refuses "more than a command" 2 'unknown command "shows"' shows
refuses "an unknown option" 2 'unknown option "-x"' -x show
refuses "an unknown long option" 2 'unknown option "--wrong"' show --wrong
refuses "an unknown letter among others" 2 'unknown option "-px"' show -px
refuses "a value that an option does not take" 2 '--pretty=1' --pretty=1 show
refuses "a device too many" 2 'unexpected argument "eth1"' show eth0 eth1
refuses "a command that is incomplete" 2 'missing device' fini
refuses "another one" 2 'missing scheduler' init nodev0
refuses "a word without a value" 2 'missing value of "rate"' init nodev0 dwcs rate
refuses "an unknown word" 2 'unexpected argument "speed"' init nodev0 dwcs speed 1mbit
refuses "help of an unknown command" 2 'unknown command "wrong"' help wrong
refuses "an option that comes after a wrong word" 2 'unknown option "-x"' wrong -x
refuses "a name of other bytes than UTF-8" 2 'unknown command' $'\xff\xc3\x1b[2J'
refuses "a device that is not there" 1 '' fini nodev0
for words in 'init nodev0 dwcs' 'fini nodev0'; do
	# shellcheck disable=SC2086
	run env QSOCKETS_ENGINE=inproc qsock $words
	check_equal "$words does nothing for the in-process engine" "1|" "$STATUS|$OUT"
	check "and says whose that is" grep -qF 'belongs to the process' <<<"$ERR"
done
for words in 'init inproc dwcs' 'fini inproc'; do
	# shellcheck disable=SC2086
	run qsock $words
	check_equal "$words is refused" "1|" "$STATUS|$OUT"
done
refuses "a device whose name is not UTF-8" 1 '' fini $'\xff\x1bx'
for word in 0x10mbit 1e3mbit nan inf 1.5.2 ' 10mbit' +10 -10 -1mbit 0 0mbit 1e400 99999999999tbit \
	10mbi '' fast; do
	run qsock init nodev0 dwcs rate "$word"
	check_equal "rate \"$word\" is refused" "2|" "$STATUS|$OUT"
	check "with what is wrong" grep -qF "invalid rate \"$word\"" <<<"$ERR"
done
for pair in 'limit 0' 'limit 1.5' 'streams -1' 'burst 0' 'burst 1e3' 'overhead 0x4' 'guarantee 0%' 'guarantee 80'; do
	# shellcheck disable=SC2086
	run qsock init nodev0 dwcs $pair
	check "$pair is refused" grep -qF "invalid ${pair% *} \"${pair#* }\"" <<<"$ERR"
done

STATUS=0
qsock -j help 2>"$TMPDIR/err" >/dev/full || STATUS=$?
check_equal "output that does not get out is a failure" 1 "$STATUS"
check "of which JSON says why" grep -q 'standard output: ' < <(words_of_error)

# --- what is right ----------------------------------------------------------------

prints "help is the usage" 'usage: qsock [-j]' help
prints "-h too" 'usage: qsock [-j]' -h
prints "--help too" 'usage: qsock [-j]' --help
prints "-h after a command is about that" 'usage: qsock show [DEV]' show -h
prints "before it too" 'usage: qsock show [DEV]' -h show
prints "--help among words does nothing else" 'usage: qsock init DEV' init nodev0 dwcs --help
prints "help of a command" 'usage: qsock fini DEV' help fini
prints "the version" 'qsock 0' -V
prints "--version" 'qsock 0' --version
prints "-Version, as ip has it" 'qsock 0' -Version
prints "a command can be shortened" 'usage: qsock show [DEV]' s -h
prints "long options can be shortened" 'usage: qsock show [DEV]' --js --stat -h show
prints "and have one dash, as ip's" 'usage: qsock show [DEV]' -json -pretty show -help
prints "words follow --" 'usage: qsock show [DEV]' -- help show
run qsock fini -- -x
check_equal "what follows -- is no option" "1|" "$STATUS|$OUT"
run qsock fini -j -- -j
check_equal "nor is -j there" "1|" "$STATUS|$OUT"
check "while it is one before" test -n "$(words_of_error)"
done_testing
