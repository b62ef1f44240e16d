#!/usr/bin/env python3
"""The reverse proxy of a sluiced, between a client and an origin of this test's own."""
import http.client
import os
import random
import re
import resource
import selectors
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sluiced  # noqa: E402
from origin import Origin  # noqa: E402

FRESH = "Cache-Control: max-age=3600"
BIG = random.Random(5).randbytes((5 << 20) + 4321)
SLICE = 1 << 20
released = threading.Event()


# ---- what the origin answers ----------------------------------------------------------------

def big(request, etag='"big"', body=BIG, fresh=FRESH):
    wanted = dict(request.fields).get("range")
    condition = dict(request.fields).get("if-range", etag)
    fields = [f"ETag: {etag}", fresh]
    if not wanted or condition != etag:
        request.answer(body, *fields)
        return
    first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted).groups()
    first, last = int(first), min(int(last), len(body) - 1)
    if first >= len(body):
        request.answer("", fresh, f"Content-Range: bytes */{len(body)}",
                       status="416 Range Not Satisfiable")
        return
    request.answer(body[first:last + 1], *fields,
                   f"Content-Range: bytes {first}-{last}/{len(body)}",
                   status="206 Partial Content")


def halves(request):
    """The second half only once the client has had the first."""
    request.send(f"HTTP/1.1 200 OK\r\n{FRESH}\r\nContent-Length: 400000\r\n\r\n")
    request.send(b"a" * 200000)
    released.wait()
    request.send(b"b" * 200000)


def stale_halves(request):
    """Stale when it comes; the second half once another request was answered."""
    if request.number > 1:
        request.answer("another", FRESH)
        return
    request.send('HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nAge: 10\r\nETag: "a"\r\n'
                 "Content-Length: 400000\r\n\r\n")
    request.send(b"a" * 200000)
    released.wait()
    request.send(b"b" * 200000)


def slow_slice(request):
    """The third slice in two halves, the second one once the client has had the first."""
    wanted = dict(request.fields).get("range", "")
    if not wanted.startswith(f"bytes={2 * SLICE}-"):
        big(request)
        return
    body = BIG[2 * SLICE:3 * SLICE]
    request.send(f'HTTP/1.1 206 Partial Content\r\nETag: "big"\r\n{FRESH}\r\n'
                 f"Content-Range: bytes {2 * SLICE}-{3 * SLICE - 1}/{len(BIG)}\r\n"
                 f"Content-Length: {SLICE}\r\n\r\n")
    request.send(body[:SLICE // 2])
    released.wait()
    request.send(body[SLICE // 2:])


def long_chunks(request):
    """Longer than the cache takes, which is not known before; the rest once it is asked for."""
    request.send(f"HTTP/1.1 200 OK\r\n{FRESH}\r\nTransfer-Encoding: chunked\r\n\r\n")
    for i in range(4):
        request.send(b"%x\r\n" % len(BIG) + BIG + b"\r\n")
        if not i:
            released.wait()
    request.send("0\r\n\r\n")


def hints(request):
    request.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    request.answer("final", FRESH)


CUTS = {
    "/cut/length": "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nabc",
    "/cut/chunk": "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked"
                  "\r\n\r\n64\r\nabc",
    "/cut/last": "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked"
                 "\r\n\r\n3\r\nabc\r\n",
    "/cut/size": "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked"
                 "\r\n\r\n3\r\nabc\r\nzz\r\n",
}
GARBAGE = [
    b"", b"\0\1\2\3", b"<html></html>", b"HTTP/1.1\r\n\r\n", b"HTTP/3.0 200 OK\r\n\r\n",
    b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"A: " + b"a" * 100000 + b"\r\n\r\n",
]


def answers(request):
    path, n = request.path, request.number
    fields = dict(request.fields)
    if path.startswith("/fresh"):
        request.answer(f"{path} {n}", FRESH, "X-Own: yes", "Set-Cookie: a=b")
    elif path == "/tagged":
        request.answer("tagged", FRESH, "Cache-Tag: old, news")
    elif path.startswith("/collapse"):
        released.wait()
        request.answer("x" * 20000, FRESH)
    elif path == "/stale-halves":
        stale_halves(request)
    elif path.startswith("/halves"):
        halves(request)
    elif path == "/hints":
        hints(request)
    elif path.startswith("/slow"):
        slow_slice(request)
    elif path == "/long":
        long_chunks(request)
    elif path == "/big/small":
        big(request, body=BIG[:1000])
    elif path == "/big/private":
        big(request, fresh="Cache-Control: private")
    elif path == "/big/weak":
        big(request, 'W/"weak"')
    elif path.startswith("/big"):
        big(request)
    elif path == "/changing":
        old = n <= 2
        big(request, '"old"' if old else '"new"', BIG if old else BIG[::-1])
    elif path.startswith("/unsliced"):
        request.answer(BIG, FRESH, 'ETag: "u"')  # knows no ranges
    elif path == "/validated":
        if fields.get("if-none-match") == '"v"':
            request.answer("", "ETag: \"v\"", "X-Number: 2", FRESH, status="304 Not Modified")
        else:
            request.answer("body", "ETag: \"v\"", "X-Number: 1", "X-Kept: 1",
                           "Cache-Control: max-age=0")
    elif path.startswith("/headed"):
        # GET: stale at once. HEAD: as the path says.
        if request.method == "GET":
            request.answer(f"body {n}", 'ETag: "h"', "X-Number: 1", "Cache-Control: max-age=0")
        else:
            request.answer("body 1" if path != "/headed/length" else "longer body", FRESH,
                           'ETag: "other"' if path == "/headed/etag" else 'ETag: "h"',
                           f"X-Number: {n}")
    elif path.startswith("/dying"):
        # 1: stored, stale at once. Then the origin is out of order.
        if n == 1:
            request.answer("old", 'ETag: "d"', "Cache-Control: max-age=0" + {
                "/dying": "", "/dying/must": ", must-revalidate",
                "/dying/sie": ", stale-if-error=1000", "/dying/503": ""}[path])
        elif path in ("/dying/sie", "/dying/503"):
            request.answer("out of order", status="503 Service Unavailable")
        else:
            request.hang_up()
    elif path == "/behind":
        request.answer(f"version {n}", "Cache-Control: max-age=0, stale-while-revalidate=1000")
    elif path == "/vary/late":
        if fields.get("x-kind") == "late":
            released.wait()
        request.answer(fields.get("x-kind", "none"), FRESH, "Vary: X-Kind")
    elif path.startswith("/vary"):
        request.answer(fields.get("x-kind", "none"), FRESH, "Vary: X-Kind")
    elif path == "/private":
        request.answer(f"mine {n}", "Cache-Control: private, max-age=60")
    elif path == "/echo":
        request.answer(request.body, "X-Method: " + request.method)
    elif path == "/kept":
        request.answer(f"kept {n}", "Cache-Control: no-store")
        request.hang_up()  # behind the answer, without having said so
    elif path in CUTS:
        request.send(CUTS[path])
        request.hang_up()
    elif path.startswith("/garbage/"):
        request.send(GARBAGE[int(path[9:])])
        request.hang_up()
    elif path == "/silent":
        released.wait()
        request.hang_up()
    elif path == "/held":
        released.wait()
        request.answer("held", "Cache-Control: no-store")
    elif path == "/chunked":
        request.send(f"HTTP/1.1 200 OK\r\n{FRESH}\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n")
        released.wait()
        request.send("0\r\n\r\n")
    elif path.startswith("/drip"):
        request.send(f"HTTP/1.1 200 OK\r\n{FRESH}\r\nContent-Length: 1000000\r\n\r\n")
        request.send(b"a" * 500000)
        released.wait()
        request.hang_up()
    else:
        request.answer("no such path", status="404 Not Found")


ORIGIN = Origin(answers)


# ---- the client -----------------------------------------------------------------------------

def port_of(daemon, name="proxy"):
    return int(daemon.address(name).split(":")[1])


class Answer:
    def __init__(self, answer, body):
        self.status, self.body, self.fields = answer.status, body, answer.headers

    def __getitem__(self, name):
        return self.fields.get(name)


def ask(daemon, path, method="GET", body=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(daemon), timeout=60)
    headers = {"Host": "h"}  # the same whatever the port, for it is part of the key
    headers |= {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    try:
        return Answer(answer, answer.read())
    finally:
        connection.close()


def metric(daemon, name):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(daemon, "http"), timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return int(float(re.search(rf"^{name} (\S+)$", text, re.M)[1]))


def until(true, what):
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("did not come: " + what)


def ask_stored(daemon, path, **fields):
    """The answer may be there before it is stored: the disk is waited for, too."""
    answer = ask(daemon, path, **fields)
    fields["Cache_Control"] = "only-if-cached, max-stale"
    until(lambda: ask(daemon, path, **fields).body == answer.body, "stored")
    return answer


def is_cut(daemon, path):
    try:
        answer = ask(daemon, path)
    except (http.client.IncompleteRead, ConnectionError):
        return True
    return answer.status == 502


# ---- tests ----------------------------------------------------------------------------------

def what_is_fresh_is_not_asked_for_again(daemon):
    first, second = ask_stored(daemon, "/fresh"), ask(daemon, "/fresh")
    assert first.status == second.status == 200
    assert first.body == second.body == b"/fresh 1"
    assert ORIGIN.count("/fresh") == 1
    assert "fwd=uri-miss" in first["Cache-Status"] and "stored" in first["Cache-Status"]
    assert second["Cache-Status"].startswith("sluice; hit; ttl=3"), second["Cache-Status"]
    assert int(second["Age"]) >= 0 and second["Date"] and second["Via"] == "1.1 sluice"
    assert second["X-Own"] == "yes" and second["Set-Cookie"] == "a=b"
    assert ask(daemon, "/fresh?query").body == b"/fresh?query 1"
    assert ask_stored(daemon, "/fresh", Cache_Control="no-cache").body == b"/fresh 2"
    assert ask(daemon, "/fresh", Cache_Control="only-if-cached").body == b"/fresh 2"
    assert ask(daemon, "/fresh/other", Cache_Control="only-if-cached").status == 504


def head_and_conditions_are_answered_from_the_cache(daemon):
    whole = ask_stored(daemon, "/big/head")
    head = ask(daemon, "/big/head", "HEAD")
    assert whole.body == BIG and head.status == 200 and head.body == b""
    assert head["Content-Length"] == str(len(BIG)) and "hit" in head["Cache-Status"]
    same = ask(daemon, "/big/head", If_None_Match='"big"')
    assert same.status == 304 and same["ETag"] == '"big"' and same.body == b""
    assert ask(daemon, "/big/head", If_Match='"other"').status == 412
    part = ask(daemon, "/big/head", Range="bytes=1000000-2999999")
    assert part.status == 206 and part.body == BIG[1000000:3000000]
    assert part["Content-Range"] == f"bytes 1000000-2999999/{len(BIG)}"
    assert ask(daemon, "/big/head", Range="bytes=-5").body == BIG[-5:]
    assert ask(daemon, "/big/head", Range=f"bytes={len(BIG)}-").status == 416
    other = ask(daemon, "/big/head", Range="bytes=0-0", If_Range='"other"')
    assert other.status == 200 and other.body == BIG
    assert ORIGIN.count("/big/head") == 1


def thousand_misses_fetch_once(daemon):
    released.clear()
    collapsed = metric(daemon, "sluice_proxy_collapsed_total")
    request = b"GET /collapse HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    chosen, got = selectors.DefaultSelector(), {}
    for _ in range(1000):
        s = socket.create_connection(("127.0.0.1", port_of(daemon)), 60)
        s.sendall(request)
        s.setblocking(False)
        chosen.register(s, selectors.EVENT_READ)
        got[s] = b""
    released.set()
    left = len(got)
    while left:
        ready = chosen.select(60)
        assert ready, f"{left} are not answered"
        for key, _ in ready:
            data = key.fileobj.recv(65536)
            got[key.fileobj] += data
            if not data:
                chosen.unregister(key.fileobj)
                key.fileobj.close()
                left -= 1
    for text in got.values():
        head, body = text.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200") and body == b"x" * 20000, text[:300]
    assert ORIGIN.count("/collapse") == 1, ORIGIN.count("/collapse")
    assert metric(daemon, "sluice_proxy_collapsed_total") > collapsed


def body_streams_while_it_is_stored(daemon):
    released.clear()
    with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as one, \
            socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as two:
        for s in one, two:
            s.sendall(b"GET /halves HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        texts = []
        for s in one, two:
            text = b""
            while text.count(b"a") < 200000:
                data = s.recv(65536)
                assert data, "cut"
                text += data
            texts.append(text)
        released.set()
        for s, text in zip((one, two), texts):
            while (data := s.recv(65536)):
                text += data
            assert text.endswith(b"\r\n\r\n" + b"a" * 200000 + b"b" * 200000)
    assert ORIGIN.count("/halves") == 1
    until(lambda: "hit" in ask(daemon, "/halves")["Cache-Status"], "stored")


def what_comes_stale_answers_nobody_later(daemon):
    released.clear()
    with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as s:
        s.sendall(b"GET /stale-halves HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        text = b""
        while text.count(b"a") < 200000:
            data = s.recv(65536)
            assert data, "cut"
            text += data
        assert ask(daemon, "/stale-halves").body == b"another"
        released.set()
        while (data := s.recv(65536)):
            text += data
        assert text.endswith(b"\r\n\r\n" + b"a" * 200000 + b"b" * 200000)


def range_fetches_its_slices_only(daemon):
    part = ask(daemon, "/big/range", Range="bytes=3500000-3500099")
    assert part.status == 206 and part.body == BIG[3500000:3500100], part.status
    assert part["Content-Range"] == f"bytes 3500000-3500099/{len(BIG)}"
    asked = [dict(r.fields).get("range") for r in ORIGIN.of("/big/range")]
    assert asked == [f"bytes={3 * SLICE}-{4 * SLICE - 1}"], asked
    again = ask(daemon, "/big/range", Range="bytes=3400000-3400009")
    assert again.body == BIG[3400000:3400010] and again.status == 206, again.status
    assert ORIGIN.count("/big/range") == 1
    across = ask(daemon, "/big/range", Range="bytes=2000000-4500000")
    assert across.status == 206 and across.body == BIG[2000000:4500001]
    assert "fwd=partial; fwd-status=206; stored" in across["Cache-Status"], across["Cache-Status"]
    assert ask(daemon, "/big/range", Range="bytes=-10").body == BIG[-10:]
    assert ask(daemon, "/big/range").body == BIG
    asked = [dict(r.fields).get("range") for r in ORIGIN.of("/big/range")]
    assert len(asked) == len(set(asked)) == 6, asked
    assert all(dict(r.fields).get("if-range") == '"big"' for r in ORIGIN.of("/big/range")[1:])
    assert ask(daemon, "/big/range", "HEAD")["Content-Length"] == str(len(BIG))
    assert ask(daemon, "/big/last", Range="bytes=-10").body == BIG[-10:]
    small = ask_stored(daemon, "/big/small", Range="bytes=100-199")
    assert small.status == 206 and small.body == BIG[100:200], small.status
    assert ask(daemon, "/big/small").body == BIG[:1000] and ORIGIN.count("/big/small") == 1
    behind = ask(daemon, "/big/behind", Range="bytes=999999999-")
    assert behind.status == 416 and behind["Content-Range"] == f"bytes */{len(BIG)}"


def ask_for_slow_slice(daemon, path, meanwhile=lambda: None):
    """Three clients, who all have the first half of a slice before it ends. Return: their heads."""
    released.clear()
    sockets = [socket.create_connection(("127.0.0.1", port_of(daemon)), 60) for _ in range(3)]
    for i, s in enumerate(sockets):
        s.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nRange: bytes=%d-%d\r\n\r\n"
                  % (path.encode(), 2 * SLICE + i, 3 * SLICE + 5))
    texts = [receive_body(s, SLICE // 2 - i) for i, s in enumerate(sockets)]
    meanwhile()
    released.set()
    for i, s in enumerate(sockets):
        with s:
            while (data := s.recv(65536)):
                texts[i] += data
        assert texts[i].split(b"\r\n\r\n", 1)[1] == BIG[2 * SLICE + i:3 * SLICE + 6]
    asked = [dict(r.fields).get("range") for r in ORIGIN.of(path)]
    assert len(asked) == len(set(asked)) == 3, asked
    until(lambda: "hit" in ask(daemon, path, Range=f"bytes={2 * SLICE}-")["Cache-Status"], "stored")
    return [text.split(b"\r\n\r\n", 1)[0] for text in texts]


def slice_is_served_while_it_comes(daemon):
    assert ask(daemon, "/slow", Range="bytes=0-9").body == BIG[:10]
    assert all(b"fwd=partial" in head for head in ask_for_slow_slice(daemon, "/slow"))


def first_slice_is_served_while_it_comes(daemon):
    def ask_for_another():
        other = ask(daemon, "/slow/first", Range="bytes=5-9")
        assert other.body == BIG[5:10] and "fwd=partial" in other["Cache-Status"], other.fields

    heads = ask_for_slow_slice(daemon, "/slow/first", ask_for_another)
    assert all(b"fwd=uri-miss; fwd-status=206;" in head for head in heads), heads
    assert sum(b"collapsed" in head for head in heads) == 2, heads


def what_is_not_stored_does_not_say_so(_):
    daemon = sluiced.Sluiced(*settings())
    try:
        daemon.start()
        stored = ask_stored(daemon, "/big/seldom", Range="bytes=0-9")
        assert "; stored" in stored["Cache-Status"], stored["Cache-Status"]
        daemon.stop()
        daemon.settings += ("cache.object_max_bytes=64K",)  # a slice has more
        daemon.start()
        for _ in range(2):
            part = ask(daemon, "/big/seldom", Range=f"bytes={SLICE}-{SLICE + 9}")
            assert part.status == 206 and part.body == BIG[SLICE:SLICE + 10], part.status
            assert "fwd=partial; fwd-status=206" in part["Cache-Status"], part["Cache-Status"]
            assert "stored" not in part["Cache-Status"], part["Cache-Status"]
        assert ask(daemon, "/big/seldom", Range="bytes=3-9").body == BIG[3:10]
        assert ORIGIN.count("/big/seldom") == 3
    finally:
        daemon.end()


def receive_body(s, n):
    """The head and at least @n bytes behind it."""
    text = b""
    while len(text.partition(b"\r\n\r\n")[2]) < n:
        data = s.recv(65536)
        assert data, text[:500]
        text += data
    return text


def parts_of(answer):
    """What a multipart/byteranges body holds: {Content-Range: bytes}."""
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer["Content-Type"])[1]
    pieces = answer.body.split(f"\r\n--{boundary}".encode())
    assert pieces[0] == b"" and pieces[-1] == b"--\r\n", pieces[-1]
    parts = {}
    for piece in pieces[1:-1]:
        head, body = piece.split(b"\r\n\r\n", 1)
        parts[re.search(rb"Content-Range: bytes (\S+)", head)[1].decode()] = body
    return parts


def several_ranges_are_one_answer(daemon):
    ranges = [(2500000, 2500099), (10, 1000009), (SLICE - 5, SLICE + 5)]
    wanted = {f"{a}-{b}/{len(BIG)}": BIG[a:b + 1] for a, b in ranges}
    text = "bytes=" + ",".join(f"{a}-{b}" for a, b in ranges)
    ask_stored(daemon, "/big/whole-several")
    for path in "/big/slices-several", "/big/slices-several", "/big/whole-several", \
            "/unsliced-several", "/unsliced-several":
        answer = ask(daemon, path, Range=text)
        assert answer.status == 206 and parts_of(answer) == wanted, (path, answer.status)
        assert answer.fields.get_all("Content-Type") == [answer["Content-Type"]]
        assert int(answer["Content-Length"]) == len(answer.body)
    asked = [dict(r.fields).get("range") for r in ORIGIN.of("/big/slices-several")]
    assert len(asked) == len(set(asked)) == 3, asked
    behind = ask(daemon, "/big/whole-several", Range="bytes=99999999-,999999990-")
    assert behind.status == 416, behind.status


def purge(daemon, query):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(daemon, "http"), timeout=60)
    connection.request("POST", "/cache-purge?" + query)
    assert connection.getresponse().status == 204, query
    connection.close()


def operators_purge_by_key_prefix_and_tag(daemon):
    def is_hit(path, **fields):
        return ask(daemon, path, Cache_Control="only-if-cached", **fields).status != 504

    for path in "/fresh/purge/1", "/fresh/purge/2", "/fresh/kept", "/tagged":
        ask_stored(daemon, path)
    ask_stored(daemon, "/vary/purge", X_Kind="a")
    ask(daemon, "/big/purge", Range="bytes=0-9")
    purge(daemon, "key=fresh/purge/1")
    purge(daemon, "prefix=")  # of the other space
    purge(daemon, "tag=news")
    assert is_hit("/fresh/purge/1") and is_hit("/tagged")
    purge(daemon, "space=proxy&key=http://h/fresh/purge/1")
    assert not is_hit("/fresh/purge/1") and is_hit("/fresh/purge/2")
    purge(daemon, "space=proxy&prefix=http%3A//h/fresh/purge/")
    assert not is_hit("/fresh/purge/2") and is_hit("/fresh/kept")
    purge(daemon, "space=proxy&tag=news")
    assert not is_hit("/tagged")
    purge(daemon, "space=proxy&key=http://h/vary/purge")
    assert not is_hit("/vary/purge", X_Kind="a")
    purge(daemon, "space=proxy&key=http://h/big/purge")
    assert not is_hit("/big/purge", Range="bytes=0-9")


def what_is_fetched_during_a_purge_is_not_kept(daemon):
    for query in "key=http://h/halves?purged", "prefix=http://h/ha", "tag=any":
        released.clear()
        with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as s:
            s.sendall(b"GET /halves?purged HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            text = s.recv(1000)
            purge(daemon, "space=proxy&" + query.replace("?", "%3F"))
            released.set()
            while (data := s.recv(65536)):
                text += data
        assert text.endswith(b"b" * 200000), query
        until(lambda: ask(daemon, "/halves?purged",
                          Cache_Control="only-if-cached").status == 504, query)


def http_2_is_answered_like_http_1(daemon):
    if not shutil.which("nghttp"):
        raise sluiced.Skip("nghttp is not installed")
    url = f"http://127.0.0.1:{port_of(daemon)}"
    for _ in range(2):
        for path, more, wanted in (("/big/h2", [], BIG), ("/fresh/h2", [], b"/fresh/h2 1"),
                                   ("/big/h2-slices", ["-r", "3500000-3500099"],
                                    BIG[3500000:3500100])):
            got = subprocess.run(["curl", "-sS", "--max-time", "60", "--http2-prior-knowledge",
                                  *more, url + path], capture_output=True, check=True).stdout
            assert got == wanted, (path, len(got))
    posted = subprocess.run(["curl", "-sS", "--max-time", "60", "--http2-prior-knowledge",
                             "--data-binary", "@-", url + "/echo"], input=BIG,
                            capture_output=True, check=True).stdout
    assert posted == BIG, len(posted)
    told = subprocess.run(["nghttp", "-v", "-n", "-m", "20", url + "/big/h2", url + "/fresh/h2"],
                          capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.count(":status: 200") >= 21 and "sluice; hit" in told, told[-2000:]
    cut = subprocess.run(["curl", "-sS", "--max-time", "60", "--http2-prior-knowledge",
                          url + "/cut/length"], capture_output=True, check=False)
    assert cut.returncode or b"502" in cut.stdout or b"error" in cut.stdout, cut
    assert ask(daemon, "/cut/length", Cache_Control="only-if-cached").status == 504


def range_of_what_cannot_be_sliced_is_passed_on(daemon):
    for path in "/big/private", "/big/weak":
        for _ in range(2):
            part = ask(daemon, path, Range="bytes=2000000-2000009")
            assert part.status == 206 and part.body == BIG[2000000:2000010], (path, part.status)
        assert ask(daemon, path).body == BIG


def range_beyond_the_end_is_nobody_elses_answer(daemon):
    answer = ask(daemon, "/big/short", Range=f"bytes={100 * SLICE}-")
    assert answer.status == 416, answer.status
    assert answer["Content-Range"] == f"bytes */{len(BIG)}", answer["Content-Range"]
    assert ask(daemon, "/big/short").body == BIG


def slices_of_two_versions_are_never_mixed(daemon):
    assert ask(daemon, "/changing", Range="bytes=0-9").body == BIG[:10]
    assert ask(daemon, "/changing", Range=f"bytes={SLICE}-{SLICE + 9}").body == \
        BIG[SLICE:SLICE + 10]
    new = BIG[::-1]
    later = ask(daemon, "/changing", Range=f"bytes={3 * SLICE}-{3 * SLICE + 9}")
    assert later.body == new[3 * SLICE:3 * SLICE + 10], later.status
    assert later["ETag"] == '"new"'
    assert ask(daemon, "/changing", Range="bytes=0-9").body == new[:10]


def origin_without_ranges_is_cached_as_a_whole(daemon):
    part = ask(daemon, "/unsliced", Range="bytes=2000000-2000009")
    assert part.status == 206 and part.body == BIG[2000000:2000010]
    until(lambda: "hit" in ask(daemon, "/unsliced", "HEAD")["Cache-Status"], "stored")
    assert ask(daemon, "/unsliced").body == BIG
    assert [r.method for r in ORIGIN.of("/unsliced")].count("GET") == 1


def stale_response_is_validated(daemon):
    first = ask_stored(daemon, "/validated")
    second, third = ask(daemon, "/validated"), ask(daemon, "/validated")
    assert first.body == second.body == third.body == b"body"
    assert second["X-Number"] == third["X-Number"] == "2" and third["X-Kept"] == "1"
    assert "fwd=stale" in second["Cache-Status"]
    assert "hit" in third["Cache-Status"] and ORIGIN.count("/validated") == 2


def stale_response_is_freshened_by_head(daemon):
    assert ask_stored(daemon, "/headed").body == b"body 1"
    head = ask(daemon, "/headed", "HEAD")
    assert head["X-Number"] == "2" and "fwd=stale" in head["Cache-Status"]
    until(lambda: "hit" in ask(daemon, "/headed", Cache_Control="only-if-cached")
          .fields.get("Cache-Status", ""), "freshened")
    again = ask(daemon, "/headed")
    assert again.body == b"body 1" and again["X-Number"] == "2"
    assert [r.method for r in ORIGIN.of("/headed")] == ["GET", "HEAD"]
    for path in "/headed/etag", "/headed/length":
        assert ask_stored(daemon, path).body == b"body 1"
        ask(daemon, path, "HEAD")
        until(lambda p=path: ask(daemon, p, Cache_Control="only-if-cached, max-stale").status
              == 504, path)


def stale_response_serves_while_the_origin_fails(daemon):
    for path, status in (("/dying", 200), ("/dying/must", 502), ("/dying/sie", 200),
                         ("/dying/503", 503)):
        stale = metric(daemon, "sluice_proxy_stale_total")
        assert ask(daemon, path).body == b"old"
        # Until it is stored, others are answered by the first one's response.
        until(lambda p=path, s=status: ask(daemon, p).status == s, f"{path}: {status}")
        if status == 200:
            until(lambda p=path: ask(daemon, p).body == b"old" and
                  metric(daemon, "sluice_proxy_stale_total") > stale, f"{path}: stale")
            assert "; stored" not in ask(daemon, path)["Cache-Status"]


def stale_response_serves_while_it_is_validated(daemon):
    assert ask_stored(daemon, "/behind").body == b"version 1"
    assert ask(daemon, "/behind").body == b"version 1"
    until(lambda: ask(daemon, "/behind").body != b"version 1", "the next version")


def requests_select_by_vary(daemon):
    for kind in "a", "b":
        assert ask_stored(daemon, "/vary", X_Kind=kind).body == kind.encode()
    for kind in "a", "b":
        assert ask(daemon, "/vary", X_Kind=kind).body == kind.encode()
    assert ask(daemon, "/vary").body == b"none"
    assert ORIGIN.count("/vary") == 3
    assert "hit" in ask(daemon, "/vary", X_Kind="a")["Cache-Status"]


def what_is_private_is_passed_on(daemon):
    assert ask(daemon, "/private").body == b"mine 1"
    answer = ask(daemon, "/private")
    assert answer.body == b"mine 2" and "stored" not in answer["Cache-Status"]


def bodies_of_requests_reach_the_origin(daemon):
    body = random.Random(6).randbytes(3000000)
    answer = ask(daemon, "/echo", "POST", body)
    assert answer.body == body and answer["X-Method"] == "POST"
    answer = ask(daemon, "/echo", "PUT", iter([body[:1000], body[1000:]]))
    assert answer.body == body and answer["X-Method"] == "PUT"
    assert ask(daemon, "/echo", "M-SEARCH")["X-Method"] == "M-SEARCH"
    assert ask(daemon, "/echo", "TRACE").status == 405


def body_without_length_reaches_the_origin_by_http2(daemon):
    body = random.Random(6).randbytes(300000)
    got = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-T", "-", "-m", "120",
                          f"http://127.0.0.1:{port_of(daemon)}/echo"],
                         input=body, capture_output=True, check=False)
    assert got.stdout == body, (len(got.stdout), got.stderr)
    assert "content-length" not in dict(ORIGIN.of("/echo")[-1].fields)


def changes_make_the_cache_forget(daemon):
    assert ask_stored(daemon, "/fresh/changed").body == b"/fresh/changed 1"
    ask(daemon, "/fresh/changed", "POST", b"x")
    assert ask(daemon, "/fresh/changed").body == b"/fresh/changed 3"


def what_was_fetched_for_a_variant_before_a_change_is_not_kept(daemon):
    released.clear()
    assert ask_stored(daemon, "/vary/late", X_Kind="a").body == b"a"
    with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as s:
        before = ORIGIN.count("/vary/late")
        s.sendall(b"GET /vary/late HTTP/1.1\r\nHost: h\r\nX-Kind: late\r\n"
                  b"Connection: close\r\n\r\n")
        until(lambda: ORIGIN.count("/vary/late") > before, "the request")
        ask(daemon, "/vary/late", "POST", b"x")
        released.set()
        text = b"".join(iter(lambda: s.recv(65536), b""))
    assert text.endswith(b"\r\n\r\nlate"), text
    stored = "/vary/late/behind"  # by then what came before it has been dealt with, too
    assert ask_stored(daemon, stored, X_Kind="b").body == b"b"
    for kind in "a", "late":
        assert ask(daemon, "/vary/late", X_Kind=kind,
                   Cache_Control="only-if-cached").status == 504, kind


def origin_is_told_who_asks(daemon):
    ask(daemon, "/fresh/told", Connection="X-Hop", X_Hop="1", X_End="2",
        Proxy_Authorization="secret", TE="trailers")
    fields = ORIGIN.of("/fresh/told")[0].fields
    known = dict(fields)
    assert known["x-end"] == "2" and known["host"] == "h"
    for name in ("x-hop", "connection", "proxy-authorization", "te"):
        assert name not in known, name
    assert known["x-forwarded-for"] == "127.0.0.1" and known["x-forwarded-proto"] == "http"
    assert known["forwarded"] == "for=127.0.0.1;proto=http" and known["via"] == "1.1 sluice"


def interim_responses_reach_the_client_and_no_store(daemon):
    texts = []
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as s:
            s.sendall(b"GET /hints HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            texts.append(b"".join(iter(lambda: s.recv(65536), b"")))
    assert texts[0].startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>"), texts[0]
    assert b"HTTP/1.1 200 OK" in texts[0] and texts[0].endswith(b"final")
    assert texts[1].startswith(b"HTTP/1.1 200 OK") and b"Link" not in texts[1]


def bodies_that_are_cut_are_seen_as_cut_and_not_stored(daemon):
    for path in CUTS:
        for n in range(1, 4):
            assert is_cut(daemon, path), path
            assert ORIGIN.count(path) >= n, (path, n)


def garbage_is_a_bad_gateway_and_not_stored(daemon):
    for i in range(len(GARBAGE)):
        for _ in range(2):
            answer = ask(daemon, f"/garbage/{i}")
            assert answer.status == 502, (i, answer.status)
        assert ORIGIN.count(f"/garbage/{i}") >= 2, i


def connection_that_was_closed_is_replaced(daemon):
    for n in range(1, 20):
        answer = ask(daemon, "/kept")
        assert answer.status == 200, (n, answer.status, answer.body)
    assert metric(daemon, "sluice_proxy_origin_bytes_total") > 0


def connections_to_the_origin_are_kept(daemon):
    ask(daemon, "/private")
    before = ORIGIN.connections
    for _ in range(20):
        ask(daemon, "/private")
    assert ORIGIN.connections - before < 10, ORIGIN.connections - before


def post_at_once(clients):
    """Each by a new connection to the origin, for none can be sent again, and all together."""
    released.clear()
    before = ORIGIN.count("/held")
    for client in clients:
        client.request("POST", "/held", headers={"Host": "h"})
    until(lambda: ORIGIN.count("/held") - before == len(clients), "all requests")
    released.set()
    answers = []
    for client in clients:
        answer = client.getresponse()
        answers.append((answer.status, answer.read()))
    return answers


def connections_that_are_kept_make_room_for_others(_):
    daemon = sluiced.Sluiced(*settings("node.cores=1"))
    try:
        daemon.start()
        clients = [http.client.HTTPConnection("127.0.0.1", port_of(daemon), timeout=60)
                   for _ in range(8)]
        assert post_at_once(clients) == [(200, b"held")] * 8
        pid = daemon.process.pid
        # No number is left below the limit, and the kernel gives out the least.
        limit = next(i for i in range(1000) if not os.path.exists(f"/proc/{pid}/fd/{i}"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        answers = post_at_once(clients[:2])
        assert answers == [(200, b"held")] * 2, answers
    finally:
        released.set()
        daemon.end()


def silent_origin_is_given_up(daemon):
    released.clear()
    impatient = sluiced.Sluiced(*settings("proxy.first_byte_timeout=300ms"))
    try:
        impatient.start()
        assert ask(impatient, "/silent").status == 504
    finally:
        released.set()
        impatient.end()


def daemon_ends_while_the_origin_is_silent(_):
    released.clear()
    daemon = sluiced.Sluiced(*settings())
    try:
        daemon.start()
        with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as one, \
                socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as two:
            before = len(ORIGIN.requests)
            one.sendall(b"GET /silent HTTP/1.1\r\nHost: h\r\n\r\n")
            two.sendall(b"POST /silent HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            until(lambda: len(ORIGIN.requests) >= before + 2, "both requests")
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(50) == 0, daemon.said()
    finally:
        released.set()
        daemon.end()


def origin_is_asked_by_tls_if_it_is_who_it_says(_):
    if not shutil.which("openssl"):
        raise sluiced.Skip("openssl is not installed")
    folder = tempfile.mkdtemp()
    sluiced.ENDS.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    for name in "right", "other":
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
                        "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"],
                       check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/right.pem", f"{folder}/right.key")
    origin = Origin(answers, context)
    for ca, status in ("right", 200), ("other", 502):
        daemon = sluiced.Sluiced(*settings(f"proxy.origin=https://localhost:{origin.port}",
                                           f"proxy.origin_ca={folder}/{ca}.pem"))
        try:
            daemon.start()
            answer = ask(daemon, "/fresh/tls")
            assert answer.status == status, (ca, answer.status)
            if status == 200:
                assert ask(daemon, "/big/tls").body == BIG
        finally:
            daemon.end()
    assert origin.count("/fresh/tls") == 1


def kill_keeps_what_was_stored_and_nothing_partial(_):
    daemon = sluiced.Sluiced(*settings())
    try:
        daemon.start()
        bodies = {}
        for i in range(50):
            path = f"/fresh/kill/{i}"
            bodies[path] = ask_stored(daemon, path).body
        released.clear()
        with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as half:
            half.sendall(b"GET /drip HTTP/1.1\r\nHost: h\r\n\r\n")
            assert half.recv(1000)
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait()
        released.set()
        daemon.start()
        for path, body in bodies.items():
            answer = ask(daemon, path)
            assert answer.body == body and "hit" in answer["Cache-Status"], path
        assert is_cut(daemon, "/drip") and ORIGIN.count("/drip") >= 2
    finally:
        daemon.end()


def body_is_whole_although_it_cannot_be_stored(_):
    of_daemon = settings()
    daemon = sluiced.Sluiced(*of_daemon)
    try:
        daemon.start()
        folder = next(s for s in of_daemon if s.startswith("cache.path="))[len("cache.path="):]
        shutil.rmtree(folder)
        released.clear()
        with socket.create_connection(("127.0.0.1", port_of(daemon)), 60) as s:
            s.sendall(b"GET /chunked HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            text = b""
            while b"abc" not in text:
                data = s.recv(65536)
                assert data, text
                text += data
            released.set()
            while (data := s.recv(65536)):
                text += data
        assert text.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), text
    finally:
        daemon.end()


def body_longer_than_the_cache_takes_reaches_all_who_wait(_):
    released.clear()
    daemon = sluiced.Sluiced(*settings("cache.max_bytes=16M"))
    try:
        daemon.start()
        sockets = [socket.create_connection(("127.0.0.1", port_of(daemon)), 60)
                   for _ in range(4)]
        for s in sockets:
            s.sendall(b"GET /long HTTP/1.0\r\nHost: h\r\n\r\n")
        texts = [receive_body(s, len(BIG)) for s in sockets]
        released.set()
        readers = [threading.Thread(target=drain, args=(s, texts, i))
                   for i, s in enumerate(sockets)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        for text in texts:
            assert text.partition(b"\r\n\r\n")[2] == BIG * 4, len(text)
        assert ORIGIN.count("/long") == 1, ORIGIN.count("/long")
        assert ask(daemon, "/long", Cache_Control="only-if-cached").status == 504
    finally:
        released.set()
        daemon.end()


def drain(s, texts, i):
    with s:
        texts[i] += b"".join(iter(lambda: s.recv(1 << 20), b""))


def settings(*more):
    folder = tempfile.mkdtemp()
    sluiced.ENDS.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    return ("proxy.listen=127.0.0.1:0", f"proxy.origin=http://127.0.0.1:{ORIGIN.port}",
            "http.listen=127.0.0.1:0", "node.cores=2", "cache.max_bytes=256M",
            f"cache.path={folder}/cache") + more


sluiced.run([
    what_is_fresh_is_not_asked_for_again, head_and_conditions_are_answered_from_the_cache,
    thousand_misses_fetch_once, body_streams_while_it_is_stored,
    what_comes_stale_answers_nobody_later, range_fetches_its_slices_only,
    slice_is_served_while_it_comes, first_slice_is_served_while_it_comes,
    several_ranges_are_one_answer, http_2_is_answered_like_http_1,
    operators_purge_by_key_prefix_and_tag, what_is_fetched_during_a_purge_is_not_kept,
    range_of_what_cannot_be_sliced_is_passed_on, range_beyond_the_end_is_nobody_elses_answer,
    slices_of_two_versions_are_never_mixed,
    origin_without_ranges_is_cached_as_a_whole, stale_response_is_validated,
    stale_response_is_freshened_by_head,
    stale_response_serves_while_the_origin_fails,
    stale_response_serves_while_it_is_validated, requests_select_by_vary,
    what_is_private_is_passed_on, bodies_of_requests_reach_the_origin,
    body_without_length_reaches_the_origin_by_http2, changes_make_the_cache_forget,
    what_was_fetched_for_a_variant_before_a_change_is_not_kept, origin_is_told_who_asks,
    interim_responses_reach_the_client_and_no_store,
    bodies_that_are_cut_are_seen_as_cut_and_not_stored, garbage_is_a_bad_gateway_and_not_stored,
    connection_that_was_closed_is_replaced, connections_to_the_origin_are_kept,
    connections_that_are_kept_make_room_for_others,
    silent_origin_is_given_up, daemon_ends_while_the_origin_is_silent,
    origin_is_asked_by_tls_if_it_is_who_it_says,
    kill_keeps_what_was_stored_and_nothing_partial,
    what_is_not_stored_does_not_say_so, body_is_whole_although_it_cannot_be_stored,
    body_longer_than_the_cache_takes_reaches_all_who_wait,
], *settings())
