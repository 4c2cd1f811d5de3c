/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * VDS: in every y consecutive periods of a stream at least y - x units leave in
 * time.
 *
 * Zhang, West, Qi, "A Virtual Deadline Scheduler for Window-Constrained Service
 * Guarantees", RTSS 2004. x and y are a stream's oln and old. k' is the number
 * of periods left in the window, the present one included, and m' of units
 * that are owed in it. A stream that is owed units has the virtual deadline
 * release + k' T / m', and the earliest goes first; one that is owed none comes
 * after those, by its deadline. T is the time from the first unit's release to
 * its deadline, which is the period unless the message brought a deadline.
 *
 * The promise (no violation while the sum of (1 - x/y) C/T is at most 1) holds
 * for streams of any periods.
 *
 * Time. A stream's periods end when its unit is sent, is found late, or comes
 * after an idle time, and not by a timer. A ready stream that is owed units and
 * is found late loses nothing by it: a period's end only moves its virtual
 * deadline back, so it is still looked at before its turn. A new window of one
 * that is owed none would bring it forward: those are the spare ones, which the
 * engine keeps by deadline and looks at first once they are late.
 *
 * An idle period is one loss of those tolerated; when there is none left, one
 * unit less is owed: what never came cannot be owed, nor break a window.
 *
 * cur_old is k'. cur_oln is the losses still tolerated, k' - m', and tagged, if
 * the window is broken, the units that will be missing, m' - k'.
 */
#ifndef QS_VDS_CORE_H
#define QS_VDS_CORE_H

#include "../common/mem.h"

#define SCHED_TIMED 1

/* A span has 44 bits at most: so many more are left for a rank. */
#define VDS_RANK_WINDOW ((1u << 20) - 1)

/* m' */
QS_INLINE __u32 vds_owed(const qs_stream_t *s)
{
	return s->cur_old - s->cur_oln + s->tagged;
}

/* ---- precedence */

/* A 128-bit number, which BPF has not. */
struct vds_wide {
	__u64 high, low;
};

QS_INLINE struct vds_wide vds_product(__u64 a, __u64 b)
{
	__u64 ah = a >> 32, al = (__u32)a, bh = b >> 32, bl = (__u32)b;
	__u64 low = al * bl, m1 = ah * bl, m2 = al * bh;
	__u64 middle = (low >> 32) + (__u32)m1 + (__u32)m2;
	struct vds_wide w;

	w.high = ah * bh + (m1 >> 32) + (m2 >> 32) + (middle >> 32);
	w.low = middle << 32 | (__u32)low;
	return w;
}

QS_INLINE struct vds_wide vds_sum(struct vds_wide a, struct vds_wide b)
{
	a.low += b.low;
	a.high += b.high + (a.low < b.low);
	return a;
}

/* T; no time when the message's deadline was before its unit's release. */
QS_INLINE __u64 vds_span(const qs_stream_t *s)
{
	return s->deadline > s->release ? s->deadline - s->release : 0;
}

/*
 * -1, 0, 1 as a's virtual deadline is earlier, the same or later:
 *
 *	ra + ka Ta / ma  <=>  rb + kb Tb / mb,  times ma mb
 *	ka mb Ta  <=>  kb ma Tb + (rb - ra) ma mb
 *
 * k and m have 32 bits, T below 44 and r, in practice, 63: no sum needs more
 * than 128.
 */
QS_INLINE int vds_compare(const qs_stream_t *a, const qs_stream_t *b)
{
	__u64 ma = vds_owed(a), mb = vds_owed(b);
	struct vds_wide l = vds_product(a->cur_old * mb, vds_span(a));
	struct vds_wide r = vds_product(b->cur_old * ma, vds_span(b));

	if (a->release < b->release)
		r = vds_sum(r, vds_product(ma * mb, b->release - a->release));
	else
		l = vds_sum(l, vds_product(ma * mb, a->release - b->release));
	if (l.high != r.high)
		return l.high < r.high ? -1 : 1;
	if (l.low != r.low)
		return l.low < r.low ? -1 : 1;
	return 0;
}

QS_FN int sched_precedes(const qs_stream_t *a, const qs_stream_t *b)
{
	int owed = vds_owed(a) != 0, virtual;

	if (owed != (vds_owed(b) != 0))
		return owed;
	virtual = owed ? vds_compare(a, b) : 0;
	if (virtual)
		return virtual < 0;
	if (a->deadline != b->deadline)
		return a->deadline < b->deadline;
	return a->order < b->order;
}

/* No number alone says who goes first. */
QS_INLINE __u64 sched_key(const qs_stream_t *s)
{
	(void)s;
	return 0;
}

/* The virtual deadline; who is owed nothing comes after those. */
QS_INLINE __u64 sched_rank(const qs_stream_t *s)
{
	__u64 owed = vds_owed(s), left = s->cur_old;

	if (!owed)
		return s->deadline + QS_TX_HORIZON_NS;
	if (left > VDS_RANK_WINDOW)
		left = VDS_RANK_WINDOW;
	return s->release + vds_span(s) * left / owed;
}

QS_INLINE int sched_spare(const qs_stream_t *s)
{
	return !vds_owed(s);
}

/* ---- windows */

QS_INLINE void sched_reset(qs_stream_t *s)
{
	s->cur_oln = s->now.oln;
	s->cur_old = s->now.old;
	s->tagged = 0;
}

/* The window is over, with so many units still owed. */
QS_INLINE void vds_window_over(qs_stream_t *s, __u32 owed)
{
	s->violations += owed > 0;
	sched_reset(s);
}

QS_INLINE void sched_sent(qs_stream_t *s)
{
	if (!s->now.old)
		return;
	if (!vds_owed(s)) /* more than was owed */
		s->cur_oln--;
	if (!--s->cur_old)
		vds_window_over(s, s->tagged);
}

/* n periods, fewer than the window has, and their losses. */
QS_INLINE void vds_lose(qs_stream_t *s, __u32 n, int counts)
{
	__u32 tolerated = n < s->cur_oln ? n : s->cur_oln;

	s->cur_old -= n;
	s->cur_oln -= tolerated;
	if (counts)
		s->tagged += n - tolerated;
}

QS_INLINE void sched_missed(qs_stream_t *s, __u64 n)
{
	if (!s->now.old)
		return;
	if (n >= s->cur_old) {
		n -= s->cur_old;
		vds_window_over(s, vds_owed(s));
		if (s->now.oln < s->now.old) /* whole windows of losses */
			s->violations += n / s->now.old;
		n %= s->now.old;
	}
	vds_lose(s, n, 1);
}

QS_INLINE void sched_idle(qs_stream_t *s, __u64 n)
{
	if (!s->now.old)
		return;
	if (n >= s->cur_old) {
		n -= s->cur_old;
		vds_window_over(s, s->tagged);
		n %= s->now.old;
	}
	vds_lose(s, n, 0);
}

#include "../common/engine.h"

#endif
