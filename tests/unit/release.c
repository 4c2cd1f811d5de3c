// SPDX-License-Identifier: LGPL-2.1-or-later
/* When a stream's units are released: one a period, whatever the source does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define IPG 10000
#define PERIOD (10 * MS)

static void assert_sent_at(struct vclock *v, __u32 k, __u64 at)
{
	struct vpacket *p = vclock_sent(v, k);

	assert_non_null(p);
	assert_int_equal(p->left, at);
}

static void a_backlog_leaves_one_unit_a_period(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 256, 1);
	s = vclock_attach(&v, 0, 1, IPG, 0);
	for (k = 0; k < 100; k++)
		vclock_send(&v, s, 1000);
	vclock_drain(&v);
	for (k = 0; k < 100; k++)
		assert_sent_at(&v, k, SEC + k * PERIOD);
	vclock_fini(&v);
}

static void the_first_unit_leaves_at_once(void **state)
{
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	v.now = 7 * SEC + 123;
	vclock_send(&v, vclock_attach(&v, 0, 1, IPG, 0), 1000);
	vclock_drain(&v);
	assert_sent_at(&v, 0, 7 * SEC + 123);
	vclock_fini(&v);
}

static void after_idle_time_the_count_begins_anew(void **state)
{
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, IPG, 0);
	vclock_send(&v, s, 1000);
	vclock_run(&v, SEC + 33 * MS);
	vclock_send(&v, s, 1000);
	vclock_send(&v, s, 1000);
	vclock_send(&v, s, 1000);
	vclock_drain(&v);
	assert_sent_at(&v, 1, SEC + 33 * MS);
	assert_sent_at(&v, 2, SEC + 43 * MS);
	assert_sent_at(&v, 3, SEC + 53 * MS);
	vclock_fini(&v);
}

/* A wire that is busy at the release delays this unit, not the next ones. */
static void waiting_for_the_wire_does_not_shift_the_periods(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, IPG, 0);
	vclock_besteffort(&v, 1, 1500, 0);
	vclock_step(&v);
	for (k = 0; k < 5; k++)
		vclock_send(&v, s, 1000);
	vclock_drain(&v);
	assert_sent_at(&v, 1, SEC + 1500 * US);
	for (k = 1; k < 5; k++)
		assert_sent_at(&v, k + 1, SEC + k * PERIOD);
	vclock_fini(&v);
}

static void a_faster_source_only_delays_itself(void **state)
{
	__u32 fast, steady, k, id, sent = 0;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 4096, 2);
	fast = vclock_attach(&v, 0, 1, IPG, 0);
	steady = vclock_attach(&v, 0, 1, IPG, 0);
	for (k = 0; k < 1000; k++) {
		vclock_send(&v, fast, 1000);
		if (k % 4 == 0)
			vclock_send(&v, steady, 1000);
		vclock_run(&v, v.now + PERIOD / 4);
	}
	for (id = 0; id < v.n; id++) {
		if (v.packets[id].p.stream != steady)
			continue;
		assert_int_equal(v.packets[id].fate, V_SENT);
		assert_true(v.packets[id].left - v.packets[id].put <= MS);
	}
	for (id = 0; id < v.n; id++)
		sent += v.packets[id].p.stream == fast &&
			v.packets[id].fate == V_SENT;
	assert_in_range(sent, 249, 251);
	assert_int_equal(v.core->violations, 0);
	vclock_fini(&v);
}

static void a_work_conserving_stream_uses_idle_time(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, IPG, QS_STREAM_WORK_CONSERVING);
	for (k = 0; k < 20; k++)
		vclock_send(&v, s, 1000);
	vclock_drain(&v);
	for (k = 0; k < 20; k++)
		assert_sent_at(&v, k, SEC + k * MS);
	vclock_fini(&v);
}

/* Idle is what neither best effort nor a released unit wants. */
static void a_work_conserving_stream_uses_no_other_time(void **state)
{
	__u32 ahead, other, k, sent;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 512, 2);
	ahead = vclock_attach(&v, 0, 1, IPG, QS_STREAM_WORK_CONSERVING);
	other = vclock_attach(&v, 0, 1, IPG, 0);
	for (k = 0; k < 100; k++)
		vclock_send(&v, ahead, 1000);
	for (k = 0; k < 100; k++) {
		vclock_send(&v, other, 1000);
		vclock_besteffort(&v, 1, 1000, 0);
		vclock_besteffort(&v, 1, 1000, 0);
		vclock_besteffort(&v, 1, 1000, 0);
		vclock_run(&v, v.now + 5 * MS);
	}
	/* 500 ms; best effort takes 300, the other stream 50, ahead 150 */
	sent = vclock_bytes(&v, ahead) / 1000;
	assert_int_equal(vclock_bytes(&v, QS_NIL), 300 * 1000);
	assert_int_equal(vclock_bytes(&v, other), 50 * 1000);
	assert_int_equal(sent, 100);
	vclock_fini(&v);
}

static void with_full_best_effort_it_keeps_its_period(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 2048, 1);
	s = vclock_attach(&v, 0, 1, IPG, QS_STREAM_WORK_CONSERVING);
	for (k = 0; k < 1500; k++)
		vclock_besteffort(&v, k % 2, 1000, 0);
	for (k = 0; k < 200; k++)
		vclock_send(&v, s, 1000);
	vclock_run(&v, SEC + SEC);
	assert_int_equal(vclock_bytes(&v, s) / 1000, 100);
	assert_int_equal(vclock_bytes(&v, QS_NIL) / 1000, 900);
	vclock_fini(&v);
}

/* What was sent ahead in idle time is not missing later. */
static void idle_time_does_not_count_against_later_periods(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 2048, 1);
	s = vclock_attach(&v, 0, 1, IPG, QS_STREAM_WORK_CONSERVING);
	for (k = 0; k < 200; k++)
		vclock_send(&v, s, 1000);
	vclock_run(&v, SEC + 50 * MS); /* 50 ahead */
	for (k = 0; k < 1500; k++)
		vclock_besteffort(&v, 1, 1000, 0);
	vclock_run(&v, SEC + 550 * MS);
	assert_in_range(vclock_bytes(&v, s) / 1000, 50 + 49, 50 + 51);
	vclock_fini(&v);
}

static void without_a_period_the_deadlines_order(void **state)
{
	static const __u32 due[6] = { 60, 20, 50, 30, 10, 40 };
	static const __u32 order[6] = { 4, 1, 3, 5, 2, 0 };
	struct vclock v;
	__u32 a, b, k;

	(void)state;
	vclock_init(&v, RATE, 64, 2);
	a = vclock_attach(&v, 0, 0, 0, 0);
	b = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < 6; k++)
		vclock_send_with(&v, k % 3 ? a : b, 1000, SEC + due[k] * MS, 0);
	vclock_drain(&v);
	for (k = 0; k < 6; k++) {
		assert_int_equal(v.out[k], order[k]);
		assert_sent_at(&v, k, SEC + k * MS);
	}
	vclock_fini(&v);
}

/* The messages change places, the stream keeps its pace. */
static void a_nearer_deadline_takes_the_next_period(void **state)
{
	__u32 s, late, early, k;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, IPG, 0);
	for (k = 0; k < 2; k++)
		vclock_send(&v, s, 1000);
	late = vclock_send_with(&v, s, 1000, SEC + 500 * MS, 0);
	vclock_run(&v, SEC + 15 * MS);
	early = vclock_send_with(&v, s, 1000, SEC + 100 * MS, 0);
	vclock_drain(&v);
	assert_int_equal(v.packets[early].left, SEC + 20 * MS);
	assert_int_equal(v.packets[late].left, SEC + 30 * MS);
	vclock_fini(&v);
}

static void without_period_and_deadline_it_is_first_come_first_served(
	void **state)
{
	struct vclock v;
	__u32 s[3], k;

	(void)state;
	vclock_init(&v, RATE, 256, 3);
	for (k = 0; k < 3; k++)
		s[k] = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < 200; k++)
		vclock_send(&v, s[k * k % 3], 1000);
	vclock_drain(&v);
	for (k = 0; k < 200; k++)
		assert_int_equal(v.out[k], k);
	vclock_fini(&v);
}

static void a_changed_period_is_valid_from_the_next_unit(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, IPG, 0);
	for (k = 0; k < 6; k++)
		vclock_send(&v, s, 1000);
	vclock_run(&v, SEC + 15 * MS);
	vclock_change(&v, s, 0, 1, 3000, 0);
	vclock_drain(&v);
	assert_sent_at(&v, 2, SEC + 20 * MS); /* it waited already */
	assert_sent_at(&v, 3, SEC + 30 * MS);
	assert_sent_at(&v, 4, SEC + 33 * MS);
	assert_sent_at(&v, 5, SEC + 36 * MS);
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backlog_leaves_one_unit_a_period),
		cmocka_unit_test(the_first_unit_leaves_at_once),
		cmocka_unit_test(after_idle_time_the_count_begins_anew),
		cmocka_unit_test(
			waiting_for_the_wire_does_not_shift_the_periods),
		cmocka_unit_test(a_faster_source_only_delays_itself),
		cmocka_unit_test(a_work_conserving_stream_uses_idle_time),
		cmocka_unit_test(a_work_conserving_stream_uses_no_other_time),
		cmocka_unit_test(with_full_best_effort_it_keeps_its_period),
		cmocka_unit_test(
			idle_time_does_not_count_against_later_periods),
		cmocka_unit_test(without_a_period_the_deadlines_order),
		cmocka_unit_test(a_nearer_deadline_takes_the_next_period),
		cmocka_unit_test(
			without_period_and_deadline_it_is_first_come_first_served),
		cmocka_unit_test(a_changed_period_is_valid_from_the_next_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
