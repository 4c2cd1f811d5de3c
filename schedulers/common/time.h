/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* Periods, and what the rate makes of bytes. */
#ifndef QS_COMMON_TIME_H
#define QS_COMMON_TIME_H

#include "mem.h"

#define QS_NSEC_PER_SEC 1000000000ull
#define QS_NSEC_PER_USEC 1000ull

QS_INLINE __u64 qs_period(const qs_stream_t *s)
{
	return s->now.ipg * QS_NSEC_PER_USEC;
}

/* Bit/s of so many bytes in that time, at least 1 ms; exact below 2^40 bytes. */
QS_INLINE __u64 qs_rate(__u64 bytes, __u64 ns)
{
	if (bytes >> 40)
		return bytes / (ns / 1000000) * 8000;
	return bytes * 8000000 / (ns / QS_NSEC_PER_USEC);
}

/* The time that `bytes` take on the wire, ns, rounded up. */
QS_INLINE __u64 qs_wire_time(qs_core_t *c, __u64 bytes)
{
	__u64 rate = c->rate;

	if (!rate)
		return 0;
	return (bytes * 8 * QS_NSEC_PER_SEC + rate - 1) / rate;
}

#endif
