/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QSockets: end-host quality of service for BSD sockets.
 *
 * A socket is given the attributes of a packet scheduler; the kernel tells its
 * packets by the socket itself and schedules them; each message may bring a
 * deadline, a drop priority and frame boundaries. See qsockets(7).
 *
 * All calls are thread-safe, work across fork() and keep no state about a file
 * descriptor in the process: the socket carries it, so dup(), SCM_RIGHTS and
 * plain close() do what one expects. The in-process engine, dev "inproc", has
 * such state: see "Engines" in qsockets(7). On failure they return -1 and set errno,
 * nothing is applied in part, and qsock_errmsg() says which field was wrong.
 * Pointers stay the caller's; nothing is kept after a call returns.
 */
#ifndef QSOCKETS_H
#define QSOCKETS_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <qsockets/info.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The socket level at which the kernel's part answers. */
#ifndef SOL_QSOCKETS
#define SOL_QSOCKETS 0x5153
#endif

/* In stream_flags and drop_flag: late units are sent late, never dropped. */
#define DWCS_NON_DROPPABLE 0x01u
/* In drop_flag: this message begins or ends a frame (both: it is one). */
#define QSOCK_FRAME_START 0x02u
#define QSOCK_FRAME_END 0x04u
/* In drop_flag: drop priority 0 (first to go, the default) to 7. */
#define QSOCK_PRIO(n) (((uint32_t)(n) & 7u) << 3)
/* In drop_flag: the packet_flags are the first member of a qos_message. */
#define QSOCK_MESSAGE 0x80000000u
/* In stream_flags: may send ahead of its rate when the device would idle. */
#define DWCS_WORK_CONSERVING 0x100u

/* The period, in us, of n units a second, with 2% of margin for clock drift. */
#define DWCS_FPS(n) ((uint32_t)(100000000u / (102u * (n))))

/* Which device and scheduler, and the stream's attributes there. */
struct qos_params {
	char dev[IF_NAMESIZE]; /* empty: the host's managed device */
	char name[16]; /* the scheduler: "dwcs" or "vds" */
	void *attributes; /* e.g. struct q_dwcs_attr; NULL: its defaults */
};

/*
 * DWCS, and VDS alike: of every `old` consecutive units at most `oln` may be lost or late,
 * and one unit is due every `ipg`.
 */
struct q_dwcs_attr {
	uint32_t oln; /* tolerated losses; at most old */
	uint32_t old; /* window, units; 0 (with oln 0): no window, EDF */
	uint32_t ipg; /* period, us; 0: no rate, messages bring deadlines */
	uint32_t stream_flags; /* DWCS_NON_DROPPABLE, DWCS_WORK_CONSERVING */
};

/* What one message asks for. */
struct packet_flags {
	uint32_t drop_flag; /* DWCS_NON_DROPPABLE, QSOCK_FRAME_*, QSOCK_PRIO() */
	uint64_t deadline; /* ns of CLOCK_MONOTONIC; 0: the period's end */
};

/* qos_message.fields: which of its members hold something. */
#define QOS_MESSAGE_COOKIE 0x1u
#define QOS_MESSAGE_LEAD 0x2u

/* What one message asks for, and more; QSOCK_MESSAGE in flags.drop_flag. */
struct qos_message {
	struct packet_flags flags;
	uint32_t size; /* sizeof(struct qos_message) */
	uint32_t fields; /* QOS_MESSAGE_* */
	uint32_t cookie; /* comes back with the message's fate; any number */
	/* us that the network needs after the last bit has left: the message
	 * has to leave by its deadline less that. Only with a deadline. */
	uint32_t lead;
};

/* One message of qsendmmsg(), as sendmmsg()'s with flags of its own. */
struct qmmsghdr {
	struct msghdr msg_hdr;
	unsigned int msg_len; /* bytes sent, set on return */
	struct packet_flags flags;
};

/* How a device is set up; zero is the default of each. */
struct qos_device {
	uint64_t rate; /* bit/s to shape to; 0: the device sets the pace */
	uint32_t packets; /* queue limit; 0: 16384 */
	uint32_t streams; /* most attached sockets; 0: 4096 */
	uint32_t burst; /* bytes ahead of the rate; 0: one MTU or 100 us */
	uint32_t overhead; /* bytes added to each packet's length */
	uint32_t guarantee; /* per mille of the rate to reserve; 0: 950 */
	uint32_t zero;
	/* Sockets of this cgroup v2, for all devices; empty: the root, or what
	 * an earlier device chose. */
	char cgroup[256];
};

/*
 * Make params->name the scheduler of params->dev (attributes: NULL). For the
 * administrator, once per device: no process stays. The same again is a
 * success. qsockinit_device() also says how; `size` is sizeof(*device):
 * what is beyond it has its default, and what the library does not know is 0.
 *
 * EPERM no privilege; ENODEV no such device; ENOENT unknown scheduler or cgroup;
 * EINVAL a bad field; E2BIG `device` says more than this version knows; EFAULT;
 * EOPNOTSUPP the kernel lacks what is needed; EBUSY another scheduler or an
 * administrator's own qdisc is there, other settings, or a lock held too long;
 * EPROTONOSUPPORT another version of QSockets is in charge; ENOSPC there are 63
 * devices already; ENOMEM.
 */
int qsockinit(struct qos_params *params);
int qsockinit_device(struct qos_params *params, const struct qos_device *device,
		     size_t size);

/*
 * Give the device back: what was there before qsockinit() is there again.
 * Attached sockets go on as plain sockets. ENODEV, EPERM, ENOENT (was not
 * initialised).
 */
int qsockfini(const char *dev);

/*
 * socket() and qattach() in one. On failure there is no socket. Errors are
 * socket()'s and qattach()'s.
 */
int qsocket(int domain, int type, int protocol, struct qos_params *params);

/*
 * Schedule what is sent on fd. IPv4 or IPv6; datagram, stream or raw.
 *
 * EBADF, ENOTSOCK; EAFNOSUPPORT not an IP socket; EFAULT; EINVAL a bad field;
 * ENOENT unknown scheduler; EOPNOTSUPP nothing was initialised; EALREADY is
 * attached; ENOSPC the device has no stream left (the socket stays usable, as
 * best effort); EAGAIN what it reserved is more than is free; ENOMEM.
 */
int qattach(int fd, struct qos_params *params);

/* Best effort again. What is queued leaves as scheduled. ENOTCONN: was not. */
int qdetach(int fd);

/*
 * Other attributes, from the next unit on. params->dev and params->name may be
 * empty and else must be what the socket is attached to (EINVAL). ENOTCONN;
 * ENODEV the device is gone, or no longer managed; EAGAIN what it reserved
 * is, with these, more than is free.
 */
int qchange(int fd, struct qos_params *params);

/*
 * Declare that fd's units have at most `bytes`, headers and all, on the wire,
 * and reserve the rate that its attributes promise to those: (old - oln) / old
 * of bytes every ipg. 0 gives it back, as do qdetach() and close. On a socket
 * that is not attached, the next qattach() reserves.
 *
 * EAGAIN the device has not so much left of what the administrator allowed:
 * qsock_errmsg() has the numbers, nothing is changed; EINVAL the stream has no
 * ipg, or bytes is more than 64 MiB; EOPNOTSUPP the device has no rate, or
 * nothing was initialised; ENODEV; ENOMEM.
 */
int qreserve(int fd, size_t bytes);

/*
 * Would a unit of `bytes` on the wire, sent now on fd, leave by `deadline`, ns
 * of CLOCK_MONOTONIC? 1 or 0, by what is queued now; what others send later is
 * not known. EINVAL bytes is 0 or more than 64 MiB; ENOTCONN; ENODEV.
 */
int qfits(int fd, size_t bytes, uint64_t deadline);

/* What the scheduler knows of fd's stream, in up to `size` bytes. ENOTCONN. */
int qinfo(int fd, struct qos_info *info, size_t size);

/* ---- what became of messages, and what happens to a stream */

/*
 * Begin to keep the fates of fd's messages that bring a cookie, and the events
 * that `watch` names (NULL: none); again: other events. Returns a descriptor
 * to poll, the caller's to close: readable when there may be something for
 * qfates(). It wakes when a packet of fd's leaves or is dropped while less than
 * half of the send buffer is in use.
 *
 * ENOTCONN; ENOSPC the device has no room for another such socket; EINVAL
 * unknown events, or low not below high; ENODEV; or epoll_create1()'s.
 */
int qwatch(int fd, const struct qos_watch *watch);

/*
 * Take up to n of what was kept, the oldest first; returns how many. `watch` is
 * qwatch()'s descriptor, which is not readable again before something new
 * happens, or -1. Does not wait. ENOTCONN also when nobody watches; EFAULT.
 */
int qfates(int fd, int watch, struct qos_fate *fates, unsigned int n);

/*
 * send(), sendto(), sendmsg() and sendmmsg() with what the scheduler should
 * know of the message. pflags NULL is the plain call. On a socket that is not
 * attached pflags are accepted and have no effect. On TCP the bytes that the
 * call wrote have the deadline, and a cookie's fate is that of the last one;
 * nothing is dropped, and frames and priorities have no effect. A deadline
 * that has passed makes the message late; one more than QSOCK_HORIZON_NS ahead
 * is taken as that. qsendmmsg() takes each message's own flags, but no
 * QSOCK_MESSAGE.
 *
 * EINVAL: unknown bits in drop_flag; a bad qos_message. E2BIG: one that says more
 * than this version of the library knows. Else the plain call's
 * errors.
 */
ssize_t qsend(int fd, const void *buf, size_t len, int flags,
	      struct packet_flags *pflags);
ssize_t qsendto(int fd, const void *buf, size_t len, int flags,
		const struct sockaddr *to, socklen_t tolen,
		struct packet_flags *pflags);
ssize_t qsendmsg(int fd, const struct msghdr *msg, int flags,
		 struct packet_flags *pflags);
int qsendmmsg(int fd, struct qmmsghdr *msgs, unsigned int n, int flags);

/* As far ahead as a deadline can be, ns. */
#define QSOCK_HORIZON_NS 10000000000ull

/* close(); the stream goes when its queued packets have left. */
int qclose(int fd);

/*
 * shutdown(), after what is queued: with the in-process engine messages may wait
 * in the process, which a plain shutdown(SHUT_WR) loses. Does not wait; further
 * messages are EPIPE. Errors are shutdown()'s.
 */
int qshutdown(int fd, int how);

/*
 * Why the last call of this thread failed: a sentence that names the field.
 * The string is the library's and valid until the thread's next call.
 */
const char *qsock_errmsg(void);

#ifdef __cplusplus
}
#endif

#endif
