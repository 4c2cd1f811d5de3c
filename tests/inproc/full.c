/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A queue that is full: waiting, not waiting, and who gives way. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support/loop.h"

#define PACKETS 256
#define LIMIT 64 /* of which one socket may queue a quarter */
#define PERIOD 20000 /* us */

static struct q_dwcs_attr slow = {
	.ipg = PERIOD,
	.stream_flags = DWCS_NON_DROPPABLE,
};

/* Droppable, but never late: of what there is room is made. */
static struct q_dwcs_attr patient = { .ipg = 1000000 };

/* Sends until there is no room; returns how many. */
static int fill(int fd, int flags, char id)
{
	int n = 0;

	while (qsend(fd, &id, 1, flags, NULL) == 1)
		n++;
	assert_int_equal(errno, EAGAIN);
	assert_true(*qsock_errmsg());
	return n;
}

static void who_does_not_wait_gets_eagain(void **state)
{
	struct sockaddr_in at;
	int fd, sink, n, k;

	(void)state;
	loop_init("dwcs", 0, PACKETS);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &slow);
	n = fill(fd, MSG_DONTWAIT, 'a');
	assert_true(n >= LIMIT);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	n += fill(fd, 0, 'b');
	for (k = 0; k < n; k++)
		loop_receive(sink, NULL);
	loop_until(loop_info(fd).backlog_packets == 0);
	assert_true(loop_is_empty(sink)); /* what was refused never came */
	assert_int_equal(loop_info(fd).sent_packets, n);
	assert_int_equal(loop_info(fd).dropped_overflow, 0);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void who_waits_goes_on_when_there_is_room(void **state)
{
	struct sockaddr_in at;
	int fd, sink, n, k;
	int64_t start;

	(void)state;
	loop_init("vds", 0, PACKETS);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &slow);
	n = fill(fd, MSG_DONTWAIT, 'a');
	start = loop_now();
	loop_send(fd, 'b', 1, 0, 0);
	loop_send(fd, 'c', 1, 0, 0);
	loop_send(fd, 'd', 1, 0, 0);
	/* one period each but for what had passed of the first */
	assert_true(loop_now() - start >= PERIOD * 1000ll);
	for (k = 0; k < n; k++)
		assert_int_equal(loop_receive(sink, NULL), 'a');
	loop_expect(sink, "bcd");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void waiting_has_a_limit(void **state)
{
	struct timeval limit = { .tv_usec = 50000 };
	struct sockaddr_in at;
	int fd, sink;
	int64_t start;

	(void)state;
	loop_init("dwcs", 0, PACKETS);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &patient);
	fill(fd, MSG_DONTWAIT, 'a');
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	loop_receive(sink, NULL);
	fill(fd, MSG_DONTWAIT, 'b');
	start = loop_now();
	fill(fd, 0, 'c');
	assert_true(loop_now() - start >= 50 * LOOP_MS);
	assert_int_equal(qdetach(fd), 0);
	close(fd);
	close(sink);
}

static void a_lower_priority_gives_way(void **state)
{
	struct packet_flags pf = { .drop_flag = QSOCK_PRIO(3) };
	struct sockaddr_in at;
	int fd, sink;

	(void)state;
	sink = loop_sink(&at);
	fd = loop_sender(&at, &patient);
	fill(fd, MSG_DONTWAIT, 'a');
	assert_int_equal(qsend(fd, "p", 1, MSG_DONTWAIT, &pf), 1);
	assert_int_equal(loop_info(fd).dropped_overflow, 1);
	assert_int_equal(qdetach(fd), 0);
	close(fd);
	close(sink);
}

/* 64 messages are the most; the frame never can be whole. */
static void a_frame_that_fills_the_queue_is_lost(void **state)
{
	struct packet_flags pf = { .drop_flag = QSOCK_FRAME_START };
	struct sockaddr_in at;
	int fd, sink, k;

	(void)state;
	sink = loop_sink(&at);
	fd = loop_sender(&at, NULL);
	for (k = 0; k < LIMIT; k++) {
		assert_int_equal(qsend(fd, "f", 1, 0, &pf), 1);
		pf.drop_flag = 0;
	}
	assert_int_equal(loop_info(fd).backlog_packets, LIMIT);
	assert_call_fails(qsend(fd, "f", 1, 0, &pf), ENOBUFS);
	assert_int_equal(loop_info(fd).backlog_packets, 0);
	assert_int_equal(qsend(fd, "f", 1, 0, &pf), 1); /* goes with the rest */
	pf.drop_flag = QSOCK_FRAME_END;
	assert_int_equal(qsend(fd, "f", 1, 0, &pf), 1);
	assert_int_equal(qsend(fd, "g", 1, 0, NULL), 1);
	loop_expect(sink, "g");
	assert_int_equal(loop_info(fd).dropped_overflow, 1);
	assert_int_equal(loop_info(fd).dropped_frame, 1);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_wait_gets_eagain),
		cmocka_unit_test(who_waits_goes_on_when_there_is_room),
		cmocka_unit_test(waiting_has_a_limit),
		cmocka_unit_test(a_lower_priority_gives_way),
		cmocka_unit_test(a_frame_that_fills_the_queue_is_lost),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
