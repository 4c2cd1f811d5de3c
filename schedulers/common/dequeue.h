/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* Dequeue: who goes, who is given up, or until when nobody does. */
#ifndef QS_COMMON_DEQUEUE_H
#define QS_COMMON_DEQUEUE_H

#include "besteffort.h"
#include "release.h"
#include "time.h"

/* Best effort's share is due from a packet's worth; 16 of them are the most. */
#define QS_OWED_DUE ((__s64)QS_FLOW_QUANTUM * (QS_BESTEFFORT_SHARE - 1))
#define QS_OWED_MAX (16 * QS_OWED_DUE)

/* The wire is busy for as long as the packet takes. */
QS_INLINE void qs_charge(qs_core_t *c, __u32 len, __u64 now)
{
	__u64 from = c->free_at;

	c->sent_packets++;
	c->sent_bytes += len;
	if (!c->rate)
		return;
	if (from + c->slack < now)
		from = now - c->slack;
	c->free_at = from + qs_wire_time(c, len + c->overhead);
}

QS_INLINE __u64 qs_send(qs_core_t *c, __u32 i, __u64 now)
{
	qs_charge(c, qs_slot(c, i)->len, now);
	qs_slot_free(c, i);
	return QS_DEQ_SEND | i;
}

/*
 * Streams sent `len` bytes: best effort is owed for them if it waited. What it
 * had before they came is paid off in any case.
 */
QS_INLINE void qs_besteffort_owe(qs_core_t *c, __u32 len)
{
	__s64 most = c->be_packets ? QS_OWED_MAX : 0;

	if (c->be_owed >= most)
		return;
	c->be_owed += len;
	if (c->be_owed > most)
		c->be_owed = most;
}

/*
 * A packet of more than was due, as segmentation offload makes them, is a debt
 * (be_owed below 0): the next share is due that much later. What is sent while
 * streams have nothing to send, `due` is 0, is none.
 */
QS_INLINE __u64 qs_besteffort_sent(qs_core_t *c, __u32 i, int due, __u64 now)
{
	__u32 len = qs_slot(c, i)->len;

	if (due || c->be_owed > 0) {
		c->be_owed -= (__s64)len * (QS_BESTEFFORT_SHARE - 1);
		if (!due && c->be_owed < 0)
			c->be_owed = 0;
	}
	c->be_sent_packets++;
	c->be_sent_bytes += len;
	return qs_send(c, i, now);
}

QS_FN __u64 qs_send_besteffort(qs_core_t *c, int due, __u64 now)
{
	__u32 i = qs_be_dequeue(c);

	if (i == QS_NIL)
		return QS_DEQ_EMPTY;
	return qs_besteffort_sent(c, i, due, now);
}

/* Is one packet of best effort all that is queued, as on most devices mostly? */
QS_INLINE int qs_besteffort_alone(qs_core_t *c)
{
	return c->be_alone != QS_NIL && c->n_slots - c->free_slots == 1;
}

QS_INLINE __u64 qs_send_alone(qs_core_t *c, __u64 now)
{
	__u32 i = c->be_alone;

	c->be_alone = QS_NIL;
	c->be_packets = 0;
	return qs_besteffort_sent(c, i, 0, now);
}

/* For who has asked: what became of the message, and of the stream. */
QS_FN int qs_sent(qs_core_t *c, qs_stream_t *s, const qs_slot_t *p, __u64 now)
{
	qs_fate(c, s, c->current_late ? QOS_FATE_LATE : QOS_FATE_SENT, p->flags,
		p->cookie, now - p->arrival);
	qs_watch(c, s, now);
	return 0;
}

/* A packet of the unit that is being sent, and what the unit's end means. */
QS_FN __u64 qs_send_packet(qs_core_t *c, __u32 i, __u32 slot, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	qs_slot_t *p = qs_slot(c, slot);
	__u32 len = p->len;

	s->sent_packets++;
	s->sent_bytes += len;
	s->packets--;
	s->bytes -= len;
	qs_delay(s, now - p->arrival);
	if (QS_READ(s->ring))
		qs_sent(c, s, p, now);
	qs_besteffort_owe(c, len);
	if (p->next != QS_NIL) {
		c->current = i;
		c->current_slot = p->next;
	} else {
		c->current = QS_NIL;
		s->sent_units++;
		s->late_units += c->current_late;
		qs_period_over(s);
		if (s->head != QS_NIL)
			qs_stream_schedule(c, i, now);
	}
	qs_stream_settle(c, i);
	return qs_send(c, slot, now);
}

/* Begins to send the first unit of stream i, which is in no tree now. */
QS_INLINE __u64 qs_unit_start(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 head = s->head;

	c->current_late = qs_slot(c, head)->late;
	qs_unit_pop(c, s);
	return qs_send_packet(c, i, head, now);
}

QS_FN int qs_unit_drop_late(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 unit = s->head;

	qs_tree_del(c, i);
	qs_unit_pop(c, s);
	c->dropped_late += qs_slot(c, unit)->unit_packets;
	qs_unit_doom(c, s, unit, QOS_FATE_DROPPED_LATE, now);
	s->dropped_late++;
	qs_watch(c, s, now);
	qs_period_over(s);
	qs_stream_schedule(c, i, now);
	qs_stream_settle(c, i);
	return 0;
}

/* The first ready stream's unit would leave at `end`, too late. */
QS_FN int qs_unit_missed(qs_core_t *c, __u32 i, __u64 now, __u64 end)
{
	qs_stream_t *s = qs_stream(c, i);
	qs_slot_t *head = qs_slot(c, s->head);
	__u64 violations = s->violations;
	int droppable = qs_unit_miss(s, head, end);

	qs_violated(c, s, violations);
	if (droppable)
		return qs_unit_drop_late(c, i, now);
	head->late = 1;
	/* its place among equals may have changed with the window as well */
	qs_stream_move(c, i);
	return 0;
}

/* When would the first unit's last bit leave, if it were sent now? */
QS_INLINE __u64 qs_unit_end_time(qs_core_t *c, const qs_stream_t *s, __u64 now)
{
	qs_slot_t *head = qs_slot(c, s->head);

	return now + qs_wire_time(c, head->unit_bytes +
					     head->unit_packets * c->overhead);
}

/*
 * Whom to look at: the first ready stream, else the first that takes what those
 * leave. The latter comes first when it is late, as then its window moves on,
 * and before one whose unit will be late in any case.
 */
QS_INLINE __u32 qs_candidate(qs_core_t *c, __u64 now)
{
	__u32 i = qs_tree_top(c, QS_TREE_READY), j;
	qs_stream_t *s;

	if (!SCHED_TIMED)
		return i;
	j = qs_tree_top(c, QS_TREE_SPARE);
	if (i == QS_NIL || j == QS_NIL)
		return i == QS_NIL ? j : i;
	s = qs_stream(c, j);
	if (qs_unit_end_time(c, s, now) > s->deadline ||
	    sched_precedes(s, qs_stream(c, i)))
		return j;
	return i;
}

/* A unit is sent in time. */
QS_INLINE void qs_unit_in_time(qs_core_t *c, qs_stream_t *s)
{
	__u64 violations = s->violations;

	sched_sent(s);
	qs_violated(c, s, violations);
}

/*
 * The first ready stream whose unit shall be sent, after what misses its
 * deadline has been dealt with; QS_NIL with packets in c->doomed when some
 * were dropped, so that the caller frees them between two looks.
 */
QS_INLINE __u32 qs_choose(qs_core_t *c, __u64 now)
{
	qs_stream_t *s;
	qs_slot_t *head;
	__u64 end;
	__u32 i;

	while (qs_can_loop) {
		i = qs_candidate(c, now);
		if (i == QS_NIL || c->doomed != QS_NIL)
			return QS_NIL;
		s = qs_stream(c, i);
		head = qs_slot(c, s->head);
		end = qs_unit_end_time(c, s, now);
		if (end <= s->deadline) {
			qs_unit_in_time(c, s);
			return i;
		}
		if (qs_unit_missed_for_good(s, head))
			return i;
		qs_unit_missed(c, i, now, end);
	}
	return QS_NIL;
}

/*
 * Nothing is ready and the time would be idle: the first stream that may use
 * it is released now. What idle time gave does not count against later periods.
 */
QS_FN int qs_release_ahead(qs_core_t *c, __u64 now)
{
	__u32 i = qs_tree_top(c, QS_TREE_AHEAD);
	qs_stream_t *s;

	if (i == QS_NIL)
		return 0;
	qs_tree_del(c, i);
	s = qs_stream(c, i);
	s->release = now;
	qs_tree_add(c, qs_tree_released(c, s), i);
	return 1;
}

/* Nothing can be sent: a wait for the next release. */
QS_INLINE __u64 qs_dequeue_idle(qs_core_t *c)
{
	__u32 i = qs_tree_top(c, QS_TREE_WAIT);

	if (i == QS_NIL)
		return QS_DEQ_EMPTY;
	c->wake = qs_stream(c, i)->release;
	return QS_DEQ_WAIT;
}

QS_INLINE __u64 qs_drop_doomed(qs_core_t *c)
{
	__u32 slot = c->doomed;

	c->doomed = qs_slot(c, slot)->next;
	qs_slot_free(c, slot);
	return QS_DEQ_DROP | slot;
}

/* Is best effort's share due? */
QS_INLINE int qs_besteffort_due(qs_core_t *c)
{
	return c->be_packets && c->be_owed > QS_OWED_DUE;
}

/* Who goes next is mostly known by now, and may be in nobody's cache. */
QS_INLINE void qs_look_ahead(qs_core_t *c)
{
	__u32 i = qs_tree_top(c, QS_TREE_READY), line;

	for (line = 0; i != QS_NIL && line < QS_HOT_LINES; line++)
		QS_PREFETCH((char QS_MEM *)qs_stream(c, i) + 64 * line);
}

/* Returns QS_DEQ_*; the slot is free again, its packet is the caller's. */
QS_INLINE __u64 qs_dequeue(qs_core_t *c, __u64 now)
{
	__u64 r;
	__u32 i;

	if (c->doomed != QS_NIL)
		return qs_drop_doomed(c);
	if (c->rate && c->free_at > now) {
		c->wake = c->free_at;
		return QS_DEQ_WAIT;
	}
	if (qs_besteffort_alone(c))
		return qs_send_alone(c, now);
	if (c->current != QS_NIL)
		return qs_send_packet(c, c->current, c->current_slot, now);
	if (c->tree[QS_TREE_WAIT].len) {
		if (QS_READ(c->closed) != QS_NIL)
			qs_end_closed(c, now); /* they wait there */
		qs_release(c, QS_TREE_WAIT, now);
	}
	if (c->tree[QS_TREE_AHEAD].len)
		qs_release(c, QS_TREE_AHEAD, now);
	if (qs_besteffort_due(c))
		return qs_send_besteffort(c, 1, now);
	i = qs_choose(c, now);
	if (i == QS_NIL && c->doomed == QS_NIL && !c->be_packets &&
	    qs_release_ahead(c, now))
		i = qs_choose(c, now);
	if (c->doomed != QS_NIL)
		return qs_drop_doomed(c);
	if (i != QS_NIL) {
		qs_tree_del(c, i);
		r = qs_unit_start(c, i, now);
		qs_look_ahead(c);
		return r;
	}
	if (c->be_packets)
		return qs_send_besteffort(c, 0, now);
	return qs_dequeue_idle(c);
}

#endif
