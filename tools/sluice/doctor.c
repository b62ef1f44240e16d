// SPDX-License-Identifier: Apache-2.0
/*
 * sluice doctor: say what this machine lacks for sluice, and the cure.
 *
 * Interface: verb_doctor(). The checks are in doctor_checks.c; here are the settings that they look
 * at, and the printing. Order of parts: settings; printing; the verb.
 */
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <yyjson.h>

#include "options.h"
#include "verbs.h"

/* ---- settings --------------------------------------------------------------------------- */

struct doctor_options {
	const char *config, *datadir;
	bool json;
};

static void mistake(void *arg, enum sl_conf_severity severity, const char *text)
{
	fprintf(stderr, "sluice doctor: %s\n", text);
}

/* As the daemon would read them. */
static int load_conf(const struct doctor_options *o, struct sl_conf *ret_conf)
{
	struct sl_conf_report report = {.fn = mistake};
	char set[4200];
	const char *sets[] = {set};
	struct sl_conf_source source = {.file = o->config, .sets = sets};

	if (o->datadir) {
		snprintf(set, sizeof(set), "node.datadir=%s", o->datadir);
		source.sets_n = 1;
	}
	return sl_conf_load(ret_conf, &source, &report);
}

/* ---- printing --------------------------------------------------------------------------- */

static const char *const level_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};
_Static_assert(SL_ARRAY_SIZE(level_names) == DOCTOR_LEVEL_LAST, "one name for each level");

static void print_text(const struct doctor_report *r, const size_t *counts)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct doctor_finding *f = &r->v[i];

		printf("%-5s %-26s %s\n", level_names[f->level], f->name, f->text);
		if (*f->cure)
			printf("%-5s %-26s -> %s\n", "", "", f->cure);
	}
	printf("%zu ok, %zu warn, %zu fail: %s\n", counts[DOCTOR_OK], counts[DOCTOR_WARN],
	       counts[DOCTOR_FAIL],
	       counts[DOCTOR_FAIL] ? "sluiced will not start" : "sluiced can run here");
}

/* Raised when a member goes or changes its meaning; further members and names may come. */
enum { JSON_SCHEMA = 1 };

static int print_json(const struct doctor_report *r, const size_t *counts)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
	char *text;

	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_int(doc, root, "schema", JSON_SCHEMA);
	yyjson_mut_obj_add_bool(doc, root, "ok", !counts[DOCTOR_FAIL]);
	yyjson_mut_obj_add_val(doc, root, "checks", list);
	for (size_t i = 0; i < r->n; i++) {
		yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);

		yyjson_mut_obj_add_str(doc, row, "name", r->v[i].name);
		yyjson_mut_obj_add_str(doc, row, "level", level_names[r->v[i].level]);
		yyjson_mut_obj_add_str(doc, row, "value", r->v[i].value);
		yyjson_mut_obj_add_str(doc, row, "text", r->v[i].text);
		yyjson_mut_obj_add_str(doc, row, "cure", r->v[i].cure);
	}
	text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY, NULL);
	yyjson_mut_doc_free(doc);
	if (!text)
		return -1;
	puts(text);
	free(text);
	return 0;
}

/* ---- the verb --------------------------------------------------------------------------- */

static const struct option_row rows[] = {
	{"datadir", "DIR", OPTION_TEXT, offsetof(struct doctor_options, datadir), 0, 0, NULL,
	 "the folder that the daemon is to keep its data in; also -D DIR"},
	{"config", "FILE", OPTION_TEXT, offsetof(struct doctor_options, config), 0, 0, NULL,
	 "the daemon's settings, for its folder and listeners; also -c FILE"},
	{"json", NULL, OPTION_FLAG, offsetof(struct doctor_options, json), 0, 0, NULL,
	 "print one JSON object instead of lines"},
};

static const struct usage usage = {
	.name = "doctor",
	.args = "",
	.what = "Looks at the kernel, io_uring, programs in the kernel, limits, memory, the data\n"
		"folder and the listeners' addresses, changes nothing, and prints one line for\n"
		"each: ok, warn (the daemon runs, and does something worse than it could) or fail\n"
		"(it does not start), and below it the cure.",
	.rows = rows,
	.rows_n = SL_ARRAY_SIZE(rows),
	.more = "--json: {\"schema\": 1, \"ok\": BOOL, \"checks\": [{\"name\", \"level\",\n"
		"\"value\", \"text\", \"cure\"}]}, all members of a check text. Later releases\n"
		"add to it, and raise schema when they change it.\n\n"
		"Exit status: 0 unless something required is missing (fail), then 1; warnings\n"
		"alone are 0; 2 for wrong usage or settings that cannot be read.",
};

/* The daemon's own short options mean the same here. */
static void lengthen_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-D"))
			argv[i] = (char *)"--datadir";
		else if (!strcmp(argv[i], "-c"))
			argv[i] = (char *)"--config";
	}
}

int verb_doctor(int argc, char **argv)
{
	struct doctor_options o = {0};
	struct doctor_report *report;
	size_t counts[DOCTOR_LEVEL_LAST] = {0};
	struct sl_conf conf;
	struct utsname u;
	int status;

	lengthen_options(argc, argv);
	status = options_parse(&usage, argc, argv, &o, NULL);
	if (status)
		return options_exit(status);
	if (load_conf(&o, &conf))
		return EXIT_USAGE;
	report = calloc(1, sizeof(*report));
	if (!report || uname(&u)) {
		complain("doctor", "out of memory");
		status = 1;
		goto out;
	}
	for (size_t i = 0; i < doctor_checks_n; i++) {
		struct doctor d = {
			.root = "", .release = u.release, .conf = &conf, .report = report};

		doctor_checks[i].fn(&d, doctor_checks[i].name);
	}
	for (size_t i = 0; i < report->n; i++)
		counts[report->v[i].level]++;
	if (!o.json)
		print_text(report, counts);
	else if (print_json(report, counts))
		complain("doctor", "out of memory");
	status = counts[DOCTOR_FAIL] ? 1 : 0;
out:
	free(report);
	sl_conf_done(&conf);
	return status;
}
