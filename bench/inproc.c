// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The in-process engine, on one CPU, over the loopback device, without privilege.
 *
 * Throughput: messages of many streams, on sockets connected to one that is not
 * read: what it has no room for is counted and dropped there, which is as far as
 * messages of both sides go. Pacing: a stream with a period beside a loop with
 * clock_nanosleep(), by the times at which the device took the packets. Bulk: a
 * stream beside all that the program can send otherwise, on a device with a rate.
 * Idle: CPU time of a process whose streams have nothing to send.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "lib/internal.h"

#define STREAMS 1000
#define MANY 16 /* messages of a call that takes many */
#define SIZE 100 /* bytes of a message */
#define ROUNDS 9
#define MESSAGES 32000 /* in a round, a multiple of STREAMS and of MANY */
#define WANTED 500000 /* messages/s, or else */
#define SHARE 0.8 /* of what plain sendmmsg() does */
#define PERIOD_US 1000
#define PERIOD_NS (PERIOD_US * 1000ull)
#define PACED 200 /* messages at a time, as many as the receiver keeps */
#define PACED_ROUNDS 10
#define PACED_WANTED_US 200
#define PATIENCE_NS 9000000000ull
#define BULK_RATE 10000000ull
#define BULK_SIZE 1250
#define BULK_SECONDS 5
#define FPS 20
#define FRAME_PARTS 4 /* messages */
#define IDLE_SECONDS 2

static struct qos_params params = { .dev = QS_INPROC_DEV, .name = "dwcs" };
static char payload[BULK_SIZE];
static struct sockaddr_in sink_address = { .sin_family = AF_INET };
static int sink, fds[2][STREAMS]; /* plain ones, and attached ones */
static struct json_object *report;

/* ---- sockets */

static void open_sink(void)
{
	socklen_t len = sizeof(sink_address);
	int on = 1;

	sink_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sink = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (sink < 0 || bind(sink, (struct sockaddr *)&sink_address, len) ||
	    getsockname(sink, (struct sockaddr *)&sink_address, &len) ||
	    setsockopt(sink, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		die("the receiver: %s", strerror(errno));
}

static int open_socket(const struct q_dwcs_attr *attr)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&sink_address, sizeof(sink_address)))
		die("a sender: %s", strerror(errno));
	params.attributes = (void *)attr;
	if (attr && qattach(fd, &params))
		die("%s", qsock_errmsg());
	return fd;
}

static void init(uint64_t rate)
{
	struct qos_device device = { .rate = rate };

	params.attributes = NULL;
	if (qsockinit_device(&params, &device, sizeof(device)))
		die("%s", qsock_errmsg());
}

static void fini(void)
{
	if (qsockfini(QS_INPROC_DEV))
		die("%s", qsock_errmsg());
}

/* How many messages came so far, dropped ones too; takes the others away. */
static uint64_t arrived(void)
{
	static uint64_t received;
	__u32 memory[SK_MEMINFO_VARS];
	socklen_t len = sizeof(memory);
	char room[BULK_SIZE];

	while (recv(sink, room, sizeof(room), 0) >= 0)
		received++;
	if (getsockopt(sink, SOL_SOCKET, SO_MEMINFO, memory, &len))
		die("SO_MEMINFO: %s", strerror(errno));
	return received + memory[SK_MEMINFO_DROPS];
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

/* ---- throughput */

/* A way to send, and the plain one that takes as many messages with a call. */
struct way {
	const char *name;
	int ours, many, beside;
	double rounds[ROUNDS], ns;
};

static struct way ways[] = {
	{ .name = "send", .many = 0, .beside = 1 },
	{ .name = "sendmmsg", .many = 1, .beside = 1 },
	{ .name = "sendmmsg", .many = MANY, .beside = 2 },
	{ .name = "qsend", .ours = 1, .many = 0, .beside = 1 },
	{ .name = "qsendmmsg", .ours = 1, .many = 1, .beside = 1 },
	{ .name = "qsendmmsg", .ours = 1, .many = MANY, .beside = 2 },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void send_many(const struct way *way, int fd)
{
	static struct iovec iov = { payload, SIZE };
	static struct mmsghdr plain[MANY];
	static struct qmmsghdr ours[MANY];
	int k, n;

	for (k = 0; k < way->many; k++) {
		plain[k].msg_hdr.msg_iov = ours[k].msg_hdr.msg_iov = &iov;
		plain[k].msg_hdr.msg_iovlen = ours[k].msg_hdr.msg_iovlen = 1;
	}
	n = way->ours ? qsendmmsg(fd, ours, way->many, 0) :
			sendmmsg(fd, plain, way->many, 0);
	if (n != way->many)
		die("%s: %d of %d: %s", way->name, n, way->many,
		    strerror(errno));
}

static void send_one(int ours, int fd)
{
	ssize_t n = ours ? qsend(fd, payload, SIZE, 0, NULL) :
			   send(fd, payload, SIZE, 0);

	if (n != SIZE)
		die("send: %s", strerror(errno));
}

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* CPU time for a message, the engine's thread's too; all of them have arrived. */
static double send_round(const struct way *way)
{
	int step = way->many ? way->many : 1, k, fd;
	uint64_t before = arrived();
	double start = cpu_ns();

	for (k = 0; k < MESSAGES; k += step) {
		fd = fds[way->ours][k / step % STREAMS];
		if (way->many)
			send_many(way, fd);
		else
			send_one(way->ours, fd);
	}
	for (k = 0; arrived() - before < MESSAGES; k++) {
		if (k > 10000)
			die("%s: not all messages came", way->name);
		sleep_until(now_ns() + 1000); /* the thread has some */
	}
	return (cpu_ns() - start) / MESSAGES;
}

static void set_number(struct json_object *row, const char *key, double value)
{
	json_object_object_add(row, key, json_object_new_double(value));
}

static void throughput_report(const struct way *way)
{
	struct json_object *row = report_row(report, "throughput");
	double beside = ways[way->beside].ns / way->ns;
	char text[16];

	printf("%-12s %8d %12.0f %12.0f %12s", way->name,
	       way->many ? way->many : 1, way->ns, 1e9 / way->ns,
	       ratio_text(ways[way->beside].ns, way->ns, text));
	if (way->ours)
		printf("   %s", beside >= SHARE || 1e9 / way->ns >= WANTED ?
					"met" :
					"missed");
	printf("\n");
	report_set(row, "call", way->name);
	set_number(row, "many", way->many ? way->many : 1);
	set_number(row, "ns", way->ns);
	set_number(row, "messages_per_s", 1e9 / way->ns);
	set_number(row, "beside_sendmmsg", beside);
}

static void throughput(void)
{
	static const struct q_dwcs_attr edf;
	size_t w;
	int k;

	init(0);
	for (k = 0; k < STREAMS; k++) {
		fds[0][k] = open_socket(NULL);
		fds[1][k] = open_socket(&edf);
	}
	for (k = -1; k < ROUNDS; k++)
		for (w = 0; w < WAYS; w++) /* the first round is for nothing */
			ways[w].rounds[k < 0 ? 0 : k] = send_round(&ways[w]);
	for (k = 0; k < STREAMS; k++) {
		close(fds[0][k]);
		qclose(fds[1][k]);
	}
	fini();
	printf("Throughput: %d streams, %d bytes; CPU time, median of %d "
	       "rounds\n%-12s %8s %12s %12s %12s\n",
	       STREAMS, SIZE, ROUNDS, "call", "messages", "ns/message",
	       "messages/s", "/ sendmmsg");
	for (w = 0; w < WAYS; w++)
		ways[w].ns = median(ways[w].rounds, ROUNDS);
	for (w = 0; w < WAYS; w++)
		throughput_report(&ways[w]);
}

/* ---- pacing */

/* When the next message came, ns; -1: none has. */
static int64_t arrival(void)
{
	_Alignas(struct cmsghdr) char control[64];
	char room[SIZE];
	struct iovec iov = { room, sizeof(room) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	const struct cmsghdr *c;
	struct timespec ts;

	if (recvmsg(sink, &msg, 0) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_TIMESTAMPNS)
		die("a message has no time");
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void sleep_and_send(int fd)
{
	uint64_t start = now_ns();
	int k;

	for (k = 0; k < PACED; k++) {
		sleep_until(start + k * PERIOD_NS);
		send_one(0, fd);
	}
}

/* A far deadline: who is late by a period keeps to the schedule of before. */
static void queue_and_wait(int fd)
{
	uint64_t start = now_ns();
	struct packet_flags pf = { .deadline = start + PATIENCE_NS };
	int k;

	for (k = 0; k < PACED; k++)
		if (qsend(fd, payload, SIZE, 0, &pf) != SIZE)
			die("%s", qsock_errmsg());
	sleep_until(start + (PACED + 20) * PERIOD_NS);
}

/* Lateness against the schedule of the earliest, us. */
static void errors_of_round(double *error)
{
	double least = INFINITY;
	int64_t at, first = 0;
	int k;

	for (k = 0; k < PACED; k++) {
		at = arrival();
		if (at < 0)
			die("%d of %d paced messages came", k, PACED);
		if (!k)
			first = at;
		error[k] = (double)(at - first) / 1e3 - (double)k * PERIOD_US;
		if (error[k] < least)
			least = error[k];
	}
	for (k = 0; k < PACED; k++)
		error[k] -= least;
}

/* Medians over the rounds: what else runs here disturbs some of them. */
struct paced {
	double p50[PACED_ROUNDS], p99[PACED_ROUNDS];
};

static void paced_round(struct paced *p, int round)
{
	double error[PACED];

	errors_of_round(error);
	p->p50[round] = median(error, PACED); /* which sorts */
	p->p99[round] = error[PACED * 99 / 100];
}

static double paced_report(const char *name, struct paced *p)
{
	struct json_object *row = report_row(report, "pacing");
	double p50 = median(p->p50, PACED_ROUNDS);
	double p99 = median(p->p99, PACED_ROUNDS);

	printf("%-18s %8.1f %8.1f", name, p50, p99);
	report_set(row, "by", name);
	set_number(row, "p50_us", p50);
	set_number(row, "p99_us", p99);
	return p99;
}

static void pacing(void)
{
	static const struct q_dwcs_attr paced = {
		.ipg = PERIOD_US, .stream_flags = DWCS_NON_DROPPABLE
	};
	static struct paced plain, ours;
	double plain_p99, ours_p99;
	int fd = open_socket(NULL), stream, k;
	char text[16];

	init(0);
	prctl(PR_SET_TIMERSLACK, 1); /* as the engine's thread */
	arrived();
	for (k = 0; k < PACED_ROUNDS; k++) {
		sleep_and_send(fd);
		paced_round(&plain, k);
		stream = open_socket(&paced);
		queue_and_wait(stream);
		paced_round(&ours, k);
		qclose(stream);
	}
	close(fd);
	fini();
	printf("\nPacing: a message each %d us; how late, us, median of %d "
	       "rounds "
	       "of %d messages\n%-18s %8s %8s\n",
	       PERIOD_US, PACED_ROUNDS, PACED, "by", "p50", "p99");
	plain_p99 = paced_report("clock_nanosleep", &plain);
	printf("\n");
	ours_p99 = paced_report("inproc", &ours);
	printf("   / clock_nanosleep %s, %s\n",
	       ratio_text(ours_p99, plain_p99, text),
	       ours_p99 <= PACED_WANTED_US || ours_p99 <= plain_p99 ? "met" :
								      "missed");
}

/* ---- a stream beside the program's own bulk transfer */

static int bulk_over;

static void *send_bulk(void *data)
{
	const int *fd = data;

	while (!__atomic_load_n(&bulk_over, __ATOMIC_RELAXED))
		if (qsend(*fd, payload, BULK_SIZE, 0, NULL) < 0)
			die("%s", qsock_errmsg());
	return NULL;
}

static void send_frame(int fd)
{
	struct packet_flags pf = { .drop_flag = QSOCK_FRAME_START };
	int k;

	for (k = 0; k < FRAME_PARTS; k++) {
		if (k == FRAME_PARTS - 1)
			pf.drop_flag |= QSOCK_FRAME_END;
		if (qsend(fd, payload, BULK_SIZE, MSG_DONTWAIT, &pf) < 0 &&
		    errno != EAGAIN)
			die("%s", qsock_errmsg());
		pf.drop_flag = 0;
	}
}

static void bulk_report(const char *name, const struct qos_info *stream,
			const struct qos_info *other, double seconds)
{
	struct json_object *row = report_row(report, "bulk");
	double rate =
		(double)(stream->sent_bytes + other->sent_bytes) * 8 / seconds;
	double fps = (double)stream->sent_units / BULK_SECONDS;

	printf("%-18s %8.1f %8llu %8llu %10.1f %10.1f %8.3f", name, fps,
	       (unsigned long long)(stream->late_units + stream->dropped_late),
	       (unsigned long long)stream->violations,
	       (double)stream->delay_p99_ns / 1e6, rate / 1e6,
	       rate / (double)BULK_RATE);
	report_set(row, "stream", name);
	set_number(row, "fps", fps);
	set_number(row, "late", (double)stream->late_units);
	set_number(row, "dropped", (double)stream->dropped_late);
	set_number(row, "violations", (double)stream->violations);
	set_number(row, "p99_ns", (double)stream->delay_p99_ns);
	set_number(row, "all_bit_per_s", rate);
}

/* The stream's frames/s that left. */
static double bulk_run(const char *name, const struct q_dwcs_attr *attr)
{
	static const struct q_dwcs_attr edf = { .stream_flags =
							DWCS_NON_DROPPABLE };
	struct qos_info info, other_info;
	int stream = open_socket(attr), other = open_socket(&edf), k;
	uint64_t start = now_ns();
	pthread_t thread;

	bulk_over = 0;
	if (pthread_create(&thread, NULL, send_bulk, &other))
		die("no thread");
	for (k = 0; k < BULK_SECONDS * FPS; k++) {
		send_frame(stream);
		sleep_until(start + (k + 1) * (1000000000ull / FPS));
	}
	if (qinfo(stream, &info, sizeof(info)) ||
	    qinfo(other, &other_info, sizeof(other_info)))
		die("%s", qsock_errmsg());
	bulk_report(name, &info, &other_info, (double)(now_ns() - start) / 1e9);
	__atomic_store_n(&bulk_over, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	qclose(stream);
	qclose(other);
	return (double)info.sent_units / BULK_SECONDS;
}

static void bulk(void)
{
	static const struct q_dwcs_attr window = { .oln = 1,
						   .old = 10,
						   .ipg = DWCS_FPS(FPS) };
	static const struct q_dwcs_attr none;
	double fps;

	printf("\nBulk: %d frames/s of %d bytes beside all that the program "
	       "can "
	       "send, at %llu Mbit/s\n%-18s %8s %8s %8s %10s %10s %8s\n",
	       FPS, FRAME_PARTS * BULK_SIZE, BULK_RATE / 1000000, "stream",
	       "frames/s", "late", "violated", "p99, ms", "all Mbit/s",
	       "/ rate");
	init(BULK_RATE);
	bulk_run("as the bulk", &none);
	fini();
	printf("\n");
	init(BULK_RATE);
	fps = bulk_run("1/10, period", &window);
	fini();
	printf("   %s\n", fps >= FPS * 0.995 ? "met" : "missed");
}

/* ---- idle */

static void idle(void)
{
	static const struct q_dwcs_attr edf;
	double before, share;
	int k;

	for (k = 0; k < STREAMS; k++)
		fds[1][k] = open_socket(&edf);
	send_one(1, fds[1][0]);
	before = cpu_ns();
	sleep_until(now_ns() + IDLE_SECONDS * 1000000000ull);
	share = (cpu_ns() - before) / IDLE_SECONDS / 1e9;
	for (k = 0; k < STREAMS; k++)
		qclose(fds[1][k]);
	printf("\nIdle: %d streams take %.3f%% of a core (%s)\n", STREAMS,
	       share * 100, share < 0.01 ? "met" : "missed");
	set_number(report_row(report, "idle"), "share", share);
}

int main(int argc, char **argv)
{
	char rate[32];

	bench_settle();
	report = report_new("inproc", argc, argv);
	report_set(report, "engine", "inproc");
	snprintf(rate, sizeof(rate), "0, and %llu", BULK_RATE);
	report_set(report, "rate", rate);
	report_set(report, "seed", "0");
	open_sink();
	throughput();
	pacing();
	bulk();
	idle();
	report_save(report, argc, argv);
	return 0;
}
