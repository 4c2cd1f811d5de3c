/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>

#include "managed.h"

const char *device_of(const char *argument, struct argp_state *state)
{
	if (strlen(argument) >= IFNAMSIZ)
		argp_error(state, "%s is not a device", argument);
	return argument;
}

struct qos_params params_of(const char *device, const char *scheduler,
			    struct q_dwcs_attr *attributes)
{
	struct qos_params params = { .attributes = attributes };

	memcpy(params.dev, device, strlen(device));
	memcpy(params.name, scheduler, strlen(scheduler));
	return params;
}

int open_sender(int family, struct qos_params *params)
{
	int fd = params ? qsocket(family, SOCK_DGRAM, 0, params) :
			  socket(family, SOCK_DGRAM, 0);

	if (fd < 0 && params)
		error(1, errno, "qsocket: %s", qsock_errmsg());
	if (fd < 0)
		error(1, errno, "socket");
	return fd;
}
