"""A sluiced of the test's own, a virtual environment, and TAP; imported by the tests in Python.

in_venv("confluent-kafka") comes first in a test: it goes on in an environment that has that
package, which it makes in the build folder when there is none; a package that cannot be had is a
skip of the whole test, with the reason.
"""
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", "build"))
LIMIT_S = 240
ENDS = []  # what else run() calls before it ends the program


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(4)


class Skip(Exception):
    """Raised by a test that cannot be done, with the reason."""


def in_venv(package, module):
    folder = os.path.join(BUILD, "clients", package)
    python = os.path.join(folder, "bin", "python3")
    if sys.prefix == folder:
        return
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode:
                make_venv(folder, python, package)
        except FileNotFoundError:
            make_venv(folder, python, package)
    os.execv(python, [python, "-B"] + sys.argv)


def make_venv(folder, python, package):
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
    for command in ([sys.executable, "-m", "venv", "--clear", folder], pip):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            skip_all(f"{package} could not be installed within 180 s")
        if done.returncode:
            why = (done.stderr.strip() or done.stdout.strip() or "?").splitlines()[-1]
            skip_all(f"{package} cannot be had: {why}")


class Sluiced:
    def __init__(self, *settings):
        self.program = os.path.join(BUILD, "sluiced")
        if not os.access(self.program, os.X_OK):
            skip_all(f"there is no {self.program}")
        self.work = tempfile.mkdtemp()
        self.settings = settings
        self.process = None
        self.broker = "127.0.0.1:0"

    def start(self):
        """The second time on the same port, so that clients find it again."""
        log = os.path.join(self.work, "log")
        command = [self.program, "-D", os.path.join(self.work, "data"),
                   "--set", "kafka.listen=" + self.broker, "--set", "http.listen=off",
                   "--set", "kafka.group_initial_rebalance_delay_ms=200ms"]
        for setting in self.settings:
            command += ["--set", setting]
        with open(log, "w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        for _ in range(100):
            found = re.search(r"kafka (127\.0\.0\.1:[0-9]+)", self.said())
            if found:
                self.broker = found[1]
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("sluiced did not start:\n" + self.said())

    def said(self):
        with open(os.path.join(self.work, "log")) as log:
            return log.read()

    def address(self, listener="http"):
        return re.search(listener + r" (127\.0\.0\.1:[0-9]+)", self.said())[1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(10)
        self.process = None
        assert status == 0, f"sluiced ended with {status}"

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def search(daemon):
    """Three requests of Qdrant's API: a collection, a point in it, and a search that finds it."""
    at = f"http://{daemon.address()}/collections/searched"
    for method, path, body in (
            ("PUT", "", '{"vectors": {"size": 2, "distance": "Euclid"}}'),
            ("PUT", "/points", '{"points": [{"id": 1, "vector": [1, 2]}]}'),
            ("POST", "/points/query", '{"query": [1, 2]}')):
        request = urllib.request.Request(at + path, body.encode(), method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


def run(tests, *settings):
    """Calls each of the functions with a started Sluiced, and ends the program."""
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("test's limit")))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    daemon = Sluiced(*settings)
    failed = 0
    try:
        daemon.start()
        for i, test in enumerate(tests, 1):
            signal.alarm(LIMIT_S // 4)
            try:
                test(daemon)
                print(f"ok {i} {test.__name__}", flush=True)
            except Skip as why:
                print(f"ok {i} {test.__name__} # SKIP {why}", flush=True)
            except Exception:
                failed += 1
                for line in traceback.format_exc().splitlines():
                    print("# " + line)
                for line in daemon.said().splitlines()[-10:]:
                    print("# sluiced: " + line)
                print(f"not ok {i} {test.__name__}", flush=True)
            signal.alarm(0)
        print(f"1..{len(tests)}")
    finally:
        for end in ENDS:
            end()
        daemon.end()
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # threads of a client that hangs do not keep the test
