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
	__u64 dropped_overflow; /* packets refused: the queue was full */
	__u64 violations; /* losses beyond what the window tolerates */

	__u64 delay_last_ns; /* time in the queue of the last packet sent */
	__u64 delay_max_ns;

	__u64 device_rate; /* bit/s; 0: the device sets the pace */
};

#endif
