/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * A stream's queue: units in order of arrival, but those with deadlines of
 * their own in the order of these, except TCP's segments, which stay in order
 * and hurry instead; each a chain of packets. A unit is one
 * packet, or all from a frame's start to its end; it counts for the scheduler
 * once it is whole, so that no part of a frame is sent before the rest is
 * there. Only the last unit of a queue can be one still being built.
 */
#ifndef QS_COMMON_QUEUE_H
#define QS_COMMON_QUEUE_H

#include "fate.h"
#include "unit.h"

QS_INLINE __u32 qs_slot_alloc(qs_core_t *c)
{
	__u32 i = c->free_slot;

	c->free_slot = qs_slot(c, i)->next;
	c->free_slots--;
	return i;
}

QS_INLINE void qs_slot_free(qs_core_t *c, __u32 i)
{
	qs_slot_t *p = qs_slot(c, i);

	p->next = c->free_slot;
	c->free_slot = i;
	c->free_slots++;
}

QS_INLINE void qs_unit_begin(qs_core_t *c, qs_stream_t *s, __u32 i)
{
	qs_slot_t *p = qs_slot(c, i);

	p->unit_next = QS_NIL;
	p->unit_last = i;
	p->unit_bytes = p->len;
	p->unit_packets = 1;
	p->late = 0;
	s->before_open = s->tail;
	if (s->head == QS_NIL)
		s->head = i;
	else
		qs_slot(c, s->tail)->unit_next = i;
	s->tail = i;
	s->open = i;
}

QS_INLINE void qs_unit_append(qs_core_t *c, qs_stream_t *s, __u32 i)
{
	qs_slot_t *head = qs_slot(c, s->open);
	qs_slot_t *p = qs_slot(c, i);

	qs_slot(c, head->unit_last)->next = i;
	head->unit_last = i;
	head->unit_bytes += p->len;
	head->unit_packets++;
	head->flags |= p->flags & QS_TX_NON_DROPPABLE;
}

QS_INLINE void qs_unit_end(qs_core_t *c, qs_stream_t *s, __u64 now)
{
	qs_slot_t *head = qs_slot(c, s->open);

	head->arrival = now;
	head->order = c->order++;
	s->open = QS_NIL;
	s->spared = 0; /* it may give way now */
	s->units++;
}

/* Of an empty queue: a packet that is a unit. */
QS_INLINE void qs_unit_alone(qs_core_t *c, qs_stream_t *s, __u32 i)
{
	qs_slot_t *p = qs_slot(c, i);

	p->unit_next = QS_NIL;
	p->unit_last = i;
	p->unit_bytes = p->len;
	p->unit_packets = 1;
	p->late = 0;
	p->order = c->order++;
	s->head = i;
	s->tail = i;
	s->units = 1;
	s->spared = 0;
}

/*
 * The last unit, which just ended, is a segment that those before it hold up:
 * from the last one that is due before it on, all have its deadline; but in a
 * stream with a period, those without any have their period's end. Returns
 * whether the first unit's is another now.
 */
QS_FN int qs_unit_hurry(qs_core_t *c, qs_stream_t *s)
{
	__u32 unit = s->tail, at, from = s->head;
	__u64 deadline = qs_slot(c, unit)->deadline;
	__u64 first = qs_slot(c, from)->deadline;
	qs_slot_t *p;

	for (at = from; at != unit && qs_can_loop; at = p->unit_next) {
		p = qs_slot(c, at);
		if (p->deadline && p->deadline <= deadline)
			from = p->unit_next;
	}
	for (at = from; at != unit && qs_can_loop; at = p->unit_next) {
		p = qs_slot(c, at);
		if (p->deadline || !s->now.ipg)
			p->deadline = deadline;
	}
	return qs_slot(c, s->head)->deadline != first;
}

/*
 * The last unit, which just ended, goes before the first that has a later
 * deadline of its own. A receiver of TCP would take it for a loss: there the
 * others hurry. Returns whether there is another first unit, or deadline.
 */
QS_FN int qs_unit_sort(qs_core_t *c, qs_stream_t *s)
{
	__u32 unit = s->tail, at = s->head, before = QS_NIL;
	__u64 deadline = qs_slot(c, unit)->deadline;
	__u64 last;

	if (!deadline || at == unit)
		return 0;
	last = qs_slot(c, s->before_open)->deadline;
	if (last && last <= deadline) /* the rest is in order */
		return 0;
	if (qs_slot(c, unit)->flags & QS_CBF_RELIABLE)
		return qs_unit_hurry(c, s);
	while (at != unit && qs_slot(c, at)->deadline <= deadline &&
	       qs_can_loop) {
		before = at;
		at = qs_slot(c, at)->unit_next;
	}
	if (at == unit)
		return 0;
	s->tail = s->before_open;
	qs_slot(c, s->tail)->unit_next = QS_NIL;
	qs_slot(c, unit)->unit_next = at;
	if (before == QS_NIL)
		s->head = unit;
	else
		qs_slot(c, before)->unit_next = unit;
	return before == QS_NIL;
}

/* The same of a unit's packets from `slot` on; now is 0 in a reset. */
QS_FN int qs_fate_chain(qs_core_t *c, const qs_stream_t *s, __u32 kind,
			__u32 slot, __u64 now)
{
	qs_slot_t *p;

	while (slot != QS_NIL && qs_can_loop) {
		p = qs_slot(c, slot);
		qs_fate(c, s, kind, p->flags, p->cookie,
			now ? now - p->arrival : 0);
		slot = p->next;
	}
	return 0;
}

/* The packets of a unit that is given up wait to be handed out as drops. */
QS_INLINE void qs_unit_doom(qs_core_t *c, qs_stream_t *s, __u32 unit,
			    __u32 fate, __u64 now)
{
	qs_slot_t *head = qs_slot(c, unit);

	if (QS_READ(s->ring))
		qs_fate_chain(c, s, fate, unit, now);
	s->packets -= head->unit_packets;
	s->bytes -= head->unit_bytes;
	qs_slot(c, head->unit_last)->next = c->doomed;
	c->doomed = unit;
}

/* Takes the first unit off the queue's list; the caller has its packets. */
QS_INLINE void qs_unit_pop(qs_core_t *c, qs_stream_t *s)
{
	s->head = qs_slot(c, s->head)->unit_next;
	s->units--;
}

/* Gives up the unit being built, which is the last. */
QS_INLINE void qs_unit_abandon(qs_core_t *c, qs_stream_t *s, __u64 now)
{
	__u32 unit = s->open;

	s->open = QS_NIL;
	if (s->head == unit) {
		s->head = QS_NIL;
	} else {
		s->tail = s->before_open;
		qs_slot(c, s->tail)->unit_next = QS_NIL;
	}
	qs_unit_doom(c, s, unit, QOS_FATE_DROPPED_FRAME, now);
}

#endif
