// SPDX-License-Identifier: Apache-2.0
/*
 * bench-plain: the plainest HTTP server of files that the kernel's calls allow, as a peer: one
 * thread, epoll, the head by send(MSG_MORE), the file by sendfile. What it leaves out, it leaves
 * out to be fast: a request is its first line, a file once asked for stays open for ever.
 *
 * Interface: bench-plain FOLDER [PORT]; prints "HOST:PORT" of loopback and serves until it is
 * killed. GET of names below FOLDER without "..", kept connections, pipelining; anything else is
 * answered by 400 or 404. Not for use: a peer that is not trusted could make it open any number of
 * files.
 *
 * Order of parts: files; answers; connections; the loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------ */

enum { BUCKETS = 1 << 16, NAME_BYTES = 256 };

struct file {
	struct file *next;
	int fd;
	off_t bytes;
	size_t head_n;
	char head[192];
	char name[NAME_BYTES];
};

struct server {
	int folder, listener, epoll;
	struct file *buckets[BUCKETS];
};

static unsigned hash(const char *name, size_t n)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h % BUCKETS;
}

static struct file *file_open(struct server *s, const char *name, size_t n)
{
	struct file *f = calloc(1, sizeof(*f));
	struct stat st;

	if (!f)
		return NULL;
	memcpy(f->name, name, n);
	f->fd = strstr(f->name, "..") ? -1 : openat(s->folder, f->name, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) || !S_ISREG(st.st_mode)) {
		if (f->fd >= 0)
			close(f->fd);
		free(f);
		return NULL;
	}
	f->bytes = st.st_size;
	f->head_n = (size_t)snprintf(f->head, sizeof(f->head),
				     "HTTP/1.1 200 OK\r\nServer: plain\r\n"
				     "Content-Type: application/octet-stream\r\n"
				     "Content-Length: %lld\r\n\r\n",
				     (long long)f->bytes);
	return f;
}

static struct file *file_find(struct server *s, const char *name, size_t n)
{
	struct file **bucket, *f;

	if (!n || n >= NAME_BYTES)
		return NULL;
	bucket = &s->buckets[hash(name, n)];
	for (f = *bucket; f; f = f->next)
		if (!memcmp(f->name, name, n) && !f->name[n])
			return f;
	f = file_open(s, name, n);
	if (f) {
		f->next = *bucket;
		*bucket = f;
	}
	return f;
}

/* ---- answers ---------------------------------------------------------------------------- */

struct conn {
	int fd;
	bool wants_out, ending;
	const struct file *file; /* being sent */
	off_t at;
	size_t head_at, n;
	char in[8192];
};

/* Return: 1: all of it; 0: the socket is full; -1: the connection is of no use. */
static int send_file(struct conn *c)
{
	const struct file *f = c->file;

	while (c->head_at < f->head_n) {
		ssize_t n = send(c->fd, f->head + c->head_at, f->head_n - c->head_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT | (f->bytes ? MSG_MORE : 0));

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->head_at += (size_t)n;
	}
	while (c->at < f->bytes) {
		ssize_t n = sendfile(c->fd, f->fd, &c->at, (size_t)(f->bytes - c->at));

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -1;
	}
	c->file = NULL;
	return 1;
}

static void refuse(struct conn *c, const char *status)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);

	/* Whether it arrives or not, that was the last. */
	(void)!send(c->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	c->ending = true;
}

/* Begins the answer to the next whole request in c->in. Return: whether there was one. */
static bool next_request(struct server *s, struct conn *c)
{
	char *end, *stop;

	c->in[c->n] = 0;
	end = strstr(c->in, "\r\n\r\n");
	if (!end) {
		if (c->n == sizeof(c->in) - 1)
			refuse(c, "431 Too Long");
		return false;
	}
	stop = memcmp(c->in, "GET /", 5) ? NULL : strpbrk(c->in + 5, " ?\r");
	if (!stop)
		refuse(c, "400 Bad Request");
	else
		c->file = file_find(s, c->in + 5, (size_t)(stop - c->in - 5));
	if (stop && !c->file)
		refuse(c, "404 Not Found");
	c->head_at = 0;
	c->at = 0;
	end += 4;
	c->n -= (size_t)(end - c->in);
	memmove(c->in, end, c->n);
	return !c->ending;
}

/* ---- connections ------------------------------------------------------------------------ */

static void conn_end(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Answers what has come, as far as the socket takes it. Return: false: the connection ended. */
static bool conn_serve(struct server *s, struct conn *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	int sent = 1;

	while (!c->ending && (c->file || next_request(s, c))) {
		sent = send_file(c);
		if (sent <= 0)
			break;
	}
	if (sent < 0 || c->ending)
		return false;
	if (c->wants_out != !sent) {
		c->wants_out = !sent;
		e.events = sent ? EPOLLIN : EPOLLOUT;
		if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &e))
			return false;
	}
	return true;
}

static bool conn_ready(struct server *s, struct conn *c)
{
	ssize_t n;

	if (c->wants_out)
		return conn_serve(s, c);
	n = recv(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	c->n += (size_t)n;
	return conn_serve(s, c);
}

static void accept_all(struct server *s)
{
	int fd, one = 1;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!c || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e)) {
			close(fd);
			free(c);
			continue;
		}
		c->fd = fd;
	}
}

/* ---- the loop --------------------------------------------------------------------------- */

static int server_open(struct server *s, const char *folder, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
	socklen_t len = sizeof(a);
	int one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->folder < 0 || s->listener < 0 || s->epoll < 0)
		return -1;
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->listener, (struct sockaddr *)&a, sizeof(a)) || listen(s->listener, 4096) ||
	    getsockname(s->listener, (struct sockaddr *)&a, &len) ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e))
		return -1;
	printf("127.0.0.1:%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct server *s = calloc(1, sizeof(*s));
	struct epoll_event events[256];

	/* sendfile() has no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	if (!s || argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-plain FOLDER [PORT]\n");
		return 2;
	}
	if (server_open(s, argv[1], (uint16_t)(argc == 3 ? atoi(argv[2]) : 0))) {
		fprintf(stderr, "bench-plain: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (;;) {
		int n = epoll_wait(s->epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == s)
				accept_all(s);
			else if (!conn_ready(s, events[i].data.ptr))
				conn_end(events[i].data.ptr);
		}
	}
}
