/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A core under a virtual clock: it runs in allocated memory, time goes from
 * one event to the next, and what became of each packet is written down.
 *
 *	#include "schedulers/dwcs/core.h"
 *	#include "vclock.h"
 *
 *	vclock_init(&v, 8000000, 64, 4);
 *	i = vclock_attach(&v, 1, 2, 1000, 0);
 *	id = vclock_send(&v, i, 1000);
 *	vclock_run(&v, 5 * MS);
 *	... v.packets[id].fate, v.packets[id].left, v.out[] ...
 *	vclock_fini(&v);
 *
 * vclock_attach(), vclock_change() and vclock_detach() do what the manager
 * does; vclock_put() and vclock_step() are the qdisc's enqueue and dequeue. A
 * packet that comes at T is there before what is sent at T is chosen.
 */
#ifndef QS_TESTS_VCLOCK_H
#define QS_TESTS_VCLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qsockets/sched.h>

#define US 1000ull
#define MS 1000000ull
#define SEC 1000000000ull

enum vfate {
	V_QUEUED,
	V_SENT,
	V_DROPPED, /* after it was queued */
	V_REFUSED, /* no room */
	V_REFUSED_FRAME, /* a part of its frame was lost */
	V_FLUSHED, /* by a reset */
};

/* One packet; its id is its place in vclock.packets. */
struct vpacket {
	struct qs_packet p;
	enum vfate fate;
	__u64 put, left; /* when it came, and when its sending began */
};

struct vclock {
	qs_core_t *core;
	__u64 now;
	__u64 lag; /* timers are late by up to so much */
	__u64 random;
	struct vpacket *packets;
	__u32 n, room;
	__u32 *out; /* ids as they were sent or dropped */
	__u32 n_out, out_room;
	__u32 *by_slot; /* ids of queued packets */
	__u32 gen; /* the last attachment */
	__u32 given_back; /* streams that the queue gave back */
};

static inline void *vclock_memory(void *old, size_t n, size_t size)
{
	void *p = realloc(old, n * size);

	if (!p) {
		perror("vclock");
		abort();
	}
	return p;
}

/* xorshift64*: the same numbers everywhere. */
static inline __u64 vclock_random(struct vclock *v)
{
	v->random ^= v->random >> 12;
	v->random ^= v->random << 25;
	v->random ^= v->random >> 27;
	return v->random * 0x2545f4914f6cdd1dull >> 16;
}

/* A number from `from` to `to`, both included. */
static inline __u64 vclock_between(struct vclock *v, __u64 from, __u64 to)
{
	return from + vclock_random(v) % (to - from + 1);
}

/* ---- setup */

/* rate in bit/s, 0: not shaped. One stream may fill the whole queue. */
static inline void vclock_init(struct vclock *v, __u64 rate, __u32 slots,
			       __u32 streams)
{
	struct qs_core layout = { 0 };
	__u64 size = qs_core_layout(&layout, slots, streams);

	memset(v, 0, sizeof(*v));
	v->now = SEC;
	v->random = 88172645463325252ull;
	v->gen = 1u << 16;
	v->core = vclock_memory(NULL, size, 1);
	memset(v->core, 0, size);
	qs_core_layout(v->core, slots, streams);
	v->core->rate = rate;
	v->core->stream_limit = slots;
	v->by_slot = vclock_memory(NULL, slots, sizeof(*v->by_slot));
	qs_core_init(v->core, v->gen);
}

static inline void vclock_fini(struct vclock *v)
{
	free(v->core);
	free(v->by_slot);
	free(v->packets);
	free(v->out);
	memset(v, 0, sizeof(*v));
}

/* ---- what the manager does */

static inline void vclock_change(struct vclock *v, __u32 i, __u32 oln,
				 __u32 old, __u32 ipg, __u32 flags)
{
	qs_stream_t *s = qs_stream(v->core, i);

	s->attr_seq++;
	s->attr.oln = oln;
	s->attr.old = old;
	s->attr.ipg = ipg;
	s->attr.flags = flags;
	s->attr_seq++;
}

/* ipg in us. Returns the stream's index, QS_NIL when all are taken. */
static inline __u32 vclock_attach(struct vclock *v, __u32 oln, __u32 old,
				  __u32 ipg, __u32 flags)
{
	__u32 i = qs_stream_alloc(v->core);

	if (i == QS_NIL)
		return i;
	vclock_change(v, i, oln, old, ipg, flags);
	qs_stream(v->core, i)->life = QS_LIFE(++v->gen, 1);
	return i;
}

static inline __u32 vclock_gen(struct vclock *v, __u32 i)
{
	return QS_LIFE_GEN(qs_stream(v->core, i)->life);
}

static inline void vclock_detach(struct vclock *v, __u32 i)
{
	if (!QS_LIFE_REFS(--qs_stream(v->core, i)->life))
		qs_stream_free(v->core, i);
}

/* ---- what the qdisc does */

static inline void vclock_give_back(struct vclock *v)
{
	__u32 i;

	while (v->core->released != QS_NIL) {
		i = v->core->released;
		v->core->released = qs_stream(v->core, i)->next_free;
		qs_stream_free(v->core, i);
		v->given_back++;
	}
}

static inline void vclock_left(struct vclock *v, __u32 slot, enum vfate fate)
{
	__u32 id = v->by_slot[slot];

	v->packets[id].fate = fate;
	v->packets[id].left = v->now;
	if (v->n_out == v->out_room) {
		v->out_room = v->out_room ? 2 * v->out_room : 256;
		v->out = vclock_memory(v->out, v->out_room, sizeof(*v->out));
	}
	v->out[v->n_out++] = id;
}

/* What enqueue gave up is freed at once. */
static inline void vclock_drop_doomed(struct vclock *v)
{
	while (v->core->doomed != QS_NIL)
		vclock_left(v, QS_DEQ_SLOT(qs_drop_doomed(v->core)), V_DROPPED);
}

/* A packet that comes now. Returns its id. */
static inline __u32 vclock_note(struct vclock *v, const struct qs_packet *p)
{
	struct vpacket *packet;

	if (v->n == v->room) {
		v->room = v->room ? 2 * v->room : 256;
		v->packets =
			vclock_memory(v->packets, v->room, sizeof(*v->packets));
	}
	packet = &v->packets[v->n];
	packet->p = *p;
	packet->put = v->now;
	packet->left = 0;
	packet->fate = V_QUEUED;
	return v->n++;
}

/* Enqueues p now. Returns the packet's id. */
static inline __u32 vclock_put(struct vclock *v, const struct qs_packet *p)
{
	__u32 id = vclock_note(v, p);
	int slot;

	slot = qs_enqueue(v->core, p, v->now);
	vclock_drop_doomed(v);
	if (slot == QS_REFUSED_RETRY)
		slot = qs_enqueue(v->core, p, v->now);
	vclock_give_back(v);
	if (slot >= 0)
		v->by_slot[slot] = id;
	else
		v->packets[id].fate = slot == QS_REFUSED_FULL ? V_REFUSED :
								V_REFUSED_FRAME;
	return id;
}

/* A message of one packet, with its own deadline (0: none) and flags. */
static inline __u32 vclock_send_with(struct vclock *v, __u32 i, __u32 len,
				     __u64 deadline, __u32 flags)
{
	struct qs_packet p = { .deadline = deadline,
			       .len = len,
			       .stream = i,
			       .gen = vclock_gen(v, i),
			       .flags = flags };

	return vclock_put(v, &p);
}

static inline __u32 vclock_send(struct vclock *v, __u32 i, __u32 len)
{
	return vclock_send_with(v, i, len, 0, 0);
}

static inline __u32 vclock_besteffort(struct vclock *v, __u32 hash, __u32 len,
				      __u32 flags)
{
	struct qs_packet p = {
		.len = len, .stream = QS_NIL, .flags = flags, .hash = hash
	};

	return vclock_put(v, &p);
}

/* One dequeue, now. Returns QS_DEQ_EMPTY, _WAIT, _SEND or _DROP. */
static inline __u64 vclock_step(struct vclock *v)
{
	__u64 answer = qs_dequeue(v->core, v->now);
	__u64 op = QS_DEQ_OP(answer);

	vclock_give_back(v);
	if (op == QS_DEQ_SEND)
		vclock_left(v, QS_DEQ_SLOT(answer), V_SENT);
	else if (op == QS_DEQ_DROP)
		vclock_left(v, QS_DEQ_SLOT(answer), V_DROPPED);
	return op;
}

static inline void vclock_sleep(struct vclock *v)
{
	v->now = v->core->wake + (v->lag ? vclock_between(v, 0, v->lag) : 0);
}

/* Sends what can be sent before `until`, which then is now. */
static inline void vclock_run(struct vclock *v, __u64 until)
{
	__u64 op;

	while (v->now < until) {
		op = vclock_step(v);
		if (op == QS_DEQ_EMPTY)
			break;
		if (op == QS_DEQ_WAIT)
			vclock_sleep(v);
	}
	v->now = until;
}

/* Sends all there is. */
static inline void vclock_drain(struct vclock *v)
{
	__u64 op;

	while ((op = vclock_step(v)) != QS_DEQ_EMPTY)
		if (op == QS_DEQ_WAIT)
			vclock_sleep(v);
}

/* All packets are freed, as when the qdisc goes. */
static inline void vclock_reset(struct vclock *v)
{
	__u32 id;

	for (id = 0; id < v->n; id++)
		if (v->packets[id].fate == V_QUEUED)
			v->packets[id].fate = V_FLUSHED;
	qs_core_reset(v->core);
	vclock_give_back(v);
}

/* Forgets the packets that are no longer queued, when none is. */
static inline void vclock_forget(struct vclock *v)
{
	v->n = 0;
	v->n_out = 0;
}

/* ---- what was written down */

/* The k-th packet that was sent, counted from 0; NULL when there is none. */
static inline struct vpacket *vclock_sent(struct vclock *v, __u32 k)
{
	__u32 at;

	for (at = 0; at < v->n_out; at++)
		if (v->packets[v->out[at]].fate == V_SENT && !k--)
			return &v->packets[v->out[at]];
	return NULL;
}

static inline __u32 vclock_count(struct vclock *v, enum vfate fate)
{
	__u32 id, count = 0;

	for (id = 0; id < v->n; id++)
		count += v->packets[id].fate == fate;
	return count;
}

/* Bytes sent of stream i; QS_NIL: of best effort. */
static inline __u64 vclock_bytes(struct vclock *v, __u32 i)
{
	__u64 bytes = 0;
	__u32 id;

	for (id = 0; id < v->n; id++)
		if (v->packets[id].fate == V_SENT &&
		    v->packets[id].p.stream == i)
			bytes += v->packets[id].p.len;
	return bytes;
}

#endif
