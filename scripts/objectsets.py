#!/usr/bin/env python3
"""objectsets: the two sets of the bench-objects... scripts that need their exact answers.

MNIST, and the one of tools/bench/latent.py. Needs numpy.
"""
import os
import sys

from benchlib import ROOT
from objectslib import K, mnist

try:
    import numpy
except ImportError:
    sys.exit("this Python has no numpy: run it by one that has")

sys.path.insert(0, os.path.join(ROOT, "tools", "bench"))
import latent

NUMBERS = 1000


def as_texts(vectors):
    """Each as JSON, from which a float comes back as it is."""
    form = "[" + ",".join(["%.9g"] * vectors.shape[1]) + "]"
    return [form % tuple(row) for row in vectors.tolist()]


class Set:
    """base, queries: floats; texts, asked: the same as JSON; numbers: of each row of base one of
    NUMBERS, drawn at random."""

    def __init__(self, title, base, queries):
        self.title = title
        self.dim = base.shape[1]
        self.base, self.queries = (v.astype(numpy.float32) for v in (base, queries))
        self.texts, self.asked = (as_texts(v) for v in (base, queries))
        self.numbers = numpy.random.default_rng(1).integers(NUMBERS, size=len(base))

    def exact(self, asked, below=NUMBERS):
        """The ten nearest of the first so many queries among the rows of numbers below that."""
        rows = numpy.flatnonzero(self.numbers < below)
        base = self.base[rows].astype(numpy.float64)
        norms = (base ** 2).sum(1)
        found = []
        for at in range(0, asked, 100):
            far = norms - 2 * (self.queries[at:at + 100].astype(numpy.float64) @ base.T)
            near = numpy.argpartition(far, K, 1)[:, :K]
            found += [set(row) for row in rows[near].tolist()]
        return found[:asked]


def sets(folder, rows):
    """rows: of the second one."""
    base, queries, _ = mnist(folder)
    yield Set("MNIST, 60,000 of 784, L2",
              *(numpy.array([list(v) for v in part], numpy.uint8) for part in (base, queries)))
    yield Set(f"Along 20, {rows:,} of 128, L2", *latent.vectors(rows, 3000))
