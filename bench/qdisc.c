// SPDX-License-Identifier: LGPL-2.1-or-later
/* Qdiscs that come and go, and sockets: see qdisc.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <qsockets.h>

#include "bench.h"
#include "qdisc.h"

#define FAST_BITS 100000000000ull
#define SOURCES 0xc000020bu /* 192.0.2.11 and the next: BENCH_DEV has them */
#define PORTS 40000
#define FIRST_PORT 20000

const char *const traffic_names[] = {
	[PLAIN] = "plain",
	[UNCONNECTED] = "plain, sendto",
	[MARKED] = "with a deadline",
	[STREAM] = "stream",
	[STREAM_MARKED] = "with a deadline",
	[STREAM_PERIODIC] = "1/2, period",
};

const struct qdisc noqueue = { .name = "noqueue" };
const struct qdisc pfifo = { .name = "pfifo", .tc = "pfifo limit 131072" };
const struct qdisc fq = { .name = "fq",
			  .tc = "fq limit 131072 flow_limit 131072" };
const struct qdisc fq_codel = { .name = "fq_codel",
				.tc = "fq_codel limit 131072" };
const struct qdisc htb = { .name = "htb",
			   .tc = "handle 1: htb default 1",
			   .classes = 1 };
const struct qdisc dwcs = { .name = "dwcs", .ours = 1 };
const struct qdisc dwcs_large = { .name = "dwcs",
				  .ours = 1,
				  .packets = QDISC_LIMIT,
				  .streams = QDISC_STREAMS };
const struct qdisc dwcs_shaped = { .name = "dwcs, rate",
				   .ours = 1,
				   .rate = FAST_BITS };

static struct q_dwcs_attr attr;
static struct qos_params params = {
	.dev = BENCH_DEV,
	.name = "dwcs",
	.attributes = &attr,
};
static char payload[BENCH_PAYLOAD];
static int initialised;

/* ---- a qdisc comes and goes */

void qdisc_fini(void)
{
	if (initialised)
		qsockfini(BENCH_DEV);
	initialised = 0;
}

static void init_ours(const struct qdisc *q)
{
	struct qos_device device = {
		.rate = q->rate,
		.packets = q->packets,
		.streams = q->streams,
	};

	if (qsockinit_device(&params, &device, sizeof(device)))
		die("%s", qsock_errmsg());
	initialised = 1;
}

/* HTB's classes: a socket's priority names its own. */
static void add_classes(int n)
{
	char path[] = "/run/bench-classes";
	FILE *f = fopen(path, "we");
	int i;

	if (!f)
		die("%s: %s", path, strerror(errno));
	for (i = 1; i <= n; i++)
		fprintf(f,
			"class add dev " BENCH_DEV " parent 1: classid 1:%x "
			"htb rate " QDISC_FAST " quantum 1514\n",
			i);
	fclose(f);
	run("tc -batch %s", path);
	unlink(path);
}

void qdisc_up(const struct qdisc *q, int classes)
{
	if (q->ours)
		init_ours(q);
	else if (q->tc)
		run("tc qdisc add dev " BENCH_DEV " root %s", q->tc);
	if (q->classes)
		add_classes(classes);
}

void qdisc_down(const struct qdisc *q)
{
	if (q->tc)
		run("tc qdisc del dev " BENCH_DEV " root");
	qdisc_fini();
}

/* ---- sockets and messages */

/* There are more sockets than ports that connect() would choose from. */
static void bind_own(int fd, int class)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(SOURCES + class / PORTS),
		.sin_port = htons(FIRST_PORT + class % PORTS),
	};

	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)))
		die("bind: %s", strerror(errno));
}

int traffic_socket(enum traffic traffic, int class)
{
	const struct sockaddr *to = (const struct sockaddr *)&bench_sink;
	int fd = bench_socket(), priority = 1 << 16 | class;

	if (class > 1)
		bind_own(fd, class);
	if (traffic != UNCONNECTED && connect(fd, to, sizeof(bench_sink)))
		die("connect: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority,
		       sizeof(priority)))
		die("SO_PRIORITY: %s", strerror(errno));
	return fd;
}

/* A plain socket takes such messages too, once it is told to. */
static void enable_marks(int fd)
{
	struct {
		clockid_t clock;
		__u32 flags;
	} txtime = { .clock = CLOCK_MONOTONIC };

	if (setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)))
		die("SO_TXTIME: %s", strerror(errno));
}

void traffic_prepare(int fd, enum traffic traffic)
{
	if (traffic == MARKED)
		enable_marks(fd);
	memset(&attr, 0, sizeof(attr));
	if (traffic == STREAM_PERIODIC) {
		attr.oln = 1;
		attr.old = 2;
		attr.ipg = 10;
		/* a sender that pauses is late, and counted all the same */
		attr.stream_flags = DWCS_WORK_CONSERVING | DWCS_NON_DROPPABLE;
	}
	if (traffic >= STREAM && qattach(fd, &params))
		die("%s", qsock_errmsg());
}

void traffic_send(int fd, enum traffic traffic)
{
	const struct sockaddr *to = (const struct sockaddr *)&bench_sink;
	struct packet_flags flags = {
		.drop_flag = QSOCK_PRIO(3),
		.deadline = 1ull << 62,
	};
	ssize_t n;

	if (traffic == MARKED || traffic == STREAM_MARKED)
		n = qsend(fd, payload, sizeof(payload), 0, &flags);
	else if (traffic == UNCONNECTED)
		n = sendto(fd, payload, sizeof(payload), 0, to,
			   sizeof(bench_sink));
	else
		n = send(fd, payload, sizeof(payload), 0);
	if (n != sizeof(payload))
		die("send: %s", strerror(errno));
}
