// SPDX-License-Identifier: Apache-2.0
/* The proxy's settings; what it does is seen by a client, in tests/clients/proxy_test.py. */
#include <errno.h>
#include <string.h>

#include "apis/proxy/proxy.h"
#include "harness.h"

static int make(const char *url, struct http_proxy **ret_proxy, char *why, size_t why_len)
{
	const struct http_proxy_conf conf = {.origin = url, .slice_bytes = SL_MIB};

	return http_proxy_new(&conf, 2, ret_proxy, why, why_len);
}

TEST(origin_is_a_url_without_a_path)
{
	static const struct {
		const char *url;
		int err;
	} urls[] = {
		{"http://127.0.0.1:8000", 0},
		{"http://127.0.0.1:8000/", 0},
		{"http://example.org", 0},
		{"http://[::1]:8080", 0},
		{"http://[::1]", 0},
		{"https://example.org", -EPROTONOSUPPORT}, /* no TLS was given */
		{"", -EINVAL},
		{"example.org", -EINVAL},
		{"ftp://example.org", -EINVAL},
		{"http://", -EINVAL},
		{"http:///", -EINVAL},
		{"http://:80", -EINVAL},
		{"http://example.org/path", -EINVAL},
		{"http://user@example.org", -EINVAL},
		{"http://example.org:", -EINVAL},
		{"http://example.org:0", -EINVAL},
		{"http://example.org:65536", -EINVAL},
		{"http://example.org:80x", -EINVAL},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(urls); i++) {
		struct http_proxy *p = NULL;
		char why[400] = "";
		int err = make(urls[i].url, &p, why, sizeof(why));

		if (!EXPECT_EQ(urls[i].err, err) || !EXPECT_EQ(err != 0, strlen(why) > 0))
			TH_LOG("of '%s': %s", urls[i].url, why);
		http_proxy_free(p);
	}
}

TEST(host_too_long_is_refused)
{
	char url[400] = "http://", why[600] = "";
	struct http_proxy *p = NULL;

	memset(url + 7, 'a', 300);
	EXPECT_EQ(-EINVAL, make(url, &p, why, sizeof(why)));
	http_proxy_free(NULL);
}

TEST_HARNESS_MAIN
