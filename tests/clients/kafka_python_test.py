#!/usr/bin/env -S python3 -B
"""kafka-python (no librdkafka in it) from PyPI, against a sluiced."""
import threading
import time

import sluiced

sluiced.in_venv("kafka-python", "kafka")

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import InvalidPartitionsError, TopicAlreadyExistsError


def consumer(d, *topics, **more):
    return KafkaConsumer(*topics, bootstrap_servers=d.broker, auto_offset_reset="earliest",
                         enable_auto_commit=False, consumer_timeout_ms=20000, **more)


def take(c, n):
    got = []
    for m in c:
        got.append(m)
        if len(got) == n:
            return got
    raise AssertionError(f"{len(got)} of {n} records")


def records_keep_key_value_headers_and_order(d):
    p = KafkaProducer(bootstrap_servers=d.broker, acks="all", compression_type="gzip")
    sent = [p.send("order", key=b"k%d" % i, value=b"v%d" % i, headers=[("n", b"%d" % i)])
            for i in range(1000)]
    assert [f.get(10).offset for f in sent] == list(range(1000))
    p.close()
    c = consumer(d, "order")
    for i, m in enumerate(take(c, 1000)):
        assert (m.offset, m.key, m.value) == (i, b"k%d" % i, b"v%d" % i)
        assert list(m.headers) == [("n", b"%d" % i)]
    c.close()


def groups_commit_and_resume(d):
    for first in (0, 500):
        c = consumer(d, "order", group_id="resume", max_poll_records=100)
        got = take(c, 500)
        assert [m.offset for m in got] == list(range(first, first + 500))
        c.commit()
        c.close()


def two_members_share_a_group(d):
    a = KafkaAdminClient(bootstrap_servers=d.broker)
    a.create_topics([NewTopic("shared", 4, 1)])
    members = [consumer(d, "shared", group_id="sharers") for _ in range(2)]
    ending = threading.Event()

    def poll(c):
        while not ending.is_set():
            c.poll(200)

    threads = [threading.Thread(target=poll, args=(c,), daemon=True) for c in members]
    for t in threads:
        t.start()
    end = time.time() + 30
    while sorted(len(c.assignment() or ()) for c in members) != [2, 2]:
        assert time.time() < end, [c.assignment() for c in members]
        time.sleep(0.1)
    ending.set()
    for t in threads:
        t.join(10)
    assert members[0].assignment() | members[1].assignment() == {
        TopicPartition("shared", p) for p in range(4)}
    for c in members:
        c.close()
    a.close()


def offsets_are_found_by_time(d):
    p = KafkaProducer(bootstrap_servers=d.broker)
    for i in range(10):
        p.send("times", b"x", partition=0, timestamp_ms=5000 + i * 10)
    p.flush(10)
    p.close()
    c = consumer(d)
    part = TopicPartition("times", 0)
    assert c.offsets_for_times({part: 5035})[part].offset == 4
    assert c.offsets_for_times({part: 6000})[part] is None
    assert c.beginning_offsets([part]) == {part: 0} and c.end_offsets([part]) == {part: 10}
    c.close()


def topics_are_created_and_deleted(d):
    a = KafkaAdminClient(bootstrap_servers=d.broker)
    a.create_topics([NewTopic("made", 3, 1)])
    assert "made" in a.list_topics()
    try:
        a.create_topics([NewTopic("made", 3, 1)])
        raise AssertionError("created twice")
    except TopicAlreadyExistsError:
        pass
    a.delete_topics(["made"])
    assert "made" not in a.list_topics()
    a.close()


def groups_are_described_listed_and_deleted(d):
    a = KafkaAdminClient(bootstrap_servers=d.broker)
    a.create_topics([NewTopic("looked", 2, 1)])
    c = consumer(d, "looked", group_id="lookers")
    end = time.time() + 30
    while len(c.assignment()) != 2:
        assert time.time() < end, c.assignment()
        c.poll(200)
    c.commit()
    g = a.describe_groups(["lookers", "nobody"])
    assert g["lookers"]["group_state"] == "Stable" and len(g["lookers"]["members"]) == 1, g
    assert g["nobody"]["group_state"] == "Dead", g
    assert ("lookers", "classic") in [(x["group_id"], x["group_type"]) for x in a.list_groups()]
    assert a.delete_groups(["lookers"])["lookers"] != "OK", "with a member"
    c.close()
    assert len(a.list_group_offsets("lookers")["lookers"]) == 2
    assert a.delete_groups(["lookers"])["lookers"] == "OK"
    assert "lookers" not in [x["group_id"] for x in a.list_groups()]
    a.close()


def settings_and_partitions_are_changed(d):
    a = KafkaAdminClient(bootstrap_servers=d.broker)
    a.create_topics([NewTopic("tuned", 1, 1)])
    a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "tuned",
                                    configs={"retention.ms": "123000"})])
    seen = a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "tuned")])
    assert seen["topic"]["tuned"]["retention.ms"]["value"] == "123000", seen
    a.create_partitions({"tuned": NewPartitions(3)})
    assert len(a.describe_topics(["tuned"])[0]["partitions"]) == 3
    try:
        a.create_partitions({"tuned": NewPartitions(2)})
        raise AssertionError("fewer partitions")
    except InvalidPartitionsError:
        pass
    a.close()


sluiced.run([
    records_keep_key_value_headers_and_order,
    groups_commit_and_resume,
    two_members_share_a_group,
    offsets_are_found_by_time,
    topics_are_created_and_deleted,
    groups_are_described_listed_and_deleted,
    settings_and_partitions_are_changed,
])
