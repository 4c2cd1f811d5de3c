// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the benchmarks share: see bench.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SINK_LINK "02:00:00:00:00:02"
#define SOURCE "192.0.2.1"
#define SOURCES 3 /* more, from 192.0.2.11 on */
#define SINK 0xc0000202u /* 192.0.2.2 */
#define SINK_PORT 9 /* discard */
#define WORDS_MAX 64
#define FILES_MAX \
	(1 << 20) /* what a kernel allows root, unless told otherwise */

const struct sockaddr_in bench_sink = {
	.sin_family = AF_INET,
	.sin_addr.s_addr = __builtin_bswap32(SINK),
	.sin_port = __builtin_bswap16(SINK_PORT),
};

static void (*at_exit)(void);

/* ---- running */

static void clean_up(void)
{
	void (*f)(void) = at_exit;

	at_exit = NULL;
	if (f)
		f();
}

void bench_at_exit(void (*f)(void))
{
	at_exit = f;
	atexit(clean_up);
}

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

static int spawn(char *command)
{
	char *words[WORDS_MAX], *rest = command;
	int n = 0, status;
	pid_t pid;

	while (n < WORDS_MAX - 1 && (words[n] = strsep(&rest, " ")))
		n++;
	words[n] = NULL;
	pid = fork();
	if (!pid) {
		execvp(words[0], words);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return status;
}

void run(const char *fmt, ...)
{
	char command[1024], copy[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	strcpy(copy, command);
	if (spawn(copy))
		die("this failed: %s", command);
}

void bench_settle(void)
{
	struct rlimit files;
	cpu_set_t cpus;
	int cpu = CPU_SETSIZE;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		die("sched_getaffinity: %s", strerror(errno));
	while (cpu && !CPU_ISSET(cpu, &cpus))
		cpu--;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity: %s", strerror(errno));
	files.rlim_cur = files.rlim_max = FILES_MAX;
	if (!setrlimit(RLIMIT_NOFILE, &files))
		return;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int bench_quick(void)
{
	const char *quick = getenv("QS_QUICK");

	return quick && *quick;
}

/* ---- measuring */

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* ---- a device to send on */

/* IPv6 would send packets of its own. */
static void no_ipv6(void)
{
	FILE *f = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

	if (f && (fputs("1", f) < 0 || fclose(f)))
		die("disable_ipv6: %s", strerror(errno));
}

void bench_device(const char *type)
{
	int i;

	if (unshare(CLONE_NEWNET))
		die("unshare: %s: run it as root", strerror(errno));
	no_ipv6();
	if (strcmp(type, "veth")) {
		run("ip link add " BENCH_DEV " type %s", type);
	} else {
		run("ip link add " BENCH_DEV " type veth peer " BENCH_PEER);
		run("ip link set " BENCH_PEER " up");
	}
	run("ip address add " SOURCE "/24 dev " BENCH_DEV);
	for (i = 0; i < SOURCES; i++)
		run("ip address add 192.0.2.%d/24 dev " BENCH_DEV, 11 + i);
	run("ip link set " BENCH_DEV " up");
	run("ip neighbour replace 192.0.2.2 lladdr " SINK_LINK
	    " nud permanent dev " BENCH_DEV);
}

int bench_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int most = 1 << 29;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof(most)))
		die("SO_SNDBUFFORCE: %s", strerror(errno));
	return fd;
}

uint64_t bench_sent(void)
{
	const struct rtnl_link_stats *stats;
	struct ifaddrs *all, *a;
	uint64_t packets = 0;

	if (getifaddrs(&all))
		die("getifaddrs: %s", strerror(errno));
	for (a = all; a; a = a->ifa_next) {
		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET ||
		    strcmp(a->ifa_name, BENCH_DEV))
			continue;
		stats = a->ifa_data;
		packets = stats->tx_packets;
	}
	freeifaddrs(all);
	return packets;
}

/* ---- reporting */

static void command_line(char *to, size_t size, int argc, char **argv)
{
	size_t at = 0;
	int i;

	*to = 0;
	for (i = 0; i < argc && at < size; i++)
		at += snprintf(to + at, size - at, "%s%s", i ? " " : "",
			       argv[i]);
}

struct json_object *report_new(const char *name, int argc, char **argv)
{
	struct json_object *report = json_object_new_object();
	const char *commit = getenv("QS_COMMIT");
	char command[1024];
	struct utsname u;

	uname(&u);
	command_line(command, sizeof(command), argc, argv);
	report_set(report, "name", name);
	report_set(report, "commit", commit ? commit : "unknown");
	report_set(report, "kernel", u.release);
	report_set(report, "command", command);
	return report;
}

void report_set(struct json_object *report, const char *key, const char *value)
{
	json_object_object_add(report, key, json_object_new_string(value));
}

struct json_object *report_row(struct json_object *report, const char *table)
{
	struct json_object *rows, *row = json_object_new_object();

	if (!json_object_object_get_ex(report, table, &rows)) {
		rows = json_object_new_array();
		json_object_object_add(report, table, rows);
	}
	json_object_array_add(rows, row);
	return row;
}

void report_save(struct json_object *report, int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--json"))
			continue;
		if (json_object_to_file_ext(argv[i + 1], report,
					    JSON_C_TO_STRING_PRETTY))
			die("%s: %s", argv[i + 1], strerror(errno));
	}
	json_object_put(report);
}

const char *ratio_text(double a, double b, char text[16])
{
	if (b > 0)
		snprintf(text, 16, "%.3f", a / b);
	else
		strcpy(text, "-");
	return text;
}
