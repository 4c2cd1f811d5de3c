// SPDX-License-Identifier: LGPL-2.1-or-later
/* VDS counts each period without a unit once, whoever is first in the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/vds/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define PRIO(n) ((__u32)(n) << QS_TX_PRIO_SHIFT)

struct fixture {
	struct vclock v;
	__u32 i;
	qs_stream_t *s;
	__u64 end; /* of the first unit's period */
};

/* Two of six may be missing, one each 2 ms; the first was sent. */
static int setup(void **state)
{
	struct fixture *f = vclock_memory(NULL, 1, sizeof(*f));

	vclock_init(&f->v, RATE, 16, 1);
	f->v.core->stream_limit = 1;
	f->i = vclock_attach(&f->v, 2, 6, 2000, 0);
	f->s = qs_stream(f->v.core, f->i);
	f->end = f->v.now + 2 * MS;
	vclock_send(&f->v, f->i, 1000);
	vclock_drain(&f->v);
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

/* A unit comes so many us after the first one's period; one at most is queued. */
static void comes(struct fixture *f, __u32 us, __u32 prio)
{
	f->v.now = f->end + us * US;
	vclock_send_with(&f->v, f->i, 1000, 0, PRIO(prio));
	assert_int_equal(f->s->packets, 1);
}

static void assert_window(struct fixture *f, __u32 periods, __u32 losses)
{
	assert_int_equal(f->s->cur_old, periods);
	assert_int_equal(f->s->cur_oln, losses);
	assert_int_equal(f->s->violations, 0);
}

static void a_first_unit_that_gives_way_counts_none_twice(void **state)
{
	struct fixture *f = *state;

	assert_window(f, 5, 2);
	comes(f, 3000, 0);
	assert_window(f, 4, 1);
	comes(f, 3000, 1);
	comes(f, 3999, 2);
	assert_window(f, 4, 1);
	comes(f, 4000, 3);
	assert_window(f, 3, 0);
	comes(f, 7500, 4); /* not owed: it never came */
	assert_window(f, 2, 0);
	assert_int_equal(f->s->dropped_overflow, 4);
	vclock_drain(&f->v);
	assert_int_equal(f->v.packets[5].fate, V_SENT);
	assert_window(f, 1, 0);
}

/* The new window has the periods since it began, and no earlier ones. */
static void other_attributes_do_not_bring_them_back(void **state)
{
	struct fixture *f = *state;

	vclock_change(&f->v, f->i, 3, 8, 2000, 0);
	comes(f, 9000, 0);
	assert_window(f, 8, 3);
	comes(f, 9500, 1);
	assert_window(f, 8, 3);
	comes(f, 11000, 2);
	assert_window(f, 7, 2);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_first_unit_that_gives_way_counts_none_twice),
		test(other_attributes_do_not_bring_them_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
