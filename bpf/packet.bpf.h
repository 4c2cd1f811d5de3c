/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a classifier finds out about a packet: its stream, by its socket; the
 * message's flags and deadline; and, of best effort, whether it opens a
 * connection or finds a neighbour.
 */
#ifndef QS_PACKET_BPF_H
#define QS_PACKET_BPF_H

#include "bpf/headers.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/segment.bpf.h"

#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define ND_FIRST 133 /* router solicitation */
#define ND_LAST 137 /* redirect */
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_FLAGS_AT 13

/* ---- best effort: which packets must not wait behind bulk data */

static __always_inline __u32 tcp_control(struct __sk_buff *skb, __u32 at)
{
	__u8 flags;

	if (load(skb, at + TCP_FLAGS_AT, &flags, 1))
		return 0;
	return flags & (TCP_SYN | TCP_RST) ? QS_CBF_CONTROL : 0;
}

static __noinline __u32 control(struct __sk_buff *skb)
{
	__u8 first, protocol, type;

	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return QS_CBF_CONTROL;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (load(skb, 0, &first, 1) || load(skb, 9, &protocol, 1) ||
		    protocol != QS_IPPROTO_TCP)
			return 0;
		return tcp_control(skb, (first & 0xf) * 4);
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) ||
	    load(skb, 6, &protocol, 1))
		return 0;
	if (protocol == QS_IPPROTO_TCP)
		return tcp_control(skb, 40);
	if (protocol != IPPROTO_ICMPV6 || load(skb, 40, &type, 1))
		return 0;
	return type >= ND_FIRST && type <= ND_LAST ? QS_CBF_CONTROL : 0;
}

/* ---- a datagram in several IP fragments is one message */

#define FRAG_FIRST 1
#define FRAG_LAST 2

/* Which end of its datagram the packet is: both, for one that is whole. */
static __noinline __u32 fragment(struct __sk_buff *skb)
{
	struct ip4 ip4;
	struct ip6 ip6;
	__u16 off, more;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (load(skb, 0, &ip4, sizeof(ip4)))
			return FRAG_FIRST | FRAG_LAST;
		off = bpf_ntohs(ip4.frag_off) & IP_OFFSET;
		more = bpf_ntohs(ip4.frag_off) & IP_MF;
	} else {
		if (load(skb, 0, &ip6, sizeof(ip6)) ||
		    ip6.nexthdr != IPPROTO_FRAGMENT)
			return FRAG_FIRST | FRAG_LAST;
		off = bpf_ntohs(ip6.frag.frag_off) & IP6_OFFSET;
		more = bpf_ntohs(ip6.frag.frag_off) & IP6_MF;
	}
	return (off ? 0 : FRAG_FIRST) | (more ? 0 : FRAG_LAST);
}

/* A frame starts with a message's first fragment and ends with its last. */
static __always_inline __u64 datagram(struct __sk_buff *skb, __u32 *flags)
{
	__u64 tx = skb->tstamp & ~(QS_TX_FLAGS & ~(__u64)QS_TX_KNOWN);
	__u32 part = fragment(skb);

	skb->tstamp = 0; /* below us it would mean a launch time */
	if (!(part & FRAG_FIRST))
		tx &= ~(__u64)QS_TX_FRAME_START;
	if (!(part & FRAG_LAST)) {
		*flags = QS_CBF_MORE;
		if (tx & QS_TX_FRAME_END)
			*flags |= QS_CBF_END_AFTER;
		tx &= ~(__u64)QS_TX_FRAME_END;
	}
	return tx;
}

/* ---- whose packet, and what it is told */

static __always_inline struct bpf_sock *full_sock(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_fullsock(sk) : NULL;
}

static __always_inline struct qs_sock *stream_of(struct __sk_buff *skb,
						 struct bpf_sock *sk)
{
	struct qs_sock *ss = bpf_sk_storage_get(&qs_socks, sk, NULL, 0);
	struct qs_dev *dev;

	if (!ss || !ss->dev || ss->ifindex != skb->ifindex)
		return NULL;
	dev = qs_dev(ss->dev);
	if (!qs_dev_ready(dev) || dev->gen != ss->dev_gen)
		return NULL;
	return ss;
}

/* The message's 64 bits, and what the classifier adds to its flags. */
static __always_inline __u64 message(struct __sk_buff *skb, struct bpf_sock *sk,
				     __u32 *flags)
{
	if (!qs_is_tcp(sk))
		return datagram(skb, flags);
	*flags = QS_CBF_RELIABLE;
	return segment(skb, sk);
}

/* The flags of a packet of no stream. */
static __always_inline __u32 besteffort(struct __sk_buff *skb,
					const struct bpf_sock *sk)
{
	return sk && sk->protocol == IPPROTO_UDP ? 0 : control(skb);
}

#endif
