"""A published set in a folder, read as the run that it came from.

What `s1data why` and `s1data verify` need of a run is made from ledger and replay; what was not
published (vectors, texts of dropped rows, columns that no filter reads) is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from s1data import digest, manifest
from s1data.checkpoint import Checkpoint
from s1data.errors import RunError
from s1data.hub.staging import SHARDED, artefact_path, read_manifest
from s1data.recipe import Pipeline
from s1data.replay import Layout
from s1data.replay.building import ALWAYS
from s1data.run import Run
from s1data.stage import Asker, Enricher, Filter, GlobalEnricher, GlobalFilter, Selector, Stage


@dataclass(frozen=True)
class PublishedSet(Run):
    """A folder as `s1data push` writes it and the Hub gives it back."""

    name: str = ""
    """How it was asked for: a repository, or a folder."""

    @classmethod
    def open(cls, path: str | Path, name: str = "") -> PublishedSet:
        """Opens a folder; RunError where it holds no published set."""
        folder = Path(path)
        try:
            text = (folder / "manifest.json").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise RunError(
                f"{name or folder}: wanted a published set, got no manifest.json that can be read"
            ) from None
        read_manifest(text)
        return cls(folder, name=name or str(folder))

    @property
    def replies(self) -> Path | None:
        """None: a reply in the reader's own store may be another than the publisher got."""
        return None

    @cached_property
    def published(self) -> dict[str, Any]:
        """The part of the manifest about the published files."""
        found: dict[str, Any] = self.manifest["published"]
        return found

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.published["replay"])

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline.load(self.path / "pipeline.yaml")

    @cached_property
    def selected(self) -> pl.DataFrame:
        return self.config("default")

    @cached_property
    def ledger(self) -> pl.DataFrame:
        return self.config("ledger")

    def files(self, config: str) -> list[Path]:
        """The Parquet files of a config; RunError where one is gone, damaged or one too many."""
        folder = self.published["configs"].get(config)
        names = sorted(n for n in self.published["files"] if n.startswith(f"{folder}/"))
        if not names:
            raise RunError(f"{self.name}: config {config}: its files are not there")
        if strange := [n for n in self.strangers() if n.startswith(f"{folder}/")]:
            raise RunError(f"{self.name}: {strange[0]}: is not of the set, but would be loaded")
        return [self.file(name) for name in names]

    def file(self, name: str) -> Path:
        """A file of the set; RunError where it is gone or not what was pushed."""
        path, said = self.path / name, self.published["files"].get(name, {})
        if name not in self._sound:
            if not path.is_file() or digest.of_file(path) != said.get("sha256"):
                raise RunError(f"{self.name}: {name} is gone or not what was pushed; fetch it anew")
            self._sound.add(name)
        return path

    def check(self) -> None:
        """RunError, unless every config is what was pushed."""
        for config in self.published["configs"]:
            self.files(config)

    def strangers(self) -> list[str]:
        """Files that `load_dataset` would take for a part of a config and the manifest lacks."""
        found = {
            f"{folder}/{path.name}"
            for folder in SHARDED
            for path in (self.path / folder).glob("train-*")
        }
        return sorted(found - set(self.published["files"]))

    def config(self, config: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A config's rows, or some columns of them; RunError where a file is damaged."""
        lazy = pl.scan_parquet(self.files(config), glob=False)
        try:
            return (lazy if columns is None else lazy.select(columns)).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            said = str(error).splitlines()[0]
            raise RunError(f"{self.name}: config {config} cannot be read: {said}") from None

    def artefact(self, label: str) -> pl.DataFrame:
        """What a Global identified over all rows."""
        number = 1 + [s.label for s in self.pipeline.stages].index(label)
        path = self.file(artefact_path(number, label))
        try:
            return pl.read_parquet(path, glob=False)
        except (OSError, pl.exceptions.PolarsError):
            raise RunError(f"{self.name}: {path.name} is gone or damaged") from None

    def funnel(self) -> pl.DataFrame:
        return manifest.funnel(self.manifest["stages"])

    def checkpoints(self) -> list[Checkpoint]:
        replay, ledger = self.config("replay"), self.ledger
        rows = _read(replay, self)
        unread = ledger.filter(pl.col("stage") == "read")
        hidden = [
            c for n, (c, m) in self.layout.origins.items() if m == "read" and n in self.layout.texts
        ]
        record = {"label": "read", "sources": self.manifest["sources"], "key": "", "files": {}}
        record["hidden"] = [*dict.fromkeys([*hidden, "question"])]
        frames = {
            "rows": rows,
            "dropped": unread.select("row", "id", "source", "reason", "evidence"),
        }
        done: list[Checkpoint] = [_Shown(self.path, record, frames=frames)]
        last = [s.label for s in self.pipeline.stages if isinstance(s, Selector)][-1:]
        labels = [stage.label for stage in self.pipeline.stages]
        later = {label: labels[at:] for at, label in enumerate(labels, 1)}
        for stage in self.pipeline.stages:
            lines = ledger.filter(pl.col("stage") == stage.label)
            frames = {}
            if isinstance(stage, Filter | GlobalFilter | Selector):
                frames["dropped"] = lines.select("row", "reason", "evidence")
            if isinstance(stage, Selector):
                selected = pl.col("outcome") == "selected"
                chosen = ledger.filter(selected | pl.col("stage").is_in(later[stage.label]))
                why = pl.when(selected & pl.lit(stage.label in last)).then("evidence")
                passed = chosen.select("row", pl.lit(None, pl.String).alias("reason"), why)
                frames["ranks"] = pl.concat([frames["dropped"], passed])
            if isinstance(stage, Enricher | GlobalEnricher | Asker) or _places(stage):
                frames["columns"] = replay.select("row", *_made_by(stage.label, self.layout))
            record = {"label": stage.label, "key": "", "files": {}}
            done.append(_Shown(self.path, record, frames=frames))
        return done


def _places(stage: Stage) -> bool:
    """Whether it is a selector that adds where its rows stand."""
    return isinstance(stage, Selector) and bool(stage.adds())


@dataclass(frozen=True)
class _Shown(Checkpoint):
    """A stage as far as it was published."""

    frames: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)

    def has(self, name: str) -> bool:
        return name in self.frames

    def read(
        self, name: str, columns: Sequence[str] | None = None, where: pl.Expr | None = None
    ) -> pl.DataFrame:
        frame = self.frames[name]
        frame = frame if where is None else frame.filter(where)
        frame = frame if columns is None else frame.select(columns)
        if "texts" not in frame.columns:
            return frame
        # A column that is withheld for a row asked for is not known, which is not the same as null.
        hidden = self.record.get("hidden", ()) if not frame["texts"].all() else ()
        return frame.drop("texts", *hidden)


def _read(replay: pl.DataFrame, of: PublishedSet) -> pl.DataFrame:
    """The rows as they were read, as far as published; ``texts`` says for which that is all."""
    rows = replay.select("row", "id", "source", "licence", "texts", *_made_by("read", of.layout))
    if "question" not in rows.columns:
        questions = of.selected.select("id", "question").unique("id")
        rows = rows.join(questions, on="id", how="left", maintain_order="left")
    return rows


def _made_by(label: str, layout: Layout) -> list[pl.Expr]:
    """Columns of the replay that are forms made by a stage, under their names in the pool."""
    return [
        pl.col(name).alias(column)
        for name, (column, maker) in layout.origins.items()
        if maker == label and column not in ALWAYS
    ]
