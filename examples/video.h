/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the servers and video-client agree on: the head of every datagram. */
#ifndef VIDEO_H
#define VIDEO_H

#include "common.h"

#define VIDEO_PORT "5600"
#define VIDEO_SECOND_PORT "5601" /* where there are two streams */
#define VIDEO_MAGIC 0x51536676u
#define VIDEO_END 'E' /* in place of a frame's type: the stream is over */
#define VIDEO_PARTS 256 /* most datagrams of a frame */
#define VIDEO_FRAMES (1u << 20) /* most frames of a stream */

/* In network byte order. */
struct video_head {
	uint32_t magic;
	uint32_t frame; /* counts from 0 */
	uint16_t part; /* counts from 0 */
	uint16_t parts; /* of this frame */
	uint16_t fps;
	uint8_t type; /* 'I', 'P', 'B' or VIDEO_END */
	uint8_t reserved;
	uint64_t sent; /* when the frame was sent, ns of CLOCK_REALTIME */
};

_Static_assert(sizeof(struct video_head) == 24, "no padding on the wire");

#endif
