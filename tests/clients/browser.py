"""A headless Chromium of the test's own, driven through its debugging pipe; imported by tests.

b = Browser() starts it, b.end() ends it. b.open(url) loads a page; what it asks for, complains of or
logs from then on is in b.requests and b.complaints, and what it got for that, as (URL, status,
fields), in b.responses. b.run(script) evaluates JavaScript; b.screenshot() gives a Picture. The
profile is in a temporary folder.
"""
import base64
import json
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
import zlib

LIMIT_S = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """The program's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Picture:
    """A PNG without interlacing, 8 bits a channel, as Chromium makes them."""

    def __init__(self, png):
        self.png = png
        at, packed = 8, b""
        while at < len(png):
            size, kind = struct.unpack(">I4s", png[at:at + 8])
            data = png[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height, depth, colour, _, _, laced = struct.unpack(">IIBBBBB", data)
                assert depth == 8 and colour in (2, 6) and not laced
                self.channels = 3 if colour == 2 else 4
            elif kind == b"IDAT":
                packed += data
            at += size + 12
        self.rows = self.unfilter(zlib.decompress(packed))

    def unfilter(self, raw):
        step, stride, rows = self.channels, self.width * self.channels, []
        before = bytearray(stride)
        for y in range(self.height):
            kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:][:stride])
            for i in range(stride) if kind else ():
                a = row[i - step] if i >= step else 0
                b = before[i]
                c = before[i - step] if i >= step else 0
                near = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
                row[i] = row[i] + (0, a, b, (a + b) // 2, near)[kind] & 255
            rows.append(row)
            before = row
        return rows

    def pixel(self, x, y):
        return tuple(self.rows[y][x * self.channels:][:3])

    def colours(self):
        """How many different ones there are."""
        return len({bytes(row[i:i + 3]) for row in self.rows
                    for i in range(0, len(row), self.channels)})


class Browser:
    def __init__(self):
        self.requests, self.responses, self.complaints = [], [], []
        self.loaded = False
        self.answers = {}
        self.serial = 0
        self.pending = b""
        self.session = None
        self.profile = tempfile.mkdtemp()
        to_read, self.to = os.pipe()
        self.come, to_write = os.pipe()
        command = [find(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox",
                   "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--no-first-run",
                   "--no-default-browser-check", "--hide-scrollbars", "--disable-extensions",
                   "--user-data-dir=" + self.profile, "about:blank"]

        def pipes():  # the browser reads from 3 and writes to 4
            os.dup2(os.dup(to_read), 13)
            os.dup2(os.dup(to_write), 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        with open(os.path.join(self.profile, "log"), "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, close_fds=False, preexec_fn=pipes)
        os.close(to_read)
        os.close(to_write)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(domain + ".enable")
        self.resize(1280, 900)

    def end(self):
        """In order, so that none of its processes writes into the profile any more."""
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(LIMIT_S)
        except Exception:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.come)
        for _ in range(100):
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                break
            time.sleep(0.1)

    # ---- messages ----

    def read(self, deadline):
        """The next message."""
        while b"\0" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.come], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.come, 1 << 20)
            if not data:
                with open(os.path.join(self.profile, "log")) as log:
                    raise RuntimeError("the browser has ended:\n" + log.read()[-2000:])
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def note(self, message):
        kind, what = message.get("method"), message.get("params", {})
        if "id" in message:
            self.answers[message["id"]] = message
        elif kind == "Page.loadEventFired":
            self.loaded = True
        elif kind == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif kind == "Network.responseReceived":
            got = what["response"]
            self.responses.append((got["url"], got["status"],
                                   {k.lower(): v for k, v in got["headers"].items()}))
        elif kind == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(what["exceptionDetails"]))
        elif kind == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(what["args"]))
        elif kind == "Log.entryAdded":
            self.complaints.append(json.dumps(what["entry"]))

    def call(self, method, **params):
        self.serial += 1
        message = {"id": self.serial, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + LIMIT_S
        while self.serial not in self.answers:
            self.note(self.read(deadline))
        answer = self.answers.pop(self.serial)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    # ---- what a test does ----

    def resize(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=width < 600)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, url):
        for address in ("about:blank", url):  # the old page has stopped when the new one begins
            self.requests, self.responses, self.complaints, self.loaded = [], [], [], False
            self.call("Page.navigate", url=address)
            deadline = time.monotonic() + LIMIT_S
            while not self.loaded:
                self.note(self.read(deadline))

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, condition):
        """Until a JavaScript expression is true."""
        deadline = time.monotonic() + LIMIT_S
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.05)

    def screenshot(self, whole=False):
        result = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return Picture(base64.b64decode(result["data"]))
