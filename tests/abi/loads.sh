#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What needs no BPF qdiscs loads on this machine's own kernel too: its verifier
# may give up where another one's does not.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

[ "$(id -u)" = 0 ] || skip_all "it takes root to load programs"
grep -qs bpf_arena_alloc_pages /sys/kernel/btf/vmlinux ||
	skip_all "this kernel has no BPF arena"

# The verifier's log is long; its end says why.
load()
{
	local said

	said=$("$QS_BUILD/tests/netns/support/bpf-objects" load "$QS_BUILD/bpf/$1.bpf.o" 2>&1) ||
		{ tail -n 5 <<<"$said" && return 1; }
}

for name in manager classifier manager_bands departed_bands dwcs_bands vds_bands; do
	check "the $name loads on Linux $(uname -r)" load "$name"
done
done_testing
