// SPDX-License-Identifier: LGPL-2.1-or-later
/* What only the in-process engine does: streams are held, and packets pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/vds/core.h"
#include "schedulers/common/ops.h"
#include "vclock.h"
#include "vcheck.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define STREAMS 6
#define SLOTS 64
#define STEPS 40000

static void attach_all(struct vclock *v)
{
	__u32 i;

	vclock_init(v, RATE, SLOTS, STREAMS);
	v->core->stream_limit = SLOTS / 4;
	for (i = 0; i < STREAMS; i++)
		vclock_attach(v, i % 3, 4, i == 5 ? 0 : 2000 + 500 * i,
			      i & 1 ? QS_STREAM_NON_DROPPABLE : 0);
}

/* What comes next, drawn from a, for both. */
static struct qs_packet draw(struct vclock *a, __u32 frames)
{
	struct qs_packet p = { .stream = vclock_between(a, 0, STREAMS - 1),
			       .len = vclock_between(a, 50, 900) };
	__u32 flags = vclock_between(a, 0, 7);

	p.gen = vclock_gen(a, p.stream);
	if (!vclock_between(a, 0, 2))
		p.deadline = a->now + vclock_between(a, 0, 6 * MS);
	if (!vclock_between(a, 0, 3))
		p.flags = flags & (QS_TX_NON_DROPPABLE | frames);
	p.flags |= vclock_between(a, 0, 2) << QS_TX_PRIO_SHIFT;
	return p;
}

/* Whose packet was sent or dropped last. */
static __u32 last_stream(const struct vclock *v)
{
	return v->packets[v->out[v->n_out - 1]].p.stream;
}

static void assert_same(const struct vclock *a, const struct vclock *b)
{
	__u32 i;

	assert_int_equal(a->now, b->now);
	assert_int_equal(a->n_out, b->n_out);
	assert_memory_equal(a->out, b->out, a->n_out * sizeof(*a->out));
	for (i = 0; i < STREAMS; i++) {
		assert_int_equal(qs_stream(a->core, i)->violations,
				 qs_stream(b->core, i)->violations);
		assert_int_equal(qs_stream(a->core, i)->late_units,
				 qs_stream(b->core, i)->late_units);
	}
}

/* Of one that is resumed before anything else is chosen. */
static void holding_undoes_nothing(void **state)
{
	struct vclock a, b;
	struct qs_packet p;
	__u64 op, sent = 0;
	__u32 k;

	(void)state;
	attach_all(&a);
	attach_all(&b);
	for (k = 0; k < STEPS; k++) {
		if (vclock_between(&a, 0, 1)) {
			p = draw(&a, 0);
			vclock_put(&a, &p);
			vclock_put(&b, &p);
			continue;
		}
		op = vclock_step(&a);
		assert_int_equal(vclock_step(&b), op);
		if (op == QS_DEQ_SEND) {
			sent++;
			ops_hold(b.core, last_stream(&b));
			ops_resume(b.core, last_stream(&b), b.now);
			assert_null(vcheck(b.core));
		} else if (op != QS_DEQ_DROP) {
			a.now += vclock_between(&a, 1, MS);
			b.now = a.now;
		}
	}
	assert_true(sent > STEPS / 100);
	assert_same(&a, &b);
	vclock_fini(&a);
	vclock_fini(&b);
}

/* With frames, and held for a time: enqueue and dequeue may bring it back. */
static void run_held(struct vclock *v, int *held)
{
	struct qs_packet p = draw(v, QS_TX_FRAME_START | QS_TX_FRAME_END);
	__u32 i = vclock_between(v, 0, STREAMS - 1), n = v->n_out;

	if (vclock_between(v, 0, 1))
		vclock_put(v, &p);
	else if (vclock_step(v) == QS_DEQ_SEND && !vclock_between(v, 0, 4))
		held[last_stream(v)] = 1;
	else if (v->n_out == n)
		v->now += vclock_between(v, 1, MS);
	if (held[i] && !vclock_between(v, 0, 20)) {
		held[i] = 0;
		ops_resume(v->core, i, v->now);
	}
	for (i = 0; i < STREAMS; i++)
		if (held[i])
			ops_hold(v->core, i);
}

static void assert_held_wait(const struct vclock *v, const int *held)
{
	__u32 i;

	for (i = 0; i < STREAMS; i++)
		if (held[i] && qs_stream(v->core, i)->packets)
			assert_int_equal(qs_stream(v->core, i)->tree, QS_NIL);
}

static void a_held_stream_loses_nothing(void **state)
{
	int held[STREAMS] = { 0 };
	struct vclock v;
	__u32 k, i;

	(void)state;
	attach_all(&v);
	for (k = 0; k < STEPS; k++) {
		run_held(&v, held);
		assert_held_wait(&v, held);
	}
	for (i = 0; i < STREAMS; i++)
		ops_resume(v.core, i, v.now);
	assert_null(vcheck(v.core));
	vclock_drain(&v);
	assert_int_equal(vclock_count(&v, V_QUEUED), 0);
	assert_true(vclock_count(&v, V_SENT) > STEPS / 100);
	assert_null(vcheck(v.core));
	vclock_fini(&v);
}

/* ---- past the queue */

static __u64 put_and_step(struct vclock *v, const struct qs_packet *p)
{
	vclock_put(v, p);
	return vclock_step(v);
}

/* Returns whether it passed. */
static int pass_or_put(struct vclock *v, const struct qs_packet *p, __u64 *op)
{
	__u64 answer = ops_pass(v->core, p, v->now);

	*op = QS_DEQ_OP(answer);
	if (!answer) {
		*op = put_and_step(v, p);
		return 0;
	}
	assert_true(*op == QS_DEQ_SEND || *op == QS_DEQ_DROP);
	v->by_slot[QS_DEQ_SLOT(answer)] = vclock_note(v, p);
	vclock_left(v, QS_DEQ_SLOT(answer),
		    *op == QS_DEQ_SEND ? V_SENT : V_DROPPED);
	return 1;
}

/* The same packets leave and are dropped at the same times. */
static void passing_is_enqueue_and_dequeue(void **state)
{
	__u32 frames = QS_TX_FRAME_START | QS_TX_FRAME_END, k, passed = 0;
	struct vclock a, b;
	struct qs_packet p;
	__u64 op;

	(void)state;
	attach_all(&a);
	attach_all(&b);
	for (k = 0; k < STEPS; k++) {
		if (vclock_between(&a, 0, 2)) {
			p = draw(&a, vclock_between(&a, 0, 9) ? 0 : frames);
			passed += pass_or_put(&b, &p, &op);
			assert_int_equal(put_and_step(&a, &p), op);
		} else {
			assert_int_equal(vclock_step(&b), vclock_step(&a));
		}
		assert_null(vcheck(b.core));
		a.now += vclock_between(&a, 0, vclock_between(&a, 1, 9) * MS);
		b.now = a.now;
	}
	assert_true(passed > STEPS / 100);
	assert_true(passed < STEPS / 2);
	vclock_drain(&a);
	vclock_drain(&b);
	assert_same(&a, &b);
	vclock_fini(&a);
	vclock_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holding_undoes_nothing),
		cmocka_unit_test(a_held_stream_loses_nothing),
		cmocka_unit_test(passing_is_enqueue_and_dequeue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
