"""Clusters of 59,000 vectors: `add_cluster_domain`'s against scikit-learn's defaults.

    python -m bench.clustering [K…]

CPU seconds of `KMeans(k)` as it comes and of ours, at k = 50 and 200, on one thread and the same
generated vectors (384 numbers, 200 loose groups of unlike size, length 1), for five seeds each.
The inertia (sum of squared distances, lower is tighter) is given beside the time, since a
clustering can be had in no time if it need not be good. Where faiss is installed it is shown too
(25 rounds, all vectors).
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from s1data.stages.domains import AddClusterDomain

ROWS, DIMENSIONS, GROUPS, SEEDS = 59_000, 384, 200, 5


def generated() -> np.ndarray:
    rng = np.random.default_rng(7)
    group = np.minimum(rng.zipf(1.2, ROWS), GROUPS) - 1
    vectors = rng.normal(size=(ROWS, DIMENSIONS)).astype(np.float32)
    vectors += rng.normal(size=(GROUPS, DIMENSIONS)).astype(np.float32)[group]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.round(vectors, 5)


def inertia(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Of a clustering with the mean of each cluster as its centre."""
    total = 0.0
    for label in np.unique(labels):
        own = vectors[labels == label].astype(np.float64)
        total += float(((own - own.mean(axis=0)) ** 2).sum())
    return total


def plain(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    with threadpool_limits(1):
        return KMeans(k, random_state=seed).fit(vectors).labels_


def ours(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    stage = AddClusterDomain(k=k, seed=seed)
    return stage._clusters(vectors, np.ones(len(vectors)), k).labels  # noqa: SLF001 - without the rest


def faiss_means(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    import faiss

    faiss.omp_set_num_threads(1)
    means = faiss.Kmeans(
        DIMENSIONS, k, niter=25, seed=seed + 1, max_points_per_centroid=len(vectors)
    )
    means.train(vectors)
    return means.index.search(vectors, 1)[1][:, 0]


def main() -> None:
    vectors = generated()
    ways = {"KMeans, defaults": plain, "add_cluster_domain": ours}
    if find_spec("faiss"):
        ways["faiss"] = faiss_means
    for k in [int(text) for text in sys.argv[1:]] or [50, 200]:
        base = 0.0
        for name, way in ways.items():
            taken, tight = [], []
            for seed in range(SEEDS):
                start = time.process_time()
                labels = way(vectors, k, seed)
                taken.append(time.process_time() - start)
                tight.append(inertia(vectors, labels))
            seconds = float(np.mean(taken))
            base = base or seconds
            print(
                f"k={k:<4}{name:<20}{seconds:7.1f} s CPU  {base / seconds:5.2f} x  inertia "
                f"{np.mean(tight):,.0f} ({min(tight):,.0f} to {max(tight):,.0f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
