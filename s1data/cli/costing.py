"""The command that says what a set costs end to end."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Final

import click

from s1data.cli.options import Dollars, Place, json_option, print_json


@click.command("cost")
@click.argument("target", metavar="RUN|REPO")
@click.option(
    "--training",
    type=Place(),
    metavar="DIR",
    help="A trained model with its training.json: what was measured.",
)
@click.option("--evaluation", type=Place(), metavar="DIR", help="A folder of s1data scale.")
@click.option("--gpu-usd", type=Dollars(min=0), metavar="USD", help="Dollars of a GPU-hour.")
@click.option(
    "--epochs",
    type=click.FloatRange(min=0, min_open=True),
    default=5,
    show_default=True,
    metavar="N",
    help="Of a training that is estimated.",
)
@json_option
def cost_command(
    *,
    target: str,
    training: str | None,
    evaluation: str | None,
    gpu_usd: float | None,
    epochs: float,
    as_json: bool,
) -> None:
    """Say what a set costs end to end: model calls, training, evaluation.

    Prices of models are those that its run was given (s1data run --prices FILE, in TOML:
    docs/asking-models.md); a GPU-hour's is --gpu-usd. What has none is a dash, and no zero.
    Training is estimated at the s1 paper's rate, unless a training record says more.

    \b
    Example:
      s1data cost runs/mine --gpu-usd 3
      s1data cost runs/mine --training models/mine --evaluation curves/mine --gpu-usd 3
    """
    if not isfinite(epochs):
        raise click.UsageError(f"--epochs {epochs}: wanted a number of epochs")
    from s1data.hub.fetching import open_set
    from s1data.scaling.cost import cost, total

    items = cost(
        open_set(target),
        training=None if training is None else Path(training),
        evaluation=None if evaluation is None else Path(evaluation),
        gpu_usd=gpu_usd,
        epochs=epochs,
    )
    left_out = [item.part for item in items if item.usd is None]
    if as_json:
        print_json(
            {
                "items": [
                    {"part": i.part, "says": i.what, "usd": i.usd, "figures": dict(i.figures)}
                    for i in items
                ],
                "usd": total(items),
                "without_dollars": sorted(set(left_out)),
            }
        )
        return
    for item in items:
        dollars = "-" if item.usd is None else f"${item.usd:,.2f}"
        click.echo(f"{item.part:<10}  {dollars:>11}  {item.what}")
    rest = f"without {', '.join(sorted(set(left_out)))}" if left_out else "all of it"
    summed = total(items)
    # Nothing that was counted has a price: that is no zero.
    shown, rest = (
        ("unknown", "nothing has a price") if summed is None else (f"${summed:,.2f}", rest)
    )
    click.echo(f"{'total':<10}  {shown:>11}  {rest}")


COMMANDS: Final = (cost_command,)
"""Commands of this module."""
