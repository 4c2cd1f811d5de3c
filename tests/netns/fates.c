/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program can ask what became of its messages, and is woken for it. */
/* engines: kernel bands inproc */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lab.h"

#define MSEC 1000000ll
#define SEC 1000000000ll

/* eth0 is not shaped; eth1 is so slow that what is sent has to wait. */
#define SLOW 400000 /* bit/s: a large packet takes 29 ms */
#define LARGE 1400 /* bytes */

static struct q_dwcs_attr edf;

struct flow {
	int fd, sink, watch;
	union lab_address to;
};

static struct flow open_flow(int family, int n, struct q_dwcs_attr *attr)
{
	struct flow f;
	char dev[IFNAMSIZ];

	snprintf(dev, sizeof(dev), "eth%d", n);
	f.sink = lab_sink(family, SOCK_DGRAM, 0, n, &f.to);
	f.fd = lab_socket(family, SOCK_DGRAM, dev, attr);
	f.watch = qwatch(f.fd, NULL);
	if (f.watch < 0)
		lab_fail_call("qwatch()", __FILE__, __LINE__);
	return f;
}

static void close_flow(const struct flow *f)
{
	close(f->watch);
	qclose(f->fd);
	close(f->sink);
}

static struct qos_message message(uint32_t cookie, uint32_t drop_flag)
{
	struct qos_message m = {
		.flags.drop_flag = drop_flag | QSOCK_MESSAGE,
		.size = sizeof(m),
		.fields = QOS_MESSAGE_COOKIE,
		.cookie = cookie,
	};

	return m;
}

static void send_with(const struct flow *f, size_t len, struct qos_message *m)
{
	static char payload[65536];

	lab_send(f->fd, payload, len, &m->flags, &f->to);
}

static void send_cookie(const struct flow *f, uint32_t cookie, int64_t in,
			uint32_t drop_flag)
{
	struct qos_message m = message(cookie, drop_flag);

	if (in)
		m.flags.deadline = lab_now() + in;
	send_with(f, 1, &m);
}

static int is_readable(const struct flow *f)
{
	struct pollfd p = { .fd = f->watch, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* The next fate, for which poll() is trusted to wake. */
static struct qos_fate next_fate(const struct flow *f)
{
	struct pollfd p = { .fd = f->watch, .events = POLLIN };
	struct qos_fate fate;
	int n = 0;

	while (!n) {
		if (poll(&p, 1, LAB_PATIENCE_NS / 1000000) != 1)
			fail_msg("no fate comes");
		n = qfates(f->fd, f->watch, &fate, 1);
		assert_true(n >= 0);
	}
	return fate;
}

static void expect(const struct flow *f, uint32_t kind, uint32_t cookie)
{
	struct qos_fate fate = next_fate(f);

	assert_int_equal(fate.kind, kind);
	assert_int_equal(fate.cookie, cookie);
}

static void expect_nothing(const struct flow *f)
{
	struct qos_fate fate;

	assert_int_equal(qfates(f->fd, f->watch, &fate, 1), 0);
}

/* ---- fates */

static void fates_of(int family)
{
	struct flow f = open_flow(family, 0, &edf);

	send_cookie(&f, 1, 0, 0);
	expect(&f, QOS_FATE_SENT, 1);
	send_cookie(&f, 0xffffffff, 9 * SEC, QSOCK_PRIO(7));
	expect(&f, QOS_FATE_SENT, 0xffffffff);
	send_cookie(&f, 0, -MSEC, 0);
	expect(&f, QOS_FATE_DROPPED_LATE, 0);
	send_cookie(&f, 3, -2 * SEC, DWCS_NON_DROPPABLE);
	expect(&f, QOS_FATE_LATE, 3);
	expect_nothing(&f);
	close_flow(&f);
}

static void every_fate_wakes_and_is_told(void **state)
{
	(void)state;
	fates_of(AF_INET);
	fates_of(AF_INET6);
}

static void a_cookie_used_twice_comes_twice(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	send_cookie(&f, 5, 0, 0);
	send_cookie(&f, 5, -SEC, 0);
	expect(&f, QOS_FATE_SENT, 5);
	expect(&f, QOS_FATE_DROPPED_LATE, 5);
	close_flow(&f);
}

static void messages_without_a_cookie_are_not_told(void **state)
{
	struct packet_flags late = { .deadline = 1 };
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	lab_send(f.fd, "a", 1, NULL, &f.to);
	lab_send(f.fd, "b", 1, &late, &f.to);
	lab_until(lab_info(f.fd).dropped_late == 1);
	expect_nothing(&f);
	close_flow(&f);
}

static void a_message_in_fragments_has_one_fate(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct qos_message m = message(9, 0);

	(void)state;
	send_with(&f, 5000, &m);
	expect(&f, QOS_FATE_SENT, 9);
	expect_nothing(&f);
	close_flow(&f);
}

static void the_messages_of_a_frame_share_its_fate(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	send_cookie(&f, 1, -SEC, QSOCK_FRAME_START);
	send_cookie(&f, 2, 0, 0);
	send_cookie(&f, 3, 0, QSOCK_FRAME_END);
	expect(&f, QOS_FATE_DROPPED_LATE, 1);
	expect(&f, QOS_FATE_DROPPED_LATE, 2);
	expect(&f, QOS_FATE_DROPPED_LATE, 3);
	close_flow(&f);
}

static void the_wait_is_told(void **state)
{
	struct flow f = open_flow(AF_INET, 1, &edf);
	struct qos_message m;
	struct qos_fate fate;
	uint32_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		m = message(i, 0);
		send_with(&f, LARGE, &m);
	}
	for (i = 0; i < 8; i++) {
		fate = next_fate(&f);
		assert_int_equal(fate.kind, QOS_FATE_SENT);
		assert_int_equal(fate.cookie, i);
	}
	/* behind seven of 29 ms, of which one or two leave at once */
	assert_true(fate.value > 100 * MSEC && fate.value < 10 * SEC);
	close_flow(&f);
}

static void a_lead_is_taken_off_the_deadline(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct qos_message m = message(1, 0);

	(void)state;
	m.flags.deadline = lab_now() + 5 * SEC;
	m.fields |= QOS_MESSAGE_LEAD;
	m.lead = 1000000;
	send_with(&f, 1, &m);
	expect(&f, QOS_FATE_SENT, 1);
	m.lead = 3600000000u;
	send_with(&f, 1, &m);
	expect(&f, QOS_FATE_DROPPED_LATE, 1);
	/* without a cookie as well */
	m.fields = QOS_MESSAGE_LEAD;
	send_with(&f, 1, &m);
	lab_until(lab_info(f.fd).dropped_late == 2);
	expect_nothing(&f);
	close_flow(&f);
}

static void a_frame_ends_when_its_socket_is_closed(void **state)
{
	struct packet_flags start = { .drop_flag = QSOCK_FRAME_START };
	struct flow f = open_flow(AF_INET, 0, &edf);
	int64_t begun = lab_now();
	char room[8];
	int plain;

	(void)state;
	lab_send(f.fd, "1", 1, &start, &f.to);
	lab_send(f.fd, "2", 1, NULL, &f.to);
	if (lab_engine() != QOS_ENGINE_BANDS) /* which holds back nothing */
		assert_true(lab_is_empty(f.sink));
	qclose(f.fd);
	/* whatever the device does next, it sees the close */
	plain = socket(AF_INET, SOCK_DGRAM, 0);
	lab_send(plain, "p", 1, NULL, &f.to);
	close(plain);
	assert_int_equal(lab_receive(f.sink, room, sizeof(room), NULL), 1);
	assert_int_equal(lab_receive(f.sink, room, sizeof(room), NULL), 1);
	assert_int_equal(lab_receive(f.sink, room, sizeof(room), NULL), 1);
	print_message("# after %lld ms\n",
		      (long long)((lab_now() - begun) / MSEC));
	close(f.watch);
	close(f.sink);
}

/* ---- a program that does not read, or too little */

static void what_finds_no_room_is_counted(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct qos_fate fates[QOS_FATES + 1];
	int i;

	(void)state;
	for (i = 0; i < QOS_FATES + 50; i++)
		send_cookie(&f, i, 0, 0);
	lab_until(lab_info(f.fd).sent_units == QOS_FATES + 50);
	assert_int_equal(qfates(f.fd, f.watch, fates, QOS_FATES + 1),
			 QOS_FATES + 1);
	for (i = 0; i < QOS_FATES; i++)
		assert_int_equal(fates[i].cookie, i);
	assert_int_equal(fates[i].kind, QOS_EVENT_LOST);
	assert_int_equal(fates[i].value, 50);
	send_cookie(&f, 1000, 0, 0);
	expect(&f, QOS_FATE_SENT, 1000);
	expect_nothing(&f);
	close_flow(&f);
}

static void what_is_left_keeps_it_readable(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct qos_fate fates[4];
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		send_cookie(&f, i, 0, 0);
	lab_until(lab_info(f.fd).sent_units == 10);
	lab_until(is_readable(&f));
	assert_int_equal(qfates(f.fd, f.watch, fates, 4), 4);
	assert_true(is_readable(&f));
	assert_int_equal(qfates(f.fd, -1, fates, 4), 4);
	assert_int_equal(fates[3].cookie, 7);
	assert_int_equal(qfates(f.fd, f.watch, fates, 4), 2);
	assert_false(is_readable(&f));
	close_flow(&f);
}

static uint64_t finished(const struct flow *f)
{
	struct qos_info info = lab_info(f->fd);

	return info.sent_units + info.dropped_late;
}

/* One of two threads waits; the other's sending wakes it. */
static void *sender(void *data)
{
	const struct flow *f = data;
	struct packet_flags *pf;
	struct qos_message m;
	uint32_t i;

	for (i = 0; i < 2000; i++) {
		m = message(i, i % 3 ? 0 : DWCS_NON_DROPPABLE);
		m.flags.deadline = lab_now() + (i % 2 ? 9 * SEC : -SEC);
		pf = &m.flags;
		if (qsendto(f->fd, "t", 1, 0, &f->to.any,
			    lab_address_size(&f->to), pf) != 1)
			return (void *)1;
		while (i + 1 - finished(f) > QOS_FATES / 4)
			usleep(100);
	}
	return NULL;
}

static void each_of_many_is_told_once(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	static unsigned char seen[2000];
	uint64_t lost = 0, told = 0;
	struct qos_fate fate;
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, sender, &f), 0);
	while (told + lost < 2000) {
		fate = next_fate(&f);
		if (fate.kind == QOS_EVENT_LOST) {
			lost += fate.value;
			continue;
		}
		assert_true(fate.cookie < 2000);
		assert_false(seen[fate.cookie]++);
		told++;
		if (fate.cookie % 2)
			assert_int_equal(fate.kind, QOS_FATE_SENT);
		else
			assert_int_equal(fate.kind,
					 fate.cookie % 3 ?
						 QOS_FATE_DROPPED_LATE :
						 QOS_FATE_LATE);
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	print_message("# %llu told, %llu lost\n", (unsigned long long)told,
		      (unsigned long long)lost);
	expect_nothing(&f);
	close_flow(&f);
}

/* ---- events */

static void congestion_and_violations_are_told(void **state)
{
	const struct qos_watch watch = {
		.events = QOS_WATCH_CONGESTION | QOS_WATCH_VIOLATION,
		.high = 5,
		.low = 1,
	};
	struct q_dwcs_attr strict = { .old = 1 };
	struct flow f = open_flow(AF_INET, 1, &strict);
	struct packet_flags late = { .deadline = 1 };
	static char large[LARGE];
	struct qos_fate fate;
	int i;

	(void)state;
	close(f.watch);
	f.watch = qwatch(f.fd, &watch);
	assert_true(f.watch >= 0);
	for (i = 0; i < 10; i++)
		lab_send(f.fd, large, LARGE, NULL, &f.to);
	fate = next_fate(&f);
	assert_int_equal(fate.kind, QOS_EVENT_CONGESTED);
	assert_true(fate.value >= 5 && fate.value < 10);
	fate = next_fate(&f);
	assert_int_equal(fate.kind, QOS_EVENT_UNCONGESTED);
	assert_int_equal(fate.value, 1);
	lab_send(f.fd, "x", 1, &late, &f.to);
	fate = next_fate(&f);
	assert_int_equal(fate.kind, QOS_EVENT_VIOLATION);
	assert_int_equal(fate.value, 1);
	close_flow(&f);
}

static void a_free_rate_is_told(void **state)
{
	const struct qos_watch watch = {
		.events = QOS_WATCH_RATE,
		.rate = SLOW / 2,
	};
	struct flow f = open_flow(AF_INET, 1, &edf);
	struct qos_fate fate;
	int64_t start = lab_now();

	(void)state;
	close(f.watch);
	f.watch = qwatch(f.fd, &watch);
	assert_true(f.watch >= 0);
	do { /* a little, again and again */
		lab_send(f.fd, "x", 1, NULL, &f.to);
		usleep(20000);
		assert_true(lab_now() - start < LAB_PATIENCE_NS);
	} while (!qfates(f.fd, f.watch, &fate, 1));
	assert_int_equal(fate.kind, QOS_EVENT_RATE);
	assert_true(fate.value > SLOW / 2 && fate.value <= SLOW);
	close_flow(&f);
}

/* ---- bad input */

static void what_is_wrong_with_a_watch_is_said(void **state)
{
	const struct qos_watch unknown = { .events = 8 };
	const struct qos_watch order = { .events = QOS_WATCH_CONGESTION,
					 .high = 3,
					 .low = 3 };
	const struct qos_watch rate = { .events = QOS_WATCH_RATE };
	struct flow f = open_flow(AF_INET, 0, &edf);
	struct qos_fate fate;
	int plain = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_call_fails(qwatch(f.fd, &unknown), EINVAL);
	assert_call_fails(qwatch(f.fd, &order), EINVAL);
	assert_call_fails(qwatch(f.fd, &rate), EOPNOTSUPP);
	assert_call_fails(qwatch(plain, NULL), ENOTCONN);
	assert_call_fails(qwatch(-1, NULL), EBADF);
	assert_call_fails(qwatch(STDERR_FILENO, NULL), ENOTSOCK);
	assert_call_fails(qfates(plain, -1, &fate, 1), ENOTCONN);
	assert_call_fails(qfates(f.fd, f.watch, NULL, 1), EFAULT);
	assert_call_fails(qfates(f.fd, f.watch, &fate, 0), EINVAL);
	close(f.watch);
	assert_call_succeeds(qdetach(f.fd));
	assert_call_fails(qfates(f.fd, -1, &fate, 1), ENOTCONN);
	/* attached again, but not watched */
	close(f.fd);
	f.fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &edf);
	assert_call_fails(qfates(f.fd, -1, &fate, 1), ENOTCONN);
	close(plain);
	close(f.fd);
	close(f.sink);
}

static void what_is_wrong_with_a_message_is_said(void **state)
{
	struct flow f = open_flow(AF_INET, 0, &edf);
	const struct qos_message good = message(1, 0);
	struct qmmsghdr many = { .flags = good.flags };
	struct qos_message m = good;

	(void)state;
	m.size = 8;
	assert_call_fails(qsend(f.fd, "x", 1, 0, &m.flags), EINVAL);
	m = good;
	m.fields = 0x80;
	assert_call_fails(qsend(f.fd, "x", 1, 0, &m.flags), EINVAL);
	m = good;
	m.flags.drop_flag |= 0x40;
	assert_call_fails(qsend(f.fd, "x", 1, 0, &m.flags), EINVAL);
	m = good;
	m.fields |= QOS_MESSAGE_LEAD; /* with no deadline */
	assert_call_fails(qsend(f.fd, "x", 1, 0, &m.flags), EINVAL);
	assert_call_fails(qsendmmsg(f.fd, &many, 1, 0), EINVAL);
	expect_nothing(&f);
	close_flow(&f);
}

/* From programs that were compiled with another version's header. */
static void shorter_and_longer_messages_are_read(void **state)
{
	struct {
		struct qos_message m;
		uint64_t later;
	} longer = { .m = message(7, 0) };
	struct flow f = open_flow(AF_INET, 0, &edf);

	(void)state;
	longer.m.size = sizeof(longer);
	longer.later = 1ull << 56;
	assert_call_fails(qsend(f.fd, "x", 1, 0, &longer.m.flags), E2BIG);
	longer.m.size = 1u << 30;
	assert_call_fails(qsend(f.fd, "x", 1, 0, &longer.m.flags), E2BIG);
	longer.m.size = offsetof(struct qos_message, cookie) - 1;
	assert_call_fails(qsend(f.fd, "x", 1, 0, &longer.m.flags), EINVAL);
	expect_nothing(&f);
	longer.later = 0;
	longer.m.size = sizeof(longer);
	send_with(&f, 1, &longer.m);
	/* a cookie beyond the size is 0 */
	longer.m.size = offsetof(struct qos_message, cookie);
	send_with(&f, 1, &longer.m);
	assert_int_equal(next_fate(&f).cookie, 7);
	assert_int_equal(next_fate(&f).cookie, 0);
	close_flow(&f);
}

/* A user's sockets that watch are bounded, and give back what they have. */
static void so_many_can_watch_at_once(void **state)
{
	static int fds[2000];
	int i, n, watch, all = 0, round;

	(void)state;
	for (round = 0; round < 2; round++) {
		for (n = 0; n < 2000; n++) {
			fds[n] = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &edf);
			watch = qwatch(fds[n], NULL);
			if (watch < 0)
				break;
			close(watch);
		}
		assert_int_equal(errno, ENOSPC);
		if (!round)
			all = n;
		assert_int_equal(n, all);
		for (i = 0; i <= n; i++)
			close(fds[i]);
	}
	print_message("# %d sockets of a device can watch\n", all);
	assert_true(all >= 1000);
}

/* ---- */

static int set_up(void **state)
{
	const struct rlimit files = { 4096, 4096 };
	struct qos_device device = { 0 };

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	lab_up(2);
	lab_init("eth0", &device);
	device.rate = SLOW;
	lab_init("eth1", &device);
	lab_be_user();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini("eth0");
	lab_fini("eth1");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fate_wakes_and_is_told),
		cmocka_unit_test(a_cookie_used_twice_comes_twice),
		cmocka_unit_test(messages_without_a_cookie_are_not_told),
		cmocka_unit_test(a_message_in_fragments_has_one_fate),
		cmocka_unit_test(the_messages_of_a_frame_share_its_fate),
		cmocka_unit_test(the_wait_is_told),
		cmocka_unit_test(a_lead_is_taken_off_the_deadline),
		cmocka_unit_test(a_frame_ends_when_its_socket_is_closed),
		cmocka_unit_test(what_finds_no_room_is_counted),
		cmocka_unit_test(what_is_left_keeps_it_readable),
		cmocka_unit_test(each_of_many_is_told_once),
		cmocka_unit_test(congestion_and_violations_are_told),
		cmocka_unit_test(a_free_rate_is_told),
		cmocka_unit_test(what_is_wrong_with_a_watch_is_said),
		cmocka_unit_test(what_is_wrong_with_a_message_is_said),
		cmocka_unit_test(shorter_and_longer_messages_are_read),
		cmocka_unit_test(so_many_can_watch_at_once),
	};

	return lab_run("fates", tests, set_up, tear_down);
}
