// SPDX-License-Identifier: Apache-2.0
/*
 * Long bodies of JSON, value by value.
 *
 * Interface: window.h. What stands between values is for the caller to look at; they end where
 * http_json_end() says.
 */
#include "window.h"

#include <errno.h>
#include <string.h>

#include "json.h"

/* One byte more than a short body has shows that it has ended. */
int http_window_body(struct http_window *w, struct http_request *rq, struct http_arena *a,
		     size_t room, size_t room_max, int64_t deadline)
{
	SL_ASSERT(room <= room_max && room_max + YYJSON_PADDING_SIZE <= HTTP_ARENA_PIECE_MAX);
	if (!rq->body.chunked)
		room = sl_min(rq->body.left, (uint64_t)room - 1) + 1;
	*w = (struct http_window){
		.rq = rq,
		.arena = a,
		.deadline = deadline,
		.text = http_arena_alloc(a, room + YYJSON_PADDING_SIZE, 64),
		.room = room,
		.room_max = room_max,
		.live = true,
	};
	return w->text ? 0 : -ENOMEM;
}

void http_window_text(struct http_window *w, char *text, size_t n)
{
	*w = (struct http_window){.text = text, .room = n, .room_max = n, .n = n};
}

static int enlarge(struct http_window *w)
{
	size_t room = sl_min(2 * w->room, w->room_max);
	char *larger;

	if (room == w->room)
		return -ENOBUFS;
	larger = http_arena_alloc(w->arena, room + YYJSON_PADDING_SIZE, 64);
	if (!larger)
		return -ENOMEM;
	w->text = memcpy(larger, w->text, w->n);
	w->room = room;
	return 0;
}

/* More of the text, behind what is not used up. Return: 1; 0: there is no more; -errno. */
static int refill(struct http_window *w)
{
	size_t had = w->n - w->at;
	int err;

	if (!w->live)
		return 0;
	if (w->held)
		return -EAGAIN;
	memmove(w->text, w->text + w->at, had);
	w->before += w->at;
	w->at = 0;
	w->n = had;
	err = had == w->room ? enlarge(w) : 0;
	if (err)
		return err;
	if (w->before)
		sl_fiber_yield(w->deadline);
	while (w->n < w->room) {
		ssize_t got = http_body_read(w->rq, w->text + w->n, w->room - w->n, w->deadline);

		if (got < 0)
			return (int)got;
		if (!got) {
			w->live = false;
			break;
		}
		w->n += (size_t)got;
	}
	return w->n > had;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int http_window_peek(struct http_window *w)
{
	for (;;) {
		int more;

		while (w->at < w->n && is_space(w->text[w->at]))
			w->at++;
		if (w->at < w->n)
			return w->text[w->at] ? (unsigned char)w->text[w->at] : HTTP_WINDOW_NUL;
		more = refill(w);
		if (more <= 0)
			return more;
	}
}

int http_window_value(struct http_window *w, char **ret_text, size_t *ret_n)
{
	const char *end;
	int more = http_window_peek(w);

	while (more > 0) {
		end = http_json_end(w->text + w->at, w->text + w->n);
		if (end) {
			*ret_text = w->text + w->at;
			*ret_n = (size_t)(end - *ret_text);
			w->at += *ret_n;
			return 1;
		}
		more = refill(w);
	}
	return more;
}
