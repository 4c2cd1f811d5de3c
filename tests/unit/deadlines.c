// SPDX-License-Identifier: LGPL-2.1-or-later
/* What happens to units that cannot be in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */

static void a_past_deadline_drops_a_droppable_message(void **state)
{
	struct vclock v;
	__u32 s, id;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 1, 2, 0, 0);
	id = vclock_send_with(&v, s, 1000, SEC - 1, 0);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].fate, V_DROPPED);
	assert_int_equal(qs_stream(v.core, s)->dropped_late, 1);
	assert_int_equal(qs_stream(v.core, s)->sent_units, 0);
	assert_int_equal(v.core->dropped_late, 1);
	assert_int_equal(v.core->violations, 0);
	vclock_fini(&v);
}

static void sends_late(__u32 stream_flags, __u32 flags)
{
	struct vclock v;
	qs_stream_t *s;
	__u32 i, id;

	vclock_init(&v, RATE, 64, 1);
	i = vclock_attach(&v, 0, 0, 0, stream_flags);
	s = qs_stream(v.core, i);
	id = vclock_send_with(&v, i, 1000, SEC - 100 * MS, flags);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].fate, V_SENT);
	assert_int_equal(v.packets[id].left, SEC);
	assert_int_equal(s->sent_units, 1);
	assert_int_equal(s->late_units, 1);
	assert_int_equal(s->violations, 1);
	assert_int_equal(s->dropped_late, 0);
	vclock_fini(&v);
}

static void a_past_deadline_sends_what_must_not_be_dropped(void **state)
{
	(void)state;
	sends_late(QS_STREAM_NON_DROPPABLE, 0);
	sends_late(0, QS_TX_NON_DROPPABLE);
	sends_late(0, QS_CBF_RELIABLE);
}

/* It is looked at again and again while others go first. */
static void a_late_unit_counts_once_however_long_it_waits(void **state)
{
	struct vclock v;
	qs_stream_t *s;
	__u32 a, b, k;

	(void)state;
	vclock_init(&v, RATE, 64, 2);
	a = vclock_attach(&v, 5, 10, 0, QS_STREAM_NON_DROPPABLE);
	b = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	s = qs_stream(v.core, a);
	vclock_send_with(&v, a, 1000, SEC + MS / 2, 0);
	for (k = 0; k < 10; k++)
		vclock_send_with(&v, b, 1000, SEC - SEC / 2 + k, 0);
	vclock_drain(&v);
	assert_int_equal(vclock_sent(&v, 10)->p.stream, a);
	assert_int_equal(s->late_units, 1);
	assert_int_equal(s->cur_oln, 4);
	assert_int_equal(s->cur_old, 9);
	assert_int_equal(qs_stream(v.core, b)->late_units, 10);
	vclock_fini(&v);
}

/* In time means that the last bit has left by then. */
static void the_last_bit_decides(void **state)
{
	struct vclock v;
	__u32 s, in_time, late;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	in_time = vclock_send_with(&v, s, 1000, SEC + MS, 0);
	late = vclock_send_with(&v, s, 1000, SEC + 2 * MS - 1, 0);
	vclock_drain(&v);
	assert_int_equal(v.packets[in_time].fate, V_SENT);
	assert_int_equal(v.packets[late].fate, V_DROPPED);
	vclock_fini(&v);
}

/* Where the device sets the pace, sending takes no time that we know of. */
static void without_a_rate_late_is_after_the_deadline(void **state)
{
	struct vclock v;
	__u32 s, in_time, late;

	(void)state;
	vclock_init(&v, 0, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	in_time = vclock_send_with(&v, s, 1000, SEC, 0);
	late = vclock_send_with(&v, s, 1000, SEC - 1, 0);
	vclock_drain(&v);
	assert_int_equal(v.packets[in_time].fate, V_SENT);
	assert_int_equal(v.packets[late].fate, V_DROPPED);
	vclock_fini(&v);
}

/* An hour ahead is the same as the horizon: what is due before goes before. */
static void the_horizon_caps_a_deadline(void **state)
{
	__u32 far, near, none, hour;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 64, 3);
	far = vclock_attach(&v, 0, 0, 0, 0);
	near = vclock_attach(&v, 0, 0, 0, 0);
	none = vclock_attach(&v, 0, 0, 0, 0);
	vclock_besteffort(&v, 0, 1000, 0); /* keeps the wire busy */
	vclock_run(&v, SEC + 1);
	hour = vclock_send_with(&v, far, 1000, SEC + 3600 * SEC, 0);
	assert_int_equal(qs_stream(v.core, far)->deadline,
			 v.now + QS_TX_HORIZON_NS);
	v.now++;
	vclock_send(&v, none, 1000); /* at the horizon, but it came later */
	vclock_send_with(&v, near, 1000, v.now + QS_TX_HORIZON_NS - 2, 0);
	vclock_drain(&v);
	assert_int_equal(v.packets[v.out[1]].p.stream, near);
	assert_int_equal(v.out[2], hour);
	assert_int_equal(v.packets[v.out[3]].p.stream, none);
	assert_int_equal(vclock_count(&v, V_SENT), 4);
	vclock_fini(&v);
}

static void a_periods_end_is_the_deadline(void **state)
{
	struct vclock v;
	__u32 a, b, k;

	(void)state;
	vclock_init(&v, RATE, 64, 2);
	a = vclock_attach(&v, 0, 1, 20000, 0);
	b = vclock_attach(&v, 0, 1, 10000, 0);
	for (k = 0; k < 4; k++) {
		vclock_send(&v, a, 1000);
		vclock_send(&v, b, 1000);
	}
	vclock_run(&v, SEC + 1);
	assert_int_equal(vclock_sent(&v, 0)->p.stream, b);
	assert_int_equal(qs_stream(v.core, b)->deadline, SEC + 20 * MS);
	assert_int_equal(qs_stream(v.core, a)->deadline, SEC + 20 * MS);
	vclock_fini(&v);
}

/* After 35 ms without a wire: periods 1 to 3 are missed, 4 is not. */
static void a_late_periodic_stream_moves_on_by_whole_periods(void **state)
{
	struct vclock v;
	qs_stream_t *s;
	__u32 i, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	i = vclock_attach(&v, 2, 4, 10000, QS_STREAM_NON_DROPPABLE);
	s = qs_stream(v.core, i);
	v.core->free_at = SEC + 35 * MS;
	for (k = 0; k < 4; k++)
		vclock_send(&v, i, 1000);
	vclock_drain(&v);
	assert_int_equal(vclock_sent(&v, 0)->left, SEC + 35 * MS);
	assert_int_equal(vclock_sent(&v, 1)->left, SEC + 40 * MS);
	assert_int_equal(vclock_sent(&v, 2)->left, SEC + 50 * MS);
	assert_int_equal(s->late_units, 1);
	assert_int_equal(s->violations, 1); /* three missed, two tolerated */
	assert_int_equal(s->sent_units, 4);
	vclock_fini(&v);
}

/* The same, droppable: one unit is lost in each missed period. */
static void a_late_periodic_stream_drops_one_unit_a_period(void **state)
{
	struct vclock v;
	qs_stream_t *s;
	__u32 i, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	i = vclock_attach(&v, 2, 4, 10000, 0);
	s = qs_stream(v.core, i);
	v.core->free_at = SEC + 35 * MS;
	for (k = 0; k < 6; k++)
		vclock_send(&v, i, 1000);
	vclock_drain(&v);
	assert_int_equal(vclock_count(&v, V_DROPPED), 3);
	assert_int_equal(vclock_sent(&v, 0)->left, SEC + 35 * MS);
	assert_int_equal(vclock_sent(&v, 1)->left, SEC + 40 * MS);
	assert_int_equal(s->violations, 1);
	assert_int_equal(s->late_units, 0);
	assert_int_equal(s->dropped_late, 3);
	vclock_fini(&v);
}

/* Non-preemptive: who comes after a large unit began waits for its end. */
static void blocking_is_at_most_one_largest_unit(void **state)
{
	__u32 big, small, k, id;
	__u64 waited, most = 0;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 256, 2);
	big = vclock_attach(&v, 0, 1, 17000, 0);
	small = vclock_attach(&v, 0, 1, 10000, 0);
	for (k = 0; k < 5000; k++) {
		if (k % 17 == 0)
			vclock_send(&v, big, 9000);
		if (k % 10 == 1)
			vclock_send(&v, small, 1000);
		vclock_run(&v, v.now + MS);
	}
	for (id = 0; id < v.n; id++) {
		if (v.packets[id].p.stream != small)
			continue;
		waited = v.packets[id].left - v.packets[id].put;
		if (waited > most)
			most = waited;
	}
	assert_in_range(most, 8 * MS, 9 * MS);
	assert_int_equal(vclock_count(&v, V_DROPPED), 0);
	vclock_fini(&v);
}

/* Sent in idle time or not: a message that is late is late. */
static void idle_time_does_not_make_a_late_message_good(void **state)
{
	struct vclock v;
	__u32 s, id;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 100000, QS_STREAM_WORK_CONSERVING);
	vclock_send(&v, s, 1000);
	id = vclock_send_with(&v, s, 1000, SEC + MS, 0);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].fate, V_DROPPED);
	vclock_fini(&v);
}

/* ---- TCP's segments: in order, whatever their deadlines */

static __u32 put_segment(struct vclock *v, __u32 i, __u64 deadline)
{
	return vclock_send_with(v, i, 1000, deadline, QS_CBF_RELIABLE);
}

static void segments_stay_in_order(void **state)
{
	static const __u64 deadlines[] = { 0,	    9 * MS, 5 * MS,  0,
					   20 * MS, 3 * MS, 30 * MS, 2 * MS };
	const __u32 n = sizeof(deadlines) / sizeof(*deadlines);
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < n; k++)
		put_segment(&v, s, deadlines[k] ? SEC + deadlines[k] : 0);
	vclock_drain(&v);
	assert_int_equal(v.n_out, n);
	for (k = 0; k < n; k++)
		assert_int_equal(v.out[k], k);
	assert_int_equal(vclock_count(&v, V_SENT), n);
	vclock_fini(&v);
}

/* Whether another stream's message, due at 6 ms, left before segment `k`. */
static int left_before_segment(__u32 ipg, const __u64 *deadlines, __u32 n,
			       __u32 k)
{
	__u32 tcp, other, id, at = 0;
	struct vclock v;

	vclock_init(&v, RATE, 64, 2);
	tcp = vclock_attach(&v, 0, 1, ipg, 0);
	other = vclock_attach(&v, 0, 0, 0, 0);
	v.core->free_at = SEC + MS / 2; /* all have come by then */
	id = vclock_send_with(&v, other, 1000, SEC + 6 * MS, 0);
	for (at = 0; at < n; at++)
		put_segment(&v, tcp, deadlines[at] ? SEC + deadlines[at] : 0);
	vclock_drain(&v);
	at = v.packets[id].left < v.packets[id + 1 + k].left;
	assert_int_equal(vclock_count(&v, V_SENT), n + 1);
	vclock_fini(&v);
	return at;
}

static void a_segment_hurries_those_before_it(void **state)
{
	static const __u64 urgent[] = { 0, 9 * MS, 5 * MS, 9 * MS };
	static const __u64 none[] = { 0, 9 * MS, 9 * MS, 9 * MS };

	(void)state;
	assert_false(left_before_segment(0, urgent, 4, 0));
	assert_false(left_before_segment(0, urgent, 4, 1));
	assert_false(left_before_segment(0, urgent, 4, 2));
	assert_true(left_before_segment(0, urgent, 4, 3));
	assert_true(left_before_segment(0, none, 4, 0));
}

/* What is behind an urgent one does not make it less so. */
static void a_later_deadline_does_not_slow_those_before_it(void **state)
{
	static const __u64 late[] = { 5 * MS, 9 * MS };
	static const __u64 periodic[] = { 0, 9 * MS };

	(void)state;
	assert_false(left_before_segment(0, late, 2, 0));
	assert_true(left_before_segment(0, late, 2, 1));
	assert_false(left_before_segment(4000, periodic, 2, 0));
	assert_true(left_before_segment(7000, periodic, 2, 0));
}

static void every_segment_that_is_held_up_is_late(void **state)
{
	struct vclock v;
	qs_stream_t *s;
	__u32 i, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	i = vclock_attach(&v, 0, 0, 0, 0);
	s = qs_stream(v.core, i);
	for (k = 0; k < 4; k++)
		put_segment(&v, i, SEC + 9 * MS);
	put_segment(&v, i, SEC - MS);
	put_segment(&v, i, SEC + 9 * MS);
	vclock_drain(&v);
	assert_int_equal(s->late_units, 5);
	assert_int_equal(s->sent_units, 6);
	assert_int_equal(s->dropped_late, 0);
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_past_deadline_drops_a_droppable_message),
		cmocka_unit_test(
			a_past_deadline_sends_what_must_not_be_dropped),
		cmocka_unit_test(a_late_unit_counts_once_however_long_it_waits),
		cmocka_unit_test(the_last_bit_decides),
		cmocka_unit_test(without_a_rate_late_is_after_the_deadline),
		cmocka_unit_test(the_horizon_caps_a_deadline),
		cmocka_unit_test(a_periods_end_is_the_deadline),
		cmocka_unit_test(
			a_late_periodic_stream_moves_on_by_whole_periods),
		cmocka_unit_test(
			a_late_periodic_stream_drops_one_unit_a_period),
		cmocka_unit_test(blocking_is_at_most_one_largest_unit),
		cmocka_unit_test(idle_time_does_not_make_a_late_message_good),
		cmocka_unit_test(segments_stay_in_order),
		cmocka_unit_test(a_segment_hurries_those_before_it),
		cmocka_unit_test(
			a_later_deadline_does_not_slow_those_before_it),
		cmocka_unit_test(every_segment_that_is_held_up_is_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
