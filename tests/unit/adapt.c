// SPDX-License-Identifier: LGPL-2.1-or-later
/* How the example adaptive-server chooses its frame rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/adapt.h"

static const struct adapt_range range = { .floor = 5, .full = 30 };

/* All that says, by itself, that there is too little room. */
static const struct adapt_interval congested[] = {
	{ .sent = 9, .missed = 1 },
	{ .sent = 9, .refused = 1 },
	{ .sent = 9, .growth = 2 },
	{ .growth = 2 },
};

static void a_loss_takes_a_quarter(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(congested) / sizeof(congested[0]); i++) {
		assert_int_equal(adapt_fps(&range, 20, &congested[i]), 15);
		assert_int_equal(adapt_fps(&range, 30, &congested[i]), 22);
	}
}

static void losses_end_at_the_floor(void **state)
{
	unsigned int fps = range.full, before;

	(void)state;
	do {
		before = fps;
		fps = adapt_fps(&range, fps, &congested[0]);
		assert_true(fps < before || fps == range.floor);
	} while (fps != before);
	assert_int_equal(fps, range.floor);
}

static void a_clean_interval_adds_one(void **state)
{
	const struct adapt_interval clean[] = {
		{ .sent = 1 },
		{ .sent = 9, .growth = 1 },
		{ .sent = 9, .growth = -7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
		assert_int_equal(adapt_fps(&range, 5, &clean[i]), 6);
		assert_int_equal(adapt_fps(&range, 29, &clean[i]), 30);
		assert_int_equal(adapt_fps(&range, 30, &clean[i]), 30);
	}
}

static void silence_changes_nothing(void **state)
{
	const struct adapt_interval silent = { 0 };

	(void)state;
	for (unsigned int fps = range.floor; fps <= range.full; fps++)
		assert_int_equal(adapt_fps(&range, fps, &silent), fps);
}

static void one_rate_alone_is_kept(void **state)
{
	const struct adapt_interval clean = { .sent = 9 };
	const struct adapt_range one = { .floor = 1, .full = 1 };

	(void)state;
	assert_int_equal(adapt_fps(&one, 1, &clean), 1);
	assert_int_equal(adapt_fps(&one, 1, &congested[0]), 1);
}

/* A flow in a network with room for so many of its frames a second. */
static unsigned int fps_after(unsigned int fps, unsigned int room,
			      unsigned int intervals)
{
	while (intervals--) {
		const struct adapt_interval seen = {
			.sent = fps < room ? fps : room,
			.missed = fps > room ? fps - room : 0,
		};

		fps = adapt_fps(&range, fps, &seen);
	}
	return fps;
}

static void it_stays_about_what_there_is_room_for(void **state)
{
	(void)state;
	for (unsigned int room = 8; room < range.full; room++) {
		for (unsigned int n = 10; n < 60; n++) {
			unsigned int fps = fps_after(range.full, room, n);

			assert_in_range(fps, room * 3 / 4, room + 1);
		}
		assert_int_equal(fps_after(room, range.full, 30), range.full);
	}
}

static void an_interval_is_what_the_counters_grew_by(void **state)
{
	const struct qos_info before = {
		.sent_units = 100,
		.late_units = 10,
		.dropped_late = 20,
		.dropped_frame = 30,
		.dropped_overflow = 40,
		.backlog_units = 3,
	};
	struct qos_info now = before;
	struct adapt_interval seen = adapt_between(&before, &now);

	(void)state;
	assert_false(adapt_congested(&seen));
	assert_int_equal(seen.sent, 0);
	now.sent_units += 1;
	now.late_units += 20;
	now.dropped_late += 300;
	now.dropped_frame += 4000;
	now.dropped_overflow += 5;
	now.backlog_units -= 2;
	seen = adapt_between(&before, &now);
	assert_int_equal(seen.sent, 1);
	assert_int_equal(seen.missed, 4320);
	assert_int_equal(seen.refused, 5);
	assert_true(seen.growth == -2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_takes_a_quarter),
		cmocka_unit_test(losses_end_at_the_floor),
		cmocka_unit_test(a_clean_interval_adds_one),
		cmocka_unit_test(silence_changes_nothing),
		cmocka_unit_test(one_rate_alone_is_kept),
		cmocka_unit_test(it_stays_about_what_there_is_room_for),
		cmocka_unit_test(an_interval_is_what_the_counters_grew_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
