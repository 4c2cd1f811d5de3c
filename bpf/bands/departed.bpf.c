// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Packets that have left a device's HTB: what was sent, how long it waited and
 * whether that was too long. The kernel calls it for every qdisc, under the root
 * lock of that one, which is so the only writer of what is counted here. Some
 * kernels do not always call it: HTB's own count tells by how much that is.
 */
#include "bpf/maps.bpf.h"
#include "schedulers/common/fate.h"
#include "schedulers/common/tenant.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define STREAM_MASK ((1u << QS_BAND_STREAM_BITS) - 1)
#define BULK 64 /* packets that one dequeue may have taken */
#define BETWEEN_NS 5000000ull /* from the classifier to HTB, ample */

/* ---- counts */

static __always_inline void count_out(struct qs_bands *b, __u32 band, __u32 len)
{
	__sync_fetch_and_add(&b->packets, -1);
	__sync_fetch_and_add(&b->bytes[band % QS_HTB_BANDS], -(__s64)len);
}

/* After the queues were found empty it may be counted out without being in. */
static __always_inline void count_stream_out(struct qs_stream *s, __u32 len,
					     int ends)
{
	if ((__s32)QS_READ(s->packets) <= 0)
		return;
	__sync_fetch_and_add(&s->packets, -1);
	__sync_fetch_and_add(&s->bytes, -(__u64)len);
	if (ends && (__s32)QS_READ(s->units) > 0)
		__sync_fetch_and_add(&s->units, -1);
}

/* Not static: it is verified once, and not for each packet of a bulk. */
__noinline int departed(struct qs_bands *b, struct qs_stream *s,
			const struct qs_band_cb *cb, __u32 len, int counted)
{
	__u64 now = bpf_ktime_get_ns(), delay;
	int late, ends;

	if (!b || !s || !cb)
		return 0;
	delay = (__u64)((__u32)(now >> QS_ARRIVAL_SHIFT) - cb->arrival)
		<< QS_ARRIVAL_SHIFT;
	late = (cb->magic_flags & QS_CBF_LATE) ||
	       (cb->slack != QS_SLACK_NONE &&
		delay >> QS_SLACK_SHIFT > cb->slack);
	ends = !!(cb->magic_flags & QS_CBF_UNIT_END);
	s->sent_packets++;
	s->sent_bytes += len;
	s->sent_units += ends;
	s->late_units += ends && late;
	qs_delay(s, delay);
	if (counted)
		count_stream_out(s, len, ends);
	if (!QS_READ(s->ring))
		return 0;
	qs_fate(&b->core, s, late ? QOS_FATE_LATE : QOS_FATE_SENT,
		cb->magic_flags, cb->cookie, delay);
	return qs_watch(&b->core, s, now);
}

/* ---- packets */

/* Returns its bytes. */
static __always_inline __u32 packet(struct qs_bands *b, struct sk_buff *skb)
{
	const struct qdisc_skb_cb *at = (const struct qdisc_skb_cb *)skb->cb;
	__u32 len = 0, band = skb->priority - QS_BAND_CLASS(0);
	struct qs_band_cb cb = {};
	struct qs_banded *t;

	bpf_core_read(&len, sizeof(len), &at->pkt_len);
	b->core.sent_packets++;
	b->core.sent_bytes += len;
	if (band < QS_HTB_BANDS)
		bpf_core_read(&cb, sizeof(cb), &at->data);
	if ((cb.magic_flags & QS_CB_MAGIC_MASK) != QS_CB_MAGIC) {
		b->core.be_sent_packets++;
		b->core.be_sent_bytes += len;
		b->run += len < QS_FLOW_QUANTUM ? len : QS_FLOW_QUANTUM;
		return len;
	}
	t = qs_banded(b->core.index, cb.stream & STREAM_MASK);
	if (band != QS_BAND_BESTEFFORT) {
		count_out(b, band, len);
		b->run = 0;
	} else if (QS_READ(t->demoted) > 0) {
		__sync_fetch_and_add(&t->demoted, -1);
	}
	if (QS_BAND_STREAM(cb.stream & STREAM_MASK, t->s.gen_seen) == cb.stream)
		departed(b, &t->s, &cb, len, band != QS_BAND_BESTEFFORT);
	return len;
}

static __always_inline __u32 all_packets(struct qs_bands *b,
					 struct sk_buff *skb)
{
	__u32 sum = 0;
	int k;

	for (k = 0; k < BULK && skb; k++) {
		sum += packet(b, skb);
		skb = skb->next;
	}
	return sum;
}

static __always_inline __u64 htb_bytes(struct Qdisc *q)
{
	__u64 bytes = 0;

	if (bpf_core_field_exists(q->bstats.bytes))
		bpf_core_read(&bytes, sizeof(bytes), &q->bstats.bytes);
	return bytes;
}

static __always_inline struct qs_bands *bands_of(const struct net_device *dev)
{
	struct qs_if_key key = { .ifindex = dev->ifindex };
	__u32 *index;

	key.netns = dev->nd_net.net->net_cookie;
	index = bpf_map_lookup_elem(&qs_ifs, &key);
	return index ? qs_bands(*index) : NULL;
}

/*
 * More bytes of best effort in a row than HTB lets go before streams that wait: one
 * packet, of whatever size, and what was saved up, a twentieth of the burst; and more
 * than leaves while a stream's packet is between the classifier and HTB.
 */
static __always_inline __u64 run_most(const struct qs_core *c)
{
	__u64 per_second = c->rate >> 3, burst, between;

	if (!c->rate)
		return 64 * QS_FLOW_QUANTUM;
	burst = per_second * c->slack / QS_NSEC_PER_SEC;
	between = per_second * BETWEEN_NS / QS_NSEC_PER_SEC;
	return 8 * QS_FLOW_QUANTUM + burst / QS_BESTEFFORT_SHARE + between;
}

/* Nothing, or nothing but best effort, which else would not leave for so long. */
static __always_inline int streams_are_gone(const struct qs_bands *b,
					    const struct Qdisc *q)
{
	return !q->q.qlen || b->run > run_most(&b->core);
}

SEC("tp_btf/qdisc_dequeue")
int BPF_PROG(qs_departed, struct Qdisc *q, const struct netdev_queue *txq,
	     int packets, struct sk_buff *skb)
{
	struct qs_bands *b;
	__s64 unseen;
	__u64 total;

	if (!skb || q->handle != (__u32)QS_SOL_QSOCKETS << 16)
		return 0;
	b = bands_of(q->dev_queue->dev);
	if (!b)
		return 0;
	total = htb_bytes(q);
	if (total && total == b->htb_bytes)
		return 0; /* seen before: the device did not take it then */
	unseen = (__s64)(total - b->htb_bytes) - all_packets(b, skb);
	if (unseen > 0) {
		b->core.unseen_bytes += unseen;
		b->run = 0; /* they may have been a stream's */
	}
	b->htb_bytes = total;
	b->moved_at = bpf_ktime_get_ns();
	b->blind = 0;
	if (b->packets && streams_are_gone(b, q))
		qs_bands_forget(b);
	if (!b->packets)
		b->run = 0; /* it begins when a stream's packet comes */
	return 0;
}
