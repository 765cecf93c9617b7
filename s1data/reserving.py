"""A selector's reserve: the rows that go on beside the chosen ones, in the order of stepping in.

A selector says in which order its rows would step in (`Selector.ranks`). With a reserve the first
of them go on as well, and `selection` says where each row stands and what the quotas ask of its
groups, so that a later stage can put one in another's place as the selector would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from s1data import pool
from s1data.stage import Limited

Places = npt.NDArray[np.intp]
_GREATEST: Final = 2**32 - 1


def waiting(found: pl.DataFrame, chosen: npt.NDArray[np.bool_]) -> Places:
    """Lines of `Selector.ranks` that may step in for a chosen one, in the order of doing so."""
    given = found.get_column("reserve" if "reserve" in found.columns else "rank")
    order = given.fill_null(0).to_numpy()
    places = np.flatnonzero((order > 0) & ~chosen)
    return places[np.argsort(order[places], kind="stable")]


def selection(
    keys: pl.DataFrame, chosen: Places, reserve: Places, limits: Sequence[Limited]
) -> pl.DataFrame:
    """``row`` and ``selection`` of chosen and reserve rows, both in order; sorted by ``row``."""
    order = np.concatenate([chosen, reserve]).astype(np.intp)
    values = [
        {
            "place": place,
            "reserve": place > len(chosen),
            "wanted": len(chosen),
            "groups": [
                {"group": limit.said(group), "least": int(limit.least[group]), "most": most}
                for limit in limits
                if (group := int(limit.codes[at])) >= 0
                for most in [_bound(int(limit.most[group]))]
            ],
        }
        for place, at in enumerate(order.tolist(), 1)
    ]
    return pl.DataFrame(
        {
            "row": keys.get_column("row").gather(order),
            "selection": pl.Series("selection", values, dtype=pool.SELECTION),
        }
    ).sort("row")


def _bound(most: int) -> int | None:
    return most if most <= _GREATEST else None
