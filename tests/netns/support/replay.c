/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends what traces describe, which qsim(1) reads as well, through a device
 * that has the scheduler, each event at its time:
 *
 *	replay SCHEDULER TRACE...
 *
 * Prints for each trace the streams' messages in the order in which they
 * arrive, ID and number, then the streams' counters as "qsim -i" does, then how
 * late an event was at most:
 *
 *	trace FILE
 *	ID SEQ
 *	info ID sent_units N ...
 *	tardy NS
 *
 * In the simulator, what comes at time 0 is all there before the first decision.
 * So that it is here, a message of nobody keeps the wire busy until then.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "sim/trace.h"

#define NSEC 1000000000ll
#define HEADERS 42 /* Ethernet's, IPv4's and UDP's */
#define WIRE_MAX 1514
#define PLUG_BYTES 1000 /* on the wire */
#define EARLY_NS 2000000 /* for what comes at time 0 */
#define QUEUE 256 /* packets; a stream may have a quarter of it */
#define BURST 1 /* bytes; 0 would mean a packet, which the simulator has not */
#define SEND_BUFFER (8 << 20)
#define PEER "02:00:00:00:00:02"

struct payload {
	__u32 stream; /* index, or NOBODY */
	__u32 seq;
};
#define NOBODY UINT32_MAX

struct replay {
	struct trace trace;
	const char *scheduler;
	int *sockets; /* by stream */
	__u32 *seq; /* by stream: of its next message */
	int plain, sink;
	union lab_address to;
	int64_t start; /* the trace's time 0 */
	int64_t tardy;
};

/* ---- the devices */

/* Nothing but the trace's messages may leave: no neighbour is asked for, and
 * IPv6 has nothing to say. */
static void silence(const char *dev)
{
	lab_enter_receiver();
	lab_shell("ip link set %s address " PEER, dev);
	lab_enter_sender();
	lab_shell("ip neighbour replace 192.0.2.2 lladdr " PEER
		  " dev %s nud permanent",
		  dev);
	lab_shell("echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6", dev);
}

static void init(const struct replay *r, const char *dev)
{
	struct qos_params params = { 0 };
	struct qos_device device = { .rate = r->trace.rate,
				     .packets = QUEUE,
				     .burst = BURST };

	snprintf(params.dev, sizeof(params.dev), "%s", dev);
	snprintf(params.name, sizeof(params.name), "%s", r->scheduler);
	assert_call_succeeds(
		qsockinit_device(&params, &device, sizeof(device)));
}

/* ---- the streams */

static struct qos_params stream_params(const struct replay *r,
				       struct q_dwcs_attr *attr,
				       const struct qs_attr *from)
{
	struct qos_params params = { .dev = "eth0", .attributes = attr };

	snprintf(params.name, sizeof(params.name), "%s", r->scheduler);
	attr->oln = from->oln;
	attr->old = from->old;
	attr->ipg = from->ipg;
	attr->stream_flags = from->flags;
	return params;
}

/* A sender never waits for its socket's buffer. */
static int sender(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = SEND_BUFFER;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				    sizeof(size)),
			 0);
	return fd;
}

static void open_all(struct replay *r)
{
	struct q_dwcs_attr attr;
	struct qos_params params;
	__u32 i;

	r->sockets = calloc(r->trace.n_streams, sizeof(*r->sockets));
	r->seq = calloc(r->trace.n_streams, sizeof(*r->seq));
	assert_true(r->sockets && r->seq);
	for (i = 0; i < r->trace.n_streams; i++) {
		params = stream_params(r, &attr, &r->trace.streams[i].attr);
		r->sockets[i] = sender();
		assert_call_succeeds(qattach(r->sockets[i], &params));
	}
	r->plain = sender();
	r->sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &r->to);
}

static void close_all(struct replay *r)
{
	__u32 i;

	for (i = 0; i < r->trace.n_streams; i++)
		assert_call_succeeds(qclose(r->sockets[i]));
	close(r->plain);
	close(r->sink);
	free(r->sockets);
	free(r->seq);
}

/* ---- events */

static void send_bytes(const struct replay *r, int fd, struct payload what,
		       __u32 bytes, struct packet_flags *pflags)
{
	static char message[WIRE_MAX];

	assert_true(bytes >= HEADERS + sizeof(what) && bytes <= WIRE_MAX);
	memcpy(message, &what, sizeof(what));
	lab_send(fd, message, bytes - HEADERS, pflags, &r->to);
}

static void send_besteffort(const struct replay *r, __u32 bytes)
{
	send_bytes(r, r->plain, (struct payload){ .stream = NOBODY }, bytes,
		   NULL);
}

static void send_message(const struct replay *r, const struct event *e,
			 struct packet_flags *pflags)
{
	struct payload what = { e->stream, r->seq[e->stream]++ };

	send_bytes(r, r->sockets[e->stream], what, e->bytes, pflags);
}

static void happen(const struct replay *r, const struct event *e)
{
	struct packet_flags pflags = { 0 };
	struct q_dwcs_attr attr;
	struct qos_params params;
	__u32 k;

	switch (e->kind) {
	case EVENT_SEND:
		pflags.drop_flag = e->flags;
		if (e->deadline)
			pflags.deadline = r->start + e->deadline;
		send_message(r, e, &pflags);
		break;
	case EVENT_BACKLOG:
		for (k = 0; k < e->count; k++)
			send_message(r, e, NULL);
		break;
	case EVENT_CHANGE:
		params = stream_params(r, &attr, &r->trace.changes[e->change]);
		assert_call_succeeds(qchange(r->sockets[e->stream], &params));
		break;
	default:
		send_besteffort(r, e->bytes);
	}
}

static void wait_for(int64_t when)
{
	struct timespec ts = { .tv_sec = when / NSEC, .tv_nsec = when % NSEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	       EINTR)
		;
}

/* What has just happened was to have happened by then. */
static void note_time(struct replay *r, int64_t when)
{
	int64_t tardy = lab_now() - when;

	if (tardy > r->tardy)
		r->tardy = tardy;
}

/* When the plug's last bit leaves, the trace begins. */
static void begin(struct replay *r)
{
	int64_t plug = PLUG_BYTES * 8 * NSEC / (int64_t)r->trace.rate;

	assert_true(plug > EARLY_NS);
	r->start = lab_now() + plug;
	send_besteffort(r, PLUG_BYTES);
	wait_for(r->start - EARLY_NS);
}

static void play(struct replay *r)
{
	const struct event *e = r->trace.events;
	const struct event *end = e + r->trace.n_events;

	begin(r);
	for (; e < end; e++) {
		if (e->at)
			wait_for(r->start + e->at);
		happen(r, e);
		note_time(r, r->start + e->at);
	}
}

/* ---- what comes of it */

static int all_left(const struct replay *r)
{
	__u32 i;

	for (i = 0; i < r->trace.n_streams; i++)
		if (lab_info(r->sockets[i]).backlog_packets)
			return 0;
	return 1;
}

static void print_order(const struct replay *r)
{
	struct payload what;

	while (recv(r->sink, &what, sizeof(what), MSG_DONTWAIT) == sizeof(what))
		if (what.stream != NOBODY)
			printf("%llu %u\n", r->trace.streams[what.stream].id,
			       what.seq);
}

static void print_info(const struct replay *r)
{
	struct qos_info info;
	__u32 i;

	for (i = 0; i < r->trace.n_streams; i++) {
		info = lab_info(r->sockets[i]);
		printf("info %llu sent_units %llu late_units %llu "
		       "dropped_late %llu dropped_frame %llu "
		       "dropped_overflow %llu violations %llu\n",
		       r->trace.streams[i].id, info.sent_units, info.late_units,
		       info.dropped_late, info.dropped_frame,
		       info.dropped_overflow, info.violations);
	}
}

/* ---- a trace */

/* The kernel has its own check, which answers qattach(). */
static const char *any_attr(const struct qs_attr *attr)
{
	(void)attr;
	return NULL;
}

static __attribute__((noreturn)) void refuse(const struct replay *r,
					     const char *file, const char *why)
{
	fprintf(stderr, "%s:%u: %s\n", file, r->trace.line, why);
	exit(1);
}

static void read_file(struct replay *r, const char *file)
{
	FILE *in = fopen(file, "re");

	if (!in)
		refuse(r, file, strerror(errno));
	if (trace_read(&r->trace, in, any_attr))
		refuse(r, file, r->trace.why);
	if (!r->trace.rate || r->trace.has_until)
		refuse(r, file, "a device is needed, and no until");
	fclose(in);
}

static void replay(const char *scheduler, const char *file)
{
	struct replay r = { .scheduler = scheduler };
	struct timespec pause = { .tv_nsec = NSEC / 10 };

	read_file(&r, file);
	init(&r, "eth0");
	open_all(&r);
	play(&r);
	while (!all_left(&r))
		nanosleep(&pause, NULL);
	printf("trace %s\n", file);
	print_order(&r);
	print_info(&r);
	printf("tardy %lld\n", (long long)r.tardy);
	close_all(&r);
	lab_fini("eth0");
	trace_free(&r.trace);
}

int main(int argc, char **argv)
{
	struct sched_param priority = { .sched_priority = 50 };
	struct replay kept = { .trace.rate = NSEC };
	int i;

	if (argc < 3)
		return 2;
	if (sched_setscheduler(0, SCHED_FIFO, &priority)) {
		perror("sched_setscheduler");
		return 1;
	}
	/* the guest's time runs on while a page is read */
	if (mlockall(MCL_CURRENT)) {
		perror("mlockall");
		return 1;
	}
	lab_up(2);
	silence("eth0");
	/* the programs stay in the kernel from one trace to the next */
	kept.scheduler = argv[1];
	init(&kept, "eth1");
	for (i = 2; i < argc; i++)
		replay(argv[1], argv[i]);
	lab_fini("eth1");
	return 0;
}
