// SPDX-License-Identifier: Apache-2.0
/* An API of the store of objects over sockets. Interface: objects_web.h. */
#include "apis/objects_web.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "stores/objects/objects.h"

/* ---- a server with a store -------------------------------------------------------------- */

static struct objects *store;

static void begin(struct web *w)
{
	ASSERT_EQ(0, objects_start(store, SL_NEVER));
}

static void end(struct web *w)
{
	objects_drain(store);
	ASSERT_EQ(0, objects_stop(store, SL_NEVER));
}

static void run(int dir, uint32_t epoch, struct http_api api, void (*client)(struct web *w))
{
	const struct objects_store_conf conf = {
		.dir = dir,
		.cores = 1,
		.epoch = epoch,
		.log = {.segment_bytes = SL_MIB, .preallocate_bytes = 64 * SL_KIB},
		.logs = {.background = true},
	};
	struct web w = {.client = client,
			.begin = begin,
			.end = end,
			.conf = {.apis = &api, .apis_n = 1, .body_bytes_max = 4 << 20}};

	ASSERT_EQ(0, objects_open(&conf, &store));
	api.arg = store;
	web_run(&w);
	objects_free(store);
}

void objects_web_run(struct http_api api, void (*client)(struct web *w),
		     void (*again)(struct web *w))
{
	int dir = open(harness_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_LE(0, dir);
	run(dir, 1, api, client);
	if (again)
		run(dir, 2, api, again);
	close(dir);
}

/* ---- asking ----------------------------------------------------------------------------- */

int objects_web_ask(struct web *w, const char *method, const char *path, const char *body,
		    struct web_answer *a)
{
	size_t room = strlen(path) + strlen(body) + 200;
	char *text = calloc(1, room);
	int status;

	ASSERT_NOT_NULL(text);
	snprintf(text, room, "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", method,
		 path, strlen(body), body);
	status = web_ask(w, text, a);
	free(text);
	return status;
}
