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

struct inproc inproc = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.closing_end = &inproc.closing,
	.event = -1,
	.epoll = -1,
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
	    pthread_mutex_init(&inproc.lock, &attr))
		pthread_mutex_init(&inproc.lock, NULL);
	pthread_mutexattr_destroy(&attr);
}

/* ---- time */

__u64 inproc_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * QS_NSEC_PER_SEC + ts.tv_nsec;
}

struct timespec inproc_timespec(__u64 ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / QS_NSEC_PER_SEC),
		.tv_nsec = (long)(ns % QS_NSEC_PER_SEC),
	};

	return ts;
}

int inproc_wait_left(__u64 until)
{
	struct timespec ts = inproc_timespec(until);
	int err;

	inproc.waiting++;
	if (until == INPROC_NEVER)
		err = pthread_cond_wait(&inproc.left, &inproc.lock);
	else
		err = pthread_cond_timedwait(&inproc.left, &inproc.lock, &ts);
	inproc.waiting--;
	return -err;
}

static void make_condition(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&inproc.left, &attr);
	pthread_condattr_destroy(&attr);
}

/* ---- exit */

static void flush(void)
{
	__u64 until = inproc_now() + INPROC_EXIT_NS;
	int err = 0;

	inproc_lock();
	while (inproc.messages && !err)
		err = inproc_wait_left(until);
	inproc_unlock();
}

/* ---- fork */

static void forget_messages(void)
{
	struct inproc_sock *sock;
	struct inproc_message *m;
	__u32 i;

	for (sock = inproc.socks; sock; sock = sock->next)
		while (sock->first) {
			m = sock->first;
			sock->first = m->next;
			free(m);
		}
	inproc_thread_forget();
	for (i = 0; inproc.core && i < inproc.core->n_slots; i++)
		free(inproc_take(i));
}

/* Other threads' uses went with these. */
static void reset_socks(void)
{
	struct inproc_sock *sock, *next;

	for (sock = inproc.socks; sock; sock = next) {
		next = sock->next;
		qs_close(&sock->dup);
		sock->dup = -1;
		sock->blocked = 0;
		sock->direct = 0;
		sock->users = 0;
		qs_close(&sock->watch); /* the parent's wakes are not ours */
		sock->watch = -1;
		sock->messages = 0;
		sock->queued = 0;
		inproc_sock_put(sock);
	}
}

static void forked(void)
{
	forget_messages();
	reset_socks();
	if (inproc.core) {
		inproc.sched->ops->reset(inproc.core);
		inproc_settle();
	}
	qs_close(&inproc.event);
	qs_close(&inproc.epoll);
	inproc.event = inproc.epoll = -1;
	inproc.running = inproc.sleeping = 0;
	inproc.messages = inproc.blocked = inproc.waiting = 0;
	inproc.closing = NULL;
	inproc.closing_end = &inproc.closing;
	make_condition();
	make_lock(); /* held by the parent's thread, which is none here */
}

void inproc_prepare(void)
{
	static int done;

	if (done)
		return;
	done = 1;
	make_condition();
	pthread_atfork(inproc_lock, inproc_unlock, forked);
	atexit(flush); /* a message that cannot be sent at exit is lost */
}
