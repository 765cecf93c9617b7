"""The command about test-time scaling: budgets forced over a file, and the curve."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.modelling import setting_options, spec_of
from s1data.cli.options import Command, Place, means_of, spending_options

if TYPE_CHECKING:
    import polars as pl

    from s1data.scaling import Budget, Marks
    from s1data.scaling.curves import Point
    from s1data.scaling.prompting import Layout


def _scale_options(command: Command) -> Command:
    options = (
        click.argument("path", metavar="FILE", type=Place()),
        click.option("--model", required=True, metavar="MODEL",
                     help="NAME@URL[,URL] behind openai_compatible: (completions)."),
        click.option("--out", required=True, type=Place(), metavar="DIR",
                     help="Folder for samples and the curve; the same again resumes."),
        click.option("--max-thinking", "maxima", multiple=True, type=click.IntRange(min=0),
                     metavar="N", help="A budget: most thinking tokens; several too."),
        click.option("--waits", multiple=True, type=click.IntRange(min=0), metavar="N",
                     help="A budget: ends of thinking replaced; several too."),
        click.option("--min-thinking", type=click.IntRange(min=0), default=0, metavar="N",
                     help="Fewest thinking tokens, in each budget (0)."),
        click.option("--ceiling", type=click.IntRange(min=1), default=32_000, metavar="N",
                     help="Most thinking tokens of budgets by --waits (32000)."),
        click.option("--text", default="Wait", metavar="TEXT",
                     help="What replaces an end of thinking (Wait)."),
        click.option("--final", default="Final Answer:", metavar="TEXT",
                     help="What the answer begins with when thinking was cut."),
        click.option("--max-answer", type=click.IntRange(min=1), default=4_096, metavar="N",
                     help="Most tokens of the answer (4096)."),
        click.option("--marks", type=click.Choice(["s1", "think"]),
                     help="What stands around the thinking: s1's tokens or think tags (s1)."),
        click.option("--tokenizer", metavar="NAME|DIR",
                     help="Its chat template writes the prompt; a trained folder says marks too."),
        click.option("--template", metavar="TEXT",
                     help="The raw prompt up to the thinking, with {question}."),
        click.option("--samples", type=click.IntRange(1, 64), default=1, metavar="K",
                     help="Samples a question; a majority votes (1)."),
        click.option("--grader", default="cascade",
                     type=click.Choice(["cascade", "exact", "number", "choice", "maths"]),
                     metavar="NAME", help="cascade (default), exact, number, choice or maths."),
        click.option("--limit", type=click.IntRange(min=1), metavar="N",
                     help="Only the first N rows."),
        click.option("--against", type=Place(), metavar="DIR",
                     help="Another model's --out: tell the two apart, budget by budget."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("scale")
@_scale_options
@setting_options
@spending_options
def scale_command(
    *,
    path: str,
    model: str,
    out: str,
    maxima: tuple[int, ...],
    waits: tuple[int, ...],
    marks: Layout | None,
    tokenizer: str | None,
    template: str | None,
    samples: int,
    grader: str,
    limit: int | None,
    against: str | None,
    **given: Any,  # noqa: ANN401 - settings of budgets and the model, and what it is asked with
) -> None:
    """Force budgets of thinking over FILE (id, question, answer: Parquet, JSONL, CSV); draw curves.

    \b
    Example:
      s1data scale aime.jsonl --model openai_compatible:s1-32B@http://127.0.0.1:8000/v1 \\
        --max-thinking 1024 --max-thinking 4096 --waits 2 --no-price --out curves/s1
    """
    from s1data.scaling import sweep, versus
    from s1data.scaling.served import Completions
    from s1data.serving import Serving

    if given["max_tokens"] or given["thinking"]:
        raise click.UsageError("--max-tokens, --thinking: the budgets say that; leave them out")
    if samples > 1 and not given["temperature"]:
        raise click.UsageError(f"--samples {samples}: equal without --temperature; add it")
    budgets = _budgets(maxima, waits, given)
    spec, urls = spec_of(model, given)
    if spec.provider != "openai_compatible":
        raise click.UsageError(
            f"--model {model}: no text can be put into a hosted model's thinking; wanted "
            "openai_compatible (s1data.scaling.served.Knob turns the budget that it has)"
        )
    frame = sweep.read(Path(path), limit)
    way = _way(frame, marks, tokenizer, template, given["system"])
    # A prompt that a chat template wrote has its beginning token in it.
    extra = {"add_special_tokens": False} if tokenizer is not None else {}
    spec = spec.model_copy(
        update={"mode": "completions", "system": None, "extra": extra | dict(spec.extra)}
    )
    home = Path(out)
    names = [budget.name for budget in budgets]
    other = None if against is None else versus.read(Path(against), names, frame)
    home.mkdir(parents=True, exist_ok=True)
    means = means_of({**given, "models": ()})
    means = replace(means, endpoints={spec.model: urls})
    click.echo(f"prompt: {way.says}")
    # Each call says its own limit: the least that one can cost is a token.
    least = spec.model_copy(update={"max_tokens": 1})
    with Serving({spec.model: least}, means, home, say=click.echo) as serving:
        points = sweep.run(
            frame,
            budgets,
            way.marks,
            Completions(serving, spec.model),
            home,
            sweep.How(
                samples=samples,
                grader=grader,
                model=spec.model_dump(mode="json"),
                asked=way.asked,
            ),
        )
    show(points, home)
    for line in () if other is None else versus.lines(home, names, frame, other):
        click.echo(line)
    if more := sweep.others(home, budgets):
        click.echo(f"not in this curve, as they were not asked for: {', '.join(more)}")
    lost = [one.name for one in points if one.errors == frame.height * samples]
    if lost:
        sys.stderr.write(f"s1data: no reply at all came for {', '.join(lost)}: see to the server\n")
        raise click.exceptions.Exit(1)


_OPTIONS: Final = {
    "maximum": "--max-thinking, --min-thinking",
    "waits": "--waits",
    "text": "--text",
    "final": "--final",
    "answer": "--max-answer",
}
"""Options by field of a budget."""


def _budgets(
    maxima: tuple[int, ...], waits: tuple[int, ...], given: dict[str, Any]
) -> list[Budget]:
    from pydantic import ValidationError

    from s1data.scaling import Budget

    shared = {
        "minimum": given.pop("min_thinking"),
        "text": given.pop("text"),
        "final": given.pop("final"),
        "answer": given.pop("max_answer"),
    }
    ceiling = given.pop("ceiling")
    wanted: list[dict[str, Any]] = [{"maximum": most} for most in maxima]
    wanted += [{"maximum": ceiling, "waits": count} for count in waits]
    if not wanted:
        raise click.UsageError("wanted a budget or more: --max-thinking N, --waits N")
    try:
        return [Budget(**shared, **one) for one in wanted]
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        option = _OPTIONS.get(str(first["loc"][0]) if first["loc"] else "", _OPTIONS["maximum"])
        raise click.UsageError(f"{option}: {said}") from error


@dataclass(frozen=True)
class _Way:
    """How questions are put to the model."""

    marks: Marks
    says: str
    asked: dict[str, str] | None = None


def _way(
    frame: pl.DataFrame,
    layout: Layout | None,
    tokenizer: str | None,
    template: str | None,
    system: str | None,
) -> _Way:
    from s1data.scaling import MARKS, prompting

    if tokenizer is not None:
        if template is not None:
            raise click.UsageError("--template, --tokenizer: each writes the prompt; give one")
        chat, prompt = prompting.load(tokenizer, layout, system)
        asked = prompting.held(list(frame.select("id", "question").iter_rows()), chat, prompt)
        says = f"by the chat template of {tokenizer}, marks {prompt.layout}"
        return _Way(prompt.marks, says, asked)
    if system is not None:
        raise click.UsageError(
            "--system: a raw prompt has no place for it; name the chat template with --tokenizer, "
            "or write it into --template"
        )
    marks = MARKS[layout or "s1"]
    if template is None:
        own = (
            "s1-32B's, with Qwen's system prompt"
            if layout != "think"
            else "ChatML without a system prompt"
        )
        return _Way(marks, f"{own} (a model trained on another wants --tokenizer)")
    if "{question}" not in template:
        raise click.UsageError(f"--template {template!r}: {{question}} must stand in it")
    return _Way(marks.model_copy(update={"template": template}), "as given by --template")


def show(points: list[Point], home: Path) -> None:
    import json

    told = json.loads((home / "curve.json").read_text("utf-8"))
    for one in told["points"]:
        low, high = one["interval"]
        vote = "" if one["majority"] is None else f", majority {one['majority']:.1f}%"
        left = f", {one['undecided']} undecided" if one["undecided"] else ""
        lost = f", {one['errors']} without a reply" if one["errors"] else ""
        click.echo(
            f"{one['budget']}: {one['thinking_tokens']:,.0f} thinking tokens, "
            f"{one['accuracy']:.1f}% right [{low:.1f}, {high:.1f}]{vote}{left}{lost}"
        )
    for pair in told["differences"]:
        click.echo(f"{pair['from']} to {pair['to']}: {pair['says']}")
    slope = told["scaling"]
    scaled = "no scaling with one point" if slope is None else (
        f"scaling {slope:+.1f} points a doubling ({told['scaling_linear']:+.2f} per 1,000 tokens)"
    )  # fmt: skip
    click.echo(
        f"control {told['control']:.0f}%, {scaled}, performance {told['performance']:.1f}%; "
        f"{len(points)} budgets in {home}/curve.png"
    )


# Raw completions have no batch jobs, the knobs of hosted models are no budget that is forced, and
# a limit of tokens is what budgets say.
for _option in scale_command.params:
    if _option.name in {"batch", "batch_fallback", "thinking", "max_tokens"} and isinstance(
        _option, click.Option
    ):
        _option.hidden = True

COMMANDS: Final = (scale_command,)
"""Commands of this module."""
