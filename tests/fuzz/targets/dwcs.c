// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program of operations on dwcs's core. */
#include "small.h"
#include "schedulers/dwcs/core.h"
#include "tests/unit/vclock.h"
#include "tests/unit/vcheck.h"
#include "program.h"

static const char *model_window(const qs_stream_t *s)
{
	if (s->now.oln > s->now.old)
		return "attributes that nobody gave";
	if (s->cur_oln > s->now.oln)
		return "more losses are tolerated than were asked for";
	if (s->tagged)
		return s->cur_oln ? "a broken window that tolerates losses" :
				    NULL;
	if (s->cur_old > s->now.old || s->cur_oln > s->cur_old)
		return "a window is longer than was asked for";
	return NULL;
}

/* The paper's first rule. */
static int model_may_precede(__u64 deadline, const qs_stream_t *ready)
{
	return deadline <= ready->deadline;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return program(data, size);
}
