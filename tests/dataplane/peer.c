/* SPDX-License-Identifier: Apache-2.0 */
/* A core with a listener, and its client; interface: peer.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "dataplane/conn_pvt.h"
#include "peer.h"

/* ---- the protocol ----------------------------------------------------------------------- */

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	(void)c;
	if (have < 4)
		return 4;
	if (sl_load_be32(p) > PEER_BODY_MAX)
		return -EMSGSIZE;
	return (ssize_t)sl_load_be32(p) + 4;
}

static int serve(struct sl_conn *c)
{
	struct peer *x = sl_conn_arg(c);
	char body[PEER_BODY_MAX + 1];
	const uint8_t *p;
	uint32_t len;
	int err = sl_conn_peek(c, 4, &p, sl_conn_read_deadline(c));

	if (err)
		return err;
	len = sl_load_be32(p);
	err = sl_conn_peek(c, len + 4, &p, sl_conn_read_deadline(c));
	if (err)
		return err;
	memcpy(body, p + 4, len);
	body[len] = 0;
	sl_conn_skip(c, len + 4);
	return x->answer(x, c, body, len);
}

static void closed(struct sl_conn *c)
{
	((struct peer *)sl_conn_arg(c))->closed++;
}

static const struct sl_proto peer_proto = {
	.name = "peer",
	.stack = SL_STACK_SMALL,
	.need = need,
	.serve = serve,
	.closed = closed,
};

struct sl_reply *peer_reply(struct sl_conn *c, uint32_t parts, uint32_t holds, uint32_t length,
			    const void *body, uint32_t body_len)
{
	struct sl_reply *r = sl_reply_new(c, parts + 1, holds, body_len + 4);

	if (!r)
		return NULL;
	sl_store_be32(r->bytes, length);
	memcpy(r->bytes + 4, body, body_len);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, body_len + 4)));
	return r;
}

void peer_add_extent(struct peer *x, struct sl_reply *r, uint64_t off, uint64_t len)
{
	sl_file_retain(&x->file);
	sl_reply_add(r, sl_part_extent((struct sl_extent){&x->file, off, len}));
}

void peer_small_socket(struct sl_conn *c)
{
	int bytes = 1;

	ASSERT_EQ(0, setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
}

int peer_echo(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r = peer_reply(c, 0, 0, len, body, len);

	(void)x;
	return r ? sl_deliver(r, SL_NEVER) : -ENOMEM;
}

int peer_extent(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	unsigned long off = 0, bytes = 0, pieces = 1;
	struct sl_reply *r;

	if (*body == 's') {
		peer_small_socket(c);
		body++;
	}
	if (sscanf(body, "%lu %lu %lu", &off, &bytes, &pieces) < 2)
		return peer_echo(x, c, body, len);
	r = peer_reply(c, (uint32_t)pieces, 0, (uint32_t)bytes, "", 0);
	for (unsigned long i = 0; i < pieces; i++)
		peer_add_extent(x, r, off + bytes * i / pieces,
				bytes * (i + 1) / pieces - bytes * i / pieces);
	return sl_deliver(r, SL_NEVER);
}

int peer_map_nothing(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data)
{
	(void)file;
	(void)off;
	(void)len;
	(void)ret_data;
	return -ENOMEM;
}

/* ---- the server ------------------------------------------------------------------------- */

static void file_gone(struct sl_file *f)
{
	close(f->fd);
}

static void make_file(struct peer *x)
{
	char path[300];
	int fd;

	x->bytes = malloc(PEER_FILE_BYTES);
	ASSERT_NOT_NULL(x->bytes);
	for (size_t i = 0; i < PEER_FILE_BYTES; i += 8) {
		uint64_t v = harness_random();

		memcpy(x->bytes + i, &v, 8);
	}
	snprintf(path, sizeof(path), "%s/peer-file", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_EQ(PEER_FILE_BYTES, write(fd, x->bytes, PEER_FILE_BYTES));
	ASSERT_EQ(0, sl_file_init(&x->file, fd, file_gone));
}

static void listen_at(struct peer *x)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET};
	struct sockaddr_storage bound;
	char why[200] = "";

	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!x->addr)
		x->addr_len = sizeof(loopback);
	if (!x->proto)
		x->proto = &peer_proto;
	ASSERT_EQ(0, sl_listen(x->addr ? x->addr : (struct sockaddr *)&loopback, x->addr_len,
			       x->proto, x, 0, &x->limits, &x->l, why, sizeof(why)));
	if (x->tls) {
		struct sl_tls *tls;

		if (!EXPECT_EQ(0, sl_tls_server_new(x->tls, &tls, why, sizeof(why), SL_NEVER)))
			TH_LOG("%s", why);
		sl_listener_secure(x->l, tls);
	}
	ASSERT_EQ(0, sl_listener_addr(x->l, &bound));
	x->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

static void *client_thread(void *arg)
{
	struct peer *x = arg;

	x->client(x);
	ASSERT_EQ(1, write(x->done_pipe[1], "x", 1));
	return NULL;
}

static int run(void *arg)
{
	struct peer *x = arg;
	pthread_t thread;
	struct sl_io io;

	x->core = sl_core_self();
	sl_order_init(&x->order, 0);
	make_file(x);
	ASSERT_EQ(0, pipe2(x->done_pipe, O_CLOEXEC));
	if (x->start)
		x->start(x);
	listen_at(x);
	ASSERT_EQ(0, pthread_create(&thread, NULL, client_thread, x));
	do
		sl_io_poll(&io, x->done_pipe[0], POLLIN, 0);
	while (sl_await(&io, SL_NEVER) < 0);
	sl_order_fail(&x->order, -EIO);
	sl_listener_drain(x->l, sl_now() + x->drain_ns);
	EXPECT_EQ(0, sl_listener_conns(x->l));
	sl_listener_free(x->l);
	pthread_join(thread, NULL);
	if (x->end)
		x->end(x);
	sl_file_release(&x->file);
	EXPECT_EQ(0, sl_buf_bytes_used(x->core));
	free(x->bytes);
	close(x->done_pipe[0]);
	close(x->done_pipe[1]);
	return 0;
}

void peer_run(struct peer *x)
{
	struct sl_cores_conf conf = x->conf ? *x->conf : (struct sl_cores_conf){0};
	struct sl_conn_limits *l = &x->limits;

	if (!l->conns)
		*l = (struct sl_conn_limits){20 * SL_SEC, 20 * SL_SEC,	20 * SL_SEC, SL_MIB,
					     64 << 10,	  1000,		3000,
					     .handshake_ns = 20 * SL_SEC};
	l->idle_ns *= harness_time_scale();
	l->header_ns *= harness_time_scale();
	l->write_ns *= harness_time_scale();
	l->handshake_ns *= harness_time_scale();
	if (!x->drain_ns)
		x->drain_ns = 200 * SL_MSEC;
	if (!x->answer)
		x->answer = peer_echo;
	if (!conf.arena_bytes_max)
		conf.arena_bytes_max = 128 * SL_MIB;
	conf.backend = x->backend;
	signal(SIGPIPE, SIG_IGN); /* as in the daemon: sendfile has no flag for it */
	EXPECT_EQ(0, sl_core_run(&conf, run, x));
}

/* ---- the client ------------------------------------------------------------------------- */

void peer_connect_with(const struct peer *x, int fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(x->port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (x->addr)
		ASSERT_EQ(0, connect(fd, x->addr, x->addr_len));
	else
		ASSERT_EQ(0, connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

int peer_connect(const struct peer *x)
{
	int fd = socket(x->addr ? x->addr->sa_family : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	peer_connect_with(x, fd);
	return fd;
}

void peer_send(int fd, const void *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		ASSERT_LT(0, w);
		p = (const uint8_t *)p + w;
		n -= (size_t)w;
	}
}

void peer_request_bytes(int fd, const void *body, uint32_t len)
{
	uint8_t *msg = malloc(4 + (size_t)len);

	ASSERT_TRUE(msg != NULL);
	sl_store_be32(msg, len);
	memcpy(msg + 4, body, len);
	peer_send(fd, msg, 4 + (size_t)len);
	free(msg);
}

void peer_request(int fd, const char *body)
{
	size_t len = strlen(body);

	ASSERT_LE(len, PEER_BODY_MAX);
	peer_request_bytes(fd, body, (uint32_t)len);
}

bool peer_gets(int fd, const void *body, size_t len)
{
	uint8_t head[4], *back = malloc(len + 1);
	bool same;

	ASSERT_TRUE(back != NULL);
	ASSERT_EQ(4, recv(fd, head, 4, MSG_WAITALL));
	ASSERT_EQ(len, sl_load_be32(head));
	if (len)
		ASSERT_EQ((ssize_t)len, recv(fd, back, len, MSG_WAITALL));
	same = !memcmp(body, back, len);
	free(back);
	return same;
}

void peer_expect(int fd, const void *body, size_t len)
{
	ASSERT_TRUE(peer_gets(fd, body, len));
}

void peer_expect_text(int fd, const char *text)
{
	peer_expect(fd, text, strlen(text));
}

void peer_ping(int fd, const char *text)
{
	peer_request(fd, text);
	peer_expect_text(fd, text);
}

enum { END_MS = 10000 };

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

bool peer_ends(int fd)
{
	char c;

	return readable(fd, END_MS * harness_time_scale()) && recv(fd, &c, 1, 0) <= 0;
}

bool peer_ends_after_all(int fd)
{
	char drop[4096];

	while (readable(fd, END_MS * harness_time_scale()))
		if (recv(fd, drop, sizeof(drop), 0) <= 0)
			return true;
	return false;
}

bool peer_silent(int fd, int ms)
{
	return !readable(fd, ms);
}

struct errand {
	struct sl_msg msg;
	struct peer *x;
	void (*fn)(struct peer *x, void *arg);
	void *arg;
	sem_t done;
};

static void errand_run(struct sl_msg *msg)
{
	struct errand *e = sl_container_of(msg, struct errand, msg);

	e->fn(e->x, e->arg);
	sem_post(&e->done);
}

void peer_do(struct peer *x, void (*fn)(struct peer *x, void *arg), void *arg)
{
	struct errand e = {.msg.fn = errand_run, .x = x, .fn = fn, .arg = arg};

	sem_init(&e.done, 0, 0);
	sl_post(x->core, &e.msg);
	while (sem_wait(&e.done))
		continue;
	sem_destroy(&e.done);
}

struct reading {
	enum sl_metric_id id;
	uint32_t j;
	uint64_t value;
};

static void read_metric(struct peer *x, void *arg)
{
	struct reading *r = arg;

	r->value = *sl_metric_cell(sl_core_metrics(x->core), r->id, 0, r->j);
}

uint64_t peer_metric(struct peer *x, enum sl_metric_id id, uint32_t j)
{
	struct reading r = {id, j, 0};

	peer_do(x, read_metric, &r);
	return r.value;
}

uint64_t peer_sent(struct peer *x, enum sl_rung rung)
{
	return peer_metric(x, SL_M_DELIVER_BYTES, rung);
}

static bool is_cached(struct peer *x, uint64_t off, uint64_t len)
{
	unsigned char in_core[PEER_FILE_BYTES / 4096];
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, x->file.fd, (off_t)off);
	bool cached = false;

	ASSERT_TRUE(p != MAP_FAILED);
	ASSERT_EQ(0, mincore(p, len, in_core));
	for (size_t i = 0; i < len / 4096; i++)
		cached |= in_core[i] & 1;
	munmap(p, len);
	return cached;
}

bool peer_drop_once(struct peer *x, uint64_t off, uint64_t len)
{
	ASSERT_EQ(0, fdatasync(x->file.fd));
	ASSERT_EQ(0, posix_fadvise(x->file.fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED));
	return !is_cached(x, off, len);
}

bool peer_drop_cache(struct peer *x, uint64_t off, uint64_t len)
{
	/* Pages that a processor or a socket still has in hand stay for a moment. */
	for (int i = 0; i < 500 * harness_time_scale(); i++) {
		if (peer_drop_once(x, off, len))
			return true;
		usleep(10000);
	}
	return false;
}

bool peer_metric_reaches(struct peer *x, enum sl_metric_id id, uint32_t j, uint64_t value)
{
	for (int i = 0; i < 2000 * harness_time_scale(); i++) {
		if (peer_metric(x, id, j) >= value)
			return true;
		usleep(5000);
	}
	return false;
}

static void advance(struct peer *x, void *arg)
{
	sl_order_advance(&x->order, *(uint64_t *)arg);
}

void peer_advance(struct peer *x, uint64_t durable)
{
	peer_do(x, advance, &durable);
}

static void fail(struct peer *x, void *arg)
{
	(void)arg;
	sl_order_fail(&x->order, -EIO);
}

void peer_fail(struct peer *x)
{
	peer_do(x, fail, NULL);
}
