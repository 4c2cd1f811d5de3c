# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts share: messages, the cache folder, figures, and
# Debian suites that the machine does not use itself.

# Downloads live outside the tree, so that every clone of one user shares them.
QS_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/qsockets

# The status of a test or a benchmark that cannot run here; it says why.
# shellcheck disable=SC2034
STATUS_SKIPPED=77

# Who became root by su without "-" lacks these, and dpkg wants them.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die STATUS SENTENCE...: the sentence says what to do next.
die()
{
	local status=$1

	shift
	note "$*"
	exit "$status"
}

# The address of the Debian archive this machine already uses. apt reads both
# formats of source lists; third-party archives have other release names or
# components.
debian_mirror()
{
	local codename uri

	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	uri=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' \
		"Release: $codename" 'Component: main' 2>/dev/null | head -n 1) || true
	[ -n "$uri" ] || return 1
	echo "$uri"
}

# suite_options SUITE: sets the array SUITE_OPTIONS to the apt options that see
# only SUITE of the Debian archive, with lists in the cache: the system's own
# lists and sources stay as they are.
suite_options()
{
	local suite=$1 dir=$QS_CACHE/apt/$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local mirror signed=

	mirror=$(debian_mirror) ||
		die 1 "apt knows no Debian archive: add one to /etc/apt/sources.list and run this again"
	[ ! -r "$keyring" ] || signed="[signed-by=$keyring] "
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	echo "deb $signed$mirror $suite main" >"$dir/sources.list"
	SUITE_OPTIONS=(-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=-
		-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache"
		-o APT::Sandbox::User=root -o Acquire::Languages=none)
}

# suite_update SUITE: as suite_options, with the lists brought up to date.
suite_update()
{
	suite_options "$1"
	apt-get "${SUITE_OPTIONS[@]}" -o APT::Update::Error-Mode=any -qq update >&2
}

# draw NAME OPTION...: gnuplot makes NAME.svg and NAME.png, as bench/plot/*.gp say. It
# leaves blanks at the ends of lines, which a copy in the tree must not have.
draw()
{
	local name=$1

	shift
	command -v gnuplot >/dev/null || die 1 "gnuplot is missing: run scripts/setup bench"
	gnuplot -e "name='$name'" "$@" || die 1 "gnuplot could not draw: its words are above"
	sed -i 's/[[:blank:]]*$//' "$name.svg"
}

# columns_of NAME: how many NAME.dat has besides the times, by its headings.
columns_of() { echo $(($(head -n 1 "$1.dat" | grep -o '"[^"]*"' | wc -l) - 1)); }
