// SPDX-License-Identifier: Apache-2.0
/* VERSION of arbitrary bytes, on a simulated disk: refused with a reason, or read. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>

#include "dataplane/datadir.h"
#include "dataplane/file.h"
#include "uring/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file(int dir, const char *name, const void *data, size_t size)
{
	int rc = sl_write_file(dir, name, data, size, SL_FAULT_NONE, SL_FAULT_NONE, SL_NEVER);

	SL_ASSERT(rc == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sl_datadir_conf conf = {
		.path = "/data", .uid = (uid_t)-1, .gid = (gid_t)-1, .exclusive = true};
	struct sl_sim *sim = sl_sim_new(1, NULL);
	struct sl_datadir dd;
	char why[256] = "";
	int dir;

	sl_backend_use(sl_sim_backend(sim));
	if (sl_mkdir(AT_FDCWD, "/data", 0700, SL_NEVER))
		abort();
	dir = sl_open(AT_FDCWD, "/data", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	SL_ASSERT(dir >= 0);
	put_file(dir, "VERSION", data, size);
	if (sl_datadir_open(&dd, &conf, why, sizeof(why), SL_NEVER) == 0) {
		SL_ASSERT(strlen(dd.cluster_id) < sizeof(dd.cluster_id));
		SL_ASSERT(sl_datadir_close(&dd, true, SL_NEVER) == 0);
		SL_ASSERT(sl_datadir_open(&dd, &conf, why, sizeof(why), SL_NEVER) == 0);
		SL_ASSERT(dd.was_clean && !dd.is_new);
		sl_datadir_close(&dd, true, SL_NEVER);
	} else {
		SL_ASSERT(strlen(why) > 0);
	}
	sl_close(dir);
	sl_backend_use(NULL);
	sl_sim_free(sim);
	return 0;
}
