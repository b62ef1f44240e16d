#!/usr/bin/env -S python3 -B
"""curl, wrk and h2load, as Debian packages them, against the proxy of one sluiced before another.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile

import sluiced

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BYTES = 3000000
REQUESTS = 2000


def called(*command):
    if not shutil.which(command[0]):
        raise sluiced.Skip(command[0] + " is not installed")
    return subprocess.run(command, capture_output=True, timeout=100, check=True).stdout


def curl(url, *options):
    """Return: status, fields by their names in small letters, and body."""
    status = called("curl", "-sS", "--max-time", "60", "-D", in_work("head"), "-o", in_work("body"),
                    "-w", "%{http_code}", *options, url)
    with open(in_work("head")) as f:
        fields = dict(re.findall(r"^([\w-]+): (.*)$", f.read().lower(), re.M))
    with open(in_work("body"), "rb") as f:
        return int(status), fields, f.read()


def in_work(name):
    return os.path.join(work, name)


def proxy_starts(daemon):
    proxy.settings = (f"cache.path={proxy.work}/cache", "proxy.listen=127.0.0.1:0",
                      "proxy.origin=http://" + daemon.address("static"))
    proxy.start()


def curl_gets_it_once_from_afar(daemon):
    url = f"http://{proxy.address('proxy')}/file"
    for said in ("sluice; fwd=uri-miss", "sluice; hit"):
        status, fields, body = curl(url)
        assert status == 200 and body == content, (status, len(body))
        assert fields["cache-status"].startswith(said), fields
    status, fields, _ = curl(url, "--head")
    assert (status, fields["content-length"]) == (200, str(BYTES)), fields
    assert curl(url, "-H", "If-None-Match: " + fields["etag"])[0] == 304


def curl_gets_ranges(daemon):
    """Of what the proxy has as a whole, and of what it fetches slice by slice."""
    for path in ("/file", "/sliced?1"):
        url = f"http://{proxy.address('proxy')}{path}"
        for wanted, first, last in (("1500000-1500099", 1500000, 1500099),
                                    ("1000000-2200000", 1000000, 2200000),
                                    ("-500", BYTES - 500, BYTES - 1)):
            status, fields, body = curl(url, "-r", wanted)
            assert status == 206 and body == content[first:last + 1], (path, wanted, status)
            assert fields["content-range"] == f"bytes {first}-{last}/{BYTES}", fields
        status, fields, _ = curl(url, "-r", f"{BYTES}-")
        assert (status, fields["content-range"]) == (416, f"bytes */{BYTES}"), fields


def curl_resumes(daemon):
    with open(in_work("part"), "wb") as f:
        f.write(content[:1234567])
    called("curl", "-sS", "--max-time", "60", "-C", "-", "-o", in_work("part"),
           f"http://{proxy.address('proxy')}/sliced?2")
    with open(in_work("part"), "rb") as f:
        assert f.read() == content


def wrk_sees_no_error(daemon):
    said = called("wrk", "-t1", "-c64", "-d2s", "--timeout", "60s", "-s",
                  os.path.join(ROOT, "tools/bench/wrk.lua"),
                  f"http://{proxy.address('proxy')}/small").decode()
    row = json.loads(re.search(r"^\{.*\}$", said, re.M)[0])
    assert row["requests"] > 0 and row["errors"] == 0, row


def h2load_gets_all_answers(daemon):
    loaded(f"http://{proxy.address('proxy')}/small", "--h1", "-m4")


def many_streams_get_all_answers(daemon):
    said = loaded(f"http://{proxy.address('proxy')}/small", "-m16")
    assert "Application protocol: h2c\n" in said, said


def tls_starts(daemon):
    called("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
           "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", in_work("key"), "-out",
           in_work("certificate"))
    proxy.stop()
    proxy.settings += ("tls.listeners=proxy", "tls.certificate=" + in_work("certificate"),
                       "tls.key=" + in_work("key"))
    proxy.start()


def curl_trusts_the_certificate(daemon):
    for version in ("1.2", "1.3"):
        for http in ("1.1", "2"):
            status, _, body = curl(f"https://{proxy.address('proxy')}/file", "--cacert",
                                   in_work("certificate"), "--tls-max", version, "--http" + http)
            assert status == 200 and body == content, (version, status, len(body))
            with open(in_work("head")) as f:
                assert f.readline().startswith(f"HTTP/{http} 200"), http


def h2load_gets_all_answers_encrypted(daemon):
    assert "TLS Protocol: TLSv1.3" in loaded(f"https://{proxy.address('proxy')}/small", "--h1")
    said = loaded(f"https://{proxy.address('proxy')}/small", "-m16")
    assert "Application protocol: h2\n" in said, said


def loaded(url, *options):
    said = called("h2load", f"-n{REQUESTS}", "-c20", *options, url).decode()
    assert f"{REQUESTS} succeeded, 0 failed, 0 errored" in said, said
    assert re.search(rf"status codes: {REQUESTS} 2xx", said), said
    return said


work = tempfile.mkdtemp()
sluiced.ENDS.append(lambda: shutil.rmtree(work, ignore_errors=True))
root, content = in_work("root"), os.urandom(BYTES)
os.mkdir(root)
for name, data in (("file", content), ("sliced", content), ("small", content[:4096])):
    with open(os.path.join(root, name), "wb") as out:
        out.write(data)
proxy = sluiced.Sluiced()
sluiced.ENDS.append(proxy.end)
sluiced.run([proxy_starts, curl_gets_it_once_from_afar, curl_gets_ranges, curl_resumes,
             wrk_sees_no_error, h2load_gets_all_answers, many_streams_get_all_answers, tls_starts,
             curl_trusts_the_certificate, h2load_gets_all_answers_encrypted],
            "static.listen=127.0.0.1:0", "static.root=" + root, "static.max_age=1h")
