#!/usr/bin/env python3
"""benchlib: what the scripts that measure share; imported by bench-log and bench-delivery.

Processors: the server's is the first, the load's the last. Servers, figures (medians with their
ranges), the lines about the machine, and the page that the figures are written to, each script
between marks of its own.
"""
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
PAGE = os.path.join(ROOT, "docs", "benchmarks.md")
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]


def say(text):
    print(text, file=sys.stderr, flush=True)


def pinned(cpu):
    return lambda: os.sched_setaffinity(0, {cpu})


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

    listener: the one whose address the greeting must name; address: that, once it serves.
    """

    def __init__(self, base, name, listener, settings):
        self.name = name
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
                                        preexec_fn=pinned(SERVER_CPU))
        for line in self.process.stdout:
            found = re.search(self.listener + r" (127\.0\.0\.1:\d+)", line)
            if found:
                self.address = found.group(1)
                return time.monotonic() - began
        raise RuntimeError(f"sluiced did not start: see {self.folder}/log")

    def pid(self):
        return self.process.pid

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


# ---- the page ----------------------------------------------------------------------------------

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
