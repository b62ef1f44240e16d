/* SPDX-License-Identifier: Apache-2.0 */
/* Interface: guest.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"
#include "harness.h"

const char *guest_setting(const char *name)
{
	const char *value = getenv(name);

	ASSERT_TRUE(value != NULL);
	return value;
}

uint16_t guest_port(void)
{
	return (uint16_t)atoi(guest_setting("ACKED_PORT"));
}

void guest_tell_acked(int lane, uint64_t end)
{
	printf("acked %s %d %" PRIu64 "\n", guest_setting("ACKED_NAME"), lane, end);
	fflush(stdout);
}

void guest_tell_kept(bool lost)
{
	printf("%s %s\n", lost ? "lost" : "kept", guest_setting("ACKED_NAME"));
	fflush(stdout);
}
