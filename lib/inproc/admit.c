/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qreserve() and qfits(): what a stream promises, and whether it would be kept. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "inproc.h"
#include "schedulers/common/admit.h"
#include "schedulers/common/fits.h"

/* What a socket that is not attached has declared, for when it is. */
struct declaration {
	struct declaration *next;
	int fd;
	dev_t dev;
	ino_t ino;
	__u32 bytes;
};

static struct declaration *declarations;

/* ---- declared before */

static int holds(const struct declaration *d)
{
	struct stat st;

	return !fstat(d->fd, &st) && st.st_dev == d->dev && st.st_ino == d->ino;
}

__u32 qsi_declared(int fd)
{
	const struct declaration *d;

	for (d = declarations; d; d = d->next)
		if (d->fd == fd && holds(d))
			return d->bytes;
	return 0;
}

/* And what sockets had declared that were closed. */
void qsi_undeclare(int fd)
{
	struct declaration **at = &declarations, *d;

	while ((d = *at)) {
		if (d->fd != fd && holds(d)) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		free(d);
	}
}

static int declare(int fd, __u32 bytes)
{
	struct declaration *d;
	struct stat st;

	qsi_undeclare(fd);
	if (!bytes)
		return 0;
	d = malloc(sizeof(*d));
	if (!d || fstat(fd, &st)) {
		free(d);
		return qs_fail(ENOMEM, "no memory for what fd %d declares", fd);
	}
	d->fd = fd;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->bytes = bytes;
	d->next = declarations;
	declarations = d;
	return 0;
}

/* Is it for this engine to keep, if nobody else does? */
static int is_ours(void)
{
	return (qsi.core && !qsi.over) || qs_inproc_serves("") == 1;
}

int qs_inproc_declare(int fd, __u32 bytes)
{
	int err = qsi_enter();

	if (err)
		return err;
	err = 1;
	if (is_ours()) {
		err = qs_fd_check(fd);
		if (!err)
			err = declare(fd, bytes);
	}
	qsi_leave();
	return err;
}

/* ---- reserved */

int qsi_admit(struct inproc_sock *sock, __u32 bytes, const struct qs_attr *attr)
{
	struct qs_admission refused = { .allowed = qsi.dev.guarantee };
	struct qs_stream *s = qs_stream(qsi.core, sock->stream);

	switch (qs_admit_check(qsi.dev.rate, s, bytes, attr)) {
	case QS_ADMIT_NOTHING:
		return 0;
	case QS_ADMIT_NO_RATE:
		return qs_admission_say(sock->fd, ENODATA, QS_INPROC_DEV, NULL);
	case QS_ADMIT_NO_PERIOD:
		return qs_admission_say(sock->fd, EDOM, QS_INPROC_DEV, NULL);
	default:
		break;
	}
	if (bytes)
		refused.asked = qs_need(bytes, attr);
	if (qs_admit(qsi.core, s, bytes, attr->ipg, refused.asked,
		     refused.allowed, &refused.used))
		return 0;
	return qs_admission_say(sock->fd, EAGAIN, QS_INPROC_DEV, &refused);
}

static int reserve(struct inproc_sock *sock, __u32 bytes)
{
	const struct qs_stream *s = qs_stream(qsi.core, sock->stream);
	struct qs_attr attr = s->attr;
	int err = sock->gone ? qs_attached_fail(sock->fd, ENODEV) :
			       qsi_admit(sock, bytes, &attr);

	if (!err)
		sock->unit_bytes = bytes;
	return err;
}

int qs_inproc_reserve(int fd, __u32 bytes)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	err = sock ? reserve(sock, bytes) : 1;
	qsi_leave();
	return err;
}

/* ---- in time? */

int qs_inproc_fits(int fd, __u64 bytes, __u64 deadline, int *fits)
{
	const struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	err = 1;
	sock = qsi_find(fd);
	if (sock) {
		err = sock->gone ? qs_attached_fail(fd, ENODEV) : 0;
		if (!err)
			*fits = qs_fits(qsi.core, sock->stream, bytes, deadline,
					qsi_now());
	}
	qsi_leave();
	return err;
}
