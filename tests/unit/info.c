// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is said of a stream: each member is the stream's; and the quantiles of
 * delays, found from their buckets, beside those of the sorted delays: within a
 * tenth, whatever the delays.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "lib/internal.h"
#include "schedulers/common/info.h"
#include "schedulers/dwcs/core.h"

#define PACKETS 20000u
#define US 1000ull
#define SEC 1000000000ull

/* ---- delays */

static __u64 delays[PACKETS];

static double random01(void)
{
	return (random() + 1.0) / ((double)RAND_MAX + 2);
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What qinfo() says after n packets with these delays. */
static struct qos_info counted(__u32 n)
{
	struct qs_dev dev = { .sched = QS_SCHED_DWCS };
	struct qs_core c = { 0 };
	struct qs_stream s = { .bucket_first = QS_DELAYS };
	struct qos_info info = { 0 };
	__u32 i;

	for (i = 0; i < n; i++) {
		s.sent_packets++;
		qs_delay(&s, delays[i]);
	}
	qs_info_fill(&info, &dev, &c, &s, 0);
	return info;
}

/* The shortest delay that no less than so many percent did not exceed. */
static __u64 exact(__u32 n, unsigned int percent)
{
	return delays[(n * percent + 99) / 100 - 1];
}

static void assert_near(__u64 found, __u64 real)
{
	if (real < QS_DELAY_MIN) {
		assert_true(found < QS_DELAY_MIN);
		return;
	}
	assert_true(found >= real * 0.9);
	assert_true(found <= real * 1.1);
}

static void assert_quantiles(__u32 n)
{
	struct qos_info info = counted(n);
	__u64 sum = 0;
	__u32 i;

	qsort(delays, n, sizeof(*delays), compare);
	for (i = 0; i < n; i++)
		sum += delays[i];
	assert_int_equal(info.delay_mean_ns, sum / n);
	assert_int_equal(info.delay_max_ns, delays[n - 1]);
	assert_near(info.delay_p50_ns, exact(n, 50));
	assert_near(info.delay_p99_ns, exact(n, 99));
	assert_true(info.delay_p50_ns <= info.delay_p99_ns);
	assert_true(info.delay_p99_ns <= info.delay_max_ns);
}

/* From the first bucket to the last, each delay of its own. */
static void equal_delays(void **state)
{
	__u64 delay;
	__u32 i;

	(void)state;
	for (delay = QS_DELAY_MIN; delay < 33 * SEC; delay += delay / 77) {
		for (i = 0; i < 1000; i++)
			delays[i] = delay;
		delays[999] = 34 * SEC; /* which says nothing of the others */
		assert_quantiles(1000);
	}
}

static void delays_spread_evenly(void **state)
{
	__u64 range;
	__u32 i;

	(void)state;
	for (range = 20 * US; range < 30 * SEC; range = range * 37 / 10) {
		for (i = 0; i < PACKETS; i++)
			delays[i] = (double)range * random01();
		assert_quantiles(PACKETS);
	}
}

static void exponential_delays(void **state)
{
	__u64 mean;
	__u32 i;

	(void)state;
	for (mean = 10 * US; mean < 2 * SEC; mean = mean * 29 / 10) {
		for (i = 0; i < PACKETS; i++)
			delays[i] = -log(random01()) * (double)mean;
		assert_quantiles(PACKETS);
	}
}

static void a_short_and_a_long_delay(void **state)
{
	__u32 i, percent;

	(void)state;
	for (percent = 1; percent < 100; percent++) {
		for (i = 0; i < PACKETS; i++)
			delays[i] = i % 100 < percent ? 50 * US : 1 * SEC;
		assert_quantiles(PACKETS);
	}
}

static void few_packets(void **state)
{
	__u32 n, i, round;

	(void)state;
	for (n = 1; n <= 200; n++)
		for (round = 0; round < 20; round++) {
			for (i = 0; i < n; i++)
				delays[i] = exp(2 + 20 * random01());
			assert_quantiles(n);
		}
}

static void the_last_packet_of_a_hundred_is_the_longest(void **state)
{
	struct qos_info info;
	__u32 i;

	(void)state;
	for (i = 0; i < 99; i++)
		delays[i] = 1000 * US + i;
	delays[99] = 77777777;
	info = counted(99);
	assert_int_equal(info.delay_p99_ns, 1000 * US + 98);
	info = counted(100);
	assert_int_equal(info.delay_max_ns, 77777777);
	assert_near(info.delay_p99_ns, 1000 * US);
	info = counted(1);
	assert_int_equal(info.delay_p50_ns, 1000 * US);
}

static void no_packet_has_no_delay(void **state)
{
	struct qos_info info = counted(0);

	(void)state;
	assert_int_equal(info.delay_mean_ns, 0);
	assert_int_equal(info.delay_p50_ns, 0);
	assert_int_equal(info.delay_p99_ns, 0);
}

static void delays_beyond_the_last_bucket_are_counted(void **state)
{
	struct qos_info info;
	__u32 i;

	(void)state;
	for (i = 0; i < 200; i++)
		delays[i] = 3600 * SEC;
	delays[0] = 1ull << 63;
	info = counted(200);
	assert_int_equal(info.delay_max_ns, 1ull << 63);
	assert_in_range(info.delay_p50_ns, 28 * SEC, 1ull << 63);
	assert_in_range(info.delay_p99_ns, info.delay_p50_ns, 1ull << 63);
}

/* Counters are read while they change: a bucket's may be ahead, or behind. */
static void counters_of_two_instants(void **state)
{
	struct qos_info info = { .sent_packets = 3, .delay_max_ns = 20 * US };
	struct qs_stream s = { .delay = { [0] = 2, [40] = 9 },
			       .bucket_last = 40,
			       .bucket_width = 1 };

	(void)state;
	qs_quantiles(&s, &info);
	assert_int_equal(info.delay_p50_ns, 20 * US);
	assert_int_equal(info.delay_p99_ns, 20 * US);
}

static void buckets_join(void **state)
{
	__u32 k;

	(void)state;
	assert_int_equal(qs_delay_from(0), QS_DELAY_MIN);
	for (k = 0; k < QS_DELAYS; k++) {
		assert_int_equal(qs_delay_bucket(qs_delay_from(k)), k);
		if (k)
			assert_int_equal(qs_delay_bucket(qs_delay_from(k) - 1),
					 k - 1);
	}
	assert_int_equal(qs_delay_bucket((1ull << 45) - 1), QS_DELAYS - 1);
}

/* ---- a stream's other figures */

#define GEN 7

static struct qs_dev device = {
	.qdisc = QS_QDISC_ON,
	.engine = QOS_ENGINE_KERNEL,
	.sched = QS_SCHED_DWCS,
	.name = "eth3",
	.sched_name = "dwcs",
	.rate = 101,
	.guarantee = 102,
};
static struct qs_core core = { .reserved = 103 };
static struct qs_stream stream = {
	.attr = { .oln = 1, .old = 2, .ipg = 3, .flags = 4 },
	.reserved = 5,
	.unit_bytes = 6,
	.gen_seen = GEN,
	.cur_oln = 8,
	.cur_old = 9,
	.packets = 10,
	.units = 11,
	.bytes = 12,
	.sent_units = 13,
	.sent_packets = 14,
	.sent_bytes = 15,
	.late_units = 16,
	.dropped_late = 17,
	.dropped_frame = 18,
	.dropped_overflow = 19,
	.violations = 20,
	.delay_last = 21,
	.delay_max = 22,
	.delay_sum = 14 * 23,
};

static void assert_asked(const struct qos_info *o)
{
	assert_int_equal(o->state, QOS_STATE_ATTACHED);
	assert_int_equal(o->exact, 1);
	assert_int_equal(o->engine, QOS_ENGINE_KERNEL);
	assert_string_equal(o->dev, "eth3");
	assert_string_equal(o->name, "dwcs");
	assert_int_equal(o->device_rate, 101);
	assert_int_equal(o->device_guarantee, 102);
	assert_int_equal(o->device_reserved, 103);
	assert_int_equal(o->oln, 1);
	assert_int_equal(o->old, 2);
	assert_int_equal(o->ipg, 3);
	assert_int_equal(o->stream_flags, 4);
	assert_int_equal(o->reserved, 5);
	assert_int_equal(o->unit_bytes, 6);
}

static void each_member_is_the_streams(void **state)
{
	struct qos_info o = { 0 };

	(void)state;
	qs_info_fill(&o, &device, &core, &stream, GEN);
	assert_asked(&o);
	assert_int_equal(o.cur_oln, 8);
	assert_int_equal(o.cur_old, 9);
	assert_int_equal(o.backlog_packets, 10);
	assert_int_equal(o.backlog_units, 11);
	assert_int_equal(o.backlog_bytes, 12);
	assert_int_equal(o.sent_units, 13);
	assert_int_equal(o.sent_packets, 14);
	assert_int_equal(o.sent_bytes, 15);
	assert_int_equal(o.late_units, 16);
	assert_int_equal(o.dropped_late, 17);
	assert_int_equal(o.dropped_frame, 18);
	assert_int_equal(o.dropped_overflow, 19);
	assert_int_equal(o.violations, 20);
	assert_int_equal(o.delay_last_ns, 21);
	assert_int_equal(o.delay_max_ns, 22);
	assert_int_equal(o.delay_mean_ns, 23);
}

static void the_counters_of_an_attachment_before_are_not_its(void **state)
{
	struct qos_info o = { 0 }, zero = { 0 };

	(void)state;
	qs_info_fill(&o, &device, &core, &stream, GEN + 1);
	assert_asked(&o);
	assert_int_equal(o.cur_oln, 1);
	assert_int_equal(o.cur_old, 2);
	assert_memory_equal(&o.backlog_packets, &zero.backlog_packets,
			    offsetof(struct qos_info, device_rate) -
				    offsetof(struct qos_info, backlog_packets));
	assert_int_equal(o.delay_mean_ns, 0);
}

static __u32 state_with(enum qs_scheduler sched, __u32 period, __u32 other)
{
	struct qs_dev dev = { .sched = sched };
	struct qs_core c = { 0 };
	struct qos_info o = { 0 };

	qs_account(&c, 1000, period, 1);
	qs_account(&c, 1000, other, 1);
	qs_info_fill(&o, &dev, &c, &stream, GEN);
	assert_int_equal(o.device_reserved, 2000);
	return o.state;
}

static void dwcs_promises_to_equal_periods_alone(void **state)
{
	const __u32 no_promise = QOS_STATE_ATTACHED | QOS_STATE_NO_PROMISE;

	(void)state;
	assert_int_equal(state_with(QS_SCHED_DWCS, 50000, 50000),
			 QOS_STATE_ATTACHED);
	assert_int_equal(state_with(QS_SCHED_DWCS, 50000, 40000), no_promise);
	assert_int_equal(state_with(QS_SCHED_VDS, 50000, 40000),
			 QOS_STATE_ATTACHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_join),
		cmocka_unit_test(equal_delays),
		cmocka_unit_test(delays_spread_evenly),
		cmocka_unit_test(exponential_delays),
		cmocka_unit_test(a_short_and_a_long_delay),
		cmocka_unit_test(few_packets),
		cmocka_unit_test(the_last_packet_of_a_hundred_is_the_longest),
		cmocka_unit_test(no_packet_has_no_delay),
		cmocka_unit_test(delays_beyond_the_last_bucket_are_counted),
		cmocka_unit_test(counters_of_two_instants),
		cmocka_unit_test(each_member_is_the_streams),
		cmocka_unit_test(
			the_counters_of_an_attachment_before_are_not_its),
		cmocka_unit_test(dwcs_promises_to_equal_periods_alone),
	};

	srandom(1);
	return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
