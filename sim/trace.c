// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads a trace: each line is split into words, and its first words say what
 * the others are. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define MAX_WORDS 16
#define BLANKS " \t\r\n\v\f"

struct line {
	char *words[MAX_WORDS];
	int n;
	int at; /* the next word */
};

static __attribute__((format(printf, 2, 3))) int fail(struct trace *t,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->why, sizeof(t->why), format, args);
	va_end(args);
	return -1;
}

/* Room for one more of `size` in an array of n; NULL leaves it as it was. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
	size_t more;

	if (n < *room)
		return array;
	more = *room ? 2 * *room : 64;
	array = reallocarray(array, more, size);
	if (array)
		*room = more;
	return array;
}

/* ---- words */

static int split(struct trace *t, struct line *l, char *text)
{
	char *save = NULL, *word;

	text[strcspn(text, "#")] = 0;
	for (word = strtok_r(text, BLANKS, &save); word;
	     word = strtok_r(NULL, BLANKS, &save)) {
		if (l->n == MAX_WORDS)
			return fail(t, "it has more than %d words", MAX_WORDS);
		l->words[l->n++] = word;
	}
	return 0;
}

static int number_of(struct trace *t, const char *what, const char *word,
		     __u64 max, __u64 *value)
{
	__u64 digit, n = 0;
	const char *p;

	if (!*word)
		return fail(t, "%s: a number is missing", what);
	for (p = word; *p; p++) {
		if (*p < '0' || *p > '9')
			return fail(t, "%s: \"%.32s\" is not a number", what,
				    word);
		digit = (__u64)(*p - '0');
		if (digit > max || n > (max - digit) / 10)
			return fail(t, "%s: %.32s is more than %llu", what,
				    word, max);
		n = n * 10 + digit;
	}
	*value = n;
	return 0;
}

/* The next word, a number from `min` to `max`. */
static int number(struct trace *t, struct line *l, const char *what, __u64 min,
		  __u64 max, __u64 *value)
{
	if (l->at == l->n)
		return fail(t, "%s is missing", what);
	if (number_of(t, what, l->words[l->at++], max, value))
		return -1;
	if (*value < min)
		return fail(t, "%s is less than %llu", what, min);
	return 0;
}

static int ends(struct trace *t, const struct line *l)
{
	if (l->at < l->n)
		return fail(t, "\"%.32s\" is not known here", l->words[l->at]);
	return 0;
}

/* ---- streams by their ids */

static __u32 *id_place(const struct trace *t, __u64 id)
{
	__u32 mask = t->ids_room - 1;
	__u32 at = id * 0x9e3779b97f4a7c15ull >> 32 & mask;

	while (t->ids[at] && t->streams[t->ids[at] - 1].id != id)
		at = (at + 1) & mask;
	return &t->ids[at];
}

static int ids_grow(struct trace *t)
{
	__u32 i;

	if (t->n_streams < t->ids_room / 2)
		return 0;
	free(t->ids);
	t->ids_room = t->ids_room ? 2 * t->ids_room : 64;
	t->ids = calloc(t->ids_room, sizeof(*t->ids));
	if (!t->ids)
		return fail(t, "%s", strerror(ENOMEM));
	for (i = 0; i < t->n_streams; i++)
		*id_place(t, t->streams[i].id) = i + 1;
	return 0;
}

/* The next word is the id of a stream that was declared. */
static int known_stream(struct trace *t, struct line *l, __u32 *stream)
{
	__u32 index;
	__u64 id = 0;

	if (number(t, l, "ID", 0, UINT64_MAX, &id))
		return -1;
	index = t->ids_room ? *id_place(t, id) : 0;
	if (!index)
		return fail(t, "no stream %llu was declared", id);
	*stream = index - 1;
	return 0;
}

/* ---- lines */

static int add_event(struct trace *t, const struct event *e)
{
	struct event *events;

	events = grown(t->events, t->n_events, &t->events_room, sizeof(*e));
	if (!events)
		return fail(t, "%s", strerror(ENOMEM));
	t->events = events;
	t->events[t->n_events] = *e;
	t->events[t->n_events++].line = t->line;
	return 0;
}

static int add_messages(struct trace *t, __u64 count)
{
	t->messages += count;
	if (t->messages > TRACE_MESSAGES_MAX)
		return fail(t, "more than %u messages", TRACE_MESSAGES_MAX);
	return 0;
}

static int read_bytes(struct trace *t, struct line *l, struct event *e)
{
	__u64 bytes = 0;

	if (number(t, l, "BYTES", 1, TRACE_BYTES_MAX, &bytes))
		return -1;
	e->bytes = bytes;
	return 0;
}

static int read_attr(struct trace *t, struct line *l, struct qs_attr *a)
{
	__u64 oln = 0, old = 0, ipg = 0;

	if (number(t, l, "OLN", 0, UINT32_MAX, &oln) ||
	    number(t, l, "OLD", 0, UINT32_MAX, &old) ||
	    number(t, l, "IPG_US", 0, UINT32_MAX, &ipg))
		return -1;
	a->oln = oln;
	a->old = old;
	a->ipg = ipg;
	return 0;
}

static int read_device(struct trace *t, struct line *l)
{
	if (t->rate)
		return fail(t, "a second device");
	if (number(t, l, "RATE_BIT_PER_S", 1, TRACE_RATE_MAX, &t->rate))
		return -1;
	return ends(t, l);
}

static int read_until(struct trace *t, struct line *l)
{
	if (t->has_until)
		return fail(t, "a second until");
	if (number(t, l, "T_NS", 0, TRACE_TIME_MAX, &t->until))
		return -1;
	t->has_until = 1;
	return ends(t, l);
}

/* One of two flags, each once at most. */
static int stream_flag(struct trace *t, const char *word, __u32 *flags)
{
	__u32 flag;

	if (!strcmp(word, "nondroppable"))
		flag = QS_STREAM_NON_DROPPABLE;
	else if (!strcmp(word, "workconserving"))
		flag = QS_STREAM_WORK_CONSERVING;
	else
		return fail(t, "\"%.32s\" is not known here", word);
	if (*flags & flag)
		return fail(t, "%s twice", word);
	*flags |= flag;
	return 0;
}

static int read_stream(struct trace *t, struct line *l, trace_attr_check *check)
{
	struct trace_stream s = { 0 }, *streams;
	size_t room = t->streams_room;
	const char *wrong;
	__u32 *place;

	if (number(t, l, "ID", 0, UINT64_MAX, &s.id) ||
	    read_attr(t, l, &s.attr))
		return -1;
	while (l->at < l->n)
		if (stream_flag(t, l->words[l->at++], &s.attr.flags))
			return -1;
	wrong = check(&s.attr);
	if (wrong)
		return fail(t, "%s", wrong);
	if (ids_grow(t))
		return -1;
	place = id_place(t, s.id);
	if (*place)
		return fail(t, "a second stream %llu", s.id);
	streams = grown(t->streams, t->n_streams, &room, sizeof(s));
	if (!streams)
		return fail(t, "%s", strerror(ENOMEM));
	t->streams_room = room;
	t->streams = streams;
	t->streams[t->n_streams++] = s;
	*place = t->n_streams;
	return 0;
}

static int read_backlog(struct trace *t, struct line *l)
{
	struct event e = { .kind = EVENT_BACKLOG };
	__u64 count = 0;

	if (known_stream(t, l, &e.stream) || read_bytes(t, l, &e) ||
	    number(t, l, "COUNT", 0, TRACE_MESSAGES_MAX, &count))
		return -1;
	e.count = count;
	if (ends(t, l) || add_messages(t, count))
		return -1;
	return add_event(t, &e);
}

static int send_flag(struct trace *t, const char *word, struct event *e,
		     int *seen)
{
	static const char *const names[] = { "deadline=", "prio=",
					     "nondroppable", "start", "end" };
	__u64 prio = 0;
	int i;

	for (i = 0; i < 2; i++)
		if (!strncmp(word, names[i], strlen(names[i])))
			break;
	while (i >= 2 && i < 5 && strcmp(word, names[i]))
		i++;
	if (i == 5)
		return fail(t, "\"%.32s\" is not known here", word);
	if (*seen & 1 << i)
		return fail(t, "%s twice", names[i]);
	*seen |= 1 << i;
	switch (i) {
	case 0:
		return number_of(t, "deadline", word + strlen(names[i]),
				 TRACE_TIME_MAX, &e->deadline);
	case 1:
		if (number_of(t, "prio", word + strlen(names[i]), 7, &prio))
			return -1;
		e->flags |= prio << QS_TX_PRIO_SHIFT;
		return 0;
	case 2:
		e->flags |= QS_TX_NON_DROPPABLE;
		return 0;
	case 3:
		e->flags |= QS_TX_FRAME_START;
		return 0;
	default:
		e->flags |= QS_TX_FRAME_END;
		return 0;
	}
}

static int read_send(struct trace *t, struct line *l, struct event *e)
{
	int seen = 0;

	e->kind = EVENT_SEND;
	if (known_stream(t, l, &e->stream) || read_bytes(t, l, e))
		return -1;
	while (l->at < l->n)
		if (send_flag(t, l->words[l->at++], e, &seen))
			return -1;
	return add_messages(t, 1) ? -1 : add_event(t, e);
}

static int read_change(struct trace *t, struct line *l, struct event *e,
		       trace_attr_check *check)
{
	struct qs_attr a = { 0 }, *changes;
	size_t room = t->changes_room;
	const char *wrong;

	e->kind = EVENT_CHANGE;
	if (known_stream(t, l, &e->stream) || read_attr(t, l, &a) || ends(t, l))
		return -1;
	a.flags = t->streams[e->stream].attr.flags;
	wrong = check(&a);
	if (wrong)
		return fail(t, "%s", wrong);
	changes = grown(t->changes, t->n_changes, &room, sizeof(a));
	if (!changes)
		return fail(t, "%s", strerror(ENOMEM));
	t->changes_room = room;
	t->changes = changes;
	e->change = t->n_changes;
	t->changes[t->n_changes++] = a;
	return add_event(t, e);
}

static int read_besteffort(struct trace *t, struct line *l, struct event *e)
{
	e->kind = EVENT_BESTEFFORT;
	if (read_bytes(t, l, e) || ends(t, l) || add_messages(t, 1))
		return -1;
	return add_event(t, e);
}

static int read_at(struct trace *t, struct line *l, trace_attr_check *check)
{
	struct event e = { 0 };
	const char *what;

	if (number(t, l, "T_NS", 0, TRACE_TIME_MAX, &e.at))
		return -1;
	if (l->at == l->n)
		return fail(t, "at what time is there, but not what");
	what = l->words[l->at++];
	if (!strcmp(what, "send"))
		return read_send(t, l, &e);
	if (!strcmp(what, "change"))
		return read_change(t, l, &e, check);
	if (!strcmp(what, "besteffort"))
		return read_besteffort(t, l, &e);
	return fail(t, "\"%.32s\" is not known here", what);
}

static int read_line(struct trace *t, char *text, trace_attr_check *check)
{
	struct line l = { .at = 1 };

	if (split(t, &l, text))
		return -1;
	if (!l.n)
		return 0;
	if (!strcmp(l.words[0], "at"))
		return read_at(t, &l, check);
	if (!strcmp(l.words[0], "stream"))
		return read_stream(t, &l, check);
	if (!strcmp(l.words[0], "backlog"))
		return read_backlog(t, &l);
	if (!strcmp(l.words[0], "device"))
		return read_device(t, &l);
	if (!strcmp(l.words[0], "until"))
		return read_until(t, &l);
	return fail(t, "\"%.32s\" is not known here", l.words[0]);
}

/* ---- the whole */

static int earlier(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->line < y->line ? -1 : 1;
}

static void sort_events(struct trace *t)
{
	size_t i;

	for (i = 1; i < t->n_events; i++)
		if (t->events[i].at < t->events[i - 1].at)
			break;
	if (i < t->n_events)
		qsort(t->events, t->n_events, sizeof(*t->events), earlier);
}

/* Returns 0 at the end of the file. */
static int read_lines(struct trace *t, FILE *in, trace_attr_check *check)
{
	char *text = NULL;
	size_t room = 0;
	int error = 0;
	ssize_t n;

	while (!error && (n = getline(&text, &room, in)) >= 0) {
		t->line++;
		if (strlen(text) != (size_t)n)
			error = fail(t, "it has a null byte");
		else
			error = read_line(t, text, check);
	}
	free(text);
	if (error)
		return error;
	t->line++;
	if (ferror(in))
		return fail(t, "%s", strerror(errno));
	if (t->messages && !t->rate)
		return fail(t, "the end, and no device was given");
	return 0;
}

int trace_read(struct trace *t, FILE *in, trace_attr_check *check)
{
	if (read_lines(t, in, check))
		return -1;
	sort_events(t);
	return 0;
}

void trace_free(struct trace *t)
{
	free(t->streams);
	free(t->ids);
	free(t->events);
	free(t->changes);
	memset(t, 0, sizeof(*t));
}
