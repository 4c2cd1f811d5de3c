/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulator reads: qsim(1) describes the lines. */
#ifndef QS_SIM_TRACE_H
#define QS_SIM_TRACE_H

#include <stdint.h>
#include <stdio.h>

#include <qsockets/sched.h>

/* The largest values, so that no sum of the core's passes 64 bits. */
#define TRACE_TIME_MAX (1ull << 62)
#define TRACE_RATE_MAX 1000000000000000ull
#define TRACE_BYTES_MAX (1u << 24)
#define TRACE_FRAME_MAX (1u << 28) /* bytes of a unit */
#define TRACE_MESSAGES_MAX 1000000000u

enum event_kind {
	EVENT_SEND,
	EVENT_BACKLOG,
	EVENT_CHANGE,
	EVENT_BESTEFFORT,
};

struct event {
	__u64 at;
	union {
		__u64 deadline; /* SEND, 0: none */
		__u32 count; /* BACKLOG */
		__u32 change; /* CHANGE: which of trace.changes */
	};
	__u32 stream; /* index */
	__u32 line; /* where it was read */
	__u32 bytes;
	__u16 kind;
	__u16 flags; /* SEND: QS_TX_* */
};

struct trace_stream {
	__u64 id;
	struct qs_attr attr;
};

struct trace {
	__u64 rate; /* bit/s, 0: none was given */
	__u64 until; /* ns */
	int has_until;
	__u64 messages;
	struct trace_stream *streams; /* in order of declaration */
	__u32 n_streams, streams_room;
	__u32 *ids; /* hash table of stream indices + 1 */
	__u32 ids_room; /* a power of two */
	struct event *events; /* by time; at the same time, by line */
	size_t n_events, events_room;
	struct qs_attr *changes;
	__u32 n_changes, changes_room;
	__u32 line; /* being read, counted from 1 */
	char why[128]; /* why it can't be */
};

/* Which attributes a scheduler takes: NULL, or what is wrong. */
typedef const char *trace_attr_check(const struct qs_attr *attr);

/*
 * Reads all lines into a trace that is all zero. Returns 0; else line and why
 * say what can't be read.
 */
int trace_read(struct trace *t, FILE *in, trace_attr_check *check);

void trace_free(struct trace *t);

#endif
