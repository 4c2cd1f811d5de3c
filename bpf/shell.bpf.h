/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is around a core in the kernel: the qdisc, or a classifier that does without. */
#ifdef QS_BANDED
#include "bpf/bands/classify.bpf.h"
#else
#include "bpf/qdisc.bpf.h"
#endif
