/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a message asks for reaches the scheduler, and is done. */
/* engines: kernel bands inproc */
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define MSEC 1000000ll
#define SEC 1000000000ll
#define HOUR (3600 * SEC)
#define SOON (9 * SEC) /* later than any delay of this machine's */

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* eth0 is not shaped; eth1 is so slow that what is sent has to wait. */
#define SLOW 50000 /* bit/s: a large packet takes 230 ms */
#define LARGE 1400 /* bytes */
/* eth2 is set up by the tests that use it. */
#define FAST 10000000

static struct q_dwcs_attr edf; /* no rate: deadlines come with messages */
static struct packet_flags non_droppable = { .drop_flag = DWCS_NON_DROPPABLE };

static struct packet_flags flags_in(int64_t ns, uint32_t drop_flag)
{
	struct packet_flags pflags = { .drop_flag = drop_flag,
				       .deadline = lab_now() + ns };

	return pflags;
}

/* ---- a stream and where it goes to */

struct flow {
	int fd, sink;
	union lab_address to;
};

static struct flow open_flow(int family, int n, struct q_dwcs_attr *attr)
{
	struct flow f;
	char dev[IFNAMSIZ];

	snprintf(dev, sizeof(dev), "eth%d", n);
	f.sink = lab_sink(family, SOCK_DGRAM, 0, n, &f.to);
	f.fd = lab_socket(family, SOCK_DGRAM, dev, attr);
	return f;
}

static void close_flow(const struct flow *f)
{
	qclose(f->fd);
	close(f->sink);
}

static void send_on(const struct flow *f, const void *buf, size_t len,
		    struct packet_flags *pflags)
{
	lab_send(f->fd, buf, len, pflags, &f->to);
}

static void send_byte(const struct flow *f, char byte,
		      struct packet_flags *pflags)
{
	send_on(f, &byte, 1, pflags);
}

/* The next message is this one byte; returns when it arrived. */
static int64_t expect_byte(const struct flow *f, char byte)
{
	int64_t when;
	char room[8];

	assert_int_equal(lab_receive(f->sink, room, sizeof(room), &when), 1);
	assert_int_equal(room[0], byte);
	return when;
}

static void expect_sent(const struct flow *f, uint64_t units, uint64_t packets)
{
	struct qos_info info;

	lab_until(lab_info(f->fd).sent_units >= units);
	info = lab_info(f->fd);
	assert_int_equal(info.sent_units, units);
	assert_int_equal(info.sent_packets, packets);
}

/* ---- the calls */

typedef ssize_t send_call(const struct flow *f, const char *byte,
			  struct packet_flags *pflags);

static ssize_t by_qsend(const struct flow *f, const char *byte,
			struct packet_flags *pflags)
{
	if (connect(f->fd, &f->to.any, lab_address_size(&f->to)))
		return -1;
	return qsend(f->fd, byte, 1, 0, pflags);
}

static ssize_t by_qsendto(const struct flow *f, const char *byte,
			  struct packet_flags *pflags)
{
	return qsendto(f->fd, byte, 1, 0, &f->to.any, lab_address_size(&f->to),
		       pflags);
}

static struct msghdr header(const struct flow *f, struct iovec *iov)
{
	struct msghdr msg = {
		.msg_name = (void *)&f->to.any,
		.msg_namelen = lab_address_size(&f->to),
		.msg_iov = iov,
		.msg_iovlen = 1,
	};

	return msg;
}

static ssize_t by_qsendmsg(const struct flow *f, const char *byte,
			   struct packet_flags *pflags)
{
	struct iovec iov = { .iov_base = (void *)byte, .iov_len = 1 };
	struct msghdr msg = header(f, &iov);

	return qsendmsg(f->fd, &msg, 0, pflags);
}

/* With a control message of the caller's own. */
static ssize_t by_qsendmsg_control(const struct flow *f, const char *byte,
				   struct packet_flags *pflags)
{
	struct iovec iov = { .iov_base = (void *)byte, .iov_len = 1 };
	struct msghdr msg = header(f, &iov);
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .c = { .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = IPPROTO_IP,
			     .cmsg_type = IP_TTL } };
	int ttl = 9;

	if (f->to.any.sa_family == AF_INET6) {
		control.c.cmsg_level = IPPROTO_IPV6;
		control.c.cmsg_type = IPV6_HOPLIMIT;
	}
	memcpy(CMSG_DATA(&control.c), &ttl, sizeof(ttl));
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	return qsendmsg(f->fd, &msg, 0, pflags);
}

static ssize_t by_qsendmmsg(const struct flow *f, const char *byte,
			    struct packet_flags *pflags)
{
	struct iovec iov = { .iov_base = (void *)byte, .iov_len = 1 };
	struct qmmsghdr one = { .msg_hdr = header(f, &iov), .flags = *pflags };
	int n = qsendmmsg(f->fd, &one, 1, 0);

	return n == 1 ? (ssize_t)one.msg_len : -1;
}

static send_call *const send_calls[] = { by_qsend, by_qsendto, by_qsendmsg,
					 by_qsendmsg_control, by_qsendmmsg };

/* ---- deadlines */

static void late_or_in_time(int family, send_call *call)
{
	struct flow f = open_flow(family, 0, &edf);
	struct packet_flags pflags;
	struct qos_info info;

	pflags = flags_in(-MSEC, 0);
	assert_int_equal(call(&f, "d", &pflags), 1);
	pflags = flags_in(-MSEC, DWCS_NON_DROPPABLE);
	assert_int_equal(call(&f, "l", &pflags), 1);
	pflags = flags_in(SOON, 0);
	assert_int_equal(call(&f, "t", &pflags), 1);
	expect_byte(&f, 'l');
	expect_byte(&f, 't');
	expect_sent(&f, 2, 2);
	info = lab_info(f.fd);
	assert_int_equal(info.dropped_late, 1);
	assert_int_equal(info.late_units, 1);
	assert_true(lab_is_empty(f.sink));
	close_flow(&f);
}

static void a_message_past_its_deadline_is_dropped_or_late(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LAB_COUNT(send_calls); i++) {
		late_or_in_time(AF_INET, send_calls[i]);
		late_or_in_time(AF_INET6, send_calls[i]);
	}
}

/* A deadline of 1 ns has passed as well; it is not the 0 that says none. */
static void the_first_deadline_of_all_has_passed(void **state)
{
	struct packet_flags pflags = { .deadline = 1 };
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	send_byte(&f, 'd', &pflags);
	lab_until(lab_info(f.fd).dropped_late == 1);
	assert_true(lab_is_empty(f.sink));
	close_flow(&f);
}

static void a_stream_can_be_non_droppable(void **state)
{
	struct q_dwcs_attr attr = { .stream_flags = DWCS_NON_DROPPABLE };
	struct flow f = open_flow(AF_INET, 0, &attr);
	struct packet_flags pflags = flags_in(-SEC, 0);
	struct qos_info info;

	(void)state;
	send_byte(&f, 'l', &pflags);
	expect_byte(&f, 'l');
	expect_sent(&f, 1, 1);
	info = lab_info(f.fd);
	assert_int_equal(info.late_units, 1);
	assert_int_equal(info.dropped_late, 0);
	close_flow(&f);
}

static void losses_beyond_the_window_are_violations(void **state)
{
	struct q_dwcs_attr attr = { .oln = 1, .old = 4 };
	struct flow f = open_flow(AF_INET, 0, &attr);
	struct packet_flags pflags = flags_in(-SEC, 0);
	struct qos_info info;

	(void)state;
	send_byte(&f, '1', &pflags);
	lab_until(lab_info(f.fd).dropped_late == 1);
	info = lab_info(f.fd);
	assert_int_equal(info.violations, 0);
	assert_int_equal(info.cur_oln, 0);
	assert_int_equal(info.cur_old, 3);
	send_byte(&f, '2', &pflags);
	lab_until(lab_info(f.fd).dropped_late == 2);
	assert_int_equal(lab_info(f.fd).violations, 1);
	close_flow(&f);
}

/*
 * Two streams each queue a message behind a wire that is busy; which one is
 * the first? 0 when they did not both have to wait.
 */
static char first_of_two(const struct flow *a, struct packet_flags *of_a,
			 const struct flow *b, struct packet_flags *of_b)
{
	static char large[LARGE];
	struct packet_flags now = { .drop_flag = DWCS_NON_DROPPABLE,
				    .deadline = 1 };
	int i, busy, waited;
	char first, second;

	busy = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &edf);
	for (i = 0; i < 3; i++)
		lab_send(busy, large, sizeof(large), &now, &a->to);
	lab_send(a->fd, "A", 1, of_a, &a->to);
	lab_send(b->fd, "B", 1, of_b, &a->to);
	waited = lab_info(a->fd).backlog_packets == 1;
	qclose(busy);
	do {
		i = lab_receive(a->sink, large, sizeof(large), NULL);
	} while (i != 1);
	first = large[0];
	do {
		i = lab_receive(a->sink, large, sizeof(large), NULL);
	} while (i != 1);
	second = large[0];
	assert_int_equal(first + second, 'A' + 'B');
	return waited ? first : 0;
}

static char who_is_first(int64_t a_ns, int64_t b_ns)
{
	struct flow a = open_flow(AF_INET, 1, &edf);
	struct flow b = open_flow(AF_INET, 1, &edf);
	struct packet_flags of_a, of_b;
	char first = 0;
	int tries;

	for (tries = 0; !first && tries < 10; tries++) {
		of_a = flags_in(a_ns, 0);
		of_b = flags_in(b_ns, 0);
		first = first_of_two(&a, &of_a, &b, &of_b);
	}
	close_flow(&a);
	close_flow(&b);
	return first;
}

static void the_earlier_deadline_goes_first(void **state)
{
	(void)state;
	assert_int_equal(who_is_first(9 * SEC, 8 * SEC), 'B');
	assert_int_equal(who_is_first(8 * SEC, 9 * SEC), 'A');
}

static void a_deadline_an_hour_ahead_is_taken_as_the_horizon(void **state)
{
	(void)state;
	assert_int_equal(who_is_first(HOUR, 8 * SEC), 'B');
	/* both are at the horizon, the first one's a little earlier */
	assert_int_equal(who_is_first(HOUR, 20 * SEC), 'A');
}

static void flags_of_a_plain_socket_have_no_effect(void **state)
{
	struct packet_flags pflags = flags_in(-SEC, QSOCK_FRAME_START);
	struct flow f = open_flow(AF_INET, 0, NULL);

	(void)state;
	assert_call_succeeds(qdetach(f.fd));
	send_byte(&f, 'p', &pflags);
	expect_byte(&f, 'p');
	/* also once it was attached and told so */
	close_flow(&f);
	f = open_flow(AF_INET, 0, &edf);
	send_byte(&f, 'd', &pflags);
	assert_call_succeeds(qdetach(f.fd));
	send_byte(&f, 'p', &pflags);
	expect_byte(&f, 'p');
	close_flow(&f);
}

/* ---- frames */

static void a_frame_is_one_unit_and_leaves_when_it_is_whole(void **state)
{
	struct packet_flags start = { .drop_flag = QSOCK_FRAME_START };
	struct packet_flags end = { .drop_flag = QSOCK_FRAME_END };
	struct packet_flags alone = { .drop_flag = QSOCK_FRAME_START |
						   QSOCK_FRAME_END };
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct qos_info info;

	(void)state;
	send_byte(&f, '1', &start);
	send_byte(&f, '2', NULL);
	info = lab_info(f.fd);
	assert_int_equal(info.backlog_packets, 2);
	assert_int_equal(info.backlog_units, 0);
	assert_int_equal(info.sent_packets, 0);
	assert_true(lab_is_empty(f.sink));
	send_byte(&f, '3', &end);
	expect_byte(&f, '1');
	expect_byte(&f, '2');
	expect_byte(&f, '3');
	expect_sent(&f, 1, 3);
	send_byte(&f, '4', &alone);
	send_byte(&f, '5', NULL);
	expect_byte(&f, '4');
	expect_byte(&f, '5');
	expect_sent(&f, 3, 5);
	close_flow(&f);
}

static void the_next_frame_ends_one_that_was_not_ended(void **state)
{
	struct packet_flags start = { .drop_flag = QSOCK_FRAME_START };
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	send_byte(&f, '1', &start);
	send_byte(&f, '2', NULL);
	send_byte(&f, '3', &start);
	expect_byte(&f, '1');
	expect_byte(&f, '2');
	expect_sent(&f, 1, 2);
	close_flow(&f);
}

static void a_late_frame_is_dropped_whole(void **state)
{
	struct packet_flags start = flags_in(-SEC, QSOCK_FRAME_START);
	struct packet_flags end = flags_in(-SEC, QSOCK_FRAME_END);
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	send_byte(&f, '1', &start);
	send_byte(&f, '2', NULL);
	send_byte(&f, '3', &end);
	lab_until(lab_info(f.fd).dropped_late == 1);
	send_byte(&f, '4', NULL);
	expect_byte(&f, '4');
	expect_sent(&f, 1, 1);
	assert_true(lab_is_empty(f.sink));
	close_flow(&f);
}

/* Above the stack there are none. */
static int packets_of(int fragments)
{
	return lab_engine() == QOS_ENGINE_INPROC ? 1 : fragments;
}

static void fragments_are_one_unit(int family)
{
	int n = packets_of(4);
	struct packet_flags start = { .drop_flag = QSOCK_FRAME_START };
	struct packet_flags end = { .drop_flag = QSOCK_FRAME_END };
	struct packet_flags late = flags_in(-SEC, 0);
	static char message[5000], room[6000]; /* 4 fragments */
	struct flow f = open_flow(family, 0, &edf);
	struct qos_info info;
	int i;

	send_on(&f, message, sizeof(message), NULL);
	expect_sent(&f, 1, n);
	send_on(&f, message, sizeof(message), &start);
	info = lab_info(f.fd);
	if (lab_engine() != QOS_ENGINE_BANDS) { /* which does not wait for it */
		assert_int_equal(info.backlog_packets, n);
		assert_int_equal(info.backlog_units, 0);
	}
	send_on(&f, message, sizeof(message), &end);
	expect_sent(&f, 2, 3 * n);
	send_on(&f, message, sizeof(message), &late);
	lab_until(lab_info(f.fd).dropped_late == 1);
	send_on(&f, message, sizeof(message), &non_droppable);
	expect_sent(&f, 3, 4 * n);
	for (i = 0; i < 4; i++)
		assert_int_equal(lab_receive(f.sink, room, sizeof(room), NULL),
				 sizeof(message));
	assert_true(lab_is_empty(f.sink));
	close_flow(&f);
}

static void fragments_of_an_ipv4_message_are_one_unit(void **state)
{
	(void)state;
	fragments_are_one_unit(AF_INET);
}

static void fragments_of_an_ipv6_message_are_one_unit(void **state)
{
	(void)state;
	fragments_are_one_unit(AF_INET6);
}

static void a_super_packet_is_one_unit(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct packet_flags late = flags_in(-SEC, 0);
	static char message[4000], room[2000];
	int i, size = 1000;

	(void)state;
	assert_int_equal(
		setsockopt(f.fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	send_on(&f, message, sizeof(message), &non_droppable);
	for (i = 0; i < 4; i++)
		assert_int_equal(lab_receive(f.sink, room, sizeof(room), NULL),
				 size);
	lab_until(lab_info(f.fd).sent_units);
	assert_int_equal(lab_info(f.fd).sent_units, 1);
	send_on(&f, message, sizeof(message), &late);
	lab_until(lab_info(f.fd).dropped_late == 1);
	assert_true(lab_is_empty(f.sink));
	close_flow(&f);
}

static struct q_dwcs_attr stuck = { .old = 1, .ipg = 3600000000u };

/* The first message leaves at once. Returns how many the queue then takes. */
static uint32_t fill(const struct flow *f)
{
	send_byte(f, '1', NULL);
	expect_byte(f, '1');
	while (!lab_info(f->fd).dropped_overflow)
		send_byte(f, 'q', NULL);
	return lab_info(f->fd).backlog_packets;
}

static void a_full_queue_leaves_room_for_best_effort(void **state)
{
	const struct qos_device device = { .packets = 64 };
	struct flow a, b;
	uint32_t n;

	(void)state;
	lab_init("eth2", &device);
	a = open_flow(AF_INET, 2, &stuck);
	b = open_flow(AF_INET, 2, &stuck);
	n = fill(&a);
	assert_true(n >= 32 && n < 64);
	assert_int_equal(lab_info(a.fd).dropped_overflow, 1);
	/* nor is there any for another stream */
	send_byte(&b, '1', NULL);
	assert_int_equal(lab_info(b.fd).dropped_overflow, 1);
	assert_call_succeeds(qdetach(b.fd));
	lab_shell("ip neighbour flush dev eth2");
	send_byte(&b, 'p', NULL);
	expect_byte(&b, 'p');
	close_flow(&a);
	close_flow(&b);
	lab_fini("eth2");
}

static void a_frame_that_the_queue_cannot_hold_is_dropped_whole(void **state)
{
	struct packet_flags start = { .drop_flag = QSOCK_FRAME_START };
	const struct qos_device device = { .packets = 64 };
	struct qos_info info;
	struct flow f;
	uint32_t n, i;

	(void)state;
	lab_init("eth2", &device);
	f = open_flow(AF_INET, 2, &stuck);
	n = fill(&f);
	close_flow(&f);
	lab_fini("eth2");
	lab_init("eth2", &device);
	f = open_flow(AF_INET, 2, &stuck);
	send_byte(&f, '1', NULL);
	expect_byte(&f, '1');
	for (i = 0; i < n - 2; i++)
		send_byte(&f, 'q', NULL);
	send_byte(&f, 's', &start);
	send_byte(&f, 'm', NULL);
	assert_int_equal(lab_info(f.fd).backlog_packets, n);
	send_byte(&f, 'x', NULL);
	lab_until(lab_info(f.fd).backlog_packets == n - 2);
	info = lab_info(f.fd);
	assert_int_equal(info.dropped_overflow, 1);
	assert_int_equal(info.dropped_frame, 1);
	assert_int_equal(info.backlog_units, n - 2);
	assert_true(lab_is_empty(f.sink));
	close_flow(&f);
	lab_fini("eth2");
}

/* ---- rate */

static void units_are_released_at_their_rate(void **state)
{
	struct q_dwcs_attr attr = { .old = 1, .ipg = 10000 };
	struct flow f = open_flow(AF_INET, 0, &attr);
	int64_t start = lab_real_now(), when;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		send_byte(&f, 'a' + i, &non_droppable);
	for (i = 0; i < 20; i++) {
		when = expect_byte(&f, 'a' + i);
		assert_true(when - start >= i * 10 * MSEC * 99 / 100);
	}
	expect_sent(&f, 20, 20);
	assert_true(lab_info(f.fd).delay_max_ns >= 180 * MSEC);
	close_flow(&f);
}

static void a_work_conserving_stream_uses_idle_time(void **state)
{
	struct q_dwcs_attr attr = { .old = 1, .ipg = 3600000000u };
	struct flow f;
	int i;

	(void)state;
	attr.stream_flags = DWCS_WORK_CONSERVING;
	f = open_flow(AF_INET, 0, &attr);
	for (i = 0; i < 20; i++)
		send_byte(&f, 'a' + i, NULL);
	for (i = 0; i < 20; i++)
		expect_byte(&f, 'a' + i);
	close_flow(&f);
}

/* The second one was scheduled already; the others have the new period. */
static void a_change_holds_from_the_next_unit_on(void **state)
{
	struct q_dwcs_attr attr = { .old = 1, .ipg = 1000000 };
	struct flow f = open_flow(AF_INET, 0, &attr);
	struct qos_params params = lab_params("", &attr);
	int64_t first, last = 0;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		send_byte(&f, 'a' + i, &non_droppable);
	attr.ipg = 1000;
	assert_call_succeeds(qchange(f.fd, &params));
	first = expect_byte(&f, 'a');
	for (i = 1; i < 20; i++)
		last = expect_byte(&f, 'a' + i);
	assert_true(last - first < 15 * SEC); /* of 19 */
	close_flow(&f);
}

/* ---- load */

#define FLOOD_FLOWS 16
#define FLOOD_SIZE 1250

/* Each socket is a flow of its own, which has a fair share. */
static int flood(void *data)
{
	static char packet[FLOOD_SIZE];
	const union lab_address *to = data;
	int fds[FLOOD_FLOWS], i;

	for (i = 0; i < FLOOD_FLOWS; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fds[i] < 0)
			return 1;
	}
	for (i = 0;; i++)
		sendto(fds[i % FLOOD_FLOWS], packet, sizeof(packet), 0,
		       &to->any, lab_address_size(to));
	return 0;
}

/* How many of the sink's messages arrived between the two times. */
static int count_between(int sink, int64_t from, int64_t to)
{
	static char room[FLOOD_SIZE];
	int64_t when;
	int n = 0;

	do {
		lab_receive(sink, room, sizeof(room), &when);
		n += when >= from && when <= to;
	} while (when <= to);
	return n;
}

/* Half of the link is the stream's; as best effort it had a 17th. */
static void a_stream_keeps_its_rate_under_a_flood(void **state)
{
	struct qos_device device = { .rate = FAST };
	struct q_dwcs_attr attr = {
		.old = 10,
		.ipg = 2000,
		.stream_flags = DWCS_NON_DROPPABLE,
	};
	static char message[FLOOD_SIZE];
	union lab_address to;
	int64_t start, first = 0, last = 0;
	int paced = lab_engine() ==
		    QOS_ENGINE_BANDS; /* which hold back nothing */
	int sink, others, i;
	struct flow f;
	pid_t pid;

	(void)state;
	lab_init("eth2", &device);
	f = open_flow(AF_INET, 2, &attr);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 2, &to);
	pid = lab_fork(flood, &to);
	for (i = 0; i < 50; i++)
		lab_receive(sink, message, sizeof(message), NULL);
	start = lab_now();
	for (i = 0; i < 200; i++) {
		if (paced)
			lab_pause_until(start + i * attr.ipg * 1000ll);
		send_on(&f, message, sizeof(message), NULL);
	}
	for (i = 0; i < 200; i++) {
		lab_receive(f.sink, message, sizeof(message), &last);
		if (!i)
			first = last;
	}
	others = count_between(sink, first, last);
	kill(pid, SIGKILL);
	assert_int_equal(lab_join(pid), -SIGKILL);
	print_message("# 200 of the stream beside %d of the flood\n", others);
	/* a busy machine is slow to send */
	assert_true(others < (paced ? 5 : 2) * 200);
	assert_true(others >= 200 / 20);
	expect_sent(&f, 200, 200);
	close(sink);
	close_flow(&f);
	lab_fini("eth2");
}

static int read_all(int fd, size_t bytes)
{
	static char room[65536];
	ssize_t n;

	while (bytes) {
		n = recv(fd, room, sizeof(room), 0);
		if (n <= 0)
			return 0;
		bytes -= n;
	}
	return 1;
}

/* Every one of its segments misses its deadline. */
static void a_tcp_stream_is_late_but_loses_nothing(void **state)
{
	struct qos_device device = { .rate = FAST };
	struct packet_flags pflags = flags_in(-SEC, 0);
	struct q_dwcs_attr attr = { .old = 10, .ipg = 10 };
	static char data[200000];
	int listener, fd, peer;
	union lab_address to;
	struct qos_info info;
	size_t at = 0;
	ssize_t n;

	(void)state;
	lab_init("eth2", &device);
	listener = lab_sink(AF_INET, SOCK_STREAM, 0, 2, &to);
	fd = lab_socket(AF_INET, SOCK_STREAM, "eth2", &attr);
	assert_int_equal(connect(fd, &to.any, lab_address_size(&to)), 0);
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (at < sizeof(data)) {
		n = qsend(fd, data + at, sizeof(data) - at, 0, &pflags);
		assert_true(n > 0 || errno == EAGAIN);
		if (n <= 0)
			continue;
		assert_true(read_all(peer, n));
		at += n;
	}
	info = lab_info(fd);
	assert_true(info.late_units > 0);
	assert_int_equal(info.dropped_late, 0);
	assert_int_equal(info.dropped_overflow, 0);
	qclose(fd);
	close(peer);
	close(listener);
	lab_fini("eth2");
}

static int set_up(void **state)
{
	struct qos_device device = { 0 };

	(void)state;
	lab_up(3);
	lab_init("eth0", &device);
	device.rate = SLOW;
	lab_init("eth1", &device);
	lab_be_user();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini("eth0");
	lab_fini("eth1");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_message_past_its_deadline_is_dropped_or_late),
		cmocka_unit_test(the_first_deadline_of_all_has_passed),
		cmocka_unit_test(a_stream_can_be_non_droppable),
		cmocka_unit_test(losses_beyond_the_window_are_violations),
		cmocka_unit_test(the_earlier_deadline_goes_first),
		cmocka_unit_test(
			a_deadline_an_hour_ahead_is_taken_as_the_horizon),
		cmocka_unit_test(flags_of_a_plain_socket_have_no_effect),
		cmocka_unit_test(
			a_frame_is_one_unit_and_leaves_when_it_is_whole),
		cmocka_unit_test(the_next_frame_ends_one_that_was_not_ended),
		cmocka_unit_test(a_late_frame_is_dropped_whole),
		cmocka_unit_test(fragments_of_an_ipv4_message_are_one_unit),
		cmocka_unit_test(fragments_of_an_ipv6_message_are_one_unit),
		cmocka_unit_test(a_super_packet_is_one_unit),
		cmocka_unit_test(a_full_queue_leaves_room_for_best_effort),
		cmocka_unit_test(
			a_frame_that_the_queue_cannot_hold_is_dropped_whole),
		cmocka_unit_test(units_are_released_at_their_rate),
		cmocka_unit_test(a_work_conserving_stream_uses_idle_time),
		cmocka_unit_test(a_change_holds_from_the_next_unit_on),
		cmocka_unit_test(a_stream_keeps_its_rate_under_a_flood),
		cmocka_unit_test(a_tcp_stream_is_late_but_loses_nothing),
	};

	return lab_run("messages", tests, set_up, tear_down);
}
