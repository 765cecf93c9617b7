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

TRACE: Final = pl.Struct(
    {
        "teacher": pl.String,
        "sample": pl.UInt32,
        "reply_key": pl.String,
        "trace_kind": pl.String,
        "finish": pl.String,
        "thinking_tokens": pl.UInt32,
        "answer_tokens": pl.UInt32,
        "verdict": pl.Boolean,
        "method": pl.String,
    }
)
"""One reasoning trace of a teacher; its text is elsewhere, under ``reply_key``.

``trace_kind`` is raw, summary or none, null where nobody said; ``verdict`` and ``method`` are as in
`ATTEMPT`.
"""

PASS_RATE: Final = pl.Struct(
    {
        "solver": pl.String,
        "successes": pl.UInt32,
        "attempts": pl.UInt32,
        "uncounted": pl.UInt32,
        "stopping": pl.String,
        "posterior_mean": pl.Float64,
        "posterior_low": pl.Float64,
        "posterior_high": pl.Float64,
    }
)
"""How often a solver is right: ``successes`` of ``attempts`` counted; see `add_pass_rates`."""

CONSENSUS: Final = pl.Struct(
    {
        "answer": pl.String,
        "votes": pl.UInt32,
        "voters": pl.UInt32,
        "families": pl.List(pl.String),
        "pseudo_label": pl.Boolean,
    }
)
"""The final answer most solvers agree on; ``pseudo_label`` is true where it stands in for gold."""

DOUBTFUL_GOLD: Final = pl.Struct(
    {
        "status": pl.String,
        "answer": pl.String,
        "votes": pl.UInt32,
        "voters": pl.UInt32,
        "families": pl.List(pl.String),
    }
)
"""``status`` is doubtful or wrong; null where no solvers agree against the reference answer."""

QUESTION_FLAW: Final = pl.Struct({"flaw": pl.String, "found": pl.String})
"""One thing that makes a question unusable, and the words that show it."""

TRACE_FLAW: Final = pl.Struct(
    {"teacher": pl.String, "sample": pl.UInt32, "flaw": pl.String, "found": pl.String}
)
"""One thing wrong with the trace (teacher, sample) of the same row, and what shows it."""

BENCHMARK_HIT: Final = pl.Struct(
    {
        "benchmark": pl.String,
        "item": pl.UInt32,
        "method": pl.String,
        "column": pl.String,
        "score": pl.Float64,
        "allowed": pl.String,
    }
)
"""A benchmark item that a row matches, and the reason for which it may stay."""

CONTAMINATION: Final = pl.Struct(
    {
        "benchmark": pl.String,
        "item": pl.UInt32,
        "item_id": pl.String,
        "method": pl.String,
        "column": pl.String,
        "span": pl.String,
        "score": pl.Float64,
        "run": pl.UInt32,
        "pool_rows": pl.UInt32,
    }
)
"""A benchmark item that a row resembles, and the evidence of the method that says so."""

SCORE: Final = pl.Struct(
    {
        "model": pl.String,
        "teacher": pl.String,
        "sample": pl.UInt32,
        "tokens": pl.UInt32,
        "logprob": pl.Float64,
        "perplexity": pl.Float64,
        "lalp": pl.Float64,
        "steps": pl.UInt32,
        "ifd": pl.Float64,
        "outcome": pl.String,
    }
)
"""What a model gives one text: of a trace (teacher, sample), or of a column (both null).

``tokens`` of the text and the mean ``logprob`` (natural logarithm) of them after the question;
``perplexity`` is exp(-logprob); ``lalp`` over ``steps`` steps, ``ifd``: see `add_score`.
``outcome`` is ok, or why a number is missing: no_text, or the class of the first request that gave
none.
"""

SELECTION: Final = pl.Struct(
    {
        "place": pl.UInt32,
        "reserve": pl.Boolean,
        "wanted": pl.UInt32,
        "groups": pl.List(pl.Struct({"group": pl.String, "least": pl.UInt32, "most": pl.UInt32})),
    }
)
"""Where a row stands in the order of a selector with a reserve; see `Selector.reserve`.

``place`` is from 1: first those chosen, by rank, then the reserve, in the order in which it steps
in. ``wanted`` is how many were chosen. ``groups`` are those of the quotas that the row is of,
with the least and the most rows of each (null: no bound).
"""

FILLING: Final = pl.Struct({"accepted": pl.Boolean, "why_not": pl.List(pl.String)})
"""Whether a trace of the row was accepted, null where that is open; else what each lacks."""

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
    "traces": pl.List(TRACE),
    "pass_rates": pl.List(PASS_RATE),
    "consensus": CONSENSUS,
    "doubtful_gold": DOUBTFUL_GOLD,
    "question_flaws": pl.List(QUESTION_FLAW),
    "trace_flaws": pl.List(TRACE_FLAW),
    "scores": pl.List(SCORE),
    "selection": SELECTION,
    "filling": FILLING,
    "embedding": pl.String(),
    "template_group": pl.String(),
    "template_group_size": pl.UInt32(),
    "domain": pl.String(),
    "domain_score": pl.Float64(),
    "contamination": pl.List(CONTAMINATION),
    "benchmark_hits": pl.List(BENCHMARK_HIT),
}
"""What stages add. ``embedding`` is the key of a vector in the embedding cache, not the vector."""

OF_TRACES: Final = ("trace_flaws", "scores")
"""Columns whose lines name a trace (teacher, sample) of the same row, and leave with it."""

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
