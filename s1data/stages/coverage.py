"""Selectors over embeddings: spread out (k-center), or near to everything (facility location).

Both are greedy, exact but for ties, and the same for any order of rows; neither ever holds a matrix
of all rows by all rows. With N rows of d numbers, n of them chosen:

* k-center compares rows with chosen rows only: at most N n d products, N d numbers in memory.
* facility location compares rows with a population of P rows that the set is to stand for: N P d
  products to begin with and some more for rows whose gain is looked at again; N d + P d numbers.
  Up to P rows the population is the pool; of a larger pool it is a sample of P.

A row that is not chosen is told the chosen row nearest to it. Ranks end a little after n, since the
order of all rows would cost N N d; a larger n contains the smaller set as long as no quota has a
minimum.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from s1data.embedding import Matrix
from s1data.errors import StageError
from s1data.stage import Engine
from s1data.stages.allowance import Allowance
from s1data.stages.greedy import Gains, Rows, greedily
from s1data.stages.ordering import CHOSEN_BEFORE, QUOTA_FULL, Line, Ordering
from s1data.stages.quotas import Limits
from s1data.stages.selection import numbers_by_id
from s1data.stages.vectors import stored_vectors

AT_A_TIME: Final = 1_024
"""Rows compared at once: bounds the matrix of similarities."""
AHEAD: Final = 64
"""Rows chosen beyond n where there is no quota: they have ranks, and step in first after edits."""
BEYOND: Final = 2.0
"""No two rows are farther apart by the cosine; the first row, which is drawn, is given more."""
NO_EMBEDDING: Final = "It has no embedding, or one of length 0, so it is near to nothing."
AFTER: Final = (("add_embedding", {"encoder": "tfidf-svd", "dimensions": 8, "of": "solution"}),)
Numbers = npt.NDArray[np.float64]


class _Covering(Ordering):
    needs = ("embedding",)
    evidence = CHOSEN_BEFORE | {
        "gain": pl.Float64(),
        "last_gain": pl.Float64(),
        "nearest_id": pl.String(),
        "similarity": pl.Float64(),
    }

    seed: int = Field(default=0, ge=0, description="Seed of what is drawn.")

    @abstractmethod
    def choice(
        self, vectors: Matrix, drawn: Numbers, given: Rows, engine: Engine
    ) -> tuple[Gains, _Choice]:
        """First bounds of the gains, and what computes gains; ``given`` is chosen already.

        ``drawn`` is a number in [0, 1) for each vector.
        """

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:  # noqa: ARG002 - as it stands
        return [pl.col("embedding")]

    def reason(self) -> pl.Expr:
        covered = pl.col("nearest_id").is_not_null()
        return pl.when(covered).then(pl.lit("covered")).otherwise(pl.lit("no_embedding"))

    def line(self, keys: pl.DataFrame, engine: Engine, limits: Sequence[Limits]) -> Line:
        from threadpoolctl import threadpool_limits

        # Threads would add up in an order of their own, and the last bits decide between rows.
        with threadpool_limits(1):
            return self._line(keys, engine, limits)

    def _line(self, keys: pl.DataFrame, engine: Engine, limits: Sequence[Limits]) -> Line:
        able, vectors = self._able(keys, engine)
        first = np.flatnonzero(keys.get_column("preselected").to_numpy())
        n = self.n if limits else self.n + AHEAD
        allowance = self.allowance(limits, np.union1d(able, first), keys.height, n)
        chosen: list[int] = [row for row in first.tolist() if allowance.take(row)]
        gains: list[float | None] = [None] * len(chosen)
        at = np.full(keys.height, -1)
        at[able] = np.arange(len(able))
        given = at[np.array(chosen, dtype=np.intp)]
        drawn = numbers_by_id(keys, self.seed, self.stage_name())[able]
        for row, gain in self._greedily(vectors, drawn, given[given >= 0], able, allowance, engine):
            chosen.append(int(able[row]))
            gains.append(None if gain > BEYOND else gain)
            engine.progress(len(chosen), max(n, len(chosen)))
        every = np.array(chosen, dtype=np.intp)
        places, ahead = every[: self.n], every[self.n :]
        centres = places[at[places] >= 0]
        nearest, similarity = _nearest(vectors, at[centres])
        others = np.setdiff1d(able, every)
        others = others[np.argsort(similarity[at[others]], kind="stable")]
        explained = self._explained(keys, able, places, centres[nearest], similarity)
        added = np.full(keys.height, np.nan)
        added[every] = [np.nan if g is None else g for g in gains]
        explained = explained.with_columns(pl.Series("gain", added, nan_to_null=True))
        return Line(explained, places, ahead, np.concatenate([ahead, others]))

    def _able(self, keys: pl.DataFrame, engine: Engine) -> tuple[Rows, Matrix]:
        """Key rows with a vector, and these vectors at length 1."""
        there = np.flatnonzero(keys.get_column("embedding").is_not_null().to_numpy())
        try:
            vectors = stored_vectors(keys.get_column("embedding").gather(there), engine)
        except StageError as error:
            raise StageError(f"stage {self.label}: {error}") from error
        lengths = np.linalg.norm(vectors, axis=1)
        if not lengths.all():
            there, vectors, lengths = there[lengths > 0], vectors[lengths > 0], lengths[lengths > 0]
        vectors /= lengths[:, None]
        return there, vectors

    def _greedily(
        self,
        vectors: Matrix,
        drawn: Numbers,
        given: Rows,
        able: Rows,
        allowance: Allowance,
        engine: Engine,
    ) -> Iterator[tuple[int, float]]:
        if not len(vectors) or allowance.full:
            return
        bounds, choice = self.choice(vectors, drawn, given, engine)
        bounds[given] = -np.inf
        for row, gain in greedily(
            bounds,
            choice.gains,
            lambda row: allowance.take(int(able[row])),
            lambda rows: allowance.closed(able[rows]),
        ):
            yield row, gain
            if allowance.full:
                return
            choice.add(row)

    def _explained(
        self,
        keys: pl.DataFrame,
        able: Rows,
        chosen: Rows,
        nearest: Rows,
        similarity: Numbers,
    ) -> pl.DataFrame:
        near = np.full(keys.height, -1)
        near[able] = nearest if len(nearest) else -1
        close = np.full(keys.height, np.nan)
        close[able] = similarity
        # A chosen row is nearest to itself, which says nothing.
        near[chosen] = -1
        close[chosen] = np.nan
        ids = keys.get_column("id")
        known = pl.Series(near).replace(-1, None)
        return keys.with_columns(
            pl.Series("similarity", close, nan_to_null=True).clip(-1, 1),
            ids.gather(known).alias("nearest_id"),
        )

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        return self.with_last(ranked, last_gain="gain")


class _Choice:
    """What a greedy choice knows of the rows chosen so far."""

    def gains(self, rows: Rows) -> Gains:
        """What each row would add now."""
        raise NotImplementedError

    def add(self, row: int) -> None:
        """Counts a row as chosen."""
        raise NotImplementedError


class KeepKCenter(_Covering):
    """Keeps rows that are far apart: each is the one farthest from those chosen before it.

    The greedy algorithm for k-center (Gonzalez 1985; Sener and Savarese 2018): the farthest row
    from the set is at most twice as far as it would be from the best set of that size. Distances
    are 1 minus the cosine. The first row is drawn by the seed, unless rows are preselected. Rare
    and broken questions are far from everything: filter first.
    """

    example: ClassVar = {"n": 5}
    example_after: ClassVar = AFTER
    reasons: ClassVar[Mapping[str, str]] = {
        "covered": (
            "{nearest_id} is chosen and near it, with a cosine of {similarity}; {n} are kept, the "
            "last {last_id}, which was at {last_gain} from those before it."
        ),
        "no_embedding": NO_EMBEDDING,
        **QUOTA_FULL,
    }

    def choice(
        self,
        vectors: Matrix,
        drawn: Numbers,
        given: Rows,
        engine: Engine,  # noqa: ARG002 - quick to begin with
    ) -> tuple[Gains, _Choice]:
        centres = _Centres(vectors, drawn, min(self.n + AHEAD, len(vectors)) + len(given))
        for row in given.tolist():
            centres.add(row)
        return BEYOND + 1.0 - drawn, centres


class _Centres(_Choice):
    def __init__(self, vectors: Matrix, drawn: Numbers, most: int) -> None:
        self._vectors, self._drawn = vectors, drawn
        self._nearest = np.full(len(vectors), -np.inf, np.float32)
        self._seen = np.zeros(len(vectors), np.int64)
        self._centres = np.empty((most, vectors.shape[1]), np.float32)
        self._size = 0

    def gains(self, rows: Rows) -> Gains:
        if self._size == 0:
            return BEYOND + 1.0 - self._drawn[rows]
        start = int(self._seen[rows].min())
        if start < self._size:
            products = self._vectors[rows] @ self._centres[start : self._size].T
            self._nearest[rows] = np.maximum(self._nearest[rows], products.max(axis=1))
            self._seen[rows] = self._size
        return 1.0 - self._nearest[rows].astype(np.float64)

    def add(self, row: int) -> None:
        self._centres[self._size] = self._vectors[row]
        self._size += 1


class KeepFacilityLocation(_Covering):
    """Keeps rows that together are near to all: each adds most to the sum of best cosines.

    Facility location (Lin and Bilmes 2011; as in submodlib and apricot): every row of a population
    counts the cosine to the chosen row nearest to it, 0 where that is negative. The greedy set has
    at least 1 - 1/e of the best sum over that population. The gain is the mean per row.
    """

    example: ClassVar = {"n": 5, "population": 100}
    example_after: ClassVar = AFTER
    reasons: ClassVar[Mapping[str, str]] = {
        "covered": (
            "{nearest_id} is chosen and stands for it, with a cosine of {similarity}; {n} are "
            "kept, the last {last_id}, which added {last_gain} to the mean."
        ),
        "no_embedding": NO_EMBEDDING,
        **QUOTA_FULL,
    }

    population: int = Field(
        default=4_096,
        gt=0,
        le=65_536,
        description="Rows that the set is to stand for: all, or a sample of so many, drawn by the "
        "seed. Time and memory grow with it.",
    )

    def choice(
        self, vectors: Matrix, drawn: Numbers, given: Rows, engine: Engine
    ) -> tuple[Gains, _Choice]:
        sample = np.sort(np.argsort(drawn, kind="stable")[: self.population])
        stands_for = _Population(vectors, vectors[sample])
        for row in given.tolist():
            stands_for.add(row)
        bounds = np.empty(len(vectors))
        for start in range(0, len(vectors), AT_A_TIME):
            rows = np.arange(start, min(start + AT_A_TIME, len(vectors)))
            bounds[rows] = stands_for.gains(rows)
            engine.progress(0, self.n)
        return bounds, stands_for


class _Population(_Choice):
    def __init__(self, vectors: Matrix, population: Matrix) -> None:
        self._vectors = vectors
        self._population = np.ascontiguousarray(population.T)
        self._best = np.zeros(len(population), np.float32)

    def gains(self, rows: Rows) -> Gains:
        more = self._vectors[rows] @ self._population
        more -= self._best
        np.maximum(more, 0, out=more)
        # Rounded to what float32 can tell, so that rows that add nothing are equal.
        means: Gains = np.round(more.mean(axis=1, dtype=np.float64), 9)
        return means

    def add(self, row: int) -> None:
        self._best = np.maximum(self._best, self._vectors[row] @ self._population)


def _nearest(vectors: Matrix, centres: Rows) -> tuple[Rows, Numbers]:
    """For each vector the place in ``centres`` of the nearest one, and the cosine to it."""
    place, best = np.zeros(len(vectors), np.intp), np.zeros(len(vectors))
    if not len(centres):
        return place[:0], best
    chosen = np.ascontiguousarray(vectors[centres].T)
    for start in range(0, len(vectors), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        products = vectors[part] @ chosen
        place[part] = products.argmax(axis=1)
        best[part] = products.max(axis=1)
    return place, best
