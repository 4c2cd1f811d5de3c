/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message that the core would send at once, since nothing is queued, has no
 * need of a copy and of the thread: the call that brought it sends it. It goes
 * by the application's own descriptor. Whether that is another socket's by now
 * is asked only when it fails: else the message has left where a plain call would
 * have sent it, and was counted for a stream that is closed.
 */
#include <errno.h>
#include <string.h>

#include "inproc.h"

#define MANY 32 /* messages that are sent at once */

struct direct {
	struct mmsghdr hdr[MANY];
	size_t len[MANY];
	unsigned int n;
};

/* Is nothing of the socket's own in the way? */
static int may_pass(struct inproc_sock *sock)
{
	if (sock->bytes || sock->messages || sock->direct || sock->error ||
	    sock->blocked || !sock->attached)
		return 0;
	return sock->credit > 0 || qsi_credit(sock, sock->fd);
}

/* Asks the core. 0: no, -Exxx, or 1: it is sent, or dropped. */
static int pass(struct inproc_sock *sock, struct direct *d,
		struct qs_outgoing *o, __u64 now)
{
	ssize_t len = qsi_length(sock, o->msg);
	struct qs_packet p;
	__u64 answer;

	if (len < 0)
		return (int)len;
	o->len = len;
	qsi_describe(sock, &p, len, o->bits, now);
	answer = qsi.sched->ops->pass(qsi.core, &p, now);
	if (!answer)
		return 0;
	if (QS_DEQ_OP(answer) == QS_DEQ_SEND) {
		d->hdr[d->n].msg_hdr = *o->msg;
		d->len[d->n++] = len;
		sock->credit -= (ssize_t)qsi_cost(len);
	}
	return 1;
}

/* The socket has no room for these, against expectation: they wait for it. */
static int keep(struct inproc_sock *sock, const struct direct *d,
		unsigned int at, int flags)
{
	struct inproc_message *m;
	int err;

	sock->credit = 0;
	err = qsi_start();
	if (!err)
		err = qsi_hold_fd(sock);
	for (; at < d->n && !err; at++) {
		m = qsi_copy(&d->hdr[at].msg_hdr, d->len[at], flags, &err);
		if (!m)
			break;
		qsi_message_add(sock, m);
		qsi_pend(sock, m);
	}
	if (err && !sock->messages)
		qsi_drop_fd(sock);
	return err;
}

/* Others may have queued messages meanwhile. */
static void over(struct inproc_sock *sock)
{
	if (sock->messages && !sock->blocked && qsi_stream(sock)) {
		qsi.sched->ops->resume(qsi.core, sock->stream, qsi_now());
		qsi_wake();
	}
	qsi_tell(sock);
}

/* 0, or why those that are left were not kept. */
static int hand_over(struct inproc_sock *sock, struct direct *d, int flags,
		     struct inproc_sent *sent)
{
	int err = 0;

	sock->direct = 1;
	qsi_unlock();
	qsi_send(sock->fd, d->hdr, d->n, INPROC_FLAGS(flags), sent);
	qsi_lock();
	sock->direct = 0;
	if (sent->error)
		sock->error = sent->error;
	if (sent->done < d->n)
		err = keep(sock, d, sent->done, flags);
	over(sock);
	return err;
}

/*
 * What a call returns that is done with k messages: its own error at once, if it
 * had but one. 0: it was another socket that was sent on.
 */
static int result(struct inproc_sock *sock, unsigned int k,
		  const struct inproc_sent *sent, int err)
{
	if (!err && !sent->lost)
		return (int)k;
	if (sock->attached && !qsi_same(sock, sock->fd))
		qsi_forget(sock);
	if (k > 1)
		return (int)k;
	if (!sock->attached)
		return 0;
	if (err)
		return err;
	sock->error = 0;
	return qs_fail(sent->error, "sendmsg: %s", strerror(sent->error));
}

int qsi_direct(struct inproc_sock *sock, struct qs_outgoing *o, unsigned int n,
	       int flags)
{
	struct inproc_sent sent = { 0 };
	struct direct d;
	int ret = 1, err = 0;
	unsigned int k = 0;
	__u64 now;

	if (!may_pass(sock))
		return 0;
	d.n = 0;
	now = qsi_now();
	while (k < n && d.n < MANY && sock->credit > 0) {
		ret = pass(sock, &d, &o[k], now);
		if (ret <= 0)
			break;
		k++;
	}
	if (!k)
		return ret;
	if (d.n)
		err = hand_over(sock, &d, flags, &sent);
	else
		qsi_tell(sock);
	return result(sock, k, &sent, err);
}
