#!/usr/bin/env -S python3 -B
"""weaviate-client 3 from PyPI, which speaks REST and GraphQL, against a sluiced."""

import sluiced

sluiced.in_venv("weaviate-client==3.*", "weaviate")

import weaviate
from weaviate.exceptions import ObjectAlreadyExistsException, UnexpectedStatusCodeException

MANY = 500


def connect(d):
    address = d.address()
    return weaviate.Client("http://" + address, timeout_config=(10, 60))


def uuid(n):
    return "00000000-0000-0000-0000-%012d" % n


def the_server_is_known(d):
    c = connect(d)
    assert c.is_live() and c.is_ready()
    assert c.get_meta()["version"].startswith("1.")
    assert c.cluster.get_nodes_status()[0]["status"] == "HEALTHY"


def classes_are_made_and_read(d):
    c = connect(d)
    c.schema.create({"classes": [
        {"class": "Author", "vectorizer": "none",
         "properties": [{"name": "name", "dataType": ["text"]}]},
        {"class": "Book", "vectorizer": "none", "vectorIndexConfig": {"distance": "cosine"},
         "properties": [{"name": "title", "dataType": ["text"]},
                        {"name": "pages", "dataType": ["int"]},
                        {"name": "of", "dataType": ["Author"]}]}]})
    assert c.schema.contains() and c.schema.exists("Book")
    assert c.schema.get("Book")["vectorIndexConfig"]["distance"] == "cosine"
    c.schema.property.create("Book", {"name": "year", "dataType": ["int"]})
    assert [p["name"] for p in c.schema.get("Book")["properties"]] == ["title", "pages", "of",
                                                                       "year"]
    assert c.schema.get_class_shards("Book")[0]["status"] == "READY"
    c.schema.update_config("Book", {"vectorIndexConfig": {"ef": 200}})
    assert c.schema.get("Book")["vectorIndexConfig"]["ef"] == 200
    try:
        c.schema.create_class({"class": "Book"})
        raise AssertionError("a class was made twice")
    except UnexpectedStatusCodeException as e:
        assert e.status_code == 422, e


def objects_are_made_changed_and_deleted(d):
    c = connect(d)
    o = c.data_object
    assert o.create({"title": "one", "pages": 1}, "Book", uuid(1), vector=[1, 0]) == uuid(1)
    try:
        o.create({}, "Book", uuid(1))
        raise AssertionError("an id was given twice")
    except ObjectAlreadyExistsException:
        pass
    assert o.exists(uuid(1), class_name="Book") and not o.exists(uuid(2), class_name="Book")
    got = o.get_by_id(uuid(1), class_name="Book", with_vector=True)
    assert (got["properties"], got["vector"]) == ({"title": "one", "pages": 1}, [1, 0])
    o.update({"pages": 2}, "Book", uuid(1))
    assert o.get_by_id(uuid(1), class_name="Book")["properties"] == {"title": "one", "pages": 2}
    o.replace({"title": "two"}, "Book", uuid(1), vector=[0, 1])
    assert o.get_by_id(uuid(1), class_name="Book")["properties"] == {"title": "two"}
    assert o.validate({"title": "x"}, "Book", uuid(9))["valid"]
    assert not o.validate({"pages": "x"}, "Book", uuid(9))["valid"]
    o.delete(uuid(1), class_name="Book")
    assert o.get_by_id(uuid(1), class_name="Book") is None


def references_are_added_replaced_and_removed(d):
    c = connect(d)
    for n in (11, 12):
        c.data_object.create({"name": f"author {n}"}, "Author", uuid(n))
    c.data_object.create({"title": "book"}, "Book", uuid(10))
    r = c.data_object.reference
    where = {"from_class_name": "Book", "to_class_name": "Author"}
    fields = "title of { ... on Author { name } }"

    def authors():
        got = c.query.get("Book", fields).do()["data"]["Get"]["Book"][0]["of"]
        return [a["name"] for a in got or []]

    r.add(uuid(10), "of", uuid(11), **where)
    assert authors() == ["author 11"]
    r.update(uuid(10), "of", [uuid(12), uuid(11)], from_class_name="Book",
             to_class_names="Author")
    assert authors() == ["author 12", "author 11"]
    r.delete(uuid(10), "of", uuid(12), **where)
    assert authors() == ["author 11"]
    c.data_object.delete(uuid(10), class_name="Book")


def batches_are_stored_and_searched(d):
    c = connect(d)
    failed = []
    c.batch.configure(batch_size=100, callback=lambda results: failed.extend(
        r for r in results or [] if "errors" in r["result"]))
    with c.batch as b:
        for i in range(MANY):
            b.add_data_object({"title": f"book {i}", "pages": i, "year": 1900 + i % 10}, "Book",
                              uuid(1000 + i), vector=[1, i / MANY])
            b.add_reference(uuid(1000 + i), "Book", "of", uuid(11), "Author")
        b.flush()
    assert not failed, failed[:3]
    q = (c.query.get("Book", ["title", "pages", "of { ... on Author { name } }"])
         .with_near_vector({"vector": [1, 0.5]}).with_limit(3)
         .with_additional(["id", "distance", "certainty"]).do()["data"]["Get"]["Book"])
    assert q[0]["pages"] == 250 and q[0]["_additional"]["distance"] < 1e-6, q
    assert q[0]["_additional"]["id"] == uuid(1250)
    assert q[0]["of"] == [{"name": "author 11"}]
    q = (c.query.get("Book", "pages").with_near_object({"id": uuid(1100)}).with_limit(1)
         .do()["data"]["Get"]["Book"])
    assert q == [{"pages": 100}]


def filters_orders_and_cursors(d):
    c = connect(d)
    where = {"operator": "And", "operands": [
        {"path": ["year"], "operator": "Equal", "valueInt": 1903},
        {"path": ["pages"], "operator": "LessThan", "valueInt": 30}]}
    q = (c.query.get("Book", "pages").with_where(where)
         .with_sort({"path": ["pages"], "order": "desc"}).do()["data"]["Get"]["Book"])
    assert q == [{"pages": 23}, {"pages": 13}, {"pages": 3}], q
    q = c.query.get("Book", "pages").with_where(
        {"path": ["title"], "operator": "Equal", "valueText": "book 77"}).do()
    assert q["data"]["Get"]["Book"] == [{"pages": 77}], q
    seen, after = [], None
    while True:
        page = c.data_object.get(class_name="Book", limit=120, after=after or uuid(0))["objects"]
        if not page:
            break
        seen += [o["properties"]["pages"] for o in page]
        after = page[-1]["id"]
    assert seen == list(range(MANY))


def figures_are_aggregated(d):
    c = connect(d)
    q = c.query.aggregate("Book").with_meta_count().do()
    assert q["data"]["Aggregate"]["Book"][0]["meta"]["count"] == MANY, q
    q = (c.query.aggregate("Book").with_group_by_filter(["year"]).with_meta_count()
         .with_fields("groupedBy { value } pages { sum }").do()["data"]["Aggregate"]["Book"])
    assert len(q) == 10 and all(g["meta"]["count"] == MANY / 10 for g in q), q


def mistakes_are_told(d):
    c = connect(d)
    assert "errors" in c.query.get("Nothing", "x").do()
    assert "errors" in c.query.get("Book", "nothing").do()
    assert "errors" in c.query.get("Book", "title").with_bm25("x").do()
    try:
        c.data_object.create({"pages": 1}, "Book", uuid(7), vector=[1, 2, 3])
        raise AssertionError("a vector of another length was stored")
    except UnexpectedStatusCodeException as e:
        assert e.status_code == 500 and "length 3" in str(e), e


def what_a_filter_means_is_deleted(d):
    c = connect(d)
    where = {"path": ["pages"], "operator": "GreaterThanEqual", "valueInt": 400}
    got = c.batch.delete_objects("Book", where, output="verbose", dry_run=True)
    assert got["results"]["matches"] == MANY - 400, got
    got = c.batch.delete_objects("Book", where)
    assert got["results"]["successful"] == MANY - 400, got
    q = c.query.aggregate("Book").with_meta_count().do()
    assert q["data"]["Aggregate"]["Book"][0]["meta"]["count"] == 400, q


def all_is_there_after_a_restart(d):
    d.stop()
    d.start()
    c = connect(d)
    q = (c.query.get("Book", "pages").with_near_vector({"vector": [1, 0.5]}).with_limit(1)
         .do()["data"]["Get"]["Book"])
    assert q == [{"pages": 250}], q
    c.schema.delete_class("Book")
    assert not c.schema.exists("Book") and c.schema.exists("Author")


sluiced.run([the_server_is_known, classes_are_made_and_read, objects_are_made_changed_and_deleted,
             references_are_added_replaced_and_removed, batches_are_stored_and_searched,
             filters_orders_and_cursors, figures_are_aggregated, mistakes_are_told,
             what_a_filter_means_is_deleted, all_is_there_after_a_restart],
            "http.listen=127.0.0.1:0")
