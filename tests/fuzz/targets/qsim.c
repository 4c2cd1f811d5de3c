// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What qsim reads: any bytes are a trace or are refused with a reason; and a
 * trace that is small enough is run by each scheduler to its end. The first two
 * bytes choose the limit of queues and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "sim/sim.h"

/* What is run: so few that nothing takes long. */
#define RUN_STREAMS 256u
#define RUN_MESSAGES 2000u
#define RUN_SECONDS 10000000000000ull

static void that(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "wrong: %s\n", what);
	abort();
}

static void check_events(const struct trace *t)
{
	const struct event *e;
	size_t k;

	for (k = 0; k < t->n_events; k++) {
		e = &t->events[k];
		that(e->at <= TRACE_TIME_MAX, "a time is too large");
		that(!k || e[-1].at <= e->at, "events are out of order");
		that(e->kind == EVENT_BESTEFFORT || e->stream < t->n_streams,
		     "an event of no stream");
		that(e->kind != EVENT_CHANGE || e->change < t->n_changes,
		     "a change to nothing");
		that(e->kind == EVENT_CHANGE || e->bytes,
		     "a message of no bytes");
	}
}

static void check_attributes(const struct trace *t, trace_attr_check *check)
{
	__u32 i;

	for (i = 0; i < t->n_streams; i++)
		that(!check(&t->streams[i].attr), "a stream's attributes");
	for (i = 0; i < t->n_changes; i++)
		that(!check(&t->changes[i]), "a change's attributes");
}

/* Of how many messages does it say what became of them? */
static __u64 fates(const char *text)
{
	__u64 n = 0;

	for (; *text && strncmp(text, "stream ", 7); n++)
		text = strchr(text, '\n') + 1;
	return n;
}

static __u64 stream_messages(const struct trace *t)
{
	__u64 n = 0;
	size_t k;

	for (k = 0; k < t->n_events; k++)
		if (t->events[k].kind == EVENT_SEND)
			n++;
		else if (t->events[k].kind == EVENT_BACKLOG)
			n += t->events[k].count;
	return n;
}

static void run(const struct sim_sched *sched, struct trace *t, __u32 limit)
{
	struct sim_options options = { .limit = limit, .info = 1 };
	char *text = NULL;
	size_t size = 0;
	__u64 n;
	FILE *out = open_memstream(&text, &size);
	int error;

	if (!out)
		abort();
	error = sched->run(t, &options, out);
	fclose(out);
	n = fates(text);
	that(!error || *t->why, "it fails without a reason");
	that(n <= stream_messages(t), "a message has two fates");
	that(error || t->has_until || n == stream_messages(t),
	     "a message has no fate");
	free(text);
}

static void run_all(struct trace *t, __u32 limit)
{
	run(&sim_dwcs, t, UINT32_MAX);
	run(&sim_dwcs, t, limit);
	run(&sim_vds, t, UINT32_MAX);
	run(&sim_vds, t, limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace t = { 0 };
	FILE *in;
	int error;

	if (!size)
		return 0;
	in = fmemopen((void *)data, size, "r");
	if (!in)
		abort();
	error = trace_read(&t, in, sim_dwcs.check);
	fclose(in);
	if (error) {
		that(*t.why && t.line, "it is refused without a reason");
	} else {
		check_events(&t);
		check_attributes(&t, sim_dwcs.check);
		if (t.messages <= RUN_MESSAGES)
			run_all(&t, 1 + size % 12);
	}
	trace_free(&t);
	return 0;
}
