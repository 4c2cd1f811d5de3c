// SPDX-License-Identifier: LGPL-2.1-or-later
/* A stream's life: who uses its slot, and when another may have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */

static __u32 refs(struct vclock *v, __u32 i)
{
	return QS_LIFE_REFS(qs_stream(v->core, i)->life);
}

static void the_queue_holds_a_stream_while_it_has_packets(void **state)
{
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, 1000, 0);
	assert_int_equal(refs(&v, s), 1);
	vclock_send(&v, s, 1000);
	vclock_send(&v, s, 1000);
	assert_int_equal(refs(&v, s), 2);
	vclock_run(&v, v.now + 1);
	assert_int_equal(refs(&v, s), 2);
	vclock_drain(&v);
	assert_int_equal(refs(&v, s), 1);
	vclock_fini(&v);
}

static void closing_an_empty_stream_frees_it_at_once(void **state)
{
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, 1000, 0);
	vclock_send(&v, s, 1000);
	vclock_drain(&v);
	vclock_detach(&v, s);
	assert_int_equal(v.core->attached, 0);
	assert_int_equal(v.given_back, 0);
	vclock_fini(&v);
}

static void closing_with_packets_queued_keeps_the_stream_until_they_left(
	void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, 10000, 0);
	for (k = 0; k < 3; k++)
		vclock_send(&v, s, 1000);
	vclock_detach(&v, s);
	assert_int_equal(v.core->attached, 1);
	assert_int_equal(vclock_attach(&v, 0, 1, 1000, 0), QS_NIL);
	vclock_run(&v, SEC + 20 * MS);
	assert_int_equal(v.given_back, 0);
	vclock_drain(&v);
	for (k = 0; k < 3; k++) /* and they keep their pace */
		assert_int_equal(v.packets[k].left, SEC + k * 10 * MS);
	assert_int_equal(v.given_back, 1);
	assert_int_equal(v.core->attached, 0);
	vclock_fini(&v);
}

static void the_last_packet_puts_a_closed_stream_on_the_list(void **state)
{
	struct vclock v;
	__u32 a, b;

	(void)state;
	vclock_init(&v, RATE, 64, 2);
	a = vclock_attach(&v, 0, 0, 0, 0);
	b = vclock_attach(&v, 0, 0, 0, 0);
	vclock_send(&v, a, 1000);
	vclock_send(&v, b, 1000);
	vclock_detach(&v, a);
	vclock_detach(&v, b);
	qs_dequeue(v.core, SEC);
	assert_int_equal(v.core->released, a);
	qs_dequeue(v.core, SEC + MS);
	assert_int_equal(v.core->released, b);
	assert_int_equal(qs_stream(v.core, b)->next_free, a);
	assert_int_equal(qs_stream(v.core, a)->next_free, QS_NIL);
	vclock_fini(&v);
}

static void dropping_the_last_packets_frees_a_closed_stream(void **state)
{
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	vclock_send_with(&v, s, 1000, SEC - 1, 0);
	vclock_detach(&v, s);
	vclock_drain(&v);
	assert_int_equal(vclock_count(&v, V_DROPPED), 1);
	assert_int_equal(v.given_back, 1);
	vclock_fini(&v);
}

/* The frame can never be whole: the stream is free again all the same. */
static void closing_in_the_middle_of_a_frame_frees_in_the_end(void **state)
{
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_START);
	vclock_detach(&v, s);
	vclock_run(&v, SEC + QS_TX_HORIZON_NS + 10 * MS);
	assert_int_equal(v.given_back, 1);
	assert_int_equal(v.core->free_slots, 64);
	vclock_fini(&v);
}

/* Such packets were on their way when the socket was detached. */
static void a_packet_of_an_old_attachment_is_best_effort(void **state)
{
	struct qs_packet p = { .len = 1000 };
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, 1000, 0);
	p.stream = s;
	p.gen = vclock_gen(&v, s);
	vclock_detach(&v, s);
	vclock_put(&v, &p); /* nobody has the slot */
	assert_int_equal(v.core->be_packets, 1);
	assert_int_equal(vclock_attach(&v, 0, 1, 1000, 0), s);
	vclock_put(&v, &p); /* another has it */
	vclock_send(&v, s, 1000);
	vclock_put(&v, &p); /* and has packets queued */
	assert_int_equal(v.core->be_packets, 3);
	assert_int_equal(qs_stream(v.core, s)->packets, 1);
	assert_int_equal(refs(&v, s), 2);
	vclock_drain(&v);
	assert_int_equal(v.core->be_sent_packets, 3);
	assert_int_equal(qs_stream(v.core, s)->sent_packets, 1);
	vclock_fini(&v);
}

static void attaching_again_is_a_new_stream(void **state)
{
	__u32 first, second, k;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 64, 2);
	first = vclock_attach(&v, 0, 1, 10000, 0);
	for (k = 0; k < 3; k++)
		vclock_send(&v, first, 1000);
	vclock_detach(&v, first);
	second = vclock_attach(&v, 0, 1, 10000, 0);
	assert_int_not_equal(first, second);
	vclock_send(&v, second, 1000);
	assert_int_equal(refs(&v, first), 1);
	assert_int_equal(refs(&v, second), 2);
	vclock_drain(&v);
	assert_int_equal(v.given_back, 1);
	assert_int_equal(refs(&v, second), 1);
	assert_int_equal(v.core->attached, 1);
	vclock_fini(&v);
}

/* Frame, window, pace, counters: all of the last tenant is forgotten. */
static void a_new_tenant_starts_clean(void **state)
{
	struct vclock v;
	qs_stream_t *t;
	__u32 s, k, id;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	v.core->stream_limit = 4;
	s = vclock_attach(&v, 0, 3, 1000000, QS_STREAM_NON_DROPPABLE);
	vclock_send_with(&v, s, 1000, SEC - 1, 0);
	vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_END);
	vclock_drain(&v);
	vclock_detach(&v, s);
	assert_int_equal(vclock_attach(&v, 1, 2, 10000, 0), s);
	t = qs_stream(v.core, s);
	vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_START);
	for (k = 0; k < 4; k++) /* droppable: lost whole */
		vclock_send_with(&v, s, 1000, 0, 0);
	assert_int_equal(t->packets, 0);
	assert_int_equal(t->dropped_frame, 1);
	assert_int_equal(t->late_units + t->violations + t->sent_units, 0);
	vclock_detach(&v, s);
	vclock_drain(&v);
	assert_int_equal(vclock_attach(&v, 1, 2, 10000, 0), s);
	id = vclock_send(&v, s, 1000); /* in no frame, no wait */
	assert_int_equal(v.packets[id].fate, V_QUEUED);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].left, v.packets[id].put);
	assert_int_equal(t->cur_oln, 1);
	assert_int_equal(t->cur_old, 1);
	assert_int_equal(t->sent_units, 1);
	vclock_fini(&v);
}

/* The manager may be interrupted in the middle of a change. */
static void half_written_attributes_are_not_used(void **state)
{
	struct vclock v;
	qs_stream_t *t;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 1, 10000, 0);
	t = qs_stream(v.core, s);
	for (k = 0; k < 4; k++)
		vclock_send(&v, s, 1000);
	t->attr_seq++;
	t->attr.ipg = 1;
	vclock_run(&v, SEC + 15 * MS);
	assert_int_equal(t->now.ipg, 10000);
	t->attr.ipg = 5000;
	t->attr_seq++;
	vclock_drain(&v);
	assert_int_equal(v.packets[1].left, SEC + 10 * MS);
	assert_int_equal(v.packets[2].left, SEC + 20 * MS);
	assert_int_equal(v.packets[3].left, SEC + 30 * MS);
	assert_int_equal(t->now.ipg, 5000);
	vclock_fini(&v);
}

static void a_reset_empties_the_queues(void **state)
{
	__u32 open, closed, k, id;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 64, 3);
	open = vclock_attach(&v, 0, 1, 10000, 0);
	closed = vclock_attach(&v, 0, 1, 10000, 0);
	for (k = 0; k < 5; k++) {
		vclock_send(&v, open, 1000);
		vclock_send(&v, closed, 1000);
		vclock_besteffort(&v, k, 1000, k ? 0 : QS_CBF_CONTROL);
	}
	vclock_run(&v, SEC + 3 * MS);
	vclock_detach(&v, closed);
	vclock_reset(&v);
	assert_int_equal(v.core->free_slots, 64);
	assert_int_equal(v.core->be_packets, 0);
	assert_int_equal(v.given_back, 1);
	assert_int_equal(v.core->attached, 1);
	assert_int_equal(refs(&v, open), 1);
	assert_int_equal(qs_stream(v.core, open)->sent_units, 1);
	assert_int_equal(QS_DEQ_OP(qs_dequeue(v.core, SEC + SEC)),
			 QS_DEQ_EMPTY);
	v.now = SEC + SEC;
	id = vclock_send(&v, open, 1000);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].fate, V_SENT);
	assert_int_equal(qs_stream(v.core, open)->sent_units, 2);
	vclock_fini(&v);
}

static void a_reset_in_the_middle_of_units(void **state)
{
	struct vclock v;
	qs_stream_t *t;
	__u32 s, id;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	t = qs_stream(v.core, s);
	vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_START);
	vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_END);
	vclock_step(&v); /* one is being sent, one being built */
	vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_START);
	vclock_reset(&v);
	assert_int_equal(v.core->current, QS_NIL);
	assert_int_equal(t->packets + t->units + t->bytes, 0);
	id = vclock_send_with(&v, s, 1000, 0, QS_TX_FRAME_END);
	assert_int_equal(v.packets[id].fate, V_REFUSED_FRAME);
	id = vclock_send(&v, s, 1000);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].fate, V_SENT);
	assert_int_equal(refs(&v, s), 1);
	vclock_fini(&v);
}

/* What is given up but not yet freed is no longer the stream's. */
static void a_reset_with_packets_given_up(void **state)
{
	struct vclock v;
	__u32 s;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	vclock_send_with(&v, s, 1000, SEC - 1, QS_TX_FRAME_START);
	vclock_send_with(&v, s, 1000, SEC - 1, QS_TX_FRAME_END);
	assert_int_equal(vclock_step(&v), QS_DEQ_DROP);
	assert_int_not_equal(v.core->doomed, QS_NIL);
	vclock_reset(&v);
	assert_int_equal(v.core->doomed, QS_NIL);
	assert_int_equal(v.core->free_slots, 64);
	assert_int_equal(refs(&v, s), 1);
	vclock_fini(&v);
}

static void ten_thousand_lives_leave_nothing(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 64, 4);
	for (k = 0; k < 10000; k++) {
		s = vclock_attach(&v, 0, 1, 1000, 0);
		assert_int_not_equal(s, QS_NIL);
		vclock_send(&v, s, 500);
		if (k % 3)
			vclock_send_with(&v, s, 500, 0, QS_TX_FRAME_START);
		if (k % 2)
			vclock_send_with(&v, s, 500, 0, QS_TX_FRAME_END);
		vclock_detach(&v, s);
		if (k % 3 && !(k % 2))
			v.now += QS_TX_HORIZON_NS;
		vclock_run(&v, v.now + 5 * MS);
	}
	vclock_drain(&v);
	assert_int_equal(v.core->attached, 0);
	assert_int_equal(v.core->free_slots, 64);
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_holds_a_stream_while_it_has_packets),
		cmocka_unit_test(closing_an_empty_stream_frees_it_at_once),
		cmocka_unit_test(
			closing_with_packets_queued_keeps_the_stream_until_they_left),
		cmocka_unit_test(
			the_last_packet_puts_a_closed_stream_on_the_list),
		cmocka_unit_test(
			dropping_the_last_packets_frees_a_closed_stream),
		cmocka_unit_test(
			closing_in_the_middle_of_a_frame_frees_in_the_end),
		cmocka_unit_test(a_packet_of_an_old_attachment_is_best_effort),
		cmocka_unit_test(attaching_again_is_a_new_stream),
		cmocka_unit_test(a_new_tenant_starts_clean),
		cmocka_unit_test(half_written_attributes_are_not_used),
		cmocka_unit_test(a_reset_empties_the_queues),
		cmocka_unit_test(a_reset_in_the_middle_of_units),
		cmocka_unit_test(a_reset_with_packets_given_up),
		cmocka_unit_test(ten_thousand_lives_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
