"""Greedy choice whose gains only fall: most rows need no second look (Minoux 1978, lazy greedy).

What a row would add now is at most what it would have added before, so an old gain is an upper
bound. Only rows whose bound exceeds the best gain known are computed anew, in growing blocks, since
one product of matrices costs less than many of vectors. The choice is that of the plain greedy
algorithm, but for ties and the last bits of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

AT_HAND: Final = 4_096
"""Rows of the highest bounds that are looked at before any other."""
FIRST_BLOCK: Final = 16
LARGEST_BLOCK: Final = 512

Rows = npt.NDArray[np.intp]
Gains = npt.NDArray[np.float64]


def greedily(
    bounds: Gains,
    gains: Callable[[Rows], Gains],
    take: Callable[[int], bool],
    closed: Callable[[Rows], npt.NDArray[np.bool_]],
) -> Iterator[tuple[int, float]]:
    """Yields rows and their gains, the greatest first, until no row is open.

    ``bounds`` holds an upper bound for each row, -inf for one that is out, and is changed.
    ``gains`` computes what rows would add now. ``take`` is asked before a row is yielded, and a
    row that it refuses is out; so are rows that are ``closed``. The caller brings what ``gains``
    depends on up to date before it asks for the next row.
    """
    everyone = np.arange(len(bounds))
    while len(bounds):
        bounds[closed(everyone)] = -np.inf
        hand, best_outside = _hand(bounds)
        held = bounds[hand]
        now, fresh, block = 0, np.full(len(hand), -1), FIRST_BLOCK
        while True:
            at = int(np.argmax(held))
            if held[at] < best_outside or held[at] == -np.inf:
                break
            if fresh[at] == now:
                row, gain = int(hand[at]), float(held[at])
                held[at] = -np.inf
                if take(row):
                    yield row, gain
                    now, block = now + 1, FIRST_BLOCK
                held[closed(hand)] = -np.inf
                continue
            stale = np.flatnonzero((fresh < now) & (held > -np.inf))
            if len(stale) > block:
                stale = np.sort(stale[np.argpartition(-held[stale], block)[:block]])
            held[stale] = gains(hand[stale])
            fresh[stale] = now
            block = min(2 * block, LARGEST_BLOCK)
        bounds[hand] = held
        if best_outside == -np.inf:
            return


def _hand(bounds: Gains) -> tuple[Rows, float]:
    """Rows of the highest bounds, by position, and the highest bound of the others."""
    if len(bounds) <= AT_HAND:
        return np.arange(len(bounds)), -np.inf
    order = np.argpartition(-bounds, AT_HAND)
    return np.sort(order[:AT_HAND]), float(bounds[order[AT_HAND]])
