/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages with a deadline and flags. They travel in the 64 bits of a
 * SCM_TXTIME control message, which the kernel accepts once SO_TXTIME is set on
 * the socket; it says EINVAL before. So the first message with flags sets it,
 * and no state about the socket is kept here. On a socket that is not attached
 * it stays unset: fq and etf would read the deadline as a launch time. It does
 * on TCP too, which would take the bits and lose them: there each message meets
 * EINVAL, and goes by mark.c.
 */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <time.h>

#include "internal.h"
#include "schedulers/common/message.h"

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_USEC 1000ull
#define CHUNK 64 /* messages that qsendmmsg() hands over at once */
#define CONTROL_MAX 4096 /* of the caller's own control messages, bytes */
#define MESSAGES_MAX 1024 /* the kernel's, UIO_MAXIOV */

_Static_assert(DWCS_NON_DROPPABLE == QS_TX_NON_DROPPABLE &&
		       QSOCK_FRAME_START == QS_TX_FRAME_START &&
		       QSOCK_FRAME_END == QS_TX_FRAME_END &&
		       QSOCK_PRIO(7) == QS_TX_PRIO_MASK,
	       "drop_flag is what travels");
_Static_assert(QSOCK_HORIZON_NS == QS_TX_HORIZON_NS, "horizon");

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(__u64))];
};

/* ---- a message's 64 bits */

static inline int flags_known(const struct packet_flags *pf)
{
	return !(pf->drop_flag & ~QS_TX_DROP_FLAG);
}

static int flags_fail(const struct packet_flags *pf)
{
	return qs_fail(EINVAL, "drop_flag has unknown bits: 0x%x",
		       pf->drop_flag & ~(QS_TX_DROP_FLAG | QSOCK_MESSAGE));
}

/* 0: nothing to say. */
static inline __u64 tx_bits(const struct packet_flags *pf)
{
	return qs_tx_pack(pf->drop_flag, pf->deadline);
}

static __u64 clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static int message_check(const struct qos_message *m)
{
	__u32 known = QOS_MESSAGE_COOKIE | QOS_MESSAGE_LEAD;

	if (m->fields & ~known)
		return qs_fail(EINVAL, "fields has unknown bits: 0x%x",
			       m->fields & ~known);
	if ((m->fields & QOS_MESSAGE_LEAD) && !m->flags.deadline)
		return qs_fail(EINVAL, "lead is for a message with a deadline, "
				       "and deadline is 0");
	return 0;
}

/* What the caller's has beyond its size is 0. */
static int message_read(const struct packet_flags *pf, struct qos_message *to)
{
	const struct qos_message *m = (const struct qos_message *)pf;

	if (pf->drop_flag & ~(QS_TX_DROP_FLAG | QSOCK_MESSAGE))
		return flags_fail(pf);
	return qs_grow(to, sizeof(*to), m, m->size,
		       offsetof(struct qos_message, cookie),
		       "struct qos_message");
}

/* The bits of flags that are more than packet_flags, or wrong. */
static __attribute__((noinline, cold)) int message_bits(
	const struct packet_flags *pf, __u64 *bits)
{
	__u32 flags = pf->drop_flag & QS_TX_DROP_FLAG;
	__u64 deadline = pf->deadline, lead;
	struct qos_message all = { .fields = 0 }, *m = &all;
	int err = message_read(pf, m);

	if (!err)
		err = message_check(m);
	if (err)
		return err;
	if (m->fields & QOS_MESSAGE_LEAD) {
		lead = m->lead * NSEC_PER_USEC;
		deadline = deadline > lead ? deadline - lead : 1;
	}
	*bits = m->fields & QOS_MESSAGE_COOKIE ?
			qs_tx_pack_cookie(flags, deadline, m->cookie,
					  clock_now()) :
			qs_tx_pack(flags, deadline);
	return 0;
}

/* What travels of pf, which may be NULL. */
static inline int bits_of(const struct packet_flags *pf, __u64 *bits)
{
	*bits = 0;
	if (!pf)
		return 0;
	if (!flags_known(pf))
		return message_bits(pf, bits);
	*bits = tx_bits(pf);
	return 0;
}

static inline void control_set(struct cmsghdr *c, __u64 bits)
{
	c->cmsg_len = CMSG_LEN(sizeof(bits));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_TXTIME;
	memcpy(CMSG_DATA(c), &bits, sizeof(bits));
}

static int txtime_enable(int fd)
{
	struct sock_txtime txtime = { .clockid = CLOCK_MONOTONIC };

	return !setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime));
}

/* ---- sockets that are attached in this process */

/* Of a socket that is: 1, and what the call returns. */
static __attribute__((noinline, cold)) int inproc_sent(
	int fd, const struct msghdr *msg, int flags,
	const struct packet_flags *pf, ssize_t *n)
{
	struct qs_outgoing o = { .msg = msg };
	int done;

	if (!msg)
		return 0;
	done = bits_of(pf, &o.bits);
	if (!done)
		done = qs_inproc_send(fd, &o, 1, flags);
	*n = done < 0 ? qs_return(done) : o.len;
	return done != 0;
}

static __attribute__((noinline, cold)) int inproc_sent_to(
	int fd, const void *buf, size_t len, int flags,
	const struct sockaddr *to, socklen_t tolen,
	const struct packet_flags *pf, ssize_t *n)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = {
		.msg_name = (void *)to,
		.msg_namelen = to ? tolen : 0,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	return inproc_sent(fd, &msg, flags, pf, n);
}

/* ---- one message */

static ssize_t sent(const char *call, ssize_t n)
{
	if (n >= 0)
		return n;
	return qs_return(qs_fail(errno, "%s: %s", call, strerror(errno)));
}

/*
 * After EINVAL on a message with our bits, which has these control messages of
 * its own. If the EINVAL was about something else, the next try says so again.
 */
static __attribute__((noinline)) ssize_t send_again(int fd, struct msghdr *msg,
						    int flags, __u64 bits,
						    void *own, size_t own_len)
{
	struct msghdr plain = *msg;
	ssize_t n;
	int err;

	plain.msg_control = own;
	plain.msg_controllen = own_len;
	err = qs_mark_send(fd, &plain, flags, bits, &n);
	if (!err)
		return n;
	if (err == -EPROTOTYPE && txtime_enable(fd))
		return sendmsg(fd, msg, flags);
	return sendmsg(fd, &plain, flags);
}

/* Nothing to say, or a call that opens the connection: it has no stream yet. */
static inline int goes_plain(__u64 bits, int flags)
{
	return !bits || (flags & MSG_FASTOPEN);
}

QS_PUBLIC ssize_t qsendto(int fd, const void *buf, size_t len, int flags,
			  const struct sockaddr *to, socklen_t tolen,
			  struct packet_flags *pflags)
{
	union control control;
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = {
		.msg_name = (void *)to,
		.msg_namelen = tolen,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	__u64 bits;
	ssize_t n;

	if (qs_inproc_on() &&
	    inproc_sent_to(fd, buf, len, flags, to, tolen, pflags, &n))
		return n;
	n = bits_of(pflags, &bits);
	if (n)
		return qs_return(n);
	if (goes_plain(bits, flags))
		return sent("sendto", sendto(fd, buf, len, flags, to, tolen));
	control_set(&control.header, bits);
	n = sendmsg(fd, &msg, flags);
	if (n < 0 && errno == EINVAL)
		n = send_again(fd, &msg, flags, bits, NULL, 0);
	return sent("sendto", n);
}

QS_PUBLIC ssize_t qsend(int fd, const void *buf, size_t len, int flags,
			struct packet_flags *pflags)
{
	return qsendto(fd, buf, len, flags, NULL, 0, pflags);
}

/* With the caller's control messages and ours after them. */
static __attribute__((noinline)) ssize_t
send_with_control(int fd, const struct msghdr *from, int flags, __u64 bits)
{
	_Alignas(struct cmsghdr) char
		room[CONTROL_MAX + CMSG_SPACE(sizeof(__u64))];
	size_t own = CMSG_ALIGN(from->msg_controllen);
	struct msghdr msg = *from;
	ssize_t n;

	if (from->msg_controllen > CONTROL_MAX)
		return qs_fail(EINVAL, "msg_controllen is %zu, more than %d",
			       from->msg_controllen, CONTROL_MAX);
	if (!qs_readable(from->msg_control, from->msg_controllen))
		return qs_fail(EFAULT, "msg_control cannot be read");
	memset(room, 0, own);
	memcpy(room, from->msg_control, from->msg_controllen);
	memset(room + own, 0, CMSG_SPACE(sizeof(__u64)));
	control_set((struct cmsghdr *)(room + own), bits);
	msg.msg_control = room;
	msg.msg_controllen = own + CMSG_SPACE(sizeof(__u64));
	n = sendmsg(fd, &msg, flags);
	if (n < 0 && errno == EINVAL)
		n = send_again(fd, &msg, flags, bits, from->msg_control,
			       from->msg_controllen);
	return n < 0 ? qs_fail(errno, "sendmsg: %s", strerror(errno)) : n;
}

QS_PUBLIC ssize_t qsendmsg(int fd, const struct msghdr *msg, int flags,
			   struct packet_flags *pflags)
{
	union control control;
	struct msghdr with;
	__u64 bits;
	ssize_t n;

	if (qs_inproc_on() && inproc_sent(fd, msg, flags, pflags, &n))
		return n;
	n = bits_of(pflags, &bits);
	if (n)
		return qs_return(n);
	if (!msg || goes_plain(bits, flags))
		return sent("sendmsg", sendmsg(fd, msg, flags));
	if (msg->msg_control && msg->msg_controllen) {
		n = send_with_control(fd, msg, flags, bits);
		return n < 0 ? qs_return(n) : n;
	}
	with = *msg;
	control_set(&control.header, bits);
	with.msg_control = &control;
	with.msg_controllen = sizeof(control);
	n = sendmsg(fd, &with, flags);
	if (n < 0 && errno == EINVAL)
		n = send_again(fd, &with, flags, bits, NULL, 0);
	return sent("sendmsg", n);
}

/* ---- many messages */

/* How qsendmmsg() gets on. */
struct progress {
	int tcp; /* the socket is TCP, and attached */
	int full; /* go on: nothing stopped it */
};

static inline int has_control(const struct qmmsghdr *m)
{
	return m->msg_hdr.msg_control && m->msg_hdr.msg_controllen;
}

/* Has flags, and goes by itself. */
static inline int goes_alone(const struct qmmsghdr *m, const struct progress *p)
{
	return (p->tcp || has_control(m)) && tx_bits(&m->flags);
}

/* Fills in what goes at once; returns how many that are. */
static int chunk_fill(struct mmsghdr *to, union control *control,
		      const struct qmmsghdr *from, unsigned int n, int with,
		      const struct progress *p)
{
	unsigned int k;
	__u64 bits;

	for (k = 0; k < n && k < CHUNK; k++) {
		if (!flags_known(&from[k].flags) || goes_alone(&from[k], p))
			break;
		to[k].msg_hdr = from[k].msg_hdr;
		bits = tx_bits(&from[k].flags);
		if (!bits || !with)
			continue;
		control_set(&control[k].header, bits);
		to[k].msg_hdr.msg_control = &control[k];
		to[k].msg_hdr.msg_controllen = sizeof(control[k]);
	}
	return k;
}

/* Bytes after a message that was cut short would be taken for its rest. */
static inline int is_whole(const struct qmmsghdr *m)
{
	return m->msg_len == qs_message_len(&m->msg_hdr);
}

static int one_sent(struct qmmsghdr *m, ssize_t len, struct progress *p)
{
	if (len < 0)
		return qs_fail(errno, "sendmsg: %s", strerror(errno));
	m->msg_len = len;
	p->full = is_whole(m);
	return 1;
}

/* A message with flags and no control messages, by itself if that is TCP. */
static int send_marked(int fd, struct qmmsghdr *m, int flags,
		       struct progress *p)
{
	__u64 bits = tx_bits(&m->flags);
	ssize_t len;
	int err;

	err = bits ? qs_mark_send(fd, &m->msg_hdr, flags, bits, &len) : -EINVAL;
	p->tcp = !err;
	return err ? err : one_sent(m, len, p);
}

static int send_chunk(int fd, struct qmmsghdr *msgs, unsigned int n, int flags,
		      struct progress *p)
{
	union control control[CHUNK];
	struct mmsghdr hdrs[CHUNK];
	int i, k, done;

	k = chunk_fill(hdrs, control, msgs, n, !(flags & MSG_FASTOPEN), p);
	done = sendmmsg(fd, hdrs, k, flags);
	if (done < 0 && errno == EINVAL) {
		done = send_marked(fd, msgs, flags, p);
		if (p->tcp)
			return done;
		done = done == -EPROTOTYPE && txtime_enable(fd);
		k = chunk_fill(hdrs, control, msgs, n, done, p);
		done = sendmmsg(fd, hdrs, k, flags);
	}
	if (done < 0)
		return qs_fail(errno, "sendmmsg: %s", strerror(errno));
	for (i = 0; i < done; i++)
		msgs[i].msg_len = hdrs[i].msg_len;
	/* flags may have been refused as above, but after a message */
	p->full = (done == k || tx_bits(&msgs[done].flags)) &&
		  is_whole(&msgs[done - 1]);
	return done;
}

/* On a socket that is attached in this process; 0: it is not. */
static __attribute__((noinline, cold)) int inproc_sent_many(
	int fd, struct qmmsghdr *msgs, unsigned int n, int flags,
	struct progress *p)
{
	struct qs_outgoing o[CHUNK];
	unsigned int k;
	int i, done;

	for (k = 0; k < n && k < CHUNK && flags_known(&msgs[k].flags); k++) {
		o[k].msg = &msgs[k].msg_hdr;
		o[k].bits = tx_bits(&msgs[k].flags);
	}
	done = qs_inproc_send(fd, o, k, flags);
	for (i = 0; i < done; i++)
		msgs[i].msg_len = o[i].len;
	if (done > 0)
		p->full = is_whole(&msgs[done - 1]);
	return done;
}

static int send_next(int fd, struct qmmsghdr *msgs, unsigned int n, int flags,
		     struct progress *p)
{
	ssize_t len;
	int ret;

	if (!flags_known(&msgs->flags))
		return qs_fail(EINVAL,
			       "drop_flag has unknown bits: 0x%x; "
			       "qsendmmsg() takes no QSOCK_MESSAGE",
			       msgs->flags.drop_flag & ~QS_TX_DROP_FLAG);
	if (qs_inproc_on()) {
		ret = inproc_sent_many(fd, msgs, n, flags, p);
		if (ret)
			return ret;
	}
	if (!goes_alone(msgs, p))
		return send_chunk(fd, msgs, n, flags, p);
	if (has_control(msgs)) {
		len = send_with_control(fd, &msgs->msg_hdr, flags,
					tx_bits(&msgs->flags));
		return len < 0 ? (int)len : one_sent(msgs, len, p);
	}
	ret = send_marked(fd, msgs, flags, p);
	return p->tcp ? ret : send_chunk(fd, msgs, n, flags, p);
}

QS_PUBLIC int qsendmmsg(int fd, struct qmmsghdr *msgs, unsigned int n,
			int flags)
{
	struct progress p = { .full = 1 };
	unsigned int at = 0;
	int k = 0;

	if (n && !msgs)
		return qs_return(qs_fail(EFAULT, "msgs is NULL"));
	if (n > MESSAGES_MAX)
		n = MESSAGES_MAX;
	if (!n)
		return sent("sendmmsg", sendmmsg(fd, NULL, 0, flags));
	while (at < n && p.full) {
		k = send_next(fd, msgs + at, n - at, flags, &p);
		if (k < 0)
			break;
		at += k;
	}
	return at ? (int)at : qs_return(k);
}
