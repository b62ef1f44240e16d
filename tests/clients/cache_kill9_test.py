#!/usr/bin/env python3
"""A sluiced is killed by -9 again and again while clients store, replace and remove objects, in a
folder and on a device.

What got 201 or 204 is there after each start and right, what was removed is not, and a request
that had no answer has happened or has not (kill9.py).
"""
import http.client
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kill9  # noqa: E402
import sluiced  # noqa: E402

ROUNDS = 8
KEYS = 40
SIZES = [0, 1, 4000, 4096, 60000, 65536, 65537, 300000, 1000000]


def body_of(seed):
    """None of no object; else bytes that follow from the number."""
    if seed is None:
        return None
    draw = random.Random(seed)
    return draw.randbytes(draw.choice(SIZES))


class Client(kill9.Client):
    def write(self, connection):
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


def check(address, known, _):
    connection = http.client.HTTPConnection(address, timeout=60)
    for part in known:
        for key, seeds in part.items():
            connection.request("GET", "/cache/" + key)
            answer = connection.getresponse()
            body = answer.read()
            seen = None if answer.status == 404 else body
            assert answer.status in (200, 404), f"{key}: {answer.status}"
            fits = [seed for seed in seeds if body_of(seed) == seen]
            assert fits, f"{key}: {answer.status}, {len(body)} bytes, of {len(seeds)} possible"
            part[key] = fits[:1]


def what_was_answered_is_there_after_each_kill(daemon):
    kill9.kill(daemon, Client, ROUNDS, 0.3, check)


def the_same_on_a_device(_):
    device = FOLDER + "/device"
    with open(device, "w") as made:
        made.truncate(4 << 30)
    subprocess.run([os.path.join(sluiced.BUILD, "sluice"), "cache", "format", device], check=True,
                   stdout=subprocess.DEVNULL)
    daemon = sluiced.Sluiced("http.listen=127.0.0.1:0", f"cache.path={device}",
                             "node.memory_max_bytes=512M")
    try:
        daemon.start()
        kill9.kill(daemon, Client, ROUNDS, 0.3, check)
        daemon.stop()
    finally:
        daemon.end()


# 2G, so that nothing need go for space.
sluiced.LIMIT_S = 800
FOLDER = sluiced.tempfile.mkdtemp()
sluiced.ENDS.append(lambda: sluiced.shutil.rmtree(FOLDER, ignore_errors=True))
sluiced.run([what_was_answered_is_there_after_each_kill, kill9.the_end_is_in_order,
             the_same_on_a_device],
            "http.listen=127.0.0.1:0", f"cache.path={FOLDER}/cache", "cache.max_bytes=2G",
            "node.memory_max_bytes=512M")
