/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a call failed: one sentence a thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

static _Thread_local char sentence[512];

int qs_fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	return -err;
}

int qs_return(int ret)
{
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

QS_PUBLIC const char *qsock_errmsg(void)
{
	return sentence;
}
