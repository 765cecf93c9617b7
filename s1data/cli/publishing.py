"""Commands that publish a run and check what was published."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.options import Place, inputs_of, json_option, print_json

if TYPE_CHECKING:
    from s1data.hub.pushing import Pushed


@click.command("push")
@click.argument("run_dir", metavar="RUN")
@click.argument("repo", metavar="REPO")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--create-pr", is_flag=True, help="Propose it as a pull request; no tag is set.")
@click.option("--revision", metavar="BRANCH", help="The branch to push to (default main).")
@click.option("--dry-run", is_flag=True, help="Write the folder and say what would be sent.")
@click.option(
    "--with-replies",
    type=click.Choice(["selected", "all", "none"]),
    default="selected",
    show_default=True,
    help="Texts of traces: those of the set, all that may be passed on, or none.",
)
@click.option(
    "--accept-licence",
    "accepted",
    multiple=True,
    metavar="LICENCE",
    help="Publish rows under it although it is not open (a name, unknown, conflicting …).",
)
@click.option("--out", type=Place(), metavar="FOLDER", help="Write it here first (RUN/push).")
@click.option("--store", type=Place(), metavar="DIR", help="The reply store, for all replies.")
@json_option
def push_command(
    *,
    run_dir: str,
    repo: str,
    private: bool,
    create_pr: bool,
    revision: str | None,
    dry_run: bool,
    with_replies: Any,  # noqa: ANN401 - one of three words, by click's own check
    accepted: tuple[str, ...],
    out: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Publish a run as a dataset: set, ledger, replay, recipe and card in one commit, and a tag.

    The token is that of hf auth login, or HF_TOKEN. The same run again makes no
    second commit.

    \b
    Example:
      s1data push runs/mine ORG/my-set --dry-run
      s1data push runs/mine ORG/my-set --private
    """
    from s1data.hub.pushing import Options, push
    from s1data.run import Run

    options = Options(
        private=private,
        create_pr=create_pr,
        revision=revision,
        dry_run=dry_run,
        with_replies=with_replies,
        accept_licences=accepted,
        folder=Path(out) if out else None,
        store=Path(store) if store else None,
    )
    done = push(
        Run.open(run_dir), repo, options, lambda text: print(f"s1data: {text}", file=sys.stderr)
    )
    print_json(done.as_dict()) if as_json else _say_pushed(done, dry_run=dry_run)


def _say_pushed(done: Pushed, *, dry_run: bool) -> None:
    for name, size in done.files.items():
        click.echo(f"{size:>13,}  {name}")
    click.echo(f"{sum(done.files.values()):>13,}  bytes in {len(done.files)} files, {done.folder}")
    for note in done.notes:
        click.echo(note)
    if dry_run:
        click.echo(f"would be one commit in {done.repo}, tagged {done.tag}; nothing was sent")
        return
    made = "committed" if done.made else "stood there already, no commit made"
    click.echo(
        f"{done.repo} {(done.commit or '')[:12]}: {made}; read back: rows and hashes are right"
    )
    if done.pull_request:
        click.echo(f"pull request: {done.pull_request}; once it is merged, push again for the tag")
    elif done.tagged:
        click.echo(f"tag {done.tag}")


@click.command("verify")
@click.argument("target", metavar="RUN|REPO")
@click.option(
    "--level",
    type=click.Choice(["hashes", "decisions", "full"]),
    default="decisions",
    show_default=True,
    help="How far to check; full runs the recipe again from its sources.",
)
@click.option(
    "--input", "inputs", multiple=True, metavar="[NAME=]PATH", help="For full: as for run."
)
@click.option("--store", type=Place(), metavar="DIR", help="For full: the reply store to use.")
@json_option
def verify_command(
    *,
    target: str,
    level: Any,  # noqa: ANN401 - one of three words, by click's own check
    inputs: tuple[str, ...],
    store: str | None,
    as_json: bool,
) -> int:
    """Check a run or a published set, and say how far that went.

    hashes: files and the ledger's arithmetic. decisions: filters and selectors run
    again from what was published. full: the recipe run again from its sources.

    \b
    Example:
      s1data verify runs/mine
      s1data verify hf://datasets/ORG/my-set@2026.11.0
    """
    from s1data.hub.fetching import open_set
    from s1data.verify import verify

    place = Path(store) if store else None
    found = verify(open_set(target), level, inputs=inputs_of(inputs), store=place)
    if as_json:
        print_json(found.as_dict())
        return 0 if found.holds else 1
    for line in found.said:
        click.echo(line)
    for line in found.differences:
        click.echo(f"differs: {line}")
    asked = "" if found.holds else f" (asked for: {level})"
    click.echo(f"{found.target}: reached {found.reached or 'no level'}{asked}")
    return 0 if found.holds else 1


COMMANDS: Final = (push_command, verify_command)
