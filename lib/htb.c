/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The qdisc of the bands: an HTB with one inner class, which has the device's
 * rate, and a leaf for each band, 0 first.
 *
 *	5153:		default class 8
 *	  5153:10	rate = ceil = the device's
 *	    5153:1 .. 5153:7	streams, prio 0 to 6: pfifo
 *	    5153:8		best effort, prio 7: fq_codel, or what there is
 *
 * HTB first serves leaves that are within their own rate, by prio, and only
 * then those that borrow, by prio. So a band of streams has next to none of
 * its own, and all that it sends is borrowed: the bands are strict. HTB forgets
 * debts of more than a minute, and lets a leaf send one packet out of turn then.
 *
 * Best effort has a twentieth of its own: it goes before the streams when it is
 * owed. How much it may save up is the time that the whole class may be late. A
 * packet of its own costs it 20 times its time on the wire, so there is one
 * packet at a time out of turn, and none is lost to a late timer.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "netlink.h"

#define HTB_VERSION 3
#define RATE_TO_QUANTUM 10 /* the kernel's own; every class has a quantum */

/* A rate, bytes/s, that no device has: HTB has to be given one. */
#define NO_LIMIT 1250000000000ull
#define NO_RATE 1ull
/*
 * Best effort's own without a rate to take a twentieth of: enough to log in,
 * and not much to any device.
 */
#define BESTEFFORT_RATE 16000ull

/* HTB counts time in steps of 64 ns. */
#define TICK_SHIFT 6

struct class
{
	__u32 id, parent;
	__u32 prio;
	__u64 rate, ceil; /* bytes/s */
	__u64 burst, ceil_burst; /* ns */
};

/* ---- sizes */

static __u32 packet_size(const struct qs_htb *htb)
{
	return htb->mtu + ETH_HLEN + htb->overhead;
}

static __u64 device_rate(const struct qs_htb *htb)
{
	__u64 rate = (htb->rate + 4) / 8;

	if (!htb->rate)
		return NO_LIMIT;
	return rate ? rate : 1;
}

static __u64 besteffort_rate(const struct qs_htb *htb)
{
	__u64 rate = device_rate(htb) / QS_BESTEFFORT_SHARE;

	if (!htb->rate)
		return BESTEFFORT_RATE;
	return rate ? rate : 1;
}

static __u32 ticks(__u64 ns)
{
	__u64 n = ns >> TICK_SHIFT;

	return n < UINT32_MAX ? n : UINT32_MAX;
}

static struct tc_ratespec rate_spec(const struct qs_htb *htb, __u64 rate)
{
	struct tc_ratespec spec = {
		.linklayer = TC_LINKLAYER_ETHERNET,
		.overhead = htb->overhead,
		.rate = rate < UINT32_MAX ? rate : UINT32_MAX,
	};

	return spec;
}

/* ---- the tree */

static int add_root(const struct qs_htb *htb)
{
	struct tc_htb_glob glob = {
		.version = HTB_VERSION,
		.rate2quantum = RATE_TO_QUANTUM,
		.defcls = TC_H_MIN(QS_BAND_CLASS(QS_BAND_BESTEFFORT)),
	};
	char room[QS_REQUEST_SIZE];
	struct nlattr *options;
	struct nlmsghdr *h;
	int err;

	h = qs_tc_request(room, RTM_NEWQDISC, htb->ifindex, TC_H_ROOT,
			  QS_QDISC_HANDLE);
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(h, TCA_KIND, "htb");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put(h, TCA_HTB_INIT, sizeof(glob), &glob);
	mnl_attr_nest_end(h, options);
	err = qs_talk(h, NULL, NULL, "add the qdisc \"htb\"");
	if (err == -ENOENT)
		return qs_fail(EOPNOTSUPP, "this kernel has no HTB "
					   "(CONFIG_NET_SCH_HTB)");
	return err;
}

static int add_class(const struct qs_htb *htb, const struct class *c)
{
	struct tc_htb_opt opt = {
		.rate = rate_spec(htb, c->rate),
		.ceil = rate_spec(htb, c->ceil),
		.buffer = ticks(c->burst),
		.cbuffer = ticks(c->ceil_burst),
		.quantum = packet_size(htb),
		.prio = c->prio,
	};
	char room[QS_REQUEST_SIZE], what[64];
	struct nlattr *options;
	struct nlmsghdr *h;

	h = qs_tc_request(room, RTM_NEWTCLASS, htb->ifindex, c->parent, c->id);
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(h, TCA_KIND, "htb");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put(h, TCA_HTB_PARMS, sizeof(opt), &opt);
	if (c->rate > UINT32_MAX)
		mnl_attr_put_u64(h, TCA_HTB_RATE64, c->rate);
	if (c->ceil > UINT32_MAX)
		mnl_attr_put_u64(h, TCA_HTB_CEIL64, c->ceil);
	mnl_attr_nest_end(h, options);
	snprintf(what, sizeof(what), "add the class %x:%x",
		 TC_H_MAJ(c->id) >> 16, TC_H_MIN(c->id));
	return qs_talk(h, NULL, NULL, what);
}

/* The inner class and the bands. */
static int add_classes(const struct qs_htb *htb)
{
	__u64 slack = qs_slack(htb->rate, 0, packet_size(htb));
	struct class c = {
		.id = QS_HTB_INNER,
		.parent = TC_H_ROOT,
		.rate = device_rate(htb),
		.ceil = device_rate(htb),
		.ceil_burst = qs_slack(htb->rate, htb->burst, packet_size(htb)),
	};
	__u32 band;
	int err;

	c.burst = c.ceil_burst;
	err = add_class(htb, &c);
	c.parent = QS_HTB_INNER;
	c.burst = slack;
	for (band = 0; !err && band < QS_HTB_BANDS; band++) {
		c.id = QS_BAND_CLASS(band);
		c.prio = band;
		c.rate = band == QS_BAND_BESTEFFORT ? besteffort_rate(htb) :
						      NO_RATE;
		err = add_class(htb, &c);
	}
	return err;
}

/* ---- the leaves' own qdiscs */

static int add_leaf(const struct qs_htb *htb, __u32 band, const char *kind,
		    void (*put_options)(struct nlmsghdr *h, __u32 packets))
{
	char room[QS_REQUEST_SIZE], what[64];
	struct nlmsghdr *h;

	h = qs_tc_request(room, RTM_NEWQDISC, htb->ifindex, QS_BAND_CLASS(band),
			  0);
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(h, TCA_KIND, kind);
	put_options(h, htb->packets);
	snprintf(what, sizeof(what), "add the qdisc \"%s\" for band %u", kind,
		 band);
	return qs_talk(h, NULL, NULL, what);
}

static void pfifo_options(struct nlmsghdr *h, __u32 packets)
{
	struct tc_fifo_qopt opt = { .limit = packets };

	mnl_attr_put(h, TCA_OPTIONS, sizeof(opt), &opt);
}

static void sfq_options(struct nlmsghdr *h, __u32 packets)
{
	struct tc_sfq_qopt opt = { .limit = packets };

	mnl_attr_put(h, TCA_OPTIONS, sizeof(opt), &opt);
}

static void fq_codel_options(struct nlmsghdr *h, __u32 packets)
{
	struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

	mnl_attr_put_u32(h, TCA_FQ_CODEL_LIMIT, packets);
	mnl_attr_nest_end(h, options);
}

static int is_missing(int err)
{
	return err == -ENOENT || err == -EOPNOTSUPP;
}

static int add_leaves(const struct qs_htb *htb)
{
	__u32 band;
	int err;

	for (band = 0; band < QS_BAND_BESTEFFORT; band++) {
		err = add_leaf(htb, band, "pfifo", pfifo_options);
		if (err)
			return err;
	}
	err = add_leaf(htb, band, "fq_codel", fq_codel_options);
	if (is_missing(err))
		err = add_leaf(htb, band, "sfq", sfq_options);
	if (is_missing(err))
		err = add_leaf(htb, band, "pfifo", pfifo_options);
	return err;
}

int qs_htb_add(const struct qs_htb *htb)
{
	int err;

	err = add_root(htb);
	if (err)
		return err;
	err = add_classes(htb);
	if (!err)
		err = add_leaves(htb);
	if (err)
		qs_qdisc_del(htb->ifindex);
	return err;
}

/* ---- what is there */

struct classes {
	int ifindex;
	int inner;
	__u32 bands; /* bits */
};

static int class_message(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	struct classes *found = data;
	__u32 band = TC_H_MIN(tc->tcm_handle) - 1;

	if (tc->tcm_ifindex != found->ifindex)
		return MNL_CB_OK;
	if (tc->tcm_handle == QS_HTB_INNER && tc->tcm_parent == TC_H_ROOT)
		found->inner = 1;
	if (tc->tcm_parent == QS_HTB_INNER && band < QS_HTB_BANDS)
		found->bands |= 1u << band;
	return MNL_CB_OK;
}

int qs_htb_intact(int ifindex)
{
	struct classes found = { .ifindex = ifindex };
	char room[QS_REQUEST_SIZE];
	struct qs_qdisc root;
	struct nlmsghdr *h;
	int err;

	err = qs_qdisc_get(ifindex, &root);
	if (err)
		return err;
	if (root.handle != QS_QDISC_HANDLE || strcmp(root.kind, "htb"))
		return 0;
	h = qs_tc_request(room, RTM_GETTCLASS, ifindex, QS_QDISC_HANDLE, 0);
	h->nlmsg_flags = NLM_F_DUMP;
	err = qs_talk(h, class_message, &found, "list the classes");
	if (err)
		return err;
	return found.inner && found.bands == (1u << QS_HTB_BANDS) - 1;
}
