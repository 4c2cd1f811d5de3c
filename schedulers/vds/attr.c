/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VDS as the library knows it; its attributes are DWCS's. */
#include "core.h"
#include "lib/internal.h"
#include "schedulers/common/ops.h"

extern const char qs_object_vds[], qs_object_vds_end[];
extern const char qs_object_vds_bands[], qs_object_vds_bands_end[];

const struct qs_sched qs_vds_sched = {
	.name = "vds",
	.id = QS_SCHED_VDS,
	.pack = qs_dwcs_pack,
	.ops = &core_ops,
	.object = qs_object_vds,
	.object_end = qs_object_vds_end,
	.bands_object = qs_object_vds_bands,
	.bands_object_end = qs_object_vds_bands_end,
};
