/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers with units, as tc(8) takes and prints them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit rate_units[] = {
	{ "", 1 },
	{ "bit", 1 },
	{ "bps", 8 },
	{ "kbit", 1e3 },
	{ "kibit", 0x1p10 },
	{ "kbps", 8e3 },
	{ "kibps", 8 * 0x1p10 },
	{ "mbit", 1e6 },
	{ "mibit", 0x1p20 },
	{ "mbps", 8e6 },
	{ "mibps", 8 * 0x1p20 },
	{ "gbit", 1e9 },
	{ "gibit", 0x1p30 },
	{ "gbps", 8e9 },
	{ "gibps", 8 * 0x1p30 },
	{ "tbit", 1e12 },
	{ "tibit", 0x1p40 },
	{ "tbps", 8e12 },
	{ "tibps", 8 * 0x1p40 },
	{ NULL, 0 },
};

/* tc's k, m and g of a size are powers of 2. */
static const struct unit size_units[] = {
	{ "", 1 },
	{ "b", 1 },
	{ "k", 0x1p10 },
	{ "kb", 0x1p10 },
	{ "kbit", 0x1p10 / 8 },
	{ "m", 0x1p20 },
	{ "mb", 0x1p20 },
	{ "mbit", 0x1p20 / 8 },
	{ "g", 0x1p30 },
	{ "gb", 0x1p30 },
	{ "gbit", 0x1p30 / 8 },
	{ NULL, 0 },
};

/* To us. */
static const struct unit time_units[] = {
	{ "", 1 },	{ "us", 1 },	 { "usec", 1 },	   { "usecs", 1 },
	{ "ms", 1e3 },	{ "msec", 1e3 }, { "msecs", 1e3 }, { "s", 1e6 },
	{ "sec", 1e6 }, { "secs", 1e6 }, { NULL, 0 },
};

static const struct unit percent_units[] = {
	{ "%", 10 },
	{ NULL, 0 },
};

/* The length of a decimal number with at most one point; 0: there is none. */
static size_t number_len(const char *word)
{
	size_t digits = strspn(word, "0123456789"), len = digits, more = 0;

	if (word[len] == '.') {
		more = strspn(word + len + 1, "0123456789");
		len += 1 + more;
	}
	return digits + more ? len : 0;
}

static int parse(const char *word, const struct unit *unit, double max,
		 double *value)
{
	size_t len = number_len(word);

	if (!len)
		return -EINVAL;
	for (; unit->name; unit++)
		if (!strcasecmp(unit->name, word + len))
			break;
	if (!unit->name)
		return -EINVAL;
	*value = strtod(word, NULL) * unit->factor;
	return *value <= max ? 0 : -EINVAL;
}

int parse_rate(const char *word, uint64_t *rate)
{
	double value;

	if (parse(word, rate_units, 0x1p53, &value) || value < 1)
		return -EINVAL;
	*rate = value;
	return 0;
}

int parse_size(const char *word, uint32_t *size)
{
	double value;

	if (parse(word, size_units, UINT32_MAX, &value))
		return -EINVAL;
	*size = value;
	return 0;
}

int parse_time(const char *word, uint32_t *us)
{
	double value;

	if (parse(word, time_units, UINT32_MAX, &value) || value < 1)
		return -EINVAL;
	*us = value;
	return 0;
}

int parse_count(const char *word, uint32_t *count)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return -EINVAL;
	errno = 0;
	value = strtoul(word, &end, 10);
	if (*end || errno || value > UINT32_MAX)
		return -EINVAL;
	*count = value;
	return 0;
}

int parse_percent(const char *word, uint32_t *permille)
{
	double value;

	if (parse(word, percent_units, UINT32_MAX - 1, &value) || value < 0.5)
		return -EINVAL;
	*permille = (uint64_t)(2 * value + 1) / 2;
	return 0;
}

const char *print_rate(uint64_t rate, char room[NUMBER_SIZE])
{
	static const char *const prefix[] = { "", "K", "M", "G", "T" };
	size_t i = 0;

	while (i < 4 && rate && rate % 1000 == 0) {
		rate /= 1000;
		i++;
	}
	snprintf(room, NUMBER_SIZE, "%llu%sbit", (unsigned long long)rate,
		 prefix[i]);
	return room;
}

/* What rounds up to 1000 is in the next unit: "%.3g" would make it 1e+03. */
const char *print_time(uint64_t us, char room[NUMBER_SIZE])
{
	if (us >= 999500000)
		snprintf(room, NUMBER_SIZE, "%.0fs", us / 1e6);
	else if (us >= 999500)
		snprintf(room, NUMBER_SIZE, "%.3gs", us / 1e6);
	else if (us >= 1000)
		snprintf(room, NUMBER_SIZE, "%.3gms", us / 1e3);
	else
		snprintf(room, NUMBER_SIZE, "%uus", (unsigned int)us);
	return room;
}
