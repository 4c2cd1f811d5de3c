/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attach, change, info and detach, on every kind of socket. */
/* engines: kernel bands inproc */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define PROTOCOL_FOR_TESTS 253 /* RFC 3692 */

struct kind {
	int family, type, protocol;
};

static struct kind udp4 = { AF_INET, SOCK_DGRAM, 0 };
static struct kind udp6 = { AF_INET6, SOCK_DGRAM, 0 };
static struct kind tcp4 = { AF_INET, SOCK_STREAM, 0 };
static struct kind tcp6 = { AF_INET6, SOCK_STREAM, 0 };
static struct kind raw4 = { AF_INET, SOCK_RAW, PROTOCOL_FOR_TESTS };
static struct kind raw6 = { AF_INET6, SOCK_RAW, PROTOCOL_FOR_TESTS };

/* A period that a busy machine does not miss. */
static struct q_dwcs_attr first = { .oln = 2, .old = 10, .ipg = 200000 };
static struct q_dwcs_attr second = {
	.oln = 0,
	.old = 5,
	.ipg = 2000,
	.stream_flags = DWCS_NON_DROPPABLE | DWCS_WORK_CONSERVING,
};

static void check_info(const struct qos_info *info, const char *dev,
		       const struct q_dwcs_attr *attr)
{
	assert_int_equal(info->size, sizeof(*info));
	assert_int_equal(info->engine, lab_engine());
	assert_int_equal(info->exact, lab_engine() == QOS_ENGINE_KERNEL);
	assert_int_equal(info->state, QOS_STATE_ATTACHED);
	assert_string_equal(info->dev, lab_name(dev));
	assert_string_equal(info->name, "dwcs");
	assert_int_equal(info->oln, attr->oln);
	assert_int_equal(info->old, attr->old);
	assert_int_equal(info->ipg, attr->ipg);
	assert_int_equal(info->stream_flags, attr->stream_flags);
}

static void check_unused(const struct qos_info *info)
{
	assert_int_equal(info->cur_oln, info->oln);
	assert_int_equal(info->cur_old, info->old);
	assert_int_equal(info->sent_units, 0);
	assert_int_equal(info->sent_packets, 0);
	assert_int_equal(info->sent_bytes, 0);
	assert_int_equal(info->backlog_packets, 0);
	assert_int_equal(info->dropped_late, 0);
	assert_int_equal(info->delay_max_ns, 0);
}

/* Only root opens raw sockets; who attaches is nobody in particular. */
static int open_sender(const struct kind *kind)
{
	int fd;

	lab_be_root();
	fd = socket(kind->family, kind->type | SOCK_CLOEXEC, kind->protocol);
	assert_true(fd >= 0);
	lab_be_user();
	return fd;
}

/* Sends a message of one byte and sees it arrive at the sink. */
static void send_through(const struct kind *kind, int fd, int sink, char byte)
{
	char room[128];
	ssize_t n;

	assert_call_succeeds(qsend(fd, &byte, 1, 0, NULL));
	n = lab_receive(sink, room, sizeof(room), NULL);
	/* a raw IPv4 socket also gets the header */
	assert_int_equal(n, kind == &raw4 ? 21 : 1);
	assert_int_equal(room[n - 1], byte);
}

static void kind_can_be_scheduled(void **state)
{
	struct kind *kind = *state;
	int sink, listener = -1, fd = open_sender(kind);
	struct qos_params params;
	union lab_address to;
	struct qos_info info;
	uint64_t sent;

	sink = lab_sink(kind->family, kind->type, kind->protocol, 0, &to);
	params = lab_params("eth0", &first);
	assert_call_succeeds(qattach(fd, &params));
	info = lab_info(fd);
	check_info(&info, "eth0", &first);
	check_unused(&info);
	assert_int_equal(lab_streams("eth0"), 1);

	assert_int_equal(connect(fd, &to.any, lab_address_size(&to)), 0);
	if (kind->type == SOCK_STREAM) {
		listener = sink;
		sink = accept(listener, NULL, NULL);
		assert_true(sink >= 0);
	}
	sent = lab_info(fd).sent_units;
	send_through(kind, fd, sink, 'a');
	lab_until(lab_info(fd).sent_units > sent);

	params = lab_params("", &second);
	sent = lab_info(fd).sent_units;
	assert_call_succeeds(qchange(fd, &params));
	info = lab_info(fd);
	check_info(&info, "eth0", &second);
	assert_true(info.sent_units >= sent);
	send_through(kind, fd, sink, 'b');
	lab_until(lab_info(fd).sent_units > sent);

	assert_call_succeeds(qdetach(fd));
	assert_call_fails(qinfo(fd, &info, sizeof(info)), ENOTCONN);
	lab_until(lab_streams("eth0") == 0);
	send_through(kind, fd, sink, 'c');

	params = lab_params("eth0", NULL);
	assert_call_succeeds(qattach(fd, &params));
	info = lab_info(fd);
	check_unused(&info);
	send_through(kind, fd, sink, 'd');
	assert_call_succeeds(qclose(fd));
	lab_until(lab_streams("eth0") == 0);
	close(sink);
	if (listener >= 0)
		close(listener);
}

static void qsocket_is_socket_and_qattach(void **state)
{
	struct qos_params params = lab_params("eth0", &first);
	struct qos_info info;
	int fd;

	(void)state;
	fd = qsocket(AF_INET6, SOCK_DGRAM, 0, &params);
	assert_true(fd >= 0);
	info = lab_info(fd);
	check_info(&info, "eth0", &first);
	qclose(fd);
	assert_call_fails(qsocket(AF_INET, 99, 0, &params), EINVAL);
}

static void a_socket_that_is_not_attached_is_not_left_open(void **state)
{
	struct qos_params params = lab_params("eth7", &first);
	int next = dup(0);

	(void)state;
	close(next);
	assert_call_fails(qsocket(AF_INET, SOCK_DGRAM, 0, &params), EOPNOTSUPP);
	assert_int_equal(dup(0), next);
	close(next);
}

static void empty_dev_is_the_managed_device(void **state)
{
	struct qos_info info;
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "", &first);

	(void)state;
	info = lab_info(fd);
	check_info(&info, "eth0", &first);
	qclose(fd);
}

static void an_old_program_gets_as_much_as_it_knows(void **state)
{
	struct {
		struct qos_info info;
		char more[64];
	} large;
	struct qos_info info, untouched;
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &first);

	(void)state;
	memset(&info, 0x5a, sizeof(info));
	untouched = info;
	assert_call_succeeds(qinfo(fd, &info, 48));
	assert_int_equal(info.size, 48);
	assert_string_equal(info.name, "dwcs");
	assert_memory_equal((char *)&info + 48, (char *)&untouched + 48,
			    sizeof(info) - 48);
	memset(&large, 0x5a, sizeof(large));
	assert_call_succeeds(qinfo(fd, &large.info, sizeof(large)));
	assert_int_equal(large.info.size, sizeof(info));
	assert_int_equal(large.more[0], 0);
	assert_int_equal(large.more[63], 0);
	qclose(fd);
}

/* The first is the administrator's, the others are anybody's. */
static void listings_of_the_paper_run(void **state)
{
	const char *build = getenv("QS_BUILD");

	(void)state;
	build = build ? build : "build";
	if (lab_engine() != QOS_ENGINE_INPROC)
		lab_fini("eth0");
	lab_shell("%s/examples/listing-init eth0", build);
	lab_shell("setpriv --reuid %d --regid %d --clear-groups "
		  "%s/examples/listing-socket eth0",
		  LAB_USER, LAB_USER, build);
	lab_shell("setpriv --reuid %d --regid %d --clear-groups "
		  "%s/examples/listing-attach eth0",
		  LAB_USER, LAB_USER, build);
	lab_until(lab_streams("eth0") == 0);
}

static int set_up(void **state)
{
	static const struct qos_device device;

	(void)state;
	lab_up(1);
	lab_init("eth0", &device);
	lab_be_user();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini("eth0");
	return 0;
}

int main(void)
{
#define OF_KIND(name, kind) \
	{ name, kind_can_be_scheduled, NULL, NULL, (void *)&(kind) }
	const struct CMUnitTest tests[] = {
		OF_KIND("a UDP socket of IPv4 can be scheduled", udp4),
		OF_KIND("a UDP socket of IPv6 can be scheduled", udp6),
		OF_KIND("a TCP socket of IPv4 can be scheduled", tcp4),
		OF_KIND("a TCP socket of IPv6 can be scheduled", tcp6),
		OF_KIND("a raw socket of IPv4 can be scheduled", raw4),
		OF_KIND("a raw socket of IPv6 can be scheduled", raw6),
		cmocka_unit_test(qsocket_is_socket_and_qattach),
		cmocka_unit_test(
			a_socket_that_is_not_attached_is_not_left_open),
		cmocka_unit_test(empty_dev_is_the_managed_device),
		cmocka_unit_test(an_old_program_gets_as_much_as_it_knows),
		cmocka_unit_test(listings_of_the_paper_run),
	};

	return lab_run("calls", tests, set_up, tear_down);
}
