/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <sys/socket.h>

#include "bulk.h"

#define MESSAGE 1448 /* bytes: of TCP, a full packet's */
#define QUEUE 64 /* messages of a client, about, that the engine holds */
#define PAUSE (NS_PER_S / 20)
#define OPT_RATE 0x100 /* has no letter */

/* Of what the connections are attached by; no scheduler: they are not. */
static struct qos_params common;

struct client {
	pthread_t thread;
	int fd;
};

static const struct argp_option argp_options[] = {
	{ "bulk", 'k', "PORT", 0, "serve transfers there, too", 0 },
	{ "rate", OPT_RATE, "KBIT", 0,
	  "the rate of DEV \"inproc\", kbit/s (none)", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct bulk_options *options = state->input;

	switch (key) {
	case 'k':
		options->port = argument;
		return 0;
	case OPT_RATE:
		options->kbit = number_of(argument, 1, 100000000, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp bulk_argp = {
	.options = argp_options,
	.parser = parse_option,
};

/* A device of the host has its rate from the administrator. */
static void set_rate(const struct bulk_options *options,
		     const struct qos_params *params)
{
	const struct qos_device device = { .rate = options->kbit * 1000ull };
	struct qos_params own = *params;

	if (qsockinit_device(&own, &device, sizeof(device)))
		error(1, errno, "qsockinit: %s", qsock_errmsg());
}

static void attach(int fd)
{
	struct q_dwcs_attr attributes = {
		.oln = 1,
		.old = 1,
		.ipg = DWCS_FPS(1),
		.stream_flags = DWCS_NON_DROPPABLE | DWCS_WORK_CONSERVING,
	};
	struct qos_params params = common;

	params.attributes = &attributes;
	if (qattach(fd, &params))
		error(1, errno, "qattach: %s", qsock_errmsg());
}

/* Else transfers would fill the engine's queue, and the video waited for room. */
static void wait_for_queue(int fd)
{
	struct qos_info info;

	while (*common.name && !qinfo(fd, &info, sizeof(info)) &&
	       info.backlog_packets >= QUEUE)
		sleep_until(clock_ns(CLOCK_MONOTONIC) + PAUSE);
}

static bool send_some(int fd)
{
	static const char zeros[MESSAGE];

	wait_for_queue(fd);
	for (unsigned int i = 0; i < QUEUE; i++)
		if (qsend(fd, zeros, sizeof(zeros), MSG_NOSIGNAL, NULL) < 0)
			return false;
	return true;
}

static void *serve_client(void *argument)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n\r\n";
	struct client *client = argument;
	char request[4096];

	if (recv(client->fd, request, sizeof(request), 0) > 0 &&
	    send(client->fd, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0) {
		if (*common.name)
			attach(client->fd);
		while (send_some(client->fd))
			;
	}
	qclose(client->fd);
	free(client);
	return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	int err = pthread_create(thread, NULL, run, argument);

	if (err)
		error(1, err, "a thread");
	pthread_detach(*thread);
}

static void *serve(void *argument)
{
	const int *listener = argument;
	struct client *client;
	int fd;

	while ((fd = accept(*listener, NULL, NULL)) >= 0) {
		client = malloc(sizeof(*client));
		if (!client)
			error(1, errno, "a client");
		client->fd = fd;
		start(&client->thread, serve_client, client);
	}
	error(1, errno, "accept");
	return NULL;
}

static void serve_at(const char *port)
{
	struct addrinfo *found = resolve(NULL, port, AI_PASSIVE);
	static pthread_t thread;
	static int listener;
	const int on = 1;

	listener = socket(found->ai_family, SOCK_STREAM, 0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(listener, found->ai_addr, found->ai_addrlen) ||
	    listen(listener, 64))
		error(1, errno, "transfers at port %s", port);
	freeaddrinfo(found);
	start(&thread, serve, &listener);
}

void bulk_start(const struct bulk_options *options,
		const struct qos_params *params)
{
	if (params)
		common = *params;
	if (params && options->kbit)
		set_rate(options, params);
	if (options->port)
		serve_at(options->port);
}
