// SPDX-License-Identifier: LGPL-2.1-or-later
/* The account of reservations: exact, and never more than is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "schedulers/common/admit.h"
#include "vclock.h"

#define STREAMS 24

static __u64 need(__u32 bytes, __u32 oln, __u32 old, __u32 ipg)
{
	struct qs_attr a = { .oln = oln, .old = old, .ipg = ipg };

	return qs_need(bytes, &a);
}

/* ---- what attributes promise */

static void a_need_is_the_rate_of_what_must_not_be_lost(void **state)
{
	(void)state;
	assert_int_equal(need(1250, 0, 1, 10000), 1000000);
	assert_int_equal(need(1250, 0, 0, 10000), 1000000);
	assert_int_equal(need(1250, 1, 2, 10000), 500000);
	assert_int_equal(need(1250, 2, 2, 10000), 0);
	assert_int_equal(need(0, 0, 1, 10000), 0);
	/* 1400 bytes, 20.4 times a second, 7 of 9 */
	assert_int_equal(need(1400, 2, 9, 49019), 177709);
	assert_int_equal(need(1, 0, 1, UINT32_MAX), 1);
	assert_int_equal(need(1, UINT32_MAX - 1, UINT32_MAX, UINT32_MAX), 1);
	assert_int_equal(need(QS_UNIT_MAX, 0, UINT32_MAX, 1),
			 8000000ull * QS_UNIT_MAX);
}

/* The same in 128 bits, which the kernel's part has not. */
static __u64 need_wide(__u32 bytes, __u32 oln, __u32 old, __u32 ipg)
{
	unsigned __int128 n = (unsigned __int128)bytes * 8000000 * (old - oln);
	unsigned __int128 d = (unsigned __int128)old * ipg;

	return (n + d - 1) / d;
}

static void a_need_is_exact_and_rounded_up(void **state)
{
	struct vclock v = { .random = 88172645463325252ull };
	__u32 bytes, oln, old, ipg, i;

	(void)state;
	for (i = 0; i < 1000000; i++) {
		bytes = vclock_between(&v, 0, QS_UNIT_MAX >> i % 27);
		old = vclock_between(&v, 1, UINT32_MAX >> i % 31);
		oln = vclock_between(&v, 0, old);
		ipg = vclock_between(&v, 1, UINT32_MAX >> i % 29);
		assert_int_equal(need(bytes, oln, old, ipg),
				 need_wide(bytes, oln, old, ipg));
	}
}

static void a_guarantee_is_so_much_of_the_rate(void **state)
{
	struct vclock v = { .random = 88172645463325252ull };
	__u64 rate;
	__u32 i;

	(void)state;
	assert_int_equal(qs_guarantee(10000000, QS_GUARANTEE_DEFAULT), 9500000);
	assert_int_equal(qs_guarantee(0, 950), 0);
	assert_int_equal(qs_guarantee(1999, 1), 1);
	assert_int_equal(qs_guarantee(UINT64_MAX, 1000), UINT64_MAX);
	for (i = 0; i < 100000; i++) {
		rate = vclock_between(&v, 1, UINT64_MAX >> i % 50);
		assert_int_equal(
			qs_guarantee(rate, i % 1001),
			(__u64)((unsigned __int128)rate * (i % 1001) / 1000));
	}
}

/* ---- the account */

struct book {
	struct vclock v;
	__u32 attached[STREAMS];
	__u32 n;
	__u64 allowed;
	__u64 refused, admitted;
};

/* What the manager does; 1: it was admitted. */
static int reserve(struct book *b, __u32 i, __u32 bytes, struct qs_attr *a)
{
	qs_stream_t *s = qs_stream(b->v.core, i);
	__u64 others, asked = bytes ? qs_need(bytes, a) : 0;
	int admitted = qs_admit(b->v.core, s, bytes, a->ipg, asked, b->allowed,
				&others);

	if (admitted)
		vclock_change(&b->v, i, a->oln, a->old, a->ipg, 0);
	b->admitted += admitted;
	b->refused += !admitted;
	return admitted;
}

/* The core's numbers are the sums over the streams. */
static void check_sums(struct book *b)
{
	__u64 reserved = 0, n = 0, periods = 0, squares = 0;
	int equal = 1;
	__u32 k, first = 0;

	for (k = 0; k < b->n; k++) {
		qs_stream_t *s = qs_stream(b->v.core, b->attached[k]);

		if (!s->unit_bytes)
			continue;
		assert_int_equal(s->reserved, qs_need(s->unit_bytes, &s->attr));
		reserved += s->reserved;
		periods += s->attr.ipg;
		squares += (__u64)s->attr.ipg * s->attr.ipg;
		if (!n++)
			first = s->attr.ipg;
		equal &= s->attr.ipg == first;
	}
	assert_int_equal(b->v.core->reserved, reserved);
	assert_int_equal(b->v.core->reservations, n);
	assert_int_equal(b->v.core->periods, periods);
	assert_int_equal(b->v.core->squares, squares);
	assert_true(reserved <= b->allowed);
	assert_int_equal(qs_promise_void(QS_SCHED_DWCS, b->v.core), !equal);
	assert_false(qs_promise_void(QS_SCHED_VDS, b->v.core));
}

static struct qs_attr some_attr(struct vclock *v)
{
	struct qs_attr a = { .old = vclock_between(v, 0, 5),
			     .ipg = 10000 * vclock_between(v, 1, 2) };

	if (a.old)
		a.oln = vclock_between(v, 0, a.old);
	return a;
}

static void leave(struct book *b, __u32 k)
{
	struct qs_attr none = { 0 };
	__u32 i = b->attached[k];

	assert_true(reserve(b, i, 0, &none));
	vclock_detach(&b->v, i);
	b->attached[k] = b->attached[--b->n];
}

static void step(struct book *b)
{
	struct qs_attr a = some_attr(&b->v);
	__u32 what = vclock_between(&b->v, 0, 5), k, i;
	qs_stream_t *s;

	if (!b->n || (what == 0 && b->n < STREAMS)) {
		i = vclock_attach(&b->v, a.oln, a.old, a.ipg, 0);
		b->attached[b->n++] = i;
		return;
	}
	k = vclock_between(&b->v, 0, b->n - 1);
	s = qs_stream(b->v.core, b->attached[k]);
	if (what == 1)
		leave(b, k);
	else if (what == 2)
		reserve(b, b->attached[k], s->unit_bytes, &a);
	else
		reserve(b, b->attached[k], vclock_between(&b->v, 0, 3000), &a);
}

static void the_sums_are_those_of_the_streams(void **state)
{
	struct book b = { .allowed = 9500000 };
	__u32 i;

	(void)state;
	vclock_init(&b.v, 10000000, 64, STREAMS);
	for (i = 0; i < 200000; i++) {
		step(&b);
		check_sums(&b);
	}
	assert_true(b.refused > 1000 && b.admitted > 1000);
	while (b.n)
		leave(&b, 0);
	assert_int_equal(b.v.core->reserved, 0);
	assert_int_equal(b.v.core->reservations, 0);
	assert_int_equal(b.v.core->periods, 0);
	assert_int_equal(b.v.core->squares, 0);
	vclock_fini(&b.v);
}

static void a_refusal_names_what_others_have(void **state)
{
	struct qs_attr a = { .old = 1, .ipg = 10000 };
	struct book b = { .allowed = 9500000 };
	qs_stream_t *s;
	__u64 others;
	__u32 i, j;

	(void)state;
	vclock_init(&b.v, 10000000, 64, STREAMS);
	i = vclock_attach(&b.v, 0, 1, 10000, 0);
	j = vclock_attach(&b.v, 0, 1, 10000, 0);
	assert_true(reserve(&b, i, 5000, &a));
	assert_true(reserve(&b, j, 1250, &a));
	s = qs_stream(b.v.core, j);
	assert_false(qs_admit(b.v.core, s, 9999, 10000, 5500001, b.allowed,
			      &others));
	assert_int_equal(others, 4000000);
	assert_int_equal(s->reserved, 1000000);
	assert_int_equal(s->unit_bytes, 1250);
	assert_true(qs_admit(b.v.core, s, 9999, 10000, 5500000, b.allowed,
			     &others));
	assert_int_equal(b.v.core->reserved, b.allowed);
	assert_false(qs_admit(b.v.core, s, 9999, 10000, UINT64_MAX, b.allowed,
			      &others));
	vclock_fini(&b.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_need_is_the_rate_of_what_must_not_be_lost),
		cmocka_unit_test(a_need_is_exact_and_rounded_up),
		cmocka_unit_test(a_guarantee_is_so_much_of_the_rate),
		cmocka_unit_test(the_sums_are_those_of_the_streams),
		cmocka_unit_test(a_refusal_names_what_others_have),
	};

	return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}
