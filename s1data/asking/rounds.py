"""An Asker's rows through its rounds: few at a time, many such at once, so that memory is bounded.

Slices of rows whose replies are all in the store are answered whole and at once. A slice that
lacks one is cut into small batches, each of which goes through its rounds by itself; only so many
batches run as keep the models' lanes full. Rows do not depend on each other, so how they are cut
is nowhere in the result.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from s1data.asking.known import Replies, Texts
from s1data.asking.session import Session
from s1data.asking.stopping import NotSent, Stop
from s1data.asking.used import Used
from s1data.models import POLICIES, ModelError, ModelSpec, Reply, Request, TraceKind
from s1data.stage import Asker

SLICE: Final = 512
"""Rows looked up at once: two replies of 50 KB to each are 50 MB."""
BATCH: Final = 8
"""Rows of a batch, and of the first one, on which it is judged whether replies are acceptable."""
PATIENCE: Final = 8 * BATCH
"""Rows after which batches run side by side though some model has hardly answered."""
GRACE: Final = 3.0
"""Seconds after Ctrl-C in which requests in flight may still come home."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking."""

    columns: pl.DataFrame
    figures: dict[str, Any]
    """By the recipe's name of the model: requests, cached, outcomes, tokens and dollars of the
    replies used, whoever paid for them and when."""
    keys: list[str]
    """Of every request that the Asker made, sorted."""
    open: dict[str, str]
    """Requests without a reply, and why: the outcome that they were given up with, which the
    columns name as that of a reply, or ``not_sent``, which left a gap."""
    stopped: Stop | None
    """Why asking ended early."""


def ask_in_rounds(
    asker: Asker,
    rows: pl.DataFrame,
    specs: Mapping[str, ModelSpec],
    session: Session,
    progress: Callable[[int, int], None] | None = None,
    texts: Texts | None = None,
    *,
    judged: bool = False,
) -> Asked:
    """Asks all that ``asker`` wants to know of ``rows``; returns its columns, in order.

    ``judged``: the kind of thinking that comes is known to be of use. ``texts`` are those of
    traces and attempts that ``rows`` name by key. On Ctrl-C sends nothing more, takes in what
    comes home within `GRACE` seconds and raises KeyboardInterrupt; a second Ctrl-C ends at
    once.
    """
    return session.run(_Rounds(asker, rows, specs, session, progress, texts, judged).run())


class _Rounds:
    def __init__(
        self,
        asker: Asker,
        rows: pl.DataFrame,
        specs: Mapping[str, ModelSpec],
        session: Session,
        progress: Callable[[int, int], None] | None,
        texts: Texts | None,
        judged: bool,
    ) -> None:
        self.asker = asker
        self.rows = rows
        self.specs = {name: specs[name] for name in asker.models()}
        self.session = session
        self.progress = progress
        self.texts = texts
        self.used = {name: Used() for name in self.specs}
        self.parts: dict[int, pl.DataFrame] = {}
        self.missing: dict[int, int] = {}
        """Batches under way or to come, by the start of their slice."""
        self.seen: set[str] = set()
        self.open: dict[str, str] = {}
        self.given_up: dict[str, Reply] = {}
        self.before = frozenset(session.got)
        self.done = 0
        self.judged = judged or not asker.accepts()

    async def run(self) -> Asked:
        work = asyncio.ensure_future(self._all())
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            said = "interrupted; every reply that came is kept, the same command goes on from here"
            self.session.stop(Stop("interrupted", said))
            await asyncio.wait({work}, timeout=GRACE)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self.session.finish()
            raise
        await work
        await self.session.finish()
        empty = pl.DataFrame(schema=self.asker.adds())
        columns = pl.concat([empty, *(self.parts[start] for start in sorted(self.parts))])
        figures = {name: used.figures() for name, used in self.used.items()}
        open_ = dict(sorted(self.open.items()))
        return Asked(columns, figures, sorted(self.seen), open_, self.session.stopped)

    async def _all(self) -> None:
        if self.session.in_jobs(self.specs):
            await self._all_in_jobs()
            return
        running: set[asyncio.Task[None]] = set()
        try:
            for start in range(0, self.rows.height, SLICE):
                rows = self.rows.slice(start, SLICE)
                known = Replies(self.specs, self.texts)
                wanted = await self._from_store(rows, known)
                if not wanted:
                    self._finish(start, rows, known)
                    continue
                self.missing[start] = -(-rows.height // BATCH)
                at_once = self._at_once(wanted)
                for at in range(0, rows.height, BATCH):
                    if not self.judged:
                        self._judge()
                    task = asyncio.create_task(self._part(start, rows, at, known))
                    running.add(task)
                    most = 1 if not self.judged else at_once
                    while len(running) >= most:
                        running = await _some_done(running)
            while running:
                running = await _some_done(running)
            if not self.judged:
                self._judge()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _all_in_jobs(self) -> None:
        """A whole round of all rows at a time; rows are held without their replies."""
        first = await self._pilot()
        left: dict[str, str] = {}
        for _ in range(self.asker.max_rounds()):
            wanted: dict[str, Request] = {}
            for start in range(first, self.rows.height, SLICE):
                missing = await self._missing(
                    self.rows.slice(start, SLICE), Replies(self.specs, self.texts)
                )
                wanted |= {key: one for key, one in missing.items() if key not in left}
            if not wanted:
                break
            left |= await self.session.ask_in_jobs(list(wanted.values()))
            if self.session.stopped is not None:
                break
        for start in range(first, self.rows.height, SLICE):
            rows, known = self.rows.slice(start, SLICE), Replies(self.specs, self.texts)
            for key, request in (await self._missing(rows, known, count=True)).items():
                self._leave_open(request, known, left.get(key, "not_sent"))
            self._finish(start, rows, known)

    async def _pilot(self) -> int:
        """Asks the first rows by themselves, until it is known what kind of thinking comes.

        A job's replies would all be paid before the first is seen.
        """
        done = 0
        while not self.judged and done < self.rows.height and self.session.stopped is None:
            rows, known = self.rows.slice(done, BATCH), Replies(self.specs, self.texts)
            await self._from_store(rows, known)
            await self._batch(rows, known)
            self._finish(done, rows, known)
            done += rows.height
            self._judge()
        return done

    async def _missing(
        self, rows: pl.DataFrame, known: Replies, *, count: bool = False
    ) -> dict[str, Request]:
        """Takes in what the store has; returns what is missing, whichever round a row is in."""
        missing: dict[str, Request] = {}
        for _ in range(self.asker.max_rounds()):
            new = {one.key: one for one in self._new(rows, known) if one.key not in missing}
            found = await self.session.look_up(list(new))
            self._take(found, known, cached=True, count=count)
            missing |= {key: one for key, one in new.items() if key not in found}
            if not found:
                break
        return missing

    def _at_once(self, wanted: list[Request]) -> int:
        # Twice as many rows as may be in flight: while some wait for their slowest, others send.
        lanes = {request.model: self.session.concurrency(request) for request in wanted}
        return max(2, 2 * sum(lanes.values()) // BATCH)

    async def _from_store(self, rows: pl.DataFrame, known: Replies) -> list[Request]:
        """Takes in what the store has; returns what is missing in the first round that lacks it."""
        for _ in range(self.asker.max_rounds()):
            new = self._new(rows, known)
            found = await self.session.look_up([request.key for request in new])
            self._take(found, known, cached=True)
            missing = [request for request in new if request.key not in found]
            if missing or not new:
                return missing
        return []

    async def _part(self, start: int, rows: pl.DataFrame, at: int, known: Replies) -> None:
        batch = rows.slice(at, BATCH)
        await self._batch(batch, known)
        self.missing[start] -= 1
        if not self.missing[start]:
            # For all of the slice at once: a frame of 8 rows costs as much to make as one of 512.
            self.parts[start] = self.asker.columns(rows, known)
        self._count(batch.height)

    async def _batch(self, rows: pl.DataFrame, known: Replies) -> None:
        for _ in range(self.asker.max_rounds()):
            # What was not sent waits for the next run; what was given up is known by now.
            new = [request for request in self._new(rows, known) if request.key not in self.open]
            if not new:
                break
            requests = {request.key: request for request in new}
            answers = await self.session.ask_all(new)
            replies = {key: got for key, got in answers.items() if isinstance(got, Reply)}
            self._take(replies, known, cached=False)
            for key, got in answers.items():
                if isinstance(got, NotSent):
                    self._leave_open(requests[key], known, "not_sent")
                elif isinstance(got, ModelError):
                    self._leave_open(requests[key], known, got.outcome.value)
                    if not POLICIES[got.outcome].stops:
                        self.given_up[key] = _given_up(requests[key], got)
                        known.add({key: self.given_up[key]})

    def _new(self, rows: pl.DataFrame, known: Replies) -> list[Request]:
        wanted = {request.key: request for request in self.asker.requests(rows, known)}
        while given_up := [key for key in wanted if key in self.given_up and key not in known]:
            known.add({key: self.given_up[key] for key in given_up})
            wanted = {request.key: request for request in self.asker.requests(rows, known)}
        for key in wanted:
            if key not in self.seen:
                self.seen.add(key)
                self.used[known.names[key]].requests += 1
        return [request for key, request in wanted.items() if key not in known]

    def _leave_open(self, request: Request, known: Replies, why: str) -> None:
        self.open[request.key] = why
        self.used[known.names[request.key]].open[why] += 1

    def _take(
        self, replies: Mapping[str, Reply], known: Replies, *, cached: bool, count: bool = True
    ) -> None:
        for key, reply in replies.items() if count else ():
            new = key in self.session.got and key not in self.before
            self.used[known.names[key]].add(reply, cached and not new)
        known.add(replies)

    def _finish(self, start: int, rows: pl.DataFrame, known: Replies) -> None:
        self.parts[start] = self.asker.columns(rows, known)
        self._count(rows.height)

    def _count(self, rows: int) -> None:
        self.done += rows
        if self.progress is not None:
            self.progress(self.done, self.rows.height)

    def _judge(self) -> None:
        """Stops where the first replies are of a kind that the Asker has no use for."""
        accepted = [kind.value for kind in self.asker.accepts()]
        for name, used in self.used.items():
            total = used.kinds.total()
            fit = sum(used.kinds[kind] for kind in accepted)
            if total >= BATCH // 2 and fit * 2 < total:
                got = ", ".join(f"{n} {kind}" for kind, n in used.kinds.most_common())
                said = (
                    f"model {name}: wanted thinking that is {' or '.join(accepted)}, but its first "
                    f"{total} replies have {got}{_meaning(used.kinds)}; ask another model, or name "
                    "what it gives under `accept`. Nothing more was sent"
                )
                self.session.stop(Stop("not_accepted", said))
        # A model that is seldom asked, or never answers, must not keep the others waiting for ever.
        enough = all(used.kinds.total() >= BATCH // 2 for used in self.used.values())
        self.judged = enough or self.done >= PATIENCE


def _meaning(kinds: Counter[str]) -> str:
    most = kinds.most_common(1)[0][0]
    if most == TraceKind.SUMMARY:
        return " (the service returns a summary of the chain of thought, not the chain itself)"
    if most == TraceKind.NONE:
        return " (no thinking came at all: is thinking switched on, and does this model think?)"
    return ""


def _given_up(request: Request, error: ModelError) -> Reply:
    """What the columns say in place of the reply that never came; it is not stored."""
    return Reply(
        key=request.key,
        provider=request.provider,
        model=request.model,
        outcome=error.outcome,
        detail=str(error),
        sends=0,
    )


async def _some_done(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, left = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return left
