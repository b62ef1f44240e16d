#!/usr/bin/env -S python3 -B
"""weaviate-client 4 from PyPI against a sluiced: what of it goes by REST."""

import sluiced

sluiced.in_venv("weaviate-client==4.*", "weaviate")

import weaviate
import weaviate.classes as wvc
from weaviate.exceptions import UnexpectedStatusCodeError


def connect(d):
    port = int(d.address().split(":")[1])
    # Nobody serves gRPC; the port has to be another one all the same.
    return weaviate.connect_to_custom("127.0.0.1", port, False, "127.0.0.1", 1, False,
                                      skip_init_checks=True)


def uuid(n):
    return "00000000-0000-0000-0000-%012d" % n


def collections_are_made_and_read(d):
    with connect(d) as c:
        assert c.is_ready()  # is_live() asks gRPC too
        c.collections.create(
            "Author", properties=[wvc.config.Property(name="name",
                                                      data_type=wvc.config.DataType.TEXT)],
            vector_config=wvc.config.Configure.Vectors.self_provided())
        c.collections.create(
            "Book", description="of paper",
            properties=[wvc.config.Property(name="title", data_type=wvc.config.DataType.TEXT),
                        wvc.config.Property(name="pages", data_type=wvc.config.DataType.INT)],
            references=[wvc.config.ReferenceProperty(name="of", target_collection="Author")],
            vector_config=wvc.config.Configure.Vectors.self_provided(
                vector_index_config=wvc.config.Configure.VectorIndex.hnsw(
                    distance_metric=wvc.config.VectorDistances.DOT)))
        assert c.collections.exists("Book") and not c.collections.exists("Nothing")
        assert sorted(c.collections.list_all()) == ["Author", "Book"]
        config = c.collections.get("Book").config.get()
        assert config.description == "of paper"
        assert [p.name for p in config.properties] == ["title", "pages"]
        assert config.references[0].target_collections == ["Author"]
        vector = config.vector_config["default"].vector_index_config
        assert vector.distance_metric == wvc.config.VectorDistances.DOT


def configurations_are_changed(d):
    with connect(d) as c:
        book = c.collections.get("Book")
        book.config.add_property(wvc.config.Property(name="year",
                                                     data_type=wvc.config.DataType.INT))
        book.config.update(description="of ink")
        config = book.config.get()
        assert config.description == "of ink" and config.properties[-1].name == "year"
        assert book.config.get_shards()[0].status == "READY"


def objects_are_made_changed_and_deleted(d):
    with connect(d) as c:
        book = c.collections.get("Book")
        made = book.data.insert({"title": "one", "pages": 1}, uuid=uuid(1), vector=[1, 0])
        assert str(made) == uuid(1)
        try:
            book.data.insert({}, uuid=uuid(1))
            raise AssertionError("an id was given twice")
        except UnexpectedStatusCodeError as e:
            assert e.status_code == 422, e
        assert book.data.exists(uuid(1)) and not book.data.exists(uuid(2))
        book.data.update(uuid(1), {"pages": 2})
        book.data.replace(uuid(1), {"title": "two"}, vector=[0, 1])
        assert book.data.delete_by_id(uuid(1))
        assert not book.data.exists(uuid(1))


def references_are_added_replaced_and_removed(d):
    with connect(d) as c:
        c.collections.get("Author").data.insert({"name": "a"}, uuid=uuid(11))
        book = c.collections.get("Book")
        book.data.insert({"title": "one"}, uuid=uuid(1), references={"of": uuid(11)})
        book.data.reference_add(uuid(1), "of", uuid(11))
        book.data.reference_replace(uuid(1), "of", uuid(11))
        raw = c.graphql_raw_query("{Get{Book{of{... on Author{name}}}}}")
        assert raw.get["Book"] == [{"of": [{"name": "a"}]}], raw
        book.data.reference_delete(uuid(1), "of", uuid(11))
        raw = c.graphql_raw_query("{Get{Book{of{... on Author{name}}}}}")
        assert raw.get["Book"] == [{"of": None}], raw


def vectors_are_found_by_raw_queries(d):
    with connect(d) as c:
        book = c.collections.get("Book")
        for i in range(20):
            book.data.insert({"title": f"book {i}", "pages": i}, uuid=uuid(100 + i), vector=[i, 1])
        raw = c.graphql_raw_query("{Get{Book(nearVector:{vector:[1,0]} limit:2){pages "
                                  "_additional{distance}}}}")
        assert raw.get["Book"] == [{"pages": 19, "_additional": {"distance": -19}},
                                   {"pages": 18, "_additional": {"distance": -18}}], raw


def all_is_there_after_a_restart(d):
    d.stop()
    d.start()
    with connect(d) as c:
        assert c.collections.get("Book").data.exists(uuid(119))
        c.collections.delete_all()
        assert not c.collections.list_all()


sluiced.run([collections_are_made_and_read, configurations_are_changed,
             objects_are_made_changed_and_deleted, references_are_added_replaced_and_removed,
             vectors_are_found_by_raw_queries, all_is_there_after_a_restart],
            "http.listen=127.0.0.1:0")
