"""Which texts share a run of n words with items of a reference, with which first, and how long.

Hashes say where to look (`s1data.stages.ngrams`), and say so for a whole batch at once: the lowest
item that each text seems to share an n-gram with, and the longest stretch of n-grams that seem to
be in the reference. Then the words are compared. Nearly always that is one look at each; only what
does not hold is gone through in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from s1data.stages import ngrams

_PLACE_BITS: Final = 32
MOST_OTHERS: Final = 63


class Match(NamedTuple):
    """A text that shares an n-gram with the reference."""

    text: int
    """Its index."""
    item: int
    """The lowest item that has one of its n-grams."""
    at: int
    """The word at which its first n-gram of that item begins."""
    run: int
    """Words in the longest run that it shares with any item."""
    others: tuple[tuple[int, int], ...] = ()
    """Further items that have one of its n-grams, at most `MOST_OTHERS`: item and word."""


class _Looks(NamedTuple):
    """What the hashes say of one text: an item and word to try, a stretch, and all its hits."""

    text: int
    item: int
    at: int
    stretch: int
    stretch_at: int
    hits: ngrams.Hits


class Reference:
    """Items, found by the hashes of their n-grams."""

    def __init__(self, items: Sequence[str], n: int, only: ngrams.Hashes | None = None) -> None:
        self._n = n
        self._items = items
        holder, values = ngrams.gram_hashes(items, n)
        if only is not None:
            wanted = np.isin(values, only)
            holder, values = holder[wanted], values[wanted]
        self._sieve = ngrams.Sieve(values, n)
        self._holders = holder[self._sieve.order]  # by hash; the lowest item of each is first
        self._spelt: dict[int, str] = {}

    def matches(self, texts: Sequence[str | None]) -> list[Match]:
        """The texts that share an n-gram with an item, in order."""
        found: list[Match] = []
        unsure: list[tuple[int, list[str]]] = []
        near: set[int] = set()
        for looks in self._looks(texts):
            words = ngrams.words(texts[looks.text] or "")
            first = self._first(words, looks)
            if first is None:
                continue
            run = looks.stretch + self._n - 1
            if not self._holds(first[0], ngrams.gram(words, looks.stretch_at, run)):
                unsure.append((len(found), words))
                near |= self._near(looks.hits)
            found.append(
                Match(looks.text, *first, run, tuple(self._others(words, looks, first[0])))
            )
        runs = ngrams.Runs(ngrams.words(self._items[item]) for item in sorted(near))
        for place, words in unsure:
            found[place] = found[place]._replace(run=runs.longest(words))
        return found

    def _looks(self, texts: Sequence[str | None]) -> Iterator[_Looks]:
        for hits in self._sieve.hits(texts):
            place = np.arange(len(hits.text))
            new_text = np.diff(hits.text, prepend=-1) != 0
            new_stretch = new_text | (np.diff(hits.at, prepend=-1) != 1)
            length = place - np.maximum.accumulate(np.where(new_stretch, place, 0)) + 1
            cuts = np.flatnonzero(new_text)
            # Two numbers in one, so that the least or greatest of the first brings its second.
            first = (self._holders[hits.low] << _PLACE_BITS) | hits.at
            longest = (length << _PLACE_BITS) | hits.at
            for start, stop, text, low, high in zip(
                cuts.tolist(),
                [*cuts[1:].tolist(), len(place)],
                hits.text[cuts].tolist(),
                np.minimum.reduceat(first, cuts).tolist(),
                np.maximum.reduceat(longest, cuts).tolist(),
                strict=True,
            ):
                item, at = divmod(low, 1 << _PLACE_BITS)
                stretch, last = divmod(high, 1 << _PLACE_BITS)
                own = ngrams.Hits(*(column[start:stop] for column in hits))
                yield _Looks(text, item, at, stretch, last - stretch + 1, own)

    def hashes_in(self, texts: Sequence[str | None]) -> tuple[ngrams.Ints, ngrams.Hashes]:
        """Text and hash of the n-grams that may be in the reference, in no order, repeats too."""
        values = self._sieve.values
        parts = [(hits.text, values[hits.low]) for hits in self._sieve.hits(texts)]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.uint64)
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _others(self, words: Sequence[str], looks: _Looks, first: int) -> Iterator[tuple[int, int]]:
        seen, ranges = {first}, set()
        for at, low, high in zip(*(column.tolist() for column in looks.hits[1:]), strict=True):
            if (low, high) in ranges:
                continue
            ranges.add((low, high))
            new = [i for i in dict.fromkeys(self._holders[low:high].tolist()) if i not in seen]
            if not new:
                continue
            gram = ngrams.gram(words, at, self._n)
            for item in new:
                if len(seen) > MOST_OTHERS:
                    return
                if self._holds(item, gram):
                    seen.add(item)
                    yield item, at

    def _holds(self, item: int, run: str) -> bool:
        if item not in self._spelt:
            self._spelt[item] = f" {' '.join(ngrams.words(self._items[item]))} "
        return f" {run} " in self._spelt[item]

    def _first(self, words: Sequence[str], looks: _Looks) -> tuple[int, int] | None:
        if self._holds(looks.item, ngrams.gram(words, looks.at, self._n)):
            return looks.item, looks.at
        best: tuple[int, int] | None = None
        tried: set[str] = set()
        for at, low, high in zip(*(column.tolist() for column in looks.hits[1:]), strict=True):
            gram = ngrams.gram(words, at, self._n)
            if gram in tried:
                continue
            tried.add(gram)
            for item in self._holders[low:high].tolist():
                if best is not None and item >= best[0]:
                    break
                if self._holds(item, gram):
                    best = (item, at)
                    break
        return best

    def _near(self, hits: ngrams.Hits) -> set[int]:
        """Items of all the hits; a text of one word a million times has few different ones."""
        ranges = set(zip(hits.low.tolist(), hits.high.tolist(), strict=True))
        return {item for low, high in ranges for item in self._holders[low:high].tolist()}
