#!/usr/bin/env python3
"""cachepeers: the caches that bench-cache measures, and the origins behind them.

Interface: make_servers(base, origin, certificate, words) gives the caches, each a server of
benchlib (start, pids, done, folder, address) and besides
    over_tls()  the server that speaks TLS at secure, with HTTP/2 by ALPN; None if there is none
    ranges      'slices' when it fetches a piece of a large object alone, else 'whole'
    kill()      ends it by SIGKILL, so that start() finds what the disk holds
Origin is a sluiced with static files, SlowOrigin answers after a while; both run on the processor
of the load and count their requests. What is set, and why, is told in docs/benchmarks.md.
"""
import http.server
import os
import resource
import select
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

from benchlib import BUILD, CLIENT_CPU, Child, Nginx, Sluiced, family, free_port, unprivileged

MEMORY_BYTES = 2 << 30 # of each cache that has a memory of its own
DISK_BYTES = 32 << 30
# Files that nginx keeps open: what a process may open is for its connections too.
KEPT_OPEN = min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)


# ---- origins -----------------------------------------------------------------------------------

class Origin:
    """A sluiced with the files of a folder, which may be kept for an hour."""

    def __init__(self, base, files):
        self.server = Sluiced(base, "origin", "static",
                              ["kafka.listen=off", "http.listen=127.0.0.1:0",
                               "static.listen=127.0.0.1:0", f"static.root={files}",
                               "static.max_age=1h", "conn.max=20000"], cpu=CLIENT_CPU)
        self.server.start()
        self.port = int(self.server.address.split(":")[1])

    def requests(self):
        url = f"http://{self.server.addresses['http']}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            for line in answer:
                if line.startswith(b'sluice_requests_total{listener="static"} '):
                    return int(line.split()[1])
        raise RuntimeError("the origin does not count its requests")

    def pids(self):
        return self.server.pids()

    def done(self):
        self.server.done()


class SlowOrigin:
    """Answers each request after a while, by the same bytes."""

    def __init__(self, size, wait_s):
        count = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            body = os.urandom(size)

            def do_GET(self):
                with count.lock:
                    count.seen += 1
                time.sleep(wait_s)
                self.send_response(200)
                self.send_header("Content-Length", str(size))
                self.send_header("Cache-Control", "max-age=3600")
                self.end_headers()
                self.wfile.write(self.body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 4096
            daemon_threads = True

        self.lock, self.seen = threading.Lock(), 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def requests(self):
        with self.lock:
            return self.seen

    def done(self):
        self.server.shutdown()
        self.server.server_close()


# ---- caches ------------------------------------------------------------------------------------

def kill_family(process):
    """Ends all of them; when it returns their addresses and files are free."""
    members = [os.pidfd_open(pid) for pid in family(process.pid)]
    for member in members:
        signal.pidfd_send_signal(member, signal.SIGKILL)
    process.wait(60)
    for member in members:
        select.select([member], [], [], 60)
        os.close(member)


class SluicedCache(Sluiced):
    """A listener speaks TLS or not: with TLS it is another daemon, there when asked for."""
    ranges = "slices"

    def __init__(self, base, origin, certificate, encrypted=()):
        super().__init__(base, "sluiced", "proxy",
                         ["kafka.listen=off", "http.listen=off",
                          f"proxy.listen=127.0.0.1:{free_port()}", # the same after a restart
                          f"proxy.origin=http://127.0.0.1:{origin.port}",
                          "proxy.idle_connections=256", f"cache.max_bytes={DISK_BYTES >> 30}G",
                          f"cache.memory_max_bytes={MEMORY_BYTES >> 30}G", "conn.max=20000"])
        self.settings += [f"cache.path={self.folder}/cache", *encrypted]
        self.made_of = base, origin, certificate
        self.encrypted = None

    def over_tls(self):
        if not self.encrypted:
            pair = self.made_of[2]
            self.encrypted = SluicedCache(*self.made_of, (
                "tls.listeners=proxy", f"tls.certificate={pair}.crt", f"tls.key={pair}.key"))
            self.encrypted.start()
            self.encrypted.secure = self.encrypted.address
        return self.encrypted

    def done(self):
        if self.encrypted:
            self.encrypted.done()
        super().done()

    def kill(self):
        self.stop(signal.SIGKILL)


class SluicedDevice(SluicedCache):
    """The same on a block device: a loop device over a file, past that file's page cache."""

    def __init__(self, base, origin, certificate):
        super().__init__(base, origin, certificate)
        self.name = "sluiced, loop device"
        disk = os.path.join(self.folder, "disk")
        with open(disk, "wb") as f:
            f.truncate(DISK_BYTES)
        self.device = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", disk],
                                     check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        subprocess.run([os.path.join(BUILD, "sluice"), "cache", "format", self.device], check=True,
                       stdout=subprocess.DEVNULL)
        self.settings = [s for s in self.settings if not s.startswith("cache.path=")]
        self.settings += [f"cache.path={self.device}"]

    def over_tls(self):
        return None

    def done(self):
        self.stop()
        subprocess.run(["losetup", "-d", self.device], check=True)
        super().done()


class NginxCache(Nginx):
    """Its cache manager and loader are processes beside the worker."""

    def __init__(self, base, variant, origin, certificate, listen="", slices=False):
        port = free_port()
        self.ranges = "slices" if slices else "whole"
        self.secure = f"127.0.0.1:{port}"
        key, slice_ = "$uri$is_args$args", ""
        if slices:
            key += "$slice_range"
            slice_ = """slice 1m;
            proxy_set_header Range $slice_range;
            proxy_cache_valid 200 206 1h;"""
        super().__init__(base, f"nginx, {variant}", f"""tcp_nopush off;
    open_file_cache max={KEPT_OPEN};
    proxy_cache_path cache levels=1:2 keys_zone=c:64m max_size={DISK_BYTES >> 30}g inactive=1d
        use_temp_path=off;
    upstream origin {{
        server 127.0.0.1:{origin.port};
        keepalive 256;
    }}""", f"""listen {self.secure} ssl http2 backlog=4096 {listen};
        ssl_certificate {certificate}.crt;
        ssl_certificate_key {certificate}.key;
        http2_max_requests 1000000000;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache c;
            proxy_cache_key {key};
            proxy_cache_lock on;
            proxy_cache_lock_timeout 60s;
            {slice_}
        }}""", listen, master="on")

    def over_tls(self):
        return self

    def kill(self):
        kill_family(self.process)


class Varnish(Child):
    """Small objects in memory, those of a GB and more in a file. It has no TLS of its own."""
    ranges = "whole"

    def __init__(self, base, origin):
        super().__init__(base, "Varnish")
        self.user = unprivileged(self.folder)
        self.address = f"127.0.0.1:{free_port()}"
        with open(os.path.join(self.folder, "vcl"), "w") as f:
            f.write(f"""vcl 4.1;
import std;
backend default {{
    .host = "127.0.0.1";
    .port = "{origin.port}";
}}
sub vcl_backend_response {{
    if (std.integer(beresp.http.Content-Length, 0) > 1000000000) {{
        set beresp.storage = storage.large;
    }}
}}
""")

    def start(self):
        log = os.path.join(self.folder, "log")
        begins = os.path.getsize(log) if os.path.exists(log) else 0
        self.launch(["varnishd", "-F", "-j", "none", "-n", os.path.join(self.folder, "work"),
                     "-a", self.address, "-f", os.path.join(self.folder, "vcl"),
                     "-s", f"malloc,{MEMORY_BYTES >> 20}M",
                     "-s", f"large=file,{self.folder}/large,12G",
                     "-p", "thread_pools=1", "-p", "thread_pool_min=100",
                     "-p", "thread_pool_max=3000", "-p", "timeout_idle=600",
                     "-p", "listen_depth=4096"],
                    stdout=subprocess.DEVNULL, **self.user)
        # Its address accepts for a moment before that, when it looks whether it could have it.
        until = time.monotonic() + 60
        said = ""
        while "said Child starts" not in said:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start:\n{said}")
            time.sleep(0.002)
            with open(log) as f:
                f.seek(begins)
                said = f.read()

    def over_tls(self):
        return None

    def kill(self):
        kill_family(self.process)


class TrafficServer(Child):
    """With the folders of its own that a run root names, and what Debian's package sets else."""
    ranges = "whole"
    PLACES = {"prefix": "/usr", "exec_prefix": "/usr", "bindir": "/usr/bin", "sbindir": "/usr/sbin",
              "datadir": "/usr/share/trafficserver", "libdir": "/usr/lib/trafficserver",
              "libexecdir": "/usr/lib/trafficserver/modules", "includedir": "/usr/include"}

    def __init__(self, base, origin, certificate):
        super().__init__(base, "Traffic Server")
        self.user = unprivileged(self.folder)
        plain, secure = free_port(), free_port()
        self.address, self.secure = f"127.0.0.1:{plain}", f"127.0.0.1:{secure}"
        places = dict(self.PLACES)
        for key, name in (("sysconfdir", "etc"), ("localstatedir", "state"), ("runtimedir", "run"),
                          ("logdir", "logs"), ("cachedir", "cache")):
            places[key] = os.path.join(self.folder, name)
        shutil.copytree("/etc/trafficserver", places["sysconfdir"])
        for key in ("localstatedir", "runtimedir", "logdir", "cachedir"):
            os.mkdir(places[key])
            os.chmod(places[key], 0o777)
        self.write("runroot.yaml", "".join(f"{k}: {v}\n" for k, v in places.items()))
        self.write("etc/storage.config", f"{places['cachedir']} {DISK_BYTES >> 30}G\n")
        self.write("etc/remap.config", f"map / http://127.0.0.1:{origin.port}/\n")
        self.write("etc/ssl_multicert.config",
                   f"dest_ip=* ssl_cert_name={certificate}.crt ssl_key_name={certificate}.key\n")
        with open(os.path.join(places["sysconfdir"], "records.config"), "a") as f:
            f.write("\n".join("CONFIG proxy.config." + line for line in (
                f"http.server_ports STRING {plain}:ip-in=127.0.0.1 {secure}:ip-in=127.0.0.1:ssl",
                "admin.user_id STRING #-1", "exec_thread.autoconfig INT 0",
                "exec_thread.limit INT 1", "accept_threads INT 0", "task_threads INT 1",
                "exec_thread.affinity INT 0", "log.logging_enabled INT 0",
                f"cache.ram_cache.size INT {MEMORY_BYTES}", "net.listen_backlog INT 4096",
                "http.keep_alive_no_activity_timeout_in INT 600",
                "http.transaction_no_activity_timeout_in INT 600",
                # As its manual advises against many misses of one object at a time.
                "cache.enable_read_while_writer INT 1",
                "http.background_fill_active_timeout INT 0",
                "http.background_fill_completed_threshold FLOAT 0.0",
                "http.cache.max_open_read_retries INT 100",
                "http.cache.open_read_retry_time INT 20",
                "cache.read_while_writer.max_retries INT 100",
                "cache.read_while_writer_retry.delay INT 20")) + "\n")
        os.chmod(self.folder, 0o777)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def start(self):
        self.launch(["traffic_server"], stdout=subprocess.DEVNULL,
                    env=dict(os.environ, TS_RUNROOT=self.folder), **self.user)
        self.await_address()

    def over_tls(self):
        return self

    def kill(self):
        kill_family(self.process)


PROGRAMS = {"nginx": "nginx", "varnish": "varnishd", "ats": "traffic_server"}
ON_DEMAND = {"sluiced-device"} # takes root, and a loop device


def make_servers(base, origin, certificate, words):
    """Word and cache; what cannot be had is told. None of them is started."""
    makers = [
        ("sluiced", lambda: SluicedCache(base, origin, certificate)),
        ("sluiced-device", lambda: SluicedDevice(base, origin, certificate)),
        ("nginx", lambda: NginxCache(base, "tcp_nopush off", origin, certificate)),
        ("nginx-sndbuf", lambda: NginxCache(base, "sndbuf=128k", origin, certificate,
                                            listen="sndbuf=128k")),
        ("nginx-slice", lambda: NginxCache(base, "slice 1m", origin, certificate, slices=True)),
        ("varnish", lambda: Varnish(base, origin)),
        ("ats", lambda: TrafficServer(base, origin, certificate)),
    ]
    known = [w for w, _ in makers]
    unknown = [w for w in words or [] if w not in known]
    if unknown:
        raise SystemExit(f"bench-cache: no cache '{unknown[0]}'; there are: {', '.join(known)}")
    made, missing = [], []
    for word, make in makers:
        program = PROGRAMS.get(word.split("-")[0])
        if word not in words if words else word in ON_DEMAND:
            continue
        if program and not shutil.which(program):
            missing.append(program)
        else:
            made.append((word, make()))
    return made, missing


def certificate(base):
    """A key and its certificate for the length of a run. Return: their path without its end."""
    path = os.path.join(base, "tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", path + ".key", "-out", path + ".crt"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(path + ".key", 0o644) # servers are not root; the key lives as long as the run
    return path
