"""Publishing a run: one commit of everything, a tag, and a look at what then stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data import card
from s1data.checkpoint import write_json
from s1data.errors import RecipeError, RunError
from s1data.hub import shards, staging
from s1data.hub.accepting import refuse_unaccepted
from s1data.hub.published_set import PublishedSet
from s1data.hub.reading_back import read_back
from s1data.hub.remote import Remote, Say, Sent, Standing
from s1data.hub.staging import Staged, WithReplies
from s1data.published import Repo
from s1data.run import Run

_SHARD: Final = re.compile(rf"({'|'.join(staging.SHARDED)})/train-.*")


@dataclass(frozen=True)
class Pushed:
    """What a push came to, or would come to."""

    repo: str
    folder: Path
    files: Mapping[str, int]
    """Path to bytes of everything that the set consists of, card and manifest included."""
    tag: str
    tagged: bool
    commit: str | None = None
    """None where nothing was sent."""
    made: bool = False
    """Whether a commit was made; False where all of it stood there already."""
    pull_request: str | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**vars(self), "folder": str(self.folder), "files": dict(self.files)}


@dataclass(frozen=True)
class Options:
    """How a run is to be published."""

    private: bool = False
    """Makes a new repository private."""
    create_pr: bool = False
    revision: str | None = None
    """The branch; main unless given."""
    dry_run: bool = False
    """Writes the folder and sends nothing; no token is needed then."""
    with_replies: WithReplies = "selected"
    accept_licences: tuple[str, ...] = ()
    """Licences, or classes of them, that may be published although they are not open."""
    folder: Path | None = None
    """Where the set is written first; ``RUN/push`` unless given."""
    store: Path | None = None
    """The reply store with all replies of the run; the user's own unless given."""


def push(
    run: Run, repo: str, options: Options | None = None, say: Say = lambda _text: None
) -> Pushed:
    """Publishes a finished run in a dataset repository, which is made where there is none.

    The same run again makes no second commit. ``say`` hears of what is tried again. Raises
    RunError where the run may not be published or the Hub refuses, RecipeError where the call
    itself is wrong.
    """
    name, how = _name(repo), options or Options()
    branch = how.revision or "main"
    if how.create_pr and branch != "main":
        raise RecipeError(f"push: a pull request is made against main, not against {branch}")
    place = how.folder if how.folder is not None else run.path / "push"
    staged = staging.stage(run, place, with_replies=how.with_replies, store=how.store)
    notes = refuse_unaccepted(staged.concerns, how.accept_licences)
    remote = Remote(name, say)
    if how.dry_run:
        return _dry(remote, staged, run, notes)
    stands = remote.look(branch)
    if stands is None:
        _make(remote, how, branch)
    else:
        _refuse_other(remote, stands, staged, run, private=how.private)
    create_pr, job = how.create_pr, _Job(remote, staged, run)
    sent = (job.proposed() if create_pr else None) or job.send(branch, create_pr=create_pr)
    tagged = False if create_pr else job.tagged(sent.commit)
    read_back(remote, job.sent, sent.commit, job.manifest, say)
    return Pushed(
        name, place, job.sizes(), run.pipeline.version, tagged, sent.commit, sent.made,
        sent.pull_request, (*notes, *job.notes),
    )  # fmt: skip


def _name(repo: str) -> str:
    parsed = Repo.parse(repo)
    if parsed.revision is not None:
        raise RecipeError(f"push {repo}: a branch is given with --revision, not behind an @")
    return parsed.name


def _make(remote: Remote, how: Options, branch: str) -> None:
    if how.create_pr or branch != "main":
        raise RunError(f"{remote.name}: no such dataset, or no access to it; push to main first")
    remote.create(private=how.private)


def _refuse_other(
    remote: Remote, stands: Standing, staged: Staged, run: Run, *, private: bool = False
) -> None:
    if private and not stands.private:
        raise RunError(
            f"{remote.name}: is public already, and --private only says how a new one is made; "
            "change it on the Hub, or leave --private out"
        )
    tag = run.pipeline.version
    if tag not in stands.tags:
        return
    old, new = remote.manifest(stands.tags[tag]), staged.manifest
    todo = "raise the recipe's version, run it and push again"
    if old is None:
        raise RunError(f"{remote.name}: has a tag {tag} that s1data did not set; {todo}")
    if old["recipe"] != new["recipe"]:
        raise RunError(
            f"{remote.name}: the tag {tag} is another recipe ({old['title']}, "
            f"{old['recipe'][:12]}), not this one ({new['title']}, {new['recipe'][:12]}); {todo}"
        )
    if old["fingerprint"] != new["fingerprint"]:
        raise RunError(f"{remote.name}: the tag {tag} is this recipe on other data; {todo}")
    before, now = (m["published"]["with_replies"] for m in (old, new))
    if before != now:
        raise RunError(
            f"{remote.name}: the tag {tag} is this recipe with --with-replies {before}, not {now}; "
            f"push it so, or {todo}"
        )


class _Job:
    """What is sent, made anew for whatever stands in the repository at the time."""

    def __init__(self, remote: Remote, staged: Staged, run: Run) -> None:
        self.remote = remote
        self.staged = staged
        self.run = run
        self.manifest: Mapping[str, Any] = staged.manifest
        self.sent: dict[str, Path] = {}
        self.notes: list[str] = []

    def send(self, branch: str, *, create_pr: bool) -> Sent:
        title = f"{self.run.manifest['title']} {self.run.pipeline.version} (s1data)"
        return self.remote.commit(title, branch, self.work, create_pr=create_pr)

    def work(self, stands: Standing) -> tuple[dict[str, Path], list[str]]:
        """Files to add and paths to delete."""
        old = stands.manifest
        before = dict(old["published"].get("card", {})) if old else {}
        self.manifest = _as_it_stands(self.staged.manifest, old)
        of_old = set(old["published"]["files"]) if old else set()
        strange = sorted(f for f in stands.files if _SHARD.fullmatch(f) and f not in of_old)
        if strange:
            raise RunError(
                f"{self.remote.name}: {strange[0]} stands there and is not from s1data push, so it "
                "would be read as part of the set; delete it, or give another repository"
            )
        facts = facts_of(self.staged, self.manifest, self.run, self.remote.name)
        block, sections = card.ours(self.manifest), card.sections(facts)
        if self.manifest is self.staged.manifest:
            about = {"metadata": block, "sections": list(sections)}
            published = {**self.manifest["published"], "card": about}
            self.manifest = {**self.manifest, "published": published}
        if stands.card is None:
            text = card.fresh(block, sections)
        else:
            merged = card.merge(
                stands.card,
                block,
                sections,
                before.get("metadata", {}),
                tuple(before.get("sections", ())),
            )
            text = merged.text
            self.notes = [
                _left_note(one, merged.kept[one], old, self.manifest) for one in merged.edited
            ]
        folder = self.staged.folder
        (folder / "README.md").write_text(text, encoding="utf-8")
        write_json(self.manifest, folder / "manifest.json")
        # Another plotting library may draw a picture of the same set otherwise: theirs stays.
        listed = self.manifest["published"]["files"]
        sound = [f.path for f in self.staged.files if listed.get(f.path) == f.as_dict()]
        names = [*sound, "README.md", "manifest.json"]
        self.sent = {name: folder / name for name in names}
        return self.sent, sorted((of_old - set(listed)) & stands.files)

    def proposed(self) -> Sent | None:
        """The pull request that proposes just this set already, if there is one."""
        for ref, commit in self.remote.pull_requests():
            there = self.remote.manifest(commit)
            if there is not None and _same(self.staged.manifest, there):
                stands = self.remote.look(ref)
                if stands is not None:
                    self.work(stands)
                return Sent(commit, made=False, pull_request=ref)
        return None

    def tagged(self, commit: str) -> bool:
        """Tags the commit with the recipe's version; False where the tag stands elsewhere."""
        tag = self.run.pipeline.version
        stands = self.remote.look()
        there = None if stands is None else stands.tags.get(tag)
        if there is not None:
            if there != commit:
                self.notes.append(
                    f"the tag {tag} stays on the commit {there[:12]}: tags do not move"
                )
            return there == commit
        self.remote.tag(tag, commit, f"{self.run.manifest['title']} by s1data")
        return True

    def sizes(self) -> dict[str, int]:
        return {name: path.stat().st_size for name, path in sorted(self.sent.items())}


def _left_note(name: str, text: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    said = f"card: section {name} was changed by hand and is left so"
    before = old["version"] if old else new["version"]
    if before != new["version"] and before in text:
        said += f"; it still names the version {before}, this is {new['version']}: mend it there"
    return said


def _same(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    parts = ("fingerprint", "recipe")
    return all(new[p] == old.get(p) for p in parts) and new["published"]["content"] == old[
        "published"
    ].get("content")


def _as_it_stands(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The manifest that stands there where it is of the same set: only its times differ."""
    return old if old is not None and _same(new, old) else new


def facts_of(staged: Staged, manifest: Mapping[str, Any], run: Run, repo: str) -> card.Facts:
    """What the card is made from; texts of traces are not read for it."""
    folder = PublishedSet.open(staged.folder)
    parts, chars = [], []
    for path in folder.files("default"):
        for frame in shards.read(path, staging.DATA_BATCH):
            parts.append(staging.without_texts(frame))
            chars += [] if (found := staging.thinking_chars(frame)) is None else [found]
    whole = pl.concat(chars) if chars else None
    return card.Facts(repo, manifest, run.pipeline, pl.concat(parts), run.ledger, whole)


def _dry(remote: Remote, staged: Staged, run: Run, notes: list[str]) -> Pushed:
    stands = remote.look_once()
    job = _Job(remote, staged, run)
    if isinstance(stands, str):
        notes.append(f"{remote.name} was not looked at: {stands}")
    elif stands is None:
        notes.append(f"{remote.name} would be made: there is none, or none that you may see")
    else:
        _refuse_other(remote, stands, staged, run)
    known = stands if isinstance(stands, Standing) else None
    empty = Standing("", private=False, tags={}, files=frozenset(), card=None, manifest=None)
    add, delete = job.work(known or empty)
    notes += [f"would be deleted: {path}" for path in delete]
    if known and known.manifest and _same(staged.manifest, known.manifest):
        notes.append("the same set stands there already: at most the card would change")
    return Pushed(
        remote.name, staged.folder, {n: p.stat().st_size for n, p in sorted(add.items())},
        run.pipeline.version, False, notes=(*notes, *job.notes),
    )  # fmt: skip
