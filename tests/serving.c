/* SPDX-License-Identifier: Apache-2.0 */
/* A protocol served on one core of this process (serving.h has the order of parts). */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "harness.h"
#include "serving.h"

/* ---- the core --------------------------------------------------------------------------- */

struct sl_registry *serving_registry(uint32_t cores, const char *listener,
				     const char *const *apis, uint32_t apis_n)
{
	static const char *listeners[1], *closes[SL_CLOSE_LAST], *rungs[SL_RUNG_LAST];
	static const char *falls[SL_FALLBACK_LAST];
	static const char *const http_apis[] = {"test"}, *const searches[16];
	struct sl_registry *r;

	ASSERT_EQ(0, sl_registry_new(cores, &r));
	listeners[0] = listener;
	for (int i = 0; i < SL_CLOSE_LAST; i++)
		closes[i] = sl_close_name((enum sl_close)i);
	for (int i = 0; i < SL_RUNG_LAST; i++)
		rungs[i] = sl_rung_name((enum sl_rung)i);
	for (int i = 0; i < SL_FALLBACK_LAST; i++)
		falls[i] = sl_fallback_name((enum sl_fallback)i);
	sl_registry_dim(r, SL_DIM_LISTENER, listeners, 1);
	sl_registry_dim(r, SL_DIM_CLOSE, closes, SL_CLOSE_LAST);
	sl_registry_dim(r, SL_DIM_RUNG, rungs, SL_RUNG_LAST);
	sl_registry_dim(r, SL_DIM_FALLBACK, falls, SL_FALLBACK_LAST);
	sl_registry_dim(r, SL_DIM_HTTP_API, http_apis, 1);
	sl_registry_dim(r, SL_DIM_SEARCH, searches, SL_ARRAY_SIZE(searches));
	if (apis_n)
		sl_registry_dim(r, SL_DIM_API, apis, apis_n);
	return r;
}

const struct sl_conn_limits serving_limits = {
	.idle_ns = 30 * SL_SEC,
	.header_ns = 10 * SL_SEC,
	.write_ns = 10 * SL_SEC,
	.memory_bytes = 16 << 20,
	.ahead_bytes = 256 << 10,
	.replies = 64,
	.conns = 100,
};

static void *client_thread(void *arg)
{
	struct serving *s = arg;

	s->client(s->arg);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

void serving_run(struct serving *s)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage bound;
	struct sl_listener *listener;
	pthread_t thread;
	char why[256];

	signal(SIGPIPE, SIG_IGN); /* as in the daemon: sendfile has no flag for it */
	if (sl_listen((struct sockaddr *)&any, sizeof(any), s->proto, s->server, 0, s->limits,
		      &listener, why, sizeof(why))) {
		TH_LOG("%s", why);
		ASSERT_TRUE(!"listens");
	}
	ASSERT_EQ(0, sl_listener_addr(listener, &bound));
	*s->ret_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	s->done = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, client_thread, s));
	while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
		sl_sleep(sl_clock_ns() + SL_MSEC);
	pthread_join(thread, NULL);
	if (s->drain)
		s->drain(s->server);
	sl_listener_drain(listener, sl_clock_ns() + (s->drain_ns ? s->drain_ns : 3 * SL_SEC));
	EXPECT_EQ(0, sl_listener_conns(listener));
	sl_listener_free(listener);
}

/* ---- the client ------------------------------------------------------------------------- */

int serving_connect(uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = 20 * harness_time_scale()};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

void serving_send(int fd, const void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = send(fd, (const char *)p + done, n - done, MSG_NOSIGNAL);

		if (k < 0)
			return;
		done += (size_t)k;
	}
}

bool serving_receive(int fd, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = recv(fd, (char *)p + done, n - done, 0);

		if (k < 0 && errno == EAGAIN)
			ASSERT_TRUE(!"an answer within 20 s");
		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	return true;
}

bool serving_ended(int fd)
{
	char c;

	return !serving_receive(fd, &c, 1);
}
