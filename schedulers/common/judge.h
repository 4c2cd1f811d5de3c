/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What becomes of a packet as it comes: by its stream's rules, which are the
 * core's, it is given up, or gets a band. All of it is done under the stream's
 * lock, where older kernels allow no call: so all is inlined, and what has to be
 * told is told afterwards.
 *
 * Bands by ranks: Alcoz, Dietmueller, Vanbever, "SP-PIFO: Approximating
 * Push-In First-Out Behaviors using Strict-Priority Queues", NSDI 2020. A
 * band's bound is the rank of the last packet that it took. From the lowest
 * band up, the first one whose bound is not above the packet's rank takes it; if
 * none does, all bounds come down by as much as the highest one was wrong.
 */
#ifndef QS_COMMON_JUDGE_H
#define QS_COMMON_JUDGE_H

#include <qsockets/bands.h>

#include "rules.h"

#define STREAM_BANDS (QS_HTB_BANDS - 1)

struct verdict {
	__u32 fate; /* QOS_FATE_DROPPED_*, 0: it goes */
	__u32 band;
	__u32 flags; /* QS_CBF_* for departure */
	__u32 first; /* it begins its unit */
	__u64 deadline; /* 0: none */
	__u64 violations; /* how many there were before */
};

/* ---- ranks and bands */

/* The band of a rank, without taking it. */
QS_INLINE __u32 band_find(const struct qs_bands *b, __u64 rank)
{
	__u32 k, band = 0;

	for (k = 0; k < STREAM_BANDS; k++)
		if (QS_READ(b->bound[k]) <= rank)
			band = k;
	return band;
}

QS_INLINE void band_take(struct qs_bands *b, __u32 band, __u64 rank)
{
	__u64 wrong = QS_READ(b->bound[0]) - rank;
	__u32 k;

	for (k = 0; k < STREAM_BANDS; k++) {
		if (band)
			b->bound[k] = k == band ? rank : QS_READ(b->bound[k]);
		else if ((__s64)wrong > 0)
			b->bound[k] = QS_READ(b->bound[k]) - wrong;
	}
	if (!band)
		b->bound[0] = rank;
}

/* Nothing is queued: a bound of then says nothing about now. */
QS_INLINE void bands_renew(struct qs_bands *b, __u64 now)
{
	__u32 k;

	for (k = 0; k < STREAM_BANDS; k++)
		b->bound[k] = 0;
	b->moved_at = now;
}

/* Before a packet is judged: is what was counted still true? */
QS_INLINE void bands_check(struct qs_bands *b, __u64 now)
{
	if (QS_READ(b->packets) <= 0) {
		bands_renew(b, now);
	} else if (now > QS_READ(b->moved_at) + QS_BANDS_STUCK_NS) {
		b->blind = 1;
		qs_bands_forget(b);
	}
}

/* What leaves before a packet of that band. */
QS_INLINE __u64 bytes_ahead(const struct qs_bands *b, __u32 band)
{
	__s64 sum = 0, bytes;
	__u32 k;

	for (k = 0; k < STREAM_BANDS; k++) {
		bytes = QS_READ(b->bytes[k]);
		if (k <= band && bytes > 0)
			sum += bytes;
	}
	return sum;
}

/* ---- a unit's first packet */

/* It is given up, and so is what else there is of its unit. */
QS_INLINE void give_up(struct qs_banded *t, struct verdict *v, __u32 fate,
		       int ends)
{
	v->fate = fate;
	t->s.broken = !ends;
	t->inside = 0;
}

/* Is it so far ahead of its periods that it goes as best effort, or not at all? */
QS_INLINE int too_early(const struct qs_stream *s, __u64 now)
{
	return s->now.ipg && s->release > now + QS_BANDS_AHEAD * qs_period(s);
}

QS_INLINE void overrate(struct qs_bands *b, struct qs_banded *t,
			struct verdict *v, int ends)
{
	struct qs_stream *s = &t->s;

	if (qs_unit_droppable(s, t->unit.flags) &&
	    !(s->now.flags & QS_STREAM_WORK_CONSERVING)) {
		s->dropped_overflow++;
		__sync_fetch_and_add(&b->core.dropped_overflow, 1);
		give_up(t, v, QOS_FATE_DROPPED_OVERFLOW, ends);
		return;
	}
	t->band = QS_BAND_BESTEFFORT;
	t->demoted_at = t->unit.arrival;
}

/* Is it right behind packets that went as best effort? Not for ever. */
QS_INLINE int follows_demoted(struct qs_banded *t, __u64 now)
{
	if (QS_READ(t->demoted) <= 0)
		return 0;
	if (now < t->demoted_at + QS_BANDS_STUCK_NS)
		return 1;
	t->demoted = 0;
	return 0;
}

/* In time or late, by what is before it; dropped if it must not be late. */
QS_INLINE void timed(struct qs_bands *b, struct qs_banded *t,
		     const struct qs_packet *p, __u64 now, struct verdict *v,
		     int ends)
{
	struct qs_stream *s = &t->s;
	__u64 rank = sched_rank(s);
	__u32 band = band_find(b, rank);
	__u64 end;

	end = now + qs_wire_time(&b->core, bytes_ahead(b, band) + p->len +
						   b->core.overhead);
	if (end <= s->deadline) {
		sched_sent(s);
	} else if (qs_unit_miss(s, &t->unit, end)) {
		s->dropped_late++;
		__sync_fetch_and_add(&b->core.dropped_late, 1);
		qs_period_over(s);
		give_up(t, v, QOS_FATE_DROPPED_LATE, ends);
		return;
	} else {
		t->unit.late = 1;
		rank = sched_rank(s);
		band = band_find(b, rank);
	}
	band_take(b, band, rank);
	qs_period_over(s);
	t->band = band;
}

/*
 * A stream's packets stay in order while some are queued, unless they have
 * deadlines of their own: none gets a higher band than the one before it. What
 * went as best effort is not waited for, but by TCP, which takes it for lost.
 */
QS_INLINE void keep_order(struct qs_banded *t, const struct qs_packet *p,
			  __u32 last)
{
	int reliable = p->flags & QS_CBF_RELIABLE;

	if (reliable && follows_demoted(t, t->unit.arrival)) {
		t->band = QS_BAND_BESTEFFORT;
		return;
	}
	if (last == QS_BAND_BESTEFFORT || last <= t->band ||
	    (p->deadline && !reliable) || (__s32)QS_READ(t->s.packets) <= 0)
		return;
	t->band = last;
}

QS_INLINE void unit_begin(struct qs_bands *b, struct qs_banded *t,
			  const struct qs_packet *p, __u64 now,
			  struct verdict *v, int ends)
{
	struct qs_stream *s = &t->s;
	__u32 last = t->band;

	t->unit.arrival = now;
	t->unit.deadline = p->deadline;
	t->unit.flags = p->flags | (s->framed & QS_TX_NON_DROPPABLE);
	t->unit.late = 0;
	v->first = 1;
	qs_unit_release(s, &t->unit);
	if (too_early(s, now))
		overrate(b, t, v, ends);
	else
		timed(b, t, p, now, v, ends);
	if (!v->fate)
		keep_order(t, p, last);
}

/* ---- any packet */

/* The rest of a unit that has lost a part already. */
QS_INLINE int is_broken(struct qs_bands *b, struct qs_banded *t,
			const struct qs_packet *p, struct verdict *v)
{
	struct qs_stream *s = &t->s;

	if (!s->broken || (p->flags & QS_TX_FRAME_START)) {
		s->broken = 0;
		return 0;
	}
	s->broken = !qs_frame_mark(s, p->flags);
	__sync_fetch_and_add(&b->core.dropped_frame, 1);
	v->fate = QOS_FATE_DROPPED_FRAME;
	return 1;
}

/* Is the stream's share of the queues taken, or all there is? */
QS_INLINE int is_full(const struct qs_bands *b, const struct qs_stream *s)
{
	return (__s32)QS_READ(s->packets) >= (__s32)b->core.stream_limit ||
	       QS_READ(b->packets) >= (__s32)b->core.n_slots;
}

QS_INLINE void refuse(struct qs_bands *b, struct qs_banded *t,
		      struct verdict *v, int ends)
{
	struct qs_stream *s = &t->s;

	s->dropped_overflow++;
	__sync_fetch_and_add(&b->core.dropped_overflow, 1);
	v->fate = QOS_FATE_DROPPED_OVERFLOW;
	if (t->inside && ends)
		t->inside = 0;
	if (!qs_unit_droppable(s, t->inside ? t->unit.flags : 0))
		return;
	if (t->inside || !ends)
		s->dropped_frame++;
	give_up(t, v, QOS_FATE_DROPPED_OVERFLOW, ends);
}

/* A unit that was begun may have ended without saying so. */
QS_INLINE void end_overdue(struct qs_banded *t, const struct qs_packet *p,
			   __u64 now)
{
	if (!t->inside || (!(p->flags & QS_TX_FRAME_START) &&
			   now < t->unit.arrival + QS_FRAME_NS))
		return;
	t->inside = 0;
	t->s.framed = 0;
}

/* Nobody believes numbers of before the queues were empty. */
QS_INLINE void recount(const struct qs_bands *b, struct qs_banded *t)
{
	__u32 epoch = QS_READ(b->epoch);

	if (t->epoch == epoch)
		return;
	t->epoch = epoch;
	t->s.packets = 0;
	t->s.units = 0;
	t->s.bytes = 0;
}

QS_INLINE void decide(struct qs_bands *b, struct qs_banded *t,
		      const struct qs_packet *p, __u64 now, struct verdict *v)
{
	struct qs_stream *s = &t->s;
	int ends;

	v->violations = s->violations;
	recount(b, t);
	if (is_broken(b, t, p, v))
		return;
	end_overdue(t, p, now);
	ends = qs_frame_mark(s, p->flags);
	if (is_full(b, s)) {
		refuse(b, t, v, ends);
		return;
	}
	if (!t->inside)
		unit_begin(b, t, p, now, v, ends);
	if (v->fate)
		return;
	t->inside = !ends;
	v->band = t->band;
	if (t->band != QS_BAND_BESTEFFORT)
		v->deadline = s->deadline;
	v->flags = (t->unit.late ? QS_CBF_LATE : 0) |
		   (ends ? QS_CBF_UNIT_END : 0);
}

/* The stack sends no more of a datagram after a fragment that was dropped. */
QS_INLINE void cut_off(struct qs_banded *t, __u32 flags)
{
	if (flags & QS_CBF_END_AFTER)
		t->s.framed = 0;
	if (t->s.framed)
		return;
	t->s.broken = 0;
	t->inside = 0;
}

/* The stream's lock is held. */
QS_INLINE void judge(struct qs_bands *b, struct qs_banded *t,
		     const struct qs_packet *p, __u64 now, struct verdict *v)
{
	decide(b, t, p, now, v);
	if (v->fate && (p->flags & QS_CBF_MORE))
		cut_off(t, p->flags);
}

#endif
