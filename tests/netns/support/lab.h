/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests in network namespaces share: a sender and a receiver, two
 * namespaces joined by pairs of devices. The program is in the sender's; its
 * sinks are in the receiver's. Device n is called eth<n> in both.
 *
 * A failure of any of these ends the test. Children of a test must not use
 * what can fail so: they use the calls alone, and _exit().
 */
#ifndef QS_TESTS_LAB_H
#define QS_TESTS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/types.h>

#include <qsockets.h>

#define LAB_DEVICES 3
#define LAB_USER 65534 /* who has no privilege */
#define LAB_PATIENCE_NS 30000000000ll /* until a test gives up waiting */
#define LAB_COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- the engine */

/* Whose tests these are, by QSOCKETS_ENGINE: QOS_ENGINE_*; the kernel's if unset. */
unsigned int lab_engine(void);

/* Runs the tests but for those that the engine is excused from (excuses.h). */
#define lab_run(group, tests, set_up, tear_down) \
	lab_run_tests(group, tests, LAB_COUNT(tests), set_up, tear_down)
int lab_run_tests(const char *group, const struct CMUnitTest *tests, size_t n,
		  CMFixtureFunction set_up, CMFixtureFunction tear_down);

/* ---- the lab */

/* Makes the namespaces and `devices` pairs; once in a program, as root. */
void lab_up(int devices);

/* Runs a shell's command as root in the sender's namespace; it must succeed. */
void lab_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The program's and its children's namespace: the sender's again, or another. */
void lab_enter_sender(void);
void lab_enter_receiver(void);

/* qsockinit_device() and qsockfini(), as root. */
void lab_init(const char *dev, const struct qos_device *device);
void lab_fini(const char *dev);

/*
 * A process has one device of its own. Where that is the engine, it becomes this
 * one, with the settings of its lab_init(), as soon as no socket is attached to
 * another. lab_init() and lab_socket() do it too.
 */
void lab_use(const char *dev);

/* How qinfo() calls this device. */
const char *lab_name(const char *dev);

/* The whole program becomes who has no privilege, or root again. */
void lab_be_user(void);
void lab_be_root(void);

/* ---- sockets */

union lab_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};
socklen_t lab_address_size(const union lab_address *address);

/* A socket of the receiver's, bound to its address on device n, with time
 * stamps; `to` is how the sender calls it. */
int lab_sink(int family, int type, int protocol, int n, union lab_address *to);

/* The next message's length; `when` is when it arrived, ns of CLOCK_REALTIME,
 * or NULL. Fails when none comes. */
ssize_t lab_receive(int fd, void *buf, size_t size, int64_t *when);

/* Sends one message, which must work. */
void lab_send(int fd, const void *buf, size_t len, struct packet_flags *pflags,
	      const union lab_address *to);

/* Is there no message, now? */
int lab_is_empty(int fd);

/* ---- streams */

/* A scheduler's parameters; attr is NULL for its defaults. */
struct qos_params lab_params(const char *dev, struct q_dwcs_attr *attr);

/* A socket that is attached so. */
int lab_socket(int domain, int type, const char *dev, struct q_dwcs_attr *attr);

struct qos_info lab_info(int fd);

/* The streams that "qsock show" has for a device of this namespace. Where the
 * device is the process's, its descriptors that are attached. */
int lab_streams(const char *dev);

/* The same of those whose socket is closed. Nobody shows these where the device is
 * the process's. */
int lab_closed_streams(const char *dev);

/* ---- time */

int64_t lab_now(void); /* CLOCK_MONOTONIC, ns */
int64_t lab_real_now(void);
void lab_pause_until(int64_t when); /* of lab_now() */

/* Waits until the condition holds; fails when it does not in time. */
#define lab_until(condition)                                                 \
	do {                                                                 \
		int64_t lab_start = lab_now();                               \
		while (!(condition))                                         \
			lab_wait(lab_start, #condition, __FILE__, __LINE__); \
	} while (0)
void lab_wait(int64_t start, const char *condition, const char *file, int line);

/* ---- calls that must fail */

/* The call failed with this errno and a sentence. */
#define assert_call_fails(call, error)                      \
	do {                                                \
		errno = 0;                                  \
		assert_int_equal(call, -1);                 \
		lab_check_error(error, __FILE__, __LINE__); \
	} while (0)
void lab_check_error(int error, const char *file, int line);

#define assert_call_succeeds(call)                                \
	do {                                                      \
		if ((call) < 0)                                   \
			lab_fail_call(#call, __FILE__, __LINE__); \
	} while (0)
void lab_fail_call(const char *call, const char *file, int line);

/* ---- processes */

/* A child, who is LAB_USER; what it returns is its status. */
pid_t lab_fork(int (*child)(void *), void *data);

/* Its status; -signal when it was killed. */
int lab_join(pid_t child);

#endif
