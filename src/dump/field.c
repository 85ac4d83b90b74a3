/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dump/field.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/bitmap.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/utf8.h"
#include "util/uuid.h"

#define LINE_BYTES 16u

void field_require(bool ok)
{
	if (ok)
		return;
	log_error("out of memory");
	exit(2);
}

json_t *field_object(void)
{
	json_t *object = json_object();

	field_require(object);
	return object;
}

json_t *field_array(void)
{
	json_t *array = json_array();

	field_require(array);
	return array;
}

void field_put(json_t *object, const char *key, json_t *value)
{
	field_require(json_object_set_new(object, key, value) == 0);
}

void field_append(json_t *array, json_t *value)
{
	field_require(json_array_append_new(array, value) == 0);
}

void field_number(json_t *object, const char *key, uint64_t value)
{
	if (value <= INT64_MAX)
		field_put(object, key, json_integer((json_int_t)value));
	else
		field_put(object, key, json_sprintf("%" PRIu64, value));
}

void field_string(json_t *object, const char *key, const char *text)
{
	field_put(object, key, json_string(text));
}

void field_bytes(json_t *object, const char *key, const char *text, size_t len)
{
	char *escaped = malloc(UTF8_ESCAPED_MAX(len));

	field_require(escaped);
	field_string(object, key, utf8_escape(text, len, escaped));
	free(escaped);
}

void field_hex(json_t *object, const char *key, uint64_t value)
{
	field_put(object, key, json_sprintf("0x%08" PRIx64, value));
}

void field_mode(json_t *object, const char *key, uint32_t mode)
{
	field_put(object, key, json_sprintf("%06" PRIo32, mode));
}

void field_uuid(json_t *object, const char *key, const uint8_t uuid[16])
{
	char text[UUID_TEXT_LEN];

	field_string(object, key, uuid_to_text(uuid, text));
}

void field_time(json_t *object, const char *key, int64_t ns)
{
	const int64_t second = (int64_t)NS_PER_SEC;
	int64_t rest = ns % second;
	time_t when = (time_t)(ns / second);
	char text[32] = "";
	struct tm tm;

	if (rest < 0) {
		rest += second;
		when--;
	}
	if (gmtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	field_put(object, key, json_sprintf("%s.%09" PRId64 "Z", text, rest));
}

void field_damage(json_t *object, const char *fmt, ...)
{
	json_t *list = json_object_get(object, "damage");
	char text[256];
	va_list ap;

	if (!list) {
		list = field_array();
		field_put(object, "damage", list);
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	field_append(list, json_string(text));
}

static json_t *hexdump_line(const uint8_t *p, size_t offset, size_t len)
{
	char hex[3 * LINE_BYTES + 1] = "", ascii[LINE_BYTES + 1] = "";

	for (size_t i = 0; i < len; i++) {
		snprintf(hex + 3 * i, 4, "%02x ", p[i]);
		ascii[i] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '.';
	}
	return json_sprintf("%04zx  %-48s |%s|", offset, hex, ascii);
}

void field_hexdump(json_t *object, const char *key, const void *buf, size_t len)
{
	json_t *lines = field_array();
	const uint8_t *p = buf;
	bool starred = false;

	for (size_t at = 0; at < len; at += LINE_BYTES) {
		size_t n = len - at < LINE_BYTES ? len - at : LINE_BYTES;
		bool last = at + n == len;

		if (at && !last && memcmp(p + at, p + at - LINE_BYTES, n) == 0) {
			if (!starred)
				field_append(lines, json_string("*"));
			starred = true;
			continue;
		}
		starred = false;
		field_append(lines, hexdump_line(p + at, at, n));
	}
	field_put(object, key, lines);
}

void field_ranges(json_t *object, const char *key, const uint8_t *map, uint32_t nbits)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	field_require(out);
	for (uint32_t bit = 0; bit < nbits; bit++) {
		uint32_t first = bit;

		if (!bitmap_test(map, bit))
			continue;
		while (bit + 1 < nbits && bitmap_test(map, bit + 1))
			bit++;
		fprintf(out, "%s%" PRIu32, ftell(out) ? "," : "", first);
		if (bit > first)
			fprintf(out, "-%" PRIu32, bit);
	}
	field_require(fclose(out) == 0);
	field_string(object, key, text);
	free(text);
}
