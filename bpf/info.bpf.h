/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The manager's answer to QS_INFO, given under the socket's lock. */
#ifndef QS_INFO_BPF_H
#define QS_INFO_BPF_H

#include "bpf/attached.bpf.h"

#include "schedulers/common/fate.h"
#include "schedulers/common/info.h"

/* Bytes since the rate was last found, if that is long enough ago. */
static __always_inline void info_rate(const struct qos_info *o,
				      struct qs_sock *ss)
{
	__u64 now = bpf_ktime_get_ns(), took = now - ss->rate_at;

	if (took < QS_RATE_NS)
		return;
	ss->rate = qs_rate(o->sent_bytes - ss->rate_bytes, took);
	ss->rate_bytes = o->sent_bytes;
	ss->rate_at = now;
}

/* As SIOCOUTQ: before a connection is there, nothing is on its way. */
static __always_inline void info_tcp(struct qos_info *o, struct bpf_sock *bsk)
{
	struct tcp_sock *tp = QS_KERNEL_CAST(bsk, struct tcp_sock);
	__u32 next = QS_KERNEL_READ(tp, snd_nxt);

	o->tcp_rtt_us = QS_KERNEL_READ(tp, srtt_us) >> 3;
	o->tcp_cwnd = QS_KERNEL_READ(tp, snd_cwnd);
	o->tcp_mss = QS_KERNEL_READ(tp, mss_cache);
	o->tcp_rcv_wnd = QS_KERNEL_READ(tp, snd_wnd);
	switch (bsk->state) {
	case BPF_TCP_CLOSE:
	case BPF_TCP_LISTEN:
	case BPF_TCP_SYN_SENT:
	case BPF_TCP_SYN_RECV:
		return;
	}
	o->tcp_unsent = QS_KERNEL_READ(tp, write_seq) - next;
	o->tcp_unacked = next - QS_KERNEL_READ(tp, snd_una);
}

/* What counts against the send buffer: of TCP all that is not acknowledged. */
static __always_inline void info_stack(struct qos_info *o, struct bpf_sock *bsk)
{
	struct sock *sk;

	sk = QS_KERNEL_CAST(bsk, struct sock);
	o->sndbuf = QS_KERNEL_READ(sk, sk_sndbuf);
	if (qs_is_tcp(bsk)) {
		o->sndbuf_used = QS_KERNEL_READ(sk, sk_wmem_queued);
		info_tcp(o, bsk);
	} else {
		/* one is the socket itself */
		o->sndbuf_used =
			QS_KERNEL_READ(sk, sk_wmem_alloc.refs.counter) - 1;
	}
}

/*
 * The device's and the stream's part. What is not written is zero: nobody else
 * answers at this level, so the kernel's buffer is as it was allocated.
 */
static __always_inline void info_stream(struct qos_info *o, struct qs_sock *ss)
{
	const struct qs_dev *dev = attached_dev(ss);

	if (!dev) {
		o->state = QOS_STATE_ATTACHED | QOS_STATE_DEVICE_GONE;
		return;
	}
	qs_info_fill(o, dev, qs_window(ss->dev), attached_stream(ss), ss->gen);
	if (qs_is_blind(qs_window(ss->dev)))
		o->engine = QOS_ENGINE_NONE;
	if (!qs_is_queued(qs_window(ss->dev), attached_stream(ss))) {
		o->backlog_packets = o->backlog_units = 0;
		o->backlog_bytes = 0;
	}
	info_rate(o, ss);
	o->rate = ss->rate;
}

static __always_inline int info_read(struct bpf_sockopt *ctx,
				     struct qs_sock *ss)
{
	struct qos_info *o = ctx->optval;

	if (ctx->optlen != sizeof(*o) || (void *)(o + 1) > ctx->optval_end)
		return -QS_EINVAL;
	if (!ss || !ss->dev)
		return -QS_ENOTCONN;
	o->size = sizeof(*o);
	info_stream(o, ss);
	if (ctx->sk)
		info_stack(o, ctx->sk);
	return 0;
}

#endif
