"""What our selectors share: an order, preselected rows first, quotas kept, and why for every row.

A selector gives one order of all rows it could choose, which does not depend on ``n``. Preselected
rows come first in it. Without a quota the set is the first ``n``, every row has its rank, and a
larger set contains the smaller one. With quotas rows are taken along the order, each only if ``n``
can still be reached within all of them (`s1data.stages.allowance`): of all such sets this one has
the earliest rows. One quota of fixed numbers keeps the nesting: whatever ``n`` is, the set has the
first rows of each group with a minimum and the earliest others. With several quotas, or shares of
``n``, that cannot hold, and rows that were not chosen have no rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from s1data.frozen import Pairs
from s1data.stage import Engine, Evidence, Problem, Selector
from s1data.stages import growing, lengths, preselection, quotas
from s1data.stages.allowance import Allowance
from s1data.stages.preselection import Preselect
from s1data.stages.quotas import Limits, Quota

Places = npt.NDArray[np.intp]

CHOSEN_BEFORE: Final[dict[str, Any]] = {
    "rank": pl.UInt32(),
    "last_id": pl.String(),
    "how": pl.String(),
    "in_order": pl.UInt32(),
    "full": pl.String(),
}
"""Evidence that all selectors give. ``last_id`` is the last row that was chosen before this one (in
its own group, where that is full); ``in_order`` and ``full`` are there under a quota: the place in
the order that the quota is kept along, and the group that has no room."""
QUOTA_FULL: Final = {
    "quota_full": "The quota leaves no room for it: {full}. The last chosen is {last_id}."
}
UNDER_QUOTA: Final = QUOTA_FULL | {
    "after_last": "It comes after {last_id}, the last of {n} chosen within the quota.",
}
NO_ROOM: Final = "every place left is for groups that must have more rows"


@dataclass(frozen=True)
class Line:
    """What a selector made of the key rows."""

    keys: pl.DataFrame
    """The key rows with the columns of the evidence."""
    chosen: Places
    """Key rows in the order in which they were chosen."""
    beyond: Places
    """Those of the others whose rank is known: each with the ``n`` that takes it as its rank."""
    waiting: Places
    """All of the others that can be chosen, the one to step in first leading."""
    order: Places | None = None
    """All that can be chosen, as without quotas; None where that is not known."""


class Ordering(Selector):
    """A selector with preselection and quotas."""

    quota: Pairs[Quota] = Field(
        default=(),
        description="By column, how many rows of each of its values (or bands) a set has: "
        "{source: {maths: 600, chem: {min: 100, max: 400}}, domain: {others: {max: 40}}}. All hold "
        "at once; where they cannot, the run stops and says why.",
    )
    preselect: tuple[Preselect, ...] = Field(
        default=(), description="Rules; a row that meets one of them is chosen before all others."
    )

    def length(self) -> str | None:
        """What a preselection rule counts as length unless it says so itself."""
        return None

    def column_names(self) -> tuple[str, ...]:
        """Columns that the order itself reads."""
        return self.needs

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:
        """The key columns that the order itself needs."""
        raise NotImplementedError

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:
        """Key rows that can be chosen, in order, and the keys with columns of the evidence."""
        raise NotImplementedError

    def reason(self) -> pl.Expr:
        """The reason of a row that the order leaves out."""
        raise NotImplementedError

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        """Adds the columns of the evidence that are known once rows are chosen."""
        return self.with_last(ranked)

    def reads(self) -> tuple[str, ...]:
        named = [*self.column_names(), *quotas.columns(self.quota)]
        for rule in self.preselect:
            named += rule.names()
        return tuple(dict.fromkeys(named))

    def inputs(self) -> tuple[str, ...]:
        return preselection.inputs(self.preselect)

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        length = self.length()
        if length is not None:
            yield from lengths.problems(length, columns)
        yield from quotas.problems(self.quota, columns)
        yield from preselection.problems(self.preselect, length, columns, inputs)

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(
            "id",
            "row",
            *self.narrow(rows),
            *quotas.groups(self.quota, rows),
            *preselection.columns(self.preselect, rows, self.length()),
        )

    def ranks(self, keys: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        keys = keys.with_columns(preselection.preselected(self.preselect, keys, engine))
        limits = self.limits(keys)
        line = growing.line(self, keys, engine, limits)
        place = _places(line.order, keys.height) if limits and line.order is not None else None
        ranked = line.keys.with_columns(
            _places(np.concatenate([line.chosen, line.beyond]), keys.height).alias("rank"),
            _places(line.waiting, keys.height).alias("reserve"),
            pl.lit(None, pl.UInt32).alias("in_order") if place is None else place.alias("in_order"),
            *self._full(line, limits),
        )
        if "how" not in ranked.columns:
            ranked = ranked.with_columns(how=pl.when("preselected").then(pl.lit("preselected")))
        explained = self.why(ranked).with_columns(
            pl.coalesce("full_last_id", "last_id").alias("last_id")
        )
        return self.outcomes(explained)

    def idle(self, keys: pl.DataFrame) -> Iterator[str]:
        yield from growing.idle(self.preselect, keys)
        yield from quotas.idle(self.quota, keys)

    def limits(self, keys: pl.DataFrame) -> list[Limits]:
        return quotas.limits(self.quota, keys, self.n) if keys.height else []

    def line(self, keys: pl.DataFrame, engine: Engine, limits: Sequence[Limits]) -> Line:
        """Takes rows along the order."""
        order, keys = self.order(keys, engine)
        first = keys.get_column("preselected").to_numpy()
        if first.any():
            places = np.full(keys.height, len(order))
            places[order] = np.arange(len(order))
            leading = np.flatnonzero(first)
            leading = leading[np.argsort(places[leading], kind="stable")]
            order = np.concatenate([leading, order[~first[order]]])
        if not limits:
            return Line(keys, order[: self.n], order[self.n :], order[self.n :], order)
        allowance = self.allowance(limits, order, keys.height, self.n)
        chosen = np.array([row for row in order.tolist() if allowance.take(row)], dtype=np.intp)
        taken = np.zeros(keys.height, np.bool_)
        taken[chosen] = True
        others = order[~taken[order]]
        return Line(keys, chosen, self._beyond(others, chosen, limits), others, order)

    def allowance(self, limits: Sequence[Limits], able: Places, rows: int, n: int) -> Allowance:
        """Keeps a choice of ``n`` among the key rows ``able`` within the limits."""
        open_ = np.zeros(rows, np.bool_)
        open_[able] = True
        return Allowance(n, limits, open_, f"stage {self.label}")

    def _beyond(self, others: Places, chosen: Places, limits: Sequence[Limits]) -> Places:
        """Those of ``others`` that some larger ``n`` takes: of a fixed quota, until its most."""
        if len(limits) > 1 or not all(quota.fixed for _, quota in self.quota):
            return others[:0]
        (limit,) = limits
        has_room = np.append(limit.most, quotas.NO_LIMIT)
        counts = np.bincount(
            limit.codes[chosen][limit.codes[chosen] >= 0], minlength=len(limit.most)
        )
        has_room[:-1] -= counts
        codes = limit.codes[others]
        return others[_nth_of_its_kind(codes) < has_room[codes]]

    def _full(self, line: Line, limits: Sequence[Limits]) -> list[pl.Series]:
        """For rows without room in their group: which one it is, and who was chosen there last."""
        rows = line.keys.height
        said, last = np.full(rows, None, object), np.full(rows, None, object)
        ids = line.keys.get_column("id").to_list()
        out = np.zeros(rows, np.bool_)
        out[line.waiting] = True
        out[line.beyond] = False
        if len(line.chosen):
            last[out] = ids[line.chosen[-1]]
        for limit in reversed(limits):
            codes = limit.codes[line.chosen]
            counts = np.bincount(codes[codes >= 0], minlength=len(limit.labels))
            for group in np.flatnonzero(counts >= limit.most).tolist():
                here = out & (limit.codes == group)
                said[here] = (
                    f"{limit.said(group)} has {counts[group]:,} of at most {limit.most[group]:,}"
                )
                there = line.chosen[codes == group]
                last[here] = ids[there[-1]] if len(there) else None
        if limits and line.order is not None and len(line.chosen):
            before = line.order[: int(np.flatnonzero(line.order == line.chosen[-1])[0])]
            passed = before[out[before]]
            said[passed] = [text or NO_ROOM for text in said[passed].tolist()]
        return [
            pl.Series("full", said.tolist(), dtype=pl.String),
            pl.Series("full_last_id", last.tolist(), dtype=pl.String),
        ]

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        change = super().keeps_if(evidence)
        place, more = evidence.values.get("in_order"), evidence.values.get("brought_in") or 0
        if evidence.reason in self.edit_reasons or place is None:
            return change
        if change is not None and not more:
            return change
        # Which row a quota lets give way to one that an edit brings in is not known from here.
        return {"quota": {}} | ({"n": place + more} if place + more > self.n else {})

    def in_words(self, evidence: Evidence) -> str:
        if evidence.reason in self.edit_reasons:
            return super().in_words(evidence)
        shown = {name: _shown(value) for name, value in evidence.values.items()}
        return super().in_words(Evidence(evidence.reason, shown))

    def outcomes(self, ranked: pl.DataFrame) -> pl.DataFrame:
        """The frame of `ranks`, from ``row``, ``rank`` and the other columns of the evidence."""
        dtype = self.evidence_dtype()
        chosen = (pl.col("rank") <= self.n).fill_null(False)
        unranked = pl.col("rank").is_null() & pl.col("reserve").is_not_null()
        reason = (
            pl.when(unranked & pl.col("full").is_not_null())
            .then(pl.lit("quota_full"))
            .when(unranked & ("after_last" in self.reasons))
            .then(pl.lit("after_last"))
            .otherwise(self.reason())
        )
        return ranked.select(
            pl.col("row"),
            pl.col("rank").cast(pl.UInt32),
            reason=pl.when(chosen).then(None).otherwise(reason),
            evidence=pl.struct(pl.col(f.name).cast(f.dtype) for f in dtype.fields),
            reserve=pl.col("reserve"),
        )

    def with_last(self, ranked: pl.DataFrame, **shown: str) -> pl.DataFrame:
        """Adds ``last_id`` and other named columns of the last chosen row to those not chosen."""
        last = ranked.filter(pl.col("rank") <= self.n).sort("rank").tail(1)
        stays_out = (pl.col("rank") > self.n).fill_null(True)
        return ranked.with_columns(
            pl.when(stays_out).then(_only(last, column)).alias(name)
            for name, column in ({"last_id": "id"} | shown).items()
        )


def _nth_of_its_kind(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each place how many places before it have the same code."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    nth = np.empty(len(codes), np.int64)
    sizes = np.diff(np.append(starts, len(codes)))
    nth[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return nth


def _places(order: Places, rows: int) -> pl.Series:
    """Places from 1 of the row positions in ``order``; null for the other rows."""
    places = np.zeros(rows, dtype=np.uint32)
    places[order] = np.arange(1, len(order) + 1, dtype=np.uint32)
    return pl.Series("place", places).replace(0, None)


def _only(frame: pl.DataFrame, column: str) -> pl.Expr:
    values = frame.get_column(column)
    return pl.lit(values.item() if len(values) else None, dtype=values.dtype)


def _shown(value: object) -> object:
    if value is None:
        return "none"
    return f"{value:.10g}" if isinstance(value, float) else value
