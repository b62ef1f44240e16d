// SPDX-License-Identifier: Apache-2.0
/* Snapshots of collections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "qdrant_kit.h"

#define S "/collections/c/snapshots"

/* The name in an answer. */
static void name_of(const char *body, char *ret, size_t size)
{
	const char *p = strstr(body, "\"name\":\"");

	ASSERT_NOT_NULL(p);
	snprintf(ret, size, "%.*s", (int)strcspn(p + 8, "\""), p + 8);
}

/* Longer than the name of any snapshot. */
static void ask_for_long_name(struct web *w)
{
	char path[sizeof(S) + 400] = S "/";

	memset(path + strlen(path), 'x', 350);
	qdrant_kit_refused(w, "GET", path, "", 404, "not found");
	qdrant_kit_refused(w, "DELETE", path, "", 404, "not found");
	qdrant_kit_refused(w, "GET", S "/a%00b", "", 400, "malformed");
}

static void use_snapshots(struct web *w)
{
	char name[300], path[400], body[500];
	struct web_answer a;
	FILE *f;

	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 5);
	qdrant_kit_expect(w, "GET", S, "", "[]");
	ASSERT_EQ(200, objects_web_ask(w, "POST", S, "", &a));
	name_of(a.body, name, sizeof(name));
	web_answer_done(&a);
	qdrant_kit_expect_part(w, "GET", S, "", name);
	qdrant_kit_expect_part(w, "POST", "/collections/c/points/delete", "{\"points\":[0,1]}",
			       "operation_id");
	snprintf(path, sizeof(path), S "/%s", name);
	ASSERT_EQ(200, objects_web_ask(w, "GET", path, "", &a));
	EXPECT_LT(100, a.n);
	snprintf(body, sizeof(body), "%s/downloaded", harness_tmpdir());
	f = fopen(body, "w");
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(a.n, fwrite(a.body, 1, a.n, f));
	ASSERT_EQ(0, fclose(f));
	web_answer_done(&a);
	snprintf(body, sizeof(body), "{\"location\":\"file://%s/downloaded\"}", harness_tmpdir());
	qdrant_kit_expect(w, "PUT", "/collections/e/snapshots/recover", body, "true");
	qdrant_kit_expect(w, "POST", "/collections/e/points/count", "{}", "{\"count\":5}");
	qdrant_kit_expect(w, "POST", "/collections/c/points/count", "{}", "{\"count\":3}");
	qdrant_kit_expect(w, "DELETE", path, "", "true");
	qdrant_kit_expect(w, "GET", S, "", "[]");
	qdrant_kit_refused(w, "DELETE", path, "", 404, "not found");
	qdrant_kit_refused(w, "GET", path, "", 404, "not found");
	qdrant_kit_refused(w, "GET", "/collections/none/snapshots", "", 404, "`none`");
	ask_for_long_name(w);
	qdrant_kit_refused(w, "PUT", "/collections/e/snapshots/recover",
			   "{\"location\":\"http://127.0.0.1/x\"}", 400, "location");
	qdrant_kit_refused(w, "PUT", "/collections/e/snapshots/recover",
			   "{\"location\":\"file:///dev/null\"}", 400, "no snapshot");
	qdrant_kit_refused(w, "PUT", "/collections/%01/snapshots/recover",
			   "{\"location\":\"file:///dev/null\"}", 400,
			   "Wrong input: a collection cannot have that name\"");
}

TEST(snapshots_are_made_downloaded_and_recovered)
{
	qdrant_kit_run(use_snapshots, NULL);
}

/* Sends @form, @n bytes, as a body of the Content-Type that uploads have. Return: the status. */
static int upload(struct web *w, const char *type, const char *form, size_t n, struct web_answer *a)
{
	char head[300];
	int fd = web_connect(w);

	snprintf(head, sizeof(head),
		 "POST /collections/u/snapshots/upload?priority=snapshot HTTP/1.1\r\nHost: h\r\n"
		 "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, n);
	web_send_text(fd, head);
	serving_send(fd, form, n);
	ASSERT_TRUE(web_read(fd, false, a));
	close(fd);
	return a->status;
}

#define FORM "multipart/form-data; boundary=XX"
#define PART(name) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

/* @less: bytes are missing at the snapshot's end. */
static int upload_snapshot(struct web *w, const struct web_answer *snapshot, size_t less,
			   struct web_answer *a)
{
	static const char before[] = PART("other") "x\r\n" PART("snapshot");
	static const char behind[] = "\r\n--XX--\r\n";
	size_t n = sizeof(before) - 1, bytes = snapshot->n - less;
	char *form = calloc(1, bytes + 400);
	int status;

	ASSERT_NOT_NULL(form);
	memcpy(form, before, n);
	memcpy(form + n, snapshot->body, bytes);
	memcpy(form + n + bytes, behind, sizeof(behind) - 1);
	status = upload(w, FORM, form, n + bytes + sizeof(behind) - 1, a);
	free(form);
	return status;
}

static void upload_snapshots(struct web *w)
{
	static const char other[] = PART("other") "x\r\n--XX--";
	char name[300], path[400];
	struct web_answer a, snapshot;

	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 100);
	ASSERT_EQ(200, objects_web_ask(w, "POST", S, "", &a));
	name_of(a.body, name, sizeof(name));
	web_answer_done(&a);
	snprintf(path, sizeof(path), S "/%s", name);
	ASSERT_EQ(200, objects_web_ask(w, "GET", path, "", &snapshot));
	EXPECT_EQ(400, upload_snapshot(w, &snapshot, 1, &a));
	EXPECT_NOT_NULL(strstr(a.body, "Wrong input: the file is no snapshot of a collection, or "
				       "is damaged\""));
	web_answer_done(&a);
	qdrant_kit_expect(w, "GET", "/collections/u/exists", "", "{\"exists\":false}");
	EXPECT_EQ(200, upload_snapshot(w, &snapshot, 0, &a));
	web_answer_done(&a);
	qdrant_kit_expect(w, "POST", "/collections/u/points/count", "{}", "{\"count\":100}");
	EXPECT_EQ(400, upload(w, "application/json", "{}", 2, &a));
	EXPECT_NOT_NULL(strstr(a.body, "multipart/form-data"));
	web_answer_done(&a);
	EXPECT_EQ(400, upload(w, FORM, other, sizeof(other) - 1, &a));
	EXPECT_NOT_NULL(strstr(a.body, "`snapshot`"));
	web_answer_done(&a);
	qdrant_kit_expect(w, "POST", "/collections/u/points/count", "{}", "{\"count\":100}");
	web_answer_done(&snapshot);
}

TEST(snapshots_are_uploaded)
{
	qdrant_kit_run(upload_snapshots, NULL);
}

TEST_HARNESS_MAIN
