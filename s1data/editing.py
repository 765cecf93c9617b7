"""Applying edits to what a selector chose, one swap after the other, within its quotas.

Edits never choose anew: the selector's own choice stands, and each edit moves one row out and one
in. So an edit more changes one row of the set, whatever the selector. Which row steps in is told by
the selector's order of those that wait; a row takes a place only if every quota still holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from s1data.edits import Edit
from s1data.errors import StageError
from s1data.reserving import waiting
from s1data.stage import Limited

SCHEMA: Final = {
    "id": pl.String(),
    "action": pl.String(),
    "with": pl.String(),
    "reason": pl.String(),
    "date": pl.String(),
    "out": pl.String(),
    "came_in": pl.String(),
    "note": pl.String(),
}
"""One line for each row moved, or for an edit that moved none: the edit as written, the ids of the
row that left and of the one that came, and what did not go as it is written."""
Places = npt.NDArray[np.intp]


@dataclass
class Edited:
    """A choice after edits, by key row."""

    chosen: npt.NDArray[np.bool_]
    waiting: list[int] = field(default_factory=list)
    """Those that may step in, the next one leading."""
    notes: dict[int, tuple[str | None, dict[str, Any]]] = field(default_factory=dict)
    """Of rows that an edit moved: the reason of one that left (else null), and the edit."""
    lines: list[dict[str, Any]] = field(default_factory=list)


def edited(
    ids: pl.Series, ranks: pl.DataFrame, limits: Sequence[Limited], edits: Iterable[Edit], n: int
) -> Edited:
    """Applies edits in their order to the choice in ``ranks``, whose lines are those of ``ids``.

    Raises StageError where a row that must come in is not there, or no quota lets it.
    """
    rank = ranks.get_column("rank").fill_null(0).to_numpy()
    chosen = (rank > 0) & (rank <= n)
    order = np.flatnonzero(chosen)[np.argsort(rank[chosen], kind="stable")]
    table = _Table(ids.to_numpy(), limits, order.tolist(), waiting(ranks, chosen).tolist())
    for edit in edits:
        table.apply(edit)
    mask = np.zeros(len(ids), np.bool_)
    mask[table.chosen] = True
    return Edited(mask, table.waiting, table.notes, table.lines)


class _Table:
    def __init__(
        self,
        ids: npt.NDArray[np.object_],
        limits: Sequence[Limited],
        chosen: list[int],
        waiting: list[int],
    ) -> None:
        self.chosen, self.waiting = chosen, waiting
        self.notes: dict[int, tuple[str | None, dict[str, Any]]] = {}
        self.lines: list[dict[str, Any]] = []
        self._ids, self._limits = ids, limits
        self._kept: set[int] = set()

    def apply(self, edit: Edit) -> None:
        here = np.flatnonzero(self._ids == edit.id).tolist()
        mine = [row for row in here if row in self.chosen]
        if edit.action == "pin":
            self._pin(edit, here, mine)
            return
        self.waiting = [row for row in self.waiting if row not in here]
        if not mine:
            why = {"action": edit.action, "reason": edit.reason, "date": edit.date}
            self.notes.update((row, ("kept_out_by_edit", why)) for row in here)
            none = "no row by that id reaches the selector: check the id"
            left = "the row was not chosen, and will not step in"
            self._moved(edit, None, None, f"it moved nothing: {left if here else none}")
        # Rows of one question are one erratum's, however many of them are in the set.
        partner = self._partner(edit) if mine and edit.with_ else None
        for out in mine:
            came, note = partner, None
            if came is None or came in self.chosen:
                came = self._next(out, edit)
            elif not self._within(out, np.array([came])).all():
                raise StageError(_asked(edit, "a swap within the quota", self._against(out, came)))
            if partner not in (None, came):
                note = f"{edit.with_} is in the set already, so the next row, {self._ids[came]}, "
                note += "took the place"
            self._swap(out, came, edit)
            self._moved(edit, out, came, note)
        self._kept.update([] if partner is None else [partner])

    def _pin(self, edit: Edit, here: list[int], mine: list[int]) -> None:
        if not here:
            raise StageError(_asked(edit, "a row that reaches the selector", "none by that id"))
        self._kept.update(mine or here[:1])
        if mine:
            self._moved(edit, None, None, "it moved nothing: the row is chosen already, and stays")
            return
        out = self._giving_way(here[0], edit)
        self._swap(out, here[0], edit)
        self._moved(edit, out, here[0])

    def _moved(
        self, edit: Edit, out: int | None, came: int | None, note: str | None = None
    ) -> None:
        moved = {"out": out, "came_in": came}
        said = {name: None if row is None else str(self._ids[row]) for name, row in moved.items()}
        self.lines.append({"with": None} | edit.written() | said | {"note": note})

    def _swap(self, out: int, came: int, edit: Edit) -> None:
        why = {"action": edit.action, "reason": edit.reason, "date": edit.date}
        left = "dropped_by_edit" if self._ids[out] == edit.id else "gave_way_to_edit"
        self.notes[out] = (left, why | {"other": str(self._ids[came])})
        self.notes[came] = (None, why | {"other": str(self._ids[out])})
        self.chosen.remove(out)
        self.chosen.append(came)
        self.waiting = [row for row in self.waiting if row != came]
        if left == "gave_way_to_edit":
            self.waiting.insert(0, out)

    def _partner(self, edit: Edit) -> int:
        """The row that a swap names: the one in the set, if one is."""
        there = np.flatnonzero(self._ids == edit.with_).tolist()
        if not there:
            wanted = f"a row {edit.with_} that reaches the selector"
            raise StageError(_asked(edit, wanted, "none by that id"))
        return int(next((row for row in there if row in self.chosen), there[0]))

    def _next(self, out: int, edit: Edit) -> int:
        waiting = np.array(self.waiting, dtype=np.intp)
        fits = waiting[self._within(out, waiting)]
        if not len(fits):
            got = f"none among {len(waiting):,} that wait"
            raise StageError(_asked(edit, "a row to take its place within the quota", got))
        return int(fits[0])

    def _giving_way(self, came: int, edit: Edit) -> int:
        for row in reversed(self.chosen):
            if row not in self._kept and self._within(row, np.array([came])).all():
                return row
        last = next((row for row in reversed(self.chosen) if row not in self._kept), None)
        got = "all are pinned" if last is None else self._against(last, came)
        raise StageError(_asked(edit, "a row that can give way within the quota", got))

    def _within(self, out: int, came: Places) -> npt.NDArray[np.bool_]:
        """Of each row whether it may take the place of ``out``."""
        fits = np.ones(len(came), np.bool_)
        for limit in self._limits:
            counts = self._counts(limit)
            old, new = limit.codes[out], limit.codes[came]
            leaves = old < 0 or counts[old] > limit.least[old]
            room = np.append(counts < limit.most, True)  # -1, no group, is the last
            fits &= (new == old) | (leaves & room[new])
        return fits

    def _counts(self, limit: Limited) -> npt.NDArray[np.int64]:
        codes = limit.codes[self.chosen]
        return np.bincount(codes[codes >= 0], minlength=len(limit.least))

    def _against(self, out: int, came: int) -> str:
        for limit in self._limits:
            counts, old, new = self._counts(limit), limit.codes[out], limit.codes[came]
            if old != new and new >= 0 and counts[new] >= limit.most[new]:
                most = f"at most {limit.most[new]:,}"
                return f"{limit.said(int(new))} with {counts[new]:,} of {most}"
            if old not in (new, -1) and counts[old] <= limit.least[old]:
                least = f"at least {limit.least[old]:,}"
                return f"{limit.said(int(old))} with {counts[old]:,} of {least}"
        return "none"


def _asked(edit: Edit, wanted: str, got: str) -> str:
    return f"edit {edit.action} {edit.id}: wanted {wanted}, got {got}; change the edit or the quota"
