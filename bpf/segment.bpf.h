/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Messages on TCP, the classifier's part: what the bytes of a segment have. The
 * segment's sequence numbers tell, so one that is sent again is treated as the
 * first time, and a super-packet as one segment.
 */
#ifndef QS_SEGMENT_BPF_H
#define QS_SEGMENT_BPF_H

#include "bpf/headers.bpf.h"
#include "bpf/maps.bpf.h"
#include "schedulers/common/message.h"

/*
 * Once so much was acknowledged since the last mark, all marks were; and their
 * sequence numbers come again after another 2^31 bytes.
 */
#define QS_MARKS_REACH (1u << 30)

/* The first byte's sequence number, and the one after the last. */
struct segment {
	__u32 start, end;
};

/* Returns 0 for what has no data, or headers that TCP does not make today. */
static __noinline int segment_read(struct __sk_buff *skb, struct segment *g)
{
	__u32 at, len;
	struct ip4 ip4;
	struct ip6 ip6;
	struct tcp tcp;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (load(skb, 0, &ip4, sizeof(ip4)))
			return 0;
		at = (ip4.version_ihl & 0xf) * 4;
		len = bpf_ntohs(ip4.tot_len);
	} else {
		if (skb->protocol != bpf_htons(ETH_P_IPV6) ||
		    load(skb, 0, &ip6, IP6_HLEN) ||
		    ip6.nexthdr != QS_IPPROTO_TCP)
			return 0;
		at = IP6_HLEN;
		len = bpf_ntohs(ip6.payload_len);
		len += len ? at : 0;
	}
	if (load(skb, at, &tcp, sizeof(tcp)))
		return 0;
	if (!len) /* a super-packet of over 64 KiB */
		len = skb->len - ETH_HLEN;
	len -= at + (tcp.doff >> 4) * 4;
	g->start = bpf_ntohl(tcp.seq);
	g->end = g->start + len;
	return (__s32)len > 0;
}

/* The first mark that ends after `seq`. */
static __noinline __u32 marks_find(struct qs_marks *m, __u32 put, __u32 seq)
{
	__u32 low, n, half, k;

	if (!m)
		return put;
	low = m->first;
	n = put - low;
	for (k = 0; k < 8; k++) { /* of 128 marks, and none */
		if (!n || n > QS_MARKS)
			break;
		half = n / 2;
		if (qs_before(seq, qs_marked(m, low + half)->end)) {
			n = half;
		} else {
			low += half + 1;
			n -= half + 1;
		}
	}
	return low;
}

/*
 * The earliest deadline of the messages that have a byte in the segment, and
 * the cookie of the last one that ends in it, the first time: the library lets
 * a message with a cookie end its segment, so there is only one, unless a write
 * was short.
 */
static __noinline __u64 segment_bits(struct qs_marks *m,
				     const struct segment *g)
{
	__u32 put, at, k, cookie = 0, flags = 0;
	struct qs_marked *one;
	__u64 deadline = 0;

	if (!m || !g)
		return 0;
	put = m->put;
	at = marks_find(m, put, g->start);
	for (k = 0; k < QS_MARKS; k++) {
		one = qs_marked(m, at);
		if (at++ == put || !qs_before(one->start, g->end))
			break;
		if (one->deadline && (!deadline || one->deadline < deadline))
			deadline = one->deadline;
		if (qs_before(g->end, one->end) || one->told ||
		    __sync_lock_test_and_set(&one->told, 1))
			continue;
		cookie = one->cookie;
		flags = QS_TX_COOKIE;
	}
	if (!flags)
		return qs_tx_pack(0, deadline);
	return qs_tx_pack_cookie(0, deadline, cookie, bpf_ktime_get_ns());
}

/* The 64 bits of a TCP packet of a stream. */
static __always_inline __u64 segment(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct qs_marks *m = bpf_sk_storage_get(&qs_marks, sk, NULL, 0);
	struct bpf_tcp_sock *tp;
	struct segment g;

	if (!m || m->first == m->put)
		return 0;
	tp = bpf_tcp_sock(sk);
	if (!tp || tp->bytes_acked - m->acked > QS_MARKS_REACH)
		return 0;
	return segment_read(skb, &g) ? segment_bits(m, &g) : 0;
}

#endif
