"""The section of a card on what is in the set: sources, domains, lengths, difficulty, pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from s1data.card.facts import Facts
from s1data.card.text import code, inline, table

PICTURES: Final = {
    "domains": "Domains before and after",
    "sources": "Sources before and after",
    "question_chars": "Lengths of questions before and after",
    "solution_chars": "Lengths of solutions before and after",
    "trace_tokens": "Tokens of thinking before and after",
    "trace_chars": "Characters of thinking before and after",
    "difficulty": "Attempts of solvers before and after",
    "map": "Questions by likeness, the chosen ones larger",
}
MOST_LINES = 25
"""Lines of a table of domains or reasons; the rest is said in one line."""


def section(facts: Facts) -> Iterator[str]:
    """Markdown, a line at a time."""
    yield "## What is in it\n"
    chosen = facts.selected
    yield table(("source", "rows"), ((inline(n), r) for n, r in _counted(chosen["source"])))
    if "domain" in chosen.columns:
        counts = _counted(chosen["domain"])
        yield f"\n{len(counts)} domains:\n"
        yield table(("domain", "rows"), ((inline(n), r) for n, r in counts[:MOST_LINES]))
        yield from rest(counts, "domains")
    lengths = dict(_lengths(facts))
    if lengths:
        yield "\nLengths:\n"
        head = ("", "shortest", "median", "90%", "longest")
        yield table(head, ((name, *numbers) for name, numbers in lengths.items()))
    yield from _difficulty(chosen)
    yield from _pictures(facts)
    yield from _examples(chosen)


def _pictures(facts: Facts) -> Iterator[str]:
    there = facts.manifest["published"]["files"]
    shown = [f"![{t}](figures/{n}.svg)" for n, t in PICTURES.items() if f"figures/{n}.svg" in there]
    if shown:
        yield "\nBefore and after:\n"
        yield "\n\n".join(shown)


def _lengths(facts: Facts) -> Iterator[tuple[str, tuple[int, ...]]]:
    columns = {"characters of the question": facts.selected["question"].str.len_chars()}
    if (traces := facts.traces) is not None:
        columns["tokens of thinking"] = traces["thinking_tokens"]
        if facts.thinking_chars is not None and traces["thinking_tokens"].null_count():
            columns["characters of thinking"] = facts.thinking_chars
        columns["tokens of the answer"] = traces["answer_tokens"]
    for name, values in columns.items():
        known = values.drop_nulls()
        if len(known):
            at = [known.quantile(q, "nearest") for q in (0, 0.5, 0.9, 1)]
            yield name, tuple(int(v or 0) for v in at)


def _difficulty(chosen: pl.DataFrame) -> Iterator[str]:
    if "attempts" in chosen.columns:
        each = chosen.select(pl.col("attempts").explode()).drop_nulls().unnest("attempts")
        if each.height:
            right = each.group_by("solver").agg(
                attempts=pl.len().cast(pl.Int64),
                right=pl.col("verdict").eq(other=True).sum().cast(pl.Int64),
                wrong=pl.col("verdict").eq(other=False).sum().cast(pl.Int64),
                undecided=pl.col("verdict").is_null().sum().cast(pl.Int64),
            )
            yield "\nDifficulty: attempts of solvers at the chosen questions\n"
            rows = [(inline(n), *r) for n, *r in right.sort("solver").iter_rows()]
            yield table(("solver", "attempts", "right", "wrong", "undecided"), rows)


def _examples(chosen: pl.DataFrame) -> Iterator[str]:
    if "question" in chosen.columns and chosen.height:
        yield "\nThe first three:\n"
        first = chosen.head(3).select("id", "question").iter_rows()
        yield table(("id", "question"), ((code(i), inline(q or "", 120)) for i, q in first))


def _counted(values: pl.Series) -> list[tuple[str, int]]:
    counts = values.cast(pl.String).fill_null("unknown").value_counts()
    return list(counts.sort(["count", values.name], descending=[True, False]).iter_rows())


def rest(lines: list[Any], what: str) -> Iterator[str]:
    """What a table that was cut leaves out."""
    if len(lines) > MOST_LINES:
        rows = sum(line[-1] for line in lines[MOST_LINES:])
        yield f"\nand {rows:,} rows of {len(lines) - MOST_LINES} further {what}."
