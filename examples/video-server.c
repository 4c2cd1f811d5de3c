/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams made-up video: I, P and B frames of random size, at a fixed rate,
 * over UDP. With --managed its socket is a QSocket: a frame is one unit, one
 * is due every 1/fps s, two B or P frames in nine may be lost, an I frame never.
 * Without, it is what most programs are.
 */
#include <qsockets.h>

#include "video.h"

static const char pattern[] = "IBBPBBPBB";

#define GROUP (sizeof(pattern) - 1)
#define SPREAD 0.2 /* a frame is up to that much smaller or larger */

struct options {
	const char *host, *port;
	const char *device; /* of the QSocket; NULL: a plain socket */
	const char *output;
	unsigned int fps, seconds, mean_bytes, datagram;
	double weights[3]; /* relative sizes of I, P and B */
	uint64_t seed;
};

struct sent {
	uint64_t frames[3]; /* by I, P, B */
	uint64_t datagrams, bytes, refused;
	uint64_t latest; /* how late the worst frame was made, ns */
};

struct server {
	struct options options;
	struct sockaddr_storage to;
	socklen_t tolen;
	int fd;
	uint64_t random;
	struct sent sent;
	struct qos_info info;
	uint8_t buffer[65536];
};

static void parse_weights(struct options *options, const char *text,
			  struct argp_state *state)
{
	double *w = options->weights;
	int end = -1;

	if (sscanf(text, "%lf,%lf,%lf%n", &w[0], &w[1], &w[2], &end) != 3 ||
	    end < 0 || text[end] || !(w[0] > 0 && w[1] > 0 && w[2] > 0))
		argp_error(state, "%s is not three sizes such as 5,3,1.2",
			   text);
}

static const struct argp_option argp_options[] = {
	{ "managed", 'm', "DEV", 0, "use a QSocket on DEV (\"\": the host's)",
	  0 },
	{ "plain", 'p', NULL, 0, "use a plain socket (the default)", 0 },
	{ "fps", 'f', "N", 0, "frames a second (20)", 0 },
	{ "seconds", 's', "N", 0, "length of the stream (60)", 0 },
	{ "mean-bytes", 'b', "N", 0, "mean size of a frame (5000)", 0 },
	{ "weights", 'w', "I,P,B", 0, "relative sizes (5,3,1.2)", 0 },
	{ "datagram", 'd', "N", 0, "bytes a datagram, at most (1400)", 0 },
	{ "seed", 'r', "N", 0, "of the sizes (1)", 0 },
	{ "output", 'o', "FILE", 0, "write what was sent there, as JSON", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'm':
		options->device = argument;
		if (strlen(argument) >= IFNAMSIZ)
			argp_error(state, "%s is not a device", argument);
		return 0;
	case 'p':
		options->device = NULL;
		return 0;
	case 'f':
		options->fps = number_of(argument, 1, 10000, state);
		return 0;
	case 's':
		options->seconds = number_of(argument, 1, 86400, state);
		return 0;
	case 'b':
		options->mean_bytes = number_of(argument, 100, 1 << 20, state);
		return 0;
	case 'w':
		parse_weights(options, argument, state);
		return 0;
	case 'd':
		options->datagram = number_of(argument, 64, 65000, state);
		return 0;
	case 'r':
		options->seed = number_of(argument, 0, UINT32_MAX, state);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case ARGP_KEY_ARG:
		return parse_address(&options->host, &options->port, argument,
				     state);
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "to whom? give a HOST");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* 0, 1 or 2 for I, P or B. */
static unsigned int kind_of(uint32_t frame)
{
	return (unsigned int)(strchr("IPB", pattern[frame % GROUP]) - "IPB");
}

static size_t next_size(struct server *server, uint32_t frame)
{
	const struct options *options = &server->options;
	double all = 0, size;

	for (uint32_t i = 0; i < GROUP; i++)
		all += options->weights[kind_of(i)];
	size = options->mean_bytes * options->weights[kind_of(frame)] *
	       (double)GROUP / all;
	size *= 1 + SPREAD * (2 * next_random(&server->random) - 1);
	return (size_t)size;
}

/* Of every group, two frames may go; an I frame's messages say that it may not. */
static int open_managed(const struct options *options, int family)
{
	struct q_dwcs_attr attributes = {
		.oln = 2,
		.old = GROUP,
		.ipg = DWCS_FPS(options->fps),
	};
	struct qos_params params = {
		.name = "dwcs",
		.attributes = &attributes,
	};
	int fd;

	memcpy(params.dev, options->device, strlen(options->device));
	fd = qsocket(family, SOCK_DGRAM, 0, &params);
	if (fd < 0)
		error(1, errno, "qsocket: %s", qsock_errmsg());
	return fd;
}

static void open_socket(struct server *server)
{
	const struct options *options = &server->options;
	struct addrinfo *found = resolve(options->host, options->port, 0);

	memcpy(&server->to, found->ai_addr, found->ai_addrlen);
	server->tolen = found->ai_addrlen;
	if (options->device)
		server->fd = open_managed(options, found->ai_family);
	else
		server->fd = socket(found->ai_family, SOCK_DGRAM, 0);
	if (server->fd < 0)
		error(1, errno, "socket");
	freeaddrinfo(found);
}

/* Sends the buffer. A full queue loses a datagram, as any network does. */
static void send_datagram(struct server *server, size_t length,
			  struct packet_flags *flags)
{
	const struct sockaddr *to = (const struct sockaddr *)&server->to;
	ssize_t sent;

	if (server->options.device)
		sent = qsendto(server->fd, server->buffer, length, 0, to,
			       server->tolen, flags);
	else
		sent = sendto(server->fd, server->buffer, length, 0, to,
			      server->tolen);
	if (sent < 0 && errno != ENOBUFS)
		error(1, errno, "sendto");
	if (sent < 0)
		server->sent.refused++;
	server->sent.datagrams++;
	server->sent.bytes += length;
}

static void send_frame(struct server *server, uint32_t frame)
{
	const size_t body =
		server->options.datagram - sizeof(struct video_head);
	size_t left = next_size(server, frame);
	unsigned int kind = kind_of(frame);
	struct video_head head = {
		.magic = htobe32(VIDEO_MAGIC),
		.frame = htobe32(frame),
		.fps = htobe16((uint16_t)server->options.fps),
		.type = (uint8_t)pattern[frame % GROUP],
		.sent = htobe64(clock_ns(CLOCK_REALTIME)),
	};
	uint16_t parts = (uint16_t)((left + body - 1) / body);

	head.parts = htobe16(parts);
	for (uint16_t part = 0; part < parts; part++) {
		struct packet_flags flags = { 0 };
		size_t length = left < body ? left : body;

		if (part == 0)
			flags.drop_flag |= QSOCK_FRAME_START;
		if (part == parts - 1)
			flags.drop_flag |= QSOCK_FRAME_END;
		if (head.type == 'I')
			flags.drop_flag |= DWCS_NON_DROPPABLE;
		head.part = htobe16(part);
		memcpy(server->buffer, &head, sizeof(head));
		send_datagram(server, sizeof(head) + length, &flags);
		left -= length;
	}
	server->sent.frames[kind]++;
}

/* Three times, for it may be lost like anything else. */
static void send_end(struct server *server, uint64_t when)
{
	const struct video_head head = {
		.magic = htobe32(VIDEO_MAGIC),
		.parts = htobe16(1),
		.fps = htobe16((uint16_t)server->options.fps),
		.type = VIDEO_END,
	};
	struct packet_flags flags = {
		.drop_flag = QSOCK_FRAME_START | QSOCK_FRAME_END |
			     DWCS_NON_DROPPABLE,
	};
	const struct sent sent = server->sent;

	for (unsigned int i = 0; i < 3; i++) {
		sleep_until(when + i * NS_PER_S / 10);
		memcpy(server->buffer, &head, sizeof(head));
		send_datagram(server, sizeof(head), &flags);
	}
	server->sent = sent;
}

static void stream(struct server *server)
{
	const struct options *options = &server->options;
	const uint64_t start = clock_ns(CLOCK_MONOTONIC);
	const uint32_t frames = options->fps * options->seconds;
	uint64_t late;

	for (uint32_t frame = 0; frame < frames; frame++) {
		late = sleep_until(start + frame * NS_PER_S / options->fps);
		if (late > server->sent.latest)
			server->sent.latest = late;
		send_frame(server, frame);
	}
	send_end(server, start + options->seconds * NS_PER_S);
	if (options->device &&
	    qinfo(server->fd, &server->info, sizeof(server->info)))
		error(1, errno, "qinfo: %s", qsock_errmsg());
}

static json_object *result_of(const struct server *server)
{
	const struct sent *sent = &server->sent;
	json_object *result = json_object_new_object();

	json_add(result, "frames_sent",
		 sent->frames[0] + sent->frames[1] + sent->frames[2]);
	json_add(result, "i_frames_sent", sent->frames[0]);
	json_add(result, "p_frames_sent", sent->frames[1]);
	json_add(result, "b_frames_sent", sent->frames[2]);
	json_add(result, "datagrams_sent", sent->datagrams);
	json_add(result, "datagrams_refused", sent->refused);
	json_add(result, "bytes_sent", sent->bytes);
	json_object_object_add(result, "pacing_late_max_ms",
			       json_ms(sent->latest));
	if (server->options.device)
		json_object_object_add(result, "stream",
				       json_stream(&server->info));
	return result;
}

static void check_sizes(const struct options *options)
{
	double all = 0, most = 0;

	for (uint32_t i = 0; i < GROUP; i++) {
		double weight = options->weights[kind_of(i)];

		all += weight;
		most = weight > most ? weight : most;
	}
	most *= (1 + SPREAD) * options->mean_bytes * (double)GROUP / all;
	if (most >
	    VIDEO_PARTS * (options->datagram - sizeof(struct video_head)))
		error(1, 0,
		      "the largest frames need more than %d datagrams: "
		      "lower --mean-bytes or raise --datagram",
		      VIDEO_PARTS);
	if ((uint64_t)options->fps * options->seconds > VIDEO_FRAMES)
		error(1, 0, "more than %u frames: lower --seconds or --fps",
		      VIDEO_FRAMES);
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "HOST [PORT]",
		.doc = "Stream made-up video to a video-client at HOST.",
	};
	static struct server server = {
		.options = { .port = VIDEO_PORT,
			     .fps = 20,
			     .seconds = 60,
			     .mean_bytes = 5000,
			     .datagram = 1400,
			     .weights = { 5, 3, 1.2 },
			     .seed = 1 },
	};

	argp_parse(&argp, argc, argv, 0, NULL, &server.options);
	check_sizes(&server.options);
	server.random = server.options.seed;
	open_socket(&server);
	stream(&server);
	write_result(server.options.output, result_of(&server));
	qclose(server.fd);
	return 0;
}
