/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qwatch() and qfates(). The core keeps what became of messages in the stream's
 * ring; an event counter wakes who waits, of which each caller of qwatch() has a
 * descriptor of its own. It is written when a message has left or was dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

#include "inproc.h"
#include "schedulers/common/watch.h"

static struct qs_ring *ring_of(const struct inproc_sock *sock)
{
	const struct qs_stream *s = qs_stream(qsi.core, sock->stream);

	return s->ring ? qs_ring(qsi.core, s->ring - 1) : NULL;
}

/* ---- waking */

static void wake(struct inproc_sock *sock)
{
	sock->told = 1;
	if (qsi_own() && sock->watch >= 0)
		eventfd_write(sock->watch, 1);
}

void qsi_tell(struct inproc_sock *sock)
{
	struct qs_ring *r;

	if (sock->watch < 0 || sock->told)
		return;
	r = ring_of(sock);
	if (r && qs_ring_has_news(r))
		wake(sock);
}

/* Who waits shall find out that there is nothing to wait for. */
void qsi_watch_end(struct inproc_sock *sock)
{
	if (sock->watch < 0)
		return;
	if (!sock->told)
		wake(sock);
	if (qsi_own())
		qs_close(&sock->watch);
	sock->watch = -1;
	sock->told = 0;
}

/* ---- qwatch() */

static int give_ring(struct inproc_sock *sock, const struct qos_watch *w)
{
	struct qs_stream *s = qs_stream(qsi.core, sock->stream);
	__u32 i = s->ring ? s->ring - 1 : qs_ring_alloc(qsi.core);

	if (i == QS_NIL)
		return qs_watch_fail(sock->fd, ENOSPC, w);
	qs_watch_set(s, w, i);
	return 0;
}

static int begin(struct inproc_sock *sock, const struct qos_watch *w,
		 int *watch)
{
	int err = 0, first = !qsi_own() || sock->watch < 0, copy;

	if (sock->gone)
		err = qs_attached_fail(sock->fd, ENODEV);
	else if (qs_watch_check(qsi.dev.rate, w) == QS_WATCH_INVALID)
		err = qs_watch_fail(sock->fd, EINVAL, w);
	else if (qs_watch_check(qsi.dev.rate, w) == QS_WATCH_NO_RATE)
		err = qs_watch_fail(sock->fd, EOPNOTSUPP, w);
	if (!err && sock->watch < 0) {
		qsi_open_own();
		sock->watch = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (sock->watch >= 0)
			sock->watch = qsi_high(sock->watch);
		else
			err = qs_fail(errno, "eventfd: %s", strerror(errno));
	}
	if (err)
		return err;
	copy = fcntl(sock->watch, F_DUPFD_CLOEXEC, 0);
	err = copy < 0 ? qs_fail(errno, "eventfd: %s", strerror(errno)) :
			 give_ring(sock, w);
	if (!err) {
		*watch = copy;
		return 0;
	}
	qs_close(&copy);
	if (first) {
		qs_close(&sock->watch);
		sock->watch = -1;
	}
	return err;
}

int qs_inproc_watch(int fd, const struct qos_watch *w, int *watch)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	err = sock ? begin(sock, w, watch) : 1;
	qsi_leave();
	return err;
}

/* ---- qfates() */

/* What was lost is said after what was in the ring then, which is older. */
static int take(struct qs_ring *r, struct qos_fate *to, unsigned int n)
{
	unsigned int k = 0;
	__u32 lost;

	while (k < n && qs_ring_take(r, &to[k]))
		k++;
	lost = r->lost - r->lost_told;
	if (lost && k < n) {
		to[k].kind = QOS_EVENT_LOST;
		to[k].cookie = 0;
		to[k++].value = lost;
		r->lost_told += lost;
	}
	return (int)k;
}

static int read_fates(struct inproc_sock *sock, struct qos_fate *to,
		      unsigned int n)
{
	struct qs_ring *r;
	eventfd_t count;
	int got;

	if (sock->gone)
		return qs_attached_fail(sock->fd, ENODEV);
	if (!qsi_own() || sock->watch < 0)
		return qs_watch_none(sock->fd);
	r = ring_of(sock);
	if (!r)
		return qs_watch_none(sock->fd);
	eventfd_read(sock->watch, &count);
	sock->told = 0;
	got = take(r, to, n);
	qsi_tell(sock); /* there is more */
	return got;
}

int qs_inproc_fates(int fd, struct qos_fate *to, unsigned int n, int *got)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	err = sock ? read_fates(sock, to, n) : 1;
	if (sock)
		*got = err;
	qsi_leave();
	return err > 0 && sock ? 0 : err;
}
