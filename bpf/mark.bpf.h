/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Messages on TCP, the manager's part: before the library writes a message it
 * says what its bytes will have; after a short write, that no more of them will
 * come. Both end at what was written the mark before, so that no byte of
 * another write has it.
 */
#ifndef QS_MARK_BPF_H
#define QS_MARK_BPF_H

#include "bpf/attached.bpf.h"
#include "schedulers/common/message.h"

/* What was acknowledged is not sent again. */
static __noinline int marks_forget(struct qs_marks *m, __u32 acked)
{
	__u32 k;

	if (!m)
		return 0;
	for (k = 0; k < QS_MARKS; k++) {
		if (m->first == m->put ||
		    qs_before(acked, qs_marked(m, m->first)->end))
			break;
		m->first++;
	}
	return 0;
}

/* Of the last mark's bytes those from `at` on were not written. */
static __always_inline void marks_end(struct qs_marks *m, __u32 at)
{
	struct qs_marked *last = qs_marked(m, m->put - 1);

	if (m->first == m->put || !qs_before(at, last->end))
		return;
	if (qs_before(last->start, at))
		last->end = at;
	else
		m->put--;
}

static __always_inline int marks_add(struct qs_marks *m, __u32 start,
				     const struct qs_mark *opt)
{
	struct qs_marked *next = qs_marked(m, m->put);
	struct qs_packet p = {};

	if (m->put - m->first >= QS_MARKS)
		return -QS_ENOBUFS;
	qs_tx_unpack(&p, opt->tx, bpf_ktime_get_ns());
	if (!p.deadline && !(p.flags & QS_TX_COOKIE))
		return 0;
	next->start = start;
	next->end = start + opt->len;
	next->deadline = p.deadline;
	next->cookie = p.cookie;
	next->told = !(p.flags & QS_TX_COOKIE);
	QS_ADD_ORDERED(&m->put, 1);
	return 0;
}

/*
 * For a socket that is attached. EPROTOTYPE: it is not TCP; ENOTCONN: nothing
 * can be written; ENOBUFS: too many of its marks are not acknowledged. And, of
 * mark_option(), EINPROGRESS: it is set, and somebody waits for its fate.
 */
static __noinline int set_mark(struct bpf_sock *sk, const struct qs_mark *opt)
{
	const struct tcp_sock *tp;
	struct qs_marks *m;
	__u32 at;

	if (!sk || !opt)
		return -QS_EINVAL;
	if (!qs_is_tcp(sk))
		return -QS_EPROTOTYPE;
	if (sk->state == BPF_TCP_CLOSE || sk->state == BPF_TCP_LISTEN)
		return -QS_ENOTCONN;
	if (opt->len > QS_MARK_MAX || opt->zero)
		return -QS_EINVAL;
	m = bpf_sk_storage_get(&qs_marks, sk, NULL,
			       opt->len ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!m)
		return opt->len ? -QS_ENOMEM : 0;
	tp = QS_KERNEL_CAST(sk, struct tcp_sock);
	at = QS_KERNEL_READ(tp, write_seq);
	marks_forget(m, QS_KERNEL_READ(tp, snd_una));
	marks_end(m, at);
	m->acked = QS_KERNEL_READ(tp, bytes_acked);
	return opt->len ? marks_add(m, at, opt) : 0;
}

static __always_inline int mark_option(struct bpf_sockopt *ctx)
{
	struct qs_mark *opt = ctx->optval, copy;
	struct bpf_sock *sk = ctx->sk;
	struct qs_sock *ss;
	int err;

	if (!sk || ctx->optlen != sizeof(*opt) ||
	    (void *)(opt + 1) > ctx->optval_end)
		return -QS_EINVAL;
	ss = bpf_sk_storage_get(&qs_socks, sk, NULL, 0);
	if (!attached_dev(ss))
		return -QS_ENOTCONN;
	copy = *opt;
	err = set_mark(sk, &copy);
	if (!err && (copy.tx & QS_TX_COOKIE) && attached_stream(ss)->ring)
		return -QS_EINPROGRESS;
	return err;
}

#endif
