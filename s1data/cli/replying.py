"""Commands on the reply store: what is in it, is it sound, and replies from and to elsewhere."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from s1data.cli.importing import import_command
from s1data.cli.modelling import store_at
from s1data.cli.options import Command, Place, json_option, print_json, store_option

if TYPE_CHECKING:
    import polars as pl


@click.group("replies")
def replies_group() -> None:
    """List, check, compact, export and import the replies that models gave.

    \b
    Example:
      s1data replies list
      s1data replies export replies.parquet --model teacher --outcome ok
    """


def _filters(command: Command) -> Command:
    options = (
        click.option("--model", "models", multiple=True, metavar="NAME",
                     help="Only this model's, by the name that its server knows."),
        click.option("--origin", "origins", multiple=True, metavar="ORIGIN",
                     help="Only live, rehearsal or imported:NAME."),
        click.option("--outcome", "outcomes", multiple=True, metavar="OUTCOME",
                     help="Only those that ended so, as ok or summary."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@replies_group.command("list")
@store_option
@_filters
@json_option
def list_command(
    *,
    store: str | None,
    models: tuple[str, ...],
    origins: tuple[str, ...],
    outcomes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Count the replies by model, origin and outcome, with tokens, dollars and dates.

    Dollars are those that were paid; an imported reply's date is that of the import.

    \b
    Example:
      s1data replies list --origin live
    """
    from s1data.store import ReplyStore
    from s1data.store.counting import TOTALS, counted

    home, rehearsal = store_at(store)
    with ReplyStore(home, rehearsal=rehearsal) as replies:
        frame = counted(replies.narrow().filter(_where(models, origins, outcomes)))
        damaged = replies.damaged
    if as_json:
        print_json({"store": str(home), "rehearsal": rehearsal, "replies": frame.to_dicts()})
    else:
        kind = ", rehearsed" if rehearsal else ""
        click.echo(f"{home}: {frame.get_column('replies').sum():,} replies{kind}")
        if frame.height:
            click.echo(_table(frame, TOTALS))
    _warn(damaged)


@replies_group.command("check")
@store_option
@json_option
def check_command(*, store: str | None, as_json: bool) -> int:
    """Read every byte of the store; name and set aside what is damaged.

    Exit code 1 if anything is, or was before and still lies there: only the replies in it are
    asked again. Remove what was set aside once you have seen it.

    \b
    Example:
      s1data replies check
    """
    from s1data.store import ReplyStore

    home, rehearsal = store_at(store)
    with ReplyStore(home, rehearsal=rehearsal) as replies:
        found = replies.check()
    if as_json:
        print_json({"store": str(home), **asdict(found)})
    else:
        click.echo(
            f"{home}: {found.replies:,} replies in {found.parts:,} parts and {found.journals:,} "
            f"journals, {found.bytes / 1e6:,.1f} MB: "
            f"{f'{len(found.damaged)} damaged' if found.damaged else 'all sound'}"
        )
        if found.set_aside:
            click.echo(
                f"set aside in {home / 'damaged'}: {', '.join(found.set_aside)}; their replies are "
                "asked again where they are wanted: remove that folder once you have seen it"
            )
    _warn(found.damaged)
    return 1 if found.damaged or found.set_aside else 0


@replies_group.command("compact")
@store_option
def compact_command(*, store: str | None) -> None:
    """Join small files into large ones; runs may go on meanwhile.

    \b
    Example:
      s1data replies compact
    """
    from s1data.store import ReplyStore

    home, rehearsal = store_at(store)
    if not home.exists():
        click.echo(f"{home}: 0 replies")
        return
    with ReplyStore(home, rehearsal=rehearsal) as replies:
        before = len(replies.parts.names())
        now = replies.compact()
        damaged = replies.damaged
    click.echo(f"{home}: {now['replies']:,} replies; {before:,} files before, {now['parts']:,} now")
    _warn(damaged)


@replies_group.command("export")
@click.argument("out", type=Place())
@store_option
@_filters
def export_command(
    *,
    out: str,
    store: str | None,
    models: tuple[str, ...],
    origins: tuple[str, ...],
    outcomes: tuple[str, ...],
) -> None:
    """Write replies with their prompts to OUT, a new .parquet or .jsonl file.

    One row per reply: prompt, system, sample, thinking, answer, model, outcome, tokens and more.

    \b
    Example:
      s1data replies export good.parquet --outcome ok --origin live
    """
    from s1data.errors import StoreError
    from s1data.store import ReplyStore
    from s1data.store.counting import counted
    from s1data.store.exporting import FORMATS, export

    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{out}: wanted a name that ends in {', '.join(FORMATS)}")
    if path.exists():
        raise click.UsageError(f"{out}: there is a file already; give another name")
    home, rehearsal = store_at(store)
    with ReplyStore(home, rehearsal=rehearsal) as replies:
        rows = export(replies, path, _where(models, origins, outcomes))
        damaged = replies.damaged
        there = counted(replies.narrow()) if not rows else None
    _warn(damaged)
    if there is not None:
        models_there = ", ".join(there.get_column("model").unique(maintain_order=True)) or "none"
        raise StoreError(
            f"{home}: no reply matches, so nothing was written; models there: {models_there} "
            "(s1data replies list)"
        )
    click.echo(f"{out}: {rows:,} {'rehearsed ' if rehearsal else ''}replies")


def _where(models: tuple[str, ...], origins: tuple[str, ...], outcomes: tuple[str, ...]) -> pl.Expr:
    import polars as pl

    from s1data.errors import nearest
    from s1data.models import Outcome

    for outcome in outcomes:
        if outcome not in set(Outcome):
            raise click.UsageError(
                f"--outcome {outcome}: no reply ends so{nearest(outcome, Outcome)}; "
                f"outcomes: {', '.join(Outcome)}"
            )
    where = pl.lit(value=True)
    for column, values in (("model", models), ("origin", origins), ("outcome", outcomes)):
        if values:
            where = where & pl.col(column).is_in(list(values))
    return where


def _table(frame: pl.DataFrame, totals: tuple[str, ...]) -> str:
    def shown(column: str, value: object) -> str:
        if value is None:
            return "-"
        if column == "usd":
            return f"{value:,.4f}"
        if column in {"first", "last"}:
            return str(value)[:10]
        return f"{value:,}" if column in totals else str(value)

    header = list(frame.columns)
    lines = [[shown(c, v) for c, v in zip(header, row, strict=True)] for row in frame.rows()]
    widths = [max(map(len, cells)) for cells in zip(header, *lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in totals else cell.ljust(width)
            for column, cell, width in zip(header, cells, widths, strict=True)
        ).rstrip()
        for cells in (header, *lines)
    )


def _warn(damaged: list[str]) -> None:
    for line in damaged:
        sys.stderr.write(f"s1data: {line}\n")


replies_group.add_command(import_command)

COMMANDS: Final = (replies_group,)
