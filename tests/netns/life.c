/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream lives as long as its socket, and until its last packet has left. */
/* engines: kernel bands inproc */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab.h"

/* The device is so slow that a message takes 600 ms. One leaves at once, the
 * others wait for it. */
#define RATE 17000
#define SIZE 1250
#define QUEUED 4
#define PERIOD_US 2000

static const struct qos_device device = { .rate = RATE };
static struct q_dwcs_attr slow = {
	.old = 10,
	.ipg = PERIOD_US,
	.stream_flags = DWCS_NON_DROPPABLE,
};

static int sink;
static union lab_address to;

/* For children too: returns whether all were sent. */
static int send_some(int fd)
{
	static const char message[SIZE];
	int i;

	for (i = 0; i < QUEUED; i++)
		if (qsendto(fd, message, SIZE, 0, &to.any,
			    lab_address_size(&to), NULL) != SIZE)
			return 0;
	return 1;
}

static void expect_some(void)
{
	char room[SIZE + 1];
	int i;

	for (i = 0; i < QUEUED; i++)
		assert_int_equal(lab_receive(sink, room, sizeof(room), NULL),
				 SIZE);
}

/* Of streams whose sockets are closed, but their queues are there. The bands have
 * none of a stream's own, and those of a process are seen by nobody. */
static void expect_left(int n)
{
	if (lab_engine() == QOS_ENGINE_BANDS)
		n = 0;
	if (lab_engine() != QOS_ENGINE_INPROC)
		assert_int_equal(lab_closed_streams("eth0"), n);
}

/* The socket is closed: the stream is there while its queue is, and no longer. */
static void expect_the_rest(void)
{
	expect_left(1);
	expect_some();
	lab_until(lab_streams("eth0") == 0);
	assert_true(lab_is_empty(sink));
}

/* ---- one process */

static void closing_leaves_what_is_queued(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);

	(void)state;
	assert_true(send_some(fd));
	expect_left(0);
	assert_call_succeeds(qclose(fd));
	expect_the_rest();
}

static void a_plain_close_does_as_well(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);

	(void)state;
	assert_true(send_some(fd));
	assert_int_equal(close(fd), 0);
	expect_the_rest();
}

static void detaching_leaves_what_is_queued(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);
	struct qos_params params = lab_params("eth0", &slow);

	(void)state;
	assert_true(send_some(fd));
	assert_call_succeeds(qdetach(fd));
	/* the next attachment is another stream, with nothing of the first */
	assert_call_succeeds(qattach(fd, &params));
	expect_left(1);
	assert_int_equal(lab_info(fd).backlog_packets, 0);
	assert_int_equal(lab_info(fd).sent_packets, 0);
	assert_call_succeeds(qclose(fd));
	expect_the_rest();
}

static void duplicates_share_the_stream(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);
	int copy = dup(fd);

	(void)state;
	assert_true(send_some(fd));
	assert_int_equal(lab_info(copy).backlog_packets,
			 lab_info(fd).backlog_packets);
	assert_call_succeeds(qclose(fd));
	expect_left(0);
	expect_some();
	lab_until(lab_info(copy).sent_units == QUEUED);
	assert_int_equal(lab_streams("eth0"), 1);
	assert_call_succeeds(qclose(copy));
	lab_until(lab_streams("eth0") == 0);
}

static void an_accepted_socket_is_not_attached(void **state)
{
	int listener, fd, peer;
	union lab_address own;
	socklen_t len = sizeof(own);
	struct qos_info info;

	(void)state;
	listener = lab_socket(AF_INET, SOCK_STREAM, "eth0", &slow);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, &own.any, &len), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &own.any, len), 0);
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	assert_call_fails(qinfo(peer, &info, sizeof(info)), ENOTCONN);
	close(peer);
	assert_int_equal(lab_info(listener).state, QOS_STATE_ATTACHED);
	close(fd);
	qclose(listener);
	lab_until(lab_streams("eth0") == 0);
}

/* Whoever had not sent its end will never. */
static void a_frame_without_an_end_does_not_keep_the_stream(void **state)
{
	struct packet_flags start = { .drop_flag = QSOCK_FRAME_START };
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);
	char room[8];

	(void)state;
	lab_send(fd, "begun", 5, &start, &to);
	assert_call_succeeds(qclose(fd));
	lab_until(lab_streams("eth0") == 0);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 5);
}

/* ---- others */

struct pipes {
	int up[2], down[2]; /* from the child and to it */
};

static struct pipes open_pipes(void)
{
	struct pipes p;

	assert_int_equal(pipe(p.up), 0);
	assert_int_equal(pipe(p.down), 0);
	return p;
}

/* The child has closed its end, or is gone. */
static void close_pipes(const struct pipes *p)
{
	close(p->up[0]);
	close(p->up[1]);
	close(p->down[0]);
	close(p->down[1]);
}

static int tell(int fd)
{
	return write(fd, "", 1) == 1;
}

static int hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

static int owner(void *data)
{
	struct qos_params params = lab_params("eth0", &slow);
	struct pipes *p = data;
	int fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params);

	if (fd < 0 || !send_some(fd) || !tell(p->up[1]))
		return 1;
	hear(p->down[0]);
	return 0;
}

static void killing_the_owner_leaves_what_is_queued(void **state)
{
	struct pipes p = open_pipes();
	pid_t pid = lab_fork(owner, &p);

	(void)state;
	assert_true(hear(p.up[0]));
	kill(pid, SIGKILL);
	assert_int_equal(lab_join(pid), -SIGKILL);
	close_pipes(&p);
	expect_the_rest();
}

static void exiting_leaves_what_is_queued(void **state)
{
	struct pipes p = open_pipes();
	pid_t pid = lab_fork(owner, &p);

	(void)state;
	assert_true(hear(p.up[0]));
	assert_true(tell(p.down[1]));
	assert_int_equal(lab_join(pid), 0);
	close_pipes(&p);
	expect_the_rest();
}

static int close_in_child(void *data)
{
	const int *fd = data;
	struct qos_info info;

	if (qinfo(*fd, &info, sizeof(info)) || info.ipg != PERIOD_US)
		return 1;
	return qclose(*fd) ? 2 : 0;
}

static void the_childs_close_leaves_the_parents_stream(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);

	(void)state;
	assert_true(send_some(fd));
	assert_int_equal(lab_join(lab_fork(close_in_child, &fd)), 0);
	expect_left(0);
	expect_some();
	lab_until(lab_info(fd).sent_units == QUEUED);
	assert_call_succeeds(qclose(fd));
	lab_until(lab_streams("eth0") == 0);
}

struct heir {
	struct pipes p;
	int fd; /* of the socket, or the UNIX socket it comes by */
};

/* Uses the stream as its own once told so. */
static int use_stream(int fd, const struct pipes *p)
{
	struct q_dwcs_attr attr = { .old = 5,
				    .ipg = 1000,
				    .stream_flags = DWCS_NON_DROPPABLE };
	struct qos_params params = lab_params("", &attr);
	struct qos_info info;

	if (!tell(p->up[1]) || !hear(p->down[0]))
		return 1;
	if (qchange(fd, &params) || qinfo(fd, &info, sizeof(info)) ||
	    info.ipg != 1000)
		return 2;
	if (qsendto(fd, "heir", 4, 0, &to.any, lab_address_size(&to), NULL) !=
	    4)
		return 3;
	if (!tell(p->up[1]) || !hear(p->down[0]))
		return 4;
	return 0;
}

static int heir_by_fork(void *data)
{
	struct heir *heir = data;

	return use_stream(heir->fd, &heir->p);
}

/* Whoever gave it away has closed it: now it is the child's alone. */
static void expect_heir(struct heir *heir, pid_t pid)
{
	char room[8];

	assert_int_equal(lab_streams("eth0"), 1);
	expect_left(0);
	assert_true(tell(heir->p.down[1]));
	assert_true(hear(heir->p.up[0]));
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 4);
	assert_int_equal(lab_streams("eth0"), 1);
	assert_true(tell(heir->p.down[1]));
	assert_int_equal(lab_join(pid), 0);
	close_pipes(&heir->p);
	lab_until(lab_streams("eth0") == 0);
}

static void a_child_keeps_the_stream_of_its_parent(void **state)
{
	struct heir heir = { .p = open_pipes() };
	pid_t pid;

	(void)state;
	heir.fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);
	pid = lab_fork(heir_by_fork, &heir);
	assert_true(hear(heir.p.up[0]));
	assert_call_succeeds(qclose(heir.fd));
	expect_heir(&heir, pid);
}

/* ---- by SCM_RIGHTS */

union rights {
	struct cmsghdr c;
	char room[CMSG_SPACE(sizeof(int))];
};

static int give(int via, int fd)
{
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	union rights rights = { .c = { .cmsg_len = CMSG_LEN(sizeof(int)),
				       .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};

	memcpy(CMSG_DATA(&rights.c), &fd, sizeof(fd));
	return sendmsg(via, &msg, 0) == 1;
}

static int take(int via)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union rights rights;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};
	int fd;

	if (recvmsg(via, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(&rights.c), sizeof(fd));
	return fd;
}

static int heir_by_message(void *data)
{
	struct heir *heir = data;
	int fd = take(heir->fd);

	return fd < 0 ? 10 : use_stream(fd, &heir->p);
}

static void a_socket_sent_to_another_process_is_its_stream(void **state)
{
	struct heir heir = { .p = open_pipes() };
	int pair[2], fd;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	heir.fd = pair[1];
	pid = lab_fork(heir_by_message, &heir);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);
	assert_true(give(pair[0], fd));
	assert_call_succeeds(qclose(fd));
	assert_true(hear(heir.p.up[0]));
	close(pair[0]);
	close(pair[1]);
	expect_heir(&heir, pid);
}

static void a_socket_on_its_way_keeps_its_stream(void **state)
{
	int pair[2], fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_true(give(pair[0], fd));
	assert_call_succeeds(qclose(fd));
	assert_int_equal(lab_streams("eth0"), 1);
	close(pair[0]);
	assert_int_equal(lab_streams("eth0"), 1);
	close(pair[1]);
	lab_until(lab_streams("eth0") == 0);
}

/* ---- exec */

/* What this program does when it is started with a descriptor's number. */
static int executed(int fd)
{
	struct qos_info info;

	if (qinfo(fd, &info, sizeof(info)))
		return 20 + (errno == EBADF);
	return info.ipg == PERIOD_US ? 0 : 22;
}

static int exec_again(void *data)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", *(int *)data);
	execl("/proc/self/exe", "life", number, NULL);
	return 30;
}

static void the_stream_goes_with_exec(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &slow);

	(void)state;
	assert_int_equal(lab_join(lab_fork(exec_again, &fd)), 0);
	assert_int_equal(lab_streams("eth0"), 1);
	assert_call_succeeds(qclose(fd));
	lab_until(lab_streams("eth0") == 0);
}

static void the_stream_does_not_go_with_exec_if_told_so(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, "eth0", &slow);

	(void)state;
	assert_int_equal(lab_join(lab_fork(exec_again, &fd)), 21);
	assert_int_equal(lab_info(fd).state, QOS_STATE_ATTACHED);
	assert_call_succeeds(qclose(fd));
	lab_until(lab_streams("eth0") == 0);
}

static int set_up(void **state)
{
	(void)state;
	lab_up(1);
	lab_init("eth0", &device);
	lab_be_user();
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini("eth0");
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closing_leaves_what_is_queued),
		cmocka_unit_test(a_plain_close_does_as_well),
		cmocka_unit_test(detaching_leaves_what_is_queued),
		cmocka_unit_test(duplicates_share_the_stream),
		cmocka_unit_test(an_accepted_socket_is_not_attached),
		cmocka_unit_test(
			a_frame_without_an_end_does_not_keep_the_stream),
		cmocka_unit_test(killing_the_owner_leaves_what_is_queued),
		cmocka_unit_test(exiting_leaves_what_is_queued),
		cmocka_unit_test(the_childs_close_leaves_the_parents_stream),
		cmocka_unit_test(a_child_keeps_the_stream_of_its_parent),
		cmocka_unit_test(
			a_socket_sent_to_another_process_is_its_stream),
		cmocka_unit_test(a_socket_on_its_way_keeps_its_stream),
		cmocka_unit_test(the_stream_goes_with_exec),
		cmocka_unit_test(the_stream_does_not_go_with_exec_if_told_so),
	};

	if (argc > 1)
		return executed(atoi(argv[1]));
	return lab_run("life", tests, set_up, tear_down);
}
