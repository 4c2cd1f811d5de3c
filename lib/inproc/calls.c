/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The in-process engine's side of the calls that have one for each engine. There
 * is one device in a process, "inproc", made by the first qsockinit() or, with
 * the defaults, by the first attachment.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "inproc.h"
#include "schedulers/common/admit.h"
#include "schedulers/common/fate.h"
#include "schedulers/common/info.h"
#include "schedulers/dwcs/attr.h"

#define MTU 1500 /* of which a burst has one; Ethernet's */
#define QUEUE_MESSAGES 1024u /* of one socket */
/* Of each Mbit/s of an interface's speed, bit/s: the rest is for preambles and
 * gaps, which no length has, so that the queue is here and not in the device. */
#define LINK_SHARE 950000

/* ---- is it this engine? */

int qs_inproc_serves(const char *dev)
{
	int forced = qs_engine_forced();

	if (forced < 0)
		return forced;
	if (forced == QOS_ENGINE_NONE)
		return !strcmp(dev, QS_INPROC_DEV);
	return forced == QOS_ENGINE_INPROC;
}

int qs_inproc_wanted(const struct qos_params *params)
{
	return qs_inproc_serves(params->dev);
}

int qs_inproc_has(int fd)
{
	const struct inproc_sock *sock;
	int has = qsi_enter();

	if (has)
		return has;
	sock = qsi_find(fd);
	has = sock && !sock->gone;
	qsi_leave();
	return has;
}

/* ---- the device */

/* What an interface says of its speed, less what its headers take; 0: nothing. */
static __u64 link_rate(const char *name)
{
	char path[sizeof("/sys/class/net//speed") + IF_NAMESIZE];
	long long mbits = 0;
	FILE *f;

	if (!*name || strchr(name, '/') || !strcmp(name, QS_INPROC_DEV))
		return 0;
	snprintf(path, sizeof(path), "/sys/class/net/%.*s/speed", IF_NAMESIZE,
		 name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lld", &mbits) != 1)
		mbits = 0;
	fclose(f);
	return mbits > 0 ? mbits * LINK_SHARE : 0;
}

static void describe(struct qs_dev *dev, const struct qs_sched *sched,
		     const struct qos_device *d, const char *interface)
{
	__u64 rate = d->rate ? d->rate : link_rate(interface);

	memset(dev, 0, sizeof(*dev));
	dev->state = QS_DEV_READY;
	dev->sched = sched->id;
	strcpy(dev->name, QS_INPROC_DEV);
	snprintf(dev->sched_name, sizeof(dev->sched_name), "%s", sched->name);
	dev->rate = rate;
	dev->packets = d->packets;
	dev->streams = d->streams;
	dev->burst = d->burst;
	dev->overhead = d->overhead;
	dev->guarantee = qs_guarantee(rate, d->guarantee);
}

static int make_device(const struct qs_sched *sched, const struct qs_dev *dev)
{
	struct inproc_message **message;
	struct qs_core *core;

	core = malloc(qs_core_size(dev->packets, dev->streams));
	message = (struct inproc_message **)calloc(dev->packets,
						   sizeof(*message));
	if (!core || !message) {
		free(core);
		free((void *)message);
		return qs_fail(ENOMEM,
			       "no memory for %u packets and %u streams",
			       dev->packets, dev->streams);
	}
	qs_core_prepare(core, sched, dev, MTU);
	if (core->stream_limit > QUEUE_MESSAGES)
		core->stream_limit = QUEUE_MESSAGES;
	free(qsi.core);
	free((void *)qsi.message);
	qsi.core = core;
	qsi.message = message;
	qsi.sched = sched;
	qsi.dev = *dev;
	qsi.over = 0;
	return 0;
}

static int is_free(void)
{
	return !qsi.core || (!qsi.messages && !qsi.core->attached);
}

/* `any`: whatever settings it has already will do. */
static int init_device(const struct qs_sched *sched, const struct qs_dev *dev,
		       int any)
{
	int err = 0;

	if (!qsi.core || qsi.over || qsi.sched != sched ||
	    (!any && memcmp(&qsi.dev, dev, sizeof(*dev)))) {
		if (!is_free())
			return qs_fail(EBUSY,
				       "sockets of this process are attached "
				       "to \"%s\" already, or with other "
				       "settings",
				       qsi.sched->name);
		err = make_device(sched, dev);
	}
	if (!err)
		qsi.initialised = 1;
	return err;
}

/* One that nobody initialised is made as it is needed. */
static int need_device(const struct qs_sched *sched, const char *interface)
{
	struct qos_device d = { 0 };
	struct qs_dev dev;
	int err;

	if (qsi.core && !qsi.over && qsi.sched == sched)
		return 0;
	if (qsi.core && qsi.sched == sched && !is_free())
		return qs_fail(EOPNOTSUPP,
			       "the device \"" QS_INPROC_DEV
			       "\" of this process is being given back: try "
			       "again when what is queued has left");
	if (qsi.initialised || !is_free())
		return qs_fail(EOPNOTSUPP,
			       "the device \"" QS_INPROC_DEV
			       "\" of this process is managed by \"%s\", not "
			       "by \"%s\"",
			       qsi.sched->name, sched->name);
	err = qs_settings_complete(&d);
	if (err)
		return err;
	describe(&dev, sched, &d, interface);
	return make_device(sched, &dev);
}

int qs_inproc_init(const struct qos_params *params,
		   const struct qos_device *device)
{
	const struct qs_sched *sched = qs_sched_find(params->name);
	static const struct qos_device none;
	struct qos_device d = device ? *device : none;
	int any = !memcmp(&d, &none, sizeof(d)), err;
	struct qs_dev dev;

	if (!sched)
		return qs_fail(ENOENT, "name \"%s\" is no scheduler",
			       params->name);
	err = qs_settings_complete(&d);
	if (err)
		return err;
	describe(&dev, sched, &d, params->dev);
	err = qsi_enter();
	if (err)
		return err;
	err = init_device(sched, &dev, any);
	qsi_leave();
	return err;
}

/* ---- and back */

/* Those that are attached are told so until they are detached. */
static void leave_socks(void)
{
	struct inproc_sock *sock;
	int fd;

	for (fd = 0; fd < qsi.fds; fd++) {
		sock = qsi.table[fd];
		if (!sock || sock->gone)
			continue;
		qsi_give_back(sock);
		sock->gone = 1;
	}
}

static void wait_empty(void)
{
	__u64 until = qsi_now() + INPROC_DETACH_NS;
	int err = 0;

	while (qsi.messages && !err)
		err = qsi_wait_left(until);
}

int qs_inproc_fini(void)
{
	int err = qsi_enter();

	if (err)
		return err;
	if (!qsi.core || qsi.over) {
		qsi_leave();
		return qs_fail(ENOENT,
			       "dev \"" QS_INPROC_DEV "\" is not initialised");
	}
	leave_socks();
	qsi.initialised = 0;
	qsi.over = 1;
	wait_empty();
	if (qsi.messages) {
		qsi_drop_all();
		wait_empty();
	}
	qsi_leave();
	return 0;
}

/* ---- attach */

/* With what it has declared. */
static int set_attr(struct inproc_sock *sock, const struct qs_attach *opt)
{
	struct qs_stream *s = qs_stream(qsi.core, sock->stream);
	struct qs_attr a;
	int err;

	dwcs_attr_unpack(opt, &a);
	err = qsi_admit(sock, sock->unit_bytes, &a);
	if (err)
		return err;
	s->attr_seq += 2;
	s->attr = a;
	return 0;
}

static int give_stream(struct inproc_sock *sock, const struct qs_attach *opt)
{
	__u32 i = qs_stream_alloc(qsi.core);
	struct qs_stream *s;
	int err;

	if (i == QS_NIL && qsi_sweep())
		i = qs_stream_alloc(qsi.core);
	if (i == QS_NIL)
		return qs_fail(ENOSPC,
			       "all %u streams of this process are in "
			       "use: close a socket, or init with more",
			       qsi.dev.streams);
	s = qs_stream(qsi.core, i);
	sock->stream = i;
	err = set_attr(sock, opt);
	if (err) {
		qs_stream_free(qsi.core, i);
		return err;
	}
	s->pid = getpid();
	s->uid = getuid();
	sock->gen = QS_LIFE_GEN(s->life) + 1;
	s->life = QS_LIFE(sock->gen, 1);
	return 0;
}

static int attach(int fd, const struct qs_attach *opt)
{
	struct inproc_sock *old = qsi_find(fd), *sock;
	int err;

	if (old && !old->gone)
		return qs_fail(EALREADY, "fd %d is attached already", fd);
	err = qsi_start();
	if (!err)
		err = qsi_sock_new(fd, &sock);
	if (err)
		return err;
	sock->unit_bytes = old ? old->unit_bytes : qsi_declared(fd);
	err = give_stream(sock, opt);
	if (!err) {
		if (old)
			qsi_forget(old);
		qsi_undeclare(fd);
		sock->attached = 1;
		sock->rate_at = qsi_now();
		qsi.table[fd] = sock;
	}
	qsi_sock_put(sock);
	return err;
}

/* A socket of the kernel's stays that. */
static int check_free(int fd)
{
	struct qos_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_QSOCKETS, QS_INFO, &info, &len))
		return 0;
	return qs_fail(EALREADY,
		       "fd %d is attached to dev \"%.*s\": qdetach() first", fd,
		       (int)sizeof(info.dev), info.dev);
}

int qs_inproc_attach(int fd, const struct qs_sched *sched,
		     const struct qs_attach *opt)
{
	int err = qs_fd_check(fd);

	if (!err)
		err = check_free(fd);
	if (!err)
		err = qsi_enter();
	if (err)
		return err;
	err = need_device(sched, opt->dev);
	if (!err)
		err = attach(fd, opt);
	if (!err)
		__atomic_store_n(&qs_inproc_used, 1, __ATOMIC_RELAXED);
	qsi_leave();
	return err;
}

/* ---- detach and close */

/* What the application writes next must not come between a message's bytes. */
static int drain(const struct inproc_sock *sock)
{
	__u64 until = qsi_now() + INPROC_DETACH_NS;
	int err = 0;

	while (sock->messages && !err)
		err = qsi_wait_left(until);
	if (!sock->messages)
		return 0;
	return qs_fail(EAGAIN, "fd %d has %u messages queued still", sock->fd,
		       sock->messages);
}

int qs_inproc_detach(int fd)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	if (sock) {
		sock->users++;
		if (sock->bytes)
			err = drain(sock);
		if (!err && sock->attached)
			qsi_forget(sock);
		sock->users--;
		qsi_sock_put(sock);
	}
	qsi_leave();
	return sock ? err : 1;
}

int qs_inproc_close(int fd)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	if (sock && sock->messages) {
		sock->users++; /* the list's */
		sock->closing_until = qsi_now() + INPROC_CLOSE_NS;
		sock->next_closing = NULL;
		*qsi.closing_end = sock;
		qsi.closing_end = &sock->next_closing;
	}
	if (sock)
		qsi_forget(sock);
	qsi_leave();
	return sock ? 0 : 1;
}

/* ---- shutdown */

/* The FIN follows what is queued: at once if that is nothing. */
int qs_inproc_shutdown(int fd, int how)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	err = 1;
	sock = qsi_find(fd);
	if (sock && sock->messages && (how == SHUT_WR || how == SHUT_RDWR)) {
		sock->fin = 1;
		err = 0;
		if (how == SHUT_RDWR && shutdown(fd, SHUT_RD))
			err = qs_fail(errno, "shutdown: fd %d: %s", fd,
				      strerror(errno));
	}
	qsi_leave();
	return err;
}

/* ---- change */

static int change(struct inproc_sock *sock, const struct qos_params *params)
{
	struct qs_attach opt = { 0 };
	int err;

	if (sock->gone)
		return qs_attached_fail(sock->fd, ENODEV);
	if (*params->name && strcmp(params->name, qsi.sched->name))
		return qs_fail(EINVAL,
			       "fd %d is attached to \"%s\", not \"%s\": leave "
			       "name empty, or qdetach() and qattach()",
			       sock->fd, qsi.sched->name, params->name);
	if (*params->dev && !qs_inproc_wanted(params))
		return qs_fail(EINVAL,
			       "fd %d is attached to dev \"" QS_INPROC_DEV
			       "\", not \"%s\": leave dev empty, or qdetach() "
			       "and qattach()",
			       sock->fd, params->dev);
	err = qsi.sched->pack(params->attributes, &opt);
	if (!err)
		err = set_attr(sock, &opt);
	return err;
}

int qs_inproc_change(int fd, const struct qos_params *params)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	err = sock ? change(sock, params) : 1;
	qsi_leave();
	return err;
}

/* ---- info */

static void fill_rate(struct inproc_sock *sock, struct qos_info *o)
{
	__u64 now = qsi_now(), took = now - sock->rate_at;

	if (took >= QS_RATE_NS) {
		sock->rate = qs_rate(o->sent_bytes - sock->rate_bytes, took);
		sock->rate_bytes = o->sent_bytes;
		sock->rate_at = now;
	}
	o->rate = sock->rate;
}

static void fill_tcp(int fd, struct qos_info *o, int queued)
{
	struct tcp_info t = { 0 };
	socklen_t len = sizeof(t);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len))
		return;
	o->tcp_rtt_us = t.tcpi_rtt;
	o->tcp_cwnd = t.tcpi_snd_cwnd;
	o->tcp_mss = t.tcpi_snd_mss;
	o->tcp_rcv_wnd = t.tcpi_snd_wnd;
	o->tcp_unsent = t.tcpi_notsent_bytes;
	if (queued > (int)t.tcpi_notsent_bytes)
		o->tcp_unacked = queued - t.tcpi_notsent_bytes;
}

static void fill_stack(const struct inproc_sock *sock, struct qos_info *o)
{
	int size = 0, queued = 0;
	socklen_t len = sizeof(size);

	getsockopt(sock->fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	if (ioctl(sock->fd, SIOCOUTQ, &queued))
		queued = 0;
	o->sndbuf = size;
	o->sndbuf_used = queued;
	if (sock->bytes)
		fill_tcp(sock->fd, o, queued);
}

static void fill_info(struct inproc_sock *sock, struct qos_info *o)
{
	memset(o, 0, sizeof(*o));
	o->size = sizeof(*o);
	if (sock->gone) {
		o->state = QOS_STATE_ATTACHED | QOS_STATE_DEVICE_GONE;
	} else {
		qs_info_fill(o, &qsi.dev, qsi.core,
			     qs_stream(qsi.core, sock->stream), sock->gen);
		o->engine = QOS_ENGINE_INPROC;
		fill_rate(sock, o);
	}
	fill_stack(sock, o);
}

int qs_inproc_info(int fd, struct qos_info *to)
{
	struct inproc_sock *sock;
	int err = qsi_enter();

	if (err)
		return err;
	sock = qsi_find(fd);
	if (sock)
		fill_info(sock, to);
	qsi_leave();
	return sock ? 0 : 1;
}
