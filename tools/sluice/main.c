// SPDX-License-Identifier: Apache-2.0
/*
 * sluice: the command line of a sluice data plane. The table of verbs is all there is.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "verbs.h"

static int verb_version(int argc, char **argv)
{
	printf("sluice %s\n", SL_VERSION);
	return 0;
}

static const struct verb verbs[] = {
	{"topic", verb_topic, "create, list, describe and delete topics of the event log"},
	{"produce", verb_produce, "append records, one a line, to a topic"},
	{"consume", verb_consume, "print the records of a topic"},
	{"cache", verb_cache, "store, get, purge and verify objects of the cache"},
	{"log", verb_log, "show and verify segment files offline"},
	{"doctor", verb_doctor, "say what this machine lacks for sluice, and the cure"},
	{"top", verb_top, "show what a daemon is doing, live"},
	{"bench", verb_bench, "measure a daemon, or this machine"},
	{"version", verb_version, "print the version"},
};

int main(int argc, char **argv)
{
	/* A reader that goes away is told by the failing write. */
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return verb_version(argc, argv);
	return verbs_run("sluice", verbs, SL_ARRAY_SIZE(verbs), argc, argv);
}
