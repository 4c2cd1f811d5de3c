/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which engine serves, errors that come later, descriptors that were closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/loop.h"

static struct q_dwcs_attr edf;

static void who_runs_this_has_no_capability(void **state)
{
	char line[128];
	unsigned long long caps = 1;
	FILE *f = fopen("/proc/self/status", "re");

	(void)state;
	if (!f)
		fail();
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapEff:", 7))
			caps = strtoull(line + 7, NULL, 16);
	if (f)
		fclose(f);
	assert_int_equal(caps, 0);
}

static void qinfo_says_who_schedules(void **state)
{
	struct q_dwcs_attr attr = { .oln = 1, .old = 3, .ipg = 1000 };
	struct sockaddr_in at;
	struct qos_info info;
	int sink = loop_sink(&at), fd = loop_sender(&at, &attr);

	(void)state;
	loop_send(fd, 'x', 100, DWCS_NON_DROPPABLE, 0);
	loop_expect(sink, "x");
	loop_until(loop_info(fd).sent_units == 1);
	info = loop_info(fd);
	assert_int_equal(info.engine, QOS_ENGINE_INPROC);
	assert_int_equal(info.exact, 0);
	assert_int_equal(info.state, QOS_STATE_ATTACHED);
	assert_string_equal(info.dev, "inproc");
	assert_string_equal(info.name, "dwcs");
	assert_int_equal(info.oln, 1);
	assert_int_equal(info.old, 3);
	assert_int_equal(info.sent_bytes, 142);
	assert_int_equal(info.backlog_packets, 0);
	assert_true(info.sndbuf > 0);
	assert_int_equal(qdetach(fd), 0);
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	close(fd);
	close(sink);
}

static void the_environment_chooses(void **state)
{
	struct qos_params params = { .dev = "nodev0", .name = "dwcs" };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	setenv("QSOCKETS_ENGINE", "kernel", 1);
	strcpy(params.dev, "inproc");
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(
		strstr(qsock_errmsg(), "dev \"inproc\" does not exist"));
	setenv("QSOCKETS_ENGINE", "managed", 1);
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	strcpy(params.dev, "lo");
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "qsock init lo dwcs"));
	*params.dev = 0;
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	strcpy(params.dev, "inproc");
	setenv("QSOCKETS_ENGINE", "steam", 1);
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "steam"));
	setenv("QSOCKETS_ENGINE", "inproc", 1);
	strcpy(params.dev, "nodev0");
	assert_int_equal(qattach(fd, &params), 0);
	assert_call_fails(qattach(fd, &params), EALREADY);
	assert_int_equal(loop_info(fd).engine, QOS_ENGINE_INPROC);
	unsetenv("QSOCKETS_ENGINE");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void every_call_sends(void **state)
{
	struct sockaddr_in at;
	struct packet_flags pf = { .deadline = loop_now() + 5000 * LOOP_MS };
	struct iovec iov[2] = { { "c", 1 }, { "cc", 2 } };
	struct msghdr msg = { .msg_name = &at,
			      .msg_namelen = sizeof(at),
			      .msg_iov = iov,
			      .msg_iovlen = 2 };
	struct qmmsghdr msgs[2] = { { .msg_hdr = msg }, { .msg_hdr = msg } };
	int sink = loop_sink(&at), fd = socket(AF_INET, SOCK_DGRAM, 0);
	ssize_t len;

	(void)state;
	assert_int_equal(loop_attach(fd, &edf), 0);
	assert_int_equal(qsendto(fd, "b", 1, 0, (struct sockaddr *)&at,
				 sizeof(at), &pf),
			 1);
	loop_expect(sink, "b");
	assert_int_equal(qsendmsg(fd, &msg, 0, NULL), 3);
	assert_int_equal(loop_receive(sink, &len), 'c');
	assert_int_equal(len, 3);
	assert_int_equal(qsendmmsg(fd, msgs, 2, 0), 2);
	assert_int_equal(msgs[1].msg_len, 3);
	loop_expect(sink, "cc");
	pf.drop_flag = 0x40000000;
	assert_call_fails(qsend(fd, "b", 1, 0, &pf), EINVAL);
	assert_call_fails(qsend(fd, "b", 17 << 20, 0, NULL), EMSGSIZE);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* Until the error is there, sending works. */
static void expect_error(int fd, int error)
{
	int64_t start = loop_now();

	while (qsend(fd, "x", 1, 0, NULL) == 1)
		loop_wait(start, "an error", __FILE__, __LINE__);
	assert_int_equal(errno, error);
	assert_non_null(strstr(qsock_errmsg(), strerror(error)));
}

static void a_refused_message_is_told_of_later(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf);

	(void)state;
	close(sink);
	expect_error(fd, ECONNREFUSED);
	assert_int_equal(qclose(fd), 0);
}

/* At once, if it can be known: as a plain call says it. */
static void a_datagram_too_long_is_refused(void **state)
{
	static char message[65508];
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf);

	(void)state;
	assert_call_fails(qsend(fd, message, sizeof(message), 0, NULL),
			  EMSGSIZE);
	assert_int_equal(qsend(fd, "y", 1, 0, NULL), 1);
	loop_expect(sink, "y");
	assert_int_equal(loop_info(fd).sent_packets, 1);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* Nothing is before the message, so the call itself sends it. */
static void what_goes_at_once_fails_at_once(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(loop_attach(fd, &edf), 0);
	assert_call_fails(qsend(fd, "x", 1, 0, NULL), EDESTADDRREQ);
	assert_int_equal(qclose(fd), 0);
}

/* Behind another one, it is the thread that finds out. */
static void what_is_sent_later_fails_later(void **state)
{
	struct q_dwcs_attr paced = { .ipg = 20000 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct packet_flags pf = { .drop_flag = DWCS_NON_DROPPABLE };

	(void)state;
	assert_int_equal(loop_attach(fd, &paced), 0);
	assert_call_fails(qsend(fd, "x", 1, 0, &pf), EDESTADDRREQ);
	assert_int_equal(qsend(fd, "y", 1, 0, &pf), 1);
	loop_until(loop_info(fd).backlog_packets == 0);
	loop_until(qsend(fd, "z", 1, 0, &pf) < 0);
	assert_int_equal(errno, EDESTADDRREQ);
	assert_int_equal(qclose(fd), 0);
}

static void another_socket_of_that_number_is_not_attached(void **state)
{
	struct sockaddr_in at, other_at;
	struct qos_info info;
	int sink = loop_sink(&at), other = loop_sink(&other_at);
	int fd = loop_sender(&at, &edf), now;

	(void)state;
	close(fd);
	now = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(now, fd);
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	assert_int_equal(qsendto(fd, "o", 1, 0, (struct sockaddr *)&other_at,
				 sizeof(other_at), NULL),
			 1);
	loop_expect(other, "o");
	assert_int_equal(loop_attach(fd, &edf), 0);
	assert_int_equal(loop_info(fd).sent_units, 0);
	assert_int_equal(qclose(fd), 0);
	close(sink);
	close(other);
}

/* Sockets that were closed leave their streams to new ones. */
static void closed_streams_are_found_when_there_is_none_left(void **state)
{
	struct qos_params params = { .dev = "inproc", .name = "dwcs" };
	struct qos_device device = { .streams = 4 };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd[5], k;

	(void)state;
	loop_until(!qsockinit_device(&params, &device, sizeof(device)));
	for (k = 0; k < 5; k++) {
		fd[k] = socket(AF_INET, SOCK_DGRAM, 0);
		assert_true(fd[k] >= 0);
		if (k < 4)
			assert_int_equal(qattach(fd[k], &params), 0);
	}
	assert_call_fails(qattach(fd[4], &params), ENOSPC);
	close(fd[2]);
	assert_int_equal(qattach(fd[4], &params), 0);
	strcpy(params.name, "vds");
	assert_call_fails(qattach(fd[2], &params), EBADF);
	assert_call_fails(qattach(sink, &params), EOPNOTSUPP);
	close(sink);
	strcpy(params.name, "dwcs");
	device.streams = 5;
	assert_call_fails(qsockinit_device(&params, &device, sizeof(device)),
			  EBUSY);
	qclose(fd[0]);
	qclose(fd[1]);
	qclose(fd[3]);
	qclose(fd[4]);
	assert_int_equal(qsockinit_device(&params, &device, sizeof(device)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_runs_this_has_no_capability),
		cmocka_unit_test(qinfo_says_who_schedules),
		cmocka_unit_test(the_environment_chooses),
		cmocka_unit_test(every_call_sends),
		cmocka_unit_test(a_refused_message_is_told_of_later),
		cmocka_unit_test(a_datagram_too_long_is_refused),
		cmocka_unit_test(what_goes_at_once_fails_at_once),
		cmocka_unit_test(what_is_sent_later_fails_later),
		cmocka_unit_test(another_socket_of_that_number_is_not_attached),
		cmocka_unit_test(
			closed_streams_are_found_when_there_is_none_left),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
