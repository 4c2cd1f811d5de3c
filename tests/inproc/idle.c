/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine's thread costs nothing while there is nothing to do. */
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "support/loop.h"

#define CENT_US 10000 /* of a second */

static int64_t cpu_us(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ll +
	       u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void check_second(void)
{
	struct timespec second = { .tv_sec = 1 };
	int64_t before = cpu_us();

	nanosleep(&second, NULL);
	assert_in_range(cpu_us() - before, 0, CENT_US);
}

static void an_empty_queue_costs_nothing(void **state)
{
	struct q_dwcs_attr edf = { .oln = 0 };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf);

	(void)state;
	loop_send(fd, 'a', 1, 0, 0);
	loop_expect(sink, "a");
	check_second();
	qclose(fd);
	close(sink);
}

static void waiting_for_a_release_costs_nothing(void **state)
{
	struct q_dwcs_attr slow = { .ipg = 5000000 };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &slow);

	(void)state;
	loop_send(fd, 'a', 1, 0, 0);
	loop_send(fd, 'b', 1, 0, 0);
	loop_expect(sink, "a");
	check_second();
	assert_int_equal(loop_info(fd).backlog_packets, 1);
	qclose(fd);
	close(sink);
}

static void a_receiver_that_does_not_read_costs_nothing(void **state)
{
	struct q_dwcs_attr edf = { .oln = 0 };
	int fd[2];

	(void)state;
	loop_connection(fd, &edf);
	loop_send(fd[0], 'a', 2 << 20, 0, 0);
	loop_send(fd[0], 'b', 1 << 20, 0, 100 * LOOP_MS);
	loop_until(!loop_is_empty(fd[1]));
	check_second();
	qclose(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_queue_costs_nothing),
		cmocka_unit_test(waiting_for_a_release_costs_nothing),
		cmocka_unit_test(a_receiver_that_does_not_read_costs_nothing),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
