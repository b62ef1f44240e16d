#!/usr/bin/env -S python3 -B
"""@qdrant/js-client-rest by node, against a sluiced: qdrant_js.mjs, with the package from npm."""
import fcntl
import os
import shutil
import subprocess

import sluiced

PACKAGE = "@qdrant/js-client-rest"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "qdrant_js.mjs")


def fetched():
    """The folder with the package, which npm fetches when it is not there."""
    folder = os.path.join(sluiced.BUILD, "clients", "qdrant-js")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(folder, "node_modules", PACKAGE, "package.json")):
            return folder
        command = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--omit=dev",
                   "--no-audit", "--no-fund", "--no-save", PACKAGE]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            sluiced.skip_all(f"npm could not install {PACKAGE} within 180 s")
        if done.returncode:
            why = (done.stderr.strip() or done.stdout.strip() or "?").splitlines()[-1]
            sluiced.skip_all(f"{PACKAGE} cannot be had: {why}")
    return folder


def the_client_does_what_it_does(d):
    address = d.address()
    done = subprocess.run(["node", SCRIPT, "http://" + address], cwd=FOLDER, capture_output=True,
                          text=True, timeout=120)
    for line in (done.stdout + done.stderr).splitlines():
        print("# " + line)
    assert done.returncode == 0 and "not ok" not in done.stdout
    assert "1..6" in done.stdout


for tool in ("node", "npm"):
    if not shutil.which(tool):
        sluiced.skip_all(f"{tool} is not installed")
FOLDER = fetched()
sluiced.LIMIT_S = 600
sluiced.run([the_client_does_what_it_does], "http.listen=127.0.0.1:0",
            "node.memory_max_bytes=512M")
