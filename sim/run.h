/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The virtual clock: time goes from one event to the next, and what comes at a
 * time is there before what is sent then is chosen. A scheduler's file includes
 * its core and attributes, then this.
 *
 * Memory grows with what is queued at once. The slots are an address range that
 * no stream can fill, of which only the pages that were used exist; their free
 * list is made as it is used. A backlog is put into the queue as it leaves.
 */
#ifndef QS_SIM_RUN_H
#define QS_SIM_RUN_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

#define SIM_NEVER UINT64_MAX
#define SIM_GEN 1u

/* What is waiting since time 0 and not in the core's queue yet. */
struct sim_backlog {
	__u32 left, bytes;
	__u64 order; /* of the next one */
};

struct sim_stream {
	__u32 seq; /* of its next message */
	__u32 sent, late, dropped;
	struct sim_backlog backlog;
};

struct sim {
	struct trace *trace;
	qs_core_t *core;
	size_t core_size;
	__u32 fresh; /* this slot and those after it were never used */
	__u32 *seq; /* of the message in each slot */
	size_t seq_size;
	struct sim_stream *streams;
	__u64 now;
	FILE *out;
	char line[96];
};

/* ---- setup */

static int sim_fail(struct trace *t, const char *why)
{
	snprintf(t->why, sizeof(t->why), "%s", why);
	return -1;
}

/* Zeros, of which only what is used takes memory. */
static void *sim_reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void sim_change(qs_core_t *c, __u32 i, const struct qs_attr *a)
{
	qs_stream_t *s = qs_stream(c, i);

	s->attr_seq++;
	s->attr = *a;
	s->attr_seq++;
}

static void sim_attach_all(struct sim *sim)
{
	qs_core_t *c = sim->core;
	__u32 i, index;

	for (i = 0; i < sim->trace->n_streams; i++) {
		index = qs_stream_alloc(c);
		sim_change(c, index, &sim->trace->streams[i].attr);
		qs_stream(c, index)->life = QS_LIFE(SIM_GEN, 1);
	}
}

/*
 * The slots come last. There are four for each message, so that neither streams
 * nor best effort, which leaves an eighth to them, find the table full.
 */
static int sim_core(struct sim *sim, const struct sim_options *options)
{
	__u32 slots = 4 * sim->trace->messages + 16;
	struct qs_core layout = { 0 };
	qs_core_t *c;
	__u64 size;

	size = qs_core_layout(&layout, 0, sim->trace->n_streams);
	if (size > UINT32_MAX)
		return sim_fail(sim->trace, "too many streams");
	sim->core_size = size + (__u64)slots * sizeof(struct qs_slot);
	sim->core = c = sim_reserve(sim->core_size);
	sim->seq_size = (__u64)slots * sizeof(*sim->seq);
	sim->seq = sim_reserve(sim->seq_size);
	sim->streams = calloc(sim->trace->n_streams + 1, sizeof(*sim->streams));
	if (!c || !sim->seq || !sim->streams)
		return sim_fail(sim->trace, strerror(ENOMEM));
	*c = layout;
	c->off_slots = size;
	c->rate = sim->trace->rate;
	c->stream_limit = options->limit;
	qs_core_init(c, SIM_GEN);
	c->n_slots = c->free_slots = slots;
	c->free_slot = 0;
	sim_attach_all(sim);
	return 0;
}

static void sim_free(struct sim *sim)
{
	if (sim->core)
		munmap(sim->core, sim->core_size);
	if (sim->seq)
		munmap(sim->seq, sim->seq_size);
	free(sim->streams);
}

/* ---- what became of a message */

enum sim_fate {
	SIM_SENT,
	SIM_LATE,
	SIM_DROPPED_LATE,
	SIM_FRAME,
	SIM_OVERFLOW
};

static const char *const sim_fates[] = { "sent", "late", "dropped-late",
					 "dropped-frame", "dropped-overflow" };

static char *sim_put_number(char *end, __u64 n)
{
	do {
		*--end = (char)('0' + n % 10);
	} while (n /= 10);
	*--end = ' ';
	return end;
}

static void sim_say(struct sim *sim, __u64 at, __u32 i, __u32 seq,
		    enum sim_fate fate)
{
	struct sim_stream *s = &sim->streams[i];
	size_t n = strlen(sim_fates[fate]);
	char *end = sim->line + sizeof(sim->line);
	char *p = end - 1 - n;

	s->sent += fate == SIM_SENT;
	s->late += fate == SIM_LATE;
	s->dropped += fate > SIM_LATE;
	end[-1] = '\n';
	memcpy(p, sim_fates[fate], n);
	*--p = ' ';
	p = sim_put_number(p, seq);
	p = sim_put_number(p, sim->trace->streams[i].id);
	p = sim_put_number(p, at) + 1;
	fwrite_unlocked(p, 1, end - p, sim->out);
}

/* What qinfo() would say. */
static void sim_info(struct sim *sim, __u32 i)
{
	const qs_stream_t *s = qs_stream(sim->core, i);

	fprintf(sim->out,
		"info %llu sent_units %llu late_units %llu dropped_late %llu "
		"dropped_frame %llu dropped_overflow %llu violations %llu\n",
		sim->trace->streams[i].id, s->sent_units, s->late_units,
		s->dropped_late, s->dropped_frame, s->dropped_overflow,
		s->violations);
}

static void sim_totals(struct sim *sim, const struct sim_options *options)
{
	struct sim_stream *s;
	__u32 i;

	for (i = 0; i < sim->trace->n_streams; i++) {
		s = &sim->streams[i];
		fprintf(sim->out,
			"stream %llu sent %u late %u dropped %u "
			"violations %llu\n",
			sim->trace->streams[i].id, s->sent, s->late, s->dropped,
			qs_stream(sim->core, i)->violations);
	}
	for (i = 0; options->info && i < sim->trace->n_streams; i++)
		sim_info(sim, i);
}

/* ---- what comes */

static int sim_enqueue(struct sim *sim, const struct qs_packet *p, __u64 at)
{
	qs_core_t *c = sim->core;

	if (c->free_slot == sim->fresh)
		qs_slot(c, c->free_slot)->next = ++sim->fresh;
	return qs_enqueue(c, p, at);
}

/* What the core has given up, all at once. */
static void sim_drop_parts(struct sim *sim, enum sim_fate fate)
{
	__u32 slot;

	while (sim->core->doomed != QS_NIL) {
		slot = QS_DEQ_SLOT(qs_dequeue(sim->core, sim->now));
		sim_say(sim, sim->now, qs_slot(sim->core, slot)->stream,
			sim->seq[slot], fate);
	}
}

static void sim_message(struct sim *sim, const struct qs_packet *p, __u64 at)
{
	__u32 seq = sim->streams[p->stream].seq++;
	int slot = sim_enqueue(sim, p, at);

	/* a unit that gave way, and then there are slots as many as one likes */
	if (slot >= 0) {
		sim_drop_parts(sim, SIM_OVERFLOW);
		sim->seq[slot] = seq;
		return;
	}
	sim_say(sim, sim->now, p->stream, seq,
		slot == QS_REFUSED_FULL ? SIM_OVERFLOW : SIM_FRAME);
	sim_drop_parts(sim, SIM_FRAME);
}

/* The next of a backlog, as if it had come at time 0, in its place then. */
static void sim_backlog_next(struct sim *sim, __u32 i)
{
	struct sim_backlog *b = &sim->streams[i].backlog;
	struct qs_packet p = { .len = b->bytes, .stream = i, .gen = SIM_GEN };
	__u64 order = sim->core->order;

	b->left--;
	sim->core->order = b->order++;
	sim_message(sim, &p, 0);
	sim->core->order = order;
}

static void sim_backlog_all(struct sim *sim, __u32 i)
{
	while (sim->streams[i].backlog.left)
		sim_backlog_next(sim, i);
}

/* With two messages in the queue, the rest of a backlog changes nothing. */
static void sim_backlog_begin(struct sim *sim, const struct event *e)
{
	struct sim_backlog *b = &sim->streams[e->stream].backlog;
	int lazy = sim->core->stream_limit == UINT32_MAX;

	sim_backlog_all(sim, e->stream);
	b->left = e->count;
	b->bytes = e->bytes;
	b->order = sim->core->order;
	sim->core->order += e->count;
	if (!lazy || qs_stream(sim->core, e->stream)->framed)
		sim_backlog_all(sim, e->stream);
	else if (b->left)
		sim_backlog_next(sim, e->stream);
	if (b->left)
		sim_backlog_next(sim, e->stream);
}

static int sim_send(struct sim *sim, const struct event *e)
{
	const qs_stream_t *s = qs_stream(sim->core, e->stream);
	struct qs_packet p = { .deadline = e->deadline,
			       .len = e->bytes,
			       .stream = e->stream,
			       .gen = SIM_GEN,
			       .flags = e->flags };

	sim_backlog_all(sim, e->stream);
	if (!(e->flags & QS_TX_FRAME_START) && s->packets &&
	    s->open != QS_NIL &&
	    qs_slot(sim->core, s->open)->unit_bytes > TRACE_FRAME_MAX) {
		sim->trace->line = e->line;
		return sim_fail(sim->trace, "its frame is too long");
	}
	sim_message(sim, &p, sim->now);
	return 0;
}

static void sim_besteffort(struct sim *sim, const struct event *e)
{
	struct qs_packet p = { .len = e->bytes, .stream = QS_NIL };

	sim_enqueue(sim, &p, sim->now);
}

static int sim_event(struct sim *sim, const struct event *e)
{
	switch (e->kind) {
	case EVENT_SEND:
		return sim_send(sim, e);
	case EVENT_BACKLOG:
		sim_backlog_begin(sim, e);
		return 0;
	case EVENT_CHANGE:
		sim_change(sim->core, e->stream,
			   &sim->trace->changes[e->change]);
		return 0;
	default:
		sim_besteffort(sim, e);
		return 0;
	}
}

/* ---- what goes */

/* A message left its stream, so the next of a backlog takes its place. */
static void sim_gone(struct sim *sim, __u32 slot, __u64 at, enum sim_fate fate)
{
	__u32 i = qs_slot(sim->core, slot)->stream;

	if (i == QS_NIL)
		return;
	sim_say(sim, at, i, sim->seq[slot], fate);
	sim_drop_parts(sim, fate); /* the rest of a unit that was dropped */
	if (sim->streams[i].backlog.left)
		sim_backlog_next(sim, i);
}

/* One decision. Returns when there may be another, if nothing comes. */
static __u64 sim_decide(struct sim *sim)
{
	qs_core_t *c = sim->core;
	__u64 answer = qs_dequeue(c, sim->now);
	__u32 slot = QS_DEQ_SLOT(answer);

	switch (QS_DEQ_OP(answer)) {
	case QS_DEQ_SEND:
		sim_gone(sim, slot, c->free_at,
			 c->current_late ? SIM_LATE : SIM_SENT);
		return c->free_at;
	case QS_DEQ_DROP:
		sim_gone(sim, slot, sim->now, SIM_DROPPED_LATE);
		return sim->now;
	case QS_DEQ_WAIT:
		return c->wake;
	default:
		return SIM_NEVER;
	}
}

/* Decides until nothing is left or, with `until`, before that time. */
static int sim_clock(struct sim *sim)
{
	const struct event *e = sim->trace->events;
	const struct event *end = e ? e + sim->trace->n_events : e;
	__u64 until = sim->trace->until, next;

	if (!sim->trace->has_until)
		until = SIM_NEVER;
	while (e < end && end[-1].at >= until)
		end--;
	while (sim->now < until || sim->core->current != QS_NIL) {
		for (; e < end && e->at == sim->now; e++)
			if (sim_event(sim, e))
				return -1;
		next = sim_decide(sim);
		if (e < end && e->at < next)
			next = e->at;
		if (next == SIM_NEVER)
			break;
		if (next > TRACE_TIME_MAX)
			return sim_fail(sim->trace, "the clock is at its end");
		sim->now = next;
	}
	return 0;
}

static int sim_run(struct trace *t, const struct sim_options *options,
		   FILE *out)
{
	struct sim sim = { .trace = t, .out = out };
	int error = sim_core(&sim, options);

	if (!error)
		error = sim_clock(&sim);
	if (!error)
		sim_totals(&sim, options);
	sim_free(&sim);
	return error;
}

/* Every scheduler so far has DWCS's attributes. */
static const char *sim_attr_check(const struct qs_attr *attr)
{
	switch (dwcs_attr_check(attr)) {
	case DWCS_BAD_WINDOW:
		return "OLD is 0, but OLN is not";
	case DWCS_BAD_OLN:
		return "OLN is more than OLD";
	case DWCS_BAD_FLAGS:
		return "unknown flags";
	default:
		return NULL;
	}
}

#endif
