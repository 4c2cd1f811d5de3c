/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A socket's life with the scheduler. Each call is one system call when it
 * succeeds; what went wrong is found out afterwards.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* ---- why a call failed */

/* The same list as the manager's socket_check(). */
static int protocol_check(int fd)
{
	socklen_t len = sizeof(int);
	int type, protocol;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		return qs_fail(errno, "fd %d: %s", fd, strerror(errno));
	if (type == SOCK_RAW)
		return 0;
	switch (protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_ICMPV6:
	case IPPROTO_UDPLITE:
		return 0;
	default:
		return qs_fail(EPROTONOSUPPORT,
			       "fd %d has IP protocol %d: only TCP, UDP, "
			       "UDP-Lite, ICMP and raw sockets can be attached",
			       fd, protocol);
	}
}

int qs_fd_check(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len)) {
		if (errno == ENOTSOCK)
			return qs_fail(ENOTSOCK, "fd %d is not a socket", fd);
		return qs_fail(errno, "fd %d: %s", fd, strerror(errno));
	}
	if (domain != AF_INET && domain != AF_INET6)
		return qs_fail(EAFNOSUPPORT,
			       "fd %d is not an IPv4 or IPv6 socket", fd);
	return protocol_check(fd);
}

/* With a manager that answered, or with none at this socket's cgroup. */
static int device_fail(const struct qos_params *params, int answered)
{
	const char *dev = *params->dev ? params->dev : "DEV";
	const char *name = params->name;

	if (*params->dev && !if_nametoindex(params->dev))
		return qs_fail(EOPNOTSUPP, "dev \"%s\" does not exist", dev);
	if (!answered)
		return qs_fail(EOPNOTSUPP,
			       "QSockets are not set up for this process: run "
			       "\"qsock init %s %s\"",
			       dev, name);
	if (!*params->dev)
		return qs_fail(EOPNOTSUPP,
			       "no device is managed by \"%s\" here: run "
			       "\"qsock init %s %s\"",
			       name, dev, name);
	return qs_fail(EOPNOTSUPP,
		       "dev \"%s\" is not managed by \"%s\": run "
		       "\"qsock init %s %s\"",
		       dev, name, dev, name);
}

static int attach_fail(int fd, int err, const struct qos_params *params)
{
	int ret = qs_fd_check(fd);

	if (!ret)
		ret = qs_admission_fail(fd, err, params->dev);
	if (ret)
		return ret;
	switch (err) {
	case ENOPROTOOPT: /* nobody answers at SOL_QSOCKETS */
	case EOPNOTSUPP:
	case EPROTONOSUPPORT: /* another scheduler's device */
		return device_fail(params, err != ENOPROTOOPT);
	case EALREADY:
		return qs_fail(err,
			       "fd %d is attached already: use qchange(), "
			       "or qdetach() first",
			       fd);
	case ENOSPC:
		return qs_fail(err, "the device has no stream left: close a "
				    "socket, or init it with more streams");
	default:
		return qs_fail(err, "the manager refused fd %d: %s", fd,
			       strerror(err));
	}
}

int qs_attached_fail(int fd, int err)
{
	int ret = qs_fd_check(fd);

	if (ret)
		return ret;
	switch (err) {
	case ENOPROTOOPT: /* nobody answers, so nothing is attached */
	case EOPNOTSUPP:
	case ENOTCONN:
		return qs_fail(ENOTCONN,
			       "fd %d is not attached: use qattach() "
			       "first",
			       fd);
	case ENODEV:
		return qs_fail(err,
			       "the device that fd %d was attached to is "
			       "not managed any more: use qdetach()",
			       fd);
	default:
		return qs_fail(err, "the manager refused fd %d: %s", fd,
			       strerror(err));
	}
}

/* ---- what goes to the kernel */

static int attach_pack(const struct qos_params *params,
		       const struct qs_sched *sched, struct qs_attach *opt)
{
	memset(opt, 0, sizeof(*opt));
	opt->version = QS_ABI_VERSION;
	opt->sched = sched->id;
	strcpy(opt->dev, params->dev);
	return sched->pack(params->attributes, opt);
}

/* Is the engine that serves the socket the one that has to? Else it is detached. */
static int check_engine(int fd, __u32 forced)
{
	struct qos_info info;
	socklen_t len = sizeof(info);
	__u32 zero = 0;

	if (getsockopt(fd, SOL_QSOCKETS, QS_INFO, &info, &len) ||
	    info.engine == forced || info.engine == QOS_ENGINE_NONE)
		return 0;
	setsockopt(fd, SOL_QSOCKETS, QS_DETACH, &zero, sizeof(zero));
	return qs_fail(EOPNOTSUPP,
		       "dev \"%s\" has the engine \"%s\", and QSOCKETS_ENGINE "
		       "is \"%s\"",
		       info.dev, qs_engine_name(info.engine),
		       qs_engine_name(forced));
}

/*
 * No device of that name is managed, or nobody answers at all: the process's own
 * engine is the best there is, unless the name is of no device.
 */
static int may_fall_back(int err, const struct qos_params *params)
{
	return (err == ENOPROTOOPT || err == EOPNOTSUPP) &&
	       (!*params->dev || if_nametoindex(params->dev));
}

static int attach_kernel(int fd, const struct qs_sched *sched,
			 const struct qs_attach *opt,
			 const struct qos_params *params, __u32 forced,
			 int managed)
{
	int err;

	if (!setsockopt(fd, SOL_QSOCKETS, QS_ATTACH, opt, sizeof(*opt)))
		return forced ? check_engine(fd, forced) : 0;
	err = errno;
	if (!forced && !managed && may_fall_back(err, params))
		return qs_inproc_attach(fd, sched, opt);
	return attach_fail(fd, err, params);
}

/* `managed`: never by the process's own engine. */
static int attach(int fd, const struct qos_params *params, int managed)
{
	const struct qs_sched *sched;
	struct qs_attach opt;
	int err, forced;

	err = qs_params_check(params);
	if (err)
		return err;
	forced = qs_engine_forced();
	if (forced < 0)
		return forced;
	if (forced == QS_ENGINE_MANAGED) {
		forced = QOS_ENGINE_NONE;
		managed = 1;
	}
	sched = qs_sched_find(params->name);
	if (!sched)
		return qs_fail(ENOENT, "name \"%s\" is no scheduler",
			       params->name);
	err = attach_pack(params, sched, &opt);
	if (err)
		return err;
	if (qs_inproc_on()) {
		err = qs_inproc_has(fd);
		if (err)
			return err < 0 ? err :
					 attach_fail(fd, EALREADY, params);
	}
	if (!managed && qs_inproc_wanted(params) == 1)
		return qs_inproc_attach(fd, sched, &opt);
	return attach_kernel(fd, sched, &opt, params, forced, managed);
}

int qs_attach_managed(int fd, const struct qos_params *params)
{
	return attach(fd, params, 1);
}

/* The scheduler to change to when params do not say. */
static const struct qs_sched *attached_sched(int fd, int *err)
{
	const struct qs_sched *sched;
	struct qos_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_QSOCKETS, QS_INFO, &info, &len)) {
		*err = qs_attached_fail(fd, errno);
		return NULL;
	}
	info.name[sizeof(info.name) - 1] = 0;
	sched = qs_sched_find(info.name);
	if (!sched)
		*err = info.state & QOS_STATE_DEVICE_GONE ?
			       qs_attached_fail(fd, ENODEV) :
			       qs_fail(EINVAL,
				       "fd %d is attached to \"%s\", "
				       "which this library does not know",
				       fd, info.name);
	return sched;
}

static int change_fail(int fd, int err, const struct qos_params *params)
{
	int ret = qs_admission_fail(fd, err, params->dev);

	if (ret)
		return ret;
	if (err != EINVAL || qs_fd_check(fd))
		return qs_attached_fail(fd, err);
	return qs_fail(EINVAL,
		       "fd %d is attached to another dev or name than "
		       "\"%s\" and \"%s\": leave them empty, or qdetach() and "
		       "qattach() to move it",
		       fd, params->dev, params->name);
}

static int change(int fd, const struct qos_params *params)
{
	const struct qs_sched *sched;
	struct qs_attach opt;
	int err;

	err = qs_params_check(params);
	if (err)
		return err;
	if (qs_inproc_on()) {
		err = qs_inproc_change(fd, params);
		if (err <= 0)
			return err;
		err = 0;
	}
	if (*params->name)
		sched = qs_sched_find(params->name);
	else
		sched = attached_sched(fd, &err);
	if (err)
		return err;
	if (!sched)
		return qs_fail(EINVAL,
			       "name \"%s\" is no scheduler: leave it "
			       "empty for the one attached to",
			       params->name);
	err = attach_pack(params, sched, &opt);
	if (err)
		return err;
	if (setsockopt(fd, SOL_QSOCKETS, QS_CHANGE, &opt, sizeof(opt)))
		return change_fail(fd, errno, params);
	return 0;
}

/* ---- public */

QS_PUBLIC int qattach(int fd, struct qos_params *params)
{
	return qs_return(attach(fd, params, 0));
}

QS_PUBLIC int qsocket(int domain, int type, int protocol,
		      struct qos_params *params)
{
	int fd, err;

	fd = socket(domain, type, protocol);
	if (fd < 0)
		return qs_return(qs_fail(errno, "socket: %s", strerror(errno)));
	err = attach(fd, params, 0);
	if (!err)
		return fd;
	qs_close(&fd);
	return qs_return(err);
}

/*
 * SO_TXTIME, once set, cannot be cleared: qsend() with flags on this socket
 * still stamps its packets after this, and only our classifier takes the stamp
 * off again. Applications that detach go on with send().
 */
QS_PUBLIC int qdetach(int fd)
{
	__u32 zero = 0;
	int err;

	if (qs_inproc_on()) {
		err = qs_inproc_detach(fd);
		if (err <= 0)
			return qs_return(err);
	}
	if (!setsockopt(fd, SOL_QSOCKETS, QS_DETACH, &zero, sizeof(zero)))
		return 0;
	return qs_return(qs_attached_fail(fd, errno));
}

QS_PUBLIC int qchange(int fd, struct qos_params *params)
{
	return qs_return(change(fd, params));
}

QS_PUBLIC int qshutdown(int fd, int how)
{
	int err = qs_inproc_on() ? qs_inproc_shutdown(fd, how) : 1;

	if (err <= 0)
		return qs_return(err);
	if (!shutdown(fd, how))
		return 0;
	return qs_return(
		qs_fail(errno, "shutdown: fd %d: %s", fd, strerror(errno)));
}

QS_PUBLIC int qclose(int fd)
{
	if (qs_inproc_on())
		qs_inproc_close(fd);
	if (!close(fd))
		return 0;
	return qs_return(
		qs_fail(errno, "close: fd %d: %s", fd, strerror(errno)));
}
