/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload indexes: what rows have at which path.
 *
 * Interface: payload.h (making and changing), payload_pvt.h (indexes, keys).
 *
 * A row is put into an index by looking at its object once; it is taken out by looking at the same
 * object again, which gives the same keys. Either is harmless for what is there, or gone, already:
 * what failed half way is taken out.
 *
 * Order of parts: keys of numbers; keys of bounds; indexes; one row; the payload; its indexes;
 * rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "object_pvt.h"
#include "payload_pvt.h"

/* ---- keys of numbers -------------------------------------------------------------------- */

/* The bits of a double rise with it, if those of a negative one are turned round. */
uint64_t key_of_number(double v)
{
	uint64_t bits;

	v = v == 0 ? 0 : v; /* -0 */
	memcpy(&bits, &v, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

double number_of_key(uint64_t key)
{
	uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* ---- keys of bounds --------------------------------------------------------------------- */

/* From here on a double may stand for several integers. */
#define EXACT_MAX 0x1p53

enum side { LOW, HIGH };

static const struct key_range nothing = {1, 0};

/* Moves one end to @key, which is not meant itself if it is @open. */
static void set_end(struct key_range *range, enum side side, uint64_t key, bool open)
{
	uint64_t last = side == LOW ? UINT64_MAX : 0;

	if (open && key == last) {
		*range = nothing;
		return;
	}
	if (side == LOW)
		range->low = key + open;
	else
		range->high = key - open;
}

/* The end of integers at a number; one between two is that of the next. */
static void integer_end(struct key_range *range, enum side side, double v, bool open)
{
	double whole = side == LOW ? ceil(v) : floor(v);

	if (side == LOW ? v >= 0x1p63 : v < -0x1p63) {
		*range = nothing;
		return;
	}
	if (side == LOW ? v < -0x1p63 : v >= 0x1p63)
		return;
	set_end(range, side, key_of_integer((int64_t)whole), open && whole == v);
}

static bool set_bound(enum sl_payload_type type, struct key_bounds *b, enum side side,
		      const struct sl_operand *o, bool open)
{
	double v;

	if (o->type == SL_VALUE_NULL)
		return true;
	if (type == SL_PAYLOAD_DATE) {
		set_end(&b->range, side, key_of_integer(o->date), open);
		return o->type == SL_VALUE_DATE;
	}
	if (o->type != SL_VALUE_INTEGER && o->type != SL_VALUE_NUMBER)
		return false;
	v = o->type == SL_VALUE_INTEGER ? (double)o->integer : o->number;
	if (type == SL_PAYLOAD_NUMBER) {
		bool vague = fabs(v) >= EXACT_MAX;

		b->exact = b->exact && !vague;
		set_end(&b->range, side, key_of_number(v), open && !vague);
	} else if (o->type == SL_VALUE_INTEGER) {
		set_end(&b->range, side, key_of_integer(o->integer), open);
	} else {
		integer_end(&b->range, side, v, open);
	}
	return true;
}

bool key_bounds_of(enum sl_payload_type type, const struct sl_operand *low, bool low_open,
		   const struct sl_operand *high, bool high_open, struct key_bounds *ret_bounds)
{
	struct key_bounds b = {{0, UINT64_MAX}, true}, h = b;

	SL_ASSERT(payload_is_sorted(type));
	if (!set_bound(type, &b, LOW, low, low_open) || !set_bound(type, &h, HIGH, high, high_open))
		return false;
	b.exact = b.exact && h.exact;
	b.range.high = sl_min(b.range.high, h.range.high);
	b.range.low = sl_max(b.range.low, h.range.low);
	*ret_bounds = b;
	return true;
}

bool key_bounds_of_range(enum sl_payload_type type, const struct sl_filter *f,
			 struct key_bounds *ret_bounds)
{
	return payload_is_sorted(type) &&
	       key_bounds_of(type, &f->range.low, f->range.low_open, &f->range.high,
			     f->range.high_open, ret_bounds);
}

struct key_range key_bounds_sure(struct key_bounds b)
{
	if (b.exact)
		return b.range;
	if (b.range.high - b.range.low < 2 || b.range.high < b.range.low)
		return nothing;
	return (struct key_range){b.range.low + 1, b.range.high - 1};
}

/* ---- indexes ---------------------------------------------------------------------------- */

roaring_bitmap_t **payload_bitmap(struct payload_index *x, uint32_t i)
{
	roaring_bitmap_t **all[] = {&x->rows,  &x->present, &x->many, &x->null,
				    &x->empty, &x->others,  &x->one};

	return i < SL_ARRAY_SIZE(all) ? all[i] : NULL;
}

void payload_index_free(struct payload_index *x)
{
	roaring_bitmap_t **map;

	if (!x)
		return;
	for (uint32_t i = 0; (map = payload_bitmap(x, i)); i++)
		if (*map)
			roaring_bitmap_free(*map);
	sorted_done(&x->counts);
	sorted_done(&x->sorted);
	dict_done(&x->dict);
	free(x->path);
	free(x);
}

int payload_index_new(const struct sl_payload_conf *conf, struct payload_index **ret_index)
{
	struct payload_index *x = calloc(1, sizeof(*x));
	roaring_bitmap_t **map;

	if (!x)
		return -ENOMEM;
	x->conf = *conf;
	x->conf.path = x->path = strdup(conf->path);
	for (uint32_t i = 0; (map = payload_bitmap(x, i)); i++)
		if (!(*map = roaring_bitmap_create()))
			goto out_free;
	if (!x->path)
		goto out_free;
	*ret_index = x;
	return 0;
out_free:
	payload_index_free(x);
	return -ENOMEM;
}

/* ---- one row ---------------------------------------------------------------------------- */

/**
 * struct putting - one row of one index is put, or (@remove) taken out.
 * @items: that are not null. @values: at the path.
 */
struct putting {
	struct sl_payload *p;
	struct payload_index *x;
	uint32_t row;
	bool remove;
	uint32_t items, values;
	bool null, some, others, one;
};

static int put_word(struct putting *u, const void *key, size_t n)
{
	if (!u->remove)
		return dict_add(&u->x->dict, key, (uint32_t)n, u->row);
	dict_remove(&u->x->dict, key, (uint32_t)n, u->row);
	return 0;
}

static int put_sorted(struct putting *u, struct sorted *s, uint64_t key)
{
	if (!u->remove)
		return sorted_add(s, key, u->row);
	sorted_remove(s, key, u->row);
	return 0;
}

int payload_reserve_text(struct sl_payload *p, size_t n)
{
	char *text;

	if (n <= p->text_room)
		return 0;
	n = sl_max(n, p->text_room * 2);
	text = realloc(p->text, n);
	if (!text)
		return -ENOMEM;
	p->text = text;
	p->text_room = n;
	return 0;
}

static int put_tokens(struct putting *u, const char *p, size_t n)
{
	const struct sl_tokeniser *t = &u->x->conf.tokeniser;
	struct tokens tokens = tokens_of(t, p, n);
	struct token token;
	int err = 0;

	while (!err && tokens_next(&tokens, &token)) {
		err = payload_reserve_text(u->p, token.n);
		if (!err)
			err = put_word(u, u->p->text, token_fold(token, t->keep_case, u->p->text));
	}
	return err;
}

static int put_text(struct putting *u, const struct sl_value *item)
{
	const char *p;
	size_t n;

	if (sl_value_type(item) != SL_VALUE_TEXT)
		return 0;
	p = sl_value_text(item, &n);
	return u->x->conf.type == SL_PAYLOAD_TEXT ? put_tokens(u, p, n) : put_word(u, p, n);
}

static int put_number(struct putting *u, const struct sl_value *item)
{
	enum sl_value_type type = sl_value_type(item);

	if (type != SL_VALUE_INTEGER && type != SL_VALUE_NUMBER)
		return 0;
	if (u->x->conf.type == SL_PAYLOAD_NUMBER)
		return put_sorted(u, &u->x->sorted, key_of_number(sl_value_number(item)));
	if (type == SL_VALUE_INTEGER)
		return put_sorted(u, &u->x->sorted, key_of_integer(sl_value_integer(item)));
	u->others = true;
	return 0;
}

static int put_key(struct putting *u, const struct sl_value *item)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	struct sl_place place;
	int64_t us;
	bool is;

	switch (u->x->conf.type) {
	case SL_PAYLOAD_BOOLEAN:
		if (sl_value_type(item) != SL_VALUE_BOOLEAN)
			return 0;
		is = sl_value_boolean(item);
		return put_word(u, &is, 1);
	case SL_PAYLOAD_UUID:
		return filter_uuid(item, uuid) ? put_word(u, uuid, sizeof(uuid)) : 0;
	case SL_PAYLOAD_DATE:
		return filter_date(item, &us) ? put_sorted(u, &u->x->sorted, key_of_integer(us))
					      : 0;
	case SL_PAYLOAD_GEO:
		return filter_place(item, &place) ? put_sorted(u, &u->x->sorted, cell_of(place))
						  : 0;
	case SL_PAYLOAD_INTEGER:
	case SL_PAYLOAD_NUMBER:
		return put_number(u, item);
	default:
		return put_text(u, item);
	}
}

static int put_item(void *arg, const struct sl_value *item)
{
	struct putting *u = arg;

	if (sl_value_type(item) == SL_VALUE_NULL) {
		u->null = true;
		return 0;
	}
	u->items++;
	return put_key(u, item);
}

static int put_count(struct putting *u, uint64_t count)
{
	if (count == 1) {
		u->one = true;
		return 0;
	}
	return put_sorted(u, &u->x->counts, count);
}

static int put_value(void *arg, const struct sl_value *v)
{
	struct putting *u = arg;
	uint64_t count = filter_count(v);

	u->values++;
	u->some = u->some || count > 0;
	return put_count(u, count);
}

static void mark(const struct putting *u, roaring_bitmap_t *map, bool is)
{
	if (is && !u->remove)
		roaring_bitmap_add(map, u->row);
	else
		roaring_bitmap_remove(map, u->row);
}

static int put_row(struct sl_payload *p, struct payload_index *x, uint32_t row,
		   const struct sl_object *o, bool remove)
{
	struct putting u = {.p = p, .x = x, .row = row, .remove = remove};
	const struct sl_value *root = sl_object_properties(o);
	int err = sl_value_visit(root, x->path, put_value, &u);

	if (!err)
		err = filter_visit_items(root, x->path, put_item, &u);
	if (!err && !u.values)
		err = put_count(&u, 0);
	if (err)
		return err;
	mark(&u, x->rows, true);
	mark(&u, x->present, u.items > 0);
	mark(&u, x->many, u.items > 1);
	mark(&u, x->null, u.null);
	mark(&u, x->empty, !u.some);
	mark(&u, x->others, u.others);
	mark(&u, x->one, u.one);
	return 0;
}

/* ---- the payload ------------------------------------------------------------------------ */

static const char *const types[] = {
	[SL_PAYLOAD_KEYWORD] = "keyword", [SL_PAYLOAD_INTEGER] = "integer",
	[SL_PAYLOAD_NUMBER] = "number",	  [SL_PAYLOAD_BOOLEAN] = "boolean",
	[SL_PAYLOAD_DATE] = "date",	  [SL_PAYLOAD_UUID] = "uuid",
	[SL_PAYLOAD_GEO] = "geo",	  [SL_PAYLOAD_TEXT] = "text",
};
static_assert(SL_ARRAY_SIZE(types) == SL_PAYLOAD_LAST, "a name for each type");

const char *sl_payload_type_name(enum sl_payload_type type)
{
	SL_ASSERT(type < SL_PAYLOAD_LAST);
	return types[type];
}

int sl_payload_new(sl_row_of_fn row_of, void *arg, struct sl_payload **ret_payload)
{
	struct sl_payload *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->row_of = row_of;
	p->row_of_arg = arg;
	p->rows = roaring_bitmap_create();
	if (!p->rows) {
		free(p);
		return -ENOMEM;
	}
	*ret_payload = p;
	return 0;
}

void sl_payload_free(struct sl_payload *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->index_n; i++)
		payload_index_free(p->indexes[i]);
	free(p->indexes);
	dict_done(&p->vectors);
	roaring_bitmap_free(p->rows);
	free(p->text);
	free(p);
}

static uint64_t bitmap_bytes(const roaring_bitmap_t *map)
{
	return sizeof(*map) + roaring_bitmap_portable_size_in_bytes(map);
}

static uint64_t index_bytes(struct payload_index *x)
{
	uint64_t bytes = sizeof(*x) + strlen(x->path) + 1 + dict_bytes(&x->dict) +
			 sorted_bytes(&x->sorted) + sorted_bytes(&x->counts);
	roaring_bitmap_t **map;

	for (uint32_t i = 0; (map = payload_bitmap(x, i)); i++)
		bytes += bitmap_bytes(*map);
	return bytes;
}

uint64_t sl_payload_bytes(const struct sl_payload *p)
{
	uint64_t bytes = sizeof(*p) + p->text_room + bitmap_bytes(p->rows) +
			 dict_bytes(&p->vectors) + p->index_n * sizeof(struct payload_index *);

	for (uint32_t i = 0; i < p->index_n; i++)
		bytes += index_bytes(p->indexes[i]);
	return bytes;
}

/* ---- its indexes ------------------------------------------------------------------------ */

/* Where it is, or the number of indexes. */
static uint32_t index_of(const struct sl_payload *p, const char *path, enum sl_payload_type type)
{
	uint32_t i = 0;

	while (i < p->index_n &&
	       (p->indexes[i]->conf.type != type || strcmp(p->indexes[i]->path, path)))
		i++;
	return i;
}

int payload_append(struct sl_payload *p, struct payload_index *x)
{
	size_t bytes = (p->index_n + 1) * sizeof(struct payload_index *);
	struct payload_index **indexes = realloc(p->indexes, bytes);

	if (!indexes)
		return -ENOMEM;
	p->indexes = indexes;
	p->indexes[p->index_n++] = x;
	return 0;
}

int payload_can_add(const struct sl_payload *p, const struct sl_payload_conf *conf)
{
	if (!object_is_path(conf->path) || conf->type >= SL_PAYLOAD_LAST ||
	    conf->tokeniser.kind >= SL_TOKENS_LAST)
		return -EINVAL;
	return index_of(p, conf->path, conf->type) < p->index_n ? -EEXIST : 0;
}

int sl_payload_index_add(struct sl_payload *p, const struct sl_payload_conf *conf)
{
	struct payload_index *x = NULL;
	int err = payload_can_add(p, conf);

	if (!err)
		err = payload_index_new(conf, &x);
	if (err)
		return err;
	err = payload_append(p, x);
	if (err)
		payload_index_free(x);
	return err;
}

int sl_payload_index_row(struct sl_payload *p, const char *path, enum sl_payload_type type,
			 uint32_t row, const struct sl_object *o)
{
	uint32_t i = index_of(p, path, type);
	int err;

	SL_ASSERT(i < p->index_n);
	SL_ASSERT(roaring_bitmap_contains(p->rows, row));
	if (roaring_bitmap_contains(p->indexes[i]->rows, row))
		return 0;
	err = put_row(p, p->indexes[i], row, o, false);
	if (err)
		put_row(p, p->indexes[i], row, o, true);
	return err;
}

void sl_payload_index_ready(struct sl_payload *p, const char *path, enum sl_payload_type type)
{
	uint32_t i = index_of(p, path, type);

	SL_ASSERT(i < p->index_n);
	SL_ASSERT(roaring_bitmap_equals(p->indexes[i]->rows, p->rows));
	p->indexes[i]->ready = true;
}

int sl_payload_index_remove(struct sl_payload *p, const char *path, enum sl_payload_type type)
{
	uint32_t i = index_of(p, path, type);

	if (i == p->index_n)
		return -ENOENT;
	payload_index_free(p->indexes[i]);
	p->index_n--;
	memmove(p->indexes + i, p->indexes + i + 1,
		(p->index_n - i) * sizeof(struct payload_index *));
	return 0;
}

const struct sl_payload_conf *sl_payload_index_at(const struct sl_payload *p, uint32_t i,
						  bool *ret_ready)
{
	if (i >= p->index_n)
		return NULL;
	if (ret_ready)
		*ret_ready = p->indexes[i]->ready;
	return &p->indexes[i]->conf;
}

/* ---- rows ------------------------------------------------------------------------------- */

uint64_t payload_rows_max(const struct sl_payload *p)
{
	return roaring_bitmap_is_empty(p->rows) ? 0 : (uint64_t)roaring_bitmap_maximum(p->rows) + 1;
}

static int put_vectors(struct sl_payload *p, uint32_t row, const struct sl_object *o, bool remove)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < sl_object_vector_count(o); i++) {
		const char *name;
		size_t n;

		sl_object_vector_at(o, i, &name, &n, NULL, NULL);
		if (remove)
			dict_remove(&p->vectors, name, (uint32_t)n, row);
		else
			err = dict_add(&p->vectors, name, (uint32_t)n, row);
	}
	return err;
}

static void take_out(struct sl_payload *p, uint32_t row, const struct sl_object *o)
{
	put_vectors(p, row, o, true);
	/* tokens that were put had their room: nothing can fail before what was put is out */
	for (uint32_t i = 0; i < p->index_n; i++)
		put_row(p, p->indexes[i], row, o, true);
	roaring_bitmap_remove(p->rows, row);
}

int sl_payload_add(struct sl_payload *p, uint32_t row, const struct sl_object *o)
{
	int err;

	SL_ASSERT(row != SL_ROW_NONE);
	if (roaring_bitmap_contains(p->rows, row))
		return -EEXIST;
	err = put_vectors(p, row, o, false);
	for (uint32_t i = 0; !err && i < p->index_n; i++)
		err = put_row(p, p->indexes[i], row, o, false);
	if (err)
		take_out(p, row, o);
	else
		roaring_bitmap_add(p->rows, row);
	return err;
}

int sl_payload_remove(struct sl_payload *p, uint32_t row, const struct sl_object *o)
{
	if (!roaring_bitmap_contains(p->rows, row))
		return -ENOENT;
	take_out(p, row, o);
	return 0;
}
