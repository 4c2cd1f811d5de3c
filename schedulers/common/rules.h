/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What a stream's attributes make of a unit: when it is released and due, and
 * what it means that it is late. Nothing here knows a queue: who has one asks
 * about its first unit, and the bands engine, which has none, about each as it
 * comes.
 */
#ifndef QS_COMMON_RULES_H
#define QS_COMMON_RULES_H

#include "life.h"
#include "time.h"
#include "unit.h"

/* The deadline and the order of the first unit, released at s->release. */
QS_INLINE void qs_stream_deadline(qs_stream_t *s, const qs_slot_t *head)
{
	__u64 own = head->deadline, period = qs_period(s);

	if (own > head->arrival + QS_TX_HORIZON_NS)
		own = head->arrival + QS_TX_HORIZON_NS;
	if (own)
		s->deadline = own;
	else
		s->deadline = s->release + (period ? period : QS_TX_HORIZON_NS);
	s->order = head->order;
}

/*
 * Since the last period ended, whole ones may have gone by without a unit. A
 * window that begins only now does not have them.
 */
QS_INLINE void qs_stream_idle(qs_stream_t *s, __u64 arrival, int anew)
{
	__u64 n;

	if (!SCHED_TIMED || !s->now.ipg || !s->period_next ||
	    arrival <= s->period_next)
		return;
	n = (arrival - s->period_next) / qs_period(s);
	if (!anew)
		sched_idle(s, n);
	s->period_next += n * qs_period(s); /* they are counted once */
}

/* The stream's first unit is this one: by what attributes, from when, until when? */
QS_INLINE void qs_unit_release(qs_stream_t *s, const qs_slot_t *head)
{
	qs_stream_idle(s, head->arrival, qs_stream_adopt(s));
	s->release = head->arrival;
	if (s->now.ipg && s->period_next > s->release)
		s->release = s->period_next;
	qs_stream_deadline(s, head);
}

/*
 * The unit would leave at `end`, too late. Droppable, which is returned: it is
 * given up. Else it competes in the first period that it can still make, or,
 * with a deadline of its own, goes as it is, its miss counted once.
 */
QS_INLINE int qs_unit_miss(qs_stream_t *s, const qs_slot_t *head, __u64 end)
{
	__u64 periods = 1, period = qs_period(s);
	int droppable = qs_unit_droppable(s, head->flags);

	if (!droppable && !head->deadline && period) {
		periods = (end - s->deadline + period - 1) / period;
		s->release += periods * period;
		s->deadline += periods * period;
	}
	sched_missed(s, periods);
	return droppable;
}

/* The unit left or was dropped: the next one's period begins at its end. */
QS_INLINE void qs_period_over(qs_stream_t *s)
{
	s->period_next = s->release + qs_period(s);
}

#endif
