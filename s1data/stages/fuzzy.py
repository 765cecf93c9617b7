"""Which texts nearly say what a benchmark item says: candidates by shared shingles, then a ratio.

Texts are compared in a loose form: normalised, lower case, letters and digits only. A shingle is
three words of it in a row. A text and an item are candidates if they share shingles that few rows
of the pool have; only then are they held against each other by rapidfuzz, in the window of the
text where most of the shared shingles stand. So an item is found inside a story, a solution or a
trace as well, and no pair is looked at for nothing.

Numbers decide: a template with other numbers is another question, however alike it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from s1data.normalising import Normalisation, normalised
from s1data.stages import ngrams

SHINGLE: Final = 3
NOT_A_WORD: Final = r"[^\p{L}\p{N}]+"
LEAST_WORDS: Final = 6
"""Items of fewer words are left to the exact methods: they are like too much."""
LEAST_SHARE: Final = 0.15
"""Of the shorter one's shingles, so many must be shared and rare for a pair to be looked at."""
MOST_ITEMS: Final = 8
"""A text is held against so many items, those it shares most with."""
SLACK: Final = 1.25
"""A window has so many times the words of its item."""
NUMBER_WORDS: Final[Mapping[str, str]] = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14",
    "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19",
    "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70",
    "eighty": "80", "ninety": "90", "hundred": "100",
}  # fmt: skip
"""Numbers in words count as the same in digits; "one" is mostly a pronoun, and left out."""


def loose(texts: pl.Series, how: Normalisation) -> tuple[pl.Series, pl.Series]:
    """The normalised texts, and their loose form."""
    plain = normalised(texts, how)
    words = plain.str.to_lowercase().str.replace_all(NOT_A_WORD, " ").str.strip_chars(" ")
    return plain, words


class Likeness(NamedTuple):
    """How alike a text and an item are."""

    score: float
    """0 to 1: the best ratio of characters, in the order of the words or with words sorted."""
    numbers_agree: bool
    """Whether all numbers of the item are in the text, or of a cut text in the item."""
    span: str
    """The words of the text that were compared."""


class LooseItems:
    """The items in loose form, with their shingles."""

    def __init__(self, questions: pl.Series, how: Normalisation) -> None:
        self.how = how
        plain, words = loose(questions, how)
        self.plain: list[str] = plain.to_list()
        self.words: list[list[str]] = [text.split() for text in words.to_list()]
        enough = [
            text if len(own) >= LEAST_WORDS else None
            for text, own in zip(words.to_list(), self.words, strict=True)
        ]
        holder, values = ngrams.gram_hashes(enough, SHINGLE)
        self._values, place = np.unique(values, return_inverse=True)
        self.sieve = ngrams.Sieve(self._values, SHINGLE)
        self.holders = pl.DataFrame(
            {"shingle": place.astype(np.uint32), "at_item": holder.astype(np.uint32)}
        ).unique(maintain_order=True)

    @cached_property
    def shingles(self) -> list[frozenset[tuple[str, ...]]]:
        """The shingles of each item."""
        return [frozenset(_shingles(words)) for words in self.words]

    @cached_property
    def equal(self) -> pl.DataFrame:
        """``plain`` and ``at_item`` of every item with something in it."""
        frame = pl.DataFrame(
            {"plain": self.plain, "at_item": range(len(self.plain))},
            schema={"plain": pl.String, "at_item": pl.UInt32},
        )
        return frame.filter(pl.col("plain") != "")

    def looks(self, words: pl.Series) -> tuple[ngrams.Ints, ngrams.Ints]:
        """Index of the text and shingle (by number), each pair once."""
        found: list[tuple[ngrams.Ints, ngrams.Ints]] = [
            (hits.text, hits.low) for hits in self.sieve.hits(words.to_list())
        ]
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        text = np.concatenate([pair[0] for pair in found])
        shingle = np.concatenate([pair[1] for pair in found])
        both = np.unique((text << 32) | shingle)
        return both >> 32, both & 0xFFFFFFFF

    def likeness(self, words: Sequence[str], item: int) -> Likeness:
        """How alike the loose words of a text are to an item."""
        from rapidfuzz import fuzz

        wanted = self.words[item]
        window = _window(words, self.shingles[item], int(len(wanted) * SLACK) + 2)
        one, two = " ".join(wanted), " ".join(window)
        if len(window) * 1.25 < len(wanted):  # a cut text: the part of the item that it has
            score = fuzz.partial_ratio(two, one) if len(window) * 2 >= len(wanted) else 0.0
            agree = not _numbers(window) - _numbers(wanted)
        else:
            score = max(fuzz.ratio(one, two), fuzz.token_sort_ratio(one, two))
            if len(window) > len(wanted):
                score = max(score, fuzz.partial_ratio(one, two))
            agree = not _numbers(wanted) - _numbers(window)
        return Likeness(round(score / 100, 4), agree, two)


def candidates(looks: pl.DataFrame, items: LooseItems, common_rows: int) -> pl.DataFrame:
    """Pairs to look at, from lines of text and shingle.

    ``looks`` has ``row``, ``part`` and ``shingle``, each once, and ``shingles``: how many the text
    has in all. Gives ``row``, ``part`` and ``at_item``.
    """
    rows_of = looks.group_by("shingle").agg(rows=pl.col("row").n_unique())
    rare = rows_of.filter(pl.col("rows") <= common_rows).select("shingle")
    own = items.holders.group_by("at_item").agg(own=pl.len())
    pairs = (
        looks.join(rare, on="shingle", how="semi")
        .join(items.holders, on="shingle")
        .group_by("row", "part", "at_item")
        .agg(shared=pl.len(), all=pl.col("shingles").first())
        .join(own, on="at_item")
        .filter(pl.col("shared") >= LEAST_SHARE * pl.min_horizontal("own", "all"))
        .sort("row", "part", -pl.col("shared").cast(pl.Int64), "at_item")
    )
    return (
        pairs.group_by("row", "part", maintain_order=True)
        .head(MOST_ITEMS)
        .select("row", "part", "at_item")
    )


def _shingles(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)]


def _window(words: Sequence[str], wanted: frozenset[tuple[str, ...]], size: int) -> Sequence[str]:
    """The ``size`` words, or fewer, in which most of the shingles stand; the first such."""
    if len(words) <= size:
        return words
    places = [at for at, shingle in enumerate(_shingles(words)) if shingle in wanted]
    if not places:
        return words[:size]
    best = (0, 0, 0)
    low = 0
    for high, place in enumerate(places):
        while places[low] + size < place + SHINGLE:
            low += 1
        best = max(best, (high - low + 1, -places[low], -place))
    first, last = -best[1], -best[2] + SHINGLE
    # What the item says beside its shared shingles stands around them: half of it on each side.
    spare = max(0, size - (last - first)) // 2
    return words[max(0, first - spare) : last + spare]


def _numbers(words: Sequence[str]) -> Counter[str]:
    spelt = (NUMBER_WORDS.get(word, word) for word in words)
    return Counter(word for word in spelt if any(sign.isdigit() for sign in word))
