/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * DWCS: of every y consecutive units of a stream at most x may be late.
 *
 * West, Zhang, Schwan, Poellabauer, "Dynamic Window-Constrained Scheduling of
 * Real-Time Streams in Media Servers", IEEE Transactions on Computers 53(6),
 * 2004. x and y are a stream's oln and old; x' and y', cur_oln and cur_old,
 * are what is left of them in the current window.
 *
 * The promise (no violation while the sum of (1 - x/y) C/T is at most 1) holds
 * for streams of equal periods; with unequal ones it does not.
 */
#ifndef QS_DWCS_CORE_H
#define QS_DWCS_CORE_H

#include "../common/mem.h"

QS_INLINE __u64 sched_key(const qs_stream_t *s)
{
	return s->deadline;
}

QS_INLINE __u64 sched_rank(const qs_stream_t *s)
{
	return s->deadline;
}

/* Table 1 of the paper: the first rule that tells the two apart decides. */
QS_INLINE int sched_precedes(const qs_stream_t *a, const qs_stream_t *b)
{
	__u64 l, r;

	if (a->deadline != b->deadline)
		return a->deadline < b->deadline;
	if (a->cur_oln == b->cur_oln && a->cur_old == b->cur_old)
		return a->order < b->order; /* most are alike */
	l = (__u64)a->cur_oln * b->cur_old;
	r = (__u64)b->cur_oln * a->cur_old;
	if (l != r)
		return l < r;
	if (a->cur_oln != b->cur_oln)
		return a->cur_oln < b->cur_oln;
	if (!a->cur_oln && a->cur_old != b->cur_old)
		return a->cur_old > b->cur_old;
	return a->order < b->order;
}

QS_INLINE void sched_reset(qs_stream_t *s)
{
	s->cur_oln = s->now.oln;
	s->cur_old = s->now.old;
	s->tagged = 0;
}

/* Rule A. */
QS_INLINE void sched_sent(qs_stream_t *s)
{
	if (s->cur_old > s->cur_oln) {
		s->cur_old--;
	} else if (s->cur_oln && s->cur_old == s->cur_oln) {
		s->cur_oln--;
		s->cur_old--;
	}
	if ((!s->cur_oln && !s->cur_old) || s->tagged)
		sched_reset(s);
}

/* Rule B, n times over, in at most four steps. */
QS_INLINE void sched_missed(qs_stream_t *s, __u64 n)
{
	__u32 k, m;

	for (k = 0; k < 4 && n && s->cur_oln; k++) {
		m = n < s->cur_oln ? n : s->cur_oln;
		n -= m;
		s->cur_oln -= m;
		s->cur_old -= m;
		if (s->cur_oln || s->cur_old)
			continue;
		sched_reset(s);
		if (s->now.oln == s->now.old) /* all may be lost: a cycle */
			n %= s->now.oln;
	}
	if (!n)
		return;
	s->cur_old += n;
	s->tagged = 1;
	s->violations += n;
}

#include "../common/engine.h"

#endif
