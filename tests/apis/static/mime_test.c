// SPDX-License-Identifier: Apache-2.0
/* Media types by the ends of file names. */
#include <ctype.h>
#include <string.h>

#include "apis/static/mime.h"
#include "harness.h"

TEST(rows_are_sorted_and_found)
{
	const char *end, *type, *before = "";
	size_t n = 0;

	for (; http_mime_row(n, &end, &type); n++) {
		char name[64] = "x.";

		ASSERT_LT(strlen(end), sizeof(name) - 2);
		EXPECT_TRUE(strcmp(before, end) < 0);
		for (const char *p = end; *p; p++)
			EXPECT_TRUE(islower((unsigned char)*p) || isdigit((unsigned char)*p));
		EXPECT_NOT_NULL(strchr(type, '/'));
		memcpy(name + 2, end, strlen(end) + 1);
		EXPECT_STREQ(type, http_mime_type(name));
		before = end;
	}
	EXPECT_LT(50, n);
}

TEST(the_last_end_of_a_name_counts)
{
	EXPECT_STREQ("text/html", http_mime_type("index.html"));
	EXPECT_STREQ("text/html", http_mime_type("a.b/INDEX.HTML"));
	EXPECT_STREQ("application/gzip", http_mime_type("a.tar.gz"));
	EXPECT_STREQ("application/octet-stream", http_mime_type("README"));
	EXPECT_STREQ("application/octet-stream", http_mime_type("a.html/b"));
	EXPECT_STREQ("application/octet-stream", http_mime_type("a."));
	EXPECT_STREQ("application/octet-stream", http_mime_type("a.htmlx"));
	EXPECT_STREQ("application/octet-stream", http_mime_type(""));
}

TEST_HARNESS_MAIN
