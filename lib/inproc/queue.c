/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsend() and its like: a message is copied, and queued in the core. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
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
	ssize_t len = total_length(msg);

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

struct inproc_message *qsi_copy(const struct msghdr *msg, size_t len, int flags,
				int *err)
{
	size_t control = control_length(msg);
	socklen_t name = name_length(msg);
	struct inproc_message *m = malloc(sizeof(*m) + control + name + len);

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

/* *until is 0 at first. */
static int wait_room(const struct inproc_sock *sock, int flags, __u64 *until)
{
	int nonblocking = flags & MSG_DONTWAIT;

	if (!nonblocking)
		nonblocking = fcntl(sock->fd, F_GETFL) & O_NONBLOCK;
	if (!nonblocking && !*until)
		*until = send_timeout(sock->fd);
	if (!nonblocking && !qsi_wait_left(*until))
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
	__u64 now = qsi_now(), until = 0;
	int err = usable(sock);
	struct qs_packet p;

	qsi_describe(sock, &p, m->len, bits, now);
	while (!err && !make_room(sock, size_of(m), &p, now)) {
		err = frame_too_long(sock, &p, now);
		if (!err)
			err = wait_room(sock, flags, &until);
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

int qs_inproc_send(int fd, struct qs_outgoing *o, unsigned int n, int flags)
{
	struct inproc_sock *sock;
	int done = 0;

	qsi_lock();
	sock = qsi_look(fd);
	if (sock && !sock->gone) {
		sock->users++;
		done = qsi_direct(sock, o, n, flags);
		if (!done)
			done = queue_all(sock, o, n, flags);
		sock->users--;
		qsi_sock_put(sock);
	}
	qsi_unlock();
	return done;
}
