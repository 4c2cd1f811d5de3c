/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Enqueue and dequeue, the same for every scheduler that orders streams by
 * the deadlines of their first units. The scheduler's own rules are the four
 * functions that include/qsockets/sched.h names.
 *
 * Enqueue: a packet joins its stream's last frame or is a unit by itself. The
 * first whole unit of a stream is released at its period's start: until then
 * the stream waits, after that it is ready. A unit whose end does not come in
 * QS_TX_HORIZON_NS ends without: its socket may be closed.
 *
 * Dequeue, in this order: what is left of a unit that is being sent; best
 * effort, when its share is due; the first ready stream, after those of its
 * units that can no longer be in time were dropped or counted; best effort;
 * streams that may use idle time; else nothing until the next release.
 *
 * Limits: a unit that does not fit into the stream's share of the queue is
 * refused whole. Within one release time, streams go by order of arrival.
 */
#ifndef QS_COMMON_ENGINE_H
#define QS_COMMON_ENGINE_H

#ifndef SCHED_TIMED
#define SCHED_TIMED 0
#define sched_idle(s, n) ((void)(n))
#define sched_spare(s) 0
#endif

#include "besteffort.h"
#include "heap.h"
#include "queue.h"

#define QS_NSEC_PER_SEC 1000000000ull
#define QS_NSEC_PER_USEC 1000ull

/* Best effort's share is due from a packet's worth; 16 of them are the most. */
#define QS_OWED_DUE (QS_FLOW_QUANTUM * (QS_BESTEFFORT_SHARE - 1))
#define QS_OWED_MAX (16 * QS_OWED_DUE)

/* The time that `bytes` take on the wire, ns, rounded up. */
QS_INLINE __u64 qs_wire_time(qs_core_t *c, __u64 bytes)
{
	__u64 rate = c->rate;

	if (!rate)
		return 0;
	return (bytes * 8 * QS_NSEC_PER_SEC + rate - 1) / rate;
}

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
	qs_stream_empty(s);
	s->gen_seen = gen;
	s->framed = 0;
	s->broken = 0;
	s->sent_units = s->sent_packets = s->sent_bytes = 0;
	s->late_units = s->violations = 0;
	s->dropped_late = s->dropped_frame = s->dropped_overflow = 0;
	s->delay_last = s->delay_max = 0;
	s->now.oln = s->now.old = 0;
	s->now.ipg = s->now.flags = 0;
	s->seq_seen = 0;
	sched_reset(s);
	qs_stream_adopt(s);
	return 0;
}

/* ---- release and deadline of the first unit */

QS_INLINE __u64 qs_period(const qs_stream_t *s)
{
	return s->now.ipg * QS_NSEC_PER_USEC;
}

QS_INLINE int qs_unit_droppable(const qs_stream_t *s, const qs_slot_t *head)
{
	return !((s->now.flags & QS_STREAM_NON_DROPPABLE) ||
		 (head->flags & (QS_TX_NON_DROPPABLE | QS_CBF_RELIABLE)));
}

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

/* May this late unit be left as it is, because its miss was counted? */
QS_INLINE int qs_unit_missed_for_good(const qs_stream_t *s,
				      const qs_slot_t *head)
{
	return head->late && (head->deadline || !s->now.ipg);
}

/* Which heap is the stream's, once its first unit is released? */
QS_INLINE __u32 qs_heap_released(qs_core_t *c, const qs_stream_t *s)
{
	if (SCHED_TIMED && sched_spare(s) &&
	    !qs_unit_missed_for_good(s, qs_slot(c, s->head)))
		return QS_HEAP_SPARE;
	return QS_HEAP_READY;
}

/* What the stream's place depends on has changed, or even its heap. */
QS_FN int qs_stream_move(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 h = s->heap;

	if (SCHED_TIMED && (h == QS_HEAP_READY || h == QS_HEAP_SPARE))
		h = qs_heap_released(c, s);
	if (h == s->heap)
		return qs_heap_move(c, i);
	qs_heap_del(c, i);
	qs_heap_add(c, h, i);
	return 0;
}

/* Since the last period ended, whole ones may have gone by without a unit. */
QS_INLINE void qs_stream_idle(qs_core_t *c, qs_stream_t *s, __u64 arrival)
{
	__u64 violations;

	if (!SCHED_TIMED || !s->now.ipg || !s->period_next ||
	    arrival <= s->period_next)
		return;
	violations = s->violations;
	sched_idle(s, (arrival - s->period_next) / qs_period(s));
	c->violations += s->violations - violations;
}

QS_FN int qs_stream_schedule(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	qs_slot_t *head;
	__u32 h;

	if (s->head == QS_NIL)
		return 0;
	head = qs_slot(c, s->head);
	if (s->head == s->open) { /* its end may never come */
		s->release = head->arrival + QS_TX_HORIZON_NS;
		s->order = c->order++; /* first come, first ended */
		qs_heap_add(c, QS_HEAP_WAIT, i);
		return 0;
	}
	if (!qs_stream_adopt(s))
		qs_stream_idle(c, s, head->arrival);
	s->release = head->arrival;
	if (s->now.ipg && s->period_next > s->release)
		s->release = s->period_next;
	qs_stream_deadline(s, head);
	h = qs_heap_released(c, s);
	if (s->release > now)
		h = s->now.flags & QS_STREAM_WORK_CONSERVING ? QS_HEAP_AHEAD :
							       QS_HEAP_WAIT;
	qs_heap_add(c, h, i);
	return 0;
}

/* The unit left or was dropped: the next one's period begins at its end. */
QS_INLINE void qs_period_over(qs_stream_t *s)
{
	s->period_next = s->release + qs_period(s);
}

QS_FN int qs_release(qs_core_t *c, __u32 h, __u64 now)
{
	qs_stream_t *s;
	__u32 i;

	while (qs_can_loop) {
		i = qs_heap_top(c, h);
		if (i == QS_NIL)
			break;
		s = qs_stream(c, i);
		if (s->release > now)
			break;
		qs_heap_del(c, i);
		if (s->head != s->open) {
			qs_heap_add(c, qs_heap_released(c, s), i);
			continue;
		}
		s->framed = 0;
		qs_unit_end(c, s, now);
		qs_stream_schedule(c, i, now);
	}
	return 0;
}

/* ---- enqueue */

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
}

QS_FN int qs_enqueue_besteffort(qs_core_t *c, const struct qs_packet *p,
				__u64 now)
{
	__u32 i;

	if (!qs_be_accepts(c, p)) {
		c->be_dropped++;
		return QS_REFUSED_FULL;
	}
	i = qs_slot_alloc(c);
	qs_slot_fill(c, i, p, now);
	qs_slot(c, i)->stream = QS_NIL;
	qs_be_enqueue(c, i, p->hash, p->flags);
	return i;
}

/*
 * Frame marks, kept for refused packets too. Returns whether the packet ends
 * its unit: it is in no frame or ends one, and its message has no more parts.
 */
QS_INLINE int qs_frame_mark(qs_stream_t *s, __u32 flags)
{
	if (flags & QS_TX_FRAME_START)
		s->framed = 1;
	if (flags & QS_TX_FRAME_END)
		s->framed = 0;
	return !s->framed && !(flags & QS_CBF_MORE);
}

QS_INLINE void qs_unit_finish(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 head = s->head;

	if (s->open == QS_NIL)
		return;
	if (head == s->open)
		qs_heap_del(c, i);
	qs_unit_end(c, s, now);
	if (s->head != s->tail)
		qs_unit_sort(c, s);
	if (s->heap == QS_NIL) {
		if (c->current != i)
			qs_stream_schedule(c, i, now);
	} else if (s->head != head) { /* the same period, another unit's */
		qs_stream_deadline(s, qs_slot(c, s->head));
		qs_stream_move(c, i);
	}
}

/* May the unit lose its rest, of which a packet with `flags` is refused? */
QS_INLINE int qs_rest_droppable(qs_core_t *c, const qs_stream_t *s, __u32 flags)
{
	if (s->open != QS_NIL)
		flags |= qs_slot(c, s->open)->flags;
	return !((s->now.flags & QS_STREAM_NON_DROPPABLE) ||
		 (flags & QS_TX_NON_DROPPABLE));
}

/*
 * No room. A frame that loses a part is lost whole, unless it must not be:
 * then only the part is.
 */
QS_FN int qs_refuse(qs_core_t *c, __u32 i, __u32 flags, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	int ends = qs_frame_mark(s, flags);

	s->dropped_overflow++;
	c->dropped_overflow++;
	if (!qs_rest_droppable(c, s, flags)) {
		if (ends)
			qs_unit_finish(c, i, now);
		return 0;
	}
	if (s->open != QS_NIL || !ends)
		s->dropped_frame++;
	if (s->open != QS_NIL) {
		c->dropped_frame += qs_slot(c, s->open)->unit_packets;
		if (s->head == s->open)
			qs_heap_del(c, i);
		qs_unit_abandon(c, s);
	}
	s->broken = !ends;
	return 0;
}

/* The rest of a frame that has lost a part already: is this packet of it? */
QS_INLINE int qs_frame_is_broken(qs_core_t *c, qs_stream_t *s, __u32 flags)
{
	if (!s->broken || (flags & QS_TX_FRAME_START)) {
		s->broken = 0;
		return 0;
	}
	s->broken = !qs_frame_mark(s, flags);
	c->dropped_frame++;
	return 1;
}

QS_INLINE int qs_enqueue_unit(qs_core_t *c, __u32 i, __u32 slot, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 flags = qs_slot(c, slot)->flags;

	if (s->open == QS_NIL)
		qs_unit_begin(c, s, slot);
	else
		qs_unit_append(c, s, slot);
	if (qs_frame_mark(s, flags))
		qs_unit_finish(c, i, now);
	else if (s->heap == QS_NIL && c->current != i)
		qs_stream_schedule(c, i, now);
	return 0;
}

/* Returns the slot of the packet, or QS_REFUSED_*. */
QS_INLINE int qs_enqueue(qs_core_t *c, const struct qs_packet *p, __u64 now)
{
	__u32 i = p->stream, slot;
	qs_stream_t *s;

	if (i >= c->n_streams)
		return qs_enqueue_besteffort(c, p, now);
	s = qs_stream(c, i);
	if (!qs_stream_hold(s, p->gen))
		return qs_enqueue_besteffort(c, p, now);
	if (s->gen_seen != p->gen)
		qs_stream_reset(s, p->gen);
	if (qs_frame_is_broken(c, s, p->flags)) {
		qs_stream_settle(c, i);
		return QS_REFUSED_FRAME;
	}
	if (p->flags & QS_TX_FRAME_START)
		qs_unit_finish(c, i, now); /* the last one was never ended */
	if (!qs_streams_have_room(c) || s->packets >= c->stream_limit) {
		qs_refuse(c, i, p->flags, now);
		qs_stream_settle(c, i);
		return QS_REFUSED_FULL;
	}
	slot = qs_slot_alloc(c);
	qs_slot_fill(c, slot, p, now);
	s->packets++;
	s->bytes += p->len;
	qs_enqueue_unit(c, i, slot, now);
	return slot;
}

/* ---- dequeue */

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

/* Streams sent `len` bytes while best effort waited. */
QS_INLINE void qs_besteffort_owe(qs_core_t *c, __u32 len)
{
	c->be_owed += len;
	if (c->be_owed > QS_OWED_MAX)
		c->be_owed = QS_OWED_MAX;
}

QS_FN __u64 qs_send_besteffort(qs_core_t *c, __u64 now)
{
	__u32 i = qs_be_dequeue(c);
	__u64 paid;

	if (i == QS_NIL)
		return QS_DEQ_EMPTY;
	paid = (__u64)qs_slot(c, i)->len * (QS_BESTEFFORT_SHARE - 1);
	c->be_owed = c->be_owed > paid ? c->be_owed - paid : 0;
	c->be_sent_packets++;
	c->be_sent_bytes += qs_slot(c, i)->len;
	return qs_send(c, i, now);
}

/* The next packet of the unit that is being sent, and what its end means. */
QS_FN __u64 qs_send_unit(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 slot = c->current_slot;
	qs_slot_t *p = qs_slot(c, slot);
	__u64 delay = now - p->arrival;

	s->sent_packets++;
	s->sent_bytes += p->len;
	s->packets--;
	s->bytes -= p->len;
	s->delay_last = delay;
	if (delay > s->delay_max)
		s->delay_max = delay;
	if (c->be_packets)
		qs_besteffort_owe(c, p->len);
	if (slot == c->current_last) {
		c->current = QS_NIL;
		s->sent_units++;
		s->late_units += c->current_late;
		qs_period_over(s);
		if (s->head != QS_NIL)
			qs_stream_schedule(c, i, now);
	}
	c->current_slot = p->next;
	qs_stream_settle(c, i);
	return qs_send(c, slot, now);
}

/* Begins to send the first unit of stream i, which is in no heap now. */
QS_INLINE int qs_unit_start(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	qs_slot_t *head = qs_slot(c, s->head);

	c->current = i;
	c->current_slot = s->head;
	c->current_last = head->unit_last;
	c->current_late = head->late;
	qs_unit_pop(c, s);
	return 0;
}

QS_FN int qs_unit_drop_late(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 unit = s->head;

	qs_heap_del(c, i);
	qs_unit_pop(c, s);
	c->dropped_late += qs_slot(c, unit)->unit_packets;
	qs_unit_doom(c, s, unit);
	s->dropped_late++;
	qs_period_over(s);
	qs_stream_schedule(c, i, now);
	qs_stream_settle(c, i);
	return 0;
}

/*
 * The first ready stream's unit would leave at `end`, too late. Droppable: it
 * is given up. Else it competes in the first period that it can still make, or,
 * with a deadline of its own, goes as it is, its miss counted once.
 */
QS_FN int qs_unit_missed(qs_core_t *c, __u32 i, __u64 now, __u64 end)
{
	qs_stream_t *s = qs_stream(c, i);
	qs_slot_t *head = qs_slot(c, s->head);
	__u64 violations = s->violations;
	__u64 periods = 1, period = qs_period(s);
	int droppable = qs_unit_droppable(s, head);

	if (!droppable && !head->deadline && period) {
		periods = (end - s->deadline + period - 1) / period;
		s->release += periods * period;
		s->deadline += periods * period;
	}
	sched_missed(s, periods);
	c->violations += s->violations - violations;
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
	__u32 i = qs_heap_top(c, QS_HEAP_READY), j;
	qs_stream_t *s;

	if (!SCHED_TIMED)
		return i;
	j = qs_heap_top(c, QS_HEAP_SPARE);
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
	c->violations += s->violations - violations;
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
	__u32 i = qs_heap_top(c, QS_HEAP_AHEAD);
	qs_stream_t *s;

	if (i == QS_NIL)
		return 0;
	qs_heap_del(c, i);
	s = qs_stream(c, i);
	s->release = now;
	qs_heap_add(c, qs_heap_released(c, s), i);
	return 1;
}

/* Nothing can be sent: a wait for the next release. */
QS_INLINE __u64 qs_dequeue_idle(qs_core_t *c)
{
	__u32 i = qs_heap_top(c, QS_HEAP_WAIT);

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

/* Returns QS_DEQ_*; the slot is free again, its packet is the caller's. */
QS_INLINE __u64 qs_dequeue(qs_core_t *c, __u64 now)
{
	__u32 i;

	if (c->doomed != QS_NIL)
		return qs_drop_doomed(c);
	if (c->rate && c->free_at > now) {
		c->wake = c->free_at;
		return QS_DEQ_WAIT;
	}
	if (c->current != QS_NIL)
		return qs_send_unit(c, c->current, now);
	if (c->heap_len[QS_HEAP_WAIT])
		qs_release(c, QS_HEAP_WAIT, now);
	if (c->heap_len[QS_HEAP_AHEAD])
		qs_release(c, QS_HEAP_AHEAD, now);
	if (qs_besteffort_due(c))
		return qs_send_besteffort(c, now);
	i = qs_choose(c, now);
	if (i == QS_NIL && c->doomed == QS_NIL && !c->be_packets &&
	    qs_release_ahead(c, now))
		i = qs_choose(c, now);
	if (c->doomed != QS_NIL)
		return qs_drop_doomed(c);
	if (i != QS_NIL) {
		qs_heap_del(c, i);
		qs_unit_start(c, i);
		return qs_send_unit(c, i, now);
	}
	if (c->be_packets)
		return qs_send_besteffort(c, now);
	return qs_dequeue_idle(c);
}

/* ---- setup and reset */

QS_INLINE void qs_queues_reset(qs_core_t *c)
{
	__u32 h;

	for (h = 0; h < QS_HEAPS; h++)
		c->heap_len[h] = 0;
	c->current = QS_NIL;
	c->doomed = QS_NIL;
	c->be_packets = 0;
	c->be_owed = 0;
	c->be_control.first = QS_NIL;
	c->be_new.first = QS_NIL;
	c->be_old.first = QS_NIL;
}

/* A frame that is cut in two is lost to its end, unless it must not be. */
QS_FN int qs_stream_flush(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);

	if (!s->packets)
		return 0;
	if (s->open != QS_NIL && qs_rest_droppable(c, s, 0)) {
		s->broken = 1;
		s->dropped_frame++;
	}
	qs_stream_empty(s);
	qs_stream_settle(c, i);
	return 0;
}

/*
 * Empties every queue; who calls has freed the packets. Streams stay attached.
 * Statistics stay.
 */
QS_FN int qs_core_reset(qs_core_t *c)
{
	__u32 i;

	for (i = c->zero; i < c->n_streams && qs_can_loop; i++)
		qs_stream_flush(c, i);
	qs_queues_reset(c);
	c->free_slot = QS_NIL;
	c->free_slots = 0;
	for (i = c->zero; i < c->n_slots && qs_can_loop; i++)
		qs_slot_free(c, c->n_slots - 1 - i);
	for (i = c->zero; i < QS_FLOWS && qs_can_loop; i++) {
		qs_flow(c, i)->packets = 0;
		qs_flow(c, i)->listed = 0;
	}
	return 0;
}

/*
 * A core for a device, in memory that reads as zero or was a core of this
 * layout's before: the streams' numbers go on, so that no socket of then is
 * taken for one of now.
 */
QS_FN int qs_core_init(qs_core_t *c, __u32 gen)
{
	__u32 i;

	c->magic = QS_CORE_MAGIC;
	c->released = QS_NIL;
	c->free_stream = QS_NIL;
	c->attached = c->n_streams;
	for (i = c->zero; i < c->n_streams && qs_can_loop; i++) {
		qs_stream_t *s = qs_stream(c, c->n_streams - 1 - i);

		s->life = QS_LIFE(gen, 0);
		s->packets = 0;
		qs_stream_free(c, c->n_streams - 1 - i);
	}
	return qs_core_reset(c);
}

#endif
