/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fates and events: gives a stream its ring, and hands out what the qdisc has
 * put there. Both run under the socket's lock, so a ring has one reader.
 */
#ifndef QS_WATCH_BPF_H
#define QS_WATCH_BPF_H

#include "schedulers/common/watch.h"

static __noinline int watch(struct qs_sock *ss, const struct qos_watch *w)
{
	struct qs_dev *dev = attached_dev(ss);
	qs_stream_t *s;
	qs_core_t *c;
	__u32 i;
	int err;

	if (!dev)
		return -QS_ENODEV;
	err = qs_watch_check(dev->rate, w);
	if (err)
		return err == QS_WATCH_NO_RATE ? -QS_EOPNOTSUPP : -QS_EINVAL;
	s = attached_stream(ss);
	c = qs_window(ss->dev);
	i = s->ring ? s->ring - 1 : QS_NIL;
	if (i == QS_NIL)
		i = qs_ring_alloc(c);
	if (i == QS_NIL)
		return -QS_ENOSPC;
	qs_watch_set(s, w, i);
	return 0;
}

/* ---- reading */

/* Puts the k-th entry, if the caller's array has room for it. */
static __always_inline int fate_put(struct bpf_sockopt *ctx, __u32 k,
				    __u32 kind, __u32 cookie, __u64 value)
{
	struct qos_fate *to = ctx->optval;

	/* or the compiler counts in bytes, of which the verifier has no bound */
	asm volatile("" : "+r"(k));
	if (k > QOS_FATES)
		return 0;
	to += k;
	if ((void *)(to + 1) > ctx->optval_end)
		return 0;
	to->kind = kind;
	to->cookie = cookie;
	to->value = value;
	return 1;
}

/*
 * Fills the caller's array and sets its length; EAGAIN: there is nothing, ENODATA:
 * nobody asked for it. What was lost is said after what was in the ring then, which
 * is older.
 */
static __noinline int fates(struct bpf_sockopt *ctx, struct qs_sock *ss)
{
	__u32 room = ctx->optlen / sizeof(struct qos_fate);
	__u32 left, lost, ring, n, kind;
	qs_fate_t *f;
	qs_core_t *c;
	qs_ring_t *r;

	if (!attached_dev(ss))
		return -QS_ENODEV;
	c = qs_window(ss->dev);
	ring = attached_stream(ss)->ring;
	if (!ring)
		return -QS_ENODATA;
	r = qs_ring(c, ring - 1);
	left = QS_READ(r->put) - r->taken;
	for (n = QS_ZERO(c); n < left && n < room && n < QOS_FATES; n++) {
		f = &r->fate[(r->taken + n) % QOS_FATES];
		kind = QS_LOAD_ORDERED(&f->kind);
		/* it is still being written, or the caller has no room */
		if (!kind || !fate_put(ctx, n, kind, f->cookie, f->value) ||
		    !qs_can_loop)
			break;
		f->kind = 0;
	}
	/* the entries are read before their room is given back */
	QS_ADD_ORDERED(&r->taken, n);
	lost = n == left ? QS_READ(r->lost) - r->lost_told : 0;
	if (lost && n < room && fate_put(ctx, n, QOS_EVENT_LOST, 0, lost)) {
		r->lost_told += lost;
		n++;
	}
	if (!n)
		return -QS_EAGAIN;
	ctx->optlen = n * sizeof(struct qos_fate);
	return 0;
}

#endif
