/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many threads send on many sockets: nothing is lost, doubled or overtaken. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "support/loop.h"

#define THREADS 8
#define SOCKETS 100
#define EACH 20 /* messages of a thread on a socket; all fit into a sink */

struct message {
	int thread, number;
};

static int sinks[SOCKETS], senders[SOCKETS];

/* Must not use what ends the test. */
static void *send_all(void *data)
{
	struct message m = { .thread = (int)(intptr_t)data };
	intptr_t failed = 0;
	int k;

	for (m.number = 0; m.number < EACH; m.number++)
		for (k = 0; k < SOCKETS; k++)
			failed |= qsend(senders[k], &m, sizeof(m), 0, NULL) !=
				  sizeof(m);
	return (void *)failed;
}

static void check_sink(int fd)
{
	int next[THREADS] = { 0 }, k;
	struct message m;

	for (k = 0; k < THREADS * EACH; k++) {
		assert_int_equal(recv(fd, &m, sizeof(m), MSG_DONTWAIT),
				 sizeof(m));
		assert_in_range(m.thread, 0, THREADS - 1);
		assert_int_equal(m.number, next[m.thread]++);
	}
	assert_true(loop_is_empty(fd));
}

static void run_threads(void)
{
	pthread_t threads[THREADS];
	void *failed;
	intptr_t k;

	for (k = 0; k < THREADS; k++)
		assert_int_equal(pthread_create(&threads[k], NULL, send_all,
						(void *)k),
				 0);
	for (k = 0; k < THREADS; k++) {
		assert_int_equal(pthread_join(threads[k], &failed), 0);
		assert_null(failed);
	}
}

static void nothing_is_lost(const char *sched)
{
	struct q_dwcs_attr edf = { .oln = 0 };
	struct sockaddr_in at;
	int k;

	loop_init(sched, 0, 1024); /* so that they wait at times */
	for (k = 0; k < SOCKETS; k++) {
		sinks[k] = loop_sink(&at);
		senders[k] = loop_sender(&at, &edf);
	}
	run_threads();
	for (k = 0; k < SOCKETS; k++)
		loop_until(loop_info(senders[k]).sent_packets ==
				   THREADS * EACH &&
			   loop_info(senders[k]).backlog_packets == 0);
	/* the last one may be on its way to the stack */
	loop_until(!loop_is_empty(sinks[SOCKETS - 1]));
	for (k = 0; k < SOCKETS; k++)
		assert_int_equal(qclose(senders[k]), 0);
	loop_init(sched, 0, 2048); /* possible only when nothing is queued */
	for (k = 0; k < SOCKETS; k++) {
		check_sink(sinks[k]);
		close(sinks[k]);
	}
}

static void nothing_is_lost_by_dwcs(void **state)
{
	(void)state;
	nothing_is_lost("dwcs");
}

static void nothing_is_lost_by_vds(void **state)
{
	(void)state;
	nothing_is_lost("vds");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_by_dwcs),
		cmocka_unit_test(nothing_is_lost_by_vds),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
