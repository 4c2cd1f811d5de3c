// SPDX-License-Identifier: LGPL-2.1-or-later
/* What became of messages is told, once and to who asked; so are events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/common/message.h"
#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define SLOTS 32
#define LIMIT 8

struct fixture {
	struct vclock v;
	__u32 i;
	qs_stream_t *s;
	qs_ring_t *ring;
};

/* What the manager does for qwatch(). */
static qs_ring_t *watch(struct vclock *v, __u32 i)
{
	__u32 ring = qs_ring_alloc(v->core);

	qs_stream(v->core, i)->ring = ring + 1;
	return qs_ring(v->core, ring);
}

static int setup(void **state)
{
	struct fixture *f = vclock_memory(NULL, 1, sizeof(*f));

	vclock_init(&f->v, RATE, SLOTS, 4);
	f->v.core->stream_limit = LIMIT;
	f->i = vclock_attach(&f->v, 1, 2, 0, 0);
	f->s = qs_stream(f->v.core, f->i);
	f->ring = watch(&f->v, f->i);
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

static __u32 put(struct fixture *f, __u32 cookie, __u64 deadline, __u32 flags)
{
	struct qs_packet p = { .deadline = deadline,
			       .len = 1000,
			       .stream = f->i,
			       .gen = vclock_gen(&f->v, f->i),
			       .flags = flags | QS_TX_COOKIE,
			       .cookie = cookie };

	return vclock_put(&f->v, &p);
}

static struct qos_fate take(struct fixture *f)
{
	static const struct qos_fate none;

	if (f->ring->taken == f->ring->put)
		return none;
	return f->ring->fate[f->ring->taken++ % QOS_FATES];
}

static void expect(struct fixture *f, __u32 kind, __u32 cookie, __u64 value)
{
	struct qos_fate fate = take(f);

	assert_int_equal(fate.kind, kind);
	assert_int_equal(fate.cookie, cookie);
	assert_int_equal(fate.value, value);
}

static void expect_nothing(struct fixture *f)
{
	assert_int_equal(f->ring->taken, f->ring->put);
	assert_int_equal(f->ring->lost, 0);
}

/* ---- fates */

static void each_fate_is_told_with_its_wait(void **state)
{
	struct fixture *f = *state;
	__u64 start = f->v.now;

	put(f, 1, 0, 0);
	put(f, 2, start + 10 * MS, 0);
	put(f, 3, start + 2 * MS, QS_TX_NON_DROPPABLE);
	put(f, 4, start + 2 * MS, 0);
	vclock_drain(&f->v);
	expect(f, QOS_FATE_SENT, 1, 0);
	expect(f, QOS_FATE_SENT, 3, MS);
	expect(f, QOS_FATE_DROPPED_LATE, 4, 2 * MS);
	expect(f, QOS_FATE_SENT, 2, 2 * MS);
	expect_nothing(f);
	put(f, 0xffffffff, f->v.now - MS, QS_TX_NON_DROPPABLE);
	vclock_drain(&f->v);
	assert_int_equal(take(f).kind, QOS_FATE_LATE);
	expect_nothing(f);
}

static void a_message_without_a_cookie_is_not_told(void **state)
{
	struct fixture *f = *state;

	vclock_send(&f->v, f->i, 1000);
	vclock_send_with(&f->v, f->i, 1000, 1, 0);
	vclock_drain(&f->v);
	expect_nothing(f);
}

static void each_message_of_a_frame_is_told(void **state)
{
	struct fixture *f = *state;

	put(f, 1, f->v.now + MS, QS_TX_FRAME_START);
	put(f, 2, 0, 0);
	put(f, 3, 0, QS_TX_FRAME_END);
	vclock_drain(&f->v);
	expect(f, QOS_FATE_DROPPED_LATE, 1, 0);
	expect(f, QOS_FATE_DROPPED_LATE, 2, 0);
	expect(f, QOS_FATE_DROPPED_LATE, 3, 0);
	expect_nothing(f);
}

static void a_message_in_fragments_is_told_once(void **state)
{
	struct fixture *f = *state;

	put(f, 7, 0, QS_CBF_MORE);
	put(f, 7, 0, QS_CBF_MORE);
	put(f, 7, 0, 0);
	vclock_drain(&f->v);
	expect(f, QOS_FATE_SENT, 7, 2 * MS);
	expect_nothing(f);
}

static void what_overflows_is_told(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	for (k = 0; k < LIMIT; k++)
		put(f, k, 0, k == 2 ? QS_TX_NON_DROPPABLE : 0);
	put(f, 8, 0, 0);
	expect(f, QOS_FATE_DROPPED_OVERFLOW, 8, 0);
	put(f, 9, 0, 1 << QS_TX_PRIO_SHIFT);
	expect(f, QOS_FATE_DROPPED_OVERFLOW, LIMIT - 1, 0);
	put(f, 10, 0, QS_TX_FRAME_START);
	expect(f, QOS_FATE_DROPPED_OVERFLOW, 10, 0);
	put(f, 11, 0, 0);
	expect(f, QOS_FATE_DROPPED_FRAME, 11, 0);
	put(f, 12, 0, QS_TX_FRAME_END);
	expect(f, QOS_FATE_DROPPED_FRAME, 12, 0);
	expect_nothing(f);
}

static void what_a_reset_frees_is_told(void **state)
{
	struct fixture *f = *state;

	put(f, 1, 0, QS_TX_FRAME_START);
	put(f, 2, 0, QS_TX_FRAME_END);
	put(f, 3, 0, 0);
	put(f, 4, 0, QS_TX_FRAME_START);
	vclock_step(&f->v);
	expect(f, QOS_FATE_SENT, 1, 0);
	vclock_reset(&f->v);
	expect(f, QOS_FATE_FLUSHED, 2, 0);
	expect(f, QOS_FATE_FLUSHED, 3, 0);
	expect(f, QOS_FATE_FLUSHED, 4, 0);
	expect_nothing(f);
}

/* A stream of 1000 messages is told of whole, or counted. */
static void what_finds_no_room_is_counted(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	for (k = 0; k < 1000; k++) {
		put(f, k, 0, 0);
		vclock_drain(&f->v);
	}
	assert_int_equal(f->ring->put, QOS_FATES);
	assert_int_equal(f->ring->lost, 1000 - QOS_FATES);
	for (k = 0; k < QOS_FATES; k++)
		expect(f, QOS_FATE_SENT, k, 0);
	put(f, 5000, 0, 0);
	vclock_drain(&f->v);
	expect(f, QOS_FATE_SENT, 5000, 0);
}

static void a_ring_goes_with_its_stream(void **state)
{
	struct fixture *f = *state;
	__u32 k, first = f->v.core->free_ring; /* its index */

	for (k = 0; k < 10; k++) {
		vclock_detach(&f->v, f->i);
		assert_int_equal(f->s->ring, 0);
		f->i = vclock_attach(&f->v, 0, 0, 0, 0);
		f->s = qs_stream(f->v.core, f->i);
		f->ring = watch(&f->v, f->i);
		put(f, k, 0, 0);
		vclock_drain(&f->v);
		expect(f, QOS_FATE_SENT, k, 0);
		expect_nothing(f);
	}
	assert_int_equal((__u32)f->v.core->free_ring, first);
	/* with a queue, it stays until that is empty */
	put(f, 1, 0, 0);
	vclock_detach(&f->v, f->i);
	assert_int_not_equal(f->s->ring, 0);
	vclock_drain(&f->v);
	assert_int_equal(f->s->ring, 0);
}

/* ---- events */

static void congestion_is_told_at_its_ends(void **state)
{
	struct fixture *f = *state;
	__u32 k;

	f->s->watch_events = QOS_WATCH_CONGESTION;
	f->s->watch_high = 4;
	f->s->watch_low = 1;
	for (k = 0; k < 3; k++)
		vclock_send(&f->v, f->i, 1000);
	vclock_drain(&f->v);
	expect_nothing(f);
	for (k = 0; k < LIMIT; k++)
		vclock_send(&f->v, f->i, 1000);
	vclock_drain(&f->v);
	expect(f, QOS_EVENT_CONGESTED, 0, LIMIT - 1);
	expect(f, QOS_EVENT_UNCONGESTED, 0, 1);
	expect_nothing(f);
	for (k = 0; k < LIMIT + 1; k++) /* the last one finds no room */
		vclock_send(&f->v, f->i, 1000);
	expect(f, QOS_EVENT_CONGESTED, 0, LIMIT);
	vclock_drain(&f->v);
	expect(f, QOS_EVENT_UNCONGESTED, 0, 1);
}

static void a_violation_is_told(void **state)
{
	struct fixture *f = *state;

	f->s->watch_events = QOS_WATCH_VIOLATION;
	put(f, 1, 1, 0);
	vclock_drain(&f->v);
	expect(f, QOS_FATE_DROPPED_LATE, 1, 0);
	put(f, 2, 1, 0);
	vclock_drain(&f->v);
	expect(f, QOS_EVENT_VIOLATION, 0, 1);
	expect(f, QOS_FATE_DROPPED_LATE, 2, 0);
	expect_nothing(f);
}

/* Sends `n` packets of best effort every 10 ms, and one of the stream's. */
static void load(struct fixture *f, __u32 n)
{
	__u32 round, k;

	for (round = 0; round < 30; round++) {
		for (k = 0; k < n; k++)
			vclock_besteffort(&f->v, k, 1000, 0);
		vclock_send(&f->v, f->i, 1000);
		vclock_run(&f->v, f->v.now + 10 * MS);
	}
}

static void a_free_rate_is_told(void **state)
{
	struct fixture *f = *state;
	struct qos_fate fate;

	f->s->watch_events = QOS_WATCH_RATE;
	f->s->watch_rate = RATE / 2;
	load(f, 9); /* the link is full */
	expect_nothing(f);
	load(f, 1); /* a fifth of it is used */
	fate = take(f);
	assert_int_equal(fate.kind, QOS_EVENT_RATE);
	assert_true(fate.value > RATE / 2 && fate.value <= RATE);
	expect_nothing(f);
	load(f, 9);
	expect_nothing(f);
	load(f, 1);
	assert_int_equal(take(f).kind, QOS_EVENT_RATE);
	expect_nothing(f);
}

/* ---- a message's 64 bits */

static void assert_packed(__u64 now, __u64 deadline, __u64 later)
{
	__u64 tx =
		qs_tx_pack_cookie(QS_TX_FRAME_END, deadline, 0xdeadbeef, now);
	struct qs_packet p = { .flags = QS_CBF_MORE };

	assert_true(tx <= QS_TX_MAX);
	qs_tx_unpack(&p, tx, now + later);
	assert_int_equal(p.cookie, 0xdeadbeef);
	assert_int_equal(p.flags, QS_CBF_MORE | QS_TX_FRAME_END | QS_TX_COOKIE);
	if (deadline + QS_TX_PAST_NS < now)
		deadline = now - QS_TX_PAST_NS;
	if (deadline > now + QS_TX_HORIZON_NS)
		deadline = now + QS_TX_HORIZON_NS;
	assert_true(p.deadline <= deadline);
	assert_true(p.deadline + 2 * 4096 > deadline);
}

static void a_deadline_is_kept_beside_a_cookie(void **state)
{
	static const __u64 ends[] = { 4096ull << 23, 4096ull << 24, 1ull << 40,
				      1ull << 60 };
	struct vclock *v = &((struct fixture *)*state)->v;
	__u64 now, around;
	__u32 k, e;

	for (e = 0; e < 4; e++)
		for (k = 0; k < 5000; k++) {
			around = vclock_between(v, 0, 20 * SEC);
			now = ends[e] - 10 * SEC + around;
			assert_packed(now,
				      now - 2 * SEC +
					      vclock_between(v, 0, 14 * SEC),
				      vclock_between(v, 0, 20 * SEC));
		}
	assert_packed(2 * SEC, 1, 0);
	assert_packed(SEC, SEC + MS, 0);
}

static void no_deadline_stays_none(void **state)
{
	struct qs_packet p = { 0 };

	(void)state;
	qs_tx_unpack(&p, qs_tx_pack_cookie(0, 0, 5, SEC), 30 * SEC);
	assert_int_equal(p.deadline, 0);
	assert_int_equal(p.cookie, 5);
	qs_tx_unpack(&p, qs_tx_pack(QS_TX_FRAME_START, 12345678), SEC);
	assert_int_equal(p.deadline, 12345678 & ~0xff);
}

/* ---- a closed socket's frame */

/* As the manager does it: first the list, then the reference. */
static void close_socket(struct fixture *f)
{
	qs_stream_closed(f->v.core, f->i);
	vclock_detach(&f->v, f->i);
}

static void a_close_ends_the_frame(void **state)
{
	struct fixture *f = *state;

	put(f, 1, 0, QS_TX_FRAME_START);
	put(f, 2, 0, 0);
	vclock_run(&f->v, f->v.now + MS);
	expect_nothing(f);
	close_socket(f);
	vclock_step(&f->v);
	expect(f, QOS_FATE_SENT, 1, 0);
	vclock_drain(&f->v);
	assert_int_equal(vclock_count(&f->v, V_SENT), 2);
	assert_int_equal(f->v.core->attached, 0);
}

/* Who has the slot now has a frame of its own, which nobody ended. */
static void a_close_ends_no_frame_of_the_next_tenants(void **state)
{
	struct fixture *f = *state;

	put(f, 1, 0, 0);
	qs_stream_closed(f->v.core, f->i);
	/* the queue is emptied by a reset, which does not look at the list */
	vclock_reset(&f->v);
	vclock_detach(&f->v, f->i);
	f->i = vclock_attach(&f->v, 0, 0, 0, 0);
	put(f, 2, 0, QS_TX_FRAME_START);
	put(f, 3, 0, 0);
	vclock_run(&f->v, f->v.now + 100 * MS);
	assert_int_equal(vclock_count(&f->v, V_SENT), 0);
	put(f, 4, 0, QS_TX_FRAME_END);
	vclock_drain(&f->v);
	assert_int_equal(vclock_count(&f->v, V_SENT), 3);
	assert_int_equal(f->s->sent_units, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_fate_is_told_with_its_wait),
		TEST(a_message_without_a_cookie_is_not_told),
		TEST(each_message_of_a_frame_is_told),
		TEST(a_message_in_fragments_is_told_once),
		TEST(what_overflows_is_told),
		TEST(what_a_reset_frees_is_told),
		TEST(what_finds_no_room_is_counted),
		TEST(a_ring_goes_with_its_stream),
		TEST(congestion_is_told_at_its_ends),
		TEST(a_violation_is_told),
		TEST(a_free_rate_is_told),
		TEST(a_deadline_is_kept_beside_a_cookie),
		TEST(no_deadline_stays_none),
		TEST(a_close_ends_the_frame),
		TEST(a_close_ends_no_frame_of_the_next_tenants),
	};

	return cmocka_run_group_tests_name("fates", tests, NULL, NULL);
}
