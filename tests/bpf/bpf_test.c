// SPDX-License-Identifier: Apache-2.0
/* The set of programs: what is not asked for, what is refused, and that nothing is missed by it. */
#include <string.h>
#include <sys/capability.h>

#include "bpf/bpf.h"
#include "harness.h"

#define ALL ((UINT64_C(1) << SL_BPF_LAST) - 1)

static struct sl_bpf *load(uint64_t wanted)
{
	const struct sl_bpf_conf conf = {.wanted = wanted};
	struct sl_bpf *bpf = NULL;

	ASSERT_EQ(0, sl_bpf_load(&conf, &bpf));
	ASSERT_NOT_NULL(bpf);
	return bpf;
}

static void drop_capabilities(void)
{
	cap_t none = cap_init();

	ASSERT_NOT_NULL(none);
	ASSERT_EQ(0, cap_set_proc(none));
	cap_free(none);
	harness_leaks_unchecked();
}

TEST(every_program_says_what_it_is)
{
	for (int p = 0; p < SL_BPF_LAST; p++) {
		const struct sl_bpf_info *info = sl_bpf_info((enum sl_bpf_program)p);

		EXPECT_LT(0, strlen(info->name));
		EXPECT_LT(0, strlen(info->attach));
		EXPECT_LT(0, strlen(info->without));
		EXPECT_NOT_NULL(strchr(info->since, '.'));
		for (int k = 0; k < p; k++)
			EXPECT_STRNE(sl_bpf_info((enum sl_bpf_program)k)->name, info->name);
	}
}

TEST(what_is_not_wanted_stays_off)
{
	struct sl_bpf *bpf = load(0);

	for (int p = 0; p < SL_BPF_LAST; p++) {
		const struct sl_bpf_status *s = sl_bpf_status(bpf, (enum sl_bpf_program)p);

		EXPECT_EQ(SL_BPF_OFF, s->state);
		EXPECT_STREQ("", s->why);
	}
	EXPECT_NULL(sl_bpf_punts(bpf));
	sl_bpf_free(bpf);
	sl_bpf_free(NULL);
}

/* Each alone: loaded, or refused in words; what does not attach on this kernel is told here. */
TEST(each_program_loads_or_says_why_not)
{
	for (int p = 0; p < SL_BPF_LAST; p++) {
		struct sl_bpf *bpf = load(UINT64_C(1) << p);
		const struct sl_bpf_status *s = sl_bpf_status(bpf, (enum sl_bpf_program)p);

		EXPECT_NE(SL_BPF_OFF, s->state);
		EXPECT_EQ(s->state == SL_BPF_LOADED, s->why[0] == 0);
		TH_LOG("%s: %s", sl_bpf_info((enum sl_bpf_program)p)->name,
		       s->state == SL_BPF_LOADED ? "loaded" : s->why);
		sl_bpf_free(bpf);
	}
}

TEST(without_privileges_all_are_refused_and_name_the_cure)
{
	struct sl_bpf *bpf;

	drop_capabilities();
	bpf = load(ALL);
	for (int p = 0; p < SL_BPF_LAST; p++) {
		const struct sl_bpf_status *s = sl_bpf_status(bpf, (enum sl_bpf_program)p);

		EXPECT_EQ(SL_BPF_REFUSED, s->state);
		if (!strstr(s->why, "CAP_BPF"))
			EXPECT_NOT_NULL(strstr(s->why, "built without"));
	}
	EXPECT_NULL(sl_bpf_punts(bpf));
	sl_bpf_free(bpf);
}

/* So the daemon need not wait for what only counts; what it was told of ports before holds. */
TEST(what_is_loaded_later_is_there_beside_the_rest)
{
	const struct sl_bpf_conf more = {.wanted = 1u << SL_BPF_PUNTS | 1u << SL_BPF_TCP};
	struct sl_bpf *bpf = load(1u << SL_BPF_PUNTS);
	const struct sl_punts *punts = sl_bpf_punts(bpf);

	sl_bpf_tcp_listens(bpf, 4711, 3);
	EXPECT_FALSE(sl_bpf_is_loaded(bpf, SL_BPF_TCP));
	sl_bpf_load_more(bpf, &more);
	EXPECT_TRUE(punts == sl_bpf_punts(bpf));
	if (!sl_bpf_is_loaded(bpf, SL_BPF_TCP)) {
		sl_bpf_free(bpf);
		SKIP(return, "the program tcp is off here");
	}
	EXPECT_EQ(4, sl_bpf_tcp(bpf)->listener_of[4711]);
	EXPECT_EQ(0, sl_bpf_tcp(bpf)->listener_of[4712]);
	sl_bpf_free(bpf);
}

/* So the daemon can give them up before it serves. */
TEST(what_is_loaded_stays_when_privileges_go)
{
	struct sl_bpf *bpf = load(1u << SL_BPF_PUNTS);
	const struct sl_bpf_status *s = sl_bpf_status(bpf, SL_BPF_PUNTS);

	if (s->state != SL_BPF_LOADED)
		SKIP(return, "%s", s->why);
	drop_capabilities();
	ASSERT_NOT_NULL(sl_bpf_punts(bpf));
	EXPECT_EQ(0, sl_bpf_punts(bpf)->overflows);
	sl_bpf_free(bpf);
}

TEST_HARNESS_MAIN
