/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Tournaments of streams, by index: one of the released streams, in the
 * scheduler's precedence, and two of the waiting ones, by release time. A
 * scheduler with SCHED_TIMED has a second one of released streams. A stream is in
 * at most one and knows its leaf there.
 *
 * A tournament is a tree of winners (Knuth, The Art of Computer Programming,
 * volume 3, section 5.4.1), here with four below each node, which are a line of
 * the cache: a node has the entry of that one of them that goes first. So a change
 * at a leaf concerns the nodes above it alone, and where these and those beside
 * them are does not depend on who wins. In a heap the way down is found by
 * comparing, and each stream on it is told its new place.
 *
 * Nodes are numbered level by level, from QS_ROOT on. Leaves are taken in their
 * order, so that all are below `top`, which rises when they need it.
 */
#ifndef QS_COMMON_TREE_H
#define QS_COMMON_TREE_H

#include "mem.h"

typedef struct qs_tree QS_MEM qs_tree_t;

/* The lower key goes first; equal ones are told apart by the streams. */
QS_INLINE __u64 qs_tree_key(qs_core_t *c, __u32 h, __u32 i)
{
	if (h == QS_TREE_READY || (SCHED_TIMED && h == QS_TREE_SPARE))
		return sched_key(qs_stream(c, i));
	return qs_stream(c, i)->release;
}

QS_FN int qs_tree_tie(qs_core_t *c, __u32 h, __u32 a, __u32 b)
{
	qs_stream_t *sa = qs_stream(c, a), *sb = qs_stream(c, b);

	if (h == QS_TREE_READY || (SCHED_TIMED && h == QS_TREE_SPARE))
		return sched_precedes(sa, sb);
	return sa->order < sb->order;
}

QS_INLINE int qs_tree_before(qs_core_t *c, __u32 h, __u64 key, __u32 i,
			     __u64 other, __u32 j)
{
	if (key == other && key != QS_NOBODY)
		return qs_tree_tie(c, h, i, j);
	return key < other;
}

QS_INLINE void qs_entry_set(qs_entry_t *e, __u64 key, __u32 i)
{
	e->key = key;
	e->stream = i;
}

/* Stream i has come to the leaf at `node`, which nobody had. */
QS_INLINE void qs_tree_enter(qs_core_t *c, __u32 h, __u32 node, __u64 key,
			     __u32 i)
{
	qs_entry_t *tree = qs_nodes(c, h), *above;
	__u32 top = c->tree[h].top;

	while (node != top && qs_can_loop) {
		node = QS_PARENT(node);
		above = &tree[node];
		if (!qs_tree_before(c, h, key, i, above->key, above->stream))
			break;
		qs_entry_set(above, key, i);
	}
}

/* If stream j goes before *i, it takes its place. */
QS_INLINE void qs_tree_meet(qs_core_t *c, __u32 h, __u64 *key, __u32 *i,
			    __u64 other, __u32 j)
{
	int wins = qs_tree_before(c, h, other, j, *key, *i);

	*key = QS_SELECT(wins, other, *key);
	*i = QS_SELECT(wins, j, *i);
}

/* As qs_tree_leave(), from any node whose entry is right, with ties. */
QS_GLOBAL int qs_tree_leave_tied(qs_core_t *c QS_ARENA_ARG, __u32 h, __u32 node)
{
	qs_entry_t *tree = qs_nodes(c, h);
	__u32 top = c->tree[h].top, winner, k;
	__u64 key;

	while (node != top && qs_can_loop) {
		key = tree[node].key;
		winner = tree[node].stream;
		for (k = 1; k < 4; k++)
			qs_tree_meet(c, h, &key, &winner, tree[node ^ k].key,
				     tree[node ^ k].stream);
		node = QS_PARENT(node);
		qs_entry_set(&tree[node], key, winner);
	}
	return 0;
}

/*
 * The stream at the leaf `node`, most likely the first of all, has left. Most keys
 * differ, and then nothing is called: in BPF that leaves all registers to the loop.
 */
QS_GLOBAL int qs_tree_leave(qs_core_t *c QS_ARENA_ARG, __u32 h, __u32 node)
{
	qs_entry_t *tree = qs_nodes(c, h), *e;
	__u32 top = c->tree[h].top, winner = QS_NIL, wins, k;
	__u64 key = QS_NOBODY, other;

	while (node != top && qs_can_loop) {
		for (k = 1; k < 4; k++) {
			e = &tree[node ^ k];
			other = e->key;
			if (other == key && key != QS_NOBODY)
				return qs_tree_leave_tied(c, h, node);
			wins = other < key;
			key = QS_SELECT(wins, other, key);
			winner = QS_SELECT(wins, e->stream, winner);
		}
		node = QS_PARENT(node);
		qs_entry_set(&tree[node], key, winner);
	}
	return 0;
}

/* The node is the first of its four: they have a parent now, and nobody else. */
QS_INLINE __u32 qs_tree_rise(qs_entry_t *tree, __u32 node)
{
	__u32 parent = QS_PARENT(node), k;

	for (k = 1; k < 4; k++)
		tree[node + k].key = QS_NOBODY;
	qs_entry_set(&tree[parent], tree[node].key, tree[node].stream);
	return parent;
}

/* A leaf that nobody ever had. */
QS_INLINE __u32 qs_tree_grow(qs_core_t *c, __u32 h)
{
	qs_tree_t *t = &c->tree[h];

	if (t->used == t->width) {
		t->top = qs_tree_rise(qs_nodes(c, h), t->top);
		t->width *= 4;
	}
	return c->first_leaf + t->used++;
}

/*
 * Somebody has that leaf now, and with it the nodes above whose first leaf it is.
 * Returns the highest of these.
 */
QS_INLINE __u32 qs_tree_settle(qs_core_t *c, __u32 h, __u32 node)
{
	qs_entry_t *tree = qs_nodes(c, h);
	__u32 top = c->tree[h].top;

	while (node % 4 == 0 && node != top && qs_can_loop)
		node = qs_tree_rise(tree, node);
	return node;
}

/* Stream i is the first, and has no need of more than a leaf. */
QS_INLINE void qs_tree_begin(qs_core_t *c, __u32 h, __u32 i)
{
	qs_tree_t *t = &c->tree[h];
	__u32 node = c->first_leaf;

	t->used = 1;
	t->free = QS_NIL;
	t->top = node;
	t->width = 1;
	qs_stream(c, i)->leaf = node;
	qs_entry_set(&qs_nodes(c, h)[node], qs_tree_key(c, h, i), i);
}

/* Stream i is not the first. */
QS_GLOBAL int qs_tree_join(qs_core_t *c QS_ARENA_ARG, __u32 h, __u32 i)
{
	__u64 key = qs_tree_key(c, h, i);
	qs_tree_t *t = &c->tree[h];
	__u32 node = t->free, grows = node == QS_NIL;
	qs_entry_t *e;

	if (grows)
		node = qs_tree_grow(c, h);
	e = &qs_nodes(c, h)[node];
	if (!grows)
		t->free = e->stream;
	qs_stream(c, i)->leaf = node;
	qs_entry_set(e, key, i);
	if (grows)
		node = qs_tree_settle(c, h, node);
	qs_tree_enter(c, h, node, key, i);
	return 0;
}

QS_INLINE void qs_tree_add(qs_core_t *c, __u32 h, __u32 i)
{
	qs_stream(c, i)->tree = h;
	if (c->tree[h].len++)
		qs_tree_join(c, h, i);
	else
		qs_tree_begin(c, h, i);
}

QS_INLINE void qs_tree_del(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 h = s->tree, node = s->leaf;
	qs_tree_t *t;

	if (h >= QS_TREES)
		return;
	t = &c->tree[h];
	s->tree = QS_NIL;
	if (!--t->len)
		return; /* what else there is of the tree begins anew */
	qs_entry_set(&qs_nodes(c, h)[node], QS_NOBODY, t->free);
	t->free = node;
	qs_tree_leave(c, h, node);
}

/* The first stream of a tree, or QS_NIL. */
QS_INLINE __u32 qs_tree_top(qs_core_t *c, __u32 h)
{
	return c->tree[h].len ? qs_nodes(c, h)[c->tree[h].top].stream : QS_NIL;
}

#endif
