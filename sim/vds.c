// SPDX-License-Identifier: LGPL-2.1-or-later
#include "schedulers/dwcs/attr.h"
#include "schedulers/vds/core.h"

#include "run.h"

const struct sim_sched sim_vds = {
	.name = "vds",
	.check = sim_attr_check,
	.run = sim_run,
};
