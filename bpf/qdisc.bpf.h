/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The qdisc around a core: holds the packets, one to a slot, and asks the core
 * which goes when. A scheduler's NAME.bpf.c defines QS_QDISC_KIND and
 * QS_QDISC_SCHED, includes its core and then this.
 *
 *	# tc -s qdisc show dev eth0
 *
 * shows its counters; it is put on a device by "qsock init" alone, refuses any
 * device that was not initialised, and is the root. The device's number, which
 * every operation needs, is kept in the qdisc's `limit`: nothing else reads it.
 */
#ifndef QS_QDISC_BPF_H
#define QS_QDISC_BPF_H

#include "bpf/arena.bpf.h"
#include "bpf/maps.bpf.h"
#include "schedulers/common/message.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define __kptr __attribute__((btf_type_tag("kptr")))

/* Drops that one dequeue may make: it holds the root lock meanwhile. */
#define QS_DROPS_PER_DEQUEUE 64

struct qs_packet_slot {
	struct sk_buff __kptr *skb;
};

struct qs_packet_slots {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct qs_packet_slot);
} qs_slots_template SEC(".maps");

/* A device's packets; the inner map is made with the device's queue limit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, QS_MAX_DEVICES + 1);
	__type(key, __u32);
	__array(values, struct qs_packet_slots);
} qs_slots SEC(".maps");

static __always_inline struct qs_packet_slot *packet_slot(__u32 dev, __u32 i)
{
	void *slots = bpf_map_lookup_elem(&qs_slots, &dev);

	return slots ? bpf_map_lookup_elem(slots, &i) : NULL;
}

/* Streams whose socket is closed and whose last packet is out of the queue. */
static __noinline int give_back(__u32 index)
{
	qs_core_t *c = qs_window(index);
	__u32 i, next;

	i = c->released;
	c->released = QS_NIL;
	while (i != QS_NIL && qs_can_loop) {
		next = qs_stream(c, i)->next_free;
		qs_stream_free(c, i);
		i = next;
	}
	return 0;
}

/* Returns when it came, which nobody asks of best effort. */
static __always_inline __u64 read_packet(const struct sk_buff *skb,
					 struct qs_packet *p)
{
	const struct qdisc_skb_cb *cb = (const struct qdisc_skb_cb *)skb->cb;
	const struct qs_cb *qs = (const struct qs_cb *)cb->data;
	__u64 now;

	p->len = cb->pkt_len;
	p->stream = QS_NIL;
	p->gen = 0;
	p->flags = 0;
	p->deadline = 0;
	p->cookie = 0;
	if ((qs->magic_flags & QS_CB_MAGIC_MASK) == QS_CB_MAGIC) {
		p->stream = qs->stream - 1;
		p->gen = qs->gen;
		p->flags = qs->magic_flags & QS_CBF_KNOWN;
	}
	if (p->stream == QS_NIL)
		return 0;
	now = bpf_ktime_get_ns();
	qs_tx_unpack(p, (__u64)qs->tx_hi << 32 | qs->tx_lo, now);
	return now;
}

/*
 * What enqueue gave up is freed at once. There is no end to how much one unit
 * may have, but to what is freed at a time: dequeue goes on with the rest.
 */
static __noinline int drop_doomed(struct Qdisc *sch, __u32 index,
				  struct bpf_sk_buff_ptr *to_free)
{
	qs_core_t *c = qs_window(index);
	struct qs_packet_slot *slot;
	struct sk_buff *skb;
	__u32 k, i;

	for (k = c->zero; k < QS_DROPS_PER_DEQUEUE && qs_can_loop; k++) {
		if (c->doomed == QS_NIL)
			break;
		i = QS_DEQ_SLOT(qs_drop_doomed(c));
		sch->q.qlen--;
		sch->qstats.drops++;
		sch->qstats.backlog -= qs_slot(c, i)->len;
		slot = packet_slot(index, i);
		if (!slot)
			break;
		skb = bpf_kptr_xchg(&slot->skb, NULL);
		if (skb)
			bpf_qdisc_skb_drop(skb, to_free);
	}
	return 0;
}

/* The packet that was alone is not any more. */
static __noinline int find_hash(__u32 index)
{
	qs_core_t *c = qs_window(index);
	__u32 i = c->be_alone;
	struct qs_packet_slot *slot = packet_slot(index, i);
	struct sk_buff *skb;

	if (!slot)
		return 0;
	skb = bpf_kptr_xchg(&slot->skb, NULL);
	if (!skb)
		return 0;
	qs_slot(c, i)->cookie = bpf_skb_get_hash(skb);
	skb = bpf_kptr_xchg(&slot->skb, skb);
	if (skb)
		bpf_kfree_skb(skb);
	return 0;
}

/* Which is dear where the sender is not connected: not before it decides. */
static __always_inline __u32 flow_hash(qs_core_t *c, __u32 index,
				       struct sk_buff *skb)
{
	if (!c->be_packets)
		return 0;
	if (c->be_alone != QS_NIL)
		find_hash(index);
	return bpf_skb_get_hash(skb);
}

/* What it is, if nothing in the core goes by time, matters to nobody. */
static __always_inline __u64 time_now(qs_core_t *c)
{
	__u32 streams_packets = c->n_slots - c->free_slots - c->be_packets;

	return c->rate || streams_packets ? bpf_ktime_get_ns() : 0;
}

SEC("struct_ops/qs_enqueue_op")
int BPF_PROG(qs_enqueue_op, struct sk_buff *skb, struct Qdisc *sch,
	     struct bpf_sk_buff_ptr *to_free)
{
	__u32 index = sch->limit;
	qs_core_t *c = qs_window(index);
	struct qs_packet_slot *slot;
	struct qs_packet p;
	__u64 now;
	int i, again = 0;

	qs_use_arena();
	now = read_packet(skb, &p);
	p.hash = p.stream == QS_NIL ? flow_hash(c, index, skb) : 0;
retry:
	i = qs_enqueue(c, &p, now);
	if (c->doomed != QS_NIL)
		drop_doomed(sch, index, to_free);
	if (i == QS_REFUSED_RETRY && !again++)
		goto retry;
	if (c->released != QS_NIL)
		give_back(index);
	if (i < 0)
		goto drop;
	slot = packet_slot(index, i);
	if (!slot)
		goto drop;
	sch->q.qlen++;
	sch->qstats.backlog += p.len;
	skb = bpf_kptr_xchg(&slot->skb, skb);
	if (skb)
		bpf_qdisc_skb_drop(skb, to_free);
	return QS_NET_XMIT_SUCCESS;
drop:
	sch->qstats.drops++;
	bpf_qdisc_skb_drop(skb, to_free);
	return QS_NET_XMIT_DROP;
}

static __always_inline void drop_slot(struct Qdisc *sch, __u32 index, __u32 i)
{
	struct qs_packet_slot *slot = packet_slot(index, i);
	struct sk_buff *skb;

	sch->q.qlen--;
	sch->qstats.drops++;
	sch->qstats.backlog -= qs_slot(qs_window(index), i)->len;
	if (!slot)
		return;
	skb = bpf_kptr_xchg(&slot->skb, NULL);
	if (skb)
		bpf_kfree_skb(skb);
}

SEC("struct_ops/qs_dequeue_op")
struct sk_buff *BPF_PROG(qs_dequeue_op, struct Qdisc *sch)
{
	__u32 index = sch->limit, i;
	qs_core_t *c = qs_window(index);
	struct qs_packet_slot *slot;
	struct sk_buff *skb = NULL;
	__u64 now, r = QS_DEQ_EMPTY;
	__u32 k;

	qs_use_arena();
	if (!sch->q.qlen)
		return NULL;
	now = time_now(c);
	for (k = c->zero; k < QS_DROPS_PER_DEQUEUE && qs_can_loop; k++) {
		r = qs_dequeue(c, now);
		if (QS_DEQ_OP(r) != QS_DEQ_DROP)
			break;
		drop_slot(sch, index, QS_DEQ_SLOT(r));
	}
	if (c->released != QS_NIL)
		give_back(index);
	if (QS_DEQ_OP(r) == QS_DEQ_WAIT) {
		sch->qstats.overlimits++;
		bpf_qdisc_watchdog_schedule(sch, c->wake, 0);
		return NULL;
	}
	if (QS_DEQ_OP(r) == QS_DEQ_DROP) /* more to drop: go on at once */
		bpf_qdisc_watchdog_schedule(sch, now, 0);
	if (QS_DEQ_OP(r) != QS_DEQ_SEND)
		return NULL;
	i = QS_DEQ_SLOT(r);
	slot = packet_slot(index, i);
	if (!slot)
		return NULL;
	skb = bpf_kptr_xchg(&slot->skb, NULL);
	if (!skb)
		return NULL;
	sch->q.qlen--;
	sch->qstats.backlog -= qs_slot(c, i)->len;
	bpf_qdisc_bstats_update(sch, skb);
	return skb;
}

/* The device's entry, if it was initialised for us and has no qdisc of ours. */
SEC("struct_ops/qs_init_op")
int BPF_PROG(qs_init_op, struct Qdisc *sch, struct nlattr *opt,
	     struct netlink_ext_ack *extack)
{
	struct net_device *netdev = sch->dev_queue->dev;
	struct qs_if_key key = { .ifindex = netdev->ifindex };
	struct qs_dev *dev;
	__u32 *index;

	qs_use_arena();
	key.netns = netdev->nd_net.net->net_cookie;
	index = bpf_map_lookup_elem(&qs_ifs, &key);
	if (!index || sch->parent != QS_TC_H_ROOT)
		return -QS_EPERM;
	dev = qs_dev(*index);
	if (!dev || dev->state == QS_DEV_FREE || dev->sched != QS_QDISC_SCHED)
		return -QS_EPERM;
	if (__sync_val_compare_and_swap(&dev->qdisc, QS_QDISC_NONE,
					QS_QDISC_ON))
		return -QS_EBUSY;
	sch->limit = *index;
	return 0;
}

SEC("struct_ops/qs_reset_op")
void BPF_PROG(qs_reset_op, struct Qdisc *sch)
{
	__u32 index = sch->limit, i;
	qs_core_t *c = qs_window(index);
	struct qs_packet_slot *slot;
	struct sk_buff *skb;

	qs_use_arena();
	for (i = c->zero; i < c->n_slots && qs_can_loop; i++) {
		slot = packet_slot(index, i);
		if (!slot)
			break;
		skb = bpf_kptr_xchg(&slot->skb, NULL);
		if (skb)
			bpf_kfree_skb(skb);
	}
	qs_core_reset(c);
	give_back(index);
	sch->q.qlen = 0;
	sch->qstats.backlog = 0;
}

SEC("struct_ops/qs_destroy_op")
void BPF_PROG(qs_destroy_op, struct Qdisc *sch)
{
	struct net_device *netdev = sch->dev_queue->dev;
	struct qs_dev *dev = qs_dev(sch->limit);

	if (!dev)
		return;
	dev->qdisc = netdev->reg_state == QS_NETREG_REGISTERED ? QS_QDISC_NONE :
								 QS_QDISC_GONE;
}

SEC(".struct_ops.link")
struct Qdisc_ops qs_qdisc_ops = {
	.id = QS_QDISC_KIND,
	.enqueue = (void *)qs_enqueue_op,
	.dequeue = (void *)qs_dequeue_op,
	.init = (void *)qs_init_op,
	.reset = (void *)qs_reset_op,
	.destroy = (void *)qs_destroy_op,
};

#endif
