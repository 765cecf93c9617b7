"""A selector on one frame: its order, held to the contract, then edits, then the reserve."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import numpy as np
import polars as pl

from s1data.digest import canonical_json
from s1data.editing import SCHEMA, Edited, edited
from s1data.edits import REASONS, Edit
from s1data.errors import StageError
from s1data.outcomes import VERDICT_COLUMNS, Outcome, evidence_json
from s1data.reserving import selection
from s1data.stage import Engine, Selector, Table

log = logging.getLogger(__name__)


def select(
    stage: Selector, rows: pl.DataFrame, keys: Table, engine: Engine, edits: Sequence[Edit] = ()
) -> Outcome:
    """Runs a selector over the ``keys`` of ``rows``, and applies ``edits`` to its choice."""
    for text in stage.idle(engine.collect(keys)):
        log.warning("stage %s: %s", stage.label, text)
    found = stage.identify(keys, engine).sort("row")
    out = found.drop("reserve", strict=False)
    wanted = {
        "row": pl.UInt32(),
        "rank": pl.UInt32(),
        "reason": pl.String(),
        "evidence": stage.evidence_dtype(),
    }
    ranks = out["rank"].drop_nulls()
    sound = (
        dict(out.schema) == wanted
        and out["row"].equals(rows["row"].sort())
        and ranks.n_unique() == len(ranks)
        and (len(ranks) == 0 or (ranks.min() == 1 and ranks.max() == len(ranks)))
    )
    chosen = (out["rank"] <= stage.n).fill_null(False) if sound else pl.Series([], dtype=pl.Boolean)
    stray = set(out["reason"].filter(~chosen).unique()) - set(stage.reasons) if sound else set()
    if not sound or stray:
        raise StageError(
            f"stage {stage.label}: broke its contract: wanted one line per row of {wanted} with "
            f"ranks 1 to N each once and reasons {sorted(stage.reasons)}, got {dict(out.schema)} "
            f"{'with reasons ' + str(stray) if stray else ''}; report it to the stage's author"
        )
    whole = out.with_columns(
        evidence_json(out["evidence"]),
        reason=pl.when(pl.lit(chosen)).then(None).otherwise(pl.col("reason")),
    ).select("row", "rank", "reason", "evidence")
    moved = places = None
    if edits or stage.reserve:
        sorted_keys = engine.collect(keys).sort("id", "row")
        lines = sorted_keys.select("row").join(found, on="row", how="left", maintain_order="left")
        done = _edited(stage, sorted_keys, lines, edits)
        if edits:
            whole, moved = _with_edits(sorted_keys, whole, done)
        if stage.reserve:
            places = _places(stage, sorted_keys, lines, done)
            stays = pl.col("row").is_in(places["row"].implode())
            whole = whole.with_columns(reason=pl.when(~stays).then("reason"))
    first = whole.filter(pl.col("reason").is_null()).select("row")
    kept = rows.join(first, on="row", how="semi", maintain_order="left")
    if places is not None:
        kept = kept.drop("selection", strict=False)
        kept = kept.join(places, on="row", how="left", maintain_order="left")
    dropped = whole.filter(pl.col("reason").is_not_null()).select(list(VERDICT_COLUMNS))
    return Outcome(kept, dropped, added=places, ranks=whole, edits=moved)


def _edited(
    stage: Selector, keys: pl.DataFrame, ranks: pl.DataFrame, edits: Sequence[Edit]
) -> Edited:
    try:
        done = edited(keys["id"], ranks, stage.limits(keys), edits, stage.n)
    except StageError as error:
        raise StageError(f"stage {stage.label}: {error}") from error
    for line in done.lines:
        if line["note"] is not None:
            where = (stage.label, line["action"], line["id"])
            log.warning("stage %s: edit %s %s: %s", *where, line["note"])
    return done


def _with_edits(
    keys: pl.DataFrame, whole: pl.DataFrame, done: Edited
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every row's line with what edits did to it, and what each edit moved.

    A row that stays out is told how many edits bring rows in: a larger n has to make up for them.
    """
    brings = sum(line["action"] != "drop" for line in done.lines)
    places = keys["row"].to_list()
    notes = {places[at]: note for at, note in done.notes.items()}
    lines = []
    for row, rank, reason, evidence in whole.iter_rows():
        left, edit = notes.get(row, (reason, None))
        more = {} if edit is None else {"edit": edit}
        if brings and left is not None and left not in REASONS:
            more["brought_in"] = brings
        said = canonical_json(json.loads(evidence or "{}") | more) if more else evidence
        lines.append((row, rank, left, said))
    changed = pl.DataFrame(lines, schema=whole.schema, orient="row")
    return changed, pl.DataFrame(done.lines, schema=SCHEMA)


def _places(stage: Selector, keys: pl.DataFrame, ranks: pl.DataFrame, done: Edited) -> pl.DataFrame:
    """Where chosen and reserve rows stand; a row that an edit brought in, after the others."""
    rank = ranks.get_column("rank").fill_null(2**32 - 1).to_numpy()
    chosen = np.flatnonzero(done.chosen)
    chosen = chosen[np.argsort(rank[chosen], kind="stable")]
    reserve = np.array(done.waiting[: stage.reserve], dtype=np.intp)
    return selection(keys, chosen, reserve, stage.limits(keys))
