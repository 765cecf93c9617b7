"""How far a run or a published set can be checked, and whether it holds.

Three levels, each with all that stands before it: *hashes* (files and the ledger's arithmetic),
*decisions* (all filters and selectors run again from the replay, nothing else needed), *full* (the
recipe run again from its sources and replies). What does not hold is named by row and column.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from s1data import __version__, digest, ledger, pool
from s1data.errors import S1DataError
from s1data.hub.against_replay import hold
from s1data.hub.published_set import PublishedSet
from s1data.hub.staging import content, without_texts
from s1data.replay import Rerun, build, rerun
from s1data.replay.rerunning import first_difference
from s1data.run import Run

Level: TypeAlias = Literal["hashes", "decisions", "full"]
LEVELS: Final[tuple[Level, ...]] = ("hashes", "decisions", "full")


@dataclass(frozen=True)
class Verified:
    """What was checked, and how far it held."""

    target: str
    asked: Level
    reached: Level | None
    """The highest level at which all held; None where not even the hashes do."""
    differences: tuple[str, ...]
    """What does not hold, first of all what comes first."""
    said: tuple[str, ...]
    """What was checked at which level, for people."""

    @property
    def holds(self) -> bool:
        return self.reached == self.asked

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**vars(self), "holds": self.holds}


@dataclass(frozen=True)
class _Given:
    inputs: Mapping[str, Any]
    store: Path | None


def verify(
    run: Run,
    level: Level = "decisions",
    *,
    inputs: Mapping[str, Any] | None = None,
    store: Path | None = None,
) -> Verified:
    """Checks a run or a published set up to ``level``; what does not hold is told, not raised.

    For *full* ``inputs`` bind sources and inputs as for a run, and ``store`` is the reply store
    with what models said, the user's own unless given. Raises RunError where there is
    nothing to check: an unfinished run, a repository without a manifest.
    """
    wanted = LEVELS[: LEVELS.index(level) + 1]
    checks = {"hashes": _hashes, "decisions": _decisions, "full": _full}
    if not run.finished:
        _ = run.manifest  # says so
    reached: Level | None = None
    said: list[str] = []
    wrong: list[str] = []
    for one in wanted:
        try:
            words, differences = checks[one](run, _Given(inputs or {}, store))
        except S1DataError as error:
            # What a damaged file keeps from being checked is no second finding.
            words, differences = [], [] if wrong else [str(error)]
        said += [f"{one}: {w}" for w in words]
        wrong += [f"{one}: {d}" for d in differences]
        if not wrong:
            reached = one
        elif one == "decisions" or not _readable(run):
            break
    name = run.name if isinstance(run, PublishedSet) else str(run.path)
    return Verified(name, level, reached, tuple(wrong), tuple(said))


def _readable(run: Run) -> bool:
    try:
        _ = run.manifest
    except S1DataError:
        return False
    return True


Found: TypeAlias = tuple[list[str], list[str]]


def _hashes(run: Run, given: _Given) -> Found:  # noqa: ARG001 - for full only
    files: dict[str, str] = {}
    if isinstance(run, PublishedSet):
        files = {name: f["sha256"] for name, f in run.published["files"].items()}
    else:
        files = dict(run.manifest["files"])
        for checkpoint in run.checkpoints():
            sums = checkpoint.record["files"].items()
            files |= {f"stages/{checkpoint.folder.name}/{name}": sha for name, sha in sums}
    wrong = []
    for name, sha256 in files.items():
        path = run.path / name
        if not path.is_file():
            wrong.append(f"{name}: is not there")
        elif digest.of_file(path) != sha256:
            wrong.append(f"{name}: is not what was written (sha256 differs)")
    if isinstance(run, PublishedSet):
        wrong += [
            f"{name}: is not in the manifest, but would be loaded as a part of the set"
            for name in run.strangers()
        ]
        if content(files) != run.published["content"]:
            wrong.append("manifest.json: published.content is not the digest of the files it lists")
    read = run.pipeline.identity(run.manifest.get("revisions")) if not wrong else None
    if read is not None and digest.of_value(read) != run.manifest["recipe"]:
        wrong.append(f"pipeline.yaml: is not the recipe whose hash the manifest has{_by(run)}")
    words = [f"{len(files)} files"]
    # A file that is not what was written has no arithmetic.
    arithmetic = [] if wrong else list(_arithmetic(run))
    if not wrong and not arithmetic:
        words.append(f"{run.ledger.height:,} ledger lines add up")
    return words, wrong + arithmetic


def _by(run: Run) -> str:
    """Which version made it, where that is another: then a stage may mean something else now."""
    made = run.manifest["versions"].get("s1data")
    return "" if made == __version__ else f", as s1data {made} read it (this is {__version__})"


def _arithmetic(run: Run) -> list[str]:
    lines, whole = run.ledger, run.manifest
    if dict(lines.schema) != ledger.SCHEMA:
        return [
            f"ledger: wanted columns {', '.join(ledger.SCHEMA)}, got {', '.join(lines.columns)}"
        ]
    wrong = []
    places = pl.Series("row", range(lines.height), dtype=pl.UInt32)
    if not lines["row"].equals(places):
        at = int((lines["row"] != places).arg_max() or 0)
        wrong.append(f"ledger: line {at}: column row: wanted {at}, got {lines['row'][at]}")
    if lines.height != whole["stages"][0]["rows_in"]:
        wrong.append(
            f"ledger: {lines.height} lines for {whole['stages'][0]['rows_in']} that were read"
        )
    for record in whole["stages"]:
        mine = lines.filter(pl.col("stage") == record["label"])
        counts = dict(mine["reason"].value_counts().iter_rows())
        if counts != record["reasons"] or mine.height != record["rows_in"] - record["rows_out"]:
            wrong.append(
                f"ledger: stage {record['label']}: manifest says {record['reasons']}, "
                f"its lines say {counts}"
            )
    chosen = lines.filter(pl.col("outcome") == "selected")
    selected = run.selected
    if not chosen["id"].sort().equals(selected["id"].sort()):
        stray = selected.join(chosen, on="id", how="anti")["id"].to_list()
        lost = chosen.join(selected, on="id", how="anti")["id"].to_list()
        wrong.append(f"selected: ids {(stray or lost)[:1]} stand in the set or the ledger alone")
    if digest.of_value(selected["id"].to_list()) != whole["selected"]["ids_sha256"]:
        wrong.append(
            "selected: column id: is not the list of ids that the manifest has the hash of"
        )
    if "question" in selected.columns:
        ids = pool.question_ids(selected["question"])
        places = (ids != selected["id"]).arg_true()
        if len(places):
            wrong.append(
                f"selected: row {places[0]} ({selected['id'][places[0]]}): column question: "
                "its hash is not the row's id"
            )
    return wrong


def _decisions(run: Run, given: _Given) -> Found:  # noqa: ARG001 - for full only
    if isinstance(run, PublishedSet):
        found = rerun(
            run.pipeline,
            run.layout,
            run.ledger,
            lambda names: run.config("replay", names),
            run.artefact,
        )
        words, extra = hold(run)
    else:
        lines = build(run, all_texts=True)
        whole = lines.whole()
        found = rerun(run.pipeline, lines.layout, run.ledger, whole.select, lines.artefact)
        words, extra = None, None
    wrong = [str(s.difference) for s in found.stages if s.difference is not None]
    return _in_words(found) + ([words] if words else []), wrong + ([str(extra)] if extra else [])


def _in_words(found: Rerun) -> list[str]:
    words = []
    for stage in found.stages:
        text = f"{stage.label}: {stage.judged:,} rows decided anew"
        if stage.recorded:
            text += f"; {stage.recorded:,} taken as recorded, their texts being withheld"
        if stage.kind == "GlobalFilter" and not stage.identified:
            text += "; over what was identified then, not anew"
        words.append(text)
    return words


def _full(run: Run, given: _Given) -> Found:
    from s1data.preparing import prepare
    from s1data.running import run as run_recipe
    from s1data.serving import Means

    whole = run.manifest
    if whole["rehearsal"]:
        return [], ["a rehearsal's replies are its own: there is no source to make it anew from"]
    inputs, means = given.inputs, Means(store=given.store)
    prepared = prepare(run.pipeline, inputs, whole["limit"])
    if prepared.fingerprint() != whole["fingerprint"]:
        return [], [_which(whole, prepared)]
    with tempfile.TemporaryDirectory(prefix="s1data-verify-") as home:
        options = {"inputs": inputs, "limit": whole["limit"], "means": means}
        again = run_recipe(run.pipeline, Path(home) / "run", **options)
        wrong = _other(run, again)
    words = [f"{run.ledger.height:,} lines and {run.selected.height:,} rows made anew"]
    return words, wrong


def _which(whole: Mapping[str, Any], prepared: Any) -> str:  # noqa: ANN401 - a Prepared
    for kind, opened in (("source", prepared.sources), ("input", prepared.inputs)):
        for name, one in opened.items():
            before = dict(whole[f"{kind}s"].get(name, {}))
            now = one.provenance()
            if any(now[k] != before.get(k) for k in now if k in ("files", "revision", "rows")):
                return f"the data is not what it was: {kind} {name} differs"
    now = {s.label: s.revision for s in prepared.pipeline.stages}
    for label, revision in whole.get("revisions", {}).items():
        if now.get(label, revision) != revision:
            return (
                f"stage {label}: was of revision {revision}, is of {now[label]}: this version of "
                f"s1data ({__version__}) gives it another meaning"
            )
    if prepared.pipeline.fingerprint != whole["recipe"]:
        return "the recipe is not the one that the manifest has the hash of"
    return "the data is not what it was: a source or an input differs"


def _other(run: Run, again: Run) -> list[str]:
    wrong = []
    made = again.selected
    if isinstance(run, PublishedSet) and run.published["with_replies"] == "none":
        made = without_texts(made)
    for where, recorded, found in (
        ("ledger", run.ledger, again.ledger),
        ("selected", run.selected, made),
    ):
        if recorded.height != found.height:
            wrong.append(f"{where}: {recorded.height} lines, made anew {found.height}")
            continue
        shared = [c for c in recorded.columns if c in found.columns]
        if (difference := first_difference(where, recorded, found, shared)) is not None:
            wrong.append(str(difference))
    return wrong
