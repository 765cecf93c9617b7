"""The command that shows a run: the page, tables, JSON, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from s1data.cli.options import json_option, print_json


@click.command("report")
@click.argument("run_dir", metavar="RUN")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the page here (default RUN/report.html).",
)
@click.option(
    "--pictures",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Also write the pictures here, as PNG and SVG.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="RUN",
    help="Show this finished run beside it; may be given several times.",
)
@json_option
def report_command(
    *, run_dir: str, out: str | None, pictures: str | None, beside: tuple[str, ...], as_json: bool
) -> None:
    """Write a finished run's report.html, and print its figures.

    The page is one file that opens offline and may be mailed. With --json the figures come
    as JSON on stdout.

    \b
    Example:
      s1data report runs/quickstart
      s1data report runs/quickstart --json | jq .funnel
      s1data report runs/quickstart --pictures figures
      s1data report runs/new --beside runs/old
    """
    from s1data.report import facts, html, summary
    from s1data.run import Run

    run = Run.open(run_dir)
    others = [Run.open(path) for path in beside]
    said = summary.of(facts.read(run), others)
    written = [html.write(run, Path(out) if out is not None else None, others=others)]
    if pictures is not None:
        from s1data.report import pictures as drawing

        written += drawing.write(run, Path(pictures))
    if as_json:
        print_json({**said, "written": [str(path) for path in written]})
        return
    from rich.console import Console

    from s1data.report.terminal import show

    show(said, Console(highlight=False))
    click.echo(f"\nopen in a browser: {written[0]}")
    if pictures is not None:
        click.echo(f"{len(written) - 1} pictures in {pictures}")


COMMANDS: Final = (report_command,)
