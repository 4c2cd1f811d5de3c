/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DWCS as the library knows it. */
#include <errno.h>

#include "attr.h"
#include "core.h"
#include "lib/internal.h"
#include "schedulers/common/ops.h"

extern const char qs_object_dwcs[], qs_object_dwcs_end[];
extern const char qs_object_dwcs_bands[], qs_object_dwcs_bands_end[];

static int dwcs_fail(enum dwcs_fault fault, const struct qs_attr *a)
{
	switch (fault) {
	case DWCS_BAD_WINDOW:
		return qs_fail(
			EINVAL,
			"old is 0 and oln is %u: give old, at least oln, "
			"or set both to 0 for no window",
			a->oln);
	case DWCS_BAD_OLN:
		return qs_fail(
			EINVAL,
			"oln is %u, more than old, %u: of every old units "
			"at most oln may be lost",
			a->oln, a->old);
	case DWCS_BAD_FLAGS:
		return qs_fail(EINVAL, "stream_flags has unknown bits: 0x%x",
			       a->flags & ~QS_STREAM_KNOWN);
	default:
		return 0;
	}
}

int qs_dwcs_pack(const void *attributes, struct qs_attach *opt)
{
	const struct q_dwcs_attr *attr = attributes;
	struct qs_attr a = { 0 };
	enum dwcs_fault fault;

	if (attr) {
		a.oln = attr->oln;
		a.old = attr->old;
		a.ipg = attr->ipg;
		a.flags = attr->stream_flags;
	}
	fault = dwcs_attr_check(&a);
	if (fault != DWCS_OK)
		return dwcs_fail(fault, &a);
	opt->attr[0] = a.oln;
	opt->attr[1] = a.old;
	opt->attr[2] = a.ipg;
	opt->flags = a.flags;
	return 0;
}

const struct qs_sched qs_dwcs_sched = {
	.name = "dwcs",
	.id = QS_SCHED_DWCS,
	.pack = qs_dwcs_pack,
	.ops = &core_ops,
	.object = qs_object_dwcs,
	.object_end = qs_object_dwcs_end,
	.bands_object = qs_object_dwcs_bands,
	.bands_object_end = qs_object_dwcs_bands_end,
};
