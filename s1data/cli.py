"""The command line: every command is a thin call of the library, with one line for what is wrong.

Exit codes: 0 done; 1 failed, or fewer rows than asked for; 2 the call itself is wrong; 130
interrupted with everything finished kept. Tracebacks only with ``--debug``.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from s1data import __version__
from s1data.errors import PoolError, RecipeError, S1DataError

if TYPE_CHECKING:
    from s1data.progress import Teller
    from s1data.recipe import Pipeline
    from s1data.run import Run

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, prog_name="s1data")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def app(*, debug: bool) -> None:
    """Turn a large pool of questions into a small reasoning set, every row accounted for.

    \b
    Example:
      s1data run quickstart
      s1data run quickstart --input my_questions.jsonl --out runs/mine
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with an honest code."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    given = [word for word in given if word != "--debug"]
    try:
        sys.exit(app.main(args=given, prog_name="s1data", standalone_mode=False) or 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_one_line(error), 2)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; what was finished is kept: the same command goes on from there", 130)
    except BrokenPipeError:
        # The reader of our output went away, as in `s1data ledger | head`: nothing to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except S1DataError as error:
        if debug:
            raise
        _fail(str(error), 2 if isinstance(error, RecipeError | PoolError) else 1)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; what is finished is kept: mend it, run again", 1)


def _fail(text: str, code: int) -> None:
    lines = text.splitlines()
    sys.stderr.write("".join(f"s1data: {line}\n" for line in lines))
    sys.exit(code)


def _one_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "s1data"
    return f"{error.format_message()} ({path} --help)".replace("\n", " ")


Command = Callable[..., Any]


class _Place(click.Path):
    """A path that is not empty, as one from an unset variable of a shell would be."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click declares it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401
        if not value:
            self.fail("a path is wanted, got nothing", param, ctx)
        return super().convert(value, param, ctx)


def _recipe_options(command: Command) -> Command:
    options = (
        click.argument("recipe"),
        click.option("--input", "inputs", multiple=True, metavar="[NAME=]PATH",
                     help="Bind a source or input to a file, folder or glob."),
        click.option("--out", type=_Place(), metavar="RUN",
                     help="Run directory (default runs/NAME)."),
        click.option("--limit", type=click.IntRange(min=1), metavar="N",
                     help="Read only the first N rows of each source."),
        click.option("--from", "borrow_from", type=_Place(), metavar="RUN",
                     help="Reuse another run's stages where nothing differs."),
        click.option("--set", "sets", multiple=True, metavar="LABEL.FIELD=VALUE",
                     help="Change a field; the run is marked as changed."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(command)


@app.command("run")
@_recipe_options
@click.option("--until", metavar="LABEL", help="Stop after this stage.")
@click.option("--quiet", is_flag=True, help="Tell no progress.")
@click.option("--log-file", type=click.Path(dir_okay=False), help="Also tell progress here.")
@_json_option
def run_command(
    *,
    recipe: str,
    inputs: tuple[str, ...],
    out: str | None,
    limit: int | None,
    borrow_from: str | None,
    sets: tuple[str, ...],
    until: str | None,
    quiet: bool,
    log_file: str | None,
    as_json: bool,
) -> int:
    """Run a recipe, or resume it where it stopped.

    RECIPE is a file, or the name of a published recipe (s1data recipes).

    \b
    Example:
      s1data run quickstart --out runs/first
      s1data run my.yaml --input pool=data/*.parquet --set keep.n=500
    """
    from s1data.run import run

    pipeline = _pipeline(recipe, sets)
    with _teller(quiet=quiet or as_json, log_file=log_file) as tell:
        done = run(
            pipeline,
            out,
            inputs=_inputs(inputs),
            limit=limit,
            until=until,
            borrow_from=borrow_from,
            tell=tell,
        )
    code = _summary(done, as_json=as_json)
    if not as_json and done.finished:
        _say_how_on_own_questions(recipe, pipeline)
    return code


@app.command("plan")
@_recipe_options
@_json_option
def plan_command(
    *,
    recipe: str,
    inputs: tuple[str, ...],
    out: str | None,
    limit: int | None,
    borrow_from: str | None,
    sets: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what a run would do, and check it all.

    What is cached, what would run and why. Runs nothing and spends nothing.

    \b
    Example:
      s1data plan my.yaml --set drop_solved.rule=all
    """
    from s1data.planning import plan

    found = plan(
        _pipeline(recipe, sets), out, inputs=_inputs(inputs), limit=limit, borrow_from=borrow_from
    )
    if as_json:
        _print_json(found.as_dict())
        return
    click.echo(f"{found.title} → {found.home}")
    for name, columns in found.unread.items():
        if columns:
            click.echo(f"source {name}: not taken: {', '.join(columns)}")
    for line in found.lines:
        rows = "" if line.rows_in is None else f"{line.rows_in:>9,}"
        rows += "" if line.rows_out is None else f" → {line.rows_out:,}"
        before = "" if line.seconds is None else f" ({line.seconds:.1f} s before)"
        why = f"  {line.why}" if line.why else ""
        click.echo(f"{line.label:<24} {line.kind:<14} {line.status:<8}{rows}{before}{why}")


@app.command("why")
@click.argument("run_dir", metavar="RUN")
@click.argument("question_id", metavar="[ID]", required=False)
@click.option("--text", metavar="QUESTION", help="Look a question up by its exact text.")
@click.option("--row", type=click.IntRange(min=0), metavar="N", help="By its row in the ledger.")
@_json_option
def why_command(
    *, run_dir: str, question_id: str | None, text: str | None, row: int | None, as_json: bool
) -> None:
    """Tell where a question went, and why.

    With the evidence in words and the setting that would have kept it. ID may be
    shortened to its first four or more digits.

    \b
    Example:
      s1data why runs/quickstart 329b4f5d56d005d3
      s1data why runs/quickstart --text "What is 2 + 2?"
    """
    from s1data.run import Run
    from s1data.why import ways

    if [question_id, text, row].count(None) != 2:
        raise click.UsageError("give an ID, --text QUESTION or --row N, one of them")
    found = ways(Run.open(run_dir), question_id, text=text, row=row)
    if as_json:
        _print_json([way.as_dict() for way in found])
    else:
        click.echo("\n\n".join(str(way) for way in found))


@app.command("recipes")
@_json_option
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
        _print_json(
            [p.model_dump(mode="json", include={"name", "version", "description"}) for p in found]
        )
        return
    for pipeline in found:
        click.echo(
            f"{pipeline.name:<20} {pipeline.version:<10} "
            f"{pipeline.description.splitlines()[0] if pipeline.description else ''}"
        )


@app.command("stages")
@click.argument("name", required=False)
@_json_option
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
        _print_json(lines) if as_json else click.echo(catalogue.as_text(lines))
        return
    one = catalogue.one(name)
    _print_json(one) if as_json else click.echo(catalogue.one_as_text(one))


@app.command("schema")
def schema_command() -> None:
    """Print the JSON schema of a recipe, for editors.

    \b
    Example:
      s1data schema > recipe.schema.json
    """
    from s1data.schema import schema

    _print_json(schema())


@app.command("init")
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


def _emulate_options(command: Command) -> Command:
    options = (
        click.option("--port", default=8399, show_default=True, help="0 takes a free one."),
        click.option("--answers", type=_Place(), metavar="POOL", help="Questions and answers."),
        click.option("--replay", type=_Place(), metavar="FILE", help="Recorded replies to serve."),
        click.option("--solver", "solvers", multiple=True, metavar="MODEL=SKILL",
                     help="Shows no thinking and is right so often (0 to 1)."),
        click.option("--teacher", "teachers", multiple=True, metavar="MODEL=SKILL",
                     help="Shows its thinking and is right so often."),
        click.option("--fault", "faults", multiple=True, metavar="FAULT=RATE",
                     help="Strike this share of requests."),
        click.option("--script", "script_file", type=_Place(), metavar="FILE",
                     help="All of this and more, in TOML."),
        click.option("--seed", type=int, help="Another seed, other replies."),
        click.option("--log", type=_Place(), metavar="FILE", help="One JSON line per request."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@app.command("emulate")
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


def _pipeline(recipe: str, sets: tuple[str, ...]) -> Pipeline:
    from s1data.recipe import Pipeline
    from s1data.setting import parse_set

    return Pipeline.load(recipe).with_set(dict(parse_set(text) for text in sets))


def _inputs(given: tuple[str, ...]) -> dict[str, str]:
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


@contextmanager
def _teller(*, quiet: bool, log_file: str | None) -> Iterator[Teller]:
    from s1data.progress import Bars, Both, Lines, Silent

    tellers: list[Teller] = []
    if quiet:
        tellers.append(Silent())
    elif sys.stderr.isatty():
        from rich.console import Console

        tellers.append(Bars(Console(stderr=True)))
    else:
        tellers.append(Lines(sys.stderr))
    try:
        log = Path(log_file).open("a", encoding="utf-8") if log_file else None  # noqa: SIM115
    except OSError as error:
        raise click.UsageError(f"--log-file {log_file}: {error.strerror}") from None
    if log is not None:
        tellers.append(Lines(log, stamped=True))
    tell = Both(*tellers)
    try:
        yield tell
    finally:
        tell.close()
        if log is not None:
            log.close()


def _summary(done: Run, *, as_json: bool) -> int:
    """Prints what came out; 1 if a finished run kept fewer rows than its recipe asks for."""
    from s1data.recipe import asked_for

    asked = asked_for(done.pipeline)
    rows = done.manifest["selected"]["rows"] if done.finished else None
    short = rows is not None and asked is not None and rows < asked
    if as_json:
        _print_json(
            {
                "run": str(done.path),
                "finished": done.finished,
                "rows": rows,
                "asked_for": asked,
                "stages": done.funnel().to_dicts(),
            }
        )
    else:
        for line in done.funnel().iter_rows(named=True):
            why = ", ".join(f"{r['rows']:,} {r['reason']}" for r in line["reasons"])
            click.echo(
                f"{line['stage']:<24} {line['rows_in']:>9,} → {line['rows_out']:>9,}"
                f"{'  ' + why if why else ''}"
            )
        if rows is not None:
            questions = "question" if rows == 1 else "questions"
            click.echo(f"{rows:,} {questions} in {done.path / 'selected.parquet'}")
            place = shlex.quote(str(done.path))
            click.echo(f"ask where any question went: s1data why {place} ID")
    if short:
        sys.stderr.write(f"s1data: rows that came out: {rows:,}; asked for: {asked:,}\n")
    return 1 if short else 0


def _say_how_on_own_questions(recipe: str, pipeline: Pipeline) -> None:
    """After a published recipe that brings its own questions: how to run it on the user's."""
    from s1data.published import published

    (first, *others) = pipeline.sources
    if recipe not in published() or others or first.reasoning_gym is None:
        return
    click.echo(f"the same on your own: s1data run {recipe} --input questions.jsonl --out runs/mine")
    click.echo("other column names, other stages: s1data init questions.jsonl --out mine.yaml")


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
