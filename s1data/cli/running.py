"""Commands that run a recipe, or say what a run would do."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.options import (
    Place,
    asking_options,
    inputs_of,
    json_option,
    means_of,
    pipeline_of,
    print_json,
    recipe_options,
)

if TYPE_CHECKING:
    from s1data.emulator import Script
    from s1data.planning import Plan
    from s1data.progress import Teller
    from s1data.recipe import Pipeline
    from s1data.run import Run


@click.command("run")
@recipe_options
@asking_options
@click.option("--rehearse", is_flag=True, help="Ask emulated models, for nothing.")
@click.option(
    "--script",
    type=Place(),
    metavar="FILE",
    help="What the emulated models of --rehearse are like, in TOML.",
)
@click.option("--until", metavar="LABEL", help="Stop after this stage.")
@click.option("--quiet", is_flag=True, help="Tell no progress.")
@click.option("--log-file", type=click.Path(dir_okay=False), help="Also tell progress here.")
@json_option
def run_command(
    *,
    recipe: str,
    inputs: tuple[str, ...],
    out: str | None,
    limit: int | None,
    borrow_from: str | None,
    sets: tuple[str, ...],
    until: str | None,
    quiet: bool,
    log_file: str | None,
    as_json: bool,
    rehearse: bool,
    script: str | None,
    **asking: Any,  # noqa: ANN401 - as click hands over what `asking_options` declares
) -> int:
    """Run a recipe, or resume it where it stopped.

    RECIPE is a file, the name of a published recipe (s1data recipes), or
    hf://datasets/ORG/NAME for the recipe of a set that was pushed.

    \b
    Example:
      s1data run quickstart --out runs/first
      s1data run my.yaml --input pool=data/*.parquet --set keep.n=500
      s1data run s1k --rehearse
      s1data run s1k --model small=http://127.0.0.1:8000/v1 --model teacher --max-usd 40
    """
    from s1data.rehearsing import run

    pipeline = pipeline_of(recipe, sets)
    means = means_of(asking)
    if script is not None and not (rehearse or pipeline.rehearsal):
        raise click.UsageError("--script: tells what a rehearsal's models are like; add --rehearse")
    with _teller(quiet=quiet or as_json, log_file=log_file) as tell:
        done = run(
            pipeline,
            out,
            rehearse=rehearse or None,
            script=None if script is None else _script(script),
            inputs=inputs_of(inputs),
            limit=limit,
            until=until,
            borrow_from=borrow_from,
            means=means,
            tell=tell,
        )
        report = _report(done, tell)
    code = _summary(done, report, as_json=as_json)
    if not as_json and done.finished:
        _say_how_on_own_questions(recipe, pipeline)
    return code


@click.command("plan")
@recipe_options
@asking_options
@click.option("--rehearse", is_flag=True, help="Plan a rehearsal.")
@click.option(
    "--pilot",
    type=click.IntRange(min=1),
    metavar="K",
    help="Ask about K rows, which costs money, and estimate from their replies.",
)
@json_option
def plan_command(
    *,
    recipe: str,
    inputs: tuple[str, ...],
    out: str | None,
    limit: int | None,
    borrow_from: str | None,
    sets: tuple[str, ...],
    as_json: bool,
    rehearse: bool,
    pilot: int | None,
    **asking: Any,  # noqa: ANN401 - as click hands over what `asking_options` declares
) -> int:
    """Say what a run would do and cost, and check it all.

    What is cached, what would run and why; requests, tokens, dollars and hours of what asks
    models. Runs nothing, and spends nothing without --pilot, whose replies the run will use. Exit
    code 1 where a pilot was wanted and got no reply.

    \b
    Example:
      s1data plan my.yaml --set drop_solved.rule=all
      s1data plan my.yaml --pilot 20 --model teacher --max-usd 40
    """
    from s1data.rehearsing import plan

    found = plan(
        pipeline_of(recipe, sets),
        out,
        rehearse=rehearse or None,
        inputs=inputs_of(inputs),
        limit=limit,
        borrow_from=borrow_from,
        means=means_of(asking),
        pilot=pilot or 0,
    )
    if as_json:
        print_json(found.as_dict())
    else:
        _tell_plan(found)
    if found.failed:
        sys.stderr.write(f"s1data: {found.failed}\n")
    return 1 if found.failed else 0


def _tell_plan(found: Plan) -> None:
    click.echo(f"{found.title} → {found.home}")
    for name, columns in found.unread.items():
        if columns:
            click.echo(f"source {name}: not taken: {', '.join(columns)}")
    for text in found.licences:
        click.echo(text)
    for line in found.lines:
        rows = "" if line.rows_in is None else f"{line.rows_in:>9,}"
        rows += "" if line.rows_out is None else f" → {line.rows_out:,}"
        before = "" if line.seconds is None else f" ({line.seconds:.1f} s before)"
        why = f"  {line.why}" if line.why else ""
        click.echo(f"{line.label:<24} {line.kind:<14} {line.status:<8}{rows}{before}{why}")
    for one in found.asking:
        rows = f"{'' if one.exact else 'at most '}{one.rows:,} rows"
        click.echo(f"{one.label} would ask about {rows}{': ' + one.said if one.said else ''}")
        for of_a_model in one.estimates:
            click.echo(f"  {of_a_model}")


def _script(file: str) -> Script:
    from s1data.emulator import Script

    return Script.load(Path(file))


@contextmanager
def _teller(*, quiet: bool, log_file: str | None) -> Iterator[Teller]:
    from s1data.progress import Bars, Both, Lines, Silent

    tellers: list[Teller] = []
    if quiet:
        tellers.append(Silent())
    elif sys.stderr.isatty():
        from rich.console import Console

        tellers.append(Bars(Console(stderr=True)))
    else:
        tellers.append(Lines(sys.stderr))
    try:
        log = Path(log_file).open("a", encoding="utf-8") if log_file else None  # noqa: SIM115 - closed below
    except OSError as error:
        raise click.UsageError(f"--log-file {log_file}: {error.strerror}") from None
    if log is not None:
        tellers.append(Lines(log, stamped=True))
    tell = Both(*tellers)
    try:
        yield tell
    finally:
        tell.close()
        if log is not None:
            log.close()


def _report(done: Run, tell: Teller) -> Path | None:
    """The page of a finished run, made anew unless it is younger than the run."""
    if not done.finished:
        return None
    page, whole = done.path / "report.html", done.path / "manifest.json"
    if page.is_file() and page.stat().st_mtime_ns >= whole.stat().st_mtime_ns:
        return page
    try:
        from s1data.report import html

        return html.write(done)
    except Exception as error:  # noqa: BLE001 - the run is whole: a report that fails is one line
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        tell.say(f"the run is finished, but its report could not be made: {first}")
        return None


def _summary(done: Run, report: Path | None, *, as_json: bool) -> int:
    """Prints what came out; 1 if a finished run kept fewer rows than its recipe asks for."""
    from s1data.recipe import asked_for

    asked = asked_for(done.pipeline)
    rows = done.manifest["selected"]["rows"] if done.finished else None
    short = rows is not None and asked is not None and rows < asked
    if as_json:
        print_json(
            {
                "run": str(done.path),
                "finished": done.finished,
                "rows": rows,
                "asked_for": asked,
                "report": None if report is None else str(report),
                "stages": done.funnel().to_dicts(),
            }
        )
    else:
        for line in done.funnel().iter_rows(named=True):
            why = ", ".join(f"{r['rows']:,} {r['reason']}" for r in line["reasons"])
            click.echo(
                f"{line['stage']:<24} {line['rows_in']:>9,} → {line['rows_out']:>9,}"
                f"{'  ' + why if why else ''}"
            )
        if rows is not None:
            from s1data.report.remarks import remarks

            for text in remarks(done.manifest):
                click.echo(text)
            questions = "question" if rows == 1 else "questions"
            click.echo(f"{rows:,} {questions} in {done.path / 'selected.parquet'}")
            if report is not None:
                click.echo(f"look at it in a browser: {report}")
            place = shlex.quote(str(done.path))
            click.echo(f"ask where any question went: s1data why {place} ID")
    if rows is not None and asked is not None and rows > asked:
        sys.stderr.write(
            f"s1data: rows that came out: {rows:,}; asked for: {asked:,}: the reserve is among "
            "them, since no fill and drop_unfilled follow the selector\n"
        )
    if short:
        sys.stderr.write(f"s1data: rows that came out: {rows:,}; asked for: {asked:,}\n")
    return 1 if short else 0


def _say_how_on_own_questions(recipe: str, pipeline: Pipeline) -> None:
    """After a published recipe that brings its own questions: how to run it on the user's."""
    from s1data.published import published

    (first, *others) = pipeline.sources
    if recipe not in published() or others or first.reasoning_gym is None:
        return
    click.echo(f"the same on your own: s1data run {recipe} --input questions.jsonl --out runs/mine")
    click.echo("other column names, other stages: s1data init questions.jsonl --out mine.yaml")


COMMANDS: Final = (run_command, plan_command)
