/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's store of objects: opening, whose it is, over restarts, by many threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "store_kit.h"
#include "stores/objects/objects.h"

static const char *store_path(void)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/store", harness_tmpdir());
	return path;
}

/* ---- opening ---------------------------------------------------------------------------- */

TEST(what_is_put_is_there_after_closing_and_opening)
{
	struct sl_objects *o = store_open("durability=none");

	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	EXPECT_EQ(0, store_put(o, "c", 1, 100, 0));
	EXPECT_EQ(0, sl_objects_delete(o, "c", sl_objects_key_integer(7)));
	EXPECT_EQ(0, sl_objects_close(o));
	o = store_open(NULL);
	EXPECT_EQ(99, store_count(o, "c"));
	EXPECT_EQ(42, store_number(o, "c", 42));
	EXPECT_EQ(-1, store_number(o, "c", 7));
	EXPECT_EQ(42, store_nearest(o, "c", 42));
	EXPECT_EQ(0, sl_objects_close(o));
	EXPECT_EQ(0, sl_objects_close(NULL));
}

/* Tells of each object when its put has returned; never comes to closing. */
static void put_and_tell(int told)
{
	struct sl_objects *o = store_open("");

	ASSERT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	for (uint64_t i = 1;; i++) {
		struct sl_object *object = store_object(i, (int64_t)i);

		ASSERT_EQ(0, sl_objects_put(o, "c", object));
		free(object);
		ASSERT_EQ(sizeof(i), write(told, &i, sizeof(i)));
		if (i % 16 == 0)
			sl_objects_work(o, 0);
	}
}

TEST_TIMEOUT(what_was_told_is_there_after_kill_9, 120)
{
	struct sl_objects *o;
	uint64_t last = 0, i;
	int told[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	pid = fork();
	if (!pid)
		put_and_tell(told[1]);
	close(told[1]);
	while (last < 100 && read(told[0], &i, sizeof(i)) == sizeof(i))
		last = i;
	kill(pid, SIGKILL);
	while (read(told[0], &i, sizeof(i)) == sizeof(i))
		last = i;
	close(told[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_GE(last, 100);
	o = store_open("");
	EXPECT_GE(store_count(o, "c"), last);
	for (i = 1; i <= last; i++) {
		EXPECT_EQ(i, store_number(o, "c", i));
		EXPECT_EQ(i, store_nearest(o, "c", (int64_t)i));
	}
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST(a_store_that_another_has_is_refused_with_its_number)
{
	struct sl_objects *o = store_open(""), *other;
	char why[300], pid[32];

	EXPECT_EQ(-EBUSY, sl_objects_open(store_path(), "", &other, why, sizeof(why)));
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	if (!EXPECT_NOT_NULL(strstr(why, pid)) || !EXPECT_NOT_NULL(strstr(why, store_path())) ||
	    !EXPECT_NULL(strstr(why, "-D"))) /* an option of programs that are not this one */
		TH_LOG("%s", why);
	EXPECT_EQ(-EBUSY, sl_objects_open(store_path(), "", &other, NULL, 0));
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST(a_folder_of_something_else_is_refused_and_left_as_it_is)
{
	char path[300], why[300];
	struct sl_objects *o;

	ASSERT_EQ(0, mkdir(store_path(), 0700));
	snprintf(path, sizeof(path), "%s/mine", store_path());
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	EXPECT_EQ(-ENOTEMPTY, sl_objects_open(store_path(), "", &o, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "not empty"));
	EXPECT_EQ(0, access(path, F_OK));
	snprintf(path, sizeof(path), "%s/none/store", harness_tmpdir());
	EXPECT_EQ(-ENOENT, sl_objects_open(path, "", &o, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, path));
}

TEST(a_wrong_setting_is_told_with_its_name)
{
	static const char *const wrong[][2] = {
		{"durability=often", "durability"},
		{"checkpoint_bytes=none", "checkpoint_bytes"},
		{"max_bytes=4G", "max_bytes"},
		{"idle_timeout=1m fast", "\"fast\" is not name=value"},
	};
	struct sl_objects *o;
	char why[300];

	for (size_t i = 0; i < SL_ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, sl_objects_open(store_path(), wrong[i][0], &o, why,
						   sizeof(why)));
		if (!EXPECT_NOT_NULL(strstr(why, wrong[i][1])))
			TH_LOG("%s", why);
	}
	EXPECT_NE(0, access(store_path(), F_OK));
}

/* ---- what nobody waits for -------------------------------------------------------------- */

/* However long it takes here, it is not idle. */
#define NEVER_IDLE "durability=none idle_timeout=1d"

TEST_TIMEOUT(work_brings_vectors_into_the_index, 120)
{
	struct sl_objects *o = store_open(NEVER_IDLE);
	struct sl_objects_info info;

	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	EXPECT_EQ(0, store_put(o, "c", 1, 3000, 0));
	ASSERT_EQ(0, sl_objects_info(o, "c", &info));
	EXPECT_EQ(3000, info.objects);
	EXPECT_EQ(0, info.indexed);
	EXPECT_TRUE(info.indexing);
	while (sl_objects_work(o, 0))
		;
	ASSERT_EQ(0, sl_objects_info(o, "c", &info));
	EXPECT_EQ(3000, info.indexed);
	EXPECT_FALSE(info.indexing);
	for (int64_t n = 1; n < 3000; n += 100)
		EXPECT_EQ(n, store_nearest(o, "c", n));
	EXPECT_EQ(0, sl_objects_close(o));
	/* The index was kept. */
	o = store_open("");
	ASSERT_EQ(0, sl_objects_info(o, "c", &info));
	EXPECT_EQ(3000, info.indexed);
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST_TIMEOUT(work_gives_space_of_replaced_objects_back, 120)
{
	struct sl_objects *o = store_open(NEVER_IDLE " checkpoint_bytes=1M");
	struct sl_objects_info before, after;

	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_FLAT));
	/* More than the store leaves alone. */
	for (int64_t round = 0; round < 40; round++)
		EXPECT_EQ(0, store_put(o, "c", 1, 2000, round));
	ASSERT_EQ(0, sl_objects_info(o, "c", &before));
	EXPECT_GT(before.log_bytes, 16 << 20);
	while (sl_objects_work(o, 0))
		;
	ASSERT_EQ(0, sl_objects_info(o, "c", &after));
	EXPECT_LT(after.log_bytes, before.log_bytes / 2);
	EXPECT_EQ(2000, after.objects);
	EXPECT_EQ(1 + 39, store_number(o, "c", 1));
	EXPECT_EQ(1, store_stat(o, "compacted"));
	EXPECT_GT(store_stat(o, "compacted_bytes"), 0);
	EXPECT_EQ(0, sl_objects_close(o));
}

static void *wait_for_work(void *o)
{
	return (void *)(intptr_t)sl_objects_work(o, 3600 * 1000);
}

TEST_TIMEOUT(who_waits_for_work_gets_it_and_keeps_nobody_waiting, 120)
{
	struct sl_objects *o = store_open(NEVER_IDLE);
	pthread_t thread;
	void *more;

	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	while (sl_objects_work(o, 0))
		;
	EXPECT_EQ(0, sl_objects_work(o, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_work, o));
	EXPECT_EQ(0, store_put(o, "c", 1, 10, 0));
	ASSERT_EQ(0, pthread_join(thread, &more));
	EXPECT_EQ(1, (intptr_t)more);
	EXPECT_EQ(0, sl_objects_close(o));
}

/* ---- threads ---------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 60 };

struct worker {
	struct sl_objects *o;
	uint32_t id;
	pthread_t thread;
};

/* Each thread has keys of its own, so that it knows what it must find. */
static void *write_and_read(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t key = 1 + w->id + i * THREADS;

		EXPECT_EQ(0, store_put(w->o, "c", key, 1, 0));
		EXPECT_EQ(key, store_number(w->o, "c", key));
		EXPECT_EQ(key, store_nearest(w->o, "c", (int64_t)key));
		if (i % 8 == 7) {
			EXPECT_EQ(0, sl_objects_delete(w->o, "c", sl_objects_key_integer(key)));
			EXPECT_EQ(-1, store_number(w->o, "c", key));
		}
	}
	return NULL;
}

static void *work_until(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(&w->id, __ATOMIC_RELAXED))
		sl_objects_work(w->o, 5);
	return NULL;
}

TEST_TIMEOUT(any_thread_makes_any_call, 240)
{
	struct sl_objects *o = store_open("checkpoint_bytes=1M");
	struct worker workers[THREADS], background = {.o = o};

	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, pthread_create(&background.thread, NULL, work_until, &background));
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.o = o, .id = i};
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, write_and_read, &workers[i]));
	}
	for (uint32_t i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
	__atomic_store_n(&background.id, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(background.thread, NULL));
	EXPECT_EQ(THREADS * (ROUNDS - ROUNDS / 8), store_count(o, "c"));
	EXPECT_EQ(0, sl_objects_close(o));
	o = store_open("");
	EXPECT_EQ(THREADS * (ROUNDS - ROUNDS / 8), store_count(o, "c"));
	EXPECT_EQ(0, sl_objects_close(o));
}

/* Collections come and go under those who use them. */
static void *create_and_drop(void *arg)
{
	struct worker *w = arg;
	char name[20];

	snprintf(name, sizeof(name), "own-%u", w->id);
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, store_create(w->o, name, SL_INDEX_FLAT));
		EXPECT_EQ(0, store_put(w->o, name, 1, 10, 0));
		EXPECT_EQ(10, store_count(w->o, name));
		EXPECT_EQ(0, sl_objects_drop(w->o, name));
		EXPECT_EQ(-ENOENT, store_count(w->o, name));
	}
	return NULL;
}

TEST_TIMEOUT(collections_come_and_go_while_others_are_used, 240)
{
	struct sl_objects *o = store_open("durability=none");
	struct worker workers[THREADS];

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.o = o, .id = i};
		ASSERT_EQ(0,
			  pthread_create(&workers[i].thread, NULL, create_and_drop, &workers[i]));
	}
	for (uint32_t i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
	EXPECT_EQ(0, store_stat(o, "collections"));
	EXPECT_EQ(0, sl_objects_close(o));
}

/* ---- the daemon's folder ---------------------------------------------------------------- */

/* On a core, as the daemon has it. */
static int on_core(int (*body)(struct objects *o))
{
	struct objects_store_conf conf = {.cores = 1, .logs = {.background = true}};
	const struct sl_datadir_conf folder = {
		.path = store_path(), .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct sl_datadir dd;
	struct objects *o;
	char why[300];
	int err;

	ASSERT_EQ(0, sl_datadir_open(&dd, &folder, why, sizeof(why), SL_NEVER));
	conf.dir = dd.fd;
	conf.epoch = (uint32_t)dd.incarnation;
	ASSERT_EQ(0, objects_open(&conf, &o));
	ASSERT_EQ(0, objects_start(o, SL_NEVER));
	err = body(o);
	ASSERT_EQ(0, objects_stop(o, SL_NEVER));
	objects_free(o);
	ASSERT_EQ(0, sl_datadir_close(&dd, true, SL_NEVER));
	return err;
}

static int put_as_daemon(struct objects *o)
{
	struct sl_object *object = store_object(1001, 1001);
	struct sl_objects_op op = {.kind = SL_OBJECTS_PUT, .object = object};
	uint64_t n = 0;
	int err = objects_write(o, "c", &op, 1, false, NULL, SL_NEVER);

	free(object);
	EXPECT_EQ(0, op.result);
	EXPECT_EQ(0, objects_count(o, "c", NULL, true, &n, SL_NEVER));
	EXPECT_EQ(1001, n);
	return err;
}

static int daemon_fiber(void *arg)
{
	(void)arg;
	return on_core(put_as_daemon);
}

TEST_TIMEOUT(the_folder_is_the_daemon_s_too, 120)
{
	struct sl_objects *o = store_open("");

	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	EXPECT_EQ(0, store_put(o, "c", 1, 1000, 0));
	EXPECT_EQ(0, sl_objects_close(o));
	EXPECT_EQ(0, sl_core_run(NULL, daemon_fiber, NULL));
	o = store_open("");
	EXPECT_EQ(1001, store_count(o, "c"));
	EXPECT_EQ(1001, store_nearest(o, "c", 1001));
	EXPECT_EQ(1000, store_number(o, "c", 1000));
	EXPECT_EQ(0, sl_objects_close(o));
}

/* ---- watching --------------------------------------------------------------------------- */

TEST(figures_count_collections_and_what_is_amiss)
{
	struct sl_objects *o = store_open("");
	char path[300];

	EXPECT_EQ(0, store_create(o, "a", SL_INDEX_FLAT));
	EXPECT_EQ(0, store_create(o, "b", SL_INDEX_FLAT));
	EXPECT_EQ(2, store_stat(o, "collections"));
	EXPECT_EQ(0, store_stat(o, "skipped"));
	EXPECT_EQ(0, sl_objects_close(o));
	snprintf(path, sizeof(path), "%s/objects/0123456789abcdef0123456789abcdef", store_path());
	ASSERT_EQ(0, mkdir(path, 0700));
	o = store_open("");
	EXPECT_EQ(2, store_stat(o, "collections"));
	EXPECT_EQ(1, store_stat(o, "skipped"));
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST_HARNESS_MAIN
