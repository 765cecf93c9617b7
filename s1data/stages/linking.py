"""From scored pairs to survivors: connected components, taken apart from the strongest pair down.

Rows are numbered by preference, 0 the best. Pairs join components in falling order of score; where
two meet, the best row of one gives way to the better one of the other, at the score of that pair.
So each row gives way once, and at any threshold above its score it survives: a threshold moves
without looking at a text again. Of one component the best row is the survivor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import numpy.typing as npt

BEST_FIRST: Final[Mapping[str, bool]] = {
    "priority": False,
    "solved": True,
    "answered": True,
    "solution_chars": True,
    "id": False,
    "content": False,
    "row": False,
}
"""The order of preference among duplicates: column, and whether more is better."""


def best_first(keys: pl.DataFrame) -> pl.DataFrame:
    """The rows, best first: the survivor rule of every stage that drops duplicates."""
    return keys.sort(*BEST_FIRST, descending=list(BEST_FIRST.values()), nulls_last=True)


def giving_way(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], score: npt.NDArray[np.float64]
) -> pl.DataFrame:
    """One line per row that gives way: ``at``, ``survivor`` (the best of all linked), ``score``."""
    order = np.lexsort((np.maximum(left, right), np.minimum(left, right), -score))
    better: dict[int, int] = {}

    def root(row: int) -> int:
        while (up := better.get(row, row)) != row:
            better[row] = better.get(up, up)
            row = up
        return row

    lines: list[tuple[int, float]] = []
    pairs = zip(left[order].tolist(), right[order].tolist(), score[order].tolist(), strict=True)
    for one, other, value in pairs:
        first, second = root(one), root(other)
        if first != second:
            better[max(first, second)] = min(first, second)
            lines.append((max(first, second), value))
    found = [(goes, root(goes), value) for goes, value in lines]
    schema = {"at": pl.Int64, "survivor": pl.Int64, "score": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row").sort("at")
