"""A round of an Asker as batch jobs: claimed, cut into waves, waited for, tried again.

Replies go to the store and are not held here: of a round only its requests are in memory. A job
that another process left under way is waited for; none of its requests goes in a second one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from s1data.asking.batching import Batching, Cost, cost, next_wave
from s1data.asking.purse import Item
from s1data.asking.served import Line, place
from s1data.asking.stopping import NotSent, Stop
from s1data.asking.underway import NOT_SENT, Ended, JobLine, Underway
from s1data.errors import BudgetError, S1DataError
from s1data.models import POLICIES, ModelError, Outcome, Reply, Request
from s1data.store.jobs import JobRecord, records

if TYPE_CHECKING:
    from s1data.asking.session import Session

LOOK: Final = 0.25
"""Seconds between looks at keys that another process is asking."""
LOOK_MOST: Final = 30.0
ONLINE: Final = 256
"""Requests that are asked online at once, so that no more replies are held."""


async def ask_in_jobs(
    session: Session, batching: Batching, requests: Sequence[Request]
) -> dict[str, str]:
    """Asks all that has no reply; returns why for each request that still has none.

    Why is an outcome or ``not_sent``. Raises what makes going on wrong, as `Session.ask_all`.
    """
    wanted = {request.key: request for request in requests}
    open_: dict[str, str] = {}
    left = dict(wanted)
    wait = LOOK
    while left:
        if session.stopped is not None:
            open_ |= dict.fromkeys(left, NOT_SENT)
            break
        claimed = await asyncio.to_thread(session.store.claim, list(left))
        try:
            # Another process may have stored a reply before the claim.
            known = await asyncio.to_thread(session.store.has, sorted(claimed))
            mine = [left[key] for key in left if key in claimed and key not in known]
            open_ |= await _ask_claimed(session, batching, mine)
        finally:
            await asyncio.to_thread(session.store.release, sorted(claimed))
        left = {key: request for key, request in left.items() if key not in claimed}
        if left and session.stopped is None:
            await session.sleep(wait)
            wait = min(wait * 1.5, LOOK_MOST)
            known = await asyncio.to_thread(session.store.has, list(left))
            left = {key: request for key, request in left.items() if key not in known}
    await session.finish()
    return open_


async def _ask_claimed(
    session: Session, batching: Batching, requests: Sequence[Request]
) -> dict[str, str]:
    by_line: dict[Line, dict[str, Request]] = {}
    unserved: dict[str, str] = {}
    for request in requests:
        line = session.line(request)
        if line is None:
            unserved[request.key] = NOT_SENT
        else:
            by_line.setdefault(line, {})[request.key] = request
    found = await asyncio.gather(
        *(
            _Round(JobLine(session, batching, line.served.batches, line), mine).run()
            if line.served.batches is not None
            else _ask_online(session, list(mine.values()))
            for line, mine in by_line.items()
        )
    )
    return unserved | {key: why for one in found for key, why in one.items()}


async def _ask_online(session: Session, requests: Sequence[Request]) -> dict[str, str]:
    left: dict[str, str] = {}
    for start in range(0, len(requests), ONLINE):
        answers = await session.ask_all(requests[start : start + ONLINE])
        for key, got in answers.items():
            if isinstance(got, ModelError):
                left[key] = got.outcome.value
            elif not isinstance(got, Reply):
                left[key] = NOT_SENT
    return left


class _Round:
    """The requests of a round to one model."""

    def __init__(self, to: JobLine, requests: Mapping[str, Request]) -> None:
        self._to = to
        self._session = to.session
        self._batching = to.batching
        self._line = to.line
        self._requests = requests
        self._pending = dict(requests)
        self._costs: dict[str, Cost] = {}
        self._tries: Counter[str] = Counter()
        self._online: list[Request] = []
        self._open: dict[str, str] = {}
        self._running: set[asyncio.Task[Ended]] = set()

    async def run(self) -> dict[str, str]:
        try:
            await self._session.checked()
        except (ModelError, NotSent):  # the session has stopped: nothing is sent
            return dict.fromkeys(self._requests, NOT_SENT)
        try:
            await self._take_over()
            while await self._step():
                pass
            while self._running:
                await self._some_end()
        except (S1DataError, OSError) as error:
            # What cannot be kept must not be paid for.
            self._session.stop(Stop("failed", str(error)))
            raise
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        unsent = [*self._pending, *(request.key for request in self._online)]
        return self._open | dict.fromkeys(unsent, NOT_SENT)

    async def _step(self) -> bool:
        """Sends or waits; False where there is nothing more to be done."""
        if self._session.stopped is not None:
            return False
        if self._online:
            asked, self._online = self._online, []
            self._begin(self._asked_online(asked))
        elif not self._pending or not await self._send_wave():
            if self._running:
                await self._some_end()
            elif self._pending and self._session.purse.busy:
                await self._session.purse.moved()
            elif self._pending:
                self._session.stop(Stop("budget", await self._no_room()))
            return bool(self._running or self._pending or self._online)
        return True

    def _begin(self, work: Coroutine[None, None, Ended]) -> None:
        self._running.add(asyncio.create_task(work))

    async def _some_end(self) -> None:
        done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            self._took(task.result())

    def _took(self, ended: Ended) -> None:
        for key in ended.left.keys() & self._requests.keys():
            why = ended.left[key]
            self._tries[key] += ended.then in {"again", "online"}
            if ended.then == "open":
                self._open[key] = why
            elif ended.then == "anew" or (
                ended.then == "again" and self._tries[key] < self._batching.tries
            ):
                self._pending[key] = self._requests[key]
            elif self._batching.fallback == "online":
                self._online.append(self._requests[key])
            else:
                self._open[key] = why

    async def _send_wave(self) -> bool:
        session = self._session
        price = self._line.served.price
        for key, request in self._pending.items():
            if key not in self._costs:
                self._costs[key] = cost(request, price)
        room = await session.purse.room()
        wave = next_wave([self._costs[key] for key in self._pending], room, self._batching)
        # While a job is under way its end may make room: a larger wave is worth the wait.
        if not wave.requests or (self._running and not wave.whole):
            return False
        requests = [*self._pending.values()][: wave.requests]
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        items = [Item(request.key, now, self._costs[request.key].maximum) for request in requests]
        spot = place(self._line.served.spec)
        record = await asyncio.to_thread(
            JobRecord.begin, self._batching.folder, requests, spot, now
        )
        try:
            await session.purse.reserve_all(items)
        except BudgetError:  # another process took the room meanwhile
            await asyncio.to_thread(record.end)
            return False
        sent = {request.key: self._pending.pop(request.key) for request in requests}
        named = {item.key: item.name for item in items}
        self._begin(self._underway(record, sent, named, new=True))
        return True

    async def _take_over(self) -> None:
        """Finds the jobs under way that have requests of this round."""
        spot = place(self._line.served.spec)
        for record in await asyncio.to_thread(records, self._batching.folder):
            if record.place != spot:
                continue
            keys = await asyncio.to_thread(record.requests)
            wanted = [key for key in keys if key in self._pending]
            for key in wanted:
                del self._pending[key]
            if wanted:
                self._begin(self._taken_over(record, wanted))

    async def _taken_over(self, record: JobRecord, wanted: Sequence[str]) -> Ended:
        session = self._session
        while not await asyncio.to_thread(record.hold):
            if session.stopped is not None:
                return Ended(dict.fromkeys(wanted, NOT_SENT), "open")
            if not await asyncio.to_thread(record.read):  # its process has seen it to its end
                known = await asyncio.to_thread(session.store.has, wanted)
                return Ended(dict.fromkeys(set(wanted) - known, NOT_SENT), "anew")
            await session.sleep(LOOK)
        requests = await asyncio.to_thread(record.requests)
        unsettled = await session.purse.unsettled()
        named = {key: Item(key, record.asked, 0.0).name for key in requests}
        items = {key: name for key, name in named.items() if name in unsettled}
        session.purse.take_over(len(items))
        return await self._underway(record, requests, items, new=False)

    async def _underway(
        self,
        record: JobRecord,
        requests: Mapping[str, Request],
        items: Mapping[str, str],
        *,
        new: bool,
    ) -> Ended:
        job = Underway(
            self._to,
            record,
            requests,
            items=items,
            last_try=self._is_last_try,
            new=new,
        )
        return await job.see_to()

    def _is_last_try(self, key: str, outcome: Outcome) -> bool:
        return self._tries[key] + 1 >= min(self._batching.tries, POLICIES[outcome].sends)

    async def _asked_online(self, requests: Sequence[Request]) -> Ended:
        return Ended(await _ask_online(self._session, requests), "open")

    async def _no_room(self) -> str:
        room = await self._session.purse.room()
        first = next(iter(self._pending))
        return (
            f"budget: {room or 0:.6f} USD are left of the cap, and the next request in batch mode "
            f"may cost {self._costs[first].maximum:.6f}: {len(self._pending)} were not sent; raise "
            "--max-usd to go on"
        )
