/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's state, and what becomes of it. A child of fork() has the sockets
 * and their attachments, but no thread and no message: these are its parent's.
 * At exit() what is queued has a second to leave. exec() and _exit() lose it.
 */
#include <errno.h>
#include <stdlib.h>

#include "inproc.h"
#include "schedulers/common/time.h"

struct qsi qsi = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.closing_end = &qsi.closing,
	.event = -1,
	.epoll = -1,
	.guard = -1,
};

int qs_inproc_used;

/*
 * With priority inheritance the kernel hands the lock over to the one that waits
 * longest. So threads that keep asking, by qinfo() say, do not keep out the one
 * that sends. Where the kernel has none of that it stays a plain lock.
 */
__attribute__((constructor)) static void make_lock(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	if (pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) ||
	    pthread_mutex_init(&qsi.lock, &attr))
		pthread_mutex_init(&qsi.lock, NULL);
	pthread_mutexattr_destroy(&attr);
}

/* ---- in a call */

static _Thread_local struct {
	volatile int inside;
	int cancel; /* the state before */
} call;

int qsi_enter(void)
{
	if (call.inside)
		return qs_fail(EDEADLK,
			       "a signal handler called this while it "
			       "interrupted another call of this thread: "
			       "call it outside of the handler");
	call.inside = 1;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call.cancel);
	qsi_lock();
	return 0;
}

void qsi_leave(void)
{
	int cancel = call.cancel;

	qsi_unlock();
	call.inside = 0;
	pthread_setcancelstate(cancel, NULL);
}

int qsi_cancel_state(void)
{
	return call.cancel;
}

/* ---- time */

__u64 qsi_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * QS_NSEC_PER_SEC + ts.tv_nsec;
}

struct timespec qsi_timespec(__u64 ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / QS_NSEC_PER_SEC),
		.tv_nsec = (long)(ns % QS_NSEC_PER_SEC),
	};

	return ts;
}

int qsi_wait_left(__u64 until)
{
	struct timespec ts = qsi_timespec(until);
	int err;

	qsi.waiting++;
	if (until == INPROC_NEVER)
		err = pthread_cond_wait(&qsi.left, &qsi.lock);
	else
		err = pthread_cond_timedwait(&qsi.left, &qsi.lock, &ts);
	qsi.waiting--;
	return -err;
}

static void make_condition(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&qsi.left, &attr);
	pthread_condattr_destroy(&attr);
}

/* ---- exit */

static void flush(void)
{
	__u64 until = qsi_now() + INPROC_EXIT_NS;
	int err = 0;

	if (qsi_enter())
		return;
	while (qsi.messages && !err)
		err = qsi_wait_left(until);
	qsi_leave();
}

/* ---- fork */

static void forget_messages(void)
{
	struct inproc_sock *sock;
	struct inproc_message *m;
	__u32 i;

	for (sock = qsi.socks; sock; sock = sock->next)
		while (sock->first) {
			m = sock->first;
			sock->first = m->next;
			free(m);
		}
	qsi_thread_forget();
	for (i = 0; qsi.core && i < qsi.core->n_slots; i++)
		free(qsi_take(i));
}

/* Other threads' uses went with these. */
static void reset_socks(bool own)
{
	struct inproc_sock *sock, *next;

	for (sock = qsi.socks; sock; sock = next) {
		next = sock->next;
		if (own && qsi_same(sock, sock->dup))
			qs_close(&sock->dup);
		sock->dup = -1;
		sock->blocked = 0;
		sock->direct = 0;
		sock->users = 0;
		sock->fin = 0; /* the parent does it */
		if (own) /* the parent's wakes are not ours */
			qs_close(&sock->watch);
		sock->watch = -1;
		sock->messages = 0;
		sock->queued = 0;
		qsi_sock_put(sock);
	}
}

/* A handler that interrupted a call has the lock already. */
static void before_fork(void)
{
	if (!call.inside)
		qsi_lock();
}

static void after_fork(void)
{
	if (!call.inside)
		qsi_unlock();
}

static void forked(void)
{
	bool own = qsi_guarded();

	forget_messages();
	reset_socks(own);
	if (qsi.core) {
		qsi.sched->ops->reset(qsi.core);
		qsi_settle();
	}
	if (own) {
		qs_close(&qsi.event);
		qs_close(&qsi.epoll);
		qs_close(&qsi.guard);
	}
	qsi.event = qsi.epoll = qsi.guard = -1;
	qsi.running = qsi.sleeping = 0;
	qsi.messages = qsi.blocked = qsi.waiting = 0;
	qsi.closing = NULL;
	qsi.closing_end = &qsi.closing;
	make_condition();
	make_lock(); /* held by the parent's thread, which is none here */
}

void qsi_prepare(void)
{
	static int done;

	if (done)
		return;
	done = 1;
	make_condition();
	pthread_atfork(before_fork, after_fork, forked);
	atexit(flush); /* a message that cannot be sent at exit is lost */
}
