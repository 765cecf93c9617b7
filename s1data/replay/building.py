"""The replay of a run: which columns which stage read, and their lines in batches of rows.

A column may stand in several forms (attempts before and after grading): each form that is read is
one column of the replay, named after the stage that made it where there are more than one. Of a
selector the keys are kept, not the columns: a length says as much as the text it was counted on.
Texts of rows that were dropped are left out unless their licence allows passing them on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from s1data import licences, pool
from s1data.acting import shown_columns
from s1data.checkpoint import Checkpoint
from s1data.engine import BATCH_ROWS, batches
from s1data.errors import RunError
from s1data.run import Run
from s1data.stage import Filter, GlobalFilter, Selector, Stage
from s1data.state import State

FORMAT: Final = 1
SHORT: Final = frozenset({"source_type", "cot_type", "licence", *pool.PLACE_COLUMNS})
"""Columns of a source that hold no text of the question or of its answer."""
_TEXTS: Final = frozenset(pool.SOURCE_COLUMNS) - SHORT
ALWAYS: Final = ("row", "id", "source", "licence", "texts")
"""Columns of every replay; ``texts`` says whether the row's texts are in it."""

Origin = tuple[str, str]
"""A form of a column: its name in the pool, and the label of the stage that made it."""


@dataclass(frozen=True)
class StageLayout:
    """What the replay holds for one filter or selector."""

    label: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Pool column to column of the replay, as the stage read it."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key of a selector to column of the replay."""
    thinned: str | None = None
    """Column of the replay with the list that a filter shortened, as it left it."""
    artefact: bool = False
    """Whether what the stage identified over all rows is there, in a file of its own."""


@dataclass(frozen=True)
class Layout:
    """What the replay holds, stage by stage."""

    stages: tuple[StageLayout, ...]
    origins: Mapping[str, Origin]
    """Column of the replay to the form of a pool column that it is; keys are not among them."""
    texts: tuple[str, ...]
    """Columns of the replay that are null for rows whose texts are withheld."""
    withheld: int
    """Rows whose texts are withheld."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return {
            "format": FORMAT,
            "origins": {name: list(origin) for name, origin in self.origins.items()},
            "texts": list(self.texts),
            "withheld": self.withheld,
            "stages": [
                {
                    "label": s.label,
                    "columns": dict(s.columns),
                    "keys": dict(s.keys),
                    "thinned": s.thinned,
                    "artefact": s.artefact,
                }
                for s in self.stages
            ],
        }

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Layout:
        """The layout that a manifest describes; RunError for another format."""
        if given.get("format") != FORMAT:
            raise RunError(
                f"replay: wanted format {FORMAT}, got {given.get('format')}; "
                "use the version of s1data that the manifest names"
            )
        return cls(
            tuple(StageLayout(**s) for s in given["stages"]),
            {name: (column, maker) for name, (column, maker) in given["origins"].items()},
            tuple(given["texts"]),
            given["withheld"],
        )


class Lines:
    """A replay about to be written: its layout, its lines in batches, the stages' artefacts."""

    def __init__(self, layout: Layout, forms: _Forms, shown: pl.DataFrame) -> None:
        self.layout = layout
        self._forms = forms
        self.shown = shown
        """``row``, ``id``, ``source``, ``licence``, ``texts`` and keys of every row."""

    def batches(self) -> Iterator[pl.DataFrame]:
        """The replay's lines in row order, a batch at a time, so that texts are never all here."""
        for shown in batches(self.shown, BATCH_ROWS):
            out = shown
            for name, (column, maker) in self.layout.origins.items():
                values = self._forms.load(column, maker, shown["row"])
                if name in self.layout.texts:
                    keep = shown["texts"]
                    values = pl.select(pl.when(keep).then(values)).to_series()
                out = out.with_columns(values.alias(name))
            yield out

    def whole(self) -> pl.DataFrame:
        """All lines at once."""
        return pl.concat(list(self.batches()), rechunk=True)

    def artefact(self, label: str) -> pl.DataFrame:
        """What a Global identified over all rows."""
        return self._forms.of(label).read("artefact")


class _Forms:
    """Every form of every column, in the file of the stage that made it."""

    def __init__(self, done: list[Checkpoint]) -> None:
        self._done = {c.label: c for c in done}

    def of(self, label: str) -> Checkpoint:
        return self._done[label]

    def dtype(self, column: str, maker: str) -> pl.DataType:
        name = "rows" if maker == "read" else "columns"
        return pl.read_parquet_schema(self.of(maker).path(name))[column]

    def load(self, column: str, maker: str, rows: pl.Series) -> pl.Series:
        """The column's values for ``rows`` (a sorted slice); null where it was not made."""
        name = "rows" if maker == "read" else "columns"
        low, high = (rows.min(), rows.max()) if len(rows) else (0, 0)
        wanted = ["row"] if column == "row" else ["row", column]
        there = self.of(maker).read(name, wanted, pl.col("row").is_between(low, high))
        return rows.to_frame("row").join(there, on="row", how="left", maintain_order="left")[column]


def build(run: Run, *, all_texts: bool = False) -> Lines:
    """The replay of a finished run. ``all_texts`` withholds nothing, for use on the spot."""
    done = run.checkpoints()
    if len(done) != len(run.pipeline.stages) + 1:
        raise RunError(
            f"{run.path}: the folder stages/ is gone or damaged, and with it what the filters "
            "read; run the recipe again, which makes it anew"
        )
    builder = _Builder(done)
    for stage, checkpoint in zip(run.pipeline.stages, done[1:], strict=True):
        builder.stage(stage, checkpoint)
    return builder.lines(all_texts=all_texts)


@dataclass(frozen=True)
class _Reads:
    """What one filter or selector reads."""

    stage: Stage
    origins: Mapping[str, Origin] = field(default_factory=dict)
    thinned: Origin | None = None
    beside: tuple[Origin, ...] = ()
    """Columns that lost lines with the items of a list that it shortened."""
    keys: Mapping[str, str] = field(default_factory=dict)


class _Builder:
    """Follows a run stage by stage: which form each column has, and who reads it."""

    def __init__(self, done: list[Checkpoint]) -> None:
        self.forms = _Forms(done)
        self.makers = dict.fromkeys(pl.read_parquet_schema(done[0].path("rows")), "read")
        self.state = State(done[0].path("rows"))
        self.shown = done[0].read("rows", ["row", "id", "source", "licence"])
        self.read: list[_Reads] = []

    def stage(self, stage: Stage, checkpoint: Checkpoint) -> None:
        if isinstance(stage, Filter | GlobalFilter):
            names = [c for c in shown_columns(stage) if c not in ALWAYS and c in self.makers]
            thins = stage.thins if isinstance(stage, Filter) else None
            thinned = None if thins is None else (thins, stage.label)
            left = _columns(checkpoint) if thins is not None else ()
            beside = tuple((c, stage.label) for c in left if c != thins)
            origins = {c: (c, self.makers[c]) for c in names}
            self.read.append(_Reads(stage, origins, thinned, beside))
        elif isinstance(stage, Selector):
            self._selector(stage)
        if checkpoint.has("dropped"):
            self.state.drop(checkpoint.read("dropped", ["row"])["row"])
        if checkpoint.has("columns"):
            self.state.add(checkpoint.path("columns"))
            self.makers |= dict.fromkeys(_columns(checkpoint), checkpoint.label)

    def _selector(self, stage: Selector) -> None:
        made = stage.keys(self.state.load(("row", *shown_columns(stage))))
        keys = {c: f"{stage.label}.{c}" for c in made.columns if c not in ALWAYS}
        named = made.select("row", *(pl.col(c).alias(n) for c, n in keys.items()))
        self.shown = self.shown.join(named, on="row", how="left", maintain_order="left")
        self.read.append(_Reads(stage, keys=keys))

    def lines(self, *, all_texts: bool) -> Lines:
        names = _names(self.read)
        stages = tuple(
            StageLayout(
                one.stage.label,
                {c: names[origin] for c, origin in one.origins.items()},
                one.keys,
                None if one.thinned is None else names[one.thinned],
                isinstance(one.stage, GlobalFilter),
            )
            for one in self.read
        )
        texts = [n for o, n in names.items() if is_text(*o, self.forms.dtype(*o))]
        hidden = [n for s in stages for k, n in s.keys.items() if k in _TEXTS]
        chosen = self.shown["row"].is_in(set(self.state.alive.to_list()))
        known = chosen | (licences.kinds(self.shown["licence"]) == licences.OPEN)
        shown = self.shown.with_columns(texts=pl.lit(True) if all_texts else known)
        shown = shown.with_columns(pl.when("texts").then(pl.col(c)).alias(c) for c in hidden)
        withheld = shown.height - int(shown["texts"].sum())
        origins = {name: origin for origin, name in names.items()}
        layout = Layout(stages, origins, (*texts, *hidden), withheld)
        return Lines(layout, self.forms, shown.select(*ALWAYS, pl.exclude(ALWAYS)))


def _columns(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Columns that a stage made or changed."""
    if not checkpoint.has("columns"):
        return ()
    return tuple(c for c in pl.read_parquet_schema(checkpoint.path("columns")) if c != "row")


def is_text(column: str, maker: str, dtype: pl.DataType) -> bool:
    """Whether a form of a column holds text that belongs to whoever wrote the question."""
    own = maker == "read" or column not in pool.STAGE_COLUMNS
    return own and column not in SHORT and (isinstance(dtype, pl.String) or dtype.is_nested())


def _names(read: list[_Reads]) -> dict[Origin, str]:
    forms: dict[Origin, None] = {}
    for one in read:
        forms |= dict.fromkeys(one.origins.values())
        if one.thinned is not None:
            forms |= dict.fromkeys((one.thinned, *one.beside))
    columns = [column for column, _ in forms]
    return {
        (column, maker): column if columns.count(column) == 1 else f"{column}@{maker}"
        for column, maker in forms
    }
