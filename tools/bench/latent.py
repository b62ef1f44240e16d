"""latent: vectors of 128 components that vary along 20 only, as those of models do.

Clusters of normally distributed points in 20 dimensions, turned into 128 at random, and a little
noise in all of them. The same seed gives the same vectors.
"""
import numpy


def vectors(rows, queries, dim=128, latent=20, clusters=100, noise=0.05, seed=20):
    """Return: base and queries, float32."""
    random = numpy.random.default_rng(seed)
    centers = random.standard_normal((clusters, latent))
    turn = random.standard_normal((latent, dim)) / latent ** 0.5
    n = rows + queries
    points = centers[random.integers(clusters, size=n)] + random.standard_normal((n, latent))
    all_of_them = points @ turn + noise * random.standard_normal((n, dim))
    return (all_of_them[:rows].astype(numpy.float32), all_of_them[rows:].astype(numpy.float32))
