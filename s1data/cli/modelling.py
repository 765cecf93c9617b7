"""Options that say which model is meant, without a recipe or with one, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from s1data.cli.options import Command

if TYPE_CHECKING:
    from s1data.models import ModelSpec

SETTINGS: Final = (
    "system", "temperature", "top_p", "max_tokens", "thinking", "seed", "extra",
)  # fmt: skip
"""Options that are settings of a model, by the names of `ModelSpec`."""


def setting_options(command: Command) -> Command:
    options = (
        click.option("--system", metavar="TEXT", help="System prompt."),
        click.option("--temperature", type=click.FloatRange(0, 2)),
        click.option("--top-p", type=click.FloatRange(0, 1, min_open=True)),
        click.option("--max-tokens", type=click.IntRange(min=1), metavar="N",
                     help="Most tokens of a reply, thinking included."),
        click.option("--thinking", metavar="BUDGET|LEVEL",
                     help="Gemini's thoughts: tokens, -1 (its choice), or low, medium, high."),
        click.option("--seed", type=int, help="Sampling seed, where the server has one."),
        click.option("--extra", multiple=True, metavar="KEY=VALUE",
                     help="A further field of the request, as top_k=20."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def spec_of(model: str, given: Mapping[str, Any]) -> tuple[ModelSpec, tuple[str, ...]]:
    """The model of ``--model`` with the values of `setting_options`, and its addresses."""
    from pydantic import ValidationError

    from s1data.models import ModelSpec
    from s1data.models.named import named

    provider, name, urls = named(model)
    fields = {key: given[key] for key in SETTINGS if given[key] not in (None, ())}
    if "extra" in fields:
        fields["extra"] = _extra(given["extra"])
    if "thinking" in fields:
        fields["thinking"] = _thinking(given["thinking"])
    try:
        return ModelSpec(provider=provider, model=name, **fields), urls
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise click.UsageError(f"--model {model}: {at}: {first['msg']}") from error


def spec_in(recipe: str, model: str, given: Mapping[str, Any]) -> tuple[ModelSpec, str]:
    """The recipe's model of that name, and the prompt that its stages make for it."""
    from s1data.errors import RecipeError, nearest
    from s1data.recipe import Pipeline
    from s1data.stage import Asker

    for name in SETTINGS:
        if given[name] not in (None, ()):
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option}: with --recipe the model's settings are its own")
    pipeline = Pipeline.load(recipe)
    if model not in pipeline.models:
        known = ", ".join(pipeline.models) or "none"
        raise RecipeError(
            f"{recipe}: has no model {model!r}{nearest(model, pipeline.models)}; models: {known}"
        )
    prompts = {
        prompt
        for stage in pipeline.stages
        if isinstance(stage, Asker) and model in stage.models()
        if isinstance(prompt := getattr(stage, "prompt", None), str) and "{question}" in prompt
    }
    if given["prompt"] is None and len(prompts) > 1:
        listed = ", ".join(map(repr, sorted(prompts)))
        raise click.UsageError(
            f"--model {model}: stages of the recipe ask it by several prompts ({listed}); say "
            "which with --prompt"
        )
    prompt = given["prompt"] or (min(prompts) if prompts else "{question}")
    return pipeline.models[model], prompt


def pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    """``KEY=VALUE`` options."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{option} {text}: wanted KEY=VALUE")
        if key in found:
            raise click.UsageError(f"{option} {text}: {key} is given twice")
        found[key] = value
    return found


def store_at(store: str | None, *, new: bool = False) -> tuple[Path, bool]:
    """The folder of the reply store, and whether it holds rehearsed replies.

    One that was named and is not there is a usage error, unless a ``new`` one may be made.
    """
    from s1data.acting import replies_home
    from s1data.store import mark

    home = replies_home() if store is None else Path(store)
    rehearsal = mark.rehearsed(home)
    if rehearsal is None and store is not None:
        try:
            empty = not any(home.iterdir())
        except FileNotFoundError:
            empty = True
        if not new or not empty:
            raise click.UsageError(f"--store {store}: there is no reply store there")
    return home, bool(rehearsal)


def _extra(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs(given, "--extra").items():
        try:
            found[key] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[key] = value
    return found


def _thinking(given: str) -> dict[str, Any]:
    try:
        return {"budget": int(given), "include": True}
    except ValueError:
        return {"level": given, "include": True}
