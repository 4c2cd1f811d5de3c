/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* The manager's side of a stream's ring: who asks for what, and who reads it. */
#ifndef QS_COMMON_WATCH_H
#define QS_COMMON_WATCH_H

#include "mem.h"

/* What is wrong with what a socket asks for. */
enum qs_watch_fault {
	QS_WATCH_OK = 0,
	QS_WATCH_INVALID, /* unknown events, or low is not below high */
	QS_WATCH_NO_RATE, /* the device has none, so none of it is free */
};

QS_INLINE enum qs_watch_fault qs_watch_check(__u64 rate,
					     const struct qos_watch *w)
{
	const __u32 known = QOS_WATCH_CONGESTION | QOS_WATCH_VIOLATION |
			    QOS_WATCH_RATE;

	if (w->events & ~known || w->zero)
		return QS_WATCH_INVALID;
	if ((w->events & QOS_WATCH_CONGESTION) && w->low >= w->high)
		return QS_WATCH_INVALID;
	if ((w->events & QOS_WATCH_RATE) && !rate)
		return QS_WATCH_NO_RATE;
	return QS_WATCH_OK;
}

/*
 * `ring` comes last: who sees it sees the rest. A second call changes the rest
 * while root looks; at worst one event is told by a mix of the two.
 */
QS_INLINE void qs_watch_set(qs_stream_t *s, const struct qos_watch *w,
			    __u32 ring)
{
	s->watch_events = w->events;
	s->watch_high = w->high;
	s->watch_low = w->low;
	s->watch_rate = w->rate;
	__sync_lock_test_and_set(&s->ring, ring + 1);
}

QS_INLINE int qs_ring_has_news(const qs_ring_t *r)
{
	return QS_READ(r->put) != r->taken || QS_READ(r->lost) != r->lost_told;
}

/* The oldest entry; 0: there is none. */
QS_INLINE int qs_ring_take(qs_ring_t *r, struct qos_fate *to)
{
	qs_fate_t *f = &r->fate[r->taken % QOS_FATES];
	__u32 kind;

	if (QS_READ(r->put) == r->taken)
		return 0;
	kind = QS_LOAD_ORDERED(&f->kind);
	if (!kind) /* it is still being written */
		return 0;
	to->kind = kind;
	to->cookie = f->cookie;
	to->value = f->value;
	f->kind = 0;
	/* the entry is read before its room is given back */
	QS_ADD_ORDERED(&r->taken, 1);
	return 1;
}

#endif
