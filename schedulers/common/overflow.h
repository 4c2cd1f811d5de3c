/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * No room for a packet. Its stream gives up a unit of its own: of those that
 * may be dropped and have a lower drop priority than the packet's, one of the
 * lowest, and of these the one that would leave last. Where there is none, it
 * is the packet's own unit that goes, and a frame goes whole, unless it must
 * not be dropped: then the packet alone is lost.
 *
 * That takes a walk through the stream's queue, made only for a packet that has
 * a priority or must not be dropped, and not again in vain before the queue has
 * taken another packet.
 */
#ifndef QS_COMMON_OVERFLOW_H
#define QS_COMMON_OVERFLOW_H

#include "release.h"

#define QS_PRIO_FIXED 8u /* of what must not be dropped: above all others */

/* A unit's drop priority by its flags. */
QS_INLINE __u32 qs_unit_prio(const qs_stream_t *s, __u32 flags)
{
	if (!qs_unit_droppable(s, flags))
		return QS_PRIO_FIXED;
	return (flags & QS_TX_PRIO_MASK) >> QS_TX_PRIO_SHIFT;
}

/* That of the unit which a packet with `flags` is, or is a part of. */
QS_INLINE __u32 qs_packet_prio(qs_core_t *c, const qs_stream_t *s, __u32 flags)
{
	__u32 fixed = (flags | s->framed) & QS_TX_NON_DROPPABLE;

	if (s->open != QS_NIL)
		flags = qs_slot(c, s->open)->flags;
	return qs_unit_prio(s, flags | fixed);
}

/* Has the last unit all the room there is, and must not be dropped? */
QS_INLINE int qs_unit_outgrown(qs_core_t *c, const qs_stream_t *s)
{
	const qs_slot_t *head = qs_slot(c, s->open);

	return head->unit_packets >= c->stream_limit &&
	       qs_unit_prio(s, head->flags) == QS_PRIO_FIXED;
}

/* ---- another unit gives way */

/* The unit before the one that gives way, in the high half; QS_NIL: none. */
QS_FN __u64 qs_victim(qs_core_t *c, const qs_stream_t *s, __u32 below)
{
	__u32 at = s->head, before = QS_NIL, best = below, p;
	__u64 found = QS_NIL;

	while (at != QS_NIL && at != s->open && qs_can_loop) {
		p = qs_unit_prio(s, qs_slot(c, at)->flags);
		if (p < below && p <= best) {
			best = p;
			found = (__u64)before << 32 | at;
		}
		before = at;
		at = qs_slot(c, at)->unit_next;
	}
	return found;
}

/* Takes a whole unit, after `before`, out of the queue. */
QS_INLINE void qs_unit_unlink(qs_core_t *c, qs_stream_t *s, __u32 unit,
			      __u32 before)
{
	__u32 next = qs_slot(c, unit)->unit_next;

	if (before == QS_NIL)
		s->head = next;
	else
		qs_slot(c, before)->unit_next = next;
	if (s->tail == unit)
		s->tail = before;
	if (s->open != QS_NIL && s->before_open == unit)
		s->before_open = before;
	s->units--;
}

/* Gives one unit of stream i up for a packet of priority `prio`, if it can. */
QS_INLINE int qs_give_way(qs_core_t *c, __u32 i, __u32 prio, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 unit, first = s->head, packets;
	__u64 found;

	if (prio <= s->spared)
		return 0;
	found = qs_victim(c, s, prio);
	unit = found;
	if (unit == QS_NIL) {
		s->spared = prio;
		return 0;
	}
	packets = qs_slot(c, unit)->unit_packets;
	s->dropped_overflow += packets;
	c->dropped_overflow += packets;
	if (unit == first && s->tree != QS_NIL)
		qs_tree_del(c, i);
	qs_unit_unlink(c, s, unit, found >> 32);
	qs_unit_doom(c, s, unit, QOS_FATE_DROPPED_OVERFLOW, now);
	if (unit == first && c->current != i)
		qs_stream_schedule(c, i, now);
	qs_watch(c, s, now);
	return 1;
}

/* ---- the packet's own unit does */

/* A frame that was being built is lost. */
QS_INLINE void qs_frame_lose(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);

	c->dropped_frame += qs_slot(c, s->open)->unit_packets;
	if (s->head == s->open)
		qs_tree_del(c, i);
	qs_unit_abandon(c, s, now);
}

QS_INLINE int qs_refuse(qs_core_t *c, __u32 i, const struct qs_packet *p,
			__u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 prio = qs_packet_prio(c, s, p->flags);
	int ends = qs_frame_mark(s, p->flags);

	s->dropped_overflow++;
	c->dropped_overflow++;
	qs_fate(c, s, QOS_FATE_DROPPED_OVERFLOW, p->flags, p->cookie, 0);
	if (prio != QS_PRIO_FIXED) {
		if (s->open != QS_NIL || !ends)
			s->dropped_frame++;
		if (s->open != QS_NIL)
			qs_frame_lose(c, i, now);
		s->broken = !ends;
	} else if (s->open != QS_NIL) {
		qs_slot(c, s->open)->flags |= p->flags & QS_TX_NON_DROPPABLE;
		if (ends || qs_unit_outgrown(c, s))
			qs_unit_finish(c, i, now);
	}
	qs_watch(c, s, now);
	return 0;
}

#endif
