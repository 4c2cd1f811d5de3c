/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages on TCP, whose bytes lose their bounds on the way. The manager is
 * told before they are written: so many bytes from here on have this. It knows
 * where "here" is, and what is TCP, so nothing about the socket is kept here.
 */
#include <errno.h>
#include <limits.h>
#include <linux/net_tstamp.h>
#include <string.h>

#include "internal.h"

static int set_mark(int fd, __u64 bits, size_t len)
{
	struct qs_mark mark = { .tx = bits, .len = len };

	if (len > QS_MARK_MAX)
		mark.len = QS_MARK_MAX;
	return setsockopt(fd, SOL_QSOCKETS, QS_MARK, &mark, sizeof(mark));
}

size_t qs_message_len(const struct msghdr *msg)
{
	size_t len = 0, i;

	if (msg->msg_iovlen > IOV_MAX ||
	    !qs_readable(msg->msg_iov, msg->msg_iovlen * sizeof(*msg->msg_iov)))
		return 0; /* the call itself says so */
	for (i = 0; i < msg->msg_iovlen; i++)
		len += msg->msg_iov[i].iov_len;
	return len;
}

/*
 * Of a message whose fate somebody waits for: the kernel notes when its last
 * byte leaves, which wakes who waits (watch.c reads the note).
 */
static ssize_t send_noted(int fd, const struct msghdr *msg, int flags)
{
	__u32 note = SOF_TIMESTAMPING_TX_SOFTWARE;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(note))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(note)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SO_TIMESTAMPING } };
	struct msghdr with = *msg;

	if (msg->msg_controllen) /* the caller's own: qfates() has to be asked */
		return sendmsg(fd, msg, flags);
	memcpy(CMSG_DATA(&control.header), &note, sizeof(note));
	with.msg_control = &control;
	with.msg_controllen = sizeof(control);
	return sendmsg(fd, &with, flags);
}

/*
 * A message with a cookie ends its segment: a packet brings one cookie along.
 * After a short write, what a later one writes is no part of the message.
 */
int qs_mark_send(int fd, const struct msghdr *msg, int flags, __u64 bits,
		 ssize_t *n)
{
	size_t len = qs_message_len(msg);
	int err = set_mark(fd, bits, len) ? errno : 0;

	if (err && err != EINPROGRESS)
		return -err;
	if (bits & QS_TX_COOKIE)
		flags |= MSG_EOR;
	*n = err ? send_noted(fd, msg, flags) : sendmsg(fd, msg, flags);
	err = errno;
	if (*n < 0 || (size_t)*n < len)
		set_mark(fd, 0, 0);
	errno = err;
	return 0;
}
