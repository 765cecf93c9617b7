"""Published sets brought here from the Hub, at one commit, through the client's own cache."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from s1data.errors import RecipeError, RunError
from s1data.hub.published_set import PublishedSet
from s1data.published import SCHEME, Repo, in_words, quiet
from s1data.run import Run

FILES: Final = (
    "pipeline.yaml", "manifest.json", "README.md", "data/*", "ledger/*", "replay/*",
    "replies/*", "artefacts/*", "figures/*",
)  # fmt: skip


def open_set(target: str | Path) -> Run:
    """A run directory, a folder that was pushed, or a repository: whichever ``target`` names.

    RunError where it is none of these, or the Hub cannot be reached.
    """
    text, path = str(target), Path(target)
    if not text.startswith(SCHEME) and (path.exists() or not _looks_like_a_repo(text)):
        manifest = path / "manifest.json"
        if manifest.is_file() and b'"published"' in manifest.read_bytes():
            return PublishedSet.open(path)
        return Run.open(path)
    return fetch(Repo.parse(text))


def _looks_like_a_repo(text: str) -> bool:
    try:
        Repo.parse(text)
    except RecipeError:
        return False
    return text.count("/") == 1 and not text.startswith(("runs/", "./"))


def fetch(repo: Repo) -> PublishedSet:
    """The set as it stands in a repository at its revision."""
    from huggingface_hub import snapshot_download

    try:
        with quiet():
            folder = snapshot_download(
                repo.name,
                repo_type="dataset",
                revision=repo.revision,
                allow_patterns=list(FILES),
            )
    except Exception as error:
        raise RunError(f"{repo}: {in_words(error)}") from error
    return PublishedSet.open(folder, str(repo))
