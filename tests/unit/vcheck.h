/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks through a whole core: each slot is in one place, each count is right,
 * each tree in order. Slow, so for small cores. Needs vclock.h.
 */
#ifndef QS_TESTS_VCHECK_H
#define QS_TESTS_VCHECK_H

#define VCHECK_ANY (QS_NIL - 1) /* streams */

struct vcheck {
	qs_core_t *c;
	unsigned char *seen; /* by slot */
	__u32 slots; /* found so far */
	const char *wrong; /* the first thing that is */
};

static inline void vcheck_that(struct vcheck *k, int holds, const char *what)
{
	if (!holds && !k->wrong)
		k->wrong = what;
}

/* A chain of a stream's packets, or free ones, up to `last`; its length. */
static inline __u32 vcheck_chain(struct vcheck *k, __u32 at, __u32 last,
				 __u64 *bytes, __u32 stream)
{
	__u32 n = 0;

	while (at != QS_NIL && !k->wrong) {
		vcheck_that(k, at < k->c->n_slots && !k->seen[at],
			    "a slot is in two places");
		if (k->wrong)
			break;
		vcheck_that(k,
			    stream == VCHECK_ANY ||
				    qs_slot(k->c, at)->stream == stream,
			    "a slot is with another stream than its own");
		k->seen[at] = 1;
		k->slots++;
		n++;
		if (bytes)
			*bytes += qs_slot(k->c, at)->len;
		if (at == last)
			break;
		at = qs_slot(k->c, at)->next;
	}
	vcheck_that(k, at == last, "a chain does not end where it should");
	return n;
}

static inline void vcheck_unit(struct vcheck *k, __u32 i, __u32 unit,
			       __u32 *packets, __u64 *bytes)
{
	qs_slot_t *head = qs_slot(k->c, unit);
	__u64 size = 0;
	__u32 n = vcheck_chain(k, unit, head->unit_last, &size, i);

	vcheck_that(k, n == head->unit_packets, "unit_packets");
	vcheck_that(k, size == head->unit_bytes, "unit_bytes");
	*packets += n;
	*bytes += size;
}

/* Those with deadlines of their own are in the order of these. */
static inline void vcheck_queue(struct vcheck *k, __u32 i, __u32 *packets,
				__u64 *bytes)
{
	__u32 unit, units = 0, before = QS_NIL, last = QS_NIL;
	qs_stream_t *s = qs_stream(k->c, i);
	__u64 own, due = 0;

	for (unit = s->head; unit != QS_NIL && !k->wrong;
	     unit = qs_slot(k->c, unit)->unit_next) {
		vcheck_unit(k, i, unit, packets, bytes);
		before = last;
		last = unit;
		if (unit == s->open)
			continue;
		units++;
		own = qs_slot(k->c, unit)->deadline;
		vcheck_that(k, !own || own >= due, "deadlines out of order");
		due = own ? own : due;
	}
	vcheck_that(k, units == s->units, "a stream's units");
	vcheck_that(k, last == QS_NIL || last == s->tail, "a stream's tail");
	vcheck_that(k, s->open == QS_NIL || s->open == last,
		    "the unit being built is not the last");
	vcheck_that(k,
		    s->open == QS_NIL || before == QS_NIL ||
			    s->before_open == before,
		    "the unit before the one being built");
	vcheck_that(k, !s->broken || s->open == QS_NIL,
		    "a lost frame is being built");
}

/* Which tree is the stream's, and is it there? */
static inline void vcheck_place(struct vcheck *k, __u32 i)
{
	const qs_stream_t *s = qs_stream(k->c, i);
	__u32 h = s->tree;

	if (h == QS_NIL)
		return;
	vcheck_that(k,
		    h < QS_TREES && s->leaf >= k->c->first_leaf &&
			    s->leaf < k->c->first_leaf + k->c->tree[h].used &&
			    qs_nodes(k->c, h)[s->leaf].stream == i,
		    "a stream is not where it should be in its tree");
	vcheck_that(k, s->head != s->open || h == QS_TREE_WAIT,
		    "a unit competes before it is whole");
	vcheck_that(k,
		    (h != QS_TREE_READY && h != QS_TREE_SPARE) ||
			    h == qs_tree_released(k->c, s),
		    "a stream is in the wrong tree");
}

/* Nothing is queued. */
static inline void vcheck_idle(struct vcheck *k, const qs_stream_t *s)
{
	if (!s->gen_seen) /* it never was used */
		return;
	vcheck_that(k,
		    s->tree == QS_NIL && s->head == QS_NIL &&
			    s->open == QS_NIL && !s->units && !s->bytes,
		    "an empty stream is not empty");
}

static inline void vcheck_stream(struct vcheck *k, __u32 i)
{
	qs_stream_t *s = qs_stream(k->c, i);
	__u32 packets = 0;
	__u64 bytes = 0;

	if (!s->packets) {
		vcheck_idle(k, s);
		return;
	}
	if (k->c->current == i)
		packets +=
			vcheck_chain(k, k->c->current_slot, QS_NIL, &bytes, i);
	vcheck_queue(k, i, &packets, &bytes);
	vcheck_place(k, i);
	vcheck_that(k, packets == s->packets, "a stream's packets");
	vcheck_that(k, bytes == s->bytes, "a stream's bytes");
	vcheck_that(k, QS_LIFE_REFS(s->life) > 0, "packets without reference");
	vcheck_that(k,
		    (s->tree == QS_NIL) ==
			    (s->head == QS_NIL || k->c->current == i),
		    "a stream with units is in a tree unless it sends");
}

/* The one at that leaf. */
static inline void vcheck_member(struct vcheck *k, __u32 h, __u32 node)
{
	const qs_entry_t *e = &qs_nodes(k->c, h)[node];
	qs_stream_t *s = qs_stream(k->c, e->stream);

	vcheck_that(k, s->tree == h && s->leaf == node,
		    "a stream does not know its place");
	vcheck_that(k, s->packets && s->head != QS_NIL,
		    "an empty stream is in a tree");
	vcheck_that(k, e->key == qs_tree_key(k->c, h, e->stream),
		    "a tree's key is not the stream's");
}

static inline void vcheck_tree(struct vcheck *k, __u32 h)
{
	const qs_tree_t *t = &k->c->tree[h];
	qs_entry_t *tree = qs_nodes(k->c, h), *e;
	__u32 first = k->c->first_leaf, node, at, found = 0;

	if (!t->len)
		return;
	for (node = first; node < first + t->used && !k->wrong; node++) {
		e = &tree[node];
		if (e->key == QS_NOBODY)
			continue;
		found++;
		vcheck_member(k, h, node);
		for (at = node; at != t->top; at = QS_PARENT(at))
			vcheck_that(k,
				    !qs_tree_before(k->c, h, e->key, e->stream,
						    tree[QS_PARENT(at)].key,
						    tree[QS_PARENT(at)].stream),
				    "a tree's node is not the first");
	}
	vcheck_that(k, found == t->len, "a tree's streams");
}

static inline void vcheck_besteffort(struct vcheck *k)
{
	__u32 f, n = 0, packets, listed = 0, at;
	qs_flow_t *flow;

	if (k->c->be_alone != QS_NIL)
		n += vcheck_chain(k, k->c->be_alone, k->c->be_alone, NULL,
				  QS_NIL);
	if (k->c->be_control.first != QS_NIL)
		n += vcheck_chain(k, k->c->be_control.first,
				  k->c->be_control.last, NULL, QS_NIL);
	for (f = 0; f < QS_FLOWS; f++) {
		flow = qs_flow(k->c, f);
		listed += flow->listed;
		if (!flow->packets)
			continue;
		packets = vcheck_chain(k, flow->head, flow->tail, NULL, QS_NIL);
		vcheck_that(k, packets == flow->packets, "a flow's packets");
		vcheck_that(k, flow->listed, "a flow is in no list");
		n += packets;
	}
	for (at = k->c->be_new.first; at != QS_NIL && listed;
	     at = qs_flow(k->c, at)->next)
		listed--;
	vcheck_that(k, at == QS_NIL, "a list of flows is a ring");
	for (at = k->c->be_old.first; at != QS_NIL && listed;
	     at = qs_flow(k->c, at)->next)
		listed--;
	vcheck_that(k, at == QS_NIL, "a list of flows is a ring");
	vcheck_that(k, listed == 0, "the lists of flows");
	vcheck_that(k, n == k->c->be_packets, "be_packets");
}

static inline void vcheck_free_streams(struct vcheck *k)
{
	__u32 i, n = 0;

	for (i = k->c->free_stream; i != QS_NIL && n <= k->c->n_streams;
	     i = qs_stream(k->c, i)->next_free) {
		vcheck_that(k, !QS_LIFE_REFS(qs_stream(k->c, i)->life),
			    "a free stream has users");
		n++;
	}
	vcheck_that(k, n + k->c->attached == k->c->n_streams, "attached");
}

/* Each ring is a stream's or free. */
static inline void vcheck_rings(struct vcheck *k)
{
	__u32 i, n = 0;

	for (i = k->c->free_ring; i != QS_NIL && n <= k->c->n_rings;
	     i = qs_ring(k->c, i)->next_free)
		n++;
	for (i = 0; i < k->c->n_streams; i++)
		n += qs_stream(k->c, i)->ring != 0;
	vcheck_that(k, n == k->c->n_rings, "a ring is lost");
}

/* NULL, or what is wrong. */
static inline const char *vcheck(qs_core_t *c)
{
	struct vcheck k = { .c = c };
	__u32 i;

	k.seen = vclock_memory(NULL, c->n_slots, 1);
	memset(k.seen, 0, c->n_slots);
	if (c->free_slot != QS_NIL)
		vcheck_chain(&k, c->free_slot, QS_NIL, NULL, VCHECK_ANY);
	vcheck_that(&k, k.slots == c->free_slots, "free_slots");
	if (c->doomed != QS_NIL)
		vcheck_chain(&k, c->doomed, QS_NIL, NULL, VCHECK_ANY);
	vcheck_besteffort(&k);
	for (i = 0; i < c->n_streams; i++)
		vcheck_stream(&k, i);
	for (i = 0; i < QS_TREES; i++)
		vcheck_tree(&k, i);
	vcheck_rings(&k);
	vcheck_free_streams(&k);
	vcheck_that(&k, k.slots == c->n_slots, "a slot is lost");
	free(k.seen);
	return k.wrong;
}

#endif
