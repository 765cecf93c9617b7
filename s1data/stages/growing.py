"""An earlier set that a larger one must hold: all of its rows are chosen, or the run stops.

A preselection rule of `in_input` alone names such a set. Where a row of it does not reach the
selector, or has no place in ``n`` or in the quotas, another set would come out than the one that
was published with a few rows more; so that is an error, with the sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from s1data.digest import canonical_json
from s1data.errors import StageError
from s1data.stage import Engine
from s1data.stages.preselection import Rules
from s1data.stages.quotas import Limits

if TYPE_CHECKING:
    from s1data.stages.ordering import Line, Ordering

Places = npt.NDArray[np.intp]
NAMED: Final = 3
"""Ids that an error names one by one."""


@dataclass(frozen=True)
class Earlier:
    """A set to be held."""

    who: str
    """The rule, as messages name it."""
    rows: Places
    """Key rows that are in it."""


def line(stage: Ordering, keys: pl.DataFrame, engine: Engine, limits: Sequence[Limits]) -> Line:
    """What ``stage`` makes of the key rows, with every row of an earlier set chosen."""
    who = f"stage {stage.label}: "
    try:
        sets = _earlier(stage.preselect, keys, engine, stage.n)
        found = stage.line(keys, engine, limits)
        _all_kept(sets, keys, found.chosen, limits, stage.n)
    except StageError as error:
        raise StageError(who + str(error).removeprefix(who)) from error
    return found


def idle(rules: Rules, keys: pl.DataFrame) -> Iterator[str]:
    """Rules that meet no key row, each as a sentence."""
    for i, rule in enumerate(rules):
        if keys.height and not rule.in_input and not keys.get_column(f"rule {i}").any():
            written = canonical_json(rule.model_dump(mode="json", exclude_defaults=True))
            yield f"preselect rule {i + 1}, {written}, meets none of {keys.height:,} rows"


def _earlier(rules: Rules, keys: pl.DataFrame, engine: Engine, n: int) -> list[Earlier]:
    """The sets that rules of `in_input` alone name; StageError where not all of a set can be in."""
    found = []
    for rule in rules:
        if rule.in_input is None or rule.conditional:
            continue
        ids = engine.read(rule.in_input).get_column("id").drop_nulls().unique()
        who = f"preselect in_input {rule.in_input}"
        here = keys.get_column("id").is_in(ids.implode())
        lost = ids.filter(~ids.is_in(keys.get_column("id").unique().implode())).sort()
        if len(lost):
            raise StageError(
                f"{who}: wanted its {len(ids):,} rows among those that reach the selector, got "
                f"{len(ids) - len(lost):,}: {_named(lost)} {'is' if len(lost) == 1 else 'are'} not "
                "there; leave them out of that input, or mend what drops them"
            )
        if here.sum() > n:
            raise StageError(
                f"{who}: wanted its {here.sum():,} rows kept, got n: {n:,}; raise n, or give an "
                "input with fewer rows"
            )
        found.append(Earlier(who, here.arg_true().to_numpy().astype(np.intp)))
    return found


def _all_kept(
    sets: Sequence[Earlier], keys: pl.DataFrame, chosen: Places, limits: Sequence[Limits], n: int
) -> None:
    """StageError, with the arithmetic, where a row of an earlier set was not chosen."""
    for one in sets:
        lost = np.setdiff1d(one.rows, chosen)
        if len(lost):
            ids = keys.get_column("id").gather(lost).sort()
            sums = [text for limit in limits for text in _sums(limit, one.rows, n)]
            why = "; ".join(sums) or "the quotas together, or other preselected rows, leave no room"
            raise StageError(
                f"{one.who}: wanted its {len(one.rows):,} rows kept, got room for "
                f"{len(one.rows) - len(lost):,}, without {_named(ids)}: {why}; change the quota, n "
                "or that input"
            )


def _sums(limit: Limits, rows: Places, n: int) -> Iterator[str]:
    codes = limit.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(limit.labels))
    for group in np.flatnonzero(counts > limit.most).tolist():
        yield f"{limit.said(group)} has {counts[group]:,} of them, at most {limit.most[group]:,}"
    others = int(np.maximum(limit.least - counts, 0).sum())
    if others and len(rows) + others > n and not (counts > limit.most).any():
        yield (
            f"{len(rows):,} of them and the {others:,} that minimums of {limit.name} want besides "
            f"are {len(rows) + others:,} of n: {n:,}"
        )


def _named(ids: pl.Series) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(ids.head(NAMED).to_list()) + more
