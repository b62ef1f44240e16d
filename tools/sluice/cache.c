// SPDX-License-Identifier: Apache-2.0
/*
 * sluice cache put | get | remove | stat | purge | verify | bench: a daemon's cache, by its HTTP
 * interface. sluice cache format: a device that is to be one.
 *
 * Interface: verb_cache(). Invariant: what is got is whole, or the exit status is not 0: an answer
 * that is cut off is told of, also when some of it was written already.
 * Order of parts: common; put; get; remove; stat; purge; verify; bench; format; the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yyjson.h>

#include "stores/cache/cache.h"

#include "bench.h"
#include "options.h"
#include "page.h"
#include "verbs.h"

/* ---- common ----------------------------------------------------------------------------- */

struct cache_options {
	const char *http;
	const char *type, *range, *output, *key, *prefix, *tag;
	struct option_list tags;
	int64_t timeout_ns, ttl_ns, objects, connections, run_ns, pid;
	uint64_t bytes, block_size;
	bool if_absent, json, keep, proxy, force;
};

static const struct cache_options defaults = {
	.timeout_ns = 30 * SL_SEC,
	.objects = 1000,
	.connections = 32,
	.run_ns = 3 * SL_SEC,
	.bytes = 4096,
	.block_size = 4096,
};

#define COMMON_ROWS                                                                                \
	OPTION_HTTP(struct cache_options, http), OPTION_TIMEOUT(struct cache_options, timeout_ns)

static int parse(const struct usage *usage, int argc, char **argv, struct cache_options *ret_o,
		 const char **ret_args)
{
	*ret_o = defaults;
	ret_o->http = http_default();
	return options_parse(usage, argc, argv, ret_o, ret_args);
}

/* Unreserved characters and slashes stand for themselves; all others are encoded. */
static void put_encoded(struct sl_text *t, const char *s)
{
	for (; *s; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		    (*s >= '0' && *s <= '9') || strchr("-._~/", *s))
			sl_text_put(t, s, 1);
		else
			sl_text_printf(t, "%%%02X", (uint8_t)*s);
}

/* "/cache/KEY" and a NUL. */
static void put_path(struct sl_text *t, const char *key)
{
	sl_text_put_string(t, "/cache/");
	put_encoded(t, key);
	sl_text_put(t, "", 1);
}

static void unreachable(const char *name, const char *http, int err)
{
	const char *what = err == -ETIME	? "no answer in time"
			   : err == -ENOENT	? "this name has no address"
			   : err == -EPROTO	? "the answer is cut off, or is not HTTP"
			   : err == -ECONNRESET ? "the connection was closed"
						: strerror(-err);

	complain(name, "%s: %s; does sluiced run, with http.listen there?", http, what);
}

/* What a refusal says in its {"error": "..."}, or its status. */
static void refused(const char *name, const struct page *page)
{
	yyjson_doc *doc = yyjson_read(page->body, page->n, 0);
	const char *why = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "error"));

	if (why)
		complain(name, "%s (status %d)", why, page->status);
	else
		complain(name, "answered by status %d", page->status);
	yyjson_doc_free(doc);
}

/* Asks, and complains of all but a 2xx. Return: 0, with *ret_page; the verb's exit status. */
static int ask(const char *name, const struct cache_options *o, const struct page_request *q,
	       struct page *ret_page)
{
	struct net_addr addr;
	int err;

	if (net_addr_parse(o->http, strlen(o->http), HTTP_PORT, &addr)) {
		complain(name, "--http '%s': expected HOST:PORT", o->http);
		return EXIT_USAGE;
	}
	err = page_exchange(&addr, q, ret_page);
	if (err == -EIO) {
		complain(name, "reading or writing the file: %s", strerror(EIO));
		return 1;
	}
	if (err) {
		unreachable(name, o->http, err);
		return 1;
	}
	if (ret_page->status / 100 == 2)
		return 0;
	refused(name, ret_page);
	page_done(ret_page);
	return 1;
}

/* A request without a body, of whose answer only the success counts. */
static int tell(const char *name, const struct cache_options *o, const char *method,
		struct sl_text *path)
{
	struct page_request q = {.method = method, .fields = "", .body = -1, .out = -1,
				 .timeout_ns = o->timeout_ns};
	struct page page;
	int status = 1;

	if (path->err) {
		complain(name, "%s", strerror(-path->err));
	} else {
		q.path = path->data;
		status = ask(name, o, &q, &page);
		if (!status)
			page_done(&page);
	}
	sl_text_done(path);
	return status;
}

/* ---- put -------------------------------------------------------------------------------- */

static const struct option_row put_rows[] = {
	{"ttl", "TIME", OPTION_TIME, offsetof(struct cache_options, ttl_ns), SL_SEC,
	 36500LL * 86400 * SL_SEC, NULL, "how long it is kept; as cache.ttl says unless given"},
	{"tag", "TAG", OPTION_LIST, offsetof(struct cache_options, tags), 0, 0, NULL,
	 "a word to purge it by; may be repeated"},
	{"type", "TYPE", OPTION_TEXT, offsetof(struct cache_options, type), 0, 0, NULL,
	 "its media type (application/octet-stream)"},
	{"if-absent", NULL, OPTION_FLAG, offsetof(struct cache_options, if_absent), 0, 0, NULL,
	 "do not replace what is there"},
	COMMON_ROWS,
};

static const struct usage put_usage = {
	.name = "cache put",
	.args = "KEY [FILE]",
	.what = "Stores FILE, or standard input, under KEY; it is durable when this returns.",
	.rows = put_rows,
	.rows_n = SL_ARRAY_SIZE(put_rows),
	.args_min = 1,
	.args_max = 2,
};

static bool breaks_line(const char *s)
{
	return s[strcspn(s, "\r\n")] != 0;
}

static int put_fields(const struct cache_options *o, struct sl_text *t)
{
	if (o->ttl_ns)
		sl_text_printf(t, "Cache-Control: max-age=%" PRId64 "\r\n", o->ttl_ns / SL_SEC);
	if (o->type && breaks_line(o->type))
		return -EINVAL;
	if (o->type)
		sl_text_printf(t, "Content-Type: %s\r\n", o->type);
	for (unsigned i = 0; i < o->tags.n; i++) {
		if (o->tags.v[i][strcspn(o->tags.v[i], " ,\t\r\n")])
			return -EINVAL;
		sl_text_printf(t, "Cache-Tag: %s\r\n", o->tags.v[i]);
	}
	if (o->if_absent)
		sl_text_put_string(t, "If-None-Match: *\r\n");
	sl_text_put(t, "", 1);
	return t->err;
}

static int put_file(const struct cache_options *o, const char *key, int fd)
{
	struct page_request q = {.method = "PUT", .body = fd, .out = -1,
				 .timeout_ns = o->timeout_ns};
	struct sl_text path = {0}, fields = {0};
	struct page page;
	int status = 1, err;

	put_path(&path, key);
	err = put_fields(o, &fields);
	if (err == -EINVAL) {
		complain("cache put", "tags are words, and a type is one line");
		status = EXIT_USAGE;
	} else if (err || path.err) {
		complain("cache put", "%s", strerror(ENOMEM));
	} else {
		q.path = path.data;
		q.fields = fields.data;
		status = ask("cache put", o, &q, &page);
		if (!status)
			page_done(&page);
	}
	sl_text_done(&path);
	sl_text_done(&fields);
	return status;
}

static int put(int argc, char **argv)
{
	struct cache_options o;
	const char *args[2] = {NULL, "-"};
	int err = parse(&put_usage, argc, argv, &o, args), fd = STDIN_FILENO, status;

	if (err)
		return options_exit(err);
	if (strcmp(args[1], "-")) {
		fd = open(args[1], O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			complain("cache put", "%s: %s", args[1], strerror(errno));
			return 1;
		}
	}
	status = put_file(&o, args[0], fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return status;
}

/* ---- get -------------------------------------------------------------------------------- */

static const struct option_row get_rows[] = {
	{"range", "FIRST-LAST", OPTION_TEXT, offsetof(struct cache_options, range), 0, 0, NULL,
	 "only these bytes, the first being 0; also FIRST- and -COUNT of the end"},
	{"output", "FILE", OPTION_TEXT, offsetof(struct cache_options, output), 0, 0, NULL,
	 "where to write it; standard output unless given"},
	COMMON_ROWS,
};

static const struct usage get_usage = {
	.name = "cache get",
	.args = "KEY",
	.what = "Writes the object that is stored under KEY.",
	.rows = get_rows,
	.rows_n = SL_ARRAY_SIZE(get_rows),
	.args_min = 1,
	.args_max = 1,
};

static int get_to(const struct cache_options *o, const char *key, int fd)
{
	struct page_request q = {.method = "GET", .body = -1, .out = fd,
				 .timeout_ns = o->timeout_ns};
	struct sl_text path = {0};
	char fields[100] = "";
	struct page page;
	int status = 1;

	if (o->range)
		snprintf(fields, sizeof(fields), "Range: bytes=%s\r\n", o->range);
	q.fields = fields;
	put_path(&path, key);
	if (path.err) {
		complain("cache get", "%s", strerror(-path.err));
	} else {
		q.path = path.data;
		status = ask("cache get", o, &q, &page);
		if (!status)
			page_done(&page);
	}
	sl_text_done(&path);
	return status;
}

static int get(int argc, char **argv)
{
	struct cache_options o;
	const char *key;
	int err = parse(&get_usage, argc, argv, &o, &key), fd = STDOUT_FILENO, status;

	if (err)
		return options_exit(err);
	if (o.range && (strlen(o.range) > 50 || o.range[strspn(o.range, "0123456789-")])) {
		complain("cache get", "--range '%s': expected FIRST-LAST, FIRST- or -COUNT",
			 o.range);
		return EXIT_USAGE;
	}
	if (o.output) {
		fd = open(o.output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0) {
			complain("cache get", "%s: %s", o.output, strerror(errno));
			return 1;
		}
	}
	status = get_to(&o, key, fd);
	if (o.output && close(fd) && !status) {
		complain("cache get", "%s: %s", o.output, strerror(errno));
		status = 1;
	}
	return status;
}

/* ---- remove ----------------------------------------------------------------------------- */

static const struct option_row remove_rows[] = {COMMON_ROWS};

static const struct usage remove_usage = {
	.name = "cache remove",
	.args = "KEY",
	.what = "Removes the object that is stored under KEY; it is an error if there is none.",
	.rows = remove_rows,
	.rows_n = SL_ARRAY_SIZE(remove_rows),
	.args_min = 1,
	.args_max = 1,
};

static int remove_object(int argc, char **argv)
{
	struct cache_options o;
	struct sl_text path = {0};
	const char *key;
	int err = parse(&remove_usage, argc, argv, &o, &key);

	if (err)
		return options_exit(err);
	put_path(&path, key);
	return tell("cache remove", &o, "DELETE", &path);
}

/* ---- stat ------------------------------------------------------------------------------- */

static const struct option_row stat_rows[] = {
	{"json", NULL, OPTION_FLAG, offsetof(struct cache_options, json), 0, 0, NULL,
	 "as one JSON object"},
	COMMON_ROWS,
};

static const struct usage stat_usage = {
	.name = "cache stat",
	.args = "",
	.what = "Prints what the cache holds, and what it did since the daemon's start.",
	.rows = stat_rows,
	.rows_n = SL_ARRAY_SIZE(stat_rows),
};

/* A flat object of numbers, one a line. */
static int figures_print(const char *name, const struct page *page)
{
	yyjson_doc *doc = yyjson_read(page->body, page->n, 0);
	yyjson_val *root = yyjson_doc_get_root(doc), *key;
	yyjson_obj_iter it;
	int status = 0;

	if (yyjson_is_obj(root)) {
		yyjson_obj_iter_init(root, &it);
		while ((key = yyjson_obj_iter_next(&it)))
			printf("%s\t%" PRIu64 "\n", yyjson_get_str(key),
			       yyjson_get_uint(yyjson_obj_iter_get_val(key)));
	} else {
		complain(name, "the answer is no JSON; is that sluiced's http.listen?");
		status = 1;
	}
	yyjson_doc_free(doc);
	return status;
}

static int figures(const char *name, const struct cache_options *o, const char *method,
		   const char *path)
{
	struct page_request q = {.method = method, .path = path, .fields = "", .body = -1,
				 .out = -1, .timeout_ns = o->timeout_ns};
	struct page page;
	int status = ask(name, o, &q, &page);

	if (status)
		return status;
	if (o->json)
		fwrite(page.body, 1, page.n, stdout);
	else
		status = figures_print(name, &page);
	page_done(&page);
	return status;
}

static int stat_print(int argc, char **argv)
{
	struct cache_options o;
	int err = parse(&stat_usage, argc, argv, &o, NULL);

	return err ? options_exit(err) : figures("cache stat", &o, "GET", "/cache/");
}

/* ---- purge ------------------------------------------------------------------------------ */

static const struct option_row purge_rows[] = {
	{"key", "KEY", OPTION_TEXT, offsetof(struct cache_options, key), 0, 0, NULL,
	 "the object of this key"},
	{"prefix", "PREFIX", OPTION_TEXT, offsetof(struct cache_options, prefix), 0, 0, NULL,
	 "all objects whose keys begin so; an empty one is everything"},
	{"tag", "TAG", OPTION_TEXT, offsetof(struct cache_options, tag), 0, 0, NULL,
	 "all objects that were stored with this tag"},
	{"proxy", NULL, OPTION_FLAG, offsetof(struct cache_options, proxy), 0, 0, NULL,
	 "of the reverse proxy: a key is a URL, as the client asked for it"},
	COMMON_ROWS,
};

static const struct usage purge_usage = {
	.name = "cache purge",
	.args = "--key KEY | --prefix PREFIX | --tag TAG [--proxy]",
	.what = "Removes objects; nobody is given them when this returns.",
	.rows = purge_rows,
	.rows_n = SL_ARRAY_SIZE(purge_rows),
};

static int purge(int argc, char **argv)
{
	struct cache_options o;
	struct sl_text path = {0};
	const char *what;
	int err = parse(&purge_usage, argc, argv, &o, NULL);

	if (err)
		return options_exit(err);
	if (!!o.key + !!o.prefix + !!o.tag != 1) {
		complain("cache purge", "exactly one of --key, --prefix and --tag says what");
		return EXIT_USAGE;
	}
	what = o.key ? "key" : o.prefix ? "prefix" : "tag";
	sl_text_printf(&path, "/cache-purge?%s%s=", o.proxy ? "space=proxy&" : "", what);
	put_encoded(&path, o.key ? o.key : o.prefix ? o.prefix : o.tag);
	sl_text_put(&path, "", 1);
	return tell("cache purge", &o, "POST", &path);
}

/* ---- verify ----------------------------------------------------------------------------- */

static const struct usage verify_usage = {
	.name = "cache verify",
	.args = "",
	.what = "Reads everything that is stored from the disk and verifies it. What is bad is no\n"
		"longer given to anybody; the exit status is 1 if there is any.",
	.rows = stat_rows,
	.rows_n = SL_ARRAY_SIZE(stat_rows),
};

static int verify(int argc, char **argv)
{
	struct page_request q = {.method = "POST", .path = "/cache-verify", .fields = "",
				 .body = -1, .out = -1};
	struct cache_options o;
	struct page page;
	yyjson_doc *doc;
	int err, status;

	err = parse(&verify_usage, argc, argv, &o, NULL);
	if (err)
		return options_exit(err);
	/* A large cache takes its time, and nothing is heard meanwhile. */
	q.timeout_ns = sl_max(o.timeout_ns, 86400 * SL_SEC);
	status = ask("cache verify", &o, &q, &page);
	if (status)
		return status;
	doc = yyjson_read(page.body, page.n, 0);
	if (yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), "bad")))
		status = 1;
	yyjson_doc_free(doc);
	if (o.json)
		fwrite(page.body, 1, page.n, stdout);
	else
		status |= figures_print("cache verify", &page);
	page_done(&page);
	return status;
}

/* ---- bench ------------------------------------------------------------------------------ */

static const struct option_row bench_rows[] = {
	{"objects", "N", OPTION_NUMBER, offsetof(struct cache_options, objects), 1, 10000000, NULL,
	 "how many objects are stored and asked for (1000)"},
	{"bytes", "N", OPTION_BYTES, offsetof(struct cache_options, bytes), 1, SL_GIB, NULL,
	 "how long each is (4096)"},
	{"connections", "N", OPTION_NUMBER, offsetof(struct cache_options, connections), 1, 10000,
	 NULL, "connections that ask, each one request at a time (32)"},
	{"seconds", "TIME", OPTION_TIME, offsetof(struct cache_options, run_ns), SL_MSEC,
	 86400 * SL_SEC, NULL, "how long it asks (3s)"},
	{"pid", "N", OPTION_NUMBER, offsetof(struct cache_options, pid), 1, INT32_MAX, NULL,
	 "the daemon, whose CPU time is then shown"},
	{"json", NULL, OPTION_FLAG, offsetof(struct cache_options, json), 0, 0, NULL,
	 "as one JSON object"},
	{"keep", NULL, OPTION_FLAG, offsetof(struct cache_options, keep), 0, 0, NULL,
	 "leave the objects there"},
	COMMON_ROWS,
};

static const struct usage bench_usage = {
	.name = "cache bench",
	.args = "",
	.what = "Stores objects under keys that begin with bench-, reads and removes them.",
	.rows = bench_rows,
	.rows_n = SL_ARRAY_SIZE(bench_rows),
};

/* A file of the objects' length, without a name. */
static int object_file(uint64_t bytes)
{
	FILE *f = tmpfile();
	int fd = f ? dup(fileno(f)) : -1;

	if (f)
		fclose(f);
	if (fd >= 0 && ftruncate(fd, (off_t)bytes)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int fill(const struct cache_options *o)
{
	int fd = object_file(o->bytes), status = 0;
	int64_t began = now_ns();
	double s;

	if (fd < 0) {
		complain("cache bench", "a temporary file: %s", strerror(errno));
		return 1;
	}
	for (int64_t i = 0; i < o->objects && !status; i++) {
		char key[40];

		snprintf(key, sizeof(key), "bench-%" PRId64, i);
		lseek(fd, 0, SEEK_SET);
		status = put_file(o, key, fd);
	}
	close(fd);
	s = (double)(now_ns() - began) / 1e9;
	if (!status && !o->json)
		printf("stored %" PRId64 " objects of %" PRIu64 " bytes in %.2f s, one after the "
		       "other: %.1f MB/s\n", o->objects, o->bytes, s,
		       (double)o->objects * (double)o->bytes / 1e6 / s);
	return status;
}

static int load(const struct cache_options *o)
{
	char server[NET_HOST_BYTES + 10];
	struct bench_options b = {
		.bootstrap = server,
		.path = "/cache/bench-",
		.timeout_ns = o->timeout_ns,
		.run_ns = o->run_ns,
		.warmup_ns = o->run_ns / 4,
		.connections = o->connections,
		.files = o->objects,
		.pid = o->pid,
	};
	struct bench_load run = {.kind = BENCH_HTTP, .o = &b};
	struct net_addr addr;
	int err;

	SL_ASSERT(!net_addr_parse(o->http, strlen(o->http), HTTP_PORT, &addr)); /* it was filled */
	snprintf(server, sizeof(server), strchr(addr.host, ':') ? "[%s]:%u" : "%s:%u", addr.host,
		 addr.port);
	err = bench_http_run(&run);
	if (err)
		complain("cache bench", "%s", run.error);
	else
		bench_report(&run, o->json);
	bench_load_done(&run);
	return err ? 1 : 0;
}

static int bench(int argc, char **argv)
{
	struct sl_text path = {0};
	struct cache_options o;
	int err = parse(&bench_usage, argc, argv, &o, NULL), status;

	if (err)
		return options_exit(err);
	status = fill(&o);
	if (!status)
		status = load(&o);
	if (o.keep)
		return status;
	sl_text_put(&path, "/cache-purge?prefix=bench-", sizeof("/cache-purge?prefix=bench-"));
	return tell("cache bench", &o, "POST", &path) || status;
}

/* ---- format ----------------------------------------------------------------------------- */

static const struct option_row format_rows[] = {
	{"block-size", "BYTES", OPTION_BYTES, offsetof(struct cache_options, block_size), 4096,
	 65536, NULL, "what an object's place is rounded to, a power of two (4096)"},
	{"force", NULL, OPTION_FLAG, offsetof(struct cache_options, force), 0, 0, NULL,
	 "empty the cache that is on it"},
};

static const struct usage format_usage = {
	.name = "cache format",
	.args = "PATH",
	.what = "Prepares the block device or plain file PATH to be a daemon's cache.path. One\n"
		"whose first or last MiB is not zeros is refused: something may be on it.",
	.rows = format_rows,
	.rows_n = SL_ARRAY_SIZE(format_rows),
	.args_min = 1,
	.args_max = 1,
};

static int format(int argc, char **argv)
{
	struct cache_format_conf conf;
	struct cache_format made;
	struct cache_options o;
	char why[4400];
	const char *path;
	int err = parse(&format_usage, argc, argv, &o, &path);

	if (err)
		return options_exit(err);
	if (o.block_size & (o.block_size - 1)) {
		complain("cache format", "--block-size: expected a power of two");
		return EXIT_USAGE;
	}
	conf = (struct cache_format_conf){.block_size = (uint32_t)o.block_size, .force = o.force};
	if (cache_format(AT_FDCWD, path, &conf, &made, why, sizeof(why), SL_NEVER)) {
		complain("cache format", "%s", why);
		return 1;
	}
	printf("%s: a cache of %" PRIu64 " bytes: %u shards of %u slots of %" PRIu64 " bytes, the "
	       "largest object\n", path, made.bytes, made.shards, made.slots, made.slot_bytes);
	return 0;
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct verb words[] = {
	{"format", format, "prepare a block device to be a cache"},
	{"put", put, "store a file under a key"},
	{"get", get, "write the object of a key"},
	{"remove", remove_object, "remove the object of a key"},
	{"stat", stat_print, "show what the cache holds and did"},
	{"purge", purge, "remove objects by key, prefix or tag"},
	{"verify", verify, "read everything from the disk and verify it"},
	{"bench", bench, "how fast objects come"},
};

int verb_cache(int argc, char **argv)
{
	return verbs_run("sluice cache", words, SL_ARRAY_SIZE(words), argc, argv);
}
