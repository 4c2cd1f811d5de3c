/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and qdiscs by rtnetlink, in the caller's network namespace. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netlink.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static void close_socket(struct mnl_socket **nl)
{
	if (*nl)
		mnl_socket_close(*nl);
}

/* ---- one request and its answers */

/* The kernel's own words about an error, if it has any. */
static const char *error_words(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t skip = sizeof(*e);
	const struct nlattr *attr;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	mnl_attr_for_each (attr, h, skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	return NULL;
}

static int answer_error(const struct nlmsghdr *h, const char *what)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	const char *words = NULL;

	if (!e->error)
		return 0;
	if (h->nlmsg_len >= mnl_nlmsg_size(sizeof(*e)))
		words = error_words(h);
	return qs_fail(-e->error, "%s: %s%s%s", what, strerror(-e->error),
		       words ? ": " : "", words ? words : "");
}

/* Reads until the acknowledgement or a dump's end; each message goes to cb. */
static int read_answers(struct mnl_socket *nl, mnl_cb_t cb, void *data,
			const char *what)
{
	char room[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h;
	ssize_t got;
	int len;

	for (;;) {
		got = mnl_socket_recvfrom(nl, room, sizeof(room));
		if (got < 0)
			return qs_fail(errno, "%s: rtnetlink: %s", what,
				       strerror(errno));
		len = got;
		for (h = (void *)room; mnl_nlmsg_ok(h, len);
		     h = mnl_nlmsg_next(h, &len)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				return answer_error(h, what);
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (cb)
				cb(h, data);
		}
	}
}

int qs_talk(struct nlmsghdr *request, mnl_cb_t cb, void *data, const char *what)
{
	QS_AUTO(close_socket) struct mnl_socket *nl = NULL;
	int one = 1;

	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return qs_fail(errno, "rtnetlink: %s", strerror(errno));
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &one, sizeof(one));
	request->nlmsg_flags |= NLM_F_REQUEST;
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return qs_fail(errno, "rtnetlink: %s", strerror(errno));
	return read_answers(nl, cb, data, what);
}

/* ---- links */

static struct nlmsghdr *link_request(void *room, __u16 type, int ifindex)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *ifi;

	h->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	return h;
}

static int link_attr(const struct nlattr *attr, void *data)
{
	struct qs_link *link = data;

	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return MNL_CB_OK;
	if (mnl_attr_get_type(attr) == IFLA_MTU)
		link->mtu = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_GSO_MAX_SIZE)
		link->gso_max_size = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_GSO_MAX_SEGS)
		link->gso_max_segs = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int link_message(const struct nlmsghdr *h, void *data)
{
	return mnl_attr_parse(h, sizeof(struct ifinfomsg), link_attr, data);
}

int qs_link_get(int ifindex, struct qs_link *link)
{
	char room[QS_REQUEST_SIZE];
	struct qs_link got = { 0 };
	int err;

	err = qs_talk(link_request(room, RTM_GETLINK, ifindex), link_message,
		      &got, "get the device");
	if (!err)
		*link = got;
	return err;
}

static int link_set(int ifindex, __u32 size, __u32 segs)
{
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h = link_request(room, RTM_NEWLINK, ifindex);

	mnl_attr_put_u32(h, IFLA_GSO_MAX_SIZE, size);
	mnl_attr_put_u32(h, IFLA_GSO_MAX_SEGS, segs);
	return qs_talk(h, NULL, NULL, "set gso_max_size");
}

int qs_link_set_gso(int ifindex, __u32 size, __u32 segs)
{
	int err;

	/* Sizes up to this one are IPv4's, too; larger ones leave it alone. */
	if (size > 65536) {
		err = link_set(ifindex, 65536, segs);
		if (err)
			return err;
	}
	return link_set(ifindex, size, segs);
}

/* ---- qdiscs */

struct nlmsghdr *qs_tc_request(void *room, __u16 type, int ifindex,
			       __u32 parent, __u32 handle)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct tcmsg *tc;

	h->nlmsg_type = type;
	tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = ifindex;
	tc->tcm_parent = parent;
	tc->tcm_handle = handle;
	return h;
}

void qs_tc_kind(const struct nlmsghdr *h, char *kind, size_t size)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, sizeof(struct tcmsg))
		if (mnl_attr_get_type(attr) == TCA_KIND &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(kind, size, "%s", mnl_attr_get_str(attr));
}

struct root_search {
	int ifindex;
	struct qs_qdisc root;
};

static int root_message(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	struct root_search *s = data;

	if (tc->tcm_ifindex != s->ifindex || tc->tcm_parent != TC_H_ROOT)
		return MNL_CB_OK;
	s->root.handle = tc->tcm_handle;
	qs_tc_kind(h, s->root.kind, sizeof(s->root.kind));
	return MNL_CB_OK;
}

int qs_qdisc_get(int ifindex, struct qs_qdisc *root)
{
	struct root_search s = { .ifindex = ifindex };
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h;
	int err;

	h = qs_tc_request(room, RTM_GETQDISC, ifindex, TC_H_ROOT, 0);
	h->nlmsg_flags = NLM_F_DUMP;
	err = qs_talk(h, root_message, &s, "list the qdiscs");
	if (!err)
		*root = s.root;
	return err;
}

/* To the kernel its own default is no qdisc, so EXCL is about others alone. */
int qs_qdisc_add(int ifindex, const char *kind)
{
	char room[QS_REQUEST_SIZE], what[64];
	struct nlmsghdr *h;

	h = qs_tc_request(room, RTM_NEWQDISC, ifindex, TC_H_ROOT,
			  QS_QDISC_HANDLE);
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(h, TCA_KIND, kind);
	snprintf(what, sizeof(what), "add the qdisc \"%s\"", kind);
	return qs_talk(h, NULL, NULL, what);
}

/* By its handle: no other one can be deleted. */
int qs_qdisc_del(int ifindex)
{
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h;

	h = qs_tc_request(room, RTM_DELQDISC, ifindex, TC_H_ROOT,
			  QS_QDISC_HANDLE);
	return qs_talk(h, NULL, NULL, "delete the qdisc");
}

struct ours {
	int ifindex[QS_MAX_DEVICES];
	int n;
};

static int ours_message(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	struct ours *ours = data;

	if (tc->tcm_parent == TC_H_ROOT && tc->tcm_handle == QS_QDISC_HANDLE &&
	    ours->n < QS_MAX_DEVICES)
		ours->ifindex[ours->n++] = tc->tcm_ifindex;
	return MNL_CB_OK;
}

int qs_qdisc_del_all(void)
{
	struct ours ours = { .n = 0 };
	char room[QS_REQUEST_SIZE];
	struct nlmsghdr *h;
	int err, i;

	h = qs_tc_request(room, RTM_GETQDISC, 0, TC_H_ROOT, 0);
	h->nlmsg_flags = NLM_F_DUMP;
	err = qs_talk(h, ours_message, &ours, "list the qdiscs");
	for (i = 0; !err && i < ours.n; i++)
		err = qs_qdisc_del(ours.ifindex[i]);
	return err;
}

/* ---- namespaces */

int qs_netns_cookie(__u64 *cookie)
{
	QS_AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len))
		return qs_fail(errno, "the network namespace: %s",
			       strerror(errno));
	return 0;
}
