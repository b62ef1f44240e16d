// SPDX-License-Identifier: Apache-2.0
/*
 * Writes sluice.conf(5) from the table of settings, so that the manual and the parser agree.
 *
 * Interface: conf_man VERSION >sluice.conf.5
 * Invariants: every row of config.def is printed once, in the table's order.
 * Order of parts: text; one setting; the page.
 */
#include <stdio.h>
#include <string.h>

#include "dataplane/dataplane.h"

/* A "-" is a hyphen to troff unless escaped; a leading dot would be a request. */
static void text_print(const char *text)
{
	if (*text == '.')
		printf("\\&");
	for (; *text; text++) {
		if (*text == '-')
			printf("\\-");
		else if (*text == '\\')
			printf("\\e");
		else
			putchar(*text);
	}
}

static void key_print(const struct sl_conf_key *key)
{
	char allowed[256];

	sl_conf_allowed(key, allowed, sizeof(allowed));
	printf(".TP\n.BR %s \" = \\fI", key->key);
	text_print(*key->def ? key->def : "(empty)");
	printf("\\fR\"\n");
	text_print(key->help);
	printf("\nAllowed: ");
	text_print(allowed);
	printf("%s.\n", key->flags & SL_CONF_RELOAD ? "; reloadable" : "");
}

int main(int argc, char **argv)
{
	const char *section = "";

	printf(".TH SLUICE.CONF 5 \"\" \"sluice %s\"\n", argc > 1 ? argv[1] : "");
	printf(".SH NAME\nsluice.conf \\- settings of sluiced\n.SH DESCRIPTION\n"
	       "An INI file: sections in brackets, one\n.I key = value\na line; "
	       "comments begin with\n"
	       ".B #\nor\n.BR ; .\nThe files\n.I FILE.d/*.conf\nare read after\n.IR FILE ,\n"
	       "in the order of their names, and options\n.B \\-\\-set section.key=value\n"
	       "after these; the last value wins. Bytes take the suffixes K, M and G (powers of\n"
	       "1024), times take ns, us, ms, s, m, h and d. The values shown are the defaults.\n"
	       "What is marked reloadable is taken over on SIGHUP; the rest needs a restart.\n"
	       "An unknown key is a warning, and an error under\n.BR \\-\\-check .\n");
	for (int id = 0; id < SL_CONF_LAST; id++) {
		const struct sl_conf_key *key = sl_conf_key((enum sl_conf_id)id);

		if (strcmp(section, key->section)) {
			section = key->section;
			printf(".SH [%s]\n", section);
			text_print(sl_conf_section_help(section));
			printf("\n");
		}
		key_print(key);
	}
	printf(".SH FILES\n.TP\n.I /etc/sluice/sluice.conf\n"
	       "The file that the packaged service reads.\n"
	       ".SH EXAMPLES\n"
	       "All cores but the first two, records kept for a day or 100 GiB a partition:\n"
	       ".PP\n.nf\n[node]\ncores = 2\\-15\ndatadir = /var/lib/sluice\n\n[log]\n"
	       "retention_ms = 1d\nretention_bytes = 100G\n.fi\n.PP\n"
	       "To try settings without starting:\n.PP\n"
	       ".B sluiced \\-c FILE \\-\\-set node.cores=1 \\-\\-check\n");
	printf(".SH SEE ALSO\n.BR sluiced (8),\n.BR sluice (1)\n");
	return 0;
}
