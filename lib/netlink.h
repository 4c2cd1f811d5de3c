/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rtnetlink's requests and answers, for the files that speak it. */
#ifndef QS_LIB_NETLINK_H
#define QS_LIB_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "internal.h"

#define QS_REQUEST_SIZE 512

/*
 * Sends the request, and waits until it was done, or until its dump ends; each
 * message of that goes to cb. `what` begins the sentence of a failure.
 */
int qs_talk(struct nlmsghdr *request, mnl_cb_t cb, void *data,
	    const char *what);

/* Begins a request about a qdisc, class or filter; no flags are set. */
struct nlmsghdr *qs_tc_request(void *room, __u16 type, int ifindex,
			       __u32 parent, __u32 handle);

/* The kind of what such a message is about; untouched if it has none. */
void qs_tc_kind(const struct nlmsghdr *h, char *kind, size_t size);

#endif
