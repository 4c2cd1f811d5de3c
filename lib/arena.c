/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device's core in its window of the arena, which the kernel's programs and
 * this process share. The kernel insists on the whole arena being mapped, at
 * the address it was made for; pages come as they are touched.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"
#include "schedulers/common/mem.h"

#define NSEC_PER_SEC 1000000000ull
#define SLACK_MIN 100000 /* ns: timers are that late */

static size_t arena_size(void)
{
	return (size_t)QS_ARENA_PAGES * sysconf(_SC_PAGESIZE);
}

int qs_arena_map(int arena, int prot)
{
	void *at = (void *)QS_ARENA_BASE;
	void *p;

	p = mmap(at, arena_size(), prot, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 arena, 0);
	if (p == MAP_FAILED && errno == EEXIST)
		return qs_fail(ENOMEM,
			       "this process uses %p, where the arena is "
			       "mapped",
			       at);
	if (p == MAP_FAILED)
		return qs_fail(errno, "cannot map the arena at %p: %s", at,
			       strerror(errno));
	return 0;
}

void qs_arena_unmap(void)
{
	munmap((void *)QS_ARENA_BASE, arena_size());
}

__u64 qs_core_size(__u32 packets, __u32 streams)
{
	struct qs_core core;

	return qs_core_layout(&core, packets, streams);
}

__u64 qs_slack(__u64 rate, __u32 burst, __u32 packet)
{
	__u64 bytes = burst ? burst : packet;
	__u64 ns;

	if (!rate)
		return SLACK_MIN;
	ns = bytes * 8 * NSEC_PER_SEC / rate;
	return !burst && ns < SLACK_MIN ? SLACK_MIN : ns;
}

/* A stream may fill a quarter of the queue, and 64 packets if there are. */
static __u32 stream_limit(__u32 packets)
{
	__u32 limit = packets / 4;

	if (limit < 64)
		limit = 64;
	return limit < packets ? limit : packets;
}

void qs_core_prepare(struct qs_core *core, const struct qs_sched *sched,
		     const struct qs_dev *dev, __u32 mtu)
{
	memset(core, 0, qs_core_size(dev->packets, dev->streams));
	qs_core_layout(core, dev->packets, dev->streams);
	core->stream_limit = stream_limit(dev->packets);
	core->overhead = dev->overhead;
	core->rate = dev->rate;
	core->slack =
		qs_slack(dev->rate, dev->burst, mtu + ETH_HLEN + dev->overhead);
	sched->ops->init(core, dev->gen << 16);
}

int qs_core_setup(int arena, __u32 index, const struct qs_sched *sched,
		  const struct qs_dev *dev, __u32 mtu)
{
	int err;

	err = qs_arena_map(arena, PROT_READ | PROT_WRITE);
	if (err)
		return err;
	qs_core_prepare(qs_arena_core(index), sched, dev, mtu);
	qs_arena_unmap();
	return 0;
}
