/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that signals, cancellation or a lack of descriptors interrupt: nothing
 * is kept by what ended, and nobody waits for it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loop.h"

static struct q_dwcs_attr edf;
static struct q_dwcs_attr never = {
	.ipg = 100000000,
	.stream_flags = DWCS_NON_DROPPABLE,
};

static char many[1u << 20];

/* ---- cancellation */

static int full; /* a socket whose queue takes nothing more */

static void *send_and_wait(void *unused)
{
	qsend(full, "x", 1, 0, NULL);
	fail_msg("the queue had room");
	return unused;
}

static void a_call_that_waits_can_be_cancelled(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), k;
	pthread_t thread;
	void *result;

	(void)state;
	full = loop_sender(&at, &never);
	while (qsend(full, "x", 1, MSG_DONTWAIT, NULL) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	for (k = 0; k < 20; k++) {
		assert_int_equal(
			pthread_create(&thread, NULL, send_and_wait, NULL), 0);
		usleep(k * 500);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_call_fails(qsend(full, "x", 1, MSG_DONTWAIT, NULL),
				  EAGAIN);
	}
	assert_int_equal(qclose(full), 0);
	assert_int_equal(qsockfini("inproc"), 0);
	close(sink);
}

static struct sockaddr_in target;

static void *use_everything(void *unused)
{
	struct packet_flags pf = { .drop_flag = QSOCK_PRIO(2) };
	struct qos_fate fate;
	struct qos_info info;
	int fd, watch;

	for (;;) {
		/* what socket() gives is the thread's to close */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		fd = loop_sender(&target, &edf);
		watch = qwatch(fd, NULL);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		qsend(fd, "x", 1, 0, &pf);
		qfates(fd, watch, &fate, 1);
		qinfo(fd, &info, sizeof(info));
		qreserve(fd, 0);
		qfits(fd, 100, 1);
		qdetach(fd);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		close(watch);
		qclose(fd);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		pthread_testcancel();
	}
	return unused;
}

static void a_cancelled_thread_keeps_no_lock(void **state)
{
	int sink = loop_sink(&target), fd, k;
	pthread_t thread;

	(void)state;
	for (k = 0; k < 200; k++) {
		assert_int_equal(
			pthread_create(&thread, NULL, use_everything, NULL), 0);
		usleep(k * 7 % 500);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		fd = loop_sender(&target, &edf);
		assert_int_equal(qsend(fd, "y", 1, 0, NULL), 1);
		assert_int_equal(qclose(fd), 0);
	}
	close(sink);
}

/* ---- signals */

static int in_handler;
static volatile sig_atomic_t handled, refused;

static void send_in_a_handler(int signal)
{
	int err = errno;

	(void)signal;
	handled++;
	if (qsend(in_handler, "h", 1, MSG_DONTWAIT, NULL) == -1 &&
	    errno == EDEADLK)
		refused++;
	errno = err;
}

static void every(suseconds_t us)
{
	struct itimerval timer = { .it_interval.tv_usec = us,
				   .it_value.tv_usec = us };

	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void a_call_in_a_signal_handler_does_not_hang(void **state)
{
	struct sigaction action = { .sa_handler = send_in_a_handler,
				    .sa_flags = SA_RESTART };
	int64_t start = loop_now();
	struct sockaddr_in at;
	int sink = loop_sink(&at);
	struct qos_info info;
	int fd;

	(void)state;
	in_handler = loop_sender(&at, &edf);
	fd = loop_sender(&at, &edf);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	every(50);
	while (handled < 2000 ||
	       (!refused && loop_now() - start < 5000 * LOOP_MS)) {
		assert_int_equal(qsend(fd, "m", 1, 0, NULL), 1);
		assert_int_equal(qinfo(fd, &info, sizeof(info)), 0);
		loop_wait(start, "signals", __FILE__, __LINE__);
	}
	every(0);
	assert_true(refused > 0);
	assert_int_equal(qclose(fd), 0);
	assert_int_equal(qclose(in_handler), 0);
	close(sink);
}

/* ---- SO_LINGER */

static void nobody_waits_for_a_connection_that_lingers(void **state)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 20 };
	int64_t start;
	int fd[2];

	(void)state;
	loop_connection(fd, &edf);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &linger,
				    sizeof(linger)),
			 0);
	assert_int_equal(qsend(fd[0], many, sizeof(many), 0, NULL),
			 sizeof(many));
	close(fd[0]);
	start = loop_now();
	assert_int_equal(qsockfini("inproc"), 0);
	assert_true(loop_now() - start < 10000 * LOOP_MS);
	close(fd[1]);
}

/* ---- no descriptors */

static void a_watch_that_could_not_be_had_is_none(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf), status, n;
	pid_t child = fork();

	(void)state;
	if (!child) {
		struct qos_fate fate;
		struct rlimit r;

		/* there is a descriptor for none, for one and for two */
		getrlimit(RLIMIT_NOFILE, &r);
		for (n = 0; n < 3; n++) {
			int first, watch;

			r.rlim_cur = r.rlim_max;
			setrlimit(RLIMIT_NOFILE, &r);
			first = dup(sink);
			close(first);
			r.rlim_cur = first + n;
			if (setrlimit(RLIMIT_NOFILE, &r))
				_exit(1);
			watch = qwatch(fd, NULL);
			if ((watch >= 0) != (n == 2))
				_exit(2);
			if (watch < 0 && (qfates(fd, -1, &fate, 1) != -1 ||
					  errno != ENOTCONN))
				_exit(3);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_waits_can_be_cancelled),
		cmocka_unit_test(a_cancelled_thread_keeps_no_lock),
		cmocka_unit_test(a_call_in_a_signal_handler_does_not_hang),
		cmocka_unit_test(nobody_waits_for_a_connection_that_lingers),
		cmocka_unit_test(a_watch_that_could_not_be_had_is_none),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
