// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The classifier: at a managed device's egress, finds the packet's stream by
 * its socket and hands it, with the message's flags and deadline, to the qdisc
 * in the packet's control block. Packets of no stream are best effort; those
 * that open a connection or find a neighbour are marked as control.
 */
#include "bpf/packet.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tcx/egress")
int qs_classify(struct __sk_buff *skb)
{
	struct bpf_sock *sk = full_sock(skb);
	struct qs_sock *ss = sk ? stream_of(skb, sk) : NULL;
	__u32 flags = 0;
	__u64 tx = 0;

	if (ss)
		tx = message(skb, sk, &flags);
	else
		flags = besteffort(skb, sk);
	skb->cb[0] = QS_CB_MAGIC | flags;
	skb->cb[1] = ss ? ss->stream + 1 : 0;
	skb->cb[2] = ss ? ss->gen : 0;
	skb->cb[3] = tx;
	skb->cb[4] = tx >> 32;
	return QS_TCX_NEXT;
}
