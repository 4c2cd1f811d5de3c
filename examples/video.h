/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What video-server and video-client agree on: the head of every datagram. */
#ifndef VIDEO_H
#define VIDEO_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#define VIDEO_PORT "5600"
#define VIDEO_MAGIC 0x51536676u
#define VIDEO_END 'E' /* in place of a frame's type: the stream is over */
#define VIDEO_PARTS 256 /* most datagrams of a frame */
#define VIDEO_FRAMES (1u << 20) /* most frames of a stream */

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

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

static inline uint64_t video_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Milliseconds, with as many digits as are worth reading. */
static inline json_object *video_ms(uint64_t ns)
{
	const double ms = (double)ns / NS_PER_MS;
	char text[32];

	snprintf(text, sizeof(text), "%.3f", ms);
	return json_object_new_double_s(ms, text);
}

/* Writes `result` to the file, or to standard output if there is none. */
static inline bool video_write_result(const char *file, json_object *result)
{
	const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;

	if (file)
		return !json_object_to_file_ext(file, result, how);
	return puts(json_object_to_json_string_ext(result, how)) >= 0;
}

#endif
