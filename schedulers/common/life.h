/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* A stream's slot in the table, from one attachment to the next. */
#ifndef QS_COMMON_LIFE_H
#define QS_COMMON_LIFE_H

#include "fate.h"
#include "mem.h"

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

/* Nothing is queued any more. */
QS_FN int qs_stream_empty(qs_stream_t *s)
{
	s->heap = QS_NIL;
	s->head = QS_NIL;
	s->open = QS_NIL;
	s->packets = 0;
	s->units = 0;
	s->bytes = 0;
	s->period_next = 0;
	return 0;
}

/* The slot has a new tenant: nothing of the last one's is left. */
QS_FN int qs_stream_reset(qs_stream_t *s, __u32 gen)
{
	__u32 k;

	qs_stream_empty(s);
	s->gen_seen = gen;
	s->framed = 0;
	s->broken = 0;
	s->sent_units = s->sent_packets = s->sent_bytes = 0;
	s->late_units = s->violations = 0;
	s->dropped_late = s->dropped_frame = s->dropped_overflow = 0;
	s->delay_last = s->delay_max = s->delay_sum = 0;
	for (k = 0; k < QS_DELAYS; k++)
		s->delay[k] = 0;
	s->bucket_width = 0;
	s->bucket_first = QS_DELAYS;
	s->bucket_last = 0;
	s->told = 0;
	s->spare_at = s->spare_bytes = 0;
	s->now.oln = s->now.old = 0;
	s->now.ipg = s->now.flags = 0;
	s->seq_seen = 0;
	sched_reset(s);
	qs_stream_adopt(s);
	return 0;
}

#endif
