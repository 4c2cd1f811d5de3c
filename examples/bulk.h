/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transfers by the program that also streams: each client that connects to the
 * port and asks, by HTTP, gets zeros until it has had enough. Where the program
 * schedules its own sockets only (the in-process engine), these are what competes,
 * and the rate is the program's own.
 *
 * On a managed device the connections are streams that come after all others: one
 * unit a second is theirs, and what is left; nothing of them is dropped.
 */
#ifndef BULK_H
#define BULK_H

#include <qsockets.h>

#include "common.h"

struct bulk_options {
	const char *port; /* NULL: there are none */
	unsigned int kbit; /* of the process's own engine; 0: no limit */
};

/* These options, for argp's children: the input is the struct. */
extern const struct argp bulk_argp;

/*
 * Sets the rate, if there is one, of a device that is the program's own, and serves
 * transfers, if there is a port, by threads until the program ends. Of a managed device
 * and its scheduler `params` has the names; NULL is for plain sockets.
 */
void bulk_start(const struct bulk_options *options,
		const struct qos_params *params);

#endif
