/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sensor and sensor-client agree on: the head of every message. */
#ifndef SENSOR_H
#define SENSOR_H

#include "common.h"

#define SENSOR_PORT "5700"
#define SENSOR_MAGIC 0x51537365u
#define SENSOR_END 0xffffffffu /* in place of a number: all were sent */
#define SENSOR_MESSAGES (1u << 24) /* most messages of a sensor */

/* In network byte order; times are ns of CLOCK_MONOTONIC, which both hosts share. */
struct sensor_head {
	uint32_t magic;
	uint32_t seq; /* counts from 0 */
	uint32_t count; /* messages that there will be */
	uint32_t reserved;
	uint64_t start; /* when the sensor began */
	uint64_t sent;
	uint64_t deadline;
};

_Static_assert(sizeof(struct sensor_head) == 40, "no padding on the wire");

#endif
