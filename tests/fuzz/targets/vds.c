// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program of operations on vds's core. */
#include "small.h"
#include "schedulers/vds/core.h"
#include "tests/unit/vclock.h"
#include "tests/unit/vcheck.h"
#include "program.h"

static const char *model_window(const qs_stream_t *s)
{
	if (s->now.oln > s->now.old)
		return "attributes that nobody gave";
	if (s->cur_old > s->now.old || (s->now.old && !s->cur_old))
		return "a window is longer than was asked for, or over";
	if (s->cur_oln > s->now.oln || s->cur_oln > s->cur_old)
		return "more losses are tolerated than were asked for";
	if (s->tagged && (s->cur_oln || s->tagged > s->now.old - s->cur_old))
		return "more units are missing than periods went by";
	return NULL;
}

/* Virtual deadlines decide, and these go on with the unit that is sent. */
static int model_may_precede(__u64 deadline, const qs_stream_t *ready)
{
	(void)deadline;
	(void)ready;
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return program(data, size);
}
