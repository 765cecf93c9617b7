"""A comparison as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import polars as pl

from s1data.comparing.comparison import NOTE, Comparison
from s1data.report import shown
from s1data.report.terminal import table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_NAMES: Final = 10
FIGURES: Final = {
    "rows": "rows",
    "domains": "domains",
    "sources": "sources",
    "preselected": "preselected",
    "near_duplicates": "near-doubles",
    "median_length": "length",
    "tokens": "tokens",
    "gpu_hours": "GPU hours",
    "coverage_mean": "far, mean",
    "coverage_max": "far, most",
}
"""Figures of a set that a terminal has room for, and their heads."""


def show(said: Comparison, console: Console) -> None:
    """Prints the tables, and what they do not say."""
    for one in _tables(said):
        console.print(one)
        console.print()
    console.print(
        f"far: distance (1 - cosine, {said.encoder}) of {said.population_rows:,} questions "
        f"({said.population}, all runs) to the nearest chosen row. length: median of "
        f"{said.length_of}."
    )
    console.print(NOTE)


def _tables(said: Comparison) -> Iterator[Table]:
    yield table(
        "Sets, and baselines by the population they are drawn from",
        ("set", *FIGURES.values()),
        [
            (line["set"], *(_figure(line[name]) for name in FIGURES))
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
        share = {(s, n): v for s, n, v in lines.select("set", "name", "share").iter_rows()}
        cells = [
            (name, *(shown.share(share.get((one, name), 0.0)) for one in sets))
            for name in names["name"].head(MOST_NAMES).to_list()
        ]
        more = names.height - len(cells)
        title = f"{shown.words(str(what))}, shares of each set"
        yield table(title + (f" (first {len(cells)})" if more else ""), ("", *sets), cells)


def _figure(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) and abs(value) < 10 else value
