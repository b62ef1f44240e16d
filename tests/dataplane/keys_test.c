/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer keys: who is let in, what a wrong file says, reloads. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "harness.h"

/* SHA-256 of "secret", "other" and "root". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
#define ROOT "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2"

static char why[300];

static const char *file(const char *text)
{
	static char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/keys", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static int load(struct sl_keyring *r, const char *text)
{
	return sl_keyring_load(r, file(text), why, sizeof(why), SL_NEVER);
}

static int check(const struct sl_keyring *r, const char *field, uint32_t scope, char *name)
{
	return sl_keys_check(r, field, strlen(field), scope, name);
}

TEST(a_key_is_good_for_its_scopes)
{
	struct sl_keyring r = {0};
	char name[SL_KEY_NAME_BYTES];

	ASSERT_EQ(0, load(&r, "# who may\n\n  reader " SECRET " read\n"
			      "both\t" OTHER "  write,read\r\nroot " ROOT " admin"));
	EXPECT_EQ(0, check(&r, "Bearer secret", SL_SCOPE_READ, name));
	EXPECT_STREQ("reader", name);
	EXPECT_EQ(-EACCES, check(&r, "Bearer secret", SL_SCOPE_WRITE, name));
	EXPECT_STREQ("reader", name);
	EXPECT_EQ(-EACCES, check(&r, "Bearer secret", SL_SCOPE_READ | SL_SCOPE_WRITE, NULL));
	EXPECT_EQ(0, check(&r, "bearer  other", SL_SCOPE_READ | SL_SCOPE_WRITE, name));
	EXPECT_STREQ("both", name);
	EXPECT_EQ(-EACCES, check(&r, "Bearer other", SL_SCOPE_ADMIN, NULL));
	EXPECT_EQ(0, check(&r, "Bearer root",
			   SL_SCOPE_READ | SL_SCOPE_WRITE | SL_SCOPE_ADMIN, NULL));
	sl_keyring_done(&r);
}

TEST(who_has_no_key_is_nobody)
{
	static const char *const fields[] = {"", "Bearer", "Bearer ", "Bearer  ", "Bearer secre",
					     "Bearer secret1", "Basic secret", "secret"};
	static char longest[3000] = "Bearer ";
	struct sl_keyring r = {0};
	char name[SL_KEY_NAME_BYTES];

	ASSERT_EQ(0, load(&r, "reader " SECRET " read\n"));
	for (size_t i = 0; i < SL_ARRAY_SIZE(fields); i++) {
		EXPECT_EQ(-ENOKEY, check(&r, fields[i], SL_SCOPE_READ, name));
		EXPECT_STREQ("", name);
	}
	memset(longest + 7, 'x', sizeof(longest) - 8);
	EXPECT_EQ(-ENOKEY, check(&r, longest, SL_SCOPE_READ, NULL));
	EXPECT_EQ(-ENOKEY, sl_keys_check(&r, NULL, 0, SL_SCOPE_READ, NULL));
	ASSERT_EQ(0, load(&r, "")); /* a file without keys lets nobody in */
	EXPECT_EQ(-ENOKEY, check(&r, "Bearer secret", SL_SCOPE_READ, NULL));
	sl_keyring_done(&r);
}

TEST(without_a_file_nobody_is_asked)
{
	struct sl_keyring r = {0};

	EXPECT_EQ(0, check(&r, "", SL_SCOPE_ADMIN, NULL));
	EXPECT_EQ(0, sl_keyring_load(&r, "", why, sizeof(why), SL_NEVER));
	EXPECT_EQ(0, check(&r, "", SL_SCOPE_ADMIN, NULL));
	ASSERT_EQ(0, load(&r, "reader " SECRET " read\n"));
	EXPECT_EQ(-ENOKEY, check(&r, "", SL_SCOPE_READ, NULL));
	EXPECT_EQ(0, sl_keyring_load(&r, "", why, sizeof(why), SL_NEVER)); /* taken away again */
	EXPECT_EQ(0, check(&r, "", SL_SCOPE_ADMIN, NULL));
	sl_keyring_done(&r);
}

TEST(a_wrong_file_says_where_and_changes_nothing)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"a " SECRET " read\nb " SECRET "0 read\n", "line 2"},
		{"a " SECRET "\n", "scopes"},
		{"a " SECRET " read,\n" "b " SECRET " reed\n", "line 2: the third word"},
		{"a " SECRET " read more\n", "more than"},
		{"a x read\n", "sha256sum"},
		{"0123456789012345678901234567890123456789012345678901234567890123 " SECRET
		 " read\n", "63 characters"},
	};
	struct sl_keyring r = {0};

	ASSERT_EQ(0, load(&r, "old " OTHER " read\n"));
	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(-EINVAL, load(&r, cases[i].text));
		if (!EXPECT_TRUE(strstr(why, cases[i].says)))
			TH_LOG("%s", why);
		EXPECT_EQ(0, check(&r, "Bearer other", SL_SCOPE_READ, NULL));
	}
	EXPECT_EQ(-ENOENT, sl_keyring_load(&r, "/nowhere/keys", why, sizeof(why), SL_NEVER));
	EXPECT_TRUE(strstr(why, "/nowhere/keys"));
	EXPECT_EQ(0, check(&r, "Bearer other", SL_SCOPE_READ, NULL));
	ASSERT_EQ(0, load(&r, "new " SECRET " read\n"));
	EXPECT_EQ(-ENOKEY, check(&r, "Bearer other", SL_SCOPE_READ, NULL));
	EXPECT_EQ(0, check(&r, "Bearer secret", SL_SCOPE_READ, NULL));
	sl_keyring_done(&r);
}

TEST_HARNESS_MAIN
