"""How many replies of which kind a store holds, and what they cost."""

from __future__ import annotations

from typing import Final

import polars as pl

KINDS: Final = ("model", "provider", "origin", "outcome")
TOTALS: Final = ("replies", "prompt_tokens", "thinking_tokens", "answer_tokens", "usd")


def counted(replies: pl.DataFrame) -> pl.DataFrame:
    """One line per model, provider, origin and outcome: `KINDS`, `TOTALS`, first and last.

    ``replies`` is as `ReplyReader.known` has it; ``first`` and ``last`` are times of asking.
    """
    sums = [
        pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()) for name in TOTALS[1:]
    ]  # null where nobody counted
    lines = replies.group_by(KINDS).agg(
        pl.len().cast(pl.Int64).alias("replies"),
        *sums,
        pl.col("asked").min().alias("first"),
        pl.col("asked").max().alias("last"),
    )
    return lines.sort(KINDS)
