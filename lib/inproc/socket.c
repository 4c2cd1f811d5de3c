/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attached sockets. The application's descriptor may be closed and be another
 * socket's at any time, so nothing is ever sent by its number: while a socket
 * has messages the engine has a descriptor of its own, and as long as it has
 * that one, the number's owner is compared with it by device and inode.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "inproc.h"
#include "schedulers/common/mem.h"

#define FIRST_DUP 3 /* those below are looked for by their numbers */
/* What TCP may have unsent: what is with it cannot be dropped any more, bytes. */
#define NOTSENT_LOWAT 16384
#define UDP_HEADER 8
/* Memory that the stack takes for a packet, at most: so much, and twice as much
 * as it has bytes. */
#define PACKET_COST 1024

/* ---- who is it */

int qsi_same(const struct inproc_sock *sock, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == sock->dev &&
	       st.st_ino == sock->ino;
}

struct inproc_sock *qsi_find(int fd)
{
	struct inproc_sock *sock = qsi_look(fd);

	if (sock && !qsi_same(sock, fd)) {
		qsi_forget(sock);
		return NULL;
	}
	return sock;
}

int qsi_sweep(void)
{
	struct inproc_sock *sock;
	int fd, n = 0;

	for (fd = 0; fd < qsi.fds; fd++) {
		sock = qsi.table[fd];
		if (!sock || qsi_same(sock, fd))
			continue;
		qsi_forget(sock);
		n++;
	}
	return n;
}

/* ---- TCP keeps little */

static void set_lowat(struct inproc_sock *sock)
{
	int lowat = 0, ours = NOTSENT_LOWAT;
	socklen_t len = sizeof(lowat);

	if (getsockopt(sock->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat,
		       &len) ||
	    lowat)
		return; /* is not TCP, or the application's own */
	sock->lowat = !setsockopt(sock->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
				  &ours, sizeof(ours));
}

static void reset_lowat(const struct inproc_sock *sock)
{
	int none = 0;

	if (sock->lowat && qsi_same(sock, sock->fd))
		setsockopt(sock->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &none,
			   sizeof(none));
}

/* ---- a socket's life */

static int table_grow(int fd)
{
	int n = qsi.fds ? qsi.fds : 64;
	struct inproc_sock **table;

	while (n <= fd)
		n *= 2;
	if (n == qsi.fds)
		return 0;
	table = (struct inproc_sock **)realloc((void *)qsi.table,
					       n * sizeof(*table));
	if (!table)
		return qs_fail(ENOMEM, "no memory for %d sockets", n);
	memset((void *)(table + qsi.fds), 0, (n - qsi.fds) * sizeof(*table));
	qsi.table = table;
	qsi.fds = n;
	return 0;
}

static int describe(struct inproc_sock *sock, int fd)
{
	socklen_t len = sizeof(int);
	struct stat st;
	int type;

	if (fstat(fd, &st) ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &sock->family, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return qs_fail(errno, "fd %d: %s", fd, strerror(errno));
	sock->fd = fd;
	sock->dev = st.st_dev;
	sock->ino = st.st_ino;
	sock->bytes = type == SOCK_STREAM;
	sock->header = type == SOCK_DGRAM ? UDP_HEADER : 0;
	sock->dup = -1;
	sock->watch = -1;
	return 0;
}

int qsi_sock_new(int fd, struct inproc_sock **made)
{
	struct inproc_sock *sock;
	int err = table_grow(fd);

	if (err)
		return err;
	sock = calloc(1, sizeof(*sock));
	if (!sock)
		return qs_fail(ENOMEM, "no memory for a socket");
	err = describe(sock, fd);
	if (err) {
		free(sock);
		return err;
	}
	if (sock->bytes)
		set_lowat(sock);
	sock->next = qsi.socks;
	sock->link = &qsi.socks;
	if (sock->next)
		sock->next->link = &sock->next;
	qsi.socks = sock;
	*made = sock;
	return 0;
}

void qsi_sock_put(struct inproc_sock *sock)
{
	if (sock->attached || sock->messages || sock->users)
		return;
	*sock->link = sock->next;
	if (sock->next)
		sock->next->link = sock->link;
	free(sock);
}

/* NULL: it was given back, and may be another socket's. */
struct qs_stream *qsi_stream(const struct inproc_sock *sock)
{
	struct qs_stream *s = qs_stream(qsi.core, sock->stream);

	return QS_LIFE_GEN(s->life) == sock->gen ? s : NULL;
}

/* What is queued leaves as scheduled. */
void qsi_give_back(struct inproc_sock *sock)
{
	struct qs_stream *s = qs_stream(qsi.core, sock->stream);

	qsi_watch_end(sock);
	qsi_admit(sock, 0, &s->attr);
	qs_stream_closed(qsi.core, sock->stream);
	if (QS_LIFE_REFS(--s->life) == 0)
		qs_stream_free(qsi.core, sock->stream);
	else
		qsi_wake(); /* a frame of it may end now */
}

void qsi_forget(struct inproc_sock *sock)
{
	qsi.table[sock->fd] = NULL;
	sock->attached = 0;
	reset_lowat(sock);
	if (!sock->gone)
		qsi_give_back(sock);
	qsi_sock_put(sock);
}

/* ---- its descriptor */

int qsi_writable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	int n;

	do
		n = poll(&pfd, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 && (pfd.revents & POLLOUT);
}

/* States of <netinet/tcp.h>; one byte is asked for, which is the state. */
int qsi_open(int fd)
{
	socklen_t len = sizeof(__u8);
	__u8 state = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &len))
		return 1; /* not TCP: nothing is known */
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT ||
	       state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

size_t qsi_cost(size_t len)
{
	return PACKET_COST + 2 * len;
}

/* A writable datagram socket has half of its buffer free. */
int qsi_credit(struct inproc_sock *sock, int fd)
{
	socklen_t len = sizeof(int);
	int size = 0;

	sock->credit = 0;
	if (qsi_writable(fd) &&
	    !getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len))
		sock->credit = size / 2;
	return sock->credit > 0;
}

/* Does the socket take another message, as far as is known? */
static int takes(struct inproc_sock *sock)
{
	if (sock->bytes)
		return qsi_writable(sock->dup);
	return sock->credit > 0 || qsi_credit(sock, sock->dup);
}

int qsi_hold_fd(struct inproc_sock *sock)
{
	if (sock->dup >= 0)
		return 0;
	qsi_own();
	sock->dup = fcntl(sock->fd, F_DUPFD_CLOEXEC, FIRST_DUP);
	if (sock->dup >= 0)
		sock->dup = qsi_high(sock->dup);
	if (sock->dup < 0)
		return qs_fail(errno, "fd %d: %s", sock->fd, strerror(errno));
	if (!qsi_same(sock, sock->dup)) {
		qsi_drop_fd(sock);
		return qs_fail(EBADF, "fd %d is another socket now", sock->fd);
	}
	if (!takes(sock))
		qsi_block(sock);
	return 0;
}

/* Of a connection that the application has closed, ours is the last. */
static void close_dup(const struct inproc_sock *sock)
{
	if (sock->bytes && !qsi_same(sock, sock->fd))
		qsi_close_lingering(sock->dup);
	else
		qs_close(&sock->dup);
}

void qsi_drop_fd(struct inproc_sock *sock)
{
	if (sock->dup < 0)
		return;
	if (sock->blocked)
		qsi_unblock(sock);
	if (qsi_same(sock, sock->dup)) {
		if (sock->fin && !sock->dead)
			shutdown(sock->dup, SHUT_WR);
		close_dup(sock);
	}
	sock->dup = -1;
}

/* ---- a socket that takes nothing */

void qsi_hold(const struct inproc_sock *sock)
{
	if ((sock->blocked || sock->direct) && qsi_stream(sock))
		qsi.sched->ops->hold(qsi.core, sock->stream);
}

/*
 * Edges, so that an error which nobody reads does not keep the thread awake. If
 * there is room already, the first one comes at once.
 */
void qsi_block(struct inproc_sock *sock)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET,
				     .data.ptr = sock };

	if (!sock->blocked) {
		sock->blocked = 1;
		qsi.blocked++;
		if (qsi_own())
			epoll_ctl(qsi.epoll, EPOLL_CTL_ADD, sock->dup, &event);
	}
	qsi_hold(sock);
}

void qsi_unblock(struct inproc_sock *sock)
{
	sock->blocked = 0;
	qsi.blocked--;
	if (qsi_own())
		epoll_ctl(qsi.epoll, EPOLL_CTL_DEL, sock->dup, NULL);
	if (!sock->direct && qsi_stream(sock))
		qsi.sched->ops->resume(qsi.core, sock->stream, qsi_now());
}
