/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places as keys: near to each other, most of them have near keys.
 *
 * Interface: payload_pvt.h. Latitude and longitude have 32 bits each, those of the key in turns,
 * the longitude's first. A key's leading bits so name a cell of the globe, and all keys in it are
 * one range; a box is covered by cells of about its size or smaller.
 *
 * Order of parts: keys; covering.
 */
#include <math.h>

#include "payload_pvt.h"

#define SCALE 0x1p32

/* ---- keys ------------------------------------------------------------------------------- */

/* Bits of @v at every second place. */
static uint64_t spread(uint32_t v)
{
	uint64_t x = v;

	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	x = (x | x << 2) & UINT64_C(0x3333333333333333);
	return (x | x << 1) & UINT64_C(0x5555555555555555);
}

static uint32_t gather(uint64_t x)
{
	x &= UINT64_C(0x5555555555555555);
	x = (x | x >> 1) & UINT64_C(0x3333333333333333);
	x = (x | x >> 2) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	x = (x | x >> 4) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
	return (uint32_t)(x | x >> 16);
}

/* Of @v from @low on, over @width degrees. */
static uint32_t step_of(double v, double low, double width)
{
	double step = (v - low) / width * SCALE;

	return step <= 0 ? 0 : step >= SCALE ? UINT32_MAX : (uint32_t)step;
}

uint64_t cell_of(struct sl_place place)
{
	return spread(step_of(place.longitude, -180, 360)) << 1 |
	       spread(step_of(place.latitude, -90, 180));
}

/* The middle of what has that key. */
struct sl_place cell_place(uint64_t cell)
{
	return (struct sl_place){
		.latitude = (gather(cell) + 0.5) / SCALE * 180 - 90,
		.longitude = (gather(cell >> 1) + 0.5) / SCALE * 360 - 180,
	};
}

/* ---- covering --------------------------------------------------------------------------- */

/* Steps, both ends meant. */
struct box {
	uint32_t south, north, west, east;
};

struct cover {
	struct box box;
	struct key_range *ranges;
	uint32_t n, room;
	uint32_t bits; /* of the smallest cells' keys that are looked at */
};

static void put_range(struct cover *c, uint64_t low, uint64_t high)
{
	/* where there is no room, what lies between is looked at too */
	if (c->n && (c->n == c->room || c->ranges[c->n - 1].high + 1 == low)) {
		c->ranges[c->n - 1].high = high;
		return;
	}
	c->ranges[c->n++] = (struct key_range){low, high};
}

/* The cell whose key begins with the first @bits of @key. */
static void cover(struct cover *c, uint64_t key, uint32_t bits)
{
	uint64_t rest = bits ? UINT64_MAX >> (bits - 1) >> 1 : UINT64_MAX;
	uint32_t south = gather(key), west = gather(key >> 1);
	uint32_t north = gather(key | rest), east = gather((key | rest) >> 1);
	const struct box *b = &c->box;

	if (south > b->north || north < b->south || west > b->east || east < b->west)
		return;
	if (bits == c->bits ||
	    (south >= b->south && north <= b->north && west >= b->west && east <= b->east)) {
		put_range(c, key, key | rest);
		return;
	}
	cover(c, key, bits + 1);
	cover(c, key | UINT64_C(1) << (63 - bits), bits + 1);
}

/* Cells of a third of the box's smaller side, or of a twelfth of its greater one. */
static uint32_t bits_for(const struct box *b)
{
	uint32_t high = b->north - b->south, wide = b->east - b->west;
	uint32_t size = sl_max(sl_min(high, wide), sl_max(high, wide) / 4) / 3;

	return 2 * (size ? (uint32_t)__builtin_clz(size) + 1 : 32);
}

static uint32_t cover_box(struct box box, struct key_range *ret_ranges, uint32_t room)
{
	struct cover c = {box, ret_ranges, 0, room, bits_for(&box)};

	cover(&c, 0, 0);
	return c.n;
}

uint32_t cell_ranges(struct bounds b, struct key_range *ret_ranges)
{
	struct box box = {
		.south = step_of(b.south, -90, 180),
		.north = step_of(b.north, -90, 180),
		.west = step_of(b.west, -180, 360),
		.east = step_of(b.east, -180, 360),
	};
	uint32_t n;

	if (b.south > b.north)
		return 0;
	if (b.west <= b.east)
		return cover_box(box, ret_ranges, CELL_RANGES_MAX);
	n = cover_box((struct box){box.south, box.north, box.west, UINT32_MAX}, ret_ranges,
		      CELL_RANGES_MAX / 2);
	return n + cover_box((struct box){box.south, box.north, 0, box.east}, ret_ranges + n,
			     CELL_RANGES_MAX / 2);
}
