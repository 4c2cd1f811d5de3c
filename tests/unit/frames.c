// SPDX-License-Identifier: LGPL-2.1-or-later
/* A frame, or a message in several fragments, is one unit: whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define START QS_TX_FRAME_START
#define END QS_TX_FRAME_END
#define MORE QS_CBF_MORE
#define FIXED QS_TX_NON_DROPPABLE

struct fixture {
	struct vclock v;
	__u32 i;
	qs_stream_t *s;
};

static int setup(void **state)
{
	struct fixture *f = vclock_memory(NULL, 1, sizeof(*f));

	vclock_init(&f->v, RATE, 16, 2);
	f->i = vclock_attach(&f->v, 0, 0, 0, 0);
	f->s = qs_stream(f->v.core, f->i);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vclock_fini(&f->v);
	free(f);
	return 0;
}

static __u32 part(struct fixture *f, __u32 flags)
{
	return vclock_send_with(&f->v, f->i, 1000, 0, flags);
}

static enum vfate fate(struct fixture *f, __u32 id)
{
	return f->v.packets[id].fate;
}

/* Nothing of the stream is left, and of `sent` packets were `units` made. */
static void assert_sent(struct fixture *f, __u32 packets, __u32 units)
{
	vclock_drain(&f->v);
	assert_int_equal(f->s->sent_packets, packets);
	assert_int_equal(f->s->sent_units, units);
	assert_int_equal(f->s->packets, 0);
	assert_int_equal(f->v.core->free_slots, f->v.core->n_slots);
}

static void all_from_start_to_end_is_one_unit(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, 0);
	part(f, 0);
	part(f, END);
	assert_int_equal(f->s->units, 1);
	part(f, 0);
	assert_int_equal(f->s->units, 2);
	assert_sent(f, 5, 2);
}

static void one_message_may_be_a_frame(void **state)
{
	struct fixture *f = *state;

	part(f, START | END);
	assert_int_equal(f->s->units, 1);
	assert_sent(f, 1, 1);
}

static void a_frame_is_held_until_it_is_whole(void **state)
{
	struct fixture *f = *state;
	__u32 first = part(f, START);

	vclock_run(&f->v, f->v.now + 50 * MS);
	part(f, 0);
	vclock_run(&f->v, f->v.now + 50 * MS);
	assert_int_equal(f->v.n_out, 0);
	part(f, END);
	assert_sent(f, 3, 1);
	assert_int_equal(f->v.packets[first].left, SEC + 100 * MS);
}

/* Other streams and best effort do not wait for it. */
static void a_frame_that_is_being_built_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	__u32 other = vclock_attach(&f->v, 0, 0, 0, 0);
	__u32 id, be;

	part(f, START);
	id = vclock_send(&f->v, other, 1000);
	be = vclock_besteffort(&f->v, 1, 1000, 0);
	vclock_run(&f->v, f->v.now + 5 * MS);
	assert_int_equal(fate(f, id), V_SENT);
	assert_int_equal(fate(f, be), V_SENT);
	assert_int_equal(fate(f, 0), V_QUEUED);
}

/* Its period begins when it is whole, and one frame takes one period. */
static void a_frame_takes_one_period(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	vclock_change(&f->v, f->i, 0, 1, 10000, 0);
	for (k = 0; k < 3; k++) {
		part(f, START);
		part(f, 0);
		part(f, END);
	}
	assert_sent(f, 9, 3);
	for (k = 0; k < 9; k++)
		assert_int_equal(f->v.packets[k].left,
				 SEC + k / 3 * 10 * MS + k % 3 * MS);
}

/* In time is what as a whole can leave in time: 3 ms for three packets. */
static void a_late_frame_is_dropped_whole(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	for (k = 0; k < 3; k++)
		vclock_send_with(&f->v, f->i, 1000, SEC + 3 * MS - 1,
				 k == 0 ? START :
				 k == 2 ? END :
					  0);
	for (k = 0; k < 3; k++)
		vclock_send_with(&f->v, f->i, 1000, SEC + 3 * MS,
				 k == 0 ? START :
				 k == 2 ? END :
					  0);
	vclock_drain(&f->v);
	for (k = 0; k < 6; k++)
		assert_int_equal(fate(f, k), k < 3 ? V_DROPPED : V_SENT);
	assert_int_equal(f->s->dropped_late, 1);
	assert_int_equal(f->v.core->dropped_late, 3);
	assert_sent(f, 3, 1);
}

static void a_frame_on_its_way_is_not_interrupted(void **state)
{
	struct fixture *f = *state;
	__u32 urgent = vclock_attach(&f->v, 0, 0, 0, 0);
	__u32 k;

	part(f, START);
	part(f, 0);
	part(f, END);
	vclock_run(&f->v, f->v.now + 1);
	vclock_send_with(&f->v, urgent, 1000, f->v.now + 4 * MS, 0);
	vclock_besteffort(&f->v, 0, 100, QS_CBF_CONTROL);
	vclock_drain(&f->v);
	for (k = 0; k < 4; k++)
		assert_int_equal(f->v.out[k], k);
}

/* Fills the queue but for `left` slots with another stream's open frame. */
static __u32 fill(struct fixture *f, __u32 left)
{
	__u32 other = vclock_attach(&f->v, 0, 0, 0, 0);

	f->v.core->kept_slots = 0;
	vclock_send_with(&f->v, other, 1000, 0, START);
	while (f->v.core->free_slots > left)
		vclock_send_with(&f->v, other, 1000, 0, 0);
	return other;
}

static void a_lost_part_loses_the_frame_to_its_end(void **state)
{
	struct fixture *f = *state;
	__u32 ids[5], other;

	other = fill(f, 2);
	ids[0] = part(f, START);
	ids[1] = part(f, 0);
	ids[2] = part(f, 0);
	vclock_step(&f->v); /* frees what was given up */
	vclock_step(&f->v);
	ids[3] = part(f, 0);
	ids[4] = part(f, END);
	assert_int_equal(fate(f, ids[0]), V_DROPPED);
	assert_int_equal(fate(f, ids[1]), V_DROPPED);
	assert_int_equal(fate(f, ids[2]), V_REFUSED);
	assert_int_equal(fate(f, ids[3]), V_REFUSED_FRAME);
	assert_int_equal(fate(f, ids[4]), V_REFUSED_FRAME);
	assert_int_equal(f->s->dropped_overflow, 1);
	assert_int_equal(f->s->dropped_frame, 1);
	assert_int_equal(f->v.core->dropped_overflow, 1);
	assert_int_equal(f->v.core->dropped_frame, 4);
	part(f, START); /* the next frame is a new one */
	part(f, END);
	vclock_send_with(&f->v, other, 1000, 0, END);
	vclock_drain(&f->v);
	assert_sent(f, 2, 1);
}

static void a_lost_first_part_loses_the_frame(void **state)
{
	struct fixture *f = *state;
	__u32 a, b, other = fill(f, 0);

	a = part(f, START);
	vclock_send_with(&f->v, other, 1000, 0, END);
	vclock_run(&f->v, f->v.now + 5 * MS);
	b = part(f, END);
	assert_int_equal(fate(f, a), V_REFUSED);
	assert_int_equal(fate(f, b), V_REFUSED_FRAME);
	assert_int_equal(f->s->dropped_frame, 1);
	part(f, 0);
	assert_sent(f, 1, 1);
}

static void a_lost_message_outside_frames_is_just_that(void **state)
{
	struct fixture *f = *state;
	__u32 other = fill(f, 0);

	part(f, 0);
	part(f, START | END);
	vclock_send_with(&f->v, other, 1000, 0, END);
	vclock_run(&f->v, f->v.now + 5 * MS);
	part(f, 0);
	assert_int_equal(f->s->dropped_overflow, 2);
	assert_int_equal(f->s->dropped_frame, 0);
	assert_sent(f, 1, 1);
}

static void keeps_the_rest(struct fixture *f, __u32 first, __u32 lost)
{
	__u32 other = fill(f, 1);

	part(f, START | first);
	part(f, lost);
	vclock_send_with(&f->v, other, 1000, 0, END);
	vclock_run(&f->v, f->v.now + 5 * MS);
	part(f, END);
	assert_int_equal(f->s->dropped_overflow, 1);
	assert_int_equal(f->s->dropped_frame, 0);
	assert_sent(f, 2, 1);
}

static void a_frame_that_must_not_be_dropped_keeps_the_rest(void **state)
{
	keeps_the_rest(*state, FIXED, FIXED);
}

static void one_such_message_makes_a_frame_of_that_kind(void **state)
{
	keeps_the_rest(*state, FIXED, 0);
}

static void a_later_one_does_as_well(void **state)
{
	struct fixture *f = *state;

	vclock_send_with(&f->v, f->i, 1000, SEC - 1, START);
	vclock_send_with(&f->v, f->i, 1000, SEC - 1, FIXED);
	vclock_send_with(&f->v, f->i, 1000, SEC - 1, END);
	assert_sent(f, 3, 1);
	assert_int_equal(f->s->late_units, 1);
}

static void so_does_the_stream(void **state)
{
	struct fixture *f = *state;

	vclock_change(&f->v, f->i, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	keeps_the_rest(f, 0, 0);
}

static void a_lost_end_ends_such_a_frame_all_the_same(void **state)
{
	struct fixture *f = *state;
	__u32 other = fill(f, 1);

	part(f, START | FIXED);
	part(f, END | FIXED);
	assert_int_equal(f->s->units, 1);
	vclock_send_with(&f->v, other, 1000, 0, END);
	assert_sent(f, 1, 1);
}

static void fragments_are_one_message(void **state)
{
	struct fixture *f = *state;

	part(f, MORE);
	part(f, MORE);
	vclock_run(&f->v, f->v.now + 5 * MS);
	assert_int_equal(f->v.n_out, 0);
	part(f, 0);
	part(f, 0);
	assert_int_equal(f->s->units, 2);
	assert_sent(f, 4, 2);
}

/* Marks are on a message's first and last fragment, as the classifier says. */
static void fragments_in_a_frame_do_not_end_it(void **state)
{
	struct fixture *f = *state;

	part(f, START | MORE);
	part(f, MORE);
	part(f, 0);
	part(f, MORE);
	part(f, 0);
	assert_int_equal(f->s->units, 0);
	part(f, MORE);
	part(f, END);
	assert_int_equal(f->s->units, 1);
	assert_sent(f, 7, 1);
}

static void a_lost_fragment_loses_its_message_alone(void **state)
{
	struct fixture *f = *state;
	__u32 ids[3], other = fill(f, 1);

	ids[0] = part(f, MORE);
	ids[1] = part(f, MORE);
	vclock_send_with(&f->v, other, 1000, 0, END);
	vclock_run(&f->v, f->v.now + 5 * MS);
	ids[2] = part(f, 0);
	assert_int_equal(fate(f, ids[0]), V_DROPPED);
	assert_int_equal(fate(f, ids[1]), V_REFUSED);
	assert_int_equal(fate(f, ids[2]), V_REFUSED_FRAME);
	assert_int_equal(f->s->dropped_frame, 1);
	part(f, 0);
	assert_sent(f, 1, 1);
}

static void a_lost_fragment_in_a_frame_loses_the_frame(void **state)
{
	struct fixture *f = *state;
	__u32 last, other = fill(f, 2);

	part(f, START);
	part(f, MORE);
	part(f, MORE);
	vclock_send_with(&f->v, other, 1000, 0, END);
	vclock_run(&f->v, f->v.now + 5 * MS);
	part(f, 0);
	last = part(f, END);
	assert_int_equal(fate(f, last), V_REFUSED_FRAME);
	part(f, 0);
	assert_sent(f, 1, 1);
}

static void the_next_start_ends_a_frame_without_end(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, 0);
	part(f, START);
	assert_int_equal(f->s->units, 1);
	part(f, END);
	assert_int_equal(f->s->units, 2);
	assert_sent(f, 4, 2);
}

/* No start follows, and perhaps the socket is closed: a second ends it. */
static void a_second_ends_a_frame_without_end(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, 0);
	vclock_run(&f->v, SEC + QS_FRAME_NS);
	assert_int_equal(f->v.n_out, 0);
	vclock_run(&f->v, SEC + QS_FRAME_NS + 5 * MS);
	assert_sent(f, 2, 1);
	part(f, 0); /* alone: messages like any other */
	part(f, END);
	assert_sent(f, 4, 3);
}

static void so_it_does_behind_other_units(void **state)
{
	struct fixture *f = *state;

	part(f, 0);
	part(f, START);
	vclock_run(&f->v, SEC + 900 * MS);
	assert_int_equal(f->v.n_out, 1);
	vclock_run(&f->v, SEC + QS_FRAME_NS + 5 * MS);
	assert_sent(f, 2, 2);
}

static void an_end_without_start_is_a_message(void **state)
{
	struct fixture *f = *state;

	part(f, END);
	assert_sent(f, 1, 1);
}

/* The frame that is longer than the stream's queue can never be whole. */
static void a_frame_that_does_not_fit_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	f->v.core->stream_limit = 4;
	for (k = 0; k < 6; k++)
		part(f, k == 0 ? START : k == 5 ? END : 0);
	part(f, 0);
	assert_sent(f, 1, 1);
	assert_int_equal(f->s->dropped_frame, 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(all_from_start_to_end_is_one_unit),
		test(one_message_may_be_a_frame),
		test(a_frame_is_held_until_it_is_whole),
		test(a_frame_that_is_being_built_holds_nobody_up),
		test(a_frame_takes_one_period),
		test(a_late_frame_is_dropped_whole),
		test(a_frame_on_its_way_is_not_interrupted),
		test(a_lost_part_loses_the_frame_to_its_end),
		test(a_lost_first_part_loses_the_frame),
		test(a_lost_message_outside_frames_is_just_that),
		test(a_frame_that_must_not_be_dropped_keeps_the_rest),
		test(one_such_message_makes_a_frame_of_that_kind),
		test(a_later_one_does_as_well),
		test(so_does_the_stream),
		test(a_lost_end_ends_such_a_frame_all_the_same),
		test(fragments_are_one_message),
		test(fragments_in_a_frame_do_not_end_it),
		test(a_lost_fragment_loses_its_message_alone),
		test(a_lost_fragment_in_a_frame_loses_the_frame),
		test(the_next_start_ends_a_frame_without_end),
		test(a_second_ends_a_frame_without_end),
		test(so_it_does_behind_other_units),
		test(an_end_without_start_is_a_message),
		test(a_frame_that_does_not_fit_is_refused_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
