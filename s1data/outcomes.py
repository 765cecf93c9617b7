"""What came of a stage on one frame: rows kept and dropped, columns added, evidence as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from s1data.digest import canonical_json

VERDICT_COLUMNS: Final = {"row": pl.UInt32(), "reason": pl.String(), "evidence": pl.String()}


@dataclass(frozen=True)
class Outcome:
    """What a stage did: the rows that go on, with their columns, and those that left, with why.

    ``dropped`` has ``row``, ``reason`` and ``evidence`` (canonical JSON). ``ranks`` is a
    selector's whole order (``row``, ``rank``, ``reason``, ``evidence``), else None; ``added`` an
    enricher's columns beside ``row``, or the column that a filter thinned, else None; ``thinned``
    the evidence (``row``, ``evidence``) of rows kept with fewer items; ``artefact`` what a Global
    identified; ``edits`` what each edit of a selector's choice moved, else None.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    added: pl.DataFrame | None = None
    ranks: pl.DataFrame | None = None
    thinned: pl.DataFrame | None = None
    artefact: pl.DataFrame | None = None
    edits: pl.DataFrame | None = None


def no_verdicts() -> pl.DataFrame:
    """An empty frame of dropped rows."""
    return pl.DataFrame(schema=VERDICT_COLUMNS)


def evidence_json(evidence: pl.Series, wanted: pl.Series | None = None) -> pl.Series:
    """Each struct as canonical JSON without its null fields; null where not wanted."""
    where = evidence.is_not_null() if wanted is None else wanted & evidence.is_not_null()
    texts = [
        canonical_json({k: v for k, v in item.items() if v is not None})
        for item in evidence.filter(where).to_list()
    ]
    places = where.arg_true()
    out = pl.Series("evidence", [None], dtype=pl.String).new_from_index(0, len(evidence))
    return out.scatter(places, pl.Series(texts, dtype=pl.String)) if texts else out
