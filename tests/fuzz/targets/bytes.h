/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fuzzer's input, read front to back; past its end are zeros. */
#ifndef QS_TESTS_FUZZ_BYTES_H
#define QS_TESTS_FUZZ_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
	const uint8_t *at, *end;
};

static inline uint8_t bytes_next(struct bytes *b)
{
	return b->at < b->end ? *b->at++ : 0;
}

/* One byte up to `few` is that many `unit`s; above, a number of up to 2^50. */
static inline uint64_t bytes_number(struct bytes *b, uint8_t few, uint64_t unit)
{
	uint8_t n = bytes_next(b);

	if (n <= few)
		return n * unit;
	return (uint64_t)(4 | (n & 3)) << ((n >> 2) * 3 / 4);
}

#endif
