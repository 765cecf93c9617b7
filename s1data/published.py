"""Recipes that others can be pointed to: those that come with s1data, and those on the Hub.

The first stand in ``pipelines/`` at the top of the repository and are shipped inside the package,
as ``s1data/pipelines/``; an installed wheel has the second folder, a checkout the first. The others
are named ``hf://datasets/ORG/NAME``, with ``@REVISION`` for a tag, branch or commit.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s1data.errors import RecipeError

_PACKAGE = Path(__file__).resolve().parent
SCHEME: Final = "hf://datasets/"
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
UNREACHABLE: Final = frozenset(
    {"OfflineModeIsEnabled", "ConnectionError", "TransportError", "LocalEntryNotFoundError"}
)


def published() -> dict[str, Path]:
    """Name to file of every recipe that comes with s1data, in alphabetical order."""
    shipped = _PACKAGE / "pipelines"
    folder = shipped if shipped.is_dir() else _PACKAGE.parent / "pipelines"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem)}


@dataclass(frozen=True)
class Repo:
    """A dataset repository of the Hub, at a revision or at its main branch."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Repo:
        """Reads ``ORG/NAME`` or ``hf://datasets/ORG/NAME``, each with ``@REVISION`` or without."""
        plain = text.removeprefix(SCHEME).rstrip("/")
        name, _, revision = plain.partition("@")
        if not _NAME.fullmatch(name) or plain.endswith("@"):
            raise RecipeError(
                f"{text}: wanted a dataset of the Hub, as {SCHEME}ORG/NAME or "
                f"{SCHEME}ORG/NAME@REVISION"
            )
        return cls(name, revision or None)

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}" + (f"@{self.revision}" if self.revision else "")


def fetch(repo: Repo, file: str) -> Path:
    """A file of a repository, from the Hub or from its cache; RecipeError where there is none."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo.name, file, repo_type="dataset", revision=repo.revision))
    except Exception as error:
        raise RecipeError(f"{repo}: {in_words(error, file)}") from error


_SAID: Final = (
    ({"GatedRepoError"}, "the repository is gated: ask for access on its page, then hf auth login"),
    ({"RevisionNotFoundError"}, "there is no such revision"),
    (
        {"RepositoryNotFoundError", "DatasetNotFoundError"},
        "no such dataset, or no access to it; if it is private: hf auth login, or HF_TOKEN",
    ),
)


def in_words(error: Exception, file: str | None = None) -> str:
    """What the Hub's client says, as what is wrong and what to do."""
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    for kinds, said in _SAID:
        if names & kinds:
            return said
    if names & UNREACHABLE:
        return f"the Hub cannot be reached ({_first_line(error)}); try again"
    if "EntryNotFoundError" in names:
        return f"there is no {file or 'such file'} in it; was it pushed by s1data?"
    if status in (401, 403):
        return f"the Hub refuses ({status}): log in with a token that may write (hf auth login)"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].rstrip(".")


@contextmanager
def quiet() -> Iterator[None]:
    """The client without its bars and without warnings of its own retries: ours say it."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    loggers = [
        logging.getLogger("huggingface_hub.utils._http"),
        logging.getLogger("huggingface_hub.hf_api"),
    ]
    levels = [logger.level for logger in loggers]
    were_off = are_progress_bars_disabled()
    disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not were_off:
            enable_progress_bars()
