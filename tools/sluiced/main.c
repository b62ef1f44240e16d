/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluiced: arguments, settings, DATADIR, privileges; then the cores (daemon.c).
 *
 * Everything that must happen before the process has cores happens here, in this order: settings
 * read, signals blocked, DATADIR locked, privileges given up. The thread that loads the kernel
 * programs of listeners meanwhile (programs.c) has ended by then.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"

static const char usage[] =
	"Usage: sluiced [-c FILE] [-D DATADIR] [--set SECTION.KEY=VALUE]... [--check]\n"
	"\n"
	"Serves the event log in DATADIR to Kafka clients, static files by HTTP if\n"
	"static.listen says so, and a cache in front of another HTTP server if\n"
	"proxy.listen does, until SIGTERM or SIGINT.\n"
	"\n"
	"  -c, --config FILE          settings, see sluice.conf(5); also FILE.d/*.conf\n"
	"  -D, --datadir DATADIR      the folder that holds everything stored (./data)\n"
	"      --set SECTION.KEY=VALUE  one setting; goes before those of FILE\n"
	"      --check                read the settings, say what is wrong with them, and end\n"
	"      --version              print the version and end\n"
	"      --help                 print this and end\n"
	"\n"
	"Exit status: 0 stopped as asked, 1 could not start or go on, 2 wrong arguments.\n";

enum { SETS_MAX = 128 };

struct args {
	const char *file;
	const char *sets[SETS_MAX];
	size_t sets_n;
	char datadir[4200];
	bool check;
};

static int add_set(struct args *a, const char *text)
{
	if (a->sets_n == SETS_MAX) {
		fprintf(stderr, "sluiced: more than %d settings on the command line\n", SETS_MAX);
		return -E2BIG;
	}
	a->sets[a->sets_n++] = text;
	return 0;
}

/* Return: -1 to go on, or the exit status. */
static int parse(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"datadir", required_argument, NULL, 'D'},
		{"set", required_argument, NULL, 's'},	  {"check", no_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'v'},	  {"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:D:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->file = optarg;
			break;
		case 'D':
			snprintf(a->datadir, sizeof(a->datadir), "node.datadir=%s", optarg);
			if (add_set(a, a->datadir))
				return 2;
			break;
		case 's':
			if (add_set(a, optarg))
				return 2;
			break;
		case 'k':
			a->check = true;
			break;
		case 'v':
			printf("sluiced %s\n", SL_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "sluiced: what is '%s' for? Try sluiced --help\n", argv[optind]);
	return 2;
}

static void report(void *arg, enum sl_conf_severity severity, const char *text)
{
	(void)arg;
	fprintf(stderr, "sluiced: %s%s\n", severity == SL_CONF_ERROR ? "" : "warning: ", text);
}

static int open_datadir(struct daemon *d, char *why, size_t why_len)
{
	const struct sl_conf *c = &d->conf;
	struct sl_datadir_conf conf = {
		.path = c->node.datadir,
		.option = "-D",
		.cluster_id = c->kafka.cluster_id,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};

	if (c->node.user[0] && !geteuid()) {
		int err = sl_privileges_user(c->node.user, &conf.uid, &conf.gid);

		if (err) {
			snprintf(why, why_len, "node.user = %s: %s", c->node.user,
				 err == -ENOENT ? "there is no such user" : strerror(-err));
			return err;
		}
	}
	return sl_datadir_open(&d->datadir, &conf, why, why_len, SL_NEVER);
}

static bool has_low_port(const struct sl_conf_addrs *addrs)
{
	for (uint32_t i = 0; i < addrs->n; i++)
		if (ntohs(addrs->addrs[i].in4.sin_port) < 1024 && addrs->addrs[i].in4.sin_port)
			return true;
	return false;
}

/* The folder of @file, in @copy. */
static const char *folder_of(const char *file, char *copy, size_t copy_len)
{
	snprintf(copy, copy_len, "%s", file);
	return dirname(copy);
}

/* The same in a @copy of 4200 bytes; "" for no file, as a path that is missing is left out. */
static const char *files_folder(const char *file, char *copy)
{
	return file[0] ? folder_of(file, copy, 4200) : "";
}

/*
 * What Landlock leaves accessible. Of the settings, and of the files that they name, it is the
 * folder, because an editor replaces the file by another one, and a reload is to read that; that of
 * the settings comes last, if there is one.
 */
static int drop_privileges(struct daemon *d, char *why, size_t why_len)
{
	const struct sl_conf *c = &d->conf;
	const char *root = c->statics.listen.n ? c->statics.root : ""; /* missing, so left out */
	const char *cache = c->cache.path; /* the same */
	char copy[7][4200];
	const char *settings = folder_of(d->source.file ? d->source.file : "", copy[0],
					 sizeof(copy[0]));
	const struct sl_privileges_path paths[] = {
		{c->node.datadir, true, false}, {"/proc", false, true}, {"/sys", false, true},
		{"/etc", false, true},		{"/usr", false, true},	{root, false, true},
		{cache, true, true},
		{files_folder(c->tls.certificate, copy[1]), false, true},
		{files_folder(c->tls.key, copy[2]), false, true},
		{files_folder(c->tls.client_ca, copy[3]), false, true},
		{files_folder(c->http.keys, copy[4]), false, true},
		/* The file is made again when it was renamed. */
		{files_folder(c->http.access_log, copy[5]), true, true},
		{files_folder(c->proxy.origin_ca, copy[6]), false, true},
		{settings, false, true},
	};
	struct sl_privileges_conf conf = {
		.user = c->node.user,
		.low_ports = has_low_port(&c->kafka.listen) || has_low_port(&c->http.listen) ||
			     has_low_port(&c->statics.listen) || has_low_port(&c->proxy.listen) ||
			     (c->kafka.core_ports.first && c->kafka.core_ports.first < 1024),
		.core_dumps = c->node.core_dumps,
		.confine = c->node.confine,
		.paths = paths,
		.paths_n = SL_ARRAY_SIZE(paths) - (d->source.file ? 0 : 1),
	};
	struct sl_privileges_report done;
	int err;

	err = sl_privileges_drop(&conf, &done, why, why_len);
	if (!err && c->node.confine &&
	    done.steps[SL_PRIVILEGE_LANDLOCK].state == SL_PRIVILEGE_SKIPPED)
		sl_log_warn("privileges.not-confined",
			    SL_KV(why, done.steps[SL_PRIVILEGE_LANDLOCK].why));
	for (int i = 0; !err && i < SL_PRIVILEGE_LAST; i++)
		if (done.steps[i].state == SL_PRIVILEGE_SKIPPED)
			sl_log_debug("privileges.skipped",
				     SL_KV(step, sl_privilege_name((enum sl_privilege)i)),
				     SL_KV(why, done.steps[i].why));
	return err;
}

static int run(struct daemon *d)
{
	char why[400] = "";
	bool clean = false;
	struct loader loader;
	int err, err2;

	daemon_choose_cpus(d);
	programs_begin(&loader, d);
	err = open_datadir(d, why, sizeof(why));
	if (!err)
		err = cache_make_folder(d, why, sizeof(why));
	err2 = programs_end(&loader, d);
	err = err ? err : err2;
	if (!err)
		err = drop_privileges(d, why, sizeof(why));
	if (err) {
		fprintf(stderr, "sluiced: %s\n", why[0] ? why : strerror(-err));
	} else {
		if (!d->datadir.was_clean)
			sl_log_notice("daemon.recovering", SL_KV(datadir, d->conf.node.datadir),
				      SL_KV(why, "the last run did not end in order"));
		if (d->datadir.pending) {
			d->refused = d->datadir.pending;
			sl_log_err("daemon.read-only", SL_KV(datadir, d->conf.node.datadir),
				   SL_KV_ERRNO(d->refused),
				   SL_KV(why, "no space for VERSION: what is stored is served, "
					      "writes go on when there is space"));
		}
		err = daemon_run(d, &clean);
	}
	sl_bpf_free(d->bpf);
	sl_datadir_close(&d->datadir, clean, SL_NEVER);
	return err ? 1 : !clean;
}

/* What is large goes back to the kernel when it is freed, so that what requests and the making of
 * indexes take for a while is not kept; by itself malloc() would keep up to 32 MiB of each. */
static void bound_heap(void)
{
	enum { LARGE = 1 << 20 };

	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, 4 * LARGE);
}

int main(int argc, char **argv)
{
	struct args args = {0};
	struct daemon d = {.began_ns = sl_clock_ns()};
	struct sl_conf_report reporter = {.fn = report};
	int status = parse(argc, argv, &args);

	if (status >= 0)
		return status;
	bound_heap();
	d.source = (struct sl_conf_source){.file = args.file, .strict = args.check,
					   .sets = args.sets, .sets_n = args.sets_n};
	if (sl_conf_load(&d.conf, &d.source, &reporter))
		return args.check || reporter.errors ? 1 : 2;
	if (args.check) {
		printf("sluiced: the settings are fine\n");
		sl_conf_done(&d.conf);
		return 0;
	}
	sl_log_setup((enum sl_log_level)d.conf.node.log_level,
		     (enum sl_log_format)d.conf.node.log_format);
	d.signal_fd = sl_signals_open();
	if (d.signal_fd < 0) {
		fprintf(stderr, "sluiced: signals: %s\n", strerror(-d.signal_fd));
		return 1;
	}
	status = run(&d);
	sl_close(d.signal_fd);
	sl_conf_done(&d.conf);
	return status;
}
