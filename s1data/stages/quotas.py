"""Quotas: how many rows of each group a set must and may have, under any selector.

A group is a value of a column (a domain, a source), or a band of a number or a length. All quotas
of a selector hold at once, and the set has exactly ``n`` rows. What each comes to for this pool is
a `Limits`; `s1data.stages.allowance` keeps a choice within all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from s1data.frozen import Frozen, Pairs
from s1data.stage import Problem
from s1data.stages import lengths

NO_LIMIT: Final = 2**32
Counts = npt.NDArray[np.int64]


class Bound(Frozen):
    """How many rows of one group: at least, at most, or a share of all."""

    min: int | None = Field(default=None, ge=0, description="At least so many.")
    max: int | None = Field(default=None, ge=0, description="At most so many.")
    share: float | None = Field(
        default=None, gt=0, le=1, description="This share of n, rounded down or up."
    )

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: object) -> object:
        if isinstance(given, Mapping) and (strange := given.keys() - cls.model_fields.keys()):
            msg = f"min, max or share is wanted, got {', '.join(sorted(map(str, strange)))}"
            raise ValueError(msg)
        return given

    @model_validator(mode="after")
    def _bounds(self) -> Bound:
        given = self.model_dump(exclude_none=True)
        if not given or (self.share is not None and len(given) > 1):
            msg = f"min, max or both are wanted, or share alone, got {', '.join(given) or 'none'}"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"a max of at least the min is wanted, got min {self.min} and max {self.max}"
            raise ValueError(msg)
        return self

    def counts(self, n: int) -> tuple[int, int]:
        """Least and most rows in a set of ``n``."""
        if self.share is not None:
            part = Fraction(str(self.share)) * n
            return floor(part), ceil(part)
        return self.min or 0, NO_LIMIT if self.max is None else self.max


def _number_or_bound(given: object) -> str:
    return "bound" if isinstance(given, Mapping | Bound) else "number"


Rows = Annotated[
    Annotated[int, Field(ge=0), Tag("number")] | Annotated[Bound, Tag("bound")],
    Discriminator(_number_or_bound),
]
"""A number of rows, or bounds: told apart first, so that an error speaks of what was meant."""


class Quota(Frozen):
    """How many rows of each group of one column; a row without a value is of no group.

    `{maths: 600, others: {max: 50}}` is short for `{groups: {maths: 600}, others: {max: 50}}`; a
    number alone is both min and max.
    """

    groups: Pairs[Rows] = Field(default=(), description="By value, or by name of a band.")
    others: Bound | None = Field(
        default=None, description="For each group that is there and not named."
    )
    bands: tuple[float, ...] = Field(
        default=(),
        description="Rising edges that cut a number or a length into bands, named `<1000`, "
        "`1000-4000`, `>=4000`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _groups_alone(cls, given: object) -> object:
        if not isinstance(given, Mapping) or given.keys() <= cls.model_fields.keys():
            return given
        if "groups" in given:
            msg = f"beside groups only others and bands are wanted, got {', '.join(given)}"
            raise ValueError(msg)
        named = {k: v for k, v in given.items() if k not in cls.model_fields}
        return {k: v for k, v in given.items() if k in cls.model_fields} | {"groups": named}

    @field_validator("bands", mode="before")
    @classmethod
    def _numbers(cls, edges: object) -> object:
        if not isinstance(edges, list | tuple):
            return edges
        return tuple(float(edge) if type(edge) is int else edge for edge in edges)

    @model_validator(mode="after")
    def _says_something(self) -> Quota:
        if not self.groups and self.others is None:
            msg = "groups or others is wanted, got neither"
            raise ValueError(msg)
        if any(b <= a for a, b in pairwise(self.bands)):
            msg = f"rising edges are wanted as bands, got {list(self.bands)}"
            raise ValueError(msg)
        strange = [name for name, _ in self.groups if self.bands and name not in self.band_names()]
        if strange:
            msg = f"a band ({', '.join(self.band_names())}) is wanted, got {', '.join(strange)}"
            raise ValueError(msg)
        return self

    @property
    def fixed(self) -> bool:
        """Whether the bounds are the same for any ``n``."""
        bounds = [self.others, *(bound for _, bound in self.groups)]
        return not any(isinstance(bound, Bound) and bound.share is not None for bound in bounds)

    @property
    def has_minimum(self) -> bool:
        """Whether some group must have rows."""
        bounds = [self.others, *(bound for _, bound in self.groups)]
        return any(_counts(bound, 1)[0] > 0 for bound in bounds if bound is not None)

    def band_names(self) -> tuple[str, ...]:
        """The names of the bands, the lowest first."""
        edges = [f"{edge:.10g}" for edge in self.bands]
        between = [f"{low}-{high}" for low, high in pairwise(edges)]
        return (f"<{edges[0]}", *between, f">={edges[-1]}") if edges else ()

    def group(self, rows: pl.DataFrame, column: str) -> pl.Expr:
        """The group of each row of ``column``, a String expression; null where it has none."""
        if not self.bands:
            return pl.col(column).cast(pl.String)
        number = lengths.length(rows, column)
        names = self.band_names()
        band: pl.Expr = pl.when(number.is_not_null()).then(pl.lit(names[0]))
        for edge, name in zip(self.bands, names[1:], strict=True):
            band = pl.when(number >= edge).then(pl.lit(name)).otherwise(band)
        return band


def _counts(bound: int | Bound, n: int) -> tuple[int, int]:
    return (bound, bound) if isinstance(bound, int) else bound.counts(n)


Quotas = tuple[tuple[str, Quota], ...]


def columns(quotas: Quotas) -> tuple[str, ...]:
    """The pool columns that quotas read."""
    return tuple(lengths.column(name) if quota.bands else name for name, quota in quotas)


def problems(quotas: Quotas, schema: Mapping[str, pl.DataType]) -> Iterator[Problem]:
    """What keeps a column from being grouped; silent where it is missing."""
    for (name, quota), column in zip(quotas, columns(quotas), strict=True):
        dtype = schema.get(column)
        if dtype is None:
            continue
        if quota.bands:
            for problem in lengths.problems(name, schema):
                yield Problem("quota", problem.wanted, problem.got)
        elif dtype not in (pl.String, pl.Boolean) and not dtype.is_integer():
            yield Problem("quota", "a text column, or bands of a number", f"{name}: {dtype}")


def groups(quotas: Quotas, rows: pl.DataFrame) -> list[pl.Expr]:
    """One key column for each quota: ``quota 0``, ``quota 1`` and so on."""
    return [q.group(rows, name).alias(f"quota {i}") for i, (name, q) in enumerate(quotas)]


def idle(quotas: Quotas, keys: pl.DataFrame) -> Iterator[str]:
    """Groups that are named and that no key row has, a sentence for each quota; bands may be."""
    for i, (name, quota) in enumerate(quotas):
        there = keys.get_column(f"quota {i}").drop_nulls().value_counts(sort=True, name="rows")
        known = there.get_column(f"quota {i}").to_list()
        strange = [group for group, _ in quota.groups if group not in set(known)]
        if strange and not quota.bands and keys.height:
            most = f"{', '.join(known[:5])}{' …' if len(known) > 5 else ''}" or "none"
            yield f"quota of {name} names {', '.join(strange)}, which no row has; it has {most}"


@dataclass(frozen=True)
class Limits:
    """A quota for one pool: the group of each key row (-1: none), and the bounds of each group."""

    name: str
    codes: Counts
    labels: tuple[str, ...]
    least: Counts
    most: Counts

    def said(self, group: int) -> str:
        """A group by its column and value."""
        return f"{self.name} {self.labels[group]}"


def limits(quotas: Quotas, keys: pl.DataFrame, n: int) -> list[Limits]:
    """What the quotas come to for these key rows and a set of ``n``."""
    found = []
    for i, (name, quota) in enumerate(quotas):
        values = keys.get_column(f"quota {i}")
        named: dict[str, Any] = dict(quota.groups)
        labels = sorted({*named, *values.drop_nulls().unique().to_list()})
        free = (0, NO_LIMIT) if quota.others is None else quota.others.counts(n)
        bounds = [_counts(named[label], n) if label in named else free for label in labels]
        codes = values.replace_strict(
            labels, list(range(len(labels))), default=-1, return_dtype=pl.Int64
        )
        least, most = np.array(bounds, dtype=np.int64).reshape(-1, 2).T
        found.append(Limits(name, codes.fill_null(-1).to_numpy(), tuple(labels), least, most))
    return found
