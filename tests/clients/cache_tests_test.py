#!/usr/bin/env -S python3 -B
"""http-tests/cache-tests by its own runner: its required tests against the proxy of a sluiced.

npm fetches the suite's last release. Its source has more tests by now, and others that have turned
round; SLUICE_CACHE_TESTS=github:http-tests/cache-tests fetches that, or whatever else npm
understands, or names a folder in which the suite lies with its dependencies. Passed is what the
suite counts as passed (cache_tests.mjs): what a test depends on must have passed too.

Five of the optional tests cannot pass: partial-store-partial-*. Their origin answers bytes=-5 by
"bytes 4-9/10" with five bytes, or by the first five, without a validator; what contradicts itself
is not stored, and what nothing proves to belong together is not put together (RFC 9110, 15.3.7.3).

By hand, to see what another cache reaches:
    cache_tests_test.py --origin-port 9100 --base http://127.0.0.1:9101
starts the suite's origin on the one port and asks the cache at the other, which must be there.
"""
import argparse
import collections
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import sluiced

RELEASE = "http-cache-tests@0.4.5"
# Of these the source expects the opposite of what the release does, or nothing any more.
TURNED = {"age-parse-nonnumeric", "age-parse-negative", "age-parse-float",
          "age-parse-prefix-twoline", "age-parse-dup-0", "age-parse-dup-0-twoline",
          "age-parse-dup-old", "stale-close-must-revalidate", "stale-close-proxy-revalidate",
          "stale-close-no-cache", "stale-close-s-maxage=2", "304-etag-update-response-Content-MD5",
          "304-etag-update-response-ETag"}
RUN_LIMIT_S = 300
COUNT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cache_tests.mjs")


def suite():
    """The folder in which the suite is, fetched when it is not there."""
    wanted = os.environ.get("SLUICE_CACHE_TESTS", RELEASE)
    if os.path.isdir(wanted):
        return os.path.abspath(wanted)
    folder = os.path.join(sluiced.BUILD, "clients", "cache-tests",
                          re.sub(r"[^\w.@-]", "_", wanted))
    found = os.path.join(folder, "node_modules", "http-cache-tests")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "complete")):
            fetch(wanted, folder)
            open(os.path.join(folder, "complete"), "w").close()
    return found


def fetch(wanted, folder):
    command = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--omit=dev", "--no-audit",
               "--no-fund", "--no-save", wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        sluiced.skip_all(f"npm could not install {wanted} within 180 s")
    if done.returncode:
        why = (done.stderr.strip() or done.stdout.strip() or "?").splitlines()[0]
        sluiced.skip_all(f"{wanted} cannot be had: {why}")


class Suite:
    """The suite's origin, and runs of its client. Its programs take what npm would hand them."""

    def __init__(self, folder, work):
        self.folder = folder
        self.work = work
        self.engine = next(e for e in (os.path.join(folder, "test-engine"), folder)
                           if os.path.exists(os.path.join(e, "cli.mjs")))
        self.turned = TURNED if self.engine == folder else set()  # the release lies flat
        self.runs = []
        self.origin = None

    def started(self, port):
        """Return: the port of the origin; 0 for port lets the kernel choose."""
        log = os.path.join(self.work, "origin")
        with open(log, "w") as out:
            self.origin = subprocess.Popen(
                ["node", os.path.join(self.engine, "server", "server.mjs")], cwd=self.folder,
                stdout=out, stderr=out, env=self.settings(
                    protocol="http", port=str(port), pidfile=os.path.join(self.work, "pid")))
        until = time.monotonic() + 60
        while time.monotonic() < until and self.origin.poll() is None:
            with open(log) as said:
                found = re.search(r"Listening on http://.*:(\d+)/", said.read())
            if found:
                return int(found[1])
            time.sleep(0.1)
        with open(log) as said:
            raise RuntimeError("the suite's origin did not start:\n" + said.read())

    def settings(self, **settings):
        return dict(os.environ, **{"npm_package_config_" + k: v for k, v in settings.items()})

    def run(self, base):
        path = os.path.join(self.work, f"run-{len(self.runs)}")
        with open(path, "w") as out, open(path + ".errors", "w") as errors:
            subprocess.run(["node", "--no-warnings", os.path.join(self.engine, "cli.mjs")],
                           cwd=self.folder, stdout=out, stderr=errors, timeout=RUN_LIMIT_S,
                           check=True, env=self.settings(base=base, id=""))
        self.runs.append(path)

    def results(self):
        counted = subprocess.run(["node", COUNT, self.folder, *self.runs], check=True,
                                 capture_output=True, text=True, timeout=60)
        results = [json.loads(line) for line in counted.stdout.splitlines()]
        for r in results:
            if r["id"] in self.turned:
                r["verdict"] = "turned"
        return results

    def end(self):
        if self.origin:
            self.origin.kill()
            self.origin.wait()


def required(results):
    return [r for r in results if r["kind"] == "required"]


def failed(results):
    return [r for r in required(results) if r["verdict"] not in ("pass", "turned")]


def asked(tests, base):
    """Once more for those that failed, which a machine that stood still may have made fail."""
    tests.run(base)
    if failed(tests.results()):
        tests.run(base)
    return tests.results()


def summary(results):
    lines = [f"# {r['kind']}: {r['verdict']}: {r['id']}: {r['why']}" for r in results
             if r["kind"] == "optimal" and r["verdict"] != "pass"]
    for kind in ("required", "optimal", "check"):
        verdicts = collections.Counter(r["verdict"] for r in results if r["kind"] == kind)
        lines.append(f"# {kind}: {verdicts['pass']} of {sum(verdicts.values())} passed" + "".join(
            f", {n} {v}" for v, n in sorted(verdicts.items()) if v != "pass"))
    return "\n".join(lines)


def by_hand(options, work):
    tests = Suite(suite(), work)
    try:
        tests.started(options.origin_port)
        results = asked(tests, options.base)
    finally:
        tests.end()
    for r in failed(results):
        print(f"{r['verdict']}: {r['id']}: {r['why']}")
    print(summary(results))
    return 0


def against_sluiced(work):
    tests = Suite(suite(), work)
    daemon = None
    try:
        origin = tests.started(0)
        daemon = sluiced.Sluiced("cache.path=" + os.path.join(work, "cache"),
                                 "proxy.listen=127.0.0.1:0",
                                 f"proxy.origin=http://127.0.0.1:{origin}")
        daemon.start()
        address = daemon.address("proxy")
        results = asked(tests, "http://" + address)
        if failed(results):
            print("\n".join("# sluiced: " + line for line in daemon.said().splitlines()[-10:]))
    finally:
        tests.end()
        if daemon:
            daemon.end()
    print(summary(results))
    for i, r in enumerate(required(results), 1):
        if r["verdict"] == "pass":
            print(f"ok {i} {r['id']}")
        elif r["verdict"] == "turned":
            print(f"ok {i} {r['id']} # SKIP the suite itself expects otherwise by now")
        else:
            print(f"# {r['verdict']}: {r['why']}\nnot ok {i} {r['id']}")
    print(f"1..{len(required(results))}")
    return 1 if failed(results) else 0


def main():
    p = argparse.ArgumentParser(description="run http-tests/cache-tests")
    p.add_argument("--base", help="ask this cache instead of a sluiced of the test's own")
    p.add_argument("--origin-port", type=int, default=0, help="where its origin is to listen")
    options = p.parse_args()
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            sluiced.skip_all(f"{tool} is not installed")
    work = tempfile.mkdtemp()
    try:
        return by_hand(options, work) if options.base else against_sluiced(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


sys.exit(main())
