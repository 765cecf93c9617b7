"""Commands that show what there is and what happened, and one that writes a first recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from s1data.cli.options import Place, json_option, print_json


@click.command("why")
@click.argument("run_dir", metavar="RUN|REPO")
@click.argument("question_id", metavar="[ID]", required=False)
@click.option("--text", metavar="QUESTION", help="Look a question up by its exact text.")
@click.option("--row", type=click.IntRange(min=0), metavar="N", help="By its row in the ledger.")
@click.option("--store", type=Place(), metavar="DIR", help="The reply store of the run.")
@json_option
def why_command(
    *,
    run_dir: str,
    question_id: str | None,
    text: str | None,
    row: int | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Tell where a question went, and why.

    With the evidence in words and the setting that would have kept it. ID may be
    shortened to its first four or more digits. Verdicts stand beside the end of what was
    said; --store is for runs that were given a reply store of their own.

    \b
    Example:
      s1data why runs/quickstart 329b4f5d56d005d3
      s1data why runs/quickstart --text "What is 2 + 2?"
      s1data why hf://datasets/ORG/NAME 329b4f5d56d005d3
    """
    from s1data.hub.fetching import open_set
    from s1data.why import ways

    if [question_id, text, row].count(None) != 2:
        raise click.UsageError("give an ID, --text QUESTION or --row N, one of them")
    place = None if store is None else Path(store)
    found = ways(open_set(run_dir), question_id, text=text, row=row, store=place)
    if as_json:
        print_json([way.as_dict() for way in found])
    else:
        click.echo("\n\n".join(str(way) for way in found))


@click.command("recipes")
@json_option
def recipes_command(*, as_json: bool) -> None:
    """List the published recipes.

    \b
    Example:
      s1data recipes
    """
    from s1data.published import published
    from s1data.recipe import Pipeline

    found = [Pipeline.load(name) for name in published()]
    if as_json:
        print_json(
            [p.model_dump(mode="json", include={"name", "version", "description"}) for p in found]
        )
        return
    for pipeline in found:
        click.echo(
            f"{pipeline.name:<20} {pipeline.version:<10} "
            f"{pipeline.description.splitlines()[0] if pipeline.description else ''}"
        )


@click.command("stages")
@click.argument("name", required=False)
@json_option
def stages_command(*, name: str | None, as_json: bool) -> None:
    """List the stages, or explain one.

    \b
    Example:
      s1data stages
      s1data stages drop_contaminated
    """
    from s1data import catalogue

    if name is None:
        lines = catalogue.every()
        print_json(lines) if as_json else click.echo(catalogue.as_text(lines))
        return
    one = catalogue.one(name)
    print_json(one) if as_json else click.echo(catalogue.one_as_text(one))


@click.command("schema")
def schema_command() -> None:
    """Print the JSON schema of a recipe, for editors.

    \b
    Example:
      s1data schema > recipe.schema.json
    """
    from s1data.schema import schema

    print_json(schema())


@click.command("init")
@click.argument("pool", metavar="POOL")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write here instead of stdout; never over a file.",
)
@click.option("--question", metavar="COLUMN", help="The column that holds the questions.")
def init_command(*, pool: str, out: str | None, question: str | None) -> None:
    """Write a commented recipe for your own pool.

    \b
    Example:
      s1data init questions.jsonl --out mine.yaml
      s1data run mine.yaml
    """
    from s1data.beginning import recipe_for

    text = recipe_for(Path(pool), question)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        with Path(out).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.UsageError(f"--out {out}: there is a file already; give another name") from None
    click.echo(f"{out}: look it through, then: s1data run {out}")


COMMANDS: Final = (why_command, recipes_command, stages_command, schema_command, init_command)
