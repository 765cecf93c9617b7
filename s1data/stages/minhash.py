"""Candidates for near-duplicates: pairs of sets whose MinHash signatures agree in some band.

128 minima in 32 bands of 4: a pair of Jaccard 0.5 is found with probability 0.87, one of 0.6 with
0.99, one of 0.7 with 0.9998. The bands do not depend on a threshold, so a higher one finds no pair
that a lower one does not. Work is linear: in a bucket of more than `ALL_PAIRS` sets each is paired
with the next `NEXT` in the order of whole signatures only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

BANDS: Final = 32
ROWS: Final = 4
SEED: Final = 42
ALL_PAIRS: Final = 32
NEXT: Final = 8
AT_A_TIME: Final = 16_384


def signatures(lists: pl.Series) -> npt.NDArray[np.uint32]:
    """Shape (sets, BANDS * ROWS): the MinHash signature of each List(UInt64) of shingles."""
    from rensa import RMinHash

    parts = [np.zeros((0, BANDS * ROWS), np.uint32)]
    for at in range(0, len(lists), AT_A_TIME):
        some = lists.slice(at, AT_A_TIME)
        starts = np.concatenate([[0], np.cumsum(some.list.len().to_numpy())]).astype(np.uint64)
        flat = some.explode(empty_as_null=False).to_numpy()
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, starts, BANDS * ROWS, SEED)
        parts.append(np.asarray(matrix.to_rows(), np.uint32).reshape(-1, BANDS * ROWS))
    return np.concatenate(parts)


def candidates(
    lists: pl.Series, apart: pl.Series | None = None, between: int | None = None
) -> tuple[Places, Places]:
    """Pairs of places (lower first, each once) that may be alike.

    With ``between``, only pairs of one of the first so many sets with one of the others.

    Sets with different values in ``apart`` (UInt64) never are. Depends on the order of ``lists``
    only where a bucket holds equal signatures: sort them by content.
    """
    signed = signatures(lists)
    order = np.lexsort(signed.T[::-1])
    extra = np.zeros(len(lists), np.uint64) if apart is None else apart.to_numpy()
    codes = []
    for band in range(BANDS):
        part = np.ascontiguousarray(signed[order, band * ROWS : (band + 1) * ROWS])
        wide = part.view(np.uint64)
        key = (wide[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ wide[:, 1]) + extra[order]
        codes.append(_pairs(key * np.uint64(0xC2B2AE3D27D4EB4F), order))
    pairs = pl.Series(np.concatenate(codes) if codes else np.zeros(0, np.int64)).unique().sort()
    found = pairs.to_numpy()
    low, high = found >> 32, found & 0xFFFFFFFF
    if between is None:
        return low, high
    wanted = (low < between) & (high >= between)
    return low[wanted], high[wanted]


def _pairs(keys: npt.NDArray[np.uint64], places: Places) -> Places:
    """Pairs with equal keys, each as ``lower << 32 | higher``."""
    order = np.argsort(keys, kind="stable")
    ordered, at = keys[order], places[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.concatenate([starts, [len(ordered)]]))
    reach = np.repeat(np.where(sizes > ALL_PAIRS, NEXT, ALL_PAIRS), sizes)
    left_in_bucket = np.repeat(starts + sizes, sizes) - np.arange(len(ordered))
    codes = [np.zeros(0, np.int64)]
    for step in range(1, ALL_PAIRS):
        here = np.flatnonzero((left_in_bucket > step) & (reach >= step))
        if not len(here):
            break
        low, high = np.minimum(at[here], at[here + step]), np.maximum(at[here], at[here + step])
        codes.append((low.astype(np.int64) << 32) | high)
    return np.concatenate(codes)
