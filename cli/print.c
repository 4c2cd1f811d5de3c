/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text, JSON and errors, as the options say. */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* ---- UTF-8 */

struct sequence {
	unsigned char first, last; /* bytes that begin it */
	unsigned char low, high; /* the second byte */
	size_t len;
};

/* Table 3-7 of the Unicode Standard; neither surrogates nor overlong forms. */
static const struct sequence sequences[] = {
	{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

#define N_SEQUENCES (sizeof(sequences) / sizeof(sequences[0]))

/* The length of the character that text begins with; 0: it is not UTF-8. */
static size_t character_len(const unsigned char *text)
{
	const struct sequence *s = sequences;
	size_t i;

	while (s < sequences + N_SEQUENCES &&
	       (*text < s->first || *text > s->last))
		s++;
	if (s == sequences + N_SEQUENCES)
		return 0;
	if (s->len > 1 && (text[1] < s->low || text[1] > s->high))
		return 0;
	for (i = 2; i < s->len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return s->len;
}

/* U+0000 to U+001F and U+007F to U+009F. */
static bool is_control(const unsigned char *text)
{
	return *text < 0x20 || *text == 0x7f ||
	       (*text == 0xc2 && text[1] < 0xa0);
}

const char *clean_text(const char *from, char *room, size_t size)
{
	const unsigned char *text = (const unsigned char *)from;
	char *to = room, *end = room + size - 1;
	size_t len;

	while (*text) {
		len = character_len(text);
		if (!len || is_control(text)) {
			if (end - to < 4)
				break;
			to += snprintf(to, 5, "\\%03o", *text++);
			continue;
		}
		if ((size_t)(end - to) < len)
			break;
		memcpy(to, text, len);
		to += len;
		text += len;
	}
	*to = 0;
	return room;
}

/* ---- JSON */

struct json_object *json_text(const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	struct json_object *o;
	char *copy, *to;
	size_t len;

	copy = malloc(strlen(text) * strlen(REPLACEMENT) + 1);
	if (!copy)
		return NULL;
	for (to = copy; *from; from += len ? len : 1) {
		len = character_len(from);
		if (len)
			to = mempcpy(to, from, len);
		else
			to = mempcpy(to, REPLACEMENT, strlen(REPLACEMENT));
	}
	o = json_object_new_string_len(copy, (int)(to - copy));
	free(copy);
	return o;
}

void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_text(text));
}

void add_number(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

void add_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static void write_json(FILE *to, struct json_object *o)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (output.pretty)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	fprintf(to, "%s\n", json_object_to_json_string_ext(o, flags));
	json_object_put(o);
}

void print_json(struct json_object *o)
{
	write_json(stdout, o);
}

/* ---- errors */

static void print_sentence(const char *key, const char *command,
			   const char *sentence)
{
	struct json_object *o;
	char room[2048];

	if (!output.json) {
		fprintf(stderr, "qsock: %s%s%s\n", command,
			*command ? ": " : "",
			clean_text(sentence, room, sizeof(room)));
		return;
	}
	o = json_object_new_object();
	add_text(o, key, sentence);
	write_json(stderr, o);
}

int failed(const char *command)
{
	print_sentence("error", command, qsock_errmsg());
	return EXIT_FAILED;
}

void warn(const char *command, const char *fmt, ...)
{
	char sentence[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	print_sentence("warning", command, sentence);
}

int bad_usage(const char *command, const char *fmt, ...)
{
	char what[512], sentence[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(sentence, sizeof(sentence), "%s: see \"qsock help%s%s\"", what,
		 *command ? " " : "", command);
	print_sentence("error", command, sentence);
	return EXIT_USAGE;
}

int invalid(const char *command, const char *key, const char *word,
	    const char *form)
{
	return bad_usage(command, "invalid %s \"%s\": give %s", key, word,
			 form);
}

int read_name(const char *command, const char *key, char *to, size_t size,
	      const char *word)
{
	if (!*word)
		return bad_usage(command, "invalid %s \"\": empty", key);
	if ((size_t)snprintf(to, size, "%s", word) < size)
		return EXIT_DONE;
	return bad_usage(command, "invalid %s \"%s\": longer than %zu bytes",
			 key, word, size - 1);
}
