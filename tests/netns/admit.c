/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sockets reserve of a device, to the bit, and when they may not. */
/* engines: kernel bands inproc */
/* timeout: 300 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <qsockets/abi.h>

#include "lab.h"

#define RATE 10000000
#define ALLOWED 9500000 /* 95% */
#define UNIT 1250 /* bytes every 10 ms: a Mbit/s */
#define MBIT 1000000

static struct q_dwcs_attr all = { .old = 1, .ipg = 10000 };
static struct q_dwcs_attr half = { .oln = 1, .old = 2, .ipg = 10000 };
static struct q_dwcs_attr longer = { .old = 1, .ipg = 20000 };
static struct q_dwcs_attr no_period;

static int observer; /* attached to eth0, and reserves nothing */

static uint64_t device_reserved(void)
{
	return lab_info(observer).device_reserved;
}

/* A socket of eth0 that has reserved for units of so many bytes. */
static int reserving(struct q_dwcs_attr *attr, size_t bytes)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", attr);

	assert_call_succeeds(qreserve(fd, bytes));
	return fd;
}

static int plain(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static void change(int fd, struct q_dwcs_attr *attr)
{
	struct qos_params params = lab_params("", attr);

	assert_call_succeeds(qchange(fd, &params));
}

/* ---- the account */

static void a_socket_reserves_what_it_promises(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &all);

	(void)state;
	assert_int_equal(lab_info(fd).device_guarantee, ALLOWED);
	assert_int_equal(device_reserved(), 0);
	assert_int_equal(lab_info(fd).reserved, 0);
	assert_call_succeeds(qreserve(fd, UNIT));
	assert_int_equal(lab_info(fd).reserved, MBIT);
	assert_int_equal(lab_info(fd).unit_bytes, UNIT);
	assert_int_equal(device_reserved(), MBIT);
	assert_call_succeeds(qreserve(fd, 2 * UNIT));
	assert_int_equal(device_reserved(), 2 * MBIT);
	change(fd, &half);
	assert_int_equal(lab_info(fd).reserved, MBIT);
	assert_int_equal(device_reserved(), MBIT);
	change(fd, &longer);
	assert_int_equal(device_reserved(), MBIT);
	change(fd, &all);
	assert_int_equal(device_reserved(), 2 * MBIT);
	assert_call_succeeds(qreserve(fd, 0));
	assert_int_equal(lab_info(fd).reserved, 0);
	assert_int_equal(lab_info(fd).unit_bytes, 0);
	assert_int_equal(device_reserved(), 0);
	change(fd, &half);
	assert_int_equal(device_reserved(), 0);
	assert_call_succeeds(qclose(fd));
}

static void a_declaration_holds_for_the_next_attachment(void **state)
{
	struct qos_params params = lab_params("eth0", &all);
	int fd = plain();

	(void)state;
	assert_call_succeeds(qreserve(fd, 0));
	assert_call_succeeds(qreserve(fd, UNIT));
	assert_int_equal(device_reserved(), 0);
	assert_call_succeeds(qattach(fd, &params));
	assert_int_equal(lab_info(fd).reserved, MBIT);
	assert_int_equal(device_reserved(), MBIT);
	assert_call_succeeds(qdetach(fd));
	assert_int_equal(device_reserved(), 0);
	assert_call_succeeds(qattach(fd, &params));
	assert_int_equal(device_reserved(), 0);
	assert_call_succeeds(qclose(fd));
}

static void the_sum_is_that_of_all_sockets(void **state)
{
	int a = reserving(&all, UNIT), b = reserving(&all, 3 * UNIT);
	int c = reserving(&half, 1);

	(void)state;
	assert_int_equal(device_reserved(), 4 * MBIT + 400);
	assert_call_succeeds(qclose(a));
	assert_int_equal(device_reserved(), 3 * MBIT + 400);
	assert_call_succeeds(qdetach(b));
	assert_int_equal(device_reserved(), 400);
	assert_int_equal(close(c), 0);
	assert_call_fails(qreserve(c, 1), EBADF); /* a process sees it then */
	assert_int_equal(device_reserved(), 0);
	assert_call_succeeds(qclose(b));
}

static int hold_some(void *data)
{
	struct qos_params params = lab_params("eth0", &all);
	int *ready = data, fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params);

	if (fd < 0 || qreserve(fd, UNIT) || write(ready[1], "", 1) != 1)
		return 1;
	pause();
	return 2;
}

static void killing_the_owner_gives_back(void **state)
{
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = lab_fork(hold_some, ready);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(device_reserved(), MBIT);
	kill(pid, SIGKILL);
	assert_int_equal(lab_join(pid), -SIGKILL);
	lab_until(device_reserved() == 0);
	close(ready[0]);
	close(ready[1]);
}

/* Its queue is there longer, and has no reservation. */
static void closing_gives_back_at_once(void **state)
{
	struct q_dwcs_attr slow = { .old = 1,
				    .ipg = 600000,
				    .stream_flags = DWCS_NON_DROPPABLE };
	int fd = reserving(&slow, 60000), sink, i;
	union lab_address to;
	char room[8];

	(void)state;
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	assert_int_equal(device_reserved(), 800000);
	for (i = 0; i < 3; i++)
		lab_send(fd, "queued", 6, NULL, &to);
	assert_call_succeeds(qclose(fd));
	if (lab_engine() == QOS_ENGINE_KERNEL) /* where it is held, and seen */
		assert_int_equal(lab_closed_streams("eth0"), 1);
	assert_int_equal(device_reserved(), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(lab_receive(sink, room, sizeof(room), NULL),
				 6);
	lab_until(lab_streams("eth0") == 1);
	assert_int_equal(device_reserved(), 0);
	close(sink);
}

static void a_device_that_comes_back_has_all_of_it(void **state)
{
	struct qos_device device = { .rate = RATE };
	int old, fd;

	(void)state;
	lab_init("eth1", &device);
	old = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &all);
	assert_call_succeeds(qreserve(old, UNIT));
	lab_fini("eth1");
	assert_call_fails(qreserve(old, UNIT), ENODEV);
	assert_call_fails(qfits(old, UNIT, UINT64_MAX), ENODEV);
	lab_init("eth1", &device);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &all);
	assert_int_equal(lab_info(fd).device_reserved, 0);
	assert_call_succeeds(qreserve(fd, UNIT));
	assert_call_succeeds(qclose(old));
	assert_int_equal(lab_info(fd).device_reserved, MBIT);
	assert_call_succeeds(qclose(fd));
	lab_fini("eth1");
}

/* ---- refusals */

static void the_last_bit_can_be_reserved(void **state)
{
	int fd = reserving(&all, ALLOWED / 800);

	(void)state;
	assert_int_equal(device_reserved(), ALLOWED);
	assert_call_fails(qreserve(fd, ALLOWED / 800 + 1), EAGAIN);
	assert_int_equal(device_reserved(), ALLOWED);
	assert_call_succeeds(qclose(fd));
}

/* The sentence is about the device, and says this. */
static void expect_sentence(const char *dev, const char *words)
{
	char named[32];

	snprintf(named, sizeof(named), "dev \"%s\"", lab_name(dev));
	if (!strstr(qsock_errmsg(), words) || !strstr(qsock_errmsg(), named))
		fail_msg("\"%s\" has no \"%s\"", qsock_errmsg(), words);
}

static void a_refusal_changes_nothing(void **state)
{
	struct qos_params halves = lab_params("", &half);
	struct qos_params params = lab_params("eth0", &all);
	struct qos_info before, after;
	int big = reserving(&all, 7 * UNIT), fd = reserving(&half, 4 * UNIT);
	int third = plain();

	(void)state;
	before = lab_info(fd);
	assert_call_fails(qreserve(fd, 6 * UNIT), EAGAIN);
	expect_sentence("eth0",
			"2.5 of 9.5 Mbit/s left to reserve, and 3 Mbit/s were "
			"asked for (7 in use)");
	after = lab_info(fd);
	assert_memory_equal(&before, &after, sizeof(before));
	halves.attributes = &all;
	assert_call_fails(qchange(fd, &halves), EAGAIN);
	expect_sentence("eth0",
			"2.5 of 9.5 Mbit/s left to reserve, and 4 Mbit/s were "
			"asked for (7 in use)");
	after = lab_info(fd);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_call_succeeds(qreserve(third, UNIT));
	assert_call_fails(qattach(third, &params), EAGAIN);
	expect_sentence("eth0",
			"0.5 of 9.5 Mbit/s left to reserve, and 1 Mbit/s were "
			"asked for (9 in use)");
	assert_call_fails(qinfo(third, &after, sizeof(after)), ENOTCONN);
	assert_int_equal(lab_streams("eth0"), 3);
	assert_int_equal(device_reserved(), 9 * MBIT);
	assert_call_succeeds(qreserve(big, 0));
	assert_call_succeeds(qattach(third, &params));
	assert_int_equal(lab_info(third).reserved, MBIT);
	assert_int_equal(device_reserved(), 3 * MBIT);
	qclose(big);
	qclose(fd);
	qclose(third);
	assert_int_equal(device_reserved(), 0);
}

static void all_streams_can_be_given_back(void **state)
{
	struct qos_params params = lab_params("eth1", &all);
	struct qos_device device = { .rate = RATE, .streams = 2 };
	int fd, i, other;

	(void)state;
	lab_init("eth1", &device);
	other = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &all);
	assert_call_succeeds(qreserve(other, ALLOWED / 800));
	fd = plain();
	assert_call_succeeds(qreserve(fd, UNIT));
	for (i = 0; i < 4; i++)
		assert_call_fails(qattach(fd, &params), EAGAIN);
	assert_call_succeeds(qreserve(fd, 0));
	assert_call_succeeds(qattach(fd, &params));
	qclose(fd);
	qclose(other);
	lab_fini("eth1");
}

static void wrong_numbers_are_refused(void **state)
{
	struct qos_params params = lab_params("eth0", &no_period);
	int fd = reserving(&all, UNIT), plain_fd = plain(), local;

	(void)state;
	local = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_call_fails(qreserve(-1, UNIT), EBADF);
	assert_call_fails(qreserve(STDIN_FILENO, UNIT), ENOTSOCK);
	assert_call_fails(qreserve(local, UNIT), EAFNOSUPPORT);
	assert_call_fails(qreserve(fd, QS_UNIT_MAX + 1), EINVAL);
	assert_call_fails(qreserve(fd, SIZE_MAX), EINVAL);
	assert_call_fails(qchange(fd, &params), EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "ipg is 0"));
	assert_int_equal(lab_info(fd).ipg, all.ipg);
	assert_call_succeeds(qreserve(plain_fd, QS_UNIT_MAX));
	assert_call_fails(qattach(plain_fd, &params), EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "ipg is 0"));
	assert_call_succeeds(qreserve(fd, 0));
	change(fd, &no_period);
	assert_call_fails(qreserve(fd, UNIT), EINVAL);
	assert_int_equal(device_reserved(), 0);
	close(local);
	qclose(plain_fd);
	qclose(fd);
}

/* As a program that does not use the library may ask. */
static void wrong_options_are_refused(void **state)
{
	struct qs_fits question = { .bytes = 1, .deadline = UINT64_MAX };
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &all);
	uint64_t bytes = UNIT;

	(void)state;
	assert_int_equal(setsockopt(fd, QS_SOL_QSOCKETS, QS_RESERVE, &bytes,
				    sizeof(bytes) - 1),
			 -1);
	assert_int_equal(errno, EINVAL);
	bytes = 1ull << 40;
	assert_int_equal(setsockopt(fd, QS_SOL_QSOCKETS, QS_RESERVE, &bytes,
				    sizeof(bytes)),
			 -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(setsockopt(fd, QS_SOL_QSOCKETS, QS_FITS, &question,
				    sizeof(question) - 8),
			 -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(device_reserved(), 0);
	qclose(fd);
}

static void a_device_without_a_rate_has_none_to_reserve(void **state)
{
	struct qos_params params = lab_params("eth1", &all);
	struct qos_device device = { 0 };
	int fd;

	(void)state;
	lab_init("eth1", &device);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &all);
	assert_call_fails(qreserve(fd, UNIT), EOPNOTSUPP);
	expect_sentence("eth1", "has no rate");
	assert_int_equal(lab_info(fd).unit_bytes, 0);
	assert_call_succeeds(qreserve(fd, 0));
	qclose(fd);
	fd = plain();
	assert_call_succeeds(qreserve(fd, UNIT));
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	expect_sentence("eth1", "has no rate");
	qclose(fd);
	lab_fini("eth1");
}

/* ---- many at a time */

#define RACERS 12 /* of whom nine find room */
#define ROOM 9
#define ROUNDS 60

static pthread_barrier_t barrier;
static int admitted, above; /* atomically */

static void *race(void *data)
{
	struct qos_params params = lab_params("eth0", &all);
	int fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params), i;
	struct qos_info info = { 0 };

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		if (!qreserve(fd, UNIT))
			__sync_fetch_and_add(&admitted, 1);
		qinfo(fd, &info, sizeof(info));
		if (info.device_reserved > ALLOWED)
			__sync_fetch_and_add(&above, 1);
		pthread_barrier_wait(&barrier);
		qinfo(fd, &info, sizeof(info));
		if (info.device_reserved != ROOM * MBIT)
			__sync_fetch_and_add(&above, 1);
		pthread_barrier_wait(&barrier);
		qreserve(fd, 0);
	}
	qclose(fd);
	return data;
}

static void racers_never_pass_the_limit(void **state)
{
	pthread_t thread[RACERS];
	int i;

	(void)state;
	pthread_barrier_init(&barrier, NULL, RACERS);
	for (i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race, NULL),
				 0);
	for (i = 0; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(admitted, ROUNDS * ROOM);
	assert_int_equal(above, 0);
	assert_int_equal(device_reserved(), 0);
}

/* ---- the schedulers' promise */

static int is_void(int fd)
{
	return !!(lab_info(fd).state & QOS_STATE_NO_PROMISE);
}

static void dwcs_promises_nothing_for_unequal_periods(void **state)
{
	int a = reserving(&all, UNIT), b = reserving(&half, UNIT), c;

	(void)state;
	assert_false(is_void(a));
	c = reserving(&longer, UNIT);
	assert_true(is_void(a));
	assert_true(is_void(c));
	change(c, &half);
	assert_false(is_void(a));
	change(c, &longer);
	assert_true(is_void(a));
	assert_call_succeeds(qreserve(c, 0));
	assert_false(is_void(a));
	qclose(a);
	qclose(b);
	assert_call_succeeds(qreserve(c, UNIT));
	assert_false(is_void(c));
	qclose(c);
}

static void vds_promises_for_all_periods(void **state)
{
	struct qos_params params = lab_params("eth1", &all);
	int a, b;

	(void)state;
	strcpy(params.name, "vds");
	lab_be_root();
	lab_shell("$QS_BUILD/cli/qsock init eth1 vds rate 10mbit");
	lab_be_user();
	a = qsocket(AF_INET, SOCK_DGRAM, 0, &params);
	params.attributes = &longer;
	b = qsocket(AF_INET, SOCK_DGRAM, 0, &params);
	assert_call_succeeds(qreserve(a, UNIT));
	assert_call_succeeds(qreserve(b, UNIT));
	assert_int_equal(lab_info(a).device_reserved, MBIT + MBIT / 2);
	assert_false(is_void(a));
	qclose(a);
	qclose(b);
	lab_fini("eth1");
}

/* ---- would it be in time? */

#define QUEUED 20 /* about 2 s at 100 kbit/s */

static void a_message_fits_if_what_is_queued_lets_it(void **state)
{
	struct qos_device device = { .rate = 100000 };
	struct packet_flags soon = { .drop_flag = DWCS_NON_DROPPABLE };
	union lab_address to;
	char message[1250] = "";
	int fd, busy, sink, i;
	uint64_t now;

	(void)state;
	lab_init("eth1", &device);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 1, &to);
	busy = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &no_period);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &no_period);
	now = lab_now();
	assert_int_equal(qfits(fd, UNIT, now + 1000000000), 1);
	assert_int_equal(qfits(fd, UNIT, now - 1), 0);
	assert_int_equal(qfits(fd, 10 * UNIT, now + 900000000), 0);
	soon.deadline = now + 500000000;
	for (i = 0; i < QUEUED; i++)
		lab_send(busy, message, sizeof(message), &soon, &to);
	now = lab_now();
	assert_int_equal(qfits(fd, UNIT, now + 1000000000), 0);
	assert_int_equal(qfits(fd, UNIT, now + 8000000000), 1);
	assert_int_equal(qfits(busy, UNIT, now + 1000000000), 0);
	qclose(fd);
	qclose(busy);
	close(sink);
	lab_fini("eth1");
}

static void wrong_questions_are_refused(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &all);
	int plain_fd = plain();

	(void)state;
	assert_int_equal(qfits(fd, 1, UINT64_MAX), 1);
	assert_int_equal(qfits(fd, 1, 0), 0);
	assert_call_fails(qfits(-1, 1, 1), EBADF);
	assert_call_fails(qfits(STDIN_FILENO, 1, 1), ENOTSOCK);
	assert_call_fails(qfits(plain_fd, 1, 1), ENOTCONN);
	assert_call_fails(qfits(fd, 0, 1), EINVAL);
	assert_call_fails(qfits(fd, QS_UNIT_MAX + 1, 1), EINVAL);
	qclose(plain_fd);
	qclose(fd);
}

/* ---- how much there is to reserve */

#define QSOCK "$QS_BUILD/cli/qsock init eth1 dwcs rate 1mbit "

static void init_says_how_much(void **state)
{
	struct qos_device device = { .rate = 1000000, .guarantee = 805 };
	struct qos_params params = lab_params("eth1", NULL);
	int fd;

	(void)state;
	lab_init("eth1", &device);
	lab_init("eth1", &device);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth1", &all);
	assert_int_equal(lab_info(fd).device_guarantee, 805000);
	qclose(fd);
	lab_be_root();
	device.guarantee = 0;
	assert_call_fails(qsockinit_device(&params, &device, sizeof(device)),
			  EBUSY);
	assert_non_null(strstr(qsock_errmsg(), "guarantee 805000"));
	device.guarantee = 1001;
	assert_call_fails(qsockinit_device(&params, &device, sizeof(device)),
			  EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "guarantee"));
	device.rate = 0;
	device.guarantee = 800;
	assert_call_fails(qsockinit_device(&params, &device, sizeof(device)),
			  EINVAL);
	device.zero = 1;
	device.guarantee = 0;
	assert_call_fails(qsockinit_device(&params, &device, sizeof(device)),
			  EINVAL);
	lab_shell(QSOCK "guarantee 80.5%%");
	lab_shell("$QS_BUILD/cli/qsock -j show eth1 | grep -q "
		  "'\"guarantee\":805000'");
	lab_be_user();
	lab_fini("eth1");
}

static void init_takes_percent(void **state)
{
	static const char *const bad[] = { "80",    "%",     "-1%",   "eighty%",
					   "80%%%", "0.01%", "1e99%", "''" };
	size_t i;

	(void)state;
	lab_be_root();
	for (i = 0; i < LAB_COUNT(bad); i++)
		lab_shell(QSOCK "guarantee %s; test $? -eq 2", bad[i]);
	lab_shell(QSOCK "guarantee; test $? -eq 2");
	lab_shell(QSOCK "guarantee 0%%; test $? -eq 2");
	lab_shell(QSOCK "guarantee 100.1%%; test $? -eq 1");
	lab_shell("! tc qdisc show dev eth1 | grep dwcs");
	lab_shell(QSOCK "guarantee 100%%");
	lab_shell("$QS_BUILD/cli/qsock -j show eth1 | grep -q "
		  "'\"guarantee\":1000000'");
	lab_be_user();
	lab_fini("eth1");
}

static int observe(void **state)
{
	(void)state;
	observer = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &all);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	assert_call_succeeds(qclose(observer));
	return 0;
}

static int set_up(void **state)
{
	const struct qos_device device = { .rate = RATE };

	(void)state;
	lab_up(2);
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
#define ON_ETH0(test) cmocka_unit_test_setup_teardown(test, observe, leave)
	const struct CMUnitTest tests[] = {
		ON_ETH0(a_socket_reserves_what_it_promises),
		ON_ETH0(a_declaration_holds_for_the_next_attachment),
		ON_ETH0(the_sum_is_that_of_all_sockets),
		ON_ETH0(killing_the_owner_gives_back),
		ON_ETH0(closing_gives_back_at_once),
		cmocka_unit_test(a_device_that_comes_back_has_all_of_it),
		ON_ETH0(the_last_bit_can_be_reserved),
		ON_ETH0(a_refusal_changes_nothing),
		cmocka_unit_test(all_streams_can_be_given_back),
		ON_ETH0(wrong_numbers_are_refused),
		ON_ETH0(wrong_options_are_refused),
		cmocka_unit_test(a_device_without_a_rate_has_none_to_reserve),
		ON_ETH0(racers_never_pass_the_limit),
		ON_ETH0(dwcs_promises_nothing_for_unequal_periods),
		cmocka_unit_test(vds_promises_for_all_periods),
		cmocka_unit_test(a_message_fits_if_what_is_queued_lets_it),
		cmocka_unit_test(wrong_questions_are_refused),
		cmocka_unit_test(init_says_how_much),
		cmocka_unit_test(init_takes_percent),
	};

	return lab_run("admit", tests, set_up, tear_down);
}
