/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a flow adapts its frame rate to an overloaded network: additive increase,
 * multiplicative decrease. From time to time the sender asks qinfo() and takes
 * the difference to the time before. If the flow lost frames or they piled up, it
 * goes on at three quarters of its rate, else at one frame a second more. It thus
 * gives way within a few intervals, and then tries again and again, at the cost
 * of a few frames, whether there is more room.
 *
 *	Chiu, Jain, "Analysis of the Increase and Decrease Algorithms for
 *	Congestion Avoidance in Computer Networks", Computer Networks and ISDN
 *	Systems 17, 1989
 */
#ifndef ADAPT_H
#define ADAPT_H

#include <stdbool.h>
#include <stdint.h>

#include <qsockets.h>

/* What happened to a flow in an interval, in units, which are its frames. */
struct adapt_interval {
	uint64_t sent; /* left, in time or late */
	uint64_t missed; /* late, or dropped */
	uint64_t refused; /* packets that found the queue full */
	int64_t growth; /* of the backlog */
};

struct adapt_range {
	unsigned int floor, full; /* frames a second */
};

static inline struct adapt_interval adapt_between(const struct qos_info *before,
						  const struct qos_info *now)
{
	return (struct adapt_interval){
		.sent = now->sent_units - before->sent_units,
		.missed = now->late_units - before->late_units +
			  now->dropped_late - before->dropped_late +
			  now->dropped_frame - before->dropped_frame,
		.refused = now->dropped_overflow - before->dropped_overflow,
		.growth = (int64_t)now->backlog_units - before->backlog_units,
	};
}

/* One unit more may just be on its way. */
static inline bool adapt_congested(const struct adapt_interval *seen)
{
	return seen->missed || seen->refused || seen->growth > 1;
}

/* The next interval's frame rate. One in which nothing left shows no room. */
static inline unsigned int adapt_fps(const struct adapt_range *range,
				     unsigned int fps,
				     const struct adapt_interval *seen)
{
	if (adapt_congested(seen))
		fps = fps * 3 / 4;
	else if (seen->sent)
		fps++;
	if (fps < range->floor)
		return range->floor;
	return fps < range->full ? fps : range->full;
}

#endif
