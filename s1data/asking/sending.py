"""Sending one request: reserve, send, try again, keep, settle; and what many failures say.

What is sent has its reservation on disk before, and its reply on disk before anyone is told of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from s1data.asking.purse import Item
from s1data.asking.retrying import retry
from s1data.asking.served import Line
from s1data.asking.stopping import NotSent, Stop, stop_for
from s1data.asking.together import Together
from s1data.errors import S1DataError
from s1data.models import POLICIES, ModelError, Outcome, Reply, Request

if TYPE_CHECKING:
    from s1data.asking.session import Session

Answer: TypeAlias = Reply | ModelError | NotSent

IN_A_ROW: Final = 20
"""So many requests given up, or refused, with no reply between them: the server is not serving."""

HOLLOW: Final = frozenset({Outcome.EMPTY, Outcome.MALFORMED})
"""Replies that say nothing, whoever is asked about what."""


class Sender:
    """How one session sends; its lines, budget and stop are the session's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keeping = Together[Reply](self._put)

    async def answer(self, request: Request) -> Answer:
        """The reply, which is kept by then, or the error or the stop that left it open."""
        line = self._session.line(request)
        if line is None:
            return NotSent(_unserved(request))
        if not request.prompt.strip() and request.score is None:
            return self._made(request, Outcome.BAD_REQUEST, "the prompt is blank: it was not sent")
        sends: list[str] = []
        try:
            if self._session.stopped is not None:
                return NotSent(self._session.stopped)
            # All of them before the first: nobody pays solvers for a run whose teacher has no key.
            if not line.fit:
                await self._check()
            reply = await retry(
                lambda: self._send(line, request, sends),
                request.key,
                self._session.backoff,
                self._session.sleep,
            )
            if POLICIES[reply.outcome].sends > 1:  # tried often enough: now it is kept
                await self.keep(line, reply)
            self._count_hollow(line, reply)
        except NotSent as stopped:
            return stopped
        except ModelError as error:
            return await self._ended(line, request, error, len(sends))
        except (S1DataError, OSError) as error:
            # What cannot be kept must not be paid for.
            self._session.stop(Stop("failed", str(error)))
            raise
        return replace(
            reply, raw=None, request=None
        )  # they are in the store; nobody here reads them

    async def _check(self) -> None:
        try:
            await self._session.checked()
        except ModelError as error:
            if POLICIES[error.outcome].stops:
                raise
            # It was the tiny request that was refused, and not this one.
            raise NotSent(self._why()) from error

    async def _send(self, line: Line, request: Request, sends: list[str]) -> Reply:
        """Sends once: reserve, send, keep, settle."""
        # Four bytes a token is what English text has; the true count follows with the reply.
        tokens = len(request.prompt) // 4 + 1
        if not await line.enter(tokens):
            raise NotSent(self._why())
        try:
            most = line.served.price.maximum(request) if line.served.price else 0.0
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            item = Item(request.key, now, most)
            await self._session.purse.reserve(item)
            if self._session.stopped is not None:
                await self._session.purse.settle(item, 0.0)
                raise NotSent(self._session.stopped)
            sends.append(now)
            line.tally.sent += 1
            reply = await self._sent(line, request, item, tokens, len(sends))
        finally:
            line.leave()
        # Kept before it is settled: killed between the two, the store knows what it cost.
        if POLICIES[reply.outcome].sends == 1:
            await self.keep(line, reply)
        await self._session.purse.settle(item, reply.usd if line.served.price else 0.0)
        return reply

    async def _sent(
        self, line: Line, request: Request, item: Item, tokens: int, sends: int
    ) -> Reply:
        start = time.monotonic()
        allowance = line.lane.allowance
        try:
            reply = await line.served.model.ask(request)
        except ModelError as error:
            line.tally.outcomes[error.outcome] += 1
            if POLICIES[error.outcome].slows:
                allowance.slowed(time.monotonic(), start, error.retry_after)
            await self._session.purse.settle(item, None if error.billed else 0.0)
            raise
        except asyncio.CancelledError:
            self._session.purse.let_go()  # sent, and perhaps billed: its reservation stays
            raise
        now = time.monotonic()
        usd = line.served.price.of(reply) if line.served.price else None
        line.tally.took(reply, usd)
        self._session.got.add(request.key)
        line.silent = 0
        line.answered = True
        allowance.answered()
        parts = (reply.prompt_tokens, reply.thinking_tokens, reply.answer_tokens)
        allowance.used(now, sum(part or 0 for part in parts) - tokens)
        return replace(
            reply,
            origin=self._session.origin,
            asked=item.asked,
            sends=sends,
            usd=usd,
            seconds=reply.seconds or now - start,
        )

    async def keep(self, line: Line, reply: Reply) -> None:
        """Returns when the reply is on disk."""
        refused, line.refused = line.refused, []
        if not refused:
            await self._keeping(reply)
            return
        await asyncio.gather(*(self._keeping(one) for one in (*refused, reply)))

    async def keep_refused(self, line: Line) -> None:
        """Keeps the bad requests of a model that has not answered."""
        refused, line.refused = line.refused, []
        await asyncio.gather(*(self._keeping(one) for one in refused))

    async def flush(self) -> None:
        """Returns when all replies so far are written."""
        await self._keeping.flush()

    async def _ended(self, line: Line, request: Request, error: ModelError, sends: int) -> Answer:
        policy = POLICIES[error.outcome]
        served = line.served
        if policy.stops:
            self._session.stop(stop_for(served.name, served.spec.provider, error))
            return error
        if policy.settled:
            reply = replace(self._made(request, error.outcome, str(error)), sends=sends)
            if line.answered:
                await self.keep(line, reply)
                return reply
            # A server that refuses everything is set up wrongly: that says nothing of the rows.
            line.refused.append(reply)
            if len(line.refused) >= IN_A_ROW:
                said = (
                    f"model {served.name}: all of the first {IN_A_ROW} requests were refused, the "
                    f"last with: {error}; mend the model's settings and run again"
                )
                line.refused.clear()
                self._session.stop(Stop("refused", said))
                return error
            return reply
        line.silent += 1
        if line.silent >= IN_A_ROW:
            said = (
                f"model {served.name}: {IN_A_ROW} requests in a row got no reply, the last with: "
                f"{error}; what came before is kept: see to the server and run again"
            )
            self._session.stop(Stop("silent", said))
        return error

    def _count_hollow(self, line: Line, reply: Reply) -> None:
        """Stops where nothing but empty or malformed replies came since the start."""
        if line.hollow < 0:
            return
        if reply.outcome not in HOLLOW:
            line.hollow = -1
            return
        line.hollow += 1
        if line.hollow >= IN_A_ROW:
            said = (
                f"model {line.served.name}: all of the first {IN_A_ROW} replies say nothing "
                f"({reply.outcome}{': ' + reply.detail if reply.detail else ''}); see what is "
                "served there, mend the model's settings and run again"
            )
            self._session.stop(Stop("refused", said))

    def _put(self, replies: Sequence[Reply]) -> list[Exception | None]:
        self._session.store.put(replies)
        return [None] * len(replies)

    def _made(self, request: Request, outcome: Outcome, detail: str) -> Reply:
        return Reply(
            key=request.key,
            provider=request.provider,
            model=request.model,
            request=request.text,
            outcome=outcome,
            detail=detail,
            origin=self._session.origin,
            sends=0,
        )

    def _why(self) -> Stop:
        return self._session.stopped or Stop("failed", "the session sends nothing more")


def _unserved(request: Request) -> Stop:
    return Stop("no_endpoint", f"nothing serves {request.model} ({request.provider}) in this run")
