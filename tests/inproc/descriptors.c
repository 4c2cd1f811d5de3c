/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An application that closes descriptors which it does not know, and uses their
 * numbers: the engine touches none of what it has there, and works on.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loop.h"

#define LIMIT 1024 /* more than the engine's highest number */

static struct q_dwcs_attr edf;
static struct q_dwcs_attr paced = {
	.ipg = 30000,
	.stream_flags = DWCS_NON_DROPPABLE,
};

/* In the child: ends it with the line's number, which the parent prints. */
#define child_assert(condition)                \
	do {                                   \
		if (!(condition))              \
			_exit(__LINE__ % 255); \
	} while (0)

static off_t size_of(int fd)
{
	struct stat st;

	child_assert(!fstat(fd, &st));
	return st.st_size;
}

/* All numbers from `first` on but a few are a file, or an epoll instance. */
static void fill(int first, int with)
{
	int fd;

	for (fd = first; fd < LIMIT; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			child_assert(dup2(with, fd) == fd);
	for (fd = LIMIT - 40; fd < LIMIT; fd++)
		close(fd);
}

static int a_file(void)
{
	char name[] = "/tmp/qsockets-file.XXXXXX";
	int fd = mkostemp(name, O_APPEND);

	child_assert(fd >= 0 && !unlink(name));
	return fd;
}

/* The thread sleeps, or has something to send in a moment. */
static void busy(const struct sockaddr_in *to, int messages)
{
	int fd = loop_sender(to, &paced), k;

	child_assert(qwatch(fd, NULL) >= 0);
	for (k = 0; k < messages; k++)
		loop_send(fd, 'q', 1, 0, 0);
}

static void expect_work(const struct sockaddr_in *at)
{
	int fd = loop_sender(at, &paced), watch;

	watch = qwatch(fd, NULL);
	child_assert(watch >= 0);
	loop_send(fd, 'w', 1, 0, 0);
	loop_send(fd, 'x', 1, 0, 0);
	loop_send(fd, 'y', 1, 0, 0);
	loop_until(!loop_info(fd).backlog_packets);
	child_assert(!qclose(fd));
	close(watch);
}

static void in_a_child(void (*run)(const struct sockaddr_in *, int), int n)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), status;
	pid_t child = fork();

	if (!child) {
		run(&at, n);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		fail_msg("the child ended with status 0x%x", status);
	close(sink);
}

static void close_and_write(const struct sockaddr_in *at, int messages)
{
	int file;

	busy(at, messages);
	usleep(messages ? 1000 : 50000);
	closefrom(3);
	file = a_file();
	fill(3, file);
	expect_work(at);
	usleep(100000); /* what was queued would have been sent by then */
	child_assert(!size_of(file));
}

static void another_s_file_is_not_written_to(void **state)
{
	(void)state;
	in_a_child(close_and_write, 0);
	in_a_child(close_and_write, 1);
	in_a_child(close_and_write, 3);
	in_a_child(close_and_write, 50);
}

/* An epoll instance would take what is added to it, and lose its events. */
static void close_and_poll(const struct sockaddr_in *at, int messages)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pipes[2], epoll;

	busy(at, messages);
	usleep(messages ? 1000 : 50000);
	closefrom(3);
	epoll = epoll_create1(0);
	child_assert(epoll >= 0 && !pipe(pipes));
	child_assert(!epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event));
	fill(3, epoll);
	expect_work(at);
	child_assert(!epoll_wait(epoll, &event, 1, 100));
	child_assert(write(pipes[1], "x", 1) == 1);
	child_assert(epoll_wait(epoll, &event, 1, 1000) == 1);
}

static void another_s_epoll_is_not_used(void **state)
{
	(void)state;
	in_a_child(close_and_poll, 0);
	in_a_child(close_and_poll, 3);
}

/* The application's own socket stays open: nothing of it is lost. */
static void close_ours_alone(const struct sockaddr_in *at, int unused)
{
	int fd = loop_sender(at, &paced), k;

	(void)unused;
	for (k = 0; k < 5; k++)
		loop_send(fd, 'k', 1, 0, 0);
	closefrom(fd + 1);
	loop_send(fd, 'k', 1, 0, 0);
	loop_until(!loop_info(fd).backlog_packets);
	child_assert(loop_info(fd).sent_packets == 6);
	child_assert(!qclose(fd));
}

static void a_socket_that_stays_open_loses_nothing(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		close_ours_alone(&at, 0);
		_exit(0);
	}
	loop_expect(sink, "kkkkkk");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(sink);
}

/* A child closes them as well, by the numbers that its parent had. */
static void close_and_fork(const struct sockaddr_in *at, int messages)
{
	int file, status;
	pid_t child;

	busy(at, messages);
	closefrom(3);
	file = a_file();
	fill(3, file);
	child = fork();
	if (!child) {
		child_assert(fcntl(LIMIT - 50, F_GETFD) >= 0);
		expect_work(at);
		_exit(size_of(file) != 0);
	}
	expect_work(at);
	child_assert(waitpid(child, &status, 0) == child && !status);
	child_assert(!size_of(file));
}

static void a_child_closes_nothing_of_another_s(void **state)
{
	(void)state;
	in_a_child(close_and_fork, 0);
	in_a_child(close_and_fork, 3);
}

static void close_and_exit(const struct sockaddr_in *at, int messages)
{
	busy(at, messages);
	closefrom(3);
	exit(0);
}

static void exit_after_it_does_not_hang(void **state)
{
	int fd;

	(void)state;
	in_a_child(close_and_exit, 0);
	in_a_child(close_and_exit, 20);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(loop_attach(fd, &edf), 0);
	assert_int_equal(qclose(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_s_file_is_not_written_to),
		cmocka_unit_test(another_s_epoll_is_not_used),
		cmocka_unit_test(a_socket_that_stays_open_loses_nothing),
		cmocka_unit_test(a_child_closes_nothing_of_another_s),
		cmocka_unit_test(exit_after_it_does_not_hang),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
