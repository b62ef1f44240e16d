// SPDX-License-Identifier: Apache-2.0
/* The classic group protocol, and looking at groups. */
#include <unistd.h>

#include "broker.h"

/* ---- the coordinator -------------------------------------------------------------------- */

static void find(struct broker *b)
{
	struct kafka_str keys[] = {KAFKA_STR("g"), KAFKA_STR("h")};
	struct kafka_find_coordinator_request req = {KAFKA_STR("g"), 0, {keys, 2}};
	struct kafka_find_coordinator_response res;
	int fd = broker_connect(b);

	for (int v = 0; v <= 3; v++) {
		CALL(b, fd, FIND_COORDINATOR, find_coordinator, v, &req, &res);
		EXPECT_EQ(0, res.error_code);
		EXPECT_EQ(7, res.node_id);
		EXPECT_STR("127.0.0.1", res.host);
		EXPECT_EQ(b->port, res.port);
	}
	for (int v = 4; v <= 6; v++) {
		CALL(b, fd, FIND_COORDINATOR, find_coordinator, v, &req, &res);
		ASSERT_EQ(2, res.coordinators.n);
		EXPECT_STR("h", res.coordinators.v[1].key);
		EXPECT_EQ(0, res.coordinators.v[1].error_code);
		EXPECT_EQ(b->port, res.coordinators.v[1].port);
	}
	req.key_type = 2;
	CALL(b, fd, FIND_COORDINATOR, find_coordinator, 6, &req, &res);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, res.coordinators.v[0].error_code);
	CALL(b, fd, FIND_COORDINATOR, find_coordinator, 2, &req, &res);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, res.error_code);
	EXPECT_EQ(-1, res.node_id);
	close(fd);
}

TEST(this_node_coordinates_every_group)
{
	broker_test(find);
}

/* ---- membership ------------------------------------------------------------------------- */

static struct kafka_join_group_request_protocol protocol = {KAFKA_STR("range"),
							    {(const uint8_t *)"meta", 4}};

static struct kafka_join_group_request join_request(const char *group)
{
	return (struct kafka_join_group_request){
		.group_id = kafka_str_of(group),
		.session_timeout_ms = 10000,
		.rebalance_timeout_ms = 5000,
		.group_instance_id = KAFKA_STR_NULL,
		.protocol_type = KAFKA_STR("consumer"),
		.protocols = {&protocol, 1},
		.reason = KAFKA_STR_NULL,
	};
}

static int16_t heartbeat(struct broker *b, int fd, int version, struct kafka_str member,
			 int32_t generation)
{
	struct kafka_heartbeat_request req = {KAFKA_STR("g"), generation, member, KAFKA_STR_NULL};
	struct kafka_heartbeat_response res;

	CALL(b, fd, HEARTBEAT, heartbeat, version, &req, &res);
	return res.error_code;
}

static int16_t leave(struct broker *b, int fd, int version, struct kafka_str member)
{
	struct kafka_leave_group_request_member m = {member, KAFKA_STR_NULL, KAFKA_STR_NULL};
	struct kafka_leave_group_request req = {KAFKA_STR("g"), member, {&m, 1}};
	struct kafka_leave_group_response res;

	CALL(b, fd, LEAVE_GROUP, leave_group, version, &req, &res);
	EXPECT_EQ(0, version < 3 ? 0 : res.error_code);
	if (version < 3)
		return res.error_code;
	ASSERT_EQ(1, res.members.n);
	return res.members.v[0].error_code;
}

static void live(struct broker *b)
{
	int fd = broker_connect(b);

	for (int v = 0; v <= 5; v++) {
		int32_t generation;
		struct kafka_str id = broker_join(b, fd, "g", "mine", &generation);

		EXPECT_EQ(0, heartbeat(b, fd, sl_min(v, 4), id, generation));
		EXPECT_EQ(KAFKA_ERR_ILLEGAL_GENERATION,
			  heartbeat(b, fd, sl_min(v, 4), id, generation + 1));
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_MEMBER_ID,
			  heartbeat(b, fd, sl_min(v, 4), KAFKA_STR("x"), generation));
		EXPECT_EQ(0, leave(b, fd, v, id));
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_MEMBER_ID, leave(b, fd, v, id));
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_MEMBER_ID,
			  heartbeat(b, fd, sl_min(v, 4), id, generation));
	}
	close(fd);
}

TEST(a_member_joins_lives_and_leaves)
{
	broker_test(live);
}

static void join(struct broker *b)
{
	struct kafka_join_group_request req = join_request("g");
	struct kafka_join_group_response res;
	int fd = broker_connect(b);

	for (int v = 4; v <= 9; v++) {
		req.member_id = KAFKA_STR("");
		CALL(b, fd, JOIN_GROUP, join_group, v, &req, &res);
		EXPECT_EQ(KAFKA_ERR_MEMBER_ID_REQUIRED, res.error_code);
		EXPECT_EQ(-1, res.generation_id);
		EXPECT_LT(6, res.member_id.n);
		EXPECT_MEMEQ("tester", res.member_id.p, 6);
		req.member_id = res.member_id;
		CALL(b, fd, JOIN_GROUP, join_group, v, &req, &res);
		EXPECT_EQ(0, res.error_code);
		EXPECT_TRUE(kafka_str_eq(req.member_id, res.member_id));
		EXPECT_TRUE(kafka_str_eq(req.member_id, res.leader));
		EXPECT_STR("range", res.protocol_name);
		if (v >= 7)
			EXPECT_STR("consumer", res.protocol_type);
		ASSERT_EQ(1, res.members.n);
		EXPECT_EQ(4, res.members.v[0].metadata.n);
		EXPECT_EQ(0, leave(b, fd, 3, res.member_id));
	}
	close(fd);
}

TEST(a_new_member_is_given_its_id_first)
{
	broker_test(join);
}

static void join_badly(struct broker *b)
{
	struct kafka_join_group_request req = join_request("");
	struct kafka_join_group_response res;
	int fd = broker_connect(b);

	for (int v = 2; v <= 9; v++) {
		CALL(b, fd, JOIN_GROUP, join_group, v, &req, &res);
		EXPECT_EQ(KAFKA_ERR_INVALID_GROUP_ID, res.error_code);
		EXPECT_EQ(v < 7 ? 0 : -1, res.protocol_name.n);
	}
	req = join_request("g");
	req.session_timeout_ms = 1;
	CALL(b, fd, JOIN_GROUP, join_group, 3, &req, &res);
	EXPECT_EQ(KAFKA_ERR_INVALID_SESSION_TIMEOUT, res.error_code);
	req = join_request("g");
	req.protocols.n = 0;
	CALL(b, fd, JOIN_GROUP, join_group, 3, &req, &res);
	EXPECT_EQ(KAFKA_ERR_INCONSISTENT_GROUP_PROTOCOL, res.error_code);
	req = join_request("g");
	req.member_id = KAFKA_STR("nobody");
	CALL(b, fd, JOIN_GROUP, join_group, 9, &req, &res);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_MEMBER_ID, res.error_code);
	EXPECT_STR("nobody", res.member_id);
	close(fd);
}

TEST(joins_that_make_no_sense_are_refused)
{
	broker_test(join_badly);
}

/* The second one joins while the first is a member: both wait for each other's join and sync. */
static void share(struct broker *b)
{
	struct kafka_join_group_request req = join_request("g");
	struct kafka_join_group_response first, second;
	struct kafka_sync_group_request_assignment parts[] = {
		{.assignment = {(const uint8_t *)"one", 3}},
		{.assignment = {(const uint8_t *)"second", 6}}};
	struct kafka_sync_group_request sync = {.group_id = KAFKA_STR("g"),
						.group_instance_id = KAFKA_STR_NULL,
						.protocol_type = KAFKA_STR("consumer"),
						.protocol_name = KAFKA_STR("range")};
	struct kafka_sync_group_response synced;
	int fd = broker_connect(b), fd2 = broker_connect(b);
	int32_t generation;
	struct kafka_str id = broker_join(b, fd, "g", "all", &generation);

	broker_send(b, fd2, KAFKA_JOIN_GROUP, 3, 1, &req);
	while (heartbeat(b, fd, 4, id, generation) == 0)
		usleep(1000);
	EXPECT_EQ(KAFKA_ERR_REBALANCE_IN_PROGRESS, heartbeat(b, fd, 4, id, generation));
	req.member_id = id;
	CALL(b, fd, JOIN_GROUP, join_group, 3, &req, &first);
	ASSERT_TRUE(broker_receive(b, fd2, KAFKA_JOIN_GROUP, 3, 1, &second));
	EXPECT_EQ(0, first.error_code);
	EXPECT_EQ(0, second.error_code);
	EXPECT_EQ(first.generation_id, second.generation_id);
	EXPECT_TRUE(kafka_str_eq(first.leader, id));
	EXPECT_EQ(2, first.members.n);
	EXPECT_EQ(0, second.members.n);
	sync.generation_id = first.generation_id;
	sync.member_id = second.member_id;
	broker_send(b, fd2, KAFKA_SYNC_GROUP, 5, 2, &sync);
	parts[0].member_id = sync.member_id = id;
	parts[1].member_id = second.member_id;
	sync.assignments.v = parts;
	sync.assignments.n = 2;
	CALL(b, fd, SYNC_GROUP, sync_group, 5, &sync, &synced);
	EXPECT_EQ(0, synced.error_code);
	ASSERT_EQ(3, synced.assignment.n);
	EXPECT_MEMEQ("one", synced.assignment.p, 3);
	ASSERT_TRUE(broker_receive(b, fd2, KAFKA_SYNC_GROUP, 5, 2, &synced));
	EXPECT_EQ(0, synced.error_code);
	ASSERT_EQ(6, synced.assignment.n);
	EXPECT_MEMEQ("second", synced.assignment.p, 6);
	EXPECT_STR("range", synced.protocol_name);
	close(fd);
	close(fd2);
}

TEST(two_members_wait_for_each_other)
{
	broker_test(share);
}

/* ---- waits of who has left -------------------------------------------------------------- */

enum { GONE = 20 };

/* One member of a stable group, and GONE that wait in a join of the next round. */
struct crowd {
	struct broker *b;
	const char *group;
	int fd, fds[GONE];
	struct kafka_str id;
	int32_t generation;
	struct kafka_join_group_response joined[GONE];
};

static int32_t members(struct crowd *c)
{
	struct kafka_str names[] = {kafka_str_of(c->group)};
	struct kafka_describe_groups_request req = {.groups = {names, 1}};
	struct kafka_describe_groups_response res;

	CALL(c->b, c->fd, DESCRIBE_GROUPS, describe_groups, 0, &req, &res);
	return res.groups.v[0].members.n;
}

static uint64_t fibers(struct crowd *c)
{
	usleep(1000);
	return broker_metric(c->b, SL_M_FIBERS, NULL);
}

static void all_join(struct crowd *c)
{
	struct kafka_join_group_request req = join_request(c->group);

	c->fd = broker_connect(c->b);
	c->id = broker_join(c->b, c->fd, c->group, "all", &c->generation);
	/* Longer than a test may take: nothing but their clients' end ends these waits. */
	req.rebalance_timeout_ms = 600000;
	req.session_timeout_ms = 60000;
	for (int i = 0; i < GONE; i++) {
		c->fds[i] = broker_connect(c->b);
		broker_send(c->b, c->fds[i], KAFKA_JOIN_GROUP, 3, 1, &req);
	}
	while (members(c) < 1 + GONE || fibers(c) < GONE)
		usleep(1000);
}

/* The first member joins again, and with it the round is complete. */
static void join_again(struct crowd *c)
{
	struct kafka_join_group_request req = join_request(c->group);
	struct kafka_join_group_response res;

	req.member_id = c->id;
	CALL(c->b, c->fd, JOIN_GROUP, join_group, 3, &req, &res);
	EXPECT_EQ(0, res.error_code);
	EXPECT_EQ(c->generation + 1, res.generation_id);
	EXPECT_EQ(1 + GONE, res.members.n);
	EXPECT_TRUE(kafka_str_eq(c->id, res.leader));
	c->generation = res.generation_id;
}

static void sync_alone(struct crowd *c)
{
	struct kafka_sync_group_request_assignment mine = {
		.member_id = c->id, .assignment = {(const uint8_t *)"new", 3}};
	struct kafka_sync_group_request req = {.group_id = kafka_str_of(c->group),
					       .generation_id = c->generation,
					       .member_id = c->id,
					       .group_instance_id = KAFKA_STR_NULL,
					       .assignments = {&mine, 1}};
	struct kafka_sync_group_response res;

	CALL(c->b, c->fd, SYNC_GROUP, sync_group, 3, &req, &res);
	EXPECT_EQ(0, res.error_code);
	ASSERT_EQ(3, res.assignment.n);
	EXPECT_MEMEQ("new", res.assignment.p, 3);
}

static void all_leave(struct crowd *c)
{
	for (int i = 0; i < GONE; i++)
		close(c->fds[i]);
	while (fibers(c) >= GONE)
		usleep(1000);
}

/* Of both, with two cores, one is on the other: their shards are 0 and 1. */
static const char *const crowd_groups[] = {"two", "one"};

static void leave_joins(struct broker *b)
{
	for (int i = 0; i < 2; i++) {
		struct crowd c = {.b = b, .group = crowd_groups[i]};

		all_join(&c);
		all_leave(&c);
		join_again(&c);
		sync_alone(&c);
		close(c.fd);
	}
}

static void leave_syncs(struct broker *b)
{
	for (int i = 0; i < 2; i++) {
		struct crowd c = {.b = b, .group = crowd_groups[i]};
		struct kafka_sync_group_request req = {.group_id = kafka_str_of(c.group),
						       .group_instance_id = KAFKA_STR_NULL};

		all_join(&c);
		join_again(&c);
		for (int k = 0; k < GONE; k++) {
			ASSERT_TRUE(broker_receive(b, c.fds[k], KAFKA_JOIN_GROUP, 3, 1,
						   &c.joined[k]));
			EXPECT_EQ(0, c.joined[k].error_code);
		}
		while (fibers(&c) >= GONE)
			usleep(1000);
		req.generation_id = c.generation;
		for (int k = 0; k < GONE; k++) {
			req.member_id = c.joined[k].member_id;
			broker_send(b, c.fds[k], KAFKA_SYNC_GROUP, 3, 2, &req);
		}
		while (fibers(&c) < GONE)
			usleep(1000);
		all_leave(&c);
		sync_alone(&c);
		close(c.fd);
	}
}

/* The clients stay; the listener has a day to drain: only the waits' end ends the test. */
static void stay_in_joins(struct broker *b)
{
	for (int i = 0; i < 2; i++) {
		struct crowd c = {.b = b, .group = crowd_groups[i]};

		all_join(&c);
	}
	b->drain_ns = 86400 * SL_SEC;
}

FIXTURE(waiting)
{
	struct broker b;
};
FIXTURE_VARIANT(waiting)
{
	uint32_t cores;
};
FIXTURE_VARIANT_ADD(waiting, one_core){.cores = 1};
FIXTURE_VARIANT_ADD(waiting, two_cores){.cores = 2};
FIXTURE_SETUP(waiting)
{
	broker_init(&self->b, NULL);
	self->b.topics.cores = variant->cores;
}
FIXTURE_TEARDOWN(waiting)
{
}

TEST_F(waiting, a_join_ends_with_its_client_and_the_round_goes_on)
{
	self->b.client = leave_joins;
	broker_run(&self->b);
}

TEST_F(waiting, a_sync_ends_with_its_client_and_the_round_goes_on)
{
	self->b.client = leave_syncs;
	broker_run(&self->b);
}

TEST_F(waiting, a_drain_does_not_wait_for_joins)
{
	self->b.client = stay_in_joins;
	broker_run(&self->b);
}

/* ---- looking ---------------------------------------------------------------------------- */

static struct kafka_describe_groups_response_group describe(struct broker *b, int fd, int version,
							    const char *name)
{
	struct kafka_str names[] = {kafka_str_of(name)};
	struct kafka_describe_groups_request req = {.groups = {names, 1}};
	struct kafka_describe_groups_response res;

	CALL(b, fd, DESCRIBE_GROUPS, describe_groups, version, &req, &res);
	ASSERT_EQ(1, res.groups.n);
	EXPECT_EQ(INT32_MIN, res.groups.v[0].authorized_operations);
	req.include_authorized_operations = true;
	CALL(b, fd, DESCRIBE_GROUPS, describe_groups, version, &req, &res);
	ASSERT_EQ(1, res.groups.n);
	return res.groups.v[0];
}

static void look(struct broker *b)
{
	struct kafka_describe_groups_response_group g;
	int fd = broker_connect(b);
	int32_t generation;
	struct kafka_str id = broker_join(b, fd, "g", "mine", &generation);

	for (int v = 0; v <= 6; v++) {
		g = describe(b, fd, v, "g");
		EXPECT_EQ(0, g.error_code);
		EXPECT_STR("Stable", g.group_state);
		EXPECT_STR("consumer", g.protocol_type);
		EXPECT_STR("range", g.protocol_data);
		ASSERT_EQ(1, g.members.n);
		EXPECT_TRUE(kafka_str_eq(id, g.members.v[0].member_id));
		EXPECT_STR("tester", g.members.v[0].client_id);
		EXPECT_STR("/127.0.0.1", g.members.v[0].client_host);
		EXPECT_EQ(4, g.members.v[0].member_metadata.n);
		EXPECT_EQ(4, g.members.v[0].member_assignment.n);
		/* To read, delete and describe it, as Kafka counts them. */
		EXPECT_EQ(v < 3 ? INT32_MIN : 328, g.authorized_operations);
		g = describe(b, fd, v, "none");
		EXPECT_EQ(v < 6 ? 0 : KAFKA_ERR_GROUP_ID_NOT_FOUND, g.error_code);
		EXPECT_STR("Dead", g.group_state);
	}
	close(fd);
}

TEST(groups_are_described_with_their_members)
{
	broker_test(look);
}

static int32_t list(struct broker *b, int fd, int version, const char *state, const char *type)
{
	struct kafka_str states[] = {kafka_str_of(state)}, types[] = {kafka_str_of(type)};
	struct kafka_list_groups_request req = {{states, state ? 1 : 0}, {types, type ? 1 : 0}};
	struct kafka_list_groups_response res;

	CALL(b, fd, LIST_GROUPS, list_groups, version, &req, &res);
	EXPECT_EQ(0, res.error_code);
	for (int32_t i = 0; i < res.groups.n; i++) {
		EXPECT_STR("consumer", res.groups.v[i].protocol_type);
		if (version >= 5)
			EXPECT_STR("classic", res.groups.v[i].group_type);
	}
	return res.groups.n;
}

static int16_t delete (struct broker *b, int fd, int version, const char *name)
{
	struct kafka_str names[] = {kafka_str_of(name)};
	struct kafka_delete_groups_request req = {{names, 1}};
	struct kafka_delete_groups_response res;

	CALL(b, fd, DELETE_GROUPS, delete_groups, version, &req, &res);
	ASSERT_EQ(1, res.results.n);
	return res.results.v[0].error_code;
}

static void list_some(struct broker *b)
{
	int fd = broker_connect(b);
	int32_t generation;
	struct kafka_str id = broker_join(b, fd, "g", "mine", &generation);

	broker_join(b, fd, "h", "mine", &generation);
	EXPECT_EQ(0, leave(b, fd, 5, id));
	for (int v = 0; v <= 5; v++)
		EXPECT_EQ(2, list(b, fd, v, NULL, NULL));
	EXPECT_EQ(1, list(b, fd, 4, "Empty", NULL));
	EXPECT_EQ(1, list(b, fd, 4, "stable", NULL));
	EXPECT_EQ(2, list(b, fd, 5, NULL, "classic"));
	EXPECT_EQ(0, list(b, fd, 5, NULL, "consumer"));
	EXPECT_EQ(KAFKA_ERR_NON_EMPTY_GROUP, delete (b, fd, 0, "h"));
	EXPECT_EQ(0, delete (b, fd, 1, "g"));
	EXPECT_EQ(KAFKA_ERR_GROUP_ID_NOT_FOUND, delete (b, fd, 2, "g"));
	EXPECT_EQ(1, list(b, fd, 5, NULL, NULL));
	close(fd);
}

TEST(groups_are_listed_by_state_and_type_and_deleted_when_empty)
{
	broker_test(list_some);
}

TEST_HARNESS_MAIN
