"""Many small writes that must be on disk, made as few: late comers share the next write.

A request waits until its own reservation or reply is durable; with one fsync for each, the disk
would set the pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Together(Generic[T]):
    """Calls ``write`` in a thread with all items that are waiting, one call at a time.

    ``write`` returns one error or None per item, and raises where it could do nothing at all.
    """

    def __init__(self, write: Callable[[Sequence[T]], Sequence[Exception | None]]) -> None:
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> None:
        """Returns when the item is written; raises its error, or the whole write's."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._run())
        await done

    async def flush(self) -> None:
        """Returns when all that was given so far is written."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer})

    async def _run(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            writing = asyncio.to_thread(self._write, [item for item, _ in taken])
            (found,) = await asyncio.gather(writing, return_exceptions=True)
            errors = [found] * len(taken) if isinstance(found, BaseException) else found
            for (_, done), error in zip(taken, errors, strict=True):
                if done.done():  # whoever waited was cancelled; the write stands
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
