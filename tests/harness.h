/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test harness, in the manner of the kernel's kselftest_harness.h.
 *
 *	FIXTURE(log) { struct sl_log *log; };
 *	FIXTURE_VARIANT(log) { bool sim; };
 *	FIXTURE_VARIANT_ADD(log, real) { .sim = false };
 *	FIXTURE_VARIANT_ADD(log, sim) { .sim = true };
 *	FIXTURE_SETUP(log) { ASSERT_EQ(0, sl_log_open(harness_tmpdir(), &self->log)); }
 *	FIXTURE_TEARDOWN(log) { sl_log_close(self->log); }
 *	TEST_F(log, append_returns_offset) { EXPECT_EQ(0, sl_log_append(self->log, ...)); }
 *	TEST(crc_of_nothing_is_zero) { EXPECT_EQ(0, sl_crc32c(0, "", 0)); }
 *	TEST_HARNESS_MAIN
 *
 * Each test runs in its own process with a time limit (30 s unless TEST_TIMEOUT or
 * TEST_F_TIMEOUT says otherwise; SLUICE_TIME_SCALE multiplies it, for sanitizers). Output is TAP.
 * A test fails when an EXPECT or ASSERT does not hold, when it dies, when it runs out of time and
 * when it asserted nothing. Processes that it leaves behind are killed.
 *
 * EXPECT_* notes a failure and goes on; ASSERT_* ends the test's process at once, without the
 * teardown (from any thread or fiber: nothing outlives the process but harness_tmpdir(), which
 * the parent removes). Arguments are (expected, seen), each evaluated once; both are printed.
 * Integers are compared as mathematical values: -1 and UINT32_MAX differ. EXPECT_* are
 * expressions that are true when they hold: if (!EXPECT_EQ(0, ret)) TH_LOG("at step %d", i);
 *
 * Program arguments: names or glob patterns of tests to run, --list, --nofork (for a debugger),
 * --help. SLUICE_SEED sets the seed that harness_seed() gives; it is printed at the start.
 * SLUICE_WORK_PART=N sets what harness_work_part() gives.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HARNESS_TIMEOUT_S 30
#define HARNESS_EXIT_SKIP 4

/* ---- what a test may call ------------------------------------------------------------------ */

/**
 * harness_seed() - the run's seed: of SLUICE_SEED, else chosen at random; the same in every test.
 */
uint64_t harness_seed(void);

/**
 * harness_random() - next number of this test's own sequence (splitmix64 from the seed).
 */
uint64_t harness_random(void);

/**
 * harness_tmpdir() - path of an empty folder of this test, made at the first call (under TMPDIR
 * or /tmp) and removed after the test, whatever became of it. Never NULL: failure ends the test.
 */
const char *harness_tmpdir(void);

/**
 * harness_build_path() - path of a file in the build folder, such as "sluiced"; static storage.
 */
const char *harness_build_path(const char *name);

/**
 * harness_open_fds() - how many descriptors this process has, for what must leave none behind.
 */
int harness_open_fds(void);

/**
 * harness_time_scale() - factor (>= 1) by which sanitizers slow this run; for a test's own waits.
 */
int harness_time_scale(void);

/**
 * harness_work_part() - one in how many of its cases a test should do (>= 1; 1: all). Asked only by
 * tests whose code has one thread, for runs in which nothing but threads is of interest.
 */
int harness_work_part(void);

/**
 * harness_leaks_unchecked() - leave the leak checker out at the end of this test, because the test
 * gave up what the checker needs (it reads /proc of its own process).
 */
void harness_leaks_unchecked(void);

/* Prints a line that is shown when the test fails (and with V=1). */
#define TH_LOG(fmt, ...) harness_log(__FILE__, __LINE__, fmt, ##__VA_ARGS__)

/* SKIP(return, "kernel has no %s", what): records the reason, then runs the statement. */
#define SKIP(statement, fmt, ...)                                                                  \
	do {                                                                                       \
		harness_skip(fmt, ##__VA_ARGS__);                                                  \
		statement;                                                                         \
	} while (0)

/* ---- tests and fixtures ---------------------------------------------------------------------- */

#define TEST(name) TEST_TIMEOUT(name, HARNESS_TIMEOUT_S)

#define TEST_TIMEOUT(name, limit_s)                                                                \
	static void harness_body_##name(void);                                                     \
	static void harness_run_##name(const struct harness_test *t)                               \
	{                                                                                          \
		(void)t;                                                                           \
		harness_body_##name();                                                             \
	}                                                                                          \
	HARNESS_REGISTER(name, NULL, #name, limit_s)                                               \
	static void harness_body_##name(void)

#define FIXTURE(fixture)                                                                           \
	struct fixture##_harness_variant;                                                          \
	struct fixture##_harness_self;                                                             \
	static struct harness_fixture harness_fixture_##fixture = {.name = #fixture};              \
	struct fixture##_harness_self

#define FIXTURE_DATA(fixture) struct fixture##_harness_self
#define FIXTURE_VARIANT(fixture) struct fixture##_harness_variant

/* FIXTURE_VARIANT_ADD(fixture, name) { .field = value }; every test of the fixture runs with it. */
#define FIXTURE_VARIANT_ADD(fixture, variant)                                                      \
	extern const struct fixture##_harness_variant harness_variant_##fixture##_##variant;       \
	static struct harness_variant harness_row_##fixture##_##variant = {                        \
		.name = #variant, .data = &harness_variant_##fixture##_##variant};                 \
	__attribute__((constructor)) static void harness_add_##fixture##_##variant(void)           \
	{                                                                                          \
		harness_variant_add(&harness_fixture_##fixture,                                    \
				    &harness_row_##fixture##_##variant);                           \
	}                                                                                          \
	const struct fixture##_harness_variant harness_variant_##fixture##_##variant =

#define FIXTURE_SETUP(fixture)                                                                     \
	static inline void harness_setup_##fixture(                                                \
		struct fixture##_harness_self __attribute__((unused)) *self,                       \
		const struct fixture##_harness_variant __attribute__((unused)) *variant)

#define FIXTURE_TEARDOWN(fixture)                                                                  \
	static inline void harness_teardown_##fixture(                                             \
		struct fixture##_harness_self __attribute__((unused)) *self,                       \
		const struct fixture##_harness_variant __attribute__((unused)) *variant)

#define TEST_F(fixture, name) TEST_F_TIMEOUT(fixture, name, HARNESS_TIMEOUT_S)

/* The teardown follows the body unless an ASSERT ended the process or the setup skipped. */
#define TEST_F_TIMEOUT(fixture, name, limit_s)                                                     \
	static void harness_body_##fixture##_##name(                                               \
		struct fixture##_harness_self *self,                                               \
		const struct fixture##_harness_variant *variant);                                  \
	static void harness_run_##fixture##_##name(const struct harness_test *t)                   \
	{                                                                                          \
		static struct fixture##_harness_self self;                                         \
		const struct fixture##_harness_variant *variant = harness_variant_data(t);         \
		harness_setup_##fixture(&self, variant);                                           \
		if (harness_over())                                                                \
			return;                                                                    \
		harness_body_##fixture##_##name(&self, variant);                                   \
		harness_teardown_##fixture(&self, variant);                                        \
	}                                                                                          \
	HARNESS_REGISTER(fixture##_##name, &harness_fixture_##fixture, #name, limit_s)             \
	static void harness_body_##fixture##_##name(                                               \
		struct fixture##_harness_self __attribute__((unused)) *self,                       \
		const struct fixture##_harness_variant __attribute__((unused)) *variant)

#define TEST_HARNESS_MAIN                                                                          \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return harness_main(argc, argv, __FILE__);                                         \
	}

/* ---- assertions: (expected, seen) -------------------------------------------------------- */

#define EXPECT_EQ(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, EQ, false)
#define EXPECT_NE(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, NE, false)
#define EXPECT_LT(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, LT, false)
#define EXPECT_LE(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, LE, false)
#define EXPECT_GT(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, GT, false)
#define EXPECT_GE(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, GE, false)
#define EXPECT_TRUE(seen) HARNESS_TRUTH(seen, #seen, true, false)
#define EXPECT_FALSE(seen) HARNESS_TRUTH(seen, #seen, false, false)
#define EXPECT_NULL(seen) HARNESS_COMPARE((void *)0, seen, "NULL", #seen, EQ, false)
#define EXPECT_NOT_NULL(seen) HARNESS_COMPARE((void *)0, seen, "NULL", #seen, NE, false)
#define EXPECT_STREQ(expected, seen)                                                               \
	HARNESS_STRING(expected, seen, #expected, #seen, true, false)
#define EXPECT_STRNE(expected, seen)                                                               \
	HARNESS_STRING(expected, seen, #expected, #seen, false, false)
#define EXPECT_MEMEQ(expected, seen, bytes)                                                        \
	HARNESS_MEMORY(expected, seen, #expected, #seen, bytes, true, false)
#define EXPECT_MEMNE(expected, seen, bytes)                                                        \
	HARNESS_MEMORY(expected, seen, #expected, #seen, bytes, false, false)

#define ASSERT_EQ(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, EQ, true)
#define ASSERT_NE(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, NE, true)
#define ASSERT_LT(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, LT, true)
#define ASSERT_LE(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, LE, true)
#define ASSERT_GT(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, GT, true)
#define ASSERT_GE(expected, seen) HARNESS_COMPARE(expected, seen, #expected, #seen, GE, true)
#define ASSERT_TRUE(seen) HARNESS_TRUTH(seen, #seen, true, true)
#define ASSERT_FALSE(seen) HARNESS_TRUTH(seen, #seen, false, true)
#define ASSERT_NULL(seen) HARNESS_COMPARE((void *)0, seen, "NULL", #seen, EQ, true)
#define ASSERT_NOT_NULL(seen) HARNESS_COMPARE((void *)0, seen, "NULL", #seen, NE, true)
#define ASSERT_STREQ(expected, seen)                                                               \
	HARNESS_STRING(expected, seen, #expected, #seen, true, true)
#define ASSERT_STRNE(expected, seen)                                                               \
	HARNESS_STRING(expected, seen, #expected, #seen, false, true)
#define ASSERT_MEMEQ(expected, seen, bytes)                                                        \
	HARNESS_MEMORY(expected, seen, #expected, #seen, bytes, true, true)
#define ASSERT_MEMNE(expected, seen, bytes)                                                        \
	HARNESS_MEMORY(expected, seen, #expected, #seen, bytes, false, true)

/* ---- what the macros above are made of --------------------------------------------------- */

struct harness_test;

struct harness_variant {
	const char *name;
	const void *data;
	struct harness_variant *next;
};

struct harness_fixture {
	const char *name;
	struct harness_variant *variants;
};

struct harness_test {
	const char *name;
	struct harness_fixture *fixture;
	const struct harness_variant *variant;
	void (*run)(const struct harness_test *t);
	int limit_s;
	struct harness_test *next;
};

#define HARNESS_REGISTER(id, fixture_row, title, seconds)                                          \
	static struct harness_test harness_test_##id = {.name = title,                             \
							.fixture = fixture_row,                    \
							.run = harness_run_##id,                   \
							.limit_s = seconds};                       \
	__attribute__((constructor)) static void harness_register_##id(void)                       \
	{                                                                                          \
		harness_test_add(&harness_test_##id);                                              \
	}

enum harness_relation {
	HARNESS_EQ,
	HARNESS_NE,
	HARNESS_LT,
	HARNESS_LE,
	HARNESS_GT,
	HARNESS_GE
};

/* A value of any scalar type: an integer is its magnitude with a sign. */
struct harness_value {
	enum { HARNESS_INTEGER, HARNESS_REAL, HARNESS_POINTER } kind;
	bool negative;
	uint64_t bits;
	double real;
};

struct harness_site {
	const char *file;
	int line;
	bool fatal; /* an ASSERT: a failure ends the process */
	const char *expected, *seen; /* source text of the arguments */
};

struct harness_value harness_of_signed(long long v);
struct harness_value harness_of_unsigned(unsigned long long v);
struct harness_value harness_of_real(double v);
struct harness_value harness_of_pointer(const volatile void *v);

bool harness_compare(struct harness_site site, enum harness_relation relation,
		     struct harness_value expected, struct harness_value seen);
bool harness_truth(struct harness_site site, bool expected, bool seen);
bool harness_string(struct harness_site site, const char *expected, const char *seen, bool equal);
bool harness_memory(struct harness_site site, const void *expected, const void *seen, size_t bytes,
		    bool equal);
void harness_log(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void harness_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool harness_over(void);
const void *harness_variant_data(const struct harness_test *t);
void harness_test_add(struct harness_test *t);
void harness_variant_add(struct harness_fixture *f, struct harness_variant *v);
int harness_main(int argc, char **argv, const char *file);

#define HARNESS_SITE(expected, seen, is_fatal)                                                     \
	((struct harness_site){__FILE__, __LINE__, is_fatal, expected, seen})

#define HARNESS_VALUE(x)                                                                           \
	_Generic((x),                                                                              \
		_Bool: harness_of_unsigned,                                                        \
		char: harness_of_signed,                                                           \
		signed char: harness_of_signed,                                                    \
		short: harness_of_signed,                                                          \
		int: harness_of_signed,                                                            \
		long: harness_of_signed,                                                           \
		long long: harness_of_signed,                                                      \
		unsigned char: harness_of_unsigned,                                                \
		unsigned short: harness_of_unsigned,                                               \
		unsigned int: harness_of_unsigned,                                                 \
		unsigned long: harness_of_unsigned,                                                \
		unsigned long long: harness_of_unsigned,                                           \
		float: harness_of_real,                                                            \
		double: harness_of_real,                                                           \
		default: harness_of_pointer)(x)

#define HARNESS_COMPARE(expected, seen, expected_text, seen_text, relation, fatal)                 \
	harness_compare(HARNESS_SITE(expected_text, seen_text, fatal), HARNESS_##relation,         \
			HARNESS_VALUE(expected), HARNESS_VALUE(seen))
#define HARNESS_TRUTH(seen, seen_text, expected, fatal)                                            \
	harness_truth(HARNESS_SITE(#expected, seen_text, fatal), expected, (seen) ? true : false)
#define HARNESS_STRING(expected, seen, expected_text, seen_text, equal, fatal)                     \
	harness_string(HARNESS_SITE(expected_text, seen_text, fatal), expected, seen, equal)
#define HARNESS_MEMORY(expected, seen, expected_text, seen_text, bytes, equal, fatal)              \
	harness_memory(HARNESS_SITE(expected_text, seen_text, fatal), expected, seen, bytes, equal)

#endif
