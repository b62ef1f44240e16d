/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core's pipes, through which extents are spliced.
 *
 * Interface: pipe_get(), pipe_put(). A pipe belongs to one transfer at a time, not to a connection:
 * the kernel lets a user without privileges have 64 MiB of pipe space (pipe-user-pages-soft), which
 * a pipe for each connection exhausts near 1,000 of them. Invariant: a pipe in the pool is empty.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core_pvt.h"
#include "file.h"

enum {
	PIPES_MAX = 64,		/* of one core */
	PIPE_BYTES = 256 << 10, /* what one holds, if the kernel lets it */
};

void pipes_init(struct pipes *p)
{
	sl_list_init(&p->free);
	p->open = 0;
}

static void close_pipe(struct pipes *p, struct pipe *pipe)
{
	sl_close(pipe->in);
	sl_close(pipe->out);
	free(pipe);
	p->open--;
}

void pipes_done(struct pipes *p)
{
	struct sl_list *n;

	while ((n = sl_list_pop(&p->free)))
		close_pipe(p, sl_list_entry(n, struct pipe, node));
	SL_ASSERT(!p->open);
}

static struct pipe *open_pipe(struct pipes *p)
{
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	int fds[2], bytes;

	if (!pipe)
		return NULL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		free(pipe);
		return NULL;
	}
	pipe->out = fds[0];
	pipe->in = fds[1];
	sl_list_init(&pipe->node);
	bytes = fcntl(pipe->in, F_SETPIPE_SZ, PIPE_BYTES);
	if (bytes < 0)
		bytes = fcntl(pipe->in, F_GETPIPE_SZ);
	SL_ASSERT(bytes > 0);
	pipe->bytes = (uint32_t)bytes;
	p->open++;
	return pipe;
}

struct pipe *pipe_get(struct pipes *p)
{
	struct sl_list *n = sl_list_pop(&p->free);

	if (n)
		return sl_list_entry(n, struct pipe, node);
	return p->open < PIPES_MAX ? open_pipe(p) : NULL;
}

void pipe_put(struct pipes *p, struct pipe *pipe, bool empty)
{
	if (!pipe)
		return;
	if (empty)
		sl_list_push(&p->free, &pipe->node);
	else
		close_pipe(p, pipe);
}
