/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qinfo(): what the manager says of a socket, and the quantiles of its delays. */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "schedulers/common/fate.h"

/* ---- quantiles */

static __u64 shorter(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* What is as near, by the ratio, to the shortest in the bucket as to the
 * longest. */
static __u64 bucket_delay(__u32 k, __u64 max)
{
	__u64 from = qs_delay_from(k), to = max;

	if (k + 1 < QS_DELAYS)
		to = shorter(qs_delay_from(k + 1), max);
	if (to <= from)
		return to;
	return 2.0 * from * to / (from + to);
}

/* The shortest delay that so many percent of n packets did not exceed. */
static __u64 quantile(const __u32 *delay, __u64 uncounted, __u64 n,
		      unsigned int percent, __u64 max)
{
	__u64 rank = (n * percent + 99) / 100;
	__u32 k;

	if (rank == n)
		return max;
	if (rank <= uncounted)
		return shorter(QS_DELAY_MIN, max) / 2;
	rank -= uncounted;
	for (k = 0; k < QS_DELAYS && rank > delay[k]; k++)
		rank -= delay[k];
	return k < QS_DELAYS ? bucket_delay(k, max) : max;
}

/* The counters need not be of one instant. */
void qs_delay_quantiles(struct qos_info *o, const __u32 delay[QS_DELAYS])
{
	__u64 n = o->sent_packets, counted = 0;
	__u32 k;

	for (k = 0; k < QS_DELAYS; k++)
		counted += delay[k];
	if (n < counted)
		n = counted;
	o->delay_p50_ns = quantile(delay, n - counted, n, 50, o->delay_max_ns);
	o->delay_p99_ns = quantile(delay, n - counted, n, 99, o->delay_max_ns);
}

/* ---- the call */

static int read_info(int fd, struct qos_info *to, size_t size)
{
	struct qs_info all;
	socklen_t len = sizeof(all);

	if (!to)
		return qs_fail(EFAULT, "info is NULL");
	if (size < sizeof(all.info.size))
		return qs_fail(EINVAL,
			       "size is %zu, too small for a struct "
			       "qos_info",
			       size);
	if (getsockopt(fd, SOL_QSOCKETS, QS_INFO, &all, &len))
		return qs_attached_fail(fd, errno);
	qs_delay_quantiles(&all.info, all.delay);
	if (size > sizeof(all.info)) {
		memset((char *)to + sizeof(all.info), 0,
		       size - sizeof(all.info));
		size = sizeof(all.info);
	}
	all.info.size = size;
	memcpy(to, &all.info, size);
	return 0;
}

QS_PUBLIC int qinfo(int fd, struct qos_info *info, size_t size)
{
	return qs_return(read_info(fd, info, size));
}
