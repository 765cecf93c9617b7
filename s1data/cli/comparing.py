"""The command that holds runs beside each other and beside baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from s1data.cli.options import Place, json_option, print_json


@click.command("compare")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--population",
    default="difficulty",
    metavar="NAME",
    help="What coverage is told of: pool, quality, difficulty (what the last selector chose "
    "from), or the label of a stage.",
)
@click.option(
    "--encoder",
    metavar="NAME",
    help="Encoder for coverage; that of the first recipe with one, else tfidf-svd.",
)
@click.option(
    "--seeds",
    type=click.IntRange(0, 1000),
    default=20,
    metavar="N",
    help="Choose again under N seeds (20); 0 leaves it out.",
)
@click.option(
    "--frames", type=Place(file_okay=False), metavar="DIR", help="Also write each table as Parquet."
)
@json_option
def compare_command(
    *,
    runs: tuple[str, ...],
    population: str,
    encoder: str | None,
    seeds: int,
    frames: str | None,
    as_json: bool,
) -> None:
    """Hold finished runs beside each other and beside baselines.

    RUN is a run, a folder of a pushed set or hf://datasets/ORG/NAME. Told are what sets share,
    what they are made of, how far a population is from them, near-duplicates inside, what
    other seeds would have chosen, tokens and GPU hours. Baselines (random, longest, preselect
    plus random) are drawn from the first run's populations. Nothing in it predicts accuracy.

    \b
    Example:
      s1data compare runs/mine runs/other
      s1data compare runs/mine --population pool --json | jq .sets
    """
    import sys

    from s1data.comparing import compare
    from s1data.progress import Lines, Silent

    tell = Silent() if as_json else Lines(sys.stderr)
    said = compare(runs, population=population, encoder=encoder, seed_count=seeds, tell=tell)
    if frames is not None:
        folder = Path(frames)
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in said.frames().items():
            frame.write_parquet(folder / f"{name}.parquet")
    if as_json:
        print_json(said.as_dict())
        return
    from rich.console import Console

    from s1data.comparing.terminal import show

    show(said, Console(highlight=False))


COMMANDS: Final = (compare_command,)
