/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A packet's headers, as far as the classifier reads them. */
#ifndef QS_HEADERS_BPF_H
#define QS_HEADERS_BPF_H

#include "bpf/kernel.bpf.h"

#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86dd
#define IPPROTO_FRAGMENT 44
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP6_MF 0x0001
#define IP6_OFFSET 0xfff8
#define IP6_HLEN 40

struct ip4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
};

struct ip6 {
	__be32 start;
	__be16 payload_len;
	__u8 nexthdr;
	__u8 rest[33];
	/* when nexthdr says so */
	struct {
		__u8 nexthdr, zero;
		__be16 frag_off;
		__be32 id;
	} frag;
};

struct tcp {
	__be16 source, dest;
	__be32 seq, ack_seq;
	__u8 doff, flags;
	__be16 window;
};

static __always_inline int load(struct __sk_buff *skb, __u32 at, void *to,
				__u32 len)
{
	return bpf_skb_load_bytes_relative(skb, at, to, len, BPF_HDR_START_NET);
}

#endif
