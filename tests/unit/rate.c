// SPDX-License-Identifier: LGPL-2.1-or-later
/* The device's rate: exact in the long run, a burst at most in the short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define PACKETS 10000u

static __u64 wire(struct vclock *v, __u64 bytes)
{
	return (bytes * 8 * SEC + v->core->rate - 1) / v->core->rate;
}

/* Keeps the queue filled until PACKETS have left. */
static void run_full(struct vclock *v, __u32 least, __u32 most)
{
	while (v->core->sent_packets < PACKETS) {
		if (v->core->be_packets < 20)
			vclock_besteffort(v, vclock_between(v, 0, 3),
					  vclock_between(v, least, most), 0);
		else if (vclock_step(v) == QS_DEQ_WAIT)
			vclock_sleep(v);
	}
}

/* Late by less than the slack, timers cost nothing. */
static void assert_exact(__u64 rate, __u64 slack, __u64 lag)
{
	struct vclock v;
	__u64 took, ideal;

	vclock_init(&v, rate, 64, 1);
	v.core->slack = slack;
	v.lag = lag;
	v.core->free_at = v.now; /* no burst to begin with */
	run_full(&v, 60, 1514);
	took = v.core->free_at - SEC;
	ideal = v.core->sent_bytes * 8 * SEC / rate;
	/* rounding is up, by less than 1 ns a packet */
	assert_in_range(took, ideal, ideal + PACKETS);
	vclock_fini(&v);
}

static void the_rate_is_exact(void **state)
{
	(void)state;
	assert_exact(10000000, 0, 0);
	assert_exact(999999937, 0, 0);
	assert_exact(64000, 0, 0);
}

static void late_timers_do_not_slow_it_down(void **state)
{
	(void)state;
	assert_exact(10000000, 100 * US, 100 * US);
	assert_exact(1000000000, 100 * US, 100 * US);
	assert_exact(10000000000ull, 50 * US, 50 * US);
	assert_exact(64000, MS, MS);
}

/* Later than the slack is lost: that time would have to be a burst. */
static void what_is_later_than_the_slack_is_lost(void **state)
{
	__u64 took, ideal;
	struct vclock v;

	(void)state;
	vclock_init(&v, 10000000, 64, 1);
	v.core->slack = 100 * US;
	v.lag = 300 * US;
	run_full(&v, 1000, 1000);
	took = v.core->free_at - SEC;
	ideal = v.core->sent_bytes * 8 * SEC / v.core->rate;
	assert_true(took > ideal);
	assert_true(took < ideal + PACKETS * 200 * US);
	vclock_fini(&v);
}

/* In no interval does more leave than the rate, the slack and one packet. */
static void a_burst_is_at_most_the_slack(void **state)
{
	struct vclock v;
	__u64 bytes;
	__u32 k, j;

	(void)state;
	vclock_init(&v, 10000000, 256, 1);
	v.core->slack = 5 * MS;
	v.lag = 3 * MS;
	for (k = 0; k < 200; k++) {
		for (j = vclock_between(&v, 1, 30); j > 0; j--)
			vclock_besteffort(&v, j, vclock_between(&v, 60, 1514),
					  0);
		vclock_run(&v, v.now + vclock_between(&v, 1, 40) * MS);
	}
	for (k = 0; k < v.n_out; k++) {
		bytes = 0;
		for (j = k; j < v.n_out && j < k + 200; j++) {
			assert_true(wire(&v, bytes) <=
				    v.packets[v.out[j]].left -
					    v.packets[v.out[k]].left +
					    v.core->slack);
			bytes += v.packets[v.out[j]].p.len;
		}
	}
	vclock_fini(&v);
}

/* After an idle time, the slack's worth and the packet that passes it. */
static void idle_time_is_worth_the_slack_and_no_more(void **state)
{
	struct vclock v;
	__u32 k;

	(void)state;
	vclock_init(&v, 8000000, 64, 1);
	v.core->slack = 5 * MS;
	v.now = 100 * SEC;
	for (k = 0; k < 10; k++)
		vclock_besteffort(&v, 0, 1000, 0);
	vclock_drain(&v);
	for (k = 0; k < 10; k++)
		assert_int_equal(vclock_sent(&v, k)->left,
				 100 * SEC + (k < 6 ? 0 : k - 5) * MS);
	vclock_fini(&v);
}

static void a_packets_time_is_rounded_up(void **state)
{
	struct vclock v;

	(void)state;
	vclock_init(&v, 3, 64, 1);
	assert_int_equal(qs_wire_time(v.core, 0), 0);
	assert_int_equal(qs_wire_time(v.core, 3), 8 * SEC);
	assert_int_equal(qs_wire_time(v.core, 1), 2666666667ull);
	v.core->rate = 8 * SEC; /* a byte a ns */
	assert_int_equal(qs_wire_time(v.core, 1514), 1514);
	v.core->rate = 8 * SEC + 1;
	assert_int_equal(qs_wire_time(v.core, 1514), 1514);
	v.core->rate = 8 * SEC - 1;
	assert_int_equal(qs_wire_time(v.core, 1514), 1515);
	v.core->rate = 400000000000ull;
	assert_int_equal(qs_wire_time(v.core, 1), 1);
	v.core->rate = 1;
	assert_int_equal(qs_wire_time(v.core, 65536), 65536 * 8 * SEC);
	v.core->rate = 0;
	assert_int_equal(qs_wire_time(v.core, 1514), 0);
	vclock_fini(&v);
}

static void the_overhead_counts_for_each_packet(void **state)
{
	struct vclock v;
	__u32 k;

	(void)state;
	vclock_init(&v, 8000000, 64, 1);
	v.core->overhead = 24;
	for (k = 0; k < 10; k++)
		vclock_besteffort(&v, 0, 1000, 0);
	vclock_drain(&v);
	for (k = 0; k < 10; k++)
		assert_int_equal(vclock_sent(&v, k)->left, SEC + k * 1024 * US);
	assert_int_equal(v.core->sent_bytes, 10 * 1000);
	vclock_fini(&v);
}

/* Two packets of 976 and 24 bytes: 2 ms, so 1 ns less is late. */
static void a_units_time_has_the_overhead_of_all_its_packets(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, 8000000, 64, 1);
	v.core->overhead = 24;
	s = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < 2; k++) {
		vclock_send_with(&v, s, 976, SEC + 2 * MS - !k,
				 QS_TX_FRAME_START);
		vclock_send_with(&v, s, 976, 0, QS_TX_FRAME_END);
	}
	vclock_drain(&v);
	for (k = 0; k < 4; k++)
		assert_int_equal(v.packets[k].fate, k < 2 ? V_DROPPED : V_SENT);
	vclock_fini(&v);
}

static void without_a_rate_all_leaves_at_once(void **state)
{
	struct vclock v;
	__u32 k;

	(void)state;
	vclock_init(&v, 0, 64, 1);
	for (k = 0; k < 20; k++)
		vclock_besteffort(&v, k, 1514, 0);
	for (k = 0; k < 20; k++)
		assert_int_equal(vclock_step(&v), QS_DEQ_SEND);
	assert_int_equal(vclock_step(&v), QS_DEQ_EMPTY);
	vclock_fini(&v);
}

/* Late timers of the rate and of the releases: the streams' pace stays. */
static void late_timers_do_not_slow_streams_down(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, 100000000, 16384, 1);
	v.core->slack = 200 * US;
	v.lag = 200 * US;
	s = vclock_attach(&v, 0, 1, 1000, 0);
	for (k = 0; k < PACKETS; k++)
		vclock_send(&v, s, 1000);
	vclock_drain(&v);
	assert_int_equal(qs_stream(v.core, s)->sent_units, PACKETS);
	for (k = 0; k < PACKETS; k++)
		assert_in_range(v.packets[k].left, SEC + k * MS,
				SEC + k * MS + 400 * US);
	vclock_fini(&v);
}

/* 100 Gbit/s, seen every 100 ms, once an hour and once a year. */
static void a_rate_is_found_over_any_time(void **state)
{
	const __u64 bytes = 12500000000ull;

	(void)state;
	assert_int_equal(qs_rate(bytes / 10, 100 * MS), bytes * 8);
	assert_int_equal(qs_rate(bytes * 3600, 3600 * SEC), bytes * 8);
	assert_int_equal(qs_rate(bytes * 31536000, 31536000 * SEC), bytes * 8);
	assert_int_equal(qs_rate(125, 100 * MS), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_exact),
		cmocka_unit_test(late_timers_do_not_slow_it_down),
		cmocka_unit_test(what_is_later_than_the_slack_is_lost),
		cmocka_unit_test(a_burst_is_at_most_the_slack),
		cmocka_unit_test(idle_time_is_worth_the_slack_and_no_more),
		cmocka_unit_test(a_packets_time_is_rounded_up),
		cmocka_unit_test(the_overhead_counts_for_each_packet),
		cmocka_unit_test(
			a_units_time_has_the_overhead_of_all_its_packets),
		cmocka_unit_test(without_a_rate_all_leaves_at_once),
		cmocka_unit_test(late_timers_do_not_slow_streams_down),
		cmocka_unit_test(a_rate_is_found_over_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
