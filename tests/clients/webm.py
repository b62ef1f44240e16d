"""A video made by a test: WebM of still pictures, one a second; imported by tests.

write(path, frames, width, height, filler) makes a file of these VP8 key frames, a cluster each,
with its index in front. A frame is what a lossy WebP holds: vp8(webp) takes it out. Each cluster
carries filler bytes that no player shows, so that the file is large and a place in it is far from
the next.
"""
import os
import struct

EBML, SEGMENT, INFO, TRACKS, CUES, CLUSTER, VOID = (
    "1a45dfa3", "18538067", "1549a966", "1654ae6b", "1c53bb6b", "1f43b675", "ec")


def element(name, *parts):
    """Sizes take eight bytes each, so that positions can be told before there are any."""
    body = b"".join(parts)
    return bytes.fromhex(name) + struct.pack(">Q", 1 << 56 | len(body)) + body


def number(name, value):
    return element(name, struct.pack(">Q", value))


def vp8(webp):
    """The key frame of a WebP without alpha."""
    at = 12
    while at < len(webp):
        kind, size = struct.unpack("<4sI", webp[at:at + 8])
        if kind == b"VP8 ":
            return webp[at + 8:at + 8 + size]
        at += 8 + size + size % 2
    raise ValueError("not a lossy WebP")


def cluster(second, frame, filler):
    """All of it but the filler, which is a hole in the file."""
    body = number("e7", second * 1000) + element("a3", b"\x81\0\0\x80", frame)
    void = bytes.fromhex(VOID) + struct.pack(">Q", 1 << 56 | filler)
    return (bytes.fromhex(CLUSTER) +
            struct.pack(">Q", 1 << 56 | len(body) + len(void) + filler) + body + void)


def cues(positions):
    return element(CUES, *(element("bb", number("b3", second * 1000),
                                   element("b7", number("f7", 1), number("f1", position)))
                           for second, position in enumerate(positions)))


def write(path, frames, width, height, filler):
    head = element(EBML, number("4286", 1), number("42f7", 1), number("42f2", 4),
                   number("42f3", 8), element("4282", b"webm"), number("4287", 4),
                   number("4285", 2))
    front = element(INFO, number("2ad7b1", 1000000),
                    element("4489", struct.pack(">d", len(frames) * 1000)),
                    element("4d80", b"sluice"), element("5741", b"sluice"))
    front += element(TRACKS, element(
        "ae", number("d7", 1), number("73c5", 1), number("83", 1), element("86", b"V_VP8"),
        number("23e383", 10**9), element("e0", number("b0", width), number("ba", height))))
    at, positions = len(front) + len(cues([0] * len(frames))), []
    for second, frame in enumerate(frames):
        positions.append(at)
        at += len(cluster(second, frame, filler)) + filler
    with open(path, "wb") as f:
        f.write(head + bytes.fromhex(SEGMENT) + struct.pack(">Q", 1 << 56 | at))
        f.write(front + cues(positions))
        for second, frame in enumerate(frames):
            f.write(cluster(second, frame, filler))
            f.seek(filler, os.SEEK_CUR)
        f.truncate(f.tell())
