/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transfers by the program that also streams: each client that connects to the
 * port and asks, by HTTP, gets zeros until it has had enough. Where the program
 * schedules its own sockets only (the in-process engine), these are what competes.
 *
 * On a managed device the connections are streams that come after all others: one
 * unit a second is theirs, and what is left; nothing of them is dropped.
 */
#ifndef BULK_H
#define BULK_H

#include "flow.h"

/* Serves from now on, by threads, until the program ends. `options` are kept. */
void bulk_serve(const struct flow_options *of, const char *port);

#endif
