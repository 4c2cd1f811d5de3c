/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Admission: what a stream's attributes promise, in bit/s, and the account of
 * what is promised on a device, which the manager keeps under qs_dev.lock.
 *
 * The promise of both schedulers holds while the sum of (1 - x/y) C/T over all
 * streams is at most 1 (core.h of each names the papers): C is the time that a
 * unit takes at the device's rate, so the sum times the rate is that of
 * qs_need(). For dwcs it holds for equal periods alone.
 */
#ifndef QS_COMMON_ADMIT_H
#define QS_COMMON_ADMIT_H

#include "mem.h"

#define QS_GUARANTEE_DEFAULT 950u /* best effort keeps its twentieth */
#define QS_PERMILLE 1000u
#define QS_BITS_PER_MBYTE 8000000ull /* bit/s of one byte every us */

/*
 * (old - oln)/old of `bytes` every ipg, bit/s, rounded up once and exact before
 * that: n = 8e6 bytes is below 2^49, and n/old = q + r/old, so that neither
 * q (old - oln), at most n, nor r (old - oln), below old^2, overflows. Without a
 * window all units count. ipg is not 0; bytes is at most QS_UNIT_MAX.
 */
QS_INLINE __u64 qs_need(__u32 bytes, const struct qs_attr *a)
{
	__u64 n = bytes * QS_BITS_PER_MBYTE;
	__u64 old = a->old, owed = old - a->oln;

	if (old)
		n = n / old * owed + (n % old * owed + old - 1) / old;
	return (n + a->ipg - 1) / a->ipg;
}

/* So many thousandths of a rate, rounded down. */
QS_INLINE __u64 qs_guarantee(__u64 rate, __u32 permille)
{
	return rate / QS_PERMILLE * permille +
	       rate % QS_PERMILLE * permille / QS_PERMILLE;
}

/* What qs_guarantee() was told, of a rate from 1000 to 2^64 / 1000 bit/s. */
QS_INLINE __u32 qs_guarantee_permille(__u64 rate, __u64 guarantee)
{
	return rate ? (guarantee * QS_PERMILLE + rate - 1) / rate : 0;
}

/* ---- the account of a device */

/* What a reservation comes to before there is anything to reckon. */
enum qs_admit_fault {
	QS_ADMIT_OK = 0,
	QS_ADMIT_NOTHING, /* there is none, nor was there */
	QS_ADMIT_NO_RATE, /* the device has none */
	QS_ADMIT_NO_PERIOD, /* the stream has none: so it has no rate */
};

QS_INLINE enum qs_admit_fault qs_admit_check(__u64 rate, const qs_stream_t *s,
					     __u32 bytes,
					     const struct qs_attr *a)
{
	if (!bytes)
		return s->unit_bytes ? QS_ADMIT_OK : QS_ADMIT_NOTHING;
	if (!rate)
		return QS_ADMIT_NO_RATE;
	return a->ipg ? QS_ADMIT_OK : QS_ADMIT_NO_PERIOD;
}

/* Adds a stream's part, or takes it away: modulo 2^64 it comes out even. */
QS_INLINE void qs_account(qs_core_t *c, __u64 need, __u64 period, __u64 sign)
{
	c->reservations += sign;
	c->reserved += sign * need;
	c->periods += sign * period;
	c->squares += sign * period * period;
}

/*
 * Stream s, whose attributes are not yet `a`, shall have reserved what units of
 * `bytes` (0: nothing) need with them, instead of what it has now. All or
 * nothing; `others` is what the other streams have. 0: that is too much. The
 * stream is the caller's, and qs_dev.lock is held.
 */
QS_INLINE int qs_admit(qs_core_t *c, qs_stream_t *s, __u32 bytes, __u32 ipg,
		       __u64 need, __u64 guarantee, __u64 *others)
{
	*others = c->reserved - s->reserved;
	if (need && (need > guarantee || *others > guarantee - need))
		return 0;
	if (s->unit_bytes)
		qs_account(c, s->reserved, s->attr.ipg, -1ull);
	if (bytes)
		qs_account(c, need, ipg, 1);
	s->reserved = need;
	s->unit_bytes = bytes;
	return 1;
}

/*
 * Does the scheduler keep no promise, since streams of unequal periods have
 * reserved? All n periods are equal iff n times the sum of their squares is the
 * square of their sum (Cauchy and Schwarz); modulo 2^64, where unequal ones
 * would have to differ by a multiple of it to pass. Needs no lock: between two
 * words a stream may have come or gone, and then the next look is right.
 */
QS_INLINE int qs_promise_void(__u32 sched, qs_core_t *c)
{
	__u64 n = QS_READ(c->reservations), sum = QS_READ(c->periods);

	return sched == QS_SCHED_DWCS && n * QS_READ(c->squares) != sum * sum;
}

#endif
