/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qinfo(): what the manager says of a socket. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static int ask(int fd, struct qos_info *all)
{
	socklen_t len = sizeof(*all);
	int err = qs_inproc_on() ? qs_inproc_info(fd, all) : 1;

	if (err <= 0)
		return err;
	if (getsockopt(fd, SOL_QSOCKETS, QS_INFO, all, &len))
		return qs_attached_fail(fd, errno);
	return 0;
}

static int read_info(int fd, struct qos_info *to, size_t size)
{
	struct qos_info all;
	int err;

	if (!to)
		return qs_fail(EFAULT, "info is NULL");
	if (size < sizeof(all.size))
		return qs_fail(EINVAL,
			       "size is %zu, too small for a struct "
			       "qos_info",
			       size);
	err = ask(fd, size < sizeof(all) ? &all : to);
	if (err)
		return err;
	if (size < sizeof(all)) {
		all.size = size;
		memcpy(to, &all, size);
	} else {
		memset((char *)to + sizeof(all), 0, size - sizeof(all));
	}
	return 0;
}

QS_PUBLIC int qinfo(int fd, struct qos_info *info, size_t size)
{
	return qs_return(read_info(fd, info, size));
}
