/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a socket sends from where to where, as ss(8) says it. */
#ifndef QS_CLI_FLOW_H
#define QS_CLI_FLOW_H

#include <sys/socket.h>

#include "cli.h"

struct flow {
	const char *protocol; /* "udp", "tcp", "raw" and so on; NULL: unknown */
	struct sockaddr_storage local, remote; /* AF_UNSPEC: none */
};

/* Of a socket that we have a descriptor of. */
void flow_of_socket(int fd, struct flow *flow);

/* "[ADDRESS%DEVICE]:PORT" at most. */
#define ENDPOINT_SIZE 80
const char *print_endpoint(const struct sockaddr_storage *a,
			   char room[ENDPOINT_SIZE]);

/* "udp LOCAL -> REMOTE" */
#define FLOW_SIZE (2 * ENDPOINT_SIZE + 32)
const char *print_flow(const struct flow *flow, char room[FLOW_SIZE]);

/* Adds "protocol", "local" and "remote", null where they are not known. */
void add_flow(struct json_object *o, const struct flow *flow);

#endif
