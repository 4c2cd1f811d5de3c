/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A core to be fuzzed, included before it: few flows, so that they meet and a
 * look through all of them is cheap; and loops that are counted, as the kernel
 * cuts off one that does not end.
 */
#ifndef QS_TESTS_FUZZ_SMALL_H
#define QS_TESTS_FUZZ_SMALL_H

#include <stdio.h>
#include <stdlib.h>

#include "schedulers/common/mem.h"

#define SMALL_LOOPS 100000u /* turns of all loops of one operation */

static __u32 small_loops;

static inline int small_may_loop(void)
{
	if (small_loops++ < SMALL_LOOPS)
		return 1;
	fprintf(stderr, "wrong: a loop does not end\n");
	abort();
}

#undef QS_FLOWS
#define QS_FLOWS 16u
#undef qs_can_loop
#define qs_can_loop small_may_loop()

#endif
