/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that the caller names and the library, not the kernel, reads: a bad
 * address is EFAULT, as from the plain call. rt_sigprocmask() reads its second
 * argument before it refuses the first one, takes no privilege and is allowed in
 * every sandbox; Abseil's AddressIsReadable() asks it too.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "internal.h"

#define SIGSET_BYTES 8u /* the kernel's */
#define NO_SUCH_HOW (~0)

/* An aligned word is of one page. */
static bool word_readable(uintptr_t at)
{
	int err = errno, ret;

	if (at < SIGSET_BYTES)
		return false; /* NULL would be no set at all */
	ret = (int)syscall(SYS_rt_sigprocmask, NO_SUCH_HOW,
			   at & ~(uintptr_t)(SIGSET_BYTES - 1), NULL,
			   SIGSET_BYTES);
	ret = ret < 0 && errno == EFAULT;
	errno = err;
	return !ret;
}

bool qs_readable(const void *p, size_t n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)p, end = at + n;

	if (!n)
		return true;
	if (end < at)
		return false;
	for (; at < end; at = (at & ~(page - 1)) + page)
		if (!word_readable(at))
			return false;
	return true;
}
