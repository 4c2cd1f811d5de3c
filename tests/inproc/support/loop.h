/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the in-process engine share: sockets over the loopback
 * device. Who runs them has no privilege: root becomes nobody at first. A
 * failure of any of these ends the test.
 */
#ifndef QS_TESTS_LOOP_H
#define QS_TESTS_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/types.h>

#include <qsockets.h>

#define LOOP_USER 65534
#define LOOP_MS 1000000ll /* ns */
#define LOOP_PATIENCE_NS (30000 * LOOP_MS)

/* Becomes LOOP_USER, for good, if it can. */
void loop_be_user(void);

/* qsockinit_device() of the process's device; nothing may be attached, and what
 * is queued leaves first. */
void loop_init(const char *sched, uint64_t rate, uint32_t packets);

/* A receiver of datagrams, and a sender that is attached and connected to it. */
int loop_sink(struct sockaddr_in *at);
int loop_sender(const struct sockaddr_in *to, const struct q_dwcs_attr *attr);

/* A TCP connection: [0] is attached, [1] receives into a small buffer. */
void loop_connection(int fd[2], const struct q_dwcs_attr *attr);

int loop_attach(int fd, const struct q_dwcs_attr *attr);
struct qos_info loop_info(int fd);

/* Sends so many bytes of `id`, which must work; the deadline is ns from now. */
void loop_send(int fd, char id, size_t len, uint32_t flags, int64_t deadline);

/* The first byte of the next message, and its length; waits. */
char loop_receive(int fd, ssize_t *len);

/* Receives as many messages as there are letters, which must be those. */
void loop_expect(int fd, const char *ids);
int loop_is_empty(int fd);

int64_t loop_now(void);

/* Waits until the condition holds. */
#define loop_until(condition)                                                  \
	do {                                                                   \
		int64_t loop_start = loop_now();                               \
		while (!(condition))                                           \
			loop_wait(loop_start, #condition, __FILE__, __LINE__); \
	} while (0)
void loop_wait(int64_t start, const char *condition, const char *file,
	       int line);

#define assert_call_fails(call, error)          \
	do {                                    \
		errno = 0;                      \
		assert_int_equal(call, -1);     \
		assert_int_equal(errno, error); \
		assert_true(*qsock_errmsg());   \
	} while (0)

#endif
