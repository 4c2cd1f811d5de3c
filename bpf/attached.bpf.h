/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a socket to its device and its stream, for the manager's parts. */
#ifndef QS_ATTACHED_BPF_H
#define QS_ATTACHED_BPF_H

#include "bpf/maps.bpf.h"
#include "schedulers/common/mem.h"

/* The socket's device while the attachment holds, else NULL. */
static __always_inline struct qs_dev *attached_dev(const struct qs_sock *ss)
{
	struct qs_dev *dev;

	if (!ss || !ss->dev)
		return NULL;
	dev = qs_dev(ss->dev);
	if (!qs_dev_ready(dev) || dev->gen != ss->dev_gen)
		return NULL;
	return dev;
}

static __always_inline qs_stream_t *attached_stream(const struct qs_sock *ss)
{
	return qs_stream(qs_window(ss->dev), ss->stream);
}

/*
 * 0 if the scheduler knows what a lost packet of such a socket means: SCTP, MPTCP
 * and others send again what it drops. qs_fd_check() has the same list.
 */
static __always_inline int socket_check(const struct bpf_sock *sk)
{
	if (sk->family != QS_AF_INET && sk->family != QS_AF_INET6)
		return -QS_EAFNOSUPPORT;
	if (sk->type == QS_SOCK_RAW)
		return 0;
	switch (sk->protocol) {
	case QS_IPPROTO_ICMP:
	case QS_IPPROTO_TCP:
	case QS_IPPROTO_UDP:
	case QS_IPPROTO_ICMPV6:
	case QS_IPPROTO_UDPLITE:
		return 0;
	default:
		return -QS_EPROTONOSUPPORT;
	}
}

#endif
