/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths to values: names.of[3].maps, lists[].of.them, "names with . in them".
 *
 * Interface: object.h (sl_value_find(), sl_value_visit()), object_pvt.h (steps).
 *
 * Order of parts: steps; walking.
 */
#include <errno.h>

#include "object_pvt.h"

/* ---- steps ------------------------------------------------------------------------------ */

static struct step name_step(const char **path)
{
	struct step s = {.kind = STEP_NAME, .name = *path};

	if (*s.name == '"') {
		s.name++;
		s.name_n = strcspn(s.name, "\"");
		*path = s.name + s.name_n;
		if (!**path)
			s.kind = STEP_WRONG;
		else
			++*path;
	} else {
		s.name_n = strcspn(s.name, ".[]\"");
		*path = s.name + s.name_n;
		if (!s.name_n)
			s.kind = STEP_WRONG;
	}
	return s;
}

static struct step item_step(const char **path)
{
	const char *p = *path + 1;
	size_t digits = strspn(p, "0123456789");
	struct step s = {.kind = digits ? STEP_ITEM : STEP_ALL};

	if (digits > 9 || p[digits] != ']') {
		s.kind = STEP_WRONG;
		return s;
	}
	for (size_t i = 0; i < digits; i++)
		s.item = s.item * 10 + (uint32_t)(p[i] - '0');
	*path = p + digits + 1;
	return s;
}

struct step object_path_step(const char **path)
{
	struct step s;

	if (!**path)
		return (struct step){.kind = STEP_END};
	s = **path == '[' ? item_step(path) : name_step(path);
	if (s.kind == STEP_WRONG)
		return s;
	if (**path == '.') {
		++*path;
		if (!**path || **path == '.' || **path == '[')
			s.kind = STEP_WRONG;
	} else if (**path && **path != '[') {
		s.kind = STEP_WRONG;
	}
	return s;
}

bool object_is_path(const char *path)
{
	struct step s;

	do
		s = object_path_step(&path);
	while (s.kind != STEP_END && s.kind != STEP_WRONG);
	return s.kind == STEP_END;
}

/* ---- walking ---------------------------------------------------------------------------- */

typedef int (*each_fn)(void *arg, const struct sl_value *v);

static int visit(const struct sl_value *v, const char *path, each_fn each, void *arg);

static int visit_items(const struct sl_value *v, const char *path, each_fn each, void *arg)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < sl_value_count(v); i++)
		ret = visit(sl_value_at(v, i), path, each, arg);
	return ret;
}

/* What @path is for the maps of a list; lists in it are none. */
static int visit_maps(const struct sl_value *v, const char *path, each_fn each, void *arg)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < sl_value_count(v); i++) {
		const struct sl_value *item = sl_value_at(v, i);

		if (sl_value_type(item) == SL_VALUE_MAP)
			ret = visit(item, path, each, arg);
	}
	return ret;
}

static int visit(const struct sl_value *v, const char *path, each_fn each, void *arg)
{
	enum sl_value_type type = sl_value_type(v);
	const char *rest = path;
	struct step s = object_path_step(&rest);

	switch (s.kind) {
	case STEP_END:
		return each(arg, v);
	case STEP_NAME:
		if (type == SL_VALUE_LIST)
			return visit_maps(v, path, each, arg);
		v = type == SL_VALUE_MAP ? sl_value_get(v, s.name, s.name_n) : NULL;
		return v ? visit(v, rest, each, arg) : 0;
	case STEP_ITEM:
		if (type != SL_VALUE_LIST || s.item >= sl_value_count(v))
			return 0;
		return visit(sl_value_at(v, s.item), rest, each, arg);
	case STEP_ALL:
		return type == SL_VALUE_LIST ? visit_items(v, rest, each, arg) : 0;
	default:
		return -EINVAL;
	}
}

int sl_value_visit(const struct sl_value *v, const char *path, each_fn each, void *arg)
{
	return object_is_path(path) ? visit(v, path, each, arg) : -EINVAL;
}

static int take_first(void *arg, const struct sl_value *v)
{
	*(const struct sl_value **)arg = v;
	return 1;
}

const struct sl_value *sl_value_find(const struct sl_value *v, const char *path)
{
	const struct sl_value *found = NULL;

	return sl_value_visit(v, path, take_first, &found) > 0 ? found : NULL;
}
