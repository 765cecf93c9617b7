"""Paying: nothing is sent before the most that it can cost is reserved, on disk.

An item of the budget is one sending, named ``KEY@TIME``, since a request that is sent twice may be
billed twice. What was in flight when a run was killed stays at its maximum until the store has the
reply that was sent for at that very time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from s1data.asking.seams import Budget
from s1data.asking.stopping import NotSent, Stop
from s1data.asking.together import Together
from s1data.errors import BudgetError
from s1data.models import Reply


@dataclass(frozen=True, slots=True)
class Item:
    """One sending and the most it can cost."""

    key: str
    asked: str
    maximum: float

    @property
    def name(self) -> str:
        """Its name in the ledger of the budget."""
        return f"{self.key}@{self.asked}"


class _Boundless:
    """A budget that nobody keeps."""

    def reserve(self, items: Sequence[tuple[str, float]]) -> None:
        pass

    room: float | None = None

    def settle(self, items: Sequence[tuple[str, float | None]]) -> None:
        pass

    def unsettled(self) -> Mapping[str, float]:
        return {}


class Purse:
    """The budget of a run, as its requests in flight share it."""

    def __init__(self, budget: Budget | None, stop: Callable[[Stop], NotSent]) -> None:
        self._counts = budget is not None
        self._budget: Budget = _Boundless() if budget is None else budget
        self._stop = stop
        self._held = 0
        self._moves = 0
        self._moved = asyncio.Event()
        self._reserving = Together[Item](self._reserve)
        self._settling = Together[tuple[Item, float | None]](self._settle)

    async def reserve(self, item: Item) -> None:
        """Returns when the item is reserved; NotSent where the budget has no room left for it.

        While others are in flight their reservations may turn out too large: then it waits.
        """
        while self._counts:
            moves = self._moves
            try:
                await self._reserving(item)
            except BudgetError as error:
                if moves != self._moves:
                    continue
                if not self._held:
                    raise self._stop(Stop("budget", str(error))) from error
                await self._moved.wait()
            else:
                self._held += 1
                return

    async def settle(self, item: Item, usd: float | None) -> None:
        """What the item cost; None where it may have been billed and nothing says how much."""
        if not self._counts:
            return
        try:
            await self._settling((item, usd))
        finally:
            self.let_go()

    @property
    def busy(self) -> bool:
        """Whether a reservation is held whose settling may make room."""
        return self._held > 0

    async def room(self) -> float | None:
        """Dollars that may still be reserved; None where nobody counts."""
        return await asyncio.to_thread(lambda: self._budget.room)

    async def unsettled(self) -> set[str]:
        """Names of items that are reserved and not settled."""
        return set(await asyncio.to_thread(self._budget.unsettled))

    async def reserve_all(self, items: Sequence[Item]) -> None:
        """All of them or none; BudgetError, at once, where there is no room."""
        pairs = [(item.name, item.maximum) for item in items]
        await asyncio.to_thread(self._budget.reserve, pairs)
        self._held += len(items) if self._counts else 0

    def take_over(self, count: int) -> None:
        """Counts reservations of an earlier process as held by this one."""
        self._held += count if self._counts else 0

    async def settle_all(self, items: Sequence[tuple[str, float | None]]) -> None:
        """By name; as `settle`, for what was reserved together or by an earlier process."""
        if items and self._counts:
            await asyncio.to_thread(self._budget.settle, items)

    async def moved(self) -> None:
        """Returns when a reservation was let go, or somebody sent all waiting to look again."""
        await self._moved.wait()

    def let_go(self, count: int = 1) -> None:
        """Nobody waits for these reservations any more, settled or not."""
        if not self._counts or not count:
            return
        self._held -= count
        self._moves += 1
        self._moved.set()
        self._moved = asyncio.Event()

    def wake(self) -> None:
        """Sends everyone who waits to look again."""
        self._moves += 1
        self._moved.set()

    async def flush(self) -> None:
        """Returns when all settlements so far are written."""
        await self._settling.flush()

    def _reserve(self, items: Sequence[Item]) -> list[Exception | None]:
        pairs = [(item.name, item.maximum) for item in items]
        try:
            self._budget.reserve(pairs)
        except BudgetError as error:
            if len(items) == 1:
                return [error]
            # Some may fit where all together do not.
            return [found for item in items for found in self._reserve([item])]
        return [None] * len(items)

    def _settle(self, items: Sequence[tuple[Item, float | None]]) -> list[Exception | None]:
        self._budget.settle([(item.name, usd) for item, usd in items])
        return [None] * len(items)


def reconcile(budget: Budget, get: Callable[[Sequence[str]], Mapping[str, Reply]]) -> list[str]:
    """Settles what a kill left open and the store knows; names the keys that stay at maximum."""
    left = {name: name.partition("@")[::2] for name in budget.unsettled()}
    replies = get(sorted({key for key, _ in left.values()})) if left else {}
    known = {
        name: replies[key].usd
        for name, (key, asked) in left.items()
        if key in replies and replies[key].asked == asked and replies[key].usd is not None
    }
    if known:
        budget.settle(sorted(known.items()))
    return sorted({key for name, (key, _) in left.items() if name not in known})
