#!/usr/bin/env python3
"""The status page in a headless Chromium, Debian's, against a started sluiced under a little load.
"""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser  # noqa: E402
import sluiced  # noqa: E402

SLUICE = os.path.join(sluiced.BUILD, "sluice")


def base(daemon):
    return "http://" + daemon.address()


def metrics(daemon):
    """The samples of /metrics, by name and labels as they stand there."""
    with urllib.request.urlopen(base(daemon) + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in lines if line[0] != "#"}


def sluice(daemon, *arguments, text=""):
    subprocess.run([SLUICE, *arguments, "--bootstrap", daemon.broker], input=text, text=True,
                   check=True, timeout=60, stdout=subprocess.DEVNULL)


def opened(b, daemon):
    """The page, after its second look: then there are rates."""
    b.open(base(daemon) + "/")
    b.wait("Number(document.body.dataset.looks) >= 2")


def cells(b, table):
    """The exact values of a table's rows: {first column: {title of column: value}}."""
    return json.loads(b.run(f"""JSON.stringify(Object.fromEntries(
        [...document.querySelectorAll("#{table} tbody tr")].map((row) => [
            row.cells[0].textContent,
            Object.fromEntries([...row.cells].slice(1).map((cell, i) => [
                document.querySelector("#{table} thead").rows[0].cells[i + 1].textContent,
                cell.dataset.value]))])))"""))


def shows_what_metrics_say(daemon):
    sluice(daemon, "produce", "t", text="".join(f"record {i}\n" for i in range(1000)))
    sluice(daemon, "consume", "t", "--exit-at-end")
    said = metrics(daemon)
    opened(b, daemon)
    kafka = cells(b, "kafka")
    assert set(kafka) >= {"produce", "fetch", "metadata"}, kafka
    for api, row in kafka.items():
        assert float(row["Total"]) == said[f'sluice_kafka_requests_total{{api="{api}"}}'], row
        assert float(row["Requests"]) == 0 and float(row["Errors"]) == 0, row
    assert not [api for api in re.findall(r'kafka_requests_total{api="(\w+)"}', "\n".join(said))
                if said[f'sluice_kafka_requests_total{{api="{api}"}}'] and api not in kafka]
    stored = b.run("""document.querySelector(
        '[data-key="value of Appended since the start"]').dataset.value""")
    assert float(stored) == said["sluice_log_append_bytes_total"] > 0, stored
    assert b.run("document.getElementById('state').textContent") == "serving"
    assert re.fullmatch(r"\d+\.\d+\.\d+", b.run("document.getElementById('version').textContent"))
    assert daemon_port(daemon) in b.run("document.title")


def daemon_port(daemon):
    return base(daemon).rsplit(":", 1)[1]


def shows_objects_and_searches(daemon):
    sluiced.search(daemon)
    said = metrics(daemon)
    opened(b, daemon)
    http, searches = cells(b, "http"), cells(b, "searches")
    asked = said['sluice_http_requests_total{api="qdrant"}']
    assert 3 <= asked <= float(http["qdrant"]["Total"]), (http, asked)  # the page asks itself
    assert float(http["qdrant"]["Errors"]) == 0 and "weaviate" not in http, http
    assert list(searches) == ["flat"] and float(searches["flat"]["Total"]) == 1, searches
    b.wait("""Number(document.querySelector('#objects [data-key="value of Objects in these"]')
        .dataset.value) === 1""")


def numbers_are_live(daemon):
    opened(b, daemon)
    before = float(cells(b, "listeners")["kafka"]["Total"])
    load = subprocess.Popen([SLUICE, "bench", "produce", "--bootstrap", daemon.broker,
                             "--request-bytes", "16K", "--in-flight", "1", "--seconds", "120s",
                             "--bytes", "200M"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        b.wait("""Number([...document.querySelectorAll("#listeners tbody tr")].find((row) =>
            row.cells[0].textContent === "kafka").cells[2].dataset.value) > 0""")
        b.wait("Number(document.getElementById('requests').dataset.value) > 10")
        assert float(cells(b, "listeners")["kafka"]["Total"]) > before
        assert b.run("document.querySelector('#requests-chart .line').getAttribute('d')")
    finally:
        load.kill()
        load.wait()


def asks_nobody_else_and_complains_of_nothing(daemon):
    opened(b, daemon)
    b.wait("Number(document.body.dataset.looks) >= 3")
    asked = {url for url in b.requests if not url.startswith("about:")}
    assert asked == {base(daemon) + path for path in (
        "/", "/metrics", "/readyz", "/status/page.css", "/status/page.js",
        "/status/mark.svg")}, asked
    assert not b.complaints, b.complaints


def has_pictures_in_light_and_dark(daemon):
    grounds = []
    b.resize(800, 600)
    opened(b, daemon)
    for scheme in ("light", "dark"):
        b.scheme(scheme)
        picture = b.screenshot()
        assert (picture.width, picture.height) == (800, 600)
        assert picture.colours() > 50, f"{scheme}: {picture.colours()} colours"
        grounds.append(sum(picture.pixel(2, 2)))
    assert grounds[0] > 3 * 200 and grounds[1] < 3 * 60, grounds


def fits_a_phone(daemon):
    b.resize(360, 740)
    opened(b, daemon)
    assert b.run("document.documentElement.scrollWidth") == 360


def stands_still(daemon, stop, go_on):
    """At most the look that is under way when the page is stopped comes after that."""
    opened(b, daemon)
    b.run(stop)
    looks = int(b.run("document.body.dataset.looks"))
    time.sleep(4)
    assert int(b.run("document.body.dataset.looks")) <= looks + 1
    b.run(go_on)
    b.wait(f"document.body.dataset.looks > {looks + 1}")


def pauses_when_told(daemon):
    press = "document.getElementById('pause').click()"
    stands_still(daemon, press, press)


def pauses_when_hidden(daemon):
    show = ("Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))")
    stands_still(daemon, show % "true", show % "false")


def outlives_the_daemon(daemon):
    """And shows the next one's numbers, which begin anew."""
    opened(b, daemon)
    address = base(daemon)
    daemon.stop()
    b.wait("document.getElementById('state').textContent === 'no answer'")
    assert b.run("document.getElementById('main').classList.contains('stale')")
    daemon.settings = ("http.listen=" + address.removeprefix("http://"),)
    daemon.start()
    b.wait("document.getElementById('state').textContent === 'serving'")
    assert not b.run("document.getElementById('main').classList.contains('stale')")
    assert b.run("document.getElementById('kafka').hidden")
    assert not b.run("document.querySelector('[data-key=kafka] .bar rect')")


if not browser.find():
    sluiced.skip_all("chromium is not installed")
b = browser.Browser()
sluiced.ENDS.append(b.end)
sluiced.run([shows_what_metrics_say, shows_objects_and_searches, numbers_are_live,
             asks_nobody_else_and_complains_of_nothing, has_pictures_in_light_and_dark,
             fits_a_phone, pauses_when_told, pauses_when_hidden, outlives_the_daemon],
            "http.listen=127.0.0.1:0")
