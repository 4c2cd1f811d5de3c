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
 * - Nothing is dropped, not even what will be late: where streams that are too
 *   many drop units all the time, "no" is often wrong. What is before us may all still
 *   be there when our unit is released.
 * - Best effort, if it has anything, gets its twentieth, in packets of one MTU
 *   of Ethernet.
 * - There is room in the queue; frames that are still being built do not count;
 *   and a unit is not sent ahead of its period.
 * - Without a rate nothing takes time, and only the release counts.
 *
 * It runs beside root without a lock: each word it reads is whole, but may be
 * of a stream or a packet that left meanwhile. So an index is read once and
 * checked, and no loop is longer than the heaps or than a queue that was there.
 */
#ifndef QS_COMMON_FITS_H
#define QS_COMMON_FITS_H

#include "time.h"

#define QS_FITS_LOOK 64 /* units of one stream that are looked at */

/* What goes before a unit that is due at `deadline`. */
struct qs_ahead {
	__u64 deadline;
	__u64 bytes; /* with the overhead */
	__u64 largest; /* of the first units that are due after it, bytes */
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

/* How many units of s, of which one is released each period, are due in time? */
QS_INLINE __u64 qs_fits_due(const qs_stream_t *s, const qs_slot_t *head,
			    int sending, __u64 until)
{
	__u64 own = QS_READ(head->deadline), period = qs_period(s), first;

	if (!period)
		return ~0ull;
	first = QS_READ(s->release) + (sending ? period : 0);
	if (!own)
		first += period;
	if (first > until)
		return own && own <= until ? 1 : 0;
	return 1 + (until - first) / period;
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

/*
 * The units of another stream that go before; `rest` is being sent of one. What
 * is behind a unit that is due later waits with it.
 */
QS_GLOBAL int qs_fits_stream(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 rest,
			     struct qs_ahead *ahead)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 at = QS_READ(s->head), units = QS_READ(s->units), n = 0;
	__u64 bytes, first, due, looked = 0;

	bytes = qs_fits_bytes(c, QS_READ(s->bytes), QS_READ(s->packets));
	bytes = bytes > rest ? bytes - rest : 0;
	if (!ahead || at >= c->n_slots)
		return 0;
	first = qs_fits_unit(c, qs_slot(c, at));
	due = qs_fits_due(s, qs_slot(c, at), rest != 0, ahead->deadline);
	due = due < units ? due : units;
	while (n < due && n < QS_FITS_LOOK && at < c->n_slots && qs_can_loop) {
		if (qs_fits_deadline(s, qs_slot(c, at)) > ahead->deadline)
			due = n;
		else
			looked += qs_fits_unit(c, qs_slot(c, at));
		at = QS_READ(qs_slot(c, at)->unit_next);
		n++;
	}
	ahead->bytes += looked;
	if (due > n && bytes > looked)
		ahead->bytes += (bytes - looked) / (units - n) * (due - n);
	if (!due && first > ahead->largest)
		ahead->largest = first;
	return 0;
}

/* All other streams than i. */
QS_GLOBAL int qs_fits_others(qs_core_t *c QS_ARENA_ARG, __u32 i,
			     struct qs_ahead *ahead)
{
	__u32 h, pos, n, j;

	for (h = c->zero; h < QS_HEAPS && qs_can_loop; h++) {
		n = QS_READ(c->heap_len[h]);
		if (n > c->n_streams)
			n = c->n_streams;
		for (pos = c->zero; pos < n && qs_can_loop; pos++) {
			j = QS_READ(qs_heap(c, h)[pos].stream);
			if (j < c->n_streams && j != i)
				qs_fits_stream(c, j, 0, ahead);
		}
	}
	return 0;
}

/* The stream's own units that go before, of TCP all; returns how many. */
QS_GLOBAL __u32 qs_fits_own(qs_core_t *c QS_ARENA_ARG, __u32 i,
			    struct qs_ahead *ahead)
{
	qs_stream_t *s = qs_stream(c, i);
	__u32 left = QS_READ(s->units), at = QS_READ(s->head), n = 0;
	qs_slot_t *p;

	while (ahead && left-- && at < c->n_slots && qs_can_loop) {
		p = qs_slot(c, at);
		if (QS_READ(p->deadline) > ahead->deadline &&
		    !(QS_READ(p->flags) & QS_CBF_RELIABLE))
			break;
		ahead->bytes += qs_fits_unit(c, p);
		n++;
		at = QS_READ(p->unit_next);
	}
	return n;
}

/* When is a unit of s released that has n others of its before it? */
QS_INLINE __u64 qs_fits_release(const qs_stream_t *s, __u32 n, int sending,
				__u64 now)
{
	__u64 period = QS_READ(s->attr.ipg) * QS_NSEC_PER_USEC;
	__u64 release;

	if (!period || QS_READ(s->gen_seen) != QS_LIFE_GEN(QS_READ(s->life)))
		return now;
	if (sending)
		release = QS_READ(s->release) + period;
	else if (QS_READ(s->head) != QS_NIL)
		release = QS_READ(s->release);
	else
		release = QS_READ(s->period_next);
	release += n * period;
	return release > now ? release : now;
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
 * When would the last bit of a unit of stream i, of `bytes` on the wire, leave
 * if it were sent now with this deadline?
 */
QS_GLOBAL __u64 qs_fits_end(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 bytes,
			    __u64 deadline, __u64 now)
{
	__u64 start = QS_READ(c->free_at), release, wait, rest = 0;
	struct qs_ahead own = { .deadline = deadline };
	struct qs_ahead others = { .deadline = deadline };
	__u32 current = QS_READ(c->current), n;

	if (deadline > now + QS_TX_HORIZON_NS)
		others.deadline = now + QS_TX_HORIZON_NS;
	if (current < c->n_streams)
		rest = qs_fits_rest(c, current);
	n = qs_fits_own(c, i, &own);
	release = qs_fits_release(qs_stream(c, i), n, current == i, now);
	qs_fits_others(c, i, &others);
	if (rest && current != i)
		qs_fits_stream(c, current, rest, &others);
	bytes += others.bytes;
	bytes += qs_fits_besteffort(c, others.bytes + own.bytes + rest);
	if (start < now)
		start = now;
	if (release > start) { /* until then others may begin */
		if (QS_READ(c->be_packets) && others.largest < QS_FLOW_QUANTUM)
			others.largest = QS_FLOW_QUANTUM;
		release += qs_fits_time(c, others.largest);
	}
	wait = start + qs_fits_time(c, own.bytes + rest);
	return (wait > release ? wait : release) + qs_fits_time(c, bytes);
}

/* 1 or 0. The core is the device's, the stream the caller's. */
QS_GLOBAL int qs_fits(qs_core_t *c QS_ARENA_ARG, __u32 i, __u64 bytes,
		      __u64 deadline, __u64 now)
{
	__u64 end = qs_fits_end(c, i, bytes, deadline, now);

	return end <= deadline && end <= now + QS_TX_HORIZON_NS;
}

#endif
