"""The command line: every command is a thin call of the library, with one line for what is wrong.

Exit codes: 0 done; 1 failed, or fewer rows than asked for; 2 the call itself is wrong; 130
interrupted with everything finished kept. Tracebacks only with ``--debug``.
"""

from __future__ import annotations

import os
import sys

import click

from s1data import __version__
from s1data.cli import (
    asking,
    comparing,
    costing,
    emulating,
    exporting,
    looking,
    publishing,
    reading,
    replying,
    reporting,
    running,
    scaling,
)
from s1data.errors import BudgetError, PoolError, RecipeError, S1DataError

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


for _command in (
    *running.COMMANDS,
    *looking.COMMANDS,
    *reading.COMMANDS,
    *reporting.COMMANDS,
    *comparing.COMMANDS,
    *publishing.COMMANDS,
    *exporting.COMMANDS,
    *emulating.COMMANDS,
    *asking.COMMANDS,
    *replying.COMMANDS,
    *scaling.COMMANDS,
    *costing.COMMANDS,
):
    app.add_command(_command)


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
        _fail(str(error), 2 if isinstance(error, RecipeError | PoolError | BudgetError) else 1)
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
