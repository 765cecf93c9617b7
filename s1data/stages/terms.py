"""Names for groups of questions: the words that tell one group from the others.

Class-based TF-IDF (Grootendorst 2022, BERTopic): a word's share among the words of the group, times
ln(1 + A / f), where f counts the word over all groups and A is the mean count of words in a group.
A word counts once per question, so that one long question cannot name a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

AT_A_TIME: Final = 8_192
"""Questions cut into words at once: bounds the exploded words."""
LONGEST_WORD: Final = 24
"""Longer runs of letters are clauses of a script without spaces, or noise."""
WITHOUT_WORDS: Final = "no-words"

QUESTION_WORDS: Final = frozenset(
    [
        "answer",
        "did",
        "does",
        "following",
        "given",
        "let",
        "question",
        "questions",
        "use",
        "used",
        "using",
    ]
)
"""What questions of every kind are put in; the rest of the stop words are scikit-learn's."""

_COMMAND: Final = r"\\[a-z]+|\[/?asy\]"
_WORD: Final = r"\p{L}{3,}"


def telling(texts: pl.DataFrame, terms: int) -> dict[int, tuple[str, ...]]:
    """The most telling words of each group, best first; equal scores by the alphabet.

    ``texts`` has ``group`` and ``text``. Words are lower-case, of 3 to 24 letters, neither LaTeX
    commands nor English stop words; a group has fewer than ``terms`` if it has no more.
    """
    counts = (
        pl.concat(list(_counted(texts)))
        .group_by("group", "word")
        .agg(pl.col("questions").sum())
        .filter(
            ~pl.col("word").is_in(_stop_words()), pl.col("word").str.len_chars() <= LONGEST_WORD
        )
    )
    mean = counts.get_column("questions").sum() / max(texts.get_column("group").n_unique(), 1)
    best = (
        counts.with_columns(
            share=pl.col("questions") / pl.col("questions").sum().over("group"),
            everywhere=pl.col("questions").sum().over("word"),
        )
        .with_columns(score=pl.col("share") * (1 + mean / pl.col("everywhere")).log())
        .sort(["group", "score", "word"], descending=[False, True, False])
        .group_by("group", maintain_order=True)
        .agg(pl.col("word").head(terms))
    )
    found = {group: tuple(words) for group, words in best.iter_rows()}
    return {group: found.get(group, ()) for group in texts.get_column("group").unique().to_list()}


def names(terms: Sequence[Sequence[str]]) -> Iterator[str]:
    """A name for each group in order: its words joined by hyphens, numbered from the second on."""
    used: dict[str, int] = {}
    for words in terms:
        name = "-".join(words) or WITHOUT_WORDS
        used[name] = used.get(name, 0) + 1
        yield name if used[name] == 1 else f"{name}-{used[name]}"


def _counted(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    words = pl.col("text").str.to_lowercase().str.replace_all(_COMMAND, " ").str.extract_all(_WORD)
    for start in range(0, max(texts.height, 1), AT_A_TIME):
        yield (
            texts.slice(start, AT_A_TIME)
            .select("group", word=words.list.unique())
            .explode("word", empty_as_null=False)
            .group_by("group", "word")
            .agg(questions=pl.len().cast(pl.Int64))
        )


def _stop_words() -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return sorted(ENGLISH_STOP_WORDS | QUESTION_WORDS)
