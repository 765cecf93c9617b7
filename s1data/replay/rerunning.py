"""Decisions made anew from a replay, held against the ledger line by line.

Each filter and selector runs over the rows that the ledger says reached it, so that one difference
does not hide the next. A row whose texts are withheld is not judged by a stage that reads texts:
its fate there is taken from the ledger, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import polars as pl

from s1data.acting import Outcome, act
from s1data.edits import REASONS, Edit
from s1data.engine import LocalEngine
from s1data.errors import RunError, StageError
from s1data.recipe import Pipeline
from s1data.replay.building import Layout, StageLayout
from s1data.selecting import select
from s1data.stage import Filter, GlobalFilter, Selector

COMPARED: Final = ("outcome", "reason", "evidence")


@dataclass(frozen=True)
class Difference:
    """The first line of a table, in its order, that is not what it should be."""

    where: str
    row: int | None
    id: str | None
    column: str
    recorded: object
    found: object

    def __str__(self) -> str:
        who = f"row {self.row}" if self.row is not None else "all rows"
        who += f" ({self.id})" if self.id else ""
        return (
            f"{self.where}: {who}: column {self.column}: recorded {_brief(self.recorded)}, "
            f"found {_brief(self.found)}"
        )


@dataclass(frozen=True)
class StageRerun:
    """One filter or selector, decided anew."""

    label: str
    kind: str
    judged: int
    """Rows decided anew."""
    recorded: int
    """Rows whose fate was taken from the ledger, since their texts are withheld."""
    identified: bool
    """Of a Global: whether the work over all rows was done anew, or its published result used."""
    difference: Difference | None


@dataclass(frozen=True)
class Rerun:
    """All filters and selectors, decided anew."""

    stages: tuple[StageRerun, ...]

    @property
    def difference(self) -> Difference | None:
        """The first difference, in the order of the stages."""
        return next((s.difference for s in self.stages if s.difference is not None), None)


def rerun(
    pipeline: Pipeline,
    layout: Layout,
    ledger: pl.DataFrame,
    read: Callable[[list[str]], pl.DataFrame],
    artefact: Callable[[str], pl.DataFrame],
) -> Rerun:
    """Decides anew. ``read`` gives columns of the replay, ``artefact`` what a stage identified."""
    layouts = {s.label: s for s in layout.stages}
    alive = read(["row", "id", "texts"])
    selectors = [s.label for s in pipeline.stages if isinstance(s, Selector)]
    done = []
    for stage in pipeline.stages:
        if not isinstance(stage, Filter | GlobalFilter | Selector):
            continue
        if (mine := layouts.get(stage.label)) is None:
            raise RunError(f"replay: has nothing for the stage {stage.label}; it is not whole")
        dropped = ledger.filter(pl.col("stage") == stage.label)
        last = stage.label in selectors[-1:]
        job = _Job(stage, mine, layout, dropped, artefact, pipeline.edits_of(stage))
        rows = alive.join(read(["row", *job.columns]), on="row", how="left", maintain_order="left")
        done.append(job.run(rows, ledger.filter(pl.col("outcome") == "selected") if last else None))
        alive = alive.join(dropped.select("row"), on="row", how="anti", maintain_order="left")
    return Rerun(tuple(done))


class _NotHereError(RunError):
    """A stage asks for something that is not part of a replay."""


class _Bare(LocalEngine):
    """An engine with batches and nothing else: no inputs, no vectors, no texts of replies."""

    def __init__(self, read: Callable[[str], pl.DataFrame] | None = None) -> None:
        super().__init__(read=read or _refuse, vectors_home=Path())

    def vectors(self, encoder: str) -> NoReturn:
        _refuse(encoder)

    def texts(self, keys: pl.Series) -> NoReturn:
        _refuse(keys.name)


def preselected_ids(dropped: pl.DataFrame, selected: pl.DataFrame) -> pl.DataFrame:
    """``id`` of the rows that the last selector chose before all others, from ledger lines."""
    said = pl.col("evidence").str.json_path_match("$.how") == "preselected"
    # A preselected row that a quota left out was of another rule: an earlier set is kept whole.
    edited = dropped.filter(pl.col("reason").is_in(list(REASONS)))
    return pl.concat([frame.filter(said).select("id") for frame in (edited, selected)])


def _refuse(name: str) -> NoReturn:
    raise _NotHereError(name)


class _Job:
    def __init__(
        self,
        stage: Filter | GlobalFilter | Selector,
        mine: StageLayout,
        layout: Layout,
        dropped: pl.DataFrame,
        artefact: Callable[[str], pl.DataFrame],
        edits: Sequence[Edit],
    ) -> None:
        self.stage = stage
        self.edits = edits
        self.mine = mine
        self.dropped = dropped
        self.artefact = artefact
        self.columns = list(dict.fromkeys([*mine.columns.values(), *mine.keys.values()]))
        self.reads_texts = any(c in layout.texts for c in self.columns)
        if mine.thinned is not None:
            self.columns = list(dict.fromkeys([*self.columns, mine.thinned]))

    def run(self, rows: pl.DataFrame, selected: pl.DataFrame | None) -> StageRerun:
        judged = rows.filter("texts") if self.reads_texts else rows
        complete = judged.height == rows.height
        identified = False
        # An earlier set that rows are preselected by is not here. Of the last selector's rows the
        # ledger says which were; of another's it does not.
        unknown = bool(self.stage.inputs()) and selected is None
        if isinstance(self.stage, Selector) and (not complete or unknown):
            judged = judged.clear()
        if judged.is_empty():
            return self._done(rows, judged, None, identified=False)
        try:
            outcome, identified = self._outcome(judged, selected, complete=complete)
            difference = self._difference(judged, outcome, selected)
        except (StageError, pl.exceptions.PolarsError) as error:
            said = str(error).splitlines()[0]
            difference = Difference(self.mine.label, None, None, "outcome", "decisions", said)
        return self._done(rows, judged, difference, identified=identified)

    def _done(
        self,
        rows: pl.DataFrame,
        judged: pl.DataFrame,
        difference: Difference | None,
        *,
        identified: bool,
    ) -> StageRerun:
        kind = next(
            k.__name__ for k in (Filter, GlobalFilter, Selector) if isinstance(self.stage, k)
        )
        left = rows.height - judged.height
        return StageRerun(self.mine.label, kind, judged.height, left, identified, difference)

    def _outcome(
        self, rows: pl.DataFrame, selected: pl.DataFrame | None, *, complete: bool
    ) -> tuple[Outcome, bool]:
        stage, mine = self.stage, self.mine
        if isinstance(stage, Selector):
            named = [pl.col(n).alias(c) for c, n in mine.keys.items()]
            keys = rows.select("id", "row", *named)
            earlier = None if selected is None else preselected_ids(self.dropped, selected)
            engine = _Bare(None if earlier is None else lambda _: earlier)
            placed = rows.select("row", "id")
            return select(stage, placed, engine.put(keys), engine, self.edits), True
        shown = rows.select(
            "row",
            "id",
            *(pl.col(n).alias(c) for c, n in mine.columns.items() if c not in ("row", "id")),
        )
        missing = [c for c in stage.reads() if c not in shown.columns]
        shown = shown.with_columns(pl.lit(None, pl.String).alias(c) for c in missing)
        if isinstance(stage, Filter):
            return act(stage, shown, _Bare()), False
        if complete:
            try:
                return act(stage, shown, _Bare()), True
            except _NotHereError:
                pass
        return act(stage, shown, _Bare(), artefact=self.artefact(mine.label)), False

    def _difference(
        self, rows: pl.DataFrame, outcome: Outcome, selected: pl.DataFrame | None
    ) -> Difference | None:
        got = _fates(rows, outcome.dropped)
        want = _fates(rows, self.dropped)
        if isinstance(self.stage, Selector) and outcome.ranks is not None and selected is not None:
            # A ledger says why of the rows that were selected in the end.
            chosen = outcome.ranks.filter(
                pl.col("reason").is_null(), pl.col("row").is_in(selected["row"].implode())
            )
            got = _with_evidence(got, chosen)
            want = _with_evidence(want, selected)
        found = first_difference(self.mine.label, want, got, COMPARED)
        thins = self.stage.thins if isinstance(self.stage, Filter) else None
        if found is None and thins is not None and self.mine.thinned is not None:
            kept = outcome.kept.select("row", "id", thins)
            as_left = rows.select("row", pl.col(self.mine.thinned).alias(thins))
            recorded = kept.select("row", "id").join(as_left, on="row", maintain_order="left")
            found = first_difference(self.mine.label, recorded, kept, [thins])
        return found


def _fates(rows: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    lines = dropped.select("row", "reason", "evidence")
    return (
        rows.select("row", "id")
        .join(lines, on="row", how="left", maintain_order="left")
        .with_columns(
            outcome=pl.when(pl.col("reason").is_null())
            .then(pl.lit("goes on"))
            .otherwise(pl.lit("dropped"))
        )
    )


def _with_evidence(fates: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    why = chosen.select("row", why="evidence")
    joined = fates.join(why, on="row", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("evidence", "why").alias("evidence")).drop("why")


def first_difference(
    where: str, recorded: pl.DataFrame, found: pl.DataFrame, columns: Iterable[str]
) -> Difference | None:
    """The first row and column in which two frames with the same ``row`` differ."""
    names = list(columns)
    differs = [
        ~pl.select(a=recorded[c]).to_series().eq_missing(found[c].cast(recorded.schema[c]))
        for c in names
    ]
    places = pl.select(pl.any_horizontal(*differs)).to_series().arg_true()
    if not len(places):
        return None
    at = places[0]
    column = next(c for c, d in zip(names, differs, strict=True) if d[at])
    row = recorded["row"][at] if "row" in recorded.columns else at
    return Difference(
        where,
        row,
        recorded["id"][at],
        column,
        _plain(recorded[column][at]),
        _plain(found[column][at]),
    )


def _plain(value: object) -> object:
    return value.to_list() if isinstance(value, pl.Series) else value


def _brief(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 120 else text[:117] + "…"
