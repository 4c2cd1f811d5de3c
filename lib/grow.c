/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Structs that grow at their ends, as those of clone3() and openat2(): a caller
 * says how much of one it knows. What it does not know is 0, and what the
 * library does not know has to be.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define LONGEST 4096u /* bytes; no struct will ever be so long */

int qs_grow(void *to, size_t known, const void *from, size_t size, size_t least,
	    const char *name)
{
	const char *bytes = from;
	size_t k;

	if (size < least)
		return qs_fail(EINVAL,
			       "size is %zu, a %s has %zu bytes at least", size,
			       name, least);
	if (size > LONGEST)
		return qs_fail(E2BIG, "size is %zu, more than any %s has", size,
			       name);
	for (k = known; k < size; k++)
		if (bytes[k])
			return qs_fail(E2BIG,
				       "the %s says something after its first "
				       "%zu bytes, which this version of the "
				       "library does not know: update it, or "
				       "leave that 0",
				       name, known);
	memset(to, 0, known);
	memcpy(to, from, size < known ? size : known);
	return 0;
}
