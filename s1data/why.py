"""Where a question went, why, on which evidence, and what setting would have kept it.

Read from what a run left on disk, finished or not. For a dropped row the stages after its own are
tried on that row alone as far as they are row-wise and what they read is known.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from s1data import digest, pool, sources
from s1data.acting import act
from s1data.errors import RunError
from s1data.side_by_side import Texts, hit_lines, verdict_lines, visible
from s1data.stage import (
    Asker,
    Enricher,
    Evidence,
    Filter,
    GlobalEnricher,
    GlobalFilter,
    Selector,
    Stage,
)

if TYPE_CHECKING:
    from s1data.checkpoint import Checkpoint
    from s1data.run import Run


@dataclass(frozen=True)
class Step:
    """What one stage did, or would have done, with the row."""

    label: str
    fate: str
    """kept, added, dropped, selected; after a drop: would keep, would drop, not known."""
    words: str = ""
    reason: str | None = None
    settings: dict[str, Any] | None = None
    """The least change of fields that would have kept the row here, by field."""
    verdicts: tuple[str, ...] = ()
    """Of a stage that grades: each attempt with the end of its text where that is known, its
    answer, the reference, verdict and method. Of one that holds rows against benchmarks without
    dropping any: each item that the row matches."""
    unknown: str = ""
    """What is said where no change is known that would have kept the row, though one may."""


@dataclass(frozen=True)
class Way:
    """One row's way through a run."""

    row: int
    id: str | None
    source: str
    question: str | None
    outcome: str
    """selected, dropped or, in a run that is not finished, under way."""
    steps: tuple[Step, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        steps = [{k: v for k, v in vars(s).items() if v not in (None, "", ())} for s in self.steps]
        return {**vars(self), "steps": steps}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        where = f"row {self.row:,} of source {self.source}"
        yield f"{self.id or 'a line without a question'}  ({where}): {self.outcome}"
        if self.question:
            yield f"  {visible(self.question, 160)}"
        after = False
        for step in self.steps:
            if step.fate in ("would keep", "would drop", "not known") and not after:
                after = True
                yield "  After that, if it had been kept:"
            reason = f" {step.reason}" if step.reason else ""
            words = f": {visible(step.words, 400)}" if step.words else ""
            yield f"  {step.label:<24} {step.fate}{reason}{words}"
            for line in step.verdicts:
                yield f"  {'':<24} {line}"
            if step.settings:
                yield f"  {'':<24} kept here with {as_set(step.label, step.settings)}"
            elif step.fate == "dropped" and step.label != "read":
                none = step.unknown or "no setting of this stage would have kept it"
                yield f"  {'':<24} {none}"


def as_set(label: str, settings: Mapping[str, Any]) -> str:
    """``--set label.field=value …``, ready for a shell."""
    return " ".join(
        f"--set {shlex.quote(f'{label}.{field}={digest.canonical_json(value)}')}"
        for field, value in settings.items()
    )


def ways(
    run: Run,
    question_id: str | None = None,
    *,
    text: str | None = None,
    row: int | None = None,
    store: Path | None = None,
) -> list[Way]:
    """Every row of the run with that id (or its first 4 or more digits), that text, or that number.

    ``store`` is the reply store that the run was made with, if not the usual one: texts of replies
    that the run does not keep itself are there. Raises RunError where there is no such row.
    """
    if run.finished:
        run.check()
    done = run.checkpoints()
    if not done:
        raise RunError(f"{run.path}: nothing is finished there yet; run the recipe first")
    question_id = question_id.lower() if question_id is not None else None
    if question_id is not None and not re.fullmatch(r"[0-9a-f]{4,16}", question_id):
        raise RunError(
            f"{visible(question_id, 60)}: wanted an id, 4 to 16 hex digits; "
            "to look a question up by its words use --text"
        )
    if not (text or "").isascii() and any("\ud800" <= c <= "\udfff" for c in text or ""):
        raise RunError("--text: wanted text, got bytes that are not UTF-8")
    wanted = question_id if question_id is not None else pool.question_id(text or "")
    match = pl.col("row") == row if row is not None else pl.col("id").str.starts_with(wanted)
    read = done[0]
    rows = read.read("rows", where=match)
    unread = read.read("dropped", where=match)
    if rows.is_empty() and unread.is_empty():
        asked = f"the id {wanted}" if row is None else f"the row number {row}"
        raise RunError(
            f"{run.path}: no question with {asked} was read; give the first digits of an "
            "id, the exact text with --text, or the ledger's row number with --row"
        )
    lost = [way_of_unread(line, read) for line in unread.iter_rows(named=True)]
    texts = Texts(done, store or run.replies)
    return lost + [_way(run, done, rows[i], texts) for i in range(rows.height)]


def way_of_unread(line: dict[str, Any], read: Checkpoint) -> Way:
    """The way of a line that never became a row: a line of the reading's ``dropped``."""
    evidence = json.loads(line["evidence"] or "{}")
    files = read.record["sources"].get(line["source"], {}).get("files", ())
    if 1 <= evidence.get("file", 0) <= len(files):
        evidence["file"] = files[evidence["file"] - 1]["name"]
    words = _fill(sources.REASONS.get(line["reason"], ""), evidence)
    step = Step("read", "dropped", words, line["reason"])
    return Way(line["row"], line["id"], line["source"], None, "dropped", (step,))


def _fill(template: str, values: dict[str, Any]) -> str:
    try:
        return template.format_map(values)
    except (KeyError, IndexError, ValueError):
        return digest.canonical_json(values)


def _way(run: Run, done: list[Checkpoint], row: pl.DataFrame, texts: Texts) -> Way:
    number = row["row"][0]
    steps = [Step("read", "kept")]
    outcome = "under way"
    known = row
    stages = run.pipeline.stages
    for stage, checkpoint in zip(stages, done[1:], strict=False):
        step, known = _past(stage, checkpoint, known, texts)
        steps.append(step)
        if step.fate == "dropped":
            outcome = "dropped"
            steps += _future(stages[len(steps) - 1 :], known)
            break
    if outcome == "under way" and run.finished:
        outcome = "selected"
    question = row["question"][0] if "question" in row.columns else None
    return Way(number, row["id"][0], row["source"][0], question, outcome, tuple(steps))


def _past(
    stage: Stage, checkpoint: Checkpoint, row: pl.DataFrame, texts: Texts
) -> tuple[Step, pl.DataFrame]:
    """What the checkpoint says the stage did with the row."""
    number = row["row"][0]
    label = checkpoint.label
    if isinstance(stage, Enricher | GlobalEnricher | Asker):
        made = _line(checkpoint, "columns", number)
        new = made.drop("row")
        words = ", ".join(f"{c} {_brief(new[c].to_list()[0])}" for c in new.columns)
        verdicts = (*verdict_lines(stage, checkpoint, new, row, texts), *hit_lines(new))
        if verdicts:
            words = ""
        return Step(label, "added", words, verdicts=verdicts), row.drop(
            new.columns, strict=False
        ).hstack(new)
    if isinstance(stage, Selector):
        line = _line(checkpoint, "ranks", number)
        chosen = line["reason"][0] is None
        words, settings = said(stage, line["reason"][0], line["evidence"][0])
        fate = "selected" if chosen else "dropped"
        if chosen and stage.reserve:
            words = _in_reserve(_line(checkpoint, "columns", number)) + words
        reason = line["reason"][0]
        unsure = not chosen and settings is None and reason not in stage.edit_reasons
        unknown = "no setting is known with which it would be kept" if unsure else ""
        step = Step(label, fate, words, reason, None if chosen else settings, unknown=unknown)
        return step, row
    if isinstance(stage, Filter | GlobalFilter):
        line = _line(checkpoint, "dropped", number)
        if line.is_empty():
            return _kept(stage, checkpoint, row)
        words, settings = said(stage, line["reason"][0], line["evidence"][0])
        return Step(label, "dropped", words, line["reason"][0], settings), row
    return Step(label, "not known"), row


def _in_reserve(line: pl.DataFrame) -> str:
    stands = line.get_column("selection").to_list()[0] if line.height else None
    return f"for the reserve, at place {stands['place']}: " if stands and stands["reserve"] else ""


def _kept(
    stage: Filter | GlobalFilter, checkpoint: Checkpoint, row: pl.DataFrame
) -> tuple[Step, pl.DataFrame]:
    if not checkpoint.has("thinned"):
        return Step(checkpoint.label, "kept"), row
    number = row["row"][0]
    left = _line(checkpoint, "columns", number).drop("row")
    cut = _line(checkpoint, "thinned", number)
    words = ""
    if not cut.is_empty():
        given = {**dict.fromkeys(stage.evidence), **json.loads(cut["evidence"][0])}
        words = stage.in_words(Evidence(next(iter(stage.reasons)), given))
    return Step(checkpoint.label, "kept", words), row.with_columns(left)


def _line(checkpoint: Checkpoint, name: str, row: int) -> pl.DataFrame:
    return checkpoint.read(name, where=pl.col("row") == row)


def said(
    stage: Filter | GlobalFilter | Selector, reason: str | None, evidence: str | None
) -> tuple[str, dict[str, Any] | None]:
    """Evidence (canonical JSON) in words, and the change of the stage's fields that would keep.

    Without a reason the row was kept: its evidence as it is, and no change.
    """
    given = json.loads(evidence) if evidence else {}
    values = {**dict.fromkeys(stage.evidence), **given}
    if reason is None:
        return ", ".join(f"{k} {_brief(v)}" for k, v in given.items()), None
    found = Evidence(reason, values)
    return stage.in_words(found), stage.keeps_if(found)


def _future(stages: tuple[Stage, ...], row: pl.DataFrame) -> Iterator[Step]:
    """The stages after the drop, tried on the row as it was known then."""
    lost: set[str] = set()
    for stage in stages:
        unknown = [c for c in stage.reads() if c in lost or c not in row.columns]
        if isinstance(stage, Filter | Enricher) and not unknown:
            outcome = act(stage, row, _NoEngine())
            if isinstance(stage, Enricher):
                row = outcome.kept
                continue
            if outcome.dropped.is_empty():
                yield Step(stage.label, "would keep")
                continue
            line = outcome.dropped
            words, settings = said(stage, line["reason"][0], line["evidence"][0])
            yield Step(stage.label, "would drop", words, line["reason"][0], settings)
            return
        alone = "it asks a model" if isinstance(stage, Asker) else "it looks at all rows at once"
        made = f"it reads {', '.join(unknown)}, not known for this row"
        yield Step(stage.label, "not known", made if unknown else alone)
        if isinstance(stage, Enricher | GlobalEnricher | Asker):
            lost |= set(stage.adds())


class _NoEngine:
    """Row-wise stages need no engine; anything else asked of this one is a defect."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        raise RunError(f"a row-wise stage asked for the engine's {name}")


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else digest.canonical_json(_plain(value))
    return visible(text, 120)


def _plain(value: object) -> object:
    if isinstance(value, pl.Series):
        return value.to_list()
    return value
