/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsend() and its like: a message is copied, and queued in the core. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "inproc.h"
#include "schedulers/common/mem.h"
#include "schedulers/common/message.h"

#define MTU 1500u /* Ethernet's, for want of the device's */
#define LINK_HEADER 14u
#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 32u /* with time stamps */
#define DATAGRAM_MAX 65535u /* what IPv4 has a length for; IPv6: its payload */

/* ---- copies */

/* -1: more than can be sent at once. */
static ssize_t total_length(const struct msghdr *msg)
{
	size_t k, len = 0;

	if (msg->msg_iovlen > IOV_MAX)
		return -1;
	for (k = 0; k < msg->msg_iovlen; k++) {
		if (msg->msg_iov[k].iov_len > INPROC_MESSAGE_MAX - len)
			return -1;
		len += msg->msg_iov[k].iov_len;
	}
	return (ssize_t)len;
}

static char *append(char *to, const void *from, size_t len)
{
	if (len)
		memcpy(to, from, len);
	return to + len;
}

static void fill(struct inproc_message *m, const struct msghdr *msg)
{
	char *to = m->room;
	size_t k;

	to = append(to, msg->msg_control, m->control);
	to = append(to, msg->msg_name, m->name);
	for (k = 0; k < msg->msg_iovlen; k++)
		to = append(to, msg->msg_iov[k].iov_base,
			    msg->msg_iov[k].iov_len);
}

static size_t control_length(const struct msghdr *msg)
{
	return msg->msg_control ? msg->msg_controllen : 0;
}

static socklen_t name_length(const struct msghdr *msg)
{
	return msg->msg_name ? msg->msg_namelen : 0;
}

/* The longest message, bytes. */
static size_t longest(const struct inproc_sock *sock)
{
	if (sock->bytes)
		return INPROC_MESSAGE_MAX;
	if (sock->family == AF_INET && sock->header)
		return DATAGRAM_MAX - IPV4_HEADER - sock->header;
	return DATAGRAM_MAX - sock->header;
}

ssize_t qsi_length(const struct inproc_sock *sock, const struct msghdr *msg)
{
	ssize_t len;

	if (msg->msg_iovlen <= IOV_MAX &&
	    !qs_readable(msg->msg_iov, msg->msg_iovlen * sizeof(*msg->msg_iov)))
		return qs_fail(EFAULT, "msg_iov cannot be read");
	len = total_length(msg);
	if (len < 0 || (size_t)len > longest(sock))
		return qs_fail(EMSGSIZE, "the message has more than %zu bytes",
			       longest(sock));
	if (name_length(msg) > sizeof(struct sockaddr_storage) ||
	    control_length(msg) > INT_MAX)
		return qs_fail(EINVAL,
			       "msg_namelen is %u, or msg_controllen %zu, too "
			       "long",
			       name_length(msg), control_length(msg));
	return len;
}

static int check_readable(const struct msghdr *msg)
{
	size_t k;

	if (!qs_readable(msg->msg_control, control_length(msg)))
		return qs_fail(EFAULT, "msg_control cannot be read");
	if (!qs_readable(msg->msg_name, name_length(msg)))
		return qs_fail(EFAULT, "msg_name cannot be read");
	for (k = 0; k < msg->msg_iovlen; k++)
		if (!qs_readable(msg->msg_iov[k].iov_base,
				 msg->msg_iov[k].iov_len))
			return qs_fail(EFAULT, "the message cannot be read");
	return 0;
}

struct inproc_message *qsi_copy(const struct msghdr *msg, size_t len, int flags,
				int *err)
{
	size_t control = control_length(msg);
	socklen_t name = name_length(msg);
	struct inproc_message *m;

	*err = check_readable(msg);
	if (*err)
		return NULL;
	m = malloc(sizeof(*m) + control + name + len);
	if (!m) {
		*err = qs_fail(ENOMEM, "no memory for %zu bytes", len);
		return NULL;
	}
	memset(m, 0, sizeof(*m));
	m->len = len;
	m->control = control;
	m->name = name;
	m->flags = INPROC_FLAGS(flags);
	fill(m, msg);
	return m;
}

static size_t size_of(const struct inproc_message *m)
{
	return sizeof(*m) + m->control + m->name + m->len;
}

void qsi_message_free(struct inproc_message *m)
{
	struct inproc_sock *sock = m->sock;

	sock->messages--;
	sock->queued -= size_of(m);
	qsi.messages--;
	if (qsi.waiting)
		pthread_cond_broadcast(&qsi.left);
	qsi_tell(sock);
	free(m);
	if (!sock->messages)
		qsi_drop_fd(sock);
	qsi_sock_put(sock);
}

struct inproc_message *qsi_take(__u32 slot)
{
	struct inproc_message *m = qsi.message[slot];

	qsi.message[slot] = NULL;
	return m;
}

void qsi_settle(void)
{
	struct qs_core *core = qsi.core;
	__u32 i;

	while (core->released != QS_NIL) {
		i = core->released;
		core->released = qs_stream(core, i)->next_free;
		qs_stream_free(core, i);
	}
}

/* ---- room */

/* What the message will be on the wire, if that is Ethernet. */
static __u32 wire_length(const struct inproc_sock *sock, size_t len)
{
	__u32 ip = sock->family == AF_INET ? IPV4_HEADER : IPV6_HEADER;
	__u32 room = MTU - ip, packets;

	if (sock->bytes) {
		room -= TCP_HEADER;
		packets = len ? (len + room - 1) / room : 1;
		return len + packets * (LINK_HEADER + ip + TCP_HEADER);
	}
	len += sock->header;
	packets = len ? (len + room - 1) / room : 1;
	return len + packets * (LINK_HEADER + ip);
}

void qsi_describe(const struct inproc_sock *sock, struct qs_packet *p,
		  size_t len, __u64 bits, __u64 now)
{
	memset(p, 0, sizeof(*p));
	p->stream = sock->stream;
	p->gen = sock->gen;
	p->len = wire_length(sock, len);
	qs_tx_unpack(p, bits, now);
}

/* What the core gave up in an enqueue. */
static void drop_doomed(__u64 now)
{
	__u32 slot;

	while (qsi.core->doomed != QS_NIL) {
		slot = QS_DEQ_SLOT(qsi.sched->ops->dequeue(qsi.core, now));
		qsi_message_free(qsi_take(slot));
	}
	qsi_settle();
}

static int has_room(const struct inproc_sock *sock, size_t size)
{
	if (sock->messages && sock->queued + size > INPROC_QUEUE_BYTES)
		return 0;
	return qsi.sched->ops->has_room(qsi.core, sock->stream);
}

/* By the core's rules; what is given up is freed. */
static int make_room(const struct inproc_sock *sock, size_t size,
		     const struct qs_packet *p, __u64 now)
{
	const struct qs_core_ops *ops = qsi.sched->ops;

	while (!has_room(sock, size)) {
		if (!ops->give_way(qsi.core, p->stream, p->flags, now))
			return 0;
		drop_doomed(now);
	}
	return 1;
}

/* Waiting would be in vain: the frame is as long as the queue. */
static int frame_too_long(struct inproc_sock *sock, const struct qs_packet *p,
			  __u64 now)
{
	const struct qs_core_ops *ops = qsi.sched->ops;

	if (sock->first || !ops->frame_alone(qsi.core, sock->stream))
		return 0;
	ops->refuse(qsi.core, p, now);
	drop_doomed(now);
	qsi_tell(sock);
	qsi_wake();
	return qs_fail(ENOBUFS, "the frame alone fills the queue");
}

/* ---- waiting for it */

static __u64 send_timeout(int fd)
{
	struct timeval tv = { 0 };
	socklen_t len = sizeof(tv);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len) ||
	    (!tv.tv_sec && !tv.tv_usec))
		return INPROC_NEVER;
	return qsi_now() + tv.tv_sec * INPROC_NSEC_PER_SEC +
	       tv.tv_usec * 1000ull;
}

/* A call that waits for room, and what it has when its thread is cancelled. */
struct waiter {
	struct inproc_sock *sock;
	struct inproc_message *message;
};

static void cancelled(void *arg)
{
	struct waiter *w = arg;

	qsi.waiting--;
	free(w->message);
	if (!w->sock->messages)
		qsi_drop_fd(w->sock);
	w->sock->users--;
	qsi_sock_put(w->sock);
	qsi_leave();
}

/* The thread can be cancelled here, as in a plain call that blocks. */
static int wait_as(struct waiter *w, __u64 until)
{
	int err;

	pthread_cleanup_push(cancelled, w);
	pthread_setcancelstate(qsi_cancel_state(), NULL);
	err = qsi_wait_left(until);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_pop(0);
	return err;
}

/* By the engine's own descriptor: the number may be another's by now. *until is 0
 * at first. */
static int wait_room(struct waiter *w, int flags, __u64 *until)
{
	struct inproc_sock *sock = w->sock;
	int nonblocking = flags & MSG_DONTWAIT;
	int err = nonblocking ? 0 : qsi_hold_fd(sock);

	if (err)
		return err;
	if (!nonblocking)
		nonblocking = fcntl(sock->dup, F_GETFL) & O_NONBLOCK;
	if (!nonblocking && !*until)
		*until = send_timeout(sock->dup);
	if (!nonblocking && !wait_as(w, *until))
		return 0;
	return qs_fail(EAGAIN, "the queue of fd %d is full", sock->fd);
}

/* ---- queueing */

/* What became of an earlier message. */
static int take_error(struct inproc_sock *sock)
{
	int err = sock->error;

	sock->error = 0;
	return err ? qs_fail(err, "an earlier message on fd %d: %s", sock->fd,
			     strerror(err)) :
		     0;
}

static int usable(struct inproc_sock *sock)
{
	if (sock->gone)
		return 1;
	if (!sock->attached)
		return qs_fail(EBADF, "fd %d was closed or detached meanwhile",
			       sock->fd);
	if (sock->fin)
		return qs_fail(EPIPE, "fd %d was shut down by qshutdown()",
			       sock->fd);
	return take_error(sock);
}

void qsi_message_add(struct inproc_sock *sock, struct inproc_message *m)
{
	m->sock = sock;
	sock->messages++;
	sock->queued += size_of(m);
	qsi.messages++;
}

static void enqueue(struct inproc_sock *sock, struct inproc_message *m,
		    const struct qs_packet *p, __u64 now)
{
	int slot;

	qsi_message_add(sock, m);
	slot = qsi.sched->ops->enqueue(qsi.core, p, now);
	if (slot < 0) /* with its frame, of which a part is lost */
		qsi_message_free(m);
	else
		qsi.message[slot] = m;
	drop_doomed(now);
	qsi_hold(sock);
	qsi_wake();
}

/* The message is the core's, or else still the caller's. 1: it goes plain. */
static int queue(struct inproc_sock *sock, struct inproc_message *m, int flags,
		 __u64 bits)
{
	struct waiter waiter = { .sock = sock, .message = m };
	__u64 now = qsi_now(), until = 0;
	int err = usable(sock);
	struct qs_packet p;

	qsi_describe(sock, &p, m->len, bits, now);
	while (!err && !make_room(sock, size_of(m), &p, now)) {
		err = frame_too_long(sock, &p, now);
		if (!err)
			err = wait_room(&waiter, flags, &until);
		if (!err)
			err = usable(sock);
		now = qsi_now();
	}
	if (!err)
		err = qsi_start();
	if (!err)
		err = qsi_hold_fd(sock);
	if (!err)
		enqueue(sock, m, &p, now);
	else if (!sock->messages)
		qsi_drop_fd(sock);
	return err;
}

/* Comes and goes with the lock, but copies without. */
static int copy_and_queue(struct inproc_sock *sock, struct qs_outgoing *o,
			  int flags)
{
	struct inproc_message *m;
	int err = 0;

	o->len = qsi_length(sock, o->msg);
	if (o->len < 0)
		return (int)o->len;
	qsi_unlock();
	m = qsi_copy(o->msg, o->len, flags, &err);
	qsi_lock();
	if (!m)
		return err;
	err = queue(sock, m, flags, o->bits);
	if (err)
		free(m);
	return err;
}

/* As the plain call on a connection. */
static void raise_pipe(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
	    type == SOCK_STREAM)
		pthread_kill(pthread_self(), SIGPIPE);
}

/* The socket's number may have been given to another one meanwhile. */
static int queue_all(struct inproc_sock *sock, struct qs_outgoing *o,
		     unsigned int n, int flags)
{
	unsigned int k;
	int err = 0;

	if (qsi_find(sock->fd) != sock)
		return 0;
	for (k = 0; k < n && !err; k++)
		err = copy_and_queue(sock, &o[k], flags);
	return err < 0 && k == 1 ? err : (int)k - !!err;
}

/*
 * What a queue cannot do. 1: the plain call does it, and says what is wrong. A
 * connection that takes nothing more says so itself, with its own error, once
 * nothing is queued.
 */
static int goes_plain(struct inproc_sock *sock, int flags)
{
	socklen_t len = sizeof(int);
	int zerocopy = 0;

	if ((flags & MSG_ZEROCOPY) &&
	    !getsockopt(sock->fd, SOL_SOCKET, SO_ZEROCOPY, &zerocopy, &len) &&
	    zerocopy)
		return qs_fail(EOPNOTSUPP,
			       "MSG_ZEROCOPY: the in-process engine copies "
			       "what it queues");
	if (!sock->bytes && (flags & MSG_MORE))
		return qs_fail(EOPNOTSUPP,
			       "MSG_MORE: a queue cannot join datagrams");
	if (!sock->bytes)
		return !!(flags & MSG_OOB);
	if (flags & MSG_FASTOPEN)
		return 1;
	if (sock->dead) /* bytes were lost, which is told once */
		return sock->error ? take_error(sock) : 1;
	return !sock->messages && !sock->error && !qsi_open(sock->fd);
}

int qs_inproc_send(int fd, struct qs_outgoing *o, unsigned int n, int flags)
{
	struct inproc_sock *sock;
	int done, plain;

	pthread_testcancel(); /* as the plain call */
	done = qsi_enter();
	if (done)
		return done;
	sock = qsi_look(fd) ? qsi_find(fd) : NULL;
	if (sock && !sock->gone) {
		sock->users++;
		plain = goes_plain(sock, flags);
		done = plain < 0 ? plain : 0;
		if (!plain)
			done = qsi_direct(sock, o, n, flags);
		if (!plain && !done)
			done = queue_all(sock, o, n, flags);
		sock->users--;
		qsi_sock_put(sock);
	}
	qsi_leave();
	if (done == -EPIPE && !(flags & MSG_NOSIGNAL))
		raise_pipe(fd);
	return done;
}
