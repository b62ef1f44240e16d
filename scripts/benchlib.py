#!/usr/bin/env python3
"""benchlib: what the scripts that measure share; imported by the bench-... scripts.

Processors: the server's is the first, the load's the last. Servers, figures (medians with their
ranges), loads and what they cost, tables, the lines about the machine, and the page that the
figures are written to, each script between marks of its own.
"""
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
PAGE = os.path.join(ROOT, "docs", "benchmarks.md")
TICK = os.sysconf("SC_CLK_TCK")
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]


def say(text):
    print(text, file=sys.stderr, flush=True)


def pinned(cpu):
    return lambda: os.sched_setaffinity(0, {cpu})


def on_cpu(cpu):
    """Pinned, and with as many files as may be."""
    os.sched_setaffinity(0, {cpu})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def on_server_cpu():
    on_cpu(SERVER_CPU)


def on_client_cpu():
    on_cpu(CLIENT_CPU)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024


# ---- servers -----------------------------------------------------------------------------------

class Sluiced:
    """A sluiced on the first processor, with its data in a folder of its own.

    listener: the one whose address the greeting must name; address: that, once it serves;
    addresses: those of all. cpu: another processor.
    """

    def __init__(self, base, name, listener, settings, cpu=SERVER_CPU):
        self.name = name
        self.cpu = cpu
        self.listener = listener
        self.settings = ["node.cores=1", "node.log_level=warn"] + settings
        self.folder = tempfile.mkdtemp(prefix="sluiced-", dir=base)
        self.process = None

    def start(self):
        args = [os.path.join(BUILD, "sluiced"), "-D", os.path.join(self.folder, "data")]
        for s in self.settings:
            args += ["--set", s]
        began = time.monotonic()
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True,
                                        stderr=open(os.path.join(self.folder, "log"), "a"),
                                        preexec_fn=pinned(self.cpu))
        for line in self.process.stdout:
            self.addresses = dict(re.findall(r"(\w+) (127\.0\.0\.1:\d+)", line))
            if self.listener in self.addresses:
                self.address = self.addresses[self.listener]
                return time.monotonic() - began
        with open(os.path.join(self.folder, "log")) as log:
            raise RuntimeError(f"sluiced did not start:\n{log.read()[-2000:]}")

    def pid(self):
        return self.process.pid

    def pids(self):
        return [self.process.pid]

    def warm(self):
        pass

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait(60)
            self.process.stdout.close()
            self.process = None

    def done(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Child:
    """A server in processes of its own on the first processor."""

    def __init__(self, base, name):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="peer-", dir=base)
        self.process = None

    def launch(self, args, **more):
        log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(args, stderr=log, preexec_fn=on_server_cpu, **more)

    def await_address(self):
        host, port = self.address.split(":")
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    with open(os.path.join(self.folder, "log")) as log:
                        raise RuntimeError(f"{self.name} did not start:\n{log.read()[-2000:]}")
                time.sleep(0.002)

    def pids(self):
        return family(self.process.pid)

    def done(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


def family(pid):
    """The process and all that have come of it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    parents[int(entry)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass # it has ended
    found = [pid]
    for p in found:
        found += [c for c, parent in parents.items() if parent == p]
    return found


def unprivileged(folder):
    """What makes subprocess start a server that does not want to be root, with its folder."""
    if os.geteuid():
        return {}
    os.chmod(folder, 0o777)
    return {"user": "nobody", "extra_groups": []}


@contextlib.contextmanager
def congestion_control(name):
    """Sockets that are made meanwhile have that one, and what they accept later; None: the
    kernel's own."""
    path = "/proc/sys/net/ipv4/tcp_congestion_control"
    if not name:
        yield
        return
    with open(path) as f:
        before = f.read()
    with open(path, "w") as f:
        f.write(name)
    try:
        yield
    finally:
        with open(path, "w") as f:
            f.write(before)


class Nginx(Child):
    """nginx with a configuration and folders of its own: what stands in http, and in its server."""

    def __init__(self, base, name, http, server, listen="", master="off", congestion=None):
        super().__init__(base, name)
        self.address = f"127.0.0.1:{free_port()}"
        self.congestion = congestion
        self.user = unprivileged(self.folder)
        temp = "".join(f"    {kind}_temp_path {self.folder}/{kind};\n" for kind in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(self.folder, "nginx.conf"), "w") as f:
            f.write(f"""daemon off;
master_process {master};
worker_processes 1;
pid {self.folder}/pid;
error_log stderr;
events {{
    worker_connections 20000;
    use epoll;
}}
http {{
{temp}    access_log off;
    sendfile on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    {http}
    server {{
        listen {self.address} backlog=4096 {listen};
        {server}
    }}
}}
""")

    def start(self):
        with congestion_control(self.congestion):
            self.launch(["nginx", "-p", self.folder, "-e", "stderr", "-c",
                         os.path.join(self.folder, "nginx.conf")], **self.user)
            self.await_address()


# ---- figures -----------------------------------------------------------------------------------

def number(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 1 else \
        f"{x:.3f}"


def cell(values):
    """Median (least–greatest)."""
    if not values:
        return ""
    text = number(statistics.median(values))
    if len(values) > 1:
        text += f" ({number(min(values))}–{number(max(values))})"
    return text


def of(rows, key, scale=1.0):
    return [r[key] * scale for r in rows if key in r]


# ---- loads -------------------------------------------------------------------------------------

def write_file(path, size):
    """Random bytes, so that nothing between here and the disk can make less of them."""
    block = os.urandom(min(size, 1 << 20))
    with open(path, "wb") as f:
        for _ in range(0, size, len(block)):
            f.write(block)


def slug(name):
    return name.replace(" ", "").lower()


def cpu_of(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / TICK


def cpu_of_machine():
    """Busy, and of that interrupts, which are charged to no process."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    irq = v[5] + v[6]
    return (v[0] + v[1] + v[2] + irq) / TICK, irq / TICK


def usage():
    """What others_since() is given: the clock, what was used, and what of that is ours."""
    return time.monotonic(), cpu_of_machine()[0], sum(os.times()[:4])


def others_since(then):
    """The share of the processors that others have taken; all processes of ours have ended."""
    wall, busy, ours = (now - before for now, before in zip(usage(), then))
    return max(0.0, busy - ours) / (wall * os.cpu_count())


def load_by_wrk(server, path, connections, seconds, *args):
    """args: what tools/bench/wrk.lua takes."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
                          "-s", os.path.join(ROOT, "tools/bench/wrk.lua"),
                          f"http://{server.address}{path}", *args], stdout=subprocess.PIPE,
                         text=True, preexec_fn=on_client_cpu, timeout=seconds + 120)
    found = re.search(r"^\{.*\}$", out.stdout, re.M)
    if not found:
        raise RuntimeError(f"wrk against {server.name}: {out.stdout.strip()}")
    row = json.loads(found.group(0))
    if row["errors"]:
        raise RuntimeError(f"wrk against {server.name}: {row['errors']} errors")
    return row


def load_by_sluice(server, path, connections, *args):
    r = subprocess.run([os.path.join(BUILD, "sluice"), "bench", "http", server.address, path,
                        "--connections", str(connections), "--warmup", "0", "--json", *args],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       preexec_fn=on_client_cpu, timeout=600)
    if r.returncode:
        raise RuntimeError(f"{server.name}: {r.stderr.strip()}")
    return json.loads(r.stdout)


def measured(server, load, *args):
    """The load's own figures, with what both sides and all others took meanwhile."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    server_cpu, (busy, irq) = cpu_of(server.pids()), cpu_of_machine()
    wall = time.monotonic()
    row = load(server, *args)
    wall = time.monotonic() - wall
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    server_cpu = cpu_of(server.pids()) - server_cpu
    busy_now, irq_now = cpu_of_machine()
    client_cpu = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    both = server_cpu + client_cpu + irq_now - irq
    if not row["requests"]: # none ended
        row = {k: v for k, v in row.items() if not k.startswith("latency")}
    gb, requests = max(row["bytes"] / 1e9, 1e-12), max(row["requests"], 1)
    row.update(requests_per_s=row["requests"] / row["seconds"],
               gb_per_s=gb / row["seconds"],
               server_us=server_cpu * 1e6 / requests, both_us=both * 1e6 / requests,
               server_s_per_gb=server_cpu / gb, both_s_per_gb=both / gb,
               others=max(0.0, busy_now - busy - both) / (wall * os.cpu_count()))
    return row


class Puller(threading.Thread):
    """Calls pull() again and again, which fetches what is cold, until told to end.

    It takes only what the load that is measured leaves of their processor, as otherwise that one's
    waits for its turn there would be counted as the server's.
    """

    def __init__(self, pull):
        super().__init__()
        self.pull = pull
        self.end = threading.Event()
        self.rates = []
        self.failure = None

    def run(self):
        os.sched_setaffinity(0, {CLIENT_CPU})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        try:
            while not self.end.is_set():
                row = self.pull()
                self.rates.append(row["bytes"] / 1e9 / row["seconds"])
        except RuntimeError as why:
            self.failure = why


def hot_beside_cold(hot, pull):
    """What it costs those who ask for hot ones. Return: figures without and with the others."""
    alone = hot()
    puller = Puller(pull)
    puller.start()
    try:
        time.sleep(0.5)
        beside = hot()
    finally:
        puller.end.set()
        puller.join()
    if puller.failure:
        raise puller.failure
    row = {f"{key}_{when}": r[key] for key in ("requests_per_s", "latency_p50_us",
                                               "latency_p99_us", "latency_p999_us")
           for when, r in (("alone", alone), ("beside", beside))}
    row["p99_ratio"] = beside["latency_p99_us"] / alone["latency_p99_us"]
    row["cold_gb_per_s"] = statistics.median(puller.rates)
    row["others"] = alone["others"]
    return row


# ---- the page ----------------------------------------------------------------------------------

def is_large(size):
    return size > 64 << 10


def table(title, rows_of, large):
    lines = ["", f"### {title}", ""]
    if large:
        lines += ["| connections | server | GB/s | server CPU s/GB | both CPUs s/GB | p50 ms | "
                  "p99 ms | p99.9 ms |", "|---|---|---|---|---|---|---|---|"]
        keys = [("gb_per_s", 1), ("server_s_per_gb", 1), ("both_s_per_gb", 1)]
    else:
        lines += ["| connections | server | requests/s | GB/s | server CPU µs/request | "
                  "both CPUs µs/request | p50 ms | p99 ms | p99.9 ms |",
                  "|---|---|---|---|---|---|---|---|---|"]
        keys = [("requests_per_s", 1), ("gb_per_s", 1), ("server_us", 1), ("both_us", 1)]
    keys += [("latency_p50_us", 1e-3), ("latency_p99_us", 1e-3), ("latency_p999_us", 1e-3)]
    for connections, server, rows in rows_of:
        lines.append(f"| {connections} | {server} | " +
                     " | ".join(cell(of(rows, key, scale)) for key, scale in keys) + " |")
    return lines


def ratio(mine, theirs, key):
    a, b = of(mine, key), of(theirs, key)
    if not a or not b or not statistics.median(b):
        return ""
    return f"{statistics.median(a) / statistics.median(b):.2f}×"


def ratio_table(results, sizes, peers):
    """sluiced's medians divided by each peer's."""
    if not results:
        return []
    large = {name for name, size, _ in sizes if is_large(size)}
    lines = ["", "### sluiced against the others", "",
             "sluiced's median divided by the peer's: above 1 is better for GB/s, below 1 for the "
             "rest. CPU is that of one request, of 1 MiB and more that of a GB.", "",
             "| | connections | peer | GB/s | server CPU | both CPUs | p99 |",
             "|---|---|---|---|---|---|---|"]
    for (kind, size, connections), rows in results.items():
        unit = "s_per_gb" if size in large else "us"
        keys = ["gb_per_s", f"server_{unit}", f"both_{unit}", "latency_p99_us"]
        for peer in peers:
            if rows.get("sluiced") and rows.get(peer):
                lines.append(f"| {size}, {kind} | {connections} | {peer} | " + " | ".join(
                    ratio(rows["sluiced"], rows[peer], key) for key in keys) + " |")
    return lines


def machine_lines(base, how, others):
    """Date, commit and machine; how: what was run; others: shares taken by other processes."""
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*:\s*(.*)", f.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = subprocess.run(["stat", "-f", "-c", "%T", base], stdout=subprocess.PIPE,
                          text=True).stdout.strip()
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True).stdout.strip()
    share = statistics.median(others) if others else 0
    return [
        f"Measured {time.strftime('%Y-%m-%d')} at commit {commit or 'unknown'}: "
        f"{os.cpu_count()} processors ({model.group(1).strip() if model else os.uname().machine}), "
        f"{memory:.0f} GiB, Linux {os.uname().release}, {kind}; server on processor "
        f"{SERVER_CPU}, client on processor {CLIENT_CPU}; {how}.",
        "", f"Other processes took {100 * share:.0f} % of the processors meanwhile (median)"
        + (": **the machine was not quiet, and these figures are worse than they should be.**"
           if share > 0.05 else "."),
    ]


def page_write(name, text):
    """Puts text between the marks of name; they are added where there are none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    try:
        with open(PAGE) as f:
            page = f.read()
    except FileNotFoundError:
        page = "# Benchmarks\n"
    if begin not in page:
        page += f"\n{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(PAGE, "w") as f:
        f.write(before + begin + "\n" + text + "\n" + end + after)
