"""Keeping a choice within quotas: a row is taken only if exactly ``n`` can still be reached.

Rows that are of the same groups in every quota make a *cell*. Whether a set within all bounds is
left is a question of how many rows to take from each cell, whatever the rows are. One answer to it,
the *plan*, is kept at hand: while the plan has a place left in a row's cell, the row is taken.
Otherwise a place is moved there from another cell; where no single move does, and there are several
quotas, a small integer program looks for another plan (HiGHS, by scipy). If there is none, none
will be there later either, and the cell is closed. So what is taken does not depend on which plan
was found. One quota never needs the program after the first plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from s1data.errors import StageError
from s1data.stages.quotas import NO_LIMIT, Counts, Limits

LISTED = 6
"""Groups that an error names one by one."""


class Allowance:
    """Tells for one row after the other whether it may join the set."""

    def __init__(
        self, n: int, limits: Sequence[Limits], able: npt.NDArray[np.bool_], who: str
    ) -> None:
        """``able`` are the key rows that can be chosen at all.

        Raises StageError, with the arithmetic, where no set of ``n`` is within all limits.
        """
        self.n, self.taken_rows = n, 0
        self._limits = limits
        self._groups: list[Counts] = []
        if not limits:
            return
        codes = np.stack([limit.codes for limit in limits], axis=1)
        cells, self.cell = np.unique(codes, axis=0, return_inverse=True)
        self._groups = [cells[:, i] for i in range(len(limits))]
        self._room = np.bincount(self.cell[able], minlength=len(cells))
        self._taken = np.zeros(len(cells), np.int64)
        self._closed = np.zeros(len(cells), np.bool_)
        plan = self._plan(self._taken)
        if plan is None:
            raise StageError(f"{who}: {'; '.join(self._conflict())}")
        self._planned = plan

    @property
    def full(self) -> bool:
        """Whether ``n`` rows are taken."""
        return self.taken_rows == self.n

    def take(self, row: int) -> bool:
        """Whether the row joins the set; if so it counts from now on."""
        if self.full:
            return False
        if self._limits:
            cell = self.cell[row]
            if self._closed[cell]:
                return False
            if self._planned[cell] <= self._taken[cell] and not self._moved_to(cell):
                self._closed[cell] = True
                return False
            self._taken[cell] += 1
        self.taken_rows += 1
        return True

    def closed(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Of each row whether it can no longer be taken."""
        if not self._limits:
            return np.zeros(len(rows), np.bool_)
        shut: npt.NDArray[np.bool_] = self._closed[self.cell[rows]]
        return shut

    def _moved_to(self, cell: int) -> bool:
        if self._taken[cell] >= self._room[cell]:
            return False
        gives = self._planned > self._taken
        for limit, group in zip(self._limits, self._groups, strict=True):
            mine, planned = group[cell], _totals(limit, group, self._planned)
            takes_one = mine < 0 or planned[mine] < limit.most[mine]
            spare = np.append(planned > limit.least, True)
            gives &= (group == mine) | (takes_one & spare[group])
        if gives.any():
            self._planned[int(np.argmax(gives))] -= 1
            self._planned[cell] += 1
            return True
        if len(self._limits) == 1:
            return False
        wanted = self._taken.copy()
        wanted[cell] += 1
        plan = self._plan(wanted)
        if plan is not None:
            self._planned = plan
        return plan is not None

    def _plan(
        self, at_least: Counts, without: frozenset[tuple[int, int, str]] = frozenset()
    ) -> Counts | None:
        """Rows to take from each cell, within all limits but those in ``without``."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array, vstack

        cells = np.arange(len(self._room))
        rows, low, high = [csr_array(np.ones((1, len(cells))))], [self.n], [self.n]
        for i, (limit, group) in enumerate(zip(self._limits, self._groups, strict=True)):
            of = np.flatnonzero(group >= 0)
            shape = (len(limit.labels), len(cells))
            rows.append(csr_array((np.ones(len(of)), (group[of], cells[of])), shape))
            for j, (least, most) in enumerate(zip(limit.least, limit.most, strict=True)):
                low.append(0 if (i, j, "least") in without else int(least))
                high.append(NO_LIMIT if (i, j, "most") in without else int(most))
        found = milp(
            np.zeros(len(cells)),
            integrality=np.ones(len(cells)),
            bounds=Bounds(at_least, self._room),
            constraints=LinearConstraint(vstack(rows), np.array(low), np.array(high)),
        )
        return None if found.x is None else np.rint(found.x).astype(np.int64)

    def _conflict(self) -> Iterator[str]:
        """Why no set is within all limits: sums of one quota first, then bounds of several."""
        found = False
        every = int(self._room.sum())
        if every < self.n:
            found = True
            yield f"wanted {self.n:,} rows, got {every:,} to choose from; lower n"
        for limit, group in zip(self._limits, self._groups, strict=True):
            for text in _arithmetic(limit, _totals(limit, group, self._room), every, self.n):
                found = True
                yield text
        if not found:
            yield self._together()

    def _together(self) -> str:
        """The bounds that exclude each other: none of them can be left out."""
        limits = enumerate(self._limits)
        bounds = [
            (i, int(j), kind)
            for i, limit in limits
            for kind, given in (("least", limit.least > 0), ("most", limit.most < NO_LIMIT))
            for j in np.flatnonzero(given)
        ]
        without: frozenset[tuple[int, int, str]] = frozenset()
        for bound in bounds:
            if self._plan(self._taken * 0, without | {bound}) is None:
                without |= {bound}
        held = [bound for bound in bounds if bound not in without]
        return f"wanted {self.n:,} rows with {self._listed(held)}, got no set that has all of it"

    def _listed(self, bounds: Iterable[tuple[int, int, str]]) -> str:
        said = []
        for i, group, kind in bounds:
            limit = self._limits[i]
            word, count = ("at least", limit.least) if kind == "least" else ("at most", limit.most)
            there = int(self._room[self._groups[i] == group].sum())
            said.append(f"{word} {count[group]:,} of {limit.said(group)} ({there:,} are there)")
        more = f" and {len(said) - LISTED} bounds more" if len(said) > LISTED else ""
        return ", ".join(said[:LISTED]) + more


def _totals(limit: Limits, group: Counts, of_cells: Counts) -> Counts:
    """Rows by group, from rows by cell."""
    inside = group >= 0
    weights = of_cells[inside]
    return np.bincount(group[inside], weights, minlength=len(limit.labels)).astype(np.int64)


def _arithmetic(limit: Limits, there: Counts, every: int, n: int) -> Iterator[str]:
    for group in np.flatnonzero(limit.least > there).tolist():
        wanted, got = int(limit.least[group]), int(there[group])
        yield f"quota of {limit.said(group)}: wanted at least {wanted:,}, got {got:,} rows in all"
    least = limit.least[limit.least > 0]
    if least.sum() > n:
        yield f"quota of {limit.name}: wanted {n:,} rows, got minimums of {_sum(least)}"
    able = np.minimum(limit.most, there)
    elsewhere = every - int(there.sum())
    if able.sum() + elsewhere < n <= every:
        parts = [*able[able > 0].tolist(), *([elsewhere] if elsewhere else [])]
        text = f"quota of {limit.name}: wanted {n:,} rows, got at most {_sum(np.array(parts))}"
        yield f"{text}, the last of no group" if elsewhere else text


def _sum(parts: Counts) -> str:
    if not len(parts):
        return "0"
    shown = [f"{part:,}" for part in parts[:LISTED].tolist()]
    dots = [f"{len(parts) - LISTED} more"] if len(parts) > LISTED else []
    return f"{' + '.join([*shown, *dots])} = {int(parts.sum()):,}"
