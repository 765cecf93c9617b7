"""Domains: the embeddings of the pool in k clusters, each named by its most telling words.

k-means (k-means++ starts) on vectors of length 1. A large pool is first clustered several times on
a part, where a start costs little, and goes on from the tightest. Work is in the order of the
vectors' keys, that is by content, on one thread: neither the order of rows nor the number of
threads moves a bit. Rows with the same key stand for one vector that weighs as many.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, field_validator

from s1data import pool
from s1data.digest import canonical_json
from s1data.embedding import Matrix
from s1data.errors import StageError
from s1data.stage import Engine, GlobalEnricher, Table
from s1data.stages.draws import uniforms
from s1data.stages.terms import names, telling
from s1data.stages.vectors import stored_vectors

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

STARTS: Final = 3
"""k-means++ starts, of which the tightest clustering is taken."""
PART: Final = 64
STARTS_ON_PART: Final = 8
"""Vectors for each cluster, and most starts, on the part of a pool that has more than twice as
many."""
WORK_ON_PART: Final = 24_000
"""Starts times squared clusters, up to which there are more than `STARTS` on that part: a start
takes time with the square of k, and beside many clusters the luck of one counts for less."""
BOUNDS: Final = 50_000_000
"""Elkan's bounds, one for each vector and cluster, up to which it is used: 200 MB. Same clusters
as Lloyd's way but for the last bits, in two thirds of its time."""
SLICE: Final = 8_192
"""Vectors scored at once: bounds the gathered centroids."""

log = logging.getLogger(__name__)

EXACT: Final = 5
"""Decimals of a unit vector's components that count."""
Labels = npt.NDArray[np.int64]


class AddClusterDomain(GlobalEnricher):
    """Adds a domain to each row: the cluster of its embedding, and how near its centre it is.

    `domain_score` is the cosine of the vector and the cluster's centroid: at most 1, 0 for a text
    without a vector of any length. Both are null where the row has no embedding. Beside the record
    it leaves `clusters` (each with size, words and the mean score) and, where k was chosen,
    `criterion` (the score of each k).
    """

    k: int | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="How many clusters; chosen from `k_range` unless given. A pool with fewer "
        "distinct vectors gets one cluster for each, which is said.",
    )
    k_range: tuple[int, ...] = Field(
        default=(8, 12, 16, 24, 32, 48, 64),
        min_length=1,
        description="The k to choose from, rising, from 2 on: the one whose clustering of `sample` "
        "vectors has the highest mean silhouette (cosine), the smaller where equal. A pool of very "
        "many kinds of questions may favour the largest.",
    )
    sample: int = Field(
        default=3_000,
        ge=10,
        le=20_000,
        description="Vectors that k is chosen on; which ones depends on the seed and the texts.",
    )
    terms: int = Field(default=3, gt=0, le=10, description="Words in a cluster's name.")
    seed: int = Field(default=0, ge=0, description="Seed of the starts and of the sample.")

    revision: ClassVar = 3
    needs: ClassVar = ("question", "embedding")
    added: ClassVar = ("domain", "domain_score")
    example: ClassVar = {"k": 4, "terms": 2}
    example_after: ClassVar = (("add_embedding", {"encoder": "tfidf-svd", "dimensions": 8}),)

    @field_validator("k_range")
    @classmethod
    def _rises(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if values[0] < 2 or any(b <= a for a, b in pairwise(values)):
            msg = f"wanted rising numbers from 2 on, got {list(values)}"
            raise ValueError(msg)
        return values

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("row", "embedding", "question")

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """Columns ``row``, ``domain`` and ``domain_score``, by row."""
        rows = engine.collect(keys)
        held = rows.drop_nulls("embedding").sort("embedding", "row")
        grouped = held.group_by("embedding", maintain_order=True).agg(weight=pl.len())
        names_and_scores = grouped.select("embedding").with_columns(
            domain=pl.lit(None, pl.String), domain_score=pl.lit(None, pl.Float64)
        )
        if held.height:
            try:
                found = _unit(stored_vectors(grouped.get_column("embedding"), engine))
                # Equal texts but for what the encoder does not see differ in the last bits: that
                # is one vector, not two. Adding zero makes -0.0 the same bytes as 0.0.
                vectors = np.round(found, EXACT) + np.float32(0)
            except StageError as error:
                raise StageError(f"stage {self.label}: {error}") from error
            k = self._k(grouped.get_column("embedding"), vectors, engine)
            clusters = self._clusters(vectors, grouped.get_column("weight").to_numpy(), k)
            names_and_scores = self._named(grouped, clusters, held, engine)
        return (
            rows.select("row", "embedding")
            .join(names_and_scores, on="embedding", how="left")
            .select("row", *self.added)
            .sort("row")
        )

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        joined = rows.select("row").join(artefact, on="row", how="left", maintain_order="left")
        return joined.select(pl.col(name).cast(pool.COLUMNS[name]) for name in self.added)

    def _k(self, keys: pl.Series, vectors: Matrix, engine: Engine) -> int:
        if self.k is not None:
            most = _distinct(vectors, self.k)
            if most < self.k:
                log.warning(
                    "stage %s: k is %d, but there are %d distinct vectors: at most %d clusters",
                    *(self.label, self.k, most, most),
                )
            return most
        # By text, not by place: a row more or less changes one line of the sample.
        drawn = uniforms(keys.to_list(), self.seed, self.stage_name(), "sample")
        sample = vectors[np.sort(np.argsort(drawn, kind="stable")[: self.sample])]
        # A silhouette needs a vector more than clusters.
        most = _distinct(sample, self.k_range[-1] + 1)
        open_ = [k for k in self.k_range if k < most]
        if not open_:
            return min(self.k_range[0], most)
        scores = list(self._silhouettes(sample, open_, engine))
        best = open_[int(np.argmax(scores))]
        engine.write(
            "criterion",
            pl.DataFrame({"k": open_, "silhouette": scores, "chosen": [k == best for k in open_]}),
        )
        return best

    def _silhouettes(self, sample: Matrix, ks: Sequence[int], engine: Engine) -> Iterator[float]:
        from sklearn.metrics import silhouette_score
        from threadpoolctl import threadpool_limits

        for done, k in enumerate(ks, start=1):
            labels = self._clusters(sample, np.ones(len(sample)), k).labels
            with threadpool_limits(1):
                score = silhouette_score(sample, labels, metric="cosine") if labels.any() else -1.0
            # Rounded, so that a difference in the last bits never decides between two k.
            yield round(float(score), 6)
            engine.progress(done, len(ks))

    def _clusters(self, vectors: Matrix, weights: npt.NDArray[np.generic], k: int) -> _Clusters:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        key = hashlib.sha256(canonical_json([self.seed, self.stage_name(), k]).encode()).digest()
        seed = int.from_bytes(key[:4])
        how = {"algorithm": "elkan" if 1 < k <= BOUNDS // len(vectors) else "lloyd"}
        means: KMeans = KMeans(k, n_init=STARTS, random_state=seed, **how)
        # Threads would add up a centroid in an order of their own.
        with threadpool_limits(1), warnings.catch_warnings():
            # Vectors apart by less than rounding: the empty clusters are dropped below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if len(vectors) > 2 * PART * k:
                rng = np.random.default_rng(seed)
                part = np.sort(rng.permutation(len(vectors))[: PART * k])
                starts = max(STARTS, min(STARTS_ON_PART, WORK_ON_PART // k**2))
                first = KMeans(k, n_init=starts, random_state=seed, max_iter=50, **how)
                first.fit(vectors[part], sample_weight=weights[part])
                means = KMeans(k, n_init=1, init=first.cluster_centers_, **how)
            means.fit(vectors, sample_weight=weights)
        used, labels = np.unique(means.labels_, return_inverse=True)
        return _Clusters(labels, _unit(means.cluster_centers_[used].astype(np.float32)), vectors)

    def _named(
        self, grouped: pl.DataFrame, clusters: _Clusters, held: pl.DataFrame, engine: Engine
    ) -> pl.DataFrame:
        lines = grouped.with_columns(
            group=pl.Series(clusters.labels), domain_score=pl.Series(clusters.scores())
        )
        placed = held.join(lines, on="embedding", how="left", maintain_order="left")
        words = telling(placed.select("group", text="question"), self.terms)
        about = (
            lines.group_by("group")
            .agg(
                size=pl.col("weight").sum(),
                mean_score=(
                    (pl.col("domain_score") * pl.col("weight")).sum() / pl.col("weight").sum()
                ).round(6),
                first=pl.col("embedding").min(),
            )
            .sort(["size", "first"], descending=[True, False])
            .with_columns(
                pl.col("group")
                .replace_strict(words, return_dtype=pl.List(pl.String))
                .alias("terms")
            )
        )
        about = about.with_columns(domain=pl.Series(list(names(about["terms"].to_list()))))
        engine.write("clusters", about.select("domain", "size", "terms", "mean_score"))
        return lines.join(about.select("group", "domain"), on="group", how="left").select(
            "embedding", "domain", "domain_score"
        )


@dataclass(frozen=True)
class _Clusters:
    labels: Labels
    centroids: Matrix
    vectors: Matrix

    def scores(self) -> npt.NDArray[np.float64]:
        """The cosine of each vector and its own centroid; both are of length 1 or 0."""
        found = np.empty(len(self.vectors), np.float64)
        for start in range(0, len(found), SLICE):
            part = slice(start, start + SLICE)
            products = self.vectors[part] * self.centroids[self.labels[part]]
            found[part] = products.sum(axis=1, dtype=np.float64)
        return found.clip(-1.0, 1.0)


def _unit(vectors: Matrix) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Matrix = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def _distinct(vectors: Matrix, enough: int) -> int:
    """How many different vectors there are, counted up to ``enough``."""
    seen: set[bytes] = set()
    for vector in vectors:
        seen.add(vector.tobytes())
        if len(seen) == enough:
            break
    return len(seen)
