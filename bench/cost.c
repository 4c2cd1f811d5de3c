// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a qdisc adds to a packet, in instructions: scripts/bench runs this in a
 * guest whose clock is the number of instructions, so that two runs agree.
 *
 * Idle: a tight loop sends on a dummy device, which takes each packet at once;
 * the queue is empty whenever one comes. Backlog: a veth pair whose receiving
 * side is a thread that cannot run while we send fills up; the packets of many
 * sockets wait in the qdisc; then the thread is let in and all of them leave.
 * `noqueue` cannot hold them. That so many are in flight costs the allocator
 * more, whatever the qdisc is: so the base is there what `pfifo` takes, less
 * what `pfifo` adds when it is idle.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bench.h"
#include "lib/internal.h"

#define ROUNDS 9
#define IDLE_PACKETS 4000 /* in a round */
#define STREAMS_MAX 1000
#define BACKLOG_PACKETS 4000
#define BACKLOG_ROUNDS 5
#define SPIN_TURNS 8000ul /* for a packet to leave, ample */
#define SYSFS "/run/bench-sysfs"
#define FQ_ROW 1 /* in backlog_rows */
#define HTB_ROW 2
#define OURS_ROW 3 /* and what follows */
#define FAST "100gbit" /* a rate that nobody waits for */
#define FAST_BITS 100000000000ull

/* ---- what is compared */

enum traffic {
	PLAIN, /* send() on a connected socket */
	UNCONNECTED, /* sendto(): the packets' hash is not known */
	MARKED, /* qsend() with a deadline and flags */
	STREAM, /* send() on an attached socket */
	STREAM_MARKED, /* qsend() on that */
	STREAM_PERIODIC, /* send() on one with a period */
};

struct qdisc {
	const char *name;
	const char *tc; /* NULL: none */
	__u64 rate;
	int ours, classes;
};

static const char *const traffic_names[] = {
	[PLAIN] = "plain",
	[UNCONNECTED] = "plain, sendto",
	[MARKED] = "with a deadline",
	[STREAM] = "stream",
	[STREAM_MARKED] = "with a deadline",
	[STREAM_PERIODIC] = "1/2, period",
};

static const struct qdisc noqueue = { .name = "noqueue" };
static const struct qdisc pfifo = { "pfifo", "pfifo limit 20000", 0, 0, 0 };
static const struct qdisc fq = { "fq", "fq limit 20000 flow_limit 20000", 0, 0,
				 0 };
static const struct qdisc fq_codel = { "fq_codel", "fq_codel limit 20000", 0, 0,
				       0 };
static const struct qdisc htb = { "htb", "handle 1: htb default 1", 0, 0, 1 };
static const struct qdisc dwcs = { "dwcs", NULL, 0, 1, 0 };
static const struct qdisc dwcs_shaped = { "dwcs, rate", NULL, FAST_BITS, 1, 0 };

static struct q_dwcs_attr attr;
static struct qos_params params = {
	.dev = BENCH_DEV,
	.name = "dwcs",
	.attributes = &attr,
};
static char payload[BENCH_PAYLOAD];
static int fds[STREAMS_MAX];
static int initialised;

/* ---- a qdisc comes and goes */

static void fini(void)
{
	if (initialised)
		qsockfini(BENCH_DEV);
	initialised = 0;
}

static void init_ours(const struct qdisc *q)
{
	struct qos_device device = { .rate = q->rate };

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
			"htb rate " FAST " quantum 1514\n",
			i);
	fclose(f);
	run("tc -batch %s", path);
	unlink(path);
}

static void qdisc_up(const struct qdisc *q, int classes)
{
	if (q->ours)
		init_ours(q);
	else if (q->tc)
		run("tc qdisc add dev " BENCH_DEV " root %s", q->tc);
	if (q->classes)
		add_classes(classes);
}

static void qdisc_down(const struct qdisc *q)
{
	if (q->tc)
		run("tc qdisc del dev " BENCH_DEV " root");
	fini();
}

/* ---- sockets and messages */

static int traffic_socket(enum traffic traffic, int class)
{
	const struct sockaddr *to = (const struct sockaddr *)&bench_sink;
	int fd = bench_socket(), priority = 1 << 16 | class;

	if (traffic != UNCONNECTED && connect(fd, to, sizeof(bench_sink)))
		die("connect: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority,
		       sizeof(priority)))
		die("SO_PRIORITY: %s", strerror(errno));
	memset(&attr, 0, sizeof(attr));
	if (traffic == STREAM_PERIODIC) {
		attr.oln = 1;
		attr.old = 2;
		attr.ipg = 10;
		attr.stream_flags = DWCS_WORK_CONSERVING;
	}
	if (traffic >= STREAM && qattach(fd, &params))
		die("%s", qsock_errmsg());
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

static void send_one(int fd, enum traffic traffic)
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

/* ---- what the BPF programs themselves take */

static const char *const programs[] = { "qs_classify", "qs_enqueue_op",
					"qs_dequeue_op" };
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

struct spent {
	__u64 time, runs;
};

static void program_spent(__u32 id, struct spent *spent)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	size_t i;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		die("program %u: %s", id, strerror(errno));
	close(fd);
	for (i = 0; i < PROGRAMS; i++) {
		if (strcmp(info.name, programs[i]))
			continue;
		spent[i].time += info.run_time_ns;
		spent[i].runs += info.run_cnt;
	}
}

static void programs_spent(struct spent *spent)
{
	__u32 id = 0;

	memset(spent, 0, PROGRAMS * sizeof(*spent));
	while (!bpf_prog_get_next_id(id, &id))
		program_spent(id, spent);
}

/* ---- idle */

struct row {
	const struct qdisc *qdisc;
	enum traffic traffic;
	double total; /* instructions per packet */
	double inside[PROGRAMS]; /* a program's */
};

static struct row idle_rows[] = {
	{ .qdisc = &noqueue, .traffic = PLAIN },
	{ .qdisc = &noqueue, .traffic = UNCONNECTED },
	{ .qdisc = &noqueue, .traffic = MARKED },
	{ .qdisc = &pfifo, .traffic = PLAIN },
	{ .qdisc = &fq_codel, .traffic = PLAIN },
	{ .qdisc = &fq_codel, .traffic = UNCONNECTED },
	{ .qdisc = &fq, .traffic = PLAIN },
	{ .qdisc = &fq, .traffic = UNCONNECTED },
	{ .qdisc = &htb, .traffic = PLAIN },
	{ .qdisc = &dwcs, .traffic = PLAIN },
	{ .qdisc = &dwcs, .traffic = UNCONNECTED },
	{ .qdisc = &dwcs, .traffic = STREAM },
	{ .qdisc = &dwcs, .traffic = STREAM_PERIODIC },
	{ .qdisc = &dwcs, .traffic = STREAM_MARKED },
	{ .qdisc = &dwcs_shaped, .traffic = PLAIN },
	{ .qdisc = &dwcs_shaped, .traffic = STREAM },
	{ .qdisc = &dwcs_shaped, .traffic = STREAM_PERIODIC },
	{ .qdisc = &dwcs_shaped, .traffic = STREAM_MARKED },
};
#define IDLE_ROWS (sizeof(idle_rows) / sizeof(idle_rows[0]))

static double idle_round(int fd, enum traffic traffic)
{
	uint64_t before = bench_sent(), time;
	int i;

	time = now_ns();
	for (i = 0; i < IDLE_PACKETS; i++)
		send_one(fd, traffic);
	time = now_ns() - time;
	if (bench_sent() - before != IDLE_PACKETS)
		die("%llu packets left, not %d",
		    (unsigned long long)(bench_sent() - before), IDLE_PACKETS);
	return (double)time / IDLE_PACKETS;
}

/* A round of its own: counting takes time as well. */
static void idle_inside(struct row *row, int fd)
{
	struct spent before[PROGRAMS], after[PROGRAMS];
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	size_t i;

	if (stats < 0)
		die("BPF statistics: %s", strerror(errno));
	programs_spent(before);
	idle_round(fd, row->traffic);
	programs_spent(after);
	close(stats);
	for (i = 0; i < PROGRAMS; i++)
		row->inside[i] =
			(double)(after[i].time - before[i].time) / IDLE_PACKETS;
}

static void idle_measure(struct row *row)
{
	double rounds[ROUNDS];
	int i, fd;

	qdisc_up(row->qdisc, 1);
	fd = traffic_socket(row->traffic, 1);
	if (row->traffic == MARKED)
		enable_marks(fd);
	idle_round(fd, row->traffic);
	for (i = 0; i < ROUNDS; i++)
		rounds[i] = idle_round(fd, row->traffic);
	row->total = median(rounds, ROUNDS);
	if (row->qdisc->ours)
		idle_inside(row, fd);
	close(fd);
	qdisc_down(row->qdisc);
}

/* ---- backlog */

static const int backlog_sockets[] = { 1, 10, 100, 1000 };
#define BACKLOGS (sizeof(backlog_sockets) / sizeof(backlog_sockets[0]))

struct backlog_row {
	const struct qdisc *qdisc;
	enum traffic traffic;
	double total[BACKLOGS]; /* instructions per packet */
};

static struct backlog_row backlog_rows[] = {
	{ &pfifo, PLAIN, { 0 } }, { &fq, PLAIN, { 0 } },
	{ &htb, PLAIN, { 0 } },	  { &dwcs, PLAIN, { 0 } },
	{ &dwcs, STREAM, { 0 } },
};
#define BACKLOG_ROWS (sizeof(backlog_rows) / sizeof(backlog_rows[0]))

/*
 * Receives in a thread: a real-time process that does not sleep keeps that
 * from running. The device must not segment, or packets go past the thread.
 */
static void backlog_device(void)
{
	FILE *f;

	bench_device("veth");
	run("ip link set " BENCH_DEV " txqueuelen 20000");
	run("ethtool -K " BENCH_DEV " tso off");
	run("ethtool -K " BENCH_PEER " gro on");
	run("mkdir -p " SYSFS);
	run("mount -t sysfs none " SYSFS);
	f = fopen(SYSFS "/class/net/" BENCH_PEER "/threaded", "we");
	if (!f || fputs("1", f) < 0 || fclose(f))
		die("%s: no thread receives: %s", BENCH_PEER, strerror(errno));
	run("umount " SYSFS);
}

static void policy(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(0, policy, &param))
		die("sched_setscheduler: %s", strerror(errno));
}

/*
 * Ends after a fixed number of turns. What others run meanwhile makes it last
 * longer: by the instructions that they took, for that is what the clock counts.
 */
static void spin(unsigned long turns)
{
	while (turns--)
		__asm__ volatile("");
}

/* Lets others run, for about as long as they need. */
static void yield(void)
{
	policy(SCHED_IDLE, 0);
	spin(BACKLOG_PACKETS * SPIN_TURNS);
	policy(SCHED_OTHER, 0);
}

/* Sends what waits, then lets it leave. Returns instructions. */
static double batch(int sockets, enum traffic traffic)
{
	uint64_t before = bench_sent(), start = now_ns(), sent;
	int i;

	policy(SCHED_FIFO, 10);
	for (i = 0; i < BACKLOG_PACKETS; i++)
		send_one(fds[i % sockets], traffic);
	yield();
	start = now_ns() - start;
	sent = bench_sent() - before;
	if (sent != BACKLOG_PACKETS)
		die("%llu packets left, not %d", (unsigned long long)sent,
		    BACKLOG_PACKETS);
	return start;
}

/* What batch() takes by itself. */
static double empty_batch(void)
{
	uint64_t start = now_ns();

	policy(SCHED_FIFO, 10);
	yield();
	return now_ns() - start;
}

static double backlog_measure(const struct backlog_row *row, int sockets)
{
	double rounds[BACKLOG_ROUNDS];
	int i;

	qdisc_up(row->qdisc, sockets);
	for (i = 0; i < sockets; i++)
		fds[i] = traffic_socket(row->traffic, i + 1);
	batch(sockets, row->traffic);
	for (i = 0; i < BACKLOG_ROUNDS; i++)
		rounds[i] = (batch(sockets, row->traffic) - empty_batch()) /
			    BACKLOG_PACKETS;
	for (i = 0; i < sockets; i++)
		close(fds[i]);
	qdisc_down(row->qdisc);
	return median(rounds, BACKLOG_ROUNDS);
}

/* ---- the tables, printed */

/* What the row adds over `noqueue` with the same messages. */
static double idle_added(const struct row *row)
{
	enum traffic base = PLAIN;
	size_t i;

	if (row->traffic == UNCONNECTED)
		base = UNCONNECTED;
	else if (row->traffic == MARKED || row->traffic == STREAM_MARKED)
		base = MARKED;
	for (i = 0; idle_rows[i].traffic != base; i++)
		;
	return row->total - idle_rows[i].total;
}

static double idle_added_by(const struct qdisc *q)
{
	size_t i;

	for (i = 0; i < IDLE_ROWS; i++)
		if (idle_rows[i].qdisc == q)
			return idle_added(&idle_rows[i]);
	return 0;
}

static void set_number(struct json_object *row, const char *key, double value)
{
	json_object_object_add(row, key, json_object_new_double(value));
}

static void idle_report(struct json_object *report, const struct row *row)
{
	double added = idle_added(row);
	struct json_object *json = report_row(report, "idle");
	char beside_htb[16], beside_fq[16];
	size_t i;

	printf("%-12s %-16s %8.0f %8.0f %8s %8s", row->qdisc->name,
	       traffic_names[row->traffic], row->total, added,
	       ratio_text(added, idle_added_by(&htb), beside_htb),
	       ratio_text(added, idle_added_by(&fq), beside_fq));
	for (i = 0; row->qdisc->ours && i < PROGRAMS; i++)
		printf(" %8.0f", row->inside[i]);
	if (row->qdisc->ours)
		printf("   %s",
		       added <= idle_added_by(&htb) ? "met" : "missed");
	printf("\n");
	report_set(json, "qdisc", row->qdisc->name);
	report_set(json, "packets", traffic_names[row->traffic]);
	set_number(json, "total", row->total);
	set_number(json, "added", added);
	for (i = 0; row->qdisc->ours && i < PROGRAMS; i++)
		set_number(json, programs[i], row->inside[i]);
}

static void idle_table(struct json_object *report)
{
	size_t i;

	printf("\nIdle: instructions per packet, and what our programs take "
	       "of them\n%-12s %-16s %8s %8s %8s %8s %8s %8s %8s   %s\n",
	       "qdisc", "packets", "total", "added", "/ htb", "/ fq",
	       "classify", "enqueue", "dequeue", "added <= htb's");
	for (i = 0; i < IDLE_ROWS; i++)
		idle_report(report, &idle_rows[i]);
}

static double backlog_added(const struct backlog_row *row, size_t i)
{
	return row->total[i] - backlog_rows[0].total[i] + idle_added_by(&pfifo);
}

static void backlog_report(struct json_object *report,
			   const struct backlog_row *row)
{
	struct json_object *json = report_row(report, "backlog");
	char key[32], growth[16];
	size_t i;

	printf("%-12s %-16s", row->qdisc->name, traffic_names[row->traffic]);
	report_set(json, "qdisc", row->qdisc->name);
	report_set(json, "packets", traffic_names[row->traffic]);
	for (i = 0; i < BACKLOGS; i++) {
		printf(" %8.0f", backlog_added(row, i));
		snprintf(key, sizeof(key), "total_%d", backlog_sockets[i]);
		set_number(json, key, row->total[i]);
		snprintf(key, sizeof(key), "added_%d", backlog_sockets[i]);
		set_number(json, key, backlog_added(row, i));
	}
	printf(" %8s\n", ratio_text(backlog_added(row, BACKLOGS - 1),
				    backlog_added(row, 0), growth));
}

static void backlog_ratios(const struct backlog_row *row,
			   const struct backlog_row *other)
{
	char name[32], text[16];
	size_t i;

	snprintf(name, sizeof(name), "%s / %s", traffic_names[row->traffic],
		 other->qdisc->name);
	printf("%-12s %-16s", row->qdisc->name, name);
	for (i = 0; i < BACKLOGS; i++)
		printf(" %8s", ratio_text(backlog_added(row, i),
					  backlog_added(other, i), text));
	printf("\n");
}

static void backlog_table(struct json_object *report)
{
	size_t i;

	printf("\nBacklog: instructions added to a packet, of so many sockets\n"
	       "%-12s %-16s",
	       "qdisc", "packets");
	for (i = 0; i < BACKLOGS; i++)
		printf(" %8d", backlog_sockets[i]);
	printf(" %8s\n", "growth");
	for (i = 0; i < BACKLOG_ROWS; i++)
		backlog_report(report, &backlog_rows[i]);
	for (i = OURS_ROW; i < BACKLOG_ROWS; i++) {
		backlog_ratios(&backlog_rows[i], &backlog_rows[HTB_ROW]);
		backlog_ratios(&backlog_rows[i], &backlog_rows[FQ_ROW]);
	}
}

int main(int argc, char **argv)
{
	struct json_object *report = report_new("cost", argc, argv);
	size_t i, k;

	bench_settle();
	bench_at_exit(fini);
	report_set(report, "engine", "kernel");
	report_set(report, "rate", "0, and " FAST);
	report_set(report, "seed", "0");
	bench_device("dummy");
	for (i = 0; i < IDLE_ROWS; i++)
		idle_measure(&idle_rows[i]);
	printf("cost: instructions; median of %d rounds\n", ROUNDS);
	idle_table(report);
	backlog_device();
	for (i = 0; i < BACKLOG_ROWS; i++)
		for (k = 0; k < BACKLOGS; k++)
			backlog_rows[i].total[k] = backlog_measure(
				&backlog_rows[i], backlog_sockets[k]);
	backlog_table(report);
	report_save(report, argc, argv);
	return 0;
}
