/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The classifier as a filter at clsact's egress, where the kernel has no tcx: of
 * the kind "bpf", direct-action, with our name and handle.
 *
 * Its priority is 1, the first. If that has other BPF filters for all protocols,
 * the kernel runs the newest of them first, which is this one. A filter of
 * another kind or protocol keeps its priority to itself: then it is the next
 * one that can be had. What such a filter ends is not seen here.
 *
 * The handle also says whether clsact was made for it.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <string.h>

#include "netlink.h"

#define FILTER_NAME "qsockets"
#define FILTER_SHARED 0x51530001u /* in a clsact of somebody else's */
#define FILTER_OWN 0x51530002u

#define EGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)
#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define CLSACT_HANDLE TC_H_MAKE(TC_H_CLSACT, 0)

/* ---- clsact itself */

/* There is one for each device, with this handle; or "ingress" has that. */
struct clsact_search {
	int ifindex;
	char kind[16];
};

static int clsact_message(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	struct clsact_search *s = data;

	if (tc->tcm_ifindex == s->ifindex && tc->tcm_handle == CLSACT_HANDLE)
		qs_tc_kind(h, s->kind, sizeof(s->kind));
	return MNL_CB_OK;
}

/* Is there one? 1, 0, or -Exxx. */
static int has_clsact(int ifindex)
{
	struct clsact_search s = { .ifindex = ifindex };
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h;
	int err;

	h = qs_tc_request(room, RTM_GETQDISC, ifindex, 0, 0);
	h->nlmsg_flags = NLM_F_DUMP;
	err = qs_talk(h, clsact_message, &s, "list the qdiscs");
	if (err)
		return err;
	if (*s.kind && strcmp(s.kind, "clsact"))
		return qs_fail(EBUSY,
			       "the device has the qdisc \"%s\", beside which "
			       "there can be no clsact: delete that first",
			       s.kind);
	return !!*s.kind;
}

static int add_clsact(int ifindex)
{
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h;
	int err;

	h = qs_tc_request(room, RTM_NEWQDISC, ifindex, TC_H_CLSACT,
			  CLSACT_HANDLE);
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(h, TCA_KIND, "clsact");
	err = qs_talk(h, NULL, NULL, "add the qdisc \"clsact\"");
	if (err == -ENOENT)
		return qs_fail(EOPNOTSUPP, "this kernel has no clsact "
					   "(CONFIG_NET_SCH_INGRESS)");
	return err;
}

static int delete_clsact(int ifindex)
{
	char room[QS_REQUEST_SIZE];

	return qs_talk(qs_tc_request(room, RTM_DELQDISC, ifindex, TC_H_CLSACT,
				     CLSACT_HANDLE),
		       NULL, NULL, "delete the qdisc \"clsact\"");
}

/* ---- filters */

struct filters {
	__u32 n; /* of anybody */
	__u32 handle, info; /* ours; 0: there is none */
	__u32 taken; /* priorities from 1 on that are no place for ours */
};

static int is_named(const struct nlattr *options)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, options)
		if (mnl_attr_get_type(attr) == TCA_BPF_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return !strcmp(mnl_attr_get_str(attr), FILTER_NAME);
	return 0;
}

static __u32 chain_of(const struct nlmsghdr *h)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, sizeof(struct tcmsg))
		if (mnl_attr_get_type(attr) == TCA_CHAIN &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			return mnl_attr_get_u32(attr);
	return 0;
}

/* A chain's filters come by their priority; 0 is where packets start. */
static void note_priority(const struct nlmsghdr *h, struct filters *f)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	char kind[16] = "";

	qs_tc_kind(h, kind, sizeof(kind));
	if (!strcmp(kind, "bpf") && TC_H_MIN(tc->tcm_info) == htons(ETH_P_ALL))
		return;
	if (!chain_of(h) && tc->tcm_info >> 16 == f->taken + 1)
		f->taken++;
}

static int filter_message(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	struct filters *f = data;
	const struct nlattr *attr;

	f->n++;
	note_priority(h, f);
	if (tc->tcm_handle != FILTER_SHARED && tc->tcm_handle != FILTER_OWN)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, h, sizeof(*tc)) {
		if (mnl_attr_get_type(attr) != TCA_OPTIONS || !is_named(attr))
			continue;
		f->handle = tc->tcm_handle;
		f->info = tc->tcm_info;
	}
	return MNL_CB_OK;
}

/* Adds to what was found; of a device without clsact there is nothing. */
static int list_filters(int ifindex, __u32 parent, struct filters *f)
{
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h;

	h = qs_tc_request(room, RTM_GETTFILTER, ifindex, parent, 0);
	h->nlmsg_flags = NLM_F_DUMP;
	return qs_talk(h, filter_message, f, "list the filters");
}

static struct nlmsghdr *filter_request(void *room, __u16 type, int ifindex,
				       __u32 handle, __u32 info)
{
	struct nlmsghdr *h = qs_tc_request(room, type, ifindex, EGRESS, handle);

	((struct tcmsg *)mnl_nlmsg_get_payload(h))->tcm_info = info;
	mnl_attr_put_strz(h, TCA_KIND, "bpf");
	return h;
}

static int add_filter(int ifindex, __u32 handle, __u32 priority, int prog_fd)
{
	char room[QS_REQUEST_SIZE];
	struct nlattr *options;
	struct nlmsghdr *h;
	int err;

	h = filter_request(room, RTM_NEWTFILTER, ifindex, handle,
			   TC_H_MAKE(priority << 16, htons(ETH_P_ALL)));
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_BPF_FD, prog_fd);
	mnl_attr_put_strz(h, TCA_BPF_NAME, FILTER_NAME);
	mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(h, options);
	err = qs_talk(h, NULL, NULL, "attach the classifier");
	if (err == -ENOENT)
		return qs_fail(EOPNOTSUPP, "this kernel has no BPF filters "
					   "(CONFIG_NET_CLS_BPF)");
	return err;
}

/* ---- calls */

static int attach(int ifindex, __u32 handle, int prog_fd)
{
	struct filters others = { .n = 0 };
	int err;

	err = list_filters(ifindex, EGRESS, &others);
	if (!err)
		err = add_filter(ifindex, handle, others.taken + 1, prog_fd);
	if (err && handle == FILTER_OWN)
		delete_clsact(ifindex);
	return err;
}

int qs_clsact_attach(int ifindex, int prog_fd)
{
	int err, has;

	err = qs_clsact_detach(ifindex);
	if (err)
		return err;
	has = has_clsact(ifindex);
	if (has < 0)
		return has;
	if (has)
		return attach(ifindex, FILTER_SHARED, prog_fd);
	err = add_clsact(ifindex);
	return err ? err : attach(ifindex, FILTER_OWN, prog_fd);
}

/* Whose clsact it is can be seen no more once the filter is gone. */
static int release_clsact(int ifindex)
{
	struct filters left = { .n = 0 };
	int err;

	err = list_filters(ifindex, EGRESS, &left);
	if (!err)
		err = list_filters(ifindex, INGRESS, &left);
	if (err || left.n)
		return err;
	return delete_clsact(ifindex);
}

int qs_clsact_detach(int ifindex)
{
	struct filters f = { .n = 0 };
	char room[QS_REQUEST_SIZE];
	int err;

	err = list_filters(ifindex, EGRESS, &f);
	if (err || !f.handle)
		return err;
	err = qs_talk(filter_request(room, RTM_DELTFILTER, ifindex, f.handle,
				     f.info),
		      NULL, NULL, "detach the classifier");
	if (err || f.handle != FILTER_OWN)
		return err;
	return release_clsact(ifindex);
}

int qs_clsact_alive(int ifindex)
{
	struct filters f = { .n = 0 };
	int err;

	err = list_filters(ifindex, EGRESS, &f);
	return err ? err : !!f.handle;
}
