"""The question pool: a polars frame with one row per question.

``id`` names a question by its text, ``row`` by its place over all sources in order. Every column
that a source or a stage may put into the pool has one name and one dtype, listed here and nowhere
else; columns of the user's own are taken by name in a source's ``columns`` and keep their dtype.
"""

from __future__ import annotations

import hashlib
from typing import Final

import polars as pl

ATTEMPT: Final = pl.Struct(
    {
        "solver": pl.String,
        "sample": pl.UInt32,
        "reply_key": pl.String,
        "finish": pl.String,
        "tokens": pl.UInt32,
        "extracted": pl.String,
        "verdict": pl.Boolean,
        "method": pl.String,
    }
)
"""One attempt of a solver at a question; its text is elsewhere, under ``reply_key``.

``verdict`` is True (right), False (wrong) or null (nobody judged it); ``method`` says who did.
"""

SOURCE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "question": pl.String(),
    "solution": pl.String(),
    "answer": pl.String(),
    "source_type": pl.String(),
    "cot_type": pl.String(),
    "metadata": pl.String(),
    "licence": pl.String(),
}
"""What a source may bring under a canonical name, taken without being named in ``columns``."""

PLACE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "row": pl.UInt32(),
    "id": pl.String(),
    "source": pl.String(),
    "priority": pl.Int32(),
}
"""What the reading itself adds: place, id, source name and priority (lower is preferred)."""

STAGE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "attempts": pl.List(ATTEMPT),
    "embedding": pl.String(),
    "template_group": pl.String(),
    "template_group_size": pl.UInt32(),
    "domain": pl.String(),
    "domain_score": pl.Float64(),
}
"""What stages add. ``embedding`` is the key of a vector in the embedding cache, not the vector."""

COLUMNS: Final[dict[str, pl.DataType]] = PLACE_COLUMNS | SOURCE_COLUMNS | STAGE_COLUMNS


def question_id(question: str) -> str:
    """First 16 hex digits of the sha256 of the UTF-8 question (s1's question hash)."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def question_ids(questions: pl.Series) -> pl.Series:
    """`question_id` of every value of a String series; null where the question is null."""
    sha256 = hashlib.sha256
    return pl.Series(
        "id",
        [None if q is None else sha256(q.encode()).hexdigest()[:16] for q in questions.to_list()],
        dtype=pl.String,
    )
