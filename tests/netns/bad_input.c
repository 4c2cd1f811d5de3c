/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a caller can get wrong: the error, and that nothing has changed. */
/* engines: kernel bands inproc */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <qsockets/abi.h>

#include "lab.h"

#define STREAMS 4 /* of eth1 */

static struct q_dwcs_attr good = { .oln = 2, .old = 10, .ipg = 1000 };

struct bad_attr {
	struct q_dwcs_attr attr;
	const char *field; /* that the sentence names */
};

static const struct bad_attr bad_attrs[] = {
	{ { .oln = 1, .old = 0 }, "old" },
	{ { .oln = 11, .old = 10 }, "oln" },
	{ { .oln = UINT32_MAX, .old = 1 }, "oln" },
	{ { .old = 10, .stream_flags = 0x2 }, "stream_flags" },
	{ { .old = 10, .stream_flags = 0x80000000u }, "stream_flags" },
	{ { .old = 10, .stream_flags = 0x10000 }, "stream_flags" },
};

/* ---- not attached stays so, attached as it was */

struct stream {
	int fd;
	struct qos_info before;
};

static struct stream open_stream(void)
{
	struct stream s;

	s.fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &good);
	s.before = lab_info(s.fd);
	return s;
}

static void check_unchanged(const struct stream *s)
{
	struct qos_info now = lab_info(s->fd);

	assert_memory_equal(&now, &s->before, sizeof(now));
}

static void check_not_attached(int fd)
{
	struct qos_info info;

	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	assert_int_equal(lab_streams("eth0"), 0);
}

static void close_stream(const struct stream *s)
{
	check_unchanged(s);
	assert_call_succeeds(qclose(s->fd));
	lab_until(lab_streams("eth0") == 0);
}

/* That can be attached to eth0. */
static int plain_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	lab_use("eth0");
	assert_true(fd >= 0);
	return fd;
}

/* ---- the descriptor */

static void each_call_fails(int fd, int error)
{
	struct qos_params params = lab_params("eth0", &good);
	struct qos_info info;

	assert_call_fails(qattach(fd, &params), error);
	assert_call_fails(qchange(fd, &params), error);
	assert_call_fails(qinfo(fd, &info, sizeof(info)), error);
	assert_call_fails(qdetach(fd), error);
}

static void a_file_is_not_a_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	each_call_fails(fds[0], ENOTSOCK);
	close(fds[0]);
	close(fds[1]);
}

static void a_socket_of_another_family_cannot_be_attached(void **state)
{
	static const int families[] = { AF_UNIX, AF_NETLINK };
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < LAB_COUNT(families); i++) {
		fd = socket(families[i], SOCK_DGRAM, 0);
		assert_true(fd >= 0);
		each_call_fails(fd, EAFNOSUPPORT);
		close(fd);
	}
}

/* Those of them that the kernel has. */
static void a_socket_of_another_protocol_cannot_be_attached(void **state)
{
	static const int others[][2] = {
		{ SOCK_STREAM, IPPROTO_MPTCP },
		{ SOCK_STREAM, IPPROTO_SCTP },
		{ SOCK_SEQPACKET, IPPROTO_SCTP },
		{ SOCK_DCCP, IPPROTO_DCCP },
	};
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < LAB_COUNT(others); i++) {
		fd = socket(AF_INET, others[i][0], others[i][1]);
		if (fd < 0)
			continue;
		each_call_fails(fd, EPROTONOSUPPORT);
		assert_call_fails(qreserve(fd, 1000), EPROTONOSUPPORT);
		assert_non_null(strstr(qsock_errmsg(), "protocol"));
		close(fd);
	}
}

static void datagram_sockets_without_connections_are_served(void **state)
{
	static const int served[][2] = {
		{ SOCK_DGRAM, IPPROTO_UDPLITE },
		{ SOCK_DGRAM, IPPROTO_ICMP },
		{ SOCK_RAW, IPPROTO_SCTP },
	};
	struct qos_params params = lab_params("eth0", &good);
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < LAB_COUNT(served); i++) {
		fd = socket(AF_INET, served[i][0], served[i][1]);
		if (fd < 0)
			continue;
		assert_call_succeeds(qattach(fd, &params));
		assert_call_succeeds(qclose(fd));
	}
}

static void a_closed_descriptor_is_none(void **state)
{
	int fd = plain_socket();

	(void)state;
	close(fd);
	each_call_fails(fd, EBADF);
	each_call_fails(-1, EBADF);
	assert_call_fails(qclose(fd), EBADF);
	assert_call_fails(qsend(fd, "", 1, 0, NULL), EBADF);
}

/* ---- parameters */

static void null_parameters_are_a_fault(void **state)
{
	struct stream s = open_stream();
	int fd = plain_socket();

	(void)state;
	assert_call_fails(qattach(fd, NULL), EFAULT);
	check_unchanged(&s);
	assert_call_fails(qsocket(AF_INET, SOCK_DGRAM, 0, NULL), EFAULT);
	assert_call_fails(qchange(s.fd, NULL), EFAULT);
	assert_call_fails(qinfo(s.fd, NULL, sizeof(struct qos_info)), EFAULT);
	close(fd);
	close_stream(&s);
}

static void strings_without_an_end_are_invalid(void **state)
{
	struct qos_params params = lab_params("eth0", &good);
	struct stream s = open_stream();
	int fd = plain_socket();

	(void)state;
	memset(params.dev, 'e', sizeof(params.dev));
	assert_call_fails(qattach(fd, &params), EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "dev"));
	assert_call_fails(qchange(s.fd, &params), EINVAL);
	params = lab_params("eth0", &good);
	memset(params.name, 'd', sizeof(params.name));
	assert_call_fails(qattach(fd, &params), EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "name"));
	assert_call_fails(qchange(s.fd, &params), EINVAL);
	close_stream(&s);
	check_not_attached(fd);
	close(fd);
}

static void invalid_attributes_are_named(void **state)
{
	struct qos_params params;
	struct q_dwcs_attr attr;
	struct stream s = open_stream();
	int fd = plain_socket();
	size_t i;

	(void)state;
	for (i = 0; i < LAB_COUNT(bad_attrs); i++) {
		attr = bad_attrs[i].attr;
		params = lab_params("eth0", &attr);
		assert_call_fails(qattach(fd, &params), EINVAL);
		assert_non_null(strstr(qsock_errmsg(), bad_attrs[i].field));
		assert_call_fails(qchange(s.fd, &params), EINVAL);
		assert_non_null(strstr(qsock_errmsg(), bad_attrs[i].field));
		check_unchanged(&s);
	}
	close_stream(&s);
	check_not_attached(fd);
	close(fd);
}

static void an_unknown_scheduler_is_not_found(void **state)
{
	struct qos_params params = lab_params("eth0", &good);
	struct stream s = open_stream();
	int fd = plain_socket();

	(void)state;
	strcpy(params.name, "fastest");
	assert_call_fails(qattach(fd, &params), ENOENT);
	assert_call_fails(qchange(s.fd, &params), EINVAL);
	params.name[0] = 0;
	assert_call_fails(qattach(fd, &params), ENOENT);
	close_stream(&s);
	check_not_attached(fd);
	close(fd);
}

/* ---- raw options, as one would write them who does not use the library */

static struct qs_attach good_option(void)
{
	struct qs_attach opt = {
		.dev = "eth0",
		.attr = { 2, 10, 1000 },
		.sched = QS_SCHED_DWCS,
		.version = QS_ABI_VERSION,
	};

	return opt;
}

static void set_fails(int fd, int option, const void *value, socklen_t len,
		      int error)
{
	errno = 0;
	assert_int_equal(setsockopt(fd, SOL_QSOCKETS, option, value, len), -1);
	assert_int_equal(errno, error);
}

static void an_option_of_another_size_is_invalid(void **state)
{
	static const socklen_t sizes[] = { 0,  1,  4,	 16,   31,
					   33, 64, 4096, 4097, 8192 };
	static char room[8192];
	struct qs_attach opt = good_option();
	struct stream s = open_stream();
	int fd = plain_socket();
	size_t i;

	(void)state;
	memcpy(room, &opt, sizeof(opt));
	for (i = 0; i < LAB_COUNT(sizes); i++) {
		set_fails(fd, QS_ATTACH, room, sizes[i], EINVAL);
		set_fails(s.fd, QS_CHANGE, room, sizes[i], EINVAL);
		if (sizes[i] != sizeof(__u32))
			set_fails(s.fd, QS_DETACH, room, sizes[i], EINVAL);
	}
	set_fails(fd, QS_ATTACH, room, -1, EINVAL);
	close_stream(&s);
	check_not_attached(fd);
	close(fd);
}

static void an_option_that_cannot_be_read_is_a_fault(void **state)
{
	struct stream s = open_stream();

	(void)state;
	set_fails(s.fd, QS_CHANGE, NULL, sizeof(struct qs_attach), EFAULT);
	set_fails(s.fd, QS_CHANGE, (void *)16, sizeof(struct qs_attach),
		  EFAULT);
	close_stream(&s);
}

static void options_with_invalid_members_are_refused(void **state)
{
	struct qs_attach opt = good_option();
	int fd = plain_socket();
	size_t i;

	(void)state;
	for (i = 0; i < LAB_COUNT(bad_attrs); i++) {
		opt = good_option();
		opt.attr[0] = bad_attrs[i].attr.oln;
		opt.attr[1] = bad_attrs[i].attr.old;
		opt.flags = bad_attrs[i].attr.stream_flags;
		if (opt.flags == bad_attrs[i].attr.stream_flags)
			set_fails(fd, QS_ATTACH, &opt, sizeof(opt), EINVAL);
	}
	opt = good_option();
	opt.version++;
	set_fails(fd, QS_ATTACH, &opt, sizeof(opt), EINVAL);
	opt = good_option();
	opt.sched = 200;
	set_fails(fd, QS_ATTACH, &opt, sizeof(opt), EPROTONOSUPPORT);
	opt = good_option();
	memset(opt.dev, 'e', sizeof(opt.dev));
	set_fails(fd, QS_ATTACH, &opt, sizeof(opt), EOPNOTSUPP);
	set_fails(fd, 99, &opt, sizeof(opt), ENOPROTOOPT);
	check_not_attached(fd);
	close(fd);
}

static void options_on_a_socket_of_another_protocol_are_refused(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	struct qs_attach opt = good_option();
	__u64 bytes = 1000;

	(void)state;
	if (fd < 0)
		skip();
	set_fails(fd, QS_ATTACH, &opt, sizeof(opt), EPROTONOSUPPORT);
	set_fails(fd, QS_RESERVE, &bytes, sizeof(bytes), EPROTONOSUPPORT);
	assert_int_equal(lab_streams("eth0"), 0);
	close(fd);
}

static void get_fails(int fd, int option, socklen_t size, int error)
{
	char room[8192], untouched[8192];

	memset(room, 0x5a, sizeof(room));
	memset(untouched, 0x5a, sizeof(untouched));
	errno = 0;
	assert_int_equal(getsockopt(fd, SOL_QSOCKETS, option, room, &size), -1);
	assert_int_equal(errno, error);
	assert_memory_equal(room, untouched, sizeof(room));
}

static void info_of_another_size_is_invalid(void **state)
{
	static const socklen_t sizes[] = { 0,
					   4,
					   sizeof(struct qos_info) - 1,
					   sizeof(struct qos_info) + 1,
					   4096,
					   8192 };
	struct stream s = open_stream();
	struct qos_info info;
	size_t i;

	(void)state;
	for (i = 0; i < LAB_COUNT(sizes); i++)
		get_fails(s.fd, QS_INFO, sizes[i], EINVAL);
	get_fails(s.fd, 99, sizeof(info), ENOPROTOOPT);
	assert_call_fails(qinfo(s.fd, &info, 3), EINVAL);
	assert_call_fails(qinfo(s.fd, &info, 0), EINVAL);
	close_stream(&s);
}

/* Nobody who has no privilege can put something over the kernel's memory. */
static void other_levels_are_left_alone(void **state)
{
	struct stream s = open_stream();
	int value = 6, fd = plain_socket();
	socklen_t len = sizeof(value);

	(void)state;
	assert_int_equal(setsockopt(s.fd, SOL_SOCKET, SO_PRIORITY, &value,
				    sizeof(value)),
			 0);
	value = 0;
	assert_int_equal(
		getsockopt(s.fd, SOL_SOCKET, SO_PRIORITY, &value, &len), 0);
	assert_int_equal(value, 6);
	errno = 0;
	assert_int_equal(setsockopt(fd, SOL_QSOCKETS + 1, QS_ATTACH, &value,
				    sizeof(value)),
			 -1);
	assert_int_equal(errno, ENOPROTOOPT);
	close(fd);
	close_stream(&s);
}

/* ---- the order of calls */

static void attaching_twice_is_refused(void **state)
{
	struct qos_params params = lab_params("eth0", NULL);
	struct stream s = open_stream();

	(void)state;
	assert_call_fails(qattach(s.fd, &params), EALREADY);
	check_unchanged(&s);
	params = lab_params("eth1", NULL);
	assert_call_fails(qattach(s.fd, &params), EALREADY);
	close_stream(&s);
}

static void only_the_attached_can_be_changed(void **state)
{
	struct qos_params params = lab_params("eth0", &good);
	struct qos_info info;
	int fd = plain_socket();

	(void)state;
	assert_call_fails(qchange(fd, &params), ENOTCONN);
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	assert_call_fails(qdetach(fd), ENOTCONN);
	assert_call_succeeds(qattach(fd, &params));
	assert_call_succeeds(qdetach(fd));
	assert_call_fails(qdetach(fd), ENOTCONN);
	assert_call_fails(qchange(fd, &params), ENOTCONN);
	check_not_attached(fd);
	close(fd);
}

static void a_change_does_not_move_to_another_device(void **state)
{
	struct qos_params params;
	struct stream s = open_stream();

	(void)state;
	params = lab_params("eth1", &good);
	assert_call_fails(qchange(s.fd, &params), EINVAL);
	params = lab_params("eth7", &good);
	assert_call_fails(qchange(s.fd, &params), EINVAL);
	close_stream(&s);
}

static void who_finds_no_stream_left_is_best_effort(void **state)
{
	struct qos_params params = lab_params("eth1", &good);
	int fds[STREAMS], sink, fd;
	struct qos_info info;
	union lab_address to;
	char room[8];
	size_t i;

	(void)state;
	for (i = 0; i < STREAMS; i++)
		fds[i] = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &good);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_call_fails(qattach(fd, &params), ENOSPC);
	assert_call_fails(qsocket(AF_INET, SOCK_DGRAM, 0, &params), ENOSPC);
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	assert_int_equal(lab_streams("eth1"), STREAMS);

	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 1, &to);
	assert_call_succeeds(qsendto(fd, "best", 4, 0, &to.any,
				     lab_address_size(&to), NULL));
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 4);

	qclose(fds[0]);
	assert_call_succeeds(qattach(fd, &params));
	for (i = 1; i < STREAMS; i++)
		qclose(fds[i]);
	qclose(fd);
	close(sink);
	lab_until(lab_streams("eth1") == 0);
}

/* ---- messages */

static void a_message_with_unknown_flags_is_not_sent(void **state)
{
	static const uint32_t unknown[] = { 0x40, 0x80, 0x100, 0x40000000u };
	struct packet_flags pflags = { 0 };
	struct qmmsghdr many[2] = { 0 };
	struct msghdr msg = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct stream s = open_stream();
	union lab_address to;
	int sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	size_t i;

	(void)state;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_name = &to.any;
	msg.msg_namelen = lab_address_size(&to);
	many[0].msg_hdr = many[1].msg_hdr = msg;
	for (i = 0; i < LAB_COUNT(unknown); i++) {
		pflags.drop_flag = many[0].flags.drop_flag = unknown[i];
		assert_call_fails(qsendto(s.fd, "x", 1, 0, &to.any,
					  lab_address_size(&to), &pflags),
				  EINVAL);
		assert_non_null(strstr(qsock_errmsg(), "drop_flag"));
		assert_call_fails(qsendmsg(s.fd, &msg, 0, &pflags), EINVAL);
		assert_call_fails(qsendmmsg(s.fd, many, 2, 0), EINVAL);
		assert_call_fails(qsend(s.fd, "x", 1, 0, &pflags), EINVAL);
	}
	assert_call_fails(qsendmmsg(s.fd, NULL, 1, 0), EFAULT);
	assert_call_fails(qsendmsg(s.fd, NULL, 0, &pflags), EINVAL);
	assert_true(lab_is_empty(sink));
	close(sink);
	close_stream(&s);
}

static void the_plain_errors_come_through(void **state)
{
	struct packet_flags pflags = { .drop_flag = DWCS_NON_DROPPABLE };
	static char huge[70000];
	struct stream s = open_stream();
	union lab_address to;
	int sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);

	(void)state;
	assert_call_fails(qsend(s.fd, "x", 1, 0, &pflags), EDESTADDRREQ);
	assert_call_fails(qsendto(s.fd, huge, sizeof(huge), 0, &to.any,
				  lab_address_size(&to), &pflags),
			  EMSGSIZE);
	assert_call_fails(qsendto(s.fd, NULL, 10, 0, &to.any,
				  lab_address_size(&to), &pflags),
			  EFAULT);
	assert_call_fails(qsendto(s.fd, "x", 1, 0, &to.any, 3, &pflags),
			  EINVAL);
	assert_true(lab_is_empty(sink));
	close(sink);
	close_stream(&s);
}

/* ---- nothing initialised */

/* In the receiver's namespace: elsewhere there are managed devices. */
static void attach_where_nothing_was_initialised_says_what_to_do(void **state)
{
	struct qos_params params = lab_params("eth0", &good);
	struct qos_info info;
	int fd;

	(void)state;
	lab_enter_receiver();
	fd = plain_socket();
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "qsock init eth0 dwcs"));
	params = lab_params("", &good);
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "qsock init"));
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	lab_enter_sender();
	close(fd);
	params = lab_params("lo", &good);
	fd = plain_socket();
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "qsock init lo dwcs"));
	close(fd);
}

/* No manager at all: the kernel itself answers. */
static void a_host_without_a_manager_says_so_too(void **state)
{
	struct qos_params params = lab_params("eth0", &good);
	struct qos_info info;
	int fd = plain_socket();

	(void)state;
	lab_fini("eth0");
	lab_fini("eth1");
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "qsock init eth0 dwcs"));
	assert_call_fails(qsocket(AF_INET6, SOCK_STREAM, 0, &params),
			  EOPNOTSUPP);
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	assert_call_fails(qchange(fd, &params), ENOTCONN);
	assert_call_fails(qdetach(fd), ENOTCONN);
	close(fd);
	a_file_is_not_a_socket(NULL);
	a_socket_of_another_family_cannot_be_attached(NULL);
	a_closed_descriptor_is_none(NULL);
}

static int set_up(void **state)
{
	struct qos_device device = { 0 };

	(void)state;
	lab_up(2);
	lab_init("eth0", &device);
	device.streams = STREAMS;
	lab_init("eth1", &device);
	lab_be_user();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_not_a_socket),
		cmocka_unit_test(a_socket_of_another_family_cannot_be_attached),
		cmocka_unit_test(
			a_socket_of_another_protocol_cannot_be_attached),
		cmocka_unit_test(
			datagram_sockets_without_connections_are_served),
		cmocka_unit_test(a_closed_descriptor_is_none),
		cmocka_unit_test(null_parameters_are_a_fault),
		cmocka_unit_test(strings_without_an_end_are_invalid),
		cmocka_unit_test(invalid_attributes_are_named),
		cmocka_unit_test(an_unknown_scheduler_is_not_found),
		cmocka_unit_test(an_option_of_another_size_is_invalid),
		cmocka_unit_test(an_option_that_cannot_be_read_is_a_fault),
		cmocka_unit_test(
			options_on_a_socket_of_another_protocol_are_refused),
		cmocka_unit_test(options_with_invalid_members_are_refused),
		cmocka_unit_test(info_of_another_size_is_invalid),
		cmocka_unit_test(other_levels_are_left_alone),
		cmocka_unit_test(attaching_twice_is_refused),
		cmocka_unit_test(only_the_attached_can_be_changed),
		cmocka_unit_test(a_change_does_not_move_to_another_device),
		cmocka_unit_test(who_finds_no_stream_left_is_best_effort),
		cmocka_unit_test(a_message_with_unknown_flags_is_not_sent),
		cmocka_unit_test(the_plain_errors_come_through),
		cmocka_unit_test(
			attach_where_nothing_was_initialised_says_what_to_do),
		cmocka_unit_test(a_host_without_a_manager_says_so_too),
	};

	return lab_run("bad_input", tests, set_up, NULL);
}
