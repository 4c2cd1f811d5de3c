// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bands engine's rules under a virtual clock: packets are judged as they
 * come, and those that go wait in eight queues of strict priority before a wire
 * of a rate, as in HTB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define QS_BANDED
#include "schedulers/dwcs/core.h"
#include "schedulers/common/judge.h"

#define US 1000ull
#define MS 1000000ull
#define SEC 1000000000ull

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define STREAMS 32
#define PERIOD (10 * MS)
#define BULK 1500 /* bytes of a packet of best effort */

struct waiting {
	struct waiting *next;
	__u32 stream, len;
	__u64 deadline;
	int ends;
};

struct lab {
	struct qs_bands b;
	struct qs_banded t[STREAMS];
	struct waiting *head[QS_HTB_BANDS], *tail[QS_HTB_BANDS];
	struct waiting room[256], *spare;
	__u64 now, free_at;
	int flood; /* best effort never ends */
	__u64 late[STREAMS], sent[STREAMS]; /* units that left */
	struct verdict last;
};

/* ---- the lab */

static void lab_init(struct lab *l)
{
	__u32 i;

	memset(l, 0, sizeof(*l));
	l->now = l->free_at = SEC;
	l->b.core.rate = RATE;
	l->b.core.stream_limit = 64;
	l->b.core.n_slots = 256;
	for (i = 0; i < STREAMS; i++)
		qs_stream_clear(&l->t[i].s, 1);
	for (i = 0; i < sizeof(l->room) / sizeof(*l->room); i++) {
		l->room[i].next = l->spare;
		l->spare = &l->room[i];
	}
}

static void attach(struct lab *l, __u32 i, __u32 oln, __u32 old, __u64 period,
		   __u32 flags)
{
	struct qs_stream *s = &l->t[i].s;

	s->attr_seq += 2;
	s->attr.oln = oln;
	s->attr.old = old;
	s->attr.ipg = period / US;
	s->attr.flags = flags;
}

static void depart(struct lab *l, __u32 band)
{
	struct waiting *w = l->head[band];
	struct qs_stream *s = &l->t[w->stream].s;

	l->head[band] = w->next;
	l->free_at += qs_wire_time(&l->b.core, w->len);
	if (band == QS_BAND_BESTEFFORT) {
		l->t[w->stream].demoted--;
	} else {
		l->b.packets--;
		l->b.bytes[band] -= w->len;
		s->packets--;
	}
	l->b.moved_at = l->free_at;
	l->sent[w->stream] += w->ends;
	l->late[w->stream] += w->ends && w->deadline &&
			      l->free_at > w->deadline;
	w->next = l->spare;
	l->spare = w;
}

/* Until `to`, when the wire may be in the middle of a packet. */
static void run(struct lab *l, __u64 to)
{
	__u32 band;

	while (l->free_at < to) {
		for (band = 0; band < QS_HTB_BANDS; band++)
			if (l->head[band])
				break;
		if (band < QS_HTB_BANDS)
			depart(l, band);
		else if (l->flood)
			l->free_at += qs_wire_time(&l->b.core, BULK);
		else
			l->free_at = to;
	}
	l->now = to;
}

static void queue(struct lab *l, __u32 i, __u32 len, const struct verdict *v)
{
	struct waiting *w = l->spare;

	assert_non_null(w);
	l->spare = w->next;
	w->next = NULL;
	w->stream = i;
	w->len = len;
	w->deadline = v->deadline;
	w->ends = !!(v->flags & QS_CBF_UNIT_END);
	if (l->head[v->band])
		l->tail[v->band]->next = w;
	else
		l->head[v->band] = w;
	l->tail[v->band] = w;
	if (v->band == QS_BAND_BESTEFFORT) {
		l->t[i].demoted++;
		return;
	}
	l->b.packets++;
	l->b.bytes[v->band] += len;
	l->t[i].s.packets++;
}

/* A packet comes: the fate of one that does not go, or 0. */
static __u32 put(struct lab *l, __u32 i, __u32 len, __u32 flags, __u64 deadline)
{
	struct qs_packet p = {
		.stream = i,
		.len = len,
		.flags = flags,
		.deadline = deadline,
	};

	memset(&l->last, 0, sizeof(l->last));
	bands_check(&l->b, l->now);
	judge(&l->b, &l->t[i], &p, l->now, &l->last);
	if (!l->last.fate && !l->b.blind)
		queue(l, i, len, &l->last);
	return l->last.fate;
}

static void drain(struct lab *l)
{
	l->flood = 0;
	run(l, l->now + 100 * SEC);
	assert_int_equal(l->b.packets, 0);
}

/* ---- release */

static void a_source_in_its_rate_loses_nothing(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, PERIOD, 0);
	for (k = 0; k < 1000; k++) {
		run(&l, SEC + k * PERIOD);
		assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
		assert_int_equal(l.last.deadline, l.now + PERIOD);
	}
	drain(&l);
	assert_int_equal(l.sent[0], 1000);
	assert_int_equal(l.late[0], 0);
	assert_int_equal(l.t[0].s.violations, 0);
}

static void a_late_source_may_catch_up(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, PERIOD, 0);
	assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
	run(&l, SEC + PERIOD);
	for (k = 0; k <= QS_BANDS_AHEAD; k++) {
		assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
		assert_int_equal(l.last.deadline, l.now + (k + 1) * PERIOD);
	}
	assert_int_equal(put(&l, 0, 1000, 0, 0), QOS_FATE_DROPPED_OVERFLOW);
	drain(&l);
}

static void a_faster_source_gets_its_rate(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, PERIOD, 0);
	for (k = 0; k < 3000; k++) { /* three times as fast */
		run(&l, SEC + k * PERIOD / 3);
		put(&l, 0, 1000, 0, 0);
	}
	drain(&l);
	assert_in_range(l.sent[0], 1000, 1000 + QS_BANDS_AHEAD + 1);
	assert_int_equal(l.t[0].s.dropped_overflow, 3000 - l.sent[0]);
	assert_int_equal(l.late[0], 0);
}

static void what_must_not_be_dropped_is_best_effort_beyond_its_rate(void **state)
{
	static const __u32 flags[] = { QS_STREAM_NON_DROPPABLE,
				       QS_STREAM_WORK_CONSERVING };
	struct lab l;
	int i, k;

	(void)state;
	lab_init(&l);
	for (i = 0; i < 2; i++) {
		attach(&l, i, 0, 1, PERIOD, flags[i]);
		for (k = 0; k <= QS_BANDS_AHEAD; k++) {
			assert_int_equal(put(&l, i, 1000, 0, 0), 0);
			assert_true(l.last.band < QS_BAND_BESTEFFORT);
		}
		assert_int_equal(put(&l, i, 1000, 0, 0), 0);
		assert_int_equal(l.last.band, QS_BAND_BESTEFFORT);
		assert_int_equal(l.last.deadline, 0);
	}
	drain(&l);
	assert_int_equal(l.sent[0] + l.sent[1], 2 * (QS_BANDS_AHEAD + 2));
}

/* ---- deadlines */

static void what_cannot_be_in_time_never_gets_to_the_queue(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 1, 2, 0, 0);
	attach(&l, 1, 0, 1, 0, QS_STREAM_NON_DROPPABLE);
	assert_int_equal(put(&l, 0, 1000, 0, l.now + 1 * MS), 0);
	assert_int_equal(put(&l, 0, 1000, 0, l.now + 1 * MS),
			 QOS_FATE_DROPPED_LATE);
	assert_int_equal(l.t[0].s.dropped_late, 1);
	assert_int_equal(l.t[0].s.violations, 0); /* one in two may be */
	assert_int_equal(put(&l, 1, 1000, 0, l.now + 1 * MS), 0);
	assert_true(l.last.flags & QS_CBF_LATE);
	assert_int_equal(l.t[1].s.violations, 1);
	drain(&l);
	assert_int_equal(l.late[0], 0);
	assert_int_equal(l.late[1], 1);
}

static void a_late_period_moves_on(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, 0, QS_STREAM_NON_DROPPABLE);
	attach(&l, 1, 0, 1, PERIOD, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 25; k++)
		put(&l, 0, 1000, 0, l.now + 5 * MS);
	assert_int_equal(put(&l, 1, 1000, 0, 0), 0);
	/* the first period that it can make, behind all that is as urgent */
	assert_true(l.last.deadline > SEC + PERIOD);
	assert_int_equal((l.last.deadline - SEC) % PERIOD, 0);
	drain(&l);
	assert_int_equal(l.late[1], 0);
}

/* ---- frames */

static void a_frame_is_one_unit(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, PERIOD, 0);
	assert_int_equal(put(&l, 0, 1000, QS_TX_FRAME_START, 0), 0);
	assert_true(l.last.first);
	assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
	assert_false(l.last.first);
	assert_false(l.last.flags & QS_CBF_UNIT_END);
	assert_int_equal(put(&l, 0, 1000, QS_TX_FRAME_END, 0), 0);
	assert_true(l.last.flags & QS_CBF_UNIT_END);
	assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
	assert_true(l.last.first);
	assert_int_equal(l.last.deadline, SEC + 2 * PERIOD);
	drain(&l);
	assert_int_equal(l.sent[0], 2);
}

static void a_lost_part_takes_the_rest_along(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, 0, 0);
	assert_int_equal(put(&l, 0, 1000, QS_TX_FRAME_START, l.now),
			 QOS_FATE_DROPPED_LATE);
	assert_int_equal(put(&l, 0, 1000, 0, 0), QOS_FATE_DROPPED_FRAME);
	assert_int_equal(put(&l, 0, 1000, QS_TX_FRAME_END, 0),
			 QOS_FATE_DROPPED_FRAME);
	assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
	assert_int_equal(l.b.core.dropped_frame, 2);
	drain(&l);
	assert_int_equal(l.sent[0], 1);
}

static void a_frame_without_an_end_ends(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, PERIOD, 0);
	assert_int_equal(put(&l, 0, 1000, QS_TX_FRAME_START, 0), 0);
	assert_int_equal(put(&l, 0, 1000, QS_TX_FRAME_START, 0), 0);
	assert_true(l.last.first); /* the next one's start */
	run(&l, l.now + QS_FRAME_NS);
	assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
	assert_true(l.last.first); /* a second */
	assert_true(l.last.flags & QS_CBF_UNIT_END);
	drain(&l);
}

/* ---- limits */

static void a_stream_has_its_share_of_the_queue(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, 0, 0);
	for (k = 0; k < 64; k++)
		assert_int_equal(put(&l, 0, 100, 0, 0), 0);
	assert_int_equal(put(&l, 0, 100, 0, 0), QOS_FATE_DROPPED_OVERFLOW);
	run(&l, l.now + 1 * MS);
	assert_int_equal(put(&l, 0, 100, 0, 0), 0);
	drain(&l);
	assert_int_equal(l.t[0].s.dropped_overflow, 1);
}

static void after_a_loss_the_numbers_come_right(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, 0, 0);
	for (k = 0; k < 64; k++)
		put(&l, 0, 100, 0, 0);
	/* HTB was deleted; what departure does when it finds it empty */
	for (k = 0; k < QS_HTB_BANDS; k++) {
		while (l.head[k])
			depart(&l, k);
		l.b.bytes[k] = 0;
	}
	l.t[0].s.packets = 64;
	l.b.packets = 0;
	l.b.epoch++;
	assert_int_equal(put(&l, 0, 100, 0, 0), 0);
	assert_int_equal(l.t[0].s.packets, 1);
	drain(&l);
}

static void where_nothing_leaves_nothing_is_held_against_it(void **state)
{
	struct lab l;
	int k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, 20 * MS, 0);
	for (k = 0; k < 50; k++) { /* the qdisc was deleted: it never runs */
		l.now += 20 * MS;
		put(&l, 0, 1000, 0, 0);
	}
	l.now += QS_BANDS_STUCK_NS;
	for (k = 0; k < 1000; k++) {
		l.now += 20 * MS;
		assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
	}
	assert_int_equal(l.b.packets, 0);
	for (k = 0; k < QS_HTB_BANDS; k++)
		while (l.head[k]) {
			l.b.packets++;
			depart(&l, k);
		}
}

/* ---- order */

static void earlier_deadlines_go_first(void **state)
{
	struct lab l;
	__u32 k;

	(void)state;
	lab_init(&l);
	for (k = 0; k < 7; k++)
		attach(&l, k, 0, 1, 0, 0);
	/* the worst that can come: each is more urgent than all before */
	for (k = 0; k < 7; k++) {
		assert_int_equal(put(&l, k, 1000, 0, l.now + (20 - k) * MS), 0);
		assert_int_equal(l.last.band, 6 - k);
	}
	drain(&l);
	for (k = 0; k < 7; k++)
		assert_int_equal(l.late[k], 0);
}

static void a_stream_stays_in_order(void **state)
{
	struct lab l;
	__u32 band, k;

	(void)state;
	lab_init(&l);
	attach(&l, 0, 0, 1, PERIOD, 0);
	attach(&l, 1, 0, 1, 0, 0);
	put(&l, 1, 1000, 0, l.now + 15 * MS);
	put(&l, 0, 1000, 0, 0);
	band = l.last.band;
	for (k = 0; k < QS_BANDS_AHEAD; k++) {
		put(&l, 1, 100, 0, l.now + (12 - k) * MS);
		assert_int_equal(put(&l, 0, 1000, 0, 0), 0);
		assert_true(l.last.band >= band);
		band = l.last.band;
	}
	drain(&l);
}

static void tcp_waits_for_its_demoted_segments(void **state)
{
	struct lab l;
	__u32 k;

	(void)state;
	lab_init(&l);
	l.flood = 1;
	attach(&l, 0, 0, 1, PERIOD, 0);
	for (k = 0; k < QS_BANDS_AHEAD + 2; k++)
		put(&l, 0, 1000, QS_CBF_RELIABLE, 0);
	assert_int_equal(l.last.band, QS_BAND_BESTEFFORT);
	l.now += 2 * PERIOD; /* it is in its rate again, and nothing has left */
	assert_int_equal(put(&l, 0, 1000, QS_CBF_RELIABLE, 0), 0);
	assert_int_equal(l.last.band, QS_BAND_BESTEFFORT);
	drain(&l);
	assert_int_equal(put(&l, 0, 1000, QS_CBF_RELIABLE, 0), 0);
	assert_true(l.last.band < QS_BAND_BESTEFFORT);
	drain(&l);
}

/* ---- all together: periodic streams up to nearly all of the wire */

static void streams_are_in_time_beside_best_effort(void **state)
{
	__u64 next[16], sent = 0, late = 0, lost = 0;
	struct lab l;
	__u32 i, k;

	(void)state;
	lab_init(&l);
	l.flood = 1;
	srandom(1);
	for (i = 0; i < 16; i++) {
		attach(&l, i, 0, 1, 20 * MS, 0);
		next[i] = SEC + random() % (20 * MS);
	}
	for (k = 0; k < 16 * 2000; k++) { /* 1,000 bytes each: 80 percent */
		__u32 first = 0;

		for (i = 1; i < 16; i++)
			if (next[i] < next[first])
				first = i;
		run(&l, next[first]);
		put(&l, first, 1000, 0, 0);
		next[first] += 20 * MS;
	}
	drain(&l);
	for (i = 0; i < 16; i++) {
		sent += l.sent[i];
		late += l.late[i];
		lost += l.t[i].s.dropped_late + l.t[i].s.dropped_overflow;
	}
	assert_int_equal(sent, 16 * 2000);
	assert_int_equal(late, 0);
	assert_int_equal(lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_in_its_rate_loses_nothing),
		cmocka_unit_test(a_late_source_may_catch_up),
		cmocka_unit_test(a_faster_source_gets_its_rate),
		cmocka_unit_test(
			what_must_not_be_dropped_is_best_effort_beyond_its_rate),
		cmocka_unit_test(
			what_cannot_be_in_time_never_gets_to_the_queue),
		cmocka_unit_test(a_late_period_moves_on),
		cmocka_unit_test(a_frame_is_one_unit),
		cmocka_unit_test(a_lost_part_takes_the_rest_along),
		cmocka_unit_test(a_frame_without_an_end_ends),
		cmocka_unit_test(a_stream_has_its_share_of_the_queue),
		cmocka_unit_test(after_a_loss_the_numbers_come_right),
		cmocka_unit_test(
			where_nothing_leaves_nothing_is_held_against_it),
		cmocka_unit_test(earlier_deadlines_go_first),
		cmocka_unit_test(a_stream_stays_in_order),
		cmocka_unit_test(tcp_waits_for_its_demoted_segments),
		cmocka_unit_test(streams_are_in_time_beside_best_effort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
