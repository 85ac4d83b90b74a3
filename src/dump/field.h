/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields of the on-disk structures as JSON values. The object or array takes the value over. Out of
 * memory ends the program with status 2: there is nothing to save in a tool that only reads.
 */
#ifndef CHURNFS_DUMP_FIELD_H
#define CHURNFS_DUMP_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Ends the program as said above unless OK. */
void field_require(bool ok);

json_t *field_object(void);
json_t *field_array(void);

void field_put(json_t *object, const char *key, json_t *value);
void field_append(json_t *array, json_t *value);

/* A number; as a string where it exceeds the 63 bits of a JSON integer. */
void field_number(json_t *object, const char *key, uint64_t value);

/* A string that is known to be UTF-8. */
void field_string(json_t *object, const char *key, const char *text);

/* LEN bytes from the disk, escaped as in utf8_escape(). */
void field_bytes(json_t *object, const char *key, const char *text, size_t len);

/* "0x..." */
void field_hex(json_t *object, const char *key, uint64_t value);

/* "100644": file mode in octal */
void field_mode(json_t *object, const char *key, uint32_t mode);

void field_uuid(json_t *object, const char *key, const uint8_t uuid[16]);

/* "2019-07-11T12:00:00.123456789Z" */
void field_time(json_t *object, const char *key, int64_t ns);

/* Appends TEXT to the array "damage" of OBJECT, which is made at the first call. */
void field_damage(json_t *object, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines of 16 bytes, hexadecimal and ASCII; equal lines in a row are given as "*". */
void field_hexdump(json_t *object, const char *key, const void *buf, size_t len);

/* The set bits among the first NBITS as "0-7,12". */
void field_ranges(json_t *object, const char *key, const uint8_t *map, uint32_t nbits);

#endif
