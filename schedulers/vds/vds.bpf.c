// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The VDS qdisc: the core's rules in the qdisc's shell. */
#include "core.h"

#define QS_QDISC_KIND "vds"
#define QS_QDISC_SCHED QS_SCHED_VDS

#include "bpf/shell.bpf.h"
