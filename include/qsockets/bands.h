/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What the bands engine keeps of a device and of its streams, in array maps: no
 * packets, as these are in HTB's queues. It has three contexts. "classifier": a
 * packet comes, on any CPU, under no lock of the kernel's. "departure": a packet
 * has left HTB, under its root lock. "manager": as everywhere.
 *
 * Of struct qs_stream, the classifier writes what root does elsewhere, under
 * one of qs_locks; but departure alone writes sent_*, late_units, delay* and
 * bucket* and told. `packets`, `units` and `bytes` both change, atomically.
 */
#ifndef QSOCKETS_BANDS_H
#define QSOCKETS_BANDS_H

#include <qsockets/sched.h>

/* Units that a stream may be ahead of its periods; they go by their deadlines. */
#define QS_BANDS_AHEAD 8

/* The map "qs_cores", one entry a device: as qs_devs. */
struct qs_bands {
	struct qs_core core; /* its settings, lists and counters */
	/*
	 * Packets of streams, and their bytes by bands: classifier and departure,
	 * atomically. A packet that is lost on the way to HTB, or with it, or
	 * leaves unseen, stays counted until HTB is empty, or seen to have nothing
	 * but best effort: departure then sets all to 0, and counts `epoch` on, so
	 * that the streams' own numbers are not believed. What came at that moment
	 * counts as nothing, and less than nothing is nothing.
	 */
	__s64 bytes[QS_HTB_BANDS];
	__s32 packets;
	__u32 epoch;
	/*
	 * When a packet came to empty queues, or left: classifier and departure.
	 * Where that is long ago, HTB is not there any more, and nothing is
	 * counted, or judged by what is counted, until a packet leaves it again.
	 */
	__u64 moved_at;
	__u32 blind;
	/* bytes of best effort that left in a row while a stream was counted, of
	 * each packet what an MTU has at most: departure */
	__u32 run;
	__u64 htb_bytes; /* that HTB had sent when it was looked at last: departure */
	/*
	 * The least rank that each band takes, highest band first: classifier,
	 * under no lock. Who loses a race puts one packet a band beside its own.
	 */
	__u64 bound[QS_HTB_BANDS - 1];
};

/* Even at 64 kbit/s a packet leaves every 200 ms. */
#define QS_BANDS_STUCK_NS 1000000000ull

/* Nothing is queued: what is still counted was lost. */
QS_INLINE void qs_bands_forget(struct qs_bands *b)
{
	__u32 k;

	b->packets = 0;
	for (k = 0; k < QS_HTB_BANDS; k++)
		b->bytes[k] = 0;
	b->epoch++;
}

/* An entry of the device's map in "qs_streams". */
struct qs_banded {
	struct qs_stream s;
	/* classifier, under the stream's lock */
	struct qs_slot unit; /* the one that its packets are of now */
	__u32 inside; /* it has not ended */
	__u32 band; /* the last packet's */
	__u32 epoch; /* that packets, units and bytes are of */
	/*
	 * Packets that went as best effort, which are in no other count: there
	 * some may be dropped unseen. Classifier and departure, atomically; the
	 * classifier forgets them a second after the last one.
	 */
	__s32 demoted;
	__u64 demoted_at; /* classifier */
};

/* Are the stream's numbers of what is queued to be believed? */
QS_INLINE int qs_banded_counted(const struct qs_banded *t, __u32 epoch)
{
	return t->epoch == epoch && (__s32)t->s.packets > 0;
}

/* "qs_locks": a stream has the lock that qs_lock_of() says. */
#define QS_LOCKS 256u
struct qs_lock {
	struct bpf_spin_lock lock;
};

QS_INLINE __u32 qs_lock_of(__u32 dev, __u32 stream)
{
	return (stream + dev * 67) % QS_LOCKS;
}

/* ---- from the classifier to departure, in place of struct qs_cb */

/* fq_codel, which best effort may have, takes the first 8 bytes for itself. */
struct qs_band_cb {
	__u32 slack; /* until the deadline, in steps; QS_SLACK_NONE */
	__u32 cookie;
	__u32 magic_flags; /* QS_CB_MAGIC, QS_CBF_*, QS_TX_COOKIE */
	__u32 stream; /* its index, and the low bits of the attachment's gen */
	__u32 arrival; /* in steps, modulo 2^32 */
};
_Static_assert(sizeof(struct qs_band_cb) == sizeof(struct qs_cb), "qs_band_cb");

#define QS_BAND_STREAM_BITS 20
#define QS_BAND_STREAM(stream, gen) \
	((stream) | (__u32)(gen) << QS_BAND_STREAM_BITS)
#define QS_ARRIVAL_SHIFT 10 /* steps of 1.024 us */
#define QS_SLACK_SHIFT 17 /* of 131 us */
#define QS_SLACK_NONE 0xffffffffu
#define QS_CBF_LATE 0x800u /* the unit's miss was counted */
#define QS_CBF_UNIT_END 0x1000u

#endif
