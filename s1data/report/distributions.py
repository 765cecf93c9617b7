"""Distributions before and after: over all rows that have a value, and over the selected ones."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from s1data.report.facts import Facts

MOST_NAMES: Final = 100
"""Categories shown by name; the rest are one line."""
_BINS: Final = 24


def of(facts: Facts) -> dict[str, Any]:
    """Each distribution by name; one that the run has no column for is left out."""
    rows = facts.rows
    said: dict[str, Any] = {
        "domain": categories(rows, "domain"),
        "source": categories(rows, "source"),
        "source_type": categories(rows, "source_type"),
        "licence": categories(rows, "licence"),
        "question_chars": lengths(rows, pl.col("question").str.len_chars()),
        "solution_chars": lengths(rows, pl.col("solution").str.len_chars()),
        "trace_tokens": _trace_tokens(rows),
        "trace_chars": _trace_chars(facts),
        "difficulty": difficulty(rows),
    }
    return {name: found for name, found in said.items() if found}


def categories(rows: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    """name, before, after: most frequent among the selected first; the tail as one line."""
    if column not in rows.columns or rows[column].null_count() == rows.height:
        return []
    counted = (
        rows.group_by(name=pl.col(column).cast(pl.String))
        .agg(before=pl.len(), after=(pl.col("outcome") == "selected").sum())
        .filter(pl.col("name").is_not_null() | (pl.lit(column) == "licence"))
        .with_columns(pl.col("name").fill_null("unknown"))
        .sort(["after", "before", "name"], descending=[True, True, False])
    )
    tail = counted[MOST_NAMES:]
    shown = counted[:MOST_NAMES].to_dicts()
    if tail.height:
        name = f"{tail.height:,} more"
        shown.append({"name": name, "before": tail["before"].sum(), "after": tail["after"].sum()})
    return shown


def lengths(rows: pl.DataFrame, length: pl.Expr) -> dict[str, Any]:
    """``edges`` of bins that grow by a factor, counts ``before`` and ``after``, and medians."""
    values = rows.select("outcome", length=length).filter(pl.col("length") > 0)
    return histogram(values["length"], values.filter(outcome="selected")["length"])


def histogram(before: pl.Series, after: pl.Series) -> dict[str, Any]:
    """As `lengths`, of positive values."""
    if before.is_empty():
        return {}
    low, high = float(before.min()), float(before.max())  # type: ignore[arg-type] # numbers
    edges = np.geomspace(low, high * 1.000001 if high > low else low * 2, _BINS + 1)
    return {
        "edges": [round(float(e), 3) for e in edges],
        "before": _counts(before, edges),
        "after": _counts(after, edges),
        "median_before": before.median(),
        "median_after": after.median(),
    }


def _counts(values: pl.Series, edges: npt.NDArray[np.float64]) -> list[int]:
    found, _ = np.histogram(values.to_numpy(), np.r_[0, edges[1:-1], np.inf])
    return [int(n) for n in found]


def _trace_tokens(rows: pl.DataFrame) -> dict[str, Any]:
    if "traces" not in rows.columns:
        return {}
    each = _items(rows, "traces").select("outcome", tokens="thinking_tokens")
    each = each.filter(pl.col("tokens") > 0)
    return histogram(each["tokens"], each.filter(outcome="selected")["tokens"])


def _trace_chars(facts: Facts) -> dict[str, Any]:
    """Of traces that came without counts of tokens, as far as their texts are in the run."""
    rows = facts.rows
    files = [c.path("texts") for c in facts.checkpoints if c.has("texts")]
    if "traces" not in rows.columns or not files:
        return {}
    uncounted = _items(rows, "traces").filter(pl.col("thinking_tokens").is_null())
    sizes = pl.concat(
        [
            pl.scan_parquet(path, glob=False).select(
                "reply_key", chars=pl.col("thinking").str.len_chars()
            )
            for path in files
        ]
    )
    known = sizes.filter(pl.col("chars") > 0).unique("reply_key").collect()
    each = uncounted.select("outcome", "reply_key").join(known, "reply_key")
    return histogram(each["chars"], each.filter(outcome="selected")["chars"])


def difficulty(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Per solver: attempts that were right, wrong and undecided, before and after."""
    if "attempts" not in rows.columns:
        return []
    return [
        {"solver": solver, "before": before, "after": after}
        for solver, before, after in _by(_items(rows, "attempts"), "solver")
    ]


def grading(facts: Facts) -> list[dict[str, Any]]:
    """Per method that gave verdicts on attempts or traces: right, wrong, undecided."""
    found = []
    for column in ("attempts", "traces"):
        if column in facts.rows.columns:
            items = _items(facts.rows, column).with_columns(pl.col("method").fill_null("nobody"))
            found += [
                {"of": column, "method": method, **before}
                for method, before, _ in _by(items, "method")
            ]
    return found


def _items(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    lists = rows.select("row", "outcome", column).filter(pl.col(column).list.len() > 0)
    return lists.explode(column).unnest(column)


def _by(items: pl.DataFrame, name: str) -> list[tuple[str, dict[str, int], dict[str, int]]]:
    verdicts = {"right": pl.col("verdict"), "wrong": ~pl.col("verdict")}
    counts = {k: v.fill_null(value=False) for k, v in verdicts.items()}
    counts["undecided"] = pl.col("verdict").is_null()
    chosen = pl.col("outcome") == "selected"
    lines = (
        items.group_by(name)
        .agg(
            before=pl.struct(*(v.sum().alias(k) for k, v in counts.items())),
            after=pl.struct(*((v & chosen).sum().alias(k) for k, v in counts.items())),
        )
        .sort(name)
    )
    return list(lines.iter_rows())
