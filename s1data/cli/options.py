"""What several commands share: options, what is made of them, and JSON on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from s1data.recipe import Pipeline

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
