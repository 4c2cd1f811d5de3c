/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What crosses the user/kernel line, and what is pinned under bpffs. Both
 * sides include this file; it needs nothing but the kernel's own headers.
 * A change of anything here raises QS_ABI_VERSION.
 */
#ifndef QSOCKETS_ABI_H
#define QSOCKETS_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <qsockets/info.h>

#define QS_ABI_MAGIC 0x51534f43u /* "QSOC" */
#define QS_ABI_VERSION 5u

#define QS_SOL_QSOCKETS 0x5153
#define QS_NAME_LEN 16

/* Options at SOL_QSOCKETS. */
enum qs_option {
	QS_ATTACH = 1, /* set: struct qs_attach */
	QS_CHANGE = 2, /* set: struct qs_attach, dev empty or the same */
	QS_DETACH = 3, /* set: __u32, 0 */
	QS_INFO = 4, /* get: struct qos_info */
	QS_RESERVE = 5, /* set: __u64, bytes of a unit; 0: none */
	QS_WATCH = 6, /* set: struct qos_watch */
	QS_FATES = 7, /* get: an array of struct qos_fate */
	QS_MARK = 8, /* set: struct qs_mark */
	QS_FITS = 9, /* set: struct qs_fits; EAGAIN: it does not */
	QS_ADMISSION = 10, /* get: struct qs_admission */
};

/* Schedulers by number; the names are their folders' and qdisc kinds'. */
enum qs_scheduler {
	QS_SCHED_NONE = 0, /* in QS_CHANGE: whatever it is */
	QS_SCHED_DWCS = 1,
	QS_SCHED_VDS = 2,
};

/*
 * 32 bytes: up to that size the kernel needs no allocation to hand an option
 * to the manager. What attr[] means is the scheduler's own (attr.h there).
 */
struct qs_attach {
	char dev[QS_NAME_LEN];
	__u32 attr[3];
	__u16 flags;
	__u8 sched; /* enum qs_scheduler */
	__u8 version; /* QS_ABI_VERSION */
};
_Static_assert(sizeof(struct qs_attach) == 32, "qs_attach");

/* Delays of packets by size: four buckets for each power of two. */
#define QS_DELAY_SHIFT 14
#define QS_DELAY_MIN (1ull << QS_DELAY_SHIFT) /* shorter ones are not counted */
#define QS_DELAYS 84 /* up to 34 s; the last one also has what is longer */

/* The next `len` bytes that are written have these 64 bits; 0: none more. */
struct qs_mark {
	__u64 tx;
	__u32 len;
	__u32 zero;
};

#define QS_MARK_MAX (1u << 29) /* bytes that one mark can have */

/* A unit of so many bytes, on the wire, by that time, ns. */
struct qs_fits {
	__u64 bytes;
	__u64 deadline;
};

#define QS_UNIT_MAX (64u << 20) /* bytes that can be declared of a unit */

/*
 * Why QS_RESERVE, QS_ATTACH and QS_CHANGE do not reserve, by errno: EAGAIN there
 * is not so much left; EDOM the stream has no period; ENODATA the device has no
 * rate. The library makes EINVAL and EOPNOTSUPP of the latter two.
 */

/* What the last EAGAIN was about, bit/s. */
struct qs_admission {
	__u64 asked, used, allowed; /* used: by others */
};

/* ---- a message's 64 bits (SCM_TXTIME): the deadline, its low bits flags */

#define QS_TX_FLAGS 0xffull
#define QS_TX_NON_DROPPABLE 0x01u
#define QS_TX_FRAME_START 0x02u
#define QS_TX_FRAME_END 0x04u
#define QS_TX_PRIO_SHIFT 3
#define QS_TX_PRIO_MASK 0x38u
#define QS_TX_DROP_FLAG 0x3fu /* what drop_flag may hold */
#define QS_TX_COOKIE 0x40u
#define QS_TX_KNOWN 0x7fu
#define QS_TX_MAX ((1ull << 63) - 1) /* newer kernels clamp beyond */
#define QS_TX_HORIZON_NS 10000000000ull
/*
 * With QS_TX_COOKIE: 8 bits of flags, 32 of the cookie, and 23 of the deadline
 * in steps of 4096 ns, of which the clock gives the higher bits; 0: none. That
 * holds for a deadline that is in the next 10 s, or was in the last 22.
 */
#define QS_TX_COOKIE_SHIFT 8
#define QS_TX_STEP_SHIFT 12
#define QS_TX_STEPS_AT 40
#define QS_TX_STEPS 0x7fffffu
/* A frame that is not ended in that time is ended all the same. */
#define QS_FRAME_NS 1000000000ull

/* ---- qs_attach.flags: stream flags */

#define QS_STREAM_NON_DROPPABLE 0x001u
#define QS_STREAM_WORK_CONSERVING 0x100u
#define QS_STREAM_KNOWN 0x101u

/* ---- from the classifier to the qdisc, in qdisc_skb_cb's data (20 bytes) */

struct qs_cb {
	__u32 magic_flags; /* QS_CB_MAGIC and QS_CBF_* */
	__u32 stream; /* index of the stream + 1; 0: best effort */
	__u32 gen; /* of the stream's attachment */
	__u32 tx_lo, tx_hi; /* the message's 64 bits */
};
_Static_assert(sizeof(struct qs_cb) == 20, "qs_cb");
#define QS_CB_MAGIC 0x51530000u /* the classifier saw this packet */
#define QS_CB_MAGIC_MASK 0xffff0000u

/* What the classifier adds to a message's flags. */
#define QS_CBF_CONTROL 0x100u /* ARP, ND, TCP handshakes: never behind bulk */
#define QS_CBF_RELIABLE 0x200u /* TCP: never dropped for its deadline */
#define QS_CBF_MORE 0x400u /* an IP fragment, and not the last */
#define QS_CBF_KNOWN 0x700u
#define QS_CBF_END_AFTER 0x2000u /* such a one, whose message ends a frame */

/* ---- the bands: classes of an HTB that is the device's root qdisc */

/* The first is sent before the second, and so on. */
#define QS_HTB_BANDS 8
#define QS_BAND_BESTEFFORT (QS_HTB_BANDS - 1)
/* A band's class, which the classifier puts into skb->priority. */
#define QS_BAND_CLASS(band) ((__u32)QS_SOL_QSOCKETS << 16 | ((band) + 1))
/* The class that has them all and is shaped. */
#define QS_HTB_INNER ((__u32)QS_SOL_QSOCKETS << 16 | 0x10)

/* ---- pinned under bpffs, in QS_PIN_DIR */

#define QS_PIN_DIR "qsockets"
#define QS_MAX_DEVICES 63 /* the arena's windows, less the first */
#define QS_WINDOW_SHIFT 26 /* 64 MiB of the arena for a device */
#define QS_WINDOWS_MAX 4 /* of one that needs more */
#define QS_ARENA_PAGES (1u << 20)
/* Where programs' users map it; sanitizers have their shadow below. */
#define QS_ARENA_BASE (1ull << 45)

/* The map "qs_meta", one entry; written last, so what has it is whole. */
struct qs_meta {
	__u32 magic;
	__u32 version;
	__u32 dev_size; /* sizeof(struct qs_dev) */
	__u32 stream_size; /* sizeof(struct qs_stream) */
	__u32 core_size; /* sizeof(struct qs_core) */
	__u32 slot_size; /* sizeof(struct qs_slot) */
	__u64 cgroup_id; /* the manager serves sockets of this cgroup */
	__u32 engine; /* enum qos_engine: kernel or bands, of all devices */
	__u32 zero;
};

enum qs_dev_state {
	QS_DEV_FREE = 0,
	QS_DEV_SETUP = 1, /* being initialised; attach does not see it */
	QS_DEV_READY = 2,
};

enum qs_dev_qdisc {
	QS_QDISC_NONE = 0,
	QS_QDISC_ON = 1, /* one of ours is on the device */
	QS_QDISC_GONE = 2, /* it went away with the device */
};

/*
 * The map "qs_devs": an array of QS_MAX_DEVICES + 1, entry 0 unused. Entry i
 * owns the arena from i << QS_WINDOW_SHIFT. A core that needs more than one
 * window has those of the entries after it, which then stay free.
 *
 * Written by qsockinit/qsockfini, one at a time (they hold a file lock), but
 * for: `qdisc`, by the qdisc's init (from NONE, atomically) and destroy; with
 * the bands engine it is ON from when HTB was added. What
 * the core counts of reservations is under `lock`. The manager, the classifier
 * and the qdisc read without the lock: they look at `state` and `gen` first,
 * and what follows them does not change while these stay.
 */
struct qs_dev {
	struct bpf_spin_lock lock;
	__u32 state; /* enum qs_dev_state */
	__u32 gen; /* one more at each init; in every socket's qs_sock */
	__u32 qdisc; /* enum qs_dev_qdisc */
	__u32 ifindex;
	__u32 sched; /* enum qs_scheduler */
	__u64 netns; /* cookie of the network namespace */
	char name[QS_NAME_LEN]; /* the device's */
	char sched_name[QS_NAME_LEN];
	__u64 rate; /* bit/s, 0: not shaped */
	__u32 packets, streams;
	__u32 burst, overhead; /* as asked for */
	__u32 gso_max_size, gso_max_segs; /* the device's own, given back */
	__u64 guarantee; /* bit/s of the rate that can be reserved */
	__u32 engine; /* enum qos_engine */
	__u32 zero;
};

/* Keys of "qs_names" and "qs_ifs"; the values are __u32 indices of qs_devs. */
struct qs_name_key {
	__u64 netns;
	char name[QS_NAME_LEN]; /* all zero: the namespace's managed device */
};
struct qs_if_key {
	__u64 netns;
	__u32 ifindex;
	__u32 zero;
};

/*
 * A socket's storage, map "qs_socks". Written by the manager, which runs under
 * the socket's lock; read by the classifier, which does not. The classifier
 * may so see one attachment's stream with another's generation: the qdisc
 * refuses the pair, and the packet goes as best effort.
 */
struct qs_sock {
	__u32 dev; /* index of qs_devs; 0: not attached */
	__u32 dev_gen;
	__u32 stream; /* index */
	__u32 gen; /* of the stream */
	__u32 ifindex; /* the device's */
	__u32 unit_bytes; /* declared; 0: nothing to reserve */
	/* the manager's alone */
	struct qs_admission refused;
	__u64 rate_at,
		rate_bytes; /* when rate was last found, sent_bytes then */
	__u64 rate; /* bit/s */
};

#define QS_MARKS 128 /* a power of two */

/* Bytes of a connection, by their sequence numbers, and what they have. */
struct qs_marked {
	__u32 start, end; /* the first, and the one after the last */
	__u64 deadline; /* 0: none */
	__u32 cookie;
	__u32 told; /* 0: a segment has to bring the cookie along */
};

/*
 * A TCP socket's marks, map "qs_marks", of those sockets that have set any: in
 * the order of the stream, they do not overlap. `put` counts the marks that
 * were set and `first` those that were acknowledged, modulo QS_MARKS.
 *
 * Written by the manager, under the socket's lock, an entry before its number;
 * but `told` of an entry, from 0 to 1, by the classifier, atomically. That one
 * reads without the lock, which TCP mostly holds when it sends. Where it does
 * not (a segment that waited for its neighbour's address), an entry may be
 * replaced meanwhile, and one segment then has another message's deadline.
 */
struct qs_marks {
	__u32 first, put;
	__u64 acked; /* bytes of the connection, when the last mark was set */
	struct qs_marked mark[QS_MARKS];
};

#endif
