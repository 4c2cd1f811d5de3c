/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What a scheduler knows about a stream. Part of the public interface and of
 * the user/kernel line: the manager fills it in, qinfo() hands it over.
 */
#ifndef QSOCKETS_INFO_H
#define QSOCKETS_INFO_H

#include <linux/types.h>

/* Who schedules the socket's packets. */
enum qos_engine {
	QOS_ENGINE_NONE = 0,
	QOS_ENGINE_KERNEL = 1, /* a BPF qdisc: exact */
	QOS_ENGINE_BANDS = 2, /* priority bands below the stack: approximate */
	QOS_ENGINE_INPROC = 3, /* a thread of this process, above the stack */
};

/* qos_info.state */
#define QOS_STATE_ATTACHED 0x1u
#define QOS_STATE_DEVICE_GONE 0x2u /* attached, but its device went away */
/* dwcs, and reserved streams of unequal periods: vds would keep the promise */
#define QOS_STATE_NO_PROMISE 0x4u

/*
 * Counters start at 0 with the attachment and only grow. A "unit" is what the
 * scheduler counts: one message, or all from a frame's start to its end. The
 * counters are read while the scheduler runs: each is exact, together they
 * need not be of one instant.
 *
 * New members are added at the end. qinfo() fills in as much as the caller's
 * size holds, and zeroes what this version does not know.
 */
struct qos_info {
	__u32 size; /* bytes that were filled in */
	__u32 engine; /* enum qos_engine */
	__u32 exact; /* 1: the scheduler's rules are kept to the letter */
	__u32 state; /* QOS_STATE_* */

	char dev[16]; /* the device that the socket is attached to */
	char name[16]; /* its scheduler */

	__u32 oln, old; /* tolerated losses, in every old units */
	__u32 ipg; /* period, us; 0: none */
	__u32 stream_flags;
	__u32 cur_oln, cur_old; /* what is left of the current window */

	__u32 backlog_packets; /* in the scheduler's queue now */
	__u32 backlog_units;
	__u64 backlog_bytes;

	__u64 sent_units; /* left, in time or late */
	__u64 sent_packets;
	__u64 sent_bytes;
	__u64 late_units; /* left after their deadline */
	__u64 dropped_late; /* units dropped because they could not be in time */
	__u64 dropped_frame; /* units dropped because a part was missing */
	__u64 dropped_overflow; /* packets lost because the queue was full */
	__u64 violations; /* losses beyond what the window tolerates */

	__u64 delay_last_ns; /* time in the queue of the last packet sent */
	__u64 delay_max_ns;

	__u64 device_rate; /* bit/s; 0: the device sets the pace */

	__u64 delay_mean_ns; /* of the packets sent */
	__u64 delay_p50_ns, delay_p99_ns; /* within a tenth */
	/* bit/s sent since the qinfo() before, or the attachment; over 100 ms
	 * at least */
	__u64 rate;

	__u64 device_reserved; /* bit/s spoken for by qreserve() */
	__u64 device_guarantee; /* bit/s that can be */
	__u64 reserved; /* bit/s of that, this socket's */
	__u32 unit_bytes; /* declared by qreserve() */

	/* from the stack */
	__u32 sndbuf, sndbuf_used; /* bytes of memory */
	/* TCP; else 0 */
	__u32 tcp_rtt_us; /* smoothed */
	__u32 tcp_cwnd, tcp_mss; /* segments; bytes of one */
	__u32 tcp_rcv_wnd; /* bytes that the receiver takes */
	__u32 tcp_unsent; /* bytes written and not sent yet */
	__u32 tcp_unacked; /* bytes sent and not acknowledged */
	__u32 zero;
};

/* ---- what became of messages, and what happens to a stream */

enum qos_fate_kind {
	QOS_FATE_SENT = 1, /* left in time */
	QOS_FATE_LATE = 2, /* left after its deadline */
	QOS_FATE_DROPPED_LATE = 3, /* could not be in time */
	QOS_FATE_DROPPED_FRAME = 4, /* a part of its frame was missing */
	QOS_FATE_DROPPED_OVERFLOW = 5, /* the queue was full */
	QOS_FATE_FLUSHED = 6, /* the device went down or was given back */

	QOS_EVENT_CONGESTED = 16, /* value: packets queued, `high` or more */
	QOS_EVENT_UNCONGESTED = 17, /* value: packets queued, `low` or fewer */
	QOS_EVENT_VIOLATION = 18, /* value: how many there were so far */
	QOS_EVENT_RATE = 19, /* value: bit/s that are free, above `rate` */
	QOS_EVENT_LOST = 20, /* value: so many of these found no room */
};

struct qos_fate {
	__u32 kind; /* enum qos_fate_kind */
	__u32 cookie; /* the message's; 0 of an event */
	__u64 value; /* ns that the message was queued; of an event as said */
};

/* qos_watch.events */
#define QOS_WATCH_CONGESTION 0x1u
#define QOS_WATCH_VIOLATION 0x2u
#define QOS_WATCH_RATE 0x4u

/* What to tell besides the fates of messages with a cookie. */
struct qos_watch {
	__u32 events; /* QOS_WATCH_* */
	__u32 high, low; /* packets: congested from high, until low */
	__u32 zero;
	__u64 rate; /* bit/s: tell when more than that is free */
};

#define QOS_FATES 128 /* that are kept for a socket until they are read */

#endif
