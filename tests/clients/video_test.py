#!/usr/bin/env -S python3 -B
"""A video in a headless Chromium, Debian's, from a started sluiced: jumps to places far apart.

The files come from static.listen, and by the proxy of another sluiced in front of that.

The video is made here (webm.py) of pictures that the browser draws. Each shows the number of its
second in black and white, so that what is seen tells which bytes came.
"""
import base64
import json
import os
import re
import shutil
import tempfile

import browser
import sluiced
import webm

SECONDS, BITS, SIDE = 300, 10, 16
FILLER = 2 << 20  # bytes of each second: a browser reads some 20 MB ahead
PAGE = f"""<!doctype html><meta charset="utf-8"><title>video</title><link rel="icon" href="data:,">
<video id="v" muted preload="metadata" width="{BITS * SIDE}" height="{SIDE}"></video>
<script>
const side = {SIDE}, bits = {BITS};
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [bits * side, side];
const pen = canvas.getContext("2d", {{alpha: false, willReadFrequently: true}});
function drawn(number) {{
    for (let i = 0; i < bits; i++) {{
        pen.fillStyle = number >> i & 1 ? "white" : "black";
        pen.fillRect(i * side, 0, side, side);
    }}
    return canvas.toDataURL("image/webp", 0.8).split(",")[1];
}}
function shown() {{
    pen.drawImage(v, 0, 0, canvas.width, canvas.height);
    let number = 0;
    for (let i = 0; i < bits; i++)
        number |= (pen.getImageData(i * side + side / 2, side / 2, 1, 1).data[0] > 127) << i;
    return number;
}}
function happened(name) {{
    return new Promise((done, failed) => {{
        v.addEventListener(name, () => done(), {{once: true}});
        v.addEventListener("error", () => failed(new Error(v.error.message)), {{once: true}});
    }});
}}
async function jumped(second) {{
    const there = happened("seeked");
    v.currentTime = second + 0.5;
    await there;
    return shown();
}}
</script>
"""


def base(daemon, listener="static"):
    return "http://" + daemon.address(listener)


def partial():
    """The first bytes of the partial answers of the video so far."""
    return [int(re.match(r"bytes (\d+)-", fields["content-range"])[1])
            for url, status, fields in b.responses if url.endswith(".webm") and status == 206]


def opened(address):
    """The page with its video, of which nothing is known yet but what is in front."""
    b.open(address + "/page.html")
    b.run("const ready = happened('loadedmetadata'); v.src = 'video.webm'; ready")
    assert b.run("v.duration") == SECONDS
    assert {status for url, status, _ in b.responses if url.endswith(".webm")} <= {200, 206}


def jumps(address):
    opened(address)
    for second in (240, 100, SECONDS - 1, 170): # each beyond what is read ahead of the others
        before = len(partial())
        assert b.run(f"jumped({second})") == second
        starts = partial()[before:]
        assert starts, f"no 206 on the way to second {second}"
        assert any(abs(start / FILLER - second) < 20 for start in starts), (second, starts)
    assert not b.complaints, b.complaints


def plays(address):
    opened(address)
    assert b.run("jumped(200)") == 200
    b.run("v.play()")
    b.wait("v.currentTime > 203")
    assert not b.run("v.paused") and b.run("shown()") >= 202
    b.run("v.pause()")
    assert not b.complaints, b.complaints


def video_is_made(daemon):
    b.open(base(daemon) + "/page.html")
    made = json.loads(b.run(f"JSON.stringify([...Array({SECONDS}).keys()].map(drawn))"))
    frames = [webm.vp8(base64.b64decode(picture)) for picture in made]
    webm.write(os.path.join(root, "video.webm"), frames, BITS * SIDE, SIDE, FILLER)
    assert os.path.getsize(os.path.join(root, "video.webm")) > SECONDS * FILLER


def jumps_fetch_their_place_only(daemon):
    jumps(base(daemon))


def plays_on_from_there(daemon):
    plays(base(daemon))


def the_proxy_jumps_too(daemon):
    proxy.settings = (f"cache.path={proxy.work}/cache", "proxy.listen=127.0.0.1:0",
                      "proxy.origin=" + base(daemon))
    proxy.start()
    jumps(base(proxy, "proxy"))
    plays(base(proxy, "proxy"))


def the_proxy_does_with_what_it_keeps(daemon):
    b.call("Network.clearBrowserCache")
    jumps(base(proxy, "proxy"))
    plays(base(proxy, "proxy"))


if not browser.find():
    sluiced.skip_all("chromium is not installed")
root = tempfile.mkdtemp()
sluiced.ENDS.append(lambda: shutil.rmtree(root, ignore_errors=True))
with open(os.path.join(root, "page.html"), "w") as page:
    page.write(PAGE)
b = browser.Browser()
proxy = sluiced.Sluiced()
sluiced.ENDS += [b.end, proxy.end]
sluiced.run([video_is_made, jumps_fetch_their_place_only, plays_on_from_there, the_proxy_jumps_too,
             the_proxy_does_with_what_it_keeps],
            "static.listen=127.0.0.1:0", "static.root=" + root, "static.max_age=1h")
