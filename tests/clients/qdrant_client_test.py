#!/usr/bin/env -S python3 -B
"""qdrant-client from PyPI, by REST, against a sluiced: what its users do, in their order."""
import os
import random
import re
import uuid

import sluiced

sluiced.in_venv("qdrant-client", "qdrant_client")

from qdrant_client import QdrantClient
from qdrant_client import models as m
from qdrant_client.http.exceptions import UnexpectedResponse

DIM = 8


def client(d):
    address = d.address()
    return QdrantClient(url="http://" + address, timeout=60)


def vector(seed):
    draw = random.Random(seed)
    return [draw.gauss(0, 1) for _ in range(DIM)]


def fails(status, call, *args, **more):
    try:
        call(*args, **more)
    except UnexpectedResponse as e:
        assert e.status_code == status, f"{e.status_code} instead of {status}: {e.content}"
        return e.content.decode()
    raise AssertionError(f"{call.__name__} did not fail")


def near(a, b):
    return abs(a - b) < 1e-5


def server_tells_its_version(d):
    info = client(d).info()
    assert info.title.startswith("qdrant"), info
    assert re.fullmatch(r"\d+\.\d+\.\d+", info.version), info


def collections_are_made_changed_and_gone(d):
    c = client(d)
    assert c.get_collections().collections == []
    assert not c.collection_exists("a")
    params = m.VectorParams(size=DIM, distance=m.Distance.COSINE)
    assert c.create_collection("a", vectors_config=params,
                               hnsw_config=m.HnswConfigDiff(m=24, ef_construct=200))
    assert "already exists" in fails(409, c.create_collection, "a", vectors_config=params)
    info = c.get_collection("a")
    assert info.status in (m.CollectionStatus.GREEN, m.CollectionStatus.YELLOW), info.status
    assert info.config.params.vectors == params, info.config.params.vectors
    assert (info.config.hnsw_config.m, info.config.hnsw_config.ef_construct) == (24, 200)
    assert c.update_collection("a", hnsw_config=m.HnswConfigDiff(ef_construct=300),
                               metadata={"who": "me"})
    info = c.get_collection("a")
    assert (info.config.hnsw_config.m, info.config.hnsw_config.ef_construct) == (24, 300)
    assert info.config.metadata == {"who": "me"}
    named = {"text": m.VectorParams(size=4, distance=m.Distance.DOT, on_disk=True),
             "image": m.VectorParams(size=3, distance=m.Distance.EUCLID)}
    assert c.create_collection("b", vectors_config=named)
    assert c.get_collection("b").config.params.vectors == named
    assert sorted(x.name for x in c.get_collections().collections) == ["a", "b"]
    assert c.delete_collection("b") and not c.delete_collection("b")
    assert c.delete_collection("a")
    assert "doesn't exist" in fails(404, c.get_collection, "a")


def make(c, name, n=100):
    """Points 0 to n - 1, whose payload follows from their id."""
    c.create_collection(name, vectors_config=m.VectorParams(size=DIM, distance=m.Distance.COSINE))
    c.upsert(name, [m.PointStruct(id=i, vector=vector(i), payload={
        "n": i, "even": i % 2 == 0, "city": ["Berlin", "Paris", "Rom"][i % 3],
        "tags": [f"t{i % 5}", f"t{i % 7}"], "at": {"lon": i / 10, "lat": 50},
        "nested": [{"k": i, "v": "x"}, {"k": i + 1, "v": "y"}]}) for i in range(n)])


def points_come_back_as_they_were_put(d):
    c = client(d)
    make(c, "points")
    assert c.count("points").count == 100
    got = c.retrieve("points", [5, 3, 1000], with_vectors=True)
    assert [p.id for p in got] == [5, 3], got
    assert got[0].payload["tags"] == ["t0", "t5"] and got[0].payload["at"] == {"lon": .5, "lat": 50}
    length = sum(x * x for x in vector(5)) ** .5
    assert all(near(a, b / length) for a, b in zip(got[0].vector, vector(5)))
    key = str(uuid.UUID(int=77))
    c.upsert("points", m.Batch(ids=[key, 200], vectors=[vector("u"), vector(200)],
                               payloads=[{"u": 1}, {}]))
    assert c.retrieve("points", [key])[0].payload == {"u": 1}
    only = c.retrieve("points", [7], with_payload=["city", "nested[].k"])[0].payload
    assert only == {"city": "Paris", "nested": [{"k": 7}, {"k": 8}]}, only
    rest = c.retrieve("points", [7], with_payload=m.PayloadSelectorExclude(
        exclude=["nested", "tags", "at.lon"]))[0].payload
    assert rest == {"n": 7, "even": False, "city": "Paris", "at": {"lat": 50}}, rest
    assert c.delete("points", [key, 200]).status == m.UpdateStatus.COMPLETED
    assert c.count("points").count == 100
    c.delete_collection("points")


def duplicates_and_modes(d):
    c = client(d)
    make(c, "modes", 3)
    c.upsert("modes", [m.PointStruct(id=9, vector=vector(1), payload={"turn": t})
                       for t in range(3)])
    assert c.retrieve("modes", [9])[0].payload == {"turn": 2}
    new = [m.PointStruct(id=i, vector=vector(i), payload={"new": i}) for i in (2, 10)]
    c.upsert("modes", new, update_mode=m.UpdateMode.INSERT_ONLY)
    assert c.retrieve("modes", [2])[0].payload["n"] == 2
    assert c.retrieve("modes", [10])[0].payload == {"new": 10}
    new.append(m.PointStruct(id=11, vector=vector(11)))
    c.upsert("modes", new, update_mode=m.UpdateMode.UPDATE_ONLY)
    assert c.retrieve("modes", [2])[0].payload == {"new": 2}
    assert c.retrieve("modes", [11]) == []
    c.delete_collection("modes")


def payloads_change(d):
    c = client(d)
    make(c, "payloads", 10)
    c.set_payload("payloads", {"a": {"b": 1}}, points=[1])
    c.set_payload("payloads", {"c": 2}, points=[1], key="a")
    assert c.retrieve("payloads", [1])[0].payload["a"] == {"b": 1, "c": 2}
    c.overwrite_payload("payloads", {"only": True}, points=[2])
    assert c.retrieve("payloads", [2])[0].payload == {"only": True}
    c.delete_payload("payloads", ["tags", "nested"], points=m.Filter(
        must=[m.FieldCondition(key="city", match=m.MatchValue(value="Rom"))]))
    assert sorted(c.retrieve("payloads", [5])[0].payload) == ["at", "city", "even", "n"]
    c.clear_payload("payloads", points_selector=[3])
    assert c.retrieve("payloads", [3])[0].payload == {}
    fails(404, c.set_payload, "payloads", {"x": 1}, points=[1000])
    c.delete_collection("payloads")


def filters_mean_what_they_say(d):
    c = client(d)
    make(c, "filters")
    F, M = m.FieldCondition, m.MatchValue
    key = lambda f: {p.id for p in c.scroll("filters", scroll_filter=f, limit=1000)[0]}
    every = range(100)
    for must, want in [
        (F(key="even", match=M(value=True)), lambda i: i % 2 == 0),
        (F(key="city", match=m.MatchAny(any=["Rom", "Paris"])), lambda i: i % 3 > 0),
        (F(key="city", match=m.MatchExcept(**{"except": ["Rom"]})), lambda i: i % 3 != 2),
        (F(key="tags", match=M(value="t3")), lambda i: i % 5 == 3 or i % 7 == 3),
        (F(key="n", range=m.Range(gte=10, lt=20)), lambda i: 10 <= i < 20),
        (F(key="city", match=m.MatchText(text="erl")), lambda i: i % 3 == 0),
        (F(key="tags", values_count=m.ValuesCount(gt=2)), lambda i: False),
        (F(key="at", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=0, lat=50), radius=50000)),
         lambda i: i / 10 * 71.7 < 50),
        (F(key="at", geo_bounding_box=m.GeoBoundingBox(top_left=m.GeoPoint(lon=.95, lat=51),
                                                       bottom_right=m.GeoPoint(lon=2.05, lat=49))),
         lambda i: 10 <= i <= 20),
        (m.HasIdCondition(has_id=[1, 2, 1000]), lambda i: i in (1, 2)),
        (m.IsEmptyCondition(is_empty=m.PayloadField(key="gone")), lambda i: True),
        (m.IsNullCondition(is_null=m.PayloadField(key="n")), lambda i: False),
        (m.NestedCondition(nested=m.Nested(key="nested", filter=m.Filter(must=[
            F(key="k", match=M(value=8)), F(key="v", match=M(value="y"))]))), lambda i: i == 7),
    ]:
        assert key(m.Filter(must=[must])) == {i for i in every if want(i)}, must
        assert key(m.Filter(must_not=[must])) == {i for i in every if not want(i)}, must
    conditions = [F(key="even", match=M(value=True)), F(key="city", match=M(value="Rom"))]
    assert key(m.Filter(should=conditions)) == {i for i in every if i % 2 == 0 or i % 3 == 2}
    assert key(m.Filter(min_should=m.MinShould(conditions=conditions, min_count=2))) == \
        {i for i in every if i % 2 == 0 and i % 3 == 2}
    for field, schema in [("even", "bool"), ("city", "keyword"), ("n", "integer"), ("at", "geo")]:
        c.create_payload_index("filters", field, field_schema=schema)
    assert c.get_collection("filters").payload_schema["n"].data_type == m.PayloadSchemaType.INTEGER
    assert key(m.Filter(must=conditions)) == {i for i in every if i % 2 == 0 and i % 3 == 2}
    hits = {h.value: h.count for h in c.facet("filters", key="city").hits}
    assert hits == {"Berlin": 34, "Paris": 33, "Rom": 33}, hits
    falling = c.scroll("filters", order_by=m.OrderBy(key="n", direction="desc"), limit=3)[0]
    assert [p.id for p in falling] == [99, 98, 97]
    c.delete_payload_index("filters", "n")
    assert "n" not in c.get_collection("filters").payload_schema
    fails(400, c.scroll, "filters", scroll_filter=m.Filter(must=[F(key="a[", match=M(value=1))]))
    c.delete_collection("filters")


def lists_go_on_where_they_ended(d):
    c = client(d)
    make(c, "lists", 25)
    seen, offset = [], None
    while True:
        page, offset = c.scroll("lists", limit=10, offset=offset, with_payload=False)
        seen += [p.id for p in page]
        if offset is None:
            break
    assert seen == list(range(25)), seen
    c.delete_collection("lists")


def nearest(seed, n, among):
    """Ids of the @n nearest by the cosine, computed here."""
    norm = lambda v: sum(x * x for x in v) ** .5
    q = vector(seed)
    score = lambda i: sum(a * b for a, b in zip(q, vector(i))) / norm(q) / norm(vector(i))
    return sorted(among, key=lambda i: -score(i))[:n], score


def searches_find_the_nearest(d):
    c = client(d)
    make(c, "search")
    want, score = nearest("q", 5, range(100))
    got = c.query_points("search", query=vector("q"), limit=5, with_vectors=True).points
    assert [p.id for p in got] == want
    assert all(near(p.score, score(p.id)) for p in got)
    assert got[0].payload["n"] == got[0].id and len(got[0].vector) == DIM
    assert [p.id for p in c.query_points("search", query=vector("q"), limit=3, offset=2,
                                         with_payload=False).points] == want[2:5]
    rom = m.Filter(must=[m.FieldCondition(key="city", match=m.MatchValue(value="Rom"))])
    want, _ = nearest("q", 5, range(2, 100, 3))
    got = c.query_points("search", query=vector("q"), query_filter=rom, limit=5,
                         search_params=m.SearchParams(hnsw_ef=64, exact=True)).points
    assert [p.id for p in got] == want
    edge = got[2].score
    got = c.query_points("search", query=vector("q"), query_filter=rom, limit=5,
                         score_threshold=edge - 1e-6).points
    assert [p.id for p in got] == want[:3]
    like, _ = nearest(7, 4, range(100))
    assert [p.id for p in c.query_points("search", query=7, limit=3).points] == like[1:]
    batch = c.query_batch_points("search", [m.QueryRequest(query=vector(s), limit=2)
                                            for s in ("q", "r")])
    for s, answer in zip(("q", "r"), batch):
        assert [p.id for p in answer.points] == nearest(s, 2, range(100))[0]
    c.delete_collection("search")


def searches_by_examples_fusion_and_more(d):
    c = client(d)
    make(c, "more")
    ask = lambda query, **more: [p.id for p in c.query_points("more", query=query, **more).points]
    for strategy in m.RecommendStrategy:
        got = ask(m.RecommendQuery(recommend=m.RecommendInput(
            positive=[1, vector(2)], negative=[3], strategy=strategy)), limit=5)
        assert len(got) == 5 and 1 not in got and 3 not in got, got
    assert len(ask(m.DiscoverQuery(discover=m.DiscoverInput(
        target=4, context=[m.ContextPair(positive=5, negative=6)])), limit=5)) == 5
    assert len(ask(m.ContextQuery(context=[m.ContextPair(positive=5, negative=6)]), limit=5)) == 5
    prefetch = [m.Prefetch(query=vector("q"), limit=20), m.Prefetch(query=vector("r"), limit=20)]
    for fusion in m.Fusion:
        got = ask(m.FusionQuery(fusion=fusion), prefetch=prefetch, limit=10)
        assert len(set(got)) == 10, got
    both = set(nearest("q", 20, range(100))[0])
    want = nearest("r", 5, both)[0]
    assert ask(vector("r"), prefetch=prefetch[:1], limit=5) == want
    assert len(set(ask(m.SampleQuery(sample=m.Sample.RANDOM), limit=7))) == 7
    got = ask(m.NearestQuery(nearest=vector("q"), mmr=m.Mmr(diversity=0.5, candidates_limit=50)),
              limit=5)
    assert len(set(got)) == 5 and got[0] == nearest("q", 1, range(100))[0][0]
    c.create_payload_index("more", "n", field_schema="integer")
    assert ask(m.OrderByQuery(order_by=m.OrderBy(key="n", direction="desc")), limit=2) == [99, 98]
    groups = c.query_points_groups("more", group_by="city", query=vector("q"), limit=3,
                                   group_size=2).groups
    assert sorted(g.id for g in groups) == ["Berlin", "Paris", "Rom"]
    assert all(len(g.hits) == 2 for g in groups)
    pairs = c.search_matrix_pairs("more", sample=10, limit=2).pairs
    assert len(pairs) == 20
    offsets = c.search_matrix_offsets("more", sample=10, limit=2)
    assert len(offsets.ids) == 10 and len(offsets.scores) == 20
    c.delete_collection("more")


def vectors_have_names(d):
    c = client(d)
    c.create_collection("named", vectors_config={
        "a": m.VectorParams(size=2, distance=m.Distance.EUCLID),
        "b": m.VectorParams(size=3, distance=m.Distance.DOT)})
    c.upsert("named", [m.PointStruct(id=1, vector={"a": [0, 0], "b": [1, 2, 3]}),
                       m.PointStruct(id=2, vector={"a": [3, 4]})])
    got = c.query_points("named", query=[0., 0.], using="a", limit=5, with_vectors=["a"]).points
    assert [(p.id, p.score, p.vector) for p in got] == \
        [(1, 0.0, {"a": [0, 0]}), (2, 5.0, {"a": [3, 4]})], got
    has = m.Filter(must=[m.HasVectorCondition(has_vector="b")])
    assert [p.id for p in c.scroll("named", scroll_filter=has)[0]] == [1]
    c.update_vectors("named", [m.PointVectors(id=2, vector={"b": [0, 0, 1]})])
    assert c.retrieve("named", [2], with_vectors=True)[0].vector == {"a": [3, 4], "b": [0, 0, 1]}
    c.delete_vectors("named", vectors=["a"], points=[1])
    assert c.retrieve("named", [1], with_vectors=True)[0].vector == {"b": [1, 2, 3]}
    assert "Not existing vector name" in fails(400, c.query_points, "named", query=[1.], using="c")
    c.delete_collection("named")


def mistakes_are_told(d):
    c = client(d)
    make(c, "wrong", 3)
    point = lambda v, i=1: [m.PointStruct(id=i, vector=v)]
    assert f"expected dim: {DIM}, got 3" in fails(400, c.upsert, "wrong", point([1, 2, 3]))
    assert f"expected dim: {DIM}, got 2" in fails(400, c.query_points, "wrong", query=[1., 2.])
    fails(404, c.upsert, "nowhere", point(vector(1)))
    fails(404, c.query_points, "wrong", query=12345)
    fails(422, c.query_points, "wrong", query=vector(1), limit=0)
    fails(422, c.query_points, "wrong", query=vector(1), limit=2**40)
    mixed = point(vector(50), 50) + point([1], 51)
    fails(400, c.upsert, "wrong", mixed)
    assert c.retrieve("wrong", [50]) == []
    sparse = [m.PointStruct(id=1, vector={"s": m.SparseVector(indices=[1], values=[1])})]
    assert "sparse" in fails(400, c.upsert, "wrong", sparse)
    c.delete_collection("wrong")


def aliases_move_at_once(d):
    c = client(d)
    make(c, "one", 1)
    make(c, "two", 2)
    create = lambda name: m.CreateAliasOperation(create_alias=m.CreateAlias(
        collection_name=name, alias_name="now"))
    assert c.update_collection_aliases([create("one")])
    assert c.count("now").count == 1
    assert c.update_collection_aliases([m.DeleteAliasOperation(delete_alias=m.DeleteAlias(
        alias_name="now")), create("two")])
    assert c.count("now").count == 2
    assert [(a.alias_name, a.collection_name) for a in c.get_aliases().aliases] == [("now", "two")]
    assert c.get_collection_aliases("one").aliases == []
    c.delete_collection("one")
    c.delete_collection("two")
    assert c.get_aliases().aliases == []


def batches_of_operations(d):
    c = client(d)
    make(c, "batch", 3)
    done = c.batch_update_points("batch", [
        m.UpsertOperation(upsert=m.PointsList(points=[m.PointStruct(id=20, vector=vector(20))])),
        m.UpsertOperation(upsert=m.PointsBatch(batch=m.Batch(ids=[21], vectors=[vector(21)]))),
        m.SetPayloadOperation(set_payload=m.SetPayload(payload={"x": 1}, points=[20])),
        m.DeleteOperation(delete=m.PointIdsList(points=[0]))])
    assert [r.status for r in done] == [m.UpdateStatus.COMPLETED] * 4
    assert c.retrieve("batch", [20])[0].payload == {"x": 1}
    assert sorted(p.id for p in c.scroll("batch")[0]) == [1, 2, 20, 21]
    c.delete_collection("batch")


def snapshots_bring_back_what_was(d):
    c = client(d)
    make(c, "snap", 30)
    snapshot = c.create_snapshot("snap")
    assert [s.name for s in c.list_snapshots("snap")] == [snapshot.name]
    assert snapshot.size > 0
    c.delete("snap", list(range(10)))
    found = [os.path.join(folder, snapshot.name) for folder, _, files in os.walk(d.work)
             if snapshot.name in files]
    assert len(found) == 1, found
    assert c.recover_snapshot("again", location="file://" + found[0])
    assert c.count("snap").count == 20 and c.count("again").count == 30
    assert [p.id for p in c.query_points("again", query=vector("q"), limit=5).points] == \
        nearest("q", 5, range(30))[0]
    c.delete_collection("again")
    with open(found[0], "rb") as file:
        answer = c.http.snapshots_api.recover_from_uploaded_snapshot("sent", snapshot=file)
    assert answer.result and c.count("sent").count == 30
    c.delete_collection("sent")
    c.delete_snapshot("snap", snapshot.name)
    assert c.list_snapshots("snap") == []
    c.delete_collection("snap")


def many_points_at_once(d):
    c = client(d)
    c.create_collection("many", vectors_config=m.VectorParams(size=DIM, distance=m.Distance.DOT))
    c.upload_points("many", [m.PointStruct(id=i, vector=vector(i)) for i in range(3000)],
                    batch_size=1000, wait=True)
    assert c.count("many", exact=True).count == 3000
    c.upload_collection("many", vectors=[vector(i) for i in range(100)],
                        payload=[{"i": i} for i in range(100)], wait=True)
    assert c.count("many", exact=True).count == 3100
    c.delete_collection("many")


def what_was_acknowledged_outlives_a_kill(d):
    c = client(d)
    make(c, "kept")
    c.create_payload_index("kept", "n", field_schema="integer")
    before = [p.id for p in c.query_points("kept", query=vector("q"), limit=10).points]
    d.process.kill()
    d.process.wait()
    d.start()
    c = client(d)
    assert c.count("kept").count == 100
    assert [p.id for p in c.query_points("kept", query=vector("q"), limit=10).points] == before
    assert c.get_collection("kept").payload_schema["n"].data_type == m.PayloadSchemaType.INTEGER
    c.delete_collection("kept")


sluiced.run([server_tells_its_version, collections_are_made_changed_and_gone,
             points_come_back_as_they_were_put, duplicates_and_modes, payloads_change,
             filters_mean_what_they_say, lists_go_on_where_they_ended, searches_find_the_nearest,
             searches_by_examples_fusion_and_more, vectors_have_names, mistakes_are_told,
             aliases_move_at_once, batches_of_operations, snapshots_bring_back_what_was,
             many_points_at_once, what_was_acknowledged_outlives_a_kill],
            "http.listen=127.0.0.1:0", "node.memory_max_bytes=512M")
