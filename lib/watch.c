/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fates and events. What happened is in the kernel, in the socket's ring, and
 * read by getsockopt(); what wakes is the socket itself: each packet that is
 * freed, sent or dropped, tells those who wait for room in the send buffer. So
 * the descriptor is an epoll instance that waits for that, edge by edge, and it
 * costs nothing to who does not ask. TCP does not say that; there the kernel's
 * time stamp of a message's last byte wakes, by the socket's error queue.
 */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

#include "internal.h"

_Static_assert(sizeof(struct qos_fate) == 16, "qos_fate");
_Static_assert(sizeof(struct qos_watch) == 24, "qos_watch");

static int is_tcp(int fd)
{
	socklen_t len = sizeof(int);
	int protocol;

	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) &&
	       protocol == IPPROTO_TCP;
}

/* ---- watching */

/* Time stamps come without the bytes that they are of. */
static void stamps_alone(int fd)
{
	socklen_t len = sizeof(__u32);
	__u32 flags = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, &len))
		return;
	flags |= SOF_TIMESTAMPING_OPT_TSONLY;
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags));
}

int qs_watch_fail(int fd, int err, const struct qos_watch *w)
{
	switch (err) {
	case EINVAL:
		if (w->events & QOS_WATCH_CONGESTION && w->low >= w->high)
			return qs_fail(err, "low is %u, not below high, %u",
				       w->low, w->high);
		return qs_fail(err,
			       "events has unknown bits, or zero is not 0");
	case ENOSPC:
		return qs_fail(err, "the device has no room for the fates of "
				    "another socket");
	case EOPNOTSUPP:
		return qs_fail(err, "the device has no rate, so none of it is "
				    "free: leave QOS_WATCH_RATE out");
	default:
		return qs_attached_fail(fd, err);
	}
}

static int begin(int fd, const struct qos_watch *w)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	static const struct qos_watch nothing;
	int epoll, err;

	if (!w)
		w = &nothing;
	err = qs_inproc_on() ? qs_inproc_watch(fd, w, &epoll) : 1;
	if (err <= 0)
		return err ? err : epoll;
	if (setsockopt(fd, SOL_QSOCKETS, QS_WATCH, w, sizeof(*w)))
		return qs_watch_fail(fd, errno, w);
	if (is_tcp(fd))
		stamps_alone(fd);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return qs_fail(errno, "epoll_create1: %s", strerror(errno));
	if (!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return epoll;
	err = qs_fail(errno, "epoll_ctl: %s", strerror(errno));
	qs_close(&epoll);
	return err;
}

/* ---- reading */

/* They have woken, and that was all that they were for. */
static void drop_stamps(int fd)
{
	_Alignas(struct cmsghdr) char room[512];
	struct msghdr msg;
	int k;

	for (k = 0; k < 2 * QOS_FATES; k++) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_control = room;
		msg.msg_controllen = sizeof(room);
		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
	}
}

/* The descriptor was readable because of what is read now. */
static void watch_clear(int fd, int epoll)
{
	struct epoll_event event;

	if (epoll < 0 || epoll_wait(epoll, &event, 1, 0) != 1)
		return;
	if ((event.events & EPOLLERR) && is_tcp(fd))
		drop_stamps(fd);
}

int qs_watch_none(int fd)
{
	return qs_fail(ENOTCONN,
		       "fd %d is not watched: use qwatch() "
		       "on an attached socket first",
		       fd);
}

static int take(int fd, struct qos_fate *to, unsigned int n)
{
	socklen_t len;

	if (n > QOS_FATES + 1)
		n = QOS_FATES + 1;
	len = n * sizeof(*to);
	if (!getsockopt(fd, SOL_QSOCKETS, QS_FATES, to, &len))
		return (int)(len / sizeof(*to));
	if (errno == EAGAIN)
		return 0;
	if (errno == EFAULT)
		return qs_fail(EFAULT, "fates cannot be written to");
	if (errno == ENODATA)
		return qs_watch_none(fd);
	return qs_attached_fail(fd, errno);
}

/* There may be more than was asked for: the descriptor stays readable. */
static void watch_again(int fd, int epoll)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };

	if (epoll >= 0)
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static int read_fates(int fd, int epoll, struct qos_fate *to, unsigned int n)
{
	int got, err;

	if (!to)
		return qs_fail(EFAULT, "fates is NULL");
	if (!n)
		return qs_fail(EINVAL, "n is 0");
	err = qs_inproc_on() ? qs_inproc_fates(fd, to, n, &got) : 1;
	if (err <= 0)
		return err ? err : got;
	watch_clear(fd, epoll);
	got = take(fd, to, n);
	if (got == (int)n)
		watch_again(fd, epoll);
	return got;
}

/* ---- public */

static int result(int n)
{
	return n < 0 ? qs_return(n) : n;
}

QS_PUBLIC int qwatch(int fd, const struct qos_watch *watch)
{
	return result(begin(fd, watch));
}

QS_PUBLIC int qfates(int fd, int watch, struct qos_fate *fates, unsigned int n)
{
	return result(read_fates(fd, watch, fates, n));
}
