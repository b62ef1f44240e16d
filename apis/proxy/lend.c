/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts on another core than the one that holds them.
 *
 * Interface: lend.h. Invariant: the keeper's reference goes after the last one of the reader's
 * core.
 */
#include "lend.h"

#include <errno.h>
#include <stdlib.h>

/* @part: as @keeper holds it. @buf, @file: what the reader's core holds of it. */
struct http_lent {
	struct sl_msg msg;
	struct sl_core *keeper;
	struct sl_part part;
	union {
		struct sl_buf buf;
		struct sl_file file;
	};
};

static void came_back(struct sl_msg *msg)
{
	struct http_lent *l = sl_container_of(msg, struct http_lent, msg);

	sl_part_release(&l->part);
	free(l);
}

void http_lent_return(struct http_lent *l)
{
	if (l->keeper == sl_core_self()) {
		came_back(&l->msg);
		return;
	}
	l->msg.fn = came_back;
	sl_post(l->keeper, &l->msg);
}

static void buf_gone(struct sl_buf *buf)
{
	http_lent_return(sl_container_of(buf, struct http_lent, buf));
}

static void file_gone(struct sl_file *file)
{
	http_lent_return(sl_container_of(file, struct http_lent, file));
}

struct http_lent *http_lend(struct sl_part part)
{
	struct http_lent *l = calloc(1, sizeof(*l));

	if (!l) {
		sl_part_release(&part);
		return NULL;
	}
	l->keeper = sl_core_self();
	l->part = part;
	return l;
}

int http_borrow(struct http_lent *l, struct sl_part *ret_part)
{
	const struct sl_slice *s = &l->part.slice;
	const struct sl_extent *e = &l->part.extent;
	int err;

	if (l->part.kind == SL_PART_SLICE) {
		sl_buf_init(&l->buf, (void *)s->data, s->len, buf_gone);
		*ret_part = sl_part_slice((struct sl_slice){&l->buf, s->data, s->len});
		return 0;
	}
	err = sl_file_init(&l->file, e->file->fd, file_gone);
	if (err) {
		http_lent_return(l);
		return err;
	}
	*ret_part = sl_part_extent((struct sl_extent){&l->file, e->off, e->len});
	return 0;
}
