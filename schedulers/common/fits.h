/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Would a unit that is sent now leave by its deadline? An estimate from what is
 * queued now, cautious where it does not know: "yes" is meant to hold if nobody
 * sends anything more, "no" may be wrong. What it takes for granted:
 *
 * - Streams go by the deadlines of their first units. That is dwcs; vds also
 *   asks what is owed, so there it is only about right.
 * - Of a stream with a period one unit is released in each. Units beyond the
 *   first 64 of a stream are as large as they are on average, and those of one
 *   without a period are due as early as these.
 * - A unit that may be dropped is sent by its deadline or not at all: after that
 *   it is in nobody's way. Of such units it is known to a sixteenth of the time
 *   when that is. All others are sent.
 * - What is before us may all still be there when our unit is released.
 * - Units before ours that have periods and must not be dropped are in time, or
 *   it says "no": each period that they take more moves ours.
 * - Best effort, if it has anything, gets its twentieth, in packets of one MTU
 *   of Ethernet.
 * - There is room in the queue; frames that are still being built do not count;
 *   and a unit is not sent ahead of its period.
 * - Without a rate nothing takes time, and only the release counts.
 *
 * It runs beside root without a lock: each word it reads is whole, but may be
 * of a stream or a packet that left meanwhile. So an index is read once and
 * checked, and no loop is longer than the trees or than a queue that was there.
 */
#ifndef QS_COMMON_FITS_H
#define QS_COMMON_FITS_H

#include "queue.h"
#include "time.h"

#define QS_FITS_LOOK 64 /* units of one stream that are looked at */
#define QS_FITS_PARTS 16 /* of the time until the deadline */

/* What goes before a unit that is due at `deadline`; bytes with the overhead. */
struct qs_ahead {
	__u64 release; /* of our unit */
	__u64 start; /* when the wire is free */
	__u64 deadline;
	__u64 own, others; /* what is sent in any case */
	__u64 maybe; /* what is sent by its deadline or not at all */
	__u64 waits; /* ours is not released yet */
	__u64 largest; /* unit of others that is due after it */
	__u64 part; /* of the time from start to deadline, ns */
	__u64 droppable[QS_FITS_PARTS]; /* gone by the part's end */
	/* of the stream that is looked at: kept here and not in registers, or the
	 * verifier would follow each turn with each of their values */
	__u32 stays, late;
};

/* A stream's whole queue, or so many of its packets. */
QS_INLINE __u64 qs_fits_bytes(qs_core_t *c, __u64 bytes, __u64 packets)
{
	return bytes + packets * c->overhead;
}

/* As qs_wire_time(), of more than a few GiB. */
QS_INLINE __u64 qs_fits_time(qs_core_t *c, __u64 bytes)
{
	return (bytes >> 30) * qs_wire_time(c, 1u << 30) +
	       qs_wire_time(c, bytes & ((1u << 30) - 1));
}

/* The bytes that the wire takes in that time, at most 20 s; rounded up. */
QS_INLINE __u64 qs_fits_sent(qs_core_t *c, __u64 time)
{
	return (time / QS_NSEC_PER_USEC + 1) * (c->rate / 8 + 1) / 1000000 + 1;
}

/* What is left of the unit that stream i is sending, bytes; 0: it is not. */
QS_GLOBAL __u64 qs_fits_rest(qs_core_t *c QS_ARENA_ARG, __u32 i)
{
	__u32 slot = QS_READ(c->current_slot);
	__u32 left = QS_READ(qs_stream(c, i)->packets);
	__u64 bytes = 0;

	while (left-- && slot < c->n_slots && qs_can_loop) {
		bytes += qs_fits_bytes(c, QS_READ(qs_slot(c, slot)->len), 1);
		slot = QS_READ(qs_slot(c, slot)->next);
	}
	return bytes;
}

/* When is the unit due, if its stream's period does not say? */
QS_INLINE __u64 qs_fits_deadline(const qs_stream_t *s, const qs_slot_t *head)
{
	__u64 own = QS_READ(head->deadline);
	__u64 last = QS_READ(head->arrival) + QS_TX_HORIZON_NS;

	if (!own && s->now.ipg)
		return 0;
	return own && own < last ? own : last;
}

QS_INLINE __u64 qs_fits_unit(qs_core_t *c, const qs_slot_t *head)
{
	return qs_fits_bytes(c, QS_READ(head->unit_bytes),
			     QS_READ(head->unit_packets));
}

/* Will the unit be gone by its deadline? */
QS_INLINE int qs_fits_droppable(const qs_stream_t *s, const qs_slot_t *head)
{
	return qs_unit_droppable(s, QS_READ(head->flags)) &&
	       !QS_READ(head->late);
}

/* A unit that is sent by `deadline` or not at all. */
QS_INLINE void qs_fits_until(struct qs_ahead *ahead, __u64 bytes,
			     __u64 deadline)
{
	__u64 part;

	if (deadline <= ahead->start)
		return;
	part = (deadline - ahead->start) / ahead->part;
	if (part >= QS_FITS_PARTS)
		part = QS_FITS_PARTS - 1;
	ahead->droppable[part] += bytes;
	ahead->maybe += bytes;
}

/* Of `units` that are released one a period from `from`, how many by `until`? */
QS_INLINE __u64 qs_fits_due(__u64 units, __u64 from, __u64 period, __u64 until)
{
	__u64 due;

	if (from > until)
		return 0;
	due = period ? 1 + (until - from) / period : units;
	return due < units ? due : units;
}

/*
 * The units of another stream that go before; `rest` is being sent of one. What
 * is behind a unit that is due later waits with it, unless that is sent before
 * ours is released. A unit is released between `from` and `by`; the latter holds
 * up to the first that is not dropped. Who may use idle time may be released at
 * any time.
 */
QS_GLOBAL int qs_fits_stream(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 rest,
			     struct qs_ahead *a)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 at = QS_READ(s->head), units = QS_READ(s->units), n = c->zero;
	__u64 from, by, own, size, bytes, period = qs_period(s);
	__u64 step = s->now.flags & QS_STREAM_WORK_CONSERVING ? 0 : period;
	const qs_slot_t *head;

	if (!a)
		return 0;
	a->stays = a->late = 0;
	bytes = qs_fits_bytes(c, QS_READ(s->bytes), QS_READ(s->packets));
	bytes = bytes > rest ? bytes - rest : 0;
	from = step ? QS_READ(s->release) + (rest ? step : 0) : 0;
	by = QS_READ(s->release) + (rest ? period : 0);
	for (; n < units && n < QS_FITS_LOOK && at < c->n_slots && qs_can_loop;
	     n++) {
		head = qs_slot(c, at);
		size = qs_fits_unit(c, head);
		own = qs_fits_deadline(s, head);
		a->late = (a->late && !a->waits) || from > a->deadline ||
			  (own ? own : from + period) > a->deadline;
		a->stays |= !qs_fits_droppable(s, head);
		if (by < QS_READ(head->arrival))
			by = QS_READ(head->arrival);
		by += period;
		if (a->late)
			a->largest = size > a->largest ? size : a->largest;
		else if (a->stays)
			a->others += size;
		else
			qs_fits_until(a, size, own ? own : by);
		bytes = bytes > size ? bytes - size : 0;
		from += step;
		at = QS_READ(head->unit_next);
	}
	if ((!a->late || a->waits) && n < units)
		a->others += bytes / (units - n) *
			     qs_fits_due(units - n, from, step, a->deadline);
	return 0;
}

/* All other streams than i. */
QS_GLOBAL int qs_fits_others(qs_core_t *c QS_ARENA_ARG, __u32 i,
			     struct qs_ahead *ahead)
{
	__u32 h, pos, n, j;
	qs_entry_t *e;

	for (h = c->zero; h < QS_TREES && qs_can_loop; h++) {
		n = QS_READ(c->tree[h].len) ? QS_READ(c->tree[h].used) : 0;
		if (n > c->n_streams)
			n = c->n_streams;
		for (pos = c->zero; pos < n && qs_can_loop; pos++) {
			e = &qs_nodes(c, h)[c->first_leaf + pos];
			j = QS_READ(e->stream);
			if (QS_READ(e->key) != QS_NOBODY && j < c->n_streams &&
			    j != i)
				qs_fits_stream(c, j, 0, ahead);
		}
	}
	return 0;
}

/* When is the first unit of s released, or one that would be the first? */
QS_INLINE __u64 qs_fits_release(const qs_stream_t *s, int sending)
{
	if (QS_READ(s->gen_seen) != QS_LIFE_GEN(QS_READ(s->life)))
		return 0;
	if (sending)
		return QS_READ(s->release) + qs_period(s);
	if (QS_READ(s->head) != QS_NIL)
		return QS_READ(s->release);
	return QS_READ(s->period_next);
}

/*
 * The stream's own units that go before one that is due at `deadline`, of TCP
 * all; returns how many. With a period, one that may be dropped is gone when ours
 * is released. Without, one that has no deadline holds ours back for all that is
 * due before it, and so does one of TCP that is due later.
 */
QS_GLOBAL __u32 qs_fits_own(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 deadline,
			    __u64 now, struct qs_ahead *ahead)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 left = QS_READ(s->units), at = QS_READ(s->head), n = 0;
	__u64 period = QS_READ(s->attr.ipg) * QS_NSEC_PER_USEC, size, own;
	qs_slot_t *p;

	while (ahead && left-- && at < c->n_slots && qs_can_loop) {
		p = qs_slot(c, at);
		own = QS_READ(p->deadline);
		if (own > deadline && !(QS_READ(p->flags) & QS_CBF_RELIABLE))
			break;
		size = qs_fits_unit(c, p);
		if (!qs_fits_droppable(s, p))
			ahead->own += size;
		else if (own)
			qs_fits_until(ahead, size, qs_fits_deadline(s, p));
		else if (!s->now.ipg)
			ahead->own += size;
		if (own > deadline || (!own && !s->now.ipg))
			ahead->deadline = now + QS_TX_HORIZON_NS;
		if (ahead->release < QS_READ(p->arrival))
			ahead->release = QS_READ(p->arrival);
		ahead->release += period;
		n++;
		at = QS_READ(p->unit_next);
	}
	return n;
}

/* Best effort's bytes after streams sent so many: none before a packet's worth. */
QS_INLINE __u64 qs_fits_besteffort(qs_core_t *c, __u64 bytes)
{
	__u64 packets = QS_READ(c->be_packets), share, least;
	__s64 owed = (__s64)bytes + QS_READ(c->be_owed);

	if (!packets || owed < QS_FLOW_QUANTUM * (QS_BESTEFFORT_SHARE - 1))
		return 0;
	share = (__u64)owed / (QS_BESTEFFORT_SHARE - 1);
	least = share / 64 + 1; /* no packet is shorter */
	return qs_fits_bytes(c, share, packets < least ? packets : least);
}

/*
 * When is all that goes before done, but for best effort? Whatever the order:
 * at the end of each part of the time only what must be sent may be left, and
 * what may be sent later than that.
 */
QS_GLOBAL __u64 qs_fits_done(qs_core_t *c QS_ARENA_ARG, __u64 rest,
			     struct qs_ahead *a)
{
	__u64 bytes, from, done, at;
	__u32 k;

	if (!a)
		return 0;
	bytes = a->others + a->maybe;
	from = a->start + qs_fits_time(c, rest + a->own);
	done = (from > a->release ? from : a->release) + qs_fits_time(c, bytes);
	from = a->start + qs_fits_time(c, rest);
	if (a->release > from)
		from = a->release;
	bytes += a->own;
	for (k = c->zero; k < QS_FITS_PARTS && qs_can_loop; k++) {
		at = a->start + (k + 1) * a->part;
		/* or the compiler counts in bytes, without a bound */
		__asm__ volatile("" : "+r"(k));
		bytes -= a->droppable[k % QS_FITS_PARTS];
		at = (at > from ? at : from) + qs_fits_time(c, bytes);
		if (at < done)
			done = at;
	}
	return done;
}

/*
 * May one of n own units, which are sent in any case, be late, so that ours is
 * released later? The first has all that is before it, and so have others that
 * wait for their release.
 */
QS_INLINE int qs_fits_moved(qs_core_t *c, const qs_stream_t *s, __u32 n,
			    __u64 rest, const struct qs_ahead *a)
{
	__u64 bytes = a->own + a->others + a->maybe, took;
	__u64 period = qs_period(s), from = QS_READ(s->release);
	__u64 by = from + period;

	if (!period || !n || !a->own)
		return 0;
	bytes += a->largest + qs_fits_besteffort(c, bytes + rest);
	took = qs_fits_time(c, bytes + rest);
	if (from < a->start)
		from = a->start;
	return from + took > by || (n > 1 && took > period);
}

/* What was begun just before a unit is released is sent first. */
QS_INLINE void qs_fits_begun(qs_core_t *c, struct qs_ahead *a)
{
	if (QS_READ(c->be_packets) && a->largest < QS_FLOW_QUANTUM)
		a->largest = QS_FLOW_QUANTUM;
}

/*
 * When would the last bit of a unit of stream i, of `bytes` on the wire, leave
 * if it were sent now with this deadline? ~0: later.
 */
QS_GLOBAL __u64 qs_fits_end(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 bytes,
			    __u64 deadline, __u64 now)
{
	struct qs_ahead a = { .start = QS_READ(c->free_at) };
	__u64 done, sent, rest = 0;
	__u32 current = QS_READ(c->current), n;
	qs_stream_t *s = qs_stream(c, i);

	if (a.start < now)
		a.start = now;
	a.deadline = now + QS_TX_HORIZON_NS;
	if (deadline < a.deadline)
		a.deadline = deadline;
	if (a.deadline <= a.start)
		return ~0ull;
	a.part = (a.deadline - a.start) / QS_FITS_PARTS + 1;
	if (current < c->n_streams)
		rest = qs_fits_rest(c, current);
	if (QS_READ(s->attr.ipg))
		a.release = qs_fits_release(s, current == i);
	n = qs_fits_own(c, i, deadline, now, &a);
	a.waits = a.release > a.start;
	qs_fits_others(c, i, &a);
	if (rest && current != i)
		qs_fits_stream(c, current, rest, &a);
	qs_fits_begun(c, &a);
	if (qs_fits_moved(c, s, n, rest, &a))
		return ~0ull;
	if (a.waits) /* until then others may begin */
		a.release += qs_fits_time(c, a.largest);
	done = qs_fits_done(c, rest, &a);
	if (done > deadline || done > now + QS_TX_HORIZON_NS)
		return ~0ull;
	sent = qs_fits_sent(c, done - a.start);
	if (!a.waits && sent > a.own + a.others + a.maybe + rest)
		sent = a.own + a.others + a.maybe + rest;
	bytes += qs_fits_besteffort(c, sent);
	return done + qs_fits_time(c, bytes);
}

/* 1 or 0. The core is the device's, the stream the caller's. */
QS_GLOBAL int qs_fits(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 bytes,
		      __u64 deadline, __u64 now)
{
	__u64 end = qs_fits_end(c, i, bytes, deadline, now);

	return end <= deadline && end <= now + QS_TX_HORIZON_NS;
}

#endif
