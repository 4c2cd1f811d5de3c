/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * A core's memory: where each table is in the block, and the few words that
 * differ between the kernel and elsewhere.
 */
#ifndef QS_COMMON_MEM_H
#define QS_COMMON_MEM_H

#include <qsockets/sched.h>

#if defined(__bpf__) && !defined(QS_BANDED)
#include "bpf/arena.bpf.h" /* qs_can_loop */
#else
#define qs_can_loop 1
#endif

/* Kept out of line, so that the verifier sees each once. */
#define QS_FN static __attribute__((noinline, unused))
/* Verified by itself, once for all callers: for what has loops. */
#if defined(__bpf__) && !defined(QS_BANDED)
#define QS_GLOBAL __attribute__((noinline))
#define QS_ARENA_ARG __attribute__((btf_decl_tag("arg:arena")))
#else
#define QS_GLOBAL QS_FN
#define QS_ARENA_ARG
#endif

/*
 * A number that the compiler knows nothing of: so it compares it where that is
 * written, and adds it to a pointer as it was compared.
 */
#define QS_OPAQUE(x) __asm__ volatile("" : "+r"(x))

/*
 * a where `cond` holds, else b: without a jump where that can be, for what no
 * processor can predict.
 */
#ifdef __bpf__
#define QS_SELECT(cond, a, b) ((cond) ? (a) : (b))
#else
#define QS_SELECT(cond, a, b)                   \
	({                                      \
		__u64 mask = -(__u64) !!(cond); \
		QS_OPAQUE(mask);                \
		(b) ^ (((a) ^ (b)) & mask);     \
	})
#endif

/* Will be needed soon. */
#ifdef __bpf__
#define QS_PREFETCH(p) ((void)(p))
#else
#define QS_PREFETCH(p) __builtin_prefetch(p)
#endif

/* Rounded down, of what is not 0. BPF has no instruction for it. */
QS_INLINE __u32 qs_log2(__u64 x)
{
#ifdef __bpf__
	__u32 e = 0, step;

	for (step = 32; step; step /= 2)
		if (x >> (e + step))
			e += step;
	return e;
#else
	return 63 - __builtin_clzll(x);
#endif
}

#define QS_READ(x) (*(const volatile __typeof__(x) *)&(x))

/*
 * Adds to a counter as a full barrier: BPF has no fence, but an atomic whose
 * result is used orders all that is before and after it.
 */
#define QS_ADD_ORDERED(p, n)                                \
	({                                                  \
		__u32 was = __sync_fetch_and_add(p, n);     \
		__asm__ volatile("" ::"r"(was) : "memory"); \
		was;                                        \
	})

#define QS_LOAD_ORDERED(p) __sync_val_compare_and_swap(p, 0, 0)

typedef struct qs_core QS_MEM qs_core_t;
typedef struct qs_stream QS_MEM qs_stream_t;
typedef struct qs_slot QS_MEM qs_slot_t;
typedef struct qs_flow QS_MEM qs_flow_t;
typedef struct qs_entry QS_MEM qs_entry_t;
typedef struct qs_ring QS_MEM qs_ring_t;
typedef struct qos_fate QS_MEM qs_fate_t;

#if defined(QS_BANDED) && defined(__bpf__)
#include "bpf/bands/state.bpf.h" /* qs_stream(), qs_ring() */
#else
QS_INLINE qs_slot_t *qs_slot(qs_core_t *c, __u32 i)
{
	return (qs_slot_t *)((char QS_MEM *)c + c->off_slots) + i;
}

QS_INLINE qs_stream_t *qs_stream(qs_core_t *c, __u32 i)
{
	return (qs_stream_t *)((char QS_MEM *)c + c->off_streams) + i;
}

QS_INLINE qs_flow_t *qs_flow(qs_core_t *c, __u32 i)
{
	return (qs_flow_t *)((char QS_MEM *)c + c->off_flows) + i;
}

QS_INLINE qs_ring_t *qs_ring(qs_core_t *c, __u32 i)
{
	return (qs_ring_t *)((char QS_MEM *)c + c->off_rings) + i;
}

QS_INLINE qs_entry_t *qs_nodes(qs_core_t *c, __u32 h)
{
	return (qs_entry_t *)((char QS_MEM *)c + c->off_trees) +
	       (__u64)h * c->n_nodes;
}

#endif

/* ---- setup */

#define QS_ALIGN(n) (((n) + 63) & ~63ull)

/* Of a tree's nodes: so that the four below one are 4 k to 4 k + 3. */
#define QS_ROOT 3u
#define QS_PARENT(node) ((node) / 4 + 2)
#define QS_RINGS_MAX 1024u /* sockets of a device that can ask for fates */

QS_INLINE void qs_trees_layout(qs_core_t *c, __u32 streams)
{
	__u64 leaves;

	c->first_leaf = QS_ROOT;
	for (leaves = 1; leaves < streams; leaves *= 4)
		c->first_leaf += leaves;
	c->n_nodes = (c->first_leaf + streams + 7) & ~3u;
}

/* Sets the tables' places from the sizes; returns the block's size in bytes. */
QS_INLINE __u64 qs_core_layout(qs_core_t *c, __u32 slots, __u32 streams)
{
	__u64 at = QS_ALIGN(sizeof(struct qs_core));

	c->n_slots = slots;
	c->kept_slots = slots / 8;
	c->n_streams = streams;
	c->off_slots = at;
	at = QS_ALIGN(at + (__u64)slots * sizeof(struct qs_slot));
	c->off_streams = at;
	at = QS_ALIGN(at + (__u64)streams * sizeof(struct qs_stream));
	c->off_flows = at;
	at = QS_ALIGN(at + QS_FLOWS * sizeof(struct qs_flow));
	c->off_trees = at;
	qs_trees_layout(c, streams);
	at = QS_ALIGN(at +
		      (__u64)QS_TREES * c->n_nodes * sizeof(struct qs_entry));
	c->off_rings = at;
	c->n_rings = streams < QS_RINGS_MAX ? streams : QS_RINGS_MAX;
	return QS_ALIGN(at + (__u64)c->n_rings * sizeof(struct qs_ring));
}

/* ---- free places: a stream's is given to one attachment, a ring's to a stream */

/*
 * The head of a list has the first place's index and, in the high half, how
 * often it was changed: so a place that was taken and came back meanwhile is
 * told from one that did not move.
 */
#define QS_FREE_HEAD(was, first) ((((was) >> 32) + 1) << 32 | (first))

/* Each failure of one is another's success: nobody fails as often. */
#define QS_FREE_TRIES 256

/* What the verifier cannot know to be 0 keeps it from counting a loop's turns. */
#ifdef QS_BANDED
#define QS_ZERO(c) 0 /* there it has to */
#else
#define QS_ZERO(c) ((c)->zero)
#endif

QS_INLINE int qs_free_change(__u64 QS_MEM *head, __u64 was, __u32 first)
{
	return __sync_val_compare_and_swap(head, was,
					   QS_FREE_HEAD(was, first)) == was;
}

QS_INLINE void qs_ring_free(qs_core_t *c, __u32 i)
{
	qs_ring_t *r = qs_ring(c, i);
	__u64 head;
	__u32 k;

	for (k = QS_ZERO(c); k < QS_FREE_TRIES && qs_can_loop; k++) {
		head = QS_READ(c->free_ring);
		r->next_free = head;
		if (qs_free_change(&c->free_ring, head, i))
			break;
	}
}

/* An empty ring, or QS_NIL. */
QS_INLINE __u32 qs_ring_alloc(qs_core_t *c)
{
	__u32 i = QS_NIL, k;
	qs_ring_t *r;
	__u64 head;

	for (k = QS_ZERO(c); k < QS_FREE_TRIES && qs_can_loop; k++) {
		head = QS_READ(c->free_ring);
		i = head;
		if (i == QS_NIL)
			return i;
		if (qs_free_change(&c->free_ring, head,
				   QS_READ(qs_ring(c, i)->next_free)))
			break;
	}
	if (k >= QS_FREE_TRIES)
		return QS_NIL;
	r = qs_ring(c, i);
	r->put = r->taken = 0;
	r->lost = r->lost_told = 0;
	for (k = QS_ZERO(c); k < QOS_FATES && qs_can_loop; k++)
		r->fate[k].kind = 0;
	return i;
}

QS_INLINE void qs_stream_free(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u64 head;
	__u32 k;

	if (s->ring)
		qs_ring_free(c, s->ring - 1);
	s->ring = 0;
	for (k = QS_ZERO(c); k < QS_FREE_TRIES && qs_can_loop; k++) {
		head = QS_READ(c->free_stream);
		s->next_free = head;
		if (qs_free_change(&c->free_stream, head, i))
			break;
	}
	__sync_fetch_and_add(&c->attached, -1);
}

QS_INLINE __u32 qs_stream_alloc(qs_core_t *c)
{
	__u64 head;
	__u32 i, k;

	for (k = QS_ZERO(c); k < QS_FREE_TRIES && qs_can_loop; k++) {
		head = QS_READ(c->free_stream);
		i = head;
		if (i == QS_NIL)
			return i;
		if (!qs_free_change(&c->free_stream, head,
				    QS_READ(qs_stream(c, i)->next_free)))
			continue;
		__sync_fetch_and_add(&c->attached, 1);
		return i;
	}
	return QS_NIL;
}

#ifndef QS_BANDED
/* ---- a closed socket's stream */

/*
 * The socket is closed, and a frame of it may be without its end. Called before
 * the socket's reference is given back: so the slot has no new tenant while
 * root, which takes the whole list, may still find it there. One that was
 * emptied meanwhile has a new one at times, who has a frame that is ended early
 * only if its socket is closed as well.
 */
QS_INLINE void qs_stream_closed(qs_core_t *c, __u32 i)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 first = QS_READ(c->closed), was, k;

	if (!QS_READ(s->packets) || __sync_lock_test_and_set(&s->closed, 1))
		return;
	for (k = QS_ZERO(c); k < QS_FREE_TRIES && qs_can_loop; k++) {
		s->next_closed = first;
		was = __sync_val_compare_and_swap(&c->closed, first, i);
		if (was == first)
			break;
		first = was;
	}
}

#endif /* QS_BANDED */

#endif
