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
#include "qdisc.h"

#define ROUNDS 9
#define IDLE_PACKETS 4000 /* in a round */
#define STREAMS_MAX QDISC_STREAMS
#define BACKLOG_PACKETS 4000 /* or one of each socket, if that is more */
#define BACKLOG_ROUNDS 5
#define LARGE_ROUNDS 3 /* of more packets: they take long, and hardly differ */
#define GONE_MAX 600 /* packets that veth's own queues take */
#define SPIN_TURNS 3000ul /* for a packet to leave, ample */
#define MOUNTED "/run/bench-mounted"
#define FQ_ROW 1 /* in backlog_rows */
#define HTB_ROW 2
#define OURS_ROW 3 /* and what follows */
#define GROWTH_TARGET 1.4

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

static int rounds = ROUNDS;

static double idle_round(int fd, enum traffic traffic)
{
	uint64_t before = bench_sent(), time;
	int i;

	time = now_ns();
	for (i = 0; i < IDLE_PACKETS; i++)
		traffic_send(fd, traffic);
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
	double times[ROUNDS];
	int i, fd;

	qdisc_up(row->qdisc, 1);
	fd = traffic_socket(row->traffic, 1);
	traffic_prepare(fd, row->traffic);
	idle_round(fd, row->traffic);
	for (i = 0; i < rounds; i++)
		times[i] = idle_round(fd, row->traffic);
	row->total = median(times, rounds);
	if (row->qdisc->ours)
		idle_inside(row, fd);
	close(fd);
	qdisc_down(row->qdisc);
}

/* ---- backlog */

static const int backlog_sockets[] = { 1, 10, 100, 1000, 10000, 100000 };
#define BACKLOGS (sizeof(backlog_sockets) / sizeof(backlog_sockets[0]))

struct backlog_row {
	const struct qdisc *qdisc;
	enum traffic traffic;
	double total[BACKLOGS]; /* instructions per packet */
};

static int fds[STREAMS_MAX];
static int backlog_rounds = BACKLOG_ROUNDS;
static size_t backlogs = BACKLOGS;

static struct backlog_row backlog_rows[] = {
	{ &pfifo, PLAIN, { 0 } },	{ &fq, PLAIN, { 0 } },
	{ &htb, PLAIN, { 0 } },		{ &dwcs_large, PLAIN, { 0 } },
	{ &dwcs_large, STREAM, { 0 } },
};
#define BACKLOG_ROWS (sizeof(backlog_rows) / sizeof(backlog_rows[0]))

/* Writes the word to a file of that file system. */
static void set_in(const char *type, const char *file, const char *word)
{
	char path[128];
	FILE *f;

	run("mkdir -p " MOUNTED);
	run("mount -t %s none " MOUNTED, type);
	snprintf(path, sizeof(path), MOUNTED "/%s", file);
	f = fopen(path, "we");
	if (!f || fputs(word, f) < 0 || fclose(f))
		die("%s: %s", path, strerror(errno));
	run("umount " MOUNTED);
}

/*
 * Receives in a thread: a real-time process that does not sleep keeps that
 * from running, once the kernel is told not to give others a twentieth of the
 * CPU. The device must not segment, or packets go past the thread.
 */
static void backlog_device(void)
{
	bench_device("veth");
	run("ip link set " BENCH_DEV " txqueuelen 20000");
	run("ethtool -K " BENCH_DEV " tso off");
	run("ethtool -K " BENCH_PEER " gro on");
	set_in("sysfs", "class/net/" BENCH_PEER "/threaded", "1");
	set_in("debugfs", "sched/fair_server/cpu0/runtime", "0");
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

/* Lets others run, for as long as so many packets need: they go before us. */
static void yield(int packets)
{
	policy(SCHED_IDLE, 0);
	spin(packets * SPIN_TURNS);
	policy(SCHED_OTHER, 0);
}

static int backlog_packets(int sockets)
{
	return sockets > BACKLOG_PACKETS ? sockets : BACKLOG_PACKETS;
}

/* Sends what waits, then lets it leave. Returns instructions. */
static double batch(int sockets, enum traffic traffic)
{
	uint64_t before = bench_sent(), start = now_ns(), sent, gone;
	int i, packets = backlog_packets(sockets);

	policy(SCHED_FIFO, 10);
	for (i = 0; i < packets; i++)
		traffic_send(fds[i % sockets], traffic);
	start = now_ns() - start; /* the look takes no time */
	gone = bench_sent() - before;
	start = now_ns() - start;
	yield(packets);
	start = now_ns() - start;
	sent = bench_sent() - before;
	if (sent != (uint64_t)packets)
		die("%llu packets left, not %d", (unsigned long long)sent,
		    packets);
	if (gone > GONE_MAX)
		die("%llu packets of %d did not wait", (unsigned long long)gone,
		    packets);
	return start;
}

/* What batch() takes by itself. */
static double empty_batch(int packets)
{
	uint64_t start = now_ns();

	policy(SCHED_FIFO, 10);
	yield(packets);
	return now_ns() - start;
}

/* 0 when the qdisc cannot have so many: HTB's classes have numbers of 16 bits. */
static double backlog_measure(const struct backlog_row *row, int sockets)
{
	int i, packets = backlog_packets(sockets), n = backlog_rounds;
	double rounds[BACKLOG_ROUNDS];

	if (n > LARGE_ROUNDS && packets > BACKLOG_PACKETS)
		n = LARGE_ROUNDS;
	if (row->qdisc->classes && sockets > HTB_CLASSES)
		return 0;
	qdisc_up(row->qdisc, sockets);
	for (i = 0; i < sockets; i++)
		traffic_prepare(fds[i], row->traffic);
	batch(sockets, row->traffic);
	for (i = 0; i < n; i++)
		rounds[i] =
			(batch(sockets, row->traffic) - empty_batch(packets)) /
			packets;
	qdisc_down(row->qdisc);
	return median(rounds, n);
}

/* All qdiscs have the same sockets; the last one attaches them. */
static void backlog_size(size_t k)
{
	int i, sockets = backlog_sockets[k];

	for (i = 0; i < sockets; i++)
		fds[i] = traffic_socket(PLAIN, i + 1);
	for (i = 0; i < (int)BACKLOG_ROWS; i++) {
		fprintf(stderr, "cost: %d sockets, %s\n", sockets,
			backlog_rows[i].qdisc->name);
		backlog_rows[i].total[k] =
			backlog_measure(&backlog_rows[i], sockets);
	}
	for (i = 0; i < sockets; i++)
		close(fds[i]);
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
	if (!row->total[i])
		return 0;
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
	for (i = 0; i < backlogs; i++) {
		if (!row->total[i]) {
			printf(" %8s", "-");
			continue;
		}
		printf(" %8.0f", backlog_added(row, i));
		snprintf(key, sizeof(key), "total_%d", backlog_sockets[i]);
		set_number(json, key, row->total[i]);
		snprintf(key, sizeof(key), "added_%d", backlog_sockets[i]);
		set_number(json, key, backlog_added(row, i));
	}
	ratio_text(backlog_added(row, backlogs - 1), backlog_added(row, 0),
		   growth);
	printf(" %8s\n", row->total[backlogs - 1] ? growth : "-");
}

static void backlog_ratios(const struct backlog_row *row,
			   const struct backlog_row *other)
{
	char name[32], text[16];
	size_t i;

	snprintf(name, sizeof(name), "%s / %s", traffic_names[row->traffic],
		 other->qdisc->name);
	printf("%-12s %-16s", row->qdisc->name, name);
	for (i = 0; i < backlogs; i++)
		printf(" %8s", ratio_text(backlog_added(row, i),
					  backlog_added(other, i), text));
	printf("\n");
}

/* A target that is missed is said, and is no error. */
static void backlog_target(const struct backlog_row *row)
{
	double growth =
		backlog_added(row, backlogs - 1) / backlog_added(row, 0);

	printf("%s, %s: %d sockets / 1: %.3f   target %.1f: %s\n",
	       row->qdisc->name, traffic_names[row->traffic],
	       backlog_sockets[backlogs - 1], growth, GROWTH_TARGET,
	       growth <= GROWTH_TARGET ? "met" : "missed");
}

static void backlog_sizes(struct json_object *report)
{
	struct json_object *sizes = json_object_new_array();
	size_t i;

	for (i = 0; i < backlogs; i++)
		json_object_array_add(sizes,
				      json_object_new_int(backlog_sockets[i]));
	json_object_object_add(report, "sizes", sizes);
}

static void backlog_table(struct json_object *report)
{
	size_t i;

	backlog_sizes(report);
	printf("\nBacklog: instructions added to a packet, of so many sockets\n"
	       "%-12s %-16s",
	       "qdisc", "packets");
	for (i = 0; i < backlogs; i++)
		printf(" %8d", backlog_sockets[i]);
	printf(" %8s\n", "growth");
	for (i = 0; i < BACKLOG_ROWS; i++)
		backlog_report(report, &backlog_rows[i]);
	for (i = OURS_ROW; i < BACKLOG_ROWS; i++) {
		backlog_ratios(&backlog_rows[i], &backlog_rows[HTB_ROW]);
		backlog_ratios(&backlog_rows[i], &backlog_rows[FQ_ROW]);
	}
	backlog_target(&backlog_rows[BACKLOG_ROWS - 1]);
}

/* With QS_QUICK in the environment. */
static void make_short(void)
{
	rounds = 1;
	backlog_rounds = 3; /* one has something that the kernel does once */
	backlogs = 3;
}

int main(int argc, char **argv)
{
	struct json_object *report = report_new("cost", argc, argv);
	size_t i;

	if (bench_quick())
		make_short();
	bench_settle();
	bench_at_exit(qdisc_fini);
	report_set(report, "engine", "kernel");
	report_set(report, "rate", "0, and " QDISC_FAST);
	report_set(report, "seed", "0");
	bench_device("dummy");
	for (i = 0; i < IDLE_ROWS; i++)
		idle_measure(&idle_rows[i]);
	printf("cost: instructions; median of %d rounds\n", rounds);
	idle_table(report);
	backlog_device();
	for (i = 0; i < backlogs; i++)
		backlog_size(i);
	backlog_table(report);
	report_save(report, argc, argv);
	return 0;
}
