"""Clients that write while a sluiced is killed by -9 again and again; imported by tests in Python.

Each client has keys of its own and notes what was answered: after each start every key must be as
its client knows it. SLUICE_SEED repeats the draws.
"""
import http.client
import os
import random
import threading
import time

CLIENTS = 4
SEED = int(os.environ.get("SLUICE_SEED", "0"), 0) or random.SystemRandom().getrandbits(32)


class Client(threading.Thread):
    """A test's own has write(connection), which asks once and keeps known: per key the numbers
    that may be there, one unless a request had no answer."""

    connection = http.client.HTTPConnection

    def __init__(self, number, known, address, turn):
        super().__init__(daemon=True)
        self.draw = random.Random(f"{SEED} {number} {turn}")
        self.known, self.address, self.number = known, address, number
        self.failure = None
        self.answers = 0

    def run(self):
        connection = self.connection(self.address, timeout=60)
        try:
            while True:
                self.write(connection)
                self.answers += 1
        except (OSError, http.client.HTTPException):
            pass  # the daemon was killed
        except AssertionError as failure:
            self.failure = failure


def kill(daemon, client, rounds, pause_s, check):
    """client: the test's class. check(address, known, turn): after each start; known of each."""
    print(f"# SLUICE_SEED={SEED:#x}")
    draw = random.Random(SEED)
    known = [{} for _ in range(CLIENTS)]
    answers = 0
    for turn in range(rounds):
        clients = [client(i, known[i], daemon.address(), turn) for i in range(CLIENTS)]
        for c in clients:
            c.start()
        until = time.monotonic() + 30
        while not all(c.answers for c in clients) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(draw.random() * pause_s)
        daemon.process.kill()
        daemon.process.wait()
        for c in clients:
            c.join(60)
            assert not c.is_alive(), "a client waits for a daemon that is gone"
            if c.failure:
                raise c.failure
            answers += c.answers
        daemon.start()
        check(daemon.address(), known, turn)
    print(f"# {answers} answers, {sum(map(len, known))} keys")
    assert answers >= rounds * CLIENTS


def the_end_is_in_order(daemon):
    daemon.stop()
    daemon.start()
