/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places on the globe: circles, boxes, polygons.
 *
 * Interface: filter_pvt.h. Distances are those of great circles on a sphere; a polygon's edges are
 * straight between latitudes and longitudes, and none of them goes over 180 degrees.
 *
 * Order of parts: circles; boxes; polygons; all of them; bounds.
 */
#include <math.h>

#include "filter_pvt.h"

#define EARTH_M 6371008.8 /* mean radius */
#define RAD(degrees) ((degrees) * (M_PI / 180))
#define DEGREE_M (EARTH_M * (M_PI / 180))

/* ---- circles ---------------------------------------------------------------------------- */

static double distance_m(struct sl_place a, struct sl_place b)
{
	double north = sin(RAD(b.latitude - a.latitude) / 2);
	double east = sin(RAD(b.longitude - a.longitude) / 2);
	double h = north * north + cos(RAD(a.latitude)) * cos(RAD(b.latitude)) * east * east;

	return 2 * EARTH_M * asin(sqrt(sl_min(h, 1.0)));
}

static enum place_answer in_circle(const struct sl_filter *f, struct sl_place place, double slack)
{
	/* a degree of latitude and one of longitude; computing has its own error */
	double error = slack ? 2 * slack * DEGREE_M + 0.01 : 0;
	double m = distance_m(f->radius.centre, place);

	if (m < f->radius.radius_m - error)
		return PLACE_IN;
	return m < f->radius.radius_m + error ? PLACE_DOUBT : PLACE_OUT;
}

/* ---- boxes ------------------------------------------------------------------------------ */

/* Between @low and @high, surely where @slack is negative, else perhaps. */
static bool between(double low, double x, double high, double slack)
{
	return low - slack < x && x < high + slack;
}

static bool in_longitudes(double west, double x, double east, double slack)
{
	return west > east ? x > west - slack || x < east + slack : between(west, x, east, slack);
}

static bool is_in_box(const struct sl_filter *f, struct sl_place place, double slack)
{
	struct sl_place a = f->box.top_left, b = f->box.bottom_right;

	return between(b.latitude, place.latitude, a.latitude, slack) &&
	       in_longitudes(a.longitude, place.longitude, b.longitude, slack);
}

static enum place_answer in_box(const struct sl_filter *f, struct sl_place place, double slack)
{
	if (is_in_box(f, place, -slack))
		return PLACE_IN;
	return is_in_box(f, place, slack) ? PLACE_DOUBT : PLACE_OUT;
}

/* ---- polygons --------------------------------------------------------------------------- */

/* Whether a line from the place to the east crosses the edges an odd number of times. */
static bool is_in_ring(const struct sl_ring *ring, struct sl_place at)
{
	bool in = false;

	for (uint32_t i = 0, j = ring->n - 1; i < ring->n; j = i++) {
		struct sl_place a = ring->places[i], b = ring->places[j];

		if ((a.latitude > at.latitude) != (b.latitude > at.latitude) &&
		    at.longitude < a.longitude + (b.longitude - a.longitude) *
							 (at.latitude - a.latitude) /
							 (b.latitude - a.latitude))
			in = !in;
	}
	return in;
}

static bool is_near_edge(struct sl_place a, struct sl_place b, struct sl_place at, double slack)
{
	double x = b.longitude - a.longitude, y = b.latitude - a.latitude;
	double to_x = at.longitude - a.longitude, to_y = at.latitude - a.latitude;
	double square = x * x + y * y, along = square > 0 ? (to_x * x + to_y * y) / square : 0;

	along = sl_max(0.0, sl_min(1.0, along));
	return hypot(to_x - along * x, to_y - along * y) <= slack;
}

static bool is_near_ring(const struct sl_ring *ring, struct sl_place at, double slack)
{
	for (uint32_t i = 0, j = ring->n - 1; i < ring->n; j = i++)
		if (is_near_edge(ring->places[i], ring->places[j], at, slack))
			return true;
	return false;
}

static enum place_answer in_polygon(const struct sl_filter *f, struct sl_place place, double slack)
{
	bool in = is_in_ring(&f->rings[0], place);

	for (uint32_t i = 0; slack && i < f->ring_n; i++)
		if (is_near_ring(&f->rings[i], place, 2 * slack))
			return PLACE_DOUBT;
	for (uint32_t i = 1; in && i < f->ring_n; i++)
		in = !is_in_ring(&f->rings[i], place);
	return in ? PLACE_IN : PLACE_OUT;
}

/* ---- all of them ------------------------------------------------------------------------ */

enum place_answer place_answer(const struct sl_filter *f, struct sl_place place, double slack)
{
	switch (f->kind) {
	case SL_FILTER_RADIUS:
		return in_circle(f, place, slack);
	case SL_FILTER_BOX:
		return in_box(f, place, slack);
	default:
		SL_ASSERT(f->kind == SL_FILTER_POLYGON);
		return in_polygon(f, place, slack);
	}
}

bool place_is_meant(const struct sl_filter *f, struct sl_place place)
{
	return place_answer(f, place, 0) == PLACE_IN;
}

/* ---- bounds ----------------------------------------------------------------------------- */

static double wrapped(double longitude)
{
	/* at 180 degrees as well: the same places are at -180 */
	return longitude <= -180 ? longitude + 360 : longitude >= 180 ? longitude - 360 : longitude;
}

static struct bounds circle_bounds(struct sl_place centre, double radius_m)
{
	double high = sl_max(radius_m, 0.0) / DEGREE_M + 1e-6, wide;
	struct bounds b = {
		.south = sl_max(centre.latitude - high, -90.0),
		.north = sl_min(centre.latitude + high, 90.0),
		.west = -180,
		.east = 180,
	};

	/* a pole within it: all longitudes */
	if (b.south <= -90 || b.north >= 90)
		return b;
	wide = asin(sl_min(sin(RAD(high)) / cos(RAD(centre.latitude)), 1.0)) * (180 / M_PI) + 1e-6;
	if (wide < 180) {
		b.west = wrapped(centre.longitude - wide);
		b.east = wrapped(centre.longitude + wide);
	}
	return b;
}

static struct bounds ring_bounds(const struct sl_ring *ring)
{
	struct bounds b = {90, -90, 180, -180};

	for (uint32_t i = 0; i < ring->n; i++) {
		b.south = sl_min(b.south, ring->places[i].latitude);
		b.north = sl_max(b.north, ring->places[i].latitude);
		b.west = sl_min(b.west, ring->places[i].longitude);
		b.east = sl_max(b.east, ring->places[i].longitude);
	}
	return b;
}

struct bounds place_bounds(const struct sl_filter *f)
{
	switch (f->kind) {
	case SL_FILTER_RADIUS:
		return circle_bounds(f->radius.centre, f->radius.radius_m);
	case SL_FILTER_BOX:
		return (struct bounds){f->box.bottom_right.latitude, f->box.top_left.latitude,
				       f->box.top_left.longitude, f->box.bottom_right.longitude};
	default:
		SL_ASSERT(f->kind == SL_FILTER_POLYGON);
		return ring_bounds(&f->rings[0]);
	}
}
