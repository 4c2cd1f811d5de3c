/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <sys/socket.h>

#include "bulk.h"

#define MESSAGE 1448 /* bytes: of TCP, a full packet's */
#define QUEUE 64 /* messages of a client, about, that the engine holds */
#define PAUSE (NS_PER_S / 20)

static const struct flow_options *options;

struct client {
	pthread_t thread;
	int fd;
};

static void attach(int fd)
{
	struct q_dwcs_attr attributes = {
		.oln = 1,
		.old = 1,
		.ipg = DWCS_FPS(1),
		.stream_flags = DWCS_NON_DROPPABLE | DWCS_WORK_CONSERVING,
	};
	struct qos_params params = flow_params(options, &attributes);

	if (qattach(fd, &params))
		error(1, errno, "qattach: %s", qsock_errmsg());
}

/* Else transfers would fill the engine's queue, and the video waited for room. */
static void wait_for_queue(int fd)
{
	struct qos_info info;

	while (options->device && !qinfo(fd, &info, sizeof(info)) &&
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
		if (options->device)
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

void bulk_serve(const struct flow_options *of, const char *port)
{
	struct addrinfo *found = resolve(NULL, port, AI_PASSIVE);
	static pthread_t thread;
	static int listener;
	const int on = 1;

	options = of;
	listener = socket(found->ai_family, SOCK_STREAM, 0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(listener, found->ai_addr, found->ai_addrlen) ||
	    listen(listener, 64))
		error(1, errno, "transfers at port %s", port);
	freeaddrinfo(found);
	start(&thread, serve, &listener);
}
