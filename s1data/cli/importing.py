"""`s1data replies import`: replies that were made elsewhere, taken into the store."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.modelling import pairs, setting_options, spec_in, spec_of, store_at
from s1data.cli.options import Command, Place, json_option, print_json, store_option

if TYPE_CHECKING:
    from s1data.store.importing import Import, Importing

SHOWN: Final = 20
"""Bad rows that are named one by one; --json names all."""


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


@click.command("import")
@_import_options
@setting_options
@store_option
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
    **given: Any,  # noqa: ANN401 - click gives options of several types
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
