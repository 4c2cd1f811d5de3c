#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernels: 7.3 6.12 6.1
# Every BPF program loads on every kernel that has what it needs.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

KERNEL=$(uname -r)
BEFORE=$(inventory)

has() { grep -qaF "$1" /sys/kernel/btf/vmlinux; }

# check_program OBJECT NEEDED NAME: it loads if the kernel has what is needed.
check_program()
{
	if has "$2"; then
		check "$3 loads on Linux $KERNEL" bpf-objects load "$1"
	else
		check_fails "$3 does not load without $2" bpf-objects load "$1"
	fi
}

check "the kernel describes its types" test -r /sys/kernel/btf/vmlinux
for object in "$QS_BUILD"/bpf/*.bpf.o; do
	name=$(basename "$object" .bpf.o)
	case $name in
	classifier) check_program "$object" bpf_prog "the classifier" ;;
	manager) check_program "$object" bpf_arena_alloc_pages "the manager" ;;
	*_bands) check_program "$object" bpf_prog "${name%_bands} of the bands" ;;
	*)
		if [ -d "$QS_ROOT/schedulers/$name" ]; then
			check_program "$object" bpf_qdisc_skb_drop "the qdisc $name"
		else
			fail "what $name needs of a kernel is not known to this test"
		fi
		;;
	esac
done
check_inventory "nothing stays loaded" "$BEFORE"
done_testing
