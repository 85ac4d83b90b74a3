/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dump/output.h"

#include <errno.h>

#define JSON_STYLE JSON_INDENT(2)

static void value_print(FILE *file, const json_t *value)
{
	if (json_is_string(value))
		fputs(json_string_value(value), file);
	else if (json_is_integer(value))
		fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", file);
}

/* "block" as "block", "free_blocks" as "free blocks" */
static void key_print(FILE *file, const char *key)
{
	for (; *key; key++)
		fputc(*key == '_' ? ' ' : *key, file);
}

/* All fields in one line. */
static void object_inline_print(FILE *file, json_t *object)
{
	const char *key;
	json_t *value;
	bool first = true;

	json_object_foreach(object, key, value)
	{
		fputs(first ? "" : ", ", file);
		first = false;
		key_print(file, key);
		fputc(' ', file);
		value_print(file, value);
	}
}

static void array_print(FILE *file, json_t *array, int indent)
{
	json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
	{
		fprintf(file, "%*s", indent, "");
		if (json_is_object(value))
			object_inline_print(file, value);
		else
			value_print(file, value);
		fputc('\n', file);
	}
}

static void object_print(FILE *file, json_t *object, int indent)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (json_is_array(value) && json_array_size(value) == 0)
			continue;
		fprintf(file, "%*s", indent, "");
		key_print(file, key);
		fputc(':', file);
		if (json_is_object(value)) {
			fputc('\n', file);
			/* One level of nesting is all there is. */
			object_print(file, value, indent + 2);
		} else if (json_is_array(value)) {
			fputc('\n', file);
			array_print(file, value, indent + 2);
		} else {
			fputc(' ', file);
			value_print(file, value);
			fputc('\n', file);
		}
	}
}

static int result(FILE *file)
{
	return ferror(file) ? -EIO : 0;
}

int output_object(struct output *output, json_t *object)
{
	if (output->json) {
		json_dumpf(object, output->file, JSON_STYLE);
		fputc('\n', output->file);
	} else {
		object_print(output->file, object, 0);
	}
	json_decref(object);
	return result(output->file);
}

int output_list_begin(struct output *output)
{
	output->first = true;
	if (output->json)
		fputc('[', output->file);
	return result(output->file);
}

int output_list_end(struct output *output)
{
	if (output->json)
		fputs("\n]\n", output->file);
	return result(output->file);
}

static void item_json_print(struct output *output, json_t *item)
{
	fputs(output->first ? "\n" : ",\n", output->file);
	json_dumpf(item, output->file, JSON_COMPACT);
}

int output_item(void *arg, json_t *item)
{
	struct output *output = arg;

	if (output->json) {
		item_json_print(output, item);
	} else {
		fputs(output->first ? "" : "\n", output->file);
		object_print(output->file, item, 0);
	}
	output->first = false;
	json_decref(item);
	return result(output->file);
}

static void name_print(FILE *file, json_t *item)
{
	const char *target = json_string_value(json_object_get(item, "target"));
	const char *type = json_string_value(json_object_get(item, "type"));
	json_t *run, *extents = json_object_get(item, "extents");
	size_t i;

	value_print(file, json_object_get(item, "path"));
	if (target)
		fprintf(file, " -> %s", target);
	fprintf(file, "  [inode ");
	value_print(file, json_object_get(item, "inode"));
	if (type) {
		fprintf(file, ", %s, size ", type);
		value_print(file, json_object_get(item, "size"));
	}
	json_array_foreach(extents, i, run)
	{
		fputs(i ? " " : ", extents ", file);
		value_print(file, json_object_get(run, "logical"));
		fputc('+', file);
		value_print(file, json_object_get(run, "length"));
		fputc('@', file);
		value_print(file, json_object_get(run, "block"));
	}
	fputs("]\n", file);
	array_print(file, json_object_get(item, "damage"), 4);
}

int output_name(void *arg, json_t *item)
{
	struct output *output = arg;

	if (output->json)
		item_json_print(output, item);
	else
		name_print(output->file, item);
	output->first = false;
	json_decref(item);
	return result(output->file);
}
