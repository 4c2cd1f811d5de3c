#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernels: 7.3 6.12 6.1
# Every BPF program loads on every kernel that has what it needs.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

KERNEL=$(uname -r)
BEFORE=$(inventory)

loads() { bpf-objects load "$QS_BUILD/bpf/$1.bpf.o"; }

has_type() { grep -qaF "$1" /sys/kernel/btf/vmlinux; }

check "the kernel describes its types" test -r /sys/kernel/btf/vmlinux
check "the classifier loads on Linux $KERNEL" loads classifier
if has_type bpf_arena_alloc_pages; then
	check "the manager loads on Linux $KERNEL" loads manager
else
	check_fails "the manager does not load without arenas" loads manager
fi
if has_type bpf_qdisc_skb_drop; then
	check "the qdisc loads on Linux $KERNEL" loads dwcs
else
	check_fails "the qdisc does not load without BPF qdiscs" loads dwcs
fi
check_inventory "nothing stays loaded" "$BEFORE"
done_testing
