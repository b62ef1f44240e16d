/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's listeners: several addresses, off, taken ports, the same port on every core. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "tests/faults/daemon.h"
#include "tools/sluice/page.h"
#include "tools/sluice/prom.h"

static int connect_to(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	close(fd);
	return -1;
}

static void expect_http(uint16_t port, const char *path, const char *status)
{
	int fd = connect_to(port);
	char text[2000];
	ssize_t n;

	ASSERT_LE(0, fd);
	n = snprintf(text, sizeof(text),
		     "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	ASSERT_EQ(n, write(fd, text, (size_t)n));
	n = recv(fd, text, sizeof(text) - 1, 0);
	ASSERT_LT(0, n);
	text[n] = 0;
	EXPECT_TRUE(!strncmp(text, status, strlen(status)));
	close(fd);
}

TEST(every_core_accepts_on_the_same_port)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_set(&d, "node.cores=4");
	daemon_must_start(&d);
	for (int i = 0; i < 40; i++)
		expect_http(d.http_port, i % 2 ? "/readyz" : "/healthz", "HTTP/1.1 200");
	EXPECT_EQ(0, daemon_stop(&d));
}

static void put_file(const char *name)
{
	char path[4200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", harness_tmpdir(), name);
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fputs("a file", f);
	fclose(f);
}

TEST(files_are_served_by_a_listener_of_their_own)
{
	struct daemon_kit d;

	put_file("a.txt");
	daemon_init(&d, NULL);
	daemon_must_start(&d);
	EXPECT_EQ(0, d.static_port);
	EXPECT_EQ(0, daemon_stop(&d));
	daemon_set(&d, "node.cores=2");
	daemon_set(&d, "static.listen=127.0.0.1:0");
	daemon_set(&d, "static.root=%s", harness_tmpdir());
	daemon_must_start(&d);
	ASSERT_NE(0, d.static_port);
	for (int i = 0; i < 20; i++) {
		expect_http(d.static_port, "/a.txt", "HTTP/1.1 200");
		expect_http(d.static_port, "/metrics", "HTTP/1.1 404");
		expect_http(d.http_port, "/a.txt", "HTTP/1.1 404");
	}
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST(a_missing_folder_of_files_is_named)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_set(&d, "static.listen=127.0.0.1:0");
	daemon_set(&d, "static.root=%s/none", harness_tmpdir());
	EXPECT_EQ(1, daemon_start(&d));
	EXPECT_EQ(1, daemon_log_count(&d, "/none: No such file or directory; name a folder"));
}

TEST(a_taken_port_is_named)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	struct daemon_kit d;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	daemon_init(&d, NULL);
	daemon_set(&d, "http.listen=127.0.0.1:%u", ntohs(a.sin_port));
	EXPECT_EQ(1, daemon_start(&d));
	EXPECT_EQ(1, daemon_log_count(&d, "daemon.cannot-listen"));
	EXPECT_EQ(1, daemon_log_count(&d, "choose another port"));
	close(fd);
	/* Nothing is left behind that keeps the next start from serving. */
	daemon_set(&d, "http.listen=127.0.0.1:0");
	daemon_must_start(&d);
	EXPECT_EQ(0, daemon_stop(&d));
}

static double metric(uint16_t http_port, const char *name, const char *listener)
{
	struct net_addr addr = {.host = "127.0.0.1", .port = http_port};
	struct prom_page metrics;
	double value = -1;
	struct page page;
	size_t line;

	ASSERT_EQ(0, page_get(&addr, "/metrics", SL_NEVER, &page));
	ASSERT_EQ(0, prom_parse(page.body, page.n, &metrics, &line));
	for (size_t i = 0; i < metrics.samples_n; i++) {
		const struct prom_sample *s = &metrics.samples[i];

		if (!strcmp(s->name, name) &&
		    (!listener || !strcmp(listener, prom_label_value(s, "listener"))))
			value = s->value;
	}
	prom_page_done(&metrics);
	page_done(&page);
	return value;
}

/* conn.max is shared out to the cores, rounded up, for each address. */
TEST(readiness_and_limits_are_in_metrics)
{
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_set(&d, "node.cores=2");
	daemon_set(&d, "conn.max=101");
	daemon_set(&d, "kafka.listen=127.0.0.1:0, 127.0.0.2:0");
	daemon_must_start(&d);
	EXPECT_EQ(1, (int)metric(d.http_port, "sluice_ready", NULL));
	EXPECT_EQ(102, (int)metric(d.http_port, "sluice_connections_max", "http"));
	EXPECT_EQ(204, (int)metric(d.http_port, "sluice_connections_max", "kafka"));
	EXPECT_EQ(0, daemon_stop(&d));
}

FIXTURE(core_ports)
{
	struct daemon_kit d;
};

FIXTURE_VARIANT(core_ports)
{
	const char *program;
};

FIXTURE_VARIANT_ADD(core_ports, by_program){.program = "yes"};
FIXTURE_VARIANT_ADD(core_ports, by_listeners){.program = "no"};

FIXTURE_SETUP(core_ports)
{
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "node.cores=4");
	daemon_set(&self->d, "bpf.ports=%s", variant->program);
}

FIXTURE_TEARDOWN(core_ports)
{
}

TEST_F(core_ports, too_few_are_refused)
{
	daemon_set(&self->d, "kafka.core_ports=20000-20001");
	EXPECT_EQ(1, daemon_start(&self->d));
	EXPECT_EQ(1, daemon_log_count(&self->d, "2 ports are too few for 4 cores"));
}

TEST_F(core_ports, a_taken_one_is_named)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char text[40];
	uint16_t port;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	do {
		port = (uint16_t)(10000 + harness_random() % 20000);
		a.sin_port = htons(port);
	} while (bind(fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(fd, 1));
	daemon_set(&self->d, "kafka.core_ports=%u-%u", port, port + 3);
	EXPECT_EQ(1, daemon_start(&self->d));
	snprintf(text, sizeof(text), "port %u: ", port);
	EXPECT_EQ(1, daemon_log_count(&self->d, text));
	EXPECT_EQ(1, daemon_log_count(&self->d, "kafka.core_ports = "));
	close(fd);
}

TEST_F(core_ports, each_core_has_one)
{
	uint16_t first;

	for (int tries = 0; tries < 5; tries++) {
		first = (uint16_t)(10000 + harness_random() % 20000);
		daemon_set(&self->d, "kafka.core_ports=%u-%u", first, first + 3);
		if (!daemon_start(&self->d))
			break;
	}
	for (int i = 0; i < 4; i++) {
		int fd = connect_to((uint16_t)(first + i));

		EXPECT_LE(0, fd);
		close(fd);
	}
	EXPECT_GT(0, connect_to((uint16_t)(first + 4)));
	EXPECT_EQ(0, daemon_stop(&self->d));
	EXPECT_GT(0, connect_to(first));
}

TEST_HARNESS_MAIN
