/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What becomes of messages, and how long they waited. Delays are counted for
 * every stream, in buckets; one that is shorter than the first bucket's costs a
 * comparison. Fates and events go to a ring, for those streams alone that have
 * asked for one.
 */
#ifndef QS_COMMON_FATE_H
#define QS_COMMON_FATE_H

#include "time.h"

#define QS_RATE_NS 100000000ull /* over which a rate is found */

/* ---- delays */

/*
 * The second to fourth bucket of a power of two begin at so many 128ths of it.
 * Each is 19 percent wide, so there is a figure within 9 percent of all in it.
 */
#define QS_DELAY_SECOND 152
#define QS_DELAY_THIRD 181
#define QS_DELAY_FOURTH 215

/* Of a delay from QS_DELAY_MIN to 2^45 ns. */
QS_INLINE __u32 qs_delay_bucket(__u64 delay)
{
	__u32 e = qs_log2(delay) - QS_DELAY_SHIFT, part, k;

	part = delay >> (QS_DELAY_SHIFT + e - 7); /* 128 to 255 */
	k = e * 4 + (part >= QS_DELAY_SECOND) + (part >= QS_DELAY_THIRD) +
	    (part >= QS_DELAY_FOURTH);
	return k < QS_DELAYS ? k : QS_DELAYS - 1;
}

/* The shortest delay of bucket k. */
QS_INLINE __u64 qs_delay_from(__u32 k)
{
	/* no table: for BPF */
	__u64 part = 128 + (k % 4 > 0) * (QS_DELAY_SECOND - 128) +
		     (k % 4 > 1) * (QS_DELAY_THIRD - QS_DELAY_SECOND) +
		     (k % 4 > 2) * (QS_DELAY_FOURTH - QS_DELAY_THIRD);

	return part << (QS_DELAY_SHIFT + k / 4 - 7);
}

/* The bucket of a delay that is not in the last one's. */
QS_FN int qs_delay_seek(qs_stream_t *s, __u64 delay)
{
	__u32 k = delay >> 45 ? QS_DELAYS - 1 : qs_delay_bucket(delay);

	s->bucket = k;
	s->bucket_from = qs_delay_from(k);
	s->bucket_width = qs_delay_from(k + 1) - s->bucket_from;
	if (k == QS_DELAYS - 1)
		s->bucket_width = ~0ull - s->bucket_from;
	if (k < s->bucket_first)
		s->bucket_first = k;
	if (k > s->bucket_last)
		s->bucket_last = k;
	return 0;
}

/* A packet mostly waits as long as the one before it. */
QS_INLINE void qs_delay(qs_stream_t *s, __u64 delay)
{
	__u32 k;

	s->delay_last = delay;
	s->delay_sum += delay;
	if (delay > s->delay_max)
		s->delay_max = delay;
	if (delay < QS_DELAY_MIN)
		return;
	if (delay - s->bucket_from >= s->bucket_width)
		qs_delay_seek(s, delay);
	k = s->bucket;
	QS_OPAQUE(k);
	if (k < QS_DELAYS)
		s->delay[k]++;
}

/* ---- the ring */

/* An entry of the ring for who has something to tell, or QS_NIL: it is full. */
QS_INLINE __u32 qs_ring_claim(qs_core_t *c, qs_ring_t *r)
{
	__u32 at, k;

	(void)c;
	for (k = QS_ZERO(c); k < QS_FREE_TRIES && qs_can_loop; k++) {
		at = QS_READ(r->put);
		if (at - QS_READ(r->taken) >= QOS_FATES)
			return QS_NIL;
		if (__sync_val_compare_and_swap(&r->put, at, at + 1) == at)
			return at % QOS_FATES;
	}
	return QS_NIL;
}

QS_FN int qs_tell(qs_core_t *c, __u32 ring, __u32 kind, __u32 cookie,
		  __u64 value)
{
	qs_ring_t *r = qs_ring(c, ring - 1);
	__u32 at = qs_ring_claim(c, r);
	qs_fate_t *f;

	if (at >= QOS_FATES) {
		__sync_fetch_and_add(&r->lost, 1);
		return 0;
	}
	f = &r->fate[at];
	f->cookie = cookie;
	f->value = value;
	__sync_lock_test_and_set(&f->kind, kind); /* ordered */
	return 1;
}

/* What became of a packet that is a message, or its last part. */
QS_INLINE void qs_fate(qs_core_t *c, const qs_stream_t *s, __u32 kind,
		       __u32 flags, __u32 cookie, __u64 waited)
{
	__u32 ring = QS_READ(s->ring);

	if (ring && (flags & (QS_TX_COOKIE | QS_CBF_MORE)) == QS_TX_COOKIE)
		qs_tell(c, ring, kind, cookie, waited);
}

/* ---- events */

QS_INLINE void qs_watch_queue(qs_core_t *c, qs_stream_t *s, __u32 ring)
{
	if (s->told & QOS_WATCH_CONGESTION) {
		if (s->packets > s->watch_low)
			return;
		s->told &= ~QOS_WATCH_CONGESTION;
		qs_tell(c, ring, QOS_EVENT_UNCONGESTED, 0, s->packets);
	} else if (s->packets >= s->watch_high) {
		s->told |= QOS_WATCH_CONGESTION;
		qs_tell(c, ring, QOS_EVENT_CONGESTED, 0, s->packets);
	}
}

/* What the device did not use of its rate in the last 100 ms or more. */
QS_INLINE void qs_watch_rate(qs_core_t *c, qs_stream_t *s, __u32 ring,
			     __u64 now)
{
	__u64 sent = c->sent_bytes - s->spare_bytes, spare = 0, used;

	if (now - s->spare_at < QS_RATE_NS)
		return;
	used = qs_rate(sent, now - s->spare_at);
	if (c->rate > used)
		spare = c->rate - used;
	if (spare <= s->watch_rate) {
		s->told &= ~QOS_WATCH_RATE;
	} else if (!(s->told & QOS_WATCH_RATE) && s->spare_at) {
		s->told |= QOS_WATCH_RATE;
		qs_tell(c, ring, QOS_EVENT_RATE, 0, spare);
	}
	s->spare_at = now;
	s->spare_bytes = c->sent_bytes;
}

/*
 * A packet of the stream left, or was given up: the only times at which a
 * waiting program is woken, so the only ones at which there is news.
 */
QS_FN int qs_watch(qs_core_t *c, qs_stream_t *s, __u64 now)
{
	__u32 ring = QS_READ(s->ring);

	if (!ring)
		return 0;
	if (s->watch_events & QOS_WATCH_CONGESTION)
		qs_watch_queue(c, s, ring);
	if (s->watch_events & QOS_WATCH_RATE)
		qs_watch_rate(c, s, ring, now);
	return 0;
}

/* The stream had so many violations before. */
QS_INLINE void qs_violated(qs_core_t *c, qs_stream_t *s, __u64 before)
{
	__u32 ring = QS_READ(s->ring);

	if (s->violations == before)
		return;
	c->violations += s->violations - before;
	if (ring && (s->watch_events & QOS_WATCH_VIOLATION))
		qs_tell(c, ring, QOS_EVENT_VIOLATION, 0, s->violations);
}

#endif
