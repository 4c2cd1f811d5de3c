// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Two CPUs that send at once by one device: how many packets leave in a second,
 * through each qdisc, by one thread and by two, which have a socket each. In
 * each round all qdiscs have their turn. The device takes each packet at once,
 * so what the CPUs wait for is the qdisc and its lock. It is a dummy or, with
 * --veth for kernels that have none, a veth pair.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qsockets.h>

#include "bench.h"
#include "qdisc.h"

#define ROUNDS 9
#define SENDERS 2
#define LONG 100000000.0 /* ns that a measurement takes, about */
#define SHORT 20000000.0
#define PROBE 2000 /* packets */
#define WAIT_MS 2000
#define SETTLE_US 200000 /* a device that is new loses packets */

struct row {
	const struct qdisc *qdisc;
	enum traffic traffic;
	double rates[SENDERS][ROUNDS]; /* packets/s, by one and by two */
	double median[SENDERS];
};

static struct row rows[] = {
	{ .qdisc = &noqueue, .traffic = PLAIN },
	{ .qdisc = &pfifo, .traffic = PLAIN },
	{ .qdisc = &htb, .traffic = PLAIN },
	{ .qdisc = &dwcs, .traffic = PLAIN },
	{ .qdisc = &dwcs, .traffic = STREAM },
	{ .qdisc = &dwcs, .traffic = STREAM_PERIODIC },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define PFIFO_ROW 1
#define HTB_ROW 2

static int rounds = ROUNDS;
static double length = LONG;
static const char *engine = "none";

/* ---- senders */

struct sender {
	pthread_t thread;
	pthread_barrier_t *start;
	int cpu, fd, packets;
	const char *qdisc;
	enum traffic traffic;
	uint64_t began, ended;
};

static int cpus[SENDERS];

static void find_cpus(void)
{
	int cpu = CPU_SETSIZE, n = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity: %s", strerror(errno));
	while (cpu-- && n < SENDERS)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	if (n < SENDERS)
		die("this takes two CPUs");
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	CPU_SET(s->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity: %s", strerror(errno));
	pthread_barrier_wait(s->start);
	s->began = now_ns();
	for (i = 0; i < s->packets; i++)
		traffic_send(s->fd, s->traffic);
	s->ended = now_ns();
	return NULL;
}

/* The last ones may leave by the kernel's own threads, after the senders' end. */
static void wait_for(const char *name, uint64_t sent)
{
	int tries;

	for (tries = 0; bench_sent() < sent && tries < WAIT_MS; tries++)
		usleep(1000);
	if (bench_sent() != sent)
		die("%s: %lld packets did not leave", name,
		    (long long)(sent - bench_sent()));
}

/* Packets a second of so many senders, from the first start to the last end. */
static double measure(struct sender *senders, int n, int packets)
{
	uint64_t before = bench_sent(), began = UINT64_MAX, ended = 0;
	pthread_barrier_t start;
	int i;

	pthread_barrier_init(&start, NULL, n);
	for (i = 0; i < n; i++) {
		senders[i].start = &start;
		senders[i].packets = packets;
		if (pthread_create(&senders[i].thread, NULL, send_all,
				   &senders[i]))
			die("no thread");
	}
	for (i = 0; i < n; i++) {
		pthread_join(senders[i].thread, NULL);
		if (senders[i].began < began)
			began = senders[i].began;
		if (senders[i].ended > ended)
			ended = senders[i].ended;
	}
	pthread_barrier_destroy(&start);
	wait_for(senders->qdisc, before + (uint64_t)n * packets);
	return 1e9 * n * packets / (double)(ended - began);
}

static void find_engine(int fd)
{
	struct qos_info info;

	if (qinfo(fd, &info, sizeof(info)) < 0)
		die("%s", qsock_errmsg());
	engine = info.engine == QOS_ENGINE_KERNEL ? "kernel" : "bands";
}

static void measure_row(struct row *row, int round)
{
	struct sender senders[SENDERS];
	int i, packets;

	qdisc_up(row->qdisc, SENDERS);
	for (i = 0; i < SENDERS; i++) {
		senders[i].cpu = cpus[i];
		senders[i].qdisc = row->qdisc->name;
		senders[i].traffic = row->traffic;
		senders[i].fd = traffic_socket(row->traffic, i + 1);
		traffic_prepare(senders[i].fd, row->traffic);
	}
	if (row->traffic >= STREAM)
		find_engine(senders[0].fd);
	packets = 1 + (int)(measure(senders, 1, PROBE) * length / 1e9);
	for (i = 0; i < SENDERS; i++)
		row->rates[i][round] = measure(senders, i + 1, packets);
	for (i = 0; i < SENDERS; i++)
		close(senders[i].fd);
	qdisc_down(row->qdisc);
}

/* ---- the table */

static void set_rates(struct json_object *json, const char *key,
		      const double *rates)
{
	struct json_object *all = json_object_new_array();
	int i;

	for (i = 0; i < rounds; i++)
		json_object_array_add(all, json_object_new_double(rates[i]));
	json_object_object_add(json, key, all);
}

static void print_rates(struct json_object *report, struct row *row)
{
	struct json_object *json = report_row(report, "rows");
	static const char *const keys[] = { "one", "two" };
	int i;

	report_set(json, "qdisc", row->qdisc->name);
	report_set(json, "packets", traffic_names[row->traffic]);
	printf("%-8s %-12s", row->qdisc->name, traffic_names[row->traffic]);
	for (i = 0; i < SENDERS; i++) {
		set_rates(json, keys[i], row->rates[i]);
		row->median[i] = median(row->rates[i], rounds);
		printf(" %9.0f (%7.0f..%7.0f)", row->median[i],
		       row->rates[i][0], row->rates[i][rounds - 1]);
	}
}

static void print_table(struct json_object *report)
{
	char text[3][16];
	struct row *row;

	printf("cores: packets/s by one CPU and by two at once; median of %d "
	       "rounds, least and most; engine %s\n%-21s %28s %28s %7s %8s "
	       "%8s\n",
	       rounds, engine, "", "one", "two", "two/one", "/ pfifo", "/ htb");
	for (row = rows; row < rows + ROWS; row++) {
		print_rates(report, row);
		ratio_text(row->median[1], row->median[0], text[0]);
		ratio_text(row->median[1], rows[PFIFO_ROW].median[1], text[1]);
		ratio_text(row->median[1], rows[HTB_ROW].median[1], text[2]);
		printf(" %7s %8s %8s\n", text[0], text[1], text[2]);
	}
}

int main(int argc, char **argv)
{
	struct json_object *report = report_new("cores", argc, argv);
	const char *device;
	int round;
	size_t i;

	if (bench_quick()) {
		rounds = 1;
		length = SHORT;
	}
	find_cpus();
	bench_at_exit(qdisc_fini);
	device = argc > 1 && !strcmp(argv[1], "--veth") ? "veth" : "dummy";
	bench_device(device);
	report_set(report, "device", device);
	usleep(SETTLE_US);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < ROWS; i++)
			measure_row(&rows[i], round);
		fprintf(stderr, "cores: round %d of %d\n", round + 1, rounds);
	}
	print_table(report);
	report_set(report, "engine", engine);
	report_set(report, "rate", "0");
	report_set(report, "seed", "0");
	report_save(report, argc, argv);
	return 0;
}
