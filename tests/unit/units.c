// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers with units, as qsock(8) reads and prints them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/cli.h"

#define REFUSED UINT64_MAX

struct row {
	const char *word;
	uint64_t value; /* REFUSED: it is no such number */
};

/* What no number of any kind is. */
static const char *const never[] = {
	"",	   " ",	      "0x10",	 "0x10mbit", "1e3",	"1e3mbit",
	"1e3ms",   "1e3kb",   "nan",	 "nanmbit",  "inf",	"infinity",
	"-1",	   "+10",     "+10mbit", " 10",	     " 10mbit", "10 mbit",
	"10mbit ", "1.5.2",   "1.5.2ms", ".",	     ".mbit",	"mbit",
	"1,5mbit", "10mbits", "10xbit",	 "1_0",	     "\t1",	"10\n",
	"1..5",	   "0b11",    "0x",	 "1p3",	     "10%%",	"\xd9\xa3",
};

static const struct row rates[] = {
	{ "10mbit", 10000000 },
	{ "1000", 1000 },
	{ "1.5gbit", 1500000000 },
	{ ".5mbit", 500000 },
	{ "1.mbit", 1000000 },
	{ "010mbit", 10000000 },
	{ "1mbps", 8000000 },
	{ "1kibit", 1024 },
	{ "1KiBps", 8192 },
	{ "10MBIT", 10000000 },
	{ "10Mbit", 10000000 },
	{ "1", 1 },
	{ "1bit", 1 },
	{ "1bps", 8 },
	{ "9000tbit", 9000000000000000 },
	{ "9007199254740992", 0x1p53 },
	{ "0", REFUSED },
	{ "0mbit", REFUSED },
	{ "0.0001bit", REFUSED },
	{ "0.9bit", REFUSED },
	{ "9008tbit", REFUSED },
	{ "99999999999999999999", REFUSED },
	{ "50%", REFUSED },
	{ "10ms", REFUSED },
	{ "10kb", REFUSED },
};

static const struct row sizes[] = {
	{ "0", 0 },
	{ "1540", 1540 },
	{ "15k", 15360 },
	{ "15kb", 15360 },
	{ "1MB", 1048576 },
	{ "8kbit", 1024 },
	{ "1.5k", 1536 },
	{ "1b", 1 },
	{ "4294967295", UINT32_MAX },
	{ "4294967296", REFUSED },
	{ "4gb", REFUSED },
	{ "10ms", REFUSED },
	{ "10%", REFUSED },
};

static const struct row times[] = {
	{ "20ms", 20000 },
	{ "20msec", 20000 },
	{ "20msecs", 20000 },
	{ "1.5s", 1500000 },
	{ "1sec", 1000000 },
	{ "2secs", 2000000 },
	{ "500us", 500 },
	{ "500usec", 500 },
	{ "500usecs", 500 },
	{ "500", 500 },
	{ "0.5ms", 500 },
	{ "20MS", 20000 },
	{ "1us", 1 },
	{ "4294967295", UINT32_MAX },
	{ "4294967296", REFUSED },
	{ "4295s", REFUSED },
	{ "0", REFUSED },
	{ "0ms", REFUSED },
	{ "0.9us", REFUSED },
	{ "1min", REFUSED },
	{ "1mbit", REFUSED },
};

static const struct row percents[] = {
	{ "80%", 800 },	   { "95.5%", 955 },	{ "0.1%", 1 },
	{ "100%", 1000 },  { "0%", REFUSED },	{ "0.04%", REFUSED },
	{ "80", REFUSED }, { "80ms", REFUSED }, { "99999999999%", REFUSED },
};

static const struct row counts[] = {
	{ "0", 0 },
	{ "1", 1 },
	{ "010", 10 },
	{ "4294967295", UINT32_MAX },
	{ "4294967296", REFUSED },
	{ "18446744073709551617", REFUSED },
	{ "1.5", REFUSED },
	{ "1k", REFUSED },
};

/* A parser, with its result as 64 bits. */
typedef int parser(const char *word, uint64_t *value);

#define WIDEN(name)                                               \
	static int name##_wide(const char *word, uint64_t *value) \
	{                                                         \
		uint32_t to;                                      \
		int err = name(word, &to);                        \
		if (!err)                                         \
			*value = to;                              \
		return err;                                       \
	}
WIDEN(parse_size)
WIDEN(parse_time)
WIDEN(parse_percent)
WIDEN(parse_count)

static void expect(parser *parse, const char *word, uint64_t value)
{
	const uint64_t before = 12345;
	uint64_t got = before;
	int err = parse(word, &got);

	if (value == REFUSED ? err == -EINVAL && got == before :
			       !err && got == value)
		return;
	fail_msg("\"%s\": %d, %llu", word, err, (unsigned long long)got);
}

static void expect_all(parser *parse, const struct row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		expect(parse, rows[i].word, rows[i].value);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		expect(parse, never[i], REFUSED);
}

#define EXPECT_ALL(parse, rows) \
	expect_all(parse, rows, sizeof(rows) / sizeof((rows)[0]))

static void rates_are_read_as_by_tc(void **state)
{
	(void)state;
	EXPECT_ALL(parse_rate, rates);
}

static void sizes_are_read_as_by_tc(void **state)
{
	(void)state;
	EXPECT_ALL(parse_size_wide, sizes);
}

static void times_are_read_as_by_tc(void **state)
{
	(void)state;
	EXPECT_ALL(parse_time_wide, times);
}

static void percentages_are_read(void **state)
{
	(void)state;
	EXPECT_ALL(parse_percent_wide, percents);
}

static void counts_are_read(void **state)
{
	(void)state;
	EXPECT_ALL(parse_count_wide, counts);
}

/* ---- printing */

static void times_at_a_units_end_are_in_the_next(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{ 0, "0us" },
		{ 1, "1us" },
		{ 999, "999us" },
		{ 1000, "1ms" },
		{ 1234, "1.23ms" },
		{ 9994, "9.99ms" },
		{ 9996, "10ms" },
		{ 99960, "100ms" },
		{ 999000, "999ms" },
		{ 999499, "999ms" },
		{ 999500, "1s" },
		{ 999600, "1s" },
		{ 999999, "1s" },
		{ 1000000, "1s" },
		{ 999499999, "999s" },
		{ 999500000, "1000s" },
		{ 999600000, "1000s" },
		{ 1000000000, "1000s" },
		{ 3600000000, "3600s" },
		{ 4294967295, "4295s" },
		{ 123456789012, "123457s" },
	};
	char room[NUMBER_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(print_time(rows[i].us, room), rows[i].text);
}

/* Whatever the time is: three digits at least, and never an exponent. */
static void no_time_has_an_exponent(void **state)
{
	char room[NUMBER_SIZE];
	uint64_t us, step;

	(void)state;
	for (us = 1; us < 1ull << 60; us += step) {
		print_time(us, room);
		assert_null(strchr(room, 'e'));
		assert_null(strchr(room, '+'));
		step = us < 1100000 ? 1 : us / 1000;
	}
	print_time(UINT64_MAX, room);
	assert_null(strchr(room, 'e'));
}

static void rates_are_printed_without_loss(void **state)
{
	char room[NUMBER_SIZE];
	uint64_t back;

	(void)state;
	assert_string_equal(print_rate(8000000, room), "8Mbit");
	assert_string_equal(print_rate(0, room), "0bit");
	assert_string_equal(print_rate(999, room), "999bit");
	assert_string_equal(print_rate(1000, room), "1Kbit");
	assert_string_equal(print_rate(1234567, room), "1234567bit");
	assert_string_equal(print_rate(1500000000, room), "1500Mbit");
	assert_int_equal(parse_rate(print_rate(9300000, room), &back), 0);
	assert_int_equal(back, 9300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_read_as_by_tc),
		cmocka_unit_test(sizes_are_read_as_by_tc),
		cmocka_unit_test(times_are_read_as_by_tc),
		cmocka_unit_test(percentages_are_read),
		cmocka_unit_test(counts_are_read),
		cmocka_unit_test(times_at_a_units_end_are_in_the_next),
		cmocka_unit_test(no_time_has_an_exponent),
		cmocka_unit_test(rates_are_printed_without_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
