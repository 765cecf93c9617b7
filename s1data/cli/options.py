"""What several commands share: options, what is made of them, and JSON on stdout."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from s1data.models import Outcome
    from s1data.recipe import Pipeline
    from s1data.serving import Means

Command = Callable[..., Any]


class Place(click.Path):
    """A path that is not empty, as one from an unset variable of a shell would be."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click declares it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - as click declares it
        if not value:
            self.fail("a path is wanted, got nothing", param, ctx)
        return super().convert(value, param, ctx)


class Dollars(click.FloatRange):
    """A sum of money, which no infinity and no NaN is."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click declares it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - as click declares it
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"a number of dollars is wanted, got {value}", param, ctx)
        return found


def recipe_options(command: Command) -> Command:
    options = (
        click.argument("recipe"),
        click.option("--input", "inputs", multiple=True, metavar="[NAME=]PATH",
                     help="Bind a source or input to a file, folder or glob."),
        click.option("--out", type=Place(), metavar="RUN",
                     help="Run directory (default runs/NAME)."),
        click.option("--limit", type=click.IntRange(min=1), metavar="N",
                     help="Read only the first N rows of each source."),
        click.option("--from", "borrow_from", type=Place(), metavar="RUN",
                     help="Reuse another run's stages where nothing differs."),
        click.option("--set", "sets", multiple=True, metavar="LABEL.FIELD=VALUE",
                     help="Change a field; the run is marked as changed."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def asking_options(command: Command) -> Command:
    """What a recipe's models are asked with; `means_of` makes of it what the library takes."""
    model = click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME=URL[,URL]",
        help="Where a model of the recipe is served; NAME alone is its own service.",
    )
    return model(spending_options(command))


def spending_options(command: Command) -> Command:
    """The same but for the models' addresses."""
    options = (
        click.option("--max-usd", type=Dollars(min=0), metavar="DOLLARS",
                     help="The most that the run may cost, over all its resumes."),
        click.option("--no-price", is_flag=True, help="Count no cost for models without a price."),
        click.option("--prices", multiple=True, type=Place(), metavar="FILE",
                     help="Prices in TOML, before the built-in ones."),
        click.option("--concurrency", multiple=True, metavar="[NAME=]N",
                     help="Most requests in flight, of one model or each (64)."),
        click.option("--rpm", multiple=True, metavar="[NAME=]N", help="Most requests a minute."),
        click.option("--tpm", multiple=True, metavar="[NAME=]N", help="Most tokens a minute."),
        click.option("--timeout", type=click.FloatRange(min=1), metavar="SECONDS",
                     help="For one request (1200)."),
        click.option("--batch", is_flag=True,
                     help="Ask Gemini in batch jobs: half the price, within a day."),
        click.option("--batch-fallback", type=click.Choice(["stop", "wait", "online"]),
                     metavar="WHAT",
                     help="A job that failed or is stuck: stop, wait, or online (double)."),
        click.option("--ask-again", multiple=True, metavar="OUTCOME[,…]",
                     help="Ask once more what ended so before: malformed, empty …"),
        click.option("--store", type=Place(), metavar="DIR", help="The reply store to use."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


ASKING: Final = (
    "models", "max_usd", "no_price", "prices", "concurrency", "rpm", "tpm", "timeout", "batch",
    "batch_fallback", "ask_again", "store",
)  # fmt: skip


def means_of(given: Mapping[str, Any]) -> Means:
    """The values of `asking_options` as `s1data.serving.Means`; usage errors in one line."""
    from s1data.asking import Limits
    from s1data.providers import DEFAULT_TIMEOUT
    from s1data.serving import Means

    if given["batch_fallback"] and not given["batch"]:
        raise click.UsageError("--batch-fallback: says what becomes of batch jobs; add --batch")
    limits: dict[str, dict[str, int]] = {}
    for field in ("concurrency", "rpm", "tpm"):
        for text in given[field]:
            name, _, number = text.rpartition("=")
            if not number.isdecimal() or int(number) < 1:
                raise click.UsageError(f"--{field} {text}: wanted a number over 0, or NAME=NUMBER")
            limits.setdefault(name, {})[field] = int(number)
    everyone = limits.get("", {})
    return Means(
        endpoints=endpoints_of(given["models"]),
        max_usd=given["max_usd"],
        no_price=given["no_price"],
        prices=[Path(file) for file in given["prices"]],
        limits={name: Limits(**(everyone | own)) for name, own in limits.items()},
        timeout=given["timeout"] or DEFAULT_TIMEOUT,
        batch=given["batch"],
        batch_fallback=given["batch_fallback"] or "stop",
        ask_again=_again(given["ask_again"]),
        store=None if given["store"] is None else Path(given["store"]),
    )


def _again(given: tuple[str, ...]) -> tuple[Outcome, ...]:
    """Outcomes that were named, each once; only those that are settled and no answers."""
    from s1data.asking.again import AGAIN
    from s1data.errors import nearest

    found: list[Outcome] = []
    for text in (one.strip() for texts in given for one in texts.split(",")):
        if text not in AGAIN:
            raise click.UsageError(
                f"--ask-again {text}: wanted {', '.join(AGAIN)}{nearest(text, AGAIN)}; answers are "
                "kept, and what got no reply is asked again in any case"
            )
        found.append(next(outcome for outcome in AGAIN if outcome == text))
    return tuple(dict.fromkeys(found))


def endpoints_of(given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """``NAME=URL,URL`` as URLs by name; none for a bare name."""
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, equals, urls = text.partition("=")
        listed = tuple(url.strip() for url in urls.split(",")) if equals else ()
        if not name or not all(listed):
            raise click.UsageError(
                f"--model {text}: wanted NAME=URL[,URL] as small=http://127.0.0.1:8000/v1, or NAME"
            )
        if name in found:
            raise click.UsageError(
                f"--model {text}: {name} is given twice; separate URLs by commas"
            )
        found[name] = listed
    return found


def store_option(command: Command) -> Command:
    """--store DIR."""
    return click.option(
        "--store", type=Place(), metavar="DIR", help="The reply store (default: your own)."
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(command)


def pipeline_of(recipe: str, sets: tuple[str, ...]) -> Pipeline:
    from s1data.recipe import Pipeline
    from s1data.setting import parse_set

    return Pipeline.load(recipe).with_set(dict(parse_set(text) for text in sets))


def inputs_of(given: tuple[str, ...]) -> dict[str, str]:
    bound: dict[str, str] = {}
    for text in given:
        name, equals, path = text.partition("=")
        # A path may hold an equals sign: only what looks like a name is one.
        if not equals or not name.replace("_", "").replace("-", "").isalnum():
            name, path = "", text
        if not path:
            raise click.UsageError(f"--input {text}: there is no path behind the equals sign")
        if name in bound:
            raise click.UsageError(f"--input {text}: {name or 'the source'} is bound twice")
        bound[name] = path
    return bound


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
