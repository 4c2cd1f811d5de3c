/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is queued at fork(), exit(), qclose(), close() and qdetach(). */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loop.h"

/* Messages behind the first wait, one for each period. */
static struct q_dwcs_attr paced = {
	.ipg = 100000,
	.stream_flags = DWCS_NON_DROPPABLE,
};

static int status_of(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_child_sends_its_own(void **state)
{
	struct sockaddr_in at, child_at;
	int sink = loop_sink(&at), child_sink = loop_sink(&child_at), fd, own;
	pid_t child;

	(void)state;
	fd = loop_sender(&at, &paced);
	own = loop_sender(&child_at, &paced);
	loop_send(fd, 'a', 1, 0, 0);
	loop_send(fd, 'b', 1, 0, 0);
	loop_send(fd, 'c', 1, 0, 0);
	child = fork();
	if (!child) {
		struct qos_info info;

		if (qinfo(own, &info, sizeof(info)) || info.backlog_packets)
			_exit(1);
		if (qsend(own, "x", 1, 0, NULL) != 1 ||
		    qsend(own, "y", 1, 0, NULL) != 1)
			_exit(2);
		exit(0); /* which waits for them */
	}
	loop_expect(child_sink, "xy");
	assert_int_equal(status_of(child), 0);
	loop_expect(sink, "abc");
	loop_send(fd, 'd', 1, 0, 0);
	loop_expect(sink, "d");
	assert_true(loop_is_empty(sink)); /* nothing came twice */
	qclose(fd);
	qclose(own);
	close(sink);
	close(child_sink);
}

/* Forks while others send: the locks are nobody's in the child. */
static void children_of_a_busy_process_work(void **state)
{
	struct sockaddr_in at, busy_at;
	int sink = loop_sink(&at), busy_sink = loop_sink(&busy_at), k;
	struct q_dwcs_attr edf = { .oln = 0 };
	int fd = loop_sender(&at, &edf), busy = loop_sender(&busy_at, &edf);
	pid_t child;

	(void)state;
	for (k = 0; k < 20; k++) {
		loop_send(busy, 'b', 1000, 0, 0);
		loop_send(busy, 'b', 1000, 0, 0);
		child = fork();
		if (!child)
			exit(qsend(fd, "x", 1, 0, NULL) != 1);
		loop_expect(sink, "x");
		assert_int_equal(status_of(child), 0);
	}
	qclose(fd);
	qclose(busy);
	close(sink);
	close(busy_sink);
}

static void exit_waits_a_second_at_most(void **state)
{
	struct q_dwcs_attr slow = { .ipg = 30000000 };
	struct sockaddr_in at;
	int sink = loop_sink(&at);
	int64_t start;
	pid_t child;

	(void)state;
	start = loop_now();
	child = fork();
	if (!child) {
		int fd = loop_sender(&at, &slow);

		loop_send(fd, 'a', 1, 0, 0);
		loop_send(fd, 'b', 1, 0, 0);
		exit(0);
	}
	loop_expect(sink, "a");
	assert_int_equal(status_of(child), 0);
	assert_true(loop_now() - start >= 1000 * LOOP_MS);
	assert_true(loop_is_empty(sink));
	close(sink);
}

static void sent_in_the_background(int (*end)(int))
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced);

	loop_send(fd, 'a', 1, 0, 0);
	loop_send(fd, 'b', 1, 0, 0);
	loop_send(fd, 'c', 1, 0, 0);
	assert_int_equal(end(fd), 0);
	loop_expect(sink, "abc");
	close(sink);
}

static void qclose_leaves_the_queue_to_be_sent(void **state)
{
	struct qos_info info;

	(void)state;
	sent_in_the_background(qclose);
	assert_call_fails(qinfo(1000, &info, sizeof(info)), EBADF);
}

static void close_does_too(void **state)
{
	(void)state;
	sent_in_the_background(close);
}

static void qdetach_does_too(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced);

	(void)state;
	loop_send(fd, 'a', 1, 0, 0);
	loop_send(fd, 'b', 1, 0, 0);
	assert_int_equal(qdetach(fd), 0);
	assert_call_fails(qdetach(fd), ENOTCONN);
	loop_send(fd, 'c', 1, 0, 0); /* a plain one does not wait */
	assert_int_equal(loop_attach(fd, &paced), 0);
	loop_send(fd, 'd', 1, 0, 0);
	loop_receive(sink, NULL);
	loop_receive(sink, NULL);
	loop_receive(sink, NULL);
	loop_receive(sink, NULL);
	assert_int_equal(loop_info(fd).sent_packets, 1);
	qclose(fd);
	close(sink);
}

/* The peer sees the end only after all that was queued. */
static void a_connection_ends_after_its_queue(void **state)
{
	int fd[2], k;
	char byte;

	(void)state;
	for (k = 0; k < 2; k++) {
		loop_connection(fd, &paced);
		loop_send(fd[0], 'a', 1, 0, 0);
		loop_send(fd[0], 'b', 1, 0, 0);
		assert_int_equal(k ? close(fd[0]) : qclose(fd[0]), 0);
		assert_int_equal(recv(fd[1], &byte, 1, 0), 1);
		assert_int_equal(recv(fd[1], &byte, 1, 0), 1);
		assert_int_equal(byte, 'b');
		assert_int_equal(recv(fd[1], &byte, 1, 0), 0);
		close(fd[1]);
	}
}

/* The engine keeps a descriptor only while there is something to send. */
static void no_descriptor_is_kept(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced), before, after;

	(void)state;
	loop_until(loop_info(fd).backlog_packets == 0);
	before = dup(sink);
	close(before);
	loop_send(fd, 'a', 1, 0, 0);
	loop_send(fd, 'b', 1, 0, 0);
	loop_expect(sink, "ab");
	loop_until((after = dup(sink), close(after), after) == before);
	qclose(fd);
	close(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_sends_its_own),
		cmocka_unit_test(children_of_a_busy_process_work),
		cmocka_unit_test(exit_waits_a_second_at_most),
		cmocka_unit_test(qclose_leaves_the_queue_to_be_sent),
		cmocka_unit_test(close_does_too),
		cmocka_unit_test(qdetach_does_too),
		cmocka_unit_test(a_connection_ends_after_its_queue),
		cmocka_unit_test(no_descriptor_is_kept),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
