// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What DWCS promises: streams of one period and one size, of which the link
 * can carry what they are owed, never lose more than they tolerate. And what
 * it does not: with unequal periods they may, far below a full link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define SETS 10000
#define LEN 1000 /* a slot of 1 ms at 8 Mbit/s */
#define MAX_STREAMS 24
#define HYPER 60u /* every old of 1 to 6 divides it */
#define PERIODS (2 * HYPER)

struct set {
	__u32 slots; /* in a period */
	__u32 n;
	__u32 oln[MAX_STREAMS], old[MAX_STREAMS];
	__u32 units[MAX_STREAMS], lost[MAX_STREAMS]; /* in this window */
	__u32 index[MAX_STREAMS];
};

/* Random streams until no other fits: the load is at most one, often one. */
static void draw_set(struct vclock *v, struct set *set)
{
	__u32 tries, x, y, need, left;

	memset(set, 0, sizeof(*set));
	set->slots = vclock_between(v, 1, 5);
	left = set->slots * HYPER;
	for (tries = 0; tries < 20 && set->n < MAX_STREAMS; tries++) {
		y = vclock_between(v, 1, 6);
		x = vclock_between(v, 0, y);
		need = (y - x) * HYPER / y;
		if (need > left)
			continue;
		left -= need;
		set->oln[set->n] = x;
		set->old[set->n++] = y;
	}
}

/* Windows are laid end to end: in none more than oln were dropped. */
static void assert_windows_kept(struct vclock *v, struct set *set)
{
	struct vpacket *p;
	__u32 id, i;

	for (id = 0; id < v->n; id++) {
		p = &v->packets[id];
		if (p->fate == V_QUEUED)
			continue;
		for (i = 0; set->index[i] != p->p.stream; i++)
			;
		set->lost[i] += p->fate == V_DROPPED;
		assert_true(set->lost[i] <= set->oln[i]);
		if (++set->units[i] < set->old[i])
			continue;
		set->units[i] = 0;
		set->lost[i] = 0;
	}
}

static void run_set(struct set *set, __u64 seed, int backlogged)
{
	__u32 period = set->slots * 1000;
	struct vclock v;
	__u32 i, k;

	vclock_init(&v, 8000000, backlogged ? MAX_STREAMS * PERIODS : 64,
		    set->n);
	v.random = seed;
	for (i = 0; i < set->n; i++)
		set->index[i] =
			vclock_attach(&v, set->oln[i], set->old[i], period, 0);
	for (k = 0; k < PERIODS; k++) {
		for (i = 0; i < set->n; i++)
			vclock_send(&v, set->index[i], LEN);
		if (!backlogged)
			vclock_run(&v, v.now + period * US);
	}
	if (backlogged)
		vclock_run(&v, v.now + PERIODS * period * US);
	assert_int_equal(v.core->violations, 0);
	assert_int_equal(v.core->dropped_overflow, 0);
	assert_windows_kept(&v, set);
	vclock_fini(&v);
}

static void equal_periods_are_never_violated(void **state)
{
	struct vclock dice = { .random = 1 };
	struct set set;
	int k;

	(void)state;
	for (k = 0; k < SETS; k++) {
		draw_set(&dice, &set);
		run_set(&set, k + 1, k % 4 == 0);
	}
}

/* Load 0.29: both strict streams wait for the last slot of one period. */
static void unequal_periods_may_be_violated(void **state)
{
	__u32 s[3], k;
	struct vclock v;

	(void)state;
	vclock_init(&v, 8000000, 64, 3);
	s[0] = vclock_attach(&v, 0, 1, 10000, 0);
	s[1] = vclock_attach(&v, 9, 10, 1000, 0);
	s[2] = vclock_attach(&v, 0, 1, 11000, 0);
	for (k = 0; k < 1100; k++) {
		if (k % 10 == 0)
			vclock_send(&v, s[0], LEN);
		vclock_send(&v, s[1], LEN);
		if (k % 11 == 0)
			vclock_send(&v, s[2], LEN);
		vclock_run(&v, v.now + MS);
	}
	assert_true(v.core->violations > 0);
	assert_int_equal(qs_stream(v.core, s[1])->violations, 0);
	vclock_fini(&v);
}

/* oln = old = 0 is no window: the earliest deadline goes first. */
static void without_windows_the_earliest_deadline_goes_first(void **state)
{
	struct vclock v;
	__u32 s[8], k;

	(void)state;
	vclock_init(&v, 8000000, 64, 8);
	for (k = 0; k < 8; k++)
		s[k] = vclock_attach(&v, 0, 0, 1000000 - 1000 * k, 0);
	for (k = 0; k < 8; k++)
		vclock_send(&v, s[k], LEN);
	vclock_drain(&v);
	for (k = 0; k < 8; k++)
		assert_int_equal(vclock_sent(&v, k)->p.stream, s[7 - k]);
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_periods_are_never_violated),
		cmocka_unit_test(unequal_periods_may_be_violated),
		cmocka_unit_test(
			without_windows_the_earliest_deadline_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
