"""The report's figures as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from s1data.report import shown
from s1data.side_by_side import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MOST_LINES = 10


def show(said: Mapping[str, Any], console: Console) -> None:
    """Prints the summary that `summary.of` made."""
    from rich.text import Text

    kind = "rehearsal" if said["rehearsal"] else "live"
    rows = said["rows"]
    asked = f" of {shown.n(rows['asked_for'])} asked for" if rows["asked_for"] else ""
    cost = "" if said["usd"] is None else f", {shown.usd(said['usd'])} for models"
    console.print(Text(visible(said["title"], 400), style="bold"))
    console.print(f"version {said['version']}, {kind}, finished {shown.when(said['finished'])}")
    read = "1 row" if rows["read"] == 1 else f"{shown.n(rows['read'])} rows"
    console.print(
        f"{read} read, {shown.n(rows['selected'])} selected{asked}, "
        f"{shown.n(rows['dropped'])} dropped, {shown.seconds(said['stage_seconds'])}{cost}"
    )
    for one in _tables(said):
        console.print()
        console.print(one)


def _tables(said: Mapping[str, Any]) -> Iterator[Table]:
    yield table(
        "Where the rows went",
        ("stage", "in", "dropped", "out", "reasons", "seconds"),
        [
            (
                stage["stage"],
                stage["rows_in"],
                stage["dropped"],
                stage["rows_out"],
                ", ".join(f"{shown.n(v)} {shown.words(k)}" for k, v in stage["reasons"].items()),
                f"{stage['seconds']:,.1f}",
            )
            for stage in said["funnel"]
        ],
    )
    if said["expected"]:
        yield _expected(said["expected"])
    for name in ("domain", "source", "source_type", "licence"):
        lines = said["distributions"].get(name, [])
        if len(lines) > 1:
            before, after = (sum(line[k] for line in lines) or 1 for k in ("before", "after"))
            cells = [
                (
                    line["name"],
                    line["before"],
                    shown.share(line["before"] / before),
                    line["after"],
                    shown.share(line["after"] / after),
                )
                for line in lines[:_MOST_LINES]
            ]
            more = len(lines) - len(cells)
            title = f"{shown.words(name)} (first {len(cells)} of {len(lines)})" if more else name
            yield table(title, (name, "before", "share", "selected", "share "), cells)
    lengths = [
        (shown.words(name), found["median_before"], found["median_after"])
        for name, found in said["distributions"].items()
        if isinstance(found, dict)
    ]
    if lengths:
        yield table("Median lengths", ("of", "before", "selected"), lengths)
    yield from _judged(said)


def _expected(said: Mapping[str, Any]) -> Table:
    """Published counts beside those found."""
    lines = [
        (
            line["stage"],
            *(
                "not said" if count is None else f"{count:,} ({shown.apart(line['found'], count)})"
                for count in line["expected"]
            ),
            line["found"],
        )
        for line in said["stages"]
    ]
    heads = ("after", *map(shown.words, said["who"]), "found here")
    return table("Beside published counts", heads, lines)


def _judged(said: Mapping[str, Any]) -> Iterator[Table]:
    solvers = [
        (line["solver"], *line["before"].values(), *line["after"].values())
        for line in said["distributions"].get("difficulty", [])
    ]
    if solvers:
        heads = ("solver", "right", "wrong", "undecided")
        chosen = ("selected: right", "wrong ", "undecided ")
        yield table("Attempts", (*heads, *chosen), solvers)
    if said["grading"]:
        yield table(
            "Verdicts by method",
            ("of", "method", "right", "wrong", "undecided"),
            [tuple(m.values()) for m in said["grading"]],
        )
    for stage in said["contamination"]:
        title = f"{stage['stage']}: benchmark items found"
        yield table(
            title,
            ("benchmark", "method", "items", "rows", "only this method"),
            [tuple(line.values()) for line in stage["counts"]],
        )
    if said["models"]:
        names = shown.columns_of(said["models"])
        yield _turned("Models", "model", names, said["models"])
    if said["beside"]:
        names = [name for name in said["beside"][0] if name not in ("run", "rehearsal")]
        yield _turned("Beside other runs", "run", names, said["beside"])


def _turned(
    title: str, key: str, names: Sequence[str], lines: Sequence[Mapping[str, Any]]
) -> Table:
    """A line per figure and a column per thing: what has many figures fits a terminal so."""
    cells = [[shown.words(n), *(shown.cell(line.get(n), n) for line in lines)] for n in names]
    return table(title, ("", *(str(line[key]) for line in lines)), cells)


def table(title: str, heads: Sequence[str], lines: Sequence[Sequence[object]]) -> Table:
    """A table for a terminal; cells are untrusted text, cut and with controls escaped."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, head in enumerate(heads):
        number = place > 0 and all(isinstance(line[place], int | float | None) for line in lines)
        share = head.strip() in ("share", "seconds")
        # A name that is cut cannot be told from another: it goes on in the next line.
        made.add_column(
            head.strip(), justify="right" if number or share else "left", overflow="fold"
        )
    for line in lines:
        cells = [
            shown.n(v) if isinstance(v, int | float) else visible(str(v or ""), 80) for v in line
        ]
        made.add_row(*map(Text, cells))
    return made
