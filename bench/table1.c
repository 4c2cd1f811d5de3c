// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The paper's Table 1: what each call costs beside the plain call, or beside a
 * bare getsockopt() where there is none; and what the manager costs programs
 * that do not use it. In each round both sides run in turn, in blocks, on one
 * CPU; the figures are medians of the rounds, the ratio that of their ratios.
 *
 * On a kernel without BPF qdiscs everything else is measured: the library, the
 * manager and the classifier. What a qdisc adds, cost.c says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "lib/internal.h"

#define CANNOT_RUN 77 /* the exit status, as scripts/bench has it */
#define ROUNDS 25
#define SOCKETS 1000 /* in a block of calls of which a socket sees one */
#define SENDS 200 /* in a block of messages */
#define SEND_BLOCKS 10 /* in a round */

/* ---- the table */

enum pair {
	QSOCKET,
	QCLOSE,
	QATTACH,
	QCHANGE,
	QINFO,
	QDETACH,
	QSENDTO,
	QSENDTO_PLAIN,
	QSENDTO_CONNECTED,
	PAIRS,
	TAX_GETSOCKOPT = PAIRS,
	TAX_SOCKET,
	TAX_CLOSE,
	TAX_SENDTO,
	MEASURED,
};

static const struct {
	const char *call, *beside;
	double target; /* 0: none */
} pairs[MEASURED] = {
	[QSOCKET] = { "qsocket", "socket", 1.084 },
	[QCLOSE] = { "qclose", "close", 1.41 },
	[QATTACH] = { "qattach", "getsockopt", 2 },
	[QCHANGE] = { "qchange", "getsockopt", 2 },
	[QINFO] = { "qinfo", "getsockopt", 2 },
	[QDETACH] = { "qdetach", "getsockopt", 0 },
	[QSENDTO] = { "qsendto", "sendto", 1.10 },
	[QSENDTO_PLAIN] = { "qsendto, no flags", "sendto", 0 },
	[QSENDTO_CONNECTED] = { "qsendto, connected", "sendto", 0 },
	[TAX_GETSOCKOPT] = { "getsockopt", "without the manager", 0 },
	[TAX_SOCKET] = { "socket", "without the manager", 0 },
	[TAX_CLOSE] = { "close", "without the manager", 0 },
	[TAX_SENDTO] = { "sendto", "without the classifier", 0 },
};

/* ns of one call, in each round: [0] ours, [1] what it is beside. */
static double times[MEASURED][2][ROUNDS];

/* Without a period: where there is a qdisc, nobody waits. */
static struct q_dwcs_attr attr = { .oln = 1, .old = 2 };
static struct qos_params params = {
	.dev = BENCH_DEV,
	.name = "dwcs",
	.attributes = &attr,
};
static struct packet_flags flags = { .drop_flag = QSOCK_PRIO(3) };
static char payload[BENCH_PAYLOAD];

static int fds[SOCKETS];
static unsigned int round_now;
static int initialised;
static unsigned int init_flags;

/* ---- blocks: each does one call SOCKETS times and returns ns of one */

static void must(int ok, const char *call)
{
	if (!ok)
		die("%s: %s (%s)", call, strerror(errno), qsock_errmsg());
}

#define BLOCK(name, expression, ok)                          \
	static double name(void)                             \
	{                                                    \
		uint64_t start = now_ns();                   \
		int i, n;                                    \
                                                             \
		for (i = 0; i < SOCKETS; i++) {              \
			n = (expression);                    \
			must(ok, #name);                     \
		}                                            \
		return (double)(now_ns() - start) / SOCKETS; \
	}

static int bare_getsockopt(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
}

static struct qos_info info;

BLOCK(block_socket, fds[i] = socket(AF_INET, SOCK_DGRAM, 0), n >= 0)
BLOCK(block_qsocket, fds[i] = qsocket(AF_INET, SOCK_DGRAM, 0, &params), n >= 0)
BLOCK(block_close, close(fds[i]), !n)
BLOCK(block_qclose, qclose(fds[i]), !n)
BLOCK(block_getsockopt, bare_getsockopt(fds[i]), !n)
BLOCK(block_qattach, qattach(fds[i], &params), !n)
BLOCK(block_qchange, qchange(fds[i], &params), !n)
BLOCK(block_qinfo, qinfo(fds[i], &info, sizeof(info)), !n)
BLOCK(block_qdetach, qdetach(fds[i]), !n)

static void note(enum pair pair, int side, double ns)
{
	times[pair][side][round_now] += ns;
}

/* ---- sending */

enum how {
	SENDTO,
	QSENDTO_NO_FLAGS,
	QSENDTO_FLAGS
};

static ssize_t send_one(int fd, enum how how, const struct sockaddr *to)
{
	socklen_t len = to ? sizeof(bench_sink) : 0;

	if (how == SENDTO)
		return sendto(fd, payload, sizeof(payload), 0, to, len);
	flags.deadline = 1ull << 62;
	return qsendto(fd, payload, sizeof(payload), 0, to, len,
		       how == QSENDTO_FLAGS ? &flags : NULL);
}

static double block_send(int fd, enum how how, const struct sockaddr *to)
{
	uint64_t start = now_ns();
	int i;

	for (i = 0; i < SENDS; i++)
		must(send_one(fd, how, to) == sizeof(payload), "send");
	return (double)(now_ns() - start) / SENDS;
}

/* Every packet must have left: what did is counted by the device. */
static void measure_send(enum pair pair, int q, enum how how, int plain,
			 const struct sockaddr *to)
{
	uint64_t before = bench_sent();
	int i;

	for (i = 0; i < SEND_BLOCKS; i++) {
		note(pair, i % 2,
		     block_send(i % 2 ? plain : q, i % 2 ? SENDTO : how, to) /
			     SEND_BLOCKS);
		note(pair, !(i % 2),
		     block_send(i % 2 ? q : plain, i % 2 ? how : SENDTO, to) /
			     SEND_BLOCKS);
	}
	if (bench_sent() - before != 2ull * SEND_BLOCKS * SENDS)
		die("%s: %llu packets left, not %d", pairs[pair].call,
		    (unsigned long long)(bench_sent() - before),
		    2 * SEND_BLOCKS * SENDS);
}

static void measure_sends(void)
{
	const struct sockaddr *to = (const struct sockaddr *)&bench_sink;
	int plain = bench_socket(), q = bench_socket();

	must(!qattach(q, &params), "qattach");
	measure_send(QSENDTO, q, QSENDTO_FLAGS, plain, to);
	measure_send(QSENDTO_PLAIN, q, QSENDTO_NO_FLAGS, plain, to);
	must(!connect(plain, to, sizeof(bench_sink)), "connect");
	must(!connect(q, to, sizeof(bench_sink)), "connect");
	measure_send(QSENDTO_CONNECTED, q, QSENDTO_FLAGS, plain, NULL);
	close(plain);
	close(q);
}

/* ---- calls */

static void measure_socket(int q)
{
	note(QSOCKET, !q, q ? block_qsocket() : block_socket());
	note(QCLOSE, !q, q ? block_qclose() : block_close());
}

static void measure_beside_getsockopt(enum pair pair, double (*block)(void))
{
	if (round_now % 2)
		note(pair, 1, block_getsockopt());
	note(pair, 0, block());
	if (round_now % 2 == 0)
		note(pair, 1, block_getsockopt());
}

/* What the last block of qinfo() read is what was asked for. */
static void check_info(void)
{
	if (info.oln != attr.oln || info.old != attr.old ||
	    info.ipg != attr.ipg || strcmp(info.dev, BENCH_DEV) ||
	    !(info.state & QOS_STATE_ATTACHED))
		die("qinfo: not the attributes that qchange set");
}

static void measure_options(void)
{
	block_socket();
	measure_beside_getsockopt(QATTACH, block_qattach);
	attr.oln = round_now;
	attr.old = 2 * ROUNDS;
	measure_beside_getsockopt(QCHANGE, block_qchange);
	measure_beside_getsockopt(QINFO, block_qinfo);
	check_info();
	measure_beside_getsockopt(QDETACH, block_qdetach);
	block_close();
}

/* ---- with and without the manager */

static void fini(void)
{
	if (initialised)
		qsockfini(BENCH_DEV);
	initialised = 0;
}

static void init(void)
{
	if (qs_device_init(&params, NULL, init_flags))
		die("%s", qsock_errmsg());
	initialised = 1;
}

/* Who answers at our level says that the socket is not attached. */
static int manager_there(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(info);
	int there = getsockopt(fd, SOL_QSOCKETS, QS_INFO, &info, &len) &&
		    errno == ENOTCONN;

	close(fd);
	return there;
}

/* What other programs feel: the same calls on plain sockets. */
static void measure_tax(int side)
{
	const struct sockaddr *to = (const struct sockaddr *)&bench_sink;
	int i, fd = bench_socket();

	note(TAX_SOCKET, side, block_socket());
	note(TAX_GETSOCKOPT, side, block_getsockopt());
	note(TAX_CLOSE, side, block_close());
	for (i = 0; i < SEND_BLOCKS; i++)
		note(TAX_SENDTO, side,
		     block_send(fd, SENDTO, to) / SEND_BLOCKS);
	close(fd);
}

/* Every stream must have been given back. */
static void check_streams(void)
{
	struct qs_device_view *views;
	unsigned int n;

	if (qs_devices_read(BENCH_DEV, &views, &n))
		die("%s", qsock_errmsg());
	if (n != 1 || views->attached)
		die("%u streams are left", views->attached);
	qs_devices_free(views, n);
}

static void measure_round(void)
{
	int q = round_now % 2;

	measure_tax(1);
	init();
	measure_tax(0);
	measure_socket(q);
	measure_socket(!q);
	measure_options();
	measure_sends();
	check_streams();
	fini();
}

/* The first round is not counted: caches and the allocator are cold. */
static void measure(void)
{
	measure_round();
	memset(times, 0, sizeof(times));
	for (round_now = 0; round_now < ROUNDS; round_now++)
		measure_round();
}

/* ---- the table, printed */

static double ratio_of(enum pair pair)
{
	double ratios[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++)
		ratios[i] = times[pair][0][i] / times[pair][1][i];
	return median(ratios, ROUNDS);
}

static void print_row(struct json_object *report, enum pair pair)
{
	double ratio = ratio_of(pair), target = pairs[pair].target;
	double ns[2] = { median(times[pair][0], ROUNDS),
			 median(times[pair][1], ROUNDS) };
	struct json_object *row =
		report_row(report, pair < PAIRS ? "calls" : "tax");
	char text[32] = "";

	if (target > 0)
		snprintf(text, sizeof(text), "%.3f %s", target,
			 ratio <= target ? "met" : "missed");
	printf("%-20s %9.0f   %-24s %9.0f %8.3f   %s\n", pairs[pair].call,
	       ns[0], pairs[pair].beside, ns[1], ratio, text);
	report_set(row, "call", pairs[pair].call);
	report_set(row, "beside", pairs[pair].beside);
	json_object_object_add(row, "ns", json_object_new_double(ns[0]));
	json_object_object_add(row, "beside_ns", json_object_new_double(ns[1]));
	json_object_object_add(row, "ratio", json_object_new_double(ratio));
	if (target > 0)
		json_object_object_add(row, "target",
				       json_object_new_double(target));
}

static void print_table(struct json_object *report, const char *title, int from,
			int to)
{
	int i;

	printf("\n%s\n%-20s %9s   %-24s %9s %8s   %s\n", title, "call", "ns",
	       "beside", "ns", "ratio", from ? "" : "target");
	for (i = from; i < to; i++)
		print_row(report, i);
}

int main(int argc, char **argv)
{
	struct json_object *report = report_new("table1", argc, argv);
	const char *engine;

	bench_settle();
	bench_device("veth");
	bench_at_exit(fini);
	init_flags = qs_kernel_check() ? QS_INIT_NO_QDISC : 0;
	engine = init_flags ? "kernel, without its qdisc" : "kernel";
	report_set(report, "engine", engine);
	report_set(report, "rate", "0");
	report_set(report, "seed", "0");
	if (manager_there()) {
		fputs("table1: a device is managed here: \"qsock fini\" it "
		      "first\n",
		      stderr);
		exit(CANNOT_RUN);
	}
	measure();
	printf("table1: engine: %s; median of %d rounds\n", engine, ROUNDS);
	print_table(report, "The calls of Table 1", 0, PAIRS);
	print_table(report, "What others pay for a manager that is there",
		    PAIRS, MEASURED);
	report_save(report, argc, argv);
	return 0;
}
