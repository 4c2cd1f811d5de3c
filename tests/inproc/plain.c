/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a plain socket does an attached one does too, or says at once that it
 * does not: numbers used again, bytes before a FIN, errors of one message among
 * several, flags, bad addresses, an error that waits for SO_ERROR.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/loop.h"

static struct q_dwcs_attr edf;
static struct q_dwcs_attr paced = {
	.ipg = 20000,
	.stream_flags = DWCS_NON_DROPPABLE,
};

/* ---- a number that is another socket's by now */

static int listener(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

/* Not attached. */
static void plain_connection(int fd[2])
{
	struct sockaddr_in at;
	int server = listener(&at);

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof(at)), 0);
	fd[1] = accept(server, NULL, NULL);
	assert_true(fd[1] >= 0);
	close(server);
}

static size_t read_all(int fd)
{
	static char room[65536];
	size_t n = 0;
	ssize_t k;

	while ((k = recv(fd, room, sizeof(room), 0)) > 0)
		n += k;
	assert_int_equal(k, 0);
	return n;
}

static void a_connection_that_got_the_number_is_not_attached(void **state)
{
	static char bytes[65000];
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf), tcp[2];

	(void)state;
	loop_send(fd, 'a', 1, 0, 0);
	loop_expect(sink, "a");
	plain_connection(tcp);
	assert_int_equal(dup2(tcp[0], fd), fd);
	close(tcp[0]);
	assert_int_equal(qsend(fd, bytes, sizeof(bytes), 0, NULL),
			 sizeof(bytes));
	assert_int_equal(qclose(fd), 0);
	assert_int_equal(read_all(tcp[1]), sizeof(bytes));
	close(tcp[1]);
	close(sink);
}

/* ---- bytes before a FIN */

#define LONG (1u << 20)

static char many[LONG];

static void qshutdown_sends_what_is_queued(void **state)
{
	static const int ways[] = { SHUT_WR, SHUT_RDWR };
	size_t k;
	int fd[2];

	(void)state;
	for (k = 0; k < 2; k++) {
		loop_connection(fd, &edf);
		assert_int_equal(qsend(fd[0], many, LONG, 0, NULL), LONG);
		assert_int_equal(qshutdown(fd[0], ways[k]), 0);
		assert_call_fails(qsend(fd[0], "x", 1, MSG_NOSIGNAL, NULL),
				  EPIPE);
		assert_int_equal(read_all(fd[1]), LONG);
		assert_call_fails(qsend(fd[0], "x", 1, MSG_NOSIGNAL, NULL),
				  EPIPE);
		close(fd[1]);
		assert_int_equal(qclose(fd[0]), 0);
	}
}

static void qshutdown_and_qclose_lose_nothing(void **state)
{
	int fd[2];

	(void)state;
	loop_connection(fd, &edf);
	assert_int_equal(qsend(fd[0], many, LONG, 0, NULL), LONG);
	assert_int_equal(qshutdown(fd[0], SHUT_WR), 0);
	assert_int_equal(qclose(fd[0]), 0);
	assert_int_equal(read_all(fd[1]), LONG);
	close(fd[1]);
}

static void qshutdown_of_others_is_shutdown(void **state)
{
	int fd[2];

	(void)state;
	plain_connection(fd);
	assert_int_equal(qshutdown(fd[0], SHUT_WR), 0);
	assert_int_equal(read_all(fd[1]), 0);
	assert_call_fails(qshutdown(fd[0], 99), EINVAL);
	assert_call_fails(qshutdown(-1, SHUT_WR), EBADF);
	close(fd[0]);
	close(fd[1]);
	assert_call_fails(qshutdown(STDIN_FILENO, SHUT_WR), ENOTSOCK);
}

static void a_plain_shutdown_with_a_queue_is_told_of(void **state)
{
	int64_t start = loop_now();
	int fd[2];

	(void)state;
	loop_connection(fd, &edf);
	assert_int_equal(qsend(fd[0], many, LONG, 0, NULL), LONG);
	assert_int_equal(shutdown(fd[0], SHUT_WR), 0);
	assert_true(read_all(fd[1]) < LONG);
	while (qsend(fd[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT, NULL) == 1)
		loop_wait(start, "an error", __FILE__, __LINE__);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(qclose(fd[0]), 0);
	close(fd[1]);
}

/* ---- one message among several */

static struct qmmsghdr messages[3];
static struct iovec parts[3];

static void prepare(char *first)
{
	int k;

	memset(messages, 0, sizeof(messages));
	for (k = 0; k < 3; k++) {
		parts[k].iov_base = first + k;
		parts[k].iov_len = 1;
		messages[k].msg_hdr.msg_iov = &parts[k];
		messages[k].msg_hdr.msg_iovlen = 1;
	}
}

static void expect_the_first_alone(const struct q_dwcs_attr *attr)
{
	static char ids[] = "abc";
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, attr);

	prepare(ids);
	parts[1].iov_base = (void *)8;
	assert_int_equal(qsendmmsg(fd, messages, 3, 0), 1);
	assert_int_equal(messages[0].msg_len, 1);
	assert_call_fails(qsendmmsg(fd, messages + 1, 2, 0), EFAULT);
	prepare(ids);
	parts[1].iov_base = many;
	parts[1].iov_len = 70000;
	assert_int_equal(qsendmmsg(fd, messages, 3, 0), 1);
	assert_call_fails(qsendmmsg(fd, messages + 1, 2, 0), EMSGSIZE);
	prepare(ids);
	assert_int_equal(qsendmmsg(fd, messages, 3, 0), 3);
	loop_expect(sink, "aaabc");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void a_bad_message_ends_a_batch_before_it(void **state)
{
	(void)state;
	expect_the_first_alone(&edf);
	expect_the_first_alone(&paced);
}

/* Nobody may send there without SO_BROADCAST. */
static void a_message_to_nowhere_does_not_fail_the_next(void **state)
{
	static const struct q_dwcs_attr *const attrs[] = { &edf, &paced };
	static char ids[] = "abc";
	struct sockaddr_in at, nowhere;
	int sink, fd, k, n;

	(void)state;
	for (n = 0; n < 2; n++) {
		sink = loop_sink(&at);
		nowhere = at;
		nowhere.sin_addr.s_addr = htonl(INADDR_BROADCAST);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		assert_int_equal(loop_attach(fd, attrs[n]), 0);
		prepare(ids);
		for (k = 0; k < 3; k++) {
			messages[k].msg_hdr.msg_name = k == 1 ? &nowhere : &at;
			messages[k].msg_hdr.msg_namelen = sizeof(at);
		}
		k = qsendmmsg(fd, messages, 3, 0);
		assert_int_equal(k, n ? 3 : 1);
		assert_int_equal(qsendto(fd, "d", 1, 0, (struct sockaddr *)&at,
					 sizeof(at), NULL),
				 1);
		loop_until(!loop_info(fd).backlog_packets);
		assert_int_equal(qsendto(fd, "e", 1, 0, (struct sockaddr *)&at,
					 sizeof(at), NULL),
				 1);
		loop_expect(sink, n ? "acde" : "ade");
		assert_int_equal(qclose(fd), 0);
		close(sink);
	}
}

/* ---- flags */

static void flags_that_a_queue_cannot_have_are_refused(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf), one = 1;

	(void)state;
	assert_int_equal(qsend(fd, "a", 1, MSG_ZEROCOPY, NULL), 1);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), 0);
	assert_call_fails(qsend(fd, "b", 1, MSG_ZEROCOPY, NULL), EOPNOTSUPP);
	assert_call_fails(qsend(fd, "b", 1, MSG_MORE, NULL), EOPNOTSUPP);
	assert_call_fails(qsend(fd, "b", 1, MSG_OOB, NULL), EOPNOTSUPP);
	assert_int_equal(qsend(fd, "c", 1, MSG_CONFIRM | MSG_DONTROUTE, NULL),
			 1);
	loop_expect(sink, "ac");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void fastopen_connects(void **state)
{
	struct packet_flags pf = { .deadline = loop_now() + 1000 * LOOP_MS };
	struct sockaddr_in at;
	int server = listener(&at), fd, peer, k;
	char byte = 0;

	(void)state;
	for (k = 0; k < 2; k++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(loop_attach(fd, &edf), 0);
		assert_int_equal(qsendto(fd, "f", 1, MSG_FASTOPEN,
					 (struct sockaddr *)&at, sizeof(at),
					 k ? &pf : NULL),
				 1);
		peer = accept(server, NULL, NULL);
		assert_int_equal(recv(peer, &byte, 1, 0), 1);
		assert_int_equal(byte, 'f');
		close(peer);
		assert_int_equal(qclose(fd), 0);
	}
	close(server);
}

/* ---- bad addresses */

static void expect_faults(int fd)
{
	char *gone =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { .iov_base = many, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct packet_flags pf = { .drop_flag = QSOCK_PRIO(1) };

	assert_call_fails(qsend(fd, NULL, 10, MSG_DONTWAIT, NULL), EFAULT);
	assert_call_fails(qsend(fd, gone, 10, MSG_DONTWAIT, &pf), EFAULT);
	assert_call_fails(qsend(fd, (void *)-8, 4, MSG_DONTWAIT, &pf), EFAULT);
	iov.iov_base = gone;
	assert_call_fails(qsendmsg(fd, &msg, MSG_DONTWAIT, &pf), EFAULT);
	iov.iov_base = many;
	msg.msg_control = gone;
	msg.msg_controllen = 64;
	assert_call_fails(qsendmsg(fd, &msg, MSG_DONTWAIT, &pf), EFAULT);
	msg.msg_control = NULL;
	msg.msg_controllen = 0;
	msg.msg_iov = (struct iovec *)gone;
	assert_call_fails(qsendmsg(fd, &msg, MSG_DONTWAIT, &pf), EFAULT);
	munmap(gone, 4096);
}

static void bad_addresses_are_faults(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf), tcp[2];

	(void)state;
	expect_faults(fd);
	assert_int_equal(qclose(fd), 0);
	fd = loop_sender(&at, &paced);
	loop_send(fd, 'a', 1, 0, 0);
	loop_send(fd, 'b', 1, 0, 0);
	expect_faults(fd); /* which would be queued */
	loop_expect(sink, "ab");
	assert_int_equal(qclose(fd), 0);
	close(sink);
	loop_connection(tcp, &edf);
	expect_faults(tcp[0]);
	loop_send(tcp[0], 'c', 1, 0, 0);
	assert_int_equal(qclose(tcp[0]), 0);
	assert_int_equal(read_all(tcp[1]), 1);
	close(tcp[1]);
}

/* ---- an error that waits to be asked for */

/* A listener with a full queue answers no further SYN until it is closed, and
 * then refuses the one that is sent again. */
static void a_refused_connection_keeps_its_error(void **state)
{
	struct pollfd pfd = { .events = POLLOUT };
	struct sockaddr_in at;
	int server = listener(&at), fd[4], k, error = 0;
	socklen_t len = sizeof(error);

	(void)state;
	for (k = 0; k < 4; k++) {
		fd[k] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd[k], (struct sockaddr *)&at, sizeof(at)))
			assert_int_equal(errno, EINPROGRESS);
	}
	pfd.fd = fd[3];
	assert_int_equal(poll(&pfd, 1, 0), 0); /* not connected */
	assert_int_equal(loop_attach(fd[3], &edf), 0);
	assert_int_equal(qsend(fd[3], "x", 1, 0, NULL), 1);
	close(server);
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	loop_until(!loop_info(fd[3]).backlog_packets);
	assert_int_equal(getsockopt(fd[3], SOL_SOCKET, SO_ERROR, &error, &len),
			 0);
	assert_int_equal(error, ECONNREFUSED);
	for (k = 0; k < 4; k++)
		qclose(fd[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_connection_that_got_the_number_is_not_attached),
		cmocka_unit_test(qshutdown_sends_what_is_queued),
		cmocka_unit_test(qshutdown_and_qclose_lose_nothing),
		cmocka_unit_test(qshutdown_of_others_is_shutdown),
		cmocka_unit_test(a_plain_shutdown_with_a_queue_is_told_of),
		cmocka_unit_test(a_bad_message_ends_a_batch_before_it),
		cmocka_unit_test(a_message_to_nowhere_does_not_fail_the_next),
		cmocka_unit_test(flags_that_a_queue_cannot_have_are_refused),
		cmocka_unit_test(fastopen_connects),
		cmocka_unit_test(bad_addresses_are_faults),
		cmocka_unit_test(a_refused_connection_keeps_its_error),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
