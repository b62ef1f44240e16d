#!/usr/bin/env python3
"""objectslib: what the bench-objects... scripts share: MNIST, a client of Qdrant's API, loads.

Order of parts: the set; asking; loads.
"""
import http.client
import json
import lzma
import os
import re
import struct
import subprocess
import sys
import time

from benchlib import CLIENT_CPU, cpu_of, pinned

K = 10
DIM = 784

# of a sluiced that serves nothing else
SETTINGS = ["kafka.listen=off", "http.listen=127.0.0.1:0", "node.memory_max_bytes=4G"]


# ---- the set -----------------------------------------------------------------------------------

def images(path):
    """The images of an IDX file, in bytes."""
    with lzma.open(path) as f:
        raw = f.read()
    count, height, width = struct.unpack(">III", raw[4:16])
    size = height * width
    return [raw[16 + i * size:16 + (i + 1) * size] for i in range(count)]


def mnist(folder):
    """Base, queries, and the exact ten nearest of each query."""
    with open(os.path.join(folder, "groundtruth-l2-top10.ivecs"), "rb") as f:
        raw = f.read()
    row = 4 * (K + 1)
    exact = [set(struct.unpack(f"<{K + 1}i", raw[i:i + row])[1:]) for i in range(0, len(raw), row)]
    return (images(os.path.join(folder, "train-images-idx3-ubyte.xz")),
            images(os.path.join(folder, "t3k-images-idx3-ubyte.xz")), exact)


def as_json(vector):
    return "[" + ",".join(map(str, vector)) + "]"


# ---- asking ------------------------------------------------------------------------------------

class Client:
    """Of one collection; what is not answered with 200 ends the measurement."""

    def __init__(self, daemon, name):
        self.connection = http.client.HTTPConnection(daemon.address, timeout=600)
        self.path = f"/collections/{name}"

    def ask(self, method, path, body=None):
        self.connection.request(method, self.path + path,
                                json.dumps(body) if isinstance(body, dict) else body)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{method} {self.path}{path}: {answer.status} {text[:300]}")
        return json.loads(text)["result"]

    def create(self, **conf):
        """With vectors as MNIST's, if nothing else is said."""
        self.ask("PUT", "", {"vectors": {"size": DIM, "distance": "Euclid"}, **conf})

    def put(self, points):
        """points: (id, vector as JSON), or with a payload as JSON behind."""
        one = ['{"id":%d,"vector":%s}' % p if len(p) == 2 else
               '{"id":%d,"vector":%s,"payload":%s}' % p for p in points]
        self.ask("PUT", "/points?wait=true", '{"points":[' + ",".join(one) + "]}")

    def settled(self):
        while self.ask("GET", "")["status"] != "green":
            time.sleep(0.1)

    def nearest(self, body):
        return {p["id"] for p in self.ask("POST", "/points/query", body)["points"]}

    def recall(self, bodies, exact):
        """exact: a set for each of bodies."""
        found = sum(len(want & self.nearest(body)) for body, want in zip(bodies, exact))
        return found / sum(len(want) for want, _ in zip(exact, bodies))


def query(vector, params=None, condition=None):
    """The ten nearest to vector, which is JSON already."""
    more = f',"params":{json.dumps(params)}' if params else ""
    more += f',"filter":{json.dumps(condition)}' if condition else ""
    return f'{{"query":{vector},"limit":{K}{more}}}'


# ---- loads -------------------------------------------------------------------------------------

LOAD = """
local bodies = {}
for line in io.lines([[%s]]) do bodies[#bodies + 1] = line end
local at = 0
request = function()
	at = at %% #bodies + 1
	return wrk.format([[%s]], [[%s]], nil, bodies[at])
end
done = function(summary, latency)
	print(string.format("SEEN %%d %%d %%d %%d", summary.requests, summary.duration,
		latency:percentile(50), summary.errors.status))
end
"""


def load(daemon, method, path, bodies, connections, seconds):
    """Requests a second, their median, and the server's processor time of one, in microseconds."""
    lines = os.path.join(daemon.folder, "bodies")
    script = os.path.join(daemon.folder, "load.lua")
    with open(lines, "w") as f:
        f.write("\n".join(bodies) + "\n")
    with open(script, "w") as f:
        f.write(LOAD % (lines, method, path))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script,
               "http://" + daemon.address]
    before = cpu_of(daemon.pids())
    out = subprocess.run(command, capture_output=True, text=True,
                         preexec_fn=pinned(CLIENT_CPU)).stdout
    seen = re.search(r"SEEN (\d+) (\d+) (\d+) (\d+)", out)
    if not seen or int(seen[4]):
        sys.exit("wrk failed:\n" + out)
    used = (cpu_of(daemon.pids()) - before) * 1e6 / max(1, int(seen[1]))
    return int(seen[1]) / (int(seen[2]) / 1e6), int(seen[3]), used


def searches(daemon, client, bodies, connections, seconds):
    return load(daemon, "POST", client.path + "/points/query", bodies, connections, seconds)
