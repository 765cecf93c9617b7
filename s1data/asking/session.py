"""One run's way to its models: look up, claim, send, wait for others, stop.

A request that has a reply in the store is never sent. One that another row, or another process, is
asking right now is waited for. How one request is sent is in `s1data.asking.sending`. A `Stop`
(wrong key, the day's quota, the budget, Ctrl-C, a server that no longer answers) ends the sending
for the whole run; what is in flight is still taken in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from s1data.asking.batching import Batching
from s1data.asking.jobs import ask_in_jobs
from s1data.asking.looping import Loop
from s1data.asking.preflight import within_budget
from s1data.asking.purse import Purse, reconcile
from s1data.asking.retrying import Backoff
from s1data.asking.seams import Budget, Store
from s1data.asking.sending import Answer, Sender
from s1data.asking.served import Line, Served, place
from s1data.asking.stopping import NotSent, Reason, Stop
from s1data.errors import StageError
from s1data.models import ModelError, Outcome, Reply, Request
from s1data.store.jobs import end_answered

T = TypeVar("T")

_UNFIT: Final[dict[Outcome, Reason]] = {Outcome.AUTH: "auth", Outcome.NOT_FOUND: "not_found"}

POLL: Final = 0.25
"""Seconds between looks at keys that another process is asking."""


class Session:
    """What one run asks through. Made and used in one thread; a context manager."""

    def __init__(
        self,
        served: Iterable[Served],
        store: Store,
        budget: Budget | None = None,
        *,
        origin: str = "live",
        backoff: Backoff | None = None,
        batch: Batching | None = None,
    ) -> None:
        self._loop = Loop()
        self.store = store
        self.origin = origin
        self.backoff = backoff or Backoff()
        self._lines: dict[tuple[str, str, str | None, str | None], Line] = {}
        for one in served:
            self._lines.setdefault(place(one.spec), Line(one))
        self.batching = batch
        """Batch mode; None: every request is sent by itself."""
        self._asking: dict[str, asyncio.Future[Answer]] = {}
        self._stopping = asyncio.Event()
        self.purse = Purse(budget, self.stop)
        self._sender = Sender(self)
        self.got: set[str] = set()
        """Keys whose replies this session sent for."""
        self.stopped: Stop | None = None
        self.unknown: list[str] = reconcile(budget, store.get) if budget is not None else []
        """Keys in flight when an earlier run of this budget was killed: counted at their most."""
        if batch is not None:
            end_answered(batch.folder, store.get)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the models' connections."""
        try:
            self._loop.run(self._close())
        finally:
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the session's loop; from inside another loop too."""
        return self._loop.run(work)

    def check(self, names: Iterable[str] | None = None) -> None:
        """Asks each model, or those named, one tiny request; see `preflight`. Never twice."""
        wanted = None if names is None else set(names)
        lines = [
            line for line in self._lines.values() if wanted is None or line.served.name in wanted
        ]
        self.run(self.checked(lines))

    def stop(self, stop: Stop) -> NotSent:
        """Ends the sending; returns what every request that was not sent gets. The first counts."""
        if self.stopped is None:
            self.stopped = stop
            self._stopping.set()
            self.purse.wake()
            for line in self._lines.values():
                line.lane.close()
        return NotSent(self.stopped)

    def figures(self) -> dict[str, dict[str, Any]]:
        """By model, what this session sent and what came of it."""
        return {line.served.name: line.tally.figures() for line in self._lines.values()}

    def concurrency(self, request: Request) -> int:
        """Most requests in flight to the model of a request; 0 where nothing serves it."""
        line = self._lines.get(place(request))
        return 0 if line is None else line.served.limits.concurrency

    async def ask(self, request: Request) -> Answer:
        """The reply to one request, or the error or the stop that left it open."""
        return (await self.ask_all([request]))[request.key]

    async def look_up(self, keys: Sequence[str]) -> dict[str, Reply]:
        """The settled replies that the store has."""
        return await asyncio.to_thread(self.store.get, keys) if keys else {}

    async def ask_all(self, requests: Sequence[Request]) -> dict[str, Answer]:
        """Reply, error or stop for each request, by key; equal ones are sent once.

        Raises what makes going on wrong: a StoreError, since paid replies could not be kept.
        """
        wanted = {request.key: request for request in requests}
        elsewhere = {key: self._asking[key] for key in wanted if key in self._asking}
        mine = {key: request for key, request in wanted.items() if key not in elsewhere}
        answers: dict[str, Answer] = {}
        loop = asyncio.get_running_loop()
        self._asking.update({key: loop.create_future() for key in mine})
        try:
            answers.update(await self._ask_mine(mine))
        finally:
            for key in mine:
                done = self._asking.pop(key)
                answer = answers.get(key)
                if answer is None:
                    done.cancel()
                elif not done.done():
                    done.set_result(answer)
        for key, other in elsewhere.items():
            answers[key] = await asyncio.shield(other)
        return answers

    def in_jobs(self, names: Iterable[str]) -> bool:
        """Whether a round goes as batch jobs: in batch mode, where one of its models has it."""
        wanted = set(names)
        return self.batching is not None and any(
            line.served.batches is not None and line.served.name in wanted
            for line in self._lines.values()
        )

    async def ask_in_jobs(self, requests: Sequence[Request]) -> dict[str, str]:
        """As `ask_all`, in batch jobs; replies stay in the store.

        Models without a batch mode are asked online.
        Returns why for each request that still has none: an outcome, or ``not_sent``.
        """
        if self.batching is None:
            raise StageError("the session is not in batch mode; make it with batch=Batching(…)")
        return await ask_in_jobs(self, self.batching, requests)

    def line(self, request: Request) -> Line | None:
        """What the session keeps for the model of a request; None where nothing serves it."""
        return self._lines.get(place(request))

    async def _ask_mine(self, requests: Mapping[str, Request]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        left = dict(requests)
        while left:
            # One visit to the threads, and not three: each costs as much as reading a reply.
            found, claimed = await asyncio.to_thread(self._claim, list(left))
            try:
                answers.update(found)
                send = [left[key] for key in left if key in claimed and key not in found]
                answers.update(await self._gather(send))
            finally:
                if claimed:
                    await asyncio.to_thread(self.store.release, sorted(claimed))
            left = {key: request for key, request in left.items() if key not in answers}
            if self.stopped is not None:
                return answers | dict.fromkeys(left, NotSent(self.stopped))
            if left:
                answers.update(await self._wait_for_others(list(left)))
                left = {key: request for key, request in left.items() if key not in answers}
        return answers

    def _claim(self, keys: Sequence[str]) -> tuple[dict[str, Reply], set[str]]:
        """The replies that the store has of the keys, and those of the others that are ours."""
        found = dict(self.store.get(keys))
        left = [key for key in keys if key not in found]
        if not left or self.stopped is not None:
            return found, set()
        claimed = self.store.claim(left)
        try:
            # Another process may have stored a reply between the look-up and the claim.
            return found | self.store.get(sorted(claimed)), claimed
        except BaseException:
            self.store.release(sorted(claimed))
            raise

    async def _wait_for_others(self, keys: Sequence[str]) -> dict[str, Reply]:
        # As soon as one of them is free again: it was answered, or is ours to ask.
        while self.stopped is None:
            busy = await asyncio.to_thread(self.store.waiting, keys)
            if len(busy) < len(keys):
                break
            await self.sleep(POLL)
        return await self.look_up(keys)

    async def _gather(self, requests: Sequence[Request]) -> dict[str, Answer]:
        tasks = [asyncio.create_task(self._sender.answer(request)) for request in requests]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            if left := [task for task in tasks if not task.done()]:
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)
        return {request.key: got for request, got in zip(requests, answers, strict=True)}

    async def keep(self, line: Line, reply: Reply) -> None:
        """Returns when the reply is on disk."""
        await self._sender.keep(line, reply)

    async def finish(self) -> None:
        """Writes what waits to be written; called when the rows of an Asker are through.

        Among it the bad requests of a model that has not answered: so few are the rows' own fault.
        """
        if self.stopped is None:
            for line in self._lines.values():
                await self._sender.keep_refused(line)
        await self._sender.flush()
        await self.purse.flush()

    async def checked(self, lines: Sequence[Line] | None = None) -> None:
        """Returns when each model, or those given, has answered its tiny request."""
        lines = list(self._lines.values()) if lines is None else lines
        new = [line for line in lines if line.checked is None]
        if new:
            task = asyncio.create_task(within_budget([line.served for line in new], self.purse))
            for line in new:
                line.checked = task
        for checked in {line.checked for line in lines if line.checked}:
            try:
                await asyncio.shield(checked)
            except ModelError as error:
                self.stop(Stop(_UNFIT.get(error.outcome, "silent"), str(error)))
                raise

    async def sleep(self, seconds: float) -> None:
        """Waits; less where the session stops meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _close(self) -> None:
        await self._sender.flush()
        await self.purse.flush()
        await asyncio.gather(*(line.served.model.close() for line in self._lines.values()))
