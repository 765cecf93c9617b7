"""How fast one model is asked: requests at once, requests and tokens a minute, and less on 429.

`Allowance` is the arithmetic and is told the time; `Lane` is the queue before it. A lane belongs
to a model of the run, so that all its askers share one. The width (requests at once) grows by one
for each full width of replies and is halved when the service says that it is too much: once for
all that was sent before the halving, since their refusals are news of the same moment.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final

from pydantic import Field

from s1data.frozen import Frozen

MINUTE: Final = 60.0


class Limits(Frozen):
    """How fast a model may be asked; execution, never identity."""

    concurrency: int = Field(default=64, gt=0, description="Most requests in flight.")
    rpm: int | None = Field(default=None, gt=0, description="Most requests in any minute.")
    tpm: int | None = Field(default=None, gt=0, description="Most tokens in any minute.")


class _Window:
    """What was spent in the last minute."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def wait(self, now: float, amount: int) -> float:
        while self._spent and self._spent[0][0] <= now - MINUTE:
            self._total -= self._spent.popleft()[1]
        over = self._total + amount - self.most
        if over <= 0 or not self._spent:  # more than a minute's worth at once: when all is quiet
            return 0.0
        for at, spent in self._spent:
            over -= spent
            if over <= 0:
                return at + MINUTE - now
        return self._spent[-1][0] + MINUTE - now

    def add(self, now: float, amount: int) -> None:
        self._spent.append((now, amount))
        self._total += amount


class Allowance:
    """How much a lane may send. Times are seconds of any clock that only goes forward."""

    def __init__(self, limits: Limits) -> None:
        self.most = limits.concurrency
        self.width = float(limits.concurrency)
        self._requests = _Window(limits.rpm) if limits.rpm else None
        self._tokens = _Window(limits.tpm) if limits.tpm else None
        self._pause = float("-inf")
        self._halved = float("-inf")

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until a request of so many tokens may be sent; 0 for now."""
        waits = [0.0, self._pause - now]
        if self._requests:
            waits.append(self._requests.wait(now, 1))
        if self._tokens:
            waits.append(self._tokens.wait(now, tokens))
        return max(waits)

    def sent(self, now: float, tokens: int) -> None:
        """Counts a request that is sent now."""
        if self._requests:
            self._requests.add(now, 1)
        if self._tokens:
            self._tokens.add(now, tokens)

    def used(self, now: float, tokens: int) -> None:
        """Counts tokens that a reply turned out to have beyond those counted when it was sent."""
        if self._tokens and tokens > 0:
            self._tokens.add(now, tokens)

    def answered(self) -> None:
        """A reply came: a little more at once."""
        self.width = min(float(self.most), self.width + 1 / self.width)

    def slowed(self, now: float, sent: float, retry_after: float | None) -> None:
        """The service had too much of a request sent at ``sent``: half at once, after a pause."""
        if retry_after:
            self._pause = max(self._pause, now + retry_after)
        if sent >= self._halved:
            self.width = max(1.0, self.width / 2)
            self._halved = now


class Lane:
    """The queue before one model: first come, first sent."""

    def __init__(self, limits: Limits) -> None:
        self.allowance = Allowance(limits)
        self.in_flight = 0
        self._closed = False
        self._door = asyncio.Lock()
        self._changed = asyncio.Event()

    async def enter(self, tokens: int) -> bool:
        """Waits for a place; False where the lane was closed meanwhile and there is none."""
        async with self._door:
            while not self._closed:
                self._changed.clear()
                if self.in_flight >= int(self.allowance.width):
                    await self._changed.wait()
                    continue
                now = time.monotonic()
                wait = self.allowance.wait(now, tokens)
                if wait <= 0:
                    self.allowance.sent(now, tokens)
                    self.in_flight += 1
                    return True
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        return False

    def leave(self) -> None:
        """Gives the place back."""
        self.in_flight -= 1
        self._changed.set()

    def close(self) -> None:
        """Lets nobody in any more and sends away who is waiting."""
        self._closed = True
        self._changed.set()
