"""Which texts nearly say what a benchmark item says: candidates by shared shingles, then a ratio.

Texts are compared in a loose form: normalised, lower case, letters and digits only. A shingle is
three words of it in a row. Candidates (`s1data.stages.fuzzy_candidates`) are held against each
other by rapidfuzz, in the window of the text where most of the shared shingles stand. So an item is
found inside a story, a solution or a trace as well, and no pair is looked at for nothing.

Numbers decide: a template with other numbers is another question, however alike it reads.

Short items are found by equality only, but a text may be numbered (``Problem 5.``), end in another
sign, or say more in other sentences: see `bare` and `LooseItems.inside`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from s1data.normalising import NUMBER_WORDS, Normalisation, normalised
from s1data.stages import ngrams

SHINGLE: Final = 3
NOT_A_WORD: Final = r"[^\p{L}\p{N}]+"
LEAST_WORDS: Final = 6
"""Items of fewer words are left to the exact methods: they are like too much."""
MOST_PLACES: Final = 4
"""An item is looked for in so many places of a text."""
SLACK: Final = 1.25
"""A window has so many times the words of its item."""
SPELT: Final[Mapping[str, str]] = {**NUMBER_WORDS, "hundred": "100"}
"""Numbers in words count as the same in digits; "one" is mostly a pronoun, and left out."""

CHARACTER_WORDS: Final = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
"""Scripts without spaces: each character is a word."""
NUMBERING: Final = (
    r"(?i)^(?:(?:problem|question|exercise|example|task)\s*#?\s*(?:[0-9]{1,4}\s*[.:)]|:)\s*"
    r"|\(?[0-9]{1,3}(?:\)\s*|\.\s+))([\p{L}\\])"
)
LAST_SIGNS: Final = r"[\s.?:;,]+$"
"""No exclamation mark: it may be a factorial."""
SHORT_WORDS: Final = 8
"""Items of fewer words have no word 8-gram, and are looked for inside a question as well."""
LEAST_CHARS: Final = 12
SPECIFIC: Final = r"[0-9\\^=+]"
"""A short item without any is mostly a phrase (which of the following is true) and not looked for
inside others."""


def bare(plain: pl.Series) -> pl.Series:
    """The normalised texts without a leading number (``Problem 5.``) and the last full stop."""
    return plain.str.replace(NUMBERING, "$1").str.replace(LAST_SIGNS, "")


def loose(texts: pl.Series, how: Normalisation) -> tuple[pl.Series, pl.Series]:
    """The normalised texts, and their loose form."""
    plain = normalised(texts, how)
    lower = plain.str.to_lowercase()
    lower = lower.str.replace_all(r"\b([0-9]{1,3}),([0-9]{3}),([0-9]{3})\b", "$1$2$3")
    lower = lower.str.replace_all(r"\b([0-9]{1,3}),([0-9]{3})\b", "$1$2")
    if lower.str.contains(CHARACTER_WORDS).any():
        lower = lower.str.replace_all(f"({CHARACTER_WORDS})", " $1 ")
    return plain, lower.str.replace_all(NOT_A_WORD, " ").str.strip_chars(" ")


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
        """``plain``, which is `bare`, and ``at_item`` of every item with something in it."""
        frame = pl.DataFrame(
            {
                "plain": bare(pl.Series(self.plain, dtype=pl.String)),
                "at_item": range(len(self.plain)),
            },
            schema={"plain": pl.String, "at_item": pl.UInt32},
        )
        return frame.filter(pl.col("plain") != "")

    @cached_property
    def _short(self) -> list[str]:
        plain = pl.col("plain")
        few = (plain.str.count_matches(" ") + 1 < SHORT_WORDS) & (
            plain.str.len_chars() >= LEAST_CHARS
        )
        short = self.equal.filter(few & plain.str.contains(SPECIFIC))
        return short.get_column("plain").unique().sort().to_list()

    def inside(self, texts: pl.DataFrame) -> pl.DataFrame:
        """``row``, ``part``, ``equal`` and ``share`` of short items that are sentences of a text.

        ``texts`` has ``row``, ``part`` and ``equal``, the bare text. An item counts where a
        sentence begins and ends with it; ``equal`` is then the item, and ``share`` how much of
        the text's characters it is.
        """
        schema = {"row": pl.UInt32, "part": pl.UInt32, "equal": pl.String, "share": pl.Float64}
        if not self._short:
            return pl.DataFrame(schema=schema)
        some = texts.with_columns(
            item=pl.col("equal").str.extract_many(self._short, overlapping=True).list.unique()
        ).filter(pl.col("item").list.len() > 0)
        lines = [
            (row, part, item, round(len(item) / len(text), 4))
            for row, part, text, held in some.select("row", "part", "equal", "item").iter_rows()
            for item in sorted(held)
            if len(item) < len(text) and _is_sentence(item, text)
        ]
        return pl.DataFrame(lines, schema=schema, orient="row")

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
        """How alike the loose words of a text are to an item, where they are most so."""
        size = int(len(self.words[item]) * SLACK) + 2
        found = (
            self._likeness(window, item) for window in _windows(words, self.shingles[item], size)
        )
        return max(found, key=lambda alike: (alike.numbers_agree, alike.score))

    def _likeness(self, window: Sequence[str], item: int) -> Likeness:
        from rapidfuzz import fuzz

        wanted = self.words[item]
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


def _is_sentence(item: str, text: str) -> bool:
    pattern = rf"(?:^|[.:!?]\s){re.escape(item)}(?:$|[.?](?:$|[\s(]))"
    return re.search(pattern, text) is not None


def _shingles(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)]


def _windows(
    words: Sequence[str], wanted: frozenset[tuple[str, ...]], size: int
) -> Iterator[Sequence[str]]:
    """Runs of ``size`` words, or fewer, in which most of the shingles stand, the first such first.

    Further ones have at least half as many, elsewhere: an item may stand behind its like.
    """
    if len(words) <= size:
        yield words
        return
    places = [at for at, shingle in enumerate(_shingles(words)) if shingle in wanted]
    if not places:
        yield words[:size]
        return
    most = 0
    for _ in range(MOST_PLACES):
        count, first, last = _fullest(places, size)
        most = most or count
        if count * 2 < most:
            return
        # What the item says beside its shared shingles stands around: half of it on each side.
        spare = max(0, size - (last - first)) // 2
        yield words[max(0, first - spare) : last + spare]
        places = [at for at in places if not first <= at < last]
        if not places:
            return


def _fullest(places: Sequence[int], size: int) -> tuple[int, int, int]:
    """How many places fit in a window, and where the first such begins and ends."""
    best = (0, 0, 0)
    low = 0
    for high, place in enumerate(places):
        while places[low] + size < place + SHINGLE:
            low += 1
        best = max(best, (high - low + 1, -places[low], -place))
    return best[0], -best[1], -best[2] + SHINGLE


def _numbers(words: Sequence[str]) -> Counter[str]:
    """The runs of digits, so that 25cm has the number of 25 cm."""
    spelt = (SPELT.get(word, word) for word in words)
    return Counter(number for word in spelt for number in re.findall(r"\d+", word))
