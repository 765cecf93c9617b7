"""One dataset repository as it stands on the Hub, and what is done to it.

Only here is the Hub's client spoken to for writing. The token is the client's own matter: it finds
it in the environment or the login, and no line of ours ever holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s1data.errors import RunError
from s1data.hub.retrying import retrying, status_of
from s1data.hub.staging import read_manifest
from s1data.published import UNREACHABLE, in_words, quiet

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Say = Callable[[str], None]


@dataclass(frozen=True)
class Standing:
    """What is in a repository at a revision."""

    head: str
    private: bool
    tags: dict[str, str]
    files: frozenset[str]
    card: str | None
    manifest: dict[str, Any] | None
    """Of the last push by s1data; None where there was none."""


@dataclass(frozen=True)
class Sent:
    """What a commit came to."""

    commit: str
    made: bool
    """False where the repository had all of it already."""
    pull_request: str | None


class Remote:
    """A dataset repository."""

    def __init__(self, name: str, say: Say) -> None:
        self.name = name
        self._say = say

    @property
    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(library_name="s1data")

    def look(self, revision: str = "main") -> Standing | None:
        """What stands there; None where there is no such repository or nobody may see it."""
        return retrying(f"{self.name}: looking at it", lambda: self._look(revision), self._say)

    def look_once(self) -> Standing | str | None:
        """As `look`, but a Hub that cannot be reached is told in words, not raised."""
        try:
            return self._look("main")
        except Exception as error:
            names = {kind.__name__ for kind in type(error).__mro__}
            if names & UNREACHABLE or status_of(error):
                return in_words(error)
            raise

    def _look(self, revision: str) -> Standing | None:
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = self._api.dataset_info(self.name, revision=revision, timeout=30)
        except RepositoryNotFoundError:
            return None
        except RevisionNotFoundError as error:
            if revision == "main":
                raise
            raise RunError(
                f"{self.name}: there is no branch {revision}; make it on the Hub first"
            ) from error
        if info.sha is None:
            raise RunError(f"{self.name}: the Hub names no commit for {revision}")
        files = frozenset(s.rfilename for s in info.siblings or ())
        refs = self._api.list_repo_refs(self.name, repo_type="dataset")
        card = self._text("README.md", info.sha) if "README.md" in files else None
        manifest = self.manifest(info.sha) if "manifest.json" in files else None
        tags = {tag.name: tag.target_commit for tag in refs.tags}
        return Standing(info.sha, bool(info.private), tags, files, card, manifest)

    def manifest(self, revision: str) -> dict[str, Any] | None:
        """The manifest of a push at a revision; None where none stands there."""
        from huggingface_hub.errors import EntryNotFoundError

        try:
            return read_manifest(self._text("manifest.json", revision))
        except (EntryNotFoundError, RunError):
            return None

    def pull_requests(self) -> list[tuple[str, str]]:
        """Ref and commit of each pull request, newest first."""

        def refs() -> list[tuple[str, str]]:
            found = self._api.list_repo_refs(
                self.name, repo_type="dataset", include_pull_requests=True
            )
            return [(r.ref, r.target_commit) for r in reversed(found.pull_requests or [])]

        return retrying(f"{self.name}: looking at its pull requests", refs, self._say)

    def _text(self, path: str, revision: str) -> str:
        from huggingface_hub import hf_hub_download

        with quiet():
            file = hf_hub_download(self.name, path, repo_type="dataset", revision=revision)
        return Path(file).read_text(encoding="utf-8")

    def create(self, *, private: bool) -> None:
        """Makes the repository."""
        retrying(
            f"{self.name}: making it",
            lambda: self._api.create_repo(
                self.name, repo_type="dataset", private=private, exist_ok=True
            ),
            self._say,
        )

    def commit(
        self,
        title: str,
        revision: str,
        work: Callable[[Standing], tuple[dict[str, Path], Sequence[str]]],
        *,
        create_pr: bool,
    ) -> Sent:
        """One commit of files to add and paths to delete, as ``work`` names them for what stands.

        Tried again on a conflict with what stands by then; if an answer was lost on the way, the
        second look finds all in its place and makes no second commit.
        """
        return retrying(
            f"{self.name}: committing",
            lambda: self._commit(title, revision, work, create_pr=create_pr),
            self._say,
        )

    def _commit(
        self,
        title: str,
        revision: str,
        work: Callable[[Standing], tuple[dict[str, Path], Sequence[str]]],
        *,
        create_pr: bool,
    ) -> Sent:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        stands = self._look(revision)
        if stands is None:
            raise RunError(f"{self.name}: is gone since it was looked at")
        add, delete = work(stands)
        operations: list[Any] = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))
            for name, path in sorted(add.items())
        ]
        operations += [CommitOperationDelete(path_in_repo=name) for name in sorted(delete)]
        with quiet():
            info = self._api.create_commit(
                self.name,
                operations,
                commit_message=title,
                repo_type="dataset",
                revision=revision,
                parent_commit=stands.head,
                create_pr=create_pr or None,
            )
        return Sent(info.oid, info.oid != stands.head, info.pr_url)

    def tag(self, name: str, commit: str, message: str) -> None:
        """Tags a commit; a tag that stands on it already is what was wanted."""
        from huggingface_hub.errors import HfHubHTTPError

        def act() -> None:
            try:
                self._api.create_tag(
                    self.name, tag=name, revision=commit, tag_message=message, repo_type="dataset"
                )
            except HfHubHTTPError as error:
                if status_of(error) != 409:
                    raise
                there = {
                    t.name: t.target_commit
                    for t in self._api.list_repo_refs(self.name, repo_type="dataset").tags
                }
                if there.get(name) != commit:
                    raise RunError(
                        f"{self.name}: the tag {name} was set on another commit meanwhile; "
                        "raise the recipe's version and push again"
                    ) from error

        retrying(f"{self.name}: tagging", act, self._say)

    def download(self, path: str, revision: str, folder: Path) -> Path:
        """A file as it stands on the Hub at a commit, never from the cache."""
        from huggingface_hub import hf_hub_download

        def act() -> Path:
            with quiet():
                return Path(
                    hf_hub_download(
                        self.name, path, repo_type="dataset", revision=revision, local_dir=folder
                    )
                )

        return retrying(f"{self.name}: reading back {path}", act, self._say)
