/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records an MPEG transport stream as its datagrams come over UDP: their bytes in
 * one file and, a line for each, when it arrived and its length in another. Prints
 * each second and the pictures that began in it.
 */
#include <poll.h>

#include "examples/common.h"
#include "examples/mpeg.h"

struct options {
	const char *host, *port;
	const char *output, *trace;
	unsigned int seconds;
};

struct recorder {
	struct options options;
	FILE *output, *trace;
	int fd;
	uint64_t start; /* arrival of the first datagram, of CLOCK_REALTIME; or 0 */
	uint64_t second;
	unsigned int pictures;
};

static const struct argp_option argp_options[] = {
	{ "seconds", 's', "N", 0, "end so long after the first datagram (60)",
	  0 },
	{ "output", 'o', "FILE", 0, "write what comes there", 0 },
	{ "trace", 't', "FILE", 0, "write a line for each datagram there", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 's':
		options->seconds = number_of(argument, 1, 86400, state);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case 't':
		options->trace = argument;
		return 0;
	case ARGP_KEY_ARG:
		return parse_address(&options->host, &options->port, argument,
				     state);
	case ARGP_KEY_END:
		if (!options->output || !options->trace)
			argp_error(state,
				   "where to? give --output and --trace");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_seconds(struct recorder *recorder, uint64_t now)
{
	const uint64_t second = (now - recorder->start) / NS_PER_S;

	for (; recorder->second < second; recorder->second++) {
		printf("%llu %u\n", (unsigned long long)recorder->second + 1,
		       recorder->pictures);
		fflush(stdout);
		recorder->pictures = 0;
	}
}

static void record(struct recorder *recorder)
{
	static uint8_t data[65536];
	uint64_t arrival;
	ssize_t length = receive_datagram(recorder->fd, CLOCK_REALTIME, data,
					  sizeof(data), &arrival);

	if (length < 0)
		return;
	if (!recorder->start)
		recorder->start = arrival;
	print_seconds(recorder, arrival);
	for (ssize_t at = 0; at + TS_PACKET <= length; at += TS_PACKET)
		recorder->pictures += ts_begins_picture(data + at);
	fwrite(data, 1, (size_t)length, recorder->output);
	fprintf(recorder->trace, "%.6f %zd\n",
		(double)(arrival - recorder->start) / NS_PER_S, length);
}

static void receive(struct recorder *recorder)
{
	const uint64_t begin = clock_ns(CLOCK_REALTIME);
	struct pollfd ready = { .fd = recorder->fd, .events = POLLIN };
	uint64_t end = begin + START_S * NS_PER_S, now;

	while (!stopped) {
		now = clock_ns(CLOCK_REALTIME);
		if (recorder->start) {
			end = recorder->start +
			      recorder->options.seconds * NS_PER_S;
			print_seconds(recorder, now < end ? now : end);
		}
		if (now >= end)
			break;
		if (poll(&ready, 1, 100) > 0)
			record(recorder);
	}
	if (!recorder->start)
		error(1, 0, "nothing came to port %s", recorder->options.port);
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "[ADDRESS [PORT]]",
		.doc = "Record an MPEG transport stream as it comes over UDP.",
	};
	struct recorder recorder = {
		.options = { .port = MPEG_PORT, .seconds = 60 },
	};

	argp_parse(&argp, argc, argv, 0, NULL, &recorder.options);
	stop_by_signal();
	recorder.output = create_file(recorder.options.output);
	recorder.trace = create_file(recorder.options.trace);
	recorder.fd =
		open_receiver(recorder.options.host, recorder.options.port);
	receive(&recorder);
	close_file(recorder.output, recorder.options.output);
	close_file(recorder.trace, recorder.options.trace);
	close(recorder.fd);
	return 0;
}
