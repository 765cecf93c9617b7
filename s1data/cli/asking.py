"""The command that asks one model about a file, without a recipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.modelling import setting_options, spec_of
from s1data.cli.options import Command, Place, means_of, spending_options

if TYPE_CHECKING:
    from s1data.progress import Teller
    from s1data.standalone import Done


def _ask_options(command: Command) -> Command:
    options = (
        click.argument("path", metavar="FILE", type=Place()),
        click.option("--model", required=True, metavar="MODEL",
                     help="gemini:NAME or openai_compatible:NAME[@URL,URL]."),
        click.option("--out", required=True, type=Place(), metavar="OUT",
                     help="A .parquet or .jsonl file, written whole at the end."),
        click.option("--question", metavar="COLUMN", help="The column that holds the questions."),
        click.option("--prompt", default="{question}", metavar="TEXT",
                     help="What is sent; {question} stands for the question."),
        click.option("--samples", type=click.IntRange(1, 64), default=1, metavar="K",
                     help="Replies to each question (1)."),
        click.option("--accept", multiple=True, metavar="KIND",
                     help="Thinking that is of use: raw (default), summary, leaked, none."),
        click.option("--limit", type=click.IntRange(min=1), metavar="N",
                     help="Only the first N rows."),
        click.option("--rehearse", is_flag=True, help="Ask an emulated model, for nothing."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("ask")
@_ask_options
@setting_options
@spending_options
def ask_command(
    *,
    path: str,
    model: str,
    out: str,
    question: str | None,
    prompt: str,
    samples: int,
    accept: tuple[str, ...],
    limit: int | None,
    rehearse: bool,
    **given: Any,  # noqa: ANN401 - settings of the model, and what it is asked with
) -> int:
    """Ask one model about each row of FILE (Parquet, JSONL, CSV); the same command resumes.

    \b
    Example:
      s1data ask questions.jsonl --model gemini:gemini-2.5-flash --thinking -1 \\
        --accept summary --max-usd 5 --out traces.parquet
      s1data ask q.csv --model openai_compatible:big@http://127.0.0.1:8000/v1 --no-price \\
        --out traces.parquet
    """
    from s1data.standalone import Asking, ask

    if "{question}" not in prompt:
        raise click.UsageError(f"--prompt {prompt!r}: {{question}} must stand in it")
    spec, urls = spec_of(model, given)
    kinds = [kind for text in accept for kind in text.split(",")]
    for kind in kinds:
        if kind not in {"raw", "summary", "leaked", "none"}:
            raise click.UsageError(f"--accept {kind}: wanted raw, summary, leaked or none")
    if rehearse and urls:
        raise click.UsageError("--rehearse: serves the model itself; leave its address out")
    asking = Asking(
        spec=spec,
        endpoints=urls,
        prompt=prompt,
        samples=samples,
        accept=tuple(dict.fromkeys(kinds)) or ("raw",),  # type: ignore[arg-type] # looked at above
        question=question,
        limit=limit,
    )
    means = means_of({**given, "models": ()})
    with _progress() as tell:
        done = ask(
            Path(path),
            Path(out),
            asking,
            means,
            rehearse=rehearse,
            begin=lambda rows: tell.begin(spec.model, rows),
            tick=tell.tick,
        )
    return _summary(done, spec.model, rehearse=rehearse)


def _summary(done: Done, model: str, *, rehearse: bool) -> int:
    used = done.figures
    if rehearse:
        click.echo(f"REHEARSAL: {model} was emulated; nothing was asked of it and nothing paid")
    blank = f", {done.blank:,} without a question (not asked)" if done.blank else ""
    click.echo(f"{done.rows:,} rows{blank}")
    outcomes = ", ".join(f"{n:,} {name}" for name, n in used["outcomes"].items()) or "none"
    click.echo(
        f"{model}: {used['requests']:,} requests, {used['cached']:,} of them answered before; "
        f"replies: {outcomes}"
    )
    click.echo(
        f"tokens: {used['prompt_tokens']:,} prompt, {used['thinking_tokens']:,} thinking, "
        f"{used['answer_tokens']:,} answer; ${used['usd']:,.4f} for these replies"
        + (f", ${done.spent['usd']:,.4f} spent so far" if done.spent["usd"] else "")
        + (f" of at most ${done.spent['cap']:,.2f}" if done.spent["cap"] is not None else "")
    )
    click.echo(f"replies are kept in {done.store}")
    if done.out is not None:
        click.echo(f"{done.out} is written")
    if (held := done.spent["usd_at_most"] - done.spent["usd"]) > 0:
        click.echo(f"${held:,.4f} more is reserved for requests whose outcome is not known")
    left = ", ".join(f"{n:,} {why}" for why, n in done.open.items())
    if done.stopped is not None:
        sys.stderr.write(
            f"s1data: {done.stopped.message}\ns1data: no file was written; {left or 'none'} still "
            "open: the same command goes on from here\n"
        )
        return 1
    if left:
        sys.stderr.write(
            f"s1data: without a reply: {left}; those rows say so; the same command asks again\n"
        )
        return 1
    return 0


@contextmanager
def _progress() -> Iterator[Teller]:
    from s1data.progress import Bars, Lines

    tell: Teller
    if sys.stderr.isatty():
        from rich.console import Console

        tell = Bars(Console(stderr=True))
    else:
        tell = Lines(sys.stderr)
    try:
        yield tell
    finally:
        tell.close()


COMMANDS: Final = (ask_command,)
"""Commands of this module."""
