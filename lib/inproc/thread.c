/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that sends. It does what the core says at the core's time, and
 * sleeps in one poll for the next such time, for new messages, and for room in
 * the sockets that had none. A socket is asked whether it has room after each
 * message: so the next one stays in the core, where it can still be dropped,
 * until it can go.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "inproc.h"

#define EVENTS 64 /* that are taken at once */

/* ---- to the stack */

static void prepare(struct msghdr *msg, struct iovec *iov,
		    struct inproc_message *m)
{
	memset(msg, 0, sizeof(*msg));
	iov->iov_base = m->room + m->control + m->name + m->done;
	iov->iov_len = m->len - m->done;
	msg->msg_iov = iov;
	msg->msg_iovlen = 1;
	if (m->done)
		return;
	msg->msg_control = m->control ? m->room : NULL;
	msg->msg_controllen = m->control;
	msg->msg_name = m->name ? m->room + m->control : NULL;
	msg->msg_namelen = m->name;
}

/* sendmsg(), without the lock: the message stays the socket's first one. */
static ssize_t hand_over(const struct inproc_sock *sock,
			 struct inproc_message *m)
{
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	prepare(&msg, &iov, m);
	inproc_unlock();
	do {
		n = sendmsg(sock->dup, &msg, m->flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	inproc_lock();
	return n;
}

/*
 * Is there nothing more to do for the message? An error that a datagram socket
 * has may be of one before, and is told once: so it is tried again.
 */
static int send_message(struct inproc_sock *sock, struct inproc_message *m)
{
	ssize_t n;

	do {
		n = hand_over(sock, m);
		if (n == -EAGAIN)
			return 0;
		if (n < 0) {
			sock->error = (int)-n;
			if (sock->bytes || m->retried++)
				return 1;
			continue;
		}
		m->done += n;
	} while (n < 0 || (sock->bytes && m->done < m->len));
	return 1;
}

/*
 * Sends what the core has let go, as far as the socket takes it. The socket must
 * not be used afterwards.
 */
static void push(struct inproc_sock *sock)
{
	struct inproc_message *m;

	sock->users++;
	while (sock->first) {
		m = sock->first;
		if (!sock->dead && !send_message(sock, m)) {
			inproc_block(sock);
			break;
		}
		sock->first = m->next;
		inproc_message_free(m);
	}
	if (!sock->first && sock->messages && !sock->dead) {
		if (!inproc_writable(sock->dup))
			inproc_block(sock);
		else if (sock->blocked)
			inproc_unblock(sock);
	}
	sock->users--;
	inproc_sock_put(sock);
}

/* The core sends this one. */
static void send_slot(__u32 slot)
{
	struct inproc_message *m = inproc_take(slot);
	struct inproc_sock *sock = m->sock;

	m->next = NULL;
	if (sock->first)
		sock->last->next = m;
	else
		sock->first = m;
	sock->last = m;
	if (sock->blocked)
		inproc_hold(sock);
	else
		push(sock);
}

/* ---- closed sockets */

/* Those whose time is over get rid of what they have at the core's pace. */
static void end_closing(__u64 now)
{
	struct inproc_sock *sock;

	while (inproc.closing && inproc.closing->closing_until <= now) {
		sock = inproc.closing;
		inproc.closing = sock->next_closing;
		if (!inproc.closing)
			inproc.closing_end = &inproc.closing;
		sock->dead = 1;
		if (sock->blocked)
			inproc_unblock(sock);
		sock->users--;
		push(sock);
	}
}

/* ---- sleep */

static void take_events(void)
{
	struct epoll_event events[EVENTS];
	eventfd_t count;
	int i, n;

	n = epoll_wait(inproc.epoll, events, EVENTS, 0);
	for (i = 0; i < n; i++) {
		if (events[i].data.ptr)
			push(events[i].data.ptr);
		else
			eventfd_read(inproc.event, &count);
	}
}

/* Until that time at most. */
static void sleep_until(__u64 until)
{
	struct pollfd pfd = { .fd = inproc.epoll, .events = POLLIN };
	__u64 now = inproc_now();
	struct timespec ts;

	if (inproc.closing && inproc.closing->closing_until < until)
		until = inproc.closing->closing_until;
	if (until <= now)
		return;
	ts = inproc_timespec(until - now);
	inproc.sleeping = 1;
	inproc.until = until;
	inproc_unlock();
	ppoll(&pfd, 1, until == INPROC_NEVER ? NULL : &ts, NULL);
	inproc_lock();
	inproc.sleeping = 0;
	take_events();
}

/* Not while the wire is busy anyway. */
void inproc_wake(void)
{
	if (!inproc.sleeping)
		return;
	if (inproc.core->rate && inproc.until == inproc.core->free_at)
		return;
	inproc.sleeping = 0;
	eventfd_write(inproc.event, 1);
}

/* ---- the thread */

static void turn(void)
{
	__u64 answer, now = inproc_now();

	end_closing(now);
	answer = inproc.sched->ops->dequeue(inproc.core, now);
	inproc_settle();
	switch (QS_DEQ_OP(answer)) {
	case QS_DEQ_SEND:
		send_slot(QS_DEQ_SLOT(answer));
		break;
	case QS_DEQ_DROP:
		inproc_message_free(inproc_take(QS_DEQ_SLOT(answer)));
		break;
	case QS_DEQ_WAIT:
		sleep_until(inproc.core->wake);
		return;
	default:
		sleep_until(INPROC_NEVER);
		return;
	}
	if (inproc.blocked)
		take_events();
}

/* Timers of a plain thread are 50 us late, and so would be its messages. */
static void *run(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "qsockets");
	prctl(PR_SET_TIMERSLACK, 1);
	inproc_lock();
	for (;;)
		turn();
	return NULL;
}

/* The application's signals are not for this thread. */
static int create(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

static int open_events(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	inproc.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	inproc.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (inproc.event >= 0 && inproc.epoll >= 0 &&
	    !epoll_ctl(inproc.epoll, EPOLL_CTL_ADD, inproc.event, &event))
		return 0;
	return errno;
}

int inproc_start(void)
{
	int err;

	if (inproc.running)
		return 0;
	inproc_prepare();
	err = open_events();
	if (!err)
		err = create();
	if (!err) {
		inproc.running = 1;
		return 0;
	}
	qs_close(&inproc.event);
	qs_close(&inproc.epoll);
	inproc.event = inproc.epoll = -1;
	return qs_fail(err, "cannot start the thread that sends: %s",
		       strerror(err));
}
