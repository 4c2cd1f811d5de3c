// SPDX-License-Identifier: LGPL-2.1-or-later
/* No room: which of a stream's units gives way, and to what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"
#include "vcheck.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define SLOTS 16
#define LIMIT 4
#define START QS_TX_FRAME_START
#define END QS_TX_FRAME_END
#define MORE QS_CBF_MORE
#define FIXED QS_TX_NON_DROPPABLE
#define PRIO(n) ((__u32)(n) << QS_TX_PRIO_SHIFT)

struct fixture {
	struct vclock v;
	__u32 i;
	qs_stream_t *s;
};

static int setup(void **state)
{
	struct fixture *f = vclock_memory(NULL, 1, sizeof(*f));

	vclock_init(&f->v, RATE, SLOTS, 4);
	f->v.core->stream_limit = LIMIT;
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

static void assert_whole(struct fixture *f)
{
	const char *wrong = vcheck(f->v.core);

	if (wrong)
		fail_msg("%s", wrong);
}

static __u32 part(struct fixture *f, __u32 flags)
{
	__u32 id = vclock_send_with(&f->v, f->i, 1000, 0, flags);

	assert_whole(f);
	return id;
}

static __u32 due(struct fixture *f, __u64 deadline)
{
	return vclock_send_with(&f->v, f->i, 1000, deadline, 0);
}

static void fill(struct fixture *f, __u32 flags)
{
	while (f->s->packets < LIMIT)
		part(f, flags);
}

static void assert_fate(struct fixture *f, __u32 id, enum vfate fate)
{
	if (f->v.packets[id].fate != fate)
		fail_msg("packet %u: fate %u, not %u", id,
			 f->v.packets[id].fate, fate);
}

/* The packets from 0 on: 'q' queued, 'd' dropped, 'r' and 'f' refused. */
static void assert_fates(struct fixture *f, const char *fates)
{
	__u32 id;

	assert_int_equal(f->v.n, strlen(fates));
	for (id = 0; id < f->v.n; id++)
		assert_fate(f, id,
			    fates[id] == 'q' ? V_QUEUED :
			    fates[id] == 'd' ? V_DROPPED :
			    fates[id] == 'r' ? V_REFUSED :
					       V_REFUSED_FRAME);
}

/* What is queued leaves, as so many units, and each packet was counted. */
static void assert_rest_leaves(struct fixture *f, __u32 units)
{
	__u32 queued = vclock_count(&f->v, V_QUEUED);
	__u32 before = f->s->sent_packets;

	vclock_drain(&f->v);
	assert_whole(f);
	assert_int_equal(f->s->sent_packets - before, queued);
	assert_int_equal(f->s->sent_units, units);
	assert_int_equal(f->v.core->free_slots, SLOTS);
	assert_int_equal(f->s->dropped_overflow, f->v.core->dropped_overflow);
	assert_int_equal(f->v.core->dropped_overflow + f->v.core->dropped_frame,
			 f->v.n - f->s->sent_packets);
}

/* ---- who gives way */

static void the_lowest_gives_way(void **state)
{
	struct fixture *f = *state;

	part(f, PRIO(3));
	part(f, PRIO(1));
	part(f, PRIO(2));
	part(f, PRIO(5));
	part(f, PRIO(4));
	assert_fates(f, "qdqqq");
	part(f, PRIO(7));
	assert_fates(f, "qddqqq");
	assert_rest_leaves(f, 4);
}

static void of_equal_ones_the_last_does(void **state)
{
	struct fixture *f = *state;

	part(f, PRIO(1));
	part(f, PRIO(1));
	part(f, PRIO(1));
	part(f, PRIO(6));
	part(f, PRIO(2));
	assert_fates(f, "qqdqq");
	assert_rest_leaves(f, 4);
}

/* Not the one that came last, but the one that would leave last. */
static void the_last_is_by_deadline(void **state)
{
	struct fixture *f = *state;
	__u64 at = f->v.now;

	due(f, at + 40 * MS);
	due(f, at + 30 * MS);
	due(f, at + 50 * MS);
	due(f, at + 20 * MS);
	part(f, PRIO(1));
	assert_fates(f, "qqdqq");
	part(f, PRIO(1));
	assert_fates(f, "dqdqqq");
	assert_rest_leaves(f, 4);
}

static void an_equal_one_does_not(void **state)
{
	struct fixture *f = *state;

	fill(f, PRIO(3));
	part(f, PRIO(3));
	part(f, PRIO(2));
	assert_fates(f, "qqqqrr");
	part(f, PRIO(4)); /* the vain looks are not remembered for it */
	assert_fates(f, "qqqdrrq");
	assert_rest_leaves(f, 4);
}

static void nothing_gives_way_to_what_has_no_priority(void **state)
{
	struct fixture *f = *state;

	fill(f, 0);
	part(f, 0);
	part(f, START);
	part(f, END);
	assert_fates(f, "qqqqrrf");
	assert_rest_leaves(f, 4);
}

static void what_must_not_be_dropped_is_above_all(void **state)
{
	struct fixture *f = *state;

	fill(f, PRIO(7));
	part(f, FIXED);
	assert_fates(f, "qqqdq");
	part(f, PRIO(7));
	part(f, FIXED);
	part(f, FIXED);
	part(f, FIXED);
	assert_fates(f, "ddddqrqqq");
	part(f, FIXED | PRIO(7));
	part(f, PRIO(7));
	assert_fates(f, "ddddqrqqqrr");
	assert_rest_leaves(f, 4);
}

static void of_a_stream_that_must_not_be_dropped_nothing_does(void **state)
{
	struct fixture *f = *state;

	vclock_change(&f->v, f->i, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	fill(f, 0);
	part(f, PRIO(7));
	part(f, FIXED);
	assert_fates(f, "qqqqrr");
	assert_rest_leaves(f, 4);
}

static void what_is_being_sent_does_not(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, 0);
	part(f, END);
	vclock_run(&f->v, f->v.now + 1);
	part(f, PRIO(3));
	part(f, PRIO(2));
	part(f, PRIO(4));
	assert_fate(f, 4, V_DROPPED);
	part(f, PRIO(5));
	assert_fate(f, 3, V_DROPPED);
	part(f, FIXED);
	part(f, FIXED);
	part(f, FIXED); /* two parts, two that are as high */
	assert_fate(f, 9, V_REFUSED);
	vclock_drain(&f->v);
	assert_fate(f, 1, V_SENT);
	assert_fate(f, 2, V_SENT);
	assert_int_equal(f->s->sent_units, 3);
	assert_int_equal(f->s->dropped_overflow, 5);
}

/* ---- the first one */

/* The wire is busy, so that what comes stays in the queue. */
static void keep_busy(struct fixture *f, __u32 ms)
{
	vclock_besteffort(&f->v, 0, ms * 1000, 0);
	vclock_step(&f->v);
}

static void the_next_one_takes_the_first_ones_turn(void **state)
{
	struct fixture *f = *state;
	__u64 at = f->v.now;

	vclock_change(&f->v, f->i, 0, 1, 10000, 0);
	f->v.core->stream_limit = 2;
	keep_busy(f, 8);
	part(f, 0);
	vclock_run(&f->v, at + 3 * MS);
	part(f, PRIO(1));
	assert_int_equal(f->s->release, at);
	assert_int_equal(f->s->deadline, at + 10 * MS);
	vclock_run(&f->v, at + 5 * MS);
	part(f, PRIO(2));
	assert_fate(f, 1, V_DROPPED);
	assert_int_equal(f->s->release, at + 3 * MS);
	assert_int_equal(f->s->deadline, at + 13 * MS);
	vclock_drain(&f->v);
	assert_int_equal(f->v.packets[2].left, at + 8 * MS);
	assert_int_equal(f->v.packets[3].left, at + 13 * MS);
	assert_int_equal(f->s->violations, 0);
}

static void the_only_one_may_give_way(void **state)
{
	struct fixture *f = *state;

	f->v.core->stream_limit = 1;
	part(f, 0);
	part(f, PRIO(1));
	part(f, START | PRIO(2));
	assert_fates(f, "ddq");
	part(f, END);
	assert_fates(f, "dddr");
	assert_int_equal(f->s->dropped_overflow, 3);
	assert_int_equal(f->s->dropped_frame, 1);
	part(f, 0);
	assert_rest_leaves(f, 1);
	assert_int_equal(QS_LIFE_REFS(f->s->life), 1);
}

/* A frame is then the first, and ends 1 s after its first packet came. */
static void the_frame_that_is_built_may_be_the_next(void **state)
{
	struct fixture *f = *state;
	__u64 at = f->v.now;

	keep_busy(f, 3000);
	f->v.core->stream_limit = 2;
	part(f, 0);
	vclock_run(&f->v, at + 500 * MS);
	part(f, START | PRIO(1));
	part(f, 0);
	assert_fate(f, 1, V_DROPPED);
	assert_int_equal(f->s->units, 0);
	assert_int_equal(f->s->release, at + 1500 * MS);
	vclock_drain(&f->v);
	assert_int_equal(f->s->sent_packets, 2);
	assert_int_equal(f->s->sent_units, 1);
}

/* They were not due: a stream that tolerates nothing has lost nothing. */
static void those_that_gave_way_are_in_no_window(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	vclock_change(&f->v, f->i, 0, 1, 1000, 0);
	fill(f, 0);
	for (k = 0; k < LIMIT; k++)
		part(f, PRIO(1));
	assert_fates(f, "ddddqqqq");
	assert_rest_leaves(f, 4);
	assert_int_equal(f->s->violations, 0);
	assert_int_equal(f->s->dropped_late, 0);
}

/* ---- frames and datagrams */

static void a_frame_gives_way_whole(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, PRIO(7));
	part(f, END | PRIO(7));
	part(f, PRIO(1));
	part(f, PRIO(1));
	assert_fates(f, "dddqq");
	assert_int_equal(f->s->dropped_overflow, 3);
	assert_int_equal(f->s->dropped_frame, 0);
	assert_rest_leaves(f, 2);
}

static void so_does_a_datagram_in_fragments(void **state)
{
	struct fixture *f = *state;

	part(f, MORE);
	part(f, MORE);
	part(f, 0);
	part(f, PRIO(2));
	part(f, MORE | PRIO(1));
	part(f, PRIO(1));
	assert_fates(f, "dddqqq");
	assert_rest_leaves(f, 2);
}

static void a_frame_is_as_high_as_its_first_message(void **state)
{
	struct fixture *f = *state;

	part(f, START | PRIO(5));
	part(f, END);
	part(f, PRIO(4));
	part(f, PRIO(4));
	part(f, PRIO(3));
	assert_fates(f, "qqqqr");
	part(f, START | PRIO(5)); /* and so are its further ones */
	part(f, 0);
	assert_fates(f, "qqddrqq");
	part(f, 0);
	assert_fates(f, "qqddrddr");
	assert_int_equal(f->s->dropped_frame, 1);
	part(f, END);
	assert_rest_leaves(f, 1);
}

static void one_message_makes_it_higher_than_all(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, FIXED);
	part(f, END);
	part(f, PRIO(7));
	part(f, FIXED);
	part(f, PRIO(7));
	assert_fates(f, "qqqdqr");
	assert_rest_leaves(f, 2);
}

static void the_frame_that_is_built_does_not_give_way(void **state)
{
	struct fixture *f = *state;

	part(f, PRIO(1));
	part(f, PRIO(1));
	part(f, START);
	part(f, 0);
	part(f, FIXED);
	assert_fates(f, "qdqqq");
	assert_int_equal(f->s->units, 1);
	part(f, END);
	assert_fates(f, "ddqqqq");
	assert_rest_leaves(f, 1);
}

/* The start of the next ends it: then it may, and the next one has its room. */
static void one_that_the_next_ended_does(void **state)
{
	struct fixture *f = *state;

	part(f, START);
	part(f, 0);
	part(f, 0);
	part(f, 0);
	part(f, START | PRIO(1));
	assert_fates(f, "ddddq");
	part(f, END);
	assert_rest_leaves(f, 1);
}

/* ---- frames that must not be dropped */

static void one_longer_than_the_queue_leaves_in_pieces(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	part(f, START | FIXED);
	for (k = 1; k < 10; k++) {
		assert_int_equal(f->s->units, f->s->packets == LIMIT);
		if (f->s->packets == LIMIT)
			vclock_run(&f->v, f->v.now + LIMIT * MS);
		part(f, k == 9 ? END : 0);
	}
	vclock_drain(&f->v);
	assert_int_equal(f->s->sent_packets, 10);
	assert_int_equal(f->s->sent_units, 3);
}

/* Its first message said so, for the pieces too: only what has no room is lost. */
static void its_pieces_must_not_be_dropped_either(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	part(f, START | FIXED);
	for (k = 1; k < LIMIT; k++)
		part(f, 0);
	vclock_run(&f->v, f->v.now + 1);
	part(f, 0);
	part(f, 0);
	assert_fate(f, LIMIT, V_QUEUED);
	assert_fate(f, LIMIT + 1, V_REFUSED);
	vclock_run(&f->v, f->v.now + LIMIT * MS);
	part(f, END);
	vclock_drain(&f->v);
	assert_int_equal(f->s->sent_packets, LIMIT + 2);
	assert_int_equal(f->s->sent_units, 2);
	assert_int_equal(f->s->dropped_frame, 0);
}

/* Those before it will leave, so it can still be whole. */
static void one_behind_others_is_not_cut(void **state)
{
	struct fixture *f = *state;

	part(f, FIXED);
	part(f, FIXED);
	part(f, START | FIXED);
	part(f, 0);
	assert_int_equal(f->s->units, 2);
	vclock_run(&f->v, f->v.now + 2 * MS);
	part(f, END);
	assert_fate(f, 4, V_QUEUED);
	assert_int_equal(f->s->units, 1);
	vclock_drain(&f->v);
	assert_int_equal(f->s->sent_units, 3);
}

/* A message that found no room still says what its frame is. */
static void a_lost_message_makes_a_frame_of_that_kind(void **state)
{
	struct fixture *f = *state;

	part(f, FIXED);
	part(f, FIXED);
	part(f, START);
	part(f, 0);
	part(f, FIXED);
	part(f, 0);
	assert_fates(f, "qqqqrr");
	part(f, END);
	assert_fates(f, "qqqqrrr");
	assert_int_equal(f->s->dropped_frame, 0);
	assert_rest_leaves(f, 3);
}

static void a_lost_first_one_does_too(void **state)
{
	struct fixture *f = *state;

	fill(f, FIXED);
	part(f, START | FIXED);
	vclock_run(&f->v, f->v.now + 2 * MS);
	part(f, 0);
	part(f, 0);
	part(f, 0);
	assert_fate(f, 5, V_QUEUED);
	assert_fate(f, 7, V_REFUSED);
	part(f, START); /* the next one is of its own kind */
	part(f, 0);
	assert_fate(f, 9, V_REFUSED_FRAME);
	assert_int_equal(f->s->dropped_frame, 1);
	vclock_drain(&f->v);
	assert_int_equal(f->s->sent_units, 5);
}

/* ---- the device is full */

/* Each stream may fill it; so three have. */
static void fill_device(struct fixture *f, __u32 *streams, __u32 flags)
{
	__u32 k;

	f->v.core->stream_limit = SLOTS;
	f->v.core->kept_slots = 0;
	streams[0] = f->i;
	streams[1] = vclock_attach(&f->v, 0, 0, 0, 0);
	streams[2] = vclock_attach(&f->v, 0, 0, 0, 0);
	for (k = 0; k < SLOTS; k++)
		vclock_send_with(&f->v, streams[k % 3], 1000, 0, flags);
	assert_int_equal(f->v.core->free_slots, 0);
}

static void nobody_gives_way_to_another_stream(void **state)
{
	struct fixture *f = *state;
	__u32 streams[3], other, k;

	fill_device(f, streams, 0);
	other = vclock_attach(&f->v, 0, 0, 0, 0);
	vclock_send_with(&f->v, other, 1000, 0, FIXED | PRIO(7));
	assert_fates(f, "qqqqqqqqqqqqqqqqr");
	assert_int_equal(QS_LIFE_REFS(qs_stream(f->v.core, other)->life), 1);
	for (k = 0; k < 3; k++)
		vclock_send_with(&f->v, streams[k], 1000, 0, PRIO(1));
	assert_fates(f, "qqqqqqqqqqqqqdddrqqq");
	assert_whole(f);
	assert_int_equal(qs_stream(f->v.core, streams[0])->packets, 6);
	assert_int_equal(qs_stream(f->v.core, streams[1])->packets, 5);
	assert_int_equal(qs_stream(f->v.core, streams[2])->packets, 5);
	vclock_drain(&f->v);
	assert_int_equal(vclock_count(&f->v, V_SENT), SLOTS);
	assert_int_equal(f->v.core->dropped_overflow, 4);
}

/* The slots are there once the packets that were given up are freed. */
static void who_has_no_slot_asks_again(void **state)
{
	struct qs_packet p = { .len = 1000, .flags = PRIO(1) };
	struct fixture *f = *state;
	__u32 streams[3];
	int slot;

	fill_device(f, streams, 0);
	p.stream = streams[2];
	p.gen = vclock_gen(&f->v, p.stream);
	assert_int_equal(qs_enqueue(f->v.core, &p, f->v.now), QS_REFUSED_RETRY);
	slot = f->v.core->doomed;
	assert_int_not_equal(slot, QS_NIL);
	assert_int_equal(f->v.by_slot[slot], 14);
	assert_int_equal(f->v.core->free_slots, 0);
	vclock_drop_doomed(&f->v);
	assert_int_equal(vclock_put(&f->v, &p), SLOTS);
	assert_fates(f, "qqqqqqqqqqqqqqdqq");
	assert_whole(f);
}

static void the_only_unit_of_a_full_device_may(void **state)
{
	struct fixture *f = *state;
	__u32 streams[3], other;

	other = vclock_attach(&f->v, 0, 0, 0, 0);
	vclock_send(&f->v, other, 1000);
	fill_device(f, streams, 0);
	vclock_send_with(&f->v, other, 1000, 0, PRIO(1));
	assert_fates(f, "dqqqqqqqqqqqqqqqrq");
	assert_whole(f);
}

static void best_effort_never_gives_way_or_makes_others(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	f->v.core->kept_slots = 0;
	f->v.core->stream_limit = SLOTS;
	part(f, 0);
	for (k = 0; f->v.core->free_slots; k++)
		vclock_besteffort(&f->v, k, 1000, 0);
	vclock_besteffort(&f->v, k, 1000, 0);
	assert_int_equal(f->v.core->be_dropped, 1);
	part(f, PRIO(1));
	part(f, PRIO(1));
	assert_int_equal(f->s->packets, 1);
	assert_int_equal(f->s->dropped_overflow, 2);
	assert_int_equal(f->v.core->be_packets, SLOTS - 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_lowest_gives_way),
		test(of_equal_ones_the_last_does),
		test(the_last_is_by_deadline),
		test(an_equal_one_does_not),
		test(nothing_gives_way_to_what_has_no_priority),
		test(what_must_not_be_dropped_is_above_all),
		test(of_a_stream_that_must_not_be_dropped_nothing_does),
		test(what_is_being_sent_does_not),
		test(the_next_one_takes_the_first_ones_turn),
		test(the_only_one_may_give_way),
		test(the_frame_that_is_built_may_be_the_next),
		test(those_that_gave_way_are_in_no_window),
		test(a_frame_gives_way_whole),
		test(so_does_a_datagram_in_fragments),
		test(a_frame_is_as_high_as_its_first_message),
		test(one_message_makes_it_higher_than_all),
		test(the_frame_that_is_built_does_not_give_way),
		test(one_that_the_next_ended_does),
		test(one_longer_than_the_queue_leaves_in_pieces),
		test(its_pieces_must_not_be_dropped_either),
		test(one_behind_others_is_not_cut),
		test(a_lost_message_makes_a_frame_of_that_kind),
		test(a_lost_first_one_does_too),
		test(nobody_gives_way_to_another_stream),
		test(who_has_no_slot_asks_again),
		test(the_only_unit_of_a_full_device_may),
		test(best_effort_never_gives_way_or_makes_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
