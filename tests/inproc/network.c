/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What takes a network of its own: a device that is slower than the program, and
 * one that says its speed. Who may make none skips this.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/loop.h"

#define SKIPPED 77
#define LONG 1000 /* bytes; the device takes 8 ms for it */

static struct q_dwcs_attr edf;

/* ---- the network */

static int write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -1;
	if (fputs(text, f) < 0) {
		fclose(f);
		return -1;
	}
	return fclose(f);
}

/* Root of a user namespace will do. */
static int own_network(void)
{
	char map[32];
	uid_t uid = geteuid();

	if (uid) {
		snprintf(map, sizeof(map), "0 %u 1", uid);
		if (unshare(CLONE_NEWUSER) ||
		    write_file("/proc/self/uid_map", map))
			return -1;
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/sys", "sysfs", 0, NULL))
		return -1;
	return system("ip link set lo up && "
		      "tc qdisc add dev lo root tbf rate 1mbit burst 2000 "
		      "limit 1000000 && "
		      "ip link add q0 type veth peer name q1 && "
		      "ip link set q1 up && ip link set q0 up");
}

/* ---- a socket whose buffer is full */

static int slow_sender(const struct sockaddr_in *to)
{
	int fd = loop_sender(to, &edf), size = 8192;

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	return fd;
}

/* More than the buffer takes: the rest waits in the core, in order. */
static void a_full_buffer_loses_nothing(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = slow_sender(&at), k;

	(void)state;
	for (k = 0; k < 60; k++)
		loop_send(fd, (char)('A' + k), LONG, DWCS_NON_DROPPABLE, 0);
	assert_true(loop_info(fd).backlog_packets > 0);
	for (k = 0; k < 60; k++)
		assert_int_equal(loop_receive(sink, NULL), 'A' + k);
	loop_until(loop_info(fd).backlog_packets == 0);
	assert_int_equal(loop_info(fd).sent_packets, 60);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* What is late meanwhile never gets to the stack. */
static void what_is_late_by_then_is_dropped(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = slow_sender(&at), k;
	uint64_t sent;

	(void)state;
	for (k = 0; k < 60; k++)
		loop_send(fd, 'l', LONG, 0, 100 * LOOP_MS);
	loop_send(fd, 'e', LONG, DWCS_NON_DROPPABLE, 0);
	for (k = 0; loop_receive(sink, NULL) == 'l'; k++)
		;
	loop_until(loop_info(fd).backlog_packets == 0);
	sent = loop_info(fd).sent_packets;
	assert_int_equal(sent, k + 1);
	assert_in_range(sent, 2, 59);
	assert_int_equal(loop_info(fd).dropped_late, 61 - sent);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* Plain calls took the room that the engine knew of: its messages wait for more. */
static void plain_calls_may_fill_it(void **state)
{
	char text[3][LONG] = { "b", "c", "d" };
	struct iovec iov[3] = { { text[0], LONG },
				{ text[1], LONG },
				{ text[2], LONG } };
	struct qmmsghdr msgs[3] = { 0 };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = slow_sender(&at), n = 0, k;
	char plain[LONG] = "p";

	(void)state;
	loop_send(fd, 'a', LONG, DWCS_NON_DROPPABLE, 0);
	while (send(fd, plain, LONG, MSG_DONTWAIT) == LONG)
		n++;
	assert_int_equal(errno, EAGAIN);
	for (k = 0; k < 3; k++) {
		msgs[k].msg_hdr.msg_iov = &iov[k];
		msgs[k].msg_hdr.msg_iovlen = 1;
	}
	assert_int_equal(qsendmmsg(fd, msgs, 3, 0), 3);
	loop_expect(sink, "a");
	for (k = 0; k < n; k++)
		loop_expect(sink, "p");
	loop_expect(sink, "bcd");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* One that takes nothing is in nobody's way. */
static void others_go_on(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = slow_sender(&at), tcp[2], k;

	(void)state;
	loop_connection(tcp, &edf);
	loop_send(tcp[0], 's', 4 << 20, 0, 0);
	for (k = 0; k < 30; k++)
		loop_send(fd, 'o', LONG, DWCS_NON_DROPPABLE, 0);
	for (k = 0; k < 30; k++)
		assert_int_equal(loop_receive(sink, NULL), 'o');
	assert_true(loop_info(tcp[0]).backlog_packets <= 1);
	assert_int_equal(qclose(fd), 0);
	close(tcp[1]);
	qclose(tcp[0]);
	close(sink);
}

/* ---- a device's speed */

static void the_rate_is_the_interface_s(void **state)
{
	struct qos_params params = { .dev = "q0", .name = "dwcs" };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	loop_until(!qsockfini("inproc") || errno == ENOENT);
	setenv("QSOCKETS_ENGINE", "inproc", 1);
	assert_int_equal(qattach(fd, &params), 0); /* which makes the device */
	assert_int_equal(loop_info(fd).device_rate, 9500000000);
	assert_int_equal(loop_info(fd).device_guarantee, 9025000000);
	assert_int_equal(qsockfini("q0"), 0);
	strcpy(params.dev, "lo"); /* says none */
	assert_int_equal(qsockinit(&params), 0);
	assert_int_equal(qattach(fd, &params), 0);
	assert_int_equal(loop_info(fd).device_rate, 0);
	assert_int_equal(qsockfini("lo"), 0);
	unsetenv("QSOCKETS_ENGINE");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

int main(void)
{
	int privileged = geteuid() == 0;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_buffer_loses_nothing),
		cmocka_unit_test(what_is_late_by_then_is_dropped),
		cmocka_unit_test(plain_calls_may_fill_it),
		cmocka_unit_test(others_go_on),
		cmocka_unit_test(the_rate_is_the_interface_s),
	};

	if (own_network()) {
		printf("1..0 # SKIP no network namespace: %s\n",
		       strerror(errno));
		return SKIPPED;
	}
	if (privileged)
		loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
