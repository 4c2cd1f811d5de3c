/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a core must do with what it was given, seen from outside: of each packet
 * what became of it, of each unit that it went whole or not at all, and what all
 * counters must say. It follows a core under a virtual clock, an operation at a
 * time; what does not hold ends the program. Needs small.h, vclock.h
 * and vcheck.h.
 */
#ifndef QS_TESTS_FUZZ_MODEL_H
#define QS_TESTS_FUZZ_MODEL_H

#define MODEL_STREAMS 8u
#define MODEL_PACKETS 4096u

/* A packet of a stream, or of best effort: then it is in no unit. */
struct model_packet {
	int queued;
	int told; /* its fate was */
	__u32 fate; /* QOS_FATE_*; 0: it has none yet */
	__u32 unit;
	__u32 next; /* in its unit */
};

struct model_unit {
	__u32 stream;
	__u32 first, last;
	__u32 packets, sent, dropped;
	__u64 bytes;
	__u64 deadline; /* the first packet's; reliable: or of one behind it */
	__u64 begun, whole; /* when its first and its last packet came */
	__u32 prio; /* the first packet's */
	int fixed; /* not to be dropped, by a packet's flags */
	int reliable;
	int doomed;
	int late; /* when it was begun */
};

/* The second half is of the attachment that a packet was last taken for. */
struct model_stream {
	__u32 gen; /* the last attachment's */
	int attached;
	int reliable; /* all of its packets are */
	int writing; /* the manager is in the middle of a change */
	int closed; /* the core was told so, and has not looked */
	int ever_fixed; /* its attributes said so at some time */
	struct qs_attr attr;

	__u32 seen; /* which attachment */
	__u32 queued;
	__u32 framed; /* in a frame: its start's flag, and what holds for all */
	int broken;
	__u32 open; /* a unit */
	__u32 sent_unit; /* the last one that was begun */
	__u64 sent_units, sent_packets, sent_bytes, late_units;
	__u64 dropped_late, dropped_frame, dropped_overflow;
	__u64 violations;
	__u64 delay_sum, delays; /* the latter: of those that are counted */
	__u64 fates, told; /* since there is a ring: those due, those read */
};

struct model {
	struct vclock v;
	__u32 sending; /* a unit, or QS_NIL */
	__u32 sending_next; /* its next packet */
	__u32 left; /* packets that are queued */
	__u64 sent_packets, sent_bytes;
	__u64 be_queued, be_sent_packets, be_sent_bytes, be_dropped;
	__u64 dropped_late, dropped_frame, dropped_overflow;
	__u64 violations;
	struct model_stream streams[MODEL_STREAMS];
	struct qs_attr before[MODEL_STREAMS]; /* adopted, at the last look */
	struct model_packet packets[MODEL_PACKETS];
	struct model_unit units[MODEL_PACKETS];
	__u32 n_units;
};

static void model_that(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "wrong: %s\n", what);
	abort();
}

/* ---- what differs between schedulers: each target has its own */

/* What is wrong with a stream's window, or NULL. */
static const char *model_window(const qs_stream_t *s);

/* May a unit with that deadline go before the first of a ready stream? */
static int model_may_precede(__u64 deadline, const qs_stream_t *ready);

/* ---- fates */

/* The packet of stream i has its fate; some are told of it. */
static inline void model_fate(struct model *m, __u32 i, __u32 id, __u32 kind)
{
	__u32 flags = m->v.packets[id].p.flags;

	m->packets[id].fate = kind;
	if (qs_stream(m->v.core, i)->ring &&
	    (flags & (QS_TX_COOKIE | QS_CBF_MORE)) == QS_TX_COOKIE)
		m->streams[i].fates++;
}

static inline void model_read_fate(struct model *m, __u32 i, const qs_fate_t *f)
{
	if (f->kind >= QOS_EVENT_CONGESTED) {
		model_that(!f->cookie && f->kind < QOS_EVENT_LOST, "an event");
		return;
	}
	model_that(f->cookie < m->v.n, "a fate of nothing");
	model_that(m->v.packets[f->cookie].p.stream == i,
		   "a fate of another stream's packet");
	model_that(m->packets[f->cookie].fate == f->kind, "another fate");
	model_that(!m->packets[f->cookie].told++, "a fate is told twice");
	m->streams[i].told++;
}

/* What the manager does when it is asked. */
static inline void model_read_fates(struct model *m, __u32 i)
{
	__u32 ring = qs_stream(m->v.core, i)->ring;
	const struct model_stream *s = &m->streams[i];
	qs_ring_t *r;

	if (!ring || !s->attached)
		return;
	r = qs_ring(m->v.core, ring - 1);
	model_that(r->put - r->taken <= QOS_FATES, "a ring is too full");
	for (; r->taken != r->put; r->taken++)
		model_read_fate(m, i, &r->fate[r->taken % QOS_FATES]);
	model_that(s->told <= s->fates && s->fates <= s->told + r->lost,
		   "a fate is lost");
}

/* ---- units */

static inline struct model_unit *model_unit_of(struct model *m, __u32 id)
{
	return &m->units[m->packets[id].unit];
}

static inline void model_unit_add(struct model *m, __u32 i, __u32 id)
{
	const struct qs_packet *p = &m->v.packets[id].p;
	struct model_stream *s = &m->streams[i];
	struct model_unit *u;

	if (s->open == QS_NIL) {
		s->open = m->n_units++;
		u = &m->units[s->open];
		memset(u, 0, sizeof(*u));
		u->stream = i;
		u->first = id;
		u->deadline = p->deadline;
		u->begun = m->v.now;
		u->prio = (p->flags & QS_TX_PRIO_MASK) >> QS_TX_PRIO_SHIFT;
		u->reliable = !!(p->flags & QS_CBF_RELIABLE);
	} else {
		u = &m->units[s->open];
		m->packets[u->last].next = id;
	}
	u->last = id;
	u->packets++;
	u->bytes += p->len;
	u->fixed |= (p->flags | s->framed) & QS_TX_NON_DROPPABLE;
	m->packets[id].unit = s->open;
	m->packets[id].next = QS_NIL;
	s->queued++;
}

/*
 * A segment that was put behind others: those behind the last one that is due
 * before it are due as it is.
 */
static inline void model_hurry(struct model *m, __u32 i, __u32 unit)
{
	__u64 deadline = m->units[unit].deadline;
	qs_core_t *c = m->v.core;
	__u32 behind = 0, n = 0, at;
	struct model_unit *u;

	for (at = qs_stream(c, i)->head; at != QS_NIL;
	     at = qs_slot(c, at)->unit_next) {
		u = &m->units[m->packets[m->v.by_slot[at]].unit];
		n++;
		if (u->deadline && u->deadline <= deadline &&
		    u != &m->units[unit])
			behind = n;
	}
	for (at = qs_stream(c, i)->head; at != QS_NIL;
	     at = qs_slot(c, at)->unit_next) {
		u = &m->units[m->packets[m->v.by_slot[at]].unit];
		if (behind)
			behind--;
		else if (u->deadline || !m->before[i].ipg)
			u->deadline = deadline;
	}
}

static inline void model_unit_end(struct model *m, __u32 i)
{
	struct model_stream *s = &m->streams[i];
	struct model_unit *u;

	if (s->open == QS_NIL)
		return;
	u = &m->units[s->open];
	u->whole = m->v.now;
	if (u->reliable && u->deadline)
		model_hurry(m, i, s->open);
	s->open = QS_NIL;
}

/* Is the stream non-droppable, by what the core goes by now or did before? */
static inline int model_stream_fixed(struct model *m, __u32 i)
{
	return m->before[i].flags & qs_stream(m->v.core, i)->now.flags &
	       QS_STREAM_NON_DROPPABLE;
}

/* A unit's drop priority. */
static inline __u32 model_prio(struct model *m, const struct model_unit *u)
{
	if (u->fixed || u->reliable ||
	    m->before[u->stream].flags & QS_STREAM_NON_DROPPABLE)
		return QS_PRIO_FIXED;
	return u->prio;
}

/* Of the unit that a packet with such flags is, or is a part of. */
static inline __u32 model_part_prio(struct model *m, __u32 i, __u32 flags)
{
	const struct model_stream *s = &m->streams[i];

	if (m->before[i].flags & QS_STREAM_NON_DROPPABLE ||
	    (flags | s->framed) & QS_TX_NON_DROPPABLE ||
	    flags & QS_CBF_RELIABLE)
		return QS_PRIO_FIXED;
	if (s->open != QS_NIL)
		return model_prio(m, &m->units[s->open]);
	return (flags & QS_TX_PRIO_MASK) >> QS_TX_PRIO_SHIFT;
}

/* No unit may be given up once its sending began, or if it must not be. */
static inline void model_unit_doom(struct model *m, struct model_unit *u,
				   __u32 kind)
{
	__u32 id;

	model_that(!u->sent, "a unit that was begun is dropped");
	model_that(!u->fixed, "a non-droppable unit is dropped");
	model_that(!u->reliable, "a reliable packet is dropped");
	model_that(!model_stream_fixed(m, u->stream),
		   "a non-droppable stream's unit is dropped");
	u->doomed = 1;
	m->streams[u->stream].queued -= u->packets;
	for (id = u->first; id != QS_NIL; id = m->packets[id].next)
		model_fate(m, u->stream, id, kind);
}

/* A packet of a unit that was given up is handed out. */
static inline void model_handed_out(struct model *m, __u32 id)
{
	model_that(m->packets[id].queued, "a packet leaves twice");
	model_unit_of(m, id)->dropped++;
	m->packets[id].queued = 0;
	m->left--;
}

/* When would the unit's last bit leave, if it began now? */
static inline __u64 model_end(struct model *m, const struct model_unit *u)
{
	qs_core_t *c = m->v.core;
	__u64 bytes = u->bytes + (__u64)u->packets * c->overhead;

	if (!c->rate)
		return m->v.now;
	return m->v.now + (bytes * 8 * SEC + c->rate - 1) / c->rate;
}

/* The time that attributes give a unit. */
static inline __u64 model_period(const struct qs_attr *a)
{
	return a->ipg ? a->ipg * US : QS_TX_HORIZON_NS;
}

/* Its own deadline, as far as it counts; else the earliest it can have. */
static inline __u64 model_deadline(struct model *m, const struct model_unit *u)
{
	__u64 before = model_period(&m->before[u->stream]);
	__u64 after = model_period(&qs_stream(m->v.core, u->stream)->now);
	__u64 last = u->whole + QS_TX_HORIZON_NS;

	if (u->deadline)
		return u->deadline < last ? u->deadline : last;
	return u->whole + (before < after ? before : after);
}

/* ---- before an operation */

/* Before each operation. */
static inline void model_look(struct model *m)
{
	__u32 i;

	small_loops = 0;
	for (i = 0; i < m->v.core->n_streams; i++)
		m->before[i] = qs_stream(m->v.core, i)->now;
}

#endif
