/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Enqueue and dequeue, the same for every scheduler that orders streams by
 * the deadlines of their first units. The scheduler's own rules are the four
 * functions that include/qsockets/sched.h names.
 *
 * Enqueue: a packet joins its stream's last frame or is a unit by itself. The
 * first whole unit of a stream is released at its period's start: until then
 * the stream waits, after that it is ready. A unit whose end does not come in
 * QS_FRAME_NS, or whose socket is closed, ends without.
 *
 * Dequeue, in this order: what is left of a unit that is being sent; best
 * effort, when its share is due; the first ready stream, after those of its
 * units that can no longer be in time were dropped or counted; best effort;
 * streams that may use idle time; else nothing until the next release.
 *
 * Limits: a unit that does not fit into the stream's share of the queue is
 * refused whole, or takes the place of one of a lower drop priority. Within one
 * release time, streams go by order of arrival.
 */
#ifndef QS_COMMON_ENGINE_H
#define QS_COMMON_ENGINE_H

#ifndef SCHED_TIMED
#define SCHED_TIMED 0
#define sched_idle(s, n) ((void)(n))
#define sched_spare(s) 0
#endif

#include "rules.h"

#ifndef QS_BANDED
#include "dequeue.h"
#include "enqueue.h"

QS_INLINE void qs_queues_reset(qs_core_t *c)
{
	__u32 h;

	for (h = 0; h < QS_TREES; h++)
		c->tree[h].len = 0;
	c->current = QS_NIL;
	c->doomed = QS_NIL;
	c->be_packets = 0;
	c->be_owed = 0;
	c->be_alone = QS_NIL;
	c->be_control.first = QS_NIL;
	c->be_new.first = QS_NIL;
	c->be_old.first = QS_NIL;
}

/* Its packets were freed. */
QS_FN int qs_fate_flushed(qs_core_t *c, __u32 i)
{
	const qs_stream_t *s = qs_stream(c, i);
	__u32 unit = s->head;

	if (c->current == i)
		qs_fate_chain(c, s, QOS_FATE_FLUSHED, c->current_slot, 0);
	while (unit != QS_NIL && qs_can_loop) {
		qs_fate_chain(c, s, QOS_FATE_FLUSHED, unit, 0);
		unit = qs_slot(c, unit)->unit_next;
	}
	return 0;
}

/* A frame that is cut in two is lost to its end, unless it must not be. */
QS_FN int qs_stream_flush(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);

	if (!s->packets)
		return 0;
	if (QS_READ(s->ring))
		qs_fate_flushed(c, i);
	if (s->open != QS_NIL && qs_packet_prio(c, s, 0) != QS_PRIO_FIXED) {
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
	c->free_ring = QS_NIL;
	c->closed = QS_NIL;
	c->attached = c->n_streams;
	for (i = c->zero; i < c->n_streams && qs_can_loop; i++) {
		qs_stream_t *s = qs_stream(c, c->n_streams - 1 - i);

		s->life = QS_LIFE(gen, 0);
		s->packets = 0;
		s->closed = 0;
		s->ring = 0;
		qs_stream_free(c, c->n_streams - 1 - i);
	}
	for (i = c->zero; i < c->n_rings && qs_can_loop; i++)
		qs_ring_free(c, c->n_rings - 1 - i);
	return qs_core_reset(c);
}

#endif /* QS_BANDED */

#endif
