/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * When a stream's first unit is released and due, and which tree holds the
 * stream meanwhile.
 */
#ifndef QS_COMMON_RELEASE_H
#define QS_COMMON_RELEASE_H

#include "life.h"
#include "queue.h"
#include "rules.h"
#include "tree.h"

/* May this late unit be left as it is, because its miss was counted? */
QS_INLINE int qs_unit_missed_for_good(const qs_stream_t *s,
				      const qs_slot_t *head)
{
	return head->late && (head->deadline || !s->now.ipg);
}

/* Which tree is the stream's, once its first unit is released? */
QS_INLINE __u32 qs_tree_released(qs_core_t *c, const qs_stream_t *s)
{
	if (SCHED_TIMED && sched_spare(s) &&
	    !qs_unit_missed_for_good(s, qs_slot(c, s->head)))
		return QS_TREE_SPARE;
	return QS_TREE_READY;
}

/* What the stream's place depends on has changed, or even its tree. */
QS_FN int qs_stream_move(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 h = s->tree;

	if (SCHED_TIMED && (h == QS_TREE_READY || h == QS_TREE_SPARE))
		h = qs_tree_released(c, s);
	qs_tree_del(c, i);
	qs_tree_add(c, h, i);
	return 0;
}

QS_FN int qs_stream_schedule(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	__u64 violations;
	qs_slot_t *head;
	__u32 h;

	if (s->head == QS_NIL)
		return 0;
	head = qs_slot(c, s->head);
	if (s->head == s->open) { /* its end may never come */
		s->release = head->arrival + QS_FRAME_NS;
		s->order = c->order++; /* first come, first ended */
		qs_tree_add(c, QS_TREE_WAIT, i);
		return 0;
	}
	violations = s->violations;
	qs_unit_release(s, head);
	qs_violated(c, s, violations);
	h = qs_tree_released(c, s);
	if (s->release > now)
		h = s->now.flags & QS_STREAM_WORK_CONSERVING ? QS_TREE_AHEAD :
							       QS_TREE_WAIT;
	qs_tree_add(c, h, i);
	return 0;
}

/* The last unit, which was still being built, ends here. */
QS_INLINE void qs_unit_finish(qs_core_t *c, __u32 i, __u64 now)
{
	qs_stream_t *s = qs_stream(c, i);
	int another = 0;

	if (s->open == QS_NIL)
		return;
	if (s->head == s->open)
		qs_tree_del(c, i);
	qs_unit_end(c, s, now);
	if (s->head != s->tail)
		another = qs_unit_sort(c, s);
	if (s->tree == QS_NIL) {
		if (c->current != i)
			qs_stream_schedule(c, i, now);
	} else if (another) { /* the same period, another unit or deadline */
		qs_stream_deadline(s, qs_slot(c, s->head));
		qs_stream_move(c, i);
	}
}

QS_FN int qs_unit_end_open(qs_core_t *c, __u32 i, __u64 now)
{
	qs_unit_finish(c, i, now);
	return 0;
}

/* Ends the frames of sockets that were closed. */
QS_FN int qs_end_closed(qs_core_t *c, __u64 now)
{
	__u32 i = __sync_lock_test_and_set(&c->closed, QS_NIL);
	qs_stream_t *s;
	__u32 next;

	while (i != QS_NIL && qs_can_loop) {
		s = qs_stream(c, i);
		next = s->next_closed;
		__sync_lock_test_and_set(&s->closed, 0);
		if (s->packets && QS_LIFE_REFS(QS_READ(s->life)) == 1) {
			s->framed = 0;
			qs_unit_finish(c, i, now);
		}
		i = next;
	}
	return 0;
}

QS_FN int qs_release(qs_core_t *c, __u32 h, __u64 now)
{
	qs_stream_t *s;
	__u32 i;

	while (qs_can_loop) {
		i = qs_tree_top(c, h);
		if (i == QS_NIL)
			break;
		s = qs_stream(c, i);
		if (s->release > now)
			break;
		qs_tree_del(c, i);
		if (s->head != s->open) {
			qs_tree_add(c, qs_tree_released(c, s), i);
			continue;
		}
		s->framed = 0;
		qs_unit_end(c, s, now);
		qs_stream_schedule(c, i, now);
	}
	return 0;
}

#endif
