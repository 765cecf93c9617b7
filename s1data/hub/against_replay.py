"""The rows of a published set held against its replay: every value that a decision was made on.

A column is compared where the replay has the form in which it left the run; the keys of a selector
are made anew from the set's own columns. A column that no filter and no selector read is in no
replay, and is named as unchecked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from s1data import pool
from s1data.acting import shown_columns
from s1data.errors import StageError
from s1data.hub.published_set import PublishedSet
from s1data.replay import Difference
from s1data.replay.building import ALWAYS
from s1data.replay.rerunning import first_difference
from s1data.stage import Filter, Selector, Stage


def hold(run: PublishedSet) -> tuple[str | None, Difference | None]:
    """What was compared, in words, and the first value of the set that is not what was read."""
    replay = run.config("replay")
    if (wrong := _questions(run, replay)) is not None:
        return None, wrong
    forms = _last_forms(run)
    recorded = replay.join(
        run.ledger.filter(pl.col("outcome") == "selected").select("row"), on="row", how="semi"
    )
    shared = {"source": "source", "licence": "licence"}
    shared |= {
        column: name
        for name, (column, maker) in run.layout.origins.items()
        if forms.get(column) == maker
    }
    shared = {c: n for c, n in shared.items() if c in run.selected.columns}
    recorded, found = _side_by_side(run, recorded, shared)
    if not recorded["id"].equals(found["id"]):
        return None, None  # said by the arithmetic
    found = found.with_columns(recorded["row"])
    known = recorded.select("row", "id", *(pl.col(n).alias(c) for c, n in shared.items()))
    found = found.with_columns(
        _fields_of(known.schema[c], found[c]).alias(c) for c in shared if c in found.columns
    )
    wrong = first_difference("selected", known, found, shared)
    keyed: list[str] = []
    for stage in _selectors(run, forms):
        wrong = wrong or _keys(run, stage, recorded, found)
        keyed += [c for c in stage.reads() if c in found.columns]
    rest = [c for c in run.selected.columns if c not in {"id", "question", *shared, *keyed}]
    said = f"the set's {', '.join(sorted({*shared, *keyed}))} held against the replay"
    return said + (f"; not in it: {', '.join(rest)}" if rest else ""), wrong


def _questions(run: PublishedSet, replay: pl.DataFrame) -> Difference | None:
    for name, origin in run.layout.origins.items():
        if origin == ("question", "read"):
            known = replay.select("row", "id", pl.col(name).alias("question")).drop_nulls()
            hashed = known.with_columns(pool.question_ids(known["question"]).alias("id"))
            if (wrong := first_difference("replay", known, hashed, ["id"])) is not None:
                return replace(wrong, column="question")
    return None


def _last_forms(run: PublishedSet) -> dict[str, str]:
    """Column to the label of the stage that gave it the form it has in the set."""
    forms = dict.fromkeys((c for c, _ in run.layout.origins.values()), "read")
    for stage in run.pipeline.stages:
        forms |= dict.fromkeys(_makes(stage), stage.label)
    return forms


def _makes(stage: Stage) -> list[str]:
    if isinstance(stage, Filter):
        return [stage.thins, *pool.OF_TRACES] if stage.thins else []
    return list(stage.adds()) if hasattr(stage, "adds") else []


def _side_by_side(
    run: PublishedSet, recorded: pl.DataFrame, shared: dict[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both sorted as the set is; where an id stands twice, by what both have beside it."""
    names = ["id"]
    if run.selected["id"].is_duplicated().any():
        names += [c for c in ("source", "solution", "answer") if c in shared]
    sort = {"nulls_last": True, "maintain_order": True}
    theirs = [shared.get(c, c) for c in names]
    return recorded.sort(theirs, **sort), run.selected.sort(names, **sort)


def _fields_of(dtype: pl.DataType, values: pl.Series) -> pl.Series:
    """A list of structs with those fields only that the replay has: it keeps no texts of traces."""
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    if not isinstance(inner, pl.Struct) or values.dtype == dtype:
        return values
    there = values.dtype.inner if isinstance(values.dtype, pl.List) else None
    names = {f.name for f in there.fields} if isinstance(there, pl.Struct) else set()
    fields = [pl.element().struct.field(f.name) for f in inner.fields if f.name in names]
    return values.to_frame("").select(pl.col("").list.eval(pl.struct(fields))).to_series()


def _selectors(run: PublishedSet, forms: dict[str, str]) -> Iterator[Selector]:
    """Selectors all of whose columns are in the set as they stood when it chose."""
    labels = ["read", *(s.label for s in run.pipeline.stages)]
    for stage in run.pipeline.stages:
        if isinstance(stage, Selector):
            before = labels[: labels.index(stage.label)]
            wanted = [c for c in shown_columns(stage) if c not in ALWAYS]
            there = all(c in run.selected.columns for c in stage.needs if c not in ALWAYS)
            if there and all(forms.get(c, "read") in before for c in wanted):
                yield stage


def _keys(
    run: PublishedSet, stage: Selector, recorded: pl.DataFrame, found: pl.DataFrame
) -> Difference | None:
    layout = next(s for s in run.layout.stages if s.label == stage.label)
    names = {c: n for c, n in layout.keys.items() if c not in pool.PLACE_COLUMNS}
    missing = [c for c in shown_columns(stage) if c not in found.columns]
    if not names or "priority" in missing:
        return None
    rows = found.with_columns(pl.lit(None, pl.String).alias(c) for c in missing)
    try:
        made = stage.keys(rows.select(list(dict.fromkeys(("row", *shown_columns(stage))))))
    except (StageError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0]
        return Difference("selected", None, None, f"keys of {stage.label}", "keys", said)
    known = recorded.select("row", "id", *(pl.col(n).alias(c) for c, n in names.items()))
    wrong = first_difference("selected", known, made, names)
    return wrong and replace(wrong, column=f"{wrong.column} for {stage.label}")
