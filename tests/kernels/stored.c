/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored: who stores and removes objects of a cache and tells what was acknowledged, and who looks
 * whether that is there; for power cuts, with a sluiced on each side of them. As acked.c.
 *
 * Interface, by the environment: ACKED_PORT, the daemon's of HTTP; ACKED_NAME, what the lines begin
 * with.
 *   stored produces  until ACKED_BATCHES steps are acknowledged; prints "acked NAME LANE END" for
 *                    each, END being the number of the lane's steps that are acknowledged
 *   stored keeps     ACKED_ENDS "END END END": prints "kept NAME" if each key has what its last
 *                    acknowledged step left, or a later one, else "lost NAME". Other bytes than
 *                    those of a step end it.
 * Step N of a lane stores an object under one of KEYS keys, or removes it; the object tells N.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "harness.h"
#include "proto/http/web.h"

enum { LANES = 3, KEYS = 37, LIMIT_S = 600 };

/* ---- steps ------------------------------------------------------------------------------ */

static bool removes(int step)
{
	return step % 8 == 5;
}

/* Less than a block, some, and more than the sum of one covers. */
static size_t bytes_of(int lane, int step)
{
	static const size_t of[] = {300, 5000, 3000, 150000, 20000};

	return of[(lane + step) % 5] + (size_t)step % 97;
}

/* The number of the step, and what follows from it. To be freed. */
static char *body_of(int lane, int step, size_t *ret_n)
{
	size_t n = bytes_of(lane, step);
	char *body = calloc(1, n);
	uint32_t x = (uint32_t)(lane * 1000003 + step) | 1;

	ASSERT_NOT_NULL(body);
	snprintf(body, n, "%d ", step);
	for (size_t i = strlen(body); i < n; i++) {
		x = x * 1664525 + 1013904223;
		body[i] = (char)(x >> 24);
	}
	*ret_n = n;
	return body;
}

/* Return: the status. */
static int do_step(int fd, int lane, int step)
{
	struct web_answer *a = calloc(1, sizeof(*a));
	char head[200];
	size_t n = 0;
	char *body = removes(step) ? NULL : body_of(lane, step, &n);
	int status;

	ASSERT_NOT_NULL(a);
	snprintf(head, sizeof(head),
		 "%s /cache/%d-%d HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
		 body ? "PUT" : "DELETE", lane, step % KEYS, n);
	serving_send(fd, head, strlen(head));
	serving_send(fd, body, n);
	ASSERT_TRUE(web_read(fd, false, a));
	status = a->status;
	web_answer_done(a);
	free(a);
	free(body);
	return status;
}

TEST_TIMEOUT(produces, LIMIT_S)
{
	int batches = atoi(guest_setting("ACKED_BATCHES"));
	int fd = serving_connect(guest_port());

	for (int i = 0; i < batches; i++) {
		int lane = i % LANES, step = i / LANES;
		int status = do_step(fd, lane, step);

		if (removes(step))
			ASSERT_TRUE(status == 204 || status == 404); /* there may be none yet */
		else
			ASSERT_TRUE(status == 201 || status == 204);
		guest_tell_acked(lane, (uint64_t)step + 1);
	}
	close(fd);
}

/* ---- what is there ---------------------------------------------------------------------- */

/* The step that left what is under @key: -1 if nothing is. Other bytes end the test. */
static int step_there(int fd, int lane, int key)
{
	struct web_answer *a = calloc(1, sizeof(*a));
	char text[200];
	int step = -1;
	size_t n;

	ASSERT_NOT_NULL(a);
	snprintf(text, sizeof(text), "GET /cache/%d-%d HTTP/1.1\r\nHost: h\r\n\r\n", lane, key);
	serving_send(fd, text, strlen(text));
	ASSERT_TRUE(web_read(fd, false, a));
	if (a->status != 404) {
		char *body;

		ASSERT_EQ(200, a->status);
		step = atoi(a->body);
		ASSERT_TRUE(step >= 0 && step % KEYS == key && !removes(step));
		body = body_of(lane, step, &n);
		ASSERT_EQ(n, a->n);
		ASSERT_MEMEQ(body, a->body, n);
		free(body);
	}
	web_answer_done(a);
	free(a);
	return step;
}

/* Whether @there is what the steps before @end of this key, or those on their way, may leave. */
static bool is_kept(int there, int key, int end)
{
	int last = end - 1 - (end - 1 - key + KEYS) % KEYS; /* < 0: there was none */

	if (last < 0 || there >= last)
		return true;
	/* One step of a lane is on its way at a time; the next may be in what the cut left. */
	return there < 0 && (removes(last) || (last + KEYS <= end + 1 && removes(last + KEYS)));
}

TEST_TIMEOUT(keeps, LIMIT_S)
{
	int fd = serving_connect(guest_port());
	int ends[LANES], lost = 0, there = 0;

	ASSERT_EQ(LANES, sscanf(guest_setting("ACKED_ENDS"), "%d %d %d", &ends[0], &ends[1],
				&ends[2]));
	for (int lane = 0; lane < LANES; lane++) {
		for (int key = 0; key < KEYS; key++) {
			int step = step_there(fd, lane, key);

			there += step >= 0;
			if (is_kept(step, key, ends[lane]))
				continue;
			TH_LOG("%d-%d has step %d, %d were acknowledged", lane, key, step,
			       ends[lane]);
			lost++;
		}
	}
	TH_LOG("%d objects there, %d lost", there, lost);
	close(fd);
	guest_tell_kept(lost);
}

TEST_HARNESS_MAIN
