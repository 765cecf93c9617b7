"""Who stands in a set that is being filled: rows that fail give their places to a reserve.

One pure function of where rows stand and of which were accepted. A row without an accepted trace
leaves a hole. Holes are filled in the order in which they came about: those of the chosen rows by
place, then those that stand-ins leave. Each goes to the first row of the reserve that keeps every
quota, as an erratum's does (`s1data.editing`). A hole that no row fits stays open and keeps its
place in the quotas. A chosen row that a filter dropped meanwhile is a hole too, the first to be
filled.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Standing:
    """The set as it stands."""

    wanted: int
    """How many rows were chosen, reserve apart."""
    inside: list[int] = field(default_factory=list)
    """Rows that stand in it, accepted or not yet decided, in the order of coming in."""
    stand_ins: dict[int, int | None] = field(default_factory=dict)
    """Of each row that was not accepted, the one that came in its place, if one did."""


def standing(
    selection: Sequence[Mapping[str, Any] | None], accepted: Sequence[bool | None]
) -> Standing:
    """The set, given each row's `selection` and whether a trace of it was accepted (None: open).

    Rows without a selection take no part.
    """
    placed = [(s["place"], row, s) for row, s in enumerate(selection) if s is not None]
    placed.sort(key=lambda line: line[:2])
    of = {row: {g["group"]: g for g in s["groups"] or ()} for _, row, s in placed}
    chosen = [row for _, row, s in placed if not s["reserve"]]
    reserve = [row for _, row, s in placed if s["reserve"]]
    counts = Counter(group for row in chosen for group in of[row])
    set_ = Standing(max((s["wanted"] for _, _, s in placed), default=0))
    queue = deque(chosen)
    for _ in range(set_.wanted - len(chosen)):
        came = next((one for one in reserve if _fits({}, of[one], counts)), None)
        if came is None:
            break
        reserve.remove(came)
        counts.update(of[came].keys())
        queue.append(came)
    while queue:
        row = queue.popleft()
        if accepted[row] is not False:
            set_.inside.append(row)
            continue
        came = next((one for one in reserve if _fits(of[row], of[one], counts)), None)
        set_.stand_ins[row] = came
        if came is not None:
            reserve.remove(came)
            counts.subtract(of[row].keys())
            counts.update(of[came].keys())
            queue.append(came)
    return set_


_Groups = Mapping[str, Mapping[str, Any]]


def _fits(out: _Groups, came: _Groups, counts: Mapping[str, int]) -> bool:
    """Whether one row may take the place of another within all quotas."""
    room = all(
        group["most"] is None or counts[name] < group["most"]
        for name, group in came.items()
        if name not in out
    )
    return room and all(
        counts[name] > group["least"] for name, group in out.items() if name not in came
    )
