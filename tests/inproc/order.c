/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The core's order above the stack: deadlines, drops, frames, pace. A long
 * message at a low rate keeps the wire busy while the others are queued.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "support/loop.h"

#define RATE 64000
#define PLUG 8000 /* bytes, about a second of which a burst saves 0.2 */
#define SECOND (1000 * LOOP_MS)

static struct q_dwcs_attr edf; /* no window, no period */

struct flows {
	int sink;
	int plug, a, b, c;
};

static void flows_open(struct flows *f, const char *sched)
{
	struct sockaddr_in at;

	loop_init(sched, RATE, 0);
	f->sink = loop_sink(&at);
	f->plug = loop_sender(&at, &edf);
	f->a = loop_sender(&at, &edf);
	f->b = loop_sender(&at, &edf);
	f->c = loop_sender(&at, &edf);
	loop_send(f->plug, '.', PLUG, DWCS_NON_DROPPABLE, 0);
	loop_expect(f->sink, ".");
}

static void flows_close(struct flows *f)
{
	assert_int_equal(qclose(f->plug), 0);
	assert_int_equal(qclose(f->a), 0);
	assert_int_equal(qclose(f->b), 0);
	assert_int_equal(qclose(f->c), 0);
	close(f->sink);
}

static void the_earliest_deadline_goes_first(const char *sched)
{
	struct flows f;

	flows_open(&f, sched);
	loop_send(f.a, 'a', 100, 0, 9 * SECOND);
	loop_send(f.b, 'b', 100, 0, 8 * SECOND);
	loop_send(f.c, 'c', 100, 0, 7 * SECOND);
	loop_send(f.a, 'A', 100, 0, 6 * SECOND);
	loop_expect(f.sink, "Acba");
	assert_int_equal(loop_info(f.a).sent_units, 2);
	assert_int_equal(loop_info(f.a).dropped_late, 0);
	flows_close(&f);
}

static void earliest_deadline_first_by_dwcs(void **state)
{
	(void)state;
	the_earliest_deadline_goes_first("dwcs");
}

static void earliest_deadline_first_by_vds(void **state)
{
	(void)state;
	the_earliest_deadline_goes_first("vds");
}

static void a_late_message_is_dropped_unless_it_must_not_be(void **state)
{
	struct flows f;

	(void)state;
	flows_open(&f, "dwcs");
	loop_send(f.a, 'a', 100, 0, 50 * LOOP_MS);
	loop_send(f.b, 'b', 100, DWCS_NON_DROPPABLE, 50 * LOOP_MS);
	loop_send(f.c, 'c', 100, 0, 9 * SECOND);
	loop_expect(f.sink, "bc");
	assert_int_equal(loop_info(f.a).dropped_late, 1);
	assert_int_equal(loop_info(f.a).sent_units, 0);
	assert_int_equal(loop_info(f.b).late_units, 1);
	assert_int_equal(loop_info(f.b).dropped_late, 0);
	assert_int_equal(loop_info(f.c).late_units, 0);
	flows_close(&f);
}

static void a_frame_stays_together(void **state)
{
	struct flows f;

	(void)state;
	flows_open(&f, "dwcs");
	loop_send(f.a, '1', 100, QSOCK_FRAME_START, 8 * SECOND);
	loop_send(f.b, 'b', 100, 0, 9 * SECOND);
	loop_send(f.a, '2', 100, 0, 0);
	loop_send(f.c, 'c', 100, 0, 7 * SECOND);
	loop_send(f.a, '3', 100, QSOCK_FRAME_END, 0);
	loop_expect(f.sink, "c123b");
	assert_int_equal(loop_info(f.a).sent_units, 1);
	assert_int_equal(loop_info(f.a).sent_packets, 3);
	flows_close(&f);
}

static void a_frame_waits_for_its_end(void **state)
{
	struct flows f;

	(void)state;
	flows_open(&f, "dwcs");
	loop_send(f.a, '1', 100, QSOCK_FRAME_START, SECOND);
	loop_send(f.b, 'b', 100, 0, 9 * SECOND);
	loop_expect(f.sink, "b"); /* and it ends by itself after a second */
	loop_send(f.a, '2', 100, QSOCK_FRAME_END | DWCS_NON_DROPPABLE, 0);
	while (loop_receive(f.sink, NULL) != '2')
		;
	flows_close(&f);
}

static void a_stream_keeps_its_period(void **state)
{
	struct q_dwcs_attr attr = { .ipg = 50000 };
	struct sockaddr_in at;
	int64_t start;
	int fd, sink, id;

	(void)state;
	loop_init("dwcs", 0, 0);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &attr);
	start = loop_now();
	for (id = 'a'; id <= 'f'; id++)
		loop_send(fd, (char)id, 10, DWCS_NON_DROPPABLE, 0);
	loop_expect(sink, "abcdef");
	assert_true(loop_now() - start >= 5 * 50 * LOOP_MS);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void the_rate_is_kept(void **state)
{
	struct sockaddr_in at;
	int64_t start;
	int fd, sink, k;

	(void)state;
	loop_init("dwcs", 8000000, 0); /* a byte a microsecond */
	sink = loop_sink(&at);
	fd = loop_sender(&at, &edf);
	start = loop_now();
	for (k = 0; k < 100; k++)
		loop_send(fd, 'r', 1400, DWCS_NON_DROPPABLE, 0);
	for (k = 0; k < 100; k++)
		loop_receive(sink, NULL);
	/* the last one takes its time afterwards, and a burst may be ahead */
	assert_true(loop_now() - start >= (99 * 1442 - 1514) * 1000ll);
	assert_int_equal(loop_info(fd).sent_bytes, 100 * 1442);
	assert_int_equal(loop_info(fd).device_rate, 8000000);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

static void other_attributes_take_effect(void **state)
{
	struct q_dwcs_attr slow = { .ipg = 10000000 }, fast = { .ipg = 1000 };
	struct qos_params params = { .name = "", .attributes = &fast };
	struct sockaddr_in at;
	int fd, sink;

	(void)state;
	loop_init("dwcs", 0, 0);
	sink = loop_sink(&at);
	fd = loop_sender(&at, &slow);
	assert_int_equal(qchange(fd, &params), 0);
	assert_int_equal(loop_info(fd).ipg, 1000);
	loop_send(fd, 'a', 10, DWCS_NON_DROPPABLE, 0);
	loop_send(fd, 'b', 10, DWCS_NON_DROPPABLE, 0);
	loop_expect(sink, "ab");
	fast.oln = 2;
	assert_call_fails(qchange(fd, &params), EINVAL);
	assert_int_equal(qclose(fd), 0);
	close(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(earliest_deadline_first_by_dwcs),
		cmocka_unit_test(earliest_deadline_first_by_vds),
		cmocka_unit_test(
			a_late_message_is_dropped_unless_it_must_not_be),
		cmocka_unit_test(a_frame_stays_together),
		cmocka_unit_test(a_frame_waits_for_its_end),
		cmocka_unit_test(a_stream_keeps_its_period),
		cmocka_unit_test(the_rate_is_kept),
		cmocka_unit_test(other_attributes_take_effect),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
