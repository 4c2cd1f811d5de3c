/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends an MPEG-2 transport stream that comes at the pace of its pictures, such as
 *
 *	ffmpeg -re -i FILE -c:v mpeg2video -f mpegts -flush_packets 1 - | mpeg-send ...
 *
 * over UDP. With --managed its socket is a QSocket that knows the pictures: each is a
 * frame, of which all is sent or nothing. An I-picture must not be dropped; when the
 * queue is full a B-picture gives way before a P-picture, as nothing refers to it. So
 * what a link that is too narrow takes away is what can be missed best.
 *
 * A picture ends where the next one begins, or when nothing more comes for a while.
 * ISO 13818-1 and -2 have the formats.
 */
#include <poll.h>
#include <sys/socket.h>

#include "managed.h"
#include "mpeg.h"

#define DATAGRAM (7 * TS_PACKET) /* bytes: what fits into Ethernet's 1500 */
#define PICTURE_MOST (4u << 20) /* bytes */
#define PAUSE_MS 5 /* after which a picture is over */
#define PICTURE_START 0x00 /* start code, after 00 00 01 */

struct options {
	const char *host, *port;
	const char *device; /* of the QSocket; NULL: a plain socket */
	const char *output;
};

/* What has come of a picture, and of what stands before it. */
struct picture {
	size_t length;
	bool begun; /* else there are tables alone */
	uint8_t bytes[PICTURE_MOST];
};

struct sender {
	int fd;
	bool managed;
	uint64_t pictures[3]; /* I, P, B */
	uint64_t refused;
};

static const struct argp_option argp_options[] = {
	{ "managed", 'm', "DEV", 0, "use a QSocket on DEV (\"\": the host's)",
	  0 },
	{ "output", 'o', "FILE", 0, "write what was sent there, as JSON", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'm':
		options->device = device_of(argument, state);
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

/* ---- the stream */

static unsigned int pid_of(const uint8_t *packet)
{
	return (packet[1] & 0x1fu) << 8 | packet[2];
}

/*
 * 'I', 'P' or 'B', by the picture's header; what cannot be read is 'P'. The headers
 * before it may reach into a second packet; tables may be between.
 */
static char type_of(const struct picture *picture)
{
	static const char types[] = "PIPBPPPP"; /* by picture_coding_type */
	const uint8_t *packet = picture->bytes, *p;
	const uint8_t *end = packet + picture->length, *first = NULL;
	unsigned int left = 0; /* bytes to picture_coding_type, once there */
	uint32_t last = ~0u;

	for (; packet < end; packet += TS_PACKET) {
		if (!first && ts_begins_picture(packet))
			first = packet;
		if (!first || pid_of(packet) != pid_of(first))
			continue;
		p = ts_payload(packet);
		for (; p && p < packet + TS_PACKET; p++) {
			if (left == 1)
				return types[*p >> 3 & 7];
			left -= left > 0;
			last = last << 8 | *p;
			if (last == (1u << 8 | PICTURE_START))
				left = 2;
		}
	}
	return 'P';
}

/* ---- sending */

static uint32_t flags_of(char type)
{
	switch (type) {
	case 'I':
		return DWCS_NON_DROPPABLE;
	case 'B':
		return QSOCK_PRIO(0);
	default:
		return QSOCK_PRIO(1);
	}
}

static void send_datagram(struct sender *sender, const uint8_t *bytes,
			  size_t length, uint32_t flags)
{
	struct packet_flags pflags = { .drop_flag = flags };
	ssize_t sent;

	if (sender->managed)
		sent = qsend(sender->fd, bytes, length, 0, &pflags);
	else
		sent = send(sender->fd, bytes, length, 0);
	if (sent < 0 && errno != ENOBUFS && errno != ECONNREFUSED)
		error(1, errno, "send");
	sender->refused += sent < 0;
}

static void send_picture(struct sender *sender, struct picture *picture)
{
	const char type = type_of(picture);
	size_t at = 0, length;
	uint32_t flags;

	while (at < picture->length) {
		length = picture->length - at;
		if (length > DATAGRAM)
			length = DATAGRAM;
		flags = flags_of(type);
		if (!at)
			flags |= QSOCK_FRAME_START;
		if (at + length == picture->length)
			flags |= QSOCK_FRAME_END;
		send_datagram(sender, picture->bytes + at, length, flags);
		at += length;
	}
	if (picture->begun)
		sender->pictures[strchr("IPB", type) - "IPB"]++;
	picture->length = 0;
	picture->begun = false;
}

/* ---- reading */

static void take_packet(struct sender *sender, struct picture *picture,
			const uint8_t *packet)
{
	const bool begins = ts_begins_picture(packet);

	if (*packet != TS_SYNC)
		error(1, 0, "standard input is no transport stream");
	if ((begins && picture->begun) ||
	    picture->length + TS_PACKET > PICTURE_MOST)
		send_picture(sender, picture);
	memcpy(picture->bytes + picture->length, packet, TS_PACKET);
	picture->length += TS_PACKET;
	picture->begun |= begins;
}

/* Is there nothing more to come of a picture that has begun? */
static bool pauses(const struct picture *picture)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	return picture->begun && !poll(&input, 1, PAUSE_MS);
}

static void send_stream(struct sender *sender, struct picture *picture)
{
	uint8_t buffer[64 * TS_PACKET];
	size_t have = 0, at;
	ssize_t got;

	for (;;) {
		if (pauses(picture))
			send_picture(sender, picture);
		got = read(STDIN_FILENO, buffer + have, sizeof(buffer) - have);
		if (got < 0 && errno != EINTR)
			error(1, errno, "standard input");
		if (!got)
			break;
		have += got > 0 ? (size_t)got : 0;
		for (at = 0; at + TS_PACKET <= have; at += TS_PACKET)
			take_packet(sender, picture, buffer + at);
		have -= at;
		memmove(buffer, buffer + at, have);
	}
	if (picture->length)
		send_picture(sender, picture);
}

/* ---- the socket */

/* No period: pictures come when they are due. */
static int open_socket(const struct options *options)
{
	struct addrinfo *found = resolve(options->host, options->port, 0);
	struct q_dwcs_attr attributes = { 0 };
	struct qos_params params;
	int fd;

	if (options->device)
		params = params_of(options->device, "dwcs", &attributes);
	fd = open_sender(found->ai_family, options->device ? &params : NULL);
	never_wait(fd);
	if (connect(fd, found->ai_addr, found->ai_addrlen))
		error(1, errno, "%s", options->host);
	freeaddrinfo(found);
	return fd;
}

static json_object *result_of(const struct sender *sender)
{
	json_object *result = json_object_new_object();
	struct qos_info info;

	json_add(result, "i_pictures", sender->pictures[0]);
	json_add(result, "p_pictures", sender->pictures[1]);
	json_add(result, "b_pictures", sender->pictures[2]);
	json_add(result, "datagrams_refused", sender->refused);
	if (!sender->managed)
		return result;
	if (qinfo(sender->fd, &info, sizeof(info)))
		error(1, errno, "qinfo: %s", qsock_errmsg());
	json_object_object_add(result, "stream", json_stream(&info));
	return result;
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "HOST [PORT]",
		.doc = "Send the MPEG-2 transport stream of standard input, "
		       "picture by picture, to HOST.",
	};
	struct options options = { .port = MPEG_PORT };
	static struct picture picture;
	struct sender sender = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	sender.managed = options.device;
	sender.fd = open_socket(&options);
	send_stream(&sender, &picture);
	write_result(options.output, result_of(&sender));
	qclose(sender.fd);
	return 0;
}
