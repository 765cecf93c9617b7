"""The last gate: what was selected is held against the benchmarks again; a hit stops the run.

Rows, solutions and traces that came in after `drop_contaminated` never met it. So the check stands
at the end of a recipe, over all that goes out. It drops nothing: a set that is contaminated is a
matter for whoever answers for it. A hit is allowed by naming the row and a reason, or reported by
all rows with ``report_only``; what was hit stays with its row, in the column ``benchmark_hits``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl
from pydantic import Field, model_validator

from s1data.errors import StageError
from s1data.frozen import Pairs
from s1data.stage import Engine, GlobalEnricher, Table
from s1data.stages import items, matches
from s1data.stages.held_against import HeldAgainst, each_once
from s1data.stages.matching import Method

NAMED_AT_MOST = 5


class CheckContaminated(HeldAgainst, GlobalEnricher):
    """Stops the run where a row matches a benchmark item and is not allowed by name.

    The methods are those of ``drop_contaminated``. Every row goes on; ``benchmark_hits`` lists what
    it matched, one entry per benchmark, item, column and method, and the reason it is allowed for:
    of ``allow``, else "report only". Empty where nothing was hit. An id in ``allow`` that no row
    has, or whose row is clean, does no harm.
    """

    revision: ClassVar[int] = 4
    uses: ClassVar[tuple[str, ...]] = ("solution", "traces")
    added: ClassVar[tuple[str, ...]] = ("benchmark_hits",)
    example: ClassVar[Mapping[str, Any]] = {
        "against": ["held_out"],
        "report_only": True,
        "allow": {"0123456789abcdef": "known before, kept on purpose"},
    }
    example_inputs: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {
        "held_out": [
            {"question": "How many legs have three spiders and one blackbird together?"},
            {"question": "Is the square root of two a rational number?"},
        ]
    }

    against: tuple[str, ...] = Field(
        min_length=1, description="Named inputs that hold benchmark questions, first match first."
    )
    methods: tuple[Method, ...] = Field(
        default=("ngram8", "normalised", "fuzzy"),
        min_length=1,
        description="How to look; a hit of any stops the run.",
    )
    columns_: tuple[str, ...] = Field(
        alias="columns",
        default=("question", "solution", "traces"),
        min_length=1,
        description="What of a row is held against the items: columns of texts, or of lists of "
        "replies (traces, attempts), whose texts are looked up. Solutions and traces count where "
        "the set has them.",
    )
    allow: Pairs[str] = Field(
        default=(), description="Rows that may stay: id to the reason, which is written with them."
    )
    report_only: bool = Field(
        default=False, description="Whether hits are written down and never stop the run."
    )

    @model_validator(mode="after")
    def _reasons_are_given(self) -> CheckContaminated:
        each_once(self, ("against", "methods", "columns"))
        empty = [row_id for row_id, reason in self.allow if not reason.strip()]
        if empty:
            msg = f"allow: wanted a reason for every row, got none for {', '.join(empty)}"
            raise ValueError(msg)
        return self

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("id", "row", *self.columns_)

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        of = items.read(self.against, engine, self.hashed)
        found = self.finder(of).found(keys, engine, self.methods)
        items.leave(of, found, engine)
        found = matches.named(found, of)
        ids = engine.collect(engine.map(keys, lambda rows: rows.select("row", "id")))
        reasons = dict(self.allow)
        allowed = pl.col("id").replace_strict(reasons, default=None, return_dtype=pl.String)
        hits = found.join(ids.unique("row"), on="row", maintain_order="left").with_columns(
            allowed=allowed
        )
        bad = hits.filter(pl.col("allowed").is_null())
        if not self.report_only and not bad.is_empty():
            raise StageError(self._stopped(bad))
        return hits.with_columns(pl.col("allowed").fill_null("report only"))

    def _stopped(self, bad: pl.DataFrame) -> str:
        rows = bad.unique("id", keep="first", maintain_order=True).sort("id")
        said = [
            f"{line['id']} ({line['column']} matches item {line['item']} of {line['benchmark']} "
            f"by {line['method']})"
            for line in rows.head(NAMED_AT_MOST).iter_rows(named=True)
        ]
        more = f" and {rows.height - NAMED_AT_MOST} more" if rows.height > NAMED_AT_MOST else ""
        return (
            f"stage {self.label}: wanted a set free of test items, got {rows.height} rows that "
            f"match: {', '.join(said)}{more}; drop them before the selection, or list each id in "
            "allow: with a reason"
        )

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return matches.listed(rows, artefact, "benchmark_hits")

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        allowed = artefact.unique(["id", "allowed"]).sort("id").select("id", "allowed")
        known = dict(allowed.filter(pl.col("allowed") != "report only").iter_rows())
        return matches.figures(artefact) | {"rows": artefact["row"].n_unique(), "allowed": known}
