/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scheduler under the virtual clock. A core's functions are static, so each
 * scheduler is one file: NAME.c includes the core and then run.h, which makes
 * of both the struct sim_sched that qsim.c lists.
 */
#ifndef QS_SIM_SIM_H
#define QS_SIM_SIM_H

#include "trace.h"

struct sim_options {
	__u32 limit; /* messages that one stream may queue */
	int info; /* print what qinfo() would say, too */
};

struct sim_sched {
	const char *name;
	trace_attr_check *check;
	/* Prints what becomes of the messages. 0, or -1: t->line and why. */
	int (*run)(struct trace *t, const struct sim_options *options,
		   FILE *out);
};

extern const struct sim_sched sim_dwcs, sim_vds;

#endif
