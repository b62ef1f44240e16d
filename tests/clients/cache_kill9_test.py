#!/usr/bin/env python3
"""A sluiced is killed by -9 again and again while clients store, replace and remove objects.

Each client has keys of its own and notes what was answered. After each start every key must be as
its client knows it: what got 201 or 204 is there and right, what was removed is not, and a request
that had no answer has happened or has not. SLUICE_SEED repeats the draws.
"""
import http.client
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sluiced  # noqa: E402

ROUNDS = 8
CLIENTS = 4
KEYS = 40
SIZES = [0, 1, 4000, 4096, 60000, 65536, 65537, 300000, 1000000]
SEED = int(os.environ.get("SLUICE_SEED", "0"), 0) or random.SystemRandom().getrandbits(32)


def body_of(seed):
    """None of no object; else bytes that follow from the number."""
    if seed is None:
        return None
    draw = random.Random(seed)
    return draw.randbytes(draw.choice(SIZES))


class Client(threading.Thread):
    """known: per key the numbers that may be there, one unless a request had no answer."""

    def __init__(self, number, known, address, turn):
        super().__init__(daemon=True)
        self.draw = random.Random(f"{SEED} {number} {turn}")
        self.known, self.address, self.number = known, address, number
        self.failure = None
        self.answers = 0

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            while True:
                self.store(connection)
        except (OSError, http.client.HTTPException):
            pass  # the daemon was killed
        except AssertionError as failure:
            self.failure = failure

    def store(self, connection):
        key = f"{self.number}/{self.draw.randrange(KEYS)}"
        before = self.known.setdefault(key, [None])
        seed = None if self.draw.random() < 0.2 else self.draw.getrandbits(60)
        self.known[key] = before + [seed]  # until there is an answer
        method = "DELETE" if seed is None else "PUT"
        connection.request(method, "/cache/" + key, body_of(seed))
        answer = connection.getresponse()
        answer.read()
        allowed = (201, 204) if seed is not None else (204, 404)
        assert answer.status in allowed, f"{method} {key}: {answer.status}"
        self.known[key] = [seed]
        self.answers += 1


def address_of(daemon):
    return re.search(r"http (127\.0\.0\.1:[0-9]+)", daemon.said())[1]


def check(address, known):
    connection = http.client.HTTPConnection(address, timeout=60)
    for key, seeds in known.items():
        connection.request("GET", "/cache/" + key)
        answer = connection.getresponse()
        body = answer.read()
        seen = None if answer.status == 404 else body
        assert answer.status in (200, 404), f"{key}: {answer.status}"
        fits = [seed for seed in seeds if body_of(seed) == seen]
        assert fits, f"{key}: {answer.status}, {len(body)} bytes, of {len(seeds)} possible"
        known[key] = fits[:1]


def what_was_answered_is_there_after_each_kill(daemon):
    print(f"# SLUICE_SEED={SEED:#x}")
    draw = random.Random(SEED)
    known = [{} for _ in range(CLIENTS)]
    answers = 0
    for turn in range(ROUNDS):
        clients = [Client(i, known[i], address_of(daemon), turn) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        until = time.monotonic() + 30
        while not all(c.answers for c in clients) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(draw.random() * 0.3)
        daemon.process.kill()
        daemon.process.wait()
        for client in clients:
            client.join(60)
            assert not client.is_alive(), "a client waits for a daemon that is gone"
            if client.failure:
                raise client.failure
            answers += client.answers
        daemon.start()
        for part in known:
            check(address_of(daemon), part)
    print(f"# {answers} answers, {sum(map(len, known))} keys")
    assert answers >= ROUNDS * CLIENTS


def the_end_is_in_order(daemon):
    daemon.stop()
    daemon.start()


# 2G, so that nothing need go for space.
sluiced.LIMIT_S = 800
FOLDER = sluiced.tempfile.mkdtemp()
sluiced.ENDS.append(lambda: sluiced.shutil.rmtree(FOLDER, ignore_errors=True))
sluiced.run([what_was_answered_is_there_after_each_kill, the_end_is_in_order],
            "http.listen=127.0.0.1:0", f"cache.path={FOLDER}/cache", "cache.max_bytes=2G",
            "node.memory_max_bytes=512M")
