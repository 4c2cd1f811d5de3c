/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets of another process, which the options of attach and detach choose. */
#ifndef QS_CLI_SOCKETS_H
#define QS_CLI_SOCKETS_H

#include <sys/types.h>

#include "flow.h"

#define CHOICES 64 /* of --fd and --port */

struct selection {
	uint32_t pid; /* 0: not given */
	uint32_t fds[CHOICES], ports[CHOICES];
	unsigned int n_fds, n_ports;
	uint32_t wait; /* seconds to wait for such a socket */
	bool all;
	bool replace; /* what it was attached with */
};

/* What the options say. */
extern struct selection selection;

/* One of them; our descriptor is of the very socket. */
struct taken {
	int fd; /* ours */
	int number; /* the other's */
	ino_t inode;
	struct flow flow;
	bool done; /* what was asked for */
	bool fresh; /* it was not attached before */
};

struct sockets {
	struct taken *taken;
	unsigned int n;
};

#define SOCKETS_NONE { .taken = NULL }

/*
 * Each socket once, however many descriptors it has. 0, or -Exxx and a sentence
 * for qsock_errmsg().
 */
int sockets_take(const struct selection *selection, struct sockets *sockets);
void sockets_close(struct sockets *sockets);

#endif
