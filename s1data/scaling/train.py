"""The training recipe as a script: ``python -m s1data.scaling.train SET --model M --out DIR``.

Alone it trains on one GPU, or with ``--cpu`` a tiny model without one; under ``accelerate launch``
on as many as the configuration says. ``--config NAME`` prints where one of those that ship is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from s1data.errors import PoolError, RecipeError, S1DataError

CONFIGS: Final = {
    file.stem: file for file in sorted((Path(__file__).parent / "accelerate").glob("*.yaml"))
}
"""Configurations of accelerate by name."""


def _show(_: click.Context, __: click.Parameter, name: str | None) -> None:
    if name is not None:
        click.echo(CONFIGS[name])
        raise click.exceptions.Exit(0)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("target", metavar="SET")
@click.option("--model", required=True, metavar="NAME|DIR", help="The model to start from.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the trained model and training.json.",
)
@click.option("--tokenizer", metavar="NAME|DIR", help="Tokenizer and chat template (the model's).")
@click.option(
    "--layout",
    type=click.Choice(["s1", "think"]),
    default="s1",
    show_default=True,
    help="How a run's rows are written; a file has its own.",
)
@click.option("--epochs", type=float, default=5, show_default=True)
@click.option("--batch", type=int, default=16, show_default=True, help="Rows of a step, all GPUs.")
@click.option("--per-device", type=int, default=1, show_default=True, help="Rows at once a GPU.")
@click.option("--rate", type=float, help="Learning rate (1e-5; with --lora 1e-4).")
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "constant_with_warmup"]),
    default="cosine",
    show_default=True,
)
@click.option("--warm-up", type=float, default=0.05, show_default=True, help="Share of the steps.")
@click.option("--weight-decay", type=float, default=1e-4, show_default=True)
@click.option("--betas", type=(float, float), default=(0.9, 0.95), show_default=True)
@click.option("--block-size", type=int, default=32_768, show_default=True, metavar="TOKENS")
@click.option(
    "--max-cut",
    "most_cut",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Leave out up to this share of rows, those longer than a block.",
)
@click.option("--lora", is_flag=True, help="Train an adapter: for one small GPU.")
@click.option("--cpu", is_flag=True, help="Without a GPU, in 32 bits: tiny models.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--config",
    type=click.Choice(list(CONFIGS)),
    is_eager=True,
    expose_value=False,
    callback=_show,
    help="Print the path of a configuration for accelerate and end.",
)
def command(
    *,
    target: str,
    model: str,
    out: Path,
    tokenizer: str | None,
    **given: Any,  # noqa: ANN401 - the fields of Settings, checked there
) -> None:
    """Fine-tune a model on SET with s1's settings: a run, a published set or an exported file.

    \b
    Example:
      python -m s1data.scaling.train runs/mine --model Qwen/Qwen2.5-7B-Instruct --out models/mine
    """  # noqa: D301 - click reads a backslash-b as "do not rewrap"
    from s1data.scaling.training import Settings, train

    try:
        settings = Settings(**given)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0]).replace("most_cut", "max_cut").replace("_", "-")
        raise click.UsageError(f"--{name}: {wrong['msg']}, got {wrong['input']}") from error
    record = train(target, model, out, settings, tokenizer=tokenizer, say=click.echo)
    losses = [one["loss"] for one in record["losses"]]
    if losses:
        click.echo(f"loss {losses[0]:.3f} to {losses[-1]:.3f} in {record['seconds']:,.0f} s: {out}")


def main(arguments: list[str] | None = None) -> None:
    """Runs the script; what is wrong is one line, with the exit codes of `s1data`."""
    try:
        sys.exit(command.main(args=arguments, prog_name="train", standalone_mode=False) or 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except S1DataError as error:
        _fail(str(error), 2 if isinstance(error, RecipeError | PoolError) else 1)


def _fail(text: str, code: int) -> None:
    sys.stderr.write("train: " + " ".join(text.split()) + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
