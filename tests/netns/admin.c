/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator's calls while signals, cancellation and fork() meet them. */
/* engines: kernel bands */
/* timeout: 240 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "lab.h"

static void init_and_fini(void)
{
	struct qos_params params = lab_params("lo", NULL);

	assert_call_succeeds(qsockinit(&params));
	assert_call_succeeds(qsockfini("lo"));
}

/* ---- signals */

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	(void)signal;
	ticks++;
}

static void every(suseconds_t us)
{
	struct itimerval timer = { .it_interval.tv_usec = us,
				   .it_value.tv_usec = us };

	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void a_timer_does_not_stop_init(void **state)
{
	static const suseconds_t periods[] = { 50, 1000, 20000 };
	struct sigaction action = { .sa_handler = on_tick };
	size_t k;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	for (k = 0; k < sizeof(periods) / sizeof(periods[0]); k++) {
		every(periods[k]);
		init_and_fini();
		lab_until(ticks > 0);
		every(0);
		ticks = 0;
	}
}

static void the_caller_s_mask_comes_back(void **state)
{
	sigset_t before, after;
	int k;

	(void)state;
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
	init_and_fini();
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	for (k = 1; k <= SIGRTMAX; k++)
		assert_int_equal(sigismember(&before, k),
				 sigismember(&after, k));
}

/* ---- cancellation */

static void *init_for_ever(void *unused)
{
	struct qos_params params = lab_params("lo", NULL);

	for (;;) {
		qsockinit(&params);
		qsockfini("lo");
		pthread_testcancel();
	}
	return unused;
}

static void a_cancelled_call_keeps_nothing(void **state)
{
	pthread_t thread;
	int k;

	(void)state;
	for (k = 0; k < 5; k++) {
		assert_int_equal(
			pthread_create(&thread, NULL, init_for_ever, NULL), 0);
		lab_pause_until(lab_now() + k * 37000000ll);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		init_and_fini();
	}
}

/* ---- fork */

#define CHILDREN 40

static pid_t children[CHILDREN];
static int stop;

/* They have what the process has open, and neither exec nor end. */
static void *fork_often(void *unused)
{
	int k;

	for (k = 0; k < CHILDREN && !__atomic_load_n(&stop, __ATOMIC_RELAXED);
	     k++) {
		children[k] = fork();
		if (!children[k])
			for (;;)
				pause();
		lab_pause_until(lab_now() + 20000000);
	}
	return unused;
}

static void a_child_does_not_keep_the_lock(void **state)
{
	struct qos_params params = lab_params("lo", NULL);
	pthread_t thread;
	int k;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, fork_often, NULL), 0);
	assert_call_succeeds(qsockinit(&params));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(children[0] > 0);
	assert_call_succeeds(qsockfini("lo"));
	for (k = 0; k < CHILDREN && children[k] > 0; k++) {
		kill(children[k], SIGKILL);
		waitpid(children[k], NULL, 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	lab_up(0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_does_not_stop_init),
		cmocka_unit_test(the_caller_s_mask_comes_back),
		cmocka_unit_test(a_cancelled_call_keeps_nothing),
		cmocka_unit_test(a_child_does_not_keep_the_lock),
	};

	return lab_run("admin", tests, set_up, NULL);
}
