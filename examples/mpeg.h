/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MPEG transport streams, of ISO 13818-1, as far as they matter here. */
#ifndef MPEG_H
#define MPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MPEG_PORT "5600"
#define TS_PACKET 188
#define TS_SYNC 0x47
#define PES_VIDEO 0xe0 /* the first of 16 */

/* The payload of a packet; NULL: it has none. */
static inline const uint8_t *ts_payload(const uint8_t *packet)
{
	size_t at = 4;

	if (packet[3] & 0x20)
		at += 1 + packet[4];
	return (packet[3] & 0x10) && at < TS_PACKET ? packet + at : NULL;
}

/* Does a picture, a PES packet of video, begin with this packet? */
static inline bool ts_begins_picture(const uint8_t *packet)
{
	const uint8_t *p = ts_payload(packet);

	return packet[0] == TS_SYNC && (packet[1] & 0x40) && p &&
	       p + 4 <= packet + TS_PACKET && !p[0] && !p[1] && p[2] == 1 &&
	       (p[3] & 0xf0) == PES_VIDEO;
}

#endif
