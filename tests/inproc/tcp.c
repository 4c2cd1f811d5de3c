/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Byte streams: messages leave whole, in the core's order, and what is late is
 * dropped before the stack has any of it. A receiver that does not read keeps
 * the queue where it is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "support/loop.h"

#define LONG (1 << 20) /* bytes, more than the stack takes */
#define SECOND (1000 * LOOP_MS)

static struct q_dwcs_attr edf;

/* Reads so many bytes, which must all be `id`. */
static void expect_bytes(int fd, char id, size_t len)
{
	static char room[4096];
	size_t want;
	ssize_t n, k;

	while (len) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		want = len < sizeof(room) ? len : sizeof(room);
		assert_int_equal(poll(&pfd, 1, LOOP_PATIENCE_NS / LOOP_MS), 1);
		n = recv(fd, room, want, 0);
		assert_true(n > 0);
		for (k = 0; k < n; k++)
			if (room[k] != id)
				fail_msg("'%c' among '%c', %zu to go", room[k],
					 id, len - k);
		len -= n;
	}
}

static int begun(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static void whole_messages_by_deadline(const char *sched)
{
	int fd[2];

	loop_init(sched, 0, 0);
	loop_connection(fd, &edf);
	loop_send(fd[0], '0', LONG, DWCS_NON_DROPPABLE, 0);
	loop_until(begun(fd[1]));
	loop_send(fd[0], '3', 70000, 0, 29 * SECOND / 3);
	loop_send(fd[0], '1', 70000, 0, 7 * SECOND);
	loop_send(fd[0], '2', 70000, 0, 8 * SECOND);
	assert_int_equal(loop_info(fd[0]).backlog_packets, 3);
	expect_bytes(fd[1], '0', LONG);
	expect_bytes(fd[1], '1', 70000);
	expect_bytes(fd[1], '2', 70000);
	expect_bytes(fd[1], '3', 70000);
	assert_int_equal(loop_info(fd[0]).sent_units, 4);
	assert_true(loop_info(fd[0]).tcp_mss > 0);
	assert_int_equal(qclose(fd[0]), 0);
	assert_int_equal(recv(fd[1], fd, 1, 0), 0); /* and it is closed */
	close(fd[1]);
}

static void whole_messages_by_dwcs(void **state)
{
	(void)state;
	whole_messages_by_deadline("dwcs");
}

static void whole_messages_by_vds(void **state)
{
	(void)state;
	whole_messages_by_deadline("vds");
}

/* The one that was begun has the same deadline. */
static void late_ones_are_dropped_unless_begun(void **state)
{
	int64_t start;
	int fd[2];

	(void)state;
	loop_init("dwcs", 0, 0);
	loop_connection(fd, &edf);
	loop_send(fd[0], 'b', LONG, 0, 500 * LOOP_MS);
	loop_until(begun(fd[1]));
	start = loop_now();
	loop_send(fd[0], 'l', 1000, 0, 500 * LOOP_MS);
	loop_send(fd[0], 'm', 1000, DWCS_NON_DROPPABLE, 500 * LOOP_MS);
	loop_send(fd[0], 'n', 1000, 0, 9 * SECOND);
	loop_until(loop_now() - start > 600 * LOOP_MS);
	expect_bytes(fd[1], 'b', LONG);
	expect_bytes(fd[1], 'm', 1000);
	expect_bytes(fd[1], 'n', 1000);
	assert_true(loop_is_empty(fd[1]));
	assert_int_equal(loop_info(fd[0]).dropped_late, 1);
	assert_int_equal(loop_info(fd[0]).late_units, 1);
	assert_int_equal(qclose(fd[0]), 0);
	close(fd[1]);
}

static void one_that_is_stuck_does_not_stop_the_others(void **state)
{
	int stuck[2], free_one[2], k;

	(void)state;
	loop_init("dwcs", 0, 0);
	loop_connection(stuck, &edf);
	loop_connection(free_one, &edf);
	loop_send(stuck[0], 's', LONG, 0, 0);
	loop_until(begun(stuck[1]));
	loop_send(stuck[0], 't', 1000, 0, 1000 * LOOP_MS);
	for (k = 0; k < 20; k++) {
		loop_send(free_one[0], 'f', 1000, 0, 9 * SECOND);
		expect_bytes(free_one[1], 'f', 1000);
	}
	assert_int_equal(loop_info(stuck[0]).sent_units, 1);
	expect_bytes(stuck[1], 's', LONG);
	qclose(stuck[0]);
	qclose(free_one[0]);
	close(stuck[1]);
	close(free_one[1]);
}

/* 4 MiB are the most that a socket may queue. */
static void the_queue_has_a_limit_in_bytes(void **state)
{
	static char message[LONG];
	int fd[2], n = 0;

	(void)state;
	loop_connection(fd, &edf);
	memset(message, 'x', sizeof(message));
	while (qsend(fd[0], message, LONG, MSG_DONTWAIT, NULL) == LONG)
		n++;
	assert_int_equal(errno, EAGAIN);
	assert_true(n >= 3 && n <= 8);
	assert_call_fails(qdetach(fd[0]), EAGAIN); /* not in between */
	expect_bytes(fd[1], 'x', (size_t)n * LONG);
	assert_int_equal(qdetach(fd[0]), 0);
	close(fd[0]);
	close(fd[1]);
}

static void a_closed_connection_is_told_of_later(void **state)
{
	int64_t start = loop_now();
	int fd[2];

	(void)state;
	loop_connection(fd, &edf);
	close(fd[1]);
	while (qsend(fd[0], "x", 1, MSG_NOSIGNAL, NULL) == 1)
		loop_wait(start, "an error", __FILE__, __LINE__);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	assert_int_equal(qclose(fd[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_messages_by_dwcs),
		cmocka_unit_test(whole_messages_by_vds),
		cmocka_unit_test(late_ones_are_dropped_unless_begun),
		cmocka_unit_test(one_that_is_stuck_does_not_stop_the_others),
		cmocka_unit_test(the_queue_has_a_limit_in_bytes),
		cmocka_unit_test(a_closed_connection_is_told_of_later),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
