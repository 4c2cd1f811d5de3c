/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the examples that use a managed device share. What fails ends the program. */
#ifndef MANAGED_H
#define MANAGED_H

#include <qsockets.h>

#include "common.h"

/* An option's argument that is a device's name, or "" for the host's. */
const char *device_of(const char *argument, struct argp_state *state);

/* What a socket is attached by; `attributes` are kept. The names fit. */
struct qos_params params_of(const char *device, const char *scheduler,
			    struct q_dwcs_attr *attributes);

/* A UDP socket: a QSocket, or with NULL a plain one. */
int open_sender(int family, struct qos_params *params);

#endif
