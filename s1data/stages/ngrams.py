"""Word n-grams as s1's specification cuts them, found fast, then to be looked at exactly.

The words of a text are ``text.lower().split()``; an n-gram is n of them in a row. `hashes` gives
every n-gram of many texts a 64-bit hash without making a Python object per word. It is a sieve:
equal n-grams have equal hashes, whatever the batch, but equal hashes may lie, so whoever finds
some compares the words themselves. A `Sieve` keeps the hashes of a reference; `Runs` finds the
longest run of words that a text shares with any of some others.

Lower case and white space are Python's. Bytes can do both where a text is pure ASCII (U+001C to
U+001F are white space there); any other text goes through ``str`` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]

_FOLD: Final = bytes(
    byte if byte > 0x7F else 0x20 if chr(byte).isspace() else ord(chr(byte).lower())
    for byte in range(256)
)
_LOAD: Final = 8
_MASKS: Final = np.array([2 ** (8 * size) - 1 for size in range(_LOAD + 1)], dtype=np.uint64)
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD_TOO: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT: Final = np.uint64(29)
_TABLE_SHIFT: Final = np.uint64(64 - 22)
_CHUNK_CHARS: Final = 1 << 20
# Larger chunks were slower (0.7 s against 0.4 s for 40 MB): touching fresh pages costs the most.


def words(text: str) -> list[str]:
    """The words of a text, as the specification cuts them."""
    return text.lower().split()


def gram(of: Sequence[str], at: int, n: int) -> str:
    """The n-gram that begins at word ``at``; one text per n-gram, as no word holds a space."""
    return " ".join(of[at : at + n])


@dataclass(frozen=True, slots=True)
class Windows:
    """Hashes of all runs of n words of some texts laid end to end."""

    n: int
    first: int
    """Index of the first of these texts among all texts."""
    ends: Ints
    """Words up to the end of each text."""
    hash: Hashes
    """One per run; runs over the end of a text are in it, `places` leaves them out."""

    def places(self, runs: Ints) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """Index of the text and of the first word, for those runs that are within one text.

        Which those are is said for every run.
        """
        text = np.searchsorted(self.ends, runs, side="right")
        inside = runs + self.n <= self.ends[text]
        begins = np.concatenate(([0], self.ends[:-1]))
        return text[inside] + self.first, (runs - begins[text])[inside], inside


def hashes(texts: Sequence[str | None], n: int) -> Iterator[Windows]:
    """The n-gram hashes of texts, some texts at a time; a null has no words."""
    for start, stop in _chunks(texts):
        codes, ends = _word_codes([text or "" for text in texts[start:stop]])
        if len(codes) >= n:
            yield Windows(n, start, ends, _gram_codes(codes, n))


def gram_hashes(texts: Sequence[str | None], n: int) -> tuple[Ints, Hashes]:
    """Index of the text and hash, one line per n-gram."""
    found: list[tuple[Ints, Hashes]] = [(np.empty(0, np.int64), np.empty(0, np.uint64))]
    for part in hashes(texts, n):
        text, _, inside = part.places(np.arange(len(part.hash)))
        found.append((text, part.hash[inside]))
    return np.concatenate([text for text, _ in found]), np.concatenate([h for _, h in found])


class Hits(NamedTuple):
    """N-grams of some texts that may be in a reference, in order of text and place."""

    text: Ints
    """Index of the text."""
    at: Ints
    """Index of the first word."""
    low: Ints
    """Those of the reference that have its hash are ``low`` to ``high`` in order of hash."""
    high: Ints


class Sieve:
    """The n-gram hashes of a reference, for look-up."""

    def __init__(self, values: Hashes, n: int) -> None:
        self._n = n
        self.order = np.argsort(values, kind="stable")
        """Where in ``values`` each hash was, in order of hash."""
        self.values = values[self.order]
        """In ascending order."""
        # A table in the processor's cache turns most hashes away before the binary search.
        self._table = np.zeros(1 << 22, dtype=np.bool_)
        self._table[self.values >> _TABLE_SHIFT] = True

    def hits(self, texts: Sequence[str | None]) -> Iterator[Hits]:
        """Where n-grams begin that may be in the reference; none that is in it is left out."""
        for part in hashes(texts, self._n):
            runs = np.flatnonzero(self._table[part.hash >> _TABLE_SHIFT])
            low = np.searchsorted(self.values, part.hash[runs], side="left")
            high = np.searchsorted(self.values, part.hash[runs], side="right")
            held = low < high
            text, at, inside = part.places(runs[held])
            if len(text):
                yield Hits(text, at, low[held][inside], high[held][inside])


class Runs:
    """A suffix automaton over the words of some texts: built and asked in linear time.

    Linear matters where a text says one word a million times, and so does the benchmark.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        last = 0
        for text in texts:
            for word in text:
                last = self._extend(last, word)
            last = self._extend(last, " ")  # no word holds a space, so no run goes past it

    def _extend(self, last: int, word: str) -> int:
        follow, link, length = self._next, self._link, self._length
        new = self._state({}, 0, length[last] + 1)
        at = last
        while at != -1 and word not in follow[at]:
            follow[at][word] = new
            at = link[at]
        if at == -1:
            return new
        target = follow[at][word]
        if length[target] == length[at] + 1:
            link[new] = target
            return new
        copy = self._state(dict(follow[target]), link[target], length[at] + 1)
        while at != -1 and follow[at].get(word) == target:
            follow[at][word] = copy
            at = link[at]
        link[target] = link[new] = copy
        return new

    def _state(self, follow: dict[str, int], link: int, length: int) -> int:
        self._next.append(follow)
        self._link.append(link)
        self._length.append(length)
        return len(self._link) - 1

    def longest(self, text: Iterable[str]) -> int:
        """Words in the longest run that ``text`` shares with one of the texts."""
        follow, link, length = self._next, self._link, self._length
        at = run = best = 0
        for word in text:
            while at and word not in follow[at]:
                at = link[at]
                run = length[at]
            to = follow[at].get(word)
            if to is not None:
                at, run = to, run + 1
                best = max(best, run)
        return best


def _chunks(texts: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for stop, text in enumerate(texts, 1):
        size += len(text or "")
        if size >= _CHUNK_CHARS or stop == len(texts):
            yield start, stop
            start, size = stop, 0


def _word_codes(texts: Sequence[str]) -> tuple[Hashes, Ints]:
    """A 64-bit code per word of all texts, and the number of words up to the end of each text.

    The code mixes a word's first 8 bytes, and its last 8 if it has more. So longer words that
    differ only in between share one: a sieve may let them through.
    """
    plain = [t.encode() if t.isascii() else " ".join(words(t)).encode() for t in texts]
    pad = b" " * _LOAD
    data = np.frombuffer(b"".join((pad, b" ".join(plain), pad)).translate(_FOLD), dtype=np.uint8)
    inside = data != 0x20
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    begins, stops = edges[0::2], edges[1::2]
    # Eight bytes from every offset, little-endian whatever the machine, as a view.
    loads: npt.NDArray[np.uint64] = np.ndarray(
        (len(data) - _LOAD + 1,), dtype="<u8", buffer=data, strides=(1,)
    )
    size = stops - begins
    codes: Hashes = loads[begins].astype(np.uint64, copy=False)
    codes &= _MASKS[np.minimum(size, _LOAD)]
    codes *= _ODD
    long = np.flatnonzero(size > _LOAD)
    codes[long] ^= loads[stops[long] - _LOAD] * _ODD_TOO
    lengths = np.fromiter((len(p) + 1 for p in plain), dtype=np.int64, count=len(plain))
    return _mixed(codes), np.searchsorted(begins, np.cumsum(lengths) + _LOAD - 1)


def _gram_codes(codes: Hashes, n: int) -> Hashes:
    """Codes of runs of ``n``, from codes of runs half as long."""
    if n == 1:
        return codes
    left = _gram_codes(codes, n - 1 if n % 2 else n // 2)
    step = n - 1 if n % 2 else n // 2
    right = codes if n % 2 else left
    return _mixed(left[: len(codes) - n + 1] * _ODD_TOO + right[step:])


def _mixed(codes: Hashes) -> Hashes:
    codes ^= codes >> _SHIFT
    codes *= _ODD
    return codes
