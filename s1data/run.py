"""A run directory as it stands: what is there, finished or not, and how a question fared."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from s1data import digest, manifest
from s1data.acting import replies_home
from s1data.checkpoint import Checkpoint, folder_name, open_checkpoint
from s1data.errors import RunError, nearest
from s1data.overlaps import Overlaps
from s1data.recipe import Pipeline
from s1data.stages.held_against import HeldAgainst

if TYPE_CHECKING:
    from s1data.why import Way


@dataclass(frozen=True)
class Run:
    """A run directory: what it holds now, finished or not."""

    path: Path
    cached: frozenset[str] = field(default=frozenset(), compare=False)
    """Labels of the stages that were taken as they stood when this object came from `run`."""
    _sound: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Opens a run directory; RunError if there is none."""
        folder = Path(path)
        if not (folder / "pipeline.yaml").is_file():
            got = "another folder" if folder.is_dir() else "a file"
            if not folder.exists():
                beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
                got = f"nothing by that name{nearest(folder.name, [p.name for p in beside])}"
            raise RunError(
                f"{folder}: wanted a run directory (one with pipeline.yaml in it), got {got}"
            )
        return cls(folder)

    @property
    def finished(self) -> bool:
        """Whether the run is complete: the manifest is written last."""
        return (self.path / "manifest.json").is_file()

    @cached_property
    def pipeline(self) -> Pipeline:
        """The recipe as run."""
        return Pipeline.load(self.path / "pipeline.yaml")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest; RunError while the run is not finished, or where it is damaged."""
        self._finished_or_refuse()
        try:
            whole = json.loads((self.path / "manifest.json").read_text("utf-8"))
        except (OSError, ValueError):
            whole = None
        if not isinstance(whole, dict) or not {"files", "stages", "selected"} <= set(whole):
            raise _not_as_written(self.path / "manifest.json")
        return whole

    @cached_property
    def selected(self) -> pl.DataFrame:
        """The curated set with its texts, sorted by id."""
        return pl.read_parquet(self.file("selected.parquet"), glob=False)

    @cached_property
    def ledger(self) -> pl.DataFrame:
        """One line per input row: row, id, source, outcome, stage, reason, evidence."""
        return pl.read_parquet(self.file("ledger.parquet"), glob=False)

    def file(self, name: str) -> Path:
        """``selected.parquet`` or ``ledger.parquet``, once its bytes are known to be the run's.

        RunError while the run is not finished, and where the file is gone or not what was written.
        """
        path, written = self.path / name, self.manifest["files"]
        if name not in self._sound:
            if not path.is_file() or digest.of_file(path) != written.get(name):
                raise _not_as_written(path)
            self._sound.add(name)
        return path

    @property
    def rehearsed(self) -> bool:
        """Whether any of its replies are an emulator's."""
        origins = [dict(used.get("origins", {})) for used in self.manifest["models"].values()]
        return bool(self.manifest["rehearsal"]) or any(o.get("rehearsal") for o in origins)

    def check(self) -> None:
        """RunError, unless the run is finished and what it wrote is what is there."""
        for name in self.manifest["files"]:
            self.file(name)

    @property
    def replies(self) -> Path | None:
        """Where the replies of the run are, unless it was made with a store that it was given."""
        from s1data.serving import REHEARSAL

        rehearsed = self.path / REHEARSAL / "replies"
        if self.manifest["rehearsal"] if self.finished else rehearsed.is_dir():
            return rehearsed
        return replies_home()

    def checkpoints(self) -> list[Checkpoint]:
        """The reading's and each stage's complete checkpoint, up to the first that is not."""
        labels = ["read", *(stage.label for stage in self.pipeline.stages)]
        found = []
        for number, label in enumerate(labels):
            checkpoint = open_checkpoint(self.path / "stages" / folder_name(number, label))
            if checkpoint is None:
                break
            found.append(checkpoint)
        return found

    def funnel(self) -> pl.DataFrame:
        """One line per stage: stage, kind, rows_in, dropped, rows_out, reasons, seconds.

        ``reasons`` is a list of (reason, rows), most frequent first.
        """
        return manifest.funnel([c.record for c in self.checkpoints()])

    def why(
        self,
        question_id: str | None = None,
        *,
        text: str | None = None,
        row: int | None = None,
        store: Path | None = None,
    ) -> list[Way]:
        """The way of a question, by id (or its first digits), exact text, or row of the ledger.

        ``store`` is the reply store that the run was made with, where that was not the usual one.
        """
        from s1data.why import ways

        return ways(self, question_id, text=text, row=row, store=store)

    def overlaps(self) -> dict[str, Overlaps]:
        """What each stage that holds rows against benchmarks found, by its label.

        Of a run that is not finished, what is there so far. The gate that stopped a run left
        nothing. Rows that share words with an earlier source are no part of it. RunError where a
        file of theirs, or a stage of a finished run, is gone or not what was written.
        """
        done = self.checkpoints()
        labels = ["read", *(stage.label for stage in self.pipeline.stages)]
        if self.finished and labels != [stage["label"] for stage in self.manifest["stages"]]:
            raise _not_as_written(self.path / "pipeline.yaml")
        if self.finished and len(done) < len(labels):
            raise _not_as_written(self.path / "stages" / folder_name(len(done), labels[len(done)]))
        kinds = {s.label: s for s in self.pipeline.stages if isinstance(s, HeldAgainst)}
        of = [c for c in done[1:] if c.label in kinds]
        for checkpoint in [done[0], *of] if of else []:
            if (name := checkpoint.damaged()) is not None:
                raise _not_as_written(checkpoint.folder / name)
        found = {c.label: c.read("artefact") for c in of}
        ids = done[0].read("rows", ["row", "id"]) if found else pl.DataFrame()
        return {
            label: Overlaps(lines.drop("id", strict=False).join(ids, on="row", how="left"))
            for label, lines in found.items()
        }

    def texts_of(self, label: str, pairs: pl.DataFrame) -> pl.DataFrame:
        """``pairs`` of `overlaps` with the texts to read: ``question`` and ``item_question``.

        The item's text is null where its benchmark asks that items are not shown.
        """
        done = {c.label: c for c in self.checkpoints()}
        rows = done["read"].read("rows", ["row", "question"])
        items = done[label].read("items").select("benchmark", "item", item_question="question")
        return pairs.join(rows, on="row", how="left", maintain_order="left").join(
            items, on=["benchmark", "item"], how="left", maintain_order="left"
        )

    def _repr_html_(self) -> str:
        from s1data.report.notebook import html

        return html(self)

    def _finished_or_refuse(self) -> None:
        if not self.finished:
            raise RunError(f"{self.path}: the run is not finished; resume it with s1data run")


def _not_as_written(path: Path) -> RunError:
    return RunError(
        f"{path}: is gone or not what the run wrote; run the recipe again, which mends it"
    )
