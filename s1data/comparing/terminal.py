"""A comparison as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from s1data.comparing.comparison import NOTE, Comparison
from s1data.report import shown
from s1data.report.terminal import table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_NAMES: Final = 10
BESIDE: Final = 4
"""Sets that stand side by side on 80 columns; more of them are tables below each other."""
FIGURES: Final = (
    ("Sets, and baselines by the population they are drawn from",
     {"rows": "rows", "domains": "domains", "sources": "sources", "preselected": "pre-selected",
      "near_duplicates": "near-doubles"}),
    ("Length, tokens and training", {"median_length": "length", "tokens": "tokens",
                                     "gpu_hours": "GPU hours"}),
    ("Coverage: distance of the population to the nearest chosen row",
     {"coverage_mean": "mean", "coverage_max": "most"}),
)  # fmt: skip
"""Figures of a set and their heads, in tables that 80 columns have room for."""


def show(said: Comparison, console: Console) -> None:
    """Prints the tables, and what they do not say."""
    for one in _tables(said):
        console.print(one)
        console.print()
    console.print(
        f"Distance: 1 - cosine, {said.encoder}, of {said.population_rows:,} questions "
        f"({said.population}, all runs). Length: median of {said.length_of}. Empty: not known."
    )
    console.print(NOTE)


def _tables(said: Comparison) -> Iterator[Table]:
    for title, figures in FIGURES:
        yield table(
            title,
            ("set", *figures.values()),
            [
                (line["set"], *(_cell(line, name) for name in figures))
                for line in said.sets.iter_rows(named=True)
            ],
        )
    runs = said.sets.filter(kind="run")["set"].to_list()
    with_runs = said.overlap.filter(pl.col("set").is_in(runs))
    yield table(
        "Rows that two sets share",
        ("set", "other", "by id", "by text", "share"),
        [
            (line["set"], line["other"], line["ids"], line["questions"], shown.share(line["share"]))
            for line in with_runs.iter_rows(named=True)
        ],
    )
    yield table(
        "Under other seeds",
        ("set", "seeds", "shared by two", "shared with this", "always", "ever", ""),
        [
            (line["set"], line["seeds"], *_shares(line), line["always"], line["ever"], line["note"])
            for line in said.stability.iter_rows(named=True)
        ],
    )
    yield from _distributions(said, runs)


def _shares(line: dict[str, float | None]) -> Iterator[str]:
    for name in ("shared", "with_this"):
        value = line[name]
        yield "" if value is None else shown.share(value)


def _distributions(said: Comparison, runs: list[str]) -> Iterator[Table]:
    """By what is told, the runs and the random baselines side by side."""
    random = said.sets.filter(kind="random")["set"].to_list()
    sets = [*runs, *random]
    wanted = pl.col("set").is_in(sets)
    for (what,), lines in said.distributions.filter(wanted).group_by("what", maintain_order=True):
        names = lines.group_by("name", "low").agg(pl.col("rows").sum())
        names = names.sort("low", "rows", "name", descending=[False, True, False])
        listed = names["name"].head(MOST_NAMES).to_list()
        more = f" (first {len(listed)})" if names.height > len(listed) else ""
        share = {(s, n): v for s, n, v in lines.select("set", "name", "share").iter_rows()}
        told = set(lines["set"])
        for start in range(0, len(sets), BESIDE):
            some = sets[start : start + BESIDE]
            cells = [
                (name, *(shown.share(share.get((s, name), 0.0)) if s in told else "" for s in some))
                for name in listed
            ]
            yield table(f"{shown.words(str(what))}, shares of each set{more}", ("", *some), cells)


def _cell(line: dict[str, Any], name: str) -> object:
    """A figure; of tokens that not all rows have, how many have them."""
    if name == "tokens" and line[name] is None and line["tokens_rows"]:
        return f"of {line['tokens_rows']:,} rows only"
    return _figure(line[name])


def _figure(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) and abs(value) < 10 else value
