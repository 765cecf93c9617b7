"""One stage on one frame: what the runner does for every stage, and what a user may do alone.

A stage's output is held to its contract here: declared columns and dtypes, one line per row, only
declared reasons. What breaks it is a `StageError` that names the stage, never a wrong ledger.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from s1data import pool
from s1data.edits import Edit
from s1data.engine import BATCH_ROWS, LocalEngine, batches
from s1data.errors import StageError
from s1data.outcomes import VERDICT_COLUMNS, Outcome, evidence_json, no_verdicts
from s1data.selecting import select
from s1data.stage import (
    AnyAdder,
    Asker,
    Engine,
    Enricher,
    Filter,
    GlobalEnricher,
    GlobalFilter,
    Selector,
    Stage,
)

__all__ = [
    "Outcome", "act", "apply", "cache_home", "checked_columns", "no_verdicts", "replies_home",
    "shown_columns", "with_places",
]  # fmt: skip


def cache_home() -> Path:
    """Where vectors and replies are kept: ``S1DATA_CACHE``, else the user's cache folder."""
    if home := os.environ.get("S1DATA_CACHE"):
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "s1data"


def replies_home() -> Path:
    """The reply store that all runs of this user share."""
    return cache_home() / "replies"


def apply(
    stage: Stage, frame: pl.DataFrame, inputs: Mapping[str, pl.DataFrame] | None = None
) -> Outcome:
    """Applies a stage to a frame of questions.

    ``frame`` needs ``question`` and the columns that the stage reads; ``id``, ``row``, ``source``
    and ``priority`` are made where missing. ``inputs`` are the named inputs the stage reads.
    Raises StageError where a column or input is missing.
    """
    if isinstance(stage, Asker):
        raise StageError(
            f"stage {stage.label}: asks the models {', '.join(stage.models())}, for which it needs "
            "a session; see s1data.asking.ask_in_rounds, or run it in a recipe"
        )
    rows = with_places(frame)
    lacking = {c: pool.COLUMNS[c] for c in stage.uses if c not in rows.columns}
    rows = rows.with_columns(**{c: pl.lit(None, dtype) for c, dtype in lacking.items()})
    made = {*pool.PLACE_COLUMNS, *stage.uses}
    if "question" not in frame.columns and "id" not in frame.columns:
        raise StageError(
            f"stage {stage.label}: wanted a frame with a column question, "
            f"got {', '.join(frame.columns) or 'no columns'}; rename the one that holds them"
        )
    missing = [c for c in stage.reads() if c not in frame.columns and c not in made]
    if missing:
        raise StageError(
            f"stage {stage.label}: wanted the columns {', '.join(missing)}, "
            f"got a frame with {', '.join(frame.columns)}; add them or run the stage that does"
        )
    given = dict(inputs or {})
    for name in stage.inputs():
        if name not in given:
            raise StageError(f"stage {stage.label}: wanted the input {name!r}; give it in inputs=")
    for problem in stage.check(frame.schema, {name: given[name].schema for name in given}):
        field = f"field {problem.field}: " if problem.field else ""
        todo = f"; {problem.todo}" if problem.todo else ""
        raise StageError(
            f"stage {stage.label}: {field}wanted {problem.wanted}, got {problem.got}{todo}"
        )
    if not isinstance(stage, Enricher | Filter) and rows["id"].has_nulls():
        raise StageError(
            f"stage {stage.label}: looks at all rows by their id, but {rows['id'].null_count()} "
            "rows have no question; drop those first, as drop_incomplete does"
        )
    engine = LocalEngine(read=given.__getitem__, vectors_home=cache_home() / "vectors")
    try:
        outcome = act(stage, rows, engine)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        msg = f"stage {stage.label}: failed on {rows.height:,} rows: {first}; mend the frame"
        raise StageError(msg) from error
    filler = [c for c in outcome.kept.columns if c in pool.COLUMNS and c not in frame.columns]
    made = set() if outcome.added is None else set(outcome.added.columns)
    extra = [c for c in filler if c not in made and c not in ("id", "row")]
    return replace(outcome, kept=outcome.kept.drop(extra))


def lines_left(stage: Filter, rows: pl.DataFrame, left: pl.DataFrame) -> Iterator[pl.Series]:
    """Columns beside the thinned one whose lines name its items, without those of items that left.

    Lines that name none (the score of a text column) stay. ``left`` has ``row`` and the list.
    """
    names = ["row", "teacher", "sample"]
    for column in stage.reads():
        dtype = rows.schema.get(column)
        inner = dtype.inner if isinstance(dtype, pl.List) else None
        fields = {f.name for f in inner.fields} if isinstance(inner, pl.Struct) else set()
        nothing = rows[column].null_count() == rows.height if column in rows.columns else True
        if column == stage.thins or not {"teacher", "sample"} <= fields or nothing:
            continue
        items = left.select("row", stage.thins or "").explode(stage.thins or "").unnest(stage.thins)
        there = items.select(*names, here=pl.lit(True)).unique(names)
        lines = rows.select("row", column).explode(column).drop_nulls(column)
        place = [pl.col(column).struct.field(name) for name in names[1:]]
        kept = (
            lines.with_columns(place)
            .join(there, on=names, how="left", maintain_order="left")
            .filter(pl.col("here") | pl.col("teacher").is_null())
            .group_by("row", maintain_order=True)
            .agg(column)
        )
        again = rows.select("row").join(kept, on="row", how="left", maintain_order="left")
        lists = pl.col(column).fill_null(pl.lit([], dtype))
        yield (
            again.select(pl.when(rows[column].is_not_null()).then(lists)).to_series().rename(column)
        )


def with_places(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the place columns and empty canonical columns it lacks."""
    defaults = {
        "row": pl.int_range(frame.height, dtype=pl.UInt32),
        "source": pl.lit("frame"),
        "priority": pl.lit(0, pl.Int32),
    }
    frame = frame.with_columns(**{k: v for k, v in defaults.items() if k not in frame.columns})
    if "id" not in frame.columns and "question" in frame.columns:
        frame = frame.with_columns(pool.question_ids(frame["question"]))
    lacking = {k: v for k, v in pool.SOURCE_COLUMNS.items() if k not in frame.columns}
    return frame.with_columns(**{k: pl.lit(None, v) for k, v in lacking.items()})


def act(
    stage: Stage,
    rows: pl.DataFrame,
    engine: Engine,
    progress: Callable[[int, int], None] | None = None,
    artefact: pl.DataFrame | None = None,
    edits: Sequence[Edit] = (),
) -> Outcome:
    """Runs a stage over ``rows`` (which have ``row``, ``id`` and all that it reads).

    ``artefact`` is what a Global identified before; it identifies anew where none is given.
    ``edits`` are applied to what a selector chose.
    """
    tick = progress or (lambda _done, _of: None)
    shown = rows.select(shown_columns(stage))
    if isinstance(stage, Selector):
        return select(stage, rows, engine.map(engine.put(shown), stage.keys), engine, edits)
    if isinstance(stage, GlobalFilter | GlobalEnricher) and artefact is None:
        artefact = stage.identify(engine.map(engine.put(shown), stage.keys), engine)
    parts, done = [], 0
    for batch in batches(shown, BATCH_ROWS):
        parts.append(_one_batch(stage, batch, artefact))
        done += batch.height
        tick(done, rows.height)
    out = pl.concat(parts, rechunk=True)
    if isinstance(stage, Enricher | GlobalEnricher):
        kept = rows.drop(out.columns, strict=False).hstack(out)
        added = rows.select("row").hstack(out)
        return Outcome(kept, no_verdicts(), added=added, artefact=artefact)
    verdicts = rows.select("row").hstack(out)
    dropped = verdicts.filter(pl.col("reason").is_not_null()).select(list(VERDICT_COLUMNS))
    alive = verdicts["reason"].is_null()
    kept = rows.filter(alive)
    if isinstance(stage, Filter) and stage.thins is not None:
        left = verdicts.filter(alive)
        beside = [left.get_column(stage.thins), *lines_left(stage, kept, left)]
        return Outcome(
            kept.with_columns(beside),
            dropped,
            added=left.select("row").with_columns(beside),
            thinned=left.filter(pl.col("evidence").is_not_null()).select("row", "evidence"),
        )
    return Outcome(kept, dropped, artefact=artefact)


def shown_columns(stage: Stage) -> list[str]:
    """The columns a stage is given, in order: what it reads; a Global has id and row first."""
    row_wise = isinstance(stage, Enricher | Filter | Asker)
    return list(dict.fromkeys((*(() if row_wise else ("id", "row")), *stage.reads())))


def _one_batch(stage: Stage, batch: pl.DataFrame, artefact: pl.DataFrame | None) -> pl.DataFrame:
    if isinstance(stage, Enricher):
        return checked_columns(stage, batch, stage.columns(batch))
    if isinstance(stage, GlobalEnricher) and artefact is not None:
        return checked_columns(stage, batch, stage.columns(batch, artefact))
    if isinstance(stage, Filter):
        return _checked_verdicts(stage, batch, stage.verdicts(batch))
    if isinstance(stage, GlobalFilter) and artefact is not None:
        return _checked_verdicts(stage, batch, stage.verdicts(batch, artefact))
    msg = f"stage {stage.label}: {type(stage).__name__} is of no kind that a run knows"
    raise StageError(msg)


def checked_columns(stage: AnyAdder, rows: pl.DataFrame, out: pl.DataFrame) -> pl.DataFrame:
    """``out`` as it is; StageError where it is not what the stage declares for these rows."""
    wanted = stage.adds()
    if dict(out.schema) != wanted or out.height != rows.height:
        raise StageError(
            f"stage {stage.label}: broke its contract: wanted {rows.height} rows of {wanted}, "
            f"got {out.height} rows of {dict(out.schema)}; report it to the stage's author"
        )
    return out


def _checked_verdicts(
    stage: Filter | GlobalFilter, rows: pl.DataFrame, out: pl.DataFrame
) -> pl.DataFrame:
    wanted = {"reason": pl.String(), "evidence": stage.evidence_dtype()}
    thins = stage.thins if isinstance(stage, Filter) else None
    if thins is not None:
        wanted[thins] = rows.schema[thins]
    unknown = set(out["reason"].drop_nulls().unique()) - set(stage.reasons)
    if dict(out.schema) != wanted or out.height != rows.height or unknown:
        raise StageError(
            f"stage {stage.label}: broke its contract: wanted {rows.height} rows of {wanted} with "
            f"reasons {sorted(stage.reasons)}, got {out.height} rows of {dict(out.schema)}"
            f"{' with reasons ' + str(sorted(unknown)) if unknown else ''}; "
            "report it to the stage's author"
        )
    dropped = out["reason"].is_not_null()
    if thins is None:
        return pl.DataFrame([out["reason"], evidence_json(out["evidence"], dropped)])
    return pl.DataFrame([out["reason"], evidence_json(out["evidence"]), out[thins]])
