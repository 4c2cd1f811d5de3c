/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The manager's part in admission: what sockets reserve of a device, and
 * whether a message would be in time. A reservation belongs to an attachment
 * and ends with it, not with what is queued; the declaration that the socket
 * keeps holds for its next attachment too, unless it is detached.
 */
#ifndef QS_ADMIT_BPF_H
#define QS_ADMIT_BPF_H

#include "bpf/attached.bpf.h"
#include "schedulers/common/admit.h"
#ifdef QS_BANDED
#include "bpf/bands/fits.bpf.h"
#else
#include "schedulers/common/fits.h"
#endif

/*
 * Stream s shall have reserved what units of `bytes` need with the attributes
 * `a`, which it has or is about to get; 0 gives back what it has. On failure
 * nothing is changed.
 */
static __always_inline int admit(struct qs_dev *dev, qs_core_t *c,
				 qs_stream_t *s, __u32 bytes,
				 const struct qs_attr *a,
				 struct qs_admission *refused)
{
	__u64 need = 0, others;
	int admitted;

	switch (qs_admit_check(dev->rate, s, bytes, a)) {
	case QS_ADMIT_NOTHING:
		return 0;
	case QS_ADMIT_NO_RATE:
		return -QS_ENODATA;
	case QS_ADMIT_NO_PERIOD:
		return -QS_EDOM;
	case QS_ADMIT_OK:
		break;
	}
	if (bytes)
		need = qs_need(bytes, a);
	bpf_spin_lock(&dev->lock);
	admitted = qs_admit(c, s, bytes, a->ipg, need, dev->guarantee, &others);
	bpf_spin_unlock(&dev->lock);
	if (admitted)
		return 0;
	refused->asked = need;
	refused->used = others;
	refused->allowed = dev->guarantee;
	return -QS_EAGAIN;
}

/* With the attributes that it has. */
static __always_inline int admit_attached(struct qs_sock *ss, __u32 bytes)
{
	struct qs_dev *dev = attached_dev(ss);
	qs_stream_t *s = attached_stream(ss);
	struct qs_attr a;

	if (!dev)
		return -QS_ENODEV;
	a.oln = s->attr.oln;
	a.old = s->attr.old;
	a.ipg = s->attr.ipg;
	return admit(dev, qs_window(ss->dev), s, bytes, &a, &ss->refused);
}

/* ---- options */

static __noinline int reserve(struct bpf_sockopt *ctx, __u64 bytes)
{
	__u64 flags = bytes ? BPF_SK_STORAGE_GET_F_CREATE : 0;
	struct bpf_sock *sk = ctx->sk;
	struct qs_sock *ss;
	int err;

	if (!sk || bytes > QS_UNIT_MAX)
		return -QS_EINVAL;
	err = socket_check(sk);
	if (err)
		return err;
	ss = bpf_sk_storage_get(&qs_socks, sk, NULL, flags);
	if (!ss)
		return bytes ? -QS_ENOMEM : 0;
	err = ss->dev ? admit_attached(ss, bytes) : 0;
	if (!err)
		ss->unit_bytes = bytes;
	return err;
}

static __noinline int fits(struct bpf_sockopt *ctx, struct qs_fits *f)
{
	struct bpf_sock *sk = ctx->sk;
	struct qs_sock *ss;

	if (!sk || !f || !f->bytes || f->bytes > QS_UNIT_MAX)
		return -QS_EINVAL;
	ss = bpf_sk_storage_get(&qs_socks, sk, NULL, 0);
	if (!ss || !ss->dev)
		return -QS_ENOTCONN;
	if (!attached_dev(ss))
		return -QS_ENODEV;
	return qs_fits(qs_window(ss->dev), ss->stream, f->bytes, f->deadline,
		       bpf_ktime_get_ns()) ?
		       0 :
		       -QS_EAGAIN;
}

/* QS_RESERVE or QS_FITS. */
static __noinline int admission_set(struct bpf_sockopt *ctx)
{
	struct qs_fits *f = ctx->optval, copy;
	__u64 *bytes = ctx->optval;

	if (ctx->optname == QS_RESERVE) {
		if (ctx->optlen != sizeof(*bytes) ||
		    (void *)(bytes + 1) > ctx->optval_end)
			return -QS_EINVAL;
		return reserve(ctx, *bytes);
	}
	if (ctx->optlen != sizeof(*f) || (void *)(f + 1) > ctx->optval_end)
		return -QS_EINVAL;
	copy = *f;
	return fits(ctx, &copy);
}

static __noinline int admission_get(struct bpf_sockopt *ctx)
{
	struct qs_admission *o = ctx->optval;
	struct qs_sock *ss = NULL;

	if (ctx->optlen != sizeof(*o) || (void *)(o + 1) > ctx->optval_end)
		return -QS_EINVAL;
	if (ctx->sk)
		ss = bpf_sk_storage_get(&qs_socks, ctx->sk, NULL, 0);
	if (!ss)
		return -QS_ENOTCONN;
	*o = ss->refused;
	return 0;
}

#endif
