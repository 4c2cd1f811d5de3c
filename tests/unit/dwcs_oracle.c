// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The core against a slow, direct model of the same rules: no tree, no code
 * shared, fractions multiplied out in 128 bits, missed periods counted one by
 * one. Both get the same random traces; each decision must be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000ull
#define MAX_STREAMS 8
#define MAX_QUEUE 256
#define MAX_LOG 4096
#define HORIZON (10 * SEC)

/* ---- the model */

struct unit {
	__u32 first, count, len; /* ids and sizes of its packets */
	__u64 own, arrival, order;
	int fixed; /* must not be dropped */
	int late;
};

struct model_stream {
	__u64 x, y, period;
	int fixed, conserving;
	__u64 xc, yc; /* x' and y' */
	int tagged;
	__u64 violations, late;
	struct unit queue[MAX_QUEUE];
	int len;
	int competes; /* its first unit has a release and a deadline */
	int released; /* and stays so, when a miss moves its period on */
	__u64 release, deadline, period_next;
	int changed;
	__u64 next_x, next_y, next_period; /* attributes from the next unit */
};

struct line {
	__u64 at;
	__u32 id;
	int sent;
};

struct model {
	struct model_stream s[MAX_STREAMS];
	int n;
	__u64 now, busy_until, order;
	struct model_stream *sending;
	struct unit unit; /* that one */
	__u32 part; /* its next packet */
	struct line log[MAX_LOG];
	int lines;
};

static __u64 wire(__u64 bytes)
{
	return (bytes * 8 * SEC + RATE - 1) / RATE;
}

/* -1, 0, 1 as a's tolerance is lower, the same or higher; 0/0 is zero. */
static int compare_tolerance(const struct model_stream *a,
			     const struct model_stream *b)
{
	unsigned __int128 l = (unsigned __int128)a->xc * (b->yc ? b->yc : 1);
	unsigned __int128 r = (unsigned __int128)b->xc * (a->yc ? a->yc : 1);

	return l < r ? -1 : l > r;
}

static int goes_before(const struct model_stream *a,
		       const struct model_stream *b)
{
	int tolerance = compare_tolerance(a, b);

	if (a->deadline < b->deadline || a->deadline > b->deadline)
		return a->deadline < b->deadline;
	if (tolerance)
		return tolerance < 0;
	if (a->xc == 0 && b->xc == 0 && a->yc != b->yc)
		return a->yc > b->yc;
	if (a->xc != b->xc)
		return a->xc < b->xc;
	return a->queue[0].order < b->queue[0].order;
}

static void window_anew(struct model_stream *s)
{
	s->xc = s->x;
	s->yc = s->y;
	s->tagged = 0;
}

static void rule_a(struct model_stream *s)
{
	if (s->yc > s->xc) {
		s->yc--;
	} else if (s->xc == s->yc && s->xc > 0) {
		s->xc--;
		s->yc--;
	}
	if ((s->xc == 0 && s->yc == 0) || s->tagged)
		window_anew(s);
}

static void rule_b(struct model_stream *s)
{
	if (s->xc > 0) {
		s->xc--;
		s->yc--;
		if (s->xc == 0 && s->yc == 0)
			window_anew(s);
		return;
	}
	s->yc++;
	s->tagged = 1;
	s->violations++;
}

static void set_deadline(struct model_stream *s)
{
	const struct unit *head = &s->queue[0];

	if (head->own > head->arrival + HORIZON)
		s->deadline = head->arrival + HORIZON;
	else if (head->own)
		s->deadline = head->own;
	else
		s->deadline = s->release + (s->period ? s->period : HORIZON);
}

/* The first unit's turn begins; new attributes are valid from here. */
static void compete(struct model_stream *s)
{
	s->competes = s->len > 0;
	s->released = 0;
	if (!s->competes)
		return;
	if (s->changed) {
		s->changed = 0;
		s->x = s->next_x;
		s->y = s->next_y;
		s->period = s->next_period;
		window_anew(s);
	}
	s->release = s->queue[0].arrival;
	if (s->period && s->period_next > s->release)
		s->release = s->period_next;
	set_deadline(s);
}

/* Those with deadlines of their own go in the order of these. */
static void arrive(struct model *m, int i, struct unit u)
{
	struct model_stream *s = &m->s[i];
	int at = s->len, k;

	u.order = m->order++;
	u.arrival = m->now;
	for (k = s->len - 1; u.own && k >= 0; k--)
		if (s->queue[k].own > u.own)
			at = k;
	for (k = s->len; k > at; k--)
		s->queue[k] = s->queue[k - 1];
	s->queue[at] = u;
	s->len++;
	if (s->competes)
		set_deadline(s);
	else if (m->sending != s)
		compete(s);
}

static struct unit take(struct model_stream *s)
{
	struct unit u = s->queue[0];

	memmove(s->queue, s->queue + 1, --s->len * sizeof(u));
	s->competes = 0;
	return u;
}

static void note(struct model *m, __u32 id, int sent)
{
	struct line line = { .at = m->now, .id = id, .sent = sent };

	assert_true(m->lines < MAX_LOG);
	m->log[m->lines++] = line;
}

static void send_part(struct model *m)
{
	struct model_stream *s = m->sending;

	note(m, m->unit.first + m->part, 1);
	m->busy_until = m->now + wire(m->unit.len);
	if (++m->part < m->unit.count)
		return;
	m->sending = NULL;
	s->late += m->unit.late;
	s->period_next = s->release + s->period;
	compete(s);
}

static void start(struct model *m, struct model_stream *s)
{
	m->unit = take(s);
	m->sending = s;
	m->part = 0;
	send_part(m);
}

static void drop(struct model *m, struct model_stream *s)
{
	struct unit u = take(s);
	__u32 k;

	for (k = 0; k < u.count; k++)
		note(m, u.first + k, 0);
	s->period_next = s->release + s->period;
	compete(s);
}

/* The unit of the stream whose turn it is can be in time, or is not. */
static void decide(struct model *m, struct model_stream *s)
{
	struct unit *u = &s->queue[0];
	__u64 end = m->now + wire((__u64)u->count * u->len);

	if (end <= s->deadline) {
		rule_a(s);
		start(m, s);
	} else if (u->late && (u->own || !s->period)) {
		start(m, s);
	} else if (!u->fixed && !s->fixed) {
		rule_b(s);
		drop(m, s);
	} else {
		u->late = 1;
		do {
			rule_b(s);
			if (u->own || !s->period)
				break;
			s->release += s->period;
			s->deadline += s->period;
		} while (end > s->deadline);
	}
}

static struct model_stream *first_released(struct model *m)
{
	struct model_stream *s, *best = NULL;

	for (s = m->s; s < m->s + m->n; s++) {
		if (!s->competes || (!s->released && s->release > m->now))
			continue;
		s->released = 1;
		if (!best || goes_before(s, best))
			best = s;
	}
	return best;
}

/* The stream that is released next, of those that may use idle time or all. */
static struct model_stream *next_released(struct model *m, int conserving)
{
	struct model_stream *s, *best = NULL;

	for (s = m->s; s < m->s + m->n; s++) {
		if (!s->competes || (conserving && !s->conserving))
			continue;
		if (!best || s->release < best->release ||
		    (s->release == best->release &&
		     s->queue[0].order < best->queue[0].order))
			best = s;
	}
	return best;
}

static void model_run(struct model *m, __u64 until)
{
	struct model_stream *s;

	while (m->now < until) {
		if (m->busy_until > m->now) {
			m->now = m->busy_until;
		} else if (m->sending) {
			send_part(m);
		} else if ((s = first_released(m))) {
			decide(m, s);
		} else if ((s = next_released(m, 1))) {
			s->release = m->now;
		} else if ((s = next_released(m, 0))) {
			m->now = s->release;
		} else {
			break;
		}
	}
	m->now = until;
}

/* ---- traces */

struct trace {
	struct vclock v;
	struct model m;
	__u32 index[MAX_STREAMS];
	int even; /* one size, times of whole milliseconds: many ties */
};

static void add_stream(struct trace *t)
{
	struct model_stream *s = &t->m.s[t->m.n];
	struct vclock *v = &t->v;
	__u32 flags = 0;

	s->y = vclock_between(v, 0, 5);
	s->x = vclock_between(v, 0, s->y);
	s->period = vclock_between(v, 0, 6) * MS;
	if (!t->even && s->period)
		s->period += vclock_between(v, 0, 999) * US;
	s->fixed = vclock_between(v, 0, 3) == 0;
	s->conserving = vclock_between(v, 0, 4) == 0;
	if (s->fixed)
		flags |= QS_STREAM_NON_DROPPABLE;
	if (s->conserving)
		flags |= QS_STREAM_WORK_CONSERVING;
	window_anew(s);
	t->index[t->m.n++] =
		vclock_attach(v, s->x, s->y, s->period / US, flags);
}

static void change_stream(struct trace *t, int i)
{
	struct model_stream *s = &t->m.s[i];
	struct vclock *v = &t->v;

	s->changed = 1;
	s->next_y = vclock_between(v, 0, 5);
	s->next_x = vclock_between(v, 0, s->next_y);
	s->next_period = vclock_between(v, 0, 6) * MS;
	vclock_change(v, t->index[i], s->next_x, s->next_y, s->next_period / US,
		      qs_stream(v->core, t->index[i])->attr.flags);
}

static __u64 draw_deadline(struct trace *t)
{
	__u64 step = t->even ? MS : US;
	struct vclock *v = &t->v;

	switch (vclock_between(v, 0, 5)) {
	case 0:
		return v->now - vclock_between(v, 1, 5) * MS;
	case 1:
		return v->now + 3600 * SEC;
	default:
		return v->now + vclock_between(v, 0, 20 * MS / step) * step;
	}
}

static void send_unit(struct trace *t, int i, int own)
{
	struct vclock *v = &t->v;
	struct unit u = { .first = v->n, .count = 1, .len = 1000 };
	__u32 k, mark, flags = 0;

	if (!t->even)
		u.len = vclock_between(v, 60, 1514);
	if (vclock_between(v, 0, 9) == 0)
		u.count = vclock_between(v, 2, 4);
	if (own && vclock_between(v, 0, 3))
		u.own = draw_deadline(t);
	u.fixed = vclock_between(v, 0, 7) == 0;
	if (u.fixed)
		flags = QS_TX_NON_DROPPABLE;
	arrive(&t->m, i, u);
	for (k = 0; k < u.count; k++) {
		mark = 0;
		if (u.count > 1 && k == 0)
			mark = QS_TX_FRAME_START;
		if (u.count > 1 && k == u.count - 1)
			mark = QS_TX_FRAME_END;
		vclock_send_with(v, t->index[i], u.len, u.own, flags | mark);
	}
}

static void assert_same(struct trace *t, __u64 seed)
{
	struct vclock *v = &t->v;
	struct vpacket *p;
	__u32 k;
	int i;

	for (k = 0; k < v->n_out && k < (__u32)t->m.lines; k++) {
		p = &v->packets[v->out[k]];
		if (v->out[k] == t->m.log[k].id && p->left == t->m.log[k].at &&
		    (p->fate == V_SENT) == t->m.log[k].sent)
			continue;
		fail_msg("trace %llu, decision %u: the core %s %u at %llu, "
			 "the model %s %u at %llu",
			 seed, k, p->fate == V_SENT ? "sends" : "drops",
			 v->out[k], p->left,
			 t->m.log[k].sent ? "sends" : "drops", t->m.log[k].id,
			 t->m.log[k].at);
	}
	assert_int_equal(v->n_out, t->m.lines);
	for (i = 0; i < t->m.n; i++) {
		qs_stream_t *s = qs_stream(v->core, t->index[i]);

		if (!s->sent_units && !s->dropped_late)
			continue;
		assert_int_equal(s->violations, t->m.s[i].violations);
		assert_int_equal(s->late_units, t->m.s[i].late);
		assert_int_equal(s->cur_oln, t->m.s[i].xc);
		assert_int_equal(s->cur_old, t->m.s[i].yc);
	}
}

static void run_to(struct trace *t, __u64 until)
{
	vclock_run(&t->v, until);
	model_run(&t->m, until);
}

/* `load` is roughly how full the link is, in percent. */
static void run_trace(struct trace *t, __u64 seed, int own, int load)
{
	struct vclock *v = &t->v;
	int events, n, i;
	__u64 gap;

	memset(&t->m, 0, sizeof(t->m));
	vclock_init(v, RATE, 1024, MAX_STREAMS);
	v->random = seed * 0x9e3779b97f4a7c15ull + 1;
	t->m.now = v->now;
	t->even = vclock_between(v, 0, 1);
	n = vclock_between(v, 1, MAX_STREAMS);
	while (t->m.n < n)
		add_stream(t);
	for (events = 0; events < 200; events++) {
		i = vclock_between(v, 0, n - 1);
		if (vclock_between(v, 0, 49) == 0)
			change_stream(t, i);
		send_unit(t, i, own);
		gap = vclock_between(v, 0, 20000 / load) * (t->even ? 10 : 1);
		gap = t->even ? gap / 1000 * MS : gap * 10 * US;
		if (vclock_between(v, 0, 39) == 0)
			gap += 50 * MS;
		run_to(t, v->now + gap);
	}
	run_to(t, v->now + 60 * SEC);
	assert_same(t, seed);
	vclock_fini(v);
}

static void run_traces(int own)
{
	struct trace *t = vclock_memory(NULL, 1, sizeof(*t));
	__u64 seed;

	for (seed = 1; seed <= 2000; seed++)
		run_trace(t, seed, own, 50 + seed % 5 * 25);
	free(t);
}

static void periodic_streams_go_as_the_model_says(void **state)
{
	(void)state;
	run_traces(0);
}

static void messages_with_deadlines_go_as_the_model_says(void **state)
{
	(void)state;
	run_traces(1);
}

/* Missed periods are counted in few steps, however many there are. */
static void many_missed_periods_count_like_one_by_one(void **state)
{
	struct vclock dice = { .random = 7 };
	struct model_stream m;
	struct qs_stream s;
	__u64 n, k;
	int tries;

	(void)state;
	for (tries = 0; tries < 100000; tries++) {
		memset(&m, 0, sizeof(m));
		memset(&s, 0, sizeof(s));
		s.now.old = m.y = vclock_between(&dice, 0, 6);
		s.now.oln = m.x = vclock_between(&dice, 0, m.y);
		window_anew(&m);
		sched_reset(&s);
		for (k = vclock_between(&dice, 0, 12); k > 0; k--) {
			rule_a(&m);
			sched_sent(&s);
		}
		n = vclock_between(&dice, 0, 40);
		for (k = 0; k < n; k++)
			rule_b(&m);
		sched_missed(&s, n);
		assert_int_equal(s.cur_oln, m.xc);
		assert_int_equal(s.cur_old, m.yc);
		assert_int_equal(s.tagged, m.tagged);
		assert_int_equal(s.violations, m.violations);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_missed_periods_count_like_one_by_one),
		cmocka_unit_test(periodic_streams_go_as_the_model_says),
		cmocka_unit_test(messages_with_deadlines_go_as_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
