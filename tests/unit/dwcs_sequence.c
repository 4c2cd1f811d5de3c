// SPDX-License-Identifier: LGPL-2.1-or-later
/* Three streams that fill the link take turns as the paper says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define SLOTS 80000u
#define LEN 1000 /* 1 ms at 8 Mbit/s */

static void assert_order(struct vclock *v, const __u32 *stream)
{
	static const __u32 order[4] = { 0, 1, 0, 2 };
	struct vpacket *p;
	__u32 k, sent = 0;

	for (k = 0; k < v->n_out; k++) {
		p = &v->packets[v->out[k]];
		if (p->fate != V_SENT)
			continue;
		assert_int_equal(p->p.stream, stream[order[sent % 4]]);
		assert_int_equal(p->left, SEC + sent * MS);
		sent++;
	}
	assert_int_equal(sent, SLOTS);
}

static void a_full_link_repeats_s1_s2_s1_s3(void **state)
{
	struct vclock v;
	__u32 s[3], k;

	(void)state;
	vclock_init(&v, 8000000, 3 * SLOTS, 3);
	v.core->kept_slots = 0;
	s[0] = vclock_attach(&v, 1, 2, 1000, 0);
	s[1] = vclock_attach(&v, 3, 4, 1000, 0);
	s[2] = vclock_attach(&v, 6, 8, 1000, 0);
	for (k = 0; k < 3 * SLOTS; k++)
		vclock_send(&v, s[k % 3], LEN);
	vclock_run(&v, SEC + SLOTS * MS);
	assert_order(&v, s);
	assert_int_equal(v.core->violations, 0);
	assert_int_equal(qs_stream(v.core, s[0])->sent_units, SLOTS / 2);
	assert_int_equal(qs_stream(v.core, s[1])->sent_units, SLOTS / 4);
	assert_int_equal(qs_stream(v.core, s[2])->sent_units, SLOTS / 4);
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_link_repeats_s1_s2_s1_s3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
