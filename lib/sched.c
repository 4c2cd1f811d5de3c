/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The schedulers that the library knows, and the fields common to all. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static const struct qs_sched *const scheds[] = {
	&qs_dwcs_sched,
	&qs_vds_sched,
};

const struct qs_sched *qs_sched_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(scheds) / sizeof(scheds[0]); i++)
		if (!strcmp(scheds[i]->name, name))
			return scheds[i];
	return NULL;
}

int qs_params_check(const struct qos_params *params)
{
	if (!params)
		return qs_fail(EFAULT, "params is NULL");
	if (!memchr(params->dev, 0, sizeof(params->dev)))
		return qs_fail(EINVAL, "dev has no terminating null byte");
	if (!memchr(params->name, 0, sizeof(params->name)))
		return qs_fail(EINVAL, "name has no terminating null byte");
	return 0;
}
