/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Enqueue: a packet joins its stream's last frame or is a unit by itself, or
 * finds no room.
 */
#ifndef QS_COMMON_ENQUEUE_H
#define QS_COMMON_ENQUEUE_H

#include "besteffort.h"
#include "overflow.h"
#include "release.h"

QS_INLINE void qs_slot_fill(qs_core_t *c, __u32 i, const struct qs_packet *p,
			    __u64 now)
{
	qs_slot_t *slot = qs_slot(c, i);

	slot->deadline = p->deadline;
	slot->arrival = now;
	slot->len = p->len;
	slot->next = QS_NIL;
	slot->stream = p->stream;
	slot->flags = p->flags;
	slot->cookie = p->cookie;
}

QS_FN int qs_enqueue_besteffort(qs_core_t *c, const struct qs_packet *p,
				__u64 now)
{
	__u32 i;

	qs_be_accompany(c);
	if (!qs_be_accepts(c, p)) {
		c->be_dropped++;
		return QS_REFUSED_FULL;
	}
	i = qs_slot_alloc(c);
	qs_slot_fill(c, i, p, now);
	qs_slot(c, i)->stream = QS_NIL;
	qs_slot(c, i)->cookie = p->hash;
	qs_be_enqueue(c, i);
	return i;
}

/*
 * The last unit has another part, and not its end. One that will never have
 * room for its end is lost, if it may be dropped; else it is let go as it is,
 * and what comes after it is a unit of its own.
 */
QS_FN int qs_unit_grew(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);

	if (qs_unit_outgrown(c, s))
		qs_unit_finish(c, i, now);
	else if (s->tree == QS_NIL && c->current != i)
		qs_stream_schedule(c, i, now);
	return 0;
}

/* The rest of a frame that has lost a part already: is this packet of it? */
QS_INLINE int qs_frame_is_broken(qs_core_t *c, qs_stream_t *s,
				 const struct qs_packet *p)
{
	if (!s->broken || (p->flags & QS_TX_FRAME_START)) {
		s->broken = 0;
		return 0;
	}
	s->broken = !qs_frame_mark(s, p->flags);
	c->dropped_frame++;
	qs_fate(c, s, QOS_FATE_DROPPED_FRAME, p->flags, p->cookie, 0);
	return 1;
}

QS_INLINE int qs_enqueue_unit(qs_core_t *c, __u32 i, __u32 slot, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 flags = qs_slot(c, slot)->flags;

	/* a message before it may have said so and been lost */
	qs_slot(c, slot)->flags |= s->framed & QS_TX_NON_DROPPABLE;
	if (s->open == QS_NIL)
		qs_unit_begin(c, s, slot);
	else
		qs_unit_append(c, s, slot);
	if (qs_frame_mark(s, flags))
		qs_unit_end_open(c, i, now);
	else
		qs_unit_grew(c, i, now);
	return 0;
}

/* Most units are one packet, and most of those find their queue empty. */
QS_INLINE int qs_enqueue_first(qs_core_t *c, __u32 i, __u32 slot, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);

	qs_unit_alone(c, s, slot);
	if (c->current != i)
		qs_stream_schedule(c, i, now);
	return 0;
}

QS_INLINE int qs_has_room(qs_core_t *c, const qs_stream_t *s)
{
	return qs_streams_have_room(c) && s->packets < c->stream_limit;
}

/*
 * No room for the packet: 0 when there is now, as another unit was given up,
 * or QS_REFUSED_*.
 */
QS_FN int qs_enqueue_full(qs_core_t *c, const struct qs_packet *p, __u64 now)
{
	__u32 i = p->stream;
	qs_stream_t *s = qs_stream(c, i);

	if (qs_give_way(c, i, qs_packet_prio(c, s, p->flags), now))
		return qs_has_room(c, s) ? 0 : QS_REFUSED_RETRY;
	qs_refuse(c, i, p, now);
	return QS_REFUSED_FULL;
}

/* Returns the slot of the packet, or QS_REFUSED_*. */
QS_INLINE int qs_enqueue(qs_core_t *c, const struct qs_packet *p, __u64 now)
{
	__u32 i = p->stream, slot;
	qs_stream_t *s;
	int refused;

	if (i >= c->n_streams)
		return qs_enqueue_besteffort(c, p, now);
	s = qs_stream(c, i);
	if (!qs_stream_hold(s, p->gen))
		return qs_enqueue_besteffort(c, p, now);
	if (s->gen_seen != p->gen)
		qs_stream_reset(s, p->gen);
	if (qs_frame_is_broken(c, s, p)) {
		qs_stream_settle(c, i);
		return QS_REFUSED_FRAME;
	}
	if (p->flags & QS_TX_FRAME_START) {
		qs_unit_end_open(c, i, now); /* it was never ended */
		s->framed = 0;
	}
	if (!qs_has_room(c, s)) {
		refused = qs_enqueue_full(c, p, now);
		if (refused) {
			qs_stream_settle(c, i);
			return refused;
		}
	}
	slot = qs_slot_alloc(c);
	qs_slot_fill(c, slot, p, now);
	s->packets++;
	s->bytes += p->len;
	if (s->head == QS_NIL && !s->framed && !(p->flags & QS_UNIT_PART))
		qs_enqueue_first(c, i, slot, now);
	else
		qs_enqueue_unit(c, i, slot, now);
	return slot;
}

#endif
