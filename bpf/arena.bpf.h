/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The arena: one block of memory that the qdiscs, the manager and, mapped, the
 * administrator's programs share; each device owns one window of it.
 */
#ifndef QS_ARENA_BPF_H
#define QS_ARENA_BPF_H

#include "bpf/kernel.bpf.h"
#include <qsockets/abi.h>

#ifndef BPF_MAP_TYPE_ARENA
#define BPF_MAP_TYPE_ARENA 33
#endif
#define QS_F_MMAPABLE (1u << 10)

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, QS_F_MMAPABLE);
	__uint(max_entries, QS_ARENA_PAGES);
	__ulong(map_extra, QS_ARENA_BASE);
} qs_arena SEC(".maps");

/*
 * In a loop's condition: lets the verifier leave the number of turns to the
 * run time, which ends the loop after 8 million.
 */
#define qs_can_loop                                                      \
	({                                                               \
		__label__ l_break, l_continue;                           \
		int more = 1;                                            \
		asm volatile goto("may_goto %l[l_break]" ::: : l_break); \
		goto l_continue;                                         \
	l_break:                                                         \
		more = 0;                                                \
	l_continue:;                                                     \
		more;                                                    \
	})

/* A program uses the arena that it names: once is enough. */
#define qs_use_arena() asm volatile("" ::"r"(&qs_arena))

/* The qdisc itself says when it goes. */
#define qs_is_blind(c) 0
#define qs_is_queued(c, s) 1

#define qs_window(dev)                   \
	((struct qs_core __attribute__(( \
		address_space(1))) *)((__u64)(dev) << QS_WINDOW_SHIFT))

#endif
