#!/usr/bin/env -S python3 -B
"""confluent-kafka (the newest librdkafka) from PyPI, against a sluiced."""
import threading
import time

import sluiced

sluiced.in_venv("confluent-kafka", "confluent_kafka")

from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException,
                             Producer, TopicPartition, OFFSET_BEGINNING, OFFSET_END)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewPartitions, NewTopic, OffsetSpec, ResourceType)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def producer(d, **more):
    conf = {"bootstrap.servers": d.broker, "enable.idempotence": True, "linger.ms": 5}
    conf.update({k.replace("_", "."): v for k, v in more.items()})
    return Producer(conf)


def consumer(d, group, **more):
    conf = {"bootstrap.servers": d.broker, "group.id": group, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "session.timeout.ms": 6000,
            "topic.metadata.refresh.interval.ms": 1000}
    conf.update({k.replace("_", "."): v for k, v in more.items()})
    return Consumer(conf)


def admin(d):
    """Kept, for its futures fail when it goes."""
    d.admin = getattr(d, "admin", None) or AdminClient({"bootstrap.servers": d.broker})
    return d.admin


def create(d, name, partitions=1, config=None):
    for future in admin(d).create_topics([NewTopic(name, partitions, 1, config=config or {})],
                                         operation_timeout=10).values():
        future.result(10)


def send(d, topic, records, **more):
    """records: dicts of arguments of produce(). Return: their offsets, as acknowledged."""
    p = producer(d, **more)
    seen = []

    def told(err, message):
        assert err is None, err
        seen.append((message.partition(), message.offset()))

    for record in records:
        while True:
            try:
                p.produce(topic, on_delivery=told, **record)
                break
            except BufferError:
                p.poll(0.1)
        p.poll(0)
    assert p.flush(30) == 0
    assert len(seen) == len(records)
    return seen


def take(c, n, limit_s=30):
    end = time.time() + limit_s
    got = []
    while len(got) < n and time.time() < end:
        for m in c.consume(min(n - len(got), 500), 0.5):
            if m.error():
                raise KafkaException(m.error())
            got.append(m)
    assert len(got) == n, f"{len(got)} of {n} records"
    return got


def refused(future, code):
    try:
        future.result(10)
    except KafkaException as e:
        assert e.args[0].code() == code, e
        return e.args[0]
    raise AssertionError(f"not refused with {code}")


def each_codec_keeps_keys_headers_and_order(d):
    for codec in CODECS:
        topic = "codec-" + codec
        create(d, topic)
        records = [{"key": f"k{i}", "value": f"value {i} of {codec}" * 5, "timestamp": 1000 + i,
                    "headers": [("n", str(i)), ("none", None), ("n", b"again")]}
                   for i in range(3000)]
        offsets = send(d, topic, records, compression_type=codec)
        assert sorted(offsets) == [(0, i) for i in range(3000)]
        c = consumer(d, "g-" + codec)
        c.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        for i, m in enumerate(take(c, 3000)):
            assert m.offset() == i and m.key() == f"k{i}".encode()
            assert m.value() == records[i]["value"].encode()
            assert m.timestamp() == (1, 1000 + i)
            assert m.headers() == [("n", str(i).encode()), ("none", None), ("n", b"again")]
        c.close()


def null_keys_and_values_stay_null(d):
    create(d, "nulls")
    send(d, "nulls", [{"value": None}, {"key": "", "value": ""}, {"key": "k", "value": None}])
    c = consumer(d, "g-nulls")
    c.assign([TopicPartition("nulls", 0, OFFSET_BEGINNING)])
    assert [(m.key(), m.value()) for m in take(c, 3)] == [(None, None), (b"", b""), (b"k", None)]
    c.close()


def records_of_a_megabyte_pass_and_larger_ones_are_refused(d):
    create(d, "large", config={"max.message.bytes": "1100000"})
    send(d, "large", [{"value": bytes(1000000)}] * 3, message_max_bytes=4000000)
    c = consumer(d, "g-large")
    c.assign([TopicPartition("large", 0, OFFSET_BEGINNING)])
    assert [len(m.value()) for m in take(c, 3)] == [1000000] * 3
    c.close()
    outcome = []
    p = producer(d, message_max_bytes=4000000, enable_idempotence=False)
    p.produce("large", bytes(2000000), on_delivery=lambda err, m: outcome.append(err))
    p.flush(20)
    assert outcome[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, outcome


class Member(threading.Thread):
    """A member of a group that notes what it is assigned and what it reads."""

    def __init__(self, d, group, topic, **more):
        super().__init__(daemon=True)
        self.c = consumer(d, group, **more)
        self.assigned = set()
        self.seen = []
        self.ending = threading.Event()
        self.error = None
        self.c.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke,
                         on_lost=self.on_revoke)
        self.start()

    def on_assign(self, c, partitions):
        self.assigned |= {p.partition for p in partitions}

    def on_revoke(self, c, partitions):
        self.assigned -= {p.partition for p in partitions}

    def run(self):
        try:
            while not self.ending.is_set():
                m = self.c.poll(0.2)
                if m and not m.error():
                    self.seen.append((m.partition(), m.offset()))
                    self.c.commit(m, asynchronous=False)
            self.c.close()
        except Exception as e:
            self.error = e

    def end(self):
        self.ending.set()
        self.join(20)
        assert not self.is_alive() and not self.error, self.error


def until(what, limit_s=30):
    end = time.time() + limit_s
    while not what():
        assert time.time() < end, "in vain"
        time.sleep(0.1)


def rebalance(d, topic, **more):
    create(d, topic, 4)
    a = Member(d, topic, topic, **more)
    until(lambda: a.assigned == {0, 1, 2, 3})
    b = Member(d, topic, topic, **more)
    until(lambda: len(a.assigned) == 2 and len(b.assigned) == 2)
    assert a.assigned | b.assigned == {0, 1, 2, 3}
    send(d, topic, [{"value": str(i), "partition": i % 4} for i in range(40)])
    until(lambda: len(a.seen) + len(b.seen) == 40)
    assert {p for p, _ in a.seen} == a.assigned and {p for p, _ in b.seen} == b.assigned
    b.end()
    until(lambda: a.assigned == {0, 1, 2, 3})
    send(d, topic, [{"value": str(i), "partition": i % 4} for i in range(20)])
    until(lambda: len(a.seen) + len(b.seen) == 60)
    a.end()
    assert sorted(a.seen + b.seen) == [(p, o) for p in range(4) for o in range(15)]


def two_members_share_a_group_and_rebalance(d):
    rebalance(d, "share")


def cooperative_members_rebalance(d):
    rebalance(d, "cooperative", partition_assignment_strategy="cooperative-sticky")


def static_members_come_back_without_a_rebalance(d):
    create(d, "static", 2)
    a = Member(d, "static", "static", group_instance_id="one")
    b = Member(d, "static", "static", group_instance_id="two")
    until(lambda: len(a.assigned) == 1 and len(b.assigned) == 1)
    had = set(b.assigned)
    b.end()
    b = Member(d, "static", "static", group_instance_id="two")
    until(lambda: b.assigned == had)
    assert len(a.assigned) == 1
    a.end()
    b.end()


def commits_are_resumed_also_after_a_restart(d):
    create(d, "resume")
    send(d, "resume", [{"value": str(i)} for i in range(100)])
    for first in (0, 30):
        c = consumer(d, "resumers")
        c.subscribe(["resume"])
        got = take(c, 30)
        assert [m.offset() for m in got] == list(range(first, first + 30))
        c.commit(offsets=[TopicPartition("resume", 0, got[-1].offset() + 1, "note")],
                 asynchronous=False)
        c.close()
    d.stop()
    d.start()
    c = consumer(d, "resumers")
    back = c.committed([TopicPartition("resume", 0)], 20)[0]
    assert (back.offset, back.metadata) == (60, "note"), back
    c.subscribe(["resume"])
    assert [m.offset() for m in take(c, 40)] == list(range(60, 100))
    c.close()


def clients_go_on_over_a_restart(d):
    create(d, "over")
    p = producer(d)
    c = consumer(d, "overers")
    c.subscribe(["over"])
    for i in range(50):
        p.produce("over", str(i))
    p.flush(20)
    assert [m.value() for m in take(c, 50)] == [str(i).encode() for i in range(50)]
    c.commit(asynchronous=False)
    d.stop()
    for i in range(50, 100):
        p.produce("over", str(i))
    d.start()
    assert p.flush(30) == 0
    assert [m.value() for m in take(c, 50)] == [str(i).encode() for i in range(50, 100)]
    c.close()


def offsets_by_time(d):
    create(d, "times")
    send(d, "times", [{"value": str(i), "timestamp": 1700000000000 + i * 1000}
                      for i in range(100)], batch_num_messages=10)
    c = consumer(d, "timers")
    at = lambda ms: c.offsets_for_times([TopicPartition("times", 0, ms)], 10)[0].offset
    assert at(0) == 0
    assert at(1700000000000 + 42000) == 42
    assert at(1700000000000 + 42001) == 43
    assert at(1800000000000) == OFFSET_END
    assert c.get_watermark_offsets(TopicPartition("times", 0), 10) == (0, 100)
    c.close()
    part = TopicPartition("times", 0)
    for spec, offset in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 100),
                         (OffsetSpec.max_timestamp(), 99)):
        assert admin(d).list_offsets({part: spec})[part].result(10).offset == offset


def topics_are_created_described_and_deleted(d):
    a = admin(d)
    create(d, "made", 3, {"retention.ms": "3600000"})
    topic = a.list_topics("made", 10).topics["made"]
    assert sorted(topic.partitions) == [0, 1, 2] and not topic.error
    again = a.create_topics([NewTopic("made", 3, 1)])["made"]
    refused(again, KafkaError.TOPIC_ALREADY_EXISTS)
    refused(a.create_topics([NewTopic("two copies", 1, 1)])["two copies"],
            KafkaError.TOPIC_EXCEPTION)
    refused(a.create_topics([NewTopic("copies", 1, 2)])["copies"],
            KafkaError.INVALID_REPLICATION_FACTOR)
    refused(a.create_topics([NewTopic("odd", 1, 1, config={"no.such": "1"})])["odd"],
            KafkaError.INVALID_CONFIG)
    a.create_topics([NewTopic("only-asked", 1, 1)], validate_only=True)["only-asked"].result(10)
    assert "only-asked" not in a.list_topics(timeout=10).topics
    a.create_partitions([NewPartitions("made", 5)])["made"].result(10)
    refused(a.create_partitions([NewPartitions("made", 5)])["made"],
            KafkaError.INVALID_PARTITIONS)
    until(lambda: len(a.list_topics("made", 10).topics["made"].partitions) == 5)
    a.delete_topics(["made"])["made"].result(10)
    refused(a.delete_topics(["made"])["made"], KafkaError.UNKNOWN_TOPIC_OR_PART)
    until(lambda: "made" not in a.list_topics(timeout=10).topics)


def settings_are_described_and_altered(d):
    a = admin(d)
    create(d, "settings", 1, {"retention.ms": "3600000"})
    resource = ConfigResource(ResourceType.TOPIC, "settings")
    get = lambda: a.describe_configs([resource])[resource].result(10)
    assert get()["retention.ms"].value == "3600000" and not get()["retention.ms"].is_default
    assert get()["cleanup.policy"].value == "delete" and get()["cleanup.policy"].is_default
    change = ConfigResource(ResourceType.TOPIC, "settings", incremental_configs=[
        ConfigEntry("segment.bytes", "1000000",
                    incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    a.incremental_alter_configs([change])[change].result(10)
    assert get()["segment.bytes"].value == "1000000" and get()["retention.ms"].is_default
    bad = ConfigResource(ResourceType.TOPIC, "settings", incremental_configs=[
        ConfigEntry("segment.bytes", "many", incremental_operation=AlterConfigOpType.SET)])
    refused(a.incremental_alter_configs([bad])[bad], KafkaError.INVALID_CONFIG)
    node = ConfigResource(ResourceType.BROKER, "1")
    assert a.describe_configs([node])[node].result(10)["node.id"].value == "1"


def cluster_and_groups_are_described(d):
    a = admin(d)
    cluster = a.describe_cluster().result(10)
    assert cluster.cluster_id and [n.id for n in cluster.nodes] == [1]
    create(d, "looked-at", 2)
    m = Member(d, "looked-at-group", "looked-at")
    until(lambda: len(m.assigned) == 2)
    assert "looked-at-group" in [g.group_id for g in a.list_consumer_groups().result(10).valid]
    group = a.describe_consumer_groups(["looked-at-group"])["looked-at-group"].result(10)
    assert group.state.name == "STABLE" and len(group.members) == 1
    assert group.members[0].host == "/127.0.0.1"
    assert len(group.members[0].assignment.topic_partitions) == 2
    refused(a.delete_consumer_groups(["looked-at-group"])["looked-at-group"],
            KafkaError.NON_EMPTY_GROUP)
    m.end()
    wanted = ConsumerGroupTopicPartitions("looked-at-group",
                                          [TopicPartition("looked-at", 1, 7)])
    a.alter_consumer_group_offsets([wanted])["looked-at-group"].result(10)
    all_of_it = a.list_consumer_group_offsets([ConsumerGroupTopicPartitions("looked-at-group")])
    found = all_of_it["looked-at-group"].result(10).topic_partitions
    assert [(t.topic, t.partition, t.offset) for t in found] == [("looked-at", 1, 7)], found
    a.delete_consumer_groups(["looked-at-group"])["looked-at-group"].result(10)
    refused(a.delete_consumer_groups(["looked-at-group"])["looked-at-group"],
            KafkaError.GROUP_ID_NOT_FOUND)


def a_transactional_producer_is_refused(d):
    p = producer(d, transactional_id="t")
    try:
        p.init_transactions(10)
    except KafkaException as e:
        assert e.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, e
    else:
        raise AssertionError("not refused")


sluiced.run([
    each_codec_keeps_keys_headers_and_order,
    null_keys_and_values_stay_null,
    records_of_a_megabyte_pass_and_larger_ones_are_refused,
    two_members_share_a_group_and_rebalance,
    cooperative_members_rebalance,
    static_members_come_back_without_a_rebalance,
    commits_are_resumed_also_after_a_restart,
    clients_go_on_over_a_restart,
    offsets_by_time,
    topics_are_created_described_and_deleted,
    settings_are_described_and_altered,
    cluster_and_groups_are_described,
    a_transactional_producer_is_refused,
])
