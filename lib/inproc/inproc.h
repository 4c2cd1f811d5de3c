/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The in-process engine: the scheduler above the protocol stack. Calls queue
 * messages in a core of this process, and one thread sends them in its order.
 *
 * A message that nothing is before goes straight to the stack, by the thread
 * that brought it.
 *
 * One lock, qsi.lock, for everything: it is the core's root lock and its
 * manager's. Functions here are called with it held unless said otherwise; who
 * sends lets it go meanwhile, and a call while it copies a message or waits for
 * room. Only one thread sends on a socket at a time: a call while `direct` is
 * set, whose stream is held so long, else the engine's. So who has the lock may
 * look at the queue of a socket being sent on, but leaves the first pending
 * message to the thread.
 */
#ifndef QS_LIB_INPROC_H
#define QS_LIB_INPROC_H

#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "lib/internal.h"

#define INPROC_NEVER UINT64_MAX
#define INPROC_NSEC_PER_SEC 1000000000ull
#define INPROC_EXIT_NS INPROC_NSEC_PER_SEC /* for what is queued at exit() */
#define INPROC_DETACH_NS \
	INPROC_NSEC_PER_SEC /* at qdetach(), of a byte stream */
#define INPROC_CLOSE_NS (10 * INPROC_NSEC_PER_SEC) /* after qclose() */
/* What one socket may queue; a longer message only when there is nothing else,
 * up to the second figure. */
#define INPROC_QUEUE_BYTES (4u << 20)
#define INPROC_MESSAGE_MAX (16u << 20)

struct inproc_sock;

/* A message, copied: its control messages, its address, its bytes. */
struct inproc_message {
	struct inproc_message *next; /* of those that the stack shall take */
	struct inproc_sock *sock;
	size_t len, done; /* bytes; those that the stack took */
	size_t control; /* bytes */
	socklen_t name; /* bytes */
	int flags;
	int unsent; /* the stack had no room */
	int error; /* of it, or of one that was sent along with it */
	_Alignas(struct cmsghdr) char room[];
};

/*
 * An attached socket, and one that was while its messages are there. It is freed
 * when it is in no table, has no message, and nobody uses it.
 */
struct inproc_sock {
	struct inproc_sock *next; /* all of them */
	struct inproc_sock **link;
	struct inproc_sock *next_closing;
	__u64 closing_until; /* ns */
	int fd; /* the application's */
	dev_t dev; /* by these two is it told from another one of that number */
	ino_t ino;
	int family;
	int bytes; /* a byte stream, such as TCP */
	__u32 header; /* of its own, that of UDP, bytes */
	int lowat; /* TCP_NOTSENT_LOWAT was set by us */
	int attached; /* in the table */
	int gone; /* attached, but the device was given back */
	int users; /* calls and the thread, between two times with the lock */
	int direct; /* a call is sending on it: its stream is held */
	/* bytes that a datagram socket takes for sure, as it was writable */
	ssize_t credit;
	int dup; /* keeps it open while it has messages; else -1 */
	int blocked; /* takes nothing now: its stream is held */
	int dead; /* its messages are not sent any more */
	int error; /* for the next call */
	int fin; /* of qshutdown(): no more is taken, the FIN follows the queue */
	__u32 stream, gen;
	__u32 messages; /* in the core, and after it */
	size_t queued; /* bytes of these */
	struct inproc_message *first,
		*last; /* the stack did not take them yet */
	__u64 rate_at, rate_bytes,
		rate; /* when it was found last, for qinfo() */
	__u32 unit_bytes; /* declared by qreserve() */
	int watch; /* readable when there are fates; else -1 */
	int told; /* it is */
};

struct qsi {
	pthread_mutex_t lock;
	pthread_cond_t left; /* a message left, for who waits */
	__u32 waiting;
	/* the device: none before the first init or attach */
	const struct qs_sched *sched;
	struct qs_core *core;
	struct inproc_message **message; /* by slot */
	struct qs_dev dev;
	int initialised; /* by qsockinit(), and not by an attachment */
	int over; /* by qsockfini(): it is made anew before it is used */
	/* sockets */
	struct inproc_sock **table; /* by fd */
	int fds; /* its size */
	struct inproc_sock *socks;
	struct inproc_sock *closing, **closing_end; /* the first to end first */
	__u32 messages;
	__u32 blocked; /* sockets */
	/* the thread */
	int running;
	int drop; /* it shall drop all that is queued */
	int dead; /* it shall look for sockets that are */
	int sleeping; /* wake it by `event` */
	__u64 until; /* when it would by itself */
	int event, epoll;
	unsigned int thread; /* counts them: an older one ends */
	/* A socket, which has an identity; what closes it closes all of ours. */
	int guard;
	dev_t guard_dev;
	ino_t guard_ino;
};

extern struct qsi qsi;

static inline void qsi_lock(void)
{
	pthread_mutex_lock(&qsi.lock);
}

static inline void qsi_unlock(void)
{
	pthread_mutex_unlock(&qsi.lock);
}

/*
 * What every call begins and ends with, besides the lock: the thread cannot be
 * cancelled in between, and a signal handler that interrupts it cannot call again
 * (-EDEADLK, with a sentence).
 */
int qsi_enter(void);
void qsi_leave(void);

/* As qsi_enter() found it. */
int qsi_cancel_state(void);

/* ns of CLOCK_MONOTONIC. Without the lock, too. */
__u64 qsi_now(void);
struct timespec qsi_timespec(__u64 ns);

/* Waits until a message leaves, or that time: -ETIMEDOUT. */
int qsi_wait_left(__u64 until);

/* ---- socket.c */

/* The socket's, or NULL: it is not attached, or another one by now. */
struct inproc_sock *qsi_find(int fd);

/* By its number alone. */
static inline struct inproc_sock *qsi_look(int fd)
{
	return fd >= 0 && fd < qsi.fds ? qsi.table[fd] : NULL;
}

/* Is this one it? */
int qsi_same(const struct inproc_sock *sock, int fd);
int qsi_sock_new(int fd, struct inproc_sock **made);
struct qs_stream *qsi_stream(const struct inproc_sock *sock);

/* Gives its stream back; what is queued leaves as scheduled. */
void qsi_give_back(struct inproc_sock *sock);

/* The same, and it is not attached any more. */
void qsi_forget(struct inproc_sock *sock);

/* Forgets those that were closed behind our back; returns how many. */
int qsi_sweep(void);

/* Frees it, if nothing is left of it. */
void qsi_sock_put(struct inproc_sock *sock);

/* Keeps the socket open. */
int qsi_hold_fd(struct inproc_sock *sock);
void qsi_drop_fd(struct inproc_sock *sock);

/* Without the lock, too. */
int qsi_writable(int fd);

/*
 * True if a connection takes bytes, now or once it is there. What it says of
 * an error is left to the socket: the plain call tells the caller.
 */
int qsi_open(int fd);

/* Closes a descriptor that may be a connection's last, and linger, elsewhere. */
void qsi_close_lingering(int fd);

/* Finds how much the socket takes, by a descriptor of it; 0: nothing. */
int qsi_credit(struct inproc_sock *sock, int fd);

/* What a message takes of that. */
size_t qsi_cost(size_t len);

/* The socket takes nothing now; its stream is held until it does. */
void qsi_block(struct inproc_sock *sock);
void qsi_unblock(struct inproc_sock *sock);

/* Its stream may have come back into a tree. */
void qsi_hold(const struct inproc_sock *sock);

/* ---- stack.c */

struct inproc_sent {
	unsigned int done; /* sent, or lost; there is no room for what is left */
	unsigned int lost;
	int error; /* the last one */
};

/* As sendmmsg(): how many were sent, and what the next one met. No lock. */
unsigned int qsi_send_plain(int fd, struct mmsghdr *hdr, unsigned int n,
			    int flags, int *err);

/*
 * Sends n messages on a datagram socket, without the lock, and without waiting.
 * An error that the socket has may be of a message before, and is told once: so
 * each is tried again.
 */
void qsi_send(int fd, struct mmsghdr *hdr, unsigned int n, int flags,
	      struct inproc_sent *sent);

/* ---- direct.c */

/*
 * Sends what nothing is before: returns how many messages are done with, or
 * -Exxx of the first. `sock` has the caller as a user. 0: the first is to be
 * queued, or, if the socket is not attached any more, not ours.
 */
int qsi_direct(struct inproc_sock *sock, struct qs_outgoing *o, unsigned int n,
	       int flags);

/* ---- queue.c */

/* How each message is sent: the memory is ours, so no zero-copy. */
#define INPROC_FLAGS(flags) \
	(((flags) & ~MSG_ZEROCOPY) | MSG_DONTWAIT | MSG_NOSIGNAL)

/* Its length, or -Exxx: it can never be sent. */
ssize_t qsi_length(const struct inproc_sock *sock, const struct msghdr *msg);

/* A copy, or NULL: *err says why. Without the lock, too. */
struct inproc_message *qsi_copy(const struct msghdr *msg, size_t len, int flags,
				int *err);

/* What the core is told of it. */
void qsi_describe(const struct inproc_sock *sock, struct qs_packet *p,
		  size_t len, __u64 bits, __u64 now);

/* The socket has another message. */
void qsi_message_add(struct inproc_sock *sock, struct inproc_message *m);

/* Of a message that is in the core, or was. */
void qsi_message_free(struct inproc_message *m);

/* The message of a slot that the core gave back. */
struct inproc_message *qsi_take(__u32 slot);

/* Gives back streams that were detached and whose queue is empty now. */
void qsi_settle(void);

/* ---- thread.c */

/* The socket has no room for a message that the core let go. */
void qsi_pend(struct inproc_sock *sock, struct inproc_message *m);

/* Starts the thread unless there is one. */
int qsi_start(void);

/*
 * The engine's descriptors are still its own, or were opened again: an
 * application may close all that it does not know (closefrom(3)), and have their
 * numbers for other things. Before any of them is used. False: they could not be
 * opened again.
 */
bool qsi_own(void);

/* The same without opening any. */
bool qsi_guarded(void);

/* What qsi_start() opens, before it; there may be no descriptor left. */
void qsi_open_own(void);

/* Moves a descriptor to where open() gives no number soon. */
int qsi_high(int fd);

/* There may be something to do before the thread would look. */
void qsi_wake(void);

/* Has the thread drop all that is queued. */
void qsi_drop_all(void);

/* In a child: what the parent's thread was sending. */
void qsi_thread_forget(void);

/* ---- watch.c */

/* There may be fates or events for who asked for them. */
void qsi_tell(struct inproc_sock *sock);
void qsi_watch_end(struct inproc_sock *sock);

/* ---- admit.c */

/* As schedulers/common/admit.h; what was declared before counts when it attaches. */
int qsi_admit(struct inproc_sock *sock, __u32 bytes,
	      const struct qs_attr *attr);
__u32 qsi_declared(int fd);
void qsi_undeclare(int fd);

/* ---- process.c */

/* Once in a process: what fork() and exit() do. */
void qsi_prepare(void);

#endif
