/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The qdiscs that benchmarks compare on BENCH_DEV, and the packets that they get. */
#ifndef QS_BENCH_QDISC_H
#define QS_BENCH_QDISC_H

#include <linux/types.h>

#define QDISC_FAST "100gbit" /* a rate that nobody waits for */

enum traffic {
	PLAIN, /* send() on a connected socket */
	UNCONNECTED, /* sendto(): the packets' hash is not known */
	MARKED, /* qsend() with a deadline and flags */
	STREAM, /* send() on an attached socket */
	STREAM_MARKED, /* qsend() on that */
	STREAM_PERIODIC, /* send() on one with a period */
};

extern const char *const traffic_names[];

struct qdisc {
	const char *name;
	const char *tc; /* NULL: none */
	__u64 rate;
	int ours, classes;
	__u32 packets, streams; /* ours; 0: the defaults */
};

extern const struct qdisc noqueue, pfifo, fq, fq_codel, htb, dwcs, dwcs_large,
	dwcs_shaped;

#define QDISC_LIMIT \
	131072 /* packets that wait, of all but dwcs and dwcs_shaped */
#define QDISC_STREAMS 100000 /* of dwcs_large */
#define HTB_CLASSES 65534 /* are as many as its numbers allow */

/* `classes`: of HTB, one for each socket. */
void qdisc_up(const struct qdisc *q, int classes);
void qdisc_down(const struct qdisc *q);
void qdisc_fini(void); /* before the program dies: what is ours goes */

/* Its packets go to HTB's class `class`; several of these fit on one device. */
int traffic_socket(enum traffic traffic, int class);
/* Makes a plain socket what traffic needs: attached, or told of marks. */
void traffic_prepare(int fd, enum traffic traffic);
void traffic_send(int fd, enum traffic traffic);

#endif
