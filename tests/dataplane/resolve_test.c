/* SPDX-License-Identifier: Apache-2.0 */
/* Names of hosts: addresses as text, a server's answers, its silence, each call failing. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "dataplane/dataplane.h"
#include "harness.h"

/* ---- a server of names -------------------------------------------------------------------- */

/*
 * two.test. has 10.1.2.3 and 10.1.2.4, six.test. fd00::6 alone, many.test. 20 addresses,
 * empty.test. none, broken.test. an answer that is none, silent.test. no answer; refused.test. is
 * refused, and there are no others.
 */
struct names {
	char servers[64]; /* as sl_resolve() takes it */
	pthread_t thread;
	int fd, done[2];
	unsigned asked;
};

enum { TYPE_A = 1, TYPE_AAAA = 28, NO_SUCH_NAME = 3, REFUSED = 5 };

struct answer {
	uint8_t p[2048];
	size_t len;
};

static void add_address(struct answer *a, uint16_t type, const void *addr, uint16_t len)
{
	uint8_t *p = a->p + a->len;

	sl_store_be16(p, 0xc00c); /* the name that was asked for */
	sl_store_be16(p + 2, type);
	sl_store_be16(p + 4, 1);
	sl_store_be32(p + 6, 60);
	sl_store_be16(p + 10, len);
	memcpy(p + 12, addr, len);
	a->len += 12u + len;
	sl_store_be16(a->p + 6, (uint16_t)(sl_load_be16(a->p + 6) + 1));
}

static void add_ipv4(struct answer *a, uint32_t addr)
{
	uint8_t raw[4];

	sl_store_be32(raw, addr);
	add_address(a, TYPE_A, raw, sizeof(raw));
}

/* The first label of the question at @p as text. Return: where its type is, or 0. */
static size_t read_question(const uint8_t *p, size_t len, char *ret_label)
{
	size_t at = 12;

	if (len < 17 || p[12] > 30)
		return 0;
	memcpy(ret_label, p + 13, p[12]);
	ret_label[p[12]] = 0;
	while (at < len && p[at])
		at += p[at] + 1u;
	return at + 5 <= len ? at + 1 : 0;
}

/* Return: whether it is to be sent. */
static bool make_answer(struct answer *a, const char *label, uint16_t type)
{
	uint8_t six[16] = {0xfd, [15] = 6};

	if (!strcmp(label, "silent"))
		return false;
	if (!strcmp(label, "broken"))
		a->len = 14;
	else if (!strcmp(label, "refused"))
		a->p[3] = REFUSED;
	else if (!strcmp(label, "two") && type == TYPE_A) {
		add_ipv4(a, 0x0a010203);
		add_ipv4(a, 0x0a010204);
	} else if (!strcmp(label, "many") && type == TYPE_A)
		for (uint32_t i = 0; i < 20; i++)
			add_ipv4(a, 0x0a020000 + i);
	else if (!strcmp(label, "six") && type == TYPE_AAAA)
		add_address(a, TYPE_AAAA, six, sizeof(six));
	else if (strcmp(label, "two") && strcmp(label, "many") && strcmp(label, "six") &&
		 strcmp(label, "empty"))
		a->p[3] = NO_SUCH_NAME;
	return true;
}

static void answer_one(struct names *s)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct answer a;
	char label[32];
	ssize_t n = recvfrom(s->fd, a.p, 512, 0, (struct sockaddr *)&from, &from_len);
	size_t type_at = n > 0 ? read_question(a.p, (size_t)n, label) : 0;

	if (!type_at)
		return;
	__atomic_fetch_add(&s->asked, 1, __ATOMIC_RELAXED);
	a.p[2] = 0x81; /* a recursive answer */
	a.p[3] = 0;
	memset(a.p + 6, 0, 6);
	a.len = type_at + 4;
	if (make_answer(&a, label, sl_load_be16(a.p + type_at)))
		sendto(s->fd, a.p, a.len, 0, (struct sockaddr *)&from, from_len);
}

static void *serve_names(void *arg)
{
	struct names *s = arg;
	struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
			      {.fd = s->done[0], .events = POLLIN}};

	while (poll(p, 2, -1) >= 0 && !p[1].revents)
		answer_one(s);
	return NULL;
}

static void names_start(struct names *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	*s = (struct names){.fd = socket(AF_INET, SOCK_DGRAM, 0)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(s->fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, getsockname(s->fd, (struct sockaddr *)&a, &len));
	snprintf(s->servers, sizeof(s->servers), "127.0.0.1:%u", ntohs(a.sin_port));
	ASSERT_EQ(0, pipe(s->done));
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, serve_names, s));
}

static void names_end(struct names *s)
{
	ASSERT_EQ(1, write(s->done[1], "x", 1));
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->done[0]);
	close(s->done[1]);
}

/* ---- asking --------------------------------------------------------------------------------- */

struct ask {
	struct names names;
	struct sl_faults *faults;
	struct sl_conf_addr addrs[SL_RESOLVE_MAX];
	char why[200];
	void (*fn)(struct ask *a);
};

static int run(void *arg)
{
	struct ask *a = arg;

	a->fn(a);
	return 0;
}

static void with_names(struct ask *a, void (*fn)(struct ask *a))
{
	a->fn = fn;
	names_start(&a->names);
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){
					 .arena_bytes_max = 16 * SL_MIB,
					 .backend = a->faults ? &a->faults->backend : NULL},
				 run, a));
	names_end(&a->names);
}

static int64_t in_time(void)
{
	return sl_now() + 20 * SL_SEC * harness_time_scale();
}

static int ask(struct ask *a, const char *host, int64_t deadline)
{
	const struct sl_resolve_conf conf = {host, 80, a->names.servers};

	a->why[0] = 0;
	return sl_resolve(&conf, a->addrs, SL_RESOLVE_MAX, a->why, sizeof(a->why), deadline);
}

static void expect_one(struct ask *a, const char *host, const char *text)
{
	char seen[SL_CONF_ADDR_TEXT];

	ASSERT_EQ(1, ask(a, host, in_time()));
	sl_conf_addr_format(&a->addrs[0], seen);
	EXPECT_STREQ(text, seen);
}

static void literals(struct ask *a)
{
	expect_one(a, "192.0.2.7", "192.0.2.7:80");
	expect_one(a, "2001:db8::1", "[2001:db8::1]:80");
	expect_one(a, "[2001:db8::1]", "[2001:db8::1]:80");
	EXPECT_EQ(0, a->names.asked);
}

TEST(addresses_as_text_are_taken_as_they_are)
{
	with_names(&(struct ask){0}, literals);
}

static void names(struct ask *a)
{
	char first[SL_CONF_ADDR_TEXT], second[SL_CONF_ADDR_TEXT];

	ASSERT_EQ(2, ask(a, "two.test.", in_time()));
	sl_conf_addr_format(&a->addrs[0], first);
	sl_conf_addr_format(&a->addrs[1], second);
	EXPECT_TRUE(!strcmp(first, "10.1.2.3:80") || !strcmp(second, "10.1.2.3:80"));
	EXPECT_TRUE(!strcmp(first, "10.1.2.4:80") || !strcmp(second, "10.1.2.4:80"));
	expect_one(a, "six.test.", "[fd00::6]:80");
	EXPECT_LE(1, ask(a, "localhost", in_time()));
	EXPECT_TRUE(sl_conf_addr_is_loopback(&a->addrs[0]));
	EXPECT_EQ(SL_RESOLVE_MAX, ask(a, "many.test.", in_time()));
}

TEST(a_name_has_the_addresses_that_its_server_says)
{
	with_names(&(struct ask){0}, names);
}

static void failures(struct ask *a)
{
	EXPECT_EQ(-ENOENT, ask(a, "nobody.test.", in_time()));
	EXPECT_TRUE(strstr(a->why, "nobody.test.: there is no such host"));
	EXPECT_EQ(-ENOENT, ask(a, "empty.test.", in_time()));
	EXPECT_EQ(-ENOENT, ask(a, "a..b", in_time()));
	EXPECT_GT(0, ask(a, "", in_time()));
	EXPECT_EQ(-EHOSTUNREACH, ask(a, "refused.test.", in_time()));
	EXPECT_TRUE(strstr(a->why, "/etc/resolv.conf"));
}

TEST(a_name_without_addresses_says_so)
{
	with_names(&(struct ask){0}, failures);
}

static void silence(struct ask *a)
{
	EXPECT_EQ(-ETIME, ask(a, "silent.test.", sl_now() + 50 * SL_MSEC));
	EXPECT_TRUE(strstr(a->why, "silent.test.: no answer"));
	EXPECT_EQ(-ETIME, ask(a, "two.test.", sl_now()));
	/* An answer that cannot be read is none, or an error; it is no address. */
	EXPECT_GT(0, ask(a, "broken.test.", sl_now() + 50 * SL_MSEC));
	expect_one(a, "six.test.", "[fd00::6]:80");
}

TEST(a_silent_server_is_waited_for_until_the_deadline)
{
	with_names(&(struct ask){0}, silence);
}

/* Other fibers go on while one waits. */
static void count_turns(void *arg)
{
	unsigned *turns = arg;

	for (; *turns < 5; ++*turns)
		sl_sleep(sl_now() + SL_MSEC);
}

static void core_goes_on(struct ask *a)
{
	unsigned turns = 0;

	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, count_turns, &turns));
	EXPECT_EQ(-ETIME, ask(a, "silent.test.", sl_now() + 300 * SL_MSEC * harness_time_scale()));
	while (turns < 5)
		sl_sleep(sl_now() + SL_MSEC);
}

TEST(a_question_does_not_block_the_core)
{
	with_names(&(struct ask){0}, core_goes_on);
}

static void once(struct ask *a)
{
	int n = ask(a, "six.test.", sl_now() + 300 * SL_MSEC);

	EXPECT_TRUE(n == 1 || (n < 0 && a->why[0]));
}

TEST(each_failing_call_is_told_or_survived)
{
	struct sl_faults f;
	uint64_t n;

	sl_faults_init(&f, NULL);
	f.ops = sl_ops_socket_mask() | UINT64_C(1) << SL_OP_POLL;
	with_names(&(struct ask){.faults = &f}, once);
	n = f.count;
	ASSERT_LT(2, n);
	for (uint64_t i = 1; i <= n; i++) {
		f.nth = i;
		f.err = EIO;
		f.count = 0;
		with_names(&(struct ask){.faults = &f}, once);
	}
}

TEST_HARNESS_MAIN
