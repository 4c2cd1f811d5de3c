/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * A message's 64 bits: what the library packs and enqueue unpacks. Plain ones
 * are the deadline with flags for its low bits; with a cookie there is room for
 * the deadline's middle alone, and the clock gives the rest. abi.h has the
 * numbers.
 */
#ifndef QS_COMMON_MESSAGE_H
#define QS_COMMON_MESSAGE_H

#include <qsockets/sched.h>

/* The deadline as far as it is told apart: not much before now, nor after. */
#define QS_TX_PAST_NS 1000000000ull

/* 0: none. A deadline of under 256 ns is one, and has passed. */
QS_INLINE __u64 qs_tx_pack(__u32 flags, __u64 deadline)
{
	if (deadline > QS_TX_MAX)
		deadline = QS_TX_MAX;
	if (deadline && deadline <= QS_TX_FLAGS)
		deadline = QS_TX_FLAGS + 1;
	return (deadline & ~QS_TX_FLAGS) | flags;
}

/* Steps of 0 are no deadline: the one before it stands for such a time. */
QS_INLINE __u64 qs_tx_pack_cookie(__u32 flags, __u64 deadline, __u32 cookie,
				  __u64 now)
{
	__u64 steps = 0;

	if (deadline) {
		if (deadline + QS_TX_PAST_NS < now)
			deadline = now - QS_TX_PAST_NS;
		if (deadline > now + QS_TX_HORIZON_NS)
			deadline = now + QS_TX_HORIZON_NS;
		steps = (deadline >> QS_TX_STEP_SHIFT) & QS_TX_STEPS;
		if (!steps)
			steps = QS_TX_STEPS;
	}
	return steps << QS_TX_STEPS_AT | (__u64)cookie << QS_TX_COOKIE_SHIFT |
	       flags | QS_TX_COOKIE;
}

/* The deadline of packed steps: the time within reach of now that has them. */
QS_INLINE __u64 qs_tx_deadline(__u32 steps, __u64 now)
{
	__u64 base = now >> QS_TX_STEP_SHIFT;
	__u32 ahead = (steps - (__u32)base) & QS_TX_STEPS;

	base += ahead;
	/* a second of waiting in the stack's queues is far from either end */
	if (ahead > (QS_TX_HORIZON_NS + QS_TX_PAST_NS) >> QS_TX_STEP_SHIFT)
		base -= QS_TX_STEPS + 1;
	return base << QS_TX_STEP_SHIFT;
}

/* Sets deadline, cookie and the message's flags. */
QS_INLINE void qs_tx_unpack(struct qs_packet *p, __u64 tx, __u64 now)
{
	__u32 steps = tx >> QS_TX_STEPS_AT;

	p->flags |= tx & QS_TX_KNOWN;
	p->deadline = tx & ~QS_TX_FLAGS;
	if (!(tx & QS_TX_COOKIE))
		return;
	p->cookie = tx >> QS_TX_COOKIE_SHIFT;
	p->deadline = steps ? qs_tx_deadline(steps, now) : 0;
}

#endif
