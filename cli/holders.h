/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose a stream is: its flow by sock_diag, and the processes that have its
 * socket by /proc, as ss -e and -p find them.
 */
#ifndef QS_CLI_HOLDERS_H
#define QS_CLI_HOLDERS_H

#include "flow.h"

struct holder {
	uint32_t pid, fd;
	char command[16]; /* any bytes */
};

/* A socket that streams are attached by; what is not known is 0 or NULL. */
struct owner {
	uint64_t inode;
	struct flow flow;
	uint64_t cookie;
	uint32_t uid; /* the socket's, if the flow is known */
	char *cgroup; /* from the root of the hierarchy on */
	struct holder *holders;
	unsigned int n_holders;
};

struct owners {
	struct owner *owner; /* by inode */
	size_t n;
};

#define OWNERS_NONE { .owner = NULL }

/*
 * Finds those of all streams. What cannot be found, as without the kernel's
 * diag modules or in a container, is left out; false: no memory.
 */
bool owners_find(const struct qs_device_view *views, unsigned int n,
		 struct owners *owners);
void owners_free(struct owners *owners);

/* NULL: none, as of a stream that is closed. */
const struct owner *owner_of(const struct owners *owners,
			     const struct qs_stream_view *v);

#endif
