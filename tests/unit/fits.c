// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Would a unit be in time? What is said of random queues is compared with what
 * then happens, if nothing more is sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "schedulers/common/fits.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define SLOTS 512
#define STREAMS 8
#define ROUNDS 20000

/* How often it was said, and was wrong. */
struct score {
	int yes, no;
	int wrong_yes, wrong_no;
};

static __u32 some_len(struct vclock *v)
{
	return vclock_between(v, 60, QS_FLOW_QUANTUM);
}

/* What all streams have in common. */
struct kind {
	int periods; /* they have one, or none has */
	int mixed; /* some units must not be dropped, some have no deadline */
	__u32 flags;
	__u32 overhead;
};

/* A unit of one packet, or a frame of several. */
static void send_unit(struct vclock *v, __u32 i, __u64 deadline, __u32 packets,
		      __u32 all)
{
	__u32 k, flags;

	for (k = 0; k < packets; k++) {
		flags = all | (k ? 0 : QS_TX_FRAME_START) |
			(k + 1 == packets ? QS_TX_FRAME_END : 0);
		vclock_send_with(v, i, some_len(v), deadline, flags);
	}
}

/* Something happens; ipg is that of stream i. */
static void play(struct vclock *v, __u32 i, __u32 ipg, const struct kind *kind)
{
	__u64 deadline = 0;
	__u32 flags = 0;

	if (!ipg || vclock_between(v, 0, 3) == 0)
		deadline = v->now + vclock_between(v, 1, 100) * MS;
	if (vclock_between(v, 0, 3) == 0)
		vclock_besteffort(v, vclock_random(v), some_len(v), 0);
	if (kind->mixed && vclock_between(v, 0, 9) == 0)
		deadline = 0;
	if (kind->mixed && vclock_between(v, 0, 2) == 0)
		flags = QS_TX_NON_DROPPABLE;
	send_unit(v, i, deadline, vclock_between(v, 1, 4), flags);
	if (vclock_between(v, 0, 3) == 0)
		vclock_run(v, v->now + vclock_between(v, 1, 4000) * US);
}

/* A unit that must not be dropped, as it says when it left. */
static int in_time(struct vclock *v, __u32 i, __u32 len, __u64 deadline)
{
	__u32 id = vclock_send_with(v, i, len, deadline, QS_TX_NON_DROPPABLE);

	vclock_drain(v);
	assert_int_equal(v->packets[id].fate, V_SENT);
	return v->packets[id].left +
		       qs_wire_time(v->core, len + v->core->overhead) <=
	       deadline;
}

static void one_round(struct vclock *v, struct score *score,
		      const struct kind *kind)
{
	__u32 attached[STREAMS], ipg[STREAMS], n, k, len, turns;
	__u64 deadline;
	int said, was;

	n = vclock_between(v, 1, STREAMS);
	for (k = 0; k < n; k++) {
		ipg[k] = kind->periods ? 1000 * vclock_between(v, 2, 20) : 0;
		attached[k] = vclock_attach(v, 0, 1, ipg[k], kind->flags);
	}
	for (turns = vclock_between(v, 0, 60); turns; turns--) {
		k = vclock_between(v, 0, n - 1);
		play(v, attached[k], ipg[k], kind);
	}
	k = vclock_between(v, 0, n - 1);
	len = some_len(v);
	deadline = v->now + vclock_between(v, 1, 80 * MS);
	said = qs_fits(v->core, attached[k], len + v->core->overhead, deadline,
		       v->now);
	was = in_time(v, attached[k], len, deadline);
	score->yes += said;
	score->no += !said;
	score->wrong_yes += said && !was;
	score->wrong_no += !said && was;
	for (k = 0; k < n; k++)
		vclock_detach(v, attached[k]);
	vclock_forget(v);
}

static struct score many_rounds(const struct kind *kind)
{
	struct score score = { 0 };
	struct vclock v;
	int i;

	vclock_init(&v, RATE, SLOTS, STREAMS);
	v.core->overhead = kind->overhead;
	for (i = 0; i < ROUNDS; i++)
		one_round(&v, &score, kind);
	vclock_fini(&v);
	print_message("# yes %d, wrong %d; no %d, wrong %d\n", score.yes,
		      score.wrong_yes, score.no, score.wrong_no);
	return score;
}

/* "Yes" is never wrong, and of a hundred "no" so many may be. */
static void expect(const struct kind *kind, int wrong_percent)
{
	struct score s = many_rounds(kind);

	assert_true(s.yes > ROUNDS / 20 && s.no > ROUNDS / 20);
	assert_int_equal(s.wrong_yes, 0);
	assert_true(s.wrong_no * 100 <= s.no * wrong_percent);
}

static void all_that_is_queued_is_sent_by_deadlines(void **state)
{
	struct kind kind = { .flags = QS_STREAM_NON_DROPPABLE };

	(void)state;
	expect(&kind, 11);
	kind.overhead = 24;
	expect(&kind, 11);
}

/* What is dropped leaves more time than was thought. */
static void what_is_late_may_be_dropped(void **state)
{
	struct kind kind = { .flags = 0 };

	(void)state;
	expect(&kind, 53);
	kind.mixed = 1;
	expect(&kind, 32);
}

static void periods_hold_units_back(void **state)
{
	struct kind kind = { .periods = 1 };

	(void)state;
	expect(&kind, 12);
	kind.flags = QS_STREAM_NON_DROPPABLE;
	expect(&kind, 42);
	kind.flags = 0;
	kind.mixed = 1;
	expect(&kind, 35);
	kind.flags = QS_STREAM_WORK_CONSERVING;
	expect(&kind, 80);
}

/* Five are queued, due later: what is urgent overtakes them, but not on TCP. */
static void fits_behind(__u32 flags, __u64 in, int expected)
{
	struct vclock v;
	__u32 i, k;

	vclock_init(&v, RATE, SLOTS, 1);
	i = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < 5; k++)
		vclock_send_with(&v, i, 1000, v.now + 50 * MS, flags);
	assert_int_equal(qs_fits(v.core, i, 1000, v.now + in, v.now), expected);
	vclock_fini(&v);
}

static void nothing_overtakes_on_a_connection(void **state)
{
	(void)state;
	fits_behind(0, MS, 1);
	fits_behind(QS_CBF_RELIABLE, 6 * MS - 1, 0);
	fits_behind(QS_CBF_RELIABLE, 6 * MS, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_queued_is_sent_by_deadlines),
		cmocka_unit_test(what_is_late_may_be_dropped),
		cmocka_unit_test(periods_hold_units_back),
		cmocka_unit_test(nothing_overtakes_on_a_connection),
	};

	return cmocka_run_group_tests_name("fits", tests, NULL, NULL);
}
