"""Control, Scaling and Performance of a set of runs (s1 paper, section 3.2), with intervals.

A run is one evaluation at one budget: thinking tokens, accuracy, limits. The paper's equation of
Scaling is linear in tokens, but its Table 3 holds percentage points per doubling of tokens,
averaged over all pairs of runs: that is what the appendix tables give. Both are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log2
from typing import Any, Final, TypeAlias

import numpy as np

from s1data.errors import PoolError

BOOTSTRAP: Final = 10_000
"""Samples of an interval, as many as in the paper's Table 2."""

_Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One evaluation: what one point of a curve is."""

    tokens: float
    """Mean thinking tokens of a question."""
    accuracy: float
    """Percent."""
    least: float = 0.0
    most: float = float("inf")
    """The limits that its thinking tokens were to keep to."""


def control(runs: Sequence[Run]) -> float:
    """Percent of runs whose thinking tokens keep to their limits (equation 1)."""
    _wanted(runs, 1)
    return 100 * sum(run.least <= run.tokens <= run.most for run in runs) / len(runs)


def scaling(runs: Sequence[Run]) -> float:
    """Percentage points per doubling of thinking tokens, the mean over all pairs (Table 3)."""
    return _slopes(runs, lambda low, high: log2(high / low))


def linear_scaling(runs: Sequence[Run]) -> float:
    """Percentage points per 1,000 thinking tokens, the mean over all pairs (equation 2)."""
    return _slopes(runs, lambda low, high: (high - low) / 1000)


def performance(runs: Sequence[Run]) -> float:
    """The best accuracy, in percent (equation 3)."""
    _wanted(runs, 1)
    return max(run.accuracy for run in runs)


def _slopes(runs: Sequence[Run], width: Callable[[float, float], float]) -> float:
    _wanted(runs, 2)
    ordered = sorted(runs, key=lambda run: run.tokens)
    if ordered[0].tokens <= 0:
        raise PoolError(
            "scaling: wanted runs that think, got one of 0 thinking tokens; leave it out"
        )
    # Two runs of equally many tokens have no slope between them.
    pairs = [(a, b) for a, b in combinations(ordered, 2) if a.tokens < b.tokens]
    if not pairs:
        raise PoolError("scaling: wanted runs of different thinking tokens, got the same in all")
    slopes = [(b.accuracy - a.accuracy) / width(a.tokens, b.tokens) for a, b in pairs]
    return sum(slopes) / len(slopes)


def _wanted(runs: Sequence[Run], least: int) -> None:
    if len(runs) < least:
        raise PoolError(f"metrics: wanted {least} runs or more, got {len(runs)}; add budgets")


def interval(right: Sequence[float], *, seed: int = 0, share: float = 0.95) -> tuple[float, float]:
    """Bootstrap interval of the mean of one value a question, in percent (values 0 to 1)."""
    values = np.asarray(right, dtype=float)
    if not values.size:
        raise PoolError("interval: wanted values of questions, got none")
    return _quantiles(_resampled(values, seed), share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two runs over the same questions: by how much the second is better, in points."""

    points: float
    low: float
    high: float
    questions: int

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        """One line that says so where the two cannot be told apart."""
        tail = "" if self.told_apart else ": the two cannot be told apart"
        return (
            f"{self.points:+.1f} points [{self.low:+.1f}, {self.high:+.1f}] "
            f"at n = {self.questions}{tail}"
        )


def difference(
    first: Mapping[str, float], second: Mapping[str, float], *, seed: int = 0
) -> Difference:
    """Paired bootstrap (95%, as in Table 2) over the questions that both have, by id."""
    both = sorted(first.keys() & second.keys())
    if not both:
        raise PoolError("difference: wanted questions that both runs have, got none in common")
    values = np.asarray([second[one] - first[one] for one in both], dtype=float)
    low, high = _quantiles(_resampled(values, seed), 0.95)
    return Difference(points=100 * float(values.mean()), low=low, high=high, questions=len(both))


def _resampled(values: _Floats, seed: int) -> _Floats:
    # One sample at a time keeps memory to the questions, however many samples there are.
    draw = np.random.default_rng(seed)
    size = values.size
    return np.asarray([values[draw.integers(0, size, size)].mean() for _ in range(BOOTSTRAP)])


def _quantiles(means: _Floats, share: float) -> tuple[float, float]:
    tail = (1 - share) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return 100 * float(low), 100 * float(high)
