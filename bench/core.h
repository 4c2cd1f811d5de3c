/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What bench/core.c measures: a scheduler that packets of streams go through. */
#ifndef QS_BENCH_CORE_H
#define QS_BENCH_CORE_H

#include <linux/types.h>

#define DEPTH 2u /* units that a stream has queued */
#define PACKET 1514u /* bytes */

struct contender {
	const char *name;
	/* returns -1 when it cannot hold so many */
	int (*up)(__u32 streams);
	/* One packet for the stream is put in; one of any stream is taken out. */
	void (*put)(__u32 stream);
	__u32 (*take)(void);
	void (*down)(void);
};

/*
 * DPDK's hierarchical scheduler, where that is there: a packet at a time, and as
 * it is meant to be used, 32 at a time.
 */
extern const struct contender rte_sched_one, rte_sched_burst;

#endif
