// SPDX-License-Identifier: Apache-2.0
/* Values of settings: each type's forms, ranges, and what is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/conf_pvt.h"
#include "harness.h"

static int number(enum sl_conf_type type, unsigned flags, int64_t min, int64_t max,
		  const char *text, int64_t *ret_value)
{
	struct sl_conf_key key = {.type = type, .flags = flags, .min = min, .max = max};

	return sl_conf_value_parse(&key, text, ret_value);
}

TEST(sizes_have_units_of_1024)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {{"0", 0},
		    {"4096", 4096},
		    {"7B", 7},
		    {"64K", 65536},
		    {"64k", 65536},
		    {"2 MiB", 2097152},
		    {"1GB", 1073741824},
		    {"8388607T", INT64_C(8388607) << 40}};
	int64_t v;

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, number(SL_CONF_BYTES, 0, 0, INT64_MAX, rows[i].text, &v));
		EXPECT_EQ(rows[i].value, v);
	}
}

TEST(sizes_that_are_none_are_refused)
{
	static const char *const rows[] = {"",	 "K",	  "-1",	  "+1", "1.5G",
					   "1X", "1 K M", "0x10", "off"};
	int64_t v = 42;

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		EXPECT_EQ(-EINVAL, number(SL_CONF_BYTES, 0, 0, INT64_MAX, rows[i], &v));
	EXPECT_EQ(-ERANGE, number(SL_CONF_BYTES, 0, 0, INT64_MAX, "8388608T", &v));
	EXPECT_EQ(-ERANGE, number(SL_CONF_BYTES, 0, 0, INT64_MAX, "9223372036854775808", &v));
	EXPECT_EQ(42, v);
}

TEST(ranges_hold_at_both_ends)
{
	int64_t v;

	EXPECT_EQ(-ERANGE, number(SL_CONF_UINT, 0, 2, 9, "1", &v));
	EXPECT_EQ(0, number(SL_CONF_UINT, 0, 2, 9, "2", &v));
	EXPECT_EQ(0, number(SL_CONF_UINT, 0, 2, 9, "9", &v));
	EXPECT_EQ(-ERANGE, number(SL_CONF_UINT, 0, 2, 9, "10", &v));
	EXPECT_EQ(-EINVAL, number(SL_CONF_UINT, 0, 2, 9, "3K", &v));
}

TEST(off_is_zero_where_it_is_allowed_whatever_the_range)
{
	int64_t v = 42;

	EXPECT_EQ(0, number(SL_CONF_BYTES, SL_CONF_OFF, 5, 9, "off", &v));
	EXPECT_EQ(0, v);
	EXPECT_EQ(-ERANGE, number(SL_CONF_BYTES, SL_CONF_OFF, 5, 9, "0", &v));
	EXPECT_EQ(0, number(SL_CONF_TIME_MS, SL_CONF_OFF, 5, 9, "off", &v));
	EXPECT_EQ(0, v);
}

TEST(times_need_a_unit_unless_zero)
{
	int64_t v;

	ASSERT_EQ(0, number(SL_CONF_TIME_NS, 0, 0, INT64_MAX, "250ms", &v));
	EXPECT_EQ(250 * SL_MSEC, v);
	ASSERT_EQ(0, number(SL_CONF_TIME_NS, 0, 0, INT64_MAX, "7d", &v));
	EXPECT_EQ(7 * 86400 * SL_SEC, v);
	ASSERT_EQ(0, number(SL_CONF_TIME_NS, 0, 0, INT64_MAX, "10m", &v));
	EXPECT_EQ(600 * SL_SEC, v);
	ASSERT_EQ(0, number(SL_CONF_TIME_NS, 0, 0, INT64_MAX, "0", &v));
	EXPECT_EQ(0, v);
	EXPECT_EQ(-EINVAL, number(SL_CONF_TIME_NS, 0, 0, INT64_MAX, "10", &v));
	EXPECT_EQ(-ERANGE, number(SL_CONF_TIME_NS, 0, 0, INT64_MAX, "999999999d", &v));
}

TEST(plain_numbers_are_milliseconds_where_the_key_says_so)
{
	int64_t v;

	ASSERT_EQ(0, number(SL_CONF_TIME_MS, 0, 0, INT64_MAX, "604800000", &v));
	EXPECT_EQ(604800000, v);
	ASSERT_EQ(0, number(SL_CONF_TIME_MS, 0, 0, INT64_MAX, "7d", &v));
	EXPECT_EQ(604800000, v);
	EXPECT_EQ(-EINVAL, number(SL_CONF_TIME_MS, 0, 0, INT64_MAX, "1500us", &v));
}

TEST(choices_are_whole_words)
{
	struct sl_conf_key key = {.type = SL_CONF_CHOICE, .choices = "group|each|none"};
	char allowed[64];
	int v = -1;

	EXPECT_EQ(0, sl_conf_value_parse(&key, "none", &v));
	EXPECT_EQ(2, v);
	EXPECT_EQ(0, sl_conf_value_parse(&key, "Group", &v));
	EXPECT_EQ(0, v);
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "eac", &v));
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "each|none", &v));
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "", &v));
	sl_conf_allowed(&key, allowed, sizeof(allowed));
	EXPECT_STREQ("group, each or none", allowed);
}

TEST(addresses_are_numbers_and_are_printed_as_read)
{
	static const struct {
		const char *text, *first;
		uint32_t n;
	} rows[] = {{"127.0.0.1:9092", "127.0.0.1:9092", 1},
		    {"[::1]:80,localhost:81", "[::1]:80", 2},
		    {" *:1  [::]:2 , 10.1.2.3:65535 ", "0.0.0.0:1", 3},
		    {"OFF", NULL, 0}};
	struct sl_conf_key key = {.type = SL_CONF_ADDRS};
	struct sl_conf_addrs addrs;
	char text[SL_CONF_ADDR_TEXT];

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, sl_conf_value_parse(&key, rows[i].text, &addrs));
		ASSERT_EQ(rows[i].n, addrs.n);
		if (!addrs.n)
			continue;
		sl_conf_addr_format(&addrs.addrs[0], text);
		EXPECT_STREQ(rows[i].first, text);
	}
}

TEST(addresses_that_are_none_are_refused)
{
	static const char *const rows[] = {"",
					   ",",
					   "127.0.0.1",
					   "127.0.0.1:",
					   ":9092",
					   "host:9092",
					   "1.2.3.4:65536",
					   "[::1]",
					   "[::1]9092",
					   "::1:9092",
					   "[1.2.3.4]:1",
					   "[]:1",
					   "127.0.0.1:1x",
					   "[::1:80"};
	struct sl_conf_key key = {.type = SL_CONF_ADDRS};
	struct sl_conf_addrs addrs;

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		if (!EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, rows[i], &addrs)))
			TH_LOG("for '%s'", rows[i]);
	EXPECT_EQ(-ERANGE,
		  sl_conf_value_parse(&key, "*:1,*:2,*:3,*:4,*:5,*:6,*:7,*:8,*:9", &addrs));
}

TEST(host_and_port_may_be_a_name)
{
	struct sl_conf_key key = {.type = SL_CONF_HOSTPORT};
	struct sl_conf_hostport hp;

	ASSERT_EQ(0, sl_conf_value_parse(&key, "kafka.example.org:9092", &hp));
	EXPECT_STREQ("kafka.example.org", hp.host);
	EXPECT_EQ(9092, hp.port);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "[fe80::1]:1", &hp));
	EXPECT_STREQ("fe80::1", hp.host);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "", &hp));
	EXPECT_EQ(0, hp.port);
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "a b:1", &hp));
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "a:0", &hp));
}

TEST(cpus_are_a_count_or_a_list)
{
	struct sl_conf_key key = {.type = SL_CONF_CPUS};
	struct sl_conf_cpus c;

	ASSERT_EQ(0, sl_conf_value_parse(&key, "4", &c));
	EXPECT_EQ(4, c.count);
	EXPECT_FALSE(c.is_list);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "3-3", &c));
	EXPECT_EQ(1, c.count);
	EXPECT_EQ(8, c.mask[0]);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "0-1,1,64,1023", &c));
	EXPECT_EQ(4, c.count);
	EXPECT_EQ(1, c.mask[1]);
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "3-1", &c));
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "1,", &c));
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "1-", &c));
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "0-1024", &c));
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "1025", &c));
}

TEST(rules_are_prefixes_and_cores)
{
	static const uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1};
	static const char *const rows[] = {"10.0.0.0",	   "10.0.0.0/8",  "10.0.0.0/8:",
					   "10.0.0.0/8:x", "10.0/8:1",	  "10.0.0.0/8:2-1",
					   "::1/128:1",	   "[::1]:1",	  "[::1/128:1",
					   "10.0.0.0/8:1;10.1.0.0/16:2", "10.0.0.0/:1"};
	struct sl_conf_key key = {.type = SL_CONF_RULES};
	struct sl_conf_rules r;
	char many[65 * 12 + 1];

	ASSERT_EQ(0, sl_conf_value_parse(&key, "10.1.2.3/16:0-3, [2001:db8::]/32:4", &r));
	ASSERT_EQ(2, r.n);
	EXPECT_MEMEQ(ipv4, r.v[0].addr, 16);
	EXPECT_EQ(96 + 16, r.v[0].bits);
	EXPECT_EQ(0, r.v[0].first);
	EXPECT_EQ(3, r.v[0].last);
	EXPECT_EQ(32, r.v[1].bits);
	EXPECT_EQ(0x20, r.v[1].addr[0]);
	EXPECT_EQ(4, r.v[1].first);
	EXPECT_EQ(4, r.v[1].last);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "", &r));
	EXPECT_EQ(0, r.n);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "0.0.0.0/0:1", &r));
	EXPECT_EQ(96, r.v[0].bits);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		if (!EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, rows[i], &r)))
			TH_LOG("for '%s'", rows[i]);
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "10.0.0.0/33:1", &r));
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "10.0.0.0/8:1024", &r));
	for (size_t i = 0; i < sizeof(many) - 1; i += 12)
		memcpy(many + i, "1.0.0.0/8:1,", 13);
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, many, &r));
}

TEST(ports_are_a_range)
{
	static const char *const rows[] = {"", "9100", "9100-", "0-3", "9-8", "1-2-3", "a-b"};
	struct sl_conf_key key = {.type = SL_CONF_PORTS};
	struct sl_conf_ports p;

	ASSERT_EQ(0, sl_conf_value_parse(&key, "9100-9163", &p));
	EXPECT_EQ(9100, p.first);
	EXPECT_EQ(9163, p.last);
	ASSERT_EQ(0, sl_conf_value_parse(&key, "OFF", &p));
	EXPECT_EQ(0, p.first);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, rows[i], &p));
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "9100-65536", &p));
}

TEST(strings_hold_no_control_characters)
{
	struct sl_conf_key key = {.type = SL_CONF_STRING, .min = 1, .max = 3};
	char *s = NULL;

	EXPECT_EQ(0, sl_conf_value_parse(&key, "abc", &s));
	EXPECT_STREQ("abc", s);
	free(s);
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "abcd", &s));
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "", &s));
	EXPECT_EQ(-EINVAL, sl_conf_value_parse(&key, "a\n", &s));
}

TEST(a_string_that_may_be_off_is_empty_then)
{
	struct sl_conf_key key = {.type = SL_CONF_STRING, .min = 1, .max = 3};
	char *s = NULL;

	EXPECT_EQ(0, sl_conf_value_parse(&key, "off", &s));
	EXPECT_STREQ("off", s);
	free(s);
	key.flags = SL_CONF_OFF;
	EXPECT_EQ(0, sl_conf_value_parse(&key, "Off", &s));
	EXPECT_STREQ("", s);
	free(s);
	EXPECT_EQ(-ERANGE, sl_conf_value_parse(&key, "", &s));
}

TEST_HARNESS_MAIN
