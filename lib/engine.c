/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which engine serves: what the environment asks for, and what the kernel has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *const names[] = {
	[QOS_ENGINE_KERNEL] = "kernel",
	[QOS_ENGINE_BANDS] = "bands",
	[QOS_ENGINE_INPROC] = "inproc",
};

const char *qs_engine_name(__u32 engine)
{
	if (engine >= sizeof(names) / sizeof(names[0]) || !names[engine])
		return "none";
	return names[engine];
}

int qs_engine_forced(void)
{
	const char *name = secure_getenv("QSOCKETS_ENGINE");
	int i;

	if (!name || !*name)
		return QOS_ENGINE_NONE;
	for (i = QOS_ENGINE_KERNEL; i <= QOS_ENGINE_INPROC; i++)
		if (!strcmp(name, names[i]))
			return i;
	if (!strcmp(name, "managed"))
		return QS_ENGINE_MANAGED;
	return qs_fail(EOPNOTSUPP,
		       "QSOCKETS_ENGINE is \"%s\": there are \"managed\", "
		       "\"kernel\", \"bands\" and \"inproc\"",
		       name);
}

/* All devices of a host have the same one: there is one manager. */
int qs_engine_choose(__u32 forced, const struct qs_system *sys)
{
	__u32 now = sys->meta.engine;

	if (forced == QS_ENGINE_MANAGED)
		forced = QOS_ENGINE_NONE;
	if (sys->devs >= 0 && forced && forced != now)
		return qs_fail(EBUSY,
			       "the devices of this host are served by the "
			       "engine \"%s\", not \"%s\": run \"qsock fini "
			       "all\" first",
			       qs_engine_name(now), qs_engine_name(forced));
	if (sys->devs >= 0)
		return now;
	if (forced == QOS_ENGINE_BANDS)
		return forced;
	if (!qs_kernel_check())
		return QOS_ENGINE_KERNEL;
	return forced ? -EOPNOTSUPP : QOS_ENGINE_BANDS;
}
