"""Shingles: a text as the set of its runs of n tokens, and how much two such sets share.

A token is a run of letters and digits, or one other visible character, so that a change inside a
formula costs as much as one in a sentence. A shingle is a 64-bit number made from its tokens;
a text of fewer than n tokens is one shingle. Everything is a column: no loop looks at a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import numpy.typing as npt

    Hashes: TypeAlias = npt.NDArray[np.uint64]
    Places: TypeAlias = npt.NDArray[np.int64]

PIECE: Final = r"[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]"
NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
LITTLE_WORDS: Final = (
    "a", "an", "the", "of", "to", "in", "on", "is", "are", "was", "be", "and", "that", "this",
    "for", "by", "with", "as", "at", "it", "its", "s", "then", "more", "asy", "frac",
)  # fmt: skip
"""Words that may come and go without another question being asked; no negation, no variable."""
ODD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
PAIRS_AT_A_TIME: Final = 200_000
"""Pairs whose sets are held at once: some 200 MB at 60 shingles a text."""


def shingles(texts: pl.Series, n: int) -> pl.Series:
    """List(UInt64): the distinct shingles of each text, in rising order; none where it is null."""
    tokens = texts.fill_null("").str.extract_all(PIECE)
    lengths = tokens.list.len().to_numpy().astype(np.int64)
    # Short texts are filled up, so that each has a shingle; an empty one has n times nothing.
    short = np.maximum(n - lengths, 0)
    flat = tokens.explode(empty_as_null=False).hash(seed=0).to_numpy()
    padded = lengths + short
    ends = np.cumsum(padded)
    of_text = np.repeat(np.arange(len(lengths)), padded)
    words = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint64)
    place = np.arange(len(words)) - np.repeat(ends - padded, padded)
    words[place < lengths[of_text]] = flat
    mixed = np.zeros(max(len(words) - n + 1, 0), np.uint64)
    for offset in range(n):
        mixed = _mix(mixed, words[offset : len(mixed) + offset])
    whole = of_text[: len(mixed)] == of_text[n - 1 : len(mixed) + n - 1]
    counts = padded - n + 1
    lists = pl.DataFrame({"at": of_text[: len(mixed)][whole], "shingle": mixed[whole]})
    found = lists.group_by("at", maintain_order=True).agg("shingle")
    out = found.get_column("shingle").list.unique().list.sort().rename(texts.name)
    return out if len(counts) else pl.Series(texts.name, [], pl.List(pl.UInt64))


def _mix(state: Hashes, more: Hashes) -> Hashes:
    state = (state ^ (state >> np.uint64(29))) * np.uint64(ODD[0]) + more
    return (state ^ (state >> np.uint64(32))) * np.uint64(ODD[1])


def content_words(texts: pl.Series) -> pl.Series:
    """List(UInt64): the words of each text but `LITTLE_WORDS`, each as often as it stands there.

    Case is lost. The second "cat" of a text is another member than its first, so that these lists
    are sets, and two texts with the same words as often have the same set.
    """
    words = texts.fill_null("").str.to_lowercase().str.extract_all(r"\p{L}+")
    frame = words.rename("word").to_frame().with_row_index("at")
    flat = frame.explode("word", empty_as_null=False).filter(~pl.col("word").is_in(LITTLE_WORDS))
    time = pl.int_range(pl.len(), dtype=pl.UInt64).over("at", "word")
    members = flat.select("at", member=pl.col("word").hash(seed=2) ^ (time * ODD[0]))
    lists = members.group_by("at").agg(pl.col("member").sort())
    found = frame.select("at").join(lists, on="at", how="left", maintain_order="left")
    empty = pl.lit([], dtype=pl.List(pl.UInt64))
    return found.select(pl.col("member").fill_null(empty)).to_series().rename(texts.name)


def words_apart(lists: pl.Series, left: Places, right: Places) -> Places:
    """How many members stand in one set of the pair only, for each pair of places."""
    parts = [np.zeros(0, np.int64)]
    for at in range(0, len(left), PAIRS_AT_A_TIME):
        one, other = left[at : at + PAIRS_AT_A_TIME], right[at : at + PAIRS_AT_A_TIME]
        pairs = pl.DataFrame({"one": lists.gather(one), "other": lists.gather(other)})
        apart = pl.col("one").list.set_symmetric_difference("other").list.len().cast(pl.Int64)
        parts.append(pairs.select(apart).to_series().to_numpy())
    return np.concatenate(parts)


def numbers(texts: pl.Series) -> pl.Series:
    """UInt64: a digest of the numbers of each text, whatever their order; null where it is null.

    The numbers of "2 of 10" and "10 of 2" are the same, those of "2 of 10" and "2 of 11" are not.
    """
    found = texts.str.extract_all(NUMBER).list.sort().list.join(" ")
    return found.hash(seed=1).set(texts.is_null(), None)


def jaccard(lists: pl.Series, left: Places, right: Places) -> npt.NDArray[np.float64]:
    """Size of the intersection over size of the union, for each pair of places in ``lists``.

    Exact. Of four ways (sparse matrix, one sort, sets, list columns) polars' lists took least.
    """
    sizes = lists.list.len().cast(pl.Int64).to_numpy()
    parts = [np.zeros(0)]
    for at in range(0, len(left), PAIRS_AT_A_TIME):
        one, other = left[at : at + PAIRS_AT_A_TIME], right[at : at + PAIRS_AT_A_TIME]
        pairs = pl.DataFrame({"one": lists.gather(one), "other": lists.gather(other)})
        both = pairs.select(pl.col("one").list.set_intersection("other").list.len())
        shared = both.to_series().cast(pl.Int64).to_numpy()
        parts.append(shared / np.maximum(sizes[one] + sizes[other] - shared, 1))
    return np.concatenate(parts)
