#!/usr/bin/env python3
"""A sluiced is killed by -9 again and again while clients put, change and delete points.

What was acknowledged is there after each start, vector and payload, what was deleted is not, and a
request that had no answer has happened or has not (kill9.py). Then searches must find the points
that are there by their own vectors as well as before.
"""
import http.client
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kill9  # noqa: E402
import sluiced  # noqa: E402

ROUNDS = 6
IDS = 400  # of each client
BATCH = 20  # points of one request, at most
DIM = 16


def vector_of(seed):
    """A direction that no other number has."""
    draw = random.Random(seed)
    return [round(draw.gauss(0, 1), 3) for _ in range(DIM)]


class Connection(http.client.HTTPConnection):
    def ask(self, method, path, body=None):
        self.request(method, "/collections/kill" + path, json.dumps(body) if body else None)
        answer = self.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{method} {path}: {answer.status} {text[:300]}"
        return json.loads(text)["result"]


class Client(kill9.Client):
    connection = Connection

    def write(self, connection):
        ids = self.draw.sample(range(IDS), self.draw.randint(1, BATCH))
        ids = [self.number * IDS + i for i in ids]
        delete = self.draw.random() < 0.2
        seeds = {i: None if delete else self.draw.getrandbits(50) for i in ids}
        before = {i: self.known.setdefault(i, [None]) for i in ids}
        for i in ids:
            self.known[i] = before[i] + [seeds[i]]  # until there is an answer
        if delete:
            connection.ask("POST", "/points/delete?wait=true", {"points": ids})
        else:
            connection.ask("PUT", "/points?wait=true", {"points": [
                {"id": i, "vector": vector_of(s), "payload": {"seed": s}}
                for i, s in seeds.items()]})
        for i in ids:
            self.known[i] = [seeds[i]]


def check_points(address, known):
    """Every point is one that may be there, whole; settles which of them it is."""
    connection = Connection(address, timeout=60)
    found = {p["id"]: p for p in connection.ask("POST", "/points", {
        "ids": list(known), "with_vector": True})} if known else {}
    for i, seeds in known.items():
        seen = found[i]["payload"]["seed"] if i in found else None
        assert seen in seeds, f"{i}: {seen} is none of {seeds}"
        if seen is not None:
            far = max(abs(a - b) for a, b in zip(found[i]["vector"], vector_of(seen)))
            assert far < 1e-5, f"{i}: the vector is not its own"
        known[i] = [seen]


def recall(address, known):
    """How many of the points are the nearest to their own vectors."""
    connection = Connection(address, timeout=60)
    there = [(i, seeds[0]) for part in known for i, seeds in part.items() if seeds[0] is not None]
    count = connection.ask("POST", "/points/count", {"exact": True})["count"]
    assert count == len(there), f"{count} points instead of {len(there)}"
    sample = random.Random(kill9.SEED).sample(there, min(200, len(there)))
    answers = connection.ask("POST", "/points/query/batch", {"searches": [
        {"query": vector_of(seed), "limit": 1} for _, seed in sample]}) if sample else []
    hits = sum(a["points"][0]["id"] == i for a, (i, _) in zip(answers, sample))
    return hits / max(1, len(sample))


def check(address, known, turn):
    for part in known:
        check_points(address, part)
    seen = recall(address, known)
    assert seen >= 0.99, f"recall is {seen} after kill {turn + 1}"


def what_was_answered_is_there_after_each_kill(daemon):
    Connection(daemon.address(), timeout=60).ask(
        "PUT", "", {"vectors": {"size": DIM, "distance": "Euclid"}})
    kill9.kill(daemon, Client, ROUNDS, 0.5, check)


sluiced.LIMIT_S = 800
sluiced.run([what_was_answered_is_there_after_each_kill, kill9.the_end_is_in_order],
            "http.listen=127.0.0.1:0", "node.memory_max_bytes=512M")
