/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reservations, and whether a message would be in time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* ---- what a device has left */

/* Names the device that fd is attached to; an empty name: it is not. */
static void attached_name(int fd, char name[IF_NAMESIZE])
{
	struct qos_info info;
	socklen_t len = sizeof(info);

	*name = 0;
	if (!getsockopt(fd, SOL_QSOCKETS, QS_INFO, &info, &len))
		snprintf(name, IF_NAMESIZE, "%.*s", IF_NAMESIZE - 1, info.dev);
}

static void quote(char room[IF_NAMESIZE + 8], const char *name)
{
	if (*name)
		snprintf(room, IF_NAMESIZE + 8, "dev \"%.*s\"", IF_NAMESIZE - 1,
			 name);
	else
		snprintf(room, IF_NAMESIZE + 8, "the device");
}

/* To the last bit: what differs by one shall not look the same. */
static int refused_fail(const char *dev, const struct qs_admission *a)
{
	const char *unit = "Mbit/s";
	double scale = 1e6;

	if (!a)
		return qs_fail(EAGAIN, "%s has not so much left to reserve",
			       dev);
	if (a->allowed < 1000000) {
		unit = "kbit/s";
		scale = 1e3;
	}
	return qs_fail(
		EAGAIN,
		"%s has %.12g of %.12g %s left to reserve, and %.12g %s were "
		"asked for (%.12g in use): declare smaller units, let more of "
		"them be lost or raise ipg, or try again when others have "
		"given back",
		dev, (double)(a->allowed - a->used) / scale,
		(double)a->allowed / scale, unit, (double)a->asked / scale,
		unit, (double)a->used / scale);
}

int qs_admission_say(int fd, int err, const char *dev,
		     const struct qs_admission *a)
{
	char quoted[IF_NAMESIZE + 8];

	quote(quoted, dev);
	if (err == EAGAIN)
		return refused_fail(quoted, a);
	if (err == EDOM)
		return qs_fail(EINVAL,
			       "ipg is 0: without a period there is no rate to "
			       "reserve for fd %d; give one, or take the "
			       "declaration back with qreserve() of 0 bytes",
			       fd);
	return qs_fail(EOPNOTSUPP,
		       "%s has no rate of which fd %d could reserve: init it "
		       "with a rate, or take the declaration back with "
		       "qreserve() of 0 bytes",
		       quoted, fd);
}

int qs_admission_fail(int fd, int err, const char *dev)
{
	struct qs_admission a = { 0 };
	socklen_t len = sizeof(a);
	char name[IF_NAMESIZE];
	int known;

	if (err != EAGAIN && err != EDOM && err != ENODATA)
		return 0;
	attached_name(fd, name);
	known = !getsockopt(fd, SOL_QSOCKETS, QS_ADMISSION, &a, &len);
	return qs_admission_say(fd, err, *name ? name : dev, known ? &a : NULL);
}

/* ---- the calls */

static int reserve_fail(int fd, int err)
{
	int ret = qs_fd_check(fd);

	if (!ret)
		ret = qs_admission_fail(fd, err, "");
	if (ret)
		return ret;
	if (err == ENOPROTOOPT)
		return qs_fail(EOPNOTSUPP,
			       "QSockets are not set up for this process: run "
			       "\"qsock init\" first");
	return qs_attached_fail(fd, err);
}

static int check_bytes(size_t bytes)
{
	if (bytes <= QS_UNIT_MAX)
		return 0;
	return qs_fail(EINVAL, "bytes is %zu, more than %u", bytes,
		       QS_UNIT_MAX);
}

static int reserve(int fd, size_t bytes)
{
	__u64 option = bytes;
	int err = check_bytes(bytes);

	if (err)
		return err;
	err = qs_inproc_on() ? qs_inproc_reserve(fd, bytes) : 1;
	if (err <= 0)
		return err;
	err = qs_inproc_declare(fd, bytes);
	if (!setsockopt(fd, SOL_QSOCKETS, QS_RESERVE, &option, sizeof(option)))
		return 0;
	return err > 0 ? reserve_fail(fd, errno) : err;
}

/* 1, 0, or why it cannot be said. */
static int fits(int fd, size_t bytes, uint64_t deadline)
{
	struct qs_fits option = { .bytes = bytes, .deadline = deadline };
	int err = check_bytes(bytes), ret;

	if (err)
		return err;
	if (!bytes)
		return qs_fail(EINVAL,
			       "bytes is 0: a unit has a byte at least");
	err = qs_inproc_on() ? qs_inproc_fits(fd, bytes, deadline, &ret) : 1;
	if (err <= 0)
		return err ? err : ret;
	if (!setsockopt(fd, SOL_QSOCKETS, QS_FITS, &option, sizeof(option)))
		return 1;
	return errno == EAGAIN ? 0 : qs_attached_fail(fd, errno);
}

/* ---- public */

QS_PUBLIC int qreserve(int fd, size_t bytes)
{
	return qs_return(reserve(fd, bytes));
}

QS_PUBLIC int qfits(int fd, size_t bytes, uint64_t deadline)
{
	return qs_return(fits(fd, bytes, deadline));
}
