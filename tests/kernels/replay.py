#!/usr/bin/python3
"""replay: disks as a power cut could have left them, from a log of all that was written to one.

Interface:
  replay.py note LOG...                  copies its input, each line behind the sizes that the logs
                                         have when it comes
  replay.py cut LOG BASE NOTES INDEX NAME CUTS SEED OUT
      INDEX: which of the sizes in NOTES is this log's; NAME: whose lines "acked NAME LANE END" count.
      Writes OUT.N for N below CUTS, and prints "OUT.N END END END" for each: what was
      acknowledged before the cut.

LOG is what QEMU's blklogwrites writes: a sector that says what it is, then for each write, flush and
discard a sector that describes it and the bytes written. An entry is there before the guest hears
of its completion, so a line was acknowledged by nothing behind the size noted with it.

A cut is right behind any entry: what was written before the last flush is there. Of what came behind
it every other disk has all up to the cut; the others have, of what was written up to the next flush,
some sectors and not others, as a disk may.
"""
import os
import random
import shutil
import struct
import sys

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
SECTOR = 512


def note(logs):
    for line in sys.stdin:
        print(*(os.stat(log).st_size for log in logs), line, end="", flush=True)


def entries(log):
    """(flags, where in the disk, where in the log, bytes, end in the log) of each."""
    with open(log, "rb") as f:
        magic, version, _, sector = struct.unpack("<QQQI", f.read(28))
        if magic != MAGIC or version != 1 or sector != SECTOR:
            sys.exit(f"replay: {log} is no log of blklogwrites with sectors of {SECTOR} bytes")
        size = os.fstat(f.fileno()).st_size
        at = SECTOR
        while at + SECTOR <= size:
            f.seek(at)
            where, sectors, flags, _ = struct.unpack("<QQQQ", f.read(32))
            if not sectors and not flags:
                break
            length = 0 if flags & DISCARD else sectors * SECTOR
            yield flags, where * SECTOR, at + SECTOR, length, at + SECTOR + length
            at += SECTOR + length


def acknowledgements(notes, index, name):
    """(size of the log, lane, end) of each."""
    with open(notes, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if len(words) >= 4 and words[-4:-2] == ["acked", name]:
                yield int(words[index]), int(words[-2]), int(words[-1])


def ends_at(every, acks):
    """Of each entry, what was acknowledged when it was written."""
    ends, left = [0, 0, 0], list(acks)[::-1]
    for entry in every:
        while left and left[-1][0] <= entry[4]:
            _, lane, end = left.pop()
            ends[lane] = end
        yield tuple(ends)


def copy(log, out, entry, keep):
    """Writes an entry into the disk; keep says which of its sectors."""
    flags, where, at, length, _ = entry
    if flags & DISCARD:
        return
    log.seek(at)
    data = log.read(length)
    for off in range(0, length, SECTOR):
        if keep():
            out.seek(where + off)
            out.write(data[off:off + SECTOR])


def cut(log, base, notes, index, name, cuts, seed, prefix):
    pick = random.Random(seed)
    every = list(entries(log))
    ends = list(ends_at(every, acknowledgements(notes, index, name)))
    places = [i for i, e in enumerate(ends) if all(e)]
    if len(places) < cuts:
        sys.exit(f"replay: {log} has {len(places)} entries behind acknowledgements, {cuts} wanted")
    flushes = [i for i, e in enumerate(every) if e[0] & FLUSH]
    for n, last in enumerate(sorted(pick.sample(places, cuts))):
        image = f"{prefix}.{n}"
        shutil.copyfile(base, image)
        durable = max((i for i in flushes if i <= last), default=-1)
        behind = min((i for i in flushes if i > last), default=len(every)) if n % 2 else last + 1
        with open(log, "rb") as f, open(image, "r+b") as out:
            for i, entry in enumerate(every[:behind]):
                kept = i <= durable or not n % 2 or (entry[0] & FUA and i <= last)
                copy(f, out, entry, lambda kept=kept: kept or pick.random() < 0.5)
        print(image, *ends[last], flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "note":
        note(sys.argv[2:])
    elif len(sys.argv) == 10 and sys.argv[1] == "cut":
        log, base, notes, index, name, cuts, seed, out = sys.argv[2:]
        cut(log, base, notes, int(index), name, int(cuts), int(seed), out)
    else:
        sys.exit(__doc__)
