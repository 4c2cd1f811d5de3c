/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Binary heaps of streams, by index: one of the released streams, in the
 * scheduler's precedence, and two of the waiting ones, by release time. A
 * scheduler with SCHED_TIMED has a second one of released streams.
 * A stream is in at most one heap and knows its place in it.
 */
#ifndef QS_COMMON_HEAP_H
#define QS_COMMON_HEAP_H

#include "mem.h"

/* The lower key goes first; equal ones are told apart by the streams. */
QS_INLINE __u64 qs_heap_key(qs_core_t *c, __u32 h, __u32 i)
{
	if (h == QS_HEAP_READY || (SCHED_TIMED && h == QS_HEAP_SPARE))
		return sched_key(qs_stream(c, i));
	return qs_stream(c, i)->release;
}

QS_FN int qs_heap_tie(qs_core_t *c, __u32 h, __u32 a, __u32 b)
{
	qs_stream_t *sa = qs_stream(c, a), *sb = qs_stream(c, b);

	if (h == QS_HEAP_READY || (SCHED_TIMED && h == QS_HEAP_SPARE))
		return sched_precedes(sa, sb);
	return sa->order < sb->order;
}

QS_INLINE int qs_heap_before(qs_core_t *c, __u32 h, __u64 key, __u32 i,
			     const qs_entry_t *b)
{
	if (key != b->key)
		return key < b->key;
	return qs_heap_tie(c, h, i, b->stream);
}

QS_INLINE void qs_heap_put(qs_core_t *c, qs_entry_t *at, __u32 pos, __u64 key,
			   __u32 i)
{
	at->key = key;
	at->stream = i;
	qs_stream(c, i)->pos = pos;
}

/* Stream i's place is `pos` or above it. Returns which. */
QS_GLOBAL __u32 qs_heap_up(qs_core_t *c QS_ARENA_ARG, __u32 h, __u32 pos,
			   __u32 i)
{
	qs_entry_t *heap = qs_heap(c, h), *above;
	__u64 key = qs_heap_key(c, h, i);
	__u32 parent;

	while (pos && qs_can_loop) {
		parent = (pos - 1) / 2;
		above = &heap[parent];
		if (!qs_heap_before(c, h, key, i, above))
			break;
		qs_heap_put(c, &heap[pos], pos, above->key, above->stream);
		pos = parent;
	}
	qs_heap_put(c, &heap[pos], pos, key, i);
	return pos;
}

/*
 * Stream i's place is `pos` or below it. It mostly comes from the end and goes
 * there again: so the way down is taken without it, at half the comparisons.
 */
QS_GLOBAL int qs_heap_down(qs_core_t *c QS_ARENA_ARG, __u32 h, __u32 pos,
			   __u32 i)
{
	qs_entry_t *heap = qs_heap(c, h), *below;
	__u32 n = c->heap_len[h];
	__u32 child;

	while (qs_can_loop) {
		child = 2 * pos + 1;
		if (child >= n)
			break;
		below = &heap[child];
		if (child + 1 < n && qs_heap_before(c, h, below[1].key,
						    below[1].stream, below)) {
			below++;
			child++;
		}
		qs_heap_put(c, &heap[pos], pos, below->key, below->stream);
		pos = child;
	}
	qs_heap_up(c, h, pos, i);
	return 0;
}

/* What the stream's place depends on has changed. */
QS_FN int qs_heap_move(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 h = s->heap, pos = s->pos;

	if (qs_heap_up(c, h, pos, i) == pos)
		qs_heap_down(c, h, pos, i);
	return 0;
}

QS_INLINE void qs_heap_add(qs_core_t *c, __u32 h, __u32 i)
{
	__u32 pos = c->heap_len[h]++;

	qs_stream(c, i)->heap = h;
	if (pos)
		qs_heap_up(c, h, pos, i);
	else
		qs_heap_put(c, qs_heap(c, h), 0, qs_heap_key(c, h, i), i);
}

QS_INLINE void qs_heap_del(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 h = s->heap, pos = s->pos;
	__u32 n, last;

	if (h >= QS_HEAPS)
		return;
	s->heap = QS_NIL;
	n = --c->heap_len[h];
	if (pos == n)
		return;
	last = qs_heap(c, h)[n].stream;
	if (!pos || qs_heap_up(c, h, pos, last) == pos)
		qs_heap_down(c, h, pos, last);
}

/* The first stream of a heap, or QS_NIL. */
QS_INLINE __u32 qs_heap_top(qs_core_t *c, __u32 h)
{
	return c->heap_len[h] ? qs_heap(c, h)[0].stream : QS_NIL;
}

#endif
