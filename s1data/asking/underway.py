"""One batch job, from before it is made until nothing is left to be done for it.

What can be lost at a kill is decided here: the job is written down with its requests, then
reserved for, then made, then named on disk. A job that is written down without a name may have been
made: the service is asked for one of that display name before another is made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from s1data.asking.batching import Batching
from s1data.asking.retrying import retry
from s1data.asking.served import Line
from s1data.asking.stopping import NotSent, Reason, Stop, stop_for
from s1data.models import POLICIES, Batches, JobState, ModelError, Outcome, Reply, Request
from s1data.store.jobs import JobRecord

if TYPE_CHECKING:
    from s1data.asking.session import Session

CHUNK: Final = 256
"""Replies that are kept at once."""
CANCELLING: Final = 600.0
"""Seconds in which a job that was cancelled must have ended."""

NOT_SENT: Final = "not_sent"
_UNSURE: Final = frozenset({Outcome.DROPPED, Outcome.TIMEOUT, Outcome.OVERLOADED})
"""Endings of a call that leave open whether the job was made."""
_MISSING: Final = Outcome.DROPPED.value


@dataclass(frozen=True, slots=True)
class JobLine:
    """A model in batch mode, as one session has it."""

    session: Session
    batching: Batching
    batches: Batches
    line: Line


@dataclass(frozen=True, slots=True)
class Ended:
    """What a job left without a reply, by key with why, and what is to become of it."""

    left: Mapping[str, str]
    then: Literal["again", "anew", "online", "open"]
    """``again`` counts as a try; ``anew`` does not, since nothing was sent."""


class Underway:
    """A job that this process holds. ``items`` are its reservations in the budget of this run."""

    def __init__(
        self,
        to: JobLine,
        record: JobRecord,
        requests: Mapping[str, Request],
        *,
        items: Mapping[str, str],
        last_try: Callable[[str, Outcome], bool],
        new: bool,
    ) -> None:
        self._session = to.session
        self._batching = to.batching
        self._batches = to.batches
        self._line = to.line
        self._record = record
        self._requests = requests
        self._items = items
        self._last_try = last_try
        self._new = new
        self._unsure = not new
        """Whether the service may have made the job though it has no name here."""
        price = to.line.served.price
        self._price = price.in_batch() if price else None

    async def see_to(self) -> Ended:
        """Makes it, or finds it again; waits for its end; takes in its results."""
        try:
            name = self._record.name
            if name is None:
                made = await self._made()
                if isinstance(made, Ended):
                    return made
                name = made
            return await self._waited_for(name)
        except NotSent:
            return self._all("open", NOT_SENT)
        finally:
            self._session.purse.let_go(len(self._items))
            self._record.let_go()

    async def _made(self) -> str | Ended:
        """The job's name at the service, written down; or what is left where there is none."""
        try:
            name = await retry(
                self._make, self._record.token, self._session.backoff, self._session.sleep
            )
        except NotSent:
            await self._unless_unsure()
            raise
        except ModelError as error:
            await self._unless_unsure()
            return self._gave_up(error, "no job could be made")
        if name is None:  # as far as the service says, the process before never made it
            self._unsure = False
            await self._unless_unsure()
            return self._all("anew", NOT_SENT)
        await asyncio.to_thread(self._record.named, name)
        self._line.tally.sent += len(self._requests) if self._new else 0
        return name

    async def _make(self) -> str | None:
        if self._session.stopped is not None:
            raise NotSent(self._session.stopped)
        if self._unsure:
            found = await self._batches.find(self._record.token)
            if found is not None or not self._new:
                return found
            self._unsure = False
        try:
            return await self._batches.submit([*self._requests.values()], self._record.token)
        except ModelError as error:
            self._unsure = error.outcome in _UNSURE
            raise

    async def _unless_unsure(self) -> None:
        """Where it is sure that no job was made, neither reservation nor record of it stays."""
        if self._unsure:
            return
        await self._settled_at_nothing()
        await asyncio.to_thread(self._record.end)

    async def _settled_at_nothing(self) -> None:
        """Gives the reservations back; before the record ends, which a kill in between leaves."""
        open_ = await self._session.purse.unsettled()
        pairs = [(item, 0.0) for item in self._items.values() if item in open_]
        await self._session.purse.settle_all(pairs)

    async def _waited_for(self, name: str) -> Ended:
        state = await self._watched(name, self._stuck_at())
        if state is not None and not state.ended:
            if self._batching.fallback != "online":
                return self._stopped_for(name, f"is still {state} after {self._hours()}")
            try:
                await self._batches.cancel(name)
            except ModelError as error:
                return self._gave_up(error, f"{name} could not be cancelled")
            state = await self._watched(name, time.time() + CANCELLING)
            if state is not None and not state.ended:
                return self._stopped_for(name, f"is still {state} though it was cancelled")
        if state is None:
            return self._all("open", NOT_SENT)
        if state is JobState.SUCCEEDED:
            return await self._taken_in(name)
        return await self._without_results(name, state)

    async def _taken_in(self, name: str) -> Ended:
        try:
            left = await retry(
                lambda: self._collected(name),
                self._record.token,
                self._session.backoff,
                self._session.sleep,
            )
        except ModelError as error:
            if error.outcome is Outcome.NOT_FOUND:
                return await self._without_results(name, JobState.GONE)
            return self._gave_up(error, f"the results of {name} could not be fetched")
        await asyncio.to_thread(self._record.end)
        return Ended(left, "again")

    async def _watched(self, name: str, until: float) -> JobState | None:
        """Its last state, or the one it has at that time; None where the session stopped."""
        wait = self._batching.poll
        while self._session.stopped is None:
            try:
                state = await self._batches.look(name)
            except ModelError as error:
                # A service that cannot be reached for an hour may have gone on with the job.
                if POLICIES[error.outcome].stops or POLICIES[error.outcome].settled:
                    self._gave_up(error, f"{name} could not be looked at")
                    return None
                state = JobState.RUNNING
            if state.ended or time.time() >= until:
                return state
            await self._session.sleep(wait)
            wait = min(wait * 1.5, self._batching.poll_most)
        return None

    async def _without_results(self, name: str, state: JobState) -> Ended:
        fallback = self._batching.fallback
        if state is JobState.GONE and fallback == "stop":
            return self._stopped_for(
                name,
                "is not known to the service (is the key that of the account that made it?)",
            )
        if state is not JobState.GONE:
            # It is over and has answered nothing. Of one that is not known nobody can say so.
            await self._settled_at_nothing()
        await asyncio.to_thread(self._record.end)
        if fallback == "stop":
            self._stopped_for(
                name, f"ended as {state} without results", "run again to send them in a new job"
            )
            return self._all("open", Outcome.TIMEOUT)
        return self._all("online" if fallback == "online" else "again", Outcome.TIMEOUT)

    def _stopped_for(self, name: str, what: str, cure: str = "run again to look again") -> Ended:
        message = (
            f"model {self._line.served.name}: batch job {name} of {len(self._requests)} requests "
            f"{what}; {cure}, with --batch-fallback wait to stay in batch mode in any case, or "
            "with online to ask them at full price"
        )
        self._session.stop(Stop("batch", message))
        return self._all("open", NOT_SENT)

    def _gave_up(self, error: ModelError, what: str) -> Ended:
        served = self._line.served
        if POLICIES[error.outcome].stops:
            self._session.stop(stop_for(served.name, served.spec.provider, error))
        else:
            reason: Reason = "refused" if error.outcome is Outcome.BAD_REQUEST else "silent"
            message = f"model {served.name}: {what}: {error}; run again to go on from here"
            self._session.stop(Stop(reason, message))
        return self._all("open", NOT_SENT)

    async def _collected(self, name: str) -> dict[str, str]:
        """Keeps the results; returns why for each request that still has no reply."""
        session = self._session
        known = await asyncio.to_thread(session.store.has, list(self._requests))
        open_ = await session.purse.unsettled()
        seen: set[str] = set()
        left: dict[str, str] = {}
        chunk: list[tuple[str, Reply | ModelError]] = []
        results = self._batches.fetch(name, self._requests, self._record.results)
        async for key, got in results:
            if key not in seen:
                seen.add(key)
                chunk.append((key, got))
            if len(chunk) == CHUNK:
                left |= await self._taken(chunk, known, open_)
                chunk = []
        left |= await self._taken(chunk, known, open_)
        # A line that is missing may have been billed: its reservation stays.
        left |= dict.fromkeys(self._requests.keys() - seen - known, _MISSING)
        return left | self._all_refused()

    async def _taken(
        self, chunk: list[tuple[str, Reply | ModelError]], known: set[str], open_: set[str]
    ) -> dict[str, str]:
        line, session = self._line, self._session
        left: dict[str, str] = {}
        keep: list[Reply] = []
        costs: dict[str, float | None] = {}
        for key, got in chunk:
            if isinstance(got, ModelError):
                line.tally.outcomes[got.outcome] += 1
                costs[key] = None if got.billed else 0.0
                if key not in known:
                    left[key] = got.outcome.value
                continue
            reply = self._priced(got)
            refused = reply.outcome is Outcome.BAD_REQUEST
            costs[key] = reply.usd if self._price and not refused else 0.0
            line.tally.took(reply, reply.usd)
            line.answered = line.answered or not refused
            if key in known:
                continue
            if refused and not line.answered:
                line.refused.append(reply)
            elif POLICIES[reply.outcome].sends == 1 or self._last_try(key, reply.outcome):
                session.got.add(key)
                keep.append(reply)
            else:
                left[key] = reply.outcome.value
        # Kept before they are settled: killed between the two, the store knows what they cost.
        await asyncio.gather(*(session.keep(line, reply) for reply in keep))
        items = ((self._items.get(key), usd) for key, usd in costs.items())
        await session.purse.settle_all([(item, usd) for item, usd in items if item in open_])
        return left

    def _priced(self, reply: Reply) -> Reply:
        usd = self._price.of(reply) if self._price else None
        asked, origin = self._record.asked, self._session.origin
        return replace(reply, usd=usd, asked=asked, origin=origin)

    def _all_refused(self) -> dict[str, str]:
        """Where a job was refused line by line, that says nothing of the rows."""
        line = self._line
        if line.answered or len(line.refused) < len(self._requests):
            return {}
        refused, line.refused = line.refused, []
        self._session.stop(
            Stop(
                "refused",
                f"model {line.served.name}: every request of a batch job was refused, the last "
                f"with: {refused[-1].detail}; mend the model's settings and run again",
            )
        )
        return {reply.key: Outcome.BAD_REQUEST.value for reply in refused}

    def _all(self, then: Literal["again", "anew", "online", "open"], why: str) -> Ended:
        return Ended(dict.fromkeys(self._requests, str(why)), then)

    def _stuck_at(self) -> float:
        if self._batching.fallback == "wait":
            return float("inf")
        made = datetime.fromisoformat(self._record.asked)
        return made.timestamp() + self._batching.stuck_after

    def _hours(self) -> str:
        made = datetime.fromisoformat(self._record.asked)
        return f"{(datetime.now(UTC) - made).total_seconds() / 3600:.1f} hours"
