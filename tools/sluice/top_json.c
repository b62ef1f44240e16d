// SPDX-License-Identifier: Apache-2.0
/*
 * A view as JSON, for scripts.
 *
 * Interface: top_json_print(). The object's members are "schema": 1, "address",
 * "interval_seconds", and one for each section: an object, or an array of objects that name their
 * row by its labels. Invariant: every column of every row is there; null is what the daemon does
 * not count, or what nothing happened to give a value to.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include <sluice/util.h>

#include "top.h"

static void row_put(yyjson_mut_doc *doc, yyjson_mut_val *to, const struct top_section *section,
		    const struct top_row *row)
{
	for (int k = 0; k < 2 && section->labels[k]; k++)
		yyjson_mut_obj_add_strcpy(doc, to, section->labels[k], row->names[k]);
	for (size_t k = 0; k < section->columns_n; k++) {
		const char *key = section->columns[k].key;
		double v = row->cells[k];

		if (isfinite(v))
			yyjson_mut_obj_add_real(doc, to, key, v);
		else
			yyjson_mut_obj_add_null(doc, to, key);
	}
}

static void section_put(yyjson_mut_doc *doc, yyjson_mut_val *root,
			const struct top_section *section, const struct top_table *t)
{
	yyjson_mut_val *list;

	if (!section->labels[0]) {
		row_put(doc, yyjson_mut_obj_add_obj(doc, root, section->key), section, t->rows);
		return;
	}
	list = yyjson_mut_obj_add_arr(doc, root, section->key);
	for (size_t i = 0; i < t->rows_n; i++)
		row_put(doc, yyjson_mut_arr_add_obj(doc, list), section, &t->rows[i]);
}

int top_json_print(FILE *out, const struct top_view *view, const char *address)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	char *text;

	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_int(doc, root, "schema", 1);
	yyjson_mut_obj_add_str(doc, root, "address", address);
	yyjson_mut_obj_add_real(doc, root, "interval_seconds", view->interval_s);
	for (int i = 0; i < TOP_SECTION_LAST; i++)
		section_put(doc, root, &top_sections[i], &view->tables[i]);
	text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY | YYJSON_WRITE_ALLOW_INVALID_UNICODE,
				NULL);
	yyjson_mut_doc_free(doc);
	if (!text)
		return -ENOMEM;
	fprintf(out, "%s\n", text);
	free(text);
	return 0;
}
