"""Commands on the reply store: what is in it, is it sound, and replies from and to elsewhere."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.modelling import pairs, setting_options, spec_in, spec_of, store_at
from s1data.cli.options import Command, Place, json_option, print_json

if TYPE_CHECKING:
    import polars as pl

    from s1data.store.importing import Import, Importing

SHOWN: Final = 20
"""Bad rows that are named one by one; --json names all."""


@click.group("replies")
def replies_group() -> None:
    """List, check, compact, export and import the replies that models gave.

    \b
    Example:
      s1data replies list
      s1data replies export replies.parquet --model teacher --outcome ok
    """


def _store_option(command: Command) -> Command:
    return click.option(
        "--store", type=Place(), metavar="DIR", help="The reply store (default: your own)."
    )(command)


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
@_store_option
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
@_store_option
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
@_store_option
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
@_store_option
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


def _import_options(command: Command) -> Command:
    options = (
        click.argument("path", metavar="FILE|FOLDER", type=Place()),
        click.option("--model", required=True, metavar="NAME|PROVIDER:MODEL",
                     help="The model of the recipe, or gemini:MODEL, openai_compatible:MODEL."),
        click.option("--recipe", metavar="RECIPE", help="Take the model's settings from here."),
        click.option("--name", metavar="NAME",
                     help="Their origin is imported:NAME (default: the file's name)."),
        click.option("--prompt", metavar="TEXT",
                     help="What was sent; {question} stands for the question, and is the default."),
        click.option("--question", metavar="COLUMN", help="Default: question, prompt."),
        click.option("--thinking-column", metavar="COLUMN", help="Default: thinking."),
        click.option("--answer", metavar="COLUMN", help="Default: response, attempt, answer."),
        click.option("--sample", metavar="COLUMN",
                     help="Default: sample; else rows of one question are numbered in order."),
        click.option("--only", multiple=True, metavar="COLUMN=VALUE", help="Pass other rows over."),
        click.option("--trace-kind", type=click.Choice(["raw", "summary", "leaked"]),
                     default="raw", show_default=True, help="What the thinking is."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@replies_group.command("import")
@_import_options
@setting_options
@_store_option
@json_option
def import_command(
    *,
    path: str,
    model: str,
    recipe: str | None,
    name: str | None,
    prompt: str | None,
    trace_kind: str,
    only: tuple[str, ...],
    store: str | None,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - columns, and settings of the model
) -> int:
    """Store replies that were made elsewhere, so that no run asks for them again.

    A Parquet or JSONL file of question, thinking and answer, or a folder with one JSON file per
    question as s1's scripts write them. A run finds them if the model's settings and the prompt
    are its own: name its recipe. Exit code 1 if a row could not be taken; the others are.

    \b
    Example:
      s1data replies import results/gemini/geminiall --recipe my.yaml --model teacher
      s1data replies import traces.jsonl --model openai_compatible:big --temperature 0.6
    """
    from s1data.errors import PoolError
    from s1data.models import TraceKind
    from s1data.store import ReplyStore
    from s1data.store.importing import Import, Importing
    from s1data.store.tables import rows

    if recipe is None:
        spec, urls = spec_of(model, given)
        if urls:
            raise click.UsageError(f"--model {model}: nothing is asked; leave the address out")
        prompt = prompt or "{question}"
    else:
        spec, prompt = spec_in(recipe, model, {**given, "prompt": prompt})
    if "{question}" not in prompt:
        raise click.UsageError(f"--prompt {prompt!r}: {{question}} must stand in it")
    columns = {what: given[what] for what in ("question", "answer", "sample") if given[what]}
    if given["thinking_column"]:
        columns["thinking"] = given["thinking_column"]
    how = Import(
        name=_origin(name, Path(path)),
        spec=spec,
        prompt=prompt,
        trace_kind=TraceKind(trace_kind),
        columns=columns,
        only=pairs(only, "--only"),
    )
    _check_columns(Path(path), how)
    home, rehearsal = store_at(store, new=True)
    reading = Importing(how)
    with ReplyStore(home, rehearsal=rehearsal) as replies:
        new, there = replies.put_all(reading.replies(rows(Path(path))))
    if not reading.rows:
        raise PoolError(f"{path}: wanted replies, got an empty file")
    return _tell_import(how, reading, home, (new, there), as_json=as_json)


def _tell_import(
    how: Import, reading: Importing, home: Path, counts: tuple[int, int], *, as_json: bool
) -> int:
    new, there = counts
    code = 1 if reading.bad or reading.rows == reading.passed_over else 0
    if as_json:
        print_json(
            {
                "store": str(home),
                "origin": f"imported:{how.name}",
                "rows": reading.rows,
                "stored": new,
                "there_already": there,
                "passed_over": reading.passed_over,
                "bad": [asdict(row) for row in reading.bad],
            }
        )
        return code
    passed = f", {reading.passed_over:,} passed over" if reading.passed_over else ""
    click.echo(
        f"{home}: {reading.rows:,} rows: {new:,} stored as imported:{how.name}, "
        f"{there:,} there already{passed}, {len(reading.bad):,} not taken"
    )
    for row in reading.bad[:SHOWN]:
        sys.stderr.write(f"s1data: {row}\n")
    if len(reading.bad) > SHOWN:
        sys.stderr.write(f"s1data: … and {len(reading.bad) - SHOWN:,} more; --json names all\n")
    return code


def _check_columns(path: Path, how: Import) -> None:
    """A Parquet file says what it has before a row is read."""
    from s1data.errors import PoolError, nearest
    from s1data.store.importing import COLUMNS
    from s1data.store.tables import columns

    there = columns(path)
    if there is None:
        return
    named = {**{name: (name,) for name in how.only}, **{k: (v,) for k, v in how.columns.items()}}
    for what, names in ({k: COLUMNS[k] for k in ("question", "answer")} | named).items():
        if not set(names) & set(there):
            raise PoolError(
                f"{path}: wanted a column {' or '.join(names)}{nearest(names[0], there)}; "
                f"it has {', '.join(there)}; say which holds the {what}"
            )


def _origin(name: str | None, path: Path) -> str:
    if name is not None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise click.UsageError(f"--name {name}: wanted letters, digits, dots, _ and -")
        return name
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.resolve().stem).strip("-") or "file"


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


COMMANDS: Final = (replies_group,)
