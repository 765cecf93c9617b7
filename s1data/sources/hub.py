"""Datasets of the Hugging Face Hub, read through ``datasets`` at one commit.

A branch, a tag or nothing is resolved to a commit first; only the commit counts for the content,
and it is recorded. Code in a repository is never run. What was fetched stays in the cache of
``datasets``; if the Hub cannot be reached, only a full commit that lies there can be read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import polars as pl

from s1data.errors import PoolError
from s1data.sources.frames import Frame, arrow_frame
from s1data.sources.intake import Raw, Take, first_line

COMMIT = re.compile(r"[0-9a-f]{40}")


class Hub:
    """A reader over one split of a dataset repository."""

    def __init__(
        self, who: str, repo: str, config: str | None, split: str, revision: str | None
    ) -> None:
        self.who = f"{who}: {repo}"
        self._repo, self._config, self._split, self._revision = repo, config, split, revision

    @cached_property
    def _commit(self) -> str:
        if self._revision is not None and COMMIT.fullmatch(self._revision):
            return self._revision
        from huggingface_hub import HfApi

        with self._errors():
            sha = HfApi().dataset_info(self._repo, revision=self._revision, timeout=30).sha
        if sha is None:
            msg = f"{self.who}: the Hub names no commit for revision {self._revision or 'main'}"
            raise PoolError(msg)
        return sha

    @cached_property
    def _frame(self) -> Frame:
        import datasets

        commit = self._commit
        with self._errors(), _quiet(datasets):
            # With the scheme, a folder of the same name beside us can never be meant.
            builder = datasets.load_dataset_builder(
                f"hf://datasets/{self._repo}", self._config, revision=commit
            )
            if builder.hash != commit:  # what datasets does where it cannot reach the Hub
                msg = (
                    f"{self.who}: commit {commit} cannot be reached, and the cache holds another "
                    "one; fetch the files and give a path, or try again"
                )
                raise PoolError(msg)
            builder.download_and_prepare()
            dataset = builder.as_dataset(split=self._split)
            return Frame(self.who, arrow_frame(self.who, dataset), "hub")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PoolError:
            raise
        except Exception as error:
            raise PoolError(f"{self.who}: {_in_words(error, self)}") from error

    def _named(self) -> str:
        config = f", config {self._config}" if self._config else ""
        return f"revision {self._revision or 'main'}{config}, split {self._split}"

    def names(self) -> tuple[str, ...]:
        return self._frame.names()

    def dtype(self, name: str) -> pl.DataType:
        return self._frame.dtype(name)

    def check(self, takes: Sequence[Take]) -> None:
        self._frame.check(takes)

    def read(self, takes: Sequence[Take], limit: int | None) -> Raw:
        return self._frame.read(takes, limit)

    def identity(self, taken: Callable[[], Sequence[Take]]) -> object:  # noqa: ARG002 - the commit says all
        return [self._repo, self._commit, self._config, self._split]

    def provenance(self) -> dict[str, Any]:
        return {
            "kind": "hub",
            "repo": self._repo,
            "revision": self._commit,
            "asked": self._revision,
            "config": self._config,
            "split": self._split,
        }


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:  # noqa: ANN401 - a module
    """Without progress bars, and without a line for each try where the Hub cannot be reached."""
    hub = logging.getLogger("huggingface_hub")
    were_off, told = datasets.are_progress_bars_disabled(), hub.level
    datasets.disable_progress_bars()
    hub.setLevel(logging.ERROR)
    try:
        yield
    finally:
        hub.setLevel(told)
        if not were_off:
            datasets.enable_progress_bars()


def _in_words(error: Exception, hub: Hub) -> str:
    names = {kind.__name__ for kind in type(error).__mro__}
    wanted = hub._named()  # noqa: SLF001 - same module
    if "GatedRepoError" in names:
        return "the repository is gated: ask for access on its page and log in (hf auth login)"
    if "RevisionNotFoundError" in names:
        return f"there is no such revision ({wanted})"
    if names & {"RepositoryNotFoundError", "DatasetNotFoundError"}:
        return f"no such dataset, or no access to it ({wanted}); if it is private: hf auth login"
    if names & {
        "OfflineModeIsEnabled",
        "ConnectionError",
        "TransportError",
        "LocalEntryNotFoundError",
    }:
        return (
            f"the Hub cannot be reached ({first_line(error)}); fetch the files and give a path, "
            "or try again"
        )
    return f"{first_line(error)} ({wanted})"
