#!/usr/bin/env -S python3 -B
"""aiokafka from PyPI (it asks for ApiVersions 0 first), against a sluiced."""
import asyncio

import sluiced

sluiced.in_venv("aiokafka", "aiokafka")

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def consumer(d, *topics, **more):
    c = AIOKafkaConsumer(*topics, bootstrap_servers=d.broker, auto_offset_reset="earliest",
                         enable_auto_commit=False, **more)
    await c.start()
    return c


async def take(c, n):
    return [await asyncio.wait_for(c.getone(), 20) for _ in range(n)]


async def order(d):
    p = AIOKafkaProducer(bootstrap_servers=d.broker, enable_idempotence=True,
                         compression_type="gzip")
    await p.start()
    sent = [await p.send("order", key=b"k%d" % i, value=b"v%d" % i, headers=[("n", b"%d" % i)])
            for i in range(1000)]
    assert [(await f).offset for f in sent] == list(range(1000))
    await p.stop()
    c = await consumer(d, "order")
    for i, m in enumerate(await take(c, 1000)):
        assert (m.offset, m.key, m.value) == (i, b"k%d" % i, b"v%d" % i)
        assert list(m.headers) == [("n", b"%d" % i)]
    await c.stop()


async def resume(d):
    for first in (0, 500):
        c = await consumer(d, "order", group_id="resume")
        got = await take(c, 500)
        assert [m.offset for m in got] == list(range(first, first + 500))
        await c.commit({TopicPartition("order", 0): got[-1].offset + 1})
        await c.stop()


async def shared(d):
    a = AIOKafkaAdminClient(bootstrap_servers=d.broker)
    await a.start()
    await a.create_topics([NewTopic("shared", 4, 1)])
    members = [await consumer(d, "shared", group_id="sharers", metadata_max_age_ms=1000)
               for _ in range(2)]
    for _ in range(300):
        if sorted(len(c.assignment()) for c in members) == [2, 2]:
            break
        await asyncio.sleep(0.1)
    assert members[0].assignment() | members[1].assignment() == {
        TopicPartition("shared", p) for p in range(4)}
    await members[0].stop()
    for _ in range(300):
        if len(members[1].assignment()) == 4:
            break
        await asyncio.sleep(0.1)
    assert len(members[1].assignment()) == 4
    await members[1].stop()
    await a.delete_topics(["shared"])
    assert "shared" not in await a.list_topics()
    await a.close()


def records_keep_key_value_headers_and_order(d):
    asyncio.run(order(d))


def groups_commit_and_resume(d):
    asyncio.run(resume(d))


def two_members_share_a_group_and_rebalance(d):
    asyncio.run(shared(d))


sluiced.run([
    records_keep_key_value_headers_and_order,
    groups_commit_and_resume,
    two_members_share_a_group_and_rebalance,
])
