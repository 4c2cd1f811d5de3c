/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* A stream's slot in the table, from one attachment to the next. */
#ifndef QS_COMMON_LIFE_H
#define QS_COMMON_LIFE_H

#include "fate.h"
#include "mem.h"
#include "tenant.h"

/* ---- a stream's life */

/* The queue's reference, taken with its first packet; 0: the stream is gone. */
QS_INLINE int qs_stream_hold(qs_stream_t *s, __u32 gen)
{
	__u64 one = QS_LIFE(gen, 1);

	if (s->packets)
		return QS_LIFE_GEN(QS_READ(s->life)) == gen;
	return __sync_val_compare_and_swap(&s->life, one, one + 1) == one;
}

/* Gives the reference back once the queue is empty. */
QS_INLINE void qs_stream_settle(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);

	if (s->packets)
		return;
	if (QS_LIFE_REFS(__sync_fetch_and_add(&s->life, -1ull)) == 1) {
		s->next_free = c->released;
		c->released = i;
	}
}

/*
 * Takes over the manager's attributes unless it is writing them right now;
 * then the next unit will. The order of reads pairs with the manager's writes.
 */
QS_INLINE int qs_stream_adopt(qs_stream_t *s)
{
	struct qs_attr a;
	__u32 seq;

	if (QS_READ(s->attr_seq) == s->seq_seen)
		return 0;
	seq = QS_LOAD_ORDERED(&s->attr_seq);
	if (seq & 1)
		return 0;
	a.oln = s->attr.oln;
	a.old = s->attr.old;
	a.ipg = s->attr.ipg;
	a.flags = s->attr.flags;
	if (QS_LOAD_ORDERED(&s->attr_seq) != seq)
		return 0;
	s->now.oln = a.oln;
	s->now.old = a.old;
	s->now.ipg = a.ipg;
	s->now.flags = a.flags;
	s->seq_seen = seq;
	s->spared = 0;
	sched_reset(s);
	return 1;
}

/* The slot has a new tenant. */
QS_FN int qs_stream_reset(qs_stream_t *s, __u32 gen)
{
	qs_stream_clear(s, gen);
	sched_reset(s);
	qs_stream_adopt(s);
	return 0;
}

#endif
