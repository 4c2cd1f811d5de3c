// SPDX-License-Identifier: LGPL-2.1-or-later
/* Queue and stream table are finite; nothing gets lost in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"
#include "vcheck.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define SLOTS 160
#define STREAMS 24

/* ---- random operations on a small core */

struct play {
	struct vclock v;
	__u32 attached[STREAMS];
	__u32 n;
	int leaving; /* do streams close and resets happen? */
};

static void play_attach(struct play *p)
{
	struct vclock *v = &p->v;
	__u32 old = vclock_between(v, 0, 4);
	__u32 i = vclock_attach(
		v, vclock_between(v, 0, old), old,
		vclock_between(v, 0, 3) * 1000,
		(vclock_between(v, 0, 4) ? 0 : QS_STREAM_NON_DROPPABLE) |
			(vclock_between(v, 0, 3) ? 0 :
						   QS_STREAM_WORK_CONSERVING));

	if (i != QS_NIL)
		p->attached[p->n++] = i;
}

static void play_detach(struct play *p)
{
	__u32 k = vclock_between(&p->v, 0, p->n - 1);

	vclock_detach(&p->v, p->attached[k]);
	p->attached[k] = p->attached[--p->n];
}

static void play_send(struct play *p)
{
	struct vclock *v = &p->v;
	__u32 i = p->attached[vclock_between(v, 0, p->n - 1)];
	__u32 flags = 0;
	__u64 deadline = 0;

	if (vclock_between(v, 0, 3) == 0)
		flags |= QS_TX_FRAME_START;
	if (vclock_between(v, 0, 2) == 0)
		flags |= QS_TX_FRAME_END;
	if (vclock_between(v, 0, 5) == 0)
		flags |= QS_TX_NON_DROPPABLE;
	if (vclock_between(v, 0, 5) == 0)
		flags |= QS_CBF_MORE;
	flags |= vclock_between(v, 0, 7) << QS_TX_PRIO_SHIFT;
	if (i % 4 == 3) /* all of a TCP socket's are so, and nothing else */
		flags = QS_CBF_RELIABLE;
	if (vclock_between(v, 0, 1))
		deadline = v->now + vclock_between(v, 0, 40 * MS) - 5 * MS;
	vclock_send_with(v, i, vclock_between(v, 60, 1514), deadline, flags);
}

static void play_besteffort(struct play *p)
{
	struct vclock *v = &p->v;

	vclock_besteffort(v, vclock_between(v, 0, 5),
			  vclock_between(v, 60, 1514),
			  vclock_between(v, 0, 4) ? 0 : QS_CBF_CONTROL);
}

static void play_change(struct play *p)
{
	struct vclock *v = &p->v;
	__u32 old = vclock_between(v, 0, 4);

	vclock_change(v, p->attached[vclock_between(v, 0, p->n - 1)],
		      vclock_between(v, 0, old), old,
		      vclock_between(v, 0, 3) * 1000, 0);
}

static void play_one(struct play *p)
{
	struct vclock *v = &p->v;
	__u32 what = vclock_between(v, 0, 999);

	if (what < 30 || !p->n)
		play_attach(p);
	else if (what < 40 && p->leaving)
		play_detach(p);
	else if (what < 41 && p->leaving)
		vclock_reset(v);
	else if (what < 55)
		play_change(p);
	else if (what < 500)
		play_send(p);
	else if (what < 600)
		play_besteffort(p);
	else if (what < 800)
		vclock_step(v);
	else if (what < 998)
		v->now += vclock_between(v, 0, 2 * MS);
	else
		v->now += vclock_between(v, 0, 12 * SEC);
}

static void assert_whole(struct vclock *v, __u64 seed, __u32 step)
{
	const char *wrong = vcheck(v->core);

	if (wrong)
		fail_msg("seed %llu, step %u: %s", seed, step, wrong);
}

static void play_through(struct play *p, __u64 seed, __u32 steps)
{
	__u32 step;

	vclock_init(&p->v, seed % 4 ? RATE : 0, SLOTS, STREAMS);
	p->v.random = seed * 0x9e3779b97f4a7c15ull + 1;
	p->v.core->stream_limit = vclock_between(&p->v, 4, SLOTS);
	p->v.core->slack = vclock_between(&p->v, 0, 2 * MS);
	p->n = 0;
	for (step = 0; step < steps; step++) {
		play_one(p);
		/* the many flows make a look slow */
		if (step < 500 || step % 16 == 0)
			assert_whole(&p->v, seed, step);
	}
	vclock_drain(&p->v);
	assert_whole(&p->v, seed, step);
	assert_int_equal(p->v.core->free_slots, SLOTS);
}

static void no_slot_is_lost_or_used_twice(void **state)
{
	struct play p = { .leaving = 1 };
	__u64 seed;

	(void)state;
	for (seed = 1; seed <= 100; seed++) {
		play_through(&p, seed, 5000);
		while (p.n)
			play_detach(&p);
		assert_int_equal(p.v.core->attached, 0);
		vclock_fini(&p.v);
	}
}

/* Every packet is in exactly one counter of the device. */
static void assert_device_adds_up(struct vclock *v)
{
	qs_core_t *c = v->core;

	assert_int_equal(c->sent_packets, vclock_count(v, V_SENT));
	assert_int_equal(c->dropped_late + c->dropped_frame +
				 c->dropped_overflow + c->be_dropped,
			 vclock_count(v, V_DROPPED) +
				 vclock_count(v, V_REFUSED) +
				 vclock_count(v, V_REFUSED_FRAME));
	assert_int_equal(c->be_sent_bytes, vclock_bytes(v, QS_NIL));
}

static void assert_streams_add_up(struct vclock *v)
{
	__u64 packets = v->core->be_sent_packets;
	__u64 bytes = v->core->be_sent_bytes;
	__u64 violations = 0, overflow = 0;
	__u32 i;

	for (i = 0; i < STREAMS; i++) {
		qs_stream_t *s = qs_stream(v->core, i);

		packets += s->sent_packets;
		bytes += s->sent_bytes;
		violations += s->violations;
		overflow += s->dropped_overflow;
		assert_int_equal(s->sent_bytes, vclock_bytes(v, i));
		assert_true(s->late_units <= s->sent_units);
		assert_true(s->sent_units <= s->sent_packets);
		assert_true(s->delay_last <= s->delay_max);
	}
	assert_int_equal(packets, v->core->sent_packets);
	assert_int_equal(bytes, v->core->sent_bytes);
	assert_int_equal(violations, v->core->violations);
	assert_int_equal(overflow, v->core->dropped_overflow);
}

static void the_counters_add_up(void **state)
{
	struct play p = { .leaving = 0 };
	__u64 seed;

	(void)state;
	for (seed = 1001; seed <= 1050; seed++) {
		play_through(&p, seed, 3000);
		assert_device_adds_up(&p.v);
		assert_streams_add_up(&p.v);
		vclock_fini(&p.v);
	}
}

/* ---- limits */

static void a_stream_queues_no_more_than_its_share(void **state)
{
	struct vclock v;
	__u32 s, k, id;

	(void)state;
	vclock_init(&v, RATE, 64, 2);
	v.core->stream_limit = 16;
	s = vclock_attach(&v, 0, 1, 1000, 0);
	for (k = 0; k < 20; k++) {
		id = vclock_send(&v, s, 1000);
		assert_int_equal(v.packets[id].fate,
				 k < 16 ? V_QUEUED : V_REFUSED);
	}
	assert_int_equal(qs_stream(v.core, s)->packets, 16);
	assert_int_equal(qs_stream(v.core, s)->dropped_overflow, 4);
	assert_int_equal(v.core->free_slots, 48);
	vclock_run(&v, v.now + MS);
	id = vclock_send(&v, s, 1000);
	assert_int_equal(v.packets[id].fate, V_QUEUED);
	vclock_fini(&v);
}

static void a_full_queue_refuses_and_recovers(void **state)
{
	struct vclock v;
	__u32 s, k, id;

	(void)state;
	vclock_init(&v, RATE, 64, 1);
	v.core->kept_slots = 0;
	s = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < 64; k++)
		vclock_send(&v, s, 1000);
	assert_int_equal(v.core->free_slots, 0);
	id = vclock_send(&v, s, 1000);
	assert_int_equal(v.packets[id].fate, V_REFUSED);
	id = vclock_besteffort(&v, 0, 60, QS_CBF_CONTROL);
	assert_int_equal(v.packets[id].fate, V_REFUSED);
	assert_int_equal(v.core->be_dropped, 1);
	vclock_drain(&v);
	assert_int_equal(v.core->free_slots, 64);
	assert_int_equal(vclock_count(&v, V_SENT), 64);
	vclock_fini(&v);
}

static void there_are_as_many_streams_as_were_asked_for(void **state)
{
	struct vclock v;
	__u32 k, s = 0;

	(void)state;
	vclock_init(&v, RATE, 64, 5);
	for (k = 0; k < 5; k++) {
		s = vclock_attach(&v, 0, 1, 1000, 0);
		assert_int_not_equal(s, QS_NIL);
	}
	assert_int_equal(vclock_attach(&v, 0, 1, 1000, 0), QS_NIL);
	assert_int_equal(v.core->attached, 5);
	vclock_detach(&v, s);
	assert_int_equal(vclock_attach(&v, 0, 1, 1000, 0), s);
	vclock_fini(&v);
}

/* A stream's number comes out of a packet: it may be anything. */
static void a_stream_that_is_not_there_is_best_effort(void **state)
{
	struct qs_packet p = { .len = 100, .gen = 1 };
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 64, 4);
	for (p.stream = 0; p.stream < 4; p.stream++)
		vclock_put(&v, &p); /* nobody is attached */
	p.stream = 5;
	vclock_put(&v, &p);
	p.stream = 0x80000000u;
	vclock_put(&v, &p);
	assert_int_equal(v.core->be_packets, 6);
	vclock_drain(&v);
	assert_int_equal(v.core->be_sent_packets, 6);
	vclock_fini(&v);
}

/* The defaults' size, each stream with packets: all leave. */
static void the_largest_core_works(void **state)
{
	struct vclock v;
	__u32 k;

	(void)state;
	vclock_init(&v, 10000000000ull, 16384, 4096);
	v.core->kept_slots = 0;
	for (k = 0; k < 4096; k++)
		vclock_attach(&v, 1, 2, 0, 0);
	for (k = 0; k < 16384; k++)
		vclock_send_with(&v, k * 7 % 4096, 100,
				 SEC + SEC + k * 31 % 16384, 0);
	assert_int_equal(v.core->free_slots, 0);
	vclock_drain(&v);
	assert_int_equal(vclock_count(&v, V_SENT), 16384);
	for (k = 1; k < 16384; k++)
		assert_true(v.packets[v.out[k - 1]].p.deadline <=
			    v.packets[v.out[k]].p.deadline);
	vclock_fini(&v);
}

/* ---- who gives way */

#define PRIO(n) ((n) << QS_TX_PRIO_SHIFT)

/* It says so of the whole datagram, though it is lost itself. */
static void a_lost_rest_that_must_stay_keeps_its_unit(void **state)
{
	__u32 i, first, rest, next;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, SLOTS, 1);
	v.core->stream_limit = 1;
	i = vclock_attach(&v, 0, 0, 0, 0);
	first = vclock_send_with(&v, i, 1000, 0, PRIO(1) | QS_CBF_MORE);
	rest = vclock_send_with(&v, i, 1000, 0, QS_TX_NON_DROPPABLE);
	next = vclock_send_with(&v, i, 1000, 0, PRIO(2));
	assert_int_equal(v.packets[first].fate, V_QUEUED);
	assert_int_equal(v.packets[rest].fate, V_REFUSED);
	assert_int_equal(v.packets[next].fate, V_REFUSED);
	assert_null(vcheck(v.core));
	vclock_fini(&v);
}

/* Who has become droppable is asked again. */
static void a_stream_that_may_be_dropped_now_gives_way(void **state)
{
	__u32 i, other, left, id;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 16, 2);
	i = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	other = vclock_attach(&v, 0, 0, 0, 0);
	vclock_send(&v, i, 1000);
	left = vclock_send(&v, i, 1000);
	do
		id = vclock_send(&v, other, 1000);
	while (v.packets[id].fate == V_QUEUED);
	id = vclock_send_with(&v, i, 1000, 0, PRIO(1));
	assert_int_equal(v.packets[id].fate, V_REFUSED);
	vclock_change(&v, i, 0, 0, 0, 0);
	assert_int_equal(vclock_step(&v), QS_DEQ_SEND);
	vclock_send(&v, other, 1000);
	id = vclock_send_with(&v, i, 1000, 0, PRIO(1));
	assert_int_equal(v.packets[id].fate, V_QUEUED);
	assert_int_equal(v.packets[left].fate, V_DROPPED);
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_slot_is_lost_or_used_twice),
		cmocka_unit_test(the_counters_add_up),
		cmocka_unit_test(a_stream_queues_no_more_than_its_share),
		cmocka_unit_test(a_full_queue_refuses_and_recovers),
		cmocka_unit_test(there_are_as_many_streams_as_were_asked_for),
		cmocka_unit_test(a_stream_that_is_not_there_is_best_effort),
		cmocka_unit_test(the_largest_core_works),
		cmocka_unit_test(a_lost_rest_that_must_stay_keeps_its_unit),
		cmocka_unit_test(a_stream_that_may_be_dropped_now_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
