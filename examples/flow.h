/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A flow of made-up video, as video-server and adaptive-server send it: I, P
 * and B frames of random size over UDP. On a QSocket a frame is one unit, and
 * an I frame's messages say that it must not be dropped.
 *
 * What fails ends the program with a sentence.
 */
#ifndef FLOW_H
#define FLOW_H

#include <qsockets.h>

#include "video.h"

#define FLOWS_MOST 2

struct flow_options {
	unsigned int flows; /* of the program; each has a port */
	const char *host, *ports[FLOWS_MOST];
	const char *device; /* of the QSocket; NULL: a plain socket */
	const char *scheduler, *output;
	unsigned int fps, seconds, mean_bytes, datagram;
	double weights[3]; /* relative sizes of I, P and B */
	bool etf; /* plain: tell that qdisc deadlines, a period from the sending */
	uint64_t seed;
};

#define FLOW_DEFAULTS                                 \
	{ .flows = 1,                                 \
	  .ports = { VIDEO_PORT, VIDEO_SECOND_PORT }, \
	  .scheduler = "dwcs",                        \
	  .fps = 20,                                  \
	  .seconds = 60,                              \
	  .mean_bytes = 5000,                         \
	  .datagram = 1400,                           \
	  .weights = { 5, 3, 1.2 },                   \
	  .seed = 1 }

/* These options and the arguments, for argp's children: the input is the struct. */
extern const struct argp flow_argp;

struct flow_sent {
	uint64_t frames[3]; /* by I, P, B */
	uint64_t datagrams, bytes, refused;
	uint64_t latest; /* how late the worst frame was made, ns */
};

struct flow {
	const struct flow_options *options;
	struct sockaddr_storage to;
	socklen_t tolen;
	int fd;
	unsigned int fps;
	uint32_t frame; /* the next one's number */
	uint64_t random;
	struct flow_sent sent;
	uint8_t buffer[65536];
};

/* What a socket of the program is attached by. */
struct qos_params flow_params(const struct flow_options *options,
			      struct q_dwcs_attr *attributes);

/*
 * Opens the socket to the host; if it is a QSocket, `oln` frames of every `old`
 * may be lost. `options` are kept.
 */
void flow_open(struct flow *flow, const struct flow_options *options,
	       const char *port, unsigned int fps,
	       const struct q_dwcs_attr *window);

/* Another frame rate, for the scheduler too. */
void flow_change(struct flow *flow, unsigned int fps,
		 const struct q_dwcs_attr *window);

/* Of a QSocket. */
struct qos_info flow_info(const struct flow *flow);

/* Sends the next frame then, ns of CLOCK_MONOTONIC. */
void flow_send_frame(struct flow *flow, uint64_t when);

/* Tells the clients of all `n` flows that the stream is over. */
void flow_send_end(struct flow *flows, unsigned int n, uint64_t when);

/* What was sent and, of a QSocket, what the scheduler says of it. */
json_object *flow_result(const struct flow *flow);

#endif
