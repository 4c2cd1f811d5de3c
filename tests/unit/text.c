// SPDX-License-Identifier: LGPL-2.1-or-later
/* What qsock(8) prints of names whose bytes anybody may have chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "cli/cli.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

struct output output;

static const struct {
	const char *name, *text, *json;
} rows[] = {
	{ "", "", "" },
	{ "eth0", "eth0", "eth0" },
	{ "h\xc3\xa4user", "h\xc3\xa4user", "h\xc3\xa4user" },
	{ "\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80",
	  "\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "a\nb\tc", "a\\012b\\011c", "a\nb\tc" },
	{ "\x1b[2J\x7f", "\\033[2J\\177", "\x1b[2J\x7f" },
	{ "\xc2\x9b"
	  "2J",
	  "\\302\\2332J",
	  "\xc2\x9b"
	  "2J" }, /* CSI in C1 */
	{ "\xff", "\\377", BAD },
	{ "a\x80z", "a\\200z", "a" BAD "z" },
	{ "cut\xe2\x82", "cut\\342\\202", "cut" BAD BAD },
	{ "\xc0\xaf", "\\300\\257", BAD BAD }, /* overlong */
	{ "\xe0\x80\x80", "\\340\\200\\200", BAD BAD BAD },
	{ "\xed\xa0\x80", "\\355\\240\\200", BAD BAD BAD }, /* surrogate */
	{ "\xf4\x90\x80\x80", "\\364\\220\\200\\200", BAD BAD BAD BAD },
	{ "\xf5", "\\365", BAD },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void text_has_no_control_characters(void **state)
{
	char room[64];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++)
		assert_string_equal(clean_text(rows[i].name, room,
					       sizeof(room)),
				    rows[i].text);
}

static void json_is_utf8(void **state)
{
	struct json_object *o;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		o = json_text(rows[i].name);
		assert_string_equal(json_object_get_string(o), rows[i].json);
		json_object_put(o);
	}
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
	char room[8];

	(void)state;
	assert_string_equal(clean_text("12345678", room, sizeof(room)),
			    "1234567");
	assert_string_equal(clean_text("1234\xff", room, sizeof(room)), "1234");
	assert_string_equal(clean_text("123456\xc3\xa4", room, sizeof(room)),
			    "123456");
	assert_string_equal(clean_text("any", room, 1), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_no_control_characters),
		cmocka_unit_test(json_is_utf8),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
