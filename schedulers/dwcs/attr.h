/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * DWCS's attributes as they cross the user/kernel line, and what is valid. The
 * manager and the library both ask here; vds has the same.
 */
#ifndef QS_DWCS_ATTR_H
#define QS_DWCS_ATTR_H

#include <qsockets/sched.h>

/* Which attribute is wrong. */
enum dwcs_fault {
	DWCS_OK = 0,
	DWCS_BAD_WINDOW, /* old is 0 but oln is not */
	DWCS_BAD_OLN, /* oln is more than old */
	DWCS_BAD_FLAGS, /* unknown bits in stream_flags */
};

static inline enum dwcs_fault dwcs_attr_check(const struct qs_attr *a)
{
	if (!a->old && a->oln)
		return DWCS_BAD_WINDOW;
	if (a->oln > a->old)
		return DWCS_BAD_OLN;
	if (a->flags & ~QS_STREAM_KNOWN)
		return DWCS_BAD_FLAGS;
	return DWCS_OK;
}

static inline void dwcs_attr_unpack(const struct qs_attach *opt,
				    struct qs_attr *a)
{
	a->oln = opt->attr[0];
	a->old = opt->attr[1];
	a->ipg = opt->attr[2];
	a->flags = opt->flags;
}

#endif
