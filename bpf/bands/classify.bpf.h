/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The classifier of the bands engine: where there are no BPF qdiscs, it judges
 * each packet as it comes and says by its priority which of HTB's classes it
 * shall have. A scheduler's NAME.bpf.c includes its core, and then this.
 */
#ifndef QS_BANDS_CLASSIFY_BPF_H
#define QS_BANDS_CLASSIFY_BPF_H

#include "bpf/packet.bpf.h"
#include "schedulers/common/judge.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The lowest of the streams' bands: behind nothing that is bulk. */
#define CONTROL_BAND (QS_HTB_BANDS - 2)

/* ---- counts */

static __always_inline void count_in(struct qs_bands *b, struct qs_banded *t,
				     const struct qs_packet *p,
				     const struct verdict *v)
{
	if (v->band == QS_BAND_BESTEFFORT) {
		__sync_fetch_and_add(&t->demoted, 1);
		return;
	}
	__sync_fetch_and_add(&t->s.packets, 1);
	__sync_fetch_and_add(&t->s.bytes, (__u64)p->len);
	if (v->first)
		__sync_fetch_and_add(&t->s.units, 1);
	__sync_fetch_and_add(&b->packets, 1);
	__sync_fetch_and_add(&b->bytes[v->band % QS_HTB_BANDS], (__s64)p->len);
}

/*
 * For who has asked. What goes as best effort may be lost there unseen: its fate
 * is that it was sent. Not static: it is verified once, and not for each way to it.
 */
__noinline int tell(struct qs_bands *b, struct qs_banded *t,
		    const struct qs_packet *p, const struct verdict *v)
{
	if (!b || !t || !p || !v)
		return 0;
	qs_violated(&b->core, &t->s, v->violations);
	if (v->fate || v->band == QS_BAND_BESTEFFORT)
		qs_fate(&b->core, &t->s, v->fate ? v->fate : QOS_FATE_SENT,
			p->flags, p->cookie, 0);
	return 0;
}

/* ---- the packet's control block */

static __always_inline __u32 slack(__u64 deadline, __u64 now)
{
	if (!deadline)
		return QS_SLACK_NONE;
	return deadline > now ? (deadline - now) >> QS_SLACK_SHIFT : 0;
}

static __always_inline void write_packet(struct __sk_buff *skb,
					 const struct qs_packet *p,
					 const struct verdict *v, __u64 now)
{
	__u32 kept = QS_TX_COOKIE | QS_CBF_MORE;

	if (v->band == QS_BAND_BESTEFFORT)
		kept = 0;
	skb->priority = QS_BAND_CLASS(v->band);
	skb->cb[0] = slack(v->deadline, now);
	skb->cb[1] = p->cookie;
	skb->cb[2] = QS_CB_MAGIC | v->flags | (p->flags & kept);
	skb->cb[3] = QS_BAND_STREAM(p->stream, p->gen);
	skb->cb[4] = now >> QS_ARRIVAL_SHIFT;
}

/* ---- the program */

static __always_inline void judge_locked(struct qs_bands *b,
					 struct qs_banded *t,
					 const struct qs_packet *p, __u64 now,
					 struct verdict *v)
{
	__u32 which = qs_lock_of(b->core.index, p->stream);
	struct qs_lock *l = bpf_map_lookup_elem(&qs_locks, &which);

	if (!l)
		return;
	bpf_spin_lock(&l->lock);
	judge(b, t, p, now, v);
	bpf_spin_unlock(&l->lock);
}

static __noinline int classify(struct __sk_buff *skb, const struct qs_sock *ss,
			       struct qs_packet *p, __u64 now)
{
	struct verdict v = {};
	struct qs_banded *t;
	struct qs_bands *b;

	if (!ss || !p)
		return QS_TCX_NEXT;
	b = qs_bands(ss->dev);
	t = qs_banded(ss->dev, p->stream);
	if (QS_LIFE_GEN(QS_READ(t->s.life)) != p->gen)
		return QS_TCX_NEXT; /* as best effort */
	bands_check(b, now);
	judge_locked(b, t, p, now, &v);
	if (QS_READ(t->s.ring) || t->s.violations != v.violations)
		tell(b, t, p, &v);
	if (v.fate)
		return QS_TCX_DROP;
	if (!QS_READ(b->blind))
		count_in(b, t, p, &v);
	write_packet(skb, p, &v, now);
	return QS_TCX_NEXT;
}

static __always_inline int classify_besteffort(struct __sk_buff *skb,
					       struct bpf_sock *sk)
{
	skb->cb[2] = 0;
	if (besteffort(skb, sk) & QS_CBF_CONTROL)
		skb->priority = QS_BAND_CLASS(CONTROL_BAND);
	return QS_TCX_NEXT;
}

SEC("tcx/egress")
int qs_classify(struct __sk_buff *skb)
{
	struct bpf_sock *sk = full_sock(skb);
	struct qs_sock *ss = sk ? stream_of(skb, sk) : NULL;
	struct qs_packet p = {};
	__u64 now;

	if (!ss)
		return classify_besteffort(skb, sk);
	now = bpf_ktime_get_ns();
	p.len = skb->wire_len;
	p.stream = ss->stream;
	p.gen = ss->gen;
	qs_tx_unpack(&p, message(skb, sk, &p.flags), now);
	return classify(skb, ss, &p, now);
}

#endif
