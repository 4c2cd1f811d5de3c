/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Quantiles of a stream's delays, from its buckets. One figure stands for all
 * that is in a bucket: the one that is as near, by the ratio, to the shortest as
 * to the longest, and so within 9 percent of both. Nothing is added up before:
 * the ranks are counted from the longest delay, and what is in no bucket is
 * shorter than all that is.
 */
#ifndef QS_COMMON_QUANTILE_H
#define QS_COMMON_QUANTILE_H

#include "fate.h"

/* 2 from to / (from + to), for a bucket that is cut off at `max`. */
QS_INLINE __u64 qs_bucket_delay(__u32 k, __u64 max)
{
	__u64 from = qs_delay_from(k), to = max;

	if (k + 1 < QS_DELAYS && qs_delay_from(k + 1) < max)
		to = qs_delay_from(k + 1);
	if (to <= from)
		return to;
	if (to >> 40) /* of the last one: it is as good as twice `from` */
		return 2 * from;
	return 2 * from - 2 * ((from >> 9) * from / ((from + to) >> 9));
}

/* The delay that `above` of n packets exceeded or had, by bucket k's. */
QS_INLINE __u64 qs_quantile(__u32 k, __u64 above, __u64 max)
{
	__u64 shorter = QS_DELAY_MIN < max ? QS_DELAY_MIN : max;

	if (above <= 1)
		return max;
	return k == QS_NIL ? shorter / 2 : qs_bucket_delay(k, max);
}

/*
 * The buckets in which the packets are that `low` and `high` (the fewer) have at
 * least as long delays as: in the two halves, QS_NIL for none. Root may count
 * on meanwhile.
 */
QS_GLOBAL __u64 qs_quantile_buckets(const qs_stream_t *s QS_ARENA_ARG,
				    __u64 low, __u64 high)
{
	__u32 k = QS_READ(s->bucket_last), first = QS_READ(s->bucket_first);
	__u64 seen = 0, found = ~0ull;

	if (!QS_READ(s->bucket_width) || k >= QS_DELAYS)
		return found;
	for (; k >= first && qs_can_loop; k--) {
		QS_OPAQUE(k);
		if (k >= QS_DELAYS) /* after the bucket 0 */
			break;
		seen += s->delay[k];
		if (seen >= high && (__u32)found == QS_NIL)
			found = found >> 32 << 32 | k;
		if (seen >= low)
			return (__u64)k << 32 | (__u32)found;
	}
	return found;
}

QS_INLINE void qs_quantiles(const qs_stream_t *s, struct qos_info *o)
{
	__u64 n = o->sent_packets, max = o->delay_max_ns;
	__u64 half = n - (n + 1) / 2 + 1, last = n - (n * 99 + 99) / 100 + 1;
	__u64 found;

	if (!n)
		return;
	found = qs_quantile_buckets(s, half, last);
	o->delay_p50_ns = qs_quantile(found >> 32, half, max);
	o->delay_p99_ns = qs_quantile(found, last, max);
	if (o->delay_p50_ns > o->delay_p99_ns) /* root counted on meanwhile */
		o->delay_p50_ns = o->delay_p99_ns;
}

#endif
