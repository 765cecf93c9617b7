"""Draws without replacement from domains, as a lazy sequence that anyone may stop reading.

Each domain has a clock of its own that ticks at rate 1 (a Poisson process, keyed by seed, stage and
domain). The merged ticks are independent draws of a domain, uniform over all of them; the ticks
of an emptied domain go unheard, which leaves the draw uniform over the others. Clocks that run at
other rates give draws weighted by the rates. So domains share no random number: a changed row
disturbs the order within its own domain only.

Within a domain the row that is k-th longest of those left has weight 2^-k. k is the number of
tails before the first head, modulo the number of rows left: summed over all multiples that is the
geometric distribution cut off at the last row. Integers only, nothing to re-rank.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from s1data import digest

DEEPEST: Final = 64
"""No place is beyond this: tails are counted in one 64-bit word (an all-zero one counts 64)."""
HEAD: Final = 2 * DEEPEST
"""Rows of a domain put in order at first; the others are sorted when a draw could reach them."""


def generator(*key: object) -> np.random.PCG64:
    """A stream of random words that depends on the JSON-able ``key`` alone."""
    return np.random.PCG64(int.from_bytes(hashlib.sha256(_text(*key)).digest()[:16]))


def uniforms(texts: Sequence[str], *key: object) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each text, which depends on ``key`` and that text alone."""
    start = hashlib.sha256(_text(*key))
    words = bytearray()
    for text in texts:
        state = start.copy()
        state.update(text.encode())
        words += state.digest()[:8]
    return _fractions(np.frombuffer(bytes(words), dtype="<u8"))


def _fractions(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _text(*key: object) -> bytes:
    return digest.canonical_json(list(key)).encode() + b"\n"


class Draw(NamedTuple):
    """One draw: which row, of which domain, its place among the rows left there, on what terms."""

    row: int
    domain: int
    place: int
    from_mix: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """From ``hand_over`` chosen rows on, domains are drawn in proportion to ``weights``."""

    hand_over: int
    weights: Mapping[int, float]


class Domain:
    """The rows of one domain, the greatest value first, equal values in the order given."""

    __slots__ = (
        "_deep",
        "_gaps",
        "_helping",
        "_left",
        "_rows",
        "_tails",
        "_values",
        "_words",
        "size",
    )

    def __init__(
        self,
        words: np.random.PCG64,
        rows: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        *,
        deep: bool,
    ) -> None:
        """``deep`` draws place k with weight 2^-k; else always the first of those left."""
        self.size = len(rows)
        self._words, self._rows, self._values, self._deep = words, rows, values, deep
        self._helping = 32
        self._gaps: list[float] = []
        self._tails: list[int] = []
        self._left: list[int] = []
        """Rows in order so far, the first of them last, so that a draw pops near the end."""
        if self.size <= HEAD:
            self._left = self._ordered(np.arange(self.size))
        else:
            # Every row that ties with the last of the head is in it: ties are then cut nowhere.
            floor = np.partition(values, self.size - HEAD)[self.size - HEAD]
            self._left = self._ordered(np.flatnonzero(values >= floor))

    def _ordered(self, places: npt.NDArray[np.intp]) -> list[int]:
        order = np.argsort(-self._values[places], kind="stable")[::-1]
        ordered: list[int] = self._rows[places[order]].tolist()
        return ordered

    def gap(self) -> float:
        """Time until this domain's next tick, from its last one."""
        if not self._gaps:
            self._more_words()
        return self._gaps.pop()

    def draw(self) -> tuple[int, int]:
        """Takes a row out: the row and its place among those that were left."""
        place = self._tails.pop() % self.size if self._deep else 0
        if place >= len(self._left):
            everything = self._ordered(np.arange(len(self._rows)))
            self._left = everything[: self.size - len(self._left)] + self._left
        self.size -= 1
        return self._left.pop(-1 - place), place

    def _more_words(self) -> None:
        # Two words a draw, whatever the size of a helping: the n-th draw always sees the same two.
        words = self._words.random_raw(2 * self._helping)
        self._helping = min(2 * self._helping, 4096)
        lowest = words[::2] & (~words[::2] + np.uint64(1))
        self._tails = np.bitwise_count(lowest - np.uint64(1))[::-1].tolist()
        self._gaps = (-np.log1p(-_fractions(words[1::2])))[::-1].tolist()


def draws(
    domains: Sequence[Domain],
    preselected: npt.NDArray[np.bool_],
    rates: Rates | None = None,
) -> Iterator[Draw]:
    """Draws until every domain is empty.

    ``preselected`` tells for each row whether it is chosen beforehand: it stays in the draw, but
    drawing it does not raise the number chosen. When all domains that ``rates`` names are empty,
    the draw goes on uniformly over the others.
    """
    chosen = int(preselected.sum())
    is_preselected = preselected.tobytes()
    speed = [1.0] * len(domains)
    clocks = [(domain.gap(), i) for i, domain in enumerate(domains) if domain.size]
    heapq.heapify(clocks)
    stopped: list[tuple[float, int]] = []
    now, from_mix = 0.0, False
    while True:
        if rates is not None and chosen >= rates.hand_over:
            # The past of a Poisson process says nothing of its future: what is left of each wait
            # is a fresh wait, so it may run at another rate, or later.
            stopped = [clock for clock in clocks if clock[1] not in rates.weights]
            for i, weight in rates.weights.items():
                speed[i] = weight
            clocks = [((t - now) / speed[i], i) for t, i in clocks if i in rates.weights]
            heapq.heapify(clocks)
            heapq.heapify(stopped)
            from_mix, rates = True, None
        if not clocks:
            if not stopped:
                return
            clocks, stopped, from_mix = stopped, [], False
        now, i = clocks[0]
        domain = domains[i]
        row, place = domain.draw()
        if domain.size:
            heapq.heapreplace(clocks, (now + domain.gap() / speed[i], i))
        else:
            heapq.heappop(clocks)
        chosen += 1 - is_preselected[row]
        yield Draw(row, i, place, from_mix)
