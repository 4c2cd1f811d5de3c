/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that sends. It does what the core says at the core's time, and
 * sleeps in one poll for the next such time, for new messages, and for room in
 * the sockets that had none. A socket is asked whether it has room before it may
 * have none left: so the next message stays in the core, where it can still be
 * dropped, until it can go.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "inproc.h"

#define EVENTS 64 /* that are taken at once */
#define BATCH 32 /* messages that are taken from the core at once */

/* What the thread is sending: of datagram sockets, in the core's order. */
static struct {
	struct inproc_message *message[BATCH];
	struct mmsghdr hdr[BATCH];
	struct iovec iov[BATCH];
	unsigned int n;
	/* what takes nothing more for sure, or is a byte stream: nothing of it
	 * is taken from the core before it is looked at */
	struct inproc_sock *spent;
} batch;

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

/* How many, from the k-th on, go on the same socket in the same way? */
static unsigned int run_length(unsigned int k)
{
	const struct inproc_message *m = batch.message[k];
	unsigned int n = 1;

	while (k + n < batch.n && batch.message[k + n]->sock == m->sock &&
	       batch.message[k + n]->flags == m->flags)
		n++;
	return n;
}

/* Without the lock. */
static void send_runs(void)
{
	struct inproc_sent sent;
	unsigned int k, n, i;

	for (k = 0; k < batch.n; k += n) {
		n = run_length(k);
		if (!qsi_same(batch.message[k]->sock,
			      batch.message[k]->sock->dup)) {
			for (i = k; i < k + n; i++)
				batch.message[i]->error = EBADF;
			continue;
		}
		for (i = k; i < k + n; i++)
			prepare(&batch.hdr[i].msg_hdr, &batch.iov[i],
				batch.message[i]);
		qsi_send(batch.message[k]->sock->dup, batch.hdr + k, n,
			 batch.message[k]->flags, &sent);
		batch.message[k]->error = sent.error;
		for (i = sent.done; i < n; i++)
			batch.message[k + i]->unsent = 1;
	}
}

/* Nothing more of it is sent: what comes after lost bytes must not be. */
static void end(struct inproc_sock *sock)
{
	sock->dead = 1;
	if (sock->blocked)
		qsi_unblock(sock);
}

/*
 * What becomes of a message is the connection's matter; an error of a datagram with
 * an address of its own says nothing of the next one.
 */
static void note_error(struct inproc_message *m)
{
	if (m->error && !m->name)
		m->sock->error = m->error;
	if (m->error && m->sock->bytes && !m->sock->dead)
		end(m->sock);
}

/* What was in the batch is sent, or is not. */
static void settle_runs(void)
{
	struct inproc_message *m;
	unsigned int k;

	for (k = 0; k < batch.n; k++) {
		m = batch.message[k];
		note_error(m);
		if (m->unsent && !m->sock->dead)
			qsi_pend(m->sock, m);
		else
			qsi_message_free(m);
	}
	batch.n = 0;
}

/* ---- what waits for a socket */

static void append(struct inproc_sock *sock, struct inproc_message *m)
{
	m->next = NULL;
	if (sock->first)
		sock->last->next = m;
	else
		sock->first = m;
	sock->last = m;
}

void qsi_pend(struct inproc_sock *sock, struct inproc_message *m)
{
	m->unsent = m->error = 0;
	append(sock, m);
	sock->credit = 0;
	qsi_block(sock);
}

/* Sends a part of it, or all, without the lock; -Exxx: nothing. */
static ssize_t hand_over(const struct inproc_sock *sock,
			 struct inproc_message *m)
{
	struct inproc_sent sent;
	struct mmsghdr hdr;
	struct iovec iov;
	ssize_t n;

	prepare(&hdr.msg_hdr, &iov, m);
	qsi_unlock();
	if (!qsi_same(sock, sock->dup)) {
		n = -EBADF; /* the application has closed it */
	} else if (sock->bytes) {
		n = sendmsg(sock->dup, &hdr.msg_hdr, m->flags);
		if (n < 0)
			n = -errno;
	} else {
		qsi_send(sock->dup, &hdr, 1, m->flags, &sent);
		m->error = sent.error;
		n = sent.done ? (ssize_t)m->len : -EAGAIN;
	}
	qsi_lock();
	return n;
}

/* Is there nothing more to do for the message? */
static int send_message(struct inproc_sock *sock, struct inproc_message *m)
{
	ssize_t n;

	do {
		n = hand_over(sock, m);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			m->error = (int)-n;
		else
			m->done += n;
	} while (!m->error && m->done < m->len);
	note_error(m);
	return 1;
}

/* Does the socket take more? If not, it is left alone until it does. */
static void look(struct inproc_sock *sock)
{
	int takes = sock->bytes ? qsi_writable(sock->dup) :
				  qsi_credit(sock, sock->dup);

	if (!takes)
		qsi_block(sock);
	else if (sock->blocked)
		qsi_unblock(sock);
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
		/* its error is left to who asks the socket */
		if (sock->bytes && !sock->dead && !qsi_open(sock->dup))
			end(sock);
		if (!sock->dead && !send_message(sock, m)) {
			qsi_block(sock);
			break;
		}
		sock->first = m->next;
		qsi_message_free(m);
	}
	if (!sock->first && sock->messages && !sock->dead)
		look(sock);
	sock->users--;
	qsi_sock_put(sock);
}

/* ---- from the core */

/* The core sends this one. May more be taken? */
static int take_slot(__u32 slot)
{
	struct inproc_message *m = qsi_take(slot);
	struct inproc_sock *sock = m->sock;

	if (sock->dead) {
		qsi_message_free(m);
		return 1;
	}
	if (sock->blocked) {
		append(sock, m);
		qsi_hold(sock);
		return 1;
	}
	if (sock->bytes) {
		append(sock, m);
	} else {
		batch.message[batch.n++] = m;
		sock->credit -= (ssize_t)qsi_cost(m->len);
		if (sock->credit > 0)
			return batch.n < BATCH;
	}
	batch.spent = sock;
	return 0;
}

/* Takes what can be sent together. The core's last answer. */
static __u64 collect(__u64 now)
{
	__u64 answer;
	int k, more = 1;

	for (k = 0; k < BATCH && more; k++) {
		answer = qsi.sched->ops->dequeue(qsi.core, now);
		if (QS_DEQ_OP(answer) == QS_DEQ_SEND)
			more = take_slot(QS_DEQ_SLOT(answer));
		else if (QS_DEQ_OP(answer) == QS_DEQ_DROP)
			qsi_message_free(qsi_take(QS_DEQ_SLOT(answer)));
		else
			break;
	}
	qsi_settle();
	return answer;
}

static void send_batch(void)
{
	struct inproc_sock *spent = batch.spent;

	batch.spent = NULL;
	if (spent)
		spent->users++;
	if (batch.n) {
		qsi_unlock();
		send_runs();
		qsi_lock();
		settle_runs();
	}
	if (!spent)
		return;
	spent->users--;
	push(spent);
}

void qsi_thread_forget(void)
{
	while (batch.n)
		free(batch.message[--batch.n]);
	batch.spent = NULL;
}

/* ---- closed sockets */

/* Those whose time is over get rid of what they have at the core's pace. */
static void end_closing(__u64 now)
{
	struct inproc_sock *sock;

	while (qsi.closing && qsi.closing->closing_until <= now) {
		sock = qsi.closing;
		qsi.closing = sock->next_closing;
		if (!qsi.closing)
			qsi.closing_end = &qsi.closing;
		sock->dead = 1;
		if (sock->blocked)
			qsi_unblock(sock);
		sock->users--;
		push(sock);
	}
}

/* ---- all that is queued */

static void drop_all(void)
{
	struct inproc_sock *sock, *next;
	__u32 i;

	qsi.drop = 0;
	for (sock = qsi.socks; sock; sock = sock->next)
		sock->dead = 1;
	for (i = 0; i < qsi.core->n_slots; i++)
		if (qsi.message[i])
			qsi_message_free(qsi_take(i));
	qsi.sched->ops->reset(qsi.core);
	qsi_settle();
	for (sock = qsi.socks; sock; sock = next) {
		next = sock->next;
		push(sock);
	}
}

/* Those that have no descriptor any more. */
static void push_dead(void)
{
	struct inproc_sock *sock, *next;

	qsi.dead = 0;
	for (sock = qsi.socks; sock; sock = next) {
		next = sock->next;
		if (sock->dead && sock->first)
			push(sock);
	}
}

void qsi_drop_all(void)
{
	qsi.drop = 1;
	if (qsi_own())
		eventfd_write(qsi.event, 1);
}

/* ---- sleep */

static void take_events(void)
{
	struct epoll_event events[EVENTS];
	eventfd_t count;
	int i, n;

	struct inproc_sock *sock;

	if (!qsi_own())
		return;
	n = epoll_wait(qsi.epoll, events, EVENTS, 0);
	for (i = 0; i < n; i++) {
		sock = events[i].data.ptr;
		if (sock)
			sock->users++; /* push() lets the lock go */
		else
			eventfd_read(qsi.event, &count);
	}
	for (i = 0; i < n; i++) {
		sock = events[i].data.ptr;
		if (!sock)
			continue;
		sock->users--;
		push(sock);
	}
}

/* Until that time at most. */
static void sleep_until(__u64 until)
{
	struct pollfd pfd = { .events = POLLIN };
	unsigned int thread = qsi.thread;
	__u64 now = qsi_now();
	struct timespec ts;

	if (qsi.closing && qsi.closing->closing_until < until)
		until = qsi.closing->closing_until;
	if (until <= now)
		return;
	ts = qsi_timespec(until - now);
	qsi_own();
	pfd.fd = qsi.epoll;
	qsi.sleeping = 1;
	qsi.until = until;
	qsi_unlock();
	ppoll(&pfd, 1, until == INPROC_NEVER ? NULL : &ts, NULL);
	qsi_lock();
	if (qsi.thread != thread)
		return;
	qsi.sleeping = 0;
	take_events();
}

/* Not while the wire is busy anyway. */
void qsi_wake(void)
{
	if (!qsi.sleeping)
		return;
	if (qsi.core->rate && qsi.until == qsi.core->free_at)
		return;
	if (qsi_own() && qsi.sleeping)
		eventfd_write(qsi.event, 1);
	qsi.sleeping = 0;
}

/* ---- the thread */

static void turn(void)
{
	__u64 answer, now = qsi_now();
	unsigned int thread = qsi.thread;

	if (qsi.drop)
		drop_all();
	if (qsi.dead)
		push_dead();
	end_closing(now);
	answer = collect(now);
	if (batch.n || batch.spent)
		send_batch();
	else if (QS_DEQ_OP(answer) == QS_DEQ_WAIT)
		sleep_until(qsi.core->wake);
	else if (QS_DEQ_OP(answer) == QS_DEQ_EMPTY)
		sleep_until(INPROC_NEVER);
	if (qsi.blocked && qsi.thread == thread)
		take_events();
}

/* Timers of a plain thread are 50 us late, and so would be its messages. */
static void *run(void *unused)
{
	unsigned int thread;

	(void)unused;
	prctl(PR_SET_NAME, "qsockets");
	prctl(PR_SET_TIMERSLACK, 1);
	qsi_lock();
	for (thread = qsi.thread; qsi.thread == thread;)
		turn();
	qsi_unlock();
	return NULL;
}

/* The application's signals are not for such a thread. */
static int create(void *(*start)(void *), void *data)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, start, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

static void *close_slowly(void *fd)
{
	close((int)(intptr_t)fd);
	return NULL;
}

/* With SO_LINGER close() waits, and neither the lock nor this thread may. */
void qsi_close_lingering(int fd)
{
	static const struct linger none;
	socklen_t len = sizeof(struct linger);
	struct linger linger = { 0 };

	if (!getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) &&
	    linger.l_onoff && linger.l_linger) {
		if (!create(close_slowly, (void *)(intptr_t)fd))
			return;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	}
	close(fd);
}

/* ---- descriptors of our own */

#define HIGH 700 /* below the usual limit, 1024 */

int qsi_high(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
	if (high < 0)
		return fd;
	qs_close(&fd);
	return high;
}

static int open_events(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct stat st;

	if (qsi.guard >= 0)
		return 0;
	qsi.event = qsi_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	qsi.epoll = qsi_high(epoll_create1(EPOLL_CLOEXEC));
	qsi.guard = qsi_high(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (qsi.event < 0 || qsi.epoll < 0 || qsi.guard < 0 ||
	    epoll_ctl(qsi.epoll, EPOLL_CTL_ADD, qsi.event, &event) ||
	    fstat(qsi.guard, &st))
		return errno;
	qsi.guard_dev = st.st_dev;
	qsi.guard_ino = st.st_ino;
	return 0;
}

static void close_events(void)
{
	qs_close(&qsi.event);
	qs_close(&qsi.epoll);
	qs_close(&qsi.guard);
	qsi.event = qsi.epoll = qsi.guard = -1;
}

void qsi_open_own(void)
{
	if (open_events())
		close_events();
}

/* Their numbers may be others' now: they are only forgotten. */
static void forget_descriptors(void)
{
	struct inproc_sock *sock;

	qsi.event = qsi.epoll = qsi.guard = -1;
	qsi.blocked = 0;
	for (sock = qsi.socks; sock; sock = sock->next) {
		sock->watch = -1;
		if (sock->dup >= 0 && !qsi_same(sock, sock->dup))
			sock->dup = -1;
		if (sock->blocked && !sock->direct && qsi_stream(sock))
			qsi.sched->ops->resume(qsi.core, sock->stream,
					       qsi_now());
		sock->blocked = 0;
	}
}

/* What the application has closed itself is lost with its messages. */
static void hold_again(void)
{
	struct inproc_sock *sock;

	for (sock = qsi.socks; sock; sock = sock->next) {
		if (!sock->messages || sock->dup >= 0)
			continue;
		if (qsi_hold_fd(sock)) {
			sock->dead = 1;
			qsi.dead = 1;
		} else if (sock->first) {
			qsi_block(sock);
		}
	}
}

/* A thread that sleeps cannot be woken any more: another takes its place. */
static void replace_thread(void)
{
	if (!qsi.running || !qsi.sleeping)
		return;
	qsi.thread++;
	qsi.sleeping = 0;
	qsi.running = !create(run, NULL);
}

bool qsi_guarded(void)
{
	struct stat st;

	return !fstat(qsi.guard, &st) && st.st_dev == qsi.guard_dev &&
	       st.st_ino == qsi.guard_ino;
}

bool qsi_own(void)
{
	if (qsi.guard < 0 || qsi_guarded()) /* or none is open */
		return true;
	forget_descriptors();
	qsi_open_own();
	hold_again();
	replace_thread();
	return qsi.guard >= 0;
}

/* Programs that are linked statically throughout have none of these. */
#pragma weak dlopen
#pragma weak dladdr

/*
 * The thread's code must not be unmapped with a plug-in that links the static
 * library; the shared one is marked nodelete.
 */
static void stay_mapped(void)
{
	Dl_info info;

	if (dlopen && dladdr && dladdr(&qsi, &info) && info.dli_fname)
		dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

int qsi_start(void)
{
	int err;

	if (qsi.running)
		return 0;
	qsi_prepare();
	stay_mapped();
	err = open_events();
	if (!err)
		err = create(run, NULL);
	if (!err) {
		qsi.running = 1;
		return 0;
	}
	close_events();
	/* EAGAIN is "try again", and a queue that is full */
	return qs_fail(err == EAGAIN ? ENOMEM : err,
		       "cannot start the thread that sends: %s", strerror(err));
}
