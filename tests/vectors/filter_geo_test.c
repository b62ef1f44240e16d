/* SPDX-License-Identifier: Apache-2.0 */
/* Places: distances, boxes over 180 degrees, polygons with holes; answers about inexact places. */
#include <math.h>

#include "harness.h"
#include "vectors/filter_pvt.h"

static double random_between(double low, double high)
{
	return low + (double)(harness_random() >> 11) * 0x1p-53 * (high - low);
}

static bool in_circle(double lat, double lon, double m, double at_lat, double at_lon)
{
	struct sl_filter f = {SL_FILTER_RADIUS, .radius = {{lat, lon}, m}};

	return place_is_meant(&f, (struct sl_place){at_lat, at_lon});
}

TEST(distances_are_those_of_known_cities)
{
	/* Berlin to Moscow: 1609 km; London to New York: 5570 km */
	EXPECT_FALSE(in_circle(52.52, 13.405, 1605e3, 55.7558, 37.6173));
	EXPECT_TRUE(in_circle(52.52, 13.405, 1613e3, 55.7558, 37.6173));
	EXPECT_FALSE(in_circle(51.5074, -0.1278, 5560e3, 40.7128, -74.006));
	EXPECT_TRUE(in_circle(51.5074, -0.1278, 5580e3, 40.7128, -74.006));
	/* a degree of the equator, over 180 degrees; from pole to pole */
	EXPECT_TRUE(in_circle(0, 179.5, 111196, 0, -179.5));
	EXPECT_FALSE(in_circle(0, 179.5, 111194, 0, -179.5));
	EXPECT_TRUE(in_circle(90, 0, 20015200, -90, 77));
	EXPECT_FALSE(in_circle(90, 0, 20015000, -90, 77));
	EXPECT_FALSE(in_circle(1, 1, 0, 1, 1));
}

static bool in_box(double top, double left, double bottom, double right, double lat, double lon)
{
	struct sl_filter f = {SL_FILTER_BOX, .box = {{top, left}, {bottom, right}}};

	return place_is_meant(&f, (struct sl_place){lat, lon});
}

TEST(boxes_may_go_over_180_degrees)
{
	EXPECT_TRUE(in_box(10, -10, -10, 10, 0, 0));
	EXPECT_FALSE(in_box(10, -10, -10, 10, 10, 0));
	EXPECT_FALSE(in_box(10, -10, -10, 10, 0, 10));
	EXPECT_FALSE(in_box(-10, -10, 10, 10, 0, 0));
	EXPECT_TRUE(in_box(10, 170, -10, -170, 0, 180));
	EXPECT_TRUE(in_box(10, 170, -10, -170, 0, -180));
	EXPECT_TRUE(in_box(10, 170, -10, -170, 0, 171));
	EXPECT_FALSE(in_box(10, 170, -10, -170, 0, 170));
	EXPECT_FALSE(in_box(10, 170, -10, -170, 0, 0));
}

/* A square with a hole, whose corners are told twice. */
static const struct sl_place outer[] = {{0, 0}, {0, 10}, {10, 10}, {10, 0}, {0, 0}};
static const struct sl_place hole[] = {{4, 4}, {4, 6}, {6, 6}, {6, 4}, {4, 4}};
static const struct sl_place notch[] = {{0, 0}, {10, 5}, {0, 10}, {5, 5}};

TEST(polygons_have_holes)
{
	const struct sl_ring rings[] = {{outer, 5}, {hole, 5}}, arrow = {notch, 4};
	const struct sl_filter f = {SL_FILTER_POLYGON, .rings = rings, .ring_n = 2};
	const struct sl_filter a = {SL_FILTER_POLYGON, .rings = &arrow, .ring_n = 1};

	EXPECT_TRUE(place_is_meant(&f, (struct sl_place){1, 1}));
	EXPECT_TRUE(place_is_meant(&f, (struct sl_place){9.9, 5}));
	EXPECT_FALSE(place_is_meant(&f, (struct sl_place){5, 5}));
	EXPECT_FALSE(place_is_meant(&f, (struct sl_place){5, 11}));
	EXPECT_FALSE(place_is_meant(&f, (struct sl_place){-1, 5}));
	EXPECT_TRUE(place_is_meant(&a, (struct sl_place){7, 5}));
	EXPECT_FALSE(place_is_meant(&a, (struct sl_place){2, 5}));
	EXPECT_TRUE(place_is_meant(&a, (struct sl_place){2, 1.5}));
}

static struct sl_filter random_filter(struct sl_place *corners, struct sl_ring *ring)
{
	struct sl_filter f = {SL_FILTER_RADIUS + harness_random() % 3};

	for (int i = 0; i < 5; i++)
		corners[i] = (struct sl_place){random_between(-90, 90), random_between(-180, 180)};
	*ring = (struct sl_ring){corners, 5};
	if (f.kind == SL_FILTER_RADIUS) {
		f.radius.centre = corners[0];
		f.radius.radius_m = pow(10, random_between(0, 7.5));
	} else if (f.kind == SL_FILTER_BOX) {
		f.box.top_left = corners[0];
		f.box.bottom_right = corners[1];
	} else {
		f.rings = ring;
		f.ring_n = 1;
	}
	return f;
}

static bool is_within(struct bounds b, struct sl_place p)
{
	bool east = b.west > b.east ? p.longitude >= b.west || p.longitude <= b.east
				    : p.longitude >= b.west && p.longitude <= b.east;

	return east && p.latitude >= b.south && p.latitude <= b.north;
}

/* A place near another, as it is kept; near to the edge of what is meant too. */
TEST(inexact_places_give_no_wrong_answer)
{
	const double slack = 1e-7;

	for (int i = 0; i < 20000; i++) {
		struct sl_place corners[5], at, kept;
		struct sl_ring ring;
		struct sl_filter f = random_filter(corners, &ring);
		enum place_answer answer;
		bool is;

		at = (struct sl_place){random_between(-90, 90), random_between(-180, 180)};
		if (f.kind == SL_FILTER_RADIUS && i % 2) { /* to the north, just at the edge */
			at = corners[0];
			at.latitude = sl_min(at.latitude + f.radius.radius_m / 111195.08, 90.0);
		}
		kept.latitude = at.latitude + random_between(-slack, slack);
		kept.longitude = at.longitude + random_between(-slack, slack);
		is = place_is_meant(&f, at);
		answer = place_answer(&f, kept, slack);
		ASSERT_TRUE(answer == PLACE_DOUBT || is == (answer == PLACE_IN));
		if (is)
			ASSERT_TRUE(is_within(place_bounds(&f), at));
	}
}

TEST(bounds_go_over_180_degrees_and_poles)
{
	struct sl_filter f = {SL_FILTER_RADIUS, .radius = {{0, 179.9}, 100e3}};
	struct bounds b = place_bounds(&f);

	EXPECT_TRUE(b.west > 178 && b.west < 180 && b.east > -180 && b.east < -178);
	f.radius.centre = (struct sl_place){89.9, 0};
	b = place_bounds(&f);
	EXPECT_TRUE(b.west == -180 && b.east == 180 && b.north == 90);
	f.radius.centre = (struct sl_place){0, 175};
	f.radius.radius_m = 5 * 111195.08;
	EXPECT_TRUE(is_within(place_bounds(&f), (struct sl_place){0, -180}));
}

TEST_HARNESS_MAIN
