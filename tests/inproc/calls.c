/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qreserve(), qfits(), qwatch(), qfates() and qsockfini() of the in-process engine. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loop.h"

#define RATE 8000000 /* a byte takes a microsecond */
#define SECOND (1000 * LOOP_MS)

static struct q_dwcs_attr edf;
static struct q_dwcs_attr half = { .oln = 1, .old = 2, .ipg = 10000 };

/* The call failed, and its sentence has these words. */
#define assert_says(r, e, w) assert_says_at(r, e, w, __LINE__)
static void assert_says_at(int ret, int error, const char *words, int line)
{
	if (ret != -1 || errno != error)
		fail_msg("line %d: %d, %s", line, ret, strerror(errno));
	if (!strstr(qsock_errmsg(), words))
		fail_msg("\"%s\" has no \"%s\"", qsock_errmsg(), words);
}

/* Init with defaults takes what there is, so that goes first. */
static void init_anew(const char *sched, uint64_t rate)
{
	qsockfini("inproc");
	loop_init(sched, rate, 0);
}

/* ---- qreserve() */

/* Of 8 Mbit/s 7.6 can be reserved; 1000 bytes each 10 ms, half of them, are 0.4. */
static void what_is_reserved_is_accounted_for(void **state)
{
	struct sockaddr_in at;
	int sink, a, b;

	(void)state;
	init_anew("dwcs", RATE);
	sink = loop_sink(&at);
	a = loop_sender(&at, &half);
	b = loop_sender(&at, &half);
	assert_int_equal(qreserve(a, 1000), 0);
	assert_int_equal(loop_info(a).reserved, 400000);
	assert_int_equal(loop_info(a).unit_bytes, 1000);
	assert_int_equal(loop_info(b).device_reserved, 400000);
	assert_int_equal(loop_info(b).device_guarantee, 7600000);
	assert_says(qreserve(b, 18001), EAGAIN,
		    "dev \"inproc\" has 7.2 of 7.6 Mbit/s left");
	assert_int_equal(qreserve(b, 18000), 0);
	assert_int_equal(qreserve(a, 0), 0);
	assert_int_equal(loop_info(b).device_reserved, 7200000);
	assert_int_equal(qdetach(b), 0);
	assert_int_equal(loop_info(a).device_reserved, 0);
	assert_int_equal(qclose(a), 0);
	close(b);
	close(sink);
}

static void other_attributes_reserve_again(void **state)
{
	struct q_dwcs_attr attr = { .ipg = 1000 };
	struct qos_params params = { .name = "", .attributes = &attr };
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &half);

	(void)state;
	assert_int_equal(qreserve(fd, 1000), 0);
	assert_says(qchange(fd, &params), EAGAIN, "8 Mbit/s were asked for");
	assert_int_equal(loop_info(fd).ipg, 10000);
	assert_int_equal(loop_info(fd).reserved, 400000);
	attr.ipg = 0;
	assert_says(qchange(fd, &params), EINVAL, "ipg is 0");
	attr.ipg = 20000;
	assert_int_equal(qchange(fd, &params), 0);
	assert_int_equal(loop_info(fd).reserved, 400000);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void what_is_declared_before_is_reserved_later(void **state)
{
	struct qos_params params = { .dev = "inproc",
				     .name = "dwcs",
				     .attributes = &half };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other;

	(void)state;
	assert_int_equal(qreserve(fd, 20000), 0);
	assert_says(qattach(fd, &params), EAGAIN, "8 Mbit/s");
	assert_int_equal(qreserve(fd, 1000), 0);
	assert_int_equal(loop_attach(fd, &half), 0);
	assert_int_equal(loop_info(fd).reserved, 400000);
	assert_int_equal(qdetach(fd), 0);
	assert_int_equal(loop_attach(fd, &half), 0);
	assert_int_equal(loop_info(fd).reserved, 0);
	assert_int_equal(qclose(fd), 0);
	other = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(qreserve(other, 1000), 0);
	close(other);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(fd, other); /* the number, but not the socket */
	assert_int_equal(loop_attach(fd, &half), 0);
	assert_int_equal(loop_info(fd).reserved, 0);
	assert_int_equal(qclose(fd), 0);
}

static void what_cannot_be_reserved_is_refused(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf);

	(void)state;
	assert_says(qreserve(fd, 1000), EINVAL, "ipg is 0");
	assert_says(qreserve(fd, (64 << 20) + 1), EINVAL, "bytes");
	assert_says(qreserve(sink + 1000, 1), EBADF, "fd");
	assert_int_equal(qclose(fd), 0);
	init_anew("dwcs", 0);
	fd = loop_sender(&at, &half);
	assert_says(qreserve(fd, 1000), EOPNOTSUPP, "no rate");
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* ---- qfits() */

static void qfits_knows_what_is_queued(void **state)
{
	struct sockaddr_in at;
	int sink, a, b;

	(void)state;
	init_anew("dwcs", RATE / 100); /* a byte takes 100 us */
	sink = loop_sink(&at);
	a = loop_sender(&at, &edf);
	b = loop_sender(&at, &edf);
	assert_int_equal(qfits(b, 1000, loop_now() + SECOND), 1);
	assert_int_equal(qfits(b, 1000, loop_now()), 0);
	loop_send(a, 'a', 8000, DWCS_NON_DROPPABLE, 0);
	loop_expect(sink,
		    "a"); /* and the wire is busy for 0.8 s, less a burst */
	loop_send(a, 'b', 8000, DWCS_NON_DROPPABLE, SECOND);
	assert_int_equal(qfits(b, 1000, loop_now() + 9 * SECOND), 1);
	assert_int_equal(qfits(b, 1000, loop_now() + SECOND), 0);
	assert_says(qfits(b, 0, loop_now()), EINVAL, "bytes is 0");
	assert_int_equal(qdetach(b), 0);
	assert_says(qfits(b, 1, loop_now()), ENOTCONN, "not attached");
	assert_int_equal(qclose(a), 0);
	close(b);
	close(sink);
}

/* ---- qwatch() and qfates() */

static void send_cookie(int fd, uint32_t cookie, uint32_t flags,
			int64_t deadline)
{
	struct qos_message m = {
		.flags = { .drop_flag = QSOCK_MESSAGE | flags },
		.size = sizeof(m),
		.fields = QOS_MESSAGE_COOKIE,
		.cookie = cookie,
	};

	if (deadline)
		m.flags.deadline = loop_now() + deadline;
	if (qsend(fd, "c", 1, 0, &m.flags) != 1)
		fail_msg("qsend: %s", qsock_errmsg());
}

static int is_readable(int watch)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static void wait_readable(int watch)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, LOOP_PATIENCE_NS / LOOP_MS), 1);
}

static void the_fate_of_a_message_wakes(void **state)
{
	struct qos_fate fate[4];
	struct sockaddr_in at;
	int sink, fd, watch;

	(void)state;
	init_anew("dwcs", 0);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &edf);
	assert_says(qfates(fd, -1, fate, 4), ENOTCONN, "not watched");
	watch = qwatch(fd, NULL);
	assert_true(watch >= 0);
	assert_false(is_readable(watch));
	send_cookie(fd, 7, 0, 0);
	wait_readable(watch);
	assert_int_equal(qfates(fd, watch, fate, 4), 1);
	assert_int_equal(fate[0].kind, QOS_FATE_SENT);
	assert_int_equal(fate[0].cookie, 7);
	assert_false(is_readable(watch));
	assert_int_equal(qfates(fd, watch, fate, 4), 0);
	send_cookie(fd, 8, 0, -1); /* its deadline has passed */
	send_cookie(fd, 9, DWCS_NON_DROPPABLE, -1);
	wait_readable(watch);
	assert_int_equal(qfates(fd, watch, fate, 1), 1);
	assert_int_equal(fate[0].kind, QOS_FATE_DROPPED_LATE);
	assert_int_equal(fate[0].cookie, 8);
	wait_readable(watch); /* there is more */
	assert_int_equal(qfates(fd, watch, fate, 4), 1);
	assert_int_equal(fate[0].kind, QOS_FATE_LATE);
	assert_int_equal(fate[0].cookie, 9);
	assert_int_equal(qdetach(fd), 0);
	wait_readable(watch); /* who waits shall know */
	assert_says(qfates(fd, watch, fate, 4), ENOTCONN, "not attached");
	close(watch);
	close(fd);
	close(sink);
}

static void what_finds_no_room_is_counted(void **state)
{
	struct qos_fate fate[QOS_FATES + 1];
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf), watch, k;

	(void)state;
	watch = qwatch(fd, NULL);
	assert_true(watch >= 0);
	for (k = 0; k < QOS_FATES + 5; k++)
		send_cookie(fd, k, 0, 0);
	loop_until(loop_info(fd).sent_units == QOS_FATES + 5);
	wait_readable(watch);
	assert_int_equal(qfates(fd, watch, fate, QOS_FATES + 1), QOS_FATES + 1);
	for (k = 0; k < QOS_FATES; k++)
		assert_int_equal(fate[k].cookie, k);
	assert_int_equal(fate[QOS_FATES].kind, QOS_EVENT_LOST);
	assert_int_equal(fate[QOS_FATES].value, 5);
	close(watch);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void events_come_from_the_thread_too(void **state)
{
	struct qos_watch w = { .events = QOS_WATCH_CONGESTION,
			       .high = 3,
			       .low = 1 };
	struct q_dwcs_attr paced = { .ipg = 200000,
				     .stream_flags = DWCS_NON_DROPPABLE };
	struct qos_fate fate[2];
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced), watch, k;

	(void)state;
	watch = qwatch(fd, &w);
	assert_true(watch >= 0);
	for (k = 0; k < 5; k++)
		loop_send(fd, 'e', 10, 0, 0);
	wait_readable(watch);
	assert_int_equal(qfates(fd, watch, fate, 2), 1);
	assert_int_equal(fate[0].kind, QOS_EVENT_CONGESTED);
	wait_readable(watch);
	assert_int_equal(qfates(fd, watch, fate, 2), 1);
	assert_int_equal(fate[0].kind, QOS_EVENT_UNCONGESTED);
	assert_int_equal(fate[0].value, 1);
	w.low = w.high;
	assert_says(qwatch(fd, &w), EINVAL, "low is 3");
	w.events = QOS_WATCH_RATE;
	assert_says(qwatch(fd, &w), EOPNOTSUPP, "no rate");
	w.events = 0x80;
	assert_says(qwatch(fd, &w), EINVAL, "unknown bits");
	close(watch);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* The descriptor is the parent's too, so a child watches anew. */
static void a_child_does_not_watch(void **state)
{
	struct qos_fate fate;
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &edf), watch, status;
	pid_t child;

	(void)state;
	watch = qwatch(fd, NULL);
	assert_true(watch >= 0);
	child = fork();
	if (!child) {
		int again;

		if (qfates(fd, watch, &fate, 1) != -1 || errno != ENOTCONN)
			_exit(1);
		again = qwatch(fd, NULL);
		if (again < 0)
			_exit(2);
		send_cookie(fd, 1, 0, 0);
		poll(&(struct pollfd){ .fd = again, .events = POLLIN }, 1,
		     10000);
		_exit(qfates(fd, again, &fate, 1) == 1 ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(is_readable(watch));
	send_cookie(fd, 2, 0, 0);
	wait_readable(watch);
	assert_int_equal(qfates(fd, watch, &fate, 1), 1);
	assert_int_equal(fate.cookie, 2);
	close(watch);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

/* ---- qsockfini() */

static void sockets_of_a_device_that_is_gone_are_plain(void **state)
{
	struct qos_params params = { .name = "", .attributes = &half };
	struct qos_info info;
	struct sockaddr_in at;
	int sink, fd;

	(void)state;
	init_anew("dwcs", RATE);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &half);
	assert_int_equal(qreserve(fd, 1000), 0);
	loop_send(fd, 'a', 10, 0, 0);
	loop_send(fd, 'b', 10, DWCS_NON_DROPPABLE, 0); /* waits 10 ms */
	assert_int_equal(qsockfini("inproc"), 0);
	loop_expect(sink, "ab");
	info = loop_info(fd);
	assert_int_equal(info.state,
			 QOS_STATE_ATTACHED | QOS_STATE_DEVICE_GONE);
	loop_send(fd, 'c', 10, 0, -1); /* nobody drops it any more */
	loop_expect(sink, "c");
	assert_says(qchange(fd, &params), ENODEV, "not managed any more");
	assert_says(qreserve(fd, 1), ENODEV, "not managed");
	assert_says(qfits(fd, 1, loop_now()), ENODEV, "not managed");
	assert_says(qwatch(fd, NULL), ENODEV, "not managed");
	assert_says(qsockfini("inproc"), ENOENT, "not initialised");
	loop_init("dwcs", RATE, 0);
	assert_int_equal(loop_attach(fd, &half), 0); /* as it declared before */
	assert_int_equal(loop_info(fd).reserved, 400000);
	assert_int_equal(qsockfini("inproc"), 0);
	assert_int_equal(qdetach(fd), 0);
	assert_call_fails(qdetach(fd), ENOTCONN);
	close(fd);
	close(sink);
}

/* What does not leave in a second is dropped, so that qsockfini() returns. */
static void qsockfini_does_not_wait_for_ever(void **state)
{
	struct q_dwcs_attr slow = { .ipg = 30000000 };
	struct sockaddr_in at;
	int sink, fd, stuck[2];

	(void)state;
	init_anew("dwcs", 0);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &slow);
	loop_connection(stuck, &edf);
	loop_send(stuck[0], 's', 4 << 20, 0, 0);
	loop_send(fd, 'a', 10, 0, 0);
	loop_send(fd, 'b', 10, 0, 0);
	assert_int_equal(qsockfini("inproc"), 0);
	loop_expect(sink, "a");
	assert_true(loop_is_empty(sink));
	loop_init("vds", 0, 0); /* possible only when nothing is queued */
	assert_int_equal(qclose(fd), 0);
	assert_int_equal(qclose(stuck[0]), 0);
	close(stuck[1]);
	close(sink);
	assert_int_equal(qsockfini("inproc"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_reserved_is_accounted_for),
		cmocka_unit_test(other_attributes_reserve_again),
		cmocka_unit_test(what_is_declared_before_is_reserved_later),
		cmocka_unit_test(what_cannot_be_reserved_is_refused),
		cmocka_unit_test(qfits_knows_what_is_queued),
		cmocka_unit_test(the_fate_of_a_message_wakes),
		cmocka_unit_test(what_finds_no_room_is_counted),
		cmocka_unit_test(events_come_from_the_thread_too),
		cmocka_unit_test(a_child_does_not_watch),
		cmocka_unit_test(sockets_of_a_device_that_is_gone_are_plain),
		cmocka_unit_test(qsockfini_does_not_wait_for_ever),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
