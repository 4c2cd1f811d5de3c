/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message that the core would send at once, since nothing is queued, has no
 * need of a copy and of the thread: the call that brought it sends it. It goes
 * by the application's own descriptor, which was found to be the socket's before.
 * What the stack refuses is counted as sent, for the core has let it go.
 */
#include <errno.h>
#include <string.h>

#include "inproc.h"

#define MANY 32 /* messages that are sent at once */

struct direct {
	struct mmsghdr hdr[MANY];
	size_t len[MANY];
	unsigned int index[MANY]; /* of the caller's messages */
	unsigned int n;
	__u64 answer; /* the core's last one */
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
	d->answer = answer;
	if (QS_DEQ_OP(answer) == QS_DEQ_SEND) {
		d->hdr[d->n].msg_hdr = *o->msg;
		d->len[d->n++] = len;
		sock->credit -= (ssize_t)qsi_cost(len);
	}
	return 1;
}

/*
 * The socket has no room for these, against expectation: they wait for it.
 * Returns how many were kept; *err says why not more.
 */
static unsigned int keep(struct inproc_sock *sock, const struct direct *d,
			 unsigned int at, int flags, int *err)
{
	struct inproc_message *m;
	unsigned int first = at;

	sock->credit = 0;
	*err = qsi_start();
	if (!*err)
		*err = qsi_hold_fd(sock);
	for (; at < d->n && !*err; at++) {
		m = qsi_copy(&d->hdr[at].msg_hdr, d->len[at], flags, err);
		if (!m)
			break;
		qsi_message_add(sock, m);
		qsi_pend(sock, m);
	}
	if (*err && !sock->messages)
		qsi_drop_fd(sock);
	return at - first;
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

/*
 * Sends them. Returns how many were taken, and in *err what the next one met, as
 * sendmmsg() does: what comes after that is the caller's again.
 */
static unsigned int hand_over(struct inproc_sock *sock, struct direct *d,
			      int flags, int *err)
{
	unsigned int done;

	sock->direct = 1;
	qsi_unlock();
	done = qsi_send_plain(sock->fd, d->hdr, d->n, INPROC_FLAGS(flags), err);
	qsi_lock();
	sock->direct = 0;
	if (*err == EAGAIN)
		done += keep(sock, d, done, flags, err);
	else if (*err)
		*err = qs_fail(*err, "sendmsg: %s", strerror(*err));
	over(sock);
	return done;
}

int qsi_direct(struct inproc_sock *sock, struct qs_outgoing *o, unsigned int n,
	       int flags)
{
	unsigned int k = 0, sent;
	struct direct d;
	int ret = 1, err = 0;
	__u64 now;

	if (!may_pass(sock))
		return 0;
	d.n = 0;
	now = qsi_now();
	while (k < n && d.n < MANY && sock->credit > 0) {
		ret = pass(sock, &d, &o[k], now);
		if (ret <= 0)
			break;
		if (QS_DEQ_OP(d.answer) == QS_DEQ_SEND)
			d.index[d.n - 1] = k;
		k++;
	}
	if (!k)
		return ret;
	if (!d.n) {
		qsi_tell(sock);
		return (int)k;
	}
	sent = hand_over(sock, &d, flags, &err);
	if (sent < d.n)
		k = d.index[sent];
	return k ? (int)k : err;
}
