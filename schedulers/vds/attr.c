/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VDS as the library knows it; its attributes are DWCS's. */
#include "core.h"
#include "lib/internal.h"

extern const char qs_object_vds[], qs_object_vds_end[];

static void vds_core_init(struct qs_core *core, __u32 gen)
{
	qs_core_init(core, gen);
}

const struct qs_sched vds_sched = {
	.name = "vds",
	.id = QS_SCHED_VDS,
	.pack = dwcs_pack,
	.core_init = vds_core_init,
	.object = qs_object_vds,
	.object_end = qs_object_vds_end,
};
