#!/usr/bin/env -S python3 -B
"""weaviate-ts-client 2 from npm, by node, against a sluiced: weaviate_ts.mjs does the asking."""
import fcntl
import os
import subprocess

import sluiced

PACKAGE = "weaviate-ts-client@2"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weaviate_ts.mjs")


def client():
    """The client's file, fetched when it is not there."""
    folder = os.path.join(sluiced.BUILD, "clients", PACKAGE)
    found = os.path.join(folder, "node_modules", "weaviate-ts-client", "dist", "index.mjs")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "complete")):
            fetch(folder)
            open(os.path.join(folder, "complete"), "w").close()
    return found


def fetch(folder):
    command = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--omit=dev", "--no-audit",
               "--no-fund", "--no-save", PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        sluiced.skip_all(f"npm could not install {PACKAGE} within 180 s")
    except FileNotFoundError:
        sluiced.skip_all("there is no npm")
    if done.returncode:
        why = (done.stderr.strip() or done.stdout.strip() or "?").splitlines()[0]
        sluiced.skip_all(f"{PACKAGE} cannot be had: {why}")


def ask(daemon, which):
    address = daemon.address()
    command = ["node", SCRIPT, FILE, address, which]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert not done.returncode, done.stdout + done.stderr


def test(which):
    def run(daemon):
        ask(daemon, which)
    run.__name__ = which
    return run


def all_is_there_after_a_restart(daemon):
    daemon.stop()
    daemon.start()
    ask(daemon, "find_again")


FILE = client()
sluiced.run([test(which) for which in ("know_the_server", "make_classes", "keep_tenants_apart",
                                       "change_objects", "follow_references", "search_a_batch",
                                       "filter_and_sort", "aggregate", "delete_a_batch")]
            + [all_is_there_after_a_restart], "http.listen=127.0.0.1:0")
