"""The command that serves emulated models on the loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from s1data.cli.options import Command, Place


def _emulate_options(command: Command) -> Command:
    options = (
        click.option("--port", type=click.IntRange(0, 65535), default=8399, show_default=True,
                     help="0 takes a free one."),
        click.option("--answers", type=Place(), metavar="POOL", help="Questions and answers."),
        click.option("--replay", type=Place(), metavar="FILE", help="Recorded replies to serve."),
        click.option("--solver", "solvers", multiple=True, metavar="MODEL=SKILL",
                     help="Shows no thinking and is right so often (0 to 1)."),
        click.option("--teacher", "teachers", multiple=True, metavar="MODEL=SKILL",
                     help="Shows its thinking and is right so often."),
        click.option("--fault", "faults", multiple=True, metavar="FAULT=RATE",
                     help="Strike this share of requests."),
        click.option("--script", "script_file", type=Place(), metavar="FILE",
                     help="All of this and more, in TOML."),
        click.option("--seed", type=int, help="Another seed, other replies."),
        click.option("--log", type=Place(), metavar="FILE", help="One JSON line per request."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("emulate")
@_emulate_options
def emulate_command(
    *,
    port: int,
    answers: str | None,
    replay: str | None,
    solvers: tuple[str, ...],
    teachers: tuple[str, ...],
    faults: tuple[str, ...],
    script_file: str | None,
    seed: int | None,
    log: str | None,
) -> None:
    """Serve emulated models on the loopback, for rehearsals; ends on Ctrl-C with the bill.

    \b
    Example:
      s1data emulate --answers pool.parquet --solver small=0.4 --teacher big=0.9
      s1data emulate --answers pool.parquet --fault quota_minute=0.1 --fault recitation=0.02
    """
    from s1data.emulator import Script, read_answers, read_replay, serve

    script = Script.load(Path(script_file)) if script_file else Script()
    if seed is not None:
        script = script.model_copy(update={"seed": seed})
    script = script.with_models("solver", _shares(solvers, "--solver"))
    script = script.with_models("teacher", _shares(teachers, "--teacher"))
    script = script.with_faults(_shares(faults, "--fault"))
    bill = serve(
        script,
        answers=read_answers(Path(answers)) if answers else None,
        replay=read_replay(Path(replay)) if replay else None,
        log=Path(log) if log else None,
        port=port,
        ready=_say_where_models_are,
    )
    for model, sums in sorted(bill.items()):
        click.echo(
            f"{model}: {sums.requests:,} replies, {sums.prompt_tokens:,} prompt, "
            f"{sums.thinking_tokens:,} thinking and {sums.answer_tokens:,} answer tokens, "
            f"${sums.usd:,.4f}"
        )


def _say_where_models_are(url: str) -> None:
    click.echo(f"OpenAI-compatible: {url}/v1")
    click.echo(f"Gemini: GOOGLE_GEMINI_BASE_URL={url}")
    sys.stdout.flush()


def _shares(given: tuple[str, ...], option: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        name, _, share = text.rpartition("=")
        try:
            found[name] = float(share)
        except ValueError:
            name = ""
        if not name:
            raise click.UsageError(f"{option} {text}: wanted NAME=NUMBER, as small=0.4")
    return found


COMMANDS: Final = (emulate_command,)
