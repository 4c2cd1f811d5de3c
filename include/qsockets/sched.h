/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What a scheduler's core works on, and what a scheduler module provides.
 *
 * A core is freestanding C that runs in the kernel (where the verifier must
 * pass it), in the library and under the simulator's virtual clock. Its memory
 * is one block, laid out by qs_core_layout(): indices, no pointers; no
 * allocation; no recursion; each loop has a bound; time is passed in, ns of
 * CLOCK_MONOTONIC. In the kernel the block is a window of a BPF arena, so its
 * sizes are chosen when a device is set up, not when it is compiled.
 *
 * Contexts. "root": enqueue, dequeue and reset, which the kernel runs under the
 * qdisc's root lock. "manager": attach, change, detach and close, which run at
 * any time on any CPU, under the socket's lock. "setup": before the qdisc
 * exists. Readers (info, show) take nothing: each word they read is whole.
 *
 * A module (schedulers/NAME) defines, before it includes common/engine.h:
 *
 *   sched_precedes(a, b)	does stream a's head go before b's?
 *   sched_key(s)		a number: the head with a lower one goes before
 *   sched_rank(s)	about the same, where only numbers can be compared
 *   sched_reset(s)		the stream is new or has new attributes
 *   sched_sent(s)		a unit is sent in time
 *   sched_missed(s, n)		a unit misses n deadlines, one a period
 *
 * and, with SCHED_TIMED defined as 1, when its windows are made of periods:
 *
 *   sched_idle(s, n)		n periods went by without a unit
 *   sched_spare(s)		does s take only what others leave?
 *
 * and in attr.h, which the manager and the library share, its attributes'
 * check and packing; and in NAME.bpf.c the qdisc, made by bpf/qdisc.bpf.h.
 */
#ifndef QSOCKETS_SCHED_H
#define QSOCKETS_SCHED_H

#include <qsockets/abi.h>

/* Where a core's memory is: an address space in the kernel, plain elsewhere. */
#if defined(__bpf__) && !defined(QS_BANDED)
#define QS_MEM __attribute__((address_space(1)))
#else
#define QS_MEM
#endif

#define QS_INLINE static inline __attribute__((always_inline, unused))

#define QS_NIL 0xffffffffu

/* ---- packets and units */

/*
 * One queued packet. A unit is a chain of packets by `next`, its first packet
 * the unit's head, which carries what is the unit's. root only.
 */
struct qs_slot {
	__u64 deadline; /* the message's own, 0: none */
	__u64 arrival; /* when the packet came; of a head: the unit's last */
	__u32 len; /* bytes on the wire */
	__u32 next; /* in the unit, the flow or the free list */
	__u32 stream; /* its stream, QS_NIL: best effort */
	__u16 flags; /* QS_TX_*, QS_CBF_* */
	__u16 late; /* head: the miss was counted */
	/* of a head */
	__u64 order; /* first come, first served */
	__u32 unit_next; /* the stream's next unit */
	__u32 unit_last; /* the unit's last packet */
	__u32 unit_bytes;
	__u32 unit_packets;
	/* of every packet */
	__u32 cookie; /* with QS_TX_COOKIE */
	__u32 zero;
};

/* ---- streams */

/* Which tree holds the stream. */
enum qs_tree_id {
	QS_TREE_READY = 0, /* released: by the scheduler's precedence */
	QS_TREE_WAIT = 1, /* not yet released: by release time */
	QS_TREE_AHEAD = 2, /* the same, may use idle time */
	QS_TREE_SPARE = 3, /* released, takes what the ready ones leave */
	QS_TREES = 4,
};

#define QS_NOBODY (~0ull) /* the key of a node that has no stream */

/* A node of a tree: what mostly decides is beside the stream's index. */
struct qs_entry {
	__u64 key; /* equal ones: the streams themselves decide */
	__u32 stream; /* of a leaf that nobody has: the next such, or QS_NIL */
	__u32 zero;
};

/* How much of a tree's nodes is in use; nothing but `len` counts while it is 0. */
struct qs_tree {
	__u32 len; /* streams */
	__u32 used; /* leaves that anybody had since it was empty */
	__u32 free; /* the first of these that nobody has, or QS_NIL */
	__u32 top; /* the node whose stream is the first of all */
	__u32 width; /* leaves that are below it */
	__u32 zero;
};

/* What the manager says of a stream: the scheduler's attributes. */
struct qs_attr {
	__u32 oln, old;
	__u32 ipg; /* us */
	__u32 flags; /* QS_STREAM_* */
};

/*
 * `life` ties a stream's slot to its users: the attachment's number in the high
 * half, references in the low one (the socket's, and the queue's while it is
 * not empty). It only changes atomically; who takes the last reference gives
 * the slot back to the free list. A packet's number must be the stream's.
 */
#define QS_LIFE(gen, refs) (((__u64)(gen) << 32) | (refs))
#define QS_LIFE_GEN(life) ((__u32)((life) >> 32))
#define QS_LIFE_REFS(life) ((__u32)(life))

#define QS_HOT_LINES 4 /* of 64 bytes, of a stream: what each packet needs */

/*
 * What each packet needs is in the first lines of the cache, whoever writes it.
 * root writes and all read, if it does not say otherwise; the sums are since the
 * attachment.
 */
struct qs_stream {
	__u64 life; /* manager and root, atomically */
	__u32 attr_seq; /* manager: odd while attr is written */
	__u32 ring; /* manager: index of its ring + 1; 0: nobody watches */
	__u32 seq_seen; /* attr_seq that `now` is of */
	__u32 gen_seen; /* the attachment that the rest is of */
	__u32 tree, leaf; /* enum qs_tree_id, or QS_NIL, and the leaf in it */
	__u32 head, tail; /* units */
	__u32 open; /* the unit that is still being built, or QS_NIL */
	__u32 before_open; /* the unit before that one */
	__u32 framed; /* between a frame's start and its end */
	__u32 broken; /* a part of the frame was lost: drop to its end */
	__u32 packets, units; /* queued */

	struct qs_attr now; /* attr as adopted */
	__u32 cur_oln, cur_old; /* x', y' */
	__u32 tagged; /* the window was broken; vds: by so many units */
	__u32 spared; /* no unit of a priority below that can give way */
	__u64 bytes; /* queued */
	__u64 release; /* of the head unit: its period's start */
	__u64 deadline; /* of the head unit */
	__u64 period_next; /* the next unit is released no earlier */

	__u64 order; /* of the head unit */
	__u64 violations;
	__u64 sent_units, sent_packets, sent_bytes;
	__u64 delay_last, delay_max, delay_sum; /* ns */

	__u64 late_units;
	__u64 bucket_from, bucket_width; /* ns; of the last delay's bucket */
	__u32 bucket; /* which, once bucket_width is not 0 */
	__u32 bucket_first, bucket_last; /* that are not empty */
	__u32 told; /* QOS_WATCH_*: the event was told and still holds */
	__u64 dropped_late, dropped_frame, dropped_overflow;

	/* manager; `attr` is read in root, and so is what qwatch() asked for,
	 * once there is a ring, which is written last */
	struct qs_attr attr;
	__u32 next_free; /* in the list of free streams */
	__u32 pid, uid; /* who attached it */
	__u32 watch_events; /* QOS_WATCH_* */
	__u32 watch_high, watch_low;
	__u64 watch_rate;
	/* what it has reserved, under qs_dev.lock; 0: nothing */
	__u64 reserved; /* bit/s */
	__u32 unit_bytes; /* declared by qreserve() */
	/* on the list of closed streams: set by who puts it there, cleared in
	 * root; next_closed is written between */
	__u32 closed;
	__u32 next_closed;

	__u32 zero;
	__u64 spare_at, spare_bytes; /* when the spare rate was last found */
	__u32 delay[QS_DELAYS];
	__u64 inode; /* manager: the socket's, 0 if not known */
	__u64 zeroes[2]; /* whole lines */
};

/* ---- what became of messages: a ring for each stream that asks */

/*
 * Who has something to tell claims an entry by counting `put` on, atomically,
 * and writes its kind last; the manager takes it, leaves 0 for its kind and
 * counts `taken` on. Both count modulo QOS_FATES. root writes, and in the bands
 * engine the classifier too.
 */
struct qs_ring {
	__u32 put; /* writers, atomically */
	__u32 lost; /* writers, atomically: entries that found no room */
	__u32 taken; /* manager, after the entry */
	__u32 lost_told; /* manager */
	__u32 next_free; /* in the list of free rings */
	__u32 zero;
	struct qos_fate fate[QOS_FATES];
};

/* ---- best effort: flows that share fairly */

struct qs_flow {
	__u32 head, tail; /* packets */
	__u32 next; /* in the list of new or old flows */
	__u32 packets;
	__s32 deficit; /* bytes */
	__u32 listed;
};

struct qs_list {
	__u32 first, last;
};

/* ---- the core */

#define QS_FLOWS 1024u /* a power of two */
#define QS_FLOW_QUANTUM 1514
/* While streams have work, best effort gets one byte in this many. */
#define QS_BESTEFFORT_SHARE 20u

#define QS_CORE_MAGIC 0x51434f52u

struct qs_core {
	/* setup */
	__u32 magic;
	__u32 n_slots, n_streams;
	__u32 stream_limit; /* packets that one stream may queue */
	__u32 kept_slots; /* that streams and best effort leave to each other */
	__u32 overhead; /* bytes added to each packet */
	__u32 zero; /* loops start here: 0, which the verifier cannot know */
	__u32 index; /* of the device */
	__u64 rate; /* bit/s, 0: not shaped */
	__u64 slack; /* ns that a late timer may catch up */
	__u32 off_slots, off_streams, off_flows, off_trees; /* in the block */
	__u32 off_rings, n_rings;
	__u32 first_leaf, n_nodes; /* of a tree */

	/* under qs_dev.lock, by the manager: of the streams that reserve */
	__u64 reservations; /* how many there are */
	__u64 reserved; /* bit/s */
	__u64 periods, squares; /* sums, us: see common/admit.h */

	/* manager and root, atomically: heads of lists, as QS_FREE_HEAD() */
	__u64 free_stream, free_ring;
	__u32 attached;
	__u32 closed; /* streams whose socket was closed while they had units */

	/* root */
	__u32 free_slot, free_slots;
	struct qs_tree tree[QS_TREES];
	__u32 current; /* the stream whose unit is being sent, or QS_NIL */
	__u32 current_slot; /* its next packet */
	__u32 current_late; /* that unit is late */
	__u32 doomed; /* packets given up, by next */
	__u32 released; /* streams whose last reference the queue had */
	__u32 be_packets;
	__u32 be_alone; /* all of best effort, and of no flow yet; or QS_NIL */
	struct qs_list be_control; /* packets that never wait behind bulk */
	struct qs_list be_new, be_old; /* flows */
	/* bytes of streams sent while best effort waited; below 0: to be sent
	 * before it is owed any */
	__s64 be_owed;
	__u64 free_at; /* when the wire is free */
	__u64 wake; /* when dequeue said "not before" */
	__u64 order; /* of the next unit */

	/* root writes, all read */
	__u64 sent_packets, sent_bytes;
	__u64 be_sent_packets, be_sent_bytes, be_dropped;
	__u64 dropped_late, dropped_frame, dropped_overflow; /* packets */
	__u64 violations;
	__u64 unseen_bytes; /* bands: that left, and nobody was told */
};

/* What enqueue is told of a packet. */
struct qs_packet {
	__u64 deadline; /* 0: none */
	__u32 len; /* bytes */
	__u32 stream; /* index, or QS_NIL: best effort */
	__u32 gen; /* the attachment */
	__u32 flags; /* QS_TX_*, QS_CBF_* */
	__u32 hash; /* of the flow, for best effort */
	__u32 cookie; /* with QS_TX_COOKIE */
};

/*
 * enqueue's refusals; else it returns the slot. RETRY: all slots are taken; a
 * unit was given up, so ask again after the packets in `doomed` were freed.
 */
#define QS_REFUSED_FULL (-1)
#define QS_REFUSED_FRAME (-2) /* a part of its frame was lost before */
#define QS_REFUSED_RETRY (-3)

/* dequeue's answers: one of these, with the slot in the low half. */
#define QS_DEQ_EMPTY 0ull
#define QS_DEQ_WAIT (1ull << 32) /* nothing until qs_core.wake */
#define QS_DEQ_SEND (2ull << 32)
#define QS_DEQ_DROP (3ull << 32) /* free this packet, ask again */
#define QS_DEQ_OP(r) ((r) & ~0xffffffffull)
#define QS_DEQ_SLOT(r) ((__u32)(r))

#endif
