"""The command that writes training files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from s1data.cli.options import Place, json_option, print_json

if TYPE_CHECKING:
    from s1data.export.samples import Choice, Special


@click.command("export")
@click.argument("target", metavar="RUN|REPO")
@click.option(
    "--format",
    "form",
    type=click.Choice(["s1", "think", "prompt-completion", "reasoning-content", "sharegpt"]),
    required=True,
    help="s1's text, messages with <think> tags, TRL's pairs, reasoning_content, ShareGPT.",
)
@click.option("--out", type=Place(), required=True, metavar="FILE", help=".jsonl or .parquet")
@click.option("--tokenizer", metavar="NAME|DIR", help="Its chat template and its tokens.")
@click.option(
    "--system",
    default="default",
    show_default=True,
    metavar="TEXT",
    help="System prompt; default leaves it to the template, none writes none.",
)
@click.option(
    "--samples",
    type=click.Choice(["best", "all"]),
    default="best",
    show_default=True,
    help="One trace of each question, or all.",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    metavar="SHARE",
    help="Hold this share of questions out, near-duplicates together.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Another seed, others are held out.",
)
@click.option(
    "--block-size",
    type=click.IntRange(1),
    metavar="TOKENS",
    help="Say what a block of so many tokens cuts.",
)
@click.option(
    "--special",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="Texts with control tokens or think tags of their own.",
)
@json_option
def export_command(
    *,
    target: str,
    form: str,
    out: str,
    tokenizer: str | None,
    system: str,
    samples: Choice,
    validation: float,
    seed: int,
    block_size: int | None,
    special: Special,
    as_json: bool,
) -> None:
    """Write a set as files for fine-tuning.

    \b
    Example:
      s1data export runs/mine --format think --out train.jsonl --validation 0.05
      s1data export runs/mine --format prompt-completion --out train.parquet \\
        --tokenizer Qwen/Qwen2.5-7B-Instruct --block-size 32768
    """
    from s1data.export import Options, export
    from s1data.hub.fetching import open_set

    if block_size is not None and tokenizer is None:
        raise click.UsageError("--block-size: tokens are counted with --tokenizer; give one too")
    options = Options(form, tokenizer, system, samples, validation, seed, block_size, special)
    done = export(open_set(target), out, options)
    for warning in done.warnings:
        print(f"s1data: warning: {warning}", file=sys.stderr)
    if as_json:
        print_json(done.as_dict())
        return
    for path, n in done.files.items():
        click.echo(f"{n:>9,} samples in {path}")
    for reason, n in done.lost.items():
        click.echo(f"{n:>9,} {reason}")
    click.echo(f"system prompt: {done.system}")
    if done.lengths is None:
        click.echo("lengths: not counted; give a tokenizer with --tokenizer")
    else:
        click.echo("\n".join(done.lengths.lines(block_size)))


COMMANDS: Final = (export_command,)
